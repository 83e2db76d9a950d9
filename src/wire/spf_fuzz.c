/* SPF records: every term that is one has macros that expand within bounds. */
#include "wire/fuzz.h"
#include "wire/spf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct spf_vars v = {.local = S_INIT("l-o.c"),
                                      .sender_domain = S_INIT("sender.test"),
                                      .domain = S_INIT("a.b.c.test"),
                                      .helo = S_INIT("helo.test"),
                                      .ptr = S_INIT("p.test"),
                                      .ip = {6, {0x20, 1, 0xd, 0xb8}}};
    str rest = str_mem(data, size);
    struct spf_term t;
    const char *why;
    enum spf_next n;
    while ((n = spf_next(&rest, &t, &why)) == SPF_TERM) {
        struct buf out;
        str name = {0};
        buf_init(&out, 4096);
        err e =
            t.kind == SPF_UNKNOWN ? spf_expand(&out, t.domain, true, &v) : spf_expand_domain(&out, t.domain, &v, &name);
        MUST(e == OK || e == E_LIMIT);
        (void)spf_uses_ptr(t.domain);
        MUST(t.bits4 <= 32 && t.bits6 <= 128);
        buf_free(&out);
    }
    MUST(n == SPF_END || why);
    return 0;
}
