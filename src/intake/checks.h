/*
 * The checks of room check, made for one transaction as it comes in: SPF when the first recipient is accepted, the
 * signatures while the body streams by, DMARC at the end. What they found goes into headers, log, reports and the
 * verdict; a proxy uses the same calls around a transaction of its own.
 */
#ifndef INTAKE_CHECKS_H
#define INTAKE_CHECKS_H
#include "check/check.h"
#include "intake/intake.h"

struct checks;

/* Is this client one whose mail is checked? Not those that may relay, are authenticated, or are under limit-exempt. */
bool checks_wanted(const struct source *s, const struct conf *c);
/* At MAIL; `sender` without brackets. All strings stay until checks_free. NULL without memory. */
struct checks *checks_new(const struct source *s, const struct conf *c, str sender);
void checks_free(struct checks **k); /* NULL is fine */
/* Before the first recipient is accepted: who the client is. Any number of times; asks once. False: refused. */
bool checks_sender(struct checks *k, struct reply *r) YIELDS;
/* Octets of the message in order, header block first, dots taken away. `scan` is the one that has seen them. */
void checks_feed(struct checks *k, str octets, const struct data_in *scan);
/* Before the octets: an ARC set will be added, over a body in these forms. */
void checks_will_seal(struct checks *k, bool simple, bool relaxed);
/* After checks_end: what was read, for the seal; NULL: none is wanted, or can be made. */
struct check_mail *checks_sealable(struct checks *k);
/* The end of the octets. Never fails: what could not be found out is a temperror. */
void checks_end(struct checks *k) YIELDS;
/* After checks_end: what becomes of the message. False: refused. */
bool checks_verdict(struct checks *k, struct reply *r);
/* After the verdict: to be treated as suspicious. */
bool checks_quarantine(const struct checks *k);
/* The fields that say so, for the top of the message. */
err checks_fields(const struct checks *k, struct buf *out);
/* For events: of an accepted message. */
void checks_log(const struct checks *k, uint64_t id);
const struct check_results *checks_results(const struct checks *k);

/* Who counts what was judged, accepted or refused: once, before sessions. Inside the call; must not sleep. */
struct checks_seen {
    const struct check *check;
    const struct check_results *results;
    enum dmarc_policy disposition; /* what was done */
    str head;                      /* the header block as it came */
};
void checks_observe(void (*fn)(const struct checks_seen *s));

#endif
