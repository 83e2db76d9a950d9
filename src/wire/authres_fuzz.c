/* Any octets as the value of Authentication-Results; any octets written into one and read back. */
#include "wire/authres.h"
#include "wire/fuzz.h"

static char mem[1 << 18];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_mem(data, size), id, rest, one, method, word;
    struct buf b;
    if (size > 16384)
        return 0;
    if (authres_id(in, &id, &rest)) {
        size_t total = 0;
        while (authres_next(&rest, &one)) {
            total += one.n;
            (void)authres_method(one, &method, &word);
        }
        MUST(total <= size);
    }
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add(&b, S("mx.test; a=b"));
    authres_comment(&b, in);
    authres_property(&b, "c.d", in);
    buf_add(&b, S("; e=f"));
    MUST(!b.e && authres_id(buf_str(&b), &id, &rest) && str_eq(id, S("mx.test")));
    MUST(authres_next(&rest, &one) && authres_next(&rest, &one) && str_eq(one, S("e=f")) && !authres_next(&rest, &one));
    return 0;
}
