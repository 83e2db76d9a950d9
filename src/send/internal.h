/* What the files of send share: routes, hops, peers, transactions and what becomes of recipients. */
#ifndef SEND_INTERNAL_H
#define SEND_INTERNAL_H
#include "net/net.h"
#include "send/send.h"
#include "wire/data.h"
#include "wire/mime.h"
#include "wire/reply.h"
#include "wire/sts.h"
#include "wire/url.h"

extern struct send send_world;

/* ---- route.c: which way a recipient's mail goes ---------------------------------------------------- */

enum way {
    WAY_DISCARD,
    WAY_MAILDIR,
    WAY_FIXED,   /* hosts of the configuration */
    WAY_MX,      /* hosts by DNS, perhaps beside some of the configuration */
    WAY_BACKUP,  /* hosts by DNS, but only those preferred to ourselves */
    WAY_REPORTS, /* an address of report.received: kept in reports.db */
    WAY_LOST,    /* the configuration no longer has it */
};
/* As enum conf_tls_out, and what TLSA records ask for. */
enum tls_level { LEVEL_MAY, LEVEL_NONE, LEVEL_REQUIRE, LEVEL_VERIFY, LEVEL_DANE };

#define ROUTE_DOMAIN_MAX 256
#define ROUTE_NAME_MAX 300 /* of a section: its title, and what tells it from others of that title */

struct route {
    enum way way;
    str domain;                      /* of the recipient, A-labels in lower case; of ways by MX: whose MX */
    const struct conf_domain *local; /* one of our own domains, or NULL */
    const struct conf_route *via;    /* the route section, or NULL */
    enum tls_level tls;
    bool lax; /* of WAY_MX without a route section: neither DANE nor MTA-STS is kept to (RFC 8460 5.3) */
};
/* ret->domain lies in `mem`. */
void route_find(const struct conf *c, bool lax, str way, str sender, str address, char mem[ROUTE_DOMAIN_MAX],
                struct route *ret);
/* The site's key: `mx DOMAIN`, `lax DOMAIN`, `reports`, `route NAME`, `route NAME mx DOMAIN`, `domain NAME`, `maildir
 * NAME`, `backup NAME`, `discard`. */
void route_key(struct buf *out, const struct route *r);
/* From a key back to a route; views point into `key` and the configuration. WAY_LOST when it is no longer there. */
void route_of_key(const struct conf *c, str key, struct route *ret);
void route_limits(const struct conf *c, const struct route *r, struct site_limits *ret);
/* True when what takes the mail is a mailbox, not a server that passes it on (RFC 3464 2.3.3: delivered, relayed). */
bool route_is_final(const struct route *r);

/* ---- hops.c: the addresses to try, best first -------------------------------------------------------- */

/* What the TLSA records of a server ask for: TLS, and with n > 0 a certificate that fits one of them. */
struct dane {
    str base; /* domain of the records */
    struct tls_tlsa *v;
    size_t n; /* those that can be used */
};
/* dane.c. `addresses`: the answer with those of the host. OK and NULL: nothing is asked. E_DNS_TEMP, E_DNS_BOGUS:
 * nobody knows, the host must not be used now. */
err dane_find(const struct conf *c, struct arena *a, str host, const struct dns_answer *addresses, uint16_t port,
              struct dane **ret) YIELDS;

/* sts.c. The question that begins it, with its name in the call's arena; E_SYNTAX: there is no such name. */
err sts_question(struct dns_call *c, str domain);
/* `asked`: that question. OK and NULL: the domain has no MTA-STS policy, or one of mode none. *ret_text: its text.
 * E_CANCELLED, E_NOMEM. */
err sts_find(const struct conf *c, struct arena *a, str domain, const struct dns_call *asked, struct sts_policy **ret,
             str *ret_text) YIELDS;

#define HOPS_MAX 16
struct hop {
    struct sockaddr_storage to; /* AF_UNIX for lmtp:///path */
    str host;                   /* its name, for SNI, log and reports */
    uint16_t preference;        /* of its MX record */
    bool tls, lmtp;             /* implicit TLS; LMTP is spoken */
    bool found;                 /* by DNS; else the configuration named it */
    const struct dane *dane;    /* NULL: none */
    bool sts;                   /* an MTA-STS policy that is enforced wants its certificate valid */
    bool unnamed;               /* by an MTA-STS policy that is only tested */
};
struct hops {
    struct hop v[HOPS_MAX];
    size_t n;
    struct arena arena;
    const struct sts_policy *policy; /* MTA-STS, tested or enforced; NULL: none */
    str policy_text;
    bool forever;  /* not OK, and it will never be otherwise: mail this way fails */
    char why[600]; /* not OK: a reply of our own, "451 4.4.3 example.com: DNS lookup failed" */
};
/* OK with at least one hop; E_DNS_*, E_NULL_MX, E_LOOP, E_PRIVATE, E_UNREACHABLE, E_NOMEM. */
err hops_find(const struct conf *c, const struct route *r, struct hops *ret) YIELDS;
void hops_free(struct hops *h);
/* True when a connection between these two ends at a listener of our own that takes mail at every address. */
bool hop_is_own(const struct conf *c, const struct sockaddr_storage *from, const struct sockaddr_storage *to);

/* ---- peer.c, hello.c: a connection that is ready for transactions ------------------------------------------ */

struct peer {
    struct conn conn;
    struct conf *conf;
    struct route route;
    enum tls_level level;    /* of this server: the route's, or more by DANE or MTA-STS */
    bool sts;                /* by MTA-STS */
    const struct dane *dane; /* of the hop while the connection is made */
    bool look;               /* whether the certificate is valid is only to be told: a policy that is tested */
    const char *tls_result;  /* of RFC 8460 4.3, "" success; NULL: it did not come to TLS */
    char tls_reason[160];    /* why, for reports */
    struct ehlo ehlo;
    struct reply_parser in; /* in.r is the last reply */
    struct tls_info tls;
    bool lmtp, secure, open;
    bool found;            /* by DNS: no password goes there */
    bool gone;             /* the server said 421, or half a transaction stands there: close without a word */
    bool theirs;           /* `why` is a reply of the server */
    uint32_t transactions; /* begun on this connection */
    char host[256];        /* the name that was asked for; Remote-MTA of reports */
    char via[384];         /* host[address]:port, for the log */
    char why[1024];        /* what went wrong last, as a reply: "451 4.4.1 host[address]:25: connection refused" */
};
/* Connects to the first hop that takes us: greeting, EHLO, STARTTLS and AUTH as the route asks. E_DENIED: every hop
 * refused for good; E_CANCELLED; anything else is temporary. p->why says what happened at the last hop. */
err peer_open(struct peer *p, const struct hops *h) YIELDS;
void peer_close(struct peer *p, bool quit) YIELDS;
/* The next whole reply into p->in.r, waiting at most `span`. E_PROTOCOL: the peer does not speak SMTP. */
err peer_reply(struct peer *p, rt_time span) YIELDS;
/* Writes a line (CRLF and all), reads the reply to it. */
err peer_command(struct peer *p, const char *fmt, ...) YIELDS __attribute__((format(printf, 2, 3)));
/* False when the server has closed or spoken while the connection was idle. */
bool peer_alive(struct peer *p);
/* "TLSv1.3", "TLSv1.3 verified", "TLSv1.3 DANE": what was reached, for log and reports; "" in clear. */
str peer_tls_text(const struct peer *p, char mem[64]);
/* Both fill in p->why and return `e`, or E_DENIED or E_REFUSED by the class of the last reply. `esc` as err_esc. */
err peer_fail(struct peer *p, err e, const char *esc, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
err peer_fail_reply(struct peer *p, const char *at);
/* The steps behind the connection; each leaves p->why when it fails. */
err peer_greet(struct peer *p, bool tls) YIELDS;
err peer_log_in(struct peer *p) YIELDS; /* auth.c */

/* ---- outcome.c: the only place where replies become fates -------------------------------------------------- */

enum stage { STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_END };
/* By the book: class of the reply, with the exceptions of RFC 5321 4.2 and 4.5.3.1.10. FATE_DELIVERED only at
 * STAGE_END. */
enum fate outcome_of_reply(const struct reply *r, enum stage at);

struct finding { /* what is said of one or many recipients; texts live in the ticket's arena */
    enum fate fate;
    str reply, remote; /* remote: who said it; empty: ourselves */
};
struct finding finding_of(struct ticket *t, enum fate f, str reply, str remote);
struct finding finding_of_reply(struct peer *p, struct ticket *t, enum fate f);
/* Our own words: "451 4.4.2 HOST: connection lost while sending the message", about the server `remote` ("": none).
 * E_CANCELLED is no attempt: FATE_NONE. */
struct finding finding_of_err(struct ticket *t, err e, const char *while_doing, str remote);
void finding_give(const struct finding *v, struct ticket *t, uint32_t i);
void finding_give_all(const struct finding *v, struct ticket *t); /* to those without a fate */
void outcome_log(const struct ticket *t, str sender, str via, str tls, int64_t arrived_ms);

/* ---- trans.c: one message over a peer ------------------------------------------------------------------------- */

#define TRANS_RCPT_MAX 1024 /* recipients of one transaction */
struct trans {
    struct ticket *ticket;
    struct spool_reader reader;
    struct mime *mime; /* NULL: as stored */
    struct buf top;    /* signed anew: the header that goes out ... */
    size_t skip;       /* ... in place of so many octets of the (converted) message */
    struct data_out out;
    str sender;                          /* reverse-path of this transaction */
    uint64_t size;                       /* octets as stored */
    uint16_t who[TRANS_RCPT_MAX];        /* recipients that take part, by place in the ticket */
    uint64_t asked[TRANS_RCPT_MAX / 64]; /* those whose RCPT was written */
    uint64_t took[TRANS_RCPT_MAX / 64];  /* those that the server accepted */
    uint64_t left[TRANS_RCPT_MAX / 64];  /* those that must wait for the next transaction */
    uint32_t nto, accepted;
    uint32_t step, nstep; /* next command to write: 0 is MAIL, 1..nto RCPT, then DATA (none with BDAT) */
    bool utf8, eight, binary, bdat, stuff;
    bool opened;
    bool mail_ok, go; /* MAIL was accepted; the body may be sent */
    bool pending;     /* commands were written whose replies have not been read */
    bool reset;       /* the transaction needs RSET before the next one */
};
/* fit.c: who takes part, and in what form the message goes there. Not OK: every recipient has its fate already. */
err fit_message(struct peer *p, struct trans *j) YIELDS;

/* Opens the message and writes as much of its envelope as may be written at once. Not OK: every recipient has its fate
 * already, and the connection is as before (or has failed: p->conn.e). */
err trans_begin(struct peer *p, struct trans *j, struct ticket *t) YIELDS;
err trans_envelope(struct peer *p, struct trans *j) YIELDS; /* reads the answers to it, up to 354 */
err trans_body(struct peer *p, struct trans *j) YIELDS; /* writes the message and its end; may leave it in the buffer */
err trans_end(struct peer *p, struct trans *j) YIELDS;  /* reads the answer(s) to the end; all fates are set */
void trans_free(struct trans *j);

/* ---- judge.c: rules before an attempt. Recipients that they decide about get their fate; false: all have one. -------
 */

bool send_judge(const struct conf *c, struct ticket *t, const struct envelope *env, str way, bool connected) YIELDS;
/* Of a ticket for which there is no connection: the rules about its way alone (at = "route"). */
struct origin { /* of a message, for the log */
    str sender;
    int64_t arrived_ms;
};
bool send_judge_unsent(const struct conf *c, struct ticket *t, str way, struct origin *ret) YIELDS;

struct redirect {   /* redirect.c */
    uint32_t i;     /* place in the ticket */
    str to;         /* "local@domain" */
    const char *by; /* which rule */
};
/* A message of their own for these. All have a fate afterwards: FATE_REPLACED, or put off. */
void send_redirect(struct ticket *t, const struct conf *c, const struct envelope *env, struct redirect *v,
                   size_t n) YIELDS;

/* ---- convert.c -------------------------------------------------------------------------------------------------- */

/* The first pass of wire/mime over the message of `r`, which is open again at its start afterwards (if at all: check
 * the error). *ret_info is filled in when OK, or E_UNSUPPORTED or E_LIMIT: it cannot be converted (bounce with 5.6.3).
 */
err convert_open(struct spool_reader *r, uint64_t id, struct body *mem, struct mime **ret,
                 struct mime_info *ret_info) YIELDS;

/* ---- resign.c: after convert_open, for a message that we signed (ENV_SIGNED). Fills in j->top and j->skip. ----------
 */

err resign(struct peer *p, struct trans *j) YIELDS;
/* Without a conversion too: half of the time is over for which our signatures were made. */
bool resign_due(const struct conf *c, const struct envelope *env);

/* ---- seen.c: what TLS reports are told -------------------------------------------------------------------------- */

/* A session with `h` (of `all`, for the domain of the route) came as far as p->tls_result. */
void seen_session(const struct peer *p, const struct hops *all, const struct hop *h);
/* A server that was left out before any session. */
void seen_host(const struct conf *c, const struct route *r, const struct hops *all, enum send_policy policy, str host,
               const char *result, const char *reason);
/* A policy of MTA-STS that could not be had. */
void seen_fetch(const struct conf *c, str domain, err e, str reason);
/* The result type for a handshake that failed, or was only looked at. */
const char *seen_fault(enum tls_fault f);

/* ---- the other exits --------------------------------------------------------------------------------------------- */

void maildir_run(struct lease *l, struct conf *c, const struct route *r) YIELDS; /* mailbox.c */
void received_run(struct lease *l, struct conf *c) YIELDS;                       /* received.c */

#endif
