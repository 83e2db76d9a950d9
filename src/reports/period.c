/* Periods on disk: which is due, what it holds, and what becomes of it. */
#include "reports/internal.h"

int64_t period_due(const struct conf *c, str domain, int64_t begin_s, int64_t span_s)
{
    int64_t spread = c->report_spread / RT_S, most = span_s / 6;
    spread = spread < most ? spread : most;
    uint64_t h = str_hash_stable(domain) * 31 + str_hash_stable(c->hostname);
    return begin_s + span_s + (spread > 0 ? (int64_t)(h % (uint64_t)spread) : 0);
}

static bool find_due(struct period *p, enum report_kind kind, int64_t now_s, int64_t span_s)
{
    struct db_rows r;
    bool found = false;
    if (kind == KIND_DMARC)
        db_rows_begin(
            &r, store_db(),
            "SELECT begin, domain, tries, text FROM policy WHERE begin <= ? AND due <= ? ORDER BY due LIMIT 1", "ii",
            now_s - span_s, now_s);
    else
        db_rows_begin(&r, store_db(),
                      "SELECT begin, domain, tries FROM tls_domain WHERE begin <= ? AND due <= ? ORDER BY due LIMIT 1",
                      "ii", now_s - span_s, now_s);
    while (db_rows_next(&r)) {
        found = true;
        p->kind = kind;
        p->begin_s = p->f.begin_s = p->t.begin_s = db_rows_num(&r, 0);
        p->end_s = p->f.end_s = p->t.end_s = p->begin_s + span_s - 1;
        p->tries = db_rows_num(&r, 2);
        p->domain = arena_str(&p->mem, db_rows_str(&r, 1));
        if (kind == KIND_DMARC)
            dmarc_policy(p, db_rows_str(&r, 3));
    }
    (void)db_rows_end(&r);
    return found;
}

bool period_next(struct period *p, int64_t now_s, int64_t span_s)
{
    bool found = false;
    *p = (struct period){.begin_s = 0};
    if (!store_db())
        return false;
    arena_init(&p->mem, 4096, TEXT_MAX);
    db_hold(store_db());
    for (int k = 0; k < KINDS && !found; k++)
        found = find_due(p, (enum report_kind)k, now_s, span_s);
    if (found && p->kind == KIND_DMARC)
        dmarc_lines(p);
    else if (found)
        tls_lines(p);
    db_let_go(store_db());
    bool ok = found && !p->mem.e && p->domain.p;
    if (!ok)
        arena_free(&p->mem);
    return ok;
}

void period_done(const struct period *p)
{
    struct db *db = store_db();
    db_hold(db);
    err e = db_begin(db);
    if (!e && p->kind == KIND_DMARC) {
        (void)db_run(db, NULL, "DELETE FROM line WHERE begin = ? AND domain = ?", "is", p->begin_s, p->domain);
        (void)db_run(db, NULL, "DELETE FROM policy WHERE begin = ? AND domain = ?", "is", p->begin_s, p->domain);
    } else if (!e) {
        (void)db_run(db, NULL, "DELETE FROM tls_line WHERE begin = ? AND domain = ?", "is", p->begin_s, p->domain);
        (void)db_run(db, NULL, "DELETE FROM tls_domain WHERE begin = ? AND domain = ?", "is", p->begin_s, p->domain);
    }
    if (!e)
        (void)db_end(db, true);
    db_let_go(db);
}

void period_later(const struct period *p, int64_t due_s)
{
    struct db *db = store_db();
    db_hold(db);
    if (p->kind == KIND_DMARC)
        (void)db_run(db, NULL, "UPDATE policy SET due = ?, tries = tries + 1 WHERE begin = ? AND domain = ?", "iis",
                     due_s, p->begin_s, p->domain);
    else
        (void)db_run(db, NULL, "UPDATE tls_domain SET due = ?, tries = tries + 1 WHERE begin = ? AND domain = ?", "iis",
                     due_s, p->begin_s, p->domain);
    db_let_go(db);
}
