/*
 * SPF records (RFC 7208 4.6, 5, 6, 12) and their macros (RFC 7208 7). Pure: text in, views and text out; who is
 * asked what is the business of check/spf.c.
 */
#ifndef WIRE_SPF_H
#define WIRE_SPF_H
#include "base/buf.h"
#include "wire/ip.h"

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT, /* the modifiers from here on */
    SPF_EXP,
    SPF_UNKNOWN /* name=macro-string that nobody needs to understand */
};

struct spf_term {
    enum spf_kind kind;
    char qualifier;       /* '+', '-', '~', '?' */
    str domain;           /* domain-spec, macros and all; "" not given */
    struct ip_net net;    /* ip4, ip6; an IPv4-mapped ip6 stays one of 16 octets */
    uint8_t bits4, bits6; /* a, mx */
    str text;             /* the whole term as it stands */
};

/* "v=spf1" in any case, followed by a blank or nothing (RFC 7208 4.5). */
bool spf_is_record(str txt);

/* The next term behind *rest, which begins with the whole record. SPF_BAD: *ret_why says what is wrong; ret->text is
 * the term. Modifiers come where they stand; that redirect and exp are there once only is for the caller. */
enum spf_next { SPF_END, SPF_TERM, SPF_BAD };
enum spf_next spf_next(str *rest, struct spf_term *ret, const char **ret_why);

/* ---- macros ---- */

struct spf_vars {
    str local, sender_domain; /* %{l}, %{o}; %{s} is both */
    str domain;               /* %{d}: whose record this is */
    str helo;                 /* %{h} */
    str ptr;                  /* %{p}; only read when spf_uses_ptr */
    str us;                   /* %{r}; "" is "unknown" */
    struct ip ip;             /* %{i}, %{c}, %{v} */
    int64_t now_s;            /* %{t} */
};

/* A syntactically right macro-string: with `text` blanks and the letters c, r, t are allowed (explain-string). */
bool spf_macro_valid(str macro, bool text);
bool spf_uses_ptr(str macro); /* has %{p} */
/* Writes what it means. E_SYNTAX; E_UNSUPPORTED: the local part is not ASCII and asked for (RFC 8616 4); E_LIMIT and
 * E_NOMEM of `out`. */
err spf_expand(struct buf *out, str macro, bool text, const struct spf_vars *v);
/* As a name to ask for: no dot at the end; of more than 253 octets labels on the left are cut off (RFC 7208 7.3).
 * *ret is within `out`. */
err spf_expand_domain(struct buf *out, str macro, const struct spf_vars *v, str *ret);

#endif
