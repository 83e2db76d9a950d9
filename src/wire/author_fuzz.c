/* From fields: what comes out is a domain name or nothing. */
#include "wire/addr.h"
#include "wire/author.h"
#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    str domain;
    arena_init(&a, 256, 1 << 20);
    enum author kind = author_domain(str_mem(data, size), &a, &domain);
    MUST(kind != AUTHOR_ONE || domain.n);
    MUST(!domain.n || domain_valid(domain, ADDR_F_UNDERSCORE));
    arena_free(&a);
    return 0;
}
