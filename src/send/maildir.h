/* Mailboxes and the files that are written into them (maildir.c), for what delivers (mailbox.c). */
#ifndef SEND_MAILDIR_H
#define SEND_MAILDIR_H
#include "rt/rt.h"

enum { DROP_NAME_MAX = 160, DROP_PATH_MAX = DROP_NAME_MAX + 8 };

/* Names of folders come from the configuration, never from the wire. */
struct box {
    char domain[256], name[72];
    bool junk;  /* its folder .Junk (Maildir++), which is made when it is missing */
    int dir;    /* descriptor of the mailbox; -1: not open */
    bool fresh; /* new has names that are not synced yet */
    bool moved; /* ... and so has cur */
    err e;      /* of the last box_sync, for those that wait for it */
};
/* Opens it; folders that are missing are made, durably. */
err box_open(struct box *b) BLOCKS;
/* What was linked so far counts as delivered from here on. */
err box_sync(struct box *b) BLOCKS;
void box_close(struct box *b) BLOCKS;

/* One message on its way into a mailbox. */
struct drop {
    struct box *box;
    char name[DROP_NAME_MAX]; /* of the file */
    bool repeat;              /* an earlier attempt may have left the file, which a reader of mail has moved since */
    bool first, last;         /* which steps the next call takes besides writing */
    int file;                 /* -1: none */
    struct buf out;           /* what is written next */
    uint64_t written;
    err e; /* E_EXISTS: an earlier attempt delivered it. Sticky */
};
/* Writes d->out (and empties it); opens the file first, or ends it, as the flags say. arg: a struct drop. */
void drop_step(void *arg) BLOCKS;

#endif
