/* Rules about networks and listeners: no open relay by accident, no two listeners at one address. */
#include "conf/internal.h"

#include <stdlib.h>

/* ---- open relays ---- */

static bool wide(const struct ip_net *n) { return n->bits < (n->ip.v == 4 ? 8 : 32); }

static int by_place(const void *a, const void *b)
{
    const struct ip_net *x = a, *y = b;
    int c = (x->ip.v > y->ip.v) - (x->ip.v < y->ip.v);
    c = c ? c : memcmp(x->ip.b, y->ip.b, sizeof x->ip.b);
    return c ? c : (x->bits > y->bits) - (x->bits < y->bits);
}

/* How many networks of the widest allowed size (in units of 1/65536) the public ones of a list make together;
 * those that lie in others count once. */
static uint64_t together(struct load *l, const struct conf_nets *nets)
{
    uint64_t sum = 0;
    struct ip_net *v = arena_array(&l->tmp, nets->n, sizeof *v), *last = NULL;
    if (!v || nets->n == 0)
        return 0;
    memcpy(v, nets->v, nets->n * sizeof *v);
    qsort(v, nets->n, sizeof *v, by_place); /* a network comes right before those that lie in it */
    for (struct ip_net *n = v; n < v + nets->n; n++) {
        enum ip_class class = ip_class(&n->ip);
        int shift = n->bits - (n->ip.v == 4 ? 8 : 32);
        bool ours = class == IP_LOOPBACK || class == IP_PRIVATE || class == IP_LINK_LOCAL;
        if (ours || (last && last->ip.v == n->ip.v && ip_net_has(last, &n->ip)))
            continue;
        last = n;
        if (shift >= 0 && shift <= 16)
            sum += 65536u >> shift;
    }
    return sum;
}

static const char *net_shown(struct errs *e, const struct ip_net *n)
{
    char mem[IP_TEXT_MAX + 8];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    ip_print(&b, &n->ip);
    buf_printf(&b, "/%u", n->bits);
    return shown(e, buf_str(&b));
}

static void check_width(struct load *l, int line, const char *key, const struct conf_nets *nets, const char *why)
{
    for (size_t i = 0; i < nets->n; i++)
        if (wide(&nets->v[i]))
            fail(&l->e, line, "%s: expected networks of at most /8 (IPv6: /32), found %s: %s", key,
                 net_shown(&l->e, &nets->v[i]), why);
}

/* Whoever may say which client it speaks for, by PROXY or XCLIENT, may say that it is one of relay-from. */
static void check_claims(struct load *l, int line, const char *where, const struct conf_nets *proxy,
                         const struct conf_nets *xclient)
{
    char key[64] = "";
    struct buf b;
    buf_init_fixed(&b, key, sizeof key - 1);
    buf_printf(&b, "%sxclient-from", where);
    check_width(l, line, key, xclient, "its clients could log in as anybody; set open-relay = true if that is meant");
    memset(key, 0, sizeof key);
    buf_init_fixed(&b, key, sizeof key - 1);
    buf_printf(&b, "%sproxy-protocol-from", where);
    if (l->c->relay_from.n)
        check_width(l, line, key, proxy,
                    "its clients could claim an address of relay-from; set open-relay = true if that is meant");
    else
        for (size_t i = 0; i < proxy->n; i++)
            if (wide(&proxy->v[i]))
                warn(&l->e, line, "%s: %s is wide: any of its clients can claim any address", key,
                     net_shown(&l->e, &proxy->v[i]));
}

void check_relay(struct load *l)
{
    struct conf *c = l->c;
    for (size_t i = 0; i < c->limit_exempt.n; i++)
        if (c->limit_exempt.v[i].bits == 0)
            warn(&l->e, LINE(l, limit_exempt), "limit-exempt: %s lifts the limits for everybody",
                 net_shown(&l->e, &c->limit_exempt.v[i]));
    if (c->open_relay) {
        warn(&l->e, LINE(l, open_relay), "open-relay is true: networks of any width may relay");
        return;
    }
    check_width(l, LINE(l, relay_from), "relay-from", &c->relay_from,
                "an open relay; set open-relay = true if that is meant");
    if (together(l, &c->relay_from) > 65536)
        fail(&l->e, LINE(l, relay_from),
             "relay-from: expected public networks of at most one /8 (IPv6: /32) together, found more: an open relay; "
             "set "
             "open-relay = true if that is meant");
    check_claims(l, LINE(l, proxy_protocol_from) + LINE(l, xclient_from), "", &c->proxy_protocol_from,
                 &c->xclient_from);
    for (size_t i = 0; i < c->nlisteners; i++) {
        const struct conf_listener *x = &c->listeners[i];
        char where[64] = "";
        struct buf b;
        buf_init_fixed(&b, where, sizeof where - 1);
        buf_printf(&b, "listener " STR_FMT ": ", STR_ARG(str_sub(x->title, 0, 32)));
        check_claims(l, x->line, where, &x->proxy_protocol_from, &x->xclient_from);
    }
}

/* ---- listeners ---- */

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    struct ip_port x, y;
    return ip_from_sockaddr((const struct sockaddr *)a, sizeof *a, &x) &&
           ip_from_sockaddr((const struct sockaddr *)b, sizeof *b, &y) && x.port == y.port && ip_eq(&x.ip, &y.ip);
}

/* One of them takes the port on all addresses: the other cannot have it. */
static bool overlap(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    struct ip_port x, y;
    static const struct ip all4 = {.v = 4}, all6 = {.v = 6};
    if (!ip_from_sockaddr((const struct sockaddr *)a, sizeof *a, &x) ||
        !ip_from_sockaddr((const struct sockaddr *)b, sizeof *b, &y) || x.port != y.port || x.ip.v != y.ip.v)
        return false;
    const struct ip *all = x.ip.v == 4 ? &all4 : &all6;
    return ip_eq(&x.ip, all) || ip_eq(&y.ip, all);
}

/* True when a connection to host:port would come to this listener. */
static bool reaches(const struct conf_listener *x, const struct ip *ip, uint16_t port)
{
    struct ip_port at;
    return ip_from_sockaddr((const struct sockaddr *)&x->address, sizeof x->address, &at) && at.port == port &&
           (ip_eq(&at.ip, ip) || (ip_class(&at.ip) == IP_UNSPECIFIED && ip_class(ip) == IP_LOOPBACK));
}

const struct conf_listener *own_listener(const struct conf *c, const struct url *u)
{
    struct ip ip;
    for (size_t i = 0; i < c->nlisteners && u->path.n == 0 && ip_parse(u->host, &ip); i++)
        if (reaches(&c->listeners[i], &ip, u->port))
            return &c->listeners[i];
    return NULL;
}

bool check_hop(struct load *l, int line, const char *where, str text, unsigned words, bool lmtp, struct conf_hop *ret)
{
    static const str word[] = {
        [CONF_TO_MAILDIR] = S_INIT("maildir"), [CONF_TO_DISCARD] = S_INIT("discard"), [CONF_TO_MX] = S_INIT("mx")};
    const char *why = "";
    const char *forms =
        lmtp ? "\"maildir\", \"discard\", \"mx\", \"lmtp://host:port\", \"lmtp:///path\" or \"smtp://host:port\""
             : "\"smtp://host:port\", \"smtps://host:port\", \"mx\" or \"discard\"";
    for (unsigned i = 0; i < sizeof word / sizeof *word; i++)
        if (words & 1u << i && str_eq(text, word[i])) {
            *ret = (struct conf_hop){.how = (enum conf_how)i};
            return true;
        }
    struct conf_hop hop = {.how = CONF_TO_SERVER};
    bool url = str_search(text, S("://")) != STR_NONE;
    if (!url_parse(text, &hop.url, &why) || (hop.url.scheme == URL_LMTP && !lmtp)) {
        fail(&l->e, line, "%s: expected %s, found %s%s%s", where, forms, shown(&l->e, text), url && *why ? ": " : "",
             url ? why : ""); /* without "://" the forms say it all */
        return false;
    }
    const struct conf_listener *x = own_listener(l->c, &hop.url);
    if (x)
        fail(&l->e, line, "%s: expected another server, found %s, which is our listener " STR_FMT, where,
             shown(&l->e, text), STR_ARG(x->title));
    *ret = hop;
    return true;
}

static void check_listener(struct load *l, struct conf_listener *x)
{
    char where[64] = "", key[80] = "";
    struct buf b;
    buf_init_fixed(&b, where, sizeof where - 1);
    buf_printf(&b, "listener " STR_FMT ": ", STR_ARG(str_sub(x->title, 0, 32)));
    buf_init_fixed(&b, key, sizeof key - 1);
    buf_printf(&b, "%shostname", where);
    check_name(l, x->line, key, false, l->c->hostname, &x->hostname);
    if (x->submission && x->protocol != CONF_SMTP)
        fail(&l->e, x->line, "%sexpected protocol \"smtp\" with submission, found \"%s\"", where,
             x->protocol == CONF_LMTP ? "lmtp" : "https");
    if (x->protocol == CONF_HTTPS && (x->proxy.n || x->devices.n || x->tls == CONF_TLS_OFF))
        fail(&l->e, x->line, "%sexpected protocol \"https\" without proxy, devices and tls = \"none\"", where);
    if (x->submission && x->tls == CONF_TLS_OFF)
        warn(&l->e, x->line, "%ssubmission without TLS: nobody can log in, because passwords are not taken in clear",
             where);
    if (x->tls == CONF_TLS_OFF && x->certificate.n)
        warn(&l->e, x->line, "%scertificate has no meaning with tls = \"none\"", where);
}

void check_listeners(struct load *l)
{
    struct conf *c = l->c;
    for (size_t i = 0; i < c->nlisteners; i++) {
        struct conf_listener *x = &c->listeners[i];
        check_listener(l, x);
        for (size_t j = 0; j < i; j++) {
            const struct conf_listener *y = &c->listeners[j];
            if (str_ieq(x->title, y->title))
                fail(&l->e, x->line, "listener %s is given twice (first in line %d)", shown(&l->e, x->title), y->line);
            if (same_address(&x->address, &y->address))
                fail(&l->e, x->line,
                     "listener " STR_FMT ": expected an address of its own, found that of listener " STR_FMT
                     " in line %d",
                     STR_ARG(str_sub(x->title, 0, 32)), STR_ARG(str_sub(y->title, 0, 32)), y->line);
            else if (overlap(&x->address, &y->address))
                fail(&l->e, x->line,
                     "listener " STR_FMT ": expected an address of its own, found one beside that of listener " STR_FMT
                     " in line %d: one of the two takes this port on all addresses",
                     STR_ARG(str_sub(x->title, 0, 32)), STR_ARG(str_sub(y->title, 0, 32)), y->line);
        }
        if (same_address(&x->address, &c->metrics_address))
            fail(&l->e, LINE(l, metrics_address),
                 "metrics.address: expected an address of its own, found that of listener " STR_FMT,
                 STR_ARG(str_sub(x->title, 0, 32)));
    }
    bool sends_only = c->nroutes && !c->ndomains; /* what sendmail brings goes out */
    if (c->nlisteners == 0 && !sends_only)
        warn(&l->e, 0, "no listener: nothing is taken from the network");
}
