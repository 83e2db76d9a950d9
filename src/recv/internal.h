/* A session and what its handlers share. */
#ifndef RECV_INTERNAL_H
#define RECV_INTERNAL_H
#include "base/cleanup.h"
#include "base/text.h"
#include "intake/intake.h"
#include "recv/recv.h"
#include "recv/sink.h"

struct recv_listener {
    int refs;
    struct recv_listener_config c;
    str title;
};

enum state { STATE_GREET = 1, STATE_READY = 2, STATE_MAIL = 4, STATE_BDAT = 8 };

enum cmd_flags { CMD_NOARG = 1, CMD_ARG = 2, CMD_ALONE = 4, CMD_IDLE = 8, CMD_HIDDEN = 16, CMD_FRAME = 32 };
enum protocols { PROTO_SMTP = 1, PROTO_LMTP = 2, PROTO_BOTH = 3 };

/* Everything that a connection owns besides its buffers and its stack: some 1.5 KiB while idle. */
struct session {
    struct conn *c;
    struct recv_listener *l;
    struct conf *conf; /* the generation in force; taken anew by each MAIL */
    struct tx tx;
    struct source src;
    const struct recv_sink *sink;
    struct recv_client as;   /* this session as its sink sees it */
    struct recv_offer offer; /* of the last greeting */
    struct arena names;      /* client name, user, TLS: until the next greeting */
    char client_text[IP_TEXT_MAX + 1];
    char helo[ADDR_DOMAIN_MAX + 1];
    uint8_t state;    /* enum state */
    bool closing;     /* after this answer the session ends */
    bool quit;        /* the client said so */
    bool skipping;    /* a line without CRLF was answered: the rest up to a CRLF belongs to it */
    bool device;      /* a device that is known by its address */
    bool auth_tried;  /* what is no command may be a password */
    bool named;       /* the reverse name was looked up */
    const char *why;  /* of its end, for the log; static */
    rt_time until;    /* end of the session time */
    rt_time tx_until; /* end of the message time, between chunks */
    uint32_t errors, unknown, idle, messages;
    uint32_t auth_failed; /* log-ins */
    uint32_t later;       /* answers that the sink owes */
};

struct command {
    str verb;
    uint8_t protocols, states, flags;
    void (*run)(struct session *s, const struct cmd *c, struct reply *r);
    const char *syntax, *rfc;
};
extern const struct command commands[];
extern const size_t ncommands;
const struct command *command_find(const struct session *s, str verb);

/* ---- session.c ---- */

static inline bool is_lmtp(const struct session *s) { return s->l->c.kind == RECV_LMTP; }
str session_hostname(const struct session *s);
rt_time session_deadline(const struct session *s, rt_time span);
/* Prints an answer; the connection flushes it when it has to wait. */
void session_say(struct session *s, const struct reply *r) YIELDS;
/* Says the answers that the sink put off. */
void session_settle(struct session *s) YIELDS;
/* Asks for a verdict; the rest of `m` may be filled in. */
bool session_judge(struct session *s, enum phase p, struct matter *m, struct reply *r) YIELDS;
/* Makes or renews what the session carries through the pipeline. False: *r says that there is no memory. */
bool session_policy(struct session *s, struct reply *r);
/* What the sink and the pipeline keep of a transaction goes. */
void session_reset(struct session *s) YIELDS;
/* After 421, which the pipeline may answer anywhere, the session ends (RFC 5321 3.8). */
void session_farewell(struct session *s, const struct reply *r);
/* Ends the transaction, whatever it was; READY or GREET follows. */
void session_end_tx(struct session *s) YIELDS;
/* As after a new connection (TLS, XCLIENT): nothing that was said before counts. */
void session_forget(struct session *s) YIELDS;
/* Address and trust from c->peer, c->local. */
void session_client(struct session *s);
void session_trust(struct session *s);
void session_greet(struct session *s) YIELDS;
/* For ALONE: true when nothing is buffered behind the command; else *r says so and the session ends. */
bool session_alone(struct session *s, struct reply *r);
void session_log_refused(struct session *s, str command, const struct reply *r);

/* ---- handlers ---- */

#define CMD(verb, protocols, states, flags, handler, ...)                                                              \
    void handler(struct session *s, const struct cmd *c, struct reply *r);
#include "recv/cmds.def"
#undef CMD

/* TLS handshake, on request or at once. False: the connection is of no more use. */
bool session_tls(struct session *s) YIELDS;
bool can_tls(const struct session *s);
/* Extensions whose parameters MAIL and RCPT may have: those that were offered. */
unsigned session_exts(const struct session *s);
bool can_xclient(const struct session *s);

/* ---- gate.c: connections by address, over all loops ---- */

enum gate_result { GATE_OK, GATE_FULL, GATE_MANY, GATE_FAST };
enum gate_result gate_enter(const struct conf *c, const struct ip *ip);
void gate_leave(const struct conf *c, const struct ip *ip);

static inline bool nets_have(const struct conf_nets *n, const struct ip *ip)
{
    for (size_t i = 0; i < n->n; i++)
        if (ip_net_has(&n->v[i], ip))
            return true;
    return false;
}

/* The command as it may be logged. */
str session_without_secrets(str command);

/* ---- device.c ---- */

bool device_listener(const struct session *s);
void device_trust(struct session *s);                    /* sets s->device, and who it is */
bool device_welcome(struct session *s, struct reply *r); /* false: not for this address */
void device_log(const struct session *s, str command, const struct reply *r);
/* Octets of a message, with all line ends made CRLF. How many of `in` were used; 0: the connection failed. */
size_t device_feed(struct session *s, str in) YIELDS;

/* ---- auth.c, auth_token.c ---- */

enum { LINE_MOST = 12288 }; /* of an AUTH exchange, its command too (RFC 4954 4) */

/* AUTH is offered to this client at this moment. */
bool can_auth(const struct session *s);
/* "SCRAM-SHA-256 PLAIN ...", behind a blank. */
void auth_list(const struct session *s, struct buf *out);

/* ---- guard.c: failed log-ins by address and account, over all loops; at most 200,000 entries of some 120 octets ----
 */

enum guard_result {
    GUARD_GO,     /* guard_leave must follow */
    GUARD_WAIT,   /* too many wait already: later */
    GUARD_BLOCKED /* after too many failures */
};
/* Before a password is verified: sleeps until it is this client's turn. An address verifies two at once; after many
 * failures one a second. `account` may be empty. */
enum guard_result guard_enter(const struct conf *c, const struct ip *ip, str account) YIELDS;
void guard_leave(const struct ip *ip);
/* Neither slowed nor blocked: the answer to a password may be given without a turn. */
bool guard_calm(const struct conf *c, const struct ip *ip, str account);
/* True when this failure led to a block. */
bool guard_failed(const struct conf *c, const struct ip *ip, str account);
void guard_good(const struct ip *ip, str account); /* the account knows this address from now on */

#endif
