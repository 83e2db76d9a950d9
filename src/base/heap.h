/*
 * An intrusive min-heap ordered by a 64-bit key (a time). A node knows its place, so that removing
 * or moving it costs O(log n). Equal keys leave in no particular order but the same one each run.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint32_t at; /* index + 1; 0: in no heap */
};
struct heap {
    struct heap_node **v;
    uint32_t n, cap;
};

static inline bool heap_has(const struct heap_node *n) { return n->at != 0; }
static inline struct heap_node *heap_min(const struct heap *h) { return h->n ? h->v[0] : NULL; }
/* Makes room for `more` further nodes, so that the next pushes cannot fail. */
bool heap_reserve(struct heap *h, uint32_t more);
/* False only without memory. n must be in no heap. */
bool heap_push(struct heap *h, struct heap_node *n, int64_t key);
void heap_remove(struct heap *h, struct heap_node *n);            /* in no heap: nothing happens */
void heap_move(struct heap *h, struct heap_node *n, int64_t key); /* n is in h */
void heap_free(struct heap *h);

#endif
