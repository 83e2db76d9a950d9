/* Shared by the files of intake: how recipients are found out, and what is remembered about a body. */
#ifndef INTAKE_INTERNAL_H
#define INTAKE_INTERNAL_H
#include "intake/intake.h"
#include "wire/head.h"

extern struct intake intake_rooms; /* set once by intake_setup */

enum {
    EXPAND_DEPTH = 10,          /* aliases within aliases */
    EXPAND_VISITS = 10000,      /* targets looked at for one RCPT */
    EXPAND_RECIPIENTS = 100000, /* of one message, after expansion */
    OWN_HOPS = 10               /* times that a message may have been here before */
};

/* Why octets are no longer kept. */
enum tx_trouble { TROUBLE_NONE, TROUBLE_SIZE, TROUBLE_HEAD, TROUBLE_KEEP, TROUBLE_POLICY };

/* What a local part means in one of our domains. */
enum local_kind {
    LOCAL_UNKNOWN,
    LOCAL_MAILBOX, /* deliver to the address as it is */
    LOCAL_ALIAS,   /* *ret_alias */
    LOCAL_OTHER,   /* catch-all: conf_domain.catch_all instead */
    LOCAL_SRS,     /* a sender that we rewrote: *ret_back */
    LOCAL_CLOSED,  /* it is there, but switched off */
    LOCAL_TROUBLE, /* no memory to find out */
    LOCAL_LATER    /* a source of accounts does not answer */
};
struct local_target {
    enum local_kind kind;
    const struct conf_alias *alias;
    str back; /* LOCAL_SRS: "local@domain", in the arena */
};
/* `untrusted`: an accept-all domain does not take local parts that a server behind it could read as a route. */
void local_find(struct tx *t, const struct conf_domain *d, const struct addr *a, bool untrusted,
                struct local_target *ret);

/* The domain of ours that `a` is in, or NULL. *ret_bad: not a domain at all. */
const struct conf_domain *domain_find(struct tx *t, const struct addr *a, bool *ret_bad);

/* What the recipient of one RCPT carries on to all that it becomes. */
struct want {
    str orcpt; /* as given; empty: none */
    uint8_t notify;
    bool archive; /* copy of a copy: no further archive */
};
/* Resolves an address that the configuration names (alias target, catch-all, archive, postmaster) or that a client
 * gave, and adds what it becomes to env.to. OK (also when all were there before), E_NOT_FOUND: unknown,
 * E_LOOP: nothing but loops, or too many; E_LIMIT, E_NOMEM. */
err expand_text(struct tx *t, str address, str from_list, const struct want *w);
/* The same of an address that takes the place of `from` (as it was known to the sender; "": of several): ORCPT names
 * that, unless `w` has one, and from one of our domains it leaves as forwarded mail does. */
err expand_redirected(struct tx *t, str to, str from, const struct want *w);
err expand_local(struct tx *t, const struct conf_domain *d, const struct addr *a, const struct local_target *l,
                 const struct want *w);
/* Adds one address, once. `sender` empty: the envelope's. */
err rcpt_add(struct tx *t, str address, bool fold, str list, str sender, const struct want *w);
/* Takes back all but the first n recipients. */
void rcpt_cut(struct tx *t, uint32_t n);
/* "type;xtext" of an address, for ORCPT. */
str orcpt_make(struct arena *mem, str address);

/* "452 4.3.1 ..." and the like for an error of the spool or queue. */
void reply_trouble(struct reply *r, err e);

/* From here on octets are only counted; the first reason counts. */
void tx_give_up(struct tx *t, enum tx_trouble why, err e);
/* The line that BDAT left open is closed; only BINARYMIME means it (RFC 3030 3). */
err tx_end_line(struct tx *t);

/* ---- stream.c, apply.c: the pipeline ---- */

struct matter tx_matter(struct tx *t, str text);
size_t tx_head_octets(const struct tx *t); /* of the header block among those received */
bool tx_head_view(const struct tx *t, struct buf *mem, str *ret);
/* Octets were kept: who wants to see them? A refusal is remembered. */
void tx_stream(struct tx *t, str got) YIELDS;
bool tx_judge_head(struct tx *t) YIELDS; /* once; false: trouble */

struct tx_octets { /* the message as it was received, for struct matter */
    struct matter_octets face;
    struct tx *t;
    struct spool_reader chunks;
    bool open;
    uint64_t piece_at;
    str piece;
};
void tx_octets_begin(struct tx_octets *o, struct tx *t);
void tx_octets_end(struct tx_octets *o);
err tx_octets_read(void *arg, uint64_t at, str *ret) YIELDS;

/* The last verdict, and what follows from it for the envelope and the body. False: *r is the answer. *ret_gone: the
 * client hears 250 and nothing is stored. */
bool tx_apply(struct tx *t, struct reply *r, bool *ret_gone) YIELDS;
/* Says of each recipient that it gets nothing, and why: of those discarded at RCPT, or of `all`. */
void tx_log_gone(const struct tx *t, bool all);
/* Does the header change? Then its fields (none: there is no header) as they are to be, with the empty line; `anew`: as
 * head_repair would. */
bool tx_edits_head(const struct tx *t);
err tx_edit_head(struct tx *t, str fields, bool anew, struct buf *out);

/* ---- header blocks ---- */

struct head_facts {
    size_t len;        /* of the header block, its empty line included */
    bool blank;        /* it ends in an empty line */
    bool none;         /* the message begins with a line that is no field */
    unsigned received; /* Received fields */
    unsigned own;      /* ... that name us behind `by` */
    unsigned from, date, message_ids, bcc, authres;
    str message_id; /* raw value of the first */
};
void head_look(str block, str hostname, struct head_facts *ret);
/* The block without what claims to be our own verdict about it (RFC 8601 5), and for submissions without Bcc and with
 * Date, Message-ID and From where missing (RFC 6409 8.1 to 8.3). */
void head_repair(struct buf *out, str block, const struct head_facts *f, const struct tx *t);
void head_add_missing(struct buf *out, const struct head_facts *f, const struct tx *t);
bool head_unwanted(const struct head_field *f, void *tx); /* one that head_repair takes away */

#endif
