/*
 * Look-ups. The tables are filled from the configuration alone, so an unkeyed hash is enough: nobody else can
 * choose what is in a chain.
 */
#include "conf/internal.h"

#include <stdlib.h>

struct spot { /* a node of any of the tables */
    struct map_node node;
    uint32_t at;   /* index of the domain, alias or route; of a mailbox: in its domain's list */
    uint32_t from; /* of a route: which entry of its `from` */
};
struct conf_index {
    struct map domains, aliases, routes;
    struct map *boxes; /* one a domain */
    struct spot *mem;  /* all nodes */
    size_t ndomains;
    bool senders; /* some route has `from` */
    const struct conf_file *files;
    size_t nfiles;
    bool given[KEY_COUNT]; /* global keys that stand in the file */
};

#define POSTMASTER UINT32_MAX /* `at` of the mailbox that every maildir domain has */

static uint64_t fold(uint64_t h, str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)ascii_lower(s.p[i])) * 0x100000001b3u;
    return h;
}
static uint64_t hash1(str s)
{
    uint64_t h = fold(0xcbf29ce484222325u, s);
    return h ^ h >> 32;
}
/* A pair: its first half, then what makes it whole. */
static uint64_t half_hash(str a) { return fold(fold(0xcbf29ce484222325u, a), S("\n")); }
static uint64_t whole_hash(uint64_t half, str b)
{
    uint64_t h = fold(half, b);
    return h ^ h >> 32;
}
static uint64_t hash2(str a, str b) { return whole_hash(half_hash(a), b); }

static struct spot *spot_of(struct map_node *n) { return container_of(n, struct spot, node); }

/* ---- finding ---- */

static const struct conf_domain *find_domain(const struct conf *c, str name)
{
    for (struct map_node *n = map_find(&c->index->domains, hash1(name)); n; n = map_next_equal(n))
        if (str_ieq(c->domains[spot_of(n)->at].title, name))
            return &c->domains[spot_of(n)->at];
    return NULL;
}

static const struct conf_alias *find_alias(const struct conf *c, str local, str domain)
{
    for (struct map_node *n = map_find(&c->index->aliases, hash2(local, domain)); n; n = map_next_equal(n)) {
        const struct conf_alias *a = &c->aliases[spot_of(n)->at];
        if (str_ieq(a->local, local) && str_ieq(a->domain, domain))
            return a;
    }
    return NULL;
}

/* A route is in the table once for each entry of its `from`: "local@domain", "@domain", or "<>" for the null
 * sender; under "" when it has none. */
static str route_from(const struct conf_route *r, size_t i) { return r->from.n ? r->from.v[i] : S(""); }

static const struct conf_route *find_route(const struct conf *c, uint64_t half, str title, str from)
{
    for (struct map_node *n = map_find(&c->index->routes, whole_hash(half, from)); n; n = map_next_equal(n)) {
        const struct conf_route *r = &c->routes[spot_of(n)->at];
        if (str_ieq(r->title, title) && str_ieq(route_from(r, spot_of(n)->from), from))
            return r;
    }
    return NULL;
}

const struct conf_domain *conf_domain(const struct conf *c, str domain) { return find_domain(c, domain); }

static str box_name(const struct conf_domain *d, uint32_t at)
{
    return at == POSTMASTER ? S("postmaster") : d->mailboxes.v[at];
}

bool conf_mailbox(const struct conf_domain *d, str local, str *ret_name)
{
    for (struct map_node *n = d->box ? map_find(d->box, hash1(local)) : NULL; n; n = map_next_equal(n)) {
        str name = box_name(d, spot_of(n)->at);
        if (str_ieq(name, local)) {
            *ret_name = name;
            return true;
        }
    }
    return false;
}

bool conf_has_mailbox(const struct conf_domain *d, str local)
{
    str name;
    return conf_mailbox(d, local, &name);
}

bool conf_takes_reports(const struct conf *c, str address)
{
    for (size_t i = 0; i < c->report_received.n; i++)
        if (str_ieq(c->report_received.v[i], address))
            return true;
    return false;
}

const struct conf_alias *conf_alias(const struct conf *c, str local, str domain)
{
    return find_alias(c, local, domain);
}

static const struct conf_route *route_for(const struct conf *c, str title, str sender)
{
    uint64_t half = half_hash(title);
    const struct conf_route *r = NULL;
    if (c->index->senders) {
        size_t at = str_rfind(sender, '@');
        r = find_route(c, half, title, sender.n ? sender : S("<>"));
        if (!r && at != STR_NONE)
            r = find_route(c, half, title, str_skip(sender, at));
    }
    return r ? r : find_route(c, half, title, S(""));
}

static bool in_share(str domain, str entry)
{
    if (str_starts(entry, S(".")))
        return domain.n > entry.n && str_iends(domain, entry);
    return str_ieq(domain, entry);
}

/* *longest: of the name that it is found by, 0 for the one that takes the rest. */
static const struct conf_upstream *upstream_of(const struct conf_listener *x, str domain, size_t *ret_longest)
{
    const struct conf_upstream *best = NULL, *rest = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < x->nupstreams; i++) {
        const struct conf_upstream *u = x->upstreams[i];
        rest = u->domains.n ? rest : u;
        for (size_t d = 0; d < u->domains.n; d++)
            if (u->domains.v[d].n > longest && in_share(domain, u->domains.v[d])) {
                longest = u->domains.v[d].n;
                best = u;
            }
    }
    *ret_longest = longest;
    return best ? best : rest;
}

const struct conf_upstream *conf_upstream_of(const struct conf_listener *x, str domain)
{
    size_t longest;
    return upstream_of(x, domain, &longest);
}

const struct conf_listener *conf_listener_named(const struct conf *c, str title)
{
    for (size_t i = 0; i < c->nlisteners; i++)
        if (str_ieq(c->listeners[i].title, title))
            return &c->listeners[i];
    return NULL;
}

const struct conf_route *conf_route(const struct conf *c, str domain, str sender)
{
    if (c->nroutes == 0)
        return NULL;
    const struct conf_route *r = route_for(c, domain, sender);
    for (size_t dot = 0; !r && (dot = str_find(domain, '.')) != STR_NONE; domain = str_skip(domain, dot + 1))
        r = route_for(c, str_skip(domain, dot), sender);
    return r ? r : route_for(c, S("*"), sender);
}

const struct conf_route *conf_route_stored(const struct conf *c, const struct conf_listener *x, str domain, str sender)
{
    size_t longest;
    const struct conf_route *r = conf_route(c, domain, sender);
    const struct conf_upstream *u = upstream_of(x, domain, &longest);
    if (!u || !u->stored)
        return r;
    size_t close = !r || str_eq(r->title, S("*")) ? 0 : r->title.n;
    return r && !r->of_proxy && close >= longest ? r : u->stored;
}

const struct conf_route *conf_route_named(const struct conf *c, str title)
{
    const struct conf_route *found = NULL;
    for (size_t i = 0; i < c->nroutes; i++)
        if (str_ieq(c->routes[i].title, title) && (!found || (found->from.n && !c->routes[i].from.n)))
            found = &c->routes[i];
    return found;
}

str conf_file_text(const struct conf *c, str path)
{
    for (size_t i = 0; i < c->index->nfiles && path.n; i++)
        if (str_eq(c->index->files[i].path, path))
            return c->index->files[i].text;
    return (str){NULL, 0};
}

bool key_given(const struct conf *c, const struct key *k) { return c->index->given[k - keys]; }

/* ---- building ---- */

static bool add_boxes(struct load *l, struct conf_domain *d, struct map *m, struct spot **at)
{
    bool ok = true;
    d->box = m;
    for (size_t i = 0; i < d->mailboxes.n; i++, ++*at) {
        str name = d->mailboxes.v[i];
        if (conf_has_mailbox(d, name))
            fail(&l->e, d->line, "domain " STR_FMT ": mailbox %s is listed twice", STR_ARG(d->title),
                 shown(&l->e, name));
        (*at)->at = (uint32_t)i;
        ok &= map_add(m, &(*at)->node, hash1(name));
    }
    (*at)->at = POSTMASTER;
    if (d->hop.how == CONF_TO_MAILDIR && !conf_has_mailbox(d, S("postmaster")))
        ok &= map_add(m, &(*at)->node, hash1(S("postmaster")));
    ++*at;
    return ok;
}

static bool add_domains(struct load *l, struct spot **at)
{
    struct conf *c = l->c;
    bool ok = true;
    for (size_t i = 0; i < c->ndomains; i++) {
        struct conf_domain *d = &c->domains[i];
        const struct conf_domain *first = find_domain(c, d->title);
        if (first)
            fail(&l->e, d->line, "domain %s is given twice (first in line %d)", shown(&l->e, d->title), first->line);
        (*at)->at = (uint32_t)i;
        ok &= map_add(&c->index->domains, &(*at)++->node, hash1(d->title));
        ok &= add_boxes(l, d, &c->index->boxes[i], at);
    }
    return ok;
}

static bool add_aliases(struct load *l, struct spot **at)
{
    struct conf *c = l->c;
    bool ok = true;
    str main = l->e.path;
    for (size_t i = 0; i < c->naliases; i++) {
        struct conf_alias *a = &c->aliases[i];
        const struct conf_alias *first = find_alias(c, a->local, a->domain);
        l->e.path = a->from_file ? l->alias_path : main;
        if (first)
            fail(&l->e, a->line, "alias %s is given twice (first in line %d%s)", shown(&l->e, a->title), first->line,
                 first->from_file == a->from_file ? "" : " of the configuration");
        (*at)->at = (uint32_t)i;
        ok &= map_add(&c->index->aliases, &(*at)++->node, hash2(a->local, a->domain));
    }
    l->e.path = main;
    return ok;
}

/* Several routes of one title are told apart by their `from`. */
static void route_twice(struct load *l, const struct conf_route *r, str from)
{
    const struct conf_route *first = find_route(l->c, half_hash(r->title), r->title, from);
    if (first && from.n)
        fail(&l->e, r->line, "route %s from %s is given twice (first in line %d)", shown(&l->e, r->title),
             shown(&l->e, from), first->line);
    else if (first)
        fail(&l->e, r->line, "route %s is given twice (first in line %d); a second one needs the key from",
             shown(&l->e, r->title), first->line);
}

static bool add_routes(struct load *l, struct spot **at)
{
    struct conf *c = l->c;
    bool ok = true;
    for (size_t i = 0; i < c->nroutes; i++) {
        const struct conf_route *r = &c->routes[i];
        for (size_t j = 0; j < (r->from.n ? r->from.n : 1); j++, ++*at) {
            str from = route_from(r, j);
            route_twice(l, r, from);
            c->index->senders |= from.n != 0;
            (*at)->at = (uint32_t)i;
            (*at)->from = (uint32_t)j;
            ok &= map_add(&c->index->routes, &(*at)->node, hash2(r->title, from));
        }
    }
    return ok;
}

static bool keep_files(struct conf *c, const struct conf_bundle *b)
{
    struct conf_file *v = arena_array(&c->arena, b->n, sizeof *v);
    if (!v)
        return false;
    for (size_t i = 1; i < b->n; i++) { /* of the main file nobody needs the text */
        v[i - 1].name = arena_str(&c->arena, b->v[i].name);
        v[i - 1].path = arena_str(&c->arena, b->v[i].path);
        v[i - 1].text = arena_str(&c->arena, b->v[i].text);
    }
    c->index->files = v;
    c->index->nfiles = b->n - 1;
    return true;
}

bool conf_index_build(struct load *l)
{
    struct conf *c = l->c;
    struct conf_index *x = c->index = arena_new(&c->arena, struct conf_index);
    size_t nodes = 2 * c->ndomains + c->naliases + c->nroutes;
    for (size_t i = 0; i < c->ndomains; i++)
        nodes += c->domains[i].mailboxes.n;
    for (size_t i = 0; i < c->nroutes; i++)
        nodes += c->routes[i].from.n;
    if (!x || !(x->boxes = arena_array(&c->arena, c->ndomains, sizeof *x->boxes)) ||
        !(x->mem = arena_array(&c->arena, nodes, sizeof *x->mem)))
        return false;
    x->ndomains = c->ndomains;
    for (size_t i = 0; i < KEY_COUNT; i++)
        x->given[i] = l->lines[i] != 0;
    struct spot *at = x->mem;
    bool ok = add_domains(l, &at) && add_aliases(l, &at) && add_routes(l, &at) && keep_files(c, l->b);
    if (!ok)
        c->arena.e = E_NOMEM;
    return ok;
}

void conf_index_free(struct conf_index *x)
{
    if (!x)
        return;
    map_free(&x->domains);
    map_free(&x->aliases);
    map_free(&x->routes);
    for (size_t i = 0; i < x->ndomains; i++)
        map_free(&x->boxes[i]);
}
