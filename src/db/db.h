/*
 * db: SQLite for what is not on the accept path. One `struct db` is one file and one connection; whoever works with
 * it holds it (db_hold) and no other thread meanwhile. Prepared statements only: texts are constants of the program,
 * values are bound. All calls block: from the pool, a task, or before loops run.
 */
#ifndef DB_DB_H
#define DB_DB_H
#include "base/buf.h"
#include "rt/rt.h"

struct db;

/* Opens `name` in the folder behind dirfd, makes it (mode 0600) when it is not there, and runs those of `steps` that
 * it has not seen (PRAGMA user_version counts them), each in a transaction. Every commit is synced. The journal stays
 * beside it as NAME-journal. E_UNSUPPORTED: made by a newer version; E_CORRUPT, E_IO, E_NOMEM; *why in words. */
err db_open(struct db **ret, int dirfd, const char *name, const char *const *steps, int nsteps, struct buf *why) BLOCKS;
void db_close(struct db **d) BLOCKS;

void db_hold(struct db *d) BLOCKS;
void db_let_go(struct db *d);

/* A transaction, within db_hold. db_end commits when `ok`, else takes everything back; returns the first error. */
err db_begin(struct db *d) BLOCKS;
err db_end(struct db *d, bool ok) BLOCKS;

/*
 * One statement with its values, in the order of its question marks: `types` has a letter for each, s a str (p NULL:
 * SQL NULL), i an int64_t. `sql` must be a literal: it is prepared once and kept.
 * db_run: nothing is returned. *ret_changed (may be NULL) rows were touched. E_EXISTS: a constraint was broken.
 */
err db_run(struct db *d, int64_t *ret_changed, const char *sql, const char *types, ...) BLOCKS;

struct db_rows {
    struct db *d;
    void *statement;
    err e; /* why the rows ended; OK: there were no more */
};
/* Walks over rows: begin, while next, end. Column texts are valid until the next call. */
void db_rows_begin(struct db_rows *r, struct db *d, const char *sql, const char *types, ...) BLOCKS;
bool db_rows_next(struct db_rows *r) BLOCKS;
str db_rows_str(struct db_rows *r, int column); /* NULL is "" with p NULL */
int64_t db_rows_num(struct db_rows *r, int column);
err db_rows_end(struct db_rows *r);

#endif
