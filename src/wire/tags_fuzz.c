/* Any octets as a list of tags. */
#include "wire/fuzz.h"
#include "wire/tags.h"

static char mem[1 << 16];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tags t;
    struct buf out;
    if (size > 16384 || tags_parse(str_mem(data, size), &t))
        return 0;
    MUST(t.n > 0 && t.n <= TAGS_MAX);
    for (size_t i = 0; i < t.n; i++) {
        str v = t.v[i].value, one;
        MUST(tags_get(&t, t.v[i].name).p == v.p); /* none twice */
        buf_init_fixed(&out, mem, sizeof mem);
        MUST(tags_base64(v, &out) == OK || out.n == 0);
        buf_init_fixed(&out, mem, sizeof mem);
        (void)tags_unquote(v, &out);
        MUST(out.n <= v.n);
        while (tags_item(&v, ':', &one))
            MUST(str_find(one, ':') == STR_NONE);
    }
    return 0;
}
