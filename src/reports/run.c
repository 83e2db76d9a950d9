/* The fiber behind it all: stores every few seconds, sends what is finished. */
#include "reports/internal.h"

#define TICK (5 * RT_S)
enum { KEPT_S = 3 * 86400 }; /* a report that cannot be sent is given up then */

struct job {
    struct period *p;
    int64_t now_s, span_s;
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
    j->found = store_next(j->p, j->now_s, j->span_s);
}

static void forget(void *arg)
{
    struct job *j = arg;
    store_done(j->p);
}

/* One report. False: there is none, or it has to wait. */
static bool send_one(void) YIELDS
{
    struct period p;
    struct conf *c = reports_rooms.conf();
    struct job j = {.p = &p, .now_s = rt_wall_ms() / 1000, .span_s = c->report_interval / RT_S};
    conf_drop(&c);
    if (rt_pool_run(find, &j) || !j.found)
        return false;
    err e = mail_report(&p);
    if (e)
        rt_log(EV_report_failed, log_c("sending"), log_str(p.domain), log_err(e));
    if ((!e || j.now_s - p.end_s > KEPT_S) && rt_pool_run(forget, &j))
        e = E_AGAIN;
    arena_free(&p.mem);
    return !e;
}

void reports_run(void)
{
    while (!fiber_cancelled()) {
        struct conf *c = reports_rooms.conf();
        rt_time tick = c->report_interval < TICK ? c->report_interval : TICK;
        conf_drop(&c);
        if (fiber_sleep(rt_after(tick)))
            break;
        while (!fiber_cancelled() && send_one())
            continue;
    }
    fiber_shield(true);
    (void)rt_pool_run(flush, NULL);
    fiber_shield(false);
}
