/* What the files of net share: the TLS side of a connection, and the buffers of a loop. */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H
#include "net/net.h"

/* ---- conn.c ---- */

/* Keeps the first error of a connection and returns it. */
err conn_fail(struct conn *c, err e);
/* Begins the rest of a connection whose io is open. */
void conn_begin(struct conn *c, const struct sockaddr_storage *peer);

/* ---- tls.c: the same three steps that a plain socket has; none of the first two sleeps ---- */

/* OK with *ret_n > 0; E_AGAIN: tls_wait tells when to try again; E_CLOSED after close_notify; E_RESET when the
 * stream ended without one; E_TLS. The caller keeps an error. */
err tls_try_read(struct conn *c, void *p, size_t n, size_t *ret_n);
err tls_try_write(struct conn *c, const void *p, size_t n, size_t *ret_n);
err tls_wait(struct conn *c) YIELDS;      /* for what the last try or step asked for */
bool tls_has_input(const struct conn *c); /* octets were read from the socket and not yet returned */
size_t tls_pending(const struct conn *c); /* octets decrypted and not yet returned */
void tls_bye(struct conn *c) YIELDS;      /* close_notify, not waiting for the peer's */
void tls_free(struct conn *c);

#endif
