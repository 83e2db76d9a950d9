/*
 * What is looked at in a stranger without any rule: speaking before the greeting, the name in HELO, DNS lists,
 * greylisting. Questions to DNS begin at the greeting and are waited for at the first recipient. Mail for postmaster
 * is let in (RFC 5321 4.5.1).
 */
#include "policy/client.h"
#include "policy/greylist.h"
#include "policy/internal.h"
#include "policy/use.h"

#include <stdlib.h>

/* A client is suspicious from three on. That neither its address nor its HELO name is in DNS counts once: it is one
 * neglect, and many an honest machine has it. */
enum { SIGNS_MAX = 200, ADDRESS_MAX = 400, SUSPICIOUS = 3 };

struct own {
    bool scored;          /* in this transaction */
    const char *bad_helo; /* static */
};

struct client *policy_client(struct policy *p, const struct matter *m)
{
    const struct ip *ip = &m->source->client.ip;
    if (p->client && !client_is_of(p->client, ip)) /* XCLIENT: another one */
        client_drop(&p->client);
    if (!p->client)
        p->client = client_new((struct conf *)m->conf, ip);
    return p->client;
}

unsigned client_wants(const struct source *s, const struct conf *c)
{
    if (!client_is_stranger(s, c))
        return 0;
    return PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_HELO) | PHASE_BIT(PHASE_RCPT);
}

/* ---- before the first recipient ---- */

static void on_connect(struct policy *p, struct client *k, struct matter *m, struct verdict *v)
{
    const struct conf *c = m->conf;
    if (c->nblock_zones)
        client_start(k, CLIENT_BLOCK, S(""));
    if (c->nallow_zones)
        client_start(k, CLIENT_ALLOW, S(""));
    client_start(k, CLIENT_REVERSE, S(""));
    if (!m->source->early)
        return;
    if (c->policy_early_talkers == CONF_EARLY_REJECT)
        verdict_reply(v, 554, "5.5.1", "You spoke before you were greeted (RFC 5321 4.3.1)");
    else
        policy_score(p, m, 3, "early talker", S(""));
}

static void on_helo(struct client *k, struct own *own, struct matter *m, struct verdict *v)
{
    const struct conf *c = m->conf;
    str helo = m->source->helo, listener = S("");
    if (c->policy_helo == CONF_HELO_OFF)
        return;
    for (size_t i = 0; i < c->nlisteners; i++)
        if (str_eq(c->listeners[i].title, m->source->listener))
            listener = c->listeners[i].hostname;
    client_new_helo(k);
    own->bad_helo = client_helo_fault(helo);
    if (client_helo_is_ours(helo, c, listener, &m->source->local.ip)) {
        own->bad_helo = "it is our own";
        if (c->policy_helo == CONF_HELO_REJECT)
            verdict_reply(v, 550, "5.7.1", "You named yourself " STR_FMT ", which is this server",
                          STR_ARG(str_sub(helo, 0, 200)));
    } else if (!own->bad_helo && helo.p[0] != '[') {
        client_start(k, CLIENT_HELO, helo);
        if (c->nname_zones)
            client_start(k, CLIENT_HELO_LIST, helo);
    }
}

/* ---- at a recipient ---- */

struct signs { /* what speaks against a client */
    int n;
    double points;
    struct buf text;
    char mem[SIGNS_MAX];
};

static void sign(struct signs *s, int n, double points, const char *what)
{
    s->n += n;
    s->points += points;
    buf_printf(&s->text, "%s%s", s->text.n ? ", " : "", what);
}

static bool is_postmaster(const struct matter *m) { return str_ieq(m->rcpt->to.local, S("postmaster")); }

static void refuse(struct verdict *v, const char *what, str who, const struct dnslist *d)
{
    char mem[IP_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    ip_print(&b, &d->answer);
    verdict_reply(v, 554, "5.7.1", "%s " STR_FMT " is listed by " STR_FMT " (" STR_FMT ")", what,
                  STR_ARG(str_sub(who, 0, 250)), STR_ARG(d->zone->name), STR_ARG(buf_str(&b)));
}

/* True: refused. */
static bool weigh(struct signs *s, const struct conf *c, const char *what, str who, const struct dnslist *d,
                  struct verdict *v)
{
    if (d->score <= 0)
        return false;
    if (c->policy_block_score && d->score >= c->policy_block_score) {
        refuse(v, what, who, d);
        return true;
    }
    sign(s, SUSPICIOUS, 2.0 * d->score, what);
    buf_add_c(&s->text, " is listed");
    return false;
}

static bool listed_names(struct client *k, struct signs *s, const struct own *own, str name, struct matter *m,
                         struct verdict *v) YIELDS
{
    const struct conf *c = m->conf;
    struct dnslist d;
    rt_time until = rt_after(c->policy_dns_time);
    if (!c->nname_zones)
        return false;
    str helo = m->source->helo, sender = m->env ? m->env->sender : S("");
    if (!own->bad_helo && helo.n && helo.p[0] != '[' &&
        weigh(s, c, "HELO name", helo, client_listed(k, CLIENT_HELO_LIST, helo), v))
        return true;
    size_t at = str_rfind(sender, '@');
    if (at != STR_NONE) {
        dnslist_name(c->name_zones, c->nname_zones, str_skip(sender, at + 1), until, &d);
        if (weigh(s, c, "Sender's domain", str_skip(sender, at + 1), &d, v))
            return true;
    }
    if (!name.n)
        return false;
    dnslist_name(c->name_zones, c->nname_zones, name, until, &d);
    return weigh(s, c, "Client's name", name, &d, v);
}

static void look_at_names(struct client *k, struct signs *s, const struct own *own, struct matter *m,
                          str *ret_name) YIELDS
{
    enum client_reverse r = client_reverse(k, ret_name);
    if (r == REVERSE_NONE)
        sign(s, 1, 1, "no reverse name");
    if (r == REVERSE_MISMATCH)
        sign(s, 1, 1, "reverse name not confirmed");
    if (r == REVERSE_CONFIRMED && client_name_is_generic(*ret_name, &m->source->client.ip))
        sign(s, 2, 0.5, "reverse name made of the address");
    if (m->source->early)
        sign(s, SUSPICIOUS, 0, "spoke before the greeting");
    if (m->conf->policy_helo == CONF_HELO_OFF)
        return;
    str helo = m->source->helo;
    if (own->bad_helo)
        sign(s, 1, 1, "HELO is no name of a mail server");
    else if (helo.n && helo.p[0] != '[' && !client_helo_resolves(k, helo))
        sign(s, r == REVERSE_NONE ? 0 : 1, 0.5, "HELO name has no address");
}

static void look_at_spf(struct signs *s, const struct matter *m)
{
    const struct check_results *r = m->checks;
    if (r && r->mail.done && (r->mail.result == CHECK_FAIL || r->mail.result == CHECK_SOFTFAIL))
        sign(s, 1, 0, "SPF does not pass");
}

void grey_verdict(const struct matter *m, str signs, struct verdict *v)
{
    char mem[ADDRESS_MAX];
    struct buf to;
    struct grey_rules rules;
    uint32_t wait;
    const struct check_results *r = m->checks;
    buf_init_fixed(&to, mem, sizeof mem);
    addr_key(&to, &m->rcpt->to, true);
    struct grey_ask ask = {.client = m->source->client.ip,
                           .sender = m->env ? m->env->sender : S(""),
                           .recipient = buf_str(&to),
                           .domain = r && r->mail.done && r->mail.result == CHECK_PASS ? r->mail.domain : S(""),
                           .now_s = rt_wall_ms() / 1000};
    grey_rules_of(&rules, m->conf);
    enum grey_answer a = grey_ask(&ask, &rules, &wait);
    if (a == GREY_AGAIN)
        metric_add(M_greylist_passed, 1);
    if (a == GREY_KNOWN || a == GREY_AGAIN)
        return;
    verdict_reply(v, 450, "4.7.1", "Greylisted, please try again in %u s", wait);
    rt_log(EV_greylisted, log_num((int64_t)m->source->session), log_str(m->source->client_text), log_str(ask.sender),
           log_str(ask.recipient), log_num(wait), log_str(signs));
}

static void on_rcpt(struct policy *p, struct client *k, struct own *own, struct matter *m, struct verdict *v) YIELDS
{
    const struct conf *c = m->conf;
    SCRATCH struct signs s;
    str name = S("");
    s.n = 0;
    s.points = 0;
    buf_init_fixed(&s.text, s.mem, sizeof s.mem);
    if (is_postmaster(m) || (c->nallow_zones && client_listed(k, CLIENT_ALLOW, S(""))->score > 0))
        return;
    if (c->nblock_zones && weigh(&s, c, "Client", m->source->client_text, client_listed(k, CLIENT_BLOCK, S("")), v)) {
        v->by = "block-lists";
        return;
    }
    look_at_names(k, &s, own, m, &name);
    if (listed_names(k, &s, own, name, m, v)) {
        v->by = "block-names";
        return;
    }
    look_at_spf(&s, m);
    if (!own->scored && s.points > 0)
        policy_score(p, m, s.points, "client", buf_str(&s.text));
    own->scored = true;
    if (c->policy_greylist == CONF_GREY_ALL || (c->policy_greylist == CONF_GREY_SUSPICIOUS && s.n >= SUSPICIOUS)) {
        grey_verdict(m, buf_str(&s.text), v);
        v->by = "greylisting";
    }
}

/* ---- the filter ---- */

bool client_run(struct policy *p, void **slot, enum phase ph, struct matter *m, struct verdict *v)
{
    struct own *own = *slot;
    if (!own && !(own = *slot = calloc(1, sizeof *own)))
        return false;
    struct client *k = policy_client(p, m);
    if (!k)
        return false;
    if (ph == PHASE_CONNECT)
        on_connect(p, k, m, v);
    else if (ph == PHASE_HELO)
        on_helo(k, own, m, v);
    else if (ph == PHASE_RCPT)
        on_rcpt(p, k, own, m, v);
    return true;
}

void client_tx_end(struct policy *p, void **slot)
{
    struct own *own = *slot;
    (void)p;
    if (own)
        own->scored = false;
}

void client_session_end(struct policy *p, void **slot)
{
    (void)p;
    free(*slot);
    *slot = NULL;
}

rt_time policy_greet_wait(const struct source *s, const struct conf *c)
{
    struct grey_rules rules;
    if (!c->policy_greet_wait || !client_is_stranger(s, c))
        return 0;
    grey_rules_of(&rules, c);
    return grey_knows(&s->client.ip, S(""), &rules, rt_wall_ms() / 1000) ? 0 : c->policy_greet_wait;
}
