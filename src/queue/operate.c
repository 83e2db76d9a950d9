/* What operators do with the queue: each action for one recipient or all of a message. */
#include "queue/internal.h"

enum { NEW_LIFE_MS = 86400000 }; /* at least, of what was in quarantine for long */

typedef bool action(struct queue *q, struct rcpt *r);

static bool flush(struct queue *q, struct rcpt *r)
{
    if (r->state != R_WAITING && r->state != R_READY)
        return false;
    if (r->state == R_WAITING)
        rcpt_ready(q, r, false);
    if (r->site) {
        site_open(q, q->site[r->site]);
        q->site[r->site]->cap = 0;
    }
    return true;
}

static bool hold(struct queue *q, struct rcpt *r)
{
    if (r->state == R_HELD || r->flags & RF_HOLD)
        return false;
    if (r->state == R_ACTIVE)
        r->flags |= RF_HOLD;
    else
        rcpt_state(q, r, R_HELD);
    sched_add(q, r, true);
    return true;
}

static bool release(struct queue *q, struct rcpt *r)
{
    if (r->state != R_HELD && !(r->flags & RF_HOLD))
        return false;
    r->flags = (uint8_t)((r->flags & ~RF_HOLD) | RF_RELEASED);
    struct msg *m = msg_of(r);
    if (m->flags & MF_QUARANTINE && msg_times(m)->expires < tick_after(q, NEW_LIFE_MS)) {
        msg_times(m)->expires = tick_after(q, NEW_LIFE_MS);
        msg_due(q, m, msg_times(m)->expires);
    }
    if (r->state == R_HELD)
        rcpt_ready(q, r, false);
    sched_add(q, r, true);
    return true;
}

static bool bounce(struct queue *q, struct rcpt *r)
{
    if (r->state == R_ACTIVE)
        r->flags |= RF_BOUNCE;
    else
        rcpt_end(q, r, OUT_BOUNCED, S(BOUNCE_TEXT), (str){NULL, 0});
    return true;
}

static bool chosen(const struct rcpt *r, uint32_t index)
{
    return (index == UINT32_MAX || r->index == index) && r->state != R_ENDING && r->state != R_DONE;
}

/* A ticket that was never attempted carries the removed recipients into the spool. */
static uint32_t remove_all(struct queue *q, struct msg *m, uint32_t index, str who)
{
    uint32_t n = 0, k = 0, active = 0;
    for (uint32_t i = 0; i < m->nto; i++)
        n += chosen(&m->to[i], index) && m->to[i].state != R_ACTIVE;
    struct ticket *t = n ? ticket_new(q, m, n) : NULL;
    if (n && !t)
        return 0;
    str why = t ? arena_printf(&t->arena, "removed by " STR_FMT, STR_ARG(str_sub(who, 0, 200))) : (str){NULL, 0};
    for (uint32_t i = 0; i < m->nto; i++) {
        struct rcpt *r = &m->to[i];
        if (!chosen(r, index))
            continue;
        if (r->state == R_ACTIVE) {
            r->flags |= RF_REMOVE;
            active++;
            continue;
        }
        t->pos[k] = i;
        t->to[k++] = (struct ticket_rcpt){.index = r->index, .fate = FATE_REMOVED, .reply = why};
        rt_log(EV_removed, log_id(m->id), log_str(msg_sender(m)), log_str(msg_address(m, r)), log_str(who));
    }
    if (t)
        ticket_decided(q, t);
    return n + active;
}

uint32_t queue_act(struct queue *q, enum queue_action a, uint64_t id, uint32_t index, str who)
{
    static action *const actions[] = {
        [QUEUE_FLUSH] = flush, [QUEUE_HOLD] = hold, [QUEUE_RELEASE] = release, [QUEUE_BOUNCE] = bounce};
    struct msg *m = ids_find(&q->index, id);
    if (!m)
        return 0;
    uint32_t n = a == QUEUE_REMOVE ? remove_all(q, m, index, who) : 0;
    for (uint32_t i = 0; i < m->nto && a != QUEUE_REMOVE; i++)
        if (chosen(&m->to[i], index))
            n += actions[a](q, &m->to[i]);
    if (n && a == QUEUE_HOLD)
        rt_log(EV_held, log_id(id), log_str(who));
    if (n && a == QUEUE_RELEASE)
        rt_log(EV_released, log_id(id), log_str(who));
    job_try(q, m);
    msg_pump(q, m);
    queue_arm(q);
    return n;
}
