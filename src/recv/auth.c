/*
 * AUTH (RFC 4954): the exchange of lines, what is offered when, and every way to fail. What is in the lines is the
 * business of priv, whose keeper alone sees stored passwords; guard.c says who may try.
 */
#include "base/codec.h"
#include "directory/directory.h"
#include "intake/submit.h"
#include "priv/priv.h"
#include "recv/exchange.h"

#include <openssl/crypto.h>

enum {
    TENANT_ACCOUNTS = 65536 /* tenants of accounts begin here; below are listeners */
};

/* ---- what is offered ---- */

/* This listener has AUTH at all. */
static bool has_auth(const struct session *s)
{
    const struct conf_listener *l = s->l->c.conf_listener;
    if (!l || is_lmtp(s) || s->l->c.kind == RECV_PROXY)
        return false;
    return l->auth == CONF_TRUE || (l->auth == CONF_AUTO && s->l->c.kind == RECV_SUBMISSION);
}

static bool plain_here(const struct session *s) { return s->c->tls || s->conf->auth_plaintext || s->device; }

bool can_auth(const struct session *s) { return has_auth(s) && plain_here(s) && s->src.esmtp; }

static bool offered(const struct session *s, enum priv_mech m)
{
    unsigned char unused[32];
    if (is_token_mech(m) && !s->conf->noauths)
        return false;
    if (m == PRIV_SCRAM_PLUS && !tls_binding(s->c, unused))
        return false;
    for (size_t i = 0; i < s->conf->auth_mechanisms.n; i++)
        if (str_ieq(s->conf->auth_mechanisms.v[i], str_c(priv_mech_name(m))))
            return true;
    return false;
}

void auth_list(const struct session *s, struct buf *out)
{
    enum priv_mech m;
    for (size_t i = 0; i < s->conf->auth_mechanisms.n; i++)
        if (priv_mech_find(s->conf->auth_mechanisms.v[i], &m) && offered(s, m)) {
            buf_add_char(out, ' ');
            buf_add_c(out, priv_mech_name(m));
        }
}

/* ---- one exchange ---- */

void exchange_fail(struct exchange *x, int code, const char *esc, const char *text, const char *why)
{
    struct session *s = x->s;
    if (!x->told)
        rt_log(EV_auth_failed, log_num((int64_t)s->src.session), log_str(s->src.client_text), log_c(x->sasl.account),
               log_c(priv_mech_name(x->sasl.mech)), log_c(why));
    reply_set_str(x->r, code, esc, str_c(text));
}

static void log_block(struct exchange *x)
{
    rt_log(EV_auth_blocked, log_str(x->s->src.client_text), log_c(x->sasl.account),
           log_num(x->s->conf->auth_block_time / RT_S));
}

/* A proof that was none. */
void exchange_wrong(struct exchange *x, const char *why)
{
    struct session *s = x->s;
    if (guard_failed(s->conf, &s->src.client.ip, str_c(x->sasl.account)))
        log_block(x);
    if (++s->auth_failed >= (uint32_t)s->conf->auth_attempts) {
        exchange_fail(x, 421, "4.7.0", "Too many failed log-ins", why);
        s->why = "too many failed log-ins";
        s->closing = true;
        return;
    }
    exchange_fail(x, 535, "5.7.8", "Authentication credentials invalid", why);
    if (is_token_mech(x->sasl.mech))
        token_refused(x);
}

/* "=" is an empty one (RFC 4954 4). */
static bool decode(struct exchange *x, str text)
{
    buf_clear(&x->in);
    if (str_eq(text, S("=")))
        return true;
    if (base64_decode(&x->in, text) == OK)
        return true;
    exchange_fail(x, 501, "5.5.2", "Cannot decode base64", "bad base64");
    return false;
}

/* Sends a challenge and reads the answer into x->in. False: the exchange is over, and *r says why (code 0: the
 * connection is). */
bool exchange_ask(struct exchange *x)
{
    struct session *s = x->s;
    str line;
    bool crlf = true;
    AUTO_BUF text;
    buf_init(&text, 2 * LINE_MOST);
    base64_encode(&text, buf_str(&x->out));
    conn_write(s->c, S("334 "));
    conn_write(s->c, buf_str(&text));
    conn_write(s->c, S("\r\n"));
    buf_clear(&x->out);
    s->c->deadline = session_deadline(s, s->conf->limits_idle_time);
    err e = conn_readline(s->c, LINE_MOST, &line, &crlf);
    if (e == E_LINE_LENGTH && s->c->e == OK) {
        exchange_fail(x, 500, "5.5.6", "Authentication exchange line is too long", "line too long");
        return false;
    }
    if (e || text.e)
        return false;
    if (!crlf) {
        s->skipping = true; /* as any other line */
        exchange_fail(x, 500, "5.5.2", "Lines must end in CRLF", "no CRLF");
        return false;
    }
    if (str_eq(line, S("*"))) {
        exchange_fail(x, 501, "5.7.0", "Authentication cancelled", "cancelled");
        return false;
    }
    return decode(x, line);
}

/* Its turn, before a password is verified or an exchange of SCRAM begins. */
bool exchange_enter(struct exchange *x)
{
    struct session *s = x->s;
    if (x->entered)
        return true;
    switch (guard_enter(s->conf, &s->src.client.ip, str_c(x->sasl.account))) {
    case GUARD_GO:
        x->entered = true;
        return true;
    case GUARD_WAIT:
        exchange_fail(x, 454, "4.7.0", "Too many log-ins at once, try again later", "too many wait");
        return false;
    default:
        exchange_fail(x, 454, "4.7.0", "Too many failed log-ins, try again later", "blocked");
        return false;
    }
}

void exchange_leave(struct exchange *x)
{
    if (x->entered)
        guard_leave(&x->s->src.client.ip);
    x->entered = false;
}

/* One step of the mechanism. What was right a while ago needs no turn, since it costs nothing; but a client that is
 * slowed or blocked must not learn that it guessed right. False: refused. */
static bool take_step(struct exchange *x, str in, enum priv_result *ret)
{
    bool costly = in.p && priv_sasl_is_costly(&x->sasl);
    *ret = costly ? priv_sasl_again(&x->sasl, in) : PRIV_WRONG;
    if (*ret == PRIV_DONE && guard_calm(x->s->conf, &x->s->src.client.ip, str_c(x->sasl.account)))
        return true;
    if ((costly || x->sasl.mech == PRIV_SCRAM || x->sasl.mech == PRIV_SCRAM_PLUS) && !exchange_enter(x))
        return false;
    *ret = priv_sasl_step(&x->sasl, in, &x->out);
    exchange_leave(x);
    return true;
}

/* What the pipeline says to somebody who is known now. A log-in that is refused did not take place. */
static void welcome(struct exchange *x)
{
    struct session *s = x->s;
    struct matter m = {0};
    if (session_policy(s, x->r) && session_judge(s, PHASE_AUTH, &m, x->r)) {
        reply_set_str(x->r, 235, "2.7.0", S("Authentication successful"));
        return;
    }
    s->src.user = s->src.account = S("");
    s->src.authenticated = false;
    s->src.tenant = s->l->c.tenant;
    session_trust(s);
}

/* Proven; but is there such an account, and may it? */
void exchange_admit(struct exchange *x)
{
    struct session *s = x->s;
    AUTO_ARENA mem = {0};
    struct account a = {0};
    str name = str_c(x->sasl.account);
    size_t at = str_rfind(name, '@');
    arena_init(&mem, 1024, 1 << 20);
    err e = at == STR_NONE ? E_NOT_FOUND : directory_account(&mem, str_sub(name, 0, at), str_skip(name, at + 1), &a);
    const struct conf_domain *d = e ? NULL : directory_domain(s->conf, a.domain);
    if (e == E_NOMEM) {
        exchange_fail(x, 454, "4.7.0", "Temporary authentication failure", "no memory");
        return;
    }
    if (e || !d || (s->device && !str_ieq(name, s->src.account))) { /* a device has the account of its address */
        exchange_wrong(x, "no such account");
        return;
    }
    if (!a.enabled || !directory_domain_enabled(d)) {
        exchange_fail(x, 535, "5.7.13", "This account is switched off", "switched off");
        return;
    }
    str user = arena_printf(&s->names, STR_FMT "@" STR_FMT, STR_ARG(a.local), STR_ARG(a.domain));
    if (!user.p) {
        exchange_fail(x, 454, "4.7.0", "Temporary authentication failure", "no memory");
        return;
    }
    s->src.user = s->src.account = user;
    s->src.authenticated = true;
    s->src.mechanism = priv_mech_name(x->sasl.mech);
    s->src.tenant = TENANT_ACCOUNTS + (uint32_t)a.id;
    session_trust(s);
    guard_good(&s->src.client.ip, name);
    submit_seen(s->conf, user, &s->src.client.ip);
    rt_log(EV_auth, log_num((int64_t)s->src.session), log_str(s->src.client_text), log_str(user), log_c(x->sasl.title),
           log_c(priv_mech_name(x->sasl.mech)));
    welcome(x);
}

static void finish(struct exchange *x)
{
    if (x->out.n) { /* the mechanism's last word goes before the 235 (RFC 4954 4) */
        if (!exchange_ask(x))
            return;
        if (x->in.n) {
            exchange_fail(x, 501, "5.5.2", "An empty line was expected", "protocol");
            return;
        }
    }
    exchange_admit(x);
}

/* The keeper does not know it: a source of accounts may. */
static void elsewhere(struct exchange *x, str in)
{
    str name = str_c(x->sasl.account), password = in;
    size_t at = str_rfind(name, '@');
    err e = E_DENIED;
    if (x->sasl.mech == PRIV_PLAIN)
        password = str_skip(in, str_rfind(in, 0) + 1);
    if (x->s->conf->nsources && at != STR_NONE && !x->sasl.title[0] && priv_sasl_is_costly(&x->sasl) &&
        exchange_enter(x))
        e = directory_source_login(x->s->conf, str_sub(name, 0, at), str_skip(name, at + 1), password);
    exchange_leave(x);
    if (e == OK)
        exchange_admit(x);
    else if (e == E_DENIED && x->r->code == 0)
        exchange_wrong(x, "wrong password or no such account");
    else if (x->r->code == 0)
        exchange_fail(x, 454, "4.7.0", "Temporary authentication failure", "a source of accounts does not answer");
}

static void converse(struct exchange *x, bool initial)
{
    str in = initial ? buf_str(&x->in) : (str){NULL, 0};
    if (initial && !in.p)
        in = S("");
    for (;;) {
        enum priv_result r;
        if (!take_step(x, in, &r))
            return;
        switch (r) {
        case PRIV_MORE:
            if (!exchange_ask(x))
                return;
            in = x->in.p ? buf_str(&x->in) : S("");
            break;
        case PRIV_DONE:
            finish(x);
            return;
        case PRIV_WRONG:
            elsewhere(x, in);
            return;
        case PRIV_BAD:
            (void)guard_failed(x->s->conf, &x->s->src.client.ip, S(""));
            exchange_fail(x, 501, "5.5.2", "Malformed authentication message", "malformed");
            return;
        case PRIV_DOWN:
            exchange_fail(x, 454, "4.7.0", "Temporary authentication failure", "a source of passwords does not answer");
            return;
        }
    }
}

/* What completes a bare user name. */
static str own_domain(const struct conf *c)
{
    return c->auth_domain.n ? c->auth_domain : c->ndomains == 1 ? c->domains[0].title : S("");
}

static bool may_begin(struct session *s, const struct cmd *c, struct exchange *x, str *ret_initial)
{
    str mech;
    struct reply *r = x->r;
    enum fault f;
    if (!has_auth(s)) {
        reply_set_str(r, 502, "5.5.1", S("Authentication is not offered here"));
    } else if (s->state == STATE_GREET || !s->src.esmtp) {
        reply_set_str(r, 503, "5.5.1", S("Send EHLO first"));
    } else if (s->src.authenticated) {
        reply_set_str(r, 503, "5.5.1", S("Authenticated already"));
    } else if ((f = cmd_auth(c->args, &mech, ret_initial))) {
        fault_reply(r, f, false);
    } else if (!plain_here(s)) {
        reply_set_str(r, 538, "5.7.11", S("Encryption required for authentication: send STARTTLS first"));
    } else if (!priv_mech_find(mech, &x->sasl.mech) || !offered(s, x->sasl.mech)) {
        reply_set_str(r, 504, "5.5.4", S("Unrecognized authentication mechanism"));
    } else {
        return true;
    }
    return false;
}

void do_auth(struct session *s, const struct cmd *c, struct reply *r)
{
    str initial = {NULL, 0};
    struct exchange *x = calloc(1, sizeof *x);
    if (!x) {
        reply_set_str(r, 454, "4.7.0", S("Out of memory, try again later"));
        return;
    }
    x->s = s;
    x->r = r;
    buf_init(&x->in, LINE_MOST);
    buf_init(&x->out, LINE_MOST);
    if (may_begin(s, c, x, &initial)) {
        x->sasl.domain = own_domain(s->conf);
        x->sasl.bound = tls_binding(s->c, x->sasl.binding);
        if (initial.p && !decode(x, initial))
            ;
        else if (is_token_mech(x->sasl.mech))
            token_converse(x, initial.p);
        else
            converse(x, initial.p);
        exchange_leave(x);
        priv_sasl_end(&x->sasl);
    }
    for (struct buf *b = &x->in; b; b = b == &x->in ? &x->out : NULL) {
        if (b->p)
            OPENSSL_cleanse(b->p, b->cap);
        buf_free(b);
    }
    OPENSSL_cleanse(x, sizeof *x);
    free(x);
}
