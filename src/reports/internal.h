/* Inside reports: what is counted, reports on their way out, and those that came in. */
#ifndef REPORTS_INTERNAL_H
#define REPORTS_INTERNAL_H
#include "base/cleanup.h"
#include "db/db.h"
#include "reports/reports.h"
#include "wire/feedback.h"
#include "wire/tlsrpt.h"

enum {
    PENDING_MAX = 20000,        /* judgements in memory that wait for the disk */
    LINES_MAX = 10000,          /* rows of one report */
    REPORT_BYTES_MAX = 8 << 20, /* of one report, compressed */
    RECIPIENTS_MAX = 4,         /* addresses of one rua= or ruf= that are served */
    ASKED_MAX = 10,             /* ... that are looked at, each of which may cost questions to DNS */
    ADDRESS_MAX = 320
};
#define TEXT_MAX ((size_t)64 << 20) /* of one report, before it is compressed */

extern struct reports reports_rooms;

/* ---- store.c: counting in memory, then on disk ---- */

enum report_kind { KIND_DMARC, KIND_TLS, KINDS };

/* One more of `line` in the period that is now. `policy` is kept once: for DMARC with the domain (the last one seen),
 * for TLS with the line. Any thread; never waits. */
void store_count(const struct conf *c, enum report_kind kind, str domain, str policy, str line);
/* Writes what waits in memory. On the pool. */
void store_flush(void) BLOCKS;
struct db *store_db(void); /* NULL: there is none */

/* Fields of a line: tabs between them, "-" for none, what would break that replaced. */
void field_add(struct buf *out, str s);
str field_take(str *rest);

/* ---- period.c: what is finished ---- */

struct period { /* one domain's */
    enum report_kind kind;
    int64_t begin_s, end_s, tries;
    struct arena mem;
    str domain, rua; /* rua: of DMARC, from the policy; of TLS it is asked for when the report is due */
    struct feedback f;
    struct tlsrpt t;
    uint64_t count; /* lines of DMARC, sessions of TLS */
};
/* The first that is due. False: there is none. On the pool. */
bool period_next(struct period *p, int64_t now_s, int64_t span_s) BLOCKS;
void period_done(const struct period *p) BLOCKS;                 /* forgotten */
void period_later(const struct period *p, int64_t due_s) BLOCKS; /* again then */
/* When the report about a domain is due: spread over a while, each domain at its own time. */
int64_t period_due(const struct conf *c, str domain, int64_t begin_s, int64_t span_s);

/* dmarc.c: from the table to p->f. */
void dmarc_policy(struct period *p, str text);
void dmarc_lines(struct period *p) BLOCKS;
/* tls.c: from the table to p->t. */
void tls_lines(struct period *p) BLOCKS;

/* ---- mail.c: a report as a message ---- */

struct letter {
    const struct period *p;
    struct conf *conf;
    str from, organization; /* domains */
    char from_mem[ADDRESS_MAX], id[64];
    struct buf text, gz;
    err e;
};
/* Fills in all of it; the attachment is made on the pool. letter_free ends it. */
err letter_make(struct letter *l, const struct period *p) YIELDS;
void letter_free(struct letter *l);
/* To one address. E_DENIED: it must be signed and no key signs for the domain of From. */
err letter_send(struct letter *l, str to) YIELDS;

/* The domain of From of what we write: the hostname, unless only another domain of ours has a key that signs. */
str signing_host(const struct conf *c);
/* Any message of ours: `top` (signatures) and `text` behind it. OK with *ret_id 0: nobody may have it. */
err message_send(struct conf *c, str to, str top, str text, unsigned flags, uint64_t *ret_id) YIELDS;

/* ---- destinations.c ---- */

struct destinations {
    char v[RECIPIENTS_MAX][ADDRESS_MAX];
    size_t n;
};
/* Of a rua= or (with `failures`) ruf= of the record of `domain`, for a report of so many octets. */
void destinations_find(struct destinations *d, str domain, str list, bool failures, uint64_t size) YIELDS;

/* ---- failure.c: reports about single messages ---- */

/* A message was judged: one more report, if it is asked for and limits allow. Never waits. */
void failures_seen(const struct conf *c, const struct checks_seen *s);
void failures_send(void) YIELDS; /* those that wait */

/* ---- failure_text.c ---- */

struct failure {
    struct failure *next;
    struct arena mem;
    str domain; /* where the record was found */
    str from;   /* domain of the author */
    str ruf, sender, spf_domain, results, head;
    str dkim_domain, dkim_selector, dkim_identity; /* of a signature that counts for nothing; "" none */
    struct ip ip;
    int64_t arrived_s;
    const char *alignment, *delivery;
    uint64_t incidents; /* what the limits held back before it, and this one */
};
/* The message without its signatures: from, to one address. `spf`: the record of spf_domain, "" not known. E_LIMIT,
 * E_NOMEM. */
err failure_print(const struct failure *f, const struct conf *c, str from, str to, str spf, struct buf *out);

/* ---- run.c ---- */

/* Sends it to those who may have it. OK also when there is nobody. */
err send_dmarc(const struct period *p) YIELDS;
err send_tls(struct period *p) YIELDS; /* tls.c */

/* ---- post.c: TLS reports by HTTPS, kept until they are taken ---- */

err post_keep(const struct letter *l, str uri) YIELDS;
bool post_one(void) YIELDS; /* the first that is due; false: there is none */

/* ---- received.c: reports of others ---- */

/* Drops what is too old or too much. On the pool. */
void received_trim(const struct conf *c, int64_t now_s) BLOCKS;

#endif
