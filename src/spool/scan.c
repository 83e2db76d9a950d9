/*
 * Segments without a footer: the batches one after the other, what is torn, what is damaged. The whole
 * file is looked at, because only a later batch tells damage from a torn tail.
 */
#include "spool/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct scan {
    struct engine *e;
    struct seg *s;
    const char *p; /* the file, up to its trailer */
    uint64_t n, off;
    uint32_t cut, last, top; /* last good number, greatest number seen */
};

static bool put_aside(struct engine *e, const char *name, const char *bytes, uint64_t n)
{
    int fd;
    err bad = rt_fs->mkdir(e->dir, "quarantine", 0700);
    if (bad && bad != E_EXISTS)
        return false;
    if (rt_fs->open(e->dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd))
        return false;
    bad = rt_fs->pwritev(fd, &(struct iovec){(void *)bytes, n}, 1, 0);
    if (!bad)
        bad = rt_fs->sync(fd);
    rt_fs->close(fd);
    return !bad;
}

void quarantine(struct engine *e, struct seg *s, uint64_t off, const char *bytes, uint64_t n, const char *why)
{
    char name[16], path[80];
    seg_name(name, "seg", s->slot);
    rt_log(EV_spool_damaged, log_c(name), log_num((int64_t)off), log_num((int64_t)n), log_c(why));
    snprintf(path, sizeof path, "quarantine/%s-%016llx-%llx", name, (unsigned long long)s->gen,
             (unsigned long long)off);
    if (n && !e->dry)
        put_aside(e, path, bytes, n);
}

static bool counts(const struct scan *c, const struct batch_head *h)
{
    return h->gen == c->s->gen && h->number > c->last && (!c->cut || h->number < c->cut);
}

static bool good_record(const struct scan *c, uint64_t at, uint64_t end, uint32_t number, struct rec *r)
{
    return at + REC_HEAD <= end && rec_load(c->p + at, r) && r->gen == c->s->gen && (!number || r->batch == number) &&
           r->length <= end - at - REC_HEAD;
}

static bool whole(const struct scan *c, uint64_t off, struct batch_head *h)
{
    if (off + PAGE > c->n || !batch_load(c->p + off, h) || !counts(c, h) || h->length > c->n - off)
        return false;
    uint64_t at = off + BATCH_HEAD, end = off + h->length;
    struct rec r;
    for (uint32_t i = 0; i < h->count; i++) {
        if (!good_record(c, at, end, h->number, &r) || crc32c(0, c->p + at + REC_HEAD, r.length) != r.sum)
            return false;
        at += REC_HEAD + r.length;
    }
    return at == end;
}

static void emit(const struct scan *c, uint64_t at, const struct rec *r)
{
    struct foot_entry f = {.type = r->type,
                           .flags = r->flags,
                           .id = r->id,
                           .aux = r->aux,
                           .off = (uint32_t)at,
                           .len = REC_HEAD + r->length,
                           .meta = r->meta};
    foot_add(c->s, &f, &(struct iovec){(void *)(c->p + at + REC_HEAD), r->meta}, 1);
}

/* The groups between `at` and `end` whose records are all good. */
static void salvage(const struct scan *c, uint64_t at, uint64_t end)
{
    uint64_t first = 0; /* where the group began; 0: none, or one that is bad */
    for (struct rec r; good_record(c, at, end, 0, &r); at += REC_HEAD + r.length) {
        if (r.flags & REC_FIRST)
            first = at;
        if (crc32c(0, c->p + at + REC_HEAD, r.length) != r.sum)
            first = 0;
        if (!(r.flags & REC_LAST) || !first)
            continue;
        for (struct rec one; first <= at; first += REC_HEAD + one.length) {
            rec_load(c->p + first, &one);
            emit(c, first, &one);
        }
        first = 0;
    }
}

/* The page of the next batch that counts, when some later batch proves that what is missing here was synced. */
static uint64_t after_damage(struct scan *c)
{
    uint64_t next = 0;
    bool proven = false;
    struct batch_head h;
    for (uint64_t at = c->off; at + PAGE <= c->n; at += PAGE) {
        if (!batch_load(c->p + at, &h) || h.gen != c->s->gen)
            continue;
        if (!c->e->running)
            engine_seen(c->e, h.last_id, h.stamp);
        if (h.number > c->top)
            c->top = h.number;
        if (!counts(c, &h))
            continue;
        if (at == c->off)
            continue;
        proven |= h.durable > c->last;
        next = next ? next : at;
    }
    return proven ? next : 0;
}

static void take_batch(struct scan *c, const struct batch_head *h)
{
    uint64_t at = c->off + BATCH_HEAD;
    for (uint32_t i = 0; i < h->count; i++) {
        struct rec r;
        rec_load(c->p + at, &r);
        emit(c, at, &r);
        at += REC_HEAD + r.length;
    }
    if (!c->e->running)
        engine_seen(c->e, h->last_id, h->stamp);
    c->last = h->number;
    c->off += page_up(h->length);
}

static bool walk(struct scan *c)
{
    bool damaged = false;
    for (;;) {
        struct batch_head h;
        if (whole(c, c->off, &h)) {
            take_batch(c, &h);
            continue;
        }
        uint64_t next = after_damage(c);
        if (!next)
            return damaged;
        damaged = true;
        salvage(c, c->off + BATCH_HEAD, next);
        quarantine(c->e, c->s, c->off, c->p + c->off, next - c->off, "batch does not check");
        c->off = next;
        /* A head that checks in front of bad records: do not stop at it again. */
        if (!whole(c, next, &h) && batch_load(c->p + next, &h))
            c->last = h.number - 1;
    }
}

/* Pages that cannot be read count as zeros, and the segment is left as it is: it may be readable another day. */
static void read_image(struct seg *s, char *p, uint64_t n)
{
    size_t got;
    if (!rt_fs->pread(s->fd, p, n, 0, &got)) {
        memset(p + got, 0, n - got);
        return;
    }
    for (uint64_t at = 0; at < n; at += PAGE) {
        if (rt_fs->pread(s->fd, p + at, PAGE, at, &got)) {
            s->stuck = true;
            got = 0;
        }
        memset(p + at + got, 0, PAGE - got);
    }
}

err scan_segment(struct engine *e, struct seg *s, uint32_t cut, bool *ret_damaged)
{
    uint64_t n = s->size - PAGE;
    char *p = malloc(n);
    if (!p)
        return E_NOMEM;
    read_image(s, p, n);
    struct scan c = {.e = e, .s = s, .p = p, .n = n, .off = DATA_START, .cut = cut};
    buf_free(&s->foot);
    buf_init(&s->foot, s->size);
    s->nofoot = false;
    s->nfoot = 0;
    *ret_damaged = walk(&c);
    s->end = c.off;
    s->batch = c.top > c.last ? c.top : c.last;
    s->durable = c.last;
    free(p);
    return s->nofoot ? E_NOMEM : OK;
}

void quarantine_file(struct engine *e, const char *name)
{
    char path[80];
    rt_log(EV_spool_damaged, log_c(name), log_num(0), log_num(0), log_c("neither head nor batch checks"));
    err bad = rt_fs->mkdir(e->dir, "quarantine", 0700);
    snprintf(path, sizeof path, "quarantine/%s-%016llx", name, (unsigned long long)rt_random());
    if (!bad || bad == E_EXISTS)
        rt_fs->rename(e->dir, name, e->dir, path);
}
