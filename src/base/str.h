/*
 * Byte strings as views: a pointer and a length. Bytes from a peer are always one of these; NUL has
 * no meaning in them. A view owns nothing and lives as long as the bytes that it points at.
 */
#ifndef BASE_STR_H
#define BASE_STR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* For scratch memory that is written before it is read: the compiler's zeroing of automatic variables would cost more
 * than what is done with it. */
#if defined __has_attribute
#if __has_attribute(uninitialized)
#define SCRATCH __attribute__((uninitialized))
#endif
#endif
#ifndef SCRATCH
#define SCRATCH
#endif

typedef struct str {
    const char *p;
    size_t n;
} str;

#define S(lit) ((str){"" lit, sizeof(lit) - 1}) /* from a literal */
#define S_INIT(lit)                                                                                                    \
    {                                                                                                                  \
        "" lit, sizeof(lit) - 1                                                                                        \
    } /* the same for static initialisers */
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

/* From a C string that we made ourselves (never from peer data). */
static inline str str_c(const char *z) { return z ? (str){z, strlen(z)} : (str){NULL, 0}; }
static inline str str_mem(const void *p, size_t n) { return (str){p, n}; }
static inline bool str_eq(str a, str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

/* a[from, to), clamped to a. */
static inline str str_sub(str a, size_t from, size_t to)
{
    if (to > a.n)
        to = a.n;
    if (from > to)
        from = to;
    return (str){from ? a.p + from : a.p, to - from}; /* NULL + 0 is undefined in C */
}
static inline str str_skip(str a, size_t n) { return str_sub(a, n, a.n); }

/* ASCII only, in every locale: octets above 127 stay as they are. */
static inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static inline char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 32) : c; }
static inline bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_alpha(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static inline bool ascii_alnum(char c) { return ascii_digit(c) || ascii_alpha(c); }
static inline bool ascii_wsp(char c) { return c == ' ' || c == '\t'; }

bool str_ieq(str a, str b); /* equal but for ASCII case */
int str_cmp(str a, str b);  /* memcmp order, the shorter first: <0, 0, >0 */
bool str_starts(str a, str prefix);
bool str_ends(str a, str suffix);
bool str_istarts(str a, str prefix); /* ... but for ASCII case */
bool str_iends(str a, str suffix);

#define STR_NONE ((size_t)-1)
size_t str_find(str a, char c);       /* first index of c, or STR_NONE */
size_t str_rfind(str a, char c);      /* last index of c, or STR_NONE */
size_t str_search(str a, str needle); /* first index of needle, or STR_NONE */

/* Blanks and tabs (str_trim: also CR and LF) taken off both ends. */
str str_trim(str a);
str str_trim_wsp(str a);

/* Cuts the part before the first `sep` off *rest into *ret_head. False when *rest is exhausted
 * (p == NULL); an empty *rest with p != NULL gives one empty head. */
bool str_cut(str *rest, char sep, str *ret_head);

/* A keyed 64-bit hash for tables that a peer can fill: SipHash-1-3 under a key drawn once by
 * str_hash_seed (the simulator gives a fixed one). str_ihash folds ASCII case. */
void str_hash_seed(uint64_t k0, uint64_t k1);
uint64_t str_hash(str a);
uint64_t str_ihash(str a);
uint64_t str_ihash_keyed(uint64_t k0, uint64_t k1, str a); /* under a key of the caller's */

/* FNV-1a, unkeyed and stable across starts: for what is written to disk. */
uint64_t str_hash_stable(str a);

/* Equal in constant time for a given length; lengths may leak. */
bool str_eq_secret(str a, str b);

/* A NUL-ended copy in `dst` (size bytes); false and "" when it does not fit or a NUL is inside. */
bool str_to_c(str a, char *dst, size_t size);

#endif
