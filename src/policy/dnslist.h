/*
 * DNS lists (RFC 5782): an address is asked reversed below the zone, a name as it is. An answer counts when it lies in
 * the range that the zone was given with; 127.255.255.x is how public resolvers are turned away, and what is not in
 * 127.0.0.0/8 is a zone that is no list any more: neither is ever a hit, both are logged once for each zone.
 */
#ifndef POLICY_DNSLIST_H
#define POLICY_DNSLIST_H
#include "conf/conf.h"
#include "net/net.h"

enum { DNSLIST_ZONES = 64 }; /* of one key; more are an error of the configuration */

struct dnslist {
    int score;                    /* sum of the weights of the zones that list it */
    unsigned hits;                /* how many of them */
    bool failed;                  /* some did not answer */
    const struct conf_zone *zone; /* the hit with the greatest weight */
    struct ip answer;             /* what that one said */
};
/* All zones at once; `until` bounds the wait. A zone that does not answer is no hit. */
void dnslist_ip(const struct conf_zone *v, size_t n, const struct ip *ip, rt_time until, struct dnslist *ret) YIELDS;
void dnslist_name(const struct conf_zone *v, size_t n, str name, rt_time until, struct dnslist *ret) YIELDS;

/* What an answer means for a zone (pure). */
enum dnslist_answer { DNSLIST_HIT, DNSLIST_OTHER, DNSLIST_REFUSED };
enum dnslist_answer dnslist_answer(const struct conf_zone *z, const uint8_t a[4]);

#endif
