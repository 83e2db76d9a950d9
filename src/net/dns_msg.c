/*
 * DNS messages (RFC 1035 4): the part that a mail server needs, from bytes to records. Every offset is
 * checked, compression only points backwards, a name with a dot, a blank or worse inside a
 * label never becomes text.
 */
#include "net/dns.h"

enum {
    WIRE_NAME_MAX = 255,
    CNAMES_MAX = 16,
    JUMPS_MAX = 128, /* compression pointers in one name */
    TTL_MAX = 86400,
    NEGATIVE_TTL_MAX = 900,
    SOA = 6,
};

struct name {
    uint8_t n;
    char b[WIRE_NAME_MAX]; /* as on the wire, without compression, in lower case */
};
struct rr {
    struct name owner;
    unsigned type, class;
    uint32_t ttl;
    size_t at, n; /* of its data in the message */
};

static unsigned u8_at(str m, size_t at) { return (uint8_t)m.p[at]; }
static unsigned u16_at(str m, size_t at) { return u8_at(m, at) << 8 | u8_at(m, at + 1); }
static uint32_t u32_at(str m, size_t at) { return (uint32_t)u16_at(m, at) << 16 | u16_at(m, at + 2); }

/* The name at *at, which moves behind it. */
static bool read_name(str m, size_t *at, struct name *ret)
{
    size_t p = *at, limit = m.n, after = 0;
    int jumps = 0;
    ret->n = 0;
    for (;;) {
        if (p >= limit)
            return false;
        unsigned n = u8_at(m, p);
        if (n >= 0xc0) {
            if (p + 1 >= limit)
                return false;
            size_t to = u16_at(m, p) & 0x3fff;
            if (!after)
                after = p + 2;
            if (to >= p || ++jumps > JUMPS_MAX)
                return false;
            limit = p; /* each jump goes further back */
            p = to;
            continue;
        }
        if (n > 63 || p + 1 + n > limit || ret->n + 1 + n + (n > 0) > WIRE_NAME_MAX)
            return false;
        for (unsigned i = 0; i <= n; i++)
            ret->b[ret->n++] = i ? ascii_lower(m.p[p + i]) : (char)n;
        p += 1 + n;
        if (n == 0)
            break;
    }
    *at = after ? after : p;
    return true;
}

static bool name_eq(const struct name *a, const struct name *b) { return a->n == b->n && !memcmp(a->b, b->b, a->n); }

static bool name_char(char c) { return ascii_alnum(c) || c == '-' || c == '_' || c == '/'; }

/* Visible, and nothing with a meaning in a name's text. */
static bool text_char(char c) { return c > ' ' && c < 0x7f && c != '.' && c != '\\'; }

bool dns_name_plain(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!name_char(name.p[i]) && name.p[i] != '.')
            return false;
    return true;
}

/* As text without the last dot; "" is the root. False when an octet could be mistaken for something else. */
static bool name_text(const struct name *w, char *ret, size_t *ret_n)
{
    size_t k = 0;
    for (size_t p = 0; p < w->n && w->b[p];) {
        size_t n = (uint8_t)w->b[p++];
        if (k)
            ret[k++] = '.';
        for (; n; n--, p++) {
            if (!text_char(w->b[p]))
                return false;
            ret[k++] = w->b[p];
        }
    }
    *ret_n = k;
    return true;
}

static bool read_rr(str m, size_t *at, struct rr *ret)
{
    if (!read_name(m, at, &ret->owner) || m.n - *at < 10)
        return false;
    ret->type = u16_at(m, *at);
    ret->class = u16_at(m, *at + 2);
    ret->ttl = u32_at(m, *at + 4);
    if (ret->ttl > INT32_MAX)
        ret->ttl = 0; /* RFC 2181 8 */
    ret->n = u16_at(m, *at + 8);
    ret->at = *at + 10;
    if (ret->n > m.n - ret->at)
        return false;
    *at = ret->at + ret->n;
    return true;
}

/* A name that ends exactly where the data of a record does. */
static bool name_data(str m, const struct rr *r, size_t skip, struct name *ret)
{
    size_t at = r->at + skip;
    return r->n > skip && read_name(str_sub(m, 0, r->at + r->n), &at, ret) && at == r->at + r->n;
}

static err text_name_data(str m, const struct rr *r, size_t skip, struct arena *a, str *ret)
{
    struct name w;
    char text[WIRE_NAME_MAX];
    size_t n;
    if (!name_data(m, r, skip, &w) || !name_text(&w, text, &n))
        return E_SYNTAX;
    *ret = arena_str(a, str_mem(text, n));
    return ret->p ? OK : a->e;
}

/* The strings of a TXT record as one (RFC 7208 3.3). */
static err txt_data(str m, const struct rr *r, struct arena *a, str *ret)
{
    char *to = arena_alloc(a, r->n + 1);
    size_t k = 0;
    if (!to)
        return a->e;
    for (size_t p = r->at, end = r->at + r->n; p < end;) {
        size_t n = u8_at(m, p++);
        if (n > end - p)
            return E_SYNTAX;
        memcpy(to + k, m.p + p, n);
        k += n;
        p += n;
    }
    *ret = str_mem(to, k);
    return OK;
}

/* E_SYNTAX: not what the type prescribes; the record counts as absent. */
static err read_data(str m, const struct rr *r, struct arena *a, struct dns_record *ret)
{
    size_t least = 0, most = SIZE_MAX;
    switch (r->type) {
    case DNS_MX:
        if (r->n < 3)
            return E_SYNTAX;
        ret->preference = (uint16_t)u16_at(m, r->at);
        return text_name_data(m, r, 2, a, &ret->data);
    case DNS_SRV: /* RFC 2782: priority, weight, port, target */
        if (r->n < 7)
            return E_SYNTAX;
        ret->preference = (uint16_t)u16_at(m, r->at);
        ret->port = (uint16_t)u16_at(m, r->at + 4);
        return text_name_data(m, r, 6, a, &ret->data);
    case DNS_PTR:
    case DNS_CNAME:
        return text_name_data(m, r, 0, a, &ret->data);
    case DNS_TXT:
        return txt_data(m, r, a, &ret->data);
    case DNS_A:
        least = most = 4;
        break;
    case DNS_AAAA:
        least = most = 16;
        break;
    case DNS_TLSA:
        least = 4;
        break;
    default:
        break;
    }
    if (r->n < least || r->n > most)
        return E_SYNTAX;
    ret->data = arena_str(a, str_sub(m, r->at, r->at + r->n));
    return ret->data.p ? OK : a->e;
}

struct reading {
    str m;
    size_t answers, authorities; /* where they begin */
    unsigned nanswers, nauthorities;
    struct name name; /* at the end of the CNAMEs so far */
    uint32_t ttl;
};

/* Skips over n records. */
static bool skip_rrs(str m, size_t *at, unsigned n)
{
    struct rr r;
    while (n--)
        if (!read_rr(m, at, &r))
            return false;
    return true;
}

static bool read_frame(struct reading *d)
{
    size_t at = 12;
    if (d->m.n < 12 || u16_at(d->m, 4) != 1 || !read_name(d->m, &at, &d->name) || d->m.n - at < 4)
        return false;
    d->nanswers = u16_at(d->m, 6);
    d->nauthorities = u16_at(d->m, 8);
    d->answers = d->authorities = at + 4;
    return skip_rrs(d->m, &d->authorities, d->nanswers);
}

static void lower_ttl(struct reading *d, uint32_t ttl)
{
    if (ttl < d->ttl)
        d->ttl = ttl;
}

/* One step along the CNAMEs; false at their end. */
static bool follow_cname(struct reading *d)
{
    struct rr r;
    struct name next;
    size_t at = d->answers;
    for (unsigned i = 0; i < d->nanswers && read_rr(d->m, &at, &r); i++)
        if (r.type == DNS_CNAME && r.class == 1 && name_eq(&r.owner, &d->name) && name_data(d->m, &r, 0, &next)) {
            d->name = next;
            lower_ttl(d, r.ttl);
            return true;
        }
    return false;
}

/* The records of the type, at most DNS_RECORDS_MAX or DNS_TEXTS_MAX. *ret_seen counts the unreadable ones, too. */
static err collect(struct reading *d, unsigned type, struct arena *a, struct dns_answer *ret, size_t *ret_seen)
{
    struct rr r;
    size_t at = d->answers, seen = 0, n = 0, most = type == DNS_TXT ? DNS_TEXTS_MAX : DNS_RECORDS_MAX;
    struct dns_record *v = arena_array(a, most < d->nanswers ? most : d->nanswers, sizeof *v);
    if (!v && d->nanswers)
        return a->e;
    for (unsigned i = 0; i < d->nanswers && n < most && read_rr(d->m, &at, &r); i++) {
        if (r.type != type || r.class != 1 || !name_eq(&r.owner, &d->name))
            continue;
        seen++;
        err e = read_data(d->m, &r, a, &v[n]);
        if (e && e != E_SYNTAX)
            return e;
        if (e == OK) {
            lower_ttl(d, r.ttl);
            n++;
        }
    }
    ret->v = v;
    ret->n = n;
    *ret_seen = seen;
    return OK;
}

static uint32_t negative_ttl(const struct reading *d)
{
    struct rr r;
    size_t at = d->authorities;
    for (unsigned i = 0; i < d->nauthorities && read_rr(d->m, &at, &r); i++)
        if (r.type == SOA && r.n >= 4) {
            uint32_t least = u32_at(d->m, r.at + r.n - 4);
            uint32_t ttl = r.ttl < least ? r.ttl : least;
            return ttl < NEGATIVE_TTL_MAX ? ttl : NEGATIVE_TTL_MAX;
        }
    return 0;
}

err dns_msg_read(str packet, unsigned type, struct arena *a, struct dns_answer *ret)
{
    struct reading d = {.m = packet, .ttl = TTL_MAX};
    char text[WIRE_NAME_MAX];
    size_t n = 0, seen = 0;
    if (!read_frame(&d))
        return E_DNS_TEMP;
    unsigned code = u8_at(packet, 3) & 15;
    if (code != 0 && code != 3)
        return E_DNS_TEMP;
    for (int hops = 0; type != DNS_CNAME && follow_cname(&d); hops++)
        if (hops == CNAMES_MAX)
            return E_DNS_TEMP;
    err e = collect(&d, type, a, ret, &seen);
    if (e)
        return e;
    ret->canonical = name_text(&d.name, text, &n) ? arena_str(a, str_mem(text, n)) : (str){0};
    if (a->e)
        return a->e;
    if (ret->n == 0) {
        uint32_t ttl = negative_ttl(&d);
        ret->ttl = ttl < d.ttl ? ttl : d.ttl;
        return seen ? E_DNS_TEMP : code == 3 ? E_DNS_NONE : E_DNS_NODATA;
    }
    ret->ttl = d.ttl;
    return OK;
}

err dns_name_read(str name, bool any, struct arena *a, str *ret)
{
    str s;
    err e = idn_to_ascii(name, a, &s);
    if (e)
        return e;
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || s.n > DNS_NAME_MAX)
        return E_SYNTAX;
    s = arena_str(a, s);
    if (!s.p)
        return a->e;
    size_t label = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '.') {
            if (!(any ? s.p[i] != 0 : name_char(s.p[i])) || ++label > 63)
                return E_SYNTAX;
        } else if (label == 0) {
            return E_SYNTAX;
        } else {
            label = 0;
        }
    }
    *ret = s;
    return OK;
}
