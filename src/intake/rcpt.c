/*
 * Recipients (RFC 5321 3.3, 3.6.2, 4.5.1): ours, to be relayed, or refused. Nothing here lets a stranger's
 * mail leave for a domain that is not ours, whatever the local part looks like.
 */
#include "intake/internal.h"
#include "intake/judge.h"
#include "directory/directory.h"
#include "intake/checks.h"
#include "intake/srs.h"
#include "intake/submit.h"
#include "base/text.h"
#include "wire/idn.h"

const struct conf_domain *domain_find(struct tx *t, const struct addr *a, bool *ret_bad)
{
    *ret_bad = false;
    if (a->kind != ADDR_NAME)
        return NULL;
    SCRATCH char lower[ADDR_DOMAIN_MAX];
    str d = a->domain;
    if (!text_ascii(d)) {
        *ret_bad = idn_to_ascii(d, &t->arena, &d) != OK;
        return *ret_bad ? NULL : directory_domain(t->conf, d);
    }
    if (d.n > sizeof lower)
        return NULL;
    for (size_t i = 0; i < d.n; i++)
        lower[i] = ascii_lower(d.p[i]);
    return directory_domain(t->conf, str_mem(lower, d.n));
}

static bool is_postmaster(str local) { return str_ieq(local, S("postmaster")); }

/* "user%elsewhere", "elsewhere!user", "\"user@elsewhere\"": routes, to servers that are older than they should be. */
static bool is_route(str local)
{
    return str_find(local, '%') != STR_NONE || str_find(local, '!') != STR_NONE || str_find(local, '@') != STR_NONE;
}

static bool takes_all(const struct conf_domain *d) { return !d->mailboxes.n && d->hop.how != CONF_TO_MAILDIR; }

/* In the directory, or in one of the sources of accounts. */
static err find_account(struct tx *t, const struct conf_domain *d, str local, struct account *ret) YIELDS;
static err find_account(struct tx *t, const struct conf_domain *d, str local, struct account *ret)
{
    err e = directory_account(&t->arena, local, d->title, ret);
    if (!t->conf->nsources || (e && e != E_NOT_FOUND))
        return e;
    e = directory_source_find(t->conf, local, d->title, e ? NULL : ret);
    return e ? e : directory_account(&t->arena, local, d->title, ret);
}

/* An alias, a mailbox, or postmaster; by the name alone. */
static bool find_name(struct tx *t, const struct conf_domain *d, str local, struct local_target *ret)
{
    struct account a;
    err e = directory_alias(t->conf, &t->arena, local, d->title, &ret->alias);
    if (e == OK)
        ret->kind = LOCAL_ALIAS;
    else if (e != E_NOT_FOUND)
        ret->kind = LOCAL_TROUBLE;
    else if (conf_has_mailbox(d, local) || is_postmaster(local))
        ret->kind = LOCAL_MAILBOX;
    else if ((e = find_account(t, d, local, &a)) == OK)
        ret->kind = a.enabled ? LOCAL_MAILBOX : LOCAL_CLOSED;
    else if (e != E_NOT_FOUND)
        ret->kind = e == E_AGAIN ? LOCAL_LATER : LOCAL_TROUBLE;
    return ret->kind != LOCAL_UNKNOWN;
}

static bool find_srs(struct tx *t, const struct addr *a, struct local_target *ret)
{
    str local, domain;
    enum srs_result got = srs_reverse(&t->arena, a->local, rt_wall_ms() / 1000, &local, &domain);
    if (got == SRS_OK) {
        ret->back = arena_printf(&t->arena, STR_FMT "@" STR_FMT, STR_ARG(local), STR_ARG(domain));
        ret->kind = ret->back.p ? LOCAL_SRS : LOCAL_UNKNOWN;
    }
    return got != SRS_NONE;
}

static bool is_for_reports(const struct conf *c, str local, str domain)
{
    SCRATCH char mem[ADDR_TEXT_MAX];
    struct buf b;
    if (!c->report_received.n)
        return false;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_printf(&b, STR_FMT "@" STR_FMT, STR_ARG(local), STR_ARG(domain));
    return !b.e && conf_takes_reports(c, buf_str(&b));
}

void local_find(struct tx *t, const struct conf_domain *d, const struct addr *a, bool untrusted,
                struct local_target *ret)
{
    *ret = (struct local_target){LOCAL_UNKNOWN};
    str base, detail;
    if (!directory_domain_enabled(d)) {
        ret->kind = LOCAL_CLOSED;
        return;
    }
    if (is_for_reports(t->conf, a->local, d->title)) {
        ret->kind = LOCAL_MAILBOX;
        return;
    }
    if (find_name(t, d, a->local, ret) || find_srs(t, a, ret))
        return;
    if (d->subaddress && addr_detail(a->local, t->conf->subaddress, &base, &detail) && find_name(t, d, base, ret))
        return;
    if (takes_all(d))
        ret->kind = untrusted && is_route(a->local) ? LOCAL_UNKNOWN : LOCAL_MAILBOX;
    else if (d->catch_all.n)
        ret->kind = LOCAL_OTHER;
}

/* <postmaster> alone, at our own name and at our own addresses (RFC 5321 4.5.1). */
static str postmaster(struct tx *t)
{
    const struct conf *c = t->conf;
    if (c->postmaster.n)
        return c->postmaster;
    const struct conf_domain *d = NULL;
    for (size_t i = 0; i < c->ndomains && !d; i++)
        d = c->domains[i].hop.how == CONF_TO_MAILDIR ? &c->domains[i] : NULL;
    if (!d && c->ndomains)
        d = &c->domains[0];
    return arena_printf(&t->arena, "postmaster@" STR_FMT, STR_ARG(d ? d->title : c->hostname));
}

/* "[192.0.2.1]" when that is where the client came in, or where we listen. */
static bool is_own_literal(struct tx *t, str domain)
{
    str s = str_sub(domain, 1, domain.n - 1);
    if (str_istarts(s, S("IPv6:")))
        s = str_skip(s, 5);
    struct ip ip;
    if (!ip_parse(s, &ip))
        return false;
    if (ip_eq(&ip, &t->source->local.ip))
        return true;
    for (size_t i = 0; i < t->conf->nlisteners; i++) {
        struct ip_port at;
        const struct sockaddr_storage *sa = &t->conf->listeners[i].address;
        if (ip_from_sockaddr((const struct sockaddr *)sa, sizeof *sa, &at) && ip_eq(&ip, &at.ip))
            return true;
    }
    return false;
}

static bool refuse(struct tx *t, struct reply *r, int code, const char *esc, const char *text)
{
    t->refused++;
    reply_set(r, code, esc, "%s", text);
    return false;
}

static bool unknown(struct tx *t, struct reply *r) { return refuse(t, r, 550, "5.1.1", "No such user here"); }

static bool settle(struct tx *t, struct reply *r, err e, str text)
{
    switch (e) {
    case OK:
        if (!t->accepted++)
            t->only = text;
        reply_set_str(r, 250, "2.1.5", S("Recipient ok"));
        return true;
    case E_NOT_FOUND:
        return unknown(t, r);
    case E_AGAIN:
        return refuse(t, r, 451, "4.3.0", "Whether there is such a user cannot be found out now, try again later");
    case E_SWITCHED_OFF:
        return refuse(t, r, 550, "5.2.1", "This mailbox is switched off");
    case E_LOOP:
        return refuse(t, r, 550, "5.4.6", "Address expands to a loop or to too many recipients");
    case E_SYNTAX:
        return refuse(t, r, 451, "4.3.5", "The archive of this domain cannot be reached, try again later");
    default:
        t->refused++;
        reply_trouble(r, e);
        return false;
    }
}

/* One of our domains. The archive's copy belongs to the acceptance: without it the recipient is not taken. */
static err take_ours(struct tx *t, const struct conf_domain *d, const struct addr *a, const struct want *w)
{
    struct local_target l;
    local_find(t, d, a, !t->source->may_relay, &l);
    return expand_local(t, d, a, &l, w);
}

static err take_relayed(struct tx *t, str text, const struct want *w)
{
    err e = rcpt_add(t, text, false, S(""), S(""), w);
    /* Mail of a domain means what its users send, too. */
    bool bad;
    struct addr from;
    if (!e && t->sender_ours && t->source->may_relay && !addr_parse(t->env.sender, ADDR_F_UTF8, &t->arena, &from)) {
        const struct conf_domain *d = domain_find(t, &from, &bad);
        const struct want copy = {.notify = NOTIFY_NEVER, .archive = true};
        if (d && d->archive.n && expand_text(t, d->archive, d->archive, &copy))
            e = E_SYNTAX;
    }
    return e;
}

static bool means_us(struct tx *t, const struct addr *a)
{
    if (a->kind == ADDR_LOCAL)
        return true;
    if (!is_postmaster(a->local))
        return false;
    return a->kind == ADDR_NAME ? str_ieq(a->domain, t->conf->hostname) : is_own_literal(t, a->domain);
}

/* What is stored before other servers is for these: a stranger's mail for others would go anywhere by MX. */
static bool may_relay(struct tx *t, const struct addr *a)
{
    const struct source *s = t->source;
    if (!s->proxied || s->trusted || !s->may_relay)
        return s->may_relay;
    str ascii;
    const struct conf_listener *x = conf_listener_named(t->conf, s->listener);
    return x && conf_upstream_of(x, idn_to_ascii(a->domain, &t->arena, &ascii) ? a->domain : ascii);
}

static err decide(struct tx *t, const struct addr *a, str text, const struct want *w)
{
    bool bad;
    const struct conf_domain *d = domain_find(t, a, &bad);
    if (d)
        return take_ours(t, d, a, w);
    if (bad)
        return E_UNSUPPORTED;
    if (means_us(t, a)) {
        str to = postmaster(t);
        if (t->conf->ndomains || t->conf->postmaster.n)
            return to.p ? expand_text(t, to, S("postmaster"), w) : E_NOMEM;
        if (!t->source->may_relay)
            return E_DENIED;
        return rcpt_add(t, to, true, S(""), S(""), w);
    }
    if (a->kind != ADDR_NAME && is_own_literal(t, a->domain))
        return E_NOT_FOUND;
    if (t->source->lmtp || !may_relay(t, a))
        return E_DENIED;
    return take_relayed(t, text, w);
}

uint32_t tx_recipients_most(const struct source *s, const struct conf *c)
{
    return s->recipients_most ? s->recipients_most : (uint32_t)c->limits_recipients;
}

static bool take_rcpt(struct tx *t, const struct rcpt_cmd *m, struct reply *r) YIELDS;
static bool take_rcpt(struct tx *t, const struct rcpt_cmd *m, struct reply *r)
{
    if (t->accepted >= tx_recipients_most(t->source, t->conf)) {
        reply_set(r, 452, "4.5.3", "Too many recipients");
        return false;
    }
    SCRATCH char mem[ADDR_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    addr_print(&text, &m->to);
    str kept = arena_str(&t->arena, buf_str(&text));
    struct want w = {.notify = (uint8_t)m->p.notify};
    if (m->p.orcpt_raw.n)
        w.orcpt = arena_str(&t->arena, m->p.orcpt_raw);
    if (text.e || !kept.p || (m->p.orcpt_raw.n && !w.orcpt.p))
        return settle(t, r, E_NOMEM, kept);
    uint32_t before = t->env.nto;
    err e = queue_room(intake_rooms.queue, t->env.nto + 1);
    e = e ? e : decide(t, &m->to, kept, &w);
    if (e)
        rcpt_cut(t, before);
    if (!e && t->checks && !checks_sender(t->checks, r)) {
        rcpt_cut(t, before);
        t->refused++;
        return false;
    }
    if (e == E_DENIED)
        return refuse(t, r, 550, "5.7.1", "Relaying denied");
    if (e == E_UNSUPPORTED)
        return refuse(t, r, 550, "5.1.2", "Bad domain name");
    return settle(t, r, e, kept);
}

static bool drop(struct tx *t, const struct verdict *v, str address)
{
    struct tx_dropped *d = arena_new(&t->arena, struct tx_dropped);
    if (!d)
        return false;
    d->address = address;
    d->why = v->why.n ? arena_printf(&t->arena, "%s: " STR_FMT, v->by, STR_ARG(str_sub(v->why, 0, 500)))
                      : arena_printf(&t->arena, "%s", v->by);
    d->next = t->dropped;
    t->dropped = d;
    return d->why.p;
}

/* This recipient is another one now; reports about it say what its sender knows (RFC 3461 5.2.7). */
static err redirect(struct tx *t, const struct rcpt_cmd *m, str from, str to)
{
    struct addr a;
    struct want w = {.notify = (uint8_t)m->p.notify, .orcpt = S("")};
    str kept = arena_str(&t->arena, to);
    if (m->p.orcpt_raw.n)
        w.orcpt = arena_str(&t->arena, m->p.orcpt_raw);
    if (!kept.p || !w.orcpt.p)
        return E_NOMEM;
    return addr_parse(kept, ADDR_F_UTF8 | ADDR_F_UNDERSCORE, &t->arena, &a) ? E_SYNTAX
                                                                            : expand_redirected(t, kept, from, &w);
}

/* The verdict on a recipient that was taken as number `before` and what follows it. */
static bool apply(struct tx *t, const struct rcpt_cmd *m, const struct verdict *v, uint32_t before, str address,
                  struct reply *r)
{
    bool ok = v->kind != VERDICT_REFUSE && v->kind != VERDICT_DEFER;
    if (ok && v->kind != VERDICT_DISCARD && v->kind != VERDICT_REDIRECT)
        return true;
    rcpt_cut(t, before);
    if (v->kind == VERDICT_DISCARD && drop(t, v, address))
        return true;
    err e = ok ? E_NOMEM : OK;
    if (v->kind == VERDICT_REDIRECT && !(e = redirect(t, m, address, v->to)))
        return true;
    t->accepted--;
    t->refused++;
    if (!ok)
        *r = v->reply;
    else if (e == E_NOMEM || e == E_LIMIT)
        reply_trouble(r, e);
    else
        reply_set(r, 451, "4.3.5", "The address that this recipient is redirected to does not exist");
    return false;
}

/* The address of a command, in the form of envelopes; p NULL: no memory. */
static str text_of(struct tx *t, const struct rcpt_cmd *m)
{
    SCRATCH char mem[ADDR_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    addr_print(&text, &m->to);
    return text.e ? (str){NULL, 0} : arena_str(&t->arena, buf_str(&text));
}

static bool judge_rcpt(struct tx *t, const struct rcpt_cmd *m, str address, struct verdict *v) YIELDS
{
    struct matter about = tx_matter(t, S(""));
    about.rcpt = m;
    about.to = address.p ? address : S("");
    return judge_verdict(PHASE_RCPT, &about, v);
}

bool tx_rcpt_judged(struct tx *t, const struct rcpt_cmd *m, struct reply *r)
{
    SCRATCH struct verdict v;
    uint32_t before = t->env.nto;
    if (!tx_rcpt(t, m, r))
        return false;
    if (!policy_wants(t->source->policy, PHASE_RCPT))
        return true;
    str address = text_of(t, m);
    (void)judge_rcpt(t, m, address, &v);
    return apply(t, m, &v, before, address.p ? address : S(""), r);
}

bool tx_pass_judge(struct tx *t, const struct rcpt_cmd *m, struct verdict *v)
{
    verdict_init(v);
    return !policy_wants(t->source->policy, PHASE_RCPT) || judge_rcpt(t, m, text_of(t, m), v);
}

err tx_pass_dropped(struct tx *t, const struct rcpt_cmd *m, const struct verdict *v)
{
    str address = text_of(t, m);
    return address.p && drop(t, v, address) ? OK : E_NOMEM;
}

err tx_pass_accepted(struct tx *t, const struct rcpt_cmd *m)
{
    struct want w = {.notify = (uint8_t)m->p.notify};
    if (m->p.orcpt_raw.n)
        w.orcpt = arena_str(&t->arena, m->p.orcpt_raw);
    str kept = text_of(t, m);
    if (!kept.p || (m->p.orcpt_raw.n && !w.orcpt.p))
        return E_NOMEM;
    return rcpt_add(t, kept, false, S(""), S(""), &w);
}

bool tx_rcpt(struct tx *t, const struct rcpt_cmd *m, struct reply *r)
{
    if (!submit_rcpt(t, r)) {
        t->refused++;
        return false;
    }
    bool ok = take_rcpt(t, m, r);
    if (!ok && r->code == 550)
        submit_refused(t);
    return ok;
}
