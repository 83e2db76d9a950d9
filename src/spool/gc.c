/* The helper's half of the engine: segments made ready, sealed, freed, deleted and compacted. */
#include "spool/internal.h"

#include <stdlib.h>

typedef bool seg_test(const struct engine *e, const struct seg *s);

/* The oldest such segment; under the lock. */
static struct seg *oldest(struct engine *e, seg_test *want)
{
    struct seg *best = NULL;
    for (uint32_t i = 0; i < e->nsegs; i++)
        if (e->segs[i] && (!best || e->segs[i]->gen < best->gen) && want(e, e->segs[i]))
            best = e->segs[i];
    return best;
}

static struct seg *pick(struct engine *e, seg_test *want)
{
    lock_take(&e->lock);
    struct seg *s = oldest(e, want);
    lock_drop(&e->lock);
    return s;
}

/* From here on it is the helper's alone. */
static struct seg *seize(struct engine *e, seg_test *want)
{
    lock_take(&e->lock);
    struct seg *s = oldest(e, want);
    if (s)
        s->state = SEG_BUSY;
    lock_drop(&e->lock);
    return s;
}

static bool is_ready(const struct engine *e, const struct seg *s)
{
    (void)e;
    return s->state == SEG_READY;
}

static err unlink_segment(struct engine *e, const struct seg *s)
{
    char name[16];
    seg_name(name, "seg", s->slot);
    return rt_fs->unlink(e->dir, name);
}

/* An unlinked file is as good as a FREE head once the folder is synced. */
static err unlink_for_good(struct engine *e, const struct seg *s)
{
    err bad = unlink_segment(e, s);
    return bad ? bad : rt_fs->sync(e->dir);
}

static bool free_one(struct engine *e)
{
    struct seg *s = seize(e, seg_is_dead); /* nothing opens a segment without a live message any more */
    if (!s)
        return false;
    uint64_t gen = s->gen;
    err bad = s->poisoned ? unlink_for_good(e, s) : seg_write_head(e, s, HEAD_FREE, engine_next_gen(e));
    lock_take(&e->lock);
    s->state = bad ? SEG_SEALED : SEG_FREE;
    s->stuck = bad != OK;
    if (!bad) {
        engine_freed(e, s);
        cut_forget(e, gen);
        if (s->poisoned)
            seg_delete(e, s);
    }
    lock_drop(&e->lock);
    return !bad;
}

static bool wants_footer(const struct engine *e, const struct seg *s)
{
    (void)e;
    return s->state == SEG_SEALED && !s->footed && !s->nofoot && !s->poisoned && !s->stuck;
}

static bool seal_one(struct engine *e)
{
    struct seg *s = pick(e, wants_footer);
    if (!s)
        return false;
    err bad = foot_write(e, s);
    lock_take(&e->lock);
    s->footed = !bad;
    s->nofoot = bad != OK;
    buf_free(&s->foot);
    lock_drop(&e->lock);
    return true;
}

static bool is_free(const struct engine *e, const struct seg *s)
{
    (void)e;
    return s->state == SEG_FREE;
}

/* Once its name is gone it can never be written to again, whatever becomes of the folder's sync: if that fails, a FREE
 * segment may be back after a crash. */
static bool delete_surplus(struct engine *e)
{
    lock_take(&e->lock);
    uint32_t keep = engine_keep(e, FOR_MESSAGES) + 1;
    bool many = engine_spares(e) > (e->spare > keep ? e->spare : keep);
    lock_drop(&e->lock);
    struct seg *s = many ? seize(e, is_free) : NULL;
    if (!s)
        return false;
    err bad = unlink_segment(e, s);
    lock_take(&e->lock);
    if (bad)
        s->state = SEG_FREE;
    else
        seg_delete(e, s);
    lock_drop(&e->lock);
    if (!bad)
        rt_fs->sync(e->dir);
    return !bad;
}

/* ---- compaction -------------------------------------------------------------------------------- */

/* Only what could be freed at once afterwards. */
static bool can_copy(const struct engine *e, const struct seg *s)
{
    if (s->pins || !bits_empty_but(e, s->after, s->slot))
        return false;
    return s->state == SEG_SEALED && (s->footed || s->nofoot || s->poisoned) && !s->nocopy && !s->stuck && !s->drained;
}

/* Which segment to copy forward, if there is much that nothing lives in. Under the lock. */
static struct seg *choose(struct engine *e)
{
    uint64_t used = 0, live = 0;
    struct seg *low = NULL, *emptiest = NULL;
    for (uint32_t i = 0; i < e->nsegs; i++) {
        struct seg *s = e->segs[i];
        if (!s || (s->state != SEG_SEALED && s->state != SEG_ACTIVE))
            continue;
        used++;
        live += s->live_bytes;
        uint64_t cost = s->live_bytes + s->state_bytes;
        if (!can_copy(e, s) || cost > s->size / 5 * 4)
            continue;
        if (cost <= s->size / 5 && (!low || s->gen < low->gen))
            low = s;
        if (!emptiest || cost < emptiest->live_bytes + emptiest->state_bytes)
            emptiest = s;
    }
    uint64_t alive = 1 + (live + e->segment_size - 1) / e->segment_size;
    bool tight = e->full || (e->max_bytes && (e->nsegs + 2) * e->segment_size > e->max_bytes);
    if (used <= alive + (tight ? 0 : e->garbage))
        return NULL;
    return low ? low : used > 2 * alive + e->garbage || tight ? emptiest : NULL;
}

static bool begin(struct engine *e)
{
    lock_take(&e->lock);
    struct seg *s = choose(e);
    uint32_t cut = s ? engine_cut_of(e, s) : 0; /* what lies behind it never counted, and must not begin to */
    lock_drop(&e->lock);
    if (!s)
        return false;
    struct trailer t;
    err bad;
    if (s->footed) {
        bad = foot_read(s, &e->list, &t);
    } else {
        struct seg was = *s;
        bool damaged;
        bad = scan_segment(e, s, !cut && s->poisoned ? s->batch + 1 : cut, &damaged);
        e->list = s->foot;
        buf_init(&s->foot, 0);
        s->nofoot = true;
        s->end = was.end;
        s->batch = was.batch;
    }
    lock_take(&e->lock);
    s->nocopy = bad && bad != E_NOMEM;
    e->from = bad ? NULL : s;
    lock_drop(&e->lock);
    if (bad)
        buf_free(&e->list);
    e->list_rest = buf_str(&e->list);
    e->copied = 0;
    return !bad;
}

static void end(struct engine *e, bool drained, bool bad_record)
{
    char name[16];
    seg_name(name, "seg", e->from->slot);
    buf_free(&e->list);
    lock_take(&e->lock);
    e->from->drained = drained && !e->from->live;
    e->from->nocopy = bad_record || (drained && e->from->live);
    e->from = NULL;
    lock_drop(&e->lock);
    if (drained)
        rt_log(EV_spool_compacted, log_c(name), log_num((int64_t)e->copied));
}

/* One record to the end of `out`. Its batch field carries the old offset until the writer fills it in. */
static err fetch(struct engine *e, const struct foot_entry *f, struct buf *out)
{
    char *p = buf_room(out, f->len);
    size_t n;
    struct rec r;
    if (!p)
        return E_NOMEM;
    err bad = rt_fs->pread(e->from->fd, p, f->len, f->off, &n);
    if (bad)
        return bad;
    if (n < f->len || !rec_load(p, &r) || r.gen != e->from->gen || r.id != f->id || REC_HEAD + r.length != f->len ||
        crc32c(0, p + REC_HEAD, r.length) != r.sum) {
        quarantine(e, e->from, f->off, p, n, "record does not check");
        return E_CORRUPT;
    }
    r.batch = f->off;
    rec_store(p, &r);
    out->n += f->len;
    e->copied++;
    return OK;
}

static err fill_copy(struct engine *e, struct buf *out)
{
    struct foot_entry f;
    str meta;
    err bad = OK;
    while (!bad && out->n < COPY_BYTES && foot_next(&e->list_rest, &f, &meta)) {
        lock_take(&e->lock);
        bool needed = apply_needed(e, e->from, &f);
        lock_drop(&e->lock);
        if (needed)
            bad = fetch(e, &f, out);
    }
    return bad;
}

bool compact_step(struct engine *e)
{
    if (!e->from && !begin(e))
        return false;
    struct spool_group g;
    spool_group_init(&g);
    g.copies = true;
    buf_init(&g.bytes, SEGMENT_MAX);
    err bad = fill_copy(e, &g.bytes);
    bool more = g.bytes.n > 0;
    if (!bad && more)
        bad = e->submit(e, &g);
    spool_group_free(&g);
    if (bad || !more)
        end(e, !bad, bad == E_CORRUPT);
    return !bad || bad == E_CORRUPT;
}

void engine_gauges(struct engine *e, bool end)
{
    int64_t all = 0, spare = 0;
    lock_take(&e->lock);
    for (uint32_t i = 0; i < e->nsegs && !end; i++)
        all += e->segs[i] != NULL;
    spare = end ? 0 : engine_spares(e);
    lock_drop(&e->lock);
    metric_add(M_spool_segments, all - e->shown_all);
    metric_add(M_spool_free, spare - e->shown_spare);
    e->shown_all = all;
    e->shown_spare = spare;
}

bool engine_help(struct engine *e)
{
    if (!pick(e, is_ready))
        engine_prepare(e, true); /* without room: later */
    bool more = free_one(e) || seal_one(e) || delete_surplus(e) || compact_step(e);
    engine_gauges(e, false);
    return more;
}
