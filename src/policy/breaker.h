/*
 * A switch before a service that others run (a milter, a scanner, a back-end server): after some failures in a row it
 * is not asked for a while, so that nobody waits for what does not answer; then one question at a time tries again.
 * Over all loops and generations; one for each name, kept for ever, 1,000 at most.
 */
#ifndef POLICY_BREAKER_H
#define POLICY_BREAKER_H
#include "rt/rt.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_TRYING };

struct breaker;
/* By kind and name: "milter", "dkim"; both are copied. NULL without memory, or when there are too many: ask always. */
struct breaker *breaker_of(const char *kind, str name);
/* May it be asked? True: breaker_leave must follow. NULL is fine. */
bool breaker_enter(struct breaker *b);
/* How it went. Opens after `failures` in a row (0: never), for `pause`; `why` is for the log. */
void breaker_leave(struct breaker *b, bool ok, uint32_t failures, rt_time pause, const char *why);
/* It was not asked after all (the session ended first): neither success nor failure. */
void breaker_cancel(struct breaker *b);
enum breaker_state breaker_state(struct breaker *b);
/* What was answered (or not) took so long; begun when breaker_enter said yes. NULL is fine. */
void breaker_took(struct breaker *b, rt_time begun);
/* State, questions, failures and time of each, in the format of Prometheus. */
void breaker_metrics(struct buf *out);
/* For status: every one, in no order. */
void breaker_each(void (*fn)(void *arg, str name, enum breaker_state s, uint64_t asked, uint64_t failed), void *arg);

#endif
