/*
 * The report that a message encloses: found among its MIME parts, decoded and unpacked. Takes DMARC aggregate reports
 * (RFC 9990, RFC 7489), TLS reports (RFC 8460) and feedback reports (RFC 5965, RFC 6591, RFC 9991). Pure; bounded in
 * depth, parts and octets.
 */
#ifndef WIRE_ENCLOSED_H
#define WIRE_ENCLOSED_H
#include "base/buf.h"

enum { ENCLOSED_DEPTH_MAX = 8, ENCLOSED_PARTS_MAX = 200 };

enum enclosed_kind { ENCLOSED_NONE, ENCLOSED_DMARC, ENCLOSED_TLS, ENCLOSED_FEEDBACK };
struct enclosed {
    enum enclosed_kind kind;
    str text;     /* XML, JSON, or the fields of message/feedback-report: in the buffer */
    str original; /* of a feedback report: the message that it is about, or its header; a view, "" without */
};
/* `text` keeps what was unpacked, text->max bounds it. E_NOT_FOUND: no part may be one; E_SYNTAX: one may be and
 * cannot be decoded; E_LIMIT: it is larger, deeper or in more parts than we take; E_NOMEM. */
err enclosed_find(str message, struct buf *text, struct enclosed *ret);
/* The same for what is no message: XML, JSON, gzip or ZIP. E_NOT_FOUND: it is none of these. */
err enclosed_open(str file, struct buf *text, struct enclosed *ret);

#endif
