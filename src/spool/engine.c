/*
 * The writer's half of the engine: groups in, batches out. One thread calls engine_write; everything
 * that a batch changes in memory happens after its sync, under the lock, in the order of its records.
 */
#include "spool/internal.h"

#include <stdlib.h>

static const char zeros[PAGE];

/* What a group needs before it can be taken. */
struct need {
    uint64_t bytes, foot;
    uint32_t iovs, records, messages;
};

static uint32_t pieces_of(const struct body *b)
{
    uint32_t n = 0;
    str piece;
    for (size_t at = 0; body_piece(b, &at, &piece);)
        n++;
    return n;
}

static void measure(struct spool_group *g, struct need *n)
{
    *n = (struct need){.bytes = g->bytes.n, .iovs = 1};
    struct group_at at = {0};
    struct spool_part *part;
    for (struct rec r; group_walk(g, &at, &r, &part);) {
        n->records++;
        n->messages += r.type == REC_MESSAGE;
        n->foot += FOOT_ENTRY + r.meta;
        if (!part)
            continue;
        n->bytes += r.length - (part->env ? 0 : r.meta);
        n->iovs += 2 + pieces_of(part->body);
    }
}

static err reserve_index(struct engine *e, struct spool_group *g, uint32_t messages)
{
    struct group_at at = {0};
    struct spool_part *part;
    err bad = OK;
    for (struct rec r; !bad && group_walk(g, &at, &r, &part);)
        bad = apply_reserve(e, &r, messages);
    return bad;
}

static err reserve_iov(struct engine *e, uint32_t more)
{
    uint32_t need = e->niov + more + 2;
    if (need <= e->iovcap)
        return OK;
    struct iovec *v = realloc(e->iov, need * sizeof *v);
    if (!v)
        return E_NOMEM;
    e->iov = v;
    e->iovcap = need;
    return OK;
}

/* Records of compaction that have become needless since they were read are taken out. */
static void prune(struct engine *e, struct spool_group *g)
{
    struct group_at at = {0};
    struct spool_part *part;
    size_t kept = 0;
    lock_take(&e->lock);
    for (struct rec r; group_walk(g, &at, &r, &part);) {
        struct foot_entry f = {.type = r.type, .id = r.id, .aux = r.aux, .off = r.batch};
        if (!apply_needed(e, e->from, &f))
            continue;
        memmove(g->bytes.p + kept, g->bytes.p + at.rec, at.next - at.rec);
        kept += at.next - at.rec;
    }
    lock_drop(&e->lock);
    g->bytes.n = kept;
}

static void add_iov(struct engine *e, const char *p, size_t n)
{
    if (n)
        e->iov[e->niov++] = (struct iovec){(void *)p, n};
}

static void add_body(struct engine *e, const struct spool_part *part)
{
    str env = body_envelope(part->body), piece;
    if (part->env)
        add_iov(e, env.p, env.n);
    for (size_t at = 0; body_piece(part->body, &at, &piece);)
        add_iov(e, piece.p, piece.n);
}

static void seal_record(struct engine *e, struct rec *r, bool first, bool last, bool copy)
{
    struct entry *at;
    r->gen = e->active->gen;
    r->batch = e->active->batch + 1;
    r->flags =
        (uint8_t)((r->flags & REC_ONE) | (first ? REC_FIRST : 0) | (last ? REC_LAST : 0) | (copy ? REC_COPY : 0));
    if (copy)
        return;
    if (r->type == REC_RESULTS || r->type == REC_RETRIES)
        r->aux = e->stamp++;
    if (r->type == REC_END) {
        at = index_find(&e->index, r->id);
        r->aux = at ? e->segs[entry_slot(at)]->gen : r->gen;
    }
}

/* Completes the heads and lists what is to be written. */
static void take_group(struct engine *e, struct spool_group *g)
{
    struct group_at at = {0};
    struct spool_part *part;
    size_t from = 0;
    lock_take(&e->lock);
    for (struct rec r; group_walk(g, &at, &r, &part);) {
        bool whole = g->copies; /* each copy stands alone */
        seal_record(e, &r, whole || at.rec == 0, whole || at.next >= g->bytes.n, g->copies);
        rec_store(g->bytes.p + at.rec, &r);
        if (!part)
            continue;
        add_iov(e, g->bytes.p + from, at.next - from);
        add_body(e, part);
        from = at.next;
    }
    lock_drop(&e->lock);
    add_iov(e, g->bytes.p + from, g->bytes.n - from);
    list_remove(&g->held);
    list_push_back(&e->in_batch, &g->held);
}

static void batch_begin(struct engine *e)
{
    e->niov = 1; /* the first is the batch's head */
    e->batch_bytes = 0;
    e->batch_count = e->batch_messages = 0;
    e->batch_copies = false;
}

enum take { TAKEN, WAITS, NO_ROOM, REFUSED };

/* Said once until there is room again. */
static err note_full(struct engine *e, err why)
{
    bool full = why == E_DISK_FULL;
    if (atomic_exchange(&e->full, full) != full && full)
        rt_log(EV_spool_full, log_num((int64_t)atomic_load(&e->disk_free)), log_err(why));
    return why;
}

static err refuse(struct engine *e, const struct spool_group *g)
{
    if (g->bytes.e)
        return g->bytes.e;
    return g->brings && disk_low(e) ? note_full(e, E_DISK_FULL) : OK;
}

static enum take take(struct engine *e, struct spool_group *g)
{
    struct need n;
    bool first = list_empty(&e->in_batch);
    g->e = refuse(e, g);
    if (g->e)
        return REFUSED;
    if (!first && (g->copies || e->batch_copies || e->batch_bytes >= BATCH_BYTES))
        return WAITS;
    if (g->copies)
        prune(e, g);
    measure(g, &n);
    if (!n.records)
        return REFUSED; /* nothing to write: done, with OK */
    if (!e->active || !seg_fits(e->active, e->batch_bytes + n.bytes, e->batch_foot + n.foot))
        return first ? NO_ROOM : WAITS;
    e->batch_messages += n.messages;
    g->e = reserve_index(e, g, e->batch_messages);
    if (!g->e)
        g->e = reserve_iov(e, n.iovs);
    if (g->e)
        return REFUSED;
    e->batch_copies = g->copies;
    e->batch_bytes += n.bytes;
    e->batch_foot += n.foot;
    e->batch_count += n.records;
    take_group(e, g);
    return TAKEN;
}

static err write_batch(struct engine *e, bool *sync)
{
    struct seg *s = e->active;
    *sync |= e->nlazy + e->batch_count > LAZY_MAX;
    uint32_t length = (uint32_t)(BATCH_HEAD + e->batch_bytes);
    struct batch_head h = {
        .gen = s->gen,
        .number = s->batch + 1,
        .length = length,
        .count = e->batch_count,
        .durable = s->durable,
        .last_id = atomic_load(&e->last_id),
        .stamp = e->stamp,
    };
    batch_store(e->batch_head, &h);
    e->iov[0] = (struct iovec){e->batch_head, BATCH_HEAD};
    add_iov(e, zeros, page_up(length) - length);
    const char *step = "write";
    err bad = direct_write(e, s, e->iov, e->niov, s->end);
    if (!bad && *sync) {
        step = "sync";
        bad = rt_fs->datasync(s->fd);
        metric_add(M_spool_syncs, 1);
    }
    metric_add(M_spool_bytes, (int64_t)page_up(length));
    metric_add(M_spool_records, e->batch_count);
    if (bad) {
        seg_poison(e, s, h.number, step, bad);
        return E_IO;
    }
    return OK;
}

/* The meta bytes of a record are in g->bytes or at the front of the body. */
static void apply_group(struct engine *e, struct seg *s, struct spool_group *g, uint64_t *off)
{
    struct group_at at = {0};
    struct spool_part *part;
    for (struct rec r; group_walk(g, &at, &r, &part);) {
        struct foot_entry f = {.type = r.type,
                               .flags = r.flags,
                               .id = r.id,
                               .aux = r.aux,
                               .off = (uint32_t)*off,
                               .len = REC_HEAD + r.length,
                               .meta = r.meta};
        str env = part && part->env ? body_envelope(part->body) : str_mem(g->bytes.p + at.rec + REC_HEAD, r.meta);
        foot_add(s, &f, &(struct iovec){(void *)env.p, env.n}, 1);
        apply(e, s, &f);
        *off += f.len;
    }
    if (!foot_pays(s))
        foot_drop(s);
}

static void apply_batch(struct engine *e, bool sync)
{
    struct seg *s = e->active;
    uint64_t off = s->end + BATCH_HEAD;
    lock_take(&e->lock);
    e->unsynced = !sync;
    if (sync)
        apply_synced(e);
    LIST_EACH(it, &e->in_batch)
    apply_group(e, s, container_of(it, struct spool_group, held), &off);
    s->end += page_up(BATCH_HEAD + e->batch_bytes);
    s->batch++;
    if (sync)
        s->durable = s->batch;
    lock_drop(&e->lock);
}

static void complete_all(struct engine *e, struct list *groups, err fate)
{
    for (struct list *it; (it = list_pop_front(groups));) {
        struct spool_group *g = container_of(it, struct spool_group, held);
        g->e = fate;
        e->complete(e, g);
    }
}

/* What it holds unsynced is put on the disk before it is left: a footer would call it certain. */
static void leave(struct engine *e, struct seg *s)
{
    err bad = s->durable < s->batch ? rt_fs->datasync(s->fd) : OK;
    lock_take(&e->lock);
    if (bad)
        s->poisoned = true; /* no footer; what can be read is copied from it one day */
    else
        s->durable = s->batch;
    if (!bad)
        apply_synced(e);
    e->nlazy = 0;
    lock_drop(&e->lock);
    seg_seal(e, s);
}

/* A segment for the group that found no room. False: it was refused. */
static bool next_segment(struct engine *e, struct spool_group *g)
{
    struct seg *old = e->active;
    if (old && old->end == DATA_START) {
        g->e = E_LIMIT; /* larger than an empty segment */
        return false;
    }
    if (g->brings && atomic_load(&e->failed)) {
        g->e = E_IO;
        return false;
    }
    g->e = engine_next(e, g->copies ? FOR_COPIES : g->brings ? FOR_MESSAGES : FOR_OUTCOMES);
    if (g->e)
        atomic_store(&e->work, true); /* compaction may help */
    if (!g->e && old)
        leave(e, old);
    note_full(e, g->e);
    if (g->e && g->e != E_DISK_FULL && g->e != E_QUEUE_FULL && g->e != E_NOMEM)
        atomic_store(&e->failed, true);
    return !g->e;
}

/* Takes groups off the list until the batch is full or the list is empty. */
static void gather(struct engine *e, struct list *groups)
{
    while (!list_empty(groups)) {
        struct spool_group *g = container_of(groups->next, struct spool_group, held);
        enum take t = take(e, g);
        if (t == WAITS)
            return;
        if (t == REFUSED || (t == NO_ROOM && !next_segment(e, g))) {
            list_remove(&g->held);
            e->complete(e, g);
        }
    }
}

void engine_write(struct engine *e, struct list *groups, bool sync)
{
    while (!list_empty(groups)) {
        batch_begin(e);
        e->batch_foot = 0;
        gather(e, groups);
        if (list_empty(&e->in_batch))
            continue;
        bool synced = sync;
        err bad = write_batch(e, &synced);
        if (!bad)
            apply_batch(e, synced);
        complete_all(e, &e->in_batch, bad);
        e->completed(e);
    }
    e->completed(e);
}

void engine_retry(struct engine *e)
{
    if (!e->active)
        atomic_store(&e->failed, engine_next(e, FOR_COPIES) != OK);
    else /* it was the one after it that could not be had: whoever needs that tries again */
        atomic_store(&e->failed, false);
}

uint64_t engine_new_id(struct engine *e)
{
    enum { LOW_BITS = 23, COUNTER = 1023 }; /* 40 bits of time, 6 group, 7 node, 10 counter */
    const int64_t epoch = 1704067200000;    /* 2024 */
    int64_t ms = rt_wall_ms() - epoch;
    uint64_t now = (uint64_t)(ms > 0 ? ms : 0) << LOW_BITS, last = atomic_load(&e->last_id), id;
    do {
        id = now > last ? now : last + 1;
        if ((id & ((1u << LOW_BITS) - 1)) > COUNTER)
            id = ((id >> LOW_BITS) + 1) << LOW_BITS;
    } while (!atomic_compare_exchange_weak(&e->last_id, &last, id));
    return id;
}

/* What a batch with messages could still take in the active segment: nothing of one that outcomes opened, or
 * messages would eat up what outcomes need to make room again. */
static uint64_t room_left(struct engine *e)
{
    lock_take(&e->lock);
    struct seg *a = e->active;
    uint64_t used = a ? a->end + page_up(a->foot.n) + 3 * PAGE : 0, left = a && used < a->size ? a->size - used : 0;
    if (a && a->kept)
        left = 0;
    lock_drop(&e->lock);
    return left;
}

err engine_room(struct engine *e, uint64_t size)
{
    if (atomic_load(&e->failed))
        return E_IO;
    if (disk_low(e))
        return E_DISK_FULL;
    uint64_t left = room_left(e), want = size + size / 16 + PAGE;
    if (left < want) {
        uint32_t more;
        err why = engine_more(e, FOR_MESSAGES, &more);
        if (why || left + more * (e->segment_size - e->segment_size / 8) < want)
            return why ? why : E_DISK_FULL;
    }
    if (atomic_load(&e->full))
        atomic_store(&e->full, false);
    return OK;
}

void engine_stats(struct engine *e, struct spool_stats *ret)
{
    struct spool_stats t = {.disk_free = atomic_load(&e->disk_free), .failed = atomic_load(&e->failed)};
    lock_take(&e->lock);
    t.messages = e->index.n;
    t.free_segments = engine_spares(e);
    for (uint32_t i = 0; i < e->nsegs; i++) {
        struct seg *s = e->segs[i];
        t.segments += s != NULL;
        t.bytes += s ? s->size : 0;
        t.live_bytes += s ? s->live_bytes : 0;
    }
    lock_drop(&e->lock);
    t.full = engine_room(e, 0) != OK;
    *ret = t;
}
