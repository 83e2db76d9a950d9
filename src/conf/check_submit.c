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

void check_submission(struct load *l)
{
    struct conf *c = l->c;
    static const str mechs[] = {S_INIT("PLAIN"), S_INIT("LOGIN"), S_INIT("SCRAM-SHA-256"),
                                S_INIT("SCRAM-SHA-256-PLUS")};
    for (size_t i = 0; i < c->auth_mechanisms.n; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof mechs / sizeof *mechs; k++)
            known |= str_ieq(c->auth_mechanisms.v[i], mechs[k]);
        if (!known)
            fail(&l->e, LINE(l, auth_mechanisms),
                 "auth: mechanisms: expected PLAIN, LOGIN, SCRAM-SHA-256 or SCRAM-SHA-256-PLUS, found %s",
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
}
