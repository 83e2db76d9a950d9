/* Rules about log-in and submission: names of mechanisms, rates. */
#include "base/text.h"
#include "conf/internal.h"

bool conf_rate(str text, uint32_t ret[3])
{
    static const str units[3] = {S_INIT("/min"), S_INIT("/h"), S_INIT("/d")};
    str word;
    ret[0] = ret[1] = ret[2] = 0;
    while (text.n && str_cut(&text, ' ', &word)) {
        uint64_t n = 0;
        int i = 0;
        while (i < 3 && !str_ends(word, units[i]))
            i++;
        if (!word.n)
            continue;
        if (i == 3 || ret[i] || !text_u64(str_sub(word, 0, word.n - units[i].n), &n) || !n || n > UINT32_MAX)
            return false;
        ret[i] = (uint32_t)n;
    }
    return true;
}

static void check_rate(struct load *l, int line, const char *key, str text)
{
    uint32_t unused[3];
    if (!conf_rate(text, unused))
        fail(&l->e, line, "submission: %s: expected a rate such as \"30/min 500/h 2000/d\", each unit once, found %s",
             key, shown(&l->e, text));
}

/* A device is trusted for its address alone: that must be one that nobody outside can have. */
static void check_devices(struct load *l, const struct conf_listener *x)
{
    for (size_t i = 0; i < x->devices.n; i++) {
        str entry = x->devices.v[i], account;
        struct ip_net net;
        const char *why = "no \"=\" in it";
        size_t at = str_find(entry, '=');
        bool ok = at != STR_NONE && address_of(l, str_trim(str_skip(entry, at + 1)), &account, NULL, NULL, &why);
        if (ok && !ip_net_parse(str_trim(str_sub(entry, 0, at)), &net)) {
            why = "not an address or network";
            ok = false;
        }
        if (!ok) {
            fail(&l->e, x->line, "listener " STR_FMT ": devices: expected \"address=account\", found %s: %s",
                 STR_ARG(x->title), shown(&l->e, entry), why);
            continue;
        }
        enum ip_class class = ip_class(&net.ip);
        if (class != IP_LOOPBACK && class != IP_PRIVATE && class != IP_LINK_LOCAL)
            fail(&l->e, x->line,
                 "listener " STR_FMT ": devices: expected addresses of a local network (10.0.0.0/8, 172.16.0.0/12, "
                 "192.168.0.0/16, fc00::/7, fe80::/10, loopback), found %s",
                 STR_ARG(x->title), shown(&l->e, entry));
        else if (net.bits < (net.ip.v == 4 ? 16 : 48) && class != IP_LOOPBACK)
            fail(&l->e, x->line,
                 "listener " STR_FMT ": devices: expected networks of at most /16 (IPv6: /48), found %s",
                 STR_ARG(x->title), shown(&l->e, entry));
    }
    if (x->devices.n && (x->submission || x->protocol == CONF_LMTP))
        fail(&l->e, x->line, "listener " STR_FMT ": expected devices alone, found it with submission or lmtp",
             STR_ARG(x->title));
}

void check_submission(struct load *l)
{
    struct conf *c = l->c;
    static const str mechs[] = {S_INIT("PLAIN"),         S_INIT("LOGIN"),
                                S_INIT("SCRAM-SHA-256"), S_INIT("SCRAM-SHA-256-PLUS"),
                                S_INIT("OAUTHBEARER"),   S_INIT("XOAUTH2")};
    for (size_t i = 0; i < c->auth_mechanisms.n; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof mechs / sizeof *mechs; k++)
            known |= str_ieq(c->auth_mechanisms.v[i], mechs[k]);
        if (!known)
            fail(&l->e, LINE(l, auth_mechanisms),
                 "auth: mechanisms: expected PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS, OAUTHBEARER or XOAUTH2, "
                 "found %s",
                 shown(&l->e, c->auth_mechanisms.v[i]));
    }
    check_name(l, LINE(l, auth_domain), "auth.domain", false, S(""), &c->auth_domain);
#define RATE(name, word) check_rate(l, LINE(l, submission_##name), word, c->submission_##name)
    RATE(account_messages, "account-messages");
    RATE(account_recipients, "account-recipients");
    RATE(domain_messages, "domain-messages");
    RATE(domain_recipients, "domain-recipients");
    RATE(customer_messages, "customer-messages");
    RATE(customer_recipients, "customer-recipients");
    RATE(uid_messages, "uid-messages");
    RATE(uid_recipients, "uid-recipients");
#undef RATE
    for (size_t i = 0; i < c->nlisteners; i++)
        check_devices(l, &c->listeners[i]);
}
