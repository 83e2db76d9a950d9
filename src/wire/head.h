/*
 * Message header blocks (RFC 5322 2.2, 3.6; RFC 5321 4.4): walking over fields, writing them safely,
 * the fields that a server makes, and address lists. Pure. Line ends are CRLF everywhere.
 */
#ifndef WIRE_HEAD_H
#define WIRE_HEAD_H
#include "base/arena.h"
#include "base/buf.h"
#include "wire/ip.h"

enum {
    HEAD_FIELD_MAX = 65536, /* octets of one field that head_unfold and the address parser take */
    HEAD_NAME_MAX = 76
};

struct head_field {
    str name;  /* without blanks and colon */
    str value; /* raw: behind the colon, folds inside, without the last CRLF */
    str raw;   /* the whole field with its last line end */
};

/* Walks over `*rest`, a message or a header block. False at the empty line (which *rest then begins
 * with), at the end, or at the first line that is no field: *rest is left there. Line ends may be LF
 * too. A name is 1 or more printable octets; blanks before the colon are taken (obsolete syntax). */
bool head_next(str *rest, struct head_field *ret);

/* Length of the header block: all fields, and the empty line if there is one (*ret_empty_line, which may be NULL). */
size_t head_len(str message, bool *ret_empty_line);

/* The first field of that name (ASCII case ignored): its raw value. p == NULL when there is none. */
str head_find(str block, str name);
size_t head_count(str block, str name);

/* A raw value without folds: CRLF before a blank is dropped, outer blanks too. Other controls: '?'. */
void head_unfold(struct buf *out, str value);

/* Writes "Name: value\r\n", folded before column 78 at blanks where it can be, 998 at most. The value may
 * hold "\n" as a wished fold (becomes CRLF TAB). E_SYNTAX, and nothing is written, when the name is not
 * a field name or the value holds CR, NUL or another control; octets above 127 pass. */
err head_add(struct buf *out, str name, str value);

/* Received: (RFC 5321 4.4). Empty strings are left out. */
struct head_received {
    str helo;            /* what the client said */
    str rdns;            /* its verified name, else "" */
    const struct ip *ip; /* its address, NULL for none (local) */
    uint16_t port;
    str by;                            /* our host name */
    bool esmtp, lmtp, tls, auth, utf8; /* make the `with` word: RFC 3848, 6531 (UTF8SMTPSA, ...) */
    str tls_info;                      /* "TLSv1.3 with cipher X": goes into a comment */
    str auth_user;                     /* goes into a comment; leave empty to keep it secret */
    str local_user;                    /* "uid 1000": "from" is then left out */
    str id;                            /* queue id */
    str rcpt;                          /* printed by addr_print; only when there is exactly one recipient */
    int64_t unix_s;
};
err head_received(struct buf *out, const struct head_received *r);

/* The `with` word alone. */
const char *head_with(bool esmtp, bool lmtp, bool tls, bool auth, bool utf8);

/* "Date: ...\r\n" and "Message-ID: <...>\r\n". */
void head_date(struct buf *out, int64_t unix_s);
void head_message_id(struct buf *out, int64_t unix_ms, uint64_t random, str hostname);

/* A date-time (RFC 5322 3.3), obsolete forms too (4.3): comments, years of two digits, names of zones. The day of the
 * week is not compared with the date. False: it is none, or a day that no month has. */
bool head_date_read(str value, int64_t *ret_unix_s);

/* --- Address lists of From, To, Cc, Bcc (RFC 5322 3.4, obsolete forms too) --- */
struct head_addr {
    str display; /* the phrase before <...>, raw, trimmed; may be "" */
    str spec;    /* local@domain without blanks and comments, or a bare local part */
};
/* Walks over a raw or unfolded value: groups are entered, comments skipped (nested up to 16), quoted
 * strings understood, routes dropped, empty elements passed. False at the end or at a syntax error
 * (*ret_bad; *rest is where). `spec` is in `mem` when it had to be put together. */
bool head_addr_next(str *rest, struct arena *mem, struct head_addr *ret, bool *ret_bad);

#endif
