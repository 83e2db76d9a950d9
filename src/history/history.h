/*
 * history: every event that names a message, kept to be asked for later: by `why`, search, reports. One task
 * writes, nothing is synced but a finished segment, and both size and age are bounded; when the writer falls
 * behind, events are dropped and counted (metric history_lost). The spool owes nothing to these files.
 *
 * A folder holds segments, each of at most an hour and 64 MiB of events: the one being written (`TIME.raw`), and
 * finished ones (`TIME.seg`): compressed blocks with an index by message id and by address. Readers need the
 * folder alone, no server. Formats carry a version and their own names of events and fields (docs in record.c,
 * segment.c).
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H
#include "base/arena.h"
#include "rt/rt.h"

struct history;
struct history_config {
    int dirfd;          /* folder is relative to it; AT_FDCWD is fine. Stays open as long as the history does */
    const char *folder; /* made if missing; "" for dirfd itself */
    int64_t max_size;   /* octets of all segments; the oldest are removed */
    rt_time max_age;    /* likewise */
};
/* Starts the writer and taps the log: from now on every rt_log with a field `id` is kept. One at a time in a
 * process. Before loops run. */
err history_open(struct history **ret, const struct history_config *c) BLOCKS;
/* After the loops ended: writes what is left, ends the task. NULL inside is fine. */
void history_close(struct history **h) BLOCKS;
/* New bounds (a reload); any thread. */
void history_bounds(struct history *h, int64_t max_size, rt_time max_age);
/* Waits until what any loop logged before this call can be found. Fibers only; E_CANCELLED, E_NOMEM. */
err history_settle(struct history *h) YIELDS;

/* ---- asking ------------------------------------------------------------------------------------------- */

enum { HISTORY_FIELDS = 16, HISTORY_IDS_MAX = 1024 };
struct history_field {
    str name;
    struct log_field value;
};
struct history_event {
    int64_t ms;  /* wall clock, since 1970 */
    str name;    /* of the event, as in rt/events.def when it was written */
    uint64_t id; /* the message; 0: none */
    struct history_field field[HISTORY_FIELDS];
    size_t n;
};
struct history_query {        /* what is not set matches everything */
    const uint64_t *ids;      /* any of these messages (also as a field: the report that a bounce made) */
    size_t nids;              /* at most HISTORY_IDS_MAX */
    str address;              /* sender, recipient or what one was replaced by; ASCII case does not matter */
    int64_t from_ms, to_ms;   /* [from, to); 0: open */
    const enum event *events; /* any of these */
    size_t nevents;
    size_t limit; /* the newest so many; 0: all */
};
struct history_answer {
    /* One event, newest first; strings live until it returns. False ends the search. */
    bool (*each)(void *arg, const struct history_event *e);
    /* A file that was left out, wholly or in part, and why; may be NULL. */
    void (*note)(void *arg, const char *file, const char *why);
    void *arg;
};
/* Searches the folder of a history, running server or not. E_NOT_FOUND: no such folder; E_NOMEM; E_LIMIT: too many
 * ids, or a path that is too long. Damaged files are noted and left out. */
err history_find(int dirfd, const char *folder, const struct history_query *q, const struct history_answer *a) BLOCKS;
/* The same for the history of this server, settled first; `each` and `note` run on a thread of the pool. */
err history_ask(struct history *h, const struct history_query *q, const struct history_answer *a) YIELDS;

/* One line as the log would have it, for people or as JSON. */
void history_print(struct buf *out, const struct history_event *e, bool json);

#endif
