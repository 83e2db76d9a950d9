/* TLS reports of others: what is read can be written and read again; and records. */
#include "wire/fuzz.h"
#include "wire/tlsrpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct tlsrpt r, again;
    struct buf out;
    str rua, uri;
    arena_init(&a, 4096, 8 << 20);
    buf_init(&out, 16 << 20);
    if (tlsrpt_read(str_mem(data, size), &a, &r) == OK && tlsrpt_print(&out, &r) == OK) {
        err e = tlsrpt_read(buf_str(&out), &a, &again);
        MUST(e == E_LIMIT || (e == OK && again.npolicies == r.npolicies));
        for (size_t i = 0; e == OK && i < r.npolicies; i++)
            MUST(again.policies[i].nfailures == r.policies[i].nfailures && again.policies[i].bad == r.policies[i].bad);
    }
    if (tlsrpt_record(str_mem(data, size), &rua))
        while (tlsrpt_uri_next(&rua, &uri))
            MUST(uri.n >= 7);
    buf_free(&out);
    arena_free(&a);
    return 0;
}
