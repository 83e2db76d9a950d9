/* The rules of rspamd { } and clamd { }: addresses that can be one, endings without a dot. */
#include "conf/internal.h"
#include "wire/endpoint.h"

static void check_address(struct load *l, int line, const char *key, str text)
{
    struct endpoint at;
    if (text.n && !endpoint_parse(text, 1, &at))
        fail(&l->e, line, "%s: expected " ENDPOINT_WANTED ", found %s", key, shown(&l->e, text));
}

void check_scan(struct load *l)
{
    struct conf *c = l->c;
    check_address(l, LINE(l, rspamd), "rspamd", c->rspamd);
    struct endpoint at;
    if (c->rspamd_controller.n && (!endpoint_parse(c->rspamd_controller, 11334, &at) || at.local))
        fail(&l->e, LINE(l, rspamd_controller), "rspamd.controller: expected \"host:port\", found %s",
             shown(&l->e, c->rspamd_controller));
    check_address(l, LINE(l, clamd), "clamd", c->clamd);
    for (size_t i = 0; i < c->policy_attachment_endings.n; i++) {
        str s = c->policy_attachment_endings.v[i];
        for (size_t k = 0; k < s.n; k++)
            if (s.p[k] == '.' || s.p[k] == '*' || (s.p[k] >= 'A' && s.p[k] <= 'Z')) {
                fail(&l->e, LINE(l, policy_attachment_endings),
                     "policy.attachment-endings: expected endings such as \"exe\", in lower case and without a dot, "
                     "found %s",
                     shown(&l->e, s));
                break;
            }
    }
}
