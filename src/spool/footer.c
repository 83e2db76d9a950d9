/* The footer: what a segment holds, in one piece, so that a start need not read the bodies. */
#include "spool/internal.h"

#include <stdlib.h>

void foot_drop(struct seg *s)
{
    s->nofoot = true;
    buf_free(&s->foot);
}

/* It stands for bodies that a start need not read; of results and schedules, which have none, it would be a copy. */
bool foot_pays(const struct seg *s) { return s->foot.n <= s->size / 32 || s->foot.n <= s->end / 3; }

void foot_add(struct seg *s, const struct foot_entry *f, const struct iovec *meta, int nmeta)
{
    char *p = s->nofoot ? NULL : buf_room(&s->foot, FOOT_ENTRY + f->meta);
    if (!p) {
        foot_drop(s); /* no memory, or too large: this segment will be scanned */
        return;
    }
    foot_store(p, f);
    p += FOOT_ENTRY;
    size_t left = f->meta;
    for (int i = 0; i < nmeta && left; i++) {
        size_t n = meta[i].iov_len < left ? meta[i].iov_len : left;
        memcpy(p, meta[i].iov_base, n);
        p += n;
        left -= n;
    }
    s->foot.n += FOOT_ENTRY + f->meta;
    s->nfoot++;
}

err foot_write(struct engine *e, struct seg *s)
{
    char p[TRAILER_BYTES];
    struct trailer t = {
        .gen = s->gen,
        .end = s->end,
        .at = (uint32_t)s->end,
        .length = (uint32_t)s->foot.n,
        .sum = crc32c(0, s->foot.p, s->foot.n),
        .count = s->nfoot,
        .batch = s->batch,
    };
    trailer_store(p, &t);
    err bad = OK;
    if (s->foot.n)
        bad = rt_fs->pwritev(s->fd, &(struct iovec){s->foot.p, s->foot.n}, 1, t.at);
    if (!bad)
        bad = rt_fs->pwritev(s->fd, &(struct iovec){p, sizeof p}, 1, s->size - PAGE);
    if (!bad)
        bad = rt_fs->datasync(s->fd);
    (void)e;
    return bad;
}

err foot_read(struct seg *s, struct buf *out, struct trailer *ret)
{
    char p[TRAILER_BYTES];
    struct trailer t;
    size_t n;
    err bad = rt_fs->pread(s->fd, p, sizeof p, s->size - PAGE, &n);
    if (bad)
        return bad;
    if (n < sizeof p || !trailer_load(p, &t) || t.gen != s->gen || t.end < DATA_START || t.at < t.end ||
        (uint64_t)t.at + t.length > s->size)
        return E_CORRUPT;
    out->max = s->size;
    buf_clear(out);
    char *q = buf_room(out, t.length ? t.length : 1);
    if (!q)
        return E_NOMEM;
    bad = rt_fs->pread(s->fd, q, t.length, t.at, &n);
    out->n = t.length;
    if (!bad && (n < t.length || crc32c(0, q, t.length) != t.sum))
        bad = E_CORRUPT;
    if (bad)
        out->n = 0;
    else
        *ret = t;
    return bad;
}
