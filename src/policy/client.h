/*
 * What DNS says about a stranger: does the address have a name that leads back to it, which lists name the address, the
 * HELO name, the sender's domain. The questions are asked in the background from the greeting on, by fibers of their
 * own, so that nobody waits before the first recipient.
 */
#ifndef POLICY_CLIENT_H
#define POLICY_CLIENT_H
#include "check/check.h"
#include "policy/dnslist.h"
#include "policy/policy.h"

/* In the order of the words of the fact `reverse dns` (conf/rule.def). */
enum client_reverse { REVERSE_CONFIRMED, REVERSE_NONE, REVERSE_MISMATCH, REVERSE_ERROR };

enum client_part { CLIENT_REVERSE, CLIENT_BLOCK, CLIENT_ALLOW, CLIENT_HELO, CLIENT_HELO_LIST, CLIENT_PARTS };

/* One of a session; alive as long as somebody looks something up for it. Its loop alone touches it. */
struct client;

/* A stranger: not our user, not trusted, not exempt, not on the local socket (fixed meaning of limit-exempt). */
bool client_is_stranger(const struct source *s, const struct conf *c);

/* NULL without memory. `c` is referenced. */
struct client *client_new(struct conf *c, const struct ip *ip);
void client_drop(struct client **k); /* NULL is fine */
bool client_is_of(const struct client *k, const struct ip *ip);
/* Asks in the background, if it was not asked yet; `helo` for the parts about it. */
void client_start(struct client *k, enum client_part part, str helo);
/* A new HELO name: what was asked about another one is forgotten. */
void client_new_helo(struct client *k);

/* Each starts what is missing and waits, policy.dns-time at most. */
enum client_reverse client_reverse(struct client *k, str *ret_name) YIELDS; /* the name: of CONFIRMED */
const struct dnslist *client_listed(struct client *k, enum client_part part, str helo) YIELDS;
/* Does the HELO name have an address or a mail server? An answer that did not come is yes. */
bool client_helo_resolves(struct client *k, str helo) YIELDS;

/* ---- pure ---- */

/* Why a name in HELO is none that a mail server would give: NULL, or in words. */
const char *client_helo_fault(str helo);
/* A reverse name that looks as if it was made from the address, as those of dial-up lines are. */
bool client_name_is_generic(str name, const struct ip *ip);
/* Is this name or literal one of ours? `local` is the address that the client connected to. */
bool client_helo_is_ours(str helo, const struct conf *c, str listener_hostname, const struct ip *local);

#endif
