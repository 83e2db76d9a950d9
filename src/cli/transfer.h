/* Messages into files and back: what export from a running and from a stopped server share. */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H
#include "cli/internal.h"

#include <sys/stat.h>

struct transfer {
    struct conf *conf;
    const char *folder;
    int dir, fd; /* the folder; the file that is being written, or -1 */
    bool json;
    bool take; /* --remove */
    uint64_t done, skipped, failed;
};
/* A new file in t->fd; then one of the others. Messages and statuses as cli_fail. */
int transfer_create(struct transfer *t);
int transfer_finish(struct transfer *t, const char *id); /* synced and named */
void transfer_discard(struct transfer *t);
int transfer_report(const struct transfer *t, const char *what);
/* stopped.c: exports the spool of a server that does not run. */
int transfer_stopped(struct transfer *t);

#endif
