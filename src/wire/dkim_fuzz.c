/* Any octets as a signature field, a seal, results, a key record. */
#include "wire/dkim.h"
#include "wire/fuzz.h"

static void signature(str in, enum dkim_kind kind, struct arena *a)
{
    struct dkim_sig s;
    err e = dkim_sig_parse(in, kind, a, &s);
    MUST(e == OK || e == E_NOMEM || s.why.n);
    if (e)
        return;
    MUST(s.domain.n && s.s.n && s.key_name.n && s.signature.n && s.signature.n <= DKIM_SIG_MAX);
    MUST(canon_b_value(in).p);
    MUST(kind == DKIM_SIGNATURE || (s.instance >= 1 && s.instance <= DKIM_INSTANCE_MAX));
    MUST(kind != DKIM_SIGNATURE || str_iends(s.i, s.d) || str_find(s.i, '@') != STR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct dkim_key k;
    unsigned n;
    str in = str_mem(data, size), payload;
    if (size > 16384)
        return 0;
    arena_init(&a, 4096, 1 << 20);
    for (enum dkim_kind kind = DKIM_SIGNATURE; kind <= ARC_SEAL; kind++)
        signature(in, kind, &a);
    if (arc_results_parse(in, &n, &payload))
        MUST(n >= 1 && n <= DKIM_INSTANCE_MAX && payload.n <= size);
    err e = dkim_key_parse(in, &a, &k);
    MUST(e == OK || e == E_NOMEM || k.why.n);
    arena_free(&a);
    return 0;
}
