/*
 * The hosts of a way and their addresses: fixed ones of the configuration, or MX records (RFC 5321 5.1) with
 * equals in random order, null MX (RFC 7505), addresses of both families. Targets that are ourselves end a
 * loop; private ones found by DNS are refused unless the configuration allows them.
 */
#include "base/text.h"
#include "send/internal.h"

#include <sys/un.h>

/* ---- what may be tried ---------------------------------------------------------------------------------- */

static bool own_listener(const struct conf *c, const struct ip_port *a)
{
    for (size_t i = 0; i < c->nlisteners; i++) {
        struct ip_port l;
        if (!ip_from_sockaddr((const struct sockaddr *)&c->listeners[i].address, sizeof(struct sockaddr_storage), &l) ||
            l.port != a->port)
            continue;
        bool any = ip_class(&l.ip) == IP_UNSPECIFIED;
        if (ip_eq(&l.ip, &a->ip) || (any && ip_class(&a->ip) == IP_LOOPBACK))
            return true;
    }
    return false;
}

static bool family_allowed(const struct conf *c, const struct ip *ip)
{
    return c->send_ipv == 0 || (c->send_ipv == 1 ? ip->v == 4 : ip->v == 6);
}

/* Adds one address; the error says why it may not be tried. */
static err add_hop(const struct conf *c, struct hops *h, const struct ip_port *a, str host, bool found_by_mx)
{
    enum ip_class class = ip_class(&a->ip);
    if (own_listener(c, a))
        return E_LOOP;
    if (found_by_mx && !c->private_targets_now && class != IP_GLOBAL && class != IP_RESERVED)
        return E_PRIVATE;
    if (class == IP_MULTICAST || (class == IP_UNSPECIFIED && found_by_mx))
        return E_PRIVATE;
    if (!family_allowed(c, &a->ip) || h->n == HOPS_MAX)
        return OK;
    struct hop *hop = &h->v[h->n++];
    *hop = (struct hop){.host = arena_str(&h->arena, host)};
    ip_to_sockaddr(a, &hop->to);
    return hop->host.p ? OK : E_NOMEM;
}

static void shuffle(struct dns_record *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = rt_random_below(i);
        struct dns_record t = v[i - 1];
        v[i - 1] = v[k];
        v[k] = t;
    }
}

/* All addresses of a host: IPv6 and IPv4 in turns, IPv6 first. Temporary errors count only when nothing was found. */
static err add_host(const struct conf *c, struct hops *h, str name, uint16_t port, bool found_by_mx)
{
    struct dns_answer v[2] = {0};
    err e[2] = {E_DNS_NODATA, E_DNS_NODATA};
    size_t before = h->n;
    if (c->send_ipv != 1)
        e[0] = dns_lookup(name, DNS_AAAA, &h->arena, &v[0]);
    if (c->send_ipv != 2)
        e[1] = dns_lookup(name, DNS_A, &h->arena, &v[1]);
    err refused = OK;
    for (int f = 0; f < 2; f++)
        shuffle(v[f].v, e[f] ? 0 : v[f].n);
    for (size_t i = 0; i < 100; i++)
        for (int f = 0; f < 2; f++) {
            if (e[f] || i >= v[f].n)
                continue;
            struct ip_port a = {.ip.v = f ? 4 : 6, .port = port};
            memcpy(a.ip.b, v[f].v[i].data.p, f ? 4 : 16);
            err r = add_hop(c, h, &a, name, found_by_mx);
            refused = r ? r : refused;
        }
    if (h->n > before)
        return OK;
    if (refused)
        return refused;
    for (int f = 0; f < 2; f++)
        if (e[f] != OK && e[f] != E_DNS_NODATA && e[f] != E_DNS_NONE)
            return e[f];
    return e[0] == E_DNS_NONE || e[1] == E_DNS_NONE ? E_DNS_NONE : E_DNS_NODATA;
}

/* ---- fixed hosts -------------------------------------------------------------------------------------------- */

static err add_url(const struct conf *c, struct hops *h, str text)
{
    struct url u;
    const char *why;
    if (!url_parse(text, &u, &why))
        return E_SYNTAX;
    size_t before = h->n;
    struct ip_port a = {.port = u.port};
    err e;
    if (u.path.n) {
        if (h->n == HOPS_MAX)
            return OK;
        struct hop *hop = &h->v[h->n];
        struct sockaddr_un *un = (struct sockaddr_un *)&hop->to;
        *hop = (struct hop){.host = u.path};
        un->sun_family = AF_UNIX;
        if (!str_to_c(u.path, un->sun_path, sizeof un->sun_path))
            return E_LIMIT;
        h->n++;
        e = OK;
    } else if (ip_parse(u.host, &a.ip)) {
        e = add_hop(c, h, &a, u.host, false);
    } else {
        e = add_host(c, h, u.host, u.port, false);
    }
    for (size_t i = before; i < h->n; i++) {
        h->v[i].lmtp = u.scheme == URL_LMTP;
        h->v[i].tls = u.scheme == URL_SMTPS;
    }
    /* A name that an administrator wrote and DNS does not know is a mistake to be mended, not a reason to bounce. */
    return e == E_DNS_NONE || e == E_DNS_NODATA ? E_DNS_TEMP : e;
}

static err fixed_hosts(const struct conf *c, const struct route *r, struct hops *h)
{
    struct conf_list one = {r->local ? (str *)&r->local->deliver : NULL, 1};
    const struct conf_list *l = r->via ? &r->via->via : &one;
    err last = E_NOT_FOUND;
    for (size_t i = 0; i < l->n; i++) {
        err e = add_url(c, h, l->v[i]);
        last = e ? e : last;
    }
    return h->n ? OK : last;
}

/* ---- MX ------------------------------------------------------------------------------------------------------ */

static void sort_mx(struct dns_record *v, size_t n)
{
    shuffle(v, n);
    for (size_t i = 1; i < n; i++) { /* stable, at most 100 records */
        struct dns_record t = v[i];
        size_t k = i;
        for (; k && v[k - 1].preference > t.preference; k--)
            v[k] = v[k - 1];
        v[k] = t;
    }
}

/* RFC 5321 5.1: hosts of our own preference and worse are not tried. */
static size_t before_ourselves(const struct conf *c, const struct dns_record *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq(v[i].data, c->hostname)) {
            while (i && v[i - 1].preference == v[i].preference)
                i--;
            return i;
        }
    return n;
}

static err mx_hosts(const struct conf *c, const struct route *r, struct hops *h, const struct dns_answer *mx)
{
    if (mx->n == 1 && mx->v[0].data.n == 0)
        return E_NULL_MX;
    sort_mx(mx->v, mx->n);
    size_t n = before_ourselves(c, mx->v, mx->n);
    if (n == 0)
        return E_LOOP;
    err last = E_DNS_NODATA, temp = OK;
    for (size_t i = 0; i < n && h->n < HOPS_MAX; i++) {
        err e = mx->v[i].data.n ? add_host(c, h, mx->v[i].data, (uint16_t)c->send_mx_port, true) : E_DNS_NODATA;
        last = e ? e : last;
        if (e && !err_is_perm(e))
            temp = e;
        if (e == E_LOOP && r->way == WAY_BACKUP)
            break;
    }
    return h->n ? OK : temp ? temp : last;
}

static err literal_host(const struct conf *c, struct hops *h, str domain)
{
    str inner = str_sub(domain, 1, domain.n - 1);
    struct ip_port a = {.port = (uint16_t)c->send_mx_port};
    if (str_istarts(inner, S("IPv6:")))
        inner = str_skip(inner, 5);
    return ip_parse(inner, &a.ip) ? add_hop(c, h, &a, domain, true) : E_SYNTAX;
}

static err by_mx(const struct conf *c, const struct route *r, struct hops *h)
{
    struct dns_answer mx = {0};
    if (r->domain.n > 2 && r->domain.p[0] == '[')
        return literal_host(c, h, r->domain);
    err e = dns_lookup(r->domain, DNS_MX, &h->arena, &mx);
    if (e == OK)
        return mx_hosts(c, r, h, &mx);
    if (e == E_DNS_NODATA && r->way == WAY_MX)
        return add_host(c, h, r->domain, (uint16_t)c->send_mx_port, true); /* the implicit MX */
    return e;
}

err hops_find(const struct conf *c, const struct route *r, struct hops *h)
{
    *h = (struct hops){0};
    arena_init(&h->arena, 2048, 256 * 1024);
    err e = r->way == WAY_FIXED ? fixed_hosts(c, r, h) : by_mx(c, r, h);
    if (e == OK && h->n == 0)
        e = E_UNREACHABLE;
    if (e)
        h->why = arena_printf(&h->arena, "%s%s" STR_FMT, err_text(e), r->domain.n ? ": " : "", STR_ARG(r->domain));
    return e;
}

void hops_free(struct hops *h) { arena_free(&h->arena); }
