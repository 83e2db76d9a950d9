/* Messages: built by the loop that accepted them, then owned by loop 0 until nothing of them is left. */
#include "rt/cells.h"
#include "queue/internal.h"

#include <stdlib.h>

#define RESOLVE_AGAIN_MS 60000 /* after no memory for a site */
#define GRACE_MS 60000         /* for what expired untried while we were down */

static bool left(const struct rcpt_status *state, uint32_t i) { return !state || state[i].state != RCPT_DONE; }

static void fill(struct queue *q, struct rcpt *r, const struct recipient *to, const struct rcpt_status *state)
{
    r->flags = to->notify & NOTIFY_SUCCESS ? RF_WANTS_SUCCESS : 0;
    if (to->notify && !(to->notify & NOTIFY_DELAY))
        r->flags |= RF_NO_DELAY;
    r->state = R_READY;
    if (!state)
        return;
    r->attempts = state->attempts < ATTEMPTS_MAX ? state->attempts : ATTEMPTS_MAX;
    if (state->attempts)
        r->flags |= RF_TRIED;
    r->next = tick_at_wall(q, state->next_ms);
    r->state = state->held ? R_HELD : R_WAITING;
    if (state->state == RCPT_UNTOLD) {
        r->state = R_ENDING;
        r->flags |= RF_TRIED | RF_UNTOLD;
    }
}

static size_t msg_bytes(uint32_t nto, size_t text) { return sizeof(struct msg) + nto * sizeof(struct rcpt) + text; }
static str kept_address(const struct recipient *to) { return str_sub(to->address, 0, ADDRESS_MAX); }

static void msg_give(struct msg *m)
{
    size_t text = m->sender_n + (m->flags & MF_WAY ? 1 + msg_way(m).n : 0);
    for (uint32_t i = 0; i < m->nto; i++)
        text += m->to[i].address_n;
    cell_give(m, msg_bytes(m->nto, text));
}

struct msg *msg_new(struct queue *q, const struct envelope *env, const struct rcpt_status *state, struct body *mem)
{
    uint32_t n = 0;
    str way = str_sub(env->way, 0, UINT8_MAX);
    size_t text = env->sender.n + (way.n ? 1 + way.n : 0);
    for (uint32_t i = 0; i < env->nto; i++)
        if (left(state, i)) {
            text += kept_address(&env->to[i]).n;
            n++;
        }
    if (!n || text > UINT32_MAX || env->sender.n > UINT16_MAX)
        return NULL;
    struct msg *m = cell_take(msg_bytes(n, text));
    if (!m)
        return NULL;
    m->id = env->id;
    m->nto = m->undecided = n;
    msg_times(m)->expires = env->expires_ms > 0 ? tick_at_wall(q, env->expires_ms) : TICK_NEVER - 1;
    msg_times(m)->notice = tick_now(q);
    m->arrived = env->arrived_ms / 1000 > EPOCH_S ? (uint32_t)(env->arrived_ms / 1000 - EPOCH_S) : 0;
    uint64_t size = env->head_size + env->body_size;
    m->size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
    m->tenant = env->tenant;
    m->class = env->class;
    m->sender_n = (uint16_t)env->sender.n;
    m->flags = (env->flags & ENV_DELAY_TOLD || !env->sender.n ? MF_TOLD : 0) | (state ? MF_RECOVERED : 0) |
               (env->flags & ENV_LAX ? MF_LAX : 0) | (env->flags & ENV_QUARANTINE ? MF_QUARANTINE : 0) |
               (way.n ? MF_WAY : 0);
    char *p = (char *)&m->to[n];
    memcpy(p, env->sender.n ? env->sender.p : "", env->sender.n);
    uint32_t at = m->sender_n, k = 0;
    if (way.n) {
        p[at] = (char)way.n;
        memcpy(p + at + 1, way.p, way.n);
        at += 1 + (uint32_t)way.n;
    }
    for (uint32_t i = 0; i < env->nto; i++) {
        if (!left(state, i))
            continue;
        struct rcpt *r = &m->to[k];
        fill(q, r, &env->to[i], state ? &state[i] : NULL);
        if (env->flags & ENV_HELD && !state)
            r->state = R_HELD;
        str a = kept_address(&env->to[i]);
        r->index = i;
        r->pos = k++;
        r->address = at;
        r->address_n = a.n & ADDRESS_MAX;
        memcpy(p + at, a.n ? a.p : "", a.n);
        at += (uint32_t)a.n;
    }
    struct extra *x = mem ? msg_extra(m) : NULL;
    if (x) {
        x->mem = body_ref(mem);
        x->bytes = body_size(mem);
    }
    return m;
}

struct extra *msg_extra(struct msg *m)
{
    if (msg_x(m))
        return m->x;
    struct extra *x = cell_take(sizeof *x); /* a slab's last given cell is warm; a heap's bins are not after a flood */
    if (!x)
        return NULL;
    list_init(&x->age);
    list_init(&x->at_site);
    x->m = m;
    for (uint32_t i = 0; i < m->nto; i++)
        x->untried += !(m->to[i].flags & RF_TRIED);
    x->times = m->times;
    m->flags |= MF_EXTRA;
    return m->x = x;
}

static void extra_free(struct msg *m)
{
    struct extra *x = m->x;
    m->flags &= (uint8_t)~MF_EXTRA;
    m->times = x->times;
    cell_give(x, sizeof *x);
}

void extra_tidy(struct msg *m)
{
    struct extra *x = msg_x(m);
    if (x && !x->mem && !x->job && !x->running)
        extra_free(m);
}

/* ---- bodies in memory ---- */

void body_forget(struct queue *q, struct msg *m)
{
    struct extra *x = msg_x(m);
    if (!x || !x->mem)
        return;
    if (!list_empty(&x->age))
        q->fresh_bytes -= x->bytes;
    list_remove(&x->age);
    list_remove(&x->at_site);
    body_drop(&x->mem);
    extra_tidy(m);
}

static void body_keep(struct queue *q, struct msg *m)
{
    struct extra *x = msg_x(m);
    if (!x || !x->mem)
        return;
    list_push_back(&q->fresh, &x->age);
    q->fresh_bytes += x->bytes;
    uint32_t site = m->to[0].site;
    if (!site || site != m->to[m->nto - 1].site)
        return;
    if (site_blocked(q->site[site]) || m->to[0].state == R_HELD)
        body_forget(q, m);
    else
        list_push_back(&q->site[site]->fresh, &x->at_site);
}

/* Oldest first. What a ticket or a session still holds is counted, too, but is not ours to drop. */
void bodies_trim(struct queue *q)
{
    int64_t over = metric_read(M_body_bytes) - (int64_t)q->conf.body_memory;
    while (over > 0 && !list_empty(&q->fresh)) {
        struct extra *x = container_of(q->fresh.next, struct extra, age);
        over -= (int64_t)x->bytes;
        body_forget(q, x->m);
    }
}

/* ---- states of recipients ---- */

static void count_state(struct queue *q, struct site *s, enum rstate state, int by)
{
    cnt_add(&q->n.by_state[state], by);
    if (!s)
        return;
    s->n[state] += (uint32_t)by;
    if (state == R_READY && site_blocked(s))
        cnt_add(&q->n.kept_back, by);
}

void rcpt_state(struct queue *q, struct rcpt *r, enum rstate to)
{
    enum rstate from = r->state;
    struct site *s = r->site ? q->site[r->site] : NULL;
    if (from == R_READY)
        site_take_out(r);
    if (from != R_DONE)
        count_state(q, s, from, -1);
    r->state = to & 7;
    if (to != R_DONE)
        count_state(q, s, to, 1);
}

void rcpt_wait(struct queue *q, struct rcpt *r, tick next)
{
    rcpt_state(q, r, R_WAITING);
    r->next = next;
    msg_due(q, msg_of(r), next);
}

void rcpt_ready(struct queue *q, struct rcpt *r, bool front)
{
    if (!r->site)
        rcpt_resolve(q, r);
    if (!r->site) {
        rcpt_wait(q, r, tick_after(q, RESOLVE_AGAIN_MS));
        return;
    }
    rcpt_state(q, r, R_READY);
    site_push(q, r, front);
}

static void rcpt_left(struct queue *q, struct rcpt *r)
{
    texts_drop(&q->texts, &r->reply);
    if (r->site)
        site_unref(q, r->site);
    r->site = 0;
}

/* Durable: nothing is left of this recipient. */
void rcpt_done(struct queue *q, struct rcpt *r)
{
    rcpt_state(q, r, R_DONE);
    rcpt_left(q, r);
    atomic_fetch_sub_explicit(&q->total, 1, memory_order_relaxed);
    metric_add(M_queue_recipients, -1);
}

void rcpt_resolve(struct queue *q, struct rcpt *r)
{
    struct msg *m = msg_of(r);
    SCRATCH char mem[sizeof((struct lease *)0)->key];
    struct buf key;
    struct site_limits limits = {1, 1, 1, 0};
    buf_init_fixed(&key, mem, sizeof mem - 1);
    q->ops.site(q->ops.arg, m->flags & MF_LAX, msg_way(m), msg_sender(m), msg_address(m, r), &key, &limits);
    uint32_t id = site_get(q, buf_str(&key), &limits);
    if (!id || id == r->site) {
        if (id)
            site_unref(q, id);
        return;
    }
    enum rstate state = r->state;
    uint32_t old = r->site;
    rcpt_state(q, r, R_DONE);
    r->site = id;
    rcpt_state(q, r, state);
    if (state == R_READY)
        site_push(q, r, false);
    if (old)
        site_unref(q, old);
}

str rcpt_error(const struct queue *q, const struct rcpt *r)
{
    const struct site *s = r->site ? q->site[r->site] : NULL;
    bool down = s && s->error && (site_blocked(s) || s->failures);
    return texts_str(&q->texts, down && (r->state == R_READY || !r->reply) ? s->error : r->reply);
}

/* ---- messages ---- */

static int by_site(const void *a, const void *b)
{
    const struct rcpt *x = a, *y = b;
    return x->site != y->site ? (x->site < y->site ? -1 : 1) : (x->index > y->index) - (x->index < y->index);
}

static void count_oldest(struct queue *q)
{
    const struct msg *m = ids_first(&q->index);
    atomic_store_explicit(&q->n.oldest_ms, m ? ((int64_t)m->arrived + EPOCH_S) * 1000 : 0, memory_order_relaxed);
}

static void set_times(struct queue *q, struct msg *m)
{
    tick now = tick_now(q);
    if (msg_times(m)->expires <= now && m->flags & MF_RECOVERED && !m->to[0].attempts)
        msg_times(m)->expires = tick_after(q, GRACE_MS);
    if (!q->conf.notice) {
        m->flags |= MF_TOLD;
    } else if (m->flags & MF_RECOVERED) {
        msg_times(m)->notice = tick_at_wall(q, ((int64_t)m->arrived + EPOCH_S) * 1000 + q->conf.notice);
        if (msg_times(m)->notice <= now)
            m->flags |= MF_TOLD; /* before the start, as far as we know */
    } else {
        int64_t at = msg_times(m)->notice + (q->conf.notice + TICK_MS - 1) / TICK_MS;
        msg_times(m)->notice = at < TICK_NEVER ? (tick)at : TICK_NEVER;
    }
    msg_due(q, m, msg_times(m)->expires);
    if (!(m->flags & MF_TOLD))
        msg_due(q, m, msg_times(m)->notice);
}

/* Before any recipient is counted: recipients of one site come to stand together. */
static void find_sites(struct queue *q, struct msg *m)
{
    bool mixed = false;
    for (uint32_t i = 0; i < m->nto; i++) {
        struct rcpt *r = &m->to[i];
        uint8_t state = r->state;
        r->state = R_DONE;
        r->site = 0;
        rcpt_resolve(q, r);
        r->state = state;
        mixed |= r->site != m->to[0].site;
    }
    if (mixed)
        qsort(m->to, m->nto, sizeof *m->to, by_site);
    for (uint32_t i = 0; i < m->nto; i++)
        m->to[i].pos = i;
}

static bool index_both(struct queue *q, struct msg *m)
{
    if (!ids_add(&q->index, m))
        return false;
    if (!(m->flags & MF_QUARANTINE) || ids_add(&q->quarantined, m))
        return true;
    ids_remove(&q->index, m->id);
    return false;
}

err msg_admit(struct queue *q, struct msg *m)
{
    if (!wait_reserve(&q->due))
        return E_NOMEM;
    if (!index_both(q, m)) {
        wait_unreserve(&q->due, m);
        return E_NOMEM;
    }
    find_sites(q, m);
    cnt_add(&q->n.messages, 1);
    metric_add(M_queue_messages, 1);
    count_oldest(q);
    set_times(q, m);
    tick latest = tick_latest(q);
    for (uint32_t i = 0; i < m->nto; i++) {
        struct rcpt *r = &m->to[i];
        enum rstate to = r->state;
        r->state = R_DONE;
        if (to == R_READY || (to == R_WAITING && r->next <= tick_now(q)))
            rcpt_ready(q, r, false);
        else if (to == R_WAITING) /* one without an attempt waits because its sender wants it so (RFC 4865) */
            rcpt_wait(q, r, r->next < latest || !r->attempts ? r->next : latest);
        else
            rcpt_state(q, r, to);
        if (r->flags & RF_UNTOLD)
            rcpt_tell(q, r);
    }
    body_keep(q, m);
    bodies_trim(q);
    return OK;
}

void msg_pump(struct queue *q, struct msg *m)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < m->nto; i++)
        if (m->to[i].state == R_READY && m->to[i].site != last) {
            last = m->to[i].site;
            site_pump(q, q->site[last]);
        }
}

void msg_free_bare(struct msg *m)
{
    if (msg_x(m)) {
        body_drop(&m->x->mem);
        extra_free(m);
    }
    msg_give(m);
}

void msg_free(struct queue *q, struct msg *m)
{
    for (uint32_t i = 0; i < m->nto; i++)
        if (m->to[i].state != R_DONE)
            rcpt_done(q, &m->to[i]);
    if (msg_x(m)) {
        job_free(msg_x(m)->job);
        job_free(msg_x(m)->running);
        msg_x(m)->job = msg_x(m)->running = NULL;
        body_forget(q, m);
        extra_tidy(m);
    }
    wait_unreserve(&q->due, m);
    ids_remove(&q->index, m->id);
    if (m->flags & MF_QUARANTINE)
        ids_remove(&q->quarantined, m->id);
    cnt_add(&q->n.messages, -1);
    metric_add(M_queue_messages, -1);
    count_oldest(q);
    msg_give(m);
}

void msg_release(struct queue *q, struct msg *m)
{
    if (!m->undecided && !m->pending && !m->active && !(msg_x(m) && (msg_x(m)->job || msg_x(m)->running)))
        msg_free(q, m);
}
