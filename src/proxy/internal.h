/* What the files of proxy share: servers and their health, links to them, a session's transaction. */
#ifndef PROXY_INTERNAL_H
#define PROXY_INTERNAL_H
#include "base/cleanup.h"
#include "base/text.h"
#include "proxy/proxy.h"
#include "wire/head.h"

enum { LINES_MAX = 900 };

/* ---- servers.c: what is known of each server, over all loops and generations ------------------------------- */

/* What a server said in EHLO; copied whole under the lock. */
struct ability {
    struct ehlo ehlo;
    bool secure;
    char lines[LINES_MAX]; /* keywords that recv does not know, each ended by '\n' */
};

struct server {
    struct server *next;
    char key[200]; /* of its upstream and its URL: one for all generations */
    struct lock lock;
    struct ability can; /* of the last connection */
    char why[160];      /* why it failed last; "": it did not */
    rt_time retry;      /* failed: not before then, unless there is no other */
    bool known;         /* `can` holds something */
    bool probed;        /* asked whether it relays for us */
    bool relays;        /* ... and it does */
    bool checking;      /* a fiber looks at it right now */
    int connections;    /* atomic */
};
struct server *server_of(const struct conf_upstream *u, size_t i); /* NULL without memory */
bool server_is_up(struct server *s);
void server_failed(struct server *s, const struct conf_upstream *u, const char *why);
void server_works(struct server *s, const struct conf_upstream *u, const struct ability *can);
bool server_ability(struct server *s, struct ability *ret); /* false: not known yet */
/* The order in which the servers of an upstream are to be tried: indices into `via`. Returns how many. */
enum { SERVERS_MAX = 16 };
size_t servers_order(const struct conf_upstream *u, const struct ip *client, uint8_t order[SERVERS_MAX]);

/* ---- link.c, hello.c, pool.c: a connection to a server ------------------------------------------------------ */

struct link {
    struct conn conn;
    struct idle idle;
    struct reply_parser in; /* in.r is the last reply */
    struct ability can;
    struct server *server;
    struct conf *conf; /* a reference: `up` lies in it */
    const struct conf_upstream *up;
    rt_time patience;                 /* for a reply to a command */
    uint64_t session;                 /* that it serves, for transcripts; 0: none */
    uint32_t transactions;            /* begun here */
    bool counted;                     /* in server->connections */
    bool gone;                        /* said 421, or does not speak SMTP: no further word to it */
    bool open_tx;                     /* a transaction stands there that gets no message: RSET goes first */
    bool own;                         /* it knows of this client (AUTH, XCLIENT, PROXY, pass): not for others */
    char xclient[160], xforward[160]; /* attributes that it takes; "" none */
    char via[160];                    /* "127.0.0.1:2531", for log and errors */
    char why[480];                    /* what went wrong last, as the text of a reply */
};

/* A link to a server of `u` that is ready for MAIL: one of the pool's, or a new one (always with `fresh`). NULL: *r is
 * the answer for the client, 451 4.4.1 or what the last server said. */
struct link *link_get(const struct conf_upstream *u, struct conf *c, const struct source *src, bool fresh,
                      struct reply *r) YIELDS;
/* Gives it back: to the pool when another session may have it, else it ends, with QUIT where that is in order. */
void link_put(struct link **l);
/* At once and without a word: half a message may stand there, which must never look whole. */
void link_drop(struct link **l);
/* False when the server has closed or spoken unasked. */
bool link_alive(struct link *l);
/* The next whole reply into l->in.r. E_PROTOCOL: the peer does not speak SMTP. */
err link_reply(struct link *l, rt_time span) YIELDS;
/* All that the server has said was an answer: before something is sent when no reply is due. After false no further
 * word to it, because whatever it says is an answer to something else. */
bool link_in_step(struct link *l);
/* A line (CRLF and all), and the reply to it. */
err link_ask(struct link *l, str line) YIELDS;
/* One connection to one server, for the pool and for looks at its health. `src` may be NULL. */
err link_open(struct link **ret, const struct conf_upstream *u, size_t i, struct conf *c,
              const struct source *src) YIELDS;
err link_hello(struct link *l, bool implicit_tls, bool clear, const struct source *src) YIELDS; /* hello.c */
err link_ehlo(struct link *l, const char *verb, str name) YIELDS; /* the reply in l->in.r */
err link_trouble(struct link *l, err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void link_xforward(struct buf *out, const struct link *l, const struct source *src); /* the whole command */

/* ---- session.c: a client's session ---------------------------------------------------------------------------- */

enum expect_kind { EXPECT_RSET, EXPECT_XFORWARD, EXPECT_MAIL, EXPECT_RCPT, EXPECT_DROP };
struct expect { /* a command whose reply has not been read (DROP: it was not sent); in tx->arena */
    struct expect *next;
    enum expect_kind kind;
    bool quiet; /* the client was answered already */
    str line;   /* without CRLF */
};

struct front {
    const struct conf_listener *listener;
    bool pass, routed; /* routed: the first recipient chooses the upstream */
    const struct conf_upstream *up;
    struct link *link;
    struct expect *first, **last; /* replies due, oldest first */
    struct expect *spare;         /* no memory for one: never more than this */
    uint32_t asked;               /* RCPTs among them */
    str mail_args;                /* of MAIL, while it is held back (routed), or for a store */
    struct mail_cmd mail;
    bool mail_held;
    bool mailed;      /* MAIL was sent in this transaction */
    bool data_asked;  /* DATA was written, its reply not read */
    bool dead;        /* the transaction is over: `refusal` says why */
    bool stored;      /* it went over to the spool */
    bool begun;       /* octets may go to the server */
    bool bdat;        /* by BDAT, as it is BINARYMIME */
    bool head_done;   /* the header was judged and sent */
    bool held;        /* intake gathers the message, and nothing goes out before its end */
    bool readdressed; /* a rule changed the envelope */
    uint32_t chunks;  /* BDAT replies due */
    uint32_t count;   /* transactions of the session */
    struct data_out out;
    struct buf head;      /* header block until it is whole */
    struct reply refusal; /* from here on: kept from one transaction to the next */
    char lines[LINES_MAX];
};
static inline struct front *front_of(const struct recv_client *k) { return k->own; }

/* The transaction ends here: every later command gets *r. */
void front_dead(struct front *f, const struct reply *r);
/* The server went away while it was asked something: 451 4.4.2, and the link is gone. */
void front_lost(struct recv_client *k, struct reply *r);
/* A reply on its way to the client: 421 ends the session in pass, and is a 451 elsewhere; 3xx is a mistake. */
void front_relay(struct recv_client *k, struct reply *r);

/* ---- envelope.c, rcpt.c: MAIL, RCPT and their answers
 * ------------------------------------------------------------------ */

enum recv_take envelope_mail(struct recv_client *k, const struct mail_cmd *m, str args, struct reply *r) YIELDS;
enum recv_take envelope_rcpt(struct recv_client *k, const struct rcpt_cmd *m, str args, struct reply *r) YIELDS;
/* Reads until an answer for the client is there. False: it was to MAIL, and there is no transaction. */
bool envelope_answer(struct recv_client *k, str *ret_what, struct reply *r) YIELDS;
void envelope_ahead(struct recv_client *k) YIELDS;
/* MAIL (behind RSET and XFORWARD, where these are due) on a link that is there then. */
enum recv_take envelope_send_mail(struct recv_client *k, bool quiet, struct reply *r) YIELDS;
/* Writes a command whose reply is read in its turn. False: out of memory. */
bool envelope_expect(struct recv_client *k, enum expect_kind kind, bool quiet, str line) YIELDS;
/* The reply at once, when nothing may be put off. */
enum recv_take envelope_settle(struct recv_client *k, bool may_wait, struct reply *r) YIELDS;
void envelope_no_memory(struct recv_client *k, struct reply *r);
/* RSET, and the envelope of the transaction as a rule made it. False: refused, *r says how. */
bool envelope_again(struct recv_client *k, struct reply *r) YIELDS;

/* ---- data.c --------------------------------------------------------------------------------------------------- */

bool data_begin(struct recv_client *k, enum data_mode mode, struct reply *r) YIELDS;
size_t data_feed(struct recv_client *k, str wire) YIELDS;
bool data_ok(struct recv_client *k, struct reply *r);
bool data_commit(struct recv_client *k, struct reply *r) YIELDS;

/* data_commit's end: what makes the message whole there, and the answer to it. */
bool data_end(struct recv_client *k, struct reply *r) YIELDS;
/* DATA (or nothing, before BDAT) is said; false: refused. */
bool data_ask(struct recv_client *k, struct reply *r) YIELDS;
void data_put(struct recv_client *k, str octets) YIELDS;
bool data_wants_trace(const struct front *f);

/* ---- held.c: messages that a check or a rule may change or must read as a whole -------------------------------------
 */

bool held_wanted(const struct recv_client *k);
bool held_commit(struct recv_client *k, struct reply *r) YIELDS;

/* ---- pass.c --------------------------------------------------------------------------------------------------- */

bool pass_command(struct recv_client *k, str verb, str args, struct reply *r) YIELDS;
/* AUTH may be offered: the server has it, and it is not less protected here than there. */
bool pass_can_auth(const struct recv_client *k, const struct ability *a);

#endif
