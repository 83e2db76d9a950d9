/*
 * Limits per key: how often something may happen in a minute, an hour, a day (windows that slide: the last one counts
 * for the part that still overlaps), and how often at once. One table over all loops, bounded; the least recently used
 * key leaves first.
 */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H
#include "rt/rt.h"

enum { LIMIT_WINDOWS = 3 }; /* a minute, an hour, a day */
struct limit {
    str scope, key; /* "rule news", "192.0.2.1" */
    uint32_t most[LIMIT_WINDOWS];
    uint32_t at_once; /* 0: no such limit */
    uint32_t entries; /* of the table */
};
struct limit_hit { /* what is reached */
    uint32_t most;
    int window;   /* -1: at once */
    rt_time wait; /* until there is room again; 0 with at once */
};
/* Counts one; false: a limit is reached, nothing is counted. With `at_once` each true needs a limit_leave with the
 * ticket. Without memory nothing is limited. */
bool limit_enter(const struct limit *l, uint64_t *ret_ticket, struct limit_hit *ret);
void limit_leave(uint64_t ticket); /* 0: nothing */
/* "Limit of 30 a minute for client 192.0.2.1 is reached, try again in 12 s" */
void limit_say(struct buf *out, const struct limit_hit *h, str what, str key);
size_t limit_count(void);

#endif
