/*
 * Greylisting (RFC 6647) that learns: who comes again after a while is let in, and who did so several times is not
 * asked any more: a client's network (IPv4 /24, IPv6 /64), or the domain whose SPF the client passed, which holds for
 * senders with many addresses. All in memory, bounded; what changed is written to data-dir/greylist.db now and then,
 * off the way of mail, and read at the start.
 */
#ifndef POLICY_GREYLIST_H
#define POLICY_GREYLIST_H
#include "conf/conf.h"
#include "rt/rt.h"

struct grey_ask {
    struct ip client;
    str sender, recipient; /* "local@domain", "" for <> */
    str domain;            /* that SPF says pass for; "" none */
    int64_t now_s;         /* since 1970 */
};
struct grey_rules {
    int64_t delay_s, window_s, keep_s;
    uint32_t passes; /* after so many a client or domain is known; 0: never */
    uint32_t entries;
};
void grey_rules_of(struct grey_rules *r, const struct conf *c);

enum grey_answer {
    GREY_KNOWN, /* the client or domain is known */
    GREY_AGAIN, /* the triplet came again after the delay, now or before */
    GREY_NEW,   /* never seen: come again */
    GREY_EARLY  /* seen, but not long enough ago */
};
/* *ret_wait_s: of NEW and EARLY, after which time it will pass. Never waits. */
enum grey_answer grey_ask(const struct grey_ask *a, const struct grey_rules *r, uint32_t *ret_wait_s);
/* Is the client or domain known already? Asks only. */
bool grey_knows(const struct ip *client, str domain, const struct grey_rules *r, int64_t now_s);

/* Without it greylisting works and forgets everything at the end. */
err grey_open(int data_dir, struct buf *why) BLOCKS;
void grey_close(void) BLOCKS; /* what is not stored yet is stored */
/* Stores now and then, and forgets what is over, until the fiber is cancelled. On one loop. */
void grey_run(struct conf *(*conf)(void)) YIELDS;

size_t grey_count(void);

#endif
