/*
 * An intrusive hash map: the caller's struct holds a map_node, the map holds chains. Keys are hashed
 * by the caller (str_hash for what a peer chooses). Iteration order is undefined: nothing that is
 * seen from outside may depend on it.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
};
struct map {
    struct map_node **v;
    size_t n, cap; /* cap is a power of two, or 0 */
};

/* The first node with this hash; then the next one with the same hash. The caller compares keys. */
struct map_node *map_find(const struct map *m, uint64_t hash);
struct map_node *map_next_equal(const struct map_node *n);
/* False only without memory (a full table still takes the node when it cannot grow). */
bool map_add(struct map *m, struct map_node *n, uint64_t hash);
void map_remove(struct map *m, struct map_node *n);
void map_free(struct map *m); /* the table, not the nodes */

/* Every node once; the body may remove the current one, and must add none. */
struct map_iter {
    const struct map *m;
    size_t bucket;
    struct map_node *next;
};
struct map_iter map_begin(const struct map *m);
struct map_node *map_each(struct map_iter *it); /* NULL at the end */

#endif
