/* TLS reports by HTTPS (RFC 8460 5.4, 5.5): each lies in a table until its receiver took it, or a day has passed. */
#include "http/http.h"
#include "reports/internal.h"
#include "wire/dmarc.h"

#define POST_TIME (30 * RT_S)
enum {
    TRIED_S = 24 * 3600,
    CLAIM_S = 600,
    FIRST_WAIT_S = 60,
    WAIT_MAX_S = 4 * 3600,
    KEPT_MAX = 10000,
    URI_MAX = 2000,
    ANSWER = 65536
};

struct parcel {
    int64_t id, tries, until, sessions;
    struct arena mem;
    str domain, uri, body;
    bool found, over;
    err e; /* of keeping */
};

/* ---- the table, on the pool ---- */

static void insert(void *arg)
{
    struct parcel *o = arg;
    struct db *db = store_db();
    int64_t changed = 0;
    db_hold(db);
    o->e = db_run(db, &changed,
                  "INSERT INTO post (domain, uri, due, until, tries, sessions, body)"
                  " SELECT ?, ?, 0, ?, 0, ?, ? WHERE (SELECT count(*) FROM post) < 10000",
                  "ssiis", o->domain, o->uri, o->until, o->sessions, o->body);
    db_let_go(db);
    if (!o->e && !changed)
        metric_add(M_reports_lost, 1);
}

static void find(void *arg)
{
    struct parcel *o = arg;
    struct db_rows r;
    if (!store_db())
        return;
    db_hold(store_db());
    db_rows_begin(&r, store_db(),
                  "SELECT id, domain, uri, until, tries, sessions, body FROM post WHERE due <= ? ORDER BY due LIMIT 1",
                  "i", rt_wall_ms() / 1000);
    while (db_rows_next(&r)) {
        o->id = db_rows_num(&r, 0);
        o->domain = arena_str(&o->mem, db_rows_str(&r, 1));
        o->uri = arena_str(&o->mem, db_rows_str(&r, 2));
        o->until = db_rows_num(&r, 3);
        o->tries = db_rows_num(&r, 4);
        o->sessions = db_rows_num(&r, 5);
        o->body = arena_str(&o->mem, db_rows_str(&r, 6));
        o->found = o->body.p && o->uri.p && o->domain.p;
    }
    (void)db_rows_end(&r);
    if (o->found) /* another fiber finds another one meanwhile */
        (void)db_run(store_db(), NULL, "UPDATE post SET due = ? WHERE id = ?", "ii", rt_wall_ms() / 1000 + CLAIM_S,
                     o->id);
    db_let_go(store_db());
}

static void settle(void *arg)
{
    struct parcel *o = arg;
    int64_t wait = (int64_t)FIRST_WAIT_S << (o->tries < 10 ? o->tries : 10);
    wait = wait < WAIT_MAX_S ? wait : WAIT_MAX_S;
    db_hold(store_db());
    if (o->over)
        (void)db_run(store_db(), NULL, "DELETE FROM post WHERE id = ?", "i", o->id);
    else
        (void)db_run(store_db(), NULL, "UPDATE post SET due = ?, tries = tries + 1 WHERE id = ?", "ii",
                     rt_wall_ms() / 1000 + wait, o->id);
    db_let_go(store_db());
}

err post_keep(const struct letter *l, str uri)
{
    struct parcel o = {.domain = l->p->domain,
                       .uri = uri,
                       .until = rt_wall_ms() / 1000 + TRIED_S,
                       .sessions = (int64_t)l->p->count,
                       .body = buf_str(&l->gz)};
    if (uri.n > URI_MAX)
        return E_LIMIT;
    err e = rt_pool_run(insert, &o);
    return e ? e : o.e;
}

/* ---- posting ---- */

/* 5.4: "%2C" and the like are for the record in DNS; a URI goes out as it is. Its certificate may be anybody's (3). */
static err ask(const struct conf *c, const struct parcel *o, int *ret_status) YIELDS;
static err ask(const struct conf *c, const struct parcel *o, int *ret_status)
{
    AUTO_ARENA a = {0};
    struct http1_answer answer = {0};
    const struct http1_field fields[] = {{S("Content-Type"), S("application/tlsrpt+gzip")}};
    struct http_question q = {
        .method = "POST",
        .fields = fields,
        .nfields = 1,
        .body = o->body,
        .any_certificate = true,
        .most = ANSWER,
        .deadline = rt_after(POST_TIME),
        .private_targets = c->private_targets_now,
    };
    arena_init(&a, 4096, 4 * ANSWER);
    if (!http_url_parse(o->uri, &q.url) || !q.url.tls)
        return E_SYNTAX;
    err e = http_ask(&q, &a, &answer, NULL);
    *ret_status = e ? 0 : answer.status;
    return e;
}

bool post_one(void)
{
    struct parcel o = {.id = 0};
    int status = 0;
    arena_init(&o.mem, 4096, 2 * (size_t)REPORT_BYTES_MAX);
    bool found = rt_pool_run(find, &o) == OK && o.found;
    if (found) {
        struct conf *c = reports_rooms.conf();
        err e = ask(c, &o, &status);
        conf_drop(&c);
        bool taken = !e && status >= 200 && status < 300;
        /* what the receiver refuses for good, or we may not reach, will not be better tomorrow */
        bool refused =
            e == E_SYNTAX || e == E_PRIVATE || (!e && status >= 400 && status < 500 && status != 408 && status != 429);
        if (taken)
            rt_log(EV_report_posted, log_str(o.domain), log_str(o.uri), log_num(o.sessions));
        else
            rt_log(EV_report_failed, log_c("posting"), log_str(o.domain), log_err(e ? e : E_REFUSED));
        o.over = taken || refused || rt_wall_ms() / 1000 >= o.until;
        if (rt_pool_run(settle, &o))
            found = false;
    }
    arena_free(&o.mem);
    return found && !fiber_cancelled();
}
