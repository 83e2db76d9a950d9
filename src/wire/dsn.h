/*
 * Delivery status notifications: multipart/report (RFC 6522) with message/delivery-status (RFC 3464,
 * 3461 6) or message/global-delivery-status (RFC 6533). Pure. A printer; the text is ours, every foreign
 * string in it is made safe.
 */
#ifndef WIRE_DSN_H
#define WIRE_DSN_H
#include "base/buf.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };

struct dsn_rcpt {
    str orcpt_type, orcpt; /* Original-Recipient: type and decoded address; empty: left out */
    str final;             /* Final-Recipient: local@domain; its type is rfc822, or utf-8 when not ASCII */
    enum dsn_action action;
    str status;             /* "5.1.1" */
    str remote_mta;         /* name of the host that answered; empty: left out */
    str diagnostic;         /* "550 5.1.1 ..."; printed as smtp; empty: left out */
    str error;              /* our own words, for people: instead of a remote answer, or behind it */
    int64_t last_attempt_s; /* 0: left out */
    int64_t retry_until_s;  /* delayed only; 0: left out */
};

enum dsn_content { DSN_CONTENT_NONE, DSN_CONTENT_HEADERS, DSN_CONTENT_FULL };

struct dsn {
    str reporting_mta; /* our host name */
    str from;          /* header From: "Mail Delivery System <mailer-daemon@host>" */
    str to;            /* the sender that is told: local@domain */
    str message_id;    /* of this report, without < and > */
    str boundary;      /* 1..60 octets of [A-Za-z0-9._=-] that occur nowhere in the content */
    str envid;         /* ENVID of the original, decoded; empty: left out */
    str queue_id;      /* our id of the original, for people */
    str subject;       /* Subject of the original as unfolded text, may be empty */
    int64_t now_s, arrival_s;
    bool utf8;         /* the report may use the RFC 6533 forms (original was SMTPUTF8) */
    bool content_8bit; /* the content that follows has octets above 127: the report is 8bit */
    enum dsn_content content;
    const struct dsn_rcpt *rcpts;
    size_t n_rcpts;
    str text; /* the human part, lines by '\n'; empty: written from the recipients */
};

/* The header block of the report with its empty line, the human and the machine part, and the head of the
 * third part. The caller then appends the original's header block (HEADERS) or whole message (FULL),
 * and dsn_print_end. E_LIMIT/E_NOMEM from out, E_SYNTAX for a boundary that is none. */
err dsn_print(struct buf *out, const struct dsn *d);
err dsn_print_end(struct buf *out, const struct dsn *d);

/* The worst action of all recipients decides the Subject. */
const char *dsn_action_name(enum dsn_action a); /* "failed" */

#endif
