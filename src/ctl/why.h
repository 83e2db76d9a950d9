/* The story of messages: inside ctl. */
#ifndef CTL_WHY_H
#define CTL_WHY_H
#include "ctl/internal.h"
#include "history/history.h"

struct story_event {
    int64_t ms;
    str name;
    uint64_t id;
    struct history_field *field;
    size_t n;
    size_t at; /* place among those that came */
};
struct story { /* newest first, as the history gives it */
    struct arena arena;
    struct story_event *v;
    size_t n, cap;
    str damaged; /* what could not be read */
    err e;
};
void story_init(struct story *s);
void story_free(struct story *s);

struct story_source {
    struct history *history; /* of this server, or ... */
    int dirfd;               /* ... */
    const char *folder;      /* ... a folder alone */
    struct queue *queue;     /* may be NULL */
};
/* `what` is an id or an address; at most `limit` messages of an address (0: a few). E_SYNTAX: neither; E_NOT_FOUND. */
err story_tell(struct ctl_out *o, const struct story_source *from, str what, uint64_t limit) YIELDS;

#endif
