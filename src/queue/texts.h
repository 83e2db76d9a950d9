/*
 * Replies for people, each stored once however many recipients got it; named by 32-bit numbers and
 * counted. Bounded: a text is cut at 512 octets, and when all texts together pass TEXTS_MAX, new ones
 * keep only their status code, so that a server that never repeats itself cannot fill the memory.
 */
#ifndef QUEUE_TEXTS_H
#define QUEUE_TEXTS_H
#include "base/map.h"
#include "base/str.h"

#define TEXTS_MAX (64u << 20)

struct text;
struct texts {
    struct map map;
    struct text **v;       /* by number; 0 is the empty text */
    uint32_t n, cap, free; /* free: head of the chain of free numbers */
    size_t bytes;
};

uint32_t texts_get(struct texts *t, str s); /* a reference; 0: empty, or no memory */
uint32_t texts_ref(struct texts *t, uint32_t id);
void texts_drop(struct texts *t, uint32_t *id);    /* to 0 */
str texts_str(const struct texts *t, uint32_t id); /* valid while a reference is held */
void texts_free(struct texts *t);

#endif
