/*
 * Patterns of Lua (reference manual 6.4.1) with a bound on the work: a pattern is read into items once, and matching
 * counts its steps, so that a costly pattern over a long text ends. Pure.
 */
#ifndef SCRIPT_PATTERN_H
#define SCRIPT_PATTERN_H
#include "base/str.h"

enum { PATTERN_ITEMS_MAX = 200, PATTERN_CAPTURES_MAX = 32 };

struct pattern_item {
    uint8_t kind;
    uint8_t repeat; /* 0, '*', '+', '-', '?' */
    uint8_t a, b;   /* CHAR: the octet; BALANCE: both; OPEN, CLOSE, BACK: which capture */
    uint32_t set[8];
};
struct pattern {
    unsigned nitems, ncaptures;
    bool anchored, at_end; /* '^' and '$' */
    struct pattern_item v[];
};
/* Octets that a pattern of this text needs at most. */
size_t pattern_size(str text);
/* NULL, or what is wrong with it. `anchor`: a '^' at the beginning means the beginning. */
const char *pattern_read(struct pattern *ret, str text, bool anchor);

struct pattern_match {
    str subject;
    uint64_t left; /* steps that may still be taken; 0 at the end: ran out, and what was found does not count */
    size_t from, to;
    unsigned n;
    struct {
        size_t from, to; /* to == PATTERN_POSITION: `()` */
    } capture[PATTERN_CAPTURES_MAX];
};
#define PATTERN_POSITION ((size_t)-2)
/* The first match at or behind `at`; only there if the pattern is anchored. False: none, or m->left is 0. */
bool pattern_find(const struct pattern *p, struct pattern_match *m, size_t at);
/* A match that begins at `at`. */
bool pattern_here(const struct pattern *p, struct pattern_match *m, size_t at);

#endif
