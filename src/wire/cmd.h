/*
 * SMTP and LMTP command lines (RFC 5321 4.1.1, 2033, 3030, 3461, 1870, 4954, 6531). Pure: all results
 * are views into the line, except unescaped local parts and decoded xtext (from the arena).
 *
 * recv's table says which verbs exist and when; this module takes lines and arguments apart.
 */
#ifndef WIRE_CMD_H
#define WIRE_CMD_H
#include "base/arena.h"
#include "base/buf.h"
#include "wire/addr.h"
#include "wire/fault.h"

struct cmd {
    str verb; /* letters, as sent; compare with str_ieq. At most 16 octets */
    str args; /* behind the blanks, without trailing blanks; may be empty */
};

/* One line without its CRLF. EMPTY, CONTROL (NUL, C0, DEL; a tab is a blank only at the end), VERB. */
enum fault cmd_parse(str line, struct cmd *ret);

/* What a server offers; a parameter of an extension that is not in the mask is unknown (555). */
enum cmd_ext {
    EXT_SIZE = 1 << 0,
    EXT_8BITMIME = 1 << 1,
    EXT_BINARYMIME = 1 << 2,
    EXT_SMTPUTF8 = 1 << 3,
    EXT_DSN = 1 << 4,
    EXT_AUTH = 1 << 5,
    EXT_FUTURERELEASE = 1 << 6,
    EXT_DELIVERBY = 1 << 7,
    EXT_MT_PRIORITY = 1 << 8,
    EXT_REQUIRETLS = 1 << 9,
    EXT_ALL = (1 << 10) - 1,
    EXT_OTHER = 1 << 10 /* what is not known here is somebody else's business: only its form is looked at */
};

enum cmd_body { BODY_NONE, BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };
enum cmd_ret { RET_NONE, RET_FULL, RET_HDRS };
enum cmd_notify { NOTIFY_NONE = 0, NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

/* " NOTIFY=SUCCESS,FAILURE" as RCPT has it (RFC 3461 4.1); nothing for NOTIFY_NONE. At most NOTIFY_TEXT octets. */
enum { NOTIFY_TEXT = 64 };
void cmd_notify_print(struct buf *out, unsigned notify);

enum cmd_by { BY_NONE, BY_RETURN, BY_NOTIFY };

/* The parameters of MAIL and RCPT (wire/param.def). A str with p == NULL was not given. */
struct params {
    str raw;       /* as they were given, without blanks around them */
    unsigned seen; /* bit per row of param.def: 1u << PARAM_SIZE ... */
    uint64_t size; /* SIZE=, octets */
    enum cmd_body body;
    bool smtputf8;
    enum cmd_ret ret;
    str envid;             /* ENVID, decoded; printable ASCII, at most 100 octets as sent */
    str auth;              /* AUTH: decoded mailbox; "" for <> */
    int64_t hold_s;        /* HOLDFOR (RFC 4865): seconds; 0: not given */
    int64_t hold_until_ms; /* HOLDUNTIL: unix time; 0: not given */
    int64_t by_s;          /* BY (RFC 2852): seconds, may be 0 or less */
    enum cmd_by by;
    bool by_trace;
    int priority;    /* MT-PRIORITY (RFC 6710): -9 to 9 */
    bool requiretls; /* RFC 8689 */
    unsigned notify; /* enum cmd_notify, NEVER alone */
    str orcpt_type;  /* "rfc822", "utf-8", ... */
    str orcpt;       /* decoded address behind the ';' */
    str orcpt_raw;   /* type;xtext as sent, at most 500 octets: goes on unchanged */
};

enum param {
#define PARAM(keyword, verb, ext, parse) PARAM_##keyword,
#include "wire/param.def"
#undef PARAM
    PARAM_COUNT
};

/* RFC 5321 4.1.2: keyword[=value] separated by blanks. *rest moves on; false at the end or at a
 * syntax error (*ret_fault tells). has_value is false for a bare keyword. */
struct param_text {
    str keyword, value;
    bool has_value;
};
bool param_next(str *rest, struct param_text *ret, enum fault *ret_fault);

/* `args` of MAIL and RCPT. SMTPUTF8 among MAIL's parameters lets non-ASCII into its own path; for RCPT
 * say whether it was given. `lenient` allows blanks behind the colon. The sender may be <>; the
 * recipient may be <postmaster>.
 *  MAIL: FROM, ADDR_*, PARAM_*, SIZE_RANGE (20 digits or fewer but above 2^63-1, or more digits).
 *  RCPT: TO, ADDR_*, PARAM_*. */
struct mail_cmd {
    struct addr from;
    struct params p;
};
struct rcpt_cmd {
    struct addr to;
    struct params p;
};
enum fault cmd_mail(str args, unsigned exts, bool lenient, struct arena *mem, struct mail_cmd *ret);
enum fault cmd_rcpt(str args, unsigned exts, bool utf8, bool lenient, struct arena *mem, struct rcpt_cmd *ret);

/* BDAT size [LAST] (RFC 3030). BDAT; BDAT_RANGE when the number is above `max`: the client will send
 * that many octets all the same, so the connection cannot go on unless they are read. *ret_size is
 * then UINT64_MAX when it does not fit 64 bits. */
enum fault cmd_bdat(str args, uint64_t max, uint64_t *ret_size, bool *ret_last);

/* AUTH mechanism [initial-response] (RFC 4954). `initial` has p == NULL when absent; "=" is "". */
enum fault cmd_auth(str args, str *ret_mech, str *ret_initial);

/* RSET, QUIT, DATA, STARTTLS: ARG when there is any. */
enum fault cmd_no_args(str args);

/* XCLIENT NAME=value ... (values xtext). Each call gives the next attribute, decoded; "[UNAVAILABLE]"
 * and "[TEMPUNAVAIL]" come as they are. False at the end or on a fault. */
bool cmd_xclient_next(str *rest, struct arena *mem, str *ret_name, str *ret_value, enum fault *ret_fault);

/* xtext of RFC 3461 4. Decoding refuses octets outside 33..126, '=' and bad +HH (upper case only). */
void xtext_encode(struct buf *out, str in);
bool xtext_decode(struct buf *out, str in);

#endif
