/*
 * reports: what is told to the owners of domains about mail in their name: DMARC aggregate reports (RFC 9990). What the
 * checks found is counted per policy domain and period in data-dir/reports.db, and mailed when the period is over.
 */
#ifndef REPORTS_REPORTS_H
#define REPORTS_REPORTS_H
#include "intake/checks.h"

struct reports {
    struct spool *spool;
    struct queue *queue;
    struct conf *(*conf)(void); /* with a reference */
};
/* Opens (makes) reports.db in the data folder. Without it nothing is counted. */
err reports_open(int data_dir, const struct reports *rooms, struct buf *why) BLOCKS;
void reports_close(void) BLOCKS; /* what is not stored yet is stored */
/* One message was judged: for checks_observe. Any loop; never waits. */
void reports_seen(const struct checks_seen *s);
/* Stores, and sends when it is time, until the fiber is cancelled. On one loop. */
void reports_run(void) YIELDS;

#endif
