/*
 * Non-blocking connections for the load tools: a socket, TLS when wanted, and two buffers. Only
 * loopback addresses are accepted: these tools make load, and no other machine is their business.
 */
#ifndef TOOLS_NETIO_H
#define TOOLS_NETIO_H
#include "base/buf.h"
#include <openssl/ssl.h>

struct stream {
    int fd;             /* -1: none */
    SSL *ssl;           /* NULL: in clear */
    struct buf in, out; /* octets read and not yet used; octets to be written from out_off on */
    size_t out_off;
    bool shaking;    /* the TLS handshake is not finished */
    bool want_write; /* TLS needs the socket to be writable before it can go on */
};

#define STREAM_IN_MAX (1u << 20)

double now_s(void);                                                 /* CLOCK_MONOTONIC in seconds */
bool parse_hostport(const char *arg, char host[64], int *ret_port); /* "127.0.0.1:25" or "[::1]:25", loopback only */
int listen_on(const char *host, int port);                          /* SO_REUSEPORT; -1 with a message on stderr */
int connect_to(const char *host, int port);                         /* begins a connect; -1 on immediate failure */

void stream_init(struct stream *s, int fd);
void stream_close(struct stream *s);
bool stream_tls(struct stream *s, SSL_CTX *ctx, bool server); /* begins a handshake */
bool stream_fill(struct stream *s);                           /* reads what is there; false at the end or on an error */
bool stream_flush(struct stream *s);                          /* writes what it can; false on an error */
static inline bool stream_pending(const struct stream *s) { return s->want_write || s->out_off < s->out.n; }

/* A reply or command line at the front of `in`, without CRLF; false when none is whole yet. *ret_used
 * is how many octets to drop afterwards. A bare LF ends a line too: the tools judge elsewhere. */
bool stream_line(const struct stream *s, size_t from, str *ret_line, size_t *ret_used);

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
