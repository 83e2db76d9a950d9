/* A 4-ary min-heap of nodes that know their place. */
#include "base/heap.h"

#include <stdlib.h>

static void set(struct heap *h, uint32_t i, struct heap_node *n)
{
    h->v[i] = n;
    n->at = i + 1;
}

static void sift_up(struct heap *h, uint32_t i, struct heap_node *n)
{
    while (i) {
        uint32_t up = (i - 1) / 4;
        if (h->v[up]->key <= n->key)
            break;
        set(h, i, h->v[up]);
        i = up;
    }
    set(h, i, n);
}

static void sift_down(struct heap *h, uint32_t i, struct heap_node *n)
{
    for (;;) {
        uint32_t first = i * 4 + 1, best = i;
        int64_t key = n->key;
        for (uint32_t c = first; c < first + 4 && c < h->n; c++)
            if (h->v[c]->key < key) {
                best = c;
                key = h->v[c]->key;
            }
        if (best == i)
            break;
        set(h, i, h->v[best]);
        i = best;
    }
    set(h, i, n);
}

bool heap_reserve(struct heap *h, uint32_t more)
{
    if (h->cap - h->n >= more)
        return true;
    uint32_t cap = h->cap ? h->cap : 16;
    while (cap - h->n < more) {
        if (cap > UINT32_MAX / 2)
            return false;
        cap *= 2;
    }
    struct heap_node **v = realloc(h->v, cap * sizeof *v);
    if (!v)
        return false;
    h->v = v;
    h->cap = cap;
    return true;
}

bool heap_push(struct heap *h, struct heap_node *n, int64_t key)
{
    if (!heap_reserve(h, 1))
        return false;
    n->key = key;
    sift_up(h, h->n++, n);
    return true;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    if (!n->at)
        return;
    uint32_t i = n->at - 1;
    n->at = 0;
    struct heap_node *last = h->v[--h->n];
    if (i == h->n)
        return;
    if (i && h->v[(i - 1) / 4]->key > last->key)
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

void heap_move(struct heap *h, struct heap_node *n, int64_t key)
{
    bool up = key < n->key;
    n->key = key;
    if (up)
        sift_up(h, n->at - 1, n);
    else
        sift_down(h, n->at - 1, n);
}

void heap_free(struct heap *h)
{
    free(h->v);
    *h = (struct heap){0};
}
