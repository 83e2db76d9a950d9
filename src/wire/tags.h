/*
 * Lists of tag=value pairs (RFC 6376 3.2), as DKIM, ARC and DMARC have them. Pure. Values are views into the text, with
 * their folds; octets above 127 pass when they are UTF-8 (RFC 8616).
 */
#ifndef WIRE_TAGS_H
#define WIRE_TAGS_H
#include "base/arena.h"
#include "base/buf.h"

enum { TAGS_MAX = 48 };

struct tag {
    str name, value; /* without the blanks and folds around them */
};
struct tags {
    struct tag v[TAGS_MAX];
    size_t n;
};

/* By the letter: names of letters, digits and '_', none twice, values of printable octets and blanks; one ';' may end
 * the list. E_SYNTAX, E_LIMIT. */
err tags_parse(str text, struct tags *ret);
/* p == NULL when there is none. Names are compared exactly (3.2: case-sensitive). */
str tags_get(const struct tags *t, str name);

/* One element of a list within a value, cut off *rest at `sep`; blanks and folds around it are taken. False at the
 * end. */
bool tags_item(str *rest, char sep, str *ret);
/* Folding white space taken off both ends. */
str tags_trim(str s);
/* base64 with folds anywhere inside, padding optional (the grammar of 2.7). E_SYNTAX, E_LIMIT, E_NOMEM. */
err tags_base64(str value, struct buf *out);
/* dkim-quoted-printable (2.11) without its folds. E_SYNTAX; errors of `out`. */
err tags_unquote(str value, struct buf *out);

#endif
