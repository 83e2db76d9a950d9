/* Fields of feedback reports: the input up to an octet 1 is the part, what follows the original. */
#include "wire/arf.h"
#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct arf f;
    str all = str_mem(data, size), part = S("");
    arena_init(&a, 4096, 1 << 20);
    str_cut(&all, 1, &part);
    if (arf_read(part, all, &a, &f) == OK) {
        MUST(f.type.n && f.type.n <= ARF_TEXT_MAX && f.subject.n <= ARF_TEXT_MAX);
        MUST(f.nrcpt <= ARF_LIST_MAX && f.ndomains <= ARF_LIST_MAX);
    }
    arena_free(&a);
    return 0;
}
