/* What entries may be called: addresses, domains, destinations, limits. */
#include "directory/internal.h"
#include "wire/idn.h"

bool directory_name(struct arena *a, str text, str *ret)
{
    str s;
    if (idn_to_ascii(text, a, &s) != OK || !domain_valid(s, 0))
        return false;
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; p && i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    *ret = (str){p, s.n};
    return p != NULL;
}

bool directory_address(struct arena *a, str text, str *ret_local, str *ret_domain, const char **why)
{
    struct addr x;
    enum fault f = addr_parse(text, ADDR_F_UTF8, a, &x);
    if (f == FAULT_NONE && x.kind != ADDR_NAME)
        f = FAULT_ADDR_NODOMAIN;
    if (f == FAULT_NONE && !directory_name(a, x.domain, ret_domain))
        f = FAULT_ADDR_DOMAIN;
    if (f == FAULT_NONE && x.local.n + 1 + ret_domain->n + 2 > ADDR_PATH_MAX) /* A-labels are longer */
        f = FAULT_ADDR_LONG;
    if (f != FAULT_NONE) {
        *why = fault_text(f);
        return false;
    }
    *ret_local = arena_str(a, x.local);
    *why = "out of memory";
    return ret_local->p != NULL;
}

str directory_print(struct arena *a, str local, str domain)
{
    char mem[ADDR_TEXT_MAX];
    struct buf b;
    const struct addr x = {.local = local, .domain = domain, .kind = ADDR_NAME};
    buf_init_fixed(&b, mem, sizeof mem);
    addr_print(&b, &x);
    return b.e ? (str){NULL, 0} : arena_str(a, buf_str(&b));
}

bool directory_hop(str deliver, struct conf_hop *ret, const char **why)
{
    *ret = (struct conf_hop){.how = CONF_TO_MAILDIR};
    *why = "expected \"maildir\", \"discard\", \"mx\", \"lmtp://host:port\", \"lmtp:///path\" or \"smtp://host:port\"";
    if (str_eq(deliver, S("maildir")))
        return true;
    ret->how = str_eq(deliver, S("discard")) ? CONF_TO_DISCARD : str_eq(deliver, S("mx")) ? CONF_TO_MX : CONF_TO_SERVER;
    const char *unused;
    return ret->how != CONF_TO_SERVER || url_parse(deliver, &ret->url, &unused);
}

bool directory_rate(str text, const char **why)
{
    uint32_t unused[3];
    *why = "expected a rate such as \"30/min 500/h 2000/d\", each unit once, or an empty text";
    return conf_rate(text, unused);
}
