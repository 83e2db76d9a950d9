/*
 * What waits for a time: a 4-ary min-heap of messages. Times are ticks of TICK_MS since the queue was
 * made (6 years of them), kept in an array of their own, so that a waiting message costs 16 bytes and
 * sifting touches no message but the one that moves.
 */
#ifndef QUEUE_DUE_H
#define QUEUE_DUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TICK_MS 50
#define TICK_NEVER UINT32_MAX
typedef uint32_t tick;

struct msg;
struct due {
    tick *at;
    struct msg **m;
    uint32_t n, cap, reserved; /* reserved: promised and not in use */
};

/* A place for one more message, so that wait_set cannot fail; given back by wait_unreserve. */
bool wait_reserve(struct due *d);
void wait_unreserve(struct due *d, struct msg *m);    /* m leaves the heap, too */
void wait_set(struct due *d, struct msg *m, tick at); /* TICK_NEVER: out of the heap */
tick wait_when(const struct due *d, const struct msg *m);
static inline tick wait_first(const struct due *d) { return d->n ? d->at[0] : TICK_NEVER; }
void wait_free(struct due *d);

#endif
