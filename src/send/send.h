/*
 * send: the exits. A lease of the queue becomes a fiber here: it finds the hosts of its site, keeps one
 * connection, takes tickets and gives each back with the fate of its recipients. Also the reports that go
 * back to senders (RFC 3461 to 3464).
 */
#ifndef SEND_SEND_H
#define SEND_SEND_H
#include "queue/queue.h"

struct send {
    struct spool *spool;
    struct queue *queue;
    struct conf *(*conf)(void); /* the generation in force, with a reference */
    int mail_dir;               /* descriptor of DATA-DIR/mail */
};
void send_setup(const struct send *s); /* once, before the queue starts */

/* Opens sts.db in the data folder: MTA-STS policies kept over restarts. Before privileges are dropped for good. */
err sts_open(int dirfd, struct buf *why) BLOCKS;
void sts_close(void) BLOCKS;

/* The name of a route section, for priv's passwords: its title alone does not tell those with a `from` apart. */
void send_route_name(struct buf *out, const struct conf_route *v);

/* The three of struct queue_ops (queue/queue.h); arg is not used. */
void send_site(void *arg, str sender, str address, struct buf *ret_key, struct site_limits *ret_limits);
bool send_start(void *arg, struct lease *l);
err send_report(void *arg, const struct report *r) YIELDS;

#endif
