/*
 * A start with a file of the spool that says anything. The input is a list of changes to a good folder: two
 * octets of page, two of place, one of length, then octets; checksums of heads and records that it
 * touches are made right again when the first octet is odd, so that it gets past them.
 */
#include "spool/memdisk.h"

static void due(void *arg, const struct envelope *env, const struct rcpt_status *st)
{
    struct buf *ids = arg;
    for (uint32_t i = 0; i < env->nto; i++)
        (void)st[i].reply.n;
    buf_put_u64(ids, env->id);
}

static void put(struct engine *e, uint64_t id, size_t n)
{
    struct spool_group g;
    struct list l = LIST_INIT(l);
    struct recipient to = {.address = S("a@example.test")};
    struct envelope env = {.id = id, .to = &to, .nto = 1};
    struct retry r = {.attempts = 2, .reply = S("451 later")};
    struct body *b = body_new();
    char octets[3000] = {0};
    body_add(b, str_mem(octets, n));
    spool_group_init(&g);
    spool_group_message(&g, &env, b, 0);
    spool_group_retries(&g, id, &r, 1);
    if (id % 3 == 0)
        spool_group_end(&g, id - 1);
    list_push_back(&l, &g.held);
    engine_write(e, &l, true);
    spool_group_free(&g);
    body_drop(&b);
}

static void mend(struct disk_file *f)
{
    for (uint64_t at = 0; at + HEAD_BYTES <= f->size; at += PAGE) {
        char *p = f->now + at;
        if (at < DATA_START)
            put32(p + HEAD_BYTES - 4, crc32c(0, p, HEAD_BYTES - 4));
        else if (at == f->size - PAGE)
            put32(p + TRAILER_BYTES - 4, crc32c(0, p, TRAILER_BYTES - 4));
        else
            put32(p, crc32c(0, p + 4, BATCH_HEAD - 4)), put32(p + 48, crc32c(0, p + 52, REC_HEAD - 4));
    }
}

static void change(const uint8_t *p, size_t n)
{
    bool right = n && *p & 1;
    for (size_t i = 1; i + 5 < n;) {
        struct disk_file *f = &disk.file[p[i] % 3];
        uint64_t at = (uint64_t)(p[i + 1] % 16) * PAGE + (p[i + 2] << 8 | p[i + 3]) % PAGE;
        size_t len = p[i + 4] % 16;
        i += 5;
        for (size_t k = 0; k < len && i < n && at < f->size; k++)
            f->now[at++] = (char)p[i++];
    }
    for (int i = 0; i < 3 && right; i++)
        if (disk.file[i].size)
            mend(&disk.file[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct spool_config c = {.segment_size = 64 * 1024, .spare = 2};
    struct engine *e = NULL;
    struct buf ids;
    buf_init(&ids, 1 << 20);
    rt_log_setup(LOG_ERROR + 1, false, 2);
    disk_reset(3);
    if (engine_open(&e, &c, due, &ids))
        abort();
    for (uint64_t id = 1; id <= 24; id++)
        put(e, id, id * 100);
    for (int i = 0; i < 6; i++)
        engine_help(e);
    engine_close(&e);
    change(p, n);
    if (!engine_open(&e, &c, due, &ids)) {
        struct cur ids_at = cur_of(buf_str(&ids));
        while (ids_at.n) {
            struct spool_reader r;
            str s;
            if (read_open(&r, e, cur_u64(&ids_at), NULL))
                continue;
            while (!spool_read_next(&r, &s) && s.n)
                ;
            spool_read_close(&r);
        }
        put(e, 1000, 10);
        for (int i = 0; i < 20; i++)
            engine_help(e);
    }
    engine_close(&e);
    buf_free(&ids);
    return 0;
}
