/* Interned replies. */
#include "queue/texts.h"
#include "rt/cells.h"

#include <stdlib.h>

enum { TEXT_LONGEST = 512, TEXT_SHORT = 9 }; /* TEXT_SHORT: "451 4.7.1" */

struct text {
    struct map_node node;
    uint32_t refs, id;
    uint32_t n;
    char s[];
};

/* A free number. Free places hold the next free number in the chain, as a pointer's bits. */
static bool number(struct texts *t, uint32_t *ret)
{
    if (t->free) {
        *ret = t->free;
        t->free = (uint32_t)(uintptr_t)t->v[*ret];
        return true;
    }
    if (t->n >= t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 64;
        struct text **v = t->cap < UINT32_MAX / 2 ? realloc(t->v, cap * sizeof *v) : NULL;
        if (!v)
            return false;
        t->v = v;
        t->cap = cap;
    }
    if (!t->n)
        t->v[t->n++] = NULL;
    *ret = t->n++;
    return true;
}

static str cut(const struct texts *t, str s)
{
    size_t most = t->bytes < TEXTS_MAX ? TEXT_LONGEST : TEXT_SHORT;
    if (s.n <= most)
        return s;
    while (most && ((unsigned char)s.p[most] & 0xc0) == 0x80) /* not inside a UTF-8 sequence */
        most--;
    return str_sub(s, 0, most);
}

uint32_t texts_get(struct texts *t, str s)
{
    s = cut(t, s);
    if (!s.n)
        return 0;
    uint64_t hash = str_hash(s);
    for (struct map_node *n = map_find(&t->map, hash); n; n = map_next_equal(n)) {
        struct text *x = container_of(n, struct text, node);
        if (str_eq(str_mem(x->s, x->n), s) && x->refs < UINT32_MAX) {
            x->refs++;
            return x->id;
        }
    }
    struct text *x = cell_take(sizeof *x + s.n);
    uint32_t id;
    if (!x || !number(t, &id)) {
        cell_give(x, sizeof *x + s.n);
        return 0;
    }
    x->refs = 1;
    x->id = id;
    x->n = (uint32_t)s.n;
    memcpy(x->s, s.p, s.n);
    t->v[id] = x;
    if (!map_add(&t->map, &x->node, hash)) {
        t->v[id] = (struct text *)(uintptr_t)t->free;
        t->free = id;
        cell_give(x, sizeof *x + s.n);
        return 0;
    }
    t->bytes += sizeof *x + s.n;
    return id;
}

uint32_t texts_ref(struct texts *t, uint32_t id)
{
    if (!id || t->v[id]->refs == UINT32_MAX)
        return 0;
    t->v[id]->refs++;
    return id;
}

void texts_drop(struct texts *t, uint32_t *id)
{
    uint32_t i = *id;
    *id = 0;
    if (!i || --t->v[i]->refs)
        return;
    struct text *x = t->v[i];
    map_remove(&t->map, &x->node);
    t->bytes -= sizeof *x + x->n;
    cell_give(x, sizeof *x + x->n);
    t->v[i] = (struct text *)(uintptr_t)t->free;
    t->free = i;
}

str texts_str(const struct texts *t, uint32_t id) { return id ? str_mem(t->v[id]->s, t->v[id]->n) : (str){NULL, 0}; }

void texts_free(struct texts *t)
{
    struct map_iter it = map_begin(&t->map);
    for (struct map_node *n; (n = map_each(&it));) {
        struct text *x = container_of(n, struct text, node);
        cell_give(x, sizeof *x + x->n);
    }
    map_free(&t->map);
    free(t->v);
    *t = (struct texts){0};
}
