/*
 * counts: small numbers that are in memory and outlive the process: what accounts sent, who failed to log in. Their
 * owners hand them over now and then and when the server ends; they are written to data-dir/counts.0 and counts.1 in
 * turn, so that one of them is always whole. Nothing waits for it: what was counted since the last time is lost with a
 * process that is killed.
 */
#ifndef DB_COUNTS_H
#define DB_COUNTS_H
#include "base/buf.h"
#include "rt/rt.h"

enum {
    COUNTS_OWNERS = 4,
    COUNTS_RECORDS_MAX = 20000, /* of one owner */
    COUNTS_NUMBERS_MAX = 1024   /* octets of one record */
};

/* Names are kept as this hash, under a key that lies in the files; without regard to ASCII case. Before counts_open it
 * is another. */
uint64_t counts_hash(char owner, str name);

struct counts_out;
struct counts_owner {
    char letter; /* in the file */
    /* Calls counts_put for what is worth keeping, the newest first: what is beyond the limit is left out. Any thread,
     * under the owner's own lock; must be quick. */
    void (*save)(struct counts_out *out);
    void (*load)(uint64_t key, struct cur *numbers); /* before loops run; octets that are missing read as 0 */
};
void counts_register(const struct counts_owner *o); /* before counts_open */
/* False: no more is taken. */
bool counts_put(struct counts_out *out, uint64_t key, str numbers);

/* Moments in files: milliseconds since 1970. */
int64_t counts_wall(rt_time t);
rt_time counts_moment(int64_t wall_ms);

/* Opens (makes) the files and gives each owner what is there; a damaged file is as good as none. *why in words. */
err counts_open(int data_dir, struct buf *why) BLOCKS;
/* Body of a fiber: writes what is there each `every`. */
void counts_run(rt_time every) YIELDS;
err counts_save(void) BLOCKS;
void counts_close(void) BLOCKS;

#endif
