/* Many questions to DNS at once, for addresses (A) alone: what DNS lists answer with. */
#ifndef POLICY_ASK_H
#define POLICY_ASK_H
#include "net/net.h"

enum { ASK_ANSWERS = 16, ASK_MOST = 64 };
struct ask {
    str name; /* the question */
    err e;    /* OK with n > 0; E_DNS_NONE, E_DNS_NODATA; E_DNS_TEMP also when it was too late, E_NOMEM */
    unsigned n;
    uint8_t v[ASK_ANSWERS][4];
};
/* Asks `n` (at most ASK_MOST) questions and waits for all answers, at the latest until `until`. What is in the cache
 * costs no wait. Whoever waits may be cancelled: then what is missing is E_CANCELLED. */
void ask_all(struct ask *v, size_t n, rt_time until) YIELDS;

#endif
