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
    /* Mail to an address of report.received, whole. OK: it is kept; E_EXISTS: it was none, and the postmaster has it
     * now (durable); anything else: later. May be NULL. */
    err (*received)(const struct envelope *env, str octets) YIELDS;
};
void send_setup(const struct send *s); /* once, before the queue starts */

/* What a session with a server found by MX was, for TLS reports (RFC 8460). Strings are valid during the call. */
enum send_policy { SEND_POLICY_NONE, SEND_POLICY_STS, SEND_POLICY_TLSA };
struct send_seen {
    str domain; /* of the recipients, A-labels: who may have asked for reports */
    enum send_policy policy;
    str policy_domain; /* whose policy; of TLSA the base domain of the records */
    str lines, hosts;  /* policy-string and mx-host of a report, a line each */
    str result;        /* a result type of 4.3; "": TLS went as the policy wants */
    str sending_ip, receiving_ip, mx, reason;
};
/* `seen` is called on any loop and must not wait. Once, before the queue starts. */
void send_observe(void (*seen)(const struct send_seen *s));

/* Opens sts.db in the data folder: MTA-STS policies kept over restarts. Before privileges are dropped for good. */
err sts_open(int dirfd, struct buf *why) BLOCKS;
void sts_close(void) BLOCKS;

/* The name of a route section, for priv's passwords: its title alone does not tell those with a `from` apart. */
void send_route_name(struct buf *out, const struct conf_route *v);

/* The three of struct queue_ops (queue/queue.h); arg is not used. */
void send_site(void *arg, bool lax, str way, str sender, str address, struct buf *ret_key,
               struct site_limits *ret_limits);
bool send_start(void *arg, struct lease *l);
err send_report(void *arg, const struct report *r) YIELDS;

#endif
