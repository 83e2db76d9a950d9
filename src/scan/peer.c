/* Addresses of scanners, and the way to one. */
#include "scan/peer.h"

#include "base/cleanup.h"

#include <sys/un.h>

enum { ADDRESSES_MAX = 4 };

static err add(struct target *v, size_t *n, struct ip ip, uint16_t port)
{
    struct ip_port at = {ip, port};
    if (*n < ADDRESSES_MAX) {
        v[*n] = (struct target){0};
        ip_to_sockaddr(&at, &v[(*n)++].to);
    }
    return OK;
}

static err find(const struct endpoint *at, struct target v[ADDRESSES_MAX], size_t *n) YIELDS;
static err find(const struct endpoint *at, struct target v[ADDRESSES_MAX], size_t *n)
{
    AUTO_ARENA a = {0};
    struct ip ip;
    err first = OK;
    if (at->local) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        memcpy(un.sun_path, at->path, sizeof un.sun_path);
        v[0] = (struct target){0};
        memcpy(&v[0].to, &un, sizeof un);
        *n = 1;
        return OK;
    }
    if (ip_parse(at->host, &ip))
        return add(v, n, ip, at->port);
    arena_init(&a, 2048, 256 * 1024);
    for (int f = 0; f < 2; f++) {
        struct dns_answer got = {0};
        err e = dns_lookup(at->host, f ? DNS_AAAA : DNS_A, &a, &got);
        for (size_t i = 0; !e && i < got.n; i++)
            add(v, n, ip_from_octets(got.v[i].data.p, got.v[i].data.n), at->port);
        first = first && first != E_DNS_NODATA ? first : e;
    }
    return *n ? OK : first;
}

err peer_connect(const struct endpoint *at, struct conn *c, rt_time deadline, struct buf *why)
{
    struct target v[ADDRESSES_MAX];
    size_t n = 0;
    err e = find(at, v, &n);
    if (e) {
        if (why)
            buf_printf(why, "no address: %s", err_text(e));
        return e;
    }
    e = E_UNREACHABLE;
    for (size_t i = 0; i < n && e; i++) {
        rt_time left = (deadline - rt_now()) / (rt_time)(n - i);
        e = net_connect(c, &v[i], rt_after(left > 0 ? left : 0));
    }
    if (e && why)
        buf_printf(why, "cannot connect: %s", err_text(e));
    if (!e)
        c->deadline = deadline;
    return e;
}
