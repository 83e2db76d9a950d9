/*
 * Start: finds the segments, decides what each holds, replays their records in order of generations, and
 * picks the segment to go on in. docs/SPOOL.md 4 says who repairs what.
 */
#include "spool/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct recovery {
    struct engine *e;
    struct due due;
    struct seg **order; /* LOG segments by generation */
    size_t n;
    struct buf names; /* slots found, u32 each */
    struct buf foot;  /* the footer that is being read: one block for all of them */
    err bad;
};

void engine_seen(struct engine *e, uint64_t id, uint64_t next_stamp)
{
    if (id > atomic_load(&e->last_id) && id < 1ull << 63)
        atomic_store(&e->last_id, id);
    if (next_stamp > e->stamp)
        e->stamp = next_stamp;
}

bool seg_parse_name(const char *name, uint32_t *ret)
{
    uint32_t slot = 0;
    if (strncmp(name, "seg-", 4) != 0 || strlen(name) != 12)
        return false;
    for (const char *p = name + 4; *p; p++) {
        int v = ascii_digit(*p) ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : -1;
        if (v < 0)
            return false;
        slot = slot << 4 | (uint32_t)v;
    }
    *ret = slot;
    return slot < 1u << 24;
}

static void see_name(void *arg, const char *name)
{
    struct recovery *r = arg;
    uint32_t slot;
    if (!strncmp(name, "new-", 4))
        rt_fs->unlink(r->e->dir, name);
    else if (seg_parse_name(name, &slot))
        buf_put_u32(&r->names, slot);
}

/* ---- heads --------------------------------------------------------------------------------------- */

static err unreadable(const struct seg *s, err why)
{
    char name[16];
    seg_name(name, "seg", s->slot);
    rt_log(EV_spool_failed, log_c(name), log_c("read"), log_err(why));
    return why;
}

/* Without a head the first batch or the trailer still tell the generation; 0: neither. */
static err guess_gen(struct seg *s, uint64_t *ret)
{
    char p[TRAILER_BYTES];
    struct batch_head b;
    struct trailer t;
    size_t n;
    *ret = 0;
    err bad = rt_fs->pread(s->fd, p, BATCH_HEAD, DATA_START, &n);
    if (!bad && n == BATCH_HEAD && batch_load(p, &b))
        *ret = b.gen;
    if (bad || *ret)
        return bad ? unreadable(s, bad) : OK;
    bad = rt_fs->pread(s->fd, p, sizeof p, s->size - PAGE, &n);
    if (!bad && n == sizeof p && trailer_load(p, &t))
        *ret = t.gen;
    return bad ? unreadable(s, bad) : OK;
}

static err take_head(struct engine *e, struct seg *s, const struct seg_head *h)
{
    s->gen = h->gen;
    s->turn = h->turn;
    s->state = h->state == HEAD_FREE ? SEG_FREE : SEG_SEALED;
    if (h->size >= SEGMENT_MIN && h->size <= s->size)
        s->size = h->size;
    engine_seen(e, h->last_id, h->stamp);
    s->cut = h->cut;
    return cuts_seen(e, h);
}

/* The valid head with the greater (generation, turn). E_CORRUPT: neither is valid. One that cannot be read might be the
 * one in force: what the other says must not be believed. */
err seg_read_head(struct engine *e, struct seg *s)
{
    struct seg_head best = {0}, h;
    char p[HEAD_BYTES];
    bool any = false;
    for (uint8_t i = 0; i < 2; i++) {
        size_t n;
        err bad = rt_fs->pread(s->fd, p, sizeof p, i * (uint64_t)PAGE, &n);
        if (bad)
            return unreadable(s, bad);
        if (n < sizeof p || !head_load(p, &h))
            continue;
        if (h.version != 1) {
            rt_log(EV_spool_version, log_num(s->slot), log_num(h.version));
            return E_UNSUPPORTED;
        }
        if (any && (h.gen < best.gen || (h.gen == best.gen && h.turn < best.turn)))
            continue;
        best = h;
        s->head_slot = i;
        any = true;
    }
    return any ? take_head(e, s, &best) : E_CORRUPT;
}

static err repair_head(struct engine *e, struct seg *s, bool *ret_gone)
{
    char name[16];
    uint64_t gen;
    err bad = guess_gen(s, &gen);
    if (bad)
        return bad;
    seg_name(name, "seg", s->slot);
    if (gen) {
        quarantine(e, s, 0, NULL, 0, "head does not check, made anew");
        s->state = SEG_SEALED;
        s->gen = gen;
        seg_write_head(e, s, HEAD_LOG, gen);
        return OK;
    }
    quarantine_file(e, name);
    *ret_gone = true;
    return OK;
}

static err open_segment(struct recovery *r, uint32_t slot)
{
    struct engine *e = r->e;
    struct seg *s = seg_new(e, slot);
    char name[16];
    bool gone = false;
    if (!s)
        return E_NOMEM;
    seg_name(name, "seg", slot);
    err bad = rt_fs->open(e->dir, name, O_RDWR, 0, &s->fd);
    if (!bad)
        bad = rt_fs->size(s->fd, &s->size);
    if (bad)
        return bad;
    if (s->size < SEGMENT_MIN || s->size > SEGMENT_MAX) {
        quarantine_file(e, name);
        gone = true;
    } else {
        bad = seg_read_head(e, s);
        if (bad == E_CORRUPT)
            bad = repair_head(e, s, &gone);
    }
    if (gone)
        seg_delete(e, s);
    else if (s->gen >> 32 > e->gens)
        e->gens = (uint32_t)(s->gen >> 32);
    return bad;
}

/* ---- records -------------------------------------------------------------------------------------- */

static bool is_state(const struct foot_entry *f) { return f->type == REC_RESULTS || f->type == REC_RETRIES; }

static err replay_record(struct recovery *r, struct seg *s, const struct foot_entry *f, uint32_t at)
{
    struct engine *e = r->e;
    struct rec rec = {.type = f->type, .id = f->id, .aux = f->aux};
    engine_seen(e, f->id, is_state(f) ? f->aux + 1 : 0);
    if (is_state(f)) {
        s->has_states = true;
        return OK;
    }
    err bad = apply_reserve(e, &rec, 1);
    if (!bad && f->type == REC_MESSAGE)
        bad = due_found(&r->due, &(struct found){f->id, s->slot, f->off, at, f->meta});
    if (!bad)
        apply(e, s, f);
    return bad == E_LIMIT ? OK : bad;
}

static err replay_state(struct recovery *r, struct seg *s, const struct foot_entry *f, uint32_t at)
{
    if (!is_state(f))
        return OK;
    apply(r->e, s, f);
    if (!index_find(&r->e->index, f->id))
        return OK;
    return due_told(&r->due, &(struct told){f->id, f->aux, s->slot, at, f->meta, f->type});
}

/* `base`: where the footer lies in the file; 0: the entries came from a scan. The index is asked for ids a few entries
 * ahead, because no place of a large one is in the processor's caches. */
static err replay(struct recovery *r, struct seg *s, str entries, uint64_t base, bool states)
{
    enum { AHEAD = 8 };
    const char *start = entries.p;
    struct foot_entry f;
    str meta, ahead = entries;
    err bad = OK;
    for (int i = 0; i < AHEAD; i++)
        foot_next(&ahead, &f, &meta);
    while (!bad && foot_next(&entries, &f, &meta)) {
        struct foot_entry later;
        str skipped;
        if (foot_next(&ahead, &later, &skipped))
            index_fetch(&r->e->index, later.id);
        uint32_t at = base ? (uint32_t)(base + (uint64_t)(meta.p - start)) : f.off + REC_HEAD;
        bad = states ? replay_state(r, s, &f, at) : replay_record(r, s, &f, at);
    }
    return bad;
}

/* A scanned segment keeps its entries, for the second pass and for the footer that it is to get. */
static err replay_scan(struct recovery *r, struct seg *s)
{
    bool damaged = false;
    uint32_t cut = engine_cut_of(r->e, s);
    err bad = scan_segment(r->e, s, cut, &damaged);
    if (bad)
        return bad;
    s->whole = !cut && !damaged && !s->stuck;
    return replay(r, s, buf_str(&s->foot), 0, false);
}

/* Messages and ends. */
static err replay_segment(struct recovery *r, struct seg *s)
{
    struct trailer t;
    err bad = foot_read(s, &r->foot, &t);
    if (bad == E_NOMEM)
        return bad;
    if (bad)
        return replay_scan(r, s);
    s->end = t.end;
    s->batch = s->durable = t.batch;
    s->footed = true;
    return replay(r, s, buf_str(&r->foot), t.at, false);
}

/* What was recorded about them. Later, because a message that was copied forward may lie behind its states. */
static err replay_states(struct recovery *r, struct seg *s)
{
    struct trailer t;
    if (!s->has_states)
        return OK;
    if (!s->footed)
        return replay(r, s, buf_str(&s->foot), 0, true);
    err bad = foot_read(s, &r->foot, &t);
    return bad ? bad : replay(r, s, buf_str(&r->foot), t.at, true);
}

/* Whether it may go on: nothing is known against it, and there is room. */
static void settle(struct seg *s)
{
    if (s->footed)
        return;
    s->foot.max = s->size / 4;
    s->nofoot = s->foot.n > s->foot.max || !foot_pays(s) || s->end + page_up(s->foot.n) + PAGE > s->size;
    if (s->whole && s->end + 8 * PAGE + page_up(s->foot.n) < s->size)
        s->state = s->end == DATA_START && !s->batch ? SEG_READY : SEG_ACTIVE;
    if (s->nofoot)
        foot_drop(s);
}

/* ---- all together --------------------------------------------------------------------------------- */

static int by_gen(const void *a, const void *b)
{
    const struct seg *x = *(struct seg *const *)a, *y = *(struct seg *const *)b;
    return x->gen < y->gen ? -1 : x->gen > y->gen;
}

static err replay_all(struct recovery *r)
{
    struct engine *e = r->e;
    err bad = OK;
    r->order = calloc(e->nsegs + 1, sizeof *r->order);
    if (!r->order)
        return E_NOMEM;
    for (uint32_t i = 0; i < e->nsegs; i++)
        if (e->segs[i] && e->segs[i]->state != SEG_FREE)
            r->order[r->n++] = e->segs[i];
    qsort(r->order, r->n, sizeof *r->order, by_gen);
    for (size_t i = 0; i < r->n && !bad; i++)
        bad = replay_segment(r, r->order[i]);
    for (size_t i = 0; i < r->n && !bad; i++) {
        bad = replay_states(r, r->order[i]);
        settle(r->order[i]);
    }
    return bad;
}

/* Only the newest segment goes on. */
static void choose_active(struct recovery *r)
{
    struct engine *e = r->e;
    for (size_t i = r->n; i-- > 0;) {
        struct seg *s = r->order[i];
        if (s->state == SEG_ACTIVE && !e->active && e->last_gen < s->gen)
            e->active = s;
        else if (s->state == SEG_ACTIVE)
            s->state = SEG_SEALED;
        if (s->batch && s->gen > e->last_gen)
            e->last_gen = s->gen;
    }
}

/* Where the first batch begins that no later one calls durable. */
static uint64_t unproven(const struct seg *s)
{
    uint64_t from = s->end;
    uint32_t durable = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t at = DATA_START; at < from;) {
            char p[BATCH_HEAD];
            struct batch_head h;
            size_t n;
            bool good =
                !rt_fs->pread(s->fd, p, sizeof p, at, &n) && n == sizeof p && batch_load(p, &h) && h.gen == s->gen;
            if (good && !pass && h.durable > durable)
                durable = h.durable;
            if (good && pass && h.number > durable)
                from = at;
            at += good && h.length ? page_up(h.length) : PAGE;
        }
    return from;
}

/* The same octets once more: a sync that failed earlier, in a process that is gone, may have left pages that look clean
 * and are on no disk. */
static err renew(const struct seg *s)
{
    enum { STEP = 1 << 20 };
    char *p = malloc(STEP);
    err bad = p ? OK : E_NOMEM;
    size_t n;
    for (uint64_t at = unproven(s); !bad && at < s->end; at += n) {
        bad = rt_fs->pread(s->fd, p, s->end - at < STEP ? s->end - at : STEP, at, &n);
        if (!bad && !n)
            break;
        bad = bad ? bad : rt_fs->pwritev(s->fd, &(struct iovec){p, n}, 1, at);
    }
    free(p);
    return bad ? bad : rt_fs->datasync(s->fd);
}

/* After a killed process the last batches and names may be in the cache only: they are on the disk before anybody acts
 * on what they say. When that fails nothing was decided yet, and the next start reads what there is then. */
static err sync_all(struct recovery *r)
{
    err bad = rt_fs->sync(r->e->dir);
    for (size_t i = 0; i < r->n && !bad; i++) {
        struct seg *s = r->order[i];
        bad = !s->footed && s->batch ? renew(s) : OK;
        if (!bad)
            continue;
        char name[16];
        seg_name(name, "seg", s->slot);
        rt_log(EV_spool_failed, log_c(name), log_c("sync"), log_err(bad));
    }
    return bad;
}

/* Pieces whose message never came. */
static void drop_chunks(struct engine *e)
{
    struct map_iter it = map_begin(&e->chunks);
    for (struct map_node *n; (n = map_each(&it));) {
        uint64_t id = container_of(n, struct chunks, node)->id;
        if (!index_find(&e->index, id))
            chunks_end(e, id);
    }
}

static err run(struct recovery *r, spool_due_fn *due, void *arg)
{
    struct engine *e = r->e;
    err bad = rt_fs->list(e->dir, ".", see_name, r);
    if (!bad)
        bad = r->names.e;
    struct cur c = cur_of(buf_str(&r->names));
    while (!bad && c.n)
        bad = open_segment(r, cur_u32(&c));
    if (!bad)
        bad = replay_all(r);
    buf_free(&r->foot);
    if (!bad)
        bad = sync_all(r);
    if (bad)
        return bad;
    choose_active(r);
    cuts_recovered(e);
    drop_chunks(e);
    return due_call(&r->due, due, arg);
}

err recover(struct engine *e, spool_due_fn *due, void *arg)
{
    struct recovery r = {.e = e, .due = {.e = e}};
    rt_time begun = rt_now_fresh();
    buf_init(&r.names, 64 << 20);
    err bad = run(&r, due, arg);
    if (!bad)
        rt_log(EV_spool_recovered, log_num((int64_t)e->index.n), log_num((int64_t)r.n),
               log_num((rt_now_fresh() - begun) / RT_MS));
    due_free(&r.due);
    free(r.order);
    buf_free(&r.names);
    return bad;
}
