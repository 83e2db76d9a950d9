/* Counting: in memory by whoever judges, on disk every few seconds, one row for each different line of a report. */
#include "base/text.h"
#include "reports/internal.h"

#include <stdlib.h>

enum { LINE_MAX_OCTETS = 4096, POLICY_MAX = 2048, RUA_MAX = 1000 };

static const char *const steps[] = {
    "CREATE TABLE line (begin INTEGER, domain TEXT, line TEXT, count INTEGER, PRIMARY KEY (begin, domain, line)) "
    "WITHOUT ROWID",
    "CREATE TABLE policy (begin INTEGER, domain TEXT, text TEXT, PRIMARY KEY (begin, domain)) WITHOUT ROWID",
};

struct seen {
    struct seen *next;
    int64_t begin_s;
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

/* ---- lines: fields with tabs between them ------------------------------------------------------------------- */

static void add_field(struct buf *out, str s)
{
    if (out->n)
        buf_add_char(out, '\t');
    for (size_t i = 0; i < s.n && i < 255; i++)
        buf_add_char(out, (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : s.p[i]);
    if (!s.n)
        buf_add_char(out, '-');
}

static void add_word(struct buf *out, const char *z) { add_field(out, str_c(z)); }

static str take_field(str *rest)
{
    str s = {0};
    if (rest->p)
        (void)str_cut(rest, '\t', &s);
    return str_eq(s, S("-")) ? (str){0} : s;
}

static const char *request_word(enum dmarc_request r)
{
    static const char *const words[] = {"", "", "none", "quarantine", "reject"};
    return words[r];
}

static void make_policy(struct buf *out, const struct check_dmarc *d)
{
    buf_add(out, str_sub(d->rua, 0, RUA_MAX));
    add_word(out, request_word(d->p));
    add_word(out, request_word(d->sp));
    add_word(out, request_word(d->np));
    add_word(out, d->strict_dkim ? "s" : "r");
    add_word(out, d->strict_spf ? "s" : "r");
    add_word(out, d->testing ? "y" : "n");
}

static void make_line(struct buf *out, const struct checks_seen *s)
{
    const struct check_results *r = s->results;
    size_t at = str_rfind(s->check->from, '@');
    char mem[IP_TEXT_MAX];
    struct buf ip;
    buf_init_fixed(&ip, mem, sizeof mem);
    ip_print(&ip, &s->check->ip);
    add_field(out, r->dmarc.from);
    add_field(out, buf_str(&ip));
    add_word(out, dmarc_policy_name(s->disposition));
    add_word(out, r->dmarc.dkim_aligned ? "pass" : "fail");
    add_word(out, r->dmarc.spf_aligned ? "pass" : "fail");
    add_field(out, at == STR_NONE ? (str){0} : str_skip(s->check->from, at + 1));
    add_field(out, r->mail.domain);
    add_word(out, s->check->from.n ? "mfrom" : "helo");
    add_word(out, check_result_name(r->mail.result));
    for (size_t i = 0; i < r->ndkim && i < FEEDBACK_DKIM_MAX; i++) {
        add_field(out, r->dkim[i].domain);
        add_field(out, r->dkim[i].selector);
        add_word(out, check_result_name(r->dkim[i].result));
    }
}

static struct seen *keep(int64_t begin_s, str domain, str policy, str line)
{
    size_t n = domain.n + policy.n + line.n;
    struct seen *k = malloc(sizeof *k + n);
    if (!k)
        return NULL;
    char *p = (char *)(k + 1);
    str *const to[] = {&k->domain, &k->policy, &k->line};
    const str from[] = {domain, policy, line};
    k->next = NULL;
    k->begin_s = begin_s;
    for (size_t i = 0; i < 3; i++) {
        if (from[i].n)
            memcpy(p, from[i].p, from[i].n);
        *to[i] = str_mem(p, from[i].n);
        p += from[i].n;
    }
    return k;
}

void reports_seen(const struct checks_seen *s)
{
    const struct check_dmarc *d = &s->results->dmarc;
    AUTO_BUF line = {.max = LINE_MAX_OCTETS}, policy = {.max = POLICY_MAX};
    struct conf *c = reports_rooms.conf ? reports_rooms.conf() : NULL;
    int64_t span = c ? c->report_interval / RT_S : 0;
    bool wanted = db && c && c->report_dmarc && d->rua.n && d->policy_domain.n &&
                  (d->result == CHECK_PASS || d->result == CHECK_FAIL);
    conf_drop(&c);
    if (!wanted)
        return;
    make_line(&line, s);
    make_policy(&policy, d);
    int64_t now_s = rt_wall_ms() / 1000;
    struct seen *k =
        line.e || policy.e ? NULL : keep(now_s - now_s % span, d->policy_domain, buf_str(&policy), buf_str(&line));
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

static int64_t count_lines(void)
{
    struct db_rows r;
    int64_t n = 0;
    db_rows_begin(&r, db, "SELECT count(*) FROM line", "");
    while (db_rows_next(&r))
        n = db_rows_num(&r, 0);
    (void)db_rows_end(&r);
    return n;
}

static void store_one(const struct seen *s, int64_t most, int64_t *lines)
{
    int64_t changed = 0;
    (void)db_run(db, &changed, "UPDATE line SET count = count + 1 WHERE begin = ? AND domain = ? AND line = ?", "iss",
                 s->begin_s, s->domain, s->line);
    if (changed)
        return;
    if (*lines >= most) {
        metric_add(M_reports_lost, 1);
        return;
    }
    ++*lines;
    (void)db_run(db, NULL, "INSERT INTO line (begin, domain, line, count) VALUES (?, ?, ?, 1)", "iss", s->begin_s,
                 s->domain, s->line);
    (void)db_run(db, NULL, "INSERT OR REPLACE INTO policy (begin, domain, text) VALUES (?, ?, ?)", "iss", s->begin_s,
                 s->domain, s->policy);
}

void store_flush(void)
{
    lock_take(&lock);
    struct seen *v = first;
    first = NULL;
    last = &first;
    npending = 0;
    lock_drop(&lock);
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

/* ---- finished periods ------------------------------------------------------------------------------------------ */

static void read_policy(struct period *p, str text)
{
    struct feedback *f = &p->f;
    str rest = arena_str(&p->mem, text);
    p->rua = take_field(&rest);
    f->domain = p->domain;
    f->p = take_field(&rest);
    f->sp = take_field(&rest);
    f->np = take_field(&rest);
    f->adkim = take_field(&rest);
    f->aspf = take_field(&rest);
    f->testing = str_eq(take_field(&rest), S("y"));
}

static bool read_line(struct period *p, str text, int64_t count, struct feedback_row *w)
{
    str rest = arena_str(&p->mem, text);
    w->signatures = arena_array(&p->mem, FEEDBACK_DKIM_MAX, sizeof *w->signatures);
    if (!rest.p || !w->signatures)
        return false;
    w->count = (uint64_t)count;
    str *const to[] = {&w->from,          &w->ip,         &w->disposition, &w->dkim,      &w->spf,
                       &w->envelope_from, &w->spf_domain, &w->spf_scope,   &w->spf_result};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        *to[i] = take_field(&rest);
    while (rest.p && w->nsignatures < FEEDBACK_DKIM_MAX) {
        struct feedback_dkim *d = &w->signatures[w->nsignatures++];
        d->domain = take_field(&rest);
        d->selector = take_field(&rest);
        d->result = take_field(&rest);
    }
    return true;
}

static void read_lines(struct period *p)
{
    struct db_rows r;
    struct feedback *f = &p->f;
    f->rows = arena_array(&p->mem, LINES_MAX, sizeof *f->rows);
    if (!f->rows)
        return;
    db_rows_begin(&r, db, "SELECT line, count FROM line WHERE begin = ? AND domain = ? LIMIT 10000", "is", p->begin_s,
                  p->domain);
    while (f->nrows < LINES_MAX && db_rows_next(&r)) {
        if (!read_line(p, db_rows_str(&r, 0), db_rows_num(&r, 1), &f->rows[f->nrows]))
            break;
        f->nrows++;
    }
    (void)db_rows_end(&r);
}

bool store_next(struct period *p, int64_t now_s, int64_t span_s)
{
    struct db_rows r;
    bool found = false;
    if (!db)
        return false;
    *p = (struct period){.begin_s = 0};
    arena_init(&p->mem, 4096, (size_t)64 << 20);
    db_hold(db);
    db_rows_begin(&r, db, "SELECT begin, domain, text FROM policy WHERE begin <= ? ORDER BY begin LIMIT 1", "i",
                  now_s - span_s);
    while (db_rows_next(&r)) {
        found = true;
        p->begin_s = p->f.begin_s = db_rows_num(&r, 0);
        p->end_s = p->f.end_s = p->begin_s + span_s - 1;
        p->domain = arena_str(&p->mem, db_rows_str(&r, 1));
        read_policy(p, db_rows_str(&r, 2));
    }
    (void)db_rows_end(&r);
    if (found)
        read_lines(p);
    db_let_go(db);
    if (!found || p->mem.e)
        arena_free(&p->mem);
    return found && !p->mem.e && p->domain.p;
}

void store_done(const struct period *p)
{
    db_hold(db);
    err e = db_begin(db);
    if (!e) {
        (void)db_run(db, NULL, "DELETE FROM line WHERE begin = ? AND domain = ?", "is", p->begin_s, p->domain);
        (void)db_run(db, NULL, "DELETE FROM policy WHERE begin = ? AND domain = ?", "is", p->begin_s, p->domain);
        (void)db_end(db, true);
    }
    db_let_go(db);
}
