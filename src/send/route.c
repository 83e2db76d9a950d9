/*
 * Routing: from sender and recipient to the way that the mail takes, and to the key of its site. Pure:
 * only the configuration is asked, DNS comes when a connection is wanted.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "directory/directory.h"
#include "send/internal.h"
#include "wire/idn.h"

static str lower(str d, char mem[ROUTE_DOMAIN_MAX])
{
    d = str_sub(d, 0, ROUTE_DOMAIN_MAX);
    for (size_t i = 0; i < d.n; i++)
        mem[i] = ascii_lower(d.p[i]);
    return (str){mem, d.n};
}

/* The recipient's domain as the configuration and DNS know it: A-labels in lower case, in `mem`. What cannot be
 * converted stays as it is: DNS will say that it does not exist. */
static str domain_of(str address, char mem[ROUTE_DOMAIN_MAX])
{
    size_t at = str_rfind(address, '@');
    str d = at == STR_NONE ? (str){"", 0} : str_skip(address, at + 1), ascii;
    if (!text_ascii(d)) {
        AUTO_ARENA a = {0};
        arena_init(&a, 1024, 16384);
        if (idn_to_ascii(d, &a, &ascii) == OK)
            return lower(ascii, mem);
    }
    return lower(d, mem);
}

/* A level of its own goes before the one for all servers found by MX. */
static enum tls_level mx_level(const struct conf *c, int own)
{
    return (enum tls_level)(own == CONF_TLS_MAY ? c->send_tls : own);
}

static void by_section(const struct conf *c, const struct conf_route *v, struct route *r)
{
    r->via = v;
    r->way = v->via.n && v->hops[0].how == CONF_TO_DISCARD ? WAY_DISCARD : WAY_FIXED;
    for (size_t i = 0; i < v->via.n && r->way == WAY_FIXED; i++)
        if (v->hops[i].how == CONF_TO_MX)
            r->way = WAY_MX;
    r->tls = r->way == WAY_MX ? mx_level(c, v->tls) : (enum tls_level)v->tls;
}

static void by_domain(const struct conf *c, const struct conf_domain *d, struct route *r)
{
    static const enum way ways[] = {[CONF_TO_MAILDIR] = WAY_MAILDIR,
                                    [CONF_TO_DISCARD] = WAY_DISCARD,
                                    [CONF_TO_MX] = WAY_BACKUP,
                                    [CONF_TO_SERVER] = WAY_FIXED};
    r->local = d;
    r->way = ways[d->hop.how];
    r->tls = r->way == WAY_BACKUP ? mx_level(c, d->tls) : (enum tls_level)d->tls;
}

static const struct conf_route *section_for(const struct conf *c, str way, str domain, str sender)
{
    str stored = S("listener:");
    const struct conf_listener *x = str_starts(way, stored) ? conf_listener_named(c, str_skip(way, stored.n)) : NULL;
    const struct conf_route *v = x || !way.n ? NULL : conf_route_named(c, way);
    return x ? conf_route_stored(c, x, domain, sender) : v ? v : conf_route(c, domain, sender);
}

void route_find(const struct conf *c, bool lax, str way, str sender, str address, char mem[ROUTE_DOMAIN_MAX],
                struct route *ret)
{
    str domain = domain_of(address, mem);
    const struct conf_domain *d = directory_domain(c, domain);
    const struct conf_route *v = d ? NULL : section_for(c, way, domain, sender);
    *ret = (struct route){.way = WAY_MX, .domain = domain, .tls = (enum tls_level)c->send_tls, .lax = lax && !d && !v};
    if (conf_takes_reports(c, address))
        ret->way = WAY_REPORTS;
    else if (d)
        by_domain(c, d, ret);
    else if (v)
        by_section(c, v, ret);
}

/* ---- keys ---------------------------------------------------------------------------------------------- */

void send_route_name(struct buf *out, const struct conf_route *v)
{
    uint64_t h = 0;
    buf_add(out, v->title);
    for (size_t i = 0; i < v->from.n; i++)
        h = h * 31 + str_hash_stable(v->from.v[i]);
    if (v->from.n)
        buf_printf(out, "#%016llx", (unsigned long long)h);
}

void route_key(struct buf *out, const struct route *r)
{
    if (r->way == WAY_DISCARD) {
        buf_add(out, S("discard"));
    } else if (r->way == WAY_REPORTS) {
        buf_add(out, S("reports"));
    } else if (r->local) {
        buf_add(out, r->way == WAY_MAILDIR ? S("maildir ") : r->way == WAY_BACKUP ? S("backup ") : S("domain "));
        buf_add(out, r->local->title);
    } else {
        if (r->via) {
            buf_add(out, S("route "));
            send_route_name(out, r->via);
        }
        if (r->way == WAY_MX) {
            buf_add(out, r->via ? S(" mx ") : r->lax ? S("lax ") : S("mx "));
            buf_add(out, r->domain);
        }
    }
}

static const struct conf_route *section(const struct conf *c, str name)
{
    char mem[ROUTE_NAME_MAX];
    for (size_t i = 0; i < c->nroutes; i++) {
        struct buf b;
        buf_init_fixed(&b, mem, sizeof mem);
        send_route_name(&b, &c->routes[i]);
        if (str_eq(buf_str(&b), name))
            return &c->routes[i];
    }
    return NULL;
}

static void of_section(const struct conf *c, str rest, struct route *ret)
{
    str name = {"", 0}, word = {"", 0};
    str_cut(&rest, ' ', &name);
    const struct conf_route *v = section(c, name);
    bool by_name = str_cut(&rest, ' ', &word) && str_eq(word, S("mx"));
    if (!v)
        return;
    by_section(c, v, ret);
    if (by_name != (ret->way == WAY_MX)) /* it led elsewhere when the key was made */
        ret->way = WAY_LOST;
    else if (by_name)
        ret->domain = rest;
}

void route_of_key(const struct conf *c, str key, struct route *ret)
{
    str word = {"", 0};
    str_cut(&key, ' ', &word);
    *ret = (struct route){.way = WAY_LOST, .tls = (enum tls_level)c->send_tls};
    if (str_eq(word, S("discard"))) {
        ret->way = WAY_DISCARD;
    } else if (str_eq(word, S("reports"))) {
        ret->way = WAY_REPORTS;
    } else if (str_eq(word, S("mx")) || str_eq(word, S("lax"))) {
        ret->way = WAY_MX;
        ret->lax = str_eq(word, S("lax"));
        ret->domain = key;
    } else if (str_eq(word, S("route"))) {
        of_section(c, key, ret);
    } else if (key.p) {
        const struct conf_domain *d = directory_domain(c, key);
        enum way want = str_eq(word, S("maildir")) ? WAY_MAILDIR : str_eq(word, S("backup")) ? WAY_BACKUP : WAY_FIXED;
        if (!d)
            return;
        by_domain(c, d, ret);
        ret->domain = d->title;
        if (ret->way != want)
            ret->way = WAY_LOST;
    }
}

bool route_is_final(const struct route *r)
{
    return r->way == WAY_MAILDIR || r->way == WAY_DISCARD || r->way == WAY_REPORTS ||
           (r->way == WAY_FIXED && r->local && r->local->hop.url.scheme == URL_LMTP);
}

/* ---- limits -------------------------------------------------------------------------------------------- */

static uint32_t or_else(int64_t a, int64_t b) { return (uint32_t)(a ? a : b); }

void route_limits(const struct conf *c, const struct route *r, struct site_limits *ret)
{
    const struct conf_route *v = r->via;
    *ret = (struct site_limits){
        .connections = r->way == WAY_REPORTS ? 2 : or_else(v ? v->connections : 0, c->queue_connections),
        .messages_per_connection = or_else(v ? v->messages_per_connection : 0, c->queue_messages_per_connection),
        .recipients = r->way == WAY_MAILDIR || r->way == WAY_REPORTS ? 1 : (uint32_t)c->queue_recipients_per_message,
        .rate = or_else(v ? v->rate : 0, c->queue_rate),
    };
}

void send_site(void *arg, bool lax, str way, str sender, str address, struct buf *ret_key,
               struct site_limits *ret_limits)
{
    (void)arg;
    struct conf *c = send_world.conf();
    SCRATCH char mem[ROUTE_DOMAIN_MAX];
    struct route r;
    route_find(c, lax, way, sender, address, mem, &r);
    route_key(ret_key, &r);
    route_limits(c, &r, ret_limits);
    conf_drop(&c);
}
