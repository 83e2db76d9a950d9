/*
 * proxy: a listener that stands before other servers. A session of recv has its transactions carried by a live
 * session with one of them, and the client gets that server's answers: nothing is acknowledged that the server behind
 * has not acknowledged. Everything is framed anew on its way.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H
#include "ctl/ctl.h"
#include "recv/recv.h"
#include "recv/sink.h"

/* What a listener's sessions are carried by; NULL: messages are stored (no proxy, or proxy-mode = "store"). */
const struct recv_sink *proxy_sink(const struct conf_listener *l);

/* Looks after the servers behind until the fiber is cancelled: first contact, and whether one that failed is back.
 * Once in a process, on loop 0. `conf` gives the generation in force with a reference. */
void proxy_watch(struct conf *(*conf)(void)) YIELDS;

/* The servers of a generation, for `status`. Any loop. */
size_t proxy_servers(const struct conf *c, struct ctl_upstream *v, size_t max);

#endif
