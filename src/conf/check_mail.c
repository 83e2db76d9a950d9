/* Rules about where mail goes: domains and their mailboxes, aliases, routes, and loops among them. */
#include "conf/internal.h"
#include "base/text.h"
#include "wire/addr.h"

enum { WHERE_MAX = 300 };

static void where_is(char *out, const char *section, str title, const char *key)
{
    struct buf b;
    memset(out, 0, WHERE_MAX);
    buf_init_fixed(&b, out, WHERE_MAX - 1);
    buf_printf(&b, "%s " STR_FMT "%s%s", section, STR_ARG(title), *key ? ": " : "", key);
}

/* ---- domains ---- */

/* Mailboxes become names of folders, so what a file system or a person could take amiss is refused. */
const char *conf_mailbox_fault(str s)
{
    if (s.n == 0 || s.n > ADDR_LOCAL_MAX)
        return "1 to 64 octets";
    if (s.p[0] == '.' || s.p[0] == '-')
        return "a name that does not begin with \".\" or \"-\"";
    if (s.p[s.n - 1] == ' ' || s.p[0] == ' ')
        return "a name without blanks at its ends";
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || s.p[i] == 127 || memchr("/\\\"@<>|:*?", s.p[i], 10))
            return "a name without the characters / \\ \" @ < > | : * ?";
    return text_utf8(s) ? NULL : "UTF-8";
}

static void check_mailboxes(struct load *l, const struct conf_domain *d)
{
    for (size_t i = 0; i < d->mailboxes.n; i++) {
        const char *want = conf_mailbox_fault(d->mailboxes.v[i]);
        if (want)
            fail(&l->e, d->line, "domain " STR_FMT ": mailboxes: expected %s, found %s", STR_ARG(d->title), want,
                 shown(&l->e, d->mailboxes.v[i]));
    }
}

static void check_target(struct load *l, int line, const char *where, str *s)
{
    const char *why;
    str text = *s;
    if (!address_of(l, text, s, NULL, NULL, &why))
        fail(&l->e, line, "%s: expected an address, found %s: %s", where, shown(&l->e, text), why);
}

void check_domains(struct load *l)
{
    char where[WHERE_MAX];
    unsigned words = 1u << CONF_TO_MAILDIR | 1u << CONF_TO_DISCARD | 1u << CONF_TO_MX;
    for (size_t i = 0; i < l->c->ndomains; i++) {
        struct conf_domain *d = &l->c->domains[i];
        where_is(where, "domain", d->title, "deliver");
        check_hop(l, d->line, where, d->deliver, words, true, &d->hop);
        check_mailboxes(l, d);
        where_is(where, "domain", d->title, "catch-all");
        if (d->catch_all.n)
            check_target(l, d->line, where, &d->catch_all);
        where_is(where, "domain", d->title, "archive");
        if (d->archive.n)
            check_target(l, d->line, where, &d->archive);
        if (d->tls != CONF_TLS_MAY && d->hop.how != CONF_TO_SERVER)
            warn(&l->e, d->line, "domain " STR_FMT ": tls has no meaning with deliver = %s", STR_ARG(d->title),
                 shown(&l->e, d->deliver));
    }
}

/* ---- aliases ---- */

void check_aliases(struct load *l)
{
    char where[WHERE_MAX];
    for (size_t i = 0; i < l->c->naliases; i++) {
        struct conf_alias *a = &l->c->aliases[i];
        if (a->from_file)
            continue; /* read as addresses already */
        where_is(where, "alias", a->title, "to");
        if (a->to.n == 0 && a->to.v)
            fail(&l->e, a->line, "%s: expected at least one address, found an empty list", where);
        for (size_t j = 0; j < a->to.n; j++)
            check_target(l, a->line, where, &a->to.v[j]);
    }
}

/* ---- routes ---- */

static void check_from(struct load *l, struct conf_route *r, str *s)
{
    const char *why = "no domain name";
    str text = *s, domain;
    if (str_eq(text, S("<>")))
        return;
    if (str_starts(text, S("@"))) {
        if (domain_of(l, str_skip(text, 1), &domain)) {
            *s = arena_printf(&l->c->arena, "@" STR_FMT, STR_ARG(domain));
            return;
        }
    } else if (address_of(l, text, s, NULL, NULL, &why)) {
        return;
    }
    fail(&l->e, r->line, "route " STR_FMT ": from: expected an address, \"@domain\" or \"<>\", found %s: %s",
         STR_ARG(r->title), shown(&l->e, text), why);
}

static void check_route_tls(struct load *l, const struct conf_route *r)
{
    struct errs *e = &l->e;
    bool smtps = false;
    for (size_t i = 0; i < r->via.n; i++)
        smtps |= r->hops[i].how == CONF_TO_SERVER && r->hops[i].url.scheme == URL_SMTPS;
    if (smtps && r->tls == CONF_TLS_NONE)
        fail(e, r->line, "route " STR_FMT ": expected tls other than \"none\" with smtps://, found \"none\"",
             STR_ARG(r->title));
    if (r->ca_file.n && r->tls != CONF_TLS_VERIFY)
        warn(e, r->line, "route " STR_FMT ": ca-file has no meaning without tls = \"verify\"", STR_ARG(r->title));
    if (r->auth_user.n && !r->password_file.n)
        fail(e, r->line, "route " STR_FMT ": expected the key password-file with auth-user, found none",
             STR_ARG(r->title));
    if (r->password_file.n && !r->auth_user.n)
        fail(e, r->line, "route " STR_FMT ": expected the key auth-user with password-file, found none",
             STR_ARG(r->title));
    if (r->auth_user.n && r->tls == CONF_TLS_NONE)
        warn(e, r->line, "route " STR_FMT ": the password is sent in clear, because tls is \"none\"",
             STR_ARG(r->title));
}

/* Mail for a domain of ours goes where its section says. */
static void check_unused(struct load *l, const struct conf_route *r)
{
    for (size_t i = 0; i < l->c->ndomains; i++) {
        const struct conf_domain *d = &l->c->domains[i];
        if (str_ieq(d->title, r->title) && d->hop.how != CONF_TO_MX)
            warn(&l->e, r->line,
                 "route " STR_FMT " takes no mail to that domain: domain " STR_FMT " in line %d says where it goes",
                 STR_ARG(str_sub(r->title, 0, 100)), STR_ARG(str_sub(d->title, 0, 100)), d->line);
    }
}

void check_routes(struct load *l)
{
    char where[WHERE_MAX];
    for (size_t i = 0; i < l->c->nroutes; i++) {
        struct conf_route *r = &l->c->routes[i];
        where_is(where, "route", r->title, "via");
        if (r->via.n == 0 && r->via.v)
            fail(&l->e, r->line, "%s: expected at least one server, found an empty list", where);
        r->hops = arena_array(&l->c->arena, r->via.n, sizeof *r->hops);
        for (size_t j = 0; r->hops && j < r->via.n; j++)
            check_hop(l, r->line, where, r->via.v[j], 1u << CONF_TO_MX | 1u << CONF_TO_DISCARD, r->of_proxy,
                      &r->hops[j]);
        for (size_t j = 0; j < r->from.n; j++)
            check_from(l, r, &r->from.v[j]);
        where_is(where, "route", r->title, "helo");
        check_name(l, r->line, where, true, l->c->send_helo, &r->helo);
        if (r->hops)
            check_route_tls(l, r);
        if (!r->of_proxy)
            check_unused(l, r);
    }
}
