/* Frames: what one write adds to a raw segment. A damaged stretch is passed over up to the next whole frame. */
#include "history/internal.h"
#include "base/codec.h"

static void frame_start(char to[16], uint32_t size, uint32_t nkeys)
{
    put(put(put(put(to, FRAME_MAGIC, 4), size, 4), nkeys, 4), 0, 4);
}

uint32_t frame_crc(uint32_t size, uint32_t nkeys)
{
    char head[16];
    frame_start(head, size, nkeys);
    return crc32c(0, head, sizeof head);
}

void frame_head(char to[FRAME_HEAD], uint32_t size, uint32_t nkeys, uint32_t crc)
{
    frame_start(to, size, nkeys);
    put(to + 16, crc, 4);
}

static bool head_parse(str head, struct frame *f)
{
    struct cur c = cur_of(head);
    uint32_t magic = cur_u32(&c);
    f->size = cur_u32(&c);
    f->nkeys = cur_u32(&c);
    cur_u32(&c);
    f->crc = cur_u32(&c);
    return !c.bad && magic == FRAME_MAGIC && f->size <= FRAME_MAX && f->nkeys <= KEYS_MAX;
}

/* The frame at `at`, if a whole one is there. */
static err frame_at(int fd, uint64_t size, uint64_t at, struct buf *buf, struct frame *ret)
{
    char head[FRAME_HEAD];
    size_t got;
    struct frame f;
    err e = rt_fs->pread(fd, head, sizeof head, at, &got);
    if (e)
        return e;
    if (!head_parse((str){head, got}, &f))
        return E_CORRUPT;
    size_t n = 4 * (size_t)f.nkeys + f.size;
    if (n > size - at - FRAME_HEAD)
        return E_CORRUPT;
    buf_clear(buf);
    char *to = buf_room(buf, n);
    if (!to)
        return E_NOMEM;
    e = rt_fs->pread(fd, to, n, at + FRAME_HEAD, &got);
    if (e)
        return e;
    if (got != n || crc32c(frame_crc(f.size, f.nkeys), to, n) != f.crc)
        return E_CORRUPT;
    buf->n = n;
    f.data = at + FRAME_HEAD;
    *ret = f;
    return OK;
}

/* Where the next magic stands behind `at`; `size` when there is none. */
static uint64_t next_magic(int fd, uint64_t size, uint64_t at)
{
    static const uint32_t magic = FRAME_MAGIC;
    char part[2048];
    size_t got;
    for (at++; at + sizeof magic <= size; at += got - (sizeof magic - 1)) {
        if (rt_fs->pread(fd, part, sizeof part, at, &got) || got < sizeof magic)
            return size;
        size_t found = str_search((str){part, got}, str_mem(&magic, sizeof magic));
        if (found != STR_NONE)
            return at + found;
    }
    return size;
}

err frame_next(int fd, uint64_t size, uint64_t *at, struct buf *buf, struct frame *ret, uint64_t *ret_skipped)
{
    enum { TRIES = 256 }; /* so that a file made of false heads does not cost hours */
    uint64_t from = *at;
    err e = E_CORRUPT;
    for (int i = 0; i < TRIES && e == E_CORRUPT && *at + FRAME_HEAD <= size; i++) {
        e = frame_at(fd, size, *at, buf, ret);
        if (e == E_CORRUPT)
            *at = next_magic(fd, size, *at);
    }
    *ret_skipped = (e == OK ? *at : size) - from;
    if (e == OK)
        *at = ret->data + 4 * (uint64_t)ret->nkeys + ret->size;
    return e == E_CORRUPT ? E_NOT_FOUND : e;
}
