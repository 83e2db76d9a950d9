/*
 * Where the transactions of a session go. recv speaks SMTP with the client and keeps its rules; a sink takes the
 * envelope and the octets and gives the answers. The one of recv itself stands before intake: the message is stored.
 * The one of the proxy is a session with another server, whose answers the client gets.
 *
 * Both keep what they know of the transaction in struct tx, of which the session reads: arena, env.body, env.flags,
 * env.sender, open, accepted, refused, scan.done.
 */
#ifndef RECV_SINK_H
#define RECV_SINK_H
#include "intake/intake.h"
#include "intake/judge.h"
#include "net/net.h"

/* A session as its sink sees it. */
struct recv_client {
    struct conn *c;                       /* the client's connection */
    struct source *src;                   /* who it is; its strings may change while no transaction is open */
    struct conf **conf;                   /* the generation in force; taken anew by each MAIL */
    const struct conf_listener *listener; /* of the generation that the session began with ... */
    struct conf *home;                    /* ... this one */
    struct tx *tx;
    str shown;       /* the command as a transcript may show it; while it is handled */
    bool can_tls;    /* TLS is possible here and not active */
    void *own;       /* the sink's */
    const char *why; /* set by the sink: the session ends after this answer, for this reason; static */
};

/* What EHLO may offer beside what recv does alone (PIPELINING, CHUNKING, STARTTLS, XCLIENT, ENHANCEDSTATUSCODES). */
struct recv_offer {
    uint32_t caps;     /* enum cap of wire/reply.h: SIZE, 8BITMIME, SMTPUTF8, BINARYMIME, DSN, AUTH, LIMITS, VRFY */
    uint64_t size;     /* SIZE; 0: limits.message-size */
    uint32_t rcpt_max; /* LIMITS RCPTMAX; 0: limits.recipients */
    bool others;       /* parameters that are not known here go on to who offers them */
    str lines;         /* further lines of the answer, each ended by '\n'; the sink's memory */
};

enum recv_take {
    RECV_NO,   /* *r is a refusal */
    RECV_OK,   /* *r is a 2xx */
    RECV_LATER /* the answer comes by `answer`, in its turn */
};

struct recv_sink {
    /* A connection: *greeting is ours and may be replaced. False: it is a refusal, and the session ends. */
    bool (*open)(struct recv_client *k, struct reply *greeting) YIELDS;
    /* The end of the session; no transaction is open. */
    void (*close)(struct recv_client *k) YIELDS;
    /* EHLO, HELO or LHLO, whose name is in src->helo: what may be offered. r->code is 0; when it is set to a refusal
     * that is the answer, and a 2xx takes the place of the first line. */
    void (*hello)(struct recv_client *k, str verb, struct recv_offer *offer, struct reply *r) YIELDS;
    /* Any command but those of this table and EHLO, STARTTLS and XCLIENT, before recv's handler. True: *r is its
     * answer (code 0: all was said). May be NULL. */
    bool (*command)(struct recv_client *k, str verb, str args, struct reply *r) YIELDS;
    /* `args` is what the client wrote behind MAIL or RCPT. The transaction's memory is tx->arena. */
    enum recv_take (*mail)(struct recv_client *k, const struct mail_cmd *m, str args, struct reply *r) YIELDS;
    bool judges_rcpt; /* `rcpt` asks the pipeline, when it knows that there is such a recipient; else it was asked
                         before */
    enum recv_take (*rcpt)(struct recv_client *k, const struct rcpt_cmd *m, str args, struct reply *r) YIELDS;
    /* The oldest answer that was put off: *what is the command. False: it was to MAIL, and there is no transaction;
     * the answers behind it come all the same. NULL in a sink that never says RECV_LATER. */
    bool (*answer)(struct recv_client *k, str *ret_what, struct reply *r) YIELDS;
    /* DATA was said while answers are due: may ask ahead of them. May be NULL. */
    void (*ahead)(struct recv_client *k) YIELDS;
    /* As tx_body_begin, tx_feed, tx_body_ok, tx_commit of intake. *r of body_begin may be set to a 354. */
    bool (*body_begin)(struct recv_client *k, enum data_mode mode, struct reply *r) YIELDS;
    size_t (*feed)(struct recv_client *k, str wire) YIELDS;
    /* As tx_room and tx_took: where octets may be read to directly; NULL: they are fed. Both may be NULL. */
    char *(*room)(struct recv_client *k, size_t *ret_n)YIELDS;
    size_t (*took)(struct recv_client *k, size_t n) YIELDS;
    bool (*body_ok)(struct recv_client *k, struct reply *r) YIELDS;
    bool (*commit)(struct recv_client *k, struct reply *r) YIELDS;
    /* The end of a transaction, whatever it was; also without one. */
    void (*reset)(struct recv_client *k) YIELDS;
};

extern const struct recv_sink recv_store; /* messages are kept, and answered for by the spool */

#endif
