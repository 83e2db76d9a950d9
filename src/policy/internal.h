/* What the files of policy share: a session's state in the pipeline. */
#ifndef POLICY_INTERNAL_H
#define POLICY_INTERNAL_H
#include "policy/policy.h"

enum {
    TX_MEM_CHUNK = 1024,
    TX_MEM_MAX = 8 << 20,      /* what filters keep of one transaction */
    SESSION_MEM_MAX = 1 << 20, /* ... and of a session */
    EDITS_MAX = 10000          /* of one message */
};

struct policy {
    struct arena tx, session; /* memory by lifetime */
    void *own[FILTERS_MAX];
    unsigned wants[FILTERS_MAX]; /* phases, by filter */
    unsigned phases;             /* all of them together */
    bool may_change;
    bool lifted, tx_lifted; /* an accept: for the session, for the transaction */
    struct verdict outcome; /* of the transaction */
    struct edit *edits, **last;
    uint32_t nedits;
    double score;
    const char *running; /* the filter that is asked right now */
};

bool edit_is_good(const struct edit *e); /* edit_head.c: may be written */

#endif
