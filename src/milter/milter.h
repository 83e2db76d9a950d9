/*
 * milter: a client of the milter protocol. A struct milter is one filter in one session: a function for each callback,
 * which asks the filter and says what it wants, and at the end of a message the list of its changes. Connections are
 * kept for later sessions. What a failure means (defer, accept, refuse) is for the caller to decide.
 */
#ifndef MILTER_MILTER_H
#define MILTER_MILTER_H
#include "conf/conf.h"
#include "net/net.h"
#include "spool/spool.h"
#include "wire/milter.h"

enum { MILTER_CHANGES_MAX = 10000 }; /* of one filter in one message; one more is a failure */

enum milter_outcome {
    MILTER_GO_ON,
    MILTER_TAKE,    /* not asked again: about this message, after connect and helo about the session */
    MILTER_REFUSE,  /* `reply`, 4xx or 5xx: the recipient, the message, or (connect, helo) the session */
    MILTER_DISCARD, /* the message vanishes, the client hears that it was taken */
    MILTER_CLOSE    /* `reply` (421), and the session ends */
};
struct milter_verdict {
    enum milter_outcome outcome;
    struct reply reply;
};

/* Who connects. Copied. */
struct milter_who {
    str name;              /* confirmed reverse name; "": unknown, an address in brackets is told */
    struct ip_port client; /* ip.v 0: a local socket */
};

/* Values of macros, by name without braces; p == NULL: there is none (now). The view holds until the next call. */
typedef str milter_macro_fn(void *arg, str name);

struct milter;
/* `c` and the function stay as long as the filter. Connects to nothing yet. NULL without memory. */
struct milter *milter_new(const struct conf_milter *c, milter_macro_fn *macro, void *arg);
/* The end of the session. The connection is kept where it may be. NULL is fine. */
void milter_free(struct milter **m) YIELDS;

/*
 * The callbacks, in this order. OK: *v holds what the filter says. An error: the filter failed, milter_why says how,
 * and nothing is asked of it until the next milter_mail, which begins anew with a new connection. E_CANCELLED: we end.
 * A filter that is not to be asked any more, or does not want to hear of something, gives MILTER_GO_ON (after a refusal
 * in connect or helo: that refusal, again).
 */
err milter_connect(struct milter *m, const struct milter_who *w, struct milter_verdict *v) YIELDS;
err milter_helo(struct milter *m, str name, struct milter_verdict *v) YIELDS;
err milter_unknown(struct milter *m, str line, struct milter_verdict *v) YIELDS;
/* "<address>", and the parameters as they were given. Connects, and repeats connect and helo, where that is needed. */
err milter_mail(struct milter *m, str address, str params, struct milter_verdict *v) YIELDS;
err milter_rcpt(struct milter *m, str address, str params, struct milter_verdict *v) YIELDS;
/* A recipient that the server refuses: told to filters that want to know. */
err milter_rcpt_refused(struct milter *m, str address, str params) YIELDS;
err milter_data(struct milter *m, struct milter_verdict *v) YIELDS;
/* All fields of a header block, and its end. */
err milter_head(struct milter *m, str block, struct milter_verdict *v) YIELDS;
bool milter_wants_body(const struct milter *m); /* from milter_head on */
/* Octets of the body as they come: they go out in pieces of 64 KiB. */
err milter_body(struct milter *m, str octets, struct milter_verdict *v) YIELDS;

struct milter_change { /* one of header, sender or recipients; in wire/milter.h's terms */
    struct milter_change *next;
    enum milter_said said;
    uint32_t index;
    str name, value;
};
struct milter_result {
    struct milter_change *changes; /* oldest first */
    struct body *body;             /* the new one, lines ended by CRLF; NULL: none. A reference of the caller's */
    str quarantine;                /* why; p == NULL: not */
    bool progress;                 /* it said that it works */
};
/* The end of the message. Strings are in `mem`; `most`: octets of a new body, and of all other changes together. When
 * the verdict is not to go on or to take it, or on an error, the result is empty. */
err milter_eom(struct milter *m, struct arena *mem, uint64_t most, struct milter_result *ret,
               struct milter_verdict *v) YIELDS;
/* The transaction is over, whatever was said in it; any time. */
void milter_abort(struct milter *m) YIELDS;

const struct conf_milter *milter_conf(const struct milter *m);
str milter_why(const struct milter *m); /* "waiting for the answer to RCPT: timed out"; after an error */
bool milter_leading_space(const struct milter *m);
bool milter_failed(const struct milter *m); /* since the last milter_mail */

/* ---- what changes of fields mean (fields.c) ---- */

/*
 * Sendmail's rules, for a header block without the trace that the server adds. Change: the index-th field of that name,
 * where those that this filter deleted or added count, too; a field that is not there is added at the end, one that is
 * deleted twice stays deleted. Insert: 0 is above the server's own Received field, 1 below it, and so on; beyond the
 * last field is at the end.
 */
struct milter_fields {
    struct arena *mem;
    struct milter_field *first, **last;
};
enum milter_edit_kind {
    MILTER_EDIT_NONE,   /* nothing changes */
    MILTER_EDIT_ADD,    /* behind the last field */
    MILTER_EDIT_TOP,    /* above the server's trace */
    MILTER_EDIT_INSERT, /* before field `index` of the block as it is now, from 0 */
    MILTER_EDIT_CHANGE, /* the index-th field of this name as the block is now, from 1 */
    MILTER_EDIT_REMOVE
};
struct milter_edit {
    enum milter_edit_kind kind;
    uint32_t index;
    str name; /* as the message has it */
};
err milter_fields_begin(struct milter_fields *f, struct arena *mem, str block); /* E_NOMEM */
/* One change after the other. `c` is one of the three that concern fields. E_NOMEM. */
err milter_fields_apply(struct milter_fields *f, const struct milter_change *c, struct milter_edit *ret);

#endif
