/*
 * priv: what needs a secret is asked here, by typed calls with stated maxima, and the secret itself is
 * never handed back, except where a protocol sends it. Answered in this process today; later by the keeper, a
 * process of its own that alone can read keys and passwords, while the fiber sleeps.
 */
#ifndef PRIV_PRIV_H
#define PRIV_PRIV_H
#include "base/buf.h"
#include "rt/rt.h"

enum {
    PRIV_MAC_SIZE = 32,      /* HMAC-SHA256 */
    PRIV_TEXT_MAX = 1024,    /* octets that are signed */
    PRIV_SECRET_MAX = 1024,  /* octets of a secret */
    PRIV_LOGINS_MAX = 10000, /* passwords of routes */
};

/* Everything that is secret in one generation of the configuration; copied. E_LIMIT, E_NOMEM: nothing is changed. */
struct priv_login {
    str route; /* title */
    str password;
};
struct priv_secrets {
    str srs; /* signs rewritten senders; empty: none */
    const struct priv_login *logins;
    size_t nlogins;
};
err priv_setup(const struct priv_secrets *s);
void priv_end(void); /* wipes them */

/* Makes the private key in a PEM text (later: of that name) serve the certificate that is in ctx, an SSL_CTX of
 * OpenSSL. Its error queue says why not. E_TLS. */
struct ssl_ctx_st;
err priv_tls_key(struct ssl_ctx_st *ctx, const char *key_pem);

/* HMAC-SHA256 of `text` under the SRS secret. E_NOT_FOUND: there is none; E_LIMIT. */
err priv_srs_mac(str text, unsigned char ret[PRIV_MAC_SIZE]) YIELDS;
/* True when `tag` is the beginning of that MAC, in constant time; at least 4 octets are compared. */
bool priv_srs_verify(str text, str tag) YIELDS;

/* The password that AUTH sends on a route, added to `out`; the caller wipes it. E_NOT_FOUND. */
err priv_password(str route, struct buf *out) YIELDS;

#endif
