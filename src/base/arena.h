/*
 * Memory by lifetime: a session, a transaction, a configuration generation. Pieces are never freed
 * singly; arena_reset or arena_free ends them all. Bounded by `max`.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include "base/err.h"
#include "base/str.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *head; /* newest first */
    size_t used, max;         /* bytes handed out in all chunks; their limit */
    size_t chunk;             /* size of a first chunk */
    bool secret;              /* wiped before it is given back */
    err e;                    /* first failure: E_LIMIT or E_NOMEM; cleared by reset */
};

void arena_init(struct arena *a, size_t chunk, size_t max);
/* 16-byte aligned, zeroed. NULL (and a->e set) at the limit or without memory. */
void *arena_alloc(struct arena *a, size_t n);
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
/* n * size with the multiplication checked. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy, NUL behind it for the sake of system calls; p is NULL on failure (also when s.n == 0 and it fails). */
str arena_str(struct arena *a, str s);
str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a); /* everything ends; one chunk of the first size is kept */
void arena_free(struct arena *a);  /* everything ends; back to init */

#endif
