/*
 * The framing law of message data (RFC 5321 4.1.1.4, 4.5.2; RFC 3030). Only CRLF.CRLF ends data; a CR
 * or LF that is not part of a CRLF never begins a line and is flagged, so that the message is refused
 * (554 5.6.11) after its real end was found. Pure and incremental.
 */
#ifndef WIRE_DATA_H
#define WIRE_DATA_H
#include "base/buf.h"

enum data_flags {
    DATA_BARE_CR = 1 << 0,
    DATA_BARE_LF = 1 << 1,
    DATA_NUL = 1 << 2,
    DATA_DOT_LINE = 1 << 3,  /* a line of the message begins with a dot: sending by DATA must stuff */
    DATA_8BIT_HEAD = 1 << 4, /* an octet above 127 before the first empty line */
    DATA_8BIT_BODY = 1 << 5, /* ... or behind it */
    DATA_LONG_LINE = 1 << 6, /* a line longer than the limit given at the start */
    DATA_UNENDED = 1 << 7    /* the last octets are not CRLF; only without a terminator (BDAT), at data_in_end */
};
#define DATA_BARE (DATA_BARE_CR | DATA_BARE_LF)

/* --- Receiving --- */
enum data_mode { DATA_DOT, DATA_CHUNK }; /* DATA: stuffed, ended by a dot. BDAT: as it comes */

struct data_in {
    unsigned flags;   /* enum data_flags, so far */
    bool done;        /* DATA_DOT: the terminator was read */
    bool head_done;   /* the empty line was seen */
    uint64_t size;    /* octets of the message so far (after unstuffing) */
    uint64_t body_at; /* offset behind the empty line; valid when head_done */
    uint32_t longest; /* longest line so far, without CRLF and without a stuffed dot; exact from 64 on */
    /* private */
    enum data_mode mode;
    uint8_t state;
    uint32_t line, line_max;
};

/* line_max: octets without CRLF (998 by RFC 5321 4.5.3.1.6); 0: no limit. */
void data_in_init(struct data_in *d, enum data_mode mode, uint32_t line_max);

/* Takes octets from `in` until they end or the terminator is complete. Message octets are written to
 * `out`, which has room for n + 1 octets, or is `in` itself (in place; a CR that follows a lone dot over
 * the end of two calls is then lost, in a message that is flagged DATA_BARE_CR anyway).
 * Returns the octets used; *ret_out is how many were written. After `done` nothing is used any more. */
size_t data_in_feed(struct data_in *d, const char *in, size_t n, char *out, size_t *ret_out);

/* The end of the last BDAT chunk: sets DATA_UNENDED or a bare CR that stands last. For DATA_DOT a no-op. */
void data_in_end(struct data_in *d);

/* --- Sending by DATA --- */
struct data_out {
    uint8_t state;
};
void data_out_init(struct data_out *d);

/* Cuts the next piece to write off *in: a view of it, or a constant. False when *in is used up. Dots are
 * stuffed, and a CR or LF that is not part of a CRLF becomes a blank, so that whatever is stored leaves
 * as one message. Not needed when the message has none of DATA_DOT_LINE, DATA_BARE and DATA_UNENDED:
 * write it as it is and then S(".\r\n"). */
bool data_out_next(struct data_out *d, str *in, str *ret_piece);
/* The same at once for octets that are known to have neither a line that begins with a dot nor a bare CR or LF: true,
 * and they go as they are. False: they must be cut, because a CRLF is torn at one of their ends. */
bool data_out_whole(struct data_out *d, str octets);
/* What ends the message: ".\r\n", or "\r\n.\r\n" when it did not end in CRLF. Once, after the last piece. */
str data_out_end(const struct data_out *d);

/* --- Local text (sendmail, an API): any line end to CRLF --- */
struct data_text {
    bool cr;
    bool open; /* the last line has no end yet */
};
/* LF, CRLF and CR..CRLF become CRLF; a CR elsewhere becomes a blank. Start from a zeroed struct. */
void data_text_feed(struct data_text *t, str in, struct buf *out);
/* Ends an open last line. */
void data_text_end(struct data_text *t, struct buf *out);

#endif
