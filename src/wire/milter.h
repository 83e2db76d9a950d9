/*
 * The milter protocol, versions 2 to 6, as the mail server speaks it: packets to a filter, and what it answers. There
 * is no RFC; what counts is what libmilter and Sendmail do. Pure.
 *
 * A packet is a length (32 bits, network order, of all that follows), an octet that says what it is, and data.
 */
#ifndef WIRE_MILTER_H
#define WIRE_MILTER_H
#include "base/buf.h"
#include "wire/reply.h"

enum {
    MILTER_VERSION = 6,
    MILTER_VERSION_LEAST = 2,
    MILTER_BODY_MAX = 65535,      /* octets of the body in one packet, either way */
    MILTER_ANSWER_MAX = 1 << 20,  /* of one packet from a filter, its length field not counted */
    MILTER_ADDRESS_MAX = 1024,    /* of an address that a filter names, and of its arguments */
    MILTER_HEADER_NAME_MAX = 998, /* of a field's name that a filter gives */
};

/* ---- to the filter ---------------------------------------------------------------------------------------- */

enum milter_cmd {
    MILTER_ABORT = 'A', /* the transaction is over without a message; not answered */
    MILTER_BODY = 'B',
    MILTER_CONNECT = 'C',
    MILTER_MACROS = 'D', /* not answered */
    MILTER_EOM = 'E',    /* SMFIC_BODYEOB: the only one that changes may follow */
    MILTER_HELO = 'H',
    MILTER_QUIT_NC = 'K', /* the session is over, another one follows; not answered */
    MILTER_HEADER = 'L',
    MILTER_MAIL = 'M',
    MILTER_EOH = 'N',
    MILTER_OPTNEG = 'O',
    MILTER_QUIT = 'Q', /* not answered */
    MILTER_RCPT = 'R',
    MILTER_DATA = 'T',
    MILTER_UNKNOWN = 'U'
};

/* What a filter may change; offered by the server, asked for by the filter. */
enum milter_action {
    MILTER_ADD_HEADERS = 0x1,
    MILTER_CHANGE_BODY = 0x2,
    MILTER_ADD_RCPT = 0x4,
    MILTER_DELETE_RCPT = 0x8,
    MILTER_CHANGE_HEADERS = 0x10,
    MILTER_QUARANTINE = 0x20,
    MILTER_CHANGE_SENDER = 0x40,
    MILTER_ADD_RCPT_ARGS = 0x80,
    MILTER_SET_MACROS = 0x100,
    MILTER_ACTIONS = 0x1ff
};

/* What a filter does not want to hear, does not answer, or understands. */
enum milter_step {
    MILTER_NO_CONNECT = 0x1,
    MILTER_NO_HELO = 0x2,
    MILTER_NO_MAIL = 0x4,
    MILTER_NO_RCPT = 0x8,
    MILTER_NO_BODY = 0x10,
    MILTER_NO_HEADERS = 0x20,
    MILTER_NO_EOH = 0x40,
    MILTER_NR_HEADER = 0x80,
    MILTER_NO_UNKNOWN = 0x100,
    MILTER_NO_DATA = 0x200,
    MILTER_CAN_SKIP = 0x400,
    MILTER_RCPT_REJECTED = 0x800, /* recipients that the server refuses are told as well */
    MILTER_NR_CONNECT = 0x1000,
    MILTER_NR_HELO = 0x2000,
    MILTER_NR_MAIL = 0x4000,
    MILTER_NR_RCPT = 0x8000,
    MILTER_NR_DATA = 0x10000,
    MILTER_NR_UNKNOWN = 0x20000,
    MILTER_NR_EOH = 0x40000,
    MILTER_NR_BODY = 0x80000,
    MILTER_LEADING_SPACE = 0x100000, /* values of fields as they are behind the colon, also in changes */
    MILTER_STEPS = 0x1fffff
};

/* Each begins a packet in `out`, puts something in, or completes it; errors stay in `out`. */
size_t milter_begin(struct buf *out, enum milter_cmd c);
void milter_put(struct buf *out, str octets);     /* as they are */
void milter_put_z(struct buf *out, str s);        /* with a NUL behind; a NUL inside becomes '?' */
void milter_put_u16(struct buf *out, unsigned v); /* network order */
void milter_put_u32(struct buf *out, uint32_t v);
void milter_end(struct buf *out, size_t begun); /* what milter_begin gave */

void milter_optneg(struct buf *out, uint32_t version, uint32_t actions, uint32_t steps);
enum milter_family {
    MILTER_FAMILY_UNKNOWN = 'U',
    MILTER_FAMILY_UNIX = 'L',
    MILTER_FAMILY_4 = '4',
    MILTER_FAMILY_6 = '6'
};
void milter_connect_packet(struct buf *out, str name, enum milter_family f, unsigned port, str address);
/* MAIL and RCPT: "<address>", and parameters, several separated by blanks. */
void milter_envelope_packet(struct buf *out, enum milter_cmd c, str address, str params);
/* HEADER: a raw value, from behind the colon to before its line end; folds become LF. Without `leading_space` one blank
 * at its beginning is left out, as Sendmail does. */
void milter_header_packet(struct buf *out, str name, str value, bool leading_space);

/* ---- from the filter -------------------------------------------------------------------------------------- */

enum milter_frame { MILTER_MORE, MILTER_WHOLE, MILTER_BROKEN };
/* The first packet in `in`: *ret_what, a view of its data, and how many octets it is. MORE: *ret_used is how many there
 * must be at least. BROKEN: longer than MILTER_ANSWER_MAX, or empty. */
enum milter_frame milter_frame(str in, char *ret_what, str *ret_data, size_t *ret_used);

/* The stages that macros belong to, as a filter numbers them. */
enum milter_stage {
    MILTER_AT_CONNECT,
    MILTER_AT_HELO,
    MILTER_AT_MAIL,
    MILTER_AT_RCPT,
    MILTER_AT_DATA,
    MILTER_AT_EOM,
    MILTER_AT_EOH,
    MILTER_STAGES
};
struct milter_terms { /* what a filter wants */
    uint32_t version, actions, steps;
    str macros[MILTER_STAGES]; /* names separated by blanks; p == NULL: those that are usual */
};
/* The answer to OPTNEG, an 'O' packet's data; views. False: *ret_why (static) says what is wrong with it. */
bool milter_terms_parse(str data, struct milter_terms *ret, const char **ret_why);

enum milter_said {
    MILTER_SAID_CONTINUE = 'c',
    MILTER_SAID_ACCEPT = 'a',
    MILTER_SAID_REJECT = 'r',
    MILTER_SAID_TEMPFAIL = 't',
    MILTER_SAID_DISCARD = 'd',
    MILTER_SAID_REPLY = 'y', /* value: as milter_reply takes it */
    MILTER_SAID_SKIP = 's',
    MILTER_SAID_SHUTDOWN = '4',
    MILTER_SAID_FAIL = 'f', /* the connection is to be lost */
    MILTER_SAID_PROGRESS = 'p',
    MILTER_SAID_ADD_HEADER = 'h',    /* name, value */
    MILTER_SAID_INSERT_HEADER = 'i', /* index from 0 */
    MILTER_SAID_CHANGE_HEADER = 'm', /* index from 1; value "": delete */
    MILTER_SAID_SENDER = 'e',        /* name: the address, value: parameters, or "" */
    MILTER_SAID_ADD_RCPT = '+',      /* name */
    MILTER_SAID_ADD_RCPT_ARGS = '2', /* name, value */
    MILTER_SAID_DELETE_RCPT = '-',   /* name */
    MILTER_SAID_BODY = 'b',          /* value: the next piece of the new body */
    MILTER_SAID_QUARANTINE = 'q'     /* value: why */
};
struct milter_answer {
    enum milter_said said;
    uint32_t index;
    str name, value; /* views; without NUL, but for a body */
};
/* Any packet but that of OPTNEG. False: it is none, or malformed; *ret_why (static). */
bool milter_answer_parse(char what, str data, struct milter_answer *ret, const char **ret_why);
/* The action that a change needs, or 0 for what is none. */
uint32_t milter_action_of(enum milter_said s);
/* A reply of a filter's own, "550 5.7.1 text", lines separated by CRLF ("550-..."); "%%" is a percent sign. Only 4xx
 * and 5xx. False: it is none. */
bool milter_reply(str text, struct reply *ret);

/* The value of a field as a filter gave it, for a header block: line ends become CRLF, each followed by a blank (a TAB
 * is put where there is none), those at the end are dropped, other controls become '?'. Without `leading_space` a blank
 * goes before it. */
void milter_value(struct buf *out, str value, bool leading_space);
bool milter_field_name(str name); /* one that may stand in a header block (RFC 5322 2.2) */

#endif
