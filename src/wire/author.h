/*
 * Who a message says it is from: the domain of its From field (RFC 5322 3.6.2, RFC 6854; RFC 9989 5.3.1). Pure.
 */
#ifndef WIRE_AUTHOR_H
#define WIRE_AUTHOR_H
#include "base/arena.h"

enum author {
    AUTHOR_ONE,   /* one From field with one address */
    AUTHOR_NONE,  /* no From field, or no address in it (an empty group) */
    AUTHOR_MANY,  /* several fields or addresses */
    AUTHOR_BROKEN /* not an address list, or an address without a domain name */
};
/* `head`: a header block, or a message. *ret_domain, in `mem` and in A-labels, is the domain that all addresses share;
 * "" when there is none such: then the kind is never AUTHOR_ONE. Without memory: AUTHOR_BROKEN. */
enum author author_domain(str head, struct arena *mem, str *ret_domain);

#endif
