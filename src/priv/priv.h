/*
 * priv: what needs a secret is asked here, by typed calls with stated maxima, and the secret itself is
 * never handed back, except where a protocol sends it.
 *
 * The *keeper* is a process of its own that alone reads keys and passwords (keeper.c, store.c). The worker
 * asks it over socket pairs while the fiber sleeps (channel.c): one pair per loop and class of work, many
 * questions at once on each. Without priv_connect, as in unit tests and the simulator, the same handlers
 * answer in this process.
 *
 * A new question is a row of requests.def, its handler priv_do_NAME in a file of this room, and a function
 * here that packs what is asked, calls priv_call and unpacks the answer.
 */
#ifndef PRIV_PRIV_H
#define PRIV_PRIV_H
#include "base/buf.h"
#include "rt/rt.h"

enum {
    PRIV_MESSAGE_MAX = 4096, /* octets of one question or answer */
    PRIV_MAC_SIZE = 32,      /* HMAC-SHA256 */
    PRIV_TEXT_MAX = 1024,    /* octets that are signed */
    PRIV_SECRET_MAX = 1024,  /* octets of a secret */
    PRIV_NAME_MAX = 512,     /* octets of the name of a route */
    PRIV_SIG_MAX = 1024,     /* octets of a signature: RSA of 8192 bits */
    PRIV_LOGINS_MAX = 10000, /* passwords of routes */
    PRIV_KEYS_MAX = 1000,    /* keys of TLS certificates */
    PRIV_LOOPS_MAX = 64,
};

enum priv_class { PRIV_FAST, PRIV_BULK, PRIV_SLOW, PRIV_CLASSES };
enum priv_request {
#define PRIV_REQUEST(name, class, in, out, text) PRIV_##name,
#include "priv/requests.def"
#undef PRIV_REQUEST
    PRIV_REQUESTS
};

/* ---- questions: from fibers --------------------------------------------------------------------------
 *
 * When the keeper dies its successor is asked again; E_TIMEOUT when no answer came in time, E_CANCELLED, E_AGAIN when
 * thousands wait already. */

/* HMAC-SHA256 of `text` under the SRS secret. E_NOT_FOUND: there is none; E_LIMIT. */
err priv_srs_mac(str text, unsigned char ret[PRIV_MAC_SIZE]) YIELDS;
/* True when `tag` is the beginning of that MAC, in constant time; at least 4 octets are compared. */
bool priv_srs_verify(str text, str tag) YIELDS;

/* The password that AUTH sends on a route, added to `out`; the caller wipes it. E_NOT_FOUND. */
err priv_password(str route, struct buf *out) YIELDS;

/* Makes the key that belongs to the certificate in ctx, an SSL_CTX of OpenSSL, serve it: each signature is a question,
 * asked from within the handshake while the fiber sleeps there. OpenSSL's error queue says why not. E_TLS. Any thread.
 */
struct ssl_ctx_st;
err priv_tls_key(struct ssl_ctx_st *ctx);

/* ---- secrets: in the keeper, or in process -------------------------------------------------------------- */

/* Everything that is secret in one generation of the configuration; copied. E_LIMIT, E_NOMEM, E_TLS (a key that is
 * none, or not the certificate's): nothing is changed. */
struct priv_login {
    str route; /* title */
    str password;
};
struct priv_pair {
    str cert, key; /* PEM; the certificate may be empty: the key is not compared with it */
    str name;      /* for messages */
};
struct priv_secrets {
    str srs; /* signs rewritten senders; empty: none */
    const struct priv_login *logins;
    size_t nlogins;
    const struct priv_pair *pairs;
    size_t npairs;
    bool lenient;    /* a pair that is not well is left out */
    struct buf *why; /* receives what is wrong; may be NULL */
};
/* The generation before this one keeps its keys until the next call, for handshakes that are under way. */
err priv_setup(const struct priv_secrets *s);
void priv_end(void); /* wipes them */

/* ---- the two ends --------------------------------------------------------------------------------------- */

/* Socket pairs by loop and class, made before both processes are forked and kept by their parent, so that a new keeper
 * finds what its predecessor had not yet read. */
struct priv_links {
    int n; /* loops */
    int worker[PRIV_LOOPS_MAX][PRIV_CLASSES], keeper[PRIV_LOOPS_MAX][PRIV_CLASSES];
};
err priv_links_open(struct priv_links *l, int loops);
void priv_links_close(struct priv_links *l, bool worker, bool keeper); /* these ends */

/* In the worker, before its loops run: from now on the keeper is asked. The descriptors are owned. */
err priv_connect(const struct priv_links *l);
/* In the keeper: starts `nthreads` threads per class, which answer until the process ends. E_NOMEM, E_IO. */
err priv_serve(const struct priv_links *l, int nthreads);

#endif
