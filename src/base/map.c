/* The intrusive hash map: chains, doubled when as many nodes as buckets. */
#include "base/map.h"

#include <stdlib.h>

struct map_node *map_next_equal(const struct map_node *n)
{
    struct map_node *m = n->next;
    while (m && m->hash != n->hash)
        m = m->next;
    return m;
}

struct map_node *map_find(const struct map *m, uint64_t hash)
{
    if (!m->cap)
        return NULL;
    struct map_node *n = m->v[hash & (m->cap - 1)];
    while (n && n->hash != hash)
        n = n->next;
    return n;
}

static bool grow(struct map *m)
{
    size_t cap = m->cap ? m->cap * 2 : 16;
    struct map_node **v = calloc(cap, sizeof *v);
    if (!v)
        return m->cap != 0;
    for (size_t i = 0; i < m->cap; i++)
        for (struct map_node *n = m->v[i], *next; n; n = next) {
            next = n->next;
            n->next = v[n->hash & (cap - 1)];
            v[n->hash & (cap - 1)] = n;
        }
    free(m->v);
    m->v = v;
    m->cap = cap;
    return true;
}

bool map_add(struct map *m, struct map_node *n, uint64_t hash)
{
    if (m->n >= m->cap && !grow(m))
        return false;
    struct map_node **at = &m->v[hash & (m->cap - 1)];
    n->hash = hash;
    n->next = *at;
    *at = n;
    m->n++;
    return true;
}

void map_remove(struct map *m, struct map_node *n)
{
    struct map_node **at = &m->v[n->hash & (m->cap - 1)];
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    n->next = NULL;
    m->n--;
}

void map_free(struct map *m)
{
    free(m->v);
    *m = (struct map){0};
}

struct map_iter map_begin(const struct map *m) { return (struct map_iter){m, 0, NULL}; }

struct map_node *map_each(struct map_iter *it)
{
    while (!it->next) {
        if (it->bucket >= it->m->cap)
            return NULL;
        it->next = it->m->v[it->bucket++];
    }
    struct map_node *n = it->next;
    it->next = n->next;
    return n;
}
