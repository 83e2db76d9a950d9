/* The hosts file (hosts(5)): names and addresses that no server is asked for, and what RFC 6761 6.3 says of localhost.
 */
#include "net/dns.h"

#include <stdlib.h>

enum { HOSTS_MAX = 20000, HOSTS_BYTES = 8 * 1024 * 1024, ANSWER_MAX = 16 };

struct host {
    struct map_node by_name, by_ip; /* the first line of the file with this name; with this address */
    struct host *more;              /* the next one with this name */
    str name;                       /* lower case */
    struct ip ip;
};
struct dns_hosts {
    struct map names, ips;
    struct arena arena;
    size_t n;
};

static uint64_t ip_key(const struct ip *ip) { return str_hash(str_mem(ip, sizeof *ip)); }

static bool word(str *rest, str *ret)
{
    *rest = str_trim(*rest);
    if (rest->n == 0)
        return false;
    size_t n = 0;
    while (n < rest->n && !ascii_wsp(rest->p[n]))
        n++;
    *ret = str_sub(*rest, 0, n);
    *rest = str_skip(*rest, n);
    return true;
}

static struct host *find_name(const struct dns_hosts *h, str name)
{
    for (struct map_node *n = map_find(&h->names, str_hash(name)); n; n = map_next_equal(n)) {
        struct host *host = container_of(n, struct host, by_name);
        if (str_eq(host->name, name))
            return host;
    }
    return NULL;
}

static struct host *find_ip(const struct dns_hosts *h, const struct ip *ip)
{
    for (struct map_node *n = map_find(&h->ips, ip_key(ip)); n; n = map_next_equal(n)) {
        struct host *host = container_of(n, struct host, by_ip);
        if (ip_eq(&host->ip, ip))
            return host;
    }
    return NULL;
}

/* False without memory; a name that is none is passed over. */
static bool add(struct dns_hosts *h, str name, const struct ip *ip)
{
    str clean;
    struct host *host = arena_new(&h->arena, struct host);
    if (!host)
        return false;
    if (dns_name_read(name, false, &h->arena, &clean) != OK)
        return h->arena.e == OK;
    host->name = clean;
    host->ip = *ip;
    h->n++;
    struct host *same = find_name(h, clean);
    while (same && same->more)
        same = same->more;
    if (same)
        same->more = host;
    return (same || map_add(&h->names, &host->by_name, str_hash(clean))) &&
           (find_ip(h, ip) || map_add(&h->ips, &host->by_ip, ip_key(ip)));
}

err dns_hosts_new(struct dns_hosts **ret, str text)
{
    struct dns_hosts *h = calloc(1, sizeof *h);
    str line, address, name;
    struct ip ip;
    if (!h)
        return E_NOMEM;
    arena_init(&h->arena, 4096, HOSTS_BYTES);
    while (h->n < HOSTS_MAX && text.p && str_cut(&text, '\n', &line)) {
        line = str_sub(line, 0, str_find(line, '#'));
        if (!word(&line, &address) || !ip_parse(address, &ip))
            continue;
        while (h->n < HOSTS_MAX && word(&line, &name))
            if (!add(h, name, &ip)) {
                dns_hosts_free(&h);
                return E_NOMEM;
            }
    }
    *ret = h;
    return OK;
}

void dns_hosts_free(struct dns_hosts **h)
{
    struct dns_hosts *old = *h;
    *h = NULL;
    if (!old)
        return;
    map_free(&old->names);
    map_free(&old->ips);
    arena_free(&old->arena);
    free(old);
}

static bool is_localhost(str name) { return str_eq(name, S("localhost")) || str_ends(name, S(".localhost")); }

/* One address of the file into the answer. */
static void take(struct dns_answer *ans, const struct ip *ip, unsigned type, struct arena *a)
{
    if (ip->v != (type == DNS_A ? 4 : 6) || ans->n == ANSWER_MAX)
        return;
    str data = arena_str(a, str_mem(ip->b, ip->v == 4 ? 4 : 16));
    if (data.p)
        ans->v[ans->n++].data = data;
}

bool dns_hosts_find(const struct dns_hosts *h, str name, unsigned type, struct arena *a, struct dns_answer *ret_answer,
                    err *ret)
{
    struct dns_answer ans = {.canonical = name, .ttl = 60};
    if (type != DNS_A && type != DNS_AAAA)
        return false;
    const struct host *host = h ? find_name(h, name) : NULL;
    if (!host && !is_localhost(name))
        return false;
    ans.v = arena_array(a, ANSWER_MAX, sizeof *ans.v);
    for (const struct host *at = host; at && ans.v; at = at->more)
        take(&ans, &at->ip, type, a);
    if (!host && ans.v) {
        static const struct ip v4 = {4, {127, 0, 0, 1}}, v6 = {6, {[15] = 1}};
        take(&ans, type == DNS_A ? &v4 : &v6, type, a);
    }
    *ret = a->e ? a->e : ans.n ? OK : E_DNS_NODATA;
    *ret_answer = ans;
    return true;
}

bool dns_hosts_name(const struct dns_hosts *h, const struct ip *ip, str *ret)
{
    const struct host *host = h ? find_ip(h, ip) : NULL;
    if (host)
        *ret = host->name;
    return host != NULL;
}
