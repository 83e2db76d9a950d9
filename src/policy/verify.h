/*
 * Recipient verification: asks the server behind by RCPT whether it takes an address, before we do (RFC 5321 gives no
 * better way), and remembers what it said. A server that does not answer in time, or that fails, is asked again by
 * one session at a time only (policy/breaker.h).
 */
#ifndef POLICY_VERIFY_H
#define POLICY_VERIFY_H
#include "conf/conf.h"
#include "net/net.h"
#include "wire/url.h"
#include "wire/reply.h"

enum verify_answer {
    VERIFY_OK,
    VERIFY_UNKNOWN, /* refused for good: *ret_reply says how */
    VERIFY_LATER,   /* refused for now, likewise */
    VERIFY_DOWN     /* the server could not be asked */
};
/* `to` is "local@domain". *ret_reply (code, enhanced code, text) for UNKNOWN and LATER. */
enum verify_answer verify_ask(const struct conf *c, const struct url *server, str to, struct reply *ret_reply) YIELDS;
size_t verify_count(void); /* answers that are kept */

#endif
