/*
 * Reports of others (report.received): read on the pool, kept in reports.db, within bounds of room and age. What cannot
 * be read goes to the postmaster as it is.
 */
#include "base/text.h"
#include "reports/internal.h"
#include "wire/head.h"
#include "wire/pack.h"
#include "wire/findings.h"

enum {
    ROWS_KEPT = 5000,         /* sources of one report that the summary tells apart */
    ROW_SIZE = 100,           /* octets on disk, about */
    ORIGINAL_MAX = 64 * 1024, /* of the header of a message that a complaint is about */
    NAME_OCTETS = 255
};
#define AMOUNT_MAX 1000000000000 /* a count beyond it is a fault of whoever reports */
#define MEMORY_MAX ((size_t)256 << 20)

struct keeping {
    const struct conf *conf;
    str octets;
    bool signed_by_them;
    struct findings report; /* strings in `mem` */
    struct arena mem;
    bool again; /* had it already */
    err e;      /* perm: it cannot be read */
};

/* ---- the table ---- */

static str name_part(str s) { return s.n ? str_sub(s, 0, NAME_OCTETS) : S(""); }
static int64_t amount(uint64_t n) { return n < AMOUNT_MAX ? (int64_t)n : AMOUNT_MAX; }

static err insert_rows(struct db *db, int64_t id, const struct findings *r)
{
    struct finding w;
    err e = OK;
    for (size_t i = 0; !e && findings_row(r, i, &w); i++)
        e = db_run(
            db, NULL,
            "INSERT INTO received_row (received, source, what, total, failed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO"
            " UPDATE SET total = total + excluded.total, failed = failed + excluded.failed",
            "issii", id, i < ROWS_KEPT ? name_part(w.source) : S("others"), i < ROWS_KEPT ? name_part(w.what) : S(""),
            amount(w.total), amount(w.failed));
    return e;
}

static int64_t one_number(struct db_rows *r, err *e)
{
    int64_t n = 0;
    while (db_rows_next(r))
        n = db_rows_num(r, 0);
    err got = db_rows_end(r);
    *e = *e ? *e : got;
    return n;
}

static err insert(struct keeping *k, str body)
{
    struct db *db = store_db();
    const struct findings *r = &k->report;
    struct db_rows rows;
    int64_t changed = 0;
    size_t nrows = 0;
    struct finding w;
    while (nrows < ROWS_KEPT && findings_row(r, nrows, &w))
        nrows++;
    err e = db_run(
        db, &changed,
        "INSERT OR IGNORE INTO received (arrived, kind, domain, organization, report, begin_s, end_s, total, failed,"
        " signed, size, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "issssiiiiiis", rt_wall_ms() / 1000, str_c(r->kind), name_part(r->domain), name_part(r->organization),
        name_part(r->id), r->begin_s, r->end_s, amount(r->total), amount(r->failed), (int64_t)k->signed_by_them,
        (int64_t)(body.n + nrows * ROW_SIZE), body);
    k->again = !e && !changed;
    if (e || !changed)
        return e;
    db_rows_begin(&rows, db, "SELECT max(id) FROM received", "");
    int64_t id = one_number(&rows, &e);
    return e ? e : insert_rows(db, id, r);
}

/* The oldest go, until what is left fits. */
static err make_room(struct db *db, int64_t most, int64_t *dropped)
{
    struct db_rows r;
    err e = OK;
    db_rows_begin(&r, db, "SELECT total(size) FROM received", "");
    int64_t size = one_number(&r, &e);
    while (!e && size > most) {
        int64_t id = 0, changed = 0;
        db_rows_begin(&r, db, "SELECT id, size FROM received ORDER BY arrived, id LIMIT 1", "");
        while (db_rows_next(&r)) {
            id = db_rows_num(&r, 0);
            size -= db_rows_num(&r, 1);
        }
        e = db_rows_end(&r);
        if (!e)
            e = db_run(db, &changed, "DELETE FROM received WHERE id = ?", "i", id);
        if (!changed)
            break;
        *dropped += changed;
    }
    return e;
}

void received_trim(const struct conf *c, int64_t now_s)
{
    struct db *db = store_db();
    int64_t dropped = 0;
    if (!db)
        return;
    db_hold(db);
    err e = db_begin(db);
    if (!e)
        e = db_run(db, &dropped, "DELETE FROM received WHERE arrived < ?", "i",
                   now_s - c->report_received_max_age / RT_S);
    if (!e)
        e = make_room(db, c->report_received_max_size, &dropped);
    err end = db_end(db, e == OK);
    db_let_go(db);
    if (!e && !end)
        metric_add(M_reports_dropped, dropped);
}

static err keep(struct keeping *k, str body)
{
    struct db *db = store_db();
    int64_t dropped = 0;
    db_hold(db);
    err e = db_begin(db);
    if (!e) {
        e = insert(k, body);
        e = e ? e : make_room(db, k->conf->report_received_max_size, &dropped);
        err end = db_end(db, e == OK);
        e = e ? e : end;
    }
    db_let_go(db);
    metric_add(M_reports_dropped, e ? 0 : dropped);
    return e ? E_AGAIN : OK; /* the message waits in the queue */
}

/* ---- reading, on the pool ---- */

/* What is kept of it: the report; of a complaint the fields, and the header of the message that it is about. */
static err pack(const struct enclosed *got, struct buf *out)
{
    AUTO_BUF both = {.max = got->text.n + ORIGINAL_MAX + 16};
    if (got->kind != ENCLOSED_FEEDBACK)
        return pack_gzip(got->text, out);
    str fields = str_trim(got->text);
    buf_add(&both, str_sub(fields, 0, head_len(fields, NULL)));
    buf_add(&both, S("\r\n\r\n"));
    buf_add(&both, str_sub(str_sub(got->original, 0, head_len(got->original, NULL)), 0, ORIGINAL_MAX));
    return both.e ? both.e : pack_gzip(buf_str(&both), out);
}

static void read_and_keep(void *arg)
{
    struct keeping *k = arg;
    AUTO_BUF text = {0}, body = {0};
    struct enclosed got;
    buf_init(&text, (size_t)k->conf->report_received_unpacked);
    buf_init(&body, text.max + 65536);
    k->e = enclosed_find(k->octets, &text, &got);
    if (!k->e)
        k->e = findings_read(&got, &k->mem, &k->report);
    if (!k->e)
        k->e = pack(&got, &body);
    if (k->e == E_NOT_FOUND || k->e == E_LIMIT)
        k->e = E_SYNTAX;
    if (!k->e) {
        if (!k->report.organization.n) { /* complaints need not say who complains */
            AUTO_BUF from = {.max = 1024};
            head_unfold(&from, str_sub(head_find(k->octets, S("From")), 0, 500));
            k->report.organization = arena_str(&k->mem, buf_str(&from));
        }
        k->e = keep(k, buf_str(&body));
    }
}

/* Our own verdict is the first field of that name: intake takes forged ones away. */
static bool was_signed(const struct conf *c, str octets)
{
    str value = str_trim(head_find(octets, S("Authentication-Results")));
    return str_istarts(value, c->hostname) && str_search(value, S("dkim=pass")) != STR_NONE;
}

/* ---- to the postmaster ---- */

static err put_anew(const struct envelope *env, str octets, struct tx *t) YIELDS;
static err put_anew(const struct envelope *env, str octets, struct tx *t)
{
    struct spool_group g;
    struct body *b = body_new();
    err e = b ? body_add(b, octets) : E_NOMEM;
    t->env.id = spool_new_id(reports_rooms.spool);
    t->env.sender = env->sender;
    t->env.arrived_ms = rt_wall_ms();
    t->env.expires_ms = t->env.arrived_ms + t->conf->queue_lifetime / RT_MS;
    t->env.flags = env->flags & ~(uint32_t)(ENV_HELD | ENV_DELAY_TOLD | ENV_LAX);
    t->env.body = env->body;
    t->env.hops = env->hops;
    t->env.message_id = env->message_id;
    t->env.head_size = env->head_size;
    t->env.body_size = env->body_size;
    spool_group_init(&g);
    e = e ? e : intake_own(&g, &t->env, b);
    e = e ? e : spool_put(reports_rooms.spool, &g);
    spool_group_free(&g);
    if (!e)
        queue_accept(reports_rooms.queue, &t->env, b);
    body_drop(&b);
    return e;
}

/* E_EXISTS: it is there. E_UNSUPPORTED: the postmaster's mail comes here itself. */
static err pass_on(struct conf *c, const struct envelope *env, str octets, uint64_t *ret_id) YIELDS;
static err pass_on(struct conf *c, const struct envelope *env, str octets, uint64_t *ret_id)
{
    struct tx *t = calloc(1, sizeof *t);
    if (!t)
        return E_NOMEM;
    tx_init(t);
    t->conf = c;
    err e = c->postmaster.n ? tx_own(t, c, c->postmaster) : E_UNSUPPORTED;
    if (!e && !t->env.nto)
        e = E_NOT_FOUND;
    for (uint32_t i = 0; !e && i < t->env.nto; i++)
        if (conf_takes_reports(c, t->env.to[i].address))
            e = E_UNSUPPORTED;
    if (!e)
        e = put_anew(env, octets, t);
    *ret_id = t->env.id;
    tx_reset(t);
    free(t);
    return e ? e : E_EXISTS;
}

err reports_received(const struct envelope *env, str octets)
{
    struct conf *c = reports_rooms.conf();
    struct keeping k = {.conf = c, .octets = octets, .signed_by_them = was_signed(c, octets), .e = E_SYNTAX};
    arena_init(&k.mem, 65536, MEMORY_MAX);
    err e = store_db() ? rt_pool_run(read_and_keep, &k) : OK;
    e = e ? e : k.e;
    if (!e) {
        rt_log(EV_report_kept, log_id(env->id), log_c(k.again ? "again" : k.report.kind), log_str(k.report.domain),
               log_str(k.report.organization));
    } else if (e == E_SYNTAX) {
        uint64_t id;
        e = pass_on(c, env, octets, &id);
        if (e == E_EXISTS)
            rt_log(EV_report_unread, log_id(env->id), log_err(E_SYNTAX), log_str(c->postmaster), log_id(id));
    }
    arena_free(&k.mem);
    conf_drop(&c);
    return e;
}
