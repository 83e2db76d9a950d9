/* AUTH by a token: OAUTHBEARER (RFC 7628) and XOAUTH2. The client sends one message; a token that is good ends the
 * exchange, one that is not is answered by a challenge that says what is needed, a dummy answer to it, and 535. */
#include "directory/directory.h"
#include "oauth/oauth.h"
#include "recv/exchange.h"

void token_refused(struct exchange *x)
{
    SCRATCH struct reply kept = *x->r;
    if (x->s->closing)
        return;
    buf_clear(&x->out);
    oauth_refusal(&x->out, x->sasl.mech == PRIV_XOAUTH2, x->s->conf, x->by);
    x->told = true;
    if (exchange_ask(x)) /* whatever it is: RFC 7628 wants ^A, XOAUTH2 nothing */
        *x->r = kept;
}

/* "bob" is "bob@" the usual domain. Lower case. False: too long. */
static bool whole_name(const struct exchange *x, const char *name, char ret[PRIV_ACCOUNT_MAX + 1])
{
    struct buf b;
    str s = str_c(name);
    buf_init_fixed(&b, ret, PRIV_ACCOUNT_MAX);
    buf_add(&b, s);
    if (str_rfind(s, '@') == STR_NONE && x->sasl.domain.n) {
        buf_add_char(&b, '@');
        buf_add(&b, x->sasl.domain);
    }
    ret[b.e ? 0 : b.n] = 0;
    for (char *p = ret; *p; p++)
        *p = ascii_lower(*p);
    return !b.e;
}

/* NULL: this token lets somebody in, and x->sasl.account is who. */
static const char *owner_fault(struct exchange *x, const struct oauth_owner *o)
{
    char account[PRIV_ACCOUNT_MAX + 1];
    bool fits = whole_name(x, o->account, account);
    size_t at = str_rfind(str_c(account), '@');
    if (!fits || at == STR_NONE)
        return "the token names no account";
    if (x->sasl.account[0] && strcmp(x->sasl.account, account) != 0)
        return "the token is for another account";
    memcpy(x->sasl.account, account, sizeof account);
    if (!oauth_speaks_for(o->by, str_skip(str_c(account), at + 1)))
        return "the authority does not speak for this domain";
    return NULL;
}

/* The directory may not know the account yet: a source of accounts may. */
static void let_in(struct exchange *x)
{
    AUTO_ARENA mem = {0};
    struct account a;
    str name = str_c(x->sasl.account);
    size_t at = str_rfind(name, '@');
    str local = str_sub(name, 0, at), domain = str_skip(name, at + 1);
    arena_init(&mem, 1024, 1 << 20);
    err e = directory_account(&mem, local, domain, &a);
    if (!e || e == E_NOT_FOUND)
        e = directory_source_find(x->s->conf, local, domain, e ? NULL : &a);
    if (e == E_AGAIN)
        exchange_fail(x, 454, "4.7.0", "Temporary authentication failure", "a source of accounts does not answer");
    else
        exchange_admit(x);
}

static void weigh(struct exchange *x, str token)
{
    struct oauth_owner o;
    if (!exchange_enter(x))
        return;
    enum oauth_result r = oauth_judge(x->s->conf, token, &o);
    exchange_leave(x);
    x->by = o.by;
    if (r == OAUTH_DOWN) {
        exchange_fail(x, 454, "4.7.0", "Temporary authentication failure", o.why);
        return;
    }
    const char *why = r == OAUTH_YES ? owner_fault(x, &o) : o.why;
    if (why)
        exchange_wrong(x, why);
    else
        let_in(x);
}

void token_converse(struct exchange *x, bool initial)
{
    struct oauth_message m;
    if (!initial && !exchange_ask(x)) /* an empty challenge */
        return;
    if (!oauth_message_parse(x->sasl.mech == PRIV_XOAUTH2, x->in.p ? buf_str(&x->in) : S(""), &m)) {
        (void)guard_failed(x->s->conf, &x->s->src.client.ip, S(""));
        exchange_fail(x, 501, "5.5.2", "Malformed authentication message", "malformed");
    } else if (m.name[0] && !whole_name(x, m.name, x->sasl.account)) {
        exchange_wrong(x, "no such account");
    } else {
        weigh(x, m.token);
    }
}
