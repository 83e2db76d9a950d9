/* Cells in slabs of their own, one size per slab; the last empty slab of a size is kept. */
#include "rt/cells.h"

#include "base/list.h"
#include "base/slab.h"
#include "rt/rt.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 8, LARGEST = 1024, SIZES = LARGEST / STEP + 1 };
#define SLAB ((size_t)256 << 10) /* also its alignment */

struct cell { /* a free one */
    struct cell *next;
};
struct slab {
    struct list link; /* of its size, while it has a free cell */
    struct cell *free;
    uint32_t used, fresh, cells; /* fresh: cells that were never taken begin here */
    _Alignas(STEP) char first[];
};

static struct size {
    struct lock lock;
    struct list open; /* NULLs before the first use */
    struct slab *empty;
} sizes[SIZES];
static atomic_size_t all;

static size_t round_up(size_t n) { return (n + STEP - 1) / STEP * STEP; }
static char *cell_at(struct slab *s, uint32_t i, size_t n) { return s->first + i * n; }

#if defined(__SANITIZE_ADDRESS__) /* which looks for pointers in its own heap only */
static void *map_slab(void) { return aligned_alloc(SLAB, SLAB); }
static void unmap_slab(void *p) { free(p); }
#else
static void *map_slab(void) { return slab_map(SLAB); }
static void unmap_slab(void *p) { munmap(p, SLAB); }
#endif

static struct slab *slab_new(size_t n)
{
    struct slab *s = map_slab();
    if (!s)
        return NULL;
    *s = (struct slab){.cells = (uint32_t)((SLAB - sizeof *s) / n)};
    list_init(&s->link);
    POISON(s->first, SLAB - sizeof *s);
    atomic_fetch_add_explicit(&all, SLAB, memory_order_relaxed);
    return s;
}

static void slab_free(struct slab *s)
{
    UNPOISON(s, SLAB);
    unmap_slab(s);
    atomic_fetch_sub_explicit(&all, SLAB, memory_order_relaxed);
}

/* One with a free cell. */
static struct slab *slab_for(struct size *z, size_t n)
{
    if (!z->open.next)
        list_init(&z->open);
    if (!list_empty(&z->open))
        return container_of(z->open.next, struct slab, link);
    struct slab *s = z->empty ? z->empty : slab_new(n);
    z->empty = NULL;
    if (s)
        list_push_back(&z->open, &s->link);
    return s;
}

void *cell_take(size_t n)
{
    if (n > LARGEST)
        return calloc(1, n);
    n = round_up(n ? n : 1);
    struct size *z = &sizes[n / STEP];
    struct cell *c = NULL;
    lock_take(&z->lock);
    struct slab *s = slab_for(z, n);
    if (s && s->free) {
        c = s->free;
        UNPOISON(c, n);
        s->free = c->next;
    } else if (s) {
        c = (struct cell *)cell_at(s, s->fresh++, n);
        UNPOISON(c, n);
    }
    if (s && ++s->used == s->cells)
        list_remove(&s->link);
    lock_drop(&z->lock);
    return c ? memset(c, 0, n) : NULL;
}

void cell_give(void *p, size_t n)
{
    if (n > LARGEST || !p) {
        free(p);
        return;
    }
    n = round_up(n ? n : 1);
    struct size *z = &sizes[n / STEP];
    struct slab *s = (struct slab *)((uintptr_t)p & ~(uintptr_t)(SLAB - 1)), *gone = NULL;
    struct cell *c = p;
    lock_take(&z->lock);
    c->next = s->free;
    s->free = c;
    POISON(c, n);
    if (s->used-- == s->cells)
        list_push_front(&z->open, &s->link);
    if (!s->used) {
        list_remove(&s->link);
        gone = z->empty;
        z->empty = s;
    }
    lock_drop(&z->lock);
    if (gone)
        slab_free(gone);
}

size_t cells_bytes(void) { return atomic_load_explicit(&all, memory_order_relaxed); }
