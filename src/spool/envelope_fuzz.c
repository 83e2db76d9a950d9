/* Stored envelopes: whatever decodes encodes to the same octets. */
#include "spool/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a;
    struct envelope e;
    struct buf b;
    arena_init(&a, 4096, 1 << 24);
    buf_init(&b, 1 << 24);
    str in = str_mem(p, n);
    if (!envelope_decode(&a, in, &e) && (envelope_encode(&b, &e) || !str_eq(buf_str(&b), in)))
        abort();
    buf_free(&b);
    arena_free(&a);
    return 0;
}
