/* Finished segments: reading the footer, the index and blocks. Every number from the file is held to its bounds. */
#include "history/internal.h"
#include "base/codec.h"

#include <fcntl.h>
#include <stdlib.h>
#include <zstd.h>

#define FOOTER_MAGIC 0x01746f6f66687270u /* "prhfoot\1" */
enum { FOOTER_SUMMED = FOOTER - 8 };

void footer_put(char to[FOOTER], const struct footer *f)
{
    char *p = put(to, FOOTER_MAGIC, 8);
    p = put(put(put(p, f->blocks_at, 8), f->dir_at, 8), f->entries_at, 8);
    p = put(put(put(put(p, f->nblocks, 4), f->nentries, 4), f->bits, 4), 0, 4);
    p = put(put(p, (uint64_t)f->first_ms, 8), (uint64_t)f->last_ms, 8);
    p = put(put(put(p, f->min_id, 8), f->max_id, 8), f->events, 8);
    put(put(p, crc32c(0, to, FOOTER_SUMMED), 4), 0, 4);
}

err footer_parse(const char from[FOOTER], uint64_t file_size, struct footer *f)
{
    struct cur c = cur_of((str){from, FOOTER});
    uint64_t magic = cur_u64(&c);
    f->blocks_at = cur_u64(&c), f->dir_at = cur_u64(&c), f->entries_at = cur_u64(&c);
    f->nblocks = cur_u32(&c), f->nentries = cur_u32(&c), f->bits = cur_u32(&c);
    cur_u32(&c);
    f->first_ms = (int64_t)cur_u64(&c), f->last_ms = (int64_t)cur_u64(&c);
    f->min_id = cur_u64(&c), f->max_id = cur_u64(&c), f->events = cur_u64(&c);
    uint32_t crc = cur_u32(&c);
    if (magic != FOOTER_MAGIC || crc != crc32c(0, from, FOOTER_SUMMED) || f->bits > 16 || f->nblocks > BLOCKS_MAX ||
        f->nentries > 16 * KEYS_MAX || file_size < FOOTER)
        return E_CORRUPT;
    uint64_t end = file_size - FOOTER, dir = 4 * ((1ull << f->bits) + 1);
    bool fits = f->blocks_at <= end && f->nblocks * (uint64_t)BLOCK_ROW <= end - f->blocks_at && f->dir_at <= end &&
                dir <= end - f->dir_at && f->entries_at <= end && f->nentries * 4ull <= end - f->entries_at;
    return fits ? OK : E_CORRUPT;
}

void block_row_put(char to[BLOCK_ROW], const struct block_row *b)
{
    char *p = put(put(put(put(put(to, b->at, 8), b->packed, 4), b->size, 4), b->crc, 4), 0, 4);
    put(put(p, (uint64_t)b->first_ms, 8), (uint64_t)b->last_ms, 8);
}

void block_row_parse(const char from[BLOCK_ROW], struct block_row *b)
{
    struct cur c = cur_of((str){from, BLOCK_ROW});
    b->at = cur_u64(&c);
    b->packed = cur_u32(&c), b->size = cur_u32(&c), b->crc = cur_u32(&c);
    cur_u32(&c);
    b->first_ms = (int64_t)cur_u64(&c), b->last_ms = (int64_t)cur_u64(&c);
}

/* All n octets at `at`, or E_CORRUPT. */
static err read_at(int fd, void *p, size_t n, uint64_t at)
{
    size_t got;
    err e = rt_fs->pread(fd, p, n, at, &got);
    return e ? e : got == n ? OK : E_CORRUPT;
}

err segment_open(struct segment *s, int dirfd, const char *folder, const char *stem)
{
    char footer[FOOTER];
    uint64_t size;
    *s = (struct segment){.fd = -1};
    err e = stem_open(dirfd, folder, stem, ".seg", O_RDONLY, &s->fd);
    if (e)
        return e;
    e = rt_fs->size(s->fd, &size);
    if (e == OK)
        e = size < FOOTER ? E_CORRUPT : read_at(s->fd, footer, FOOTER, size - FOOTER);
    if (e == OK)
        e = footer_parse(footer, size, &s->f);
    if (e)
        segment_close(s);
    return e;
}

void segment_close(struct segment *s)
{
    if (s->fd >= 0)
        rt_fs->close(s->fd);
    if (s->has_table)
        table_free(&s->t);
    s->fd = -1;
    s->has_table = false;
}

err segment_table(struct segment *s)
{
    uint64_t data;
    err e = s->has_table ? OK : file_head_read(s->fd, SEG_MAGIC, &s->t, &data);
    s->has_table |= e == OK;
    return e;
}

err segment_blocks(const struct segment *s, uint32_t key, uint8_t *bits)
{
    enum { PART = 256 }; /* entries read at once */
    uint32_t range = s->f.bits ? key >> (32 - s->f.bits) : 0;
    uint16_t rest = (uint16_t)((key << s->f.bits) >> 16);
    char bounds[8], part[4 * PART];
    err e = read_at(s->fd, bounds, sizeof bounds, s->f.dir_at + 4ull * range);
    struct cur c = cur_of((str){bounds, sizeof bounds});
    uint32_t from = cur_u32(&c), to = cur_u32(&c);
    if (e == OK && (from > to || to > s->f.nentries))
        e = E_CORRUPT;
    while (e == OK && from < to) {
        uint32_t n = to - from < PART ? to - from : PART;
        e = read_at(s->fd, part, 4 * n, s->f.entries_at + 4ull * from);
        c = cur_of((str){part, e ? 0 : 4 * n});
        while (c.n) {
            uint16_t hash = cur_u16(&c), block = cur_u16(&c);
            if (hash == rest && block < s->f.nblocks)
                bits[block / 8] |= (uint8_t)(1u << block % 8);
        }
        from += n;
    }
    return e;
}

err segment_row(const struct segment *s, uint32_t block, struct block_row *ret)
{
    char row[BLOCK_ROW];
    err e = read_at(s->fd, row, sizeof row, s->f.blocks_at + (uint64_t)block * BLOCK_ROW);
    if (e)
        return e;
    block_row_parse(row, ret);
    return ret->packed <= ZSTD_COMPRESSBOUND(BLOCK_MAX) && ret->size <= BLOCK_MAX ? OK : E_CORRUPT;
}

err segment_read(const struct segment *s, const struct block_row *row, struct buf *packed, struct buf *out)
{
    buf_clear(packed);
    buf_clear(out);
    char *from = buf_room(packed, row->packed), *to = buf_room(out, row->size);
    if (!from || !to)
        return E_NOMEM;
    err e = read_at(s->fd, from, row->packed, row->at);
    if (e)
        return e;
    if (crc32c(0, from, row->packed) != row->crc)
        return E_CORRUPT;
    size_t n = ZSTD_decompress(to, row->size, from, row->packed);
    if (ZSTD_isError(n) || n != row->size)
        return E_CORRUPT;
    out->n = n;
    return OK;
}
