/*
 * SPF: check_host() of RFC 7208 4. An include is a call of itself, a redirect the next turn of a loop. What all of
 * them share is counted in one struct: terms that ask (10), questions without an answer (2).
 */
#include "check/internal.h"
#include "wire/idn.h"
#include "wire/spf.h"

enum { /* RFC 7208 4.6.4 */
       TERMS_MAX = 10,
       VOID_MAX = 2,
       MX_MAX = 10,
       PTR_MAX = 10,
       SCRATCH_MAX = 1 << 20, /* all records, names and expanded macros of one evaluation */
       EXPAND_MAX = 8192,
       EXPLANATION_MAX = 900 /* what fits into a reply */
};
#define SPF_TIME (25 * RT_S) /* at least 20 s */

struct spf {
    struct check *c;
    struct arena mem; /* of this evaluation */
    str local, sender_domain;
    unsigned terms, voids;
    str ptr[PTR_MAX]; /* validated names of the client, once asked for */
    size_t nptr;
    bool ptr_known;
};

/* What an evaluation came to. */
struct verdict {
    enum check_result result;
    str mechanism, why; /* in spf.mem, or static */
    str exp, domain;    /* of fail: exp= and whose it is; "" none */
};

static enum check_result check_host(struct spf *s, str domain, unsigned depth, struct verdict *v) YIELDS;

static enum check_result stop(struct verdict *v, enum check_result r, str mechanism, const char *why)
{
    v->mechanism = mechanism;
    v->why = str_c(why);
    return r;
}

/* ---- names --------------------------------------------------------------------------------------------- */

/* Labels of 1 to 63 octets, 253 in all, two labels at least (RFC 7208 4.3). */
static bool name_usable(str s, bool several)
{
    size_t label = 0, dots = 0;
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') {
            if (label == 0)
                return false;
            label = 0;
            dots++;
        } else if (++label > 63 || s.p[i] == 0) {
            return false;
        }
    }
    return label > 0 && (dots > 0 || !several);
}

static bool same_or_below(str name, str domain)
{
    return str_ieq(name, domain) ||
           (name.n > domain.n && name.p[name.n - domain.n - 1] == '.' && str_iends(name, domain));
}

/* True when an answer is one (RFC 7208 4.6.4): a name or type that does not exist. */
static bool is_void(err e) { return e == E_DNS_NONE || e == E_DNS_NODATA; }

static bool ask(struct spf *s, str name, enum dns_type type, struct arena *a, struct dns_answer *ret, err *ret_e) YIELDS
{
    check_answer_begin(a);
    *ret_e = name_usable(name, false) ? check_ask(s->c, name, type, a, ret) : E_DNS_NONE;
    if (*ret_e == E_SYNTAX)
        *ret_e = E_DNS_NONE; /* no such name can be */
    return *ret_e == OK;
}

/* ---- addresses of names ------------------------------------------------------------------------------------ */

static bool in_network(const struct spf *s, str octets, const struct spf_term *t)
{
    struct ip_net net = {.ip = ip_from_octets(octets.p, octets.n), .bits = s->c->ip.v == 4 ? t->bits4 : t->bits6};
    if (octets.n != (s->c->ip.v == 4 ? 4u : 16u) || (octets.n == 16 && net.ip.v != 6))
        return false;
    for (unsigned i = net.bits; i < octets.n * 8; i++)
        net.ip.b[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    return ip_net_has(&net, &s->c->ip);
}

/* OK: *ret_match says whether an address of the name is the client's network. */
static err address_of(struct spf *s, str name, const struct spf_term *t, bool *ret_match) YIELDS
{
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    err e;
    *ret_match = false;
    if (ask(s, name, s->c->ip.v == 4 ? DNS_A : DNS_AAAA, &a, &ans, &e))
        for (size_t i = 0; i < ans.n && !*ret_match; i++)
            *ret_match = in_network(s, ans.v[i].data, t);
    return e;
}

/* The confirmed names of the client (RFC 7208 5.5); errors make there be fewer. */
static err find_ptr(struct spf *s) YIELDS
{
    static const struct spf_term exactly = {.bits4 = 32, .bits6 = 128};
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    char text[80];
    struct buf question;
    bool match;
    err e;
    if (s->ptr_known)
        return OK;
    s->ptr_known = true;
    buf_init_fixed(&question, text, sizeof text);
    ip_print_reverse(&question, &s->c->ip);
    buf_add(&question, s->c->ip.v == 4 ? S(".in-addr.arpa") : S(".ip6.arpa"));
    if (!ask(s, buf_str(&question), DNS_PTR, &a, &ans, &e))
        return e;
    for (size_t i = 0; i < ans.n && i < PTR_MAX; i++)
        if (address_of(s, ans.v[i].data, &exactly, &match) == OK && match) {
            str name = arena_str(&s->mem, ans.v[i].data);
            if (name.p)
                s->ptr[s->nptr++] = name;
        }
    return OK;
}

/* %{p}: the domain itself, else a name below it, else any (RFC 7208 7.3). */
static str best_ptr(const struct spf *s, str domain)
{
    for (size_t i = 0; i < s->nptr; i++)
        if (str_ieq(s->ptr[i], domain))
            return s->ptr[i];
    for (size_t i = 0; i < s->nptr; i++)
        if (same_or_below(s->ptr[i], domain))
            return s->ptr[i];
    return s->nptr ? s->ptr[0] : S("unknown");
}

/* ---- macros -------------------------------------------------------------------------------------------------- */

static struct spf_vars vars_of(struct spf *s, str macro, str domain) YIELDS
{
    struct spf_vars v = {.local = s->local,
                         .sender_domain = s->sender_domain,
                         .domain = domain,
                         .helo = s->c->helo,
                         .us = s->c->us,
                         .ip = s->c->ip,
                         .now_s = s->c->now_s};
    if (spf_uses_ptr(macro)) {
        (void)find_ptr(s);
        v.ptr = best_ptr(s, domain);
    }
    return v;
}

/* The target of a term: its domain-spec, else the domain itself. E_UNSUPPORTED: the term matches nothing (RFC 8616 4).
 */
static err target_of(struct spf *s, str spec, str domain, str *ret) YIELDS
{
    AUTO_BUF out = {0};
    if (!spec.n) {
        *ret = domain;
        return OK;
    }
    struct spf_vars v = vars_of(s, spec, domain);
    buf_init(&out, EXPAND_MAX);
    err e = spf_expand_domain(&out, spec, &v, ret);
    if (e)
        return e;
    *ret = arena_str(&s->mem, *ret);
    return ret->p ? OK : s->mem.e;
}

/* ---- mechanisms -------------------------------------------------------------------------------------------------- */

enum match { MATCH_NO, MATCH_YES, MATCH_STOP };

/* The end of the evaluation for an error of a question; or MATCH_NO for one that found nothing. */
static enum match after(struct spf *s, err e, const struct spf_term *t, struct verdict *v)
{
    if (e == OK)
        return MATCH_NO;
    if (!is_void(e)) {
        v->result = stop(v, CHECK_TEMPERROR, t->text, "DNS did not answer");
        return MATCH_STOP;
    }
    if (++s->voids <= VOID_MAX)
        return MATCH_NO;
    v->result = stop(v, CHECK_PERMERROR, t->text, "more than 2 questions to DNS found nothing");
    return MATCH_STOP;
}

static enum match match_a(struct spf *s, const struct spf_term *t, str target, struct verdict *v) YIELDS
{
    bool match = false;
    err e = address_of(s, target, t, &match);
    return match ? MATCH_YES : after(s, e, t, v);
}

static enum match match_exists(struct spf *s, const struct spf_term *t, str target, struct verdict *v) YIELDS
{
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    err e;
    return ask(s, target, DNS_A, &a, &ans, &e) ? MATCH_YES : after(s, e, t, v);
}

static enum match match_mx(struct spf *s, const struct spf_term *t, str target, struct verdict *v) YIELDS
{
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    bool match;
    err e;
    if (!ask(s, target, DNS_MX, &a, &ans, &e))
        return after(s, e, t, v);
    if (ans.n > MX_MAX) {
        v->result = stop(v, CHECK_PERMERROR, t->text, "more than 10 MX records");
        return MATCH_STOP;
    }
    for (size_t i = 0; i < ans.n; i++) {
        e = ans.v[i].data.n ? address_of(s, ans.v[i].data, t, &match) : E_DNS_NONE; /* null MX (RFC 7505) */
        if (e == OK && match)
            return MATCH_YES;
        if (e && !is_void(e))
            return after(s, e, t, v);
    }
    return MATCH_NO;
}

/* Errors of DNS are no match here (RFC 7208 5.5). */
static enum match match_ptr(struct spf *s, const struct spf_term *t, str target, struct verdict *v) YIELDS
{
    bool first = !s->ptr_known;
    err e = find_ptr(s);
    for (size_t i = 0; i < s->nptr; i++)
        if (same_or_below(s->ptr[i], target))
            return MATCH_YES;
    return first && is_void(e) ? after(s, e, t, v) : MATCH_NO;
}

static enum match match_include(struct spf *s, const struct spf_term *t, str target, unsigned depth,
                                struct verdict *v) YIELDS
{
    struct verdict *inner = arena_new(&s->mem, struct verdict);
    if (!inner || depth >= TERMS_MAX) {
        v->result = stop(v, CHECK_TEMPERROR, t->text, "out of memory");
        return MATCH_STOP;
    }
    check_explain(s->c, " include " STR_FMT, STR_ARG(target));
    enum check_result r = check_host(s, target, depth + 1, inner);
    check_explain(s->c, " end of include " STR_FMT ": %s", STR_ARG(target), check_result_name(r));
    switch (r) {
    case CHECK_PASS:
        return MATCH_YES;
    case CHECK_TEMPERROR:
        v->result = stop(v, r, inner->mechanism, inner->why.p);
        return MATCH_STOP;
    case CHECK_PERMERROR:
        v->result = stop(v, r, inner->mechanism, inner->why.p);
        return MATCH_STOP;
    case CHECK_NONE:
        v->result = stop(v, CHECK_PERMERROR, t->text, "the included domain has no SPF record");
        return MATCH_STOP;
    default:
        return MATCH_NO;
    }
}

static bool count_term(struct spf *s, const struct spf_term *t, struct verdict *v)
{
    if (t->kind == SPF_ALL || t->kind == SPF_IP4 || t->kind == SPF_IP6 || ++s->terms <= TERMS_MAX)
        return true;
    v->result = stop(v, CHECK_PERMERROR, t->text, "more than 10 terms that ask DNS");
    return false;
}

static enum match match_term(struct spf *s, const struct spf_term *t, str domain, unsigned depth,
                             struct verdict *v) YIELDS
{
    str target = domain;
    if (!count_term(s, t, v))
        return MATCH_STOP;
    err e = target_of(s, t->domain, domain, &target);
    if (e == E_UNSUPPORTED)
        return MATCH_NO;
    if (e) {
        v->result = stop(v, e == E_LIMIT || e == E_SYNTAX ? CHECK_PERMERROR : CHECK_TEMPERROR, t->text,
                         "the macros cannot be expanded");
        return MATCH_STOP;
    }
    switch (t->kind) {
    case SPF_ALL:
        return MATCH_YES;
    case SPF_IP4:
    case SPF_IP6:
        return ip_net_has(&t->net, &s->c->ip) ? MATCH_YES : MATCH_NO;
    case SPF_A:
        return match_a(s, t, target, v);
    case SPF_MX:
        return match_mx(s, t, target, v);
    case SPF_PTR:
        return match_ptr(s, t, target, v);
    case SPF_EXISTS:
        return match_exists(s, t, target, v);
    case SPF_INCLUDE:
        return match_include(s, t, target, depth, v);
    default:
        return MATCH_NO;
    }
}

/* ---- records ------------------------------------------------------------------------------------------------------
 */

/* The one SPF record of a domain (RFC 7208 4.4, 4.5). CHECK_PASS: *ret; else the result, with v->why. */
static enum check_result find_record(struct spf *s, str domain, str *ret, struct verdict *v) YIELDS
{
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    err e;
    size_t found = 0;
    if (!name_usable(domain, true))
        return stop(v, CHECK_NONE, S(""), "not a domain name that could have a record");
    if (!ask(s, domain, DNS_TXT, &a, &ans, &e))
        return is_void(e) ? stop(v, CHECK_NONE, S(""), "no SPF record")
                          : stop(v, CHECK_TEMPERROR, S(""), "DNS did not answer");
    for (size_t i = 0; i < ans.n; i++)
        if (spf_is_record(ans.v[i].data)) {
            found++;
            *ret = ans.v[i].data;
        }
    if (found != 1)
        return found ? stop(v, CHECK_PERMERROR, S(""), "more than one SPF record")
                     : stop(v, CHECK_NONE, S(""), "no SPF record");
    *ret = arena_str(&s->mem, *ret);
    return ret->p ? CHECK_PASS : stop(v, CHECK_TEMPERROR, S(""), "out of memory");
}

/* Errors anywhere in a record are found before a term of it is used (RFC 7208 4.6). */
static bool read_modifiers(str record, str *redirect, str *exp, struct verdict *v)
{
    struct spf_term t;
    const char *why = NULL;
    enum spf_next n;
    while ((n = spf_next(&record, &t, &why)) == SPF_TERM) {
        str *into = t.kind == SPF_REDIRECT ? redirect : t.kind == SPF_EXP ? exp : NULL;
        if (into && into->n) {
            v->result = stop(v, CHECK_PERMERROR, t.text, "redirect= and exp= may be there once only");
            return false;
        }
        if (into)
            *into = t.domain;
    }
    if (n == SPF_BAD)
        v->result = stop(v, CHECK_PERMERROR, t.text, why);
    return n == SPF_END;
}

static enum check_result result_of(char qualifier)
{
    switch (qualifier) {
    case '-':
        return CHECK_FAIL;
    case '~':
        return CHECK_SOFTFAIL;
    case '?':
        return CHECK_NEUTRAL;
    default:
        return CHECK_PASS;
    }
}

/* The terms of one record from left to right. True: v->result is the end of it. */
static bool run_record(struct spf *s, str record, str domain, unsigned depth, struct verdict *v) YIELDS
{
    struct spf_term t;
    const char *why;
    while (spf_next(&record, &t, &why) == SPF_TERM) {
        if (t.kind >= SPF_REDIRECT)
            continue;
        enum match m = match_term(s, &t, domain, depth, v);
        check_explain(s->c, " " STR_FMT ": %s", STR_ARG(t.text),
                      m == MATCH_YES  ? "matches"
                      : m == MATCH_NO ? "does not match"
                                      : "ends with an error");
        if (m == MATCH_YES)
            v->result = stop(v, result_of(t.qualifier), t.text, NULL);
        if (m != MATCH_NO)
            return true;
    }
    return false;
}

/* One redirect further. False: v->result is the end. */
static bool follow(struct spf *s, str redirect, str *domain, struct verdict *v) YIELDS
{
    struct spf_term t = {.kind = SPF_REDIRECT, .text = redirect};
    if (!count_term(s, &t, v))
        return false;
    err e = target_of(s, redirect, *domain, domain);
    if (e)
        v->result = stop(v, e == E_NOMEM ? CHECK_TEMPERROR : CHECK_PERMERROR, redirect, "redirect= leads nowhere");
    check_explain(s->c, " redirect to " STR_FMT, STR_ARG(*domain));
    return e == OK;
}

static enum check_result check_host(struct spf *s, str domain, unsigned depth, struct verdict *v)
{
    for (bool redirected = false;; redirected = true) {
        str record = {0}, redirect = {0}, exp = {0};
        enum check_result r = find_record(s, domain, &record, v);
        if (r == CHECK_NONE && redirected)
            return stop(v, CHECK_PERMERROR, S("redirect"), "the domain of redirect= has no SPF record");
        if (r != CHECK_PASS)
            return r;
        check_explain(s->c, " record of " STR_FMT ": " STR_FMT, STR_ARG(domain), STR_ARG(record));
        if (!read_modifiers(record, &redirect, &exp, v))
            return v->result;
        v->exp = exp;
        v->domain = domain;
        if (run_record(s, record, domain, depth, v))
            return v->result;
        if (!redirect.n)
            return stop(v, CHECK_NEUTRAL, S("default"), NULL);
        if (!follow(s, redirect, &domain, v))
            return v->result;
    }
}

/* ---- the explanation of a fail (RFC 7208 6.2)
 * ------------------------------------------------------------------------ */

static str explanation(struct spf *s, const struct verdict *v) YIELDS
{
    AUTO_ARENA a = {0};
    AUTO_BUF out = {0};
    struct dns_answer ans;
    str target;
    err e;
    if (!v->exp.n || target_of(s, v->exp, v->domain, &target) != OK || !ask(s, target, DNS_TXT, &a, &ans, &e) ||
        ans.n != 1 || !spf_macro_valid(ans.v[0].data, true))
        return (str){0};
    struct spf_vars vars = vars_of(s, ans.v[0].data, v->domain);
    buf_init(&out, EXPLANATION_MAX);
    if (spf_expand(&out, ans.v[0].data, true, &vars))
        return (str){0};
    for (size_t i = 0; i < out.n; i++)
        if (out.p[i] < ' ' || out.p[i] > '~')
            out.p[i] = '?';
    return arena_str(s->c->mem, buf_str(&out));
}

/* ---- the two identities
 * ----------------------------------------------------------------------------------------------- */

static void judge(struct check *c, str local, str domain, struct check_spf *ret) YIELDS
{
    struct spf *s = arena_new(c->mem, struct spf);
    struct verdict v = {0};
    rt_time all = c->deadline, mine = rt_after(SPF_TIME);
    *ret = (struct check_spf){.done = true, .result = CHECK_TEMPERROR, .why = S("out of memory")};
    if (!s)
        return;
    s->c = c;
    arena_init(&s->mem, 4096, SCRATCH_MAX);
    if (domain.n && domain.p[domain.n - 1] == '.')
        domain.n--;
    if (idn_to_ascii(domain, &s->mem, &domain) == OK) {
        s->local = local.n ? local : S("postmaster");
        s->sender_domain = domain;
        c->deadline = mine < all ? mine : all;
        check_explain(c, "SPF of " STR_FMT, STR_ARG(domain));
        ret->result = check_host(s, domain, 0, &v);
        ret->mechanism = arena_str(c->mem, v.mechanism);
        ret->why = v.why;
        if (ret->result == CHECK_FAIL)
            ret->explanation = explanation(s, &v);
        c->deadline = all;
    } else {
        ret->result = CHECK_NONE;
        ret->why = S("not a domain name");
    }
    ret->domain = arena_str(c->mem, domain);
    check_explain(c, "SPF of " STR_FMT ": %s" STR_FMT, STR_ARG(domain), check_result_name(ret->result),
                  STR_ARG(ret->why));
    arena_free(&s->mem);
}

/* A literal or a single name says nothing about a domain: none. */
void check_spf_helo(struct check *c, struct check_spf *ret) { judge(c, (str){0}, c->helo, ret); }

void check_spf_mail(struct check *c, struct check_spf *ret)
{
    size_t at = str_rfind(c->from, '@');
    if (c->from.n == 0)
        judge(c, (str){0}, c->helo, ret);
    else if (at == STR_NONE)
        judge(c, (str){0}, c->from, ret);
    else
        judge(c, str_sub(c->from, 0, at), str_skip(c->from, at + 1), ret);
}
