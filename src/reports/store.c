/* Counting: in memory by whoever judges or sends, on disk every few seconds, one row for each different line. */
#include "base/text.h"
#include "reports/internal.h"

#include <stdlib.h>

static const char *const steps[] = {
    "CREATE TABLE line (begin INTEGER, domain TEXT, line TEXT, count INTEGER, PRIMARY KEY (begin, domain, line)) "
    "WITHOUT ROWID",
    "CREATE TABLE policy (begin INTEGER, domain TEXT, text TEXT, PRIMARY KEY (begin, domain)) WITHOUT ROWID",
    /* due 0: counted by an earlier version, which sent at once */
    "ALTER TABLE policy ADD COLUMN due INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE policy ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE tls_line (begin INTEGER, domain TEXT, policy TEXT, line TEXT, count INTEGER,"
    " PRIMARY KEY (begin, domain, policy, line)) WITHOUT ROWID;"
    "CREATE TABLE tls_domain (begin INTEGER, domain TEXT, due INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " PRIMARY KEY (begin, domain)) WITHOUT ROWID;"
    "CREATE INDEX policy_due ON policy (due);"
    "CREATE INDEX tls_due ON tls_domain (due);"
    "CREATE TABLE post (id INTEGER PRIMARY KEY, domain TEXT NOT NULL, uri TEXT NOT NULL, due INTEGER NOT NULL,"
    " until INTEGER NOT NULL, tries INTEGER NOT NULL, sessions INTEGER NOT NULL, body TEXT NOT NULL)",
    /* reports of others: body is the report itself, compressed; the rows are what the summary adds up */
    "CREATE TABLE received (id INTEGER PRIMARY KEY AUTOINCREMENT, arrived INTEGER NOT NULL, kind TEXT NOT NULL,"
    " domain TEXT NOT NULL, organization TEXT NOT NULL, report TEXT NOT NULL, begin_s INTEGER NOT NULL,"
    " end_s INTEGER NOT NULL, total INTEGER NOT NULL, failed INTEGER NOT NULL, signed INTEGER NOT NULL,"
    " size INTEGER NOT NULL, body TEXT NOT NULL);"
    "CREATE UNIQUE INDEX received_once ON received (kind, organization, domain, report, begin_s);"
    "CREATE INDEX received_arrived ON received (arrived);"
    "CREATE TABLE received_row (received INTEGER NOT NULL REFERENCES received (id) ON DELETE CASCADE,"
    " source TEXT NOT NULL, what TEXT NOT NULL, total INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " PRIMARY KEY (received, source, what)) WITHOUT ROWID",
};

struct seen {
    struct seen *next;
    enum report_kind kind;
    int64_t begin_s, due_s;
    str domain, policy, line; /* behind the struct */
};

struct reports reports_rooms;
static struct db *db;
static struct lock lock;
static struct seen *first, **last = &first;
static size_t npending;

err reports_open(int data_dir, const struct reports *rooms, struct buf *why)
{
    reports_rooms = *rooms;
    return db_open(&db, data_dir, "reports.db", steps, sizeof steps / sizeof *steps, why);
}

void reports_close(void)
{
    if (!db)
        return;
    store_flush();
    db_close(&db);
}

struct db *store_db(void) { return db; }

/* ---- in memory ----------------------------------------------------------------------------------------------------
 */

void field_add(struct buf *out, str s)
{
    if (out->n)
        buf_add_char(out, '\t');
    for (size_t i = 0; i < s.n && i < 255; i++)
        buf_add_char(out, (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : s.p[i]);
    if (!s.n)
        buf_add_char(out, '-');
}

str field_take(str *rest)
{
    str s = {0};
    if (rest->p)
        (void)str_cut(rest, '\t', &s);
    return str_eq(s, S("-")) ? (str){0} : s;
}

static struct seen *keep(str domain, str policy, str line)
{
    size_t n = domain.n + policy.n + line.n;
    struct seen *k = malloc(sizeof *k + n);
    if (!k)
        return NULL;
    char *p = (char *)(k + 1);
    str *const to[] = {&k->domain, &k->policy, &k->line};
    const str from[] = {domain, policy, line};
    for (size_t i = 0; i < 3; i++) {
        if (from[i].n)
            memcpy(p, from[i].p, from[i].n);
        *to[i] = str_mem(p, from[i].n);
        p += from[i].n;
    }
    return k;
}

void store_count(const struct conf *c, enum report_kind kind, str domain, str policy, str line)
{
    int64_t now_s = rt_wall_ms() / 1000, span = c->report_interval / RT_S;
    struct seen *k = db ? keep(domain, policy, line) : NULL;
    if (k) {
        k->next = NULL;
        k->kind = kind;
        k->begin_s = now_s - now_s % span;
        k->due_s = period_due(c, k->domain, k->begin_s, span);
    }
    lock_take(&lock);
    bool room = k && npending < PENDING_MAX;
    if (room) {
        *last = k;
        last = &k->next;
        npending++;
    }
    lock_drop(&lock);
    if (!room) {
        free(k);
        metric_add(M_reports_lost, 1);
    }
}

/* ---- the disk ------------------------------------------------------------------------------------------------- */

static int64_t number_of(struct db_rows *r)
{
    int64_t n = 0;
    while (db_rows_next(r))
        n = db_rows_num(r, 0);
    (void)db_rows_end(r);
    return n;
}

static int64_t count_lines(void)
{
    struct db_rows r;
    db_rows_begin(&r, db, "SELECT (SELECT count(*) FROM line) + (SELECT count(*) FROM tls_line)", "");
    return number_of(&r);
}

static bool add_one(const struct seen *s)
{
    int64_t changed = 0;
    if (s->kind == KIND_DMARC)
        (void)db_run(db, &changed, "UPDATE line SET count = count + 1 WHERE begin = ? AND domain = ? AND line = ?",
                     "iss", s->begin_s, s->domain, s->line);
    else
        (void)db_run(db, &changed,
                     "UPDATE tls_line SET count = count + 1 WHERE begin = ? AND domain = ? AND policy = ? AND line = ?",
                     "isss", s->begin_s, s->domain, s->policy, s->line);
    return changed;
}

static void insert_dmarc(const struct seen *s)
{
    (void)db_run(db, NULL, "INSERT INTO line (begin, domain, line, count) VALUES (?, ?, ?, 1)", "iss", s->begin_s,
                 s->domain, s->line);
    (void)db_run(db, NULL,
                 "INSERT INTO policy (begin, domain, text, due, tries) VALUES (?, ?, ?, ?, 0)"
                 " ON CONFLICT DO UPDATE SET text = excluded.text",
                 "issi", s->begin_s, s->domain, s->policy, s->due_s);
}

static void insert_tls(const struct seen *s)
{
    (void)db_run(db, NULL, "INSERT INTO tls_line (begin, domain, policy, line, count) VALUES (?, ?, ?, ?, 1)", "isss",
                 s->begin_s, s->domain, s->policy, s->line);
    (void)db_run(db, NULL, "INSERT OR IGNORE INTO tls_domain (begin, domain, due, tries) VALUES (?, ?, ?, 0)", "isi",
                 s->begin_s, s->domain, s->due_s);
}

static void store_one(const struct seen *s, int64_t most, int64_t *lines)
{
    if (add_one(s))
        return;
    if (*lines >= most) {
        metric_add(M_reports_lost, 1);
        return;
    }
    ++*lines;
    if (s->kind == KIND_DMARC)
        insert_dmarc(s);
    else
        insert_tls(s);
}

static struct seen *take_all(void)
{
    lock_take(&lock);
    struct seen *v = first;
    first = NULL;
    last = &first;
    npending = 0;
    lock_drop(&lock);
    return v;
}

void store_flush(void)
{
    struct seen *v = take_all();
    if (!v)
        return;
    struct conf *c = reports_rooms.conf();
    int64_t most = c->report_max_lines;
    conf_drop(&c);
    db_hold(db);
    err e = db_begin(db);
    int64_t lines = e ? 0 : count_lines();
    for (struct seen *s = v; s && !e; s = s->next)
        store_one(s, most, &lines);
    if (!e)
        e = db_end(db, true);
    db_let_go(db);
    if (e)
        rt_log(EV_report_failed, log_c("storing"), log_str(S("")), log_err(e));
    while (v) {
        struct seen *next = v->next;
        free(v);
        v = next;
    }
}
