/*
 * Writing past the page cache. Batches are whole pages and are seldom read again, and a new segment's zeros never
 * are: through the cache each costs a copy into a page that must first be found, and the zeros
 * many times the processor time of the mail itself. What is gathered here goes out from one aligned buffer. A
 * file system that cannot do it (the open or a first read fails) gets ordinary writes.
 */
#include "spool/internal.h"

#include <fcntl.h>
#include <stdlib.h>

enum { OUT_BYTES = 1 << 20 };

/* The file `name` for direct writes; -1: not possible. */
static int open_direct(struct engine *e, const char *name, char *page)
{
    int fd;
    size_t n;
    if (rt_fs->open(e->dir, name, O_RDWR | O_DIRECT, 0, &fd))
        return -1;
    if (!rt_fs->pread(fd, page, PAGE, 0, &n))
        return fd;
    rt_fs->close(fd);
    return -1;
}

err direct_zero(struct engine *e, struct seg *s, const char *name)
{
    size_t piece = s->size < OUT_BYTES ? s->size : OUT_BYTES;
    char *p = aligned_alloc(PAGE, piece);
    if (!p)
        return E_NOMEM;
    int direct = open_direct(e, name, p), fd = direct >= 0 ? direct : s->fd;
    memset(p, 0, piece);
    err bad = OK;
    for (uint64_t at = 0; at < s->size && !bad; at += piece) {
        size_t n = s->size - at < piece ? s->size - at : piece;
        bad = rt_fs->pwritev(fd, &(struct iovec){p, n}, 1, at);
    }
    if (direct >= 0)
        rt_fs->close(direct);
    free(p);
    return bad;
}

static void use_segment(struct engine *e, const struct seg *s)
{
    struct direct *d = &e->direct;
    char name[16];
    direct_end(e);
    d->gen = s->gen;
    if (!d->out)
        d->out = aligned_alloc(PAGE, OUT_BYTES);
    if (!d->out)
        return;
    seg_name(name, "seg", s->slot);
    d->fd = open_direct(e, name, d->out);
}

void direct_end(struct engine *e)
{
    if (e->direct.fd >= 0)
        rt_fs->close(e->direct.fd);
    e->direct.fd = -1;
    e->direct.gen = 0;
}

err direct_write(struct engine *e, struct seg *s, const struct iovec *v, uint32_t nv, uint64_t at)
{
    struct direct *d = &e->direct;
    if (d->gen != s->gen)
        use_segment(e, s);
    if (d->fd < 0)
        return rt_fs->pwritev(s->fd, v, (int)nv, at);
    size_t n = 0, skip = 0;
    for (err bad; nv;) {
        size_t part = v->iov_len - skip < OUT_BYTES - n ? v->iov_len - skip : OUT_BYTES - n;
        memcpy(d->out + n, (const char *)v->iov_base + skip, part);
        n += part;
        skip += part;
        if (skip == v->iov_len)
            v++, nv--, skip = 0;
        if (n < OUT_BYTES && nv)
            continue;
        bad = rt_fs->pwritev(d->fd, &(struct iovec){d->out, n}, 1, at);
        if (bad)
            return bad;
        at += n;
        n = 0;
    }
    return OK;
}
