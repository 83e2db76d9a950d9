/*
 * reports: what is told to the owners of domains about mail in their name (DMARC aggregate reports, RFC 9990) and about
 * mail to them (TLS reports, RFC 8460), counted per domain and period in data-dir/reports.db and sent when the period
 * is over; and what others tell us: kept in the same file, and shown.
 */
#ifndef REPORTS_REPORTS_H
#define REPORTS_REPORTS_H
#include "intake/checks.h"
#include "send/send.h"

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
/* One session with another server: for send_observe. Any loop; never waits. */
void reports_session(const struct send_seen *s);
/* Stores, and sends when it is time, until the fiber is cancelled. On one loop. */
void reports_run(void) YIELDS;

/* A message to an address of report.received: for struct send. */
err reports_received(const struct envelope *env, str octets) YIELDS;
/* The command `reports`: words behind it. The answer, for people or as JSON, goes to `out`, what is wrong to `why`; an
 * exit status. On the pool. */
int reports_answer(const str *words, size_t n, bool json, struct buf *out, struct buf *why) BLOCKS;
/* The same where no server runs: reports.db is opened in that folder, and closed. */
int reports_answer_here(int data_dir, const str *words, size_t n, bool json, struct buf *out, struct buf *why) BLOCKS;

#endif
