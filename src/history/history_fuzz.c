/*
 * Readers of segments on any octets. The first octet chooses: a raw or finished file as it is, or one whose
 * checksums are made right around parts that are cut from the input, so that what lies behind them is reached.
 */
#include "base/codec.h"
#include "history/internal.h"

#include <fcntl.h>

#include <stdlib.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const stem = "20260101000000000";
static struct buf file;
static bool finished;

static err fake_open(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd)
{
    (void)dirfd, (void)path, (void)flags, (void)mode;
    *ret_fd = 3;
    return OK;
}
static void fake_close(int fd) { (void)fd; }
static err fake_pread(int fd, void *p, size_t n, uint64_t at, size_t *ret_n)
{
    (void)fd;
    str s = str_sub(buf_str(&file), at < file.n ? (size_t)at : file.n, file.n);
    *ret_n = s.n < n ? s.n : n;
    if (*ret_n)
        memcpy(p, s.p, *ret_n);
    return OK;
}
static err fake_size(int fd, uint64_t *ret_n)
{
    (void)fd;
    *ret_n = file.n;
    return OK;
}
static err fake_list(int dirfd, const char *path, void (*each)(void *arg, const char *name), void *arg)
{
    (void)dirfd, (void)path;
    char name[NAME_MAX_];
    memcpy(name, stem, STEM);
    memcpy(name + STEM, finished ? ".seg" : ".raw", 5);
    each(arg, name);
    return OK;
}
static const struct rt_fs fake = {
    .open = fake_open, .close = fake_close, .pread = fake_pread, .size = fake_size, .list = fake_list};

static bool print(void *arg, const struct history_event *e)
{
    struct buf *out = arg;
    buf_clear(out);
    history_print(out, e, false);
    history_print(out, e, true);
    return true;
}
static void note(void *arg, const char *path, const char *why)
{
    (void)arg;
    if (!path || !why)
        abort();
}

static void head_of(const char *magic, struct cur *in)
{
    str table = cur_str16(in);
    buf_add(&file, (str){magic, 8});
    if (table.n == 0) { /* our own */
        struct table own;
        if (table_own(&own) == OK) {
            buf_clear(&file);
            file_head(&file, magic, &own);
        }
        table_free(&own);
        return;
    }
    buf_put_u32(&file, (uint32_t)table.n);
    buf_put_u32(&file, crc32c(0, table.p, table.n));
    buf_add(&file, table);
}

static void raw_of(struct cur in)
{
    head_of(RAW_MAGIC, &in);
    while (in.n && !in.bad) {
        char head[FRAME_HEAD];
        str records = cur_str16(&in), keys = cur_str16(&in);
        keys.n -= keys.n % 4;
        uint32_t size = (uint32_t)records.n, nkeys = (uint32_t)(keys.n / 4);
        uint32_t crc = crc32c(crc32c(frame_crc(size, nkeys), keys.p, keys.n), records.p, records.n);
        frame_head(head, size, nkeys, crc);
        buf_add(&file, (str){head, sizeof head});
        buf_add(&file, keys);
        buf_add(&file, records);
    }
}

static void seg_of(struct cur in)
{
    static char packed[ZSTD_COMPRESSBOUND(65536)];
    char row[BLOCK_ROW], foot[FOOTER];
    head_of(SEG_MAGIC, &in);
    str records = cur_str16(&in);
    size_t n = ZSTD_compress(packed, sizeof packed, records.p, records.n, 1);
    struct block_row b = {.at = file.n,
                          .packed = (uint32_t)n,
                          .size = (uint32_t)records.n,
                          .crc = crc32c(0, packed, n),
                          .last_ms = INT64_MAX};
    buf_add(&file, (str){packed, n});
    struct footer f = {.blocks_at = file.n, .nblocks = cur_u8(&in), .last_ms = INT64_MAX, .max_id = UINT64_MAX};
    block_row_put(row, &b);
    buf_add(&file, (str){row, sizeof row});
    f.bits = cur_u8(&in);
    f.nentries = cur_u16(&in);
    f.dir_at = file.n - cur_u8(&in);
    f.entries_at = file.n + cur_u8(&in);
    buf_add(&file, cur_bytes(&in, in.n));
    footer_put(foot, &f);
    buf_add(&file, (str){foot, sizeof foot});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    str rest = {(const char *)data + 1, size - 1};
    struct buf out;
    rt_fs = &fake;
    finished = data[0] & 1;
    buf_init(&file, 8 << 20);
    buf_init(&out, 1 << 20);
    if (!(data[0] & 2))
        buf_add(&file, rest);
    else if (finished)
        seg_of(cur_of(rest));
    else
        raw_of(cur_of(rest));
    uint64_t ids[] = {1, 2};
    struct history_answer a = {print, note, &out};
    history_find(AT_FDCWD, "x", &(struct history_query){0}, &a);
    history_find(AT_FDCWD, "x", &(struct history_query){.ids = ids, .nids = 2, .limit = 3}, &a);
    history_find(AT_FDCWD, "x", &(struct history_query){.address = S("a@b.test")}, &a);
    buf_free(&file);
    buf_free(&out);
    return 0;
}
