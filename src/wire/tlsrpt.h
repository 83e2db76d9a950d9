/*
 * TLS reports (RFC 8460): the record that asks for them, and their JSON, as it is written and as it is read. Strings
 * are views or in the arena; what is read is bounded in policies, details and text. Pure.
 */
#ifndef WIRE_TLSRPT_H
#define WIRE_TLSRPT_H
#include "base/arena.h"
#include "base/buf.h"

enum {
    TLSRPT_POLICIES_MAX = 1000,
    TLSRPT_FAILURES_MAX = 20000, /* of all policies */
    TLSRPT_STRINGS_MAX = 100,    /* lines of a policy; patterns of hosts */
    TLSRPT_TEXT_MAX = 1024
};

/* The rua= of "v=TLSRPTv1; rua=..." (3). False: it is no such record, or not one by the grammar. */
bool tlsrpt_record(str txt, str *ret_rua);
/* The next "mailto:" or "https:" of a rua=. */
bool tlsrpt_uri_next(str *list, str *ret_uri);

struct tlsrpt_failure { /* 4.3, 4.4; "" is not said */
    str type, sending_ip, mx, helo, receiving_ip, info, reason;
    uint64_t count;
};
struct tlsrpt_policy {
    str type, domain;   /* "sts", "tlsa", "no-policy-found" */
    str *lines, *hosts; /* policy-string, mx-host */
    size_t nlines, nhosts;
    uint64_t good, bad; /* sessions */
    struct tlsrpt_failure *failures;
    size_t nfailures;
};
struct tlsrpt {
    str organization, contact, id;
    int64_t begin_s, end_s;
    struct tlsrpt_policy *policies;
    size_t npolicies;
};
err tlsrpt_print(struct buf *out, const struct tlsrpt *r);
/* Everything in `a`. E_SYNTAX: not such a report; E_LIMIT: more than we take; E_NOMEM. */
err tlsrpt_read(str json, struct arena *a, struct tlsrpt *ret);

#endif
