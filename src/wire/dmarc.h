/* DMARC policy records (RFC 9989 4.7 and 4.8) and report addresses. Pure: views into the record. */
#ifndef WIRE_DMARC_H
#define WIRE_DMARC_H
#include "base/str.h"

/* Values of p, sp and np. ABSENT: not there. WRONG: there, and none of the words. */
enum dmarc_request { DMARC_ABSENT, DMARC_WRONG, DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };

struct dmarc_record {
    enum dmarc_request p, sp, np;
    bool strict_dkim, strict_spf; /* adkim=s, aspf=s */
    char psd;                     /* 'y', 'n', 'u' */
    bool testing;                 /* t=y */
    str rua, ruf, fo;             /* raw; "" not there */
};

/* Begins with v=DMARC1 (RFC 9989 4.7: else it is no such record). Everything else that is wrong is passed over. */
bool dmarc_parse(str txt, struct dmarc_record *ret);

/* The next URI of a list of rua= or ruf=, which moves on: without blanks and without a size limit (obsolete "!10m").
 * False at its end. */
bool dmarc_uri_next(str *list, str *ret_uri);
/* The same with the limit behind it, "!10m" (RFC 9990 3.5): octets; 0: none. */
bool dmarc_uri_sized(str *list, str *ret_uri, uint64_t *ret_most);
/* "mailto:user@host.test": the address, with %XX decoded, in `out` (size octets). False for anything else. */
bool dmarc_mailto(str uri, char *out, size_t size, str *ret);
/* True when a list names at least one URI. */
bool dmarc_has_uri(str list);

#endif
