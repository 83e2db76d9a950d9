/* Any octets as a header block, as the value of a field, as an address list. */
#include "wire/fuzz.h"
#include "wire/head.h"

static char mem[1 << 18];

static void addresses(str value)
{
    struct arena a;
    struct head_addr ha;
    bool bad;
    arena_init(&a, 4096, 1 << 20);
    while (head_addr_next(&value, &a, &ha, &bad))
        MUST(str_find(ha.spec, '\n') == STR_NONE && str_find(ha.spec, '\r') == STR_NONE);
    arena_free(&a);
}

static void written(str value)
{
    struct buf out;
    struct head_field f;
    buf_init_fixed(&out, mem, sizeof mem);
    if (head_add(&out, S("X-Y"), value))
        return;
    str rest = buf_str(&out), line;
    MUST(head_next(&rest, &f) && rest.n == 0 && str_eq(f.name, S("X-Y"))); /* one field, whatever is in it */
    rest = buf_str(&out);
    while (str_cut(&rest, '\n', &line))
        MUST(line.n <= 999);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size}, rest = all;
    struct head_field f;
    struct buf out;
    bool empty;
    size_t total = 0;
    if (size > 16384)
        return 0;
    while (head_next(&rest, &f)) {
        MUST(f.name.n > 0 && f.raw.n >= f.name.n + f.value.n + 1);
        total += f.raw.n;
        buf_init_fixed(&out, mem, sizeof mem);
        head_unfold(&out, f.value);
        MUST(str_find(buf_str(&out), '\n') == STR_NONE);
        addresses(f.value);
    }
    MUST(total + rest.n == size);
    size_t len = head_len(all, &empty);
    MUST(len >= total && len <= total + 2);
    addresses(all);
    written(all);
    return 0;
}
