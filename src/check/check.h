/*
 * check: may this mail be believed? SPF (RFC 7208), iprev (RFC 8601 3), DKIM (RFC 6376), ARC (RFC 8617), DMARC
 * (RFC 9989), and what is said about them: Authentication-Results (RFC 8601), Received-SPF.
 *
 * Every check reads a struct check (who sends, which names may be asked, what time it is) and leaves what it found in
 * one struct check_results, which policy, headers, log and reports read. All strings of results are in the arena
 * of the struct check. Nothing here knows a configuration, a session or a clock.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H
#include "net/net.h"
#include "wire/author.h"
#include "wire/head.h"
#include "wire/dmarc.h"

/* ---- results ---------------------------------------------------------------------------------------- */

/* The words of RFC 8601 2.7. */
enum check_result {
    CHECK_NONE, /* nothing was published, signed or found; also: not checked */
    CHECK_PASS,
    CHECK_FAIL,
    CHECK_SOFTFAIL, /* SPF only */
    CHECK_NEUTRAL,
    CHECK_POLICY, /* a valid signature that local rules do not count */
    CHECK_TEMPERROR,
    CHECK_PERMERROR
};
const char *check_result_name(enum check_result r); /* "softfail" */

struct check_iprev {
    enum check_result result; /* pass, fail, temperror, permerror (no address, no name at all) */
    str name;                 /* of pass: the confirmed name */
};

struct check_spf {
    bool done; /* was asked for: a session may have no HELO name to check */
    enum check_result result;
    str domain;      /* that was judged; A-labels as they were asked for */
    str mechanism;   /* what decided, as it stands in the record: "ip4:192.0.2.0/24", "-all"; "default" */
    str why;         /* of none and errors: what was wrong, for people */
    str explanation; /* of fail: the text of exp=, made safe for a reply; "" none */
};

enum {
    CHECK_SIGNATURES_MAX = 50 /* DKIM-Signature fields of one message that are looked at at all */
};

/* One DKIM-Signature field, in the order of the message. */
struct check_dkim {
    enum check_result result; /* none: no signature could be read in it is permerror, not none */
    str domain, selector;     /* d=, s=: A-labels in lower case; "" when the field could not be read */
    str identity;             /* i=, or "@" d= */
    str algorithm;            /* a= */
    str b;                    /* the first octets of b= without folds: tells signatures apart (RFC 6008) */
    str why;                  /* of everything but pass: what was wrong, for people */
    unsigned key_bits;        /* 0: no key was read */
    bool testing;             /* t=y of the key */
    bool partial;             /* l= left octets unsigned: never pass */
};

struct check_arc {
    enum check_result result; /* none: no set; pass, fail; temperror */
    unsigned instances;       /* number of sets */
    unsigned oldest_pass;     /* RFC 8617 5.2 */
    str why;
    str domain;  /* of the newest ARC-Seal */
    str results; /* ARC-Authentication-Results of the newest set without its i=, when the chain passed */
};

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };
const char *dmarc_policy_name(enum dmarc_policy p);

struct check_dmarc {
    enum check_result result; /* none (no record), pass, fail, temperror, permerror */
    enum author author;       /* what the From field is like; only AUTHOR_ONE is beyond doubt */
    str from;                 /* the domain of From in A-labels, lower case */
    str policy_domain;        /* where the record was found: the author's domain, or above it */
    str org_domain;           /* of the author's domain (RFC 9989 4.10.2) */
    str psl_domain;           /* the same by the public suffix list, for the log only; "" not known */
    str record;               /* as published; "" none */
    str why;
    enum dmarc_policy published; /* p, sp or np as it applies, before t= */
    enum dmarc_policy policy;    /* what to do: published, lowered one step by t=y; none unless fail */
    bool testing;                /* t=y */
    bool spf_aligned, dkim_aligned;
    bool strict_spf, strict_dkim;
    str aligned_by;   /* the domain that made it pass */
    str rua, ruf, fo; /* raw lists of the record */
    enum dmarc_request p, sp, np;
};

struct check_results {
    struct check_iprev iprev;
    struct check_spf helo, mail; /* of the HELO name, and of MAIL FROM (or postmaster at HELO for <>) */
    struct check_dkim *dkim;
    size_t ndkim;
    bool dkim_more; /* there were more than CHECK_SIGNATURES_MAX */
    struct check_arc arc;
    struct check_dmarc dmarc;
};

/* ---- asking names ------------------------------------------------------------------------------------ */

struct check;
/* Where answers come from: net's resolver, or a zone in a test. As dns_ask of net/net.h. */
struct check_source {
    err (*ask)(void *arg, const struct dns_question *q, struct arena *a, struct dns_answer *ret) YIELDS;
    void *arg;
};
extern const struct check_source check_source_net;

enum {
    CHECK_QUESTIONS_MAX = 200, /* of one message; the default of `questions_max` */
    CHECK_ANSWER_MAX = 160 * 1024
};

/* One message, or one session, that is being checked. Lives as long as its results are read. */
struct check {
    struct arena *mem; /* results and what they point at */
    const struct check_source *source;
    rt_time deadline;       /* of all questions together (RFC 7208 4.6.4: at least 20 s) */
    int64_t now_s;          /* judge as of this time (1970) */
    unsigned questions;     /* asked so far */
    unsigned questions_max; /* 0: CHECK_QUESTIONS_MAX */
    struct buf *explain;    /* every step and look-up as lines, for people; NULL: not wanted */
    /* who sends */
    struct ip ip;
    str helo; /* as it was said */
    str from; /* MAIL FROM without brackets: "local@domain", "" for <> */
    str us;   /* our own host name, for %{r}; "" unknown */
};
/* As dns_ask with any names. The answer is in `a`, which may be an arena for this one look-up (check_answer_begin).
 * E_DNS_TEMP also for too many questions and when the deadline has passed. */
err check_ask(struct check *c, str name, enum dns_type type, struct arena *a, struct dns_answer *ret) YIELDS;
/* An arena that is large enough for one answer, whatever it holds; arena_free ends it. */
void check_answer_begin(struct arena *a);
/* A line of the explanation; nothing when it is not wanted. */
void check_explain(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- the checks --------------------------------------------------------------------------------------- */

/* RFC 7208: of the name in HELO, and of MAIL FROM (of postmaster at the HELO name for <>). At most 10 terms that ask,
 * 2 questions that find nothing, 25 s. Every string of the result is in c->mem, or static. */
void check_spf_helo(struct check *c, struct check_spf *ret) YIELDS;
void check_spf_mail(struct check *c, struct check_spf *ret) YIELDS;
/* RFC 8601 3: the names that the client's address has, and whether one of them has the address. */
void check_iprev(struct check *c, struct check_iprev *ret) YIELDS;
/* RFC 9989, from the header block and what SPF (of MAIL FROM) and DKIM have found in `r`; fills in r->dmarc. */
void check_dmarc(struct check *c, str head, struct check_results *r) YIELDS;
/* RFC 9990 4: may reports about `domain` go to an address at `host`? Yes within one organization; else its DNS has to
 * say so. No answer is no. *ret_instead, in c->mem: the addresses of the same host that its DNS wants them to go to in
 * place of the one that was asked about (of rua=, or with `failures` of ruf=), as a list; "" none. */
bool check_report_wanted(struct check *c, str domain, str host, bool failures, str *ret_instead) YIELDS;

/* ---- DKIM and ARC: one pass over a message -------------------------------------------------------------- */

enum {
    CHECK_FIELDS_MAX = 10000,   /* header fields; of a message with more no signature is looked at */
    CHECK_HASHED_MAX = 8 << 20, /* octets of header that are hashed for all signatures of a message */
    CHECK_KEY_RECORD_MAX = 4096,
    CHECK_RSA_BITS_MIN = 1024, /* RFC 8301 3.2 */
    CHECK_RSA_BITS_MAX = 4096,
};

struct check_mail; /* a message whose signatures are being verified; in c->mem but for its hashes */
/* `head`: the header block, CRLF line ends, which stays where it is. Reads all signatures. E_NOMEM. */
err check_mail_begin(struct check *c, str head, bool arc, struct check_mail **ret);
/* A canonical form of the body is to be hashed though no signature asks for it; before the body. */
err check_mail_want(struct check_mail *m, bool relaxed);
/* The octets behind the empty line, in any pieces. Each canonical form that a signature wants is hashed once. */
void check_mail_body(struct check_mail *m, str octets);
/* The keys are asked for: r->dkim, ndkim, dkim_more and arc are filled in. */
void check_mail_end(struct check_mail *m, struct check_results *r) YIELDS;
void check_mail_free(struct check_mail **m); /* NULL is fine; the results stay */

/* ---- what is said about it ---------------------------------------------------------------------------- */

/* Authentication-Results (RFC 8601): the whole field with its line end; every method that was asked. Of more than
 * CHECK_REPORTED_MAX signatures only those that passed, and the first others. E_NOMEM; E_SYNTAX: no authserv-id. */
enum { CHECK_REPORTED_MAX = 10 };
err check_authres(const struct check *c, const struct check_results *r, str authserv, struct buf *out);
/* True for a field that must not come from outside (RFC 8601 5): Authentication-Results with our name, or one whose
 * name cannot be read. */
bool check_authres_forged(const struct head_field *f, str authserv);

#endif
