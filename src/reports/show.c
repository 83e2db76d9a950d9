/* The command `reports`: what was received, as lists, sums and whole reports, for people and for programs. */
#include "base/text.h"
#include "reports/internal.h"
#include "wire/pack.h"
#include "wire/findings.h"

#include <stdio.h>

enum { USAGE = 64, FAIL = 1, LIST_DEFAULT = 100 };
#define MEMORY_MAX ((size_t)256 << 20)

struct question {
    bool json;
    struct buf *out, *why;
    str word; /* list, summary, show, remove */
    int64_t id;
    /* filters; "" and 0 match everything */
    str kind, domain;
    int64_t since_s, until_s, limit;
};

/* ---- words ---- */

static int usage(struct question *q, const char *expected, str found)
{
    buf_printf(q->why, "postrider: reports: expected %s", expected);
    if (found.p) {
        buf_add_c(q->why, ", found \"");
        text_safe(q->why, str_sub(found, 0, 100));
        buf_add_char(q->why, '"');
    }
    return USAGE;
}

/* "7d", "12h", "2w": so long ago; "2026-11-01" or with a time of day: then. */
static bool take_time(str s, int64_t *ret_s)
{
    static const struct {
        char unit;
        int64_t s;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
    char mem[40];
    struct buf b;
    uint64_t n;
    int64_t ms;
    for (size_t i = 0; s.n && i < sizeof units / sizeof *units; i++)
        if (s.p[s.n - 1] == units[i].unit && text_u64(str_sub(s, 0, s.n - 1), &n) && n < 1000000) {
            *ret_s = rt_wall_ms() / 1000 - (int64_t)n * units[i].s;
            return true;
        }
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add(&b, s);
    if (s.n == 10)
        buf_add_c(&b, "T00:00:00Z");
    if (b.e || !text_parse_time(buf_str(&b), &ms))
        return false;
    *ret_s = ms / 1000;
    return true;
}

static bool is_kind(str s)
{
    return str_eq(s, S("dmarc")) || str_eq(s, S("tls")) || str_eq(s, S("failure")) || str_eq(s, S("abuse"));
}

/* The value of one option. 0, or the status. */
static int take_option(struct question *q, str name, str value)
{
    uint64_t n;
    if (str_eq(name, S("--domain"))) {
        q->domain = value;
        return value.n ? 0 : usage(q, "a domain behind --domain", value);
    }
    if (str_eq(name, S("--kind"))) {
        q->kind = value;
        return is_kind(value) ? 0 : usage(q, "dmarc, tls, failure or abuse behind --kind", value);
    }
    if (str_eq(name, S("--limit"))) {
        if (!text_u64(value, &n) || n > 1000000)
            return usage(q, "a number up to 1000000 behind --limit", value);
        q->limit = (int64_t)n;
        return 0;
    }
    int64_t *to = str_eq(name, S("--since")) ? &q->since_s : str_eq(name, S("--until")) ? &q->until_s : NULL;
    if (!to)
        return usage(q, "--domain, --kind, --since, --until, --limit or --json", name);
    return take_time(value, to) ? 0 : usage(q, "a time such as 7d or 2026-11-01 behind it", value);
}

static int take_words(struct question *q, const str *v, size_t n)
{
    bool id_given = false;
    uint64_t id;
    q->word = n && !str_starts(v[0], S("-")) ? v[0] : S("list");
    for (size_t i = n && !str_starts(v[0], S("-")); i < n; i++) {
        if (str_starts(v[i], S("--"))) {
            size_t eq = str_find(v[i], '=');
            if (eq == STR_NONE && i + 1 == n)
                return usage(q, "a value behind the last option", v[i]);
            str value = eq == STR_NONE ? v[i + 1] : str_skip(v[i], eq + 1);
            int status = take_option(q, str_sub(v[i], 0, eq), value);
            if (status)
                return status;
            i += eq == STR_NONE;
        } else if (!id_given && text_u64(v[i], &id) && id <= INT64_MAX) {
            q->id = (int64_t)id;
            id_given = true;
        } else {
            return usage(q, "the number of a report, as reports list shows it", v[i]);
        }
    }
    bool one = str_eq(q->word, S("show")) || str_eq(q->word, S("remove"));
    if (!one && !str_eq(q->word, S("list")) && !str_eq(q->word, S("summary")))
        return usage(q, "list, summary, show NUMBER, remove NUMBER, or read FILE", q->word);
    if (one != id_given)
        return usage(q, one ? "the number of a report" : "no number of a report", (str){NULL, 0});
    return 0;
}

/* ---- output ---- */

static void json_str(struct buf *out, const char *name, str s)
{
    buf_printf(out, "\"%s\":", name);
    text_json(out, s);
}

static void json_time(struct buf *out, const char *name, int64_t s)
{
    buf_printf(out, "\"%s\":", name);
    if (s <= 0 || s > 253402300799) {
        buf_add_c(out, "null");
        return;
    }
    buf_add_char(out, '"');
    text_time(out, s * 1000);
    buf_add_char(out, '"');
}

static void day(struct buf *out, int64_t s)
{
    char mem[40];
    struct buf t;
    buf_init_fixed(&t, mem, sizeof mem);
    text_time(&t, (s < 0 || s > 253402300799 ? 0 : s) * 1000);
    buf_add(out, str_sub(buf_str(&t), 0, 10));
}

/* Safe for a terminal, cut at and padded to `width`. */
static void column(struct buf *out, str s, size_t width)
{
    size_t from = out->n;
    text_safe(out, str_sub(s.n ? s : S("-"), 0, 60));
    while (!out->e && out->n < from + width)
        buf_add_char(out, ' ');
    buf_add_c(out, "  ");
}

/* ---- list ---- */

static void list_json(struct question *q, struct db_rows *r, bool first)
{
    buf_printf(q->out, "%s{\"id\":%lld,", first ? "" : ",", (long long)db_rows_num(r, 0));
    json_time(q->out, "arrived", db_rows_num(r, 1));
    buf_add_char(q->out, ',');
    json_str(q->out, "kind", db_rows_str(r, 2));
    buf_add_char(q->out, ',');
    json_str(q->out, "domain", db_rows_str(r, 3));
    buf_add_char(q->out, ',');
    json_str(q->out, "organization", db_rows_str(r, 4));
    buf_add_char(q->out, ',');
    json_str(q->out, "report", db_rows_str(r, 5));
    buf_add_char(q->out, ',');
    json_time(q->out, "begin", db_rows_num(r, 6));
    buf_add_char(q->out, ',');
    json_time(q->out, "end", db_rows_num(r, 7));
    buf_printf(q->out, ",\"total\":%lld,\"failed\":%lld,\"signed\":%s}", (long long)db_rows_num(r, 8),
               (long long)db_rows_num(r, 9), db_rows_num(r, 10) ? "true" : "false");
}

static void list_text(struct question *q, struct db_rows *r, bool first, struct buf *last)
{
    (void)last;
    if (first)
        buf_add_c(q->out, "number  arrived     kind     domain                    failed of total     reported by\n");
    buf_printf(q->out, "%6lld  ", (long long)db_rows_num(r, 0));
    day(q->out, db_rows_num(r, 1));
    buf_add_c(q->out, "  ");
    column(q->out, db_rows_str(r, 2), 7);
    column(q->out, db_rows_str(r, 3), 24);
    char counts[64];
    int n = snprintf(counts, sizeof counts, "%lld of %lld", (long long)db_rows_num(r, 9), (long long)db_rows_num(r, 8));
    column(q->out, str_mem(counts, (size_t)n), 18);
    text_safe(q->out, str_sub(db_rows_str(r, 4), 0, 100));
    buf_add_char(q->out, '\n');
}

/* What the period says counts for a time filter; of a single complaint, which has none, when it arrived. */
#define WHERE                                                                                                          \
    " WHERE (?1 = '' OR kind = ?1) AND (?2 = '' OR domain = ?2 COLLATE NOCASE OR domain LIKE '%.' || ?2)"              \
    " AND (?3 = 0 OR CASE WHEN end_s > 0 THEN end_s ELSE arrived END >= ?3)"                                           \
    " AND (?4 = 0 OR CASE WHEN begin_s > 0 THEN begin_s ELSE arrived END < ?4)"

/* Every row that the filters let through, as JSON in an array `name`, or as text. `last` is the printers' own. */
struct table {
    const char *name, *sql; /* ?1 to ?4 are the filters, ?5 the limit */
    int64_t limit;          /* when none is given */
    void (*json)(struct question *q, struct db_rows *r, bool first);
    void (*text)(struct question *q, struct db_rows *r, bool first, struct buf *last);
};

static int print_table(struct question *q, const struct table *t)
{
    struct db_rows r;
    AUTO_BUF last = {.max = 1024};
    size_t n = 0;
    if (q->json)
        buf_printf(q->out, "{\"%s\":[", t->name);
    db_rows_begin(&r, store_db(), t->sql, "ssiii", q->kind, q->domain, q->since_s, q->until_s,
                  q->limit ? q->limit : t->limit);
    for (; !q->out->e && db_rows_next(&r); n++)
        if (q->json)
            t->json(q, &r, n == 0);
        else
            t->text(q, &r, n == 0, &last);
    err e = db_rows_end(&r);
    if (q->json)
        buf_add_c(q->out, "]}\n");
    else if (!n && !e)
        buf_add_c(q->out, "no reports\n");
    return e ? FAIL : 0;
}

static int list(struct question *q)
{
    static const struct table t = {
        "reports",
        "SELECT id, arrived, kind, domain, organization, report, begin_s, end_s, total, failed, signed FROM "
        "received" WHERE " ORDER BY id DESC LIMIT ?5",
        LIST_DEFAULT, list_json, list_text};
    return print_table(q, &t);
}

/* ---- summary ---- */

static void summary_json(struct question *q, struct db_rows *r, bool first)
{
    buf_add_c(q->out, first ? "{" : ",{");
    json_str(q->out, "domain", db_rows_str(r, 0));
    buf_add_char(q->out, ',');
    json_str(q->out, "kind", db_rows_str(r, 1));
    buf_add_char(q->out, ',');
    json_str(q->out, "source", db_rows_str(r, 2));
    buf_add_char(q->out, ',');
    json_str(q->out, "what", db_rows_str(r, 3));
    buf_printf(q->out, ",\"total\":%lld,\"failed\":%lld,\"reports\":%lld}", (long long)db_rows_num(r, 4),
               (long long)db_rows_num(r, 5), (long long)db_rows_num(r, 6));
}

/* A heading for each domain and kind, a line for each source below it. `last` is what was said before. */
static void summary_text(struct question *q, struct db_rows *r, bool first, struct buf *last)
{
    static const struct {
        str kind;
        const char *text;
    } titles[] = {{S_INIT("dmarc"), "DMARC: messages in its name, by sending address and From"},
                  {S_INIT("tls"), "TLS: sessions to its servers, by server and result"},
                  {S_INIT("failure"), "failure reports, by sending address"},
                  {S_INIT("abuse"), "complaints, by sending address"}};
    AUTO_BUF now = {.max = 1024};
    buf_printf(&now, STR_FMT " " STR_FMT, STR_ARG(db_rows_str(r, 0)), STR_ARG(db_rows_str(r, 1)));
    if (!str_eq(buf_str(&now), buf_str(last))) {
        buf_add_c(q->out, first ? "" : "\n");
        text_safe(q->out, db_rows_str(r, 0).n ? db_rows_str(r, 0) : S("(no domain)"));
        buf_add_c(q->out, "  ");
        for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
            if (str_eq(titles[i].kind, db_rows_str(r, 1)))
                buf_add_c(q->out, titles[i].text);
        buf_add_c(q->out, "\n     total    failed\n");
        buf_clear(last);
        buf_add(last, buf_str(&now));
    }
    buf_printf(q->out, "%10lld%10lld  ", (long long)db_rows_num(r, 4), (long long)db_rows_num(r, 5));
    column(q->out, db_rows_str(r, 2), 24);
    text_safe(q->out, str_sub(db_rows_str(r, 3), 0, 100));
    buf_add_char(q->out, '\n');
}

static int summary(struct question *q)
{
    static const struct table t = {
        "sources",
        "SELECT domain, kind, source, what, CAST(total(w.total) AS INTEGER) AS t, CAST(total(w.failed) AS "
        "INTEGER) AS f, count(*) FROM received r"
        " JOIN received_row w ON w.received = r.id" WHERE
        " GROUP BY domain, kind, source, what ORDER BY domain, kind, f DESC, t DESC, source LIMIT ?5",
        10 * LIST_DEFAULT, summary_json, summary_text};
    return print_table(q, &t);
}

/* ---- one ---- */

static enum enclosed_kind form_of(str kind)
{
    return str_eq(kind, S("dmarc")) ? ENCLOSED_DMARC : str_eq(kind, S("tls")) ? ENCLOSED_TLS : ENCLOSED_FEEDBACK;
}

/* From its form on disk: fields and header of a complaint have an empty line between them. */
static err reread(str kind, str body, struct arena *a, struct buf *text, struct findings *ret)
{
    err e = pack_open(body, text);
    struct enclosed got = {.kind = form_of(kind), .text = buf_str(text)};
    size_t gap = str_search(got.text, S("\r\n\r\n"));
    if (got.kind == ENCLOSED_FEEDBACK && gap != STR_NONE) {
        got.original = str_skip(got.text, gap + 4);
        got.text = str_sub(got.text, 0, gap + 2);
    }
    return e ? e : findings_read(&got, a, ret);
}

static int show(struct question *q)
{
    AUTO_ARENA a = {0};
    AUTO_BUF text = {.max = (size_t)1 << 30};
    struct findings report;
    struct db_rows r;
    bool found = false;
    err e = OK;
    arena_init(&a, 65536, MEMORY_MAX);
    db_rows_begin(&r, store_db(), "SELECT kind, body, signed, arrived FROM received WHERE id = ?", "i", q->id);
    while (!e && db_rows_next(&r)) {
        found = true;
        e = reread(db_rows_str(&r, 0), db_rows_str(&r, 1), &a, &text, &report);
        if (!e && q->json) {
            findings_json(q->out, &report);
        } else if (!e) {
            findings_text(q->out, &report);
            if (!db_rows_num(&r, 2))
                buf_add_c(q->out, "  the message that brought it had no DKIM signature that was found valid here\n");
        }
    }
    err end = db_rows_end(&r);
    e = e ? e : end;
    if (e)
        buf_printf(q->why, "postrider: reports: this report cannot be read: %s", err_text(e));
    else if (!found)
        buf_printf(q->why, "postrider: reports: there is no report %lld; reports list shows those that are kept",
                   (long long)q->id);
    else if (q->json)
        buf_add_char(q->out, '\n');
    return e || !found ? FAIL : 0;
}

static int drop(struct question *q)
{
    int64_t changed = 0;
    err e = db_run(store_db(), &changed, "DELETE FROM received WHERE id = ?", "i", q->id);
    if (e || !changed)
        buf_printf(q->why, "postrider: reports: %s", e ? err_text(e) : "there is no such report");
    else
        buf_printf(q->out, q->json ? "{\"removed\":%lld}\n" : "report %lld is removed\n", (long long)q->id);
    return e || !changed ? FAIL : 0;
}

int reports_answer(const str *words, size_t n, bool json, struct buf *out, struct buf *why)
{
    struct question q = {.json = json, .out = out, .why = why, .kind = S(""), .domain = S("")};
    int status = take_words(&q, words, n);
    if (status)
        return status;
    if (!store_db()) {
        buf_add_c(why, "postrider: reports: the server has no reports.db; its log says why");
        return FAIL;
    }
    db_hold(store_db());
    status = str_eq(q.word, S("show"))      ? show(&q)
             : str_eq(q.word, S("remove"))  ? drop(&q)
             : str_eq(q.word, S("summary")) ? summary(&q)
                                            : list(&q);
    db_let_go(store_db());
    if (status == FAIL && !why->n)
        buf_add_c(why, "postrider: reports: reports.db cannot be read");
    return status;
}

int reports_answer_here(int data_dir, const str *words, size_t n, bool json, struct buf *out, struct buf *why)
{
    if (reports_open(data_dir, &(struct reports){0}, why)) {
        buf_add_c(why, " (reports.db)");
        return FAIL;
    }
    int status = reports_answer(words, n, json, out, why);
    reports_close();
    return status;
}
