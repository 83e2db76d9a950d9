/* What the files of TLS share: a session, and the contexts that it is made from. */
#ifndef NET_TLS_H
#define NET_TLS_H
#include "net/internal.h"

#include <openssl/ssl.h>

enum { TLS_WHO = 32 }; /* octets of what names a server and how it was verified */

struct tls_session {
    SSL *ssl;
    struct conn *c;
    struct tls_server *server; /* counted; NULL: we are the client */
    err io_e;                  /* what the socket said last, when it failed */
    bool eof;                  /* the stream ended without close_notify */
    bool want_write;           /* what the last step waits for */
    bool verified, resumes;    /* resumes: what the server gives for it is kept under `who` */
    unsigned char who[TLS_WHO];
    rt_time offered_until; /* of the session that was offered: what comes of it ends then, too */
};

/* ---- tls_ctx.c ---- */

SSL_CTX *tls_server_default(const struct tls_server *s);
/* The server name that a client asked for, and whether TLS_VERIFY holds, live in the SSL itself. */
SSL_CTX *tls_client_ctx(bool verify); /* shared, made at first use; NULL without memory */
/* The store of roots in a PEM text, kept for the next time; a reference of the caller's. */
err tls_store_of(const char *pem, X509_STORE **ret);
/* The first reason in OpenSSL's queue, which is then empty. */
void tls_reason(struct buf *ret_why);

/* ---- tls_resume.c ---- */

/* Before the handshake, when all else is set: offers a session of before, and remembers what comes of this one. */
void tls_resume(struct conn *c, const struct tls_client_config *cfg);
int tls_resume_keep(SSL *ssl, SSL_SESSION *s); /* OpenSSL's callback: 1 keeps the reference */

#endif
