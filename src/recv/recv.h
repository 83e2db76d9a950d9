/*
 * recv: the server's side of SMTP (RFC 5321), LMTP (RFC 2033) and local submission: what accepts connections,
 * and one fiber for each of them.
 */
#ifndef RECV_RECV_H
#define RECV_RECV_H
#include "conf/conf.h"
#include "net/net.h"

struct recv_sink;
enum recv_kind {
    RECV_MX,         /* anybody may bring mail for our domains; relay-from may relay */
    RECV_SUBMISSION, /* only after authentication (RFC 6409) */
    RECV_LMTP,       /* only for our domains; an answer for each recipient */
    RECV_PROXY,      /* before another server, which says who may relay */
    RECV_WEB,        /* HTTPS: policies, no mail */
    RECV_LOCAL       /* unix socket: the peer's uid is the user */
};

/* What one listener offers: immutable, counted; a reload makes a new one. */
struct recv_listener;
struct recv_listener_config {
    struct conf *conf;                         /* a reference is taken */
    const struct conf_listener *conf_listener; /* within conf; NULL for RECV_LOCAL */
    enum recv_kind kind;
    struct tls_server *tls; /* NULL: no TLS here; a reference is taken */
    uint32_t tenant;
    const struct recv_sink *sink; /* recv/sink.h; NULL: messages are stored */
};
err recv_listener_new(struct recv_listener **ret, const struct recv_listener_config *c);
struct recv_listener *recv_listener_ref(struct recv_listener *l);
void recv_listener_drop(struct recv_listener **l);

/* A configured address over all loops and generations: what serves it now. Zero-initialise. */
struct recv_port {
    struct lock lock;
    struct recv_listener *now;
};
void recv_port_set(struct recv_port *p, struct recv_listener *l); /* takes over the caller's reference; any thread */

/* Accepts connections of a listening socket (owned from here on) and serves each in a fiber of this loop, until
 * the fiber is cancelled. Limits by address are counted over all loops. */
void recv_serve(struct recv_port *p, int fd) YIELDS;

/* One session on an open connection, which is closed at the end. The PROXY header, if any, was taken. */
void recv_session(struct conn *c, struct recv_listener *l) YIELDS;

/* The commands as a table for the manual: one line each. */
void recv_manual(struct buf *out);

/* Failed log-ins and blocks outlive the process: before counts_open (db/counts.h). */
void guard_keep(void);

#endif
