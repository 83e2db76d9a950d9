/* What the files of acme share: requests over HTTPS, signed messages, proofs, and one order from begin to end. */
#ifndef ACME_INTERNAL_H
#define ACME_INTERNAL_H
#include "acme/acme.h"
#include "base/arena.h"

enum {
    REPLY_MAX = 256 * 1024, /* octets of an answer */
    URL_MAX = 2048,
    NAMES_MAX = 100,
    TOKEN_MAX = 128,
};

/* ---- https.c ---- */

struct https {
    const char *ca_pem; /* roots; NULL: the system's */
    struct arena *a;    /* for everything that is returned */
    struct buf *why;    /* what went wrong, in words */
};
struct https_reply {
    int status;
    str location, nonce, type, body;
    int retry_after; /* seconds; 0: not said */
};
/* One request on a connection of its own. OK: there was an answer, whatever it says. `body` p NULL: no body. */
err https_ask(const struct https *h, const char *method, str url, str body, struct https_reply *ret) YIELDS;

/* ---- jose.c: RFC 7515, RFC 7638 ---- */

struct jose_key {
    unsigned char xy[64]; /* the account's public key, P-256 */
};
void jose_jwk(struct buf *out, const struct jose_key *k);       /* in the form and order of RFC 7638 */
err jose_thumbprint(struct buf *out, const struct jose_key *k); /* base64url */
/* A whole JWS (flattened JSON) for `url`; `kid` empty: the key itself stands in it. The keeper signs. */
err jose_sign(struct buf *out, const struct jose_key *k, str kid, str nonce, str url, str payload) YIELDS;

/* The account's key, vouched for by a key that the authority gave (RFC 8555 7.3.4): a JWS with a MAC. The keeper has
 * that key. */
err jose_bind(struct buf *out, const struct jose_key *k, str kid, str url) YIELDS;

/* ---- challenge.c: what is being proved ---- */

/* Until challenge_end the key authorization is given under its token (http-01), or as a certificate for `name`
 * (tls-alpn-01). E_LIMIT, E_NOMEM, E_TLS. */
err challenge_begin(bool tls, str name, str token, str authorization);
void challenge_end(void); /* all */

/* ---- order.c ---- */

/* A certificate for the names of c: its chain in PEM, in `a`. *why in words. */
err order_run(struct conf *c, struct arena *a, str *ret_chain, struct buf *why) YIELDS;

#endif
