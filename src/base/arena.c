/* Arenas: bump allocation in chunks that double, all given back at once. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) char data[];
};

void arena_init(struct arena *a, size_t chunk, size_t max) { *a = (struct arena){.chunk = chunk, .max = max}; }

static void *fail(struct arena *a, err e)
{
    if (!a->e)
        a->e = e;
    return NULL;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > a->max || a->used > a->max - n)
        return fail(a, E_LIMIT);
    n = (n + 15) & ~(size_t)15;
    struct arena_chunk *c = a->head;
    if (!c || c->size - c->used < n) {
        size_t size = c ? c->size * 2 : a->chunk;
        if (size > 65536)
            size = 65536;
        if (size < n)
            size = n;
        c = malloc(sizeof *c + size);
        if (!c)
            return fail(a, E_NOMEM);
        *c = (struct arena_chunk){.next = a->head, .size = size};
        a->head = c;
    }
    void *p = c->data + c->used;
    c->used += n;
    a->used += n;
    return memset(p, 0, n);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t all;
    if (__builtin_mul_overflow(n, size, &all))
        return fail(a, E_LIMIT);
    return arena_alloc(a, all);
}

str arena_str(struct arena *a, str s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (!p)
        return (str){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return (str){p, s.n};
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
    if (!p)
        return (str){NULL, 0};
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return (str){p, (size_t)n};
}

static void drop(struct arena *a, struct arena_chunk *c)
{
    if (a->secret)
        explicit_bzero(c->data, c->used);
    free(c);
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *c = a->head;
    while (c && (c->next || c->size > a->chunk)) {
        struct arena_chunk *next = c->next;
        drop(a, c);
        c = next;
    }
    if (c) {
        if (a->secret)
            explicit_bzero(c->data, c->used);
        c->used = 0;
    }
    a->head = c;
    a->used = 0;
    a->e = OK;
}

void arena_free(struct arena *a)
{
    struct arena_chunk *c = a->head;
    while (c) {
        struct arena_chunk *next = c->next;
        drop(a, c);
        c = next;
    }
    a->head = NULL;
    a->used = 0;
    a->e = OK;
}
