/* Bounded growable bytes and the cursor that reads stored records back. */
#include "base/buf.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max) { *b = (struct buf){.max = max}; }
void buf_init_fixed(struct buf *b, void *mem, size_t size)
{
    *b = (struct buf){.p = mem, .cap = size, .max = size, .fixed = true};
}

void buf_free(struct buf *b)
{
    if (!b)
        return;
    if (!b->fixed)
        free(b->p);
    *b = (struct buf){.max = b->max};
}

char *buf_grow(struct buf *b, size_t n)
{
    if (b->e)
        return NULL;
    if (n > b->max || b->n > b->max - n) {
        b->e = E_LIMIT;
        return NULL;
    }
    size_t need = b->n + n;
    if (need > b->cap || !b->p) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        if (cap < need)
            cap = need;
        if (cap > b->max)
            cap = b->max;
        char *p = b->fixed ? NULL : realloc(b->p, cap ? cap : 1);
        if (!p) {
            b->e = E_NOMEM;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    char d[20];
    size_t i = sizeof d;
    do
        d[--i] = (char)('0' + v % 10);
    while (v /= 10);
    buf_add(b, (str){d + i, sizeof d - i});
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    SCRATCH char tmp[256];
    int n = vsnprintf(tmp, sizeof tmp, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->e = b->e ? b->e : E_BUG;
        return;
    }
    if ((size_t)n < sizeof tmp) {
        buf_add(b, (str){tmp, (size_t)n});
        return;
    }
    char *p = buf_room(b, (size_t)n + 1);
    if (!p)
        return;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

void buf_add_quoted(struct buf *b, str s)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, s.p[i]);
    }
    buf_add_char(b, '"');
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

static void put_le(struct buf *b, uint64_t v, size_t n)
{
    v = htole64(v);
    buf_add(b, str_mem(&v, n));
}

void buf_put_u8(struct buf *b, uint8_t v) { buf_add_char(b, (char)v); }
void buf_put_u16(struct buf *b, uint16_t v) { put_le(b, v, 2); }
void buf_put_u32(struct buf *b, uint32_t v) { put_le(b, v, 4); }
void buf_put_u64(struct buf *b, uint64_t v) { put_le(b, v, 8); }

void buf_put_str16(struct buf *b, str s)
{
    if (s.n > UINT16_MAX) {
        b->e = b->e ? b->e : E_LIMIT;
        return;
    }
    buf_put_u16(b, (uint16_t)s.n);
    buf_add(b, s);
}

void buf_put_str32(struct buf *b, str s)
{
    if (s.n > UINT32_MAX) {
        b->e = b->e ? b->e : E_LIMIT;
        return;
    }
    buf_put_u32(b, (uint32_t)s.n);
    buf_add(b, s);
}

str cur_bytes(struct cur *c, size_t n)
{
    if (c->bad || n > c->n) {
        c->bad = true;
        return (str){"", 0};
    }
    str s = {c->p, n};
    c->p += n;
    c->n -= n;
    return s;
}

static uint64_t get_le(struct cur *c, size_t n)
{
    str s = cur_bytes(c, n);
    uint64_t v = 0;
    memcpy(&v, s.p, s.n);
    return le64toh(v);
}

uint8_t cur_u8(struct cur *c) { return (uint8_t)get_le(c, 1); }
uint16_t cur_u16(struct cur *c) { return (uint16_t)get_le(c, 2); }
uint32_t cur_u32(struct cur *c) { return (uint32_t)get_le(c, 4); }
uint64_t cur_u64(struct cur *c) { return get_le(c, 8); }
str cur_str16(struct cur *c) { return cur_bytes(c, cur_u16(c)); }
str cur_str32(struct cur *c) { return cur_bytes(c, cur_u32(c)); }
