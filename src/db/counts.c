/*
 * A file: magic, sequence, the two halves of the key, length of the records and their CRC32C, then records: letter,
 * key, length, numbers. The file with the higher sequence that is whole counts; the other one is written next.
 */
#include "db/counts.h"
#include "base/codec.h"

#include <fcntl.h>
#include <stdlib.h>

enum { HEAD = 48, RECORD_HEAD = 11, FILE_MAX = 32 << 20 };
static const char magic[] = "PRCOUNT1";

struct counts_out {
    struct buf *b;
    char letter;
    uint32_t n;
};

static struct {
    const struct counts_owner *owner[COUNTS_OWNERS];
    int n;
    int fd[2];
    uint64_t sequence, k0, k1;
    bool open;
    err last; /* what became of the last attempt, so that a full disk is told once */
} counts = {.fd = {-1, -1}};

uint64_t counts_hash(char owner, str name)
{
    uint64_t k0 = counts.k0 ^ (uint64_t)(unsigned char)owner;
    return counts.open ? str_ihash_keyed(k0, counts.k1, name)
                       : str_ihash(name) ^ ((uint64_t)(unsigned char)owner << 56);
}

void counts_register(const struct counts_owner *o)
{
    for (int i = 0; i < counts.n; i++)
        if (counts.owner[i] == o)
            return;
    if (counts.n < COUNTS_OWNERS)
        counts.owner[counts.n++] = o;
}

int64_t counts_wall(rt_time t) { return t ? rt_wall_ms() - (rt_now() - t) / RT_MS : 0; }

/* What lies in the future, as after a change of the clock, is taken for a day at most. */
rt_time counts_moment(int64_t wall_ms)
{
    static const int64_t most = 86400000;
    int64_t ago = rt_wall_ms() - wall_ms;
    if (!wall_ms)
        return 0;
    return rt_now() - (ago < -most ? -most : ago > 400 * most ? 400 * most : ago) * RT_MS;
}

bool counts_put(struct counts_out *o, uint64_t key, str numbers)
{
    if (o->n >= COUNTS_RECORDS_MAX || numbers.n > COUNTS_NUMBERS_MAX || o->b->e)
        return false;
    o->n++;
    buf_put_u8(o->b, (uint8_t)o->letter);
    buf_put_u64(o->b, key);
    buf_put_str16(o->b, numbers);
    return !o->b->e;
}

/* ---- reading ---- */

struct file {
    struct buf b;
    uint64_t sequence, k0, k1;
    str records;
};

static bool read_one(int fd, struct file *f)
{
    uint64_t size = 0;
    size_t got = 0;
    buf_init(&f->b, FILE_MAX);
    if (rt_fs->size(fd, &size) || size < HEAD || size > FILE_MAX)
        return false;
    char *p = buf_room(&f->b, size);
    if (!p || rt_fs->pread(fd, p, size, 0, &got) || got != size)
        return false;
    struct cur c = cur_of(str_mem(p, size));
    bool ours = str_eq(cur_bytes(&c, 8), str_c(magic));
    f->sequence = cur_u64(&c);
    f->k0 = cur_u64(&c);
    f->k1 = cur_u64(&c);
    uint64_t n = cur_u64(&c);
    uint32_t crc = cur_u32(&c);
    (void)cur_u32(&c);
    f->records = str_mem(c.p, c.n);
    uint32_t head = crc32c(0, p, HEAD - 8);
    return ours && !c.bad && n == c.n && crc == crc32c(head, c.p, c.n);
}

static void hand_over(str records)
{
    struct cur c = cur_of(records);
    while (c.n && !c.bad) {
        char letter = (char)cur_u8(&c);
        uint64_t key = cur_u64(&c);
        str numbers = cur_str16(&c);
        for (int i = 0; !c.bad && i < counts.n; i++)
            if (counts.owner[i]->letter == letter) {
                struct cur in = cur_of(numbers);
                counts.owner[i]->load(key, &in);
            }
    }
}

static err open_files(int data_dir)
{
    err e = OK;
    for (int i = 0; i < 2 && !e; i++)
        e = rt_fs->open(data_dir, i ? "counts.1" : "counts.0", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600,
                        &counts.fd[i]);
    return e;
}

err counts_open(int data_dir, struct buf *why)
{
    struct file f[2] = {{.sequence = 0}};
    err e = open_files(data_dir);
    if (e) {
        buf_printf(why, "counts.0, counts.1: %s", err_text(e));
        counts_close();
        return e;
    }
    bool whole[2] = {read_one(counts.fd[0], &f[0]), read_one(counts.fd[1], &f[1])};
    const struct file *best = whole[1] && (!whole[0] || f[1].sequence > f[0].sequence) ? &f[1]
                              : whole[0]                                               ? &f[0]
                                                                                       : NULL;
    counts.k0 = best ? best->k0 : rt_random();
    counts.k1 = best ? best->k1 : rt_random();
    /* the file that is not the best is written next: by the parity of its sequence */
    counts.sequence = best ? best->sequence : 0;
    if (best && (counts.sequence & 1) != (uint64_t)(best == &f[1]))
        counts.sequence++;
    counts.open = true;
    if (best)
        hand_over(best->records);
    buf_free(&f[0].b);
    buf_free(&f[1].b);
    return OK;
}

void counts_close(void)
{
    for (int i = 0; i < 2; i++) {
        if (counts.fd[i] >= 0)
            rt_fs->close(counts.fd[i]);
        counts.fd[i] = -1;
    }
    counts.open = false;
}

/* ---- writing ---- */

static err gather(struct buf *records)
{
    buf_init(records, FILE_MAX - HEAD);
    for (int i = 0; i < counts.n; i++) {
        struct counts_out o = {records, counts.owner[i]->letter, 0};
        counts.owner[i]->save(&o);
    }
    return records->e;
}

static err write_file(struct buf *records)
{
    char mem[HEAD];
    struct buf head;
    uint64_t next = counts.sequence + 1;
    int fd = counts.fd[next & 1];
    buf_init_fixed(&head, mem, sizeof mem);
    buf_add_c(&head, magic);
    buf_put_u64(&head, next);
    buf_put_u64(&head, counts.k0);
    buf_put_u64(&head, counts.k1);
    buf_put_u64(&head, records->n);
    buf_put_u32(&head, crc32c(crc32c(0, mem, HEAD - 8), records->p, records->n));
    buf_put_u32(&head, 0);
    struct iovec v[2] = {{mem, HEAD}, {records->p, records->n}};
    err e = rt_fs->pwritev(fd, v, records->n ? 2 : 1, 0);
    if (!e)
        e = rt_fs->truncate(fd, HEAD + records->n);
    if (!e)
        e = rt_fs->datasync(fd);
    if (!e)
        counts.sequence = next;
    return e;
}

static err told(err e)
{
    if (e && e != counts.last)
        rt_log(EV_counts_failed, log_err(e));
    counts.last = e;
    return e;
}

err counts_save(void)
{
    struct buf records;
    if (!counts.open)
        return E_UNSUPPORTED;
    err e = gather(&records);
    if (!e)
        e = write_file(&records);
    buf_free(&records);
    return told(e);
}

struct job {
    struct buf records;
    err e;
};

static void write_job(void *arg)
{
    struct job *j = arg;
    j->e = write_file(&j->records);
}

/* The numbers are gathered on this loop, where moments can be told, and written by the pool. */
void counts_run(rt_time every)
{
    while (counts.open && fiber_sleep(rt_after(every)) == OK) {
        struct job j = {.e = OK};
        err e = gather(&j.records);
        if (!e)
            e = rt_pool_run(write_job, &j);
        (void)told(e ? e : j.e);
        buf_free(&j.records);
    }
}
