/*
 * Canonical forms of header fields and bodies for signatures (RFC 6376 3.4). Pure and streaming. Line ends are
 * CRLF; a CR or LF elsewhere (BINARYMIME) is an octet like any other. Nothing here knows a signature scheme.
 */
#ifndef WIRE_CANON_H
#define WIRE_CANON_H
#include "base/buf.h"
#include "wire/head.h"

enum canon { CANON_SIMPLE, CANON_RELAXED };

/* One field with its CRLF, whether or not `f->raw` has one. Errors are kept in `out`. */
void canon_field(struct buf *out, enum canon c, const struct head_field *f);
/* The field of a signature with the value of its tag b= taken out, without CRLF at its end (3.7). `value_b` lies
 * within f->value, the blanks around it are taken too: canon_b_value finds it. */
void canon_field_unsigned(struct buf *out, enum canon c, const struct head_field *f, str value_b);
/* All that stands between "b=" and the next ';' or the end of a raw field value; p == NULL: there is no such tag. */
str canon_b_value(str value);

/* The canonical body in pieces of any size, given to `put`. */
typedef void canon_put(void *arg, str piece);
struct canon_body {
    enum canon c;
    canon_put *put;
    void *arg;
    uint64_t empties; /* line ends held back: empty lines, perhaps the last */
    bool wsp;         /* relaxed: blanks are held back */
    bool cr;          /* a CR is held back */
    bool line;        /* the current line has octets */
    bool any;         /* something was given out */
};
void canon_body_init(struct canon_body *b, enum canon c, canon_put *put, void *arg);
void canon_body_feed(struct canon_body *b, str in);
void canon_body_end(struct canon_body *b);

#endif
