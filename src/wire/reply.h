/*
 * SMTP replies (RFC 5321 4.2, enhanced codes RFC 2034 and 3463): the struct that servers fill and
 * print, and the parser of what servers send to us, with the EHLO keyword list. Pure.
 */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H
#include "base/buf.h"

enum {
    REPLY_TEXT_MAX = 1000,    /* octets of text in all lines together; more is cut off */
    REPLY_LINE_MAX = 512,     /* printed, with CRLF: longer lines are wrapped */
    REPLY_IN_LINE_MAX = 2048, /* accepted from a server, without CRLF */
    REPLY_IN_LINES_MAX = 100
};

struct reply {
    int code;                  /* 200..599; 0: not set */
    char esc[12];              /* "5.1.1", or "" */
    bool cut;                  /* text was longer than there is room for */
    uint16_t n;                /* octets in text */
    char text[REPLY_TEXT_MAX]; /* lines separated by '\n', none at the end */
};

static inline void reply_init(struct reply *r) { r->code = 0, r->esc[0] = 0, r->cut = false, r->n = 0; } /* not set */
/* Fills *r. esc may be "" or NULL. CR, NUL, controls and octets above 127 become '?'; '\n' separates lines. */
void reply_set(struct reply *r, int code, const char *esc, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* One more line. */
void reply_add(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with text from elsewhere, which may hold '%'. */
void reply_set_str(struct reply *r, int code, const char *esc, str text);
void reply_add_str(struct reply *r, str line);

/* All lines with CRLF, "250-" before "250 ", the enhanced code on each line when there is one, no line
 * above REPLY_LINE_MAX (wrapped at a blank where possible). A code outside 200..599 prints 451 4.3.0. */
void reply_print(struct buf *out, const struct reply *r);
/* The whole in one line "550 5.1.1 text; text" for logs, DSN and `why`. */
void reply_print_line(struct buf *out, const struct reply *r);

static inline str reply_text(const struct reply *r) { return (str){r->text, r->n}; }
static inline bool reply_is_ok(const struct reply *r) { return r->code / 100 == 2; }
static inline bool reply_is_temp(const struct reply *r) { return r->code / 100 == 4; }
static inline bool reply_is_perm(const struct reply *r) { return r->code / 100 == 5; }

/* "4.3.1 text": the length of a valid enhanced code with class 2, 4 or 5, or 0. */
size_t reply_esc_len(str text);
/* A reply in one text: "550 5.7.1 Go away" (policy, scripts). False when there is no code. */
bool reply_from_text(struct reply *r, str text);

/* --- From a server, line by line --- */
enum reply_in { REPLY_MORE, REPLY_DONE, REPLY_BAD };
struct reply_parser {
    struct reply r; /* complete after REPLY_DONE */
    str line;       /* text of the last line, after code and separator, with any enhanced code:
                       a view into the caller's line; for ehlo_line */
    unsigned lines;
};
void reply_parser_init(struct reply_parser *p);
/* One line without CRLF (or LF). Takes "250", "250 text", "250-text"; of differing codes in one reply the
 * last counts (RFC 5321 4.2.1 leaves it to us). REPLY_BAD: no code, line or reply too long; the
 * connection cannot be trusted any further. The enhanced code is taken from the first line that has one
 * whose class fits the code. */
enum reply_in reply_parse_line(struct reply_parser *p, str line);

/* --- The EHLO answer --- */
enum cap {
    CAP_PIPELINING = 1 << 0,
    CAP_SIZE = 1 << 1,
    CAP_8BITMIME = 1 << 2,
    CAP_SMTPUTF8 = 1 << 3,
    CAP_CHUNKING = 1 << 4,
    CAP_BINARYMIME = 1 << 5,
    CAP_DSN = 1 << 6,
    CAP_ENHANCEDSTATUSCODES = 1 << 7,
    CAP_STARTTLS = 1 << 8,
    CAP_AUTH = 1 << 9,
    CAP_LIMITS = 1 << 10,
    CAP_VRFY = 1 << 11,
    CAP_XCLIENT = 1 << 12,
    CAP_REQUIRETLS = 1 << 13,
    CAP_DELIVERBY = 1 << 14,
    CAP_FUTURERELEASE = 1 << 15,
    CAP_MT_PRIORITY = 1 << 16,
    CAP_ETRN = 1 << 17,
    CAP_XFORWARD = 1 << 18
};
enum auth_mech {
    AUTH_PLAIN = 1 << 0,
    AUTH_LOGIN = 1 << 1,
    AUTH_CRAM_MD5 = 1 << 2,
    AUTH_SCRAM_SHA_1 = 1 << 3,
    AUTH_SCRAM_SHA_1_PLUS = 1 << 4,
    AUTH_SCRAM_SHA_256 = 1 << 5,
    AUTH_SCRAM_SHA_256_PLUS = 1 << 6,
    AUTH_OAUTHBEARER = 1 << 7,
    AUTH_XOAUTH2 = 1 << 8,
    AUTH_EXTERNAL = 1 << 9
};
struct ehlo {
    uint32_t caps;                                /* enum cap */
    uint32_t auth;                                /* enum auth_mech */
    uint64_t size;                                /* SIZE: octets; 0 is no fixed limit */
    uint64_t mail_max, rcpt_max, rcpt_domain_max; /* RFC 9422; 0: not said */
};
/* One line of a 250 answer to EHLO or LHLO, as reply_parser.line gives it; do not pass the first (the
 * greeting). Unknown keywords and broken values are ignored; "AUTH=PLAIN" of old servers is taken. */
void ehlo_line(struct ehlo *e, str line);

#endif
