/*
 * Authentication-Results (RFC 8601 2.2): its name, its results one by one, and values written so that they can be read
 * back. Pure.
 */
#ifndef WIRE_AUTHRES_H
#define WIRE_AUTHRES_H
#include "base/buf.h"

/* Whose results: the authserv-id in a raw value, without comments and quotes, and what stands behind the first ';' (""
 * when there is none). Quoted pairs in the name stay as they are. False: the field has none. */
bool authres_id(str value, str *ret_id, str *ret_rest);
/* One result ("spf=pass smtp.mailfrom=a@b"), raw, outer blanks off; cut off *rest at a ';' outside of quotes and
 * comments. False at the end. Empty ones and "none" are passed over. */
bool authres_next(str *rest, str *ret);
/* The method (without a version) and the word behind it: "spf", "pass". False: it is no result. */
bool authres_method(str result, str *ret_method, str *ret_word);

/* " name=value", quoted where its octets ask for it (2.2, RFC 2045 5.1); an address or "@domain" is not quoted when it
 * need not be. Nothing when the value is empty. Controls become '?'. */
void authres_property(struct buf *out, const char *name, str value);
/* " (text)" as a comment that ends where it ends; nothing when empty. */
void authres_comment(struct buf *out, str text);

#endif
