/*
 * Results and schedules on their way into the spool. Results: all that came in a turn, or while the group
 * before was being written, go in one group; one group at a time, so that the end record of a message
 * never comes before its results. A refused group is kept and tried again until it is durable.
 */
#include "queue/internal.h"

#include <stdlib.h>

enum { BATCH = 2000, PIECE = 32 }; /* recipients in a group; in a record */
#define AGAIN (1 * RT_S)

static void later(struct queue *q)
{
    rt_time at = rt_now() + AGAIN;
    if (at < q->retry_at)
        q->retry_at = at;
    queue_arm(q);
    queue_drained(q);
}

/* ---- results ---- */

static uint8_t outcome(uint8_t fate)
{
    switch (fate) {
    case FATE_DELIVERED:
    case FATE_RELAYED:
        return OUT_DELIVERED;
    case FATE_REPLACED:
        return OUT_REPLACED;
    case FATE_REMOVED:
        return OUT_REMOVED;
    case FATE_UNTOLD:
        return OUT_UNTOLD;
    default:
        return 0; /* not decided by this ticket */
    }
}

static err write_ticket(struct spool_group *g, const struct ticket *t)
{
    struct result v[PIECE];
    size_t n = 0;
    err e = OK;
    for (uint32_t i = 0; i < t->nto && !e; i++) {
        uint8_t o = outcome(t->to[i].fate);
        if (o)
            v[n++] = (struct result){t->to[i].index, o, str_sub(t->to[i].reply, 0, 512)};
        if (n == PIECE || (n && i + 1 == t->nto)) {
            e = spool_group_results(g, t->id, v, n);
            n = 0;
        }
    }
    return e || !t->ends ? e : spool_group_end(g, t->id);
}

static void durable(struct queue *q, struct ticket *t)
{
    struct msg *m = t->msg;
    for (uint32_t i = 0; i < t->nto; i++)
        if (outcome(t->to[i].fate) && t->to[i].fate != FATE_UNTOLD) /* that one is done when its report is */
            rcpt_done(q, &m->to[t->pos[i]]);
    m->pending--;
    q->durable = t->turn;
    ticket_free(t);
    if (m->undecided || m->pending || m->active)
        job_try(q, m);
    else
        msg_release(q, m);
}

static void written(struct post *p)
{
    struct spool_group *g = container_of(p, struct spool_group, done);
    struct queue *q = container_of(g, struct queue, group);
    err e = g->e;
    spool_group_free(g);
    q->writing = false;
    if (e) {
        while (!list_empty(&q->batch)) {
            struct list *n = q->batch.prev;
            list_remove(n);
            list_push_front(&q->pending, n);
        }
        later(q);
        return;
    }
    q->batch_most = BATCH;
    for (struct list *n; (n = list_pop_front(&q->batch));)
        durable(q, container_of(n, struct ticket, link));
    cond_wake_all(&q->settled);
    settle(q);
    queue_arm(q);
    queue_drained(q);
}

err queue_settled(struct queue *q, rt_time deadline)
{
    uint64_t turn = q->decided;
    err e = OK;
    while (!e && q->durable < turn)
        e = cond_wait(&q->settled, deadline);
    return q->durable < turn ? e : OK;
}

static void write_results(struct queue *q)
{
    if (q->writing || list_empty(&q->pending) || q->retry_at != RT_NEVER)
        return;
    struct spool_group *g = &q->group;
    spool_group_init(g);
    uint32_t n = 0;
    err e = OK;
    while (n < q->batch_most && !list_empty(&q->pending)) {
        struct ticket *t = container_of(q->pending.next, struct ticket, link);
        if ((e = write_ticket(g, t)))
            break;
        list_remove(&t->link);
        list_push_back(&q->batch, &t->link);
        n += 1 + t->nto;
    }
    q->writing = true;
    g->done.run = written;
    if (e) { /* no memory, or too large */
        q->batch_most = q->batch_most / 2 + 1;
        g->e = e;
        written(&g->done);
    } else {
        spool_send(q->spool, g);
    }
}

/* ---- schedules ---- */

static struct sched *sched_open(struct queue *q)
{
    if (q->sched)
        return q->sched;
    struct sched *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->queue = q;
    list_init(&s->link);
    spool_group_init(&s->g);
    s->g.lazy = true;
    return q->sched = s;
}

static bool note(struct sched *s, uint64_t id)
{
    if (s->n && s->ids[s->n - 1] == id)
        return true;
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 8;
        uint64_t *v = realloc(s->ids, cap * sizeof *v);
        if (!v)
            return false;
        s->ids = v;
        s->cap = cap;
    }
    s->ids[s->n++] = id;
    return true;
}

static void sched_free(struct sched *s)
{
    list_remove(&s->link);
    spool_group_free(&s->g);
    free(s->ids);
    free(s);
}

static void sched_written(struct post *p)
{
    struct spool_group *g = container_of(p, struct spool_group, done);
    struct sched *s = container_of(g, struct sched, g);
    struct queue *q = s->queue;
    list_remove(&s->link);
    if (!g->e || !s->n) {
        sched_free(s);
        return;
    }
    list_push_back(&q->refused, &s->link);
    later(q);
}

static void write_sched(struct queue *q)
{
    struct sched *s = q->sched;
    if (!s)
        return;
    q->sched = NULL;
    list_push_back(&q->scheds, &s->link);
    s->g.done.run = sched_written;
    spool_send(q->spool, &s->g); /* one that could not be filled is refused */
    queue_drained(q);
}

/* Where the recipient stands now, for the next start. `must`: an operator asked for it, so it is repeated
 * until it is written; else its loss costs no more than an early attempt. */
void sched_add(struct queue *q, const struct rcpt *r, bool must)
{
    const struct msg *m = msg_of((struct rcpt *)r);
    struct sched *s = sched_open(q);
    if (!s || (must && !note(s, m->id)))
        return;
    bool waits = r->state == R_WAITING;
    struct retry v = {r->index, r->attempts, r->state == R_HELD || r->flags & RF_HOLD,
                      waits ? tick_wall_ms(q, r->next) : 0, texts_str(&q->texts, r->reply)};
    if (must)
        s->g.lazy = false;
    err e = spool_group_retries(&s->g, m->id, &v, 1);
    if (e || ++s->records == BATCH)
        write_sched(q);
    else
        settle_soon(q);
}

/* What operators asked for and the spool refused, as it stands by now. */
static void sched_again(struct queue *q)
{
    struct list all;
    list_init(&all);
    while (!list_empty(&q->refused))
        list_push_back(&all, list_pop_front(&q->refused));
    for (struct list *n; (n = list_pop_front(&all));) {
        struct sched *s = container_of(n, struct sched, link);
        for (uint32_t i = 0; i < s->n; i++) {
            struct msg *m = ids_find(&q->index, s->ids[i]);
            for (uint32_t k = 0; m && k < m->nto; k++)
                if (m->to[k].state <= R_ACTIVE)
                    sched_add(q, &m->to[k], true);
        }
        sched_free(s);
    }
}

/* ---- both ---- */

static void flush(struct post *p)
{
    struct queue *q = container_of(p, struct queue, flush_post);
    q->flushing = false;
    settle(q);
}

void settle_soon(struct queue *q)
{
    if (q->flushing)
        return;
    q->flushing = true;
    q->flush_post.run = flush;
    rt_post(rt_loop(0), &q->flush_post);
}

void settle(struct queue *q)
{
    if (q->retry_at == RT_NEVER)
        sched_again(q);
    write_sched(q);
    write_results(q);
}

void settle_free(struct queue *q)
{
    if (q->writing)
        spool_group_free(&q->group);
    if (q->sched)
        sched_free(q->sched);
    for (struct list *n; (n = list_pop_front(&q->scheds));)
        sched_free(container_of(n, struct sched, link));
    for (struct list *n; (n = list_pop_front(&q->refused));)
        sched_free(container_of(n, struct sched, link));
}
