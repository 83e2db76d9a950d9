/*
 * Memory for bodies: blocks of 4 to 256 KiB cut from slabs of 1 MiB, one size per slab. Freed
 * blocks stay resident up to a bound and are used again without a system call; beyond it their
 * pages go back to the system, and a slab without a used block is unmapped. Slabs, and not a mapping per
 * block, because the number of mappings of a process is limited.
 */
#include "base/slab.h"
#include "spool/internal.h"

#include <stdlib.h>

#define SLAB ((size_t)1 << 20)
#define CACHE_MAX ((size_t)16 << 20)
enum { BITS = 256, WORDS = BITS / 64 };

struct slab {
    struct map_node node;
    struct list link; /* in open[cls] while it has a free block */
    char *base;
    int cls;
    uint32_t used, blocks;
    uint64_t warm[WORDS], cold[WORDS]; /* free blocks: resident, given back */
};

static struct {
    struct lock lock;
    struct map slabs; /* by base */
    struct list open[BLOCK_CLASSES];
    size_t cached; /* bytes of warm blocks */
    bool ready;
} mem;

static uint64_t slab_hash(const void *base) { return ((uintptr_t)base >> 20) * 0x9e3779b97f4a7c15u >> 16; }

static int bits_take(uint64_t *v)
{
    for (int i = 0; i < WORDS; i++)
        if (v[i]) {
            int at = __builtin_ctzll(v[i]);
            v[i] &= v[i] - 1;
            return i * 64 + at;
        }
    return -1;
}

static bool bits_any(const uint64_t *v) { return v[0] | v[1] | v[2] | v[3]; }

static struct slab *slab_make(int cls)
{
    struct slab *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base = slab_map(SLAB);
    s->cls = cls;
    s->blocks = (uint32_t)(SLAB / block_size(cls));
    if (!s->base || !map_add(&mem.slabs, &s->node, slab_hash(s->base))) {
        if (s->base)
            munmap(s->base, SLAB);
        free(s);
        return NULL;
    }
    /* No huge pages: a slab with one block in use must not cost a whole MiB. */
    madvise(s->base, SLAB, MADV_NOHUGEPAGE);
    for (uint32_t i = 0; i < s->blocks; i++)
        s->cold[i / 64] |= 1ull << i % 64;
    POISON(s->base, SLAB);
    list_push_back(&mem.open[cls], &s->link);
    return s;
}

static void setup(void)
{
    if (mem.ready)
        return;
    for (int i = 0; i < BLOCK_CLASSES; i++)
        list_init(&mem.open[i]);
    mem.ready = true;
}

/* Slabs with warm blocks stand in front. */
static struct slab *slab_for(int cls)
{
    if (!list_empty(&mem.open[cls]))
        return container_of(mem.open[cls].next, struct slab, link);
    return slab_make(cls);
}

void *block_take(int cls)
{
    size_t size = block_size(cls);
    char *p = NULL;
    lock_take(&mem.lock);
    setup();
    struct slab *s = slab_for(cls);
    if (s) {
        int at = bits_take(s->warm);
        if (at >= 0)
            mem.cached -= size;
        else
            at = bits_take(s->cold);
        s->used++;
        if (s->used == s->blocks)
            list_remove(&s->link);
        p = s->base + (size_t)at * size;
    }
    lock_drop(&mem.lock);
    if (p) {
        UNPOISON(p, size);
        metric_add(M_body_bytes, (int64_t)size);
    }
    return p;
}

static struct slab *slab_of(const char *p)
{
    char *base = (char *)((uintptr_t)p & ~(uintptr_t)(SLAB - 1));
    struct map_node *n = map_find(&mem.slabs, slab_hash(base));
    while (n && container_of(n, struct slab, node)->base != base)
        n = map_next_equal(n);
    return n ? container_of(n, struct slab, node) : NULL;
}

static void slab_end(struct slab *s)
{
    for (int i = 0; i < WORDS; i++)
        mem.cached -= (size_t)__builtin_popcountll(s->warm[i]) * block_size(s->cls);
    list_remove(&s->link);
    map_remove(&mem.slabs, &s->node);
    UNPOISON(s->base, SLAB);
    munmap(s->base, SLAB);
    free(s);
}

void block_give(void *v, int cls)
{
    char *p = v;
    size_t size = block_size(cls);
    metric_add(M_body_bytes, -(int64_t)size);
    lock_take(&mem.lock);
    struct slab *s = slab_of(p);
    bool keep = mem.cached + size <= CACHE_MAX;
    lock_drop(&mem.lock);
    /* The block is still ours: nobody else can see it while the system takes its pages. */
    if (!keep)
        madvise(p, size, MADV_DONTNEED);
    POISON(p, size);
    lock_take(&mem.lock);
    size_t at = (size_t)(p - s->base) / size;
    (keep ? s->warm : s->cold)[at / 64] |= 1ull << at % 64;
    mem.cached += keep ? size : 0;
    if (s->used-- == s->blocks)
        list_push_back(&mem.open[cls], &s->link);
    if (keep && s->link.prev != &mem.open[cls] && bits_any(s->warm)) {
        list_remove(&s->link);
        list_push_front(&mem.open[cls], &s->link);
    }
    if (!s->used && mem.cached > CACHE_MAX / 2)
        slab_end(s);
    else if (!s->used && !bits_any(s->warm))
        slab_end(s);
    lock_drop(&mem.lock);
}

void spool_trim(void)
{
    lock_take(&mem.lock);
    setup();
    struct map_iter it = map_begin(&mem.slabs);
    for (struct map_node *n; (n = map_each(&it));) {
        struct slab *s = container_of(n, struct slab, node);
        size_t size = block_size(s->cls);
        if (!s->used) {
            slab_end(s);
            continue;
        }
        for (int at; (at = bits_take(s->warm)) >= 0; mem.cached -= size) {
            madvise(s->base + (size_t)at * size, size, MADV_DONTNEED);
            s->cold[at / 64] |= 1ull << at % 64;
        }
    }
    lock_drop(&mem.lock);
}
