/* The milters of one session, shared by the files that ask them. */
#ifndef POLICY_USE_MILTER_H
#define POLICY_USE_MILTER_H
#include "milter/milter.h"
#include "policy/breaker.h"
#include "policy/internal.h"

enum { MILTERS_MAX = 32 };

struct use_milter { /* one of them */
    struct milter *m;
    struct breaker *breaker;
    const struct conf_milter *c;
    const char *by; /* "milter dkim" */
    bool met;       /* it was told who connects */
    bool closed;    /* the breaker does not let us ask in this transaction */
    bool asking;    /* breaker_leave is owed */
    bool unasked;   /* it failed, and mail passes without it */
};

struct use_milters {
    struct conf *conf; /* the generation whose filters these are; a reference */
    struct arena mem;
    struct use_milter v[MILTERS_MAX];
    size_t n;
    struct ip_port client; /* as the filters know it ... */
    str name, helo;        /* ... its confirmed name, and the name it gave */
    bool looked_up;
    bool listed; /* those of the listener are among them; rules may bring more */
    /* for the macros, during a call: */
    const struct matter *about;
    str rcpt;                    /* without brackets */
    const struct reply *refusal; /* of a recipient that was refused before they were asked */
    unsigned rcpts;              /* they were asked about, in all */
    char number[24];
    struct buf text;
    char room[600];
};

str use_milter_macro(void *arg, str name); /* of a struct use_milters */

/* What a filter that failed means. False: *v refuses or defers. */
bool use_milter_failed(struct policy *p, struct use_milters *u, struct use_milter *x, err e, struct verdict *v);
/* Takes up what a filter said. True: go on with the next one. */
bool use_milter_settled(struct use_milter *x, const struct milter_verdict *said, struct verdict *v);
/* The whole message, at its end, changes and all. True: go on with the next one. *ret false: no memory. */
bool use_milter_end(struct policy *p, struct use_milters *u, struct use_milter *x, struct matter *m, struct verdict *v,
                    bool *ret_ok) YIELDS;

#endif
