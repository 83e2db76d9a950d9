/*
 * Messages for the load tools, made from (seed, sequence, attempt, size, kind) alone, so that the
 * receiving end can make the same message again and compare every octet. The text of a message is
 * cut from a pool of blocks; numbered marker lines between blocks make each message unlike all others.
 *
 * Kinds: 'p' plain text without a line that begins with a dot; 'd' every sort of awkward line (".",
 * "..", ".text", empty, 998 octets, blanks at the end, SMTP commands); '8' the same with UTF-8 text.
 */
#ifndef TOOLS_LOAD_H
#define TOOLS_LOAD_H
#include "base/buf.h"

#define LOAD_MIN 512 /* smallest size that load_make obeys exactly */
#define LOAD_MAX (64u << 20)

struct load_msg {
    uint64_t seed, seq;
    uint32_t attempt; /* how often the generator has sent this sequence number before */
    uint32_t size;    /* octets of the whole message, headers too, not dot-stuffed */
    char kind;
};

/* Builds the pools; call once before any thread starts. */
void load_init(void);

/* The whole message appended to `out`; dot-stuffed when `stuffed`, never with the final dot. */
void load_make(const struct load_msg *m, bool stuffed, struct buf *out);

/* Finds the X-Load header in a received message (not stuffed) and reads it; *ret_at is where the
 * generated message begins (the server puts its own headers before it). */
bool load_find(str text, struct load_msg *ret_m, size_t *ret_at);

/* True when `text` from `at` is exactly the message; `scratch` is overwritten. */
bool load_same(str text, size_t at, const struct load_msg *m, struct buf *scratch);

/* A well-mixed number from two others (splitmix64), for every random choice in the tools. */
uint64_t load_mix(uint64_t a, uint64_t b);

#endif
