/* Segment files: heads, making, preparing, sealing, poisoning, and what is known of the disk's space. */
#include "spool/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

bool bit_get(const uint64_t *v, uint32_t at) { return v[at / 64] >> at % 64 & 1; }
void bit_set(uint64_t *v, uint32_t at) { v[at / 64] |= 1ull << at % 64; }
static void bit_clear(uint64_t *v, uint32_t at) { v[at / 64] &= ~(1ull << at % 64); }

bool bits_empty_but(const struct engine *e, const uint64_t *v, uint32_t but)
{
    for (uint32_t i = 0; i < e->words; i++)
        if (v[i] & ~(i == but / 64 ? 1ull << but % 64 : 0))
            return false;
    return true;
}

void seg_name(char out[static 16], const char *prefix, uint32_t slot) { snprintf(out, 16, "%s-%08x", prefix, slot); }

static bool widen(uint64_t **v, uint32_t from, uint32_t to)
{
    uint64_t *p = realloc(*v, to * sizeof *p);
    if (!p)
        return false;
    memset(p + from, 0, (to - from) * sizeof *p);
    *v = p;
    return true;
}

/* Places for slots 0..slot in the table and in every bit set. */
static bool make_places(struct engine *e, uint32_t slot)
{
    if (slot / 64 >= e->words) {
        uint32_t words = e->words ? e->words : 1;
        while (slot / 64 >= words)
            words *= 2;
        for (uint32_t i = 0; i < e->nsegs; i++) {
            struct seg *s = e->segs[i];
            if (s && (!widen(&s->needs, e->words, words) || !widen(&s->after, e->words, words)))
                return false;
        }
        e->words = words;
    }
    if (slot >= e->nsegs) {
        struct seg **v = realloc(e->segs, (slot + 1) * sizeof *v);
        if (!v)
            return false;
        for (uint32_t i = e->nsegs; i <= slot; i++)
            v[i] = NULL;
        e->segs = v;
        e->nsegs = slot + 1;
    }
    return true;
}

struct seg *seg_new(struct engine *e, uint32_t slot)
{
    struct seg *s = make_places(e, slot) ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->needs = calloc(e->words, sizeof *s->needs);
    s->after = calloc(e->words, sizeof *s->after);
    if (!s->needs || !s->after) {
        free(s->needs);
        free(s->after);
        free(s);
        return NULL;
    }
    s->slot = slot;
    s->fd = -1;
    s->state = SEG_BUSY;
    s->size = e->segment_size;
    e->segs[slot] = s;
    return s;
}

void seg_delete(struct engine *e, struct seg *s)
{
    e->segs[s->slot] = NULL;
    if (s->fd >= 0)
        rt_fs->close(s->fd);
    buf_free(&s->foot);
    free(s->needs);
    free(s->after);
    free(s);
}

uint64_t engine_next_gen(struct engine *e)
{
    return ((uint64_t)atomic_fetch_add(&e->gens, 1) + 1) << 32 | (uint32_t)rt_random();
}

err seg_write_head(struct engine *e, struct seg *s, uint32_t state, uint64_t gen)
{
    char p[HEAD_BYTES];
    uint8_t slot = s->head_slot ^ 1;
    struct seg_head h = {.version = 1,
                         .state = state,
                         .gen = gen,
                         .size = s->size,
                         .turn = s->turn + 1,
                         .last_id = atomic_load(&e->last_id)};
    lock_take(&e->lock);
    h.stamp = e->stamp;
    h.cut = gen == s->gen ? s->cut : 0;
    h.ncuts = e->ncuts < MAX_CUTS ? e->ncuts : MAX_CUTS;
    memcpy(h.cuts, e->cuts, h.ncuts * sizeof *h.cuts);
    uint32_t cut_turn = e->cut_turn;
    lock_drop(&e->lock);
    head_store(p, &h);
    err bad = rt_fs->pwritev(s->fd, &(struct iovec){p, sizeof p}, 1, slot * (uint64_t)PAGE);
    if (!bad)
        bad = rt_fs->datasync(s->fd);
    if (bad)
        return bad;
    lock_take(&e->lock);
    s->head_slot = slot;
    s->turn = h.turn;
    s->cut = h.cut;
    s->gen = gen;
    s->cut_turn = cut_turn;
    lock_drop(&e->lock);
    return OK;
}

static struct seg *new_slot(struct engine *e)
{
    lock_take(&e->lock);
    uint32_t slot = 0;
    while (slot < e->nsegs && e->segs[slot])
        slot++;
    struct seg *s = slot < 1u << 24 ? seg_new(e, slot) : NULL;
    lock_drop(&e->lock);
    return s;
}

err seg_create(struct engine *e, bool fill, struct seg **ret)
{
    struct seg *s = new_slot(e);
    if (!s)
        return E_NOMEM;
    char temp[16], name[16];
    seg_name(temp, "new", s->slot);
    seg_name(name, "seg", s->slot);
    err bad = rt_fs->open(e->dir, temp, O_RDWR | O_CREAT | O_TRUNC, 0600, &s->fd);
    bad = bad ? bad : rt_fs->allocate(s->fd, 0, s->size);
    bad = bad || !fill ? bad : direct_zero(e, s, temp);
    bad = bad ? bad : seg_write_head(e, s, HEAD_FREE, engine_next_gen(e));
    bad = bad ? bad : rt_fs->sync(s->fd);
    bad = bad ? bad : rt_fs->rename(e->dir, temp, e->dir, name);
    bad = bad ? bad : rt_fs->sync(e->dir);
    if (!bad) {
        disk_room(e, true);
        *ret = s;
        return OK;
    }
    rt_fs->unlink(e->dir, temp);
    rt_fs->unlink(e->dir, name);
    lock_take(&e->lock);
    seg_delete(e, s);
    lock_drop(&e->lock);
    return bad;
}

uint64_t disk_room(struct engine *e, bool fresh)
{
    rt_time now = rt_now_fresh();
    if (fresh || now - atomic_load(&e->looked) > 500 * RT_MS) {
        uint64_t n;
        if (!rt_fs->space(e->dir, &n))
            atomic_store(&e->disk_free, n);
        atomic_store(&e->looked, now);
    }
    uint64_t n = atomic_load(&e->disk_free);
    return n > e->reserve ? n - e->reserve : 0;
}

bool disk_low(struct engine *e)
{
    disk_room(e, false);
    return atomic_load(&e->disk_free) < e->reserve;
}

static struct seg *find_state(struct engine *e, enum seg_state state)
{
    struct seg *best = NULL;
    for (uint32_t i = 0; i < e->nsegs; i++)
        if (e->segs[i] && e->segs[i]->state == state && (!best || e->segs[i]->gen < best->gen))
            best = e->segs[i];
    return best;
}

uint32_t engine_spares(struct engine *e)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->nsegs; i++)
        n += e->segs[i] && (e->segs[i]->state == SEG_FREE || e->segs[i]->state == SEG_READY) && !e->segs[i]->stuck;
    return n;
}

/* How many segments could be had besides those in use, and what keeps them from being more. */
static uint32_t available(struct engine *e, bool within_reserve, err *ret_why)
{
    uint64_t room = disk_room(e, false), all = 0;
    if (!within_reserve)
        room = atomic_load(&e->disk_free);
    lock_take(&e->lock);
    for (uint32_t i = 0; i < e->nsegs; i++)
        all += e->segs[i] ? e->segs[i]->size : 0;
    uint32_t spares = engine_spares(e);
    lock_drop(&e->lock);
    uint64_t by_disk = room / e->segment_size, n = by_disk;
    *ret_why = E_DISK_FULL;
    if (e->max_bytes) {
        n = e->max_bytes > all ? (e->max_bytes - all) / e->segment_size : 0;
        if (n < by_disk)
            *ret_why = E_QUEUE_FULL;
        n = n < by_disk ? n : by_disk;
    }
    return spares + (uint32_t)(n < 1 << 20 ? n : 1 << 20);
}

uint32_t engine_keep(const struct engine *e, enum use use)
{
    return use == FOR_COPIES ? 0 : use == FOR_OUTCOMES ? 1 : 2 + e->nsegs / 32;
}

err engine_more(struct engine *e, enum use use, uint32_t *ret_n)
{
    err why;
    uint32_t n = available(e, use == FOR_MESSAGES, &why), keep = engine_keep(e, use);
    *ret_n = n > keep ? n - keep : 0;
    return *ret_n ? OK : why;
}

static err make_ready(struct engine *e, struct seg *s)
{
    err bad = seg_write_head(e, s, HEAD_LOG, engine_next_gen(e));
    lock_take(&e->lock);
    s->stuck = bad != OK;
    s->end = DATA_START;
    s->batch = s->durable = 0;
    s->footed = s->nofoot = s->drained = s->nocopy = false;
    s->state_bytes = 0;
    s->nfoot = 0;
    buf_init(&s->foot, s->size / 4);
    s->state = bad ? SEG_SEALED : SEG_READY;
    lock_drop(&e->lock);
    return bad;
}

err engine_prepare(struct engine *e, bool fill)
{
    lock_take(&e->lock);
    struct seg *s = find_state(e, SEG_FREE);
    uint32_t spares = engine_spares(e);
    if (s)
        s->state = SEG_BUSY;
    lock_drop(&e->lock);
    err bad = OK;
    if (!s) {
        disk_room(e, true);
        /* Outcomes make room: the few segments kept for them may use up the reserve. */
        if (!available(e, spares >= engine_keep(e, FOR_MESSAGES), &bad))
            return bad;
        bad = seg_create(e, fill, &s);
    }
    return bad ? bad : make_ready(e, s);
}

err engine_next(struct engine *e, enum use use)
{
    uint32_t n;
    disk_room(e, true);
    err bad = cuts_settle(e);
    bad = bad ? bad : engine_more(e, use, &n);
    lock_take(&e->lock);
    struct seg *s = find_state(e, SEG_READY);
    lock_drop(&e->lock);
    if (!bad && !s)
        bad = engine_prepare(e, false);
    if (bad)
        return bad;
    lock_take(&e->lock);
    s = s ? s : find_state(e, SEG_READY);
    if (s)
        s->state = SEG_BUSY;
    bool stale = s && (s->cut_turn != e->cut_turn || s->gen < e->last_gen);
    lock_drop(&e->lock);
    if (!s)
        return E_IO;
    if (stale)
        bad = seg_write_head(e, s, HEAD_LOG, s->gen < e->last_gen ? engine_next_gen(e) : s->gen);
    lock_take(&e->lock);
    s->state = bad ? SEG_SEALED : SEG_ACTIVE;
    s->stuck = bad != OK;
    s->kept = use == FOR_OUTCOMES;
    if (!bad) {
        e->active = s;
        e->last_gen = s->gen;
    }
    lock_drop(&e->lock);
    atomic_store(&e->failed, bad != OK);
    atomic_store(&e->work, true);
    return bad;
}

bool seg_fits(const struct seg *s, uint64_t batch_bytes, uint64_t foot_bytes)
{
    uint64_t tail = s->nofoot ? 0 : page_up(s->foot.n + foot_bytes);
    return s->end + page_up(BATCH_HEAD + batch_bytes) + tail + PAGE <= s->size;
}

void seg_seal(struct engine *e, struct seg *s)
{
    lock_take(&e->lock);
    s->state = SEG_SEALED;
    if (e->active == s)
        e->active = NULL;
    lock_drop(&e->lock);
    atomic_store(&e->work, true);
}

err seg_poison(struct engine *e, struct seg *s, uint32_t batch, const char *step, err why)
{
    char name[16];
    seg_name(name, "seg", s->slot);
    rt_log(EV_spool_failed, log_c(name), log_c(step), log_err(why));
    lock_take(&e->lock);
    s->poisoned = true;
    cut_add(e, s, batch);
    e->nlazy = 0; /* what was not synced before is in doubt, and supersedes nothing */
    lock_drop(&e->lock);
    seg_seal(e, s);
    err bad = engine_next(e, FOR_COPIES);
    if (bad)
        atomic_store(&e->failed, true);
    return bad;
}

bool seg_is_dead(const struct engine *e, const struct seg *s)
{
    if (s->state != SEG_SEALED || s->live || s->pins || s->stuck || s == e->from)
        return false;
    return bits_empty_but(e, s->after, s->slot) && (s->drained || bits_empty_but(e, s->needs, s->slot));
}

void engine_freed(struct engine *e, struct seg *s)
{
    for (uint32_t i = 0; i < e->nsegs; i++)
        if (e->segs[i]) {
            bit_clear(e->segs[i]->needs, s->slot);
            bit_clear(e->segs[i]->after, s->slot);
        }
    memset(s->needs, 0, e->words * sizeof *s->needs);
    memset(s->after, 0, e->words * sizeof *s->after);
    buf_free(&s->foot);
    s->state_bytes = s->live_bytes = 0;
}
