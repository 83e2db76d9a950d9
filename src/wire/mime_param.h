/*
 * Structured values of MIME fields (RFC 2045 5.1, RFC 2183 2): tokens, parameters, and the names of files in all the
 * ways in which programs write and read them. Pure.
 */
#ifndef WIRE_MIME_PARAM_H
#define WIRE_MIME_PARAM_H
#include "base/arena.h"
#include "base/buf.h"

enum {
    MIME_NAMES_MAX = 8,     /* of one field */
    MIME_PIECES_MAX = 64,   /* of one name (RFC 2231 3) */
    MIME_VALUE_MAX = 65536, /* octets of a field that are read for names */
    MIME_NAME_MAX = 1024    /* octets of one name; what is longer loses its middle */
};

str mime_skip_cfws(str s); /* without the blanks, folds and comments that it begins with */
/* A token with the blanks and comments around it, taken off *s; "" when there is none. */
str mime_token(str *s);
bool mime_char(str *s, char c); /* the same for one octet */
/* A token or a quoted string, appended to `out`; of what programs write without quotes, all up to ';' or a blank. */
bool mime_value(str *s, struct buf *out);

/* "type/subtype" of a Content-Type, in lower case, into `out` (fixed, any size); nothing when it is malformed. */
void mime_type_of(str value, struct buf *out);

/*
 * Every name that the parameter `param` ("name", "filename") of a field may be read to give, as UTF-8: plain ones, with
 * encoded words that no parameter may have (RFC 2047 5) but many do, those of RFC 2231 (charset, pieces in any order),
 * and a parameter that stands there more than once. Equal ones are there once. Control octets are taken away, of which
 * *ret_controls (may be NULL) tells. Returns how many; the strings are in `a` (fewer than there are when it is full).
 */
size_t mime_names(str value, str param, struct arena *a, str names[MIME_NAMES_MAX], bool *ret_controls);

/* Encoded words of an unstructured text (RFC 2047) as UTF-8, the rest as it is. */
void mime_words(struct buf *out, str text);
/* Octets of a charset as UTF-8. Charsets that are not known stay as they are. */
void mime_to_utf8(struct buf *out, str charset, str text);

/* --- Transfer encodings (RFC 2045 6.7, 6.8), forgiving as readers are --- */
enum mime_coding { MIME_CODING_NONE, MIME_CODING_QP, MIME_CODING_BASE64 };
struct mime_decoder {
    enum mime_coding coding;
    uint32_t bits;
    unsigned nbits;
    bool ended;   /* base64: padding was seen */
    bool foreign; /* base64: octets that are in no alphabet and no line end */
    char held[3]; /* quoted-printable: "=" and what followed so far */
    uint8_t nheld;
};
/* Decodes a piece of any size into `out`, which has room for in.n + 3 octets; returns how many were written. */
size_t mime_decode(struct mime_decoder *d, str in, char *out);
size_t mime_decode_end(struct mime_decoder *d, char *out); /* what was held back: at most 3 octets */

#endif
