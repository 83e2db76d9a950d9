/* The rules of sts { } and of listeners by HTTPS: names that a policy can have, and certificates that fit. */
#include "conf/internal.h"

enum { NAMES_MAX = 64 };

/* "*." stands for one label (RFC 8461 3.2). */
static void check_names(struct load *l, int line, const char *key, struct conf_list *v)
{
    if (v->n > NAMES_MAX)
        fail(&l->e, line, "%s: expected at most %d names, found %zu", key, NAMES_MAX, v->n);
    for (size_t i = 0; i < v->n; i++) {
        str text = v->v[i], name;
        bool wild = str_starts(text, S("*."));
        if (!domain_of(l, str_skip(text, wild ? 2 : 0), &name) || name.p[0] == '[')
            fail(&l->e, line, "%s: expected names of servers, found %s", key, shown(&l->e, text));
        else
            v->v[i] = wild ? arena_printf(&l->c->arena, "*." STR_FMT, STR_ARG(name)) : name;
    }
}

static bool certified(const struct conf *c, str domain)
{
    for (size_t i = 0; i < c->acme_names.n; i++)
        if (str_istarts(c->acme_names.v[i], S("mta-sts.")) && str_ieq(str_skip(c->acme_names.v[i], 8), domain))
            return true;
    return false;
}

/* Whoever fetches a policy verifies the certificate for mta-sts.DOMAIN (3.3). */
static void check_certified(struct load *l, const struct conf_listener *x)
{
    const struct conf *c = l->c;
    for (size_t i = 0; c->acme_names.n && !x->certificate.n && i < c->ndomains; i++)
        if (!certified(c, c->domains[i].title))
            warn(&l->e, x->line,
                 "listener " STR_FMT ": the policy of " STR_FMT
                 " cannot be fetched until acme.names has mta-sts." STR_FMT,
                 STR_ARG(x->title), STR_ARG(c->domains[i].title), STR_ARG(c->domains[i].title));
}

static void check_port(struct load *l, const struct conf_listener *x)
{
    const struct conf *c = l->c;
    struct ip_port at;
    if (c->acme_names.n && c->acme_challenge == CONF_ACME_TLS_ALPN && !c->acme_address.n &&
        ip_from_sockaddr((const struct sockaddr *)&x->address, sizeof x->address, &at) && at.port == 443)
        fail(&l->e, LINE(l, acme_challenge),
             "acme: challenge: expected http-01 beside listener " STR_FMT ", which has port 443, found tls-alpn-01",
             STR_ARG(x->title));
}

void check_sts(struct load *l)
{
    struct conf *c = l->c;
    check_names(l, LINE(l, sts_mx), "sts: mx", &c->sts_mx);
    for (size_t i = 0; i < c->ndomains; i++)
        check_names(l, c->domains[i].line, "domain: sts-mx", &c->domains[i].sts_mx);
    for (size_t i = 0; i < c->nlisteners; i++)
        if (c->listeners[i].protocol == CONF_HTTPS) {
            check_certified(l, &c->listeners[i]);
            check_port(l, &c->listeners[i]);
        }
}
