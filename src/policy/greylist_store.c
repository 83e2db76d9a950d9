/* What greylisting has learnt, on disk: written every few seconds from the pool, read once. */
#include "policy/greylist_store.h"
#include "db/db.h"
#include "policy/greylist.h"

#include <stdlib.h>

#define TICK (5 * RT_S)
#define SWEEP (600 * RT_S)
enum { BATCH = 4096 };

static const char *const steps[] = {
    "CREATE TABLE seen (key INTEGER PRIMARY KEY, first INTEGER, last INTEGER, passes INTEGER)",
    "CREATE TABLE secret (a INTEGER, b INTEGER)",
};

static struct db *db;

static err read_secret(uint64_t v[2])
{
    struct db_rows r;
    bool there = false;
    db_rows_begin(&r, db, "SELECT a, b FROM secret", "");
    while (db_rows_next(&r)) {
        v[0] = (uint64_t)db_rows_num(&r, 0);
        v[1] = (uint64_t)db_rows_num(&r, 1);
        there = true;
    }
    err e = db_rows_end(&r);
    if (e || there)
        return e;
    v[0] = rt_random();
    v[1] = rt_random();
    return db_run(db, NULL, "INSERT INTO secret (a, b) VALUES (?, ?)", "ii", (int64_t)v[0], (int64_t)v[1]);
}

static err read_all(void)
{
    struct db_rows r;
    db_rows_begin(&r, db, "SELECT key, first, last, passes FROM seen ORDER BY last", "");
    while (db_rows_next(&r)) {
        struct grey_row row = {(uint64_t)db_rows_num(&r, 0), (uint32_t)db_rows_num(&r, 1), (uint32_t)db_rows_num(&r, 2),
                               (uint32_t)db_rows_num(&r, 3)};
        (void)grey_load(&row);
    }
    return db_rows_end(&r);
}

err grey_open(int data_dir, struct buf *why)
{
    uint64_t secret[2] = {rt_random(), rt_random()};
    grey_secret(secret);
    err e = db_open(&db, data_dir, "greylist.db", steps, sizeof steps / sizeof *steps, why);
    if (e)
        return e;
    db_hold(db);
    e = read_secret(secret);
    grey_secret(secret);
    if (!e)
        e = read_all();
    db_let_go(db);
    if (e) {
        buf_add_c(why, err_text(e));
        db_close(&db);
    }
    return e;
}

static err store(const struct grey_row *v, size_t n)
{
    db_hold(db);
    err e = db_begin(db);
    for (size_t i = 0; i < n && !e; i++)
        e = db_run(db, NULL, "INSERT OR REPLACE INTO seen (key, first, last, passes) VALUES (?, ?, ?, ?)", "iiii",
                   (int64_t)v[i].key, (int64_t)v[i].first, (int64_t)v[i].last, (int64_t)v[i].passes);
    e = db_end(db, e == OK);
    db_let_go(db);
    return e;
}

/* What cannot be written is lost to the next start, not to this one. */
static void flush(void *arg)
{
    (void)arg;
    struct grey_row *v = malloc(BATCH * sizeof *v);
    size_t n = BATCH;
    while (v && db && n == BATCH && (n = grey_take_dirty(v, BATCH)) > 0) {
        err e = store(v, n);
        if (e) {
            rt_log(EV_greylist_failed, log_c("store"), log_err(e));
            break;
        }
    }
    free(v);
}

struct sweep {
    int64_t kept_from, tried_from; /* older ones go: of those that passed, of those that never came again */
    int64_t most;
};

static void sweep(void *arg)
{
    const struct sweep *s = arg;
    while (grey_expire((uint32_t)s->kept_from))
        continue;
    if (!db)
        return;
    db_hold(db);
    err e = db_run(db, NULL, "DELETE FROM seen WHERE last < ? OR (passes = 0 AND last < ?)", "ii", s->kept_from,
                   s->tried_from);
    if (!e)
        e = db_run(db, NULL,
                   "DELETE FROM seen WHERE key IN (SELECT key FROM seen ORDER BY last "
                   "LIMIT max(0, (SELECT count(*) FROM seen) - ?))",
                   "i", s->most);
    db_let_go(db);
    if (e)
        rt_log(EV_greylist_failed, log_c("expire"), log_err(e));
}

void grey_close(void)
{
    if (!db)
        return;
    flush(NULL);
    db_close(&db);
}

void grey_run(struct conf *(*conf)(void))
{
    rt_time next = 0;
    while (fiber_sleep(rt_after(TICK)) == OK) {
        (void)rt_pool_run(flush, NULL);
        if (rt_now() < next)
            continue;
        struct conf *c = conf();
        int64_t now_s = rt_wall_ms() / 1000;
        struct sweep s = {now_s - c->policy_greylist_keep / RT_S, now_s - c->policy_greylist_window / RT_S,
                          c->policy_greylist_entries};
        conf_drop(&c);
        next = rt_after(SWEEP);
        (void)rt_pool_run(sweep, &s);
    }
    fiber_shield(true);
    (void)rt_pool_run(flush, NULL);
    fiber_shield(false);
}
