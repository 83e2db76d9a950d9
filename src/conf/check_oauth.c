/* The rules of oauth sections: addresses of the authority, and what a signed token must say for us to believe it. */
#include "conf/internal.h"

enum { OAUTHS_MAX = 16 };

static void check_url(struct load *l, const struct conf_oauth *o, const char *key, str url)
{
    bool tls = str_starts(url, S("https://"));
    if (url.n && !tls && !str_starts(url, S("http://")))
        fail(&l->e, o->line,
             "oauth " STR_FMT ": %s: expected an address that begins with https:// or http://, found %s",
             STR_ARG(o->title), key, shown(&l->e, url));
    else if (url.n && !tls && !str_starts(url, S("http://127.0.0.1")) && !str_starts(url, S("http://[::1]")))
        warn(&l->e, o->line,
             "oauth " STR_FMT ": %s: over http:// everybody on the way can read and change what is said",
             STR_ARG(o->title), key);
}

static void check_one(struct load *l, struct conf_oauth *o)
{
    check_url(l, o, "jwks", o->jwks);
    check_url(l, o, "introspection", o->introspection);
    if (!o->jwks.n && !o->introspection.n)
        fail(&l->e, o->line, "oauth " STR_FMT ": expected jwks or introspection, found neither", STR_ARG(o->title));
    if (o->jwks.n && (!o->issuer.n || !o->audience.n))
        fail(&l->e, o->line,
             "oauth " STR_FMT
             ": expected issuer and audience beside jwks: a token that the same keys signed for another "
             "service must not open accounts here (RFC 8725 3.8, 3.9)",
             STR_ARG(o->title));
    if (o->client.n && !o->secret_file.n)
        fail(&l->e, o->line, "oauth " STR_FMT ": expected secret-file beside client", STR_ARG(o->title));
    if (!o->claim.n)
        fail(&l->e, o->line, "oauth " STR_FMT ": claim: expected at least one name", STR_ARG(o->title));
    for (size_t i = 0; i < o->domains.n; i++)
        if (!domain_of(l, o->domains.v[i], &o->domains.v[i]))
            fail(&l->e, o->line, "oauth " STR_FMT ": domains: expected domain names, found %s", STR_ARG(o->title),
                 shown(&l->e, o->domains.v[i]));
}

void check_oauths(struct load *l)
{
    struct conf *c = l->c;
    if (c->noauths > OAUTHS_MAX)
        fail(&l->e, c->oauths[OAUTHS_MAX].line, "expected at most %d oauth sections, found %zu", OAUTHS_MAX,
             c->noauths);
    for (size_t i = 0; i < c->noauths; i++) {
        for (size_t k = 0; k < i; k++)
            if (str_eq(c->oauths[k].title, c->oauths[i].title))
                fail(&l->e, c->oauths[i].line, "oauth " STR_FMT " is given twice (first in line %d)",
                     STR_ARG(c->oauths[i].title), c->oauths[k].line);
        check_one(l, &c->oauths[i]);
    }
}
