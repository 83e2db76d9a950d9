/* The fiber behind it all: stores every few seconds, sends what is finished or has waited, drops what is old. */
#include "reports/internal.h"

#define TICK (5 * RT_S)
enum { KEPT_S = 3 * 86400, FIRST_WAIT_S = 300, WAIT_MAX_S = 4 * 3600, TRIM_S = 60, POSTS = 4 };

struct job {
    struct period *p;
    struct conf *conf;
    int64_t now_s, span_s, due_s;
    bool found;
};

static void flush(void *arg)
{
    (void)arg;
    store_flush();
}

static void find(void *arg)
{
    struct job *j = arg;
    store_flush();
    j->found = period_next(j->p, j->now_s, j->span_s);
}

static void forget(void *arg)
{
    struct job *j = arg;
    period_done(j->p);
}

static void postpone(void *arg)
{
    struct job *j = arg;
    period_later(j->p, j->due_s);
}

static void trim(void *arg)
{
    struct job *j = arg;
    received_trim(j->conf, j->now_s);
}

/* ---- DMARC ---------------------------------------------------------------------------------------------------- */

/* What the report is in the form that goes out: 4 octets for 3, and line ends (3.5: "after any encoding"). */
static uint64_t sent_size(const struct letter *l) { return l->gz.n / 3 * 4 + l->gz.n / 27 + 2048; }

err send_dmarc(const struct period *p)
{
    struct letter l;
    struct destinations to;
    if (!p->f.nrows) /* nothing to tell */
        return OK;
    err e = letter_make(&l, p);
    if (!e)
        destinations_find(&to, p->domain, p->rua, false, sent_size(&l));
    for (size_t i = 0; !e && i < to.n; i++) {
        err one = letter_send(&l, str_c(to.v[i]));
        if (one && !err_is_perm(one))
            e = one;
    }
    letter_free(&l);
    return e;
}

/* ---- the work ---------------------------------------------------------------------------------------------------- */

/* One report. False: there is none that is due. */
static bool send_one(void) YIELDS;
static bool send_one(void)
{
    struct period p;
    struct conf *c = reports_rooms.conf();
    struct job j = {.p = &p, .now_s = rt_wall_ms() / 1000, .span_s = c->report_interval / RT_S};
    conf_drop(&c);
    if (rt_pool_run(find, &j) || !j.found)
        return false;
    err e = p.kind == KIND_DMARC ? send_dmarc(&p) : send_tls(&p);
    if (e)
        rt_log(EV_report_failed, log_c("sending"), log_str(p.domain), log_err(e));
    int64_t wait = (int64_t)FIRST_WAIT_S << (p.tries < 10 ? p.tries : 10);
    j.due_s = j.now_s + (wait < WAIT_MAX_S ? wait : WAIT_MAX_S);
    bool over = !e || err_is_perm(e) || j.now_s - p.end_s > KEPT_S;
    err settled = rt_pool_run(over ? forget : postpone, &j);
    arena_free(&p.mem);
    return !settled;
}

static void drop_old(void) YIELDS;
static void drop_old(void)
{
    static int64_t last_s;
    struct job j = {.now_s = rt_wall_ms() / 1000, .conf = reports_rooms.conf()};
    if (j.now_s - last_s >= TRIM_S && rt_pool_run(trim, &j) == OK)
        last_s = j.now_s;
    conf_drop(&j.conf);
}

/* Some at once, beside the mails: a server that answers slowly holds up nobody else's report. */
static void post_all(void *arg)
{
    (void)arg;
    while (!fiber_cancelled() && !fiber_sleep(rt_after(TICK)))
        while (!fiber_cancelled() && post_one())
            continue;
}

void reports_run(void)
{
    for (int i = 0; i < POSTS; i++)
        fiber_spawn(post_all, NULL, "posts");
    while (!fiber_cancelled()) {
        struct conf *c = reports_rooms.conf();
        rt_time tick = c->report_interval < TICK ? c->report_interval : TICK;
        conf_drop(&c);
        if (fiber_sleep(rt_after(tick)))
            break;
        failures_send();
        while (!fiber_cancelled() && send_one())
            continue;
        drop_old();
    }
    fiber_shield(true);
    (void)rt_pool_run(flush, NULL);
    fiber_shield(false);
}
