/* Inside reports: the table on disk, and one report on its way. */
#ifndef REPORTS_INTERNAL_H
#define REPORTS_INTERNAL_H
#include "base/cleanup.h"
#include "db/db.h"
#include "reports/reports.h"
#include "wire/feedback.h"

enum {
    PENDING_MAX = 20000,        /* judgements in memory that wait for the disk */
    LINES_MAX = 10000,          /* rows of one report */
    REPORT_BYTES_MAX = 8 << 20, /* of one report, compressed */
    RECIPIENTS_MAX = 4          /* addresses of one rua= that are served */
};

extern struct reports reports_rooms;

/* ---- store.c ---- */

/* Writes what waits in memory. On the pool. */
void store_flush(void) BLOCKS;

/* One domain's finished period. */
struct period {
    int64_t begin_s, end_s;
    struct arena mem;
    str domain, rua;
    struct feedback f; /* rows and policy */
};
/* The oldest one that ended before `now_s`. False: there is none. On the pool. */
bool store_next(struct period *p, int64_t now_s, int64_t span_s) BLOCKS;
void store_done(const struct period *p) BLOCKS; /* forgotten */

/* ---- mail.c ---- */

/* Sends it to those who may have it. OK also when there is nobody. */
err mail_report(const struct period *p) YIELDS;

#endif
