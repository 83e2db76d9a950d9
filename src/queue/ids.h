/*
 * All messages in order of their ids, in chunks of sorted pointers: 8 bytes a message as long as ids
 * mostly come in increasing order. Finding is two binary searches, adding at the end is O(1). What is
 * pointed at begins with its id, which does not change.
 */
#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids_chunk;
struct index {
    struct ids_chunk **v; /* in order, none of them empty */
    size_t n, cap;
    uint64_t count;
};

/* False without memory, or when its id is there already. */
bool ids_add(struct index *x, void *what);
void *ids_find(const struct index *x, uint64_t id);
void ids_remove(struct index *x, uint64_t id);
/* The first entry with an id above `after`; NULL: none. */
void *ids_next(const struct index *x, uint64_t after);
void *ids_first(const struct index *x); /* NULL: empty */
void ids_free(struct index *x);

#endif
