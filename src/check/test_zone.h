/* For tests of the checks: a zone in memory in place of the resolver. */
#ifndef CHECK_TEST_ZONE_H
#define CHECK_TEST_ZONE_H
#include "base/test.h"
#include "check/check.h"

#include <string.h>

/* One record as text: an address, "10 mx.test" of an MX, a name, a TXT. "!TEMP" for any type (0): no answer; "!NONE"
 * ... no such name. */
struct zone_record {
    const char *name;
    unsigned type;
    const char *data;
};
enum { ZONE_ANSWER_MAX = 30 };
struct zone {
    const struct zone_record *v;
    size_t n;
    unsigned asked;
    char last[300];
};

static inline err zone_data(unsigned type, const char *text, struct arena *a, struct dns_record *ret)
{
    struct ip ip;
    if (type == DNS_A || type == DNS_AAAA) {
        if (!ip_parse(str_c(text), &ip))
            return E_BUG;
        ret->data = arena_str(a, str_mem(ip.b, type == DNS_A ? 4 : 16));
        return a->e;
    }
    if (type == DNS_MX) {
        const char *blank = strchr(text, ' ');
        ret->preference = (uint16_t)strtoul(text, NULL, 10);
        text = blank + 1;
    }
    ret->data = arena_str(a, str_c(text));
    return a->e;
}

static inline err zone_ask(void *arg, const struct dns_question *q, struct arena *a, struct dns_answer *ret)
{
    struct zone *z = arg;
    bool known = false;
    z->asked++;
    (void)str_to_c(q->name, z->last, sizeof z->last);
    *ret = (struct dns_answer){.v = arena_array(a, ZONE_ANSWER_MAX, sizeof *ret->v), .ttl = 60};
    if (!ret->v)
        return a->e;
    for (size_t i = 0; i < z->n; i++) {
        if (!str_ieq(q->name, str_c(z->v[i].name)))
            continue;
        known = true;
        if (strcmp(z->v[i].data, "!TEMP") == 0 && (!z->v[i].type || z->v[i].type == q->type))
            return E_DNS_TEMP;
        if (z->v[i].type != q->type || ret->n == ZONE_ANSWER_MAX)
            continue;
        err e = zone_data(q->type, z->v[i].data, a, &ret->v[ret->n++]);
        if (e)
            return e;
    }
    return ret->n ? OK : known ? E_DNS_NODATA : E_DNS_NONE;
}

#endif
