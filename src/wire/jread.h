/*
 * JSON (RFC 8259) of others, read in one pass without a tree: memory grows only with what the caller keeps. A cursor
 * with a sticky error, which does nothing more once it is `bad`. Pure.
 *
 *     for (struct jread_list l = jread_object(&in); jread_member(&in, &l, a, &name);)
 *         if (str_eq(name, S("x"))) x = jread_text(&in, a); else jread_pass(&in);
 */
#ifndef WIRE_JREAD_H
#define WIRE_JREAD_H
#include "base/arena.h"
#include "base/str.h"

enum { JREAD_DEPTH_MAX = 32 };

struct jread {
    str rest;
    int depth;
    bool bad;
    err e; /* E_SYNTAX, E_LIMIT (depth, arena), E_NOMEM when bad */
};
struct jread_list {
    bool begun, none;
};
static inline struct jread jread_of(str s) { return (struct jread){.rest = s}; }

/* The first octet of the next value: '{', '[', '"', 't', 'f', 'n', a digit or '-'; 0 at the end. */
char jread_peek(struct jread *j);
/* Enters; a value of another kind is passed over and the list is empty. */
struct jread_list jread_object(struct jread *j);
struct jread_list jread_array(struct jread *j);
/* The next member or element stands before the cursor. False: the end was read. */
bool jread_member(struct jread *j, struct jread_list *l, struct arena *a, str *ret_name);
bool jread_element(struct jread *j, struct jread_list *l);
/* A string in `a`, escapes decoded, at most `most` octets of it; "" and passed over when it is none. */
str jread_text(struct jread *j, struct arena *a, size_t most);
/* A whole number from 0, also one in quotes; 0 for anything else. */
uint64_t jread_count(struct jread *j);
void jread_pass(struct jread *j); /* over any value */
bool jread_end(struct jread *j);  /* nothing but blanks follows, and nothing was bad */

#endif
