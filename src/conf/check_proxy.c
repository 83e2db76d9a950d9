/*
 * Rules about proxy listeners: the servers behind them, which recipients belong to which of them, and the routes
 * of mail that is stored on its way there.
 */
#include "conf/internal.h"

enum { WHERE_MAX = 80 };

static void where_is(char out[WHERE_MAX], const char *section, str title)
{
    struct buf b;
    memset(out, 0, WHERE_MAX);
    buf_init_fixed(&b, out, WHERE_MAX - 1);
    buf_printf(&b, "%s " STR_FMT ": ", section, STR_ARG(str_sub(title, 0, 32)));
}

/* ---- upstreams ---- */

/* "host:port" or a URL. `in` is where it stands, with the key's name. */
static bool server(struct load *l, const struct conf_upstream *of, const char *in, str text, struct conf_hop *ret)
{
    struct url u;
    const char *why = "";
    bool bare = str_search(text, S("://")) == STR_NONE;
    str full = bare ? arena_printf(&l->c->arena, "smtp://" STR_FMT, STR_ARG(text)) : text;
    if (!url_parse(full, &u, &why) || (bare && (!u.port_given || str_search(text, S("/")) != STR_NONE))) {
        fail(
            &l->e, of->line,
            "%s: expected \"host:port\" of the server behind, smtp://, smtps:// or lmtp://host:port or lmtp:///path%s, "
            "found %s",
            in, of->inline_of ? ", or the title of an upstream section" : "", shown(&l->e, text));
        return false;
    }
    *ret = (struct conf_hop){.how = CONF_TO_SERVER, .url = u};
    const struct conf_listener *mine = own_listener(l->c, &u);
    if (mine)
        fail(&l->e, of->line, "%s: expected another server, found %s, which is our listener " STR_FMT, in,
             shown(&l->e, text), STR_ARG(mine->title));
    return true;
}

static void check_servers(struct load *l, struct conf_upstream *u, const char *in)
{
    enum { SERVERS_MAX = 16 };
    unsigned smtp = 0, lmtp = 0;
    if (u->via.n > SERVERS_MAX)
        fail(&l->e, u->line, "%s: expected at most %d servers, found %zu", in, SERVERS_MAX, u->via.n);
    u->hops = arena_array(&l->c->arena, u->via.n, sizeof *u->hops);
    for (size_t i = 0; u->hops && i < u->via.n; i++)
        if (server(l, u, in, u->via.v[i], &u->hops[i]))
            u->hops[i].url.scheme == URL_LMTP ? lmtp++ : smtp++;
    u->lmtp = lmtp > 0;
    if (smtp && lmtp)
        fail(&l->e, u->line, "%s: expected servers that all speak SMTP or all LMTP, found both", in);
}

static str text_of(struct load *l, str path)
{
    for (size_t i = 1; i < l->b->n && path.n; i++)
        if (str_eq(l->b->v[i].path, path) && l->b->v[i].e == OK)
            return arena_str(&l->c->arena, l->b->v[i].text);
    return S("");
}

static void check_upstream_domains(struct load *l, struct conf_upstream *u, const char *where)
{
    for (size_t i = 0; i < u->domains.n; i++) {
        str *s = &u->domains.v[i], name, text = *s;
        bool suffix = str_starts(text, S("."));
        if (!domain_of(l, str_skip(text, suffix), &name))
            fail(&l->e, u->line, "%sdomains: expected a domain or \".domain\", found %s", where, shown(&l->e, text));
        else
            *s = suffix ? arena_printf(&l->c->arena, "." STR_FMT, STR_ARG(name)) : name;
    }
}

static void check_upstream(struct load *l, struct conf_upstream *u)
{
    char where[WHERE_MAX], in[WHERE_MAX + 8];
    struct errs *e = &l->e;
    where_is(where, "upstream", u->title);
    struct buf b;
    memset(in, 0, sizeof in);
    buf_init_fixed(&b, in, sizeof in - 1);
    buf_printf(&b, "%svia", where);
    if (u->via.n == 0 && u->via.v)
        fail(e, u->line, "%s: expected at least one server, found an empty list", in);
    check_servers(l, u, in);
    check_upstream_domains(l, u, where);
    check_name(l, u->line, where, true, l->c->send_helo, &u->helo);
    u->ca_pem = text_of(l, u->ca_file);
    if (u->ca_file.n && u->tls != CONF_TLS_VERIFY)
        warn(e, u->line, "%sca-file has no meaning without tls = \"verify\"", where);
    if (u->xclient && u->proxy_protocol != CONF_PROXY_NONE)
        warn(e, u->line, "%sxclient and proxy-protocol say the same to the servers; one of them is enough", where);
    for (size_t i = 0; i < l->c->nupstreams && &l->c->upstreams[i] != u; i++)
        if (str_ieq(l->c->upstreams[i].title, u->title))
            fail(e, u->line, "upstream %s is given twice (first in line %d)", shown(e, u->title),
                 l->c->upstreams[i].line);
}

/* ---- listeners ---- */

static const struct conf_upstream *find_upstream(const struct conf *c, str title)
{
    for (size_t i = 0; i < c->nupstreams; i++)
        if (!c->upstreams[i].inline_of && str_ieq(c->upstreams[i].title, title))
            return &c->upstreams[i];
    return NULL;
}

/* The servers that the listener names itself are an upstream without a section. */
static void inline_servers(struct load *l, struct conf_listener *x, const char *where)
{
    struct conf *c = l->c;
    char in[WHERE_MAX + 8];
    struct conf_upstream *u = &c->upstreams[c->nupstreams];
    if (!section_defaults(SEC_upstream, &c->arena, u))
        return;
    u->via.v = arena_array(&c->arena, x->proxy.n, sizeof *u->via.v);
    for (size_t i = 0; u->via.v && i < x->proxy.n; i++)
        if (!find_upstream(c, x->proxy.v[i]))
            u->via.v[u->via.n++] = x->proxy.v[i];
    if (u->via.n == 0)
        return;
    c->nupstreams++;
    u->title = arena_printf(&c->arena, STR_FMT " servers", STR_ARG(x->title));
    u->line = x->line;
    u->inline_of = x;
    u->helo = c->send_helo;
    struct buf b;
    memset(in, 0, sizeof in);
    buf_init_fixed(&b, in, sizeof in - 1);
    buf_printf(&b, "%sproxy", where);
    check_servers(l, u, in);
    x->upstreams[x->nupstreams++] = u;
}

static void check_shares(struct load *l, const struct conf_listener *x, const char *where)
{
    const struct conf_upstream *rest = NULL;
    for (size_t i = 0; i < x->nupstreams; i++) {
        const struct conf_upstream *u = x->upstreams[i];
        if (u->domains.n)
            continue;
        if (rest)
            fail(&l->e, x->line,
                 "%sproxy: expected at most one upstream without domains, found " STR_FMT " and " STR_FMT, where,
                 STR_ARG(rest->title), STR_ARG(u->title));
        rest = u;
    }
    if (x->proxy_mode == CONF_PROXY_PASS && x->nupstreams > 1)
        fail(&l->e, x->line,
             "%sproxy: expected one upstream with proxy-mode = \"pass\", because the greeting is its own, found %zu",
             where, x->nupstreams);
}

/* A server that lets the proxy's address relay lets everybody relay, unless it is told who the client is. */
static void warn_relay(struct load *l, const struct conf_listener *x, const char *where)
{
    for (size_t i = 0; i < x->nupstreams; i++) {
        const struct conf_upstream *u = x->upstreams[i];
        if (!u->xclient && u->proxy_protocol == CONF_PROXY_NONE && !u->lmtp)
            warn(&l->e, x->line,
                 "%sproxy: the servers of \"" STR_FMT "\" see all clients under this proxy's address: if they let it "
                 "relay, this is an open relay; take it out of their trusted networks, or set xclient or "
                 "proxy-protocol in an upstream section",
                 where, STR_ARG(u->title));
    }
}

static void check_proxy(struct load *l, struct conf_listener *x, const char *where)
{
    struct errs *e = &l->e;
    if (!x->proxy.n) {
        if (x->proxy_mode != CONF_PROXY_INSPECT)
            warn(e, x->line, "%sproxy-mode has no meaning without proxy", where);
        return;
    }
    if (x->submission)
        fail(e, x->line, "%sexpected proxy or submission, found both", where);
    if (x->protocol == CONF_LMTP)
        fail(e, x->line, "%sexpected protocol \"smtp\" with proxy, found \"lmtp\"", where);
    x->upstreams = arena_array(&l->c->arena, x->proxy.n + 1, sizeof *x->upstreams);
    if (!x->upstreams)
        return;
    inline_servers(l, x, where);
    for (size_t i = 0; i < x->proxy.n; i++) {
        const struct conf_upstream *u = find_upstream(l->c, x->proxy.v[i]);
        if (u)
            x->upstreams[x->nupstreams++] = u;
    }
    check_shares(l, x, where);
    if (!e->failed)
        warn_relay(l, x, where);
}

/* ---- stored mail ---- */

static bool has_route(const struct conf *c, str title)
{
    for (size_t i = 0; i < c->nroutes; i++)
        if (str_ieq(c->routes[i].title, title))
            return true;
    return false;
}

static const struct conf_route *add_route(struct load *l, const struct conf_upstream *u, str title,
                                          struct conf_route *r)
{
    if (has_route(l->c, title) || !section_defaults(SEC_route, &l->c->arena, r))
        return NULL;
    r->title = title;
    r->line = u->line;
    r->tls = u->tls;
    r->ca_file = u->ca_file;
    r->helo = u->helo;
    r->of_proxy = true;
    r->via.v = arena_array(&l->c->arena, u->via.n, sizeof *r->via.v);
    for (size_t i = 0; r->via.v && i < u->via.n; i++) {
        str text = u->via.v[i];
        bool bare = str_search(text, S("://")) == STR_NONE;
        r->via.v[r->via.n++] = bare ? arena_printf(&l->c->arena, "smtp://" STR_FMT, STR_ARG(text)) : text;
    }
    l->c->nroutes++;
    return r;
}

static bool stores(const struct conf_listener *x)
{
    return x->nupstreams && (x->proxy_mode == CONF_PROXY_STORE || x->split == CONF_SPLIT_STORE);
}

/* One for what is stored for it, whose title no section can have, and one for each of its domains, for other mail. */
static void routes_to(struct load *l, struct conf_upstream *u)
{
    struct conf *c = l->c;
    str own = u->inline_of ? u->inline_of->title : u->title;
    if (u->stored)
        return;
    own = arena_printf(&c->arena, "%s:" STR_FMT, u->inline_of ? "listener" : "upstream", STR_ARG(own));
    u->stored = own.p ? add_route(l, u, own, &c->routes[c->nroutes]) : NULL;
    for (size_t d = 0; d < u->domains.n; d++)
        add_route(l, u, u->domains.v[d], &c->routes[c->nroutes]);
}

/* What is stored goes to its upstream by routes, where no section names another way. */
static void add_routes(struct load *l)
{
    struct conf *c = l->c;
    size_t more = 0;
    for (size_t i = 0; i < c->nlisteners; i++)
        for (size_t k = 0; stores(&c->listeners[i]) && k < c->listeners[i].nupstreams; k++)
            more += c->listeners[i].upstreams[k]->domains.n + 1;
    struct conf_route *v = more ? arena_array(&c->arena, c->nroutes + more, sizeof *v) : NULL;
    if (!v)
        return;
    if (c->nroutes)
        memcpy(v, c->routes, c->nroutes * sizeof *v);
    c->routes = v;
    for (size_t i = 0; i < c->nlisteners; i++)
        for (size_t k = 0; stores(&c->listeners[i]) && k < c->listeners[i].nupstreams; k++)
            routes_to(l, &c->upstreams[c->listeners[i].upstreams[k] - c->upstreams]);
}

void check_proxies(struct load *l)
{
    size_t given = l->c->nupstreams;
    for (size_t i = 0; i < given; i++)
        check_upstream(l, &l->c->upstreams[i]);
    for (size_t i = 0; i < l->c->nlisteners; i++) {
        char where[WHERE_MAX];
        where_is(where, "listener", l->c->listeners[i].title);
        check_proxy(l, &l->c->listeners[i], where);
    }
    if (!l->e.failed)
        add_routes(l);
}
