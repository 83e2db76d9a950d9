/*
 * A report of any kind that others send (wire/enclosed.h says which), read: what a list says of it, its rows, and all
 * of it in words and as JSON. Pure.
 */
#ifndef WIRE_FINDINGS_H
#define WIRE_FINDINGS_H
#include "wire/arf.h"
#include "wire/enclosed.h"
#include "wire/feedback.h"
#include "wire/tlsrpt.h"

struct findings {
    const char *kind;             /* "dmarc", "tls", "failure", "abuse" */
    str domain, organization, id; /* about whom, by whom; "" is not said */
    int64_t begin_s, end_s;       /* 0: not said */
    uint64_t total, failed;       /* messages or sessions */
    enum enclosed_kind form;
    struct feedback dmarc;
    struct tlsrpt tls;
    struct arf arf;
};
/* Everything in `a`. E_SYNTAX, E_LIMIT, E_NOMEM. */
err findings_read(const struct enclosed *e, struct arena *a, struct findings *ret);

/* What the summary adds up, in order: by sending address (DMARC, complaints), by server and result (TLS). */
struct finding {
    str source, what;
    uint64_t total, failed;
};
/* The i-th, while it returns true. */
bool findings_row(const struct findings *r, size_t i, struct finding *ret);

void findings_text(struct buf *out,
                   const struct findings *r); /* lines for people; nothing of a peer reaches a terminal */
void findings_json(struct buf *out, const struct findings *r); /* one object */

#endif
