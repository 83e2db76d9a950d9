/*
 * The one door: every message enters here, whatever brought it (a session, sendmail, a report of our
 * own). It judges sender and recipients against the configuration, keeps the octets, adds the trace,
 * and answers 250 only after the spool has made the message durable.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H
#include "conf/conf.h"
#include "queue/queue.h"
#include "spool/spool.h"
#include "wire/addr.h"
#include "wire/cmd.h"
#include "wire/data.h"
#include "wire/reply.h"

struct intake {                        /* the rooms behind the door; one per worker */
    struct spool *spool;
    struct queue *queue;
    struct conf *(*conf)(void);        /* the generation in force, with a reference */
};
void intake_setup(const struct intake *in);     /* once, before sessions */

/* Who brings a message; filled in by the entrance, constant during a transaction. */
struct source {
    const char *with;                  /* of Received: "ESMTPS" ...; "LOCAL" adds no client name */
    struct sockaddr_storage client;    /* after PROXY and XCLIENT */
    str client_text;                   /* as address literal content; "local" for the socket */
    str client_name;                   /* confirmed reverse name; empty: unknown */
    str helo, user, tls;               /* tls: "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: in clear */
    uint64_t session;                  /* for the log */
    uint32_t tenant;
    bool may_relay;                    /* trusted network, authenticated, or local */
    bool submitted;                    /* repair missing headers (RFC 6409 8) */
    bool lmtp;                         /* only our own domains */
};

/* One transaction: begun by MAIL, ended by commit or abort. All of its memory is in its arena. */
struct tx {
    struct arena arena;
    const struct source *source;
    struct conf *conf;
    bool open;                         /* MAIL was accepted */
    struct envelope env;               /* id 0 until the body begins */
    struct addr sender;
    uint32_t cap;                      /* of env.to */
    uint32_t accepted;                 /* RCPT commands accepted (before alias expansion) */
    struct body *body;
    struct data_in scan;
    uint32_t chunks;
    uint64_t announced;                /* SIZE; 0: none */
    err failed;                        /* the body cannot be kept any more: said at its end */
};

void tx_init(struct tx *t);            /* once for a session */
void tx_reset(struct tx *t);           /* the only end of a transaction; any time, any number of times */

/* Each fills *r with the answer and returns whether it is a 2xx. */
bool tx_mail(struct tx *t, const struct source *s, const struct mail_cmd *m, struct reply *r) YIELDS;
bool tx_rcpt(struct tx *t, const struct rcpt_cmd *m, struct reply *r) YIELDS;
/* Before 354 or the first BDAT: is there room? */
bool tx_body_begin(struct tx *t, struct reply *r);
/* Octets of the message itself (dots removed). Never refuses: trouble is remembered and said at the end. */
void tx_body(struct tx *t, str octets) YIELDS;
/* The end: checks, trace, durable, queued. *ret_id names it. For LMTP `r` holds for all recipients. */
bool tx_commit(struct tx *t, struct reply *r, uint64_t *ret_id) YIELDS;

/* A message made by ourselves (reports): header block and body as given, no checks, in the group of the caller, who
 * puts the group and then calls queue_accept. */
err intake_own(struct spool_group *g, const struct envelope *env, struct body *b);

#endif
