/*
 * DANE for a server found by MX (RFC 7672): its TLSA records, and what they ask of the connection. Only answers
 * that DNSSEC validated count, from the MX record on; a failed look-up says nothing, so the server is left out rather
 * than reached without what its owner asked for.
 */
#include "send/internal.h"

/* RFC 7672 3.1: PKIX usages are not for SMTP; others may be of a future that we do not know. */
static bool usable(const struct tls_tlsa *r)
{
    static const size_t sizes[] = {0, 32, 64}; /* full, SHA2-256, SHA2-512 */
    return (r->usage == 2 || r->usage == 3) && r->selector <= 1 && r->matching <= 2 &&
           (r->matching ? r->data.n == sizes[r->matching] : r->data.n > 0);
}

static err read_records(struct arena *a, const struct dns_answer *got, str base, struct dane **ret)
{
    struct dane *d = arena_new(a, struct dane);
    if (!d)
        return E_NOMEM;
    *d = (struct dane){.base = arena_str(a, base), .v = arena_array(a, got->n, sizeof *d->v)};
    if (!d->v || !d->base.p)
        return E_NOMEM;
    for (size_t i = 0; i < got->n; i++) {
        str data = got->v[i].data;
        if (data.n < 4)
            continue;
        struct tls_tlsa r = {(uint8_t)data.p[0], (uint8_t)data.p[1], (uint8_t)data.p[2], str_skip(data, 3)};
        if (usable(&r))
            d->v[d->n++] = r;
    }
    *ret = d;
    return OK;
}

/* OK with *ret NULL: there are none that count. */
static err ask(struct arena *a, str base, uint16_t port, struct dane **ret) YIELDS;
static err ask(struct arena *a, str base, uint16_t port, struct dane **ret)
{
    char name[300];
    struct buf b;
    struct dns_answer got = {0};
    buf_init_fixed(&b, name, sizeof name);
    buf_printf(&b, "_%u._tcp." STR_FMT, port, STR_ARG(base));
    err e = b.e ? E_DNS_NODATA : dns_lookup(buf_str(&b), DNS_TLSA, a, &got);
    if (e == E_DNS_NODATA || e == E_DNS_NONE)
        return OK;
    if (e)
        return e;
    return got.secure ? read_records(a, &got, base, ret) : OK;
}

err dane_find(const struct conf *c, struct arena *a, str host, const struct dns_answer *addresses, uint16_t port,
              struct dane **ret)
{
    *ret = NULL;
    if (!c->send_dane || !c->dns_validate_now || !addresses->secure)
        return OK;
    str canonical = addresses->canonical;
    err e = OK;
    if (canonical.n && !str_ieq(canonical, host)) /* RFC 7672 2.2.2: the end of secure aliases first */
        e = ask(a, canonical, port, ret);
    return e || *ret ? e : ask(a, host, port, ret);
}
