/*
 * Ends that a report follows, and delay notices. What failed together is reported together: a message's
 * failed recipients are collected until no attempt of it is under way or about to be, or for half a
 * minute. A success is told of almost at once; that it is one was recorded before. A few fibers then have
 * the reports written by the room that knows how; a report that could not be written is tried again, later each time.
 */
#include "queue/internal.h"

#include <stdlib.h>

#define COLLECT_MS 30000
#define COLLECT_SUCCESS_MS 200
#define AGAIN_MS 1000
#define AGAIN_MOST_MS 300000
#define JOB_MEMORY (64u << 20) /* replies of one report */

static struct job *job_new(struct queue *q, struct msg *m)
{
    struct job *j = calloc(1, sizeof *j);
    struct extra *x = j ? msg_extra(m) : NULL;
    j = x ? j : (free(j), NULL);
    if (!j)
        return NULL;
    j->closer = ticket_new(q, m, 0);
    if (!j->closer) {
        free(j);
        extra_tidy(m);
        return NULL;
    }
    list_init(&j->link);
    j->m = m;
    j->rep.id = m->id;
    j->rep.retry_until_ms = tick_wall_ms(q, msg_times(m)->expires);
    arena_init(&j->arena, 512, JOB_MEMORY);
    j->at = tick_after(q, COLLECT_MS);
    return j;
}

void job_free(struct job *j)
{
    if (!j)
        return;
    if (j->closer)
        ticket_free(j->closer);
    arena_free(&j->arena);
    free(j->rep.to);
    free(j->pos);
    free(j);
}

static bool room(struct job *j)
{
    if (j->rep.nto < j->cap)
        return true;
    uint32_t cap = j->cap ? j->cap * 2 : 4;
    struct report_rcpt *to = realloc(j->rep.to, cap * sizeof *to);
    if (to)
        j->rep.to = to;
    uint32_t *pos = to ? realloc(j->pos, cap * sizeof *pos) : NULL;
    if (!pos)
        return false;
    j->pos = pos;
    j->cap = cap;
    return true;
}

static bool put(struct job *j, const struct rcpt *r, uint8_t outcome, str reply, str remote)
{
    if (!room(j))
        return false;
    reply = arena_str(&j->arena, str_sub(reply, 0, 512));
    remote = arena_str(&j->arena, str_sub(remote, 0, 256));
    if (!reply.p || !remote.p)
        return false;
    j->pos[j->rep.nto] = r->pos;
    j->rep.to[j->rep.nto++] = (struct report_rcpt){r->index, outcome, reply, remote, r->attempts};
    return true;
}

bool job_add(struct queue *q, struct rcpt *r, uint8_t outcome, str reply, str remote)
{
    struct msg *m = msg_of(r);
    struct job *j = msg_x(m) ? msg_x(m)->job : NULL;
    if (!j && !(j = job_new(q, m)))
        return false;
    msg_x(m)->job = j;
    tick soon = tick_after(q, COLLECT_SUCCESS_MS);
    if (outcome == OUT_DELIVERED && soon < j->at)
        j->at = soon;
    msg_due(q, m, j->at);
    if (put(j, r, outcome, reply, remote))
        return true;
    if (!j->rep.nto) {
        msg_x(m)->job = NULL;
        job_free(j);
        extra_tidy(m);
    }
    return false;
}

/* When a job of the message wants to be looked at. */
tick job_due(const struct msg *m)
{
    const struct extra *x = msg_x(m);
    if (!x)
        return TICK_NEVER;
    if (x->running)
        return x->running->failed ? x->running->at : TICK_NEVER;
    return x->job && x->job->rep.nto ? x->job->at : TICK_NEVER;
}

static bool attempt_soon(const struct queue *q, const struct msg *m)
{
    if (m->active || q->stopping)
        return m->active != 0;
    for (uint32_t i = 0; i < m->nto; i++)
        if (m->to[i].state == R_READY && !site_blocked(q->site[m->to[i].site]))
            return true;
    return false;
}

static void enqueue(struct queue *q, struct job *j)
{
    j->failed = false;
    j->queued = true;
    list_push_back(&q->jobs, &j->link);
    reporters_start(q);
}

void job_try(struct queue *q, struct msg *m)
{
    struct extra *x = msg_x(m);
    if (!x || m->pending)
        return;
    struct job *j = x->running;
    if (j) {
        if (j->failed && (q->stopping || tick_now(q) >= j->at)) /* before a stop once more: the next start repeats */
            enqueue(q, j);
        return;
    }
    j = x->job;
    if (!j || !j->rep.nto || (tick_now(q) < j->at && attempt_soon(q, m)))
        return;
    x->job = NULL;
    x->running = j;
    enqueue(q, j);
}

void jobs_try_all(struct queue *q)
{
    uint64_t id = 0;
    for (struct msg *m; (m = ids_next(&q->index, id));) {
        id = m->id;
        job_try(q, m);
    }
}

void job_notice(struct queue *q, struct msg *m)
{
    if (msg_x(m) && msg_x(m)->running) { /* one report at a time */
        msg_times(m)->notice = tick_after(q, COLLECT_MS);
        return;
    }
    struct job *j = job_new(q, m);
    if (!j)
        return;
    j->rep.delayed = true;
    bool ok = true;
    for (uint32_t i = 0; i < m->nto && ok; i++) {
        const struct rcpt *r = &m->to[i];
        if (!(r->flags & RF_NO_DELAY) && (r->state <= R_WAITING || r->state == R_ACTIVE))
            ok = put(j, r, 0, rcpt_error(q, r), (str){NULL, 0});
    }
    m->flags |= MF_TOLD;
    if (!ok || !j->rep.nto) {
        job_free(j);
        extra_tidy(m);
        return;
    }
    msg_x(m)->running = j;
    enqueue(q, j);
}

static void job_failed(struct queue *q, struct job *j)
{
    int64_t ms = j->tries < 9 ? AGAIN_MS << j->tries : AGAIN_MOST_MS;
    j->tries += j->tries < UINT8_MAX;
    j->failed = true;
    j->at = tick_after(q, with_jitter(ms < AGAIN_MOST_MS ? ms : AGAIN_MOST_MS));
    msg_due(q, j->m, j->at);
}

static void job_over(struct queue *q, struct job *j)
{
    struct msg *m = j->m;
    msg_x(m)->running = NULL;
    if (!j->rep.delayed) {
        m->undecided -= j->rep.nto;
        for (uint32_t i = 0; i < j->rep.nto; i++)
            rcpt_done(q, &m->to[j->pos[i]]);
        if (!m->undecided && !j->rep.last) { /* another one ended meanwhile and left the end record to us */
            struct ticket *t = j->closer;
            j->closer = NULL;
            ticket_decided(q, t);
        }
    }
    job_free(j);
    extra_tidy(m);
    job_try(q, m);
    if (m->undecided)
        msg_due(q, m, tick_now(q) + 1);
    msg_release(q, m);
}

static void reporter(void *arg)
{
    struct queue *q = arg;
    struct list *n;
    fiber_shield(true); /* only disks are waited for */
    while ((n = list_pop_front(&q->jobs))) {
        struct job *j = container_of(n, struct job, link);
        struct msg *m = j->m;
        j->queued = false;
        if (m->pending) { /* its results go first, so that nothing follows an end record */
            j->failed = true;
            j->at = tick_now(q);
            continue;
        }
        j->rep.last = !j->rep.delayed && m->undecided == j->rep.nto;
        j->rep.mem = msg_x(m)->mem;
        struct body *mem = j->rep.mem ? body_ref(j->rep.mem) : NULL;
        err e = m->undecided ? q->ops.report(q->ops.arg, &j->rep) : OK; /* a late delay notice is not sent */
        body_drop(&mem);
        if (e)
            job_failed(q, j);
        else
            job_over(q, j);
        queue_arm(q);
    }
    q->reporters--;
    queue_drained(q);
}

void reporters_start(struct queue *q)
{
    if (q->reporters >= REPORTERS || list_empty(&q->jobs))
        return;
    if (fiber_spawn(reporter, q, "report")) {
        q->reporters++;
    } else if (!q->reporters) {
        rt_time at = rt_now() + RT_S;
        q->retry_at = at < q->retry_at ? at : q->retry_at;
    }
}
