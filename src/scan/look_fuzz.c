/* Any octets as a message: the same is found however it is cut, and limits hold. */
#include "scan/scan.h"

#include "wire/fuzz.h"

static struct scan_look *look(str in, size_t step, const struct scan_limits *limits, const struct scan_found **ret)
{
    struct scan_look *l = scan_look_new(limits);
    MUST(l);
    for (size_t at = 0; at < in.n; at += step)
        MUST(scan_look_at(l, str_sub(in, at, at + step)) == OK);
    MUST(scan_look_end(l, ret) == OK);
    return l;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 100000)
        return 0;
    const struct scan_limits limits = {40, 200000};
    const struct scan_found *a, *b;
    str in = {(const char *)data + 1, size - 1};
    struct scan_look *one = look(in, in.n ? in.n : 1, &limits, &a), *other = look(in, data[0] + 1u, &limits, &b);
    MUST(a->n == b->n && a->n <= limits.items && a->parts == b->parts);
    for (size_t i = 0; i < a->n; i++) {
        MUST(str_eq(a->v[i].name, b->v[i].name) && a->v[i].part == b->v[i].part && a->v[i].size == b->v[i].size);
        MUST(a->v[i].type < SCAN_TYPES && str_eq(a->v[i].declared, b->v[i].declared));
        char mem[SCAN_EXTENSION_MAX];
        MUST(scan_extension(a->v[i].name, mem).n <= sizeof mem);
    }
    scan_look_free(&one);
    scan_look_free(&other);
    return 0;
}
