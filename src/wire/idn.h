/* Internationalised domain names: IDNA2008 by UTS 46, non-transitional (RFC 5890-5895). Pure, over libidn2. */
#ifndef WIRE_IDN_H
#define WIRE_IDN_H
#include "base/arena.h"

/* To A-labels in lower case; a domain that is ASCII already is only lowered, and nothing else about it is
 * checked (domain_valid does). E_SYNTAX: not UTF-8, too long or not allowed by IDNA. E_NOMEM, E_LIMIT. */
err idn_to_ascii(str domain, struct arena *a, str *ret);
/* To U-labels for people; a domain that does not convert stays as it is. E_SYNTAX: too long or with a NUL. */
err idn_to_unicode(str domain, struct arena *a, str *ret);

#endif
