/* DNS lists: names of questions, what answers mean, sums of weights. */
#include "policy/dnslist.h"
#include "policy/ask.h"

#include <stdlib.h>

enum { QUESTION_MAX = 253, COMPLAINTS = 256 };

enum dnslist_answer dnslist_answer(const struct conf_zone *z, const uint8_t a[4])
{
    if (a[0] != 127 || (a[1] == 255 && a[2] == 255))
        return DNSLIST_REFUSED;
    for (int i = 0; i < 4; i++)
        if (a[i] < z->low[i] || a[i] > z->high[i])
            return DNSLIST_OTHER;
    return DNSLIST_HIT;
}

/* Once for each zone: who is turned away is turned away with every question. */
static void complain(const struct conf_zone *z, const uint8_t a[4])
{
    static struct {
        struct lock lock;
        uint64_t told[COMPLAINTS];
        size_t n;
    } once;
    uint64_t hash = str_hash(z->name);
    size_t i = 0;
    lock_take(&once.lock);
    while (i < once.n && once.told[i] != hash)
        i++;
    bool first = i == once.n && i < COMPLAINTS;
    if (first)
        once.told[once.n++] = hash;
    lock_drop(&once.lock);
    if (!first)
        return;
    char text[IP_TEXT_MAX];
    struct buf b;
    struct ip ip = ip_from_octets(a, 4);
    buf_init_fixed(&b, text, sizeof text);
    ip_print(&b, &ip);
    rt_log(EV_dns_list_refused, log_str(z->name), log_str(buf_str(&b)));
}

static void weigh(const struct conf_zone *z, const struct ask *a, struct dnslist *ret)
{
    ret->failed |= a->e != OK && a->e != E_DNS_NONE && a->e != E_DNS_NODATA && a->e != E_SYNTAX;
    for (unsigned i = 0; a->e == OK && i < a->n; i++) {
        enum dnslist_answer what = dnslist_answer(z, a->v[i]);
        if (what == DNSLIST_REFUSED)
            complain(z, a->v[i]);
        if (what != DNSLIST_HIT)
            continue;
        ret->score += z->weight;
        ret->hits++;
        if (!ret->zone || z->weight > ret->zone->weight) {
            ret->zone = z;
            ret->answer = ip_from_octets(a->v[i], 4);
        }
        return;
    }
}

static void ask_zones(const struct conf_zone *v, size_t n, str key, rt_time until, struct dnslist *ret) YIELDS
{
    *ret = (struct dnslist){0};
    n = n < DNSLIST_ZONES ? n : DNSLIST_ZONES;
    struct ask *a = n ? calloc(n, sizeof *a) : NULL;
    char *names = n ? malloc(n * QUESTION_MAX) : NULL;
    for (size_t i = 0; a && names && i < n; i++) {
        struct buf b;
        buf_init_fixed(&b, names + i * QUESTION_MAX, QUESTION_MAX);
        buf_add(&b, key);
        buf_add_char(&b, '.');
        buf_add(&b, v[i].name);
        a[i].name = b.e ? S("") : buf_str(&b);
    }
    if (a && names) {
        metric_add(M_dns_list_questions, (int64_t)n);
        ask_all(a, n, until);
        for (size_t i = 0; i < n; i++)
            if (a[i].name.n)
                weigh(&v[i], &a[i], ret);
        metric_add(M_dns_list_hits, ret->hits);
    } else {
        ret->failed = n > 0;
    }
    free(a);
    free(names);
}

void dnslist_ip(const struct conf_zone *v, size_t n, const struct ip *ip, rt_time until, struct dnslist *ret)
{
    char mem[80];
    struct buf b;
    *ret = (struct dnslist){0};
    if (!ip->v || !n)
        return;
    buf_init_fixed(&b, mem, sizeof mem);
    ip_print_reverse(&b, ip);
    ask_zones(v, n, buf_str(&b), until, ret);
}

void dnslist_name(const struct conf_zone *v, size_t n, str name, rt_time until, struct dnslist *ret)
{
    *ret = (struct dnslist){0};
    if (name.n && n && str_find(name, '.') != STR_NONE && str_find(name, '[') == STR_NONE)
        ask_zones(v, n, name, until, ret);
}
