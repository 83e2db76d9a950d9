/* The rules of submit.h. A message's scopes are its account, the account's domain and customer; or the uid. */
#include "intake/submit.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "directory/directory.h"
#include "intake/internal.h"
#include "wire/head.h"

enum { SCOPES = 3 };

/* ---- addresses ---- */

/* May the account send as `a`? Its own address with any sub-address, an alias that leads to it, and with the
 * permission every address of its domain. */
static bool owns(struct tx *t, const struct addr *a)
{
    const struct account *x = t->account;
    str base, detail;
    if (a->kind != ADDR_NAME)
        return false;
    bool bad;
    const struct conf_domain *d = domain_find(t, a, &bad);
    if (!d)
        return false;
    bool home = str_ieq(d->title, x->domain);
    if (home && (x->any_sender || str_ieq(a->local, x->local)))
        return true;
    if (home && addr_detail(a->local, t->conf->subaddress, &base, &detail) && str_ieq(base, x->local))
        return true;
    return directory_leads_to(t->conf, a->local, d->title, t->source->account);
}

static bool foreign(struct tx *t, struct reply *r, const char *where)
{
    reply_set(r, 550, "5.7.1", "%s is not an address of " STR_FMT "; it may send as itself%s and its aliases", where,
              STR_ARG(str_sub(t->source->account, 0, 300)), t->account->any_sender ? ", its whole domain" : "");
    return false;
}

bool submit_head(struct tx *t, str block, struct reply *r)
{
    struct head_field f;
    str rest = block;
    if (!t->account || !t->conf->submission_check_sender)
        return true;
    while (head_next(&rest, &f)) {
        struct head_addr one;
        bool bad = false;
        if (!str_ieq(f.name, S("From")))
            continue;
        for (str list = f.value; head_addr_next(&list, &t->arena, &one, &bad);) {
            struct addr a;
            if (addr_parse(one.spec, ADDR_F_UTF8 | ADDR_F_UNDERSCORE | ADDR_F_LOCAL, &t->arena, &a) || !owns(t, &a))
                return foreign(t, r, "The address in From");
        }
        if (bad) {
            reply_set(r, 550, "5.6.7", "The From field cannot be understood");
            return false;
        }
    }
    return true;
}

/* ---- limits ---- */

static void set_rate(struct quota_ask *q, const char *scope, str name, str messages, str recipients)
{
    q->scope = scope;
    q->name = name;
    (void)conf_rate(messages, q->rate[QUOTA_MESSAGES].most); /* both were checked where they were set */
    (void)conf_rate(recipients, q->rate[QUOTA_RECIPIENTS].most);
}

static str either(str own, str common) { return own.n ? own : common; }

/* The scopes that count this message. */
static size_t scopes(struct tx *t, struct quota_ask v[SCOPES])
{
    const struct conf *c = t->conf;
    const struct account *x = t->account;
    size_t n = 0;
    memset(v, 0, SCOPES * sizeof *v);
    if (!x && t->source->socket && t->source->user.n)
        set_rate(&v[n++], "user", t->source->user, c->submission_uid_messages, c->submission_uid_recipients);
    if (!x)
        return n;
    str customer = S(""), messages = S(""), recipients = S("");
    (void)directory_domain_limits(&t->arena, x->domain, &customer, &messages, &recipients);
    set_rate(&v[n++], "account", t->source->account, either(x->messages, c->submission_account_messages),
             either(x->recipients, c->submission_account_recipients));
    set_rate(&v[n++], "domain", x->domain, either(messages, c->submission_domain_messages),
             either(recipients, c->submission_domain_recipients));
    customer = either(x->customer, customer);
    if (customer.n)
        set_rate(&v[n++], "customer", customer, c->submission_customer_messages, c->submission_customer_recipients);
    return n;
}

static bool limited(struct tx *t, const struct reply *r)
{
    char mem[400];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    reply_print_line(&b, r);
    rt_log(EV_account_limit, log_num((int64_t)t->source->session),
           log_str(t->source->account.n ? t->source->account : t->source->user), log_str(buf_str(&b)));
    return false;
}

/* ---- stolen accounts ---- */

static void hold(const struct conf *c, str account, const char *why) YIELDS;
static void hold(const struct conf *c, str account, const char *why)
{
    AUTO_BUF text;
    struct conf *now = intake_conf();
    size_t at = str_rfind(account, '@');
    (void)c;
    if (at == STR_NONE || directory_hold(str_sub(account, 0, at), str_skip(account, at + 1), str_c(why)))
        why = "it looks stolen, but the hold could not be stored";
    rt_log(EV_account_held, log_str(account), log_c(why));
    buf_init(&text, 4096);
    buf_printf(&text,
               "The account " STR_FMT " may send nothing for now, because it looks\r\n"
               "as if somebody else used it: %s.\r\n\r\n"
               "What it sent before is on its way; \"postrider queue hold --sender\" stops that.\r\n"
               "Give it a new password, then let it send again:\r\n\r\n"
               "  postrider user change " STR_FMT " --password-stdin\r\n"
               "  postrider user enable " STR_FMT "\r\n",
               STR_ARG(account), why, STR_ARG(account), STR_ARG(account));
    if (at != STR_NONE && !text.e)
        (void)intake_notice(now, str_skip(account, at + 1), S("An account was held because it looks stolen"),
                            buf_str(&text));
    conf_drop(&now);
}

static bool watched(const struct tx *t)
{
    return t->account && !conf_nets_has(&t->conf->limit_exempt, &t->source->client.ip);
}

void submit_seen(const struct conf *c, str account, const struct ip *from)
{
    uint32_t n = 0;
    char why[120];
    if (conf_nets_has(&c->limit_exempt, from) ||
        !quota_seen(account, from, (uint32_t)c->submission_stolen_networks, &n))
        return;
    struct buf b;
    buf_init_fixed(&b, why, sizeof why - 1);
    buf_printf(&b, "log-ins from %u networks within an hour", n);
    why[b.n] = 0;
    hold(c, account, why);
}

void submit_refused(struct tx *t)
{
    if (watched(t) && quota_unknown(t->source->account, (uint32_t)t->conf->submission_stolen_unknown))
        hold(t->conf, t->source->account, "many recipients within an hour that do not exist");
}

/* ---- the steps of a transaction ---- */

static bool too_large(struct tx *t, uint64_t size, struct reply *r)
{
    int64_t most = t->account->size ? t->account->size : t->conf->submission_size;
    if (t->source->size_most && (!most || most > t->source->size_most))
        most = t->source->size_most;
    t->size_most = most && most < t->conf->limits_message_size ? most : 0;
    if (!t->size_most || size <= (uint64_t)t->size_most)
        return false;
    reply_set(r, 552, "5.3.4", "Message size exceeds the maximum of %lld octets of account " STR_FMT,
              (long long)t->size_most, STR_ARG(str_sub(t->source->account, 0, 300)));
    return true;
}

/* The account as it is now: it may have been changed since the log-in. */
static bool find_account(struct tx *t, struct reply *r)
{
    str name = t->source->account;
    size_t at = str_rfind(name, '@');
    t->account = arena_new(&t->arena, struct account);
    err e =
        t->account ? directory_account(&t->arena, str_sub(name, 0, at), str_skip(name, at + 1), t->account) : E_NOMEM;
    if (e == OK && t->account->enabled && !t->account->held.n)
        return true;
    if (e == E_NOMEM)
        reply_trouble(r, e);
    else if (e == E_NOT_FOUND)
        reply_set(r, 550, "5.7.13", "There is no account " STR_FMT " here", STR_ARG(str_sub(name, 0, 300)));
    else if (!t->account->enabled)
        reply_set(r, 550, "5.7.13", "The account " STR_FMT " is switched off", STR_ARG(str_sub(name, 0, 300)));
    else
        reply_set(r, 450, "4.7.1", "The account " STR_FMT " is held: " STR_FMT "; please ask your postmaster",
                  STR_ARG(str_sub(name, 0, 300)), STR_ARG(str_sub(t->account->held, 0, 200)));
    return false;
}

bool submit_mail(struct tx *t, const struct mail_cmd *m, const struct addr *from, struct reply *r)
{
    struct quota_ask v[SCOPES];
    if (t->source->account.n) {
        if (!find_account(t, r))
            return false;
        if (t->conf->submission_check_sender && from->kind != ADDR_NONE && !owns(t, from))
            return foreign(t, r, "The sender");
        if (too_large(t, m->p.size, r))
            return limited(t, r);
    }
    size_t n = scopes(t, v);
    return !n || quota_room(v, n, QUOTA_MESSAGES, 1, r) || limited(t, r);
}

bool submit_rcpt(struct tx *t, struct reply *r)
{
    struct quota_ask v[SCOPES];
    size_t n = t->account || t->source->socket ? scopes(t, v) : 0;
    return !n || quota_room(v, n, QUOTA_RECIPIENTS, t->accepted + 1, r) || limited(t, r);
}

bool submit_take(struct tx *t, struct reply *r)
{
    struct quota_ask v[SCOPES];
    uint32_t now = 0, usual = 0;
    size_t n = t->account || t->source->socket ? scopes(t, v) : 0;
    if (n && !quota_take(v, n, t->accepted, r))
        return limited(t, r);
    if (watched(t) && quota_sudden(t->source->account, (uint32_t)t->conf->submission_stolen_rate, &now, &usual)) {
        char why[160];
        struct buf b;
        buf_init_fixed(&b, why, sizeof why - 1);
        buf_printf(&b, "%u messages within an hour, when it never sent more than %u before", now, usual);
        why[b.n] = 0;
        hold(t->conf, t->source->account, why);
    }
    return true;
}

/* ---- times ---- */

bool submit_times(struct tx *t, const struct mail_cmd *m, struct reply *r)
{
    int64_t now = rt_wall_ms(), most = t->conf->submission_future_release / RT_MS;
    int64_t release = m->p.hold_s ? now + m->p.hold_s * 1000 : m->p.hold_until_ms;
    if (release > now + most) {
        reply_set(r, 501, "5.5.4", "A message may be held for at most %lld seconds", (long long)most / 1000);
        return false;
    }
    t->env.release_ms = release > now ? release : 0;
    if (m->p.by != BY_NONE) {
        t->env.by = (uint8_t)(m->p.by | (m->p.by_trace ? 128 : 0));
        t->env.by_ms = (t->env.release_ms ? t->env.release_ms : now) + m->p.by_s * 1000;
    }
    t->env.priority = (int8_t)m->p.priority;
    t->env.class = m->p.priority > 0 ? (uint8_t)m->p.priority : 0;
    if (m->p.requiretls)
        t->env.flags |= ENV_REQUIRETLS;
    return true;
}
