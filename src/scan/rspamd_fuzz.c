/* Any octets as an answer of rspamd: limits hold, and every string is there. */
#include "scan/scan.h"

#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct rspamd_answer r;
    arena_init(&a, 4096, 4 << 20);
    if (rspamd_read(str_mem(data, size), &a, &r) == OK) {
        MUST(r.nsymbols <= RSPAMD_SYMBOLS_MAX && r.nedits <= RSPAMD_EDITS_MAX && r.nadd <= RSPAMD_EDITS_MAX);
        for (size_t i = 0; i < r.nsymbols; i++)
            MUST(r.symbols[i].name.p && r.symbols[i].score == r.symbols[i].score);
        for (size_t i = 0; i < r.nedits; i++)
            MUST(r.edits[i].name.p && r.edits[i].value.n <= size);
        MUST(rspamd_action_name(r.action));
    }
    arena_free(&a);
    return 0;
}
