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
    PRIV_FILES_MAX = 100,    /* of accounts */
    PRIV_FILE_LINES_MAX = 200000,
    PRIV_KEYS_MAX = 1000, /* keys of TLS certificates */
    PRIV_LOOPS_MAX = 64,
    PRIV_MAIL_KEYS_MAX = 10000, /* of those that the server made, in memory at once */
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

/* Signs the SHA-256 hash of a message by the key of this name, as sign_key_sign does. E_NOT_FOUND: there is none. */
err priv_mail_sign(str name, const unsigned char hash[PRIV_MAC_SIZE], struct buf *out) YIELDS;
/* The keeper's own keys for mail (rotation), by the names under which they are published. Made unless it is there: RSA
 * of 2048 bits or Ed25519; its record is added. Removed for good; harmless when there is none. E_UNSUPPORTED: no folder
 * for them (priv_mail_keys_open); E_SYNTAX, E_LIMIT: not such a name; E_EXISTS: it is of the other kind; E_IO. */
err priv_dkim_make(str name, bool rsa, struct buf *record) YIELDS;
err priv_dkim_drop(str name) YIELDS;
/* In the keeper, before it serves. */
void priv_mail_keys_open(int dirfd);

/* ACME (RFC 8555): the account's public key as x and y; a signature (r and s) of a SHA-256 digest by it; a request for
 * a certificate (DER) for these names by the certificate's own key; and the chain (PEM) to keep, which must be that
 * key's. Both keys are made at the first time. E_UNSUPPORTED: no folder for them (priv_acme_open); E_TLS, E_IO. */
err priv_acme_key(unsigned char ret[64]) YIELDS;
err priv_acme_sign(const unsigned char digest[32], unsigned char ret[64]) YIELDS;
err priv_acme_csr(const str *names, size_t n, struct buf *out) YIELDS;
err priv_acme_store(str chain) YIELDS;
/* The MAC (HS256) of a text by the key that an authority gave for external account binding (RFC 8555 7.3.4).
 * E_NOT_FOUND: there is none. */
err priv_acme_mac(str text, unsigned char ret[PRIV_MAC_SIZE]) YIELDS;
/* In the keeper, before it serves: where the two keys and the chain lie. */
void priv_acme_open(int dirfd);

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
struct priv_signer { /* a key that signs mail */
    str name;        /* as priv_mail_sign gives it: SELECTOR._domainkey.DOMAIN */
    str key;         /* PEM or base64 */
    bool rsa;        /* what it has to be; else Ed25519 */
};
struct priv_file { /* of accounts: "NAME:HASH" a line, as Dovecot's passwd-file */
    str title;     /* of the source */
    str text;      /* p NULL: it could not be read */
};
struct priv_secrets {
    str srs; /* signs rewritten senders; empty: none */
    str eab; /* base64url: the key of ACME's external account binding; empty: none */
    const struct priv_login *logins;
    size_t nlogins;
    const struct priv_pair *pairs;
    size_t npairs;
    const struct priv_signer *signers;
    size_t nsigners;
    const struct priv_file *files;
    size_t nfiles;
    bool lenient;    /* a pair that is not well is left out */
    struct buf *why; /* receives what is wrong; may be NULL */
};
/* The generation before this one keeps its keys until the next call, for handshakes that are under way. */
err priv_setup(const struct priv_secrets *s);
void priv_end(void); /* wipes them */

/* ---- passwords of accounts: asked from fibers, or in process ----------------------------------------------- */

enum {
    PRIV_ACCOUNT_MAX = 400,   /* octets of "local@domain" */
    PRIV_TITLE_MAX = 64,      /* of the title of a credential */
    PRIV_PASSWORD_MAX = 500,  /* of a password; crypt(3) takes 511 */
    PRIV_HASH_MAX = 384,      /* of its stored form */
    PRIV_CREDENTIALS_MAX = 16 /* of one account */
};

/* One password of an account as it is kept: a hash for crypt(3) and a SCRAM-SHA-256 verifier
 * ("SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY", base64); either may be empty. The title is empty for the
 * account's own password, else it names a credential of one application or device. */
struct priv_secret {
    str account, title, hash, scram;
    bool disabled;
};

/* In the keeper, and in a process that has none: opens (makes) secrets.db in the data folder. *why in words. */
err priv_secrets_open(int data_dir, struct buf *why) BLOCKS;
void priv_secrets_close(void) BLOCKS;

/* Names are compared without regard to ASCII case. */
/* Hashes a password and keeps it in place of the one before. E_LIMIT: longer than a password may be; E_SYNTAX: a NUL
 * in it, or none at all; E_QUEUE_FULL: the account has too many. */
err priv_secret_set(str account, str title, str password) YIELDS;
err priv_secret_put(const struct priv_secret *s) YIELDS;        /* E_SYNTAX: not stored forms */
err priv_secret_enable(str account, str title, bool on) YIELDS; /* E_NOT_FOUND */
/* NULL for all titles. E_NOT_FOUND: there was none. */
err priv_secret_remove(str account, const str *title) YIELDS;
/* Those of one account (or of all: ""), sorted by account, then title. Only for an operator; in `a`. */
struct arena;
err priv_secret_list(struct arena *a, str account, struct priv_secret **ret, size_t *ret_n) YIELDS;

/* An account of a file that is a source. `bare`: how it may be called there, too; "" only by its address. `password`
 * NULL: is there such an account? OK: yes, and the password, if one was asked about, is right; E_NOT_FOUND; E_DENIED:
 * it is wrong, or the line has none that we understand; anything else: later. */
err priv_file_account(str title, str address, str bare, const str *password) YIELDS;

/* ---- SASL (RFC 4422), the server's side ----------------------------------------------------------------------- */

enum priv_mech {
    PRIV_PLAIN,       /* RFC 4616 */
    PRIV_LOGIN,       /* as everybody does it */
    PRIV_SCRAM,       /* SCRAM-SHA-256 (RFC 5802, 7677) */
    PRIV_SCRAM_PLUS,  /* ... bound to the TLS connection (RFC 9266) */
    PRIV_OAUTHBEARER, /* RFC 7628; tokens have no secret of ours in them: room oauth judges these two */
    PRIV_XOAUTH2,
    PRIV_MECH_COUNT
};
const char *priv_mech_name(enum priv_mech m);
bool priv_mech_find(str name, enum priv_mech *ret); /* without regard to ASCII case */

enum priv_result {
    PRIV_MORE,  /* send the challenge, bring the answer */
    PRIV_DONE,  /* proven: sasl->account; `out` may hold a last word that the client wants first */
    PRIV_WRONG, /* the proof is wrong, or there is no such account: nobody is told which */
    PRIV_BAD,   /* not a message of this mechanism */
    PRIV_DOWN   /* a source of passwords does not answer, or there is no memory: later */
};
struct priv_sasl {
    enum priv_mech mech;
    bool bound;                /* `binding` is known: TLS is there */
    unsigned char binding[32]; /* tls-exporter */
    str domain;                /* completes a bare user name; at most 255 octets */
    int round;
    uint64_t id;                        /* of the exchange in the keeper; 0: none */
    char account[PRIV_ACCOUNT_MAX + 1]; /* who it claims to be, as soon as that is known; lower case */
    char title[PRIV_TITLE_MAX + 1];     /* the credential named, in the end that which fitted; "": the own password */
};
/* True when the next step verifies a password, which costs some 50 ms of a processor: see to it that one client does
 * not keep all of them busy. */
bool priv_sasl_is_costly(const struct priv_sasl *s);
/* Does a password fit a hash that was kept elsewhere? 0: yes; E_DENIED: no; anything else: later. */
err priv_hash_check(str hash, str password) YIELDS;
/* Of a costly step, instead of it and at no cost: PRIV_DONE when this password was found right within the last hour and
 * was not changed since; PRIV_WRONG: nothing is known, ask by priv_sasl_step. */
enum priv_result priv_sasl_again(struct priv_sasl *s, str in) YIELDS;
/* The first step has p == NULL when the client gave no initial response. *out: the next challenge. After anything but
 * PRIV_MORE only priv_sasl_end may follow. */
enum priv_result priv_sasl_step(struct priv_sasl *s, str in, struct buf *out) YIELDS;
void priv_sasl_end(struct priv_sasl *s) YIELDS; /* any time, any number of times */

/* ---- files of the folder of secrets ------------------------------------------------------------------ */

/* Whole and durable, in place of the old one; when it fails the old one is there as before. */
err priv_file_write(int dir, const char *name, str text) BLOCKS;

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
