/* One AUTH exchange, shared by the mechanisms of passwords (auth.c) and those of tokens (auth_token.c). */
#ifndef RECV_EXCHANGE_H
#define RECV_EXCHANGE_H
#include "priv/priv.h"
#include "recv/internal.h"

struct exchange {
    struct session *s;
    struct reply *r;
    struct priv_sasl sasl;
    struct buf in, out;          /* decoded; both are wiped */
    bool entered;                /* holds a turn of the guard */
    bool told;                   /* the log has its failure already */
    const struct conf_oauth *by; /* who was asked about the token */
};

/* Sets the answer, and says it in the log. */
void exchange_fail(struct exchange *x, int code, const char *esc, const char *text, const char *why);
/* A proof that was none: counted, too. */
void exchange_wrong(struct exchange *x, const char *why) YIELDS;
/* Sends x->out as a challenge and reads the answer into x->in. False: the exchange is over, and *r says why (as it was:
 * the connection is). */
bool exchange_ask(struct exchange *x) YIELDS;
/* Its turn, before something that costs: false: refused. */
bool exchange_enter(struct exchange *x) YIELDS;
void exchange_leave(struct exchange *x);
/* Proven: lets it in, if there is such an account and it may. */
void exchange_admit(struct exchange *x) YIELDS;

static inline bool is_token_mech(enum priv_mech m) { return m == PRIV_OAUTHBEARER || m == PRIV_XOAUTH2; }
/* The whole exchange of a token; `initial`: x->in has its first message. */
void token_converse(struct exchange *x, bool initial) YIELDS;
/* A refused token: its error message is a challenge, and the client's answer to it comes before *x->r (RFC 7628 3.2.3).
 */
void token_refused(struct exchange *x) YIELDS;

#endif
