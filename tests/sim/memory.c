/*
 * Memory by node: the linker leads every allocation of the rooms through here (--wrap), so that a crash takes
 * all of a node's memory at once and an orderly end shows what was forgotten.
 */
#include "sim.h"

#include <pthread.h>
#include <stdio.h>
#if defined RT_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define MAGIC 0x5eed0b10c4ba11adu

struct block {
    struct block *prev, *next;
    struct node *node;
    void *raw;
    size_t n;
    uint64_t magic;
    bool seen;
};
enum { HEAD = 64 };
struct map {
    char *p;
    size_t n;
};

/* Allocations outside of actors (before a world begins) are nobody's. */
static struct node *owner(void) { return sim.running ? sim.running->node : sim.loaded; }

/* Memory is short now and then, but not for what the story itself does inside a node. */
static bool starves(void)
{
    struct node *n = sim.running ? sim.running->node : NULL;
    if (!n || !n->hunger || !n->up || sim.visiting || sim.now < n->boot[n->nboots - 1].from + RT_S)
        return false;
    if (sim_below(n->hunger))
        return false;
    trace("%s: no memory", n->name);
    return true;
}

static void *place(char *raw, size_t align, size_t n)
{
    struct node *own = owner();
    if (!raw || starves()) {
        __real_free(raw);
        return NULL;
    }
    uintptr_t at = (uintptr_t)raw + HEAD;
    if (align > 16)
        at = (at + align - 1) / align * align;
    struct block *b = (struct block *)(at - HEAD);
    *b = (struct block){.node = own, .raw = raw, .n = n, .magic = MAGIC};
    if (own) {
        b->next = own->mem.first;
        if (b->next)
            b->next->prev = b;
        own->mem.first = b;
        own->mem.bytes += n;
    }
    return (void *)at;
}

static struct block *block_of(void *p)
{
    struct block *b = (struct block *)((char *)p - HEAD);
    if (b->magic != MAGIC) {
        fprintf(stderr, "sim: memory that nobody allocated is freed\n");
        abort();
    }
    return b;
}

static void unlink_block(struct block *b)
{
    if (!b->node)
        return;
    if (b->prev)
        b->prev->next = b->next;
    else
        b->node->mem.first = b->next;
    if (b->next)
        b->next->prev = b->prev;
    b->node->mem.bytes -= b->n;
}

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t n);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __wrap_munmap(void *p, size_t n);

void *__wrap_malloc(size_t n) { return n > SIZE_MAX / 2 ? NULL : place(__real_malloc(n + HEAD), 16, n); }
void *__wrap_calloc(size_t n, size_t size)
{
    size_t all;
    if (__builtin_mul_overflow(n, size, &all) || all > SIZE_MAX / 2)
        return NULL;
    return place(__real_calloc(1, all + HEAD), 16, all);
}
void *__wrap_aligned_alloc(size_t align, size_t n) { return place(__real_malloc(n + HEAD + align), align, n); }
void __wrap_free(void *p)
{
    if (!p)
        return;
    struct block *b = block_of(p);
    unlink_block(b);
    b->magic = 0;
    __real_free(b->raw);
}
void *__wrap_realloc(void *p, size_t n)
{
    void *to = __wrap_malloc(n);
    if (!p || !to)
        return to;
    size_t had = block_of(p)->n;
    memcpy(to, p, had < n ? had : n);
    __wrap_free(p);
    return to;
}
void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    size_t all;
    return __builtin_mul_overflow(n, size, &all) ? NULL : __wrap_realloc(p, all);
}
char *__wrap_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = __wrap_malloc(n);
    return p ? memcpy(p, s, n) : NULL;
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
    char *p = starves() ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, off);
    struct node *own = owner();
    if (p == MAP_FAILED || !own)
        return p;
    struct memory *m = &own->mem;
    if (m->nmaps == m->maps_cap)
        m->maps = own_grow(m->maps, (m->maps_cap = m->maps_cap ? 2 * m->maps_cap : 64) * sizeof *m->maps);
    m->maps[m->nmaps++] = (struct map){p, n};
    return p;
}

/* A part of a mapping may go; what is left of it stays in the list as one piece or two. */
int __wrap_munmap(void *p, size_t n)
{
    struct node *own = owner();
    for (size_t i = 0; own && i < own->mem.nmaps; i++) {
        struct memory *m = &own->mem;
        struct map was = m->maps[i];
        char *from = p, *to = from + n;
        if (from < was.p || to > was.p + was.n)
            continue;
        m->maps[i] = m->maps[--m->nmaps];
        if (m->nmaps + 2 > m->maps_cap)
            m->maps = own_grow(m->maps, (m->maps_cap *= 2) * sizeof *m->maps);
        if (from > was.p)
            m->maps[m->nmaps++] = (struct map){was.p, (size_t)(from - was.p)};
        if (to < was.p + was.n)
            m->maps[m->nmaps++] = (struct map){to, (size_t)(was.p + was.n - to)};
        break;
    }
#if defined RT_ASAN
    __asan_unpoison_memory_region(p, n);
#endif
    return __real_munmap(p, n);
}

void memory_drop(struct node *n)
{
    struct memory *m = &n->mem;
    for (struct block *b = m->first, *next; b; b = next) {
        next = b->next;
        b->magic = 0;
        __real_free(b->raw);
    }
    for (size_t i = 0; i < m->nmaps; i++) {
#if defined RT_ASAN
        __asan_unpoison_memory_region(m->maps[i].p, m->maps[i].n);
#endif
        __real_munmap(m->maps[i].p, m->maps[i].n);
    }
    __real_free(m->maps);
    *m = (struct memory){0};
}

/* ---- what nothing leads to any more ------------------------------------------------------------------------ */

static struct block **sorted OWN;
static size_t nsorted OWN;

static int by_place(const void *a, const void *b)
{
    const struct block *const *x = a, *const *y = b;
    return (*x > *y) - (*x < *y);
}

/* Looks into all of a block, what its owner has marked as not to be touched too (rt/cells.c). */
__attribute__((no_sanitize_address)) static void mark(void *word)
{
    size_t from = 0, to = nsorted;
    while (from < to) {
        size_t mid = (from + to) / 2;
        if ((char *)sorted[mid] + HEAD <= (char *)word)
            from = mid + 1;
        else
            to = mid;
    }
    struct block *b = from ? sorted[from - 1] : NULL;
    if (!b || b->seen || (char *)word > (char *)b + HEAD + b->n)
        return;
    b->seen = true;
    void *const *v = (void *const *)((char *)b + HEAD);
    for (size_t i = 0; i < b->n / sizeof *v; i++)
        mark(v[i]);
}

size_t memory_leaked(struct node *n, size_t *ret_blocks)
{
    size_t bytes = 0, blocks = 0;
    nsorted = 0;
    for (struct block *b = n->mem.first; b; b = b->next)
        nsorted++;
    sorted = own_alloc((nsorted + 1) * sizeof(struct block *));
    size_t i = 0;
    for (struct block *b = n->mem.first; b; b = b->next)
        sorted[i++] = b;
    qsort(sorted, nsorted, sizeof *sorted, by_place);
    state_scan(n, mark);
    for (i = 0; i < nsorted; i++)
        if (!sorted[i]->seen) {
            bytes += sorted[i]->n;
            blocks++;
        }
    __real_free(sorted);
    *ret_blocks = blocks;
    return bytes;
}

/* ---- variables of a thread that end with it ------------------------------------------------------------------- */

enum { KEYS = 16 };
static void (*key_end[KEYS])(void *value) OWN;

int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *value));
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *value))
{
    unsigned k = 0;
    while (key_end[k] && key_end[k] != end)
        if (++k == KEYS)
            return -1;
    key_end[k] = end;
    *key = k;
    return 0;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    struct actor *a = sim.running;
    if (!a)
        return -1;
    int i = 0;
    while (a->specific[i].value && a->specific[i].end != key_end[key])
        if (++i == 4)
            return -1;
    a->specific[i].end = key_end[key];
    a->specific[i].value = (void *)(uintptr_t)value;
    return 0;
}
