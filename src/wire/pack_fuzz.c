/* Archives of others: bounded, and what we pack comes back. */
#include "wire/fuzz.h"
#include "wire/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out, packed, again;
    str in = str_mem(data, size);
    buf_init(&out, 100000);
    err e = pack_open(in, &out);
    MUST(out.n <= 100000);
    MUST(e == OK || e == E_SYNTAX || e == E_LIMIT || e == E_NOMEM);
    buf_init(&packed, 2 * size + 1000);
    buf_init(&again, size);
    MUST(pack_gzip(in, &packed) == OK);
    MUST(pack_open(buf_str(&packed), &again) == OK);
    MUST(str_eq(buf_str(&again), in));
    buf_free(&out);
    buf_free(&packed);
    buf_free(&again);
    return 0;
}
