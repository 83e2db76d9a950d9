/*
 * Message octets in memory. The first block begins with the body itself and each block with its own
 * head, so that a message of 10 KB takes three pages, in one piece if its size was known, and no other allocation. The
 * encoded envelope may lie behind the octets; it is put there once, before the body is shared.
 */
#include "spool/internal.h"

#include <stdlib.h>

struct block {
    struct block *next;
    uint32_t used, cap;
    int cls;
    uint32_t start; /* octets before it are not in use */
};
struct body {
    atomic_uint refs;
    uint64_t size;
    uint32_t nblocks, chunks;
    str env;
    char *env_heap; /* env when it fits in no block */
    struct block *last;
    struct block *env_block; /* taken for env alone */
    struct block *front;     /* what was put before `first`; its last one leads to `first` */
    struct block first;      /* its data follow */
};

/* Left free at the beginning, so that the trace field of a message finds room without another block. */
enum { HEADROOM = 512 };
/* ... and behind the octets, for the envelope. */
enum { TAILROOM = 512 };

static char *data_of(const struct block *k) { return (char *)(k + 1); }

static struct block *block_new(int cls)
{
    struct block *k = block_take(cls);
    if (k)
        *k = (struct block){.cls = cls, .cap = (uint32_t)(block_size(cls) - sizeof *k)};
    return k;
}

struct body *body_new_for(uint64_t octets)
{
    int cls = BLOCK_4K;
    while (cls < BLOCK_16K && octets > block_size(cls) - sizeof(struct body) - HEADROOM - TAILROOM)
        cls++;
    struct body *b = block_take(cls);
    if (!b)
        return NULL;
    memset(b, 0, sizeof *b);
    atomic_init(&b->refs, 1);
    b->first.cls = cls;
    b->first.cap = (uint32_t)(block_size(cls) - sizeof *b);
    b->first.used = b->first.start = HEADROOM;
    b->last = &b->first;
    b->nblocks = 1;
    return b;
}

struct body *body_new(void) { return body_new_for(0); }

struct body *body_ref(struct body *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void body_drop(struct body **pb)
{
    struct body *b = *pb;
    *pb = NULL;
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (struct block *k = b->front ? b->front : &b->first, *next; k; k = next) {
        next = k->next;
        if (k != &b->first)
            block_give(k, k->cls);
    }
    if (b->env_block)
        block_give(b->env_block, b->env_block->cls);
    free(b->env_heap);
    block_give(b, b->first.cls);
}

/* Four blocks of each size before the next: little is wasted, and a large body has few pieces. */
static int next_class(const struct body *b)
{
    static const int8_t classes[] = {BLOCK_4K, BLOCK_16K, BLOCK_64K, BLOCK_256K};
    uint32_t turn = b->nblocks / 4;
    return classes[turn < sizeof classes ? turn : sizeof classes - 1];
}

char *body_room(struct body *b, size_t *ret_n)
{
    struct block *k = b->last;
    if (k->used == k->cap) {
        struct block *more = block_new(next_class(b));
        if (!more)
            return NULL;
        k->next = more;
        b->last = k = more;
        b->nblocks++;
    }
    *ret_n = k->cap - k->used;
    return data_of(k) + k->used;
}

void body_grew(struct body *b, size_t n)
{
    b->last->used += (uint32_t)n;
    b->size += n;
}

err body_add(struct body *b, str s)
{
    while (s.n) {
        size_t n;
        char *p = body_room(b, &n);
        if (!p)
            return E_NOMEM;
        if (n > s.n)
            n = s.n;
        memcpy(p, s.p, n);
        body_grew(b, n);
        s = str_skip(s, n);
    }
    return OK;
}

uint64_t body_size(const struct body *b) { return b->size; }

bool body_piece(const struct body *b, size_t *at, str *ret)
{
    const struct block *k = *at > 1 ? (const struct block *)*at : *at == 1 ? NULL : b->front ? b->front : &b->first;
    while (k && k->used == k->start)
        k = k->next;
    *at = k && k->next ? (size_t)k->next : 1;
    if (k)
        *ret = str_mem(data_of(k) + k->start, k->used - k->start);
    return k != NULL;
}

/* Takes the first n octets away; blocks stay where they are. */
static void cut_head(struct body *b, size_t n)
{
    for (struct block *k = b->front ? b->front : &b->first; k && n; k = k->next) {
        size_t part = k->used - k->start < n ? k->used - k->start : n;
        k->start += (uint32_t)part;
        b->size -= part;
        n -= part;
    }
}

/* Blocks that hold s, in a chain that leads to `then`. NULL without memory. */
static struct block *chain_of(str s, struct block *then)
{
    struct block *chain = then;
    while (s.n) { /* from its end */
        struct block *k = block_new(s.n < 16 * 1024 ? BLOCK_4K : BLOCK_64K);
        if (!k) {
            for (struct block *next; chain != then; chain = next) {
                next = chain->next;
                block_give(chain, chain->cls);
            }
            return NULL;
        }
        k->used = (uint32_t)(s.n < k->cap ? s.n : k->cap);
        memcpy(data_of(k), s.p + s.n - k->used, k->used);
        s.n -= k->used;
        k->next = chain;
        chain = k;
    }
    return chain;
}

err body_splice_head(struct body *b, size_t old, str head)
{
    struct block *k = b->front ? b->front : &b->first;
    size_t part = k->used - k->start < old ? k->used - k->start : old;
    if (head.n && head.n <= k->start + part) {
        cut_head(b, old);
        k->start -= (uint32_t)head.n;
        memcpy(data_of(k) + k->start, head.p, head.n);
    } else {
        struct block *front = head.n ? chain_of(head, k) : b->front;
        if (head.n && !front)
            return E_NOMEM;
        cut_head(b, old);
        b->front = front;
    }
    b->size += head.n;
    return OK;
}

str body_envelope(const struct body *b) { return b->env; }
uint32_t body_chunks(const struct body *b) { return b->chunks; }

/* n bytes in one piece for the envelope. */
static char *env_room(struct body *b, size_t n)
{
    struct block *k = b->last;
    if (k->cap - k->used >= n)
        return data_of(k) + k->used;
    for (int cls = BLOCK_4K; cls < BLOCK_CLASSES; cls++)
        if (n <= block_size(cls) - sizeof *k) {
            b->env_block = block_new(cls);
            return b->env_block ? data_of(b->env_block) : NULL;
        }
    return b->env_heap = malloc(n);
}

err body_put_envelope(struct body *b, const struct envelope *env, uint32_t chunks)
{
    size_t n = envelope_size(env);
    if (b->env.p || b->env_block || b->env_heap)
        return E_BUG;
    char *p = env_room(b, n);
    if (!p)
        return E_NOMEM;
    struct buf out;
    buf_init_fixed(&out, p, n);
    err e = envelope_encode(&out, env);
    if (e)
        return e;
    b->env = buf_str(&out);
    b->chunks = chunks;
    return OK;
}
