/* What the files of send share: routes, hops, peers and jobs. */
#ifndef SEND_INTERNAL_H
#define SEND_INTERNAL_H
#include "net/net.h"
#include "send/send.h"
#include "wire/data.h"
#include "wire/mime.h"
#include "wire/reply.h"
#include "wire/url.h"

extern struct send send_world;

/* ---- route.c: which way a recipient's mail goes ---------------------------------------------------- */

enum way {
    WAY_DISCARD,
    WAY_MAILDIR,
    WAY_FIXED,  /* hosts of the configuration */
    WAY_MX,     /* hosts by DNS */
    WAY_BACKUP, /* the same, but only hosts preferred to ourselves */
    WAY_LOST,   /* the configuration no longer has it */
};
enum tls_level { LEVEL_MAY, LEVEL_NONE, LEVEL_REQUIRE, LEVEL_VERIFY }; /* as in conf/keys.def */

struct route {
    enum way way;
    str domain;                      /* of the recipient, lower case; WAY_MX, WAY_BACKUP: whose MX */
    const struct conf_domain *local; /* one of our own domains, or NULL */
    const struct conf_route *via;    /* the route section, or NULL */
    enum tls_level tls;
};
void route_find(const struct conf *c, str sender, str address, struct route *ret);
/* The site's key: `mx DOMAIN`, `route TITLE`, `route TITLE mx DOMAIN`, `domain NAME`, `maildir NAME`, `backup NAME`,
 * `discard`. */
void route_key(struct buf *out, const struct route *r);
/* From a key back to a route; views point into `key` and the configuration. WAY_LOST when it is no longer there. */
void route_of_key(const struct conf *c, str key, struct route *ret);
void route_limits(const struct conf *c, const struct route *r, struct site_limits *ret);

/* ---- hops.c: the addresses to try, best first -------------------------------------------------------- */

#define HOPS_MAX 16
struct hop {
    struct sockaddr_storage to; /* AF_UNIX for lmtp:///path */
    str host;                   /* its name, for SNI, log and reports */
    bool tls, lmtp;             /* implicit TLS; LMTP is spoken */
};
struct hops {
    struct hop v[HOPS_MAX];
    size_t n;
    struct arena arena;
    str why; /* what a failure means, for people: "no MX host of example.com has an address" */
};
/* OK with at least one hop; E_DNS_*, E_NULL_MX, E_LOOP, E_PRIVATE: by class temporary or for good. */
err hops_find(const struct conf *c, const struct route *r, struct hops *ret) YIELDS;
void hops_free(struct hops *h);

/* ---- peer.c: a connection that is ready for transactions -------------------------------------------------- */

struct peer {
    struct conn conn;
    struct conf *conf;
    struct route route;
    struct ehlo ehlo;
    struct reply_parser in; /* in.r is the last reply */
    struct tls_info tls;
    bool lmtp, secure, open;
    bool gone; /* the server said 421, or half a message was sent: close without a word */
    uint32_t transactions;
    char host[256]; /* the name that was asked for; Remote-MTA of reports */
    char via[384];  /* host[address]:port, for the log */
    char why[512];  /* what went wrong last, for people */
};
/* Connects to the first hop that takes us: greeting, EHLO, STARTTLS and AUTH as the route asks. E_PERM-class errors
 * only when every hop refused for good. p->why says what happened. */
err peer_open(struct peer *p, const struct hops *h) YIELDS;
void peer_close(struct peer *p, bool quit) YIELDS;
/* The next whole reply into p->in.r, waiting at most `span`. E_SYNTAX: the peer does not speak SMTP. */
err peer_reply(struct peer *p, rt_time span) YIELDS;
/* False when the server has closed or spoken while the connection was idle. */
bool peer_alive(struct peer *p);

/* ---- trans.c: one message over a peer ------------------------------------------------------------------------- */

#define TRANS_RCPT_MAX 1024 /* recipients of one transaction; queue.recipients-per-message is below */
struct trans {
    struct ticket *ticket;
    struct spool_reader reader;
    struct mime *mime; /* NULL: as stored */
    struct data_out out;
    str sender;                          /* reverse-path of this transaction */
    uint64_t size;                       /* octets as stored */
    uint64_t asked[TRANS_RCPT_MAX / 64]; /* recipients that are named to the server at all */
    uint64_t took[TRANS_RCPT_MAX / 64];  /* ... and that it accepted */
    uint32_t nto;                        /* the first nto of the ticket's recipients take part */
    uint32_t step, nstep, accepted;
    bool utf8, bdat, binary, stuff, opened;
    bool mail_ok, go; /* MAIL was accepted; the body may be sent */
    bool reset;       /* the transaction needs RSET before the next one */
};
/* Opens the message and writes as much of its envelope as may be written at once. Not OK: every recipient has its fate
 * already, and the connection is as before (or has failed: p->conn.e). */
err trans_begin(struct peer *p, struct trans *j, struct ticket *t) YIELDS;
err trans_envelope(struct peer *p, struct trans *j) YIELDS; /* reads the answers to it, up to 354 */
err trans_body(struct peer *p, struct trans *j) YIELDS; /* writes the message and its end; may leave it in the buffer */
err trans_end(struct peer *p, struct trans *j) YIELDS;  /* reads the answer(s) to the end; all fates are set */
void trans_free(struct trans *j);

/* ---- outcome.c: the only place where replies and errors become fates ------------------------------------------- */

enum stage { STAGE_CONNECT, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_END };
/* By the book: class of the reply, with the exceptions of RFC 5321 4.2 and 4.5.3.1.10. */
enum fate outcome_of_reply(const struct reply *r, enum stage at);
/* For recipients without a fate yet (index < 0: all of them). */
void outcome_set(struct ticket *t, int index, enum fate f, str reply, str remote);
void outcome_set_reply(struct peer *p, struct ticket *t, int index, enum fate f);
/* "451 4.4.2 connection lost while sending the message": our own words for an error. */
void outcome_set_err(struct peer *p, struct ticket *t, err e, const char *while_doing);
void outcome_log(const struct ticket *t, str sender, str via, str tls, int64_t arrived_ms);

/* ---- convert.c -------------------------------------------------------------------------------------------------- */

/* The first pass of wire/mime over the message of `r`, which is open again at its start afterwards (if at all: check
 * the error). E_UNSUPPORTED, E_LIMIT: it cannot be converted (bounce with 5.6.3). */
err convert_open(struct spool_reader *r, uint64_t id, struct body *mem, struct mime **ret) YIELDS;

/* ---- the other exits --------------------------------------------------------------------------------------------- */

void maildir_run(struct lease *l, struct conf *c, const struct route *r) YIELDS; /* maildir.c */

#endif
