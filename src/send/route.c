/*
 * Routing: from sender and recipient to the way that the mail takes, and to the key of its site. Pure:
 * only the configuration is asked, DNS comes when a connection is wanted.
 */
#include "send/internal.h"

static str domain_of(str address)
{
    size_t at = str_rfind(address, '@');
    return at == STR_NONE ? (str){"", 0} : str_skip(address, at + 1);
}

static bool via_is(const struct conf_route *v, const char *word)
{
    return v->via.n && str_eq(v->via.v[0], str_c(word));
}

static void by_section(const struct conf_route *v, struct route *r)
{
    r->via = v;
    r->tls = (enum tls_level)v->tls;
    r->way = via_is(v, "discard") ? WAY_DISCARD : via_is(v, "mx") ? WAY_MX : WAY_FIXED;
}

static void by_domain(const struct conf *c, const struct conf_domain *d, struct route *r)
{
    r->local = d;
    r->tls = (enum tls_level)d->tls;
    r->way = str_eq(d->deliver, S("maildir"))   ? WAY_MAILDIR
             : str_eq(d->deliver, S("discard")) ? WAY_DISCARD
             : str_eq(d->deliver, S("mx"))      ? WAY_BACKUP
                                                : WAY_FIXED;
    if (r->way == WAY_BACKUP)
        r->tls = (enum tls_level)c->send_tls;
}

void route_find(const struct conf *c, str sender, str address, struct route *ret)
{
    str domain = domain_of(address);
    const struct conf_domain *d = conf_domain(c, domain);
    const struct conf_route *v = d ? NULL : conf_route(c, domain, sender);
    *ret = (struct route){.way = WAY_MX, .domain = domain, .tls = (enum tls_level)c->send_tls};
    if (d)
        by_domain(c, d, ret);
    else if (v)
        by_section(v, ret);
}

void route_key(struct buf *out, const struct route *r)
{
    bool by_name = r->way == WAY_MX;
    if (r->way == WAY_DISCARD) {
        buf_add(out, S("discard"));
        return;
    }
    if (r->local) {
        buf_add(out, r->way == WAY_MAILDIR ? S("maildir ") : r->way == WAY_BACKUP ? S("backup ") : S("domain "));
        buf_add(out, r->local->title);
        return;
    }
    if (r->via) {
        buf_add(out, S("route "));
        buf_add(out, r->via->title);
        buf_add(out, by_name ? S(" ") : S(""));
    }
    if (by_name) {
        buf_add(out, S("mx "));
        for (size_t i = 0; i < r->domain.n; i++)
            buf_add_char(out, ascii_lower(r->domain.p[i]));
    }
}

static const struct conf_route *section(const struct conf *c, str title)
{
    for (size_t i = 0; i < c->nroutes; i++)
        if (str_eq(c->routes[i].title, title))
            return &c->routes[i];
    return NULL;
}

void route_of_key(const struct conf *c, str key, struct route *ret)
{
    str word = {"", 0}, title = {"", 0};
    str_cut(&key, ' ', &word);
    *ret = (struct route){.way = WAY_LOST, .tls = (enum tls_level)c->send_tls};
    if (str_eq(word, S("discard"))) {
        ret->way = WAY_DISCARD;
    } else if (str_eq(word, S("mx"))) {
        ret->way = WAY_MX;
        ret->domain = key;
    } else if (str_eq(word, S("route")) && str_cut(&key, ' ', &title)) {
        const struct conf_route *v = section(c, title);
        if (!v)
            return;
        by_section(v, ret);
        if (str_starts(key, S("mx ")))
            ret->domain = str_skip(key, 3);
    } else if (key.p) {
        const struct conf_domain *d = conf_domain(c, key);
        if (!d)
            return;
        by_domain(c, d, ret);
        ret->domain = d->title;
    }
}

static uint32_t or_else(int64_t a, int64_t b) { return (uint32_t)(a ? a : b); }

void route_limits(const struct conf *c, const struct route *r, struct site_limits *ret)
{
    const struct conf_route *v = r->via;
    *ret = (struct site_limits){
        .connections = or_else(v ? v->connections : 0, c->queue_connections),
        .messages_per_connection = or_else(v ? v->messages_per_connection : 0, c->queue_messages_per_connection),
        .recipients = r->way == WAY_MAILDIR ? 1 : (uint32_t)c->queue_recipients_per_message,
        .rate = or_else(v ? v->rate : 0, c->queue_rate),
    };
}

void send_site(void *arg, str sender, str address, struct buf *ret_key, struct site_limits *ret_limits)
{
    (void)arg;
    struct conf *c = send_world.conf();
    struct route r;
    route_find(c, sender, address, &r);
    route_key(ret_key, &r);
    route_limits(c, &r, ret_limits);
    conf_drop(&c);
}
