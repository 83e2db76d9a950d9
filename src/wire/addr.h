/*
 * Mail addresses as they stand in SMTP commands: RFC 5321 4.1.2 and 4.1.3, RFC 6531 3.3. Pure.
 *
 * A parsed address is views into the text it came from; only a local part with backslashes, and a domain beyond ASCII
 * in a path, need memory (from the arena). addr_copy makes it last. Header fields are parsed by wire/head.
 */
#ifndef WIRE_ADDR_H
#define WIRE_ADDR_H
#include "base/arena.h"
#include "base/buf.h"
#include "wire/fault.h"

enum { /* RFC 5321 4.5.3.1, in octets */
       ADDR_LOCAL_MAX = 64,
       ADDR_DOMAIN_MAX = 255,
       ADDR_PATH_MAX = 256, /* with the < and > */
       ADDR_LABEL_MAX = 63,
       ADDR_TEXT_MAX = 2 + 2 * ADDR_LOCAL_MAX + 1 + ADDR_DOMAIN_MAX /* what addr_print can need */
};

enum addr_kind {
    ADDR_NONE,  /* <>: no local part, no domain */
    ADDR_LOCAL, /* no domain: <postmaster>, or any name with ADDR_F_LOCAL */
    ADDR_NAME,  /* a domain name */
    ADDR_IPV4,  /* [192.0.2.1] */
    ADDR_IPV6   /* [IPv6:2001:db8::1] */
};

struct addr {
    str local;  /* unquoted: the meaning, not the spelling; never with control characters */
    str domain; /* as sent; literals with their brackets; "" for ADDR_NONE and ADDR_LOCAL */
    enum addr_kind kind;
    bool utf8;   /* an octet above 127 in local part or domain */
    bool quoted; /* the local part was a quoted string */
    bool routed; /* a source route stood before it and was dropped (RFC 5321 C) */
};

enum addr_flags {
    ADDR_F_UTF8 = 1,       /* SMTPUTF8 is in force: well-formed UTF-8 may stand in both parts */
    ADDR_F_NULL = 2,       /* <> is an address (MAIL FROM) */
    ADDR_F_POSTMASTER = 4, /* "postmaster" in any case needs no domain (RCPT TO) */
    ADDR_F_LOCAL = 8,      /* any local part may stand alone (sendmail) */
    ADDR_F_UNDERSCORE = 16 /* underscores in domains; leading and trailing too */
};

/* The path at the start of *text: "<...>". On success *text is what follows the '>'. */
enum fault addr_path(str *text, unsigned flags, struct arena *mem, struct addr *ret);
/* All of text is one mailbox without angle brackets: `local@domain`. No source route; "" is <>. */
enum fault addr_parse(str text, unsigned flags, struct arena *mem, struct addr *ret);
/* *ret has its own bytes in `mem`. False without memory. */
bool addr_copy(struct arena *mem, const struct addr *a, struct addr *ret);

/* `local@domain`, quoted when the local part needs it and only then; nothing for <>. Parses back to
 * an equal address. */
void addr_print(struct buf *out, const struct addr *a);
/* The form for comparing and for tables: domain in lower case, the local part unquoted, as it is or
 * with ASCII letters folded. "postmaster" without a domain is always folded. */
void addr_key(struct buf *out, const struct addr *a, bool fold_local);
/* True when the two mean the same mailbox: domains but for ASCII case, local parts exactly. */
bool addr_eq(const struct addr *a, const struct addr *b);

/* Sub-addressing: cuts `local` at the first octet of `separators` that is not its first octet.
 * False and *ret_base = local, *ret_detail = "" when there is none. */
bool addr_detail(str local, str separators, str *ret_base, str *ret_detail);

/* True when the local part may be printed without quotes (a dot-string). */
bool addr_is_dot_string(str local);

/* A domain name of labels (RFC 5321 4.1.2 and 4.5.3.1.2): letters, digits and inner hyphens, 1 to 63
 * octets a label, 255 in all, no empty label, no trailing dot, not a dotted quad.
 * ADDR_F_UTF8 lets well-formed UTF-8 in (no C1 controls), ADDR_F_UNDERSCORE '_'. */
bool domain_valid(str s, unsigned flags);
/* "[1.2.3.4]" or "[IPv6:...]": ADDR_IPV4 or ADDR_IPV6; ADDR_NONE for anything else. */
enum addr_kind literal_kind(str s);

/* The argument of EHLO, HELO, LHLO: a domain or a literal, nothing behind it. Lenient also takes what
 * the world sends and RFC 5321 4.1.4 forbids to depend on: underscores, a trailing dot, a bare IP
 * address, "[::1]" without its tag. ASCII only. */
enum fault helo_parse(str arg, bool lenient, str *ret_name);

#endif
