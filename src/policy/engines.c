/* Facts and actions of rules that ask the engines: reverse names, lists, greylisting, limits, recipient verification.
 */
#include "policy/client.h"
#include "policy/internal.h"
#include "policy/limits.h"
#include "policy/lists.h"
#include "policy/rules.h"
#include "policy/use.h"

enum { KEY_MAX = 320, ADDRESS_MAX = 400 };

struct hold { /* a place in a limit "at once" */
    struct hold *next;
    uint64_t ticket;
    const struct conf_rule *rule;
};

/* ---- facts ---- */

/* limit-exempt lifts what asks DNS about the client. */
static struct client *asked(struct policy *p, const struct matter *m)
{
    const struct ip *ip = &m->source->client.ip;
    return ip->v && !conf_nets_has(&m->conf->limit_exempt, ip) ? policy_client(p, m) : NULL;
}

bool fact_reverse_dns(struct policy *p, const struct matter *m, str name, fact_see *see, void *arg)
{
    static const char *const words[] = {"confirmed", "none", "mismatch", "error"};
    struct client *k = asked(p, m);
    (void)name;
    if (!k)
        return false;
    enum client_reverse r = client_reverse(k, &name);
    return see(arg, &(struct fact_value){.text = str_c(words[r]), .number = r});
}

bool fact_client_name(struct policy *p, const struct matter *m, str name, fact_see *see, void *arg)
{
    str found = m->source->client_name;
    struct client *k = found.n ? NULL : asked(p, m);
    (void)name;
    if (k && client_reverse(k, &found) != REVERSE_CONFIRMED)
        found = S("");
    return found.n && see(arg, &(struct fact_value){.text = found});
}

bool engine_in_list(struct policy *p, const struct matter *m, const struct conf_access *l, enum rule_type type,
                    const struct fact_value *v)
{
    struct conf *c = (struct conf *)m->conf;
    rt_time until = rt_after(c->policy_dns_time);
    (void)p;
    switch (type) {
    case RULE_IP:
        return list_has_ip(c, l, &v->ip, until);
    case RULE_DOMAIN:
        return list_has_domain(c, l, v->text, until);
    case RULE_ADDRESS:
        return list_has_address(c, l, v->text, until);
    default:
        return list_has_text(c, l, v->text, until);
    }
}

/* ---- limits ---- */

/* The first value of a fact as a key. */
struct key {
    enum rule_type type;
    size_t n;
    char text[KEY_MAX];
};
static bool first_value(void *arg, const struct fact_value *v)
{
    struct key *k = arg;
    struct buf b;
    buf_init_fixed(&b, k->text, sizeof k->text);
    if (k->type == RULE_IP) {
        struct ip net = ip_mask(&v->ip, v->ip.v == 6 ? 64 : 32);
        ip_print(&b, &net);
    } else {
        buf_add(&b, str_sub(v->text, 0, sizeof k->text));
    }
    k->n = b.n;
    return true;
}

/* A place that is taken already (a second EHLO, a second RCPT) is not taken twice. */
static bool holds(const struct hold *h, const struct conf_rule *rule)
{
    while (h && h->rule != rule)
        h = h->next;
    return h != NULL;
}

void limits_release(struct hold **h)
{
    for (; *h; *h = (*h)->next)
        limit_leave((*h)->ticket);
}

static bool keep(struct policy *p, const struct conf_rule *rule, uint64_t ticket)
{
    bool session = p->phase <= PHASE_AUTH;
    struct hold **at = session ? &p->session_holds : &p->holds;
    struct hold *h = arena_new(session ? &p->session : &p->tx, struct hold);
    if (!h) {
        limit_leave(ticket);
        return false;
    }
    *h = (struct hold){*at, ticket, rule};
    *at = h;
    return true;
}

bool act_limit(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,
               struct verdict *v)
{
    SCRATCH struct key k;
    k.type = rule_facts[a->by].type;
    k.n = 0;
    fact_fn *fact = own_facts[a->by] ? own_facts[a->by] : more_facts[a->by];
    if (!fact || !fact(p, m, a->by_name, first_value, &k) || !k.n)
        return true; /* nothing to count by: nobody has logged in, no such field */
    if (a->at_once && holds(p->phase <= PHASE_AUTH ? p->session_holds : p->holds, rule))
        return true;
    struct limit l = {.scope = rule->title,
                      .key = str_mem(k.text, k.n),
                      .most = {a->rates[0], a->rates[1], a->rates[2]},
                      .at_once = a->at_once,
                      .entries = (uint32_t)m->conf->policy_limit_entries};
    struct limit_hit hit;
    uint64_t ticket;
    if (limit_enter(&l, &ticket, &hit))
        return !ticket || keep(p, rule, ticket);
    char mem[KEY_MAX + 120];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    limit_say(&text, &hit, str_c(rule_facts[a->by].words), l.key);
    verdict_reply(v, 450, "4.7.1", STR_FMT, STR_ARG(buf_str(&text)));
    return true;
}

/* ---- recipients ---- */

bool act_greylist(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,
                  struct verdict *v)
{
    (void)p;
    (void)rule;
    (void)a;
    if (m->rcpt)
        grey_verdict(m, S(""), v);
    return true;
}

bool act_verify(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,
                struct verdict *v)
{
    char mem[ADDRESS_MAX];
    struct buf to;
    (void)p;
    (void)rule;
    if (!m->rcpt || m->rcpt->to.kind == ADDR_LOCAL)
        return true;
    struct url at = {.scheme = URL_SMTP, .host = a->host, .port = a->port};
    const struct conf_domain *d = a->host.n ? NULL : conf_domain(m->conf, m->rcpt->to.domain);
    if (!a->host.n && (!d || d->hop.how != CONF_TO_SERVER))
        return true; /* no server behind */
    buf_init_fixed(&to, mem, sizeof mem);
    addr_print(&to, &m->rcpt->to);
    (void)verify_verdict(m->conf, d ? &d->hop.url : &at, buf_str(&to), v);
    return true;
}
