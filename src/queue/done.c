/* What an attempt brought: each recipient of a ticket that came back goes on, waits, ends or fails. */
#include "base/text.h"
#include "queue/internal.h"

#define AGAIN_MS 60000 /* when there is no memory to note an end */

static void log_removed(const struct msg *m, const struct rcpt *r, str who)
{
    rt_log(EV_removed, log_id(m->id), log_str(msg_sender(m)), log_str(msg_address(m, r)), log_str(who));
}

/* An end that a report follows: the report's group makes it durable. */
void rcpt_end(struct queue *q, struct rcpt *r, uint8_t outcome, str reply, str remote)
{
    rcpt_state(q, r, R_ENDING);
    if (!job_add(q, r, outcome, reply, remote))
        rcpt_wait(q, r, tick_after(q, AGAIN_MS));
}

/* A success that the sender wants to know of. Without memory it is told of later. */
static void tell(struct queue *q, struct rcpt *r, str reply, str remote)
{
    r->flags &= 0xff & ~RF_UNTOLD;
    if (job_add(q, r, OUT_DELIVERED, reply, remote))
        return;
    r->flags |= RF_UNTOLD;
    r->next = tick_after(q, AGAIN_MS);
    msg_due(q, msg_of(r), r->next);
}

void rcpt_tell(struct queue *q, struct rcpt *r) { tell(q, r, texts_str(&q->texts, r->reply), (str){NULL, 0}); }

static void log_deferred(struct queue *q, const struct ticket *t, uint32_t i, const struct rcpt *r)
{
    const struct site *s = q->site[r->site];
    str via = t->to[i].remote.n || !s ? t->to[i].remote : str_mem(s->key, s->key_n);
    char mem[64];
    struct buf next;
    buf_init_fixed(&next, mem, sizeof mem);
    text_time(&next, tick_wall_ms(q, r->next));
    rt_log(EV_deferred, log_id(t->id), log_str(msg_sender(t->msg)), log_str(t->to[i].address), log_str(via),
           log_str(t->to[i].reply), log_str(buf_str(&next)), log_num(r->attempts));
}

/* An attempt came to nothing, or there was none. */
static void put_off(struct queue *q, struct ticket *t, uint32_t i, struct rcpt *r)
{
    struct ticket_rcpt *to = &t->to[i];
    struct msg *m = t->msg;
    bool attempted = to->fate == FATE_DEFERRED;
    r->flags |= to->fate == FATE_HELD ? RF_HOLD : 0;
    if (attempted) {
        r->attempts += r->attempts < ATTEMPTS_MAX;
        texts_drop(&q->texts, &r->reply);
        r->reply = texts_get(&q->texts, to->reply);
    }
    if (t->lease->round != q->round)
        rcpt_resolve(q, r);
    if (r->flags & RF_REMOVE) {
        to->fate = FATE_REMOVED;
        log_removed(m, r, S("operator"));
    } else if (r->flags & RF_BOUNCE) {
        rcpt_end(q, r, OUT_BOUNCED, S(BOUNCE_TEXT), (str){NULL, 0});
    } else if (tick_now(q) >= msg_times(m)->expires) {
        rcpt_end(q, r, OUT_EXPIRED, attempted ? to->reply : rcpt_error(q, r), to->remote);
    } else if (r->flags & RF_HOLD) {
        r->flags &= 0xff & ~RF_HOLD;
        rcpt_state(q, r, R_HELD);
        sched_add(q, r, true);
    } else if (attempted) {
        rcpt_wait(q, r, retry_tick(q, m, r->attempts, t->not_before));
        log_deferred(q, t, i, r);
        sched_add(q, r, false);
    } else {
        rcpt_ready(q, r, true);
    }
}

static bool decided(uint8_t fate)
{
    return fate == FATE_DELIVERED || fate == FATE_RELAYED || fate == FATE_REPLACED || fate == FATE_REMOVED ||
           fate == FATE_UNTOLD;
}

static void went(struct queue *q, struct ticket *t, uint32_t i)
{
    struct ticket_rcpt *to = &t->to[i];
    struct rcpt *r = &t->msg->to[t->pos[i]];
    if (to->fate != FATE_NONE && !(r->flags & RF_TRIED)) {
        r->flags |= RF_TRIED;
        if (msg_x(t->msg))
            msg_x(t->msg)->untried--;
    }
    if (to->fate == FATE_FAILED && r->flags & RF_REMOVE) {
        to->fate = FATE_REMOVED;
        log_removed(t->msg, r, S("operator"));
    } else if (to->fate == FATE_FAILED) {
        rcpt_end(q, r, OUT_BOUNCED, to->reply, to->remote);
    } else if (to->fate == FATE_RELAYED && r->flags & RF_WANTS_SUCCESS) {
        /* Recorded at once, so that nothing that befalls the report has it delivered again. */
        rcpt_state(q, r, R_ENDING);
        tell(q, r, to->reply, to->remote);
        if (r->flags & RF_UNTOLD) {
            texts_drop(&q->texts, &r->reply);
            r->reply = texts_get(&q->texts, to->reply);
        }
        to->fate = FATE_UNTOLD;
    } else if (!decided(to->fate)) {
        put_off(q, t, i, r);
    }
}

/* What the ticket tells about its destination. */
static void learn(struct site *s, struct lease *l, const struct ticket *t)
{
    bool attempted = false, served = false;
    for (uint32_t i = 0; i < t->nto; i++) {
        attempted |= t->to[i].fate != FATE_NONE && !t->to[i].judged && !t->untaken;
        served |= t->to[i].fate != FATE_NONE && t->to[i].fate != FATE_DEFERRED && t->to[i].fate != FATE_HELD &&
                  !t->to[i].judged;
    }
    l->returned += attempted;
    if (s && attempted)
        s->idle_ends = 0;
    if (!served)
        return;
    l->worked = true;
    if (!s || site_blocked(s))
        return;
    s->proven = true;
    s->failures = 0;
}

void ticket_decided(struct queue *q, struct ticket *t)
{
    struct msg *m = t->msg;
    for (uint32_t i = 0; i < t->nto; i++)
        if (decided(t->to[i].fate)) {
            rcpt_state(q, &m->to[t->pos[i]], R_ENDING);
            m->undecided -= t->to[i].fate != FATE_UNTOLD;
        }
    t->ends = m->undecided == 0;
    m->pending++;
    t->turn = ++q->decided;
    body_drop(&t->mem);
    list_remove(&t->link);
    list_push_back(&q->pending, &t->link);
    settle_soon(q);
}

void owner_done(struct post *p)
{
    struct ticket *t = container_of(p, struct ticket, post);
    struct lease *l = t->lease;
    struct queue *q = l->queue;
    struct msg *m = t->msg;
    list_init(&t->link);
    if (t->untaken && l->site && site_works(q, l->site)) /* it only wants no more connections: site_failed */
        for (uint32_t i = 0; i < t->nto; i++)
            t->to[i].fate = t->to[i].judged ? t->to[i].fate : FATE_NONE;
    learn(l->site, l, t);
    m->active--;
    for (uint32_t i = 0; i < t->nto; i++)
        if (t->to[i].fate != FATE_NONE)
            went(q, t, i);
    for (uint32_t i = t->nto; i--;) /* to the front, so the first comes last */
        if (t->to[i].fate == FATE_NONE)
            went(q, t, i);
    bool any = false;
    for (uint32_t i = 0; i < t->nto; i++)
        any |= decided(t->to[i].fate);
    if (any)
        ticket_decided(q, t);
    else
        ticket_free(t);
    if (msg_x(m) && !msg_x(m)->untried)
        body_forget(q, m);
    job_try(q, m);
    msg_pump(q, m);
    if (l->site)
        site_pump(q, l->site);
    queue_arm(q);
}
