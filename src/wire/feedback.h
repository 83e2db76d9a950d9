/*
 * DMARC aggregate reports (RFC 9990): the XML, as it is written and as it is read. Pure.
 *
 * A report is an array of rows; strings are views. What is read is bounded in rows, depth and text.
 */
#ifndef WIRE_FEEDBACK_H
#define WIRE_FEEDBACK_H
#include "base/arena.h"
#include "base/buf.h"

enum { FEEDBACK_ROWS_MAX = 100000, FEEDBACK_DKIM_MAX = 10, FEEDBACK_TEXT_MAX = 1024, FEEDBACK_DEPTH_MAX = 16 };

struct feedback_dkim {
    str domain, selector, result;
};
struct feedback_row {
    str ip;
    uint64_t count;
    str disposition, dkim, spf; /* policy_evaluated: "none", "quarantine", "reject"; "pass", "fail" */
    str from, envelope_from;    /* domains */
    str spf_domain, spf_scope, spf_result;
    struct feedback_dkim *signatures;
    size_t nsignatures;
    str reason; /* why less was done than the policy asks for; "" */
};
struct feedback {
    str organization, email, id; /* who reports */
    int64_t begin_s, end_s;
    str domain;                 /* whose policy */
    str p, sp, np, adkim, aspf; /* as published; "" not */
    bool testing;
    struct feedback_row *rows;
    size_t nrows;
};

/* E_LIMIT, E_NOMEM of out. */
err feedback_print(struct buf *out, const struct feedback *f);
/* Everything in `a`. E_SYNTAX: not such a report; E_LIMIT: more than we take; E_NOMEM. */
err feedback_read(str xml, struct arena *a, struct feedback *ret);

#endif
