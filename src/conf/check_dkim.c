/* Keys that sign mail: what their titles and lists say. */
#include "conf/internal.h"

enum { NAMES_MAX = 2048 };

static void check_headers(struct load *l, struct conf_dkim *d)
{
    char mem[NAMES_MAX];
    struct buf b;
    bool from = false;
    buf_init_fixed(&b, mem, sizeof mem);
    for (size_t i = 0; i < d->headers.n; i++) {
        str name = d->headers.v[i];
        bool ok = name.n > 0;
        for (size_t k = 0; k < name.n; k++)
            ok = ok && name.p[k] > 32 && name.p[k] < 127 && !strchr(":;", name.p[k]);
        if (!ok)
            fail(&l->e, d->line, "dkim " STR_FMT ": headers: expected names of header fields, found %s",
                 STR_ARG(d->title), shown(&l->e, name));
        from = from || str_ieq(name, S("From"));
        if (i)
            buf_add_char(&b, ':');
        buf_add(&b, name);
    }
    if (d->headers.n && !from)
        fail(&l->e, d->line, "dkim " STR_FMT ": headers: expected From among them (RFC 6376 5.4), found none",
             STR_ARG(d->title));
    if (b.e)
        fail(&l->e, d->line, "dkim " STR_FMT ": headers: expected at most %d octets of names", STR_ARG(d->title),
             NAMES_MAX);
    d->names = arena_str(&l->c->arena, buf_str(&b));
}

/* A key is a file of the administrator's, or the server's own. */
static void check_key(struct load *l, const struct conf_dkim *d)
{
    bool own = !d->selector.n;
    if (!own && !d->key.n)
        fail(&l->e, d->line, "dkim " STR_FMT ": expected the key key, found none", STR_ARG(d->title));
    if (own && d->key.n)
        fail(&l->e, d->line,
             "dkim " STR_FMT
             ": key: expected SELECTOR._domainkey.DOMAIN as title of a section with a key; with a domain "
             "alone the server makes its keys",
             STR_ARG(d->title));
    if (!own && d->algorithm == CONF_DKIM_BOTH)
        fail(&l->e, d->line, "dkim " STR_FMT ": algorithm: expected rsa-sha256 or ed25519-sha256 for a key in a file",
             STR_ARG(d->title));
}

/* The key of seals is one of those above. */
static void check_seal(struct load *l)
{
    struct conf *c = l->c;
    str name;
    if (!c->check_seal.n)
        return;
    if (str_search(c->check_seal, S("._domainkey.")) == STR_NONE && domain_of(l, c->check_seal, &name))
        c->check_seal = name;
    for (size_t i = 0; i < c->ndkims; i++)
        if (str_ieq(c->dkims[i].title, c->check_seal))
            return;
    fail(&l->e, LINE(l, check_seal), "check: seal: expected the title of a dkim section, found %s",
         shown(&l->e, c->check_seal));
}

void check_dkims(struct load *l)
{
    static const str middle = S_INIT("._domainkey.");
    for (size_t i = 0; i < l->c->ndkims; i++) {
        struct conf_dkim *d = &l->c->dkims[i];
        size_t at = str_search(d->title, middle);
        str domain;
        if (at == STR_NONE && !domain_of(l, d->title, &domain))
            continue; /* said already */
        d->selector = at == STR_NONE ? S("") : str_sub(d->title, 0, at);
        d->domain = at == STR_NONE ? d->title : str_skip(d->title, at + middle.n);
        check_key(l, d);
        for (size_t k = 0; k < i; k++)
            if (str_eq(l->c->dkims[k].title, d->title))
                fail(&l->e, d->line, "dkim " STR_FMT " is given twice (first in line %d)", STR_ARG(d->title),
                     l->c->dkims[k].line);
        check_headers(l, d);
    }
    check_seal(l);
}
