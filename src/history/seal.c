/* Finishing a segment: its records are packed into blocks, and the index is sorted and written behind them. */
#include "history/internal.h"
#include "base/codec.h"

#include <fcntl.h>
#include <stdlib.h>
#include <zstd.h>

enum { LEVEL = 3, PAIRS_MAX = 4 * KEYS_MAX, RADIX = 1 << 16 };

struct sealer {
    int in, out;
    uint64_t size, at; /* of the raw file; where the next octets of the finished one go */
    struct table t;
    struct footer f;
    ZSTD_CCtx *pack;
    struct buf frame, block, packed, rows;
    struct block_row now; /* of the block being filled */
    uint64_t *pair;       /* key << 16 | block */
    size_t npairs, cap;
};

static err write_out(struct sealer *s, const void *p, size_t n)
{
    struct iovec v = {(void *)p, n};
    err e = n ? rt_fs->pwritev(s->out, &v, 1, s->at) : OK;
    s->at += n;
    return e;
}

static err pair_add(struct sealer *s, uint32_t key)
{
    if (s->npairs == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16384;
        uint64_t *v = cap <= PAIRS_MAX ? realloc(s->pair, cap * sizeof *v) : NULL;
        if (!v)
            return E_NOMEM;
        s->pair = v;
        s->cap = cap;
    }
    s->pair[s->npairs++] = (uint64_t)key << 16 | s->f.nblocks;
    return OK;
}

static err block_end(struct sealer *s)
{
    char row[BLOCK_ROW];
    if (s->block.n == 0)
        return OK;
    buf_clear(&s->packed);
    size_t bound = ZSTD_compressBound(s->block.n);
    char *to = buf_room(&s->packed, bound);
    if (!to || s->f.nblocks == BLOCKS_MAX)
        return to ? E_LIMIT : E_NOMEM;
    size_t n = ZSTD_compressCCtx(s->pack, to, bound, s->block.p, s->block.n, LEVEL);
    if (ZSTD_isError(n))
        return E_NOMEM;
    s->now.at = s->at;
    s->now.packed = (uint32_t)n;
    s->now.size = (uint32_t)s->block.n;
    s->now.crc = crc32c(0, to, n);
    block_row_put(row, &s->now);
    buf_add(&s->rows, (str){row, sizeof row});
    s->f.nblocks++;
    buf_clear(&s->block);
    return s->rows.e ? s->rows.e : write_out(s, to, n);
}

static void note_time(struct sealer *s, int64_t ms)
{
    bool first = s->block.n == 0;
    if (first || ms < s->now.first_ms)
        s->now.first_ms = ms;
    if (first || ms > s->now.last_ms)
        s->now.last_ms = ms;
    if (s->f.events == 0 || ms < s->f.first_ms)
        s->f.first_ms = ms;
    if (s->f.events == 0 || ms > s->f.last_ms)
        s->f.last_ms = ms;
    s->f.events++;
}

static void note_ids(struct sealer *s, const struct record *r)
{
    const struct row *row = r->event < s->t.n ? &s->t.v[r->event] : NULL;
    for (size_t i = 0; row && i < r->n && i < row->n; i++) {
        uint64_t id = (uint64_t)r->v[i].n;
        if (row->role[i] != ROLE_ID || r->v[i].kind == LF_STR || !id)
            continue;
        if (id < s->f.min_id)
            s->f.min_id = id;
        if (id > s->f.max_id)
            s->f.max_id = id;
    }
}

static err add_record(struct sealer *s, const struct record *r, str octets)
{
    uint32_t key[HISTORY_FIELDS];
    err e = OK;
    note_time(s, r->ms);
    note_ids(s, r);
    for (size_t i = 0, n = record_keys(&s->t, r, key); e == OK && i < n; i++)
        e = pair_add(s, key[i]);
    buf_add(&s->block, octets);
    if (e == OK)
        e = s->block.e;
    return e == OK && s->block.n >= BLOCK_SIZE ? block_end(s) : e;
}

static err add_frames(struct sealer *s, uint64_t at)
{
    struct frame f;
    uint64_t skipped;
    err e;
    while ((e = frame_next(s->in, s->size, &at, &s->frame, &f, &skipped)) == OK) {
        struct cur c = cur_of(str_skip(buf_str(&s->frame), 4 * (size_t)f.nkeys));
        struct record r;
        for (const char *from = c.p; e == OK && record_next(&c, &r); from = c.p)
            e = add_record(s, &r, (str){from, (size_t)(c.p - from)});
        if (e)
            return e;
    }
    return e == E_NOT_FOUND ? block_end(s) : e;
}

/* ---- the index ---- */

/* Three passes over 16 bits each, the lowest first. */
static err sort_pairs(struct sealer *s)
{
    AUTO_FREE uint64_t *other = malloc(s->npairs * sizeof *other + 1);
    AUTO_FREE uint32_t *count = malloc(RADIX * sizeof *count);
    if (!other || !count)
        return E_NOMEM;
    for (int shift = 0; shift < 48; shift += 16) {
        memset(count, 0, RADIX * sizeof *count);
        for (size_t i = 0; i < s->npairs; i++)
            count[(s->pair[i] >> shift) % RADIX]++;
        uint32_t sum = 0;
        for (size_t i = 0; i < RADIX; i++) {
            uint32_t n = count[i];
            count[i] = sum;
            sum += n;
        }
        for (size_t i = 0; i < s->npairs; i++)
            other[count[(s->pair[i] >> shift) % RADIX]++] = s->pair[i];
        uint64_t *swap = s->pair;
        s->pair = other;
        other = swap;
    }
    size_t n = 0;
    for (size_t i = 0; i < s->npairs; i++)
        if (n == 0 || s->pair[n - 1] != s->pair[i])
            s->pair[n++] = s->pair[i];
    s->npairs = n;
    return OK;
}

static err write_index(struct sealer *s)
{
    err e = sort_pairs(s);
    while (s->f.bits < 16 && s->npairs >> s->f.bits > 16)
        s->f.bits++;
    size_t ranges = (size_t)1 << s->f.bits;
    AUTO_FREE char *out = malloc(4 * (ranges + 1) + 4 * s->npairs);
    if (e || !out)
        return e ? e : E_NOMEM;
    char *dir = out, *entry = out + 4 * (ranges + 1);
    size_t i = 0;
    for (size_t range = 0; range <= ranges; range++) {
        dir = put(dir, i, 4);
        for (; i < s->npairs && range < ranges; i++) {
            uint32_t key = (uint32_t)(s->pair[i] >> 16);
            if (s->f.bits && key >> (32 - s->f.bits) != range)
                break;
            entry = put(put(entry, (uint32_t)(key << s->f.bits) >> 16, 2), s->pair[i] & 0xffff, 2);
        }
    }
    s->f.nentries = (uint32_t)s->npairs;
    s->f.dir_at = s->at;
    s->f.entries_at = s->at + 4 * (ranges + 1);
    return write_out(s, out, (size_t)(entry - out));
}

static err write_segment(struct sealer *s, uint64_t data)
{
    AUTO_BUF head;
    char footer[FOOTER];
    buf_init(&head, TABLE_MAX + HEAD_SIZE);
    file_head(&head, SEG_MAGIC, &s->t);
    err e = head.e ? head.e : write_out(s, head.p, head.n);
    if (e == OK)
        e = add_frames(s, data);
    if (e || s->f.events == 0)
        return e ? e : E_NOT_FOUND;
    s->f.blocks_at = s->at;
    e = write_out(s, s->rows.p, s->rows.n);
    if (e == OK)
        e = write_index(s);
    footer_put(footer, &s->f);
    if (e == OK)
        e = write_out(s, footer, sizeof footer);
    /* Once an hour, or once in 64 MiB: else a power failure could take a whole segment after its raw form is gone. */
    return e ? e : rt_fs->datasync(s->out);
}

static err begin(struct sealer *s, int dirfd, const char *folder, const char *stem, uint64_t *ret_data)
{
    *s = (struct sealer){.in = -1, .out = -1, .f.min_id = UINT64_MAX};
    buf_init(&s->frame, FRAME_MAX + 4 * (size_t)KEYS_MAX);
    buf_init(&s->block, BLOCK_MAX);
    buf_init(&s->packed, ZSTD_COMPRESSBOUND(BLOCK_MAX));
    buf_init(&s->rows, (size_t)BLOCKS_MAX * BLOCK_ROW);
    err e = stem_open(dirfd, folder, stem, ".raw", O_RDONLY, &s->in);
    if (e == OK)
        e = rt_fs->size(s->in, &s->size);
    if (e == OK)
        e = file_head_read(s->in, RAW_MAGIC, &s->t, ret_data);
    if (e == OK && !(s->pack = ZSTD_createCCtx()))
        e = E_NOMEM;
    return e ? e : stem_open(dirfd, folder, stem, ".tmp", O_WRONLY | O_CREAT | O_TRUNC, &s->out);
}

static void end(struct sealer *s)
{
    if (s->in >= 0)
        rt_fs->close(s->in);
    if (s->out >= 0)
        rt_fs->close(s->out);
    table_free(&s->t);
    ZSTD_freeCCtx(s->pack);
    buf_free(&s->frame);
    buf_free(&s->block);
    buf_free(&s->packed);
    buf_free(&s->rows);
    free(s->pair);
}

err seal(int dirfd, const char *folder, const char *stem)
{
    struct sealer s;
    uint64_t data = 0;
    err e = begin(&s, dirfd, folder, stem, &data);
    bool unreadable = e == E_CORRUPT || e == E_UNSUPPORTED;
    if (e == OK)
        e = write_segment(&s, data);
    end(&s);
    if (unreadable)
        stem_rename(dirfd, folder, stem, ".raw", ".bad");
    else if (e == OK)
        e = stem_rename(dirfd, folder, stem, ".tmp", ".seg");
    if (e && !unreadable)
        stem_unlink(dirfd, folder, stem, ".tmp");
    if (e == OK || e == E_NOT_FOUND) {
        stem_unlink(dirfd, folder, stem, ".raw");
        return OK;
    }
    return e;
}
