/*
 * Growable bytes with a maximum that is given at the start. The first failure (limit or memory) is
 * kept in `e`; later calls do nothing, so a writer checks once at its end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include "base/err.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap, max;
    err e;      /* OK, E_LIMIT or E_NOMEM */
    bool fixed; /* p is the caller's; never grown or freed */
};

void buf_init(struct buf *b, size_t max);                   /* allocates nothing yet */
void buf_init_fixed(struct buf *b, void *mem, size_t size); /* inside memory of the caller */
void buf_free(struct buf *b);                               /* NULL and empty are fine; back to init */
static inline void buf_clear(struct buf *b) { b->n = 0, b->e = OK; }
static inline str buf_str(const struct buf *b) { return (str){b->p, b->n}; }

char *buf_grow(struct buf *b, size_t n); /* (private) buf_room where there is none yet */
/* Makes room for n more bytes and returns where they go; the caller then adds to b->n. NULL on failure. */
static inline char *buf_room(struct buf *b, size_t n)
{
    return n <= b->cap - b->n && !b->e && b->p ? b->p + b->n : buf_grow(b, n);
}
static inline void buf_add(struct buf *b, str s)
{
    char *p = s.n ? buf_room(b, s.n) : NULL;
    if (p) {
        memcpy(p, s.p, s.n);
        b->n += s.n;
    }
}
static inline void buf_add_c(struct buf *b, const char *z) { buf_add(b, str_c(z)); }
static inline void buf_add_char(struct buf *b, char c)
{
    char *p = buf_room(b, 1);
    if (p) {
        *p = c;
        b->n++;
    }
}
void buf_add_u64(struct buf *b, uint64_t v); /* decimal */
void buf_add_quoted(struct buf *b, str s);   /* in double quotes, a backslash before each quote and backslash */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Takes n bytes off the front. */
void buf_drop(struct buf *b, size_t n);

/* Little-endian numbers and length-prefixed strings, for what is stored. */
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_str16(struct buf *b, str s); /* u16 length, bytes; E_LIMIT above 65535 */
void buf_put_str32(struct buf *b, str s);

/* The other direction: a cursor with a sticky error. After a failure each get returns 0 or "". */
struct cur {
    const char *p;
    size_t n;
    bool bad;
};
static inline struct cur cur_of(str s) { return (struct cur){s.p, s.n, false}; }
uint8_t cur_u8(struct cur *c);
uint16_t cur_u16(struct cur *c);
uint32_t cur_u32(struct cur *c);
uint64_t cur_u64(struct cur *c);
str cur_bytes(struct cur *c, size_t n);
str cur_str16(struct cur *c);
str cur_str32(struct cur *c);

#endif
