/*
 * Making a stored message fit for a hop without 8BITMIME or BINARYMIME (RFC 6152 3, RFC 3030 3, RFC 2045
 * 6.4): leaf parts that need it become quoted-printable or base64, multiparts and message/rfc822 are
 * entered and relabelled. Pure and streaming, two passes over the same octets: the first finds out what
 * each part holds, the second writes.
 */
#ifndef WIRE_MIME_H
#define WIRE_MIME_H
#include "base/buf.h"

enum {
    MIME_DEPTH_MAX = 20,
    MIME_PARTS_MAX = 2000,
    MIME_HEAD_MAX = 262144, /* header block of the message or of one part */
    MIME_LINE_MAX = 998
};

struct mime; /* the walk; a few KiB and the header block of the current part */

/* What the scan found. */
struct mime_info {
    bool head_8bit; /* a header (of the message or of a part) has octets above 127: needs SMTPUTF8 */
    bool body_8bit; /* a part has octets above 127 */
    bool binary;    /* a part has NUL, bare CR or bare LF */
    bool long_line; /* a line is longer than 998 octets */
    bool bad;       /* something that must change cannot be: bounce with 5.6.3 */
    unsigned parts;
};

/* NULL without memory. */
struct mime *mime_new(void);
void mime_free(struct mime **m);

/* First pass: the whole message, header block first, in any pieces; then mime_scan_end. E_LIMIT (depth, parts,
 * header), E_NOMEM. After an error the message counts as not convertible. */
err mime_scan(struct mime *m, str in);
err mime_scan_end(struct mime *m, struct mime_info *ret);

/* Second pass over the same octets. Output is appended to `out`, at most about 3.2 times the input and
 * 64 KiB of header more; the caller empties it between calls. The result has only 7-bit octets, lines up to
 * 998 octets and CRLF line ends, except headers that were 8-bit before. E_UNSUPPORTED when `bad`. */
err mime_convert(struct mime *m, str in, struct buf *out);
err mime_convert_end(struct mime *m, struct buf *out);

/*
 * Looking: one pass over the same octets, in which a visitor sees each entity: its header block, and of those that have
 * no parts inside the body as it was written. Limits and errors as in the scan: what is behind them is not seen.
 */
enum mime_cte { CTE_NONE, CTE_7BIT, CTE_8BIT, CTE_BINARY, CTE_QP, CTE_BASE64, CTE_OTHER };
struct mime_seen {
    unsigned number; /* from 0, in order of their headers */
    unsigned depth;  /* multiparts and messages around it */
    bool leaf;       /* text and end follow */
    bool whole;      /* it is the message itself */
    enum mime_cte cte;
    str head; /* as long as the call lasts */
};
struct mime_visitor {
    void (*head)(void *arg, const struct mime_seen *e);
    void (*text)(void *arg, str octets);
    void (*end)(void *arg);
};
void mime_look(struct mime *m, const struct mime_visitor *v, void *arg); /* before the first octet */
err mime_look_at(struct mime *m, str in);
err mime_look_end(struct mime *m);

/* Quoted-printable of one text line without its CRLF; soft line breaks keep output lines within 76. */
void mime_qp_line(struct buf *out, str line);

#endif
