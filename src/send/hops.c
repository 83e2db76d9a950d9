/*
 * The hosts of a way and their addresses: fixed ones of the configuration, or MX records (RFC 5321 5.1) with
 * equals in random order, null MX (RFC 7505), addresses of both families. Targets that are ourselves end a
 * loop; private ones found by DNS are refused unless the configuration allows them.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "send/internal.h"

#include <sys/un.h>

#define NOT_NAMED "the policy does not name this server"
#define PER_HOST 8 /* addresses of one host, so that the next host gets its turn */

struct search {
    const struct conf *c;
    const struct route *r;
    struct hops *h;
    uint16_t preference; /* of the host whose addresses are added */
    bool by_mx;          /* DNS named it, not the configuration */
    bool secure;         /* and that answer was validated */
    const struct dane *dane;
    struct dns_call *sts; /* the question of its policy; NULL: none holds here */
    bool sts_asked;
};

/* ---- what may be tried ---------------------------------------------------------------------------------- */

static bool own_listener(const struct conf *c, const struct ip_port *a)
{
    for (size_t i = 0; i < c->nlisteners; i++) {
        struct ip_port l;
        if (!ip_from_sockaddr((const struct sockaddr *)&c->listeners[i].address, sizeof(struct sockaddr_storage), &l) ||
            l.port != a->port || l.ip.v != a->ip.v)
            continue;
        bool any = ip_class(&l.ip) == IP_UNSPECIFIED;
        if (ip_eq(&l.ip, &a->ip) || (any && ip_class(&a->ip) == IP_LOOPBACK))
            return true;
    }
    return false;
}

bool hop_is_own(const struct conf *c, const struct sockaddr_storage *from, const struct sockaddr_storage *to)
{
    struct ip_port f, t, any;
    if (!ip_from_sockaddr((const struct sockaddr *)from, sizeof *from, &f) ||
        !ip_from_sockaddr((const struct sockaddr *)to, sizeof *to, &t) || !ip_eq(&f.ip, &t.ip))
        return false;
    for (size_t i = 0; i < c->nlisteners; i++)
        if (ip_from_sockaddr((const struct sockaddr *)&c->listeners[i].address, sizeof(struct sockaddr_storage),
                             &any) &&
            any.port == t.port && any.ip.v == t.ip.v && ip_class(&any.ip) == IP_UNSPECIFIED)
            return true;
    return false;
}

static bool family_allowed(const struct conf *c, const struct ip *ip)
{
    return c->send_ipv == CONF_IPV_BOTH || (c->send_ipv == CONF_IPV_4 ? ip->v == 4 : ip->v == 6);
}

static struct hop *new_hop(struct hops *h, str host)
{
    str kept = arena_str(&h->arena, host);
    if (!kept.p)
        return NULL;
    struct hop *hop = &h->v[h->n++];
    *hop = (struct hop){.host = kept};
    return hop;
}

/* Adds one address; the error says why it may not be tried. */
static err add_address(const struct search *s, const struct ip_port *a, str host)
{
    enum ip_class class = ip_class(&a->ip);
    bool near = class != IP_GLOBAL && class != IP_RESERVED;
    if (own_listener(s->c, a))
        return E_LOOP;
    if (class == IP_MULTICAST || (s->by_mx && (class == IP_UNSPECIFIED || (near && !s->c->private_targets_now))))
        return E_PRIVATE;
    if (!family_allowed(s->c, &a->ip) || s->h->n == HOPS_MAX)
        return OK;
    struct hop *hop = new_hop(s->h, host);
    if (!hop)
        return E_NOMEM;
    hop->preference = s->preference;
    hop->found = s->by_mx;
    hop->dane = s->dane;
    ip_to_sockaddr(a, &hop->to);
    return OK;
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

/* IPv6 and IPv4 in turns, IPv6 first. *ret_refused: why one of them may not be tried. */
static void add_addresses(const struct search *s, struct dns_answer v[2], str name, uint16_t port, err *ret_refused)
{
    size_t first = s->h->n;
    for (size_t i = 0; (i < v[0].n || i < v[1].n) && s->h->n < first + PER_HOST; i++)
        for (int f = 0; f < 2; f++) {
            if (i >= v[f].n)
                continue;
            struct ip_port a = {.ip = ip_from_octets(v[f].v[i].data.p, v[f].v[i].data.n), .port = port};
            err e = a.ip.v ? add_address(s, &a, name) : OK;
            if (e && *ret_refused != E_LOOP)
                *ret_refused = e;
        }
}

/* AAAA and A, those that are in use, in random order. */
static void ask_addresses(const struct search *s, str name, struct dns_answer v[2], err e[2]) YIELDS;
static void ask_addresses(const struct search *s, str name, struct dns_answer v[2], err e[2])
{
    static const enum dns_type types[] = {DNS_AAAA, DNS_A};
    struct dns_call c[2];
    size_t n = 0;
    for (int f = 0; f < 2; f++)
        if (s->c->send_ipv != (f ? CONF_IPV_6 : CONF_IPV_4))
            c[n++] = (struct dns_call){.q = {name, types[f], RT_NEVER, false}, .a = &s->h->arena};
    dns_ask_all(c, n);
    for (size_t i = 0; i < n; i++) {
        int f = c[i].q.type == DNS_A;
        e[f] = c[i].e;
        if (c[i].e)
            continue;
        v[f] = c[i].answer;
        shuffle(v[f].v, v[f].n);
    }
}

/* All addresses of a host. Temporary errors count only when nothing was found; E_LOOP always does for DNS's. */
static err add_host(struct search *s, str name, uint16_t port) YIELDS;
static err add_host(struct search *s, str name, uint16_t port)
{
    struct dns_answer v[2] = {0};
    err e[2] = {E_DNS_NODATA, E_DNS_NODATA}, refused = OK;
    size_t before = s->h->n;
    ask_addresses(s, name, v, e);
    s->dane = NULL;
    if (s->secure && !s->r->lax && (v[0].n || v[1].n)) {
        struct dane *d;
        err dane = dane_find(s->c, &s->h->arena, name, v[1].n ? &v[1] : &v[0], port, &d);
        if (dane == E_DNS_BOGUS)
            seen_host(s->c, s->r, s->h, SEND_POLICY_TLSA, name, "dnssec-invalid", err_text(dane));
        if (dane)
            return dane;
        s->dane = d;
    }
    add_addresses(s, v, name, port, &refused);
    if (refused == E_LOOP && s->by_mx)
        return E_LOOP;
    if (s->h->n > before)
        return OK;
    if (refused)
        return refused;
    for (int f = 0; f < 2; f++)
        if (e[f] != OK && !err_is_perm(e[f]))
            return e[f];
    return e[0] == E_DNS_NONE || e[1] == E_DNS_NONE ? E_DNS_NONE : e[1] ? e[1] : E_DNS_NODATA;
}

/* ---- fixed hosts -------------------------------------------------------------------------------------------- */

static err add_socket(const struct search *s, str path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (!str_to_c(path, un.sun_path, sizeof un.sun_path))
        return E_LIMIT;
    struct hop *hop = new_hop(s->h, path);
    if (!hop)
        return E_NOMEM;
    memcpy(&hop->to, &un, sizeof un);
    return OK;
}

static err add_server(struct search *s, const struct url *u)
{
    size_t before = s->h->n;
    struct ip_port a = {.port = u->port};
    if (before == HOPS_MAX)
        return OK;
    err e = u->path.n                  ? add_socket(s, u->path)
            : ip_parse(u->host, &a.ip) ? add_address(s, &a, u->host)
                                       : add_host(s, u->host, u->port);
    for (size_t i = before; i < s->h->n; i++) {
        s->h->v[i].lmtp = u->scheme == URL_LMTP;
        s->h->v[i].tls = u->scheme == URL_SMTPS;
    }
    return e;
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

static bool own_name(const struct conf *c, str name)
{
    bool own = str_ieq(name, c->hostname) || (c->send_helo.n && str_ieq(name, c->send_helo));
    for (size_t i = 0; i < c->nlisteners && !own; i++)
        own = c->listeners[i].hostname.n && str_ieq(name, c->listeners[i].hostname);
    return own;
}

/* RFC 5321 5.1: hosts of our own preference and worse are not tried. */
static size_t before_ourselves(const struct conf *c, const struct dns_record *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (own_name(c, v[i].data)) {
            while (i && v[i - 1].preference == v[i].preference)
                i--;
            return i;
        }
    return n;
}

static err mx_hosts(struct search *s, const struct dns_answer *mx, size_t before)
{
    if (mx->n == 1 && mx->v[0].data.n == 0)
        return E_NULL_MX;
    sort_mx(mx->v, mx->n);
    size_t n = before_ourselves(s->c, mx->v, mx->n);
    err last = n ? E_DNS_NODATA : E_LOOP, temp = OK;
    for (size_t i = 0; i < n && s->h->n < HOPS_MAX; i++) {
        s->preference = mx->v[i].preference;
        err e = mx->v[i].data.n ? add_host(s, mx->v[i].data, (uint16_t)s->c->send_mx_port) : E_DNS_NODATA;
        last = e ? e : last;
        if (e && !err_is_perm(e))
            temp = e;
        if (e == E_LOOP) { /* our own address under another name */
            while (s->h->n > before && s->h->v[s->h->n - 1].preference >= s->preference)
                s->h->n--;
            break;
        }
    }
    if (s->h->n > before)
        return OK;
    return temp ? temp : last == E_DNS_NONE ? E_DNS_NODATA : last;
}

static err literal_host(const struct search *s, str domain)
{
    str inner = str_sub(domain, 1, domain.n - 1);
    struct ip_port a = {.port = (uint16_t)s->c->send_mx_port};
    if (str_istarts(inner, S("IPv6:")))
        inner = str_skip(inner, 5);
    return ip_parse(inner, &a.ip) ? add_address(s, &a, domain) : E_SYNTAX;
}

/* The MX records, and with the same way what says that there is a policy. */
static err ask_mx(struct search *s, str domain, struct dns_answer *ret) YIELDS;
static err ask_mx(struct search *s, str domain, struct dns_answer *ret)
{
    struct dns_call c[2] = {{.q = {domain, DNS_MX, RT_NEVER, false}, .a = &s->h->arena}};
    size_t n = 1;
    if (s->sts && !s->sts_asked)
        c[n++] = *s->sts;
    dns_ask_all(c, n);
    if (n > 1) {
        *s->sts = c[1];
        s->sts_asked = true;
    }
    if (c[0].e == OK)
        *ret = c[0].answer;
    return c[0].e;
}

static err add_mx(struct search *s)
{
    str domain = s->r->domain;
    struct dns_answer mx = {0};
    s->by_mx = true;
    s->preference = 0;
    if (domain.n > 2 && domain.p[0] == '[')
        return literal_host(s, domain);
    size_t before = s->h->n;
    err e = ask_mx(s, domain, &mx);
    s->secure = mx.secure || e == E_DNS_NODATA; /* without MX it is the domain's own addresses that must be signed */
    if (e == OK)
        return mx_hosts(s, &mx, before);
    return e == E_DNS_NODATA ? add_host(s, domain, (uint16_t)s->c->send_mx_port) : e; /* the implicit MX */
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

/* The first error is told, unless something was found. */
static err add_all(struct search *s)
{
    const struct conf_route *v = s->r->via;
    err first = OK;
    if (s->r->local && s->r->way == WAY_FIXED)
        return add_server(s, &s->r->local->hop.url);
    if (!v)
        return add_mx(s);
    for (size_t i = 0; i < v->via.n; i++) {
        struct search one = *s;
        err e = v->hops[i].how == CONF_TO_SERVER ? add_server(&one, &v->hops[i].url)
                : v->hops[i].how == CONF_TO_MX   ? add_mx(&one)
                                                 : E_NOT_FOUND;
        first = first ? first : e;
        s->sts_asked = one.sts_asked;
        if (one.by_mx && err_is_perm(e) && s->h->n == 0) /* no server behind it would know better */
            break;
    }
    return s->h->n ? OK : first;
}

/* RFC 8461 says something about this way. */
static bool policy_matters(const struct search *s)
{
    enum tls_level l = s->r->tls;
    return s->r->way == WAY_MX && !s->r->lax && l != LEVEL_NONE && l != LEVEL_VERIFY && s->c->send_mta_sts &&
           !str_starts(s->r->domain, S("["));
}

/* RFC 8461 4.1, 5: servers that an enforced policy does not name are none. Those with TLSA records answer to DANE. */
static err follow_policy(struct search *s) YIELDS;
static err follow_policy(struct search *s)
{
    struct hops *h = s->h;
    struct sts_policy *p;
    if (!s->sts)
        return OK;
    if (!s->sts_asked)
        dns_ask_all(s->sts, 1);
    err e = sts_find(s->c, &h->arena, s->r->domain, s->sts, &p, &h->policy_text);
    h->policy = e ? NULL : p;
    if (e || !p)
        return e;
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        bool ours = h->v[i].found && !h->v[i].dane, named = sts_match(p, h->v[i].host);
        h->v[i].unnamed = ours && !named;
        if (ours && !named && p->mode == STS_ENFORCE) {
            seen_host(s->c, s->r, h, SEND_POLICY_STS, h->v[i].host, "validation-failure", NOT_NAMED);
            continue;
        }
        h->v[i].sts = ours && p->mode == STS_ENFORCE;
        h->v[n++] = h->v[i];
    }
    h->n = n;
    return n ? OK : E_MTA_STS;
}

/* What a failure means, as a reply of our own. Only DNS says for good that mail can never go there; what an
 * administrator wrote is a mistake to be mended. */
static void explain(const struct search *s, err e)
{
    static const struct {
        err e;
        const char *code, *text;
    } table[] = {
        {E_DNS_NONE, "550 5.1.2", "the domain does not exist"},
        {E_DNS_NODATA, "550 5.4.4", "the domain has no mail server with an address"},
        {E_NULL_MX, "556 5.1.10", "the domain accepts no mail (null MX)"},
        {E_SYNTAX, "550 5.1.2", "this is not a domain name"},
        {E_LOOP, "554 5.4.6", "mail to this domain loops back to ourselves"},
        {E_PRIVATE, "550 5.4.4", "the domain's mail servers have no public address"},
        {E_UNREACHABLE, "451 4.4.1", "there is no address of a family that is in use"},
    };
    const struct route *r = s->r;
    struct buf b;
    str who = r->domain.n ? r->domain : r->via ? r->via->title : S("");
    s->h->forever = err_is_perm(e) && r->way == WAY_MX;
    buf_init_fixed(&b, s->h->why, sizeof s->h->why - 1);
    size_t i = 0, n = sizeof table / sizeof *table;
    while (i < n && table[i].e != e)
        i++;
    if (i < n && s->h->forever)
        buf_add_c(&b, table[i].code);
    else if (i < n)
        buf_printf(&b, "451 4%s", table[i].code + 5);
    else
        buf_printf(&b, "451 4.%s", err_esc(e));
    buf_printf(&b, " " STR_FMT ": %s", STR_ARG(who), i < n ? table[i].text : err_text(e));
    s->h->why[b.n] = 0;
}

err hops_find(const struct conf *c, const struct route *r, struct hops *h)
{
    *h = (struct hops){0};
    arena_init(&h->arena, 2048, 256 * 1024);
    struct search s = {.c = c, .r = r, .h = h};
    AUTO_ARENA mem = {0};
    struct dns_call sts = {.a = &mem};
    arena_init(&mem, 1024, 256 * 1024);
    if (policy_matters(&s)) {
        s.sts = &sts;
        s.sts_asked = sts_question(&sts, r->domain) != OK;
    }
    err e = add_all(&s);
    if (e == OK && h->n == 0)
        e = E_UNREACHABLE;
    if (e == OK)
        e = follow_policy(&s);
    if (e)
        explain(&s, e);
    return e;
}

void hops_free(struct hops *h) { arena_free(&h->arena); }
