/*
 * The pipeline: what a session or a message is judged by beyond the checks that always hold. Filters (rules of the
 * configuration, built-in checks, milters, scripts, scanners) stand in one table and are asked in its order, phase by
 * phase; each gives one verdict, and those that may change a message leave edits. Whoever asks (intake, proxy, send)
 * applies the verdict and, at the end, the edits.
 *
 * A session that nothing wants to look at has no struct policy and pays nothing.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H
#include "base/arena.h"
#include "conf/conf.h"
#include "rt/rt.h"
#include "spool/spool.h"
#include "wire/cmd.h"
#include "wire/data.h"
#include "wire/ip.h"
#include "wire/reply.h"

struct check_results;
struct head_facts;
struct head_field;
struct policy;

/* ---- what is judged -------------------------------------------------------------------------------------- */

enum phase {
#define PHASE(name, ...) PHASE_##name,
#include "policy/phases.def"
#undef PHASE
    PHASE_COUNT
};
#define PHASE_BIT(p) (1u << (p))
const char *phase_name(enum phase p); /* "rcpt" */
bool phase_find(str name, enum phase *ret);

/* Who brings a message; filled in by the entrance, constant during a transaction. */
struct source {
    struct ip_port client, local; /* after PROXY and XCLIENT; ip.v 0: the local socket */
    str client_text;              /* "192.0.2.1"; "local" for the socket */
    str client_name;              /* confirmed reverse name; empty: unknown */
    str helo;                     /* the name given; empty: none */
    str user;                     /* account, or "uid 1000"; empty: nobody */
    str tls;                      /* "TLSv1.3 with cipher X"; empty: in clear */
    uint64_t session;             /* for the log */
    const char *mechanism;        /* of the log-in, "PLAIN"; static; NULL: none, or another server's word */
    str account;                  /* "local@domain" of the directory, whose addresses and limits hold; empty: none */
    str listener;                 /* title of the listener; empty: the local socket */
    struct policy *policy;        /* what this session carries through the pipeline; NULL: nothing wants to see it */
    int64_t size_most;            /* a smaller limit than limits.message-size; 0: none */
    uint32_t recipients_most;     /* likewise */
    uint32_t tenant;
    bool esmtp;         /* EHLO or LHLO was said */
    bool lmtp;          /* only our own domains; one answer for each recipient */
    bool authenticated; /* for the word behind `with` (RFC 3848) */
    bool socket;        /* local submission: Received names the user instead of a client */
    bool may_relay;     /* trusted network, authenticated, or local; before a proxy's server everybody */
    bool trusted;       /* the same, before a proxy's server too: no check of others' mail, and our signature */
    bool submitted;     /* repair missing headers (RFC 6409 8) */
    bool proxied;       /* the server behind a proxy listener has the last word */
    bool early;         /* the client talked before it was greeted */
};

/* The octets of a message for those who must read it again (PHASE_END, and what was kept so far before that). */
struct matter_octets {
    uint64_t size;
    /* A piece that begins at offset `at` of the message as it was received, header block first; n == 0: the end. The
     * view holds until the next call. */
    err (*read)(void *arg, uint64_t at, str *ret) YIELDS;
    void *arg;
};

struct matter {
    const struct source *source;
    const struct conf *conf;
    const struct mail_cmd *mail;
    const struct rcpt_cmd *rcpt;
    const struct envelope *env; /* from MAIL on, as far as it is known */
    const struct data_in *scan; /* from HEADER on; at END: what the octets were */
    str text;                   /* HEADER, END: the header block, its empty line included; BODY: a piece of the body */
    const struct check_results *checks; /* SPF at RCPT, all of them at END; NULL: none are made */
    const struct head_facts *facts;     /* (intake's own) of the header, when known already */
    const struct matter_octets *octets; /* END; NULL: the message is not kept here */
    str to;                             /* ROUTE, DELIVER: the recipient; RCPT: local@domain of `rcpt` */
    str site;                           /* DELIVER: the server, "mx.example:25" */
};

/* ---- verdicts -------------------------------------------------------------------------------------------- */

enum verdict_kind {
    VERDICT_CONTINUE,
    VERDICT_ACCEPT,     /* nothing behind it is asked: at RCPT about this recipient, at CONNECT, HELO, AUTH for the
                           session, else for the transaction */
    VERDICT_REFUSE,     /* `reply`; code 0: 550 5.7.1 */
    VERDICT_DEFER,      /* `reply`; code 0: 451 4.7.1 */
    VERDICT_DISCARD,    /* the client hears 250, nothing is kept; at RCPT this recipient, with `whole` the message */
    VERDICT_QUARANTINE, /* kept until an operator says what becomes of it; `why` */
    VERDICT_HOLD,       /* accepted, and held in the queue; `why` */
    VERDICT_REDIRECT    /* to the address `to` instead; at RCPT this recipient, else all */
};
const char *verdict_name(enum verdict_kind k); /* "refuse" */

/* Strings live until the end of the transaction (policy_mem), or are static. */
struct verdict {
    enum verdict_kind kind;
    struct reply reply;
    str to;         /* REDIRECT: "local@domain" */
    str why;        /* for the log and the operator; "" */
    const char *by; /* which rule or filter, "rule big-for-lists"; NULL: the filter's name */
    bool whole;     /* DISCARD at RCPT: the message, not this recipient */
};
static inline void verdict_init(struct verdict *v)
{
    v->kind = VERDICT_CONTINUE;
    v->to = v->why = S("");
    v->by = NULL;
    v->whole = false;
    reply_init(&v->reply);
}
/* Fills a refusal or deferral: kind by the code's class. */
void verdict_reply(struct verdict *v, int code, const char *esc, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- edits ------------------------------------------------------------------------------------------------ */

enum edit_kind {
    EDIT_SENDER,        /* value: "local@domain", "" for <>; name: parameters of MAIL (RET, ENVID), "" none */
    EDIT_RCPT_ADD,      /* value; name: parameters of RCPT (NOTIFY, ORCPT), "" none */
    EDIT_RCPT_REMOVE,   /* value; matches without regard to case */
    EDIT_HEADER_ADD,    /* name, value: behind the last field */
    EDIT_HEADER_INSERT, /* before field number `index` of the block, from 0 */
    EDIT_HEADER_CHANGE, /* the index-th field (from 1) of this name; value "" removes it; none: added */
    EDIT_HEADER_REMOVE, /* the index-th field of this name; 0: all */
    EDIT_BODY,          /* body: instead of the one received; the last one counts */
    EDIT_TAG,           /* name, value: for conditions behind it and the log */
    EDIT_CLASS,         /* index: class of the envelope, higher leaves first */
    EDIT_WAY,           /* value: title of a section route that the message leaves by */
    EDIT_JUNK           /* for the folder of suspicious mail, where check.quarantine says so */
};
struct edit {
    struct edit *next;
    enum edit_kind kind;
    uint32_t index;
    str name, value;
    struct body *body; /* EDIT_BODY: complete lines with CRLF; the pipeline holds a reference */
    const char *by;    /* filled in by policy_add_edit */
};

/* ---- a session in the pipeline ---------------------------------------------------------------------------- */

/* *ret stays NULL when nothing wants to look at this session (now). Once at the connection, and again wherever who
 * the client is or the configuration changes (MAIL): keeps what is there. E_NOMEM. */
err policy_begin(struct policy **ret, const struct source *s, const struct conf *c);
void policy_free(struct policy **p) YIELDS; /* NULL is fine */
/* The end of a transaction, whatever it was; NULL is fine. */
void policy_tx_end(struct policy *p) YIELDS;

/* Is anybody asked in this phase? NULL is fine. */
bool policy_wants(const struct policy *p, enum phase ph);
/* May the message be changed, or be kept from its recipients, by what was said so far or from its header on? */
bool policy_may_change(const struct policy *p);

/* Asks every filter in its turn. *v is the outcome: CONTINUE, ACCEPT, REFUSE, DEFER, and at RCPT DISCARD and REDIRECT
 * of this recipient; what concerns the whole message is remembered until its end (policy_outcome). False: no memory. */
bool policy_judge(struct policy *p, enum phase ph, struct matter *m, struct verdict *v) YIELDS;

/* What was said so far about the message as a whole: CONTINUE, DISCARD, QUARANTINE or HOLD, with why and by; `to`:
 * everything goes there instead ("": no). Of NULL: nothing. */
const struct verdict *policy_outcome(const struct policy *p);
/* Oldest first; NULL: none. Of NULL: none. */
const struct edit *policy_edits(const struct policy *p);
/* Copies names and values, takes a reference to the body. E_NOMEM, E_LIMIT; E_SYNTAX: no field name, or CR, NUL or a
 * control in a value ("\n" or CRLF is a fold); E_UNSUPPORTED: no tag, and there is no transaction, or it is over. For
 * filters, during their run. */
err policy_add_edit(struct policy *p, const struct edit *e);
/* Memory that lasts until the end of the transaction, and of the session. */
struct arena *policy_mem(struct policy *p);
struct arena *policy_session_mem(struct policy *p);

/* Points for and against the message so far. The thresholds of group policy are applied at its end. */
void policy_score(struct policy *p, const struct matter *m, double points, const char *by, str why);
double policy_score_now(const struct policy *p);
/* Says what was done: one event, one count of (by, what), and a line of `why` when the message is accepted. `what` is a
 * verdict's name, or "add header", "would refuse"; it lasts (static, or of the configuration). Verdicts that `run`
 * gives are noted by the pipeline. */
void policy_note(struct policy *p, const struct matter *m, const char *by, const char *what, str text);
/* The message was accepted (or discarded) under this id: what was noted goes into its history. */
void policy_noted(struct policy *p, uint64_t id);
/* Lines of counts in the format of Prometheus, for whoever shows metrics. */
void policy_metrics(struct buf *out);
/* Hears every note of this session, for `policy test`. */
void policy_listen(struct policy *p, void (*fn)(void *arg, enum phase ph, const char *by, const char *what, str text),
                   void *arg);
/* A tag that a rule or filter set in this transaction (before: in this session). */
bool policy_tag(const struct policy *p, str name, str *ret_value);

/* A header block with the edits of headers in the list: `block` ends with its empty line, or without one. Fields of the
 * block for which `drop` (may be NULL) is true are left out; edits count them all the same. */
err policy_edit_head(const struct edit *edits, str block, bool (*drop)(const struct head_field *f, void *arg),
                     void *arg, struct buf *out);
/* The message (*at = 0) or its body (*at = m->scan->body_at) as it is now, piece by piece: the body that a filter put
 * in its place, if any. n == 0: the end. E_NOT_FOUND: it is not kept here. */
err policy_body(struct policy *p, const struct matter *m, uint64_t *at, str *ret) YIELDS;

/* How long this client waits for its greeting, so that one who speaks before it is known (source.early); 0: not at all.
 */
rt_time policy_greet_wait(const struct source *s, const struct conf *c);
/* ---- on the way out --------------------------------------------------------------------------------------------- */

struct policy_leaving {
    const struct envelope *env;
    str to;            /* the recipient */
    str site;          /* where it goes, for the condition and the log */
    str head;          /* the header block */
    str past;          /* addresses that it was redirected from, a line each */
    bool unconnected;  /* there is no server yet: ROUTE alone is asked */
    struct arena *mem; /* for what the verdict says */
    void (*hear)(void *arg, enum phase ph, const char *by, const char *what, str text); /* of each note; NULL: nobody */
    void (*turn)(void *arg, str to); /* policy_out_all: of each address before it is asked about; NULL: nobody */
    void *hear_arg;                  /* of both */
};
enum { POLICY_REDIRECTS = 10 }; /* times that one recipient may be redirected on its way out */
/* Is there a rule, or a hook, for what leaves? */
bool policy_out_wanted(const struct conf *c);
/* What the rules and the script say at ROUTE and DELIVER: CONTINUE, ACCEPT, HOLD; REFUSE, DEFER, DISCARD with a reply;
 * REDIRECT to an address that the recipient never had. False: no memory. */
bool policy_out(const struct conf *c, const struct policy_leaving *l, struct verdict *v) YIELDS;
/* The same from one redirection to the next, for who only wants to know: l->to ends as the last address, *v as what is
 * said of it, REDIRECT when it was redirected too often. Aliases are not looked at. */
bool policy_out_all(const struct conf *c, struct policy_leaving *l, struct verdict *v) YIELDS;
/* policy_leaving.past of what is redirected from this address; p NULL: no memory. */
str policy_past(struct arena *mem, str past, str address);

/* A recipient that was refused, told to the milters that want to hear of these. Not when they were asked about it
 * themselves: policy_rcpts_told, asked before and after, counts up then. NULL is fine. */
unsigned policy_rcpts_told(const struct policy *p);
void policy_rcpt_refused(struct policy *p, const struct source *s, const struct conf *c, const struct rcpt_cmd *rcpt,
                         const struct reply *r) YIELDS;

/* A command that is none, told to the filters that want to know. False: *v holds a refusal of theirs. NULL is fine. */
bool policy_unknown(struct policy *p, const struct source *s, const struct conf *c, str line, struct verdict *v) YIELDS;

/* ---- filters ------------------------------------------------------------------------------------------------ */

/* One row of the table in filters.c. Each has a slot `own` in every session, NULL at first. */
struct filter {
    const char *name;
    unsigned phases; /* PHASE_BIT of all that it may want */
    bool may_change; /* may leave edits, or keep the message from its recipients */
    /* The phases in which it may, of those that it wants; NULL: all of them. */
    unsigned (*changes)(const struct source *s, const struct conf *c);
    bool (*points)(const struct source *s, const struct conf *c); /* may give points where it is wanted; NULL: never */
    bool follower; /* asked only where a filter before it may give points */
    /* The phases that it wants of this session; 0: none. NULL: `phases`. Asked again at MAIL: must be cheap. */
    unsigned (*wants)(const struct source *s, const struct conf *c);
    /* False: no memory. A filter may see its first phase late (a reload, a log-in): m->source holds what came before.
     */
    bool (*run)(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
    void (*tx_end)(struct policy *p, void **own) YIELDS;      /* may be NULL */
    void (*session_end)(struct policy *p, void **own) YIELDS; /* frees *own; may be NULL when `own` is not used */
};
extern const struct filter filters[]; /* ended by a row without a name; at most FILTERS_MAX */
enum { FILTERS_MAX = 24 };

#endif
