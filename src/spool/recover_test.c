/* What a start makes of each kind of damage, and the recycling rules one by one, on a disk in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/memdisk.h"

static struct engine *e;
static uint64_t told[512];
static int ntold;
static struct spool_config config = {.segment_size = 64 * 1024, .spare = 4};

static void due(void *arg, const struct envelope *env, const struct rcpt_status *st)
{
    (void)arg, (void)st;
    told[ntold++] = env->id;
}

static void reopen(void)
{
    engine_close(&e);
    ntold = 0;
    assert_int_equal(engine_open(&e, &config, due, NULL), OK);
}

static void crash(enum crash_mode mode)
{
    engine_close(&e);
    disk_crash(mode);
    reopen();
}

static int setup(void **state)
{
    (void)state;
    disk_reset(1);
    config = (struct spool_config){.segment_size = 64 * 1024, .spare = 4};
    reopen();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    engine_close(&e);
    disk_reset(1);
    rt_fs = &rt_fs_real;
    return 0;
}

static bool was_told(uint64_t id)
{
    for (int i = 0; i < ntold; i++)
        if (told[i] == id)
            return true;
    return false;
}

static void fill(struct spool_group *g, uint64_t id, size_t n)
{
    struct recipient to = {.address = S("a@example.test")};
    struct envelope env = {.id = id, .sender = S("b@example.test"), .to = &to, .nto = 1, .head_size = (uint32_t)n};
    struct body *b = body_new();
    for (size_t i = 0; i < n; i++)
        assert_int_equal(body_add(b, (str){&"abcdefghijklmnop"[(id + i) % 16], 1}), OK);
    assert_int_equal(spool_group_message(g, &env, b, 0), OK);
    body_drop(&b);
}

static err send_all(struct spool_group *g, int n, bool sync)
{
    struct list l = LIST_INIT(l);
    for (int i = 0; i < n; i++)
        list_push_back(&l, &g[i].held);
    engine_write(e, &l, sync);
    err bad = g[0].e;
    for (int i = 0; i < n; i++)
        spool_group_free(&g[i]);
    return bad;
}

static err try_put(uint64_t id, size_t n)
{
    struct spool_group g;
    spool_group_init(&g);
    fill(&g, id, n);
    return send_all(&g, 1, true);
}

static uint64_t put(size_t n)
{
    uint64_t id = engine_new_id(e);
    assert_int_equal(try_put(id, n), OK);
    return id;
}

static void end(uint64_t id)
{
    struct spool_group g;
    spool_group_init(&g);
    assert_int_equal(spool_group_end(&g, id), OK);
    assert_int_equal(send_all(&g, 1, true), OK);
}

static void lazy(uint64_t id)
{
    struct spool_group g;
    struct retry r = {.attempts = 1};
    spool_group_init(&g);
    assert_int_equal(spool_group_retries(&g, id, &r, 1), OK);
    assert_int_equal(send_all(&g, 1, false), OK);
}

static void work(void)
{
    while (engine_help(e))
        ;
}

static int read_back(uint64_t id, size_t n)
{
    struct spool_reader r;
    err bad = read_open(&r, e, id, NULL);
    if (bad)
        return bad;
    size_t at = 0;
    for (str s;;) {
        bad = spool_read_next(&r, &s);
        if (bad || !s.n)
            break;
        for (size_t i = 0; i < s.n && !bad; i++, at++)
            if (s.p[i] != "abcdefghijklmnop"[(id + at) % 16])
                bad = E_BUG;
    }
    spool_read_close(&r);
    return bad ? bad : at == n ? OK : E_BUG;
}

static struct seg *seg_holding(uint64_t id, uint32_t *ret_off)
{
    struct entry *at = index_find(&e->index, id);
    *ret_off = at->off;
    return e->segs[entry_slot(at)];
}

static struct disk_file *file_of(uint32_t slot)
{
    char name[16];
    seg_name(name, "seg", slot);
    int i = disk_find(disk.now, name);
    assert_true(i >= 0);
    return &disk.file[disk.now[i].file];
}

static void flip(uint32_t slot, uint64_t at)
{
    struct disk_file *f = file_of(slot);
    f->now[at] ^= 0x55;
    f->safe[at] ^= 0x55;
}

static int count_names(const char *prefix)
{
    int n = 0;
    for (int i = 0; i < DISK_FILES; i++)
        n += disk.now[i].name[0] && !strncmp(disk.now[i].name, prefix, strlen(prefix));
    return n;
}

/* ---- damage ----------------------------------------------------------------------------------------- */

/* A bad octet in the middle of one batch: its group is lost, the others of that batch and all later ones are not. */
static void damage_in_the_middle(void **state)
{
    (void)state;
    struct spool_group g[4];
    uint64_t id[4], before = put(900), after;
    for (int i = 0; i < 4; i++) {
        spool_group_init(&g[i]);
        fill(&g[i], id[i] = engine_new_id(e), 900);
    }
    fill(&g[1], id[1] + 1000000, 900); /* a second message in group 1 */
    assert_int_equal(send_all(g, 4, true), OK);
    after = put(900);
    uint32_t off;
    struct seg *s = seg_holding(id[1], &off);
    uint32_t slot = s->slot;
    engine_close(&e);
    flip(slot, off + 400);
    int64_t was = event_count(EV_spool_damaged);
    reopen();
    assert_true(event_count(EV_spool_damaged) == was + 1);
    assert_int_equal(count_names("quarantine/"), 1);
    assert_true(was_told(before) && was_told(id[0]) && was_told(id[2]) && was_told(id[3]) && was_told(after));
    assert_false(was_told(id[1]));
    assert_false(was_told(id[1] + 1000000)); /* stands and falls with its group */
    assert_int_equal(read_back(id[2], 900), OK);
    assert_int_equal(read_back(after, 900), OK);
    /* It is sealed now, with a footer that leaves the damage out: told once, not again. */
    work();
    reopen();
    assert_true(event_count(EV_spool_damaged) == was + 1);
    assert_int_equal(ntold, 5);
}

static void damaged_record_head(void **state)
{
    (void)state;
    struct spool_group g[3];
    uint64_t id[3], after;
    for (int i = 0; i < 3; i++) {
        spool_group_init(&g[i]);
        fill(&g[i], id[i] = engine_new_id(e), 900);
    }
    assert_int_equal(send_all(g, 3, true), OK);
    after = put(900);
    uint32_t off;
    uint32_t slot = seg_holding(id[1], &off)->slot;
    engine_close(&e);
    flip(slot, off + 20);
    reopen();
    assert_true(was_told(id[0]) && was_told(after));
    assert_false(was_told(id[1]));
}

static void damaged_batch_head(void **state)
{
    (void)state;
    uint64_t a = put(900), b = put(900), c = put(900);
    uint32_t off;
    uint32_t slot = seg_holding(b, &off)->slot;
    engine_close(&e);
    flip(slot, off - BATCH_HEAD + 9);
    reopen();
    assert_true(was_told(a) && was_told(b) && was_told(c));
}

/* The last batch is bad: it was never acknowledged as far as anybody can tell. Writing goes on over it. */
static void torn_tail(void **state)
{
    (void)state;
    uint64_t a = put(900), b = put(9000);
    uint32_t off;
    uint32_t slot = seg_holding(b, &off)->slot;
    engine_close(&e);
    flip(slot, off + 5000);
    int64_t was = event_count(EV_spool_damaged);
    reopen();
    assert_true(event_count(EV_spool_damaged) == was);
    assert_true(was_told(a) && !was_told(b));
    uint64_t c = put(900);
    assert_true(c > b);
    assert_int_equal(seg_holding(c, &off)->slot, slot);
    reopen();
    assert_int_equal(ntold, 2);
    assert_int_equal(read_back(c, 900), OK);
}

/* An unsynced batch is lost and the next, unacknowledged one is not: both are a torn tail, now and later. */
static void lost_lazy_batch(void **state)
{
    (void)state;
    uint64_t a = put(900), b = engine_new_id(e);
    struct seg *s = e->active;
    uint64_t page = s->end;
    uint32_t slot = s->slot;
    lazy(a);
    disk.crash_at = disk.steps + 2; /* the sync of the next batch */
    try_put(b, 900);
    engine_close(&e);
    disk_crash(CRASH_KEEP);
    memset(file_of(slot)->now + page, 0, PAGE);
    memset(file_of(slot)->safe + page, 0, PAGE);
    int64_t was = event_count(EV_spool_damaged);
    reopen();
    assert_true(event_count(EV_spool_damaged) == was);
    assert_true(ntold == 1 && told[0] == a);
    lazy(a); /* as long as what was lost: the old batch would follow it */
    reopen();
    assert_true(ntold == 1 && told[0] == a);
    assert_true(event_count(EV_spool_damaged) == was);
}

static void footer_and_head(void **state)
{
    (void)state;
    uint64_t id[40];
    for (int i = 0; i < 40; i++)
        id[i] = put(5000);
    work();
    engine_close(&e);
    flip(0, 64 * 1024 - PAGE + 20); /* trailer of the first */
    struct disk_file *f = file_of(1);
    struct trailer t;
    assert_true(trailer_load(f->now + 64 * 1024 - PAGE, &t));
    flip(1, t.at + 50);              /* footer of the second */
    flip(2, 30), flip(2, PAGE + 30); /* both heads of the third */
    reopen();
    assert_int_equal(ntold, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(read_back(id[i], 5000), OK);
    work();
    int64_t was = event_count(EV_spool_damaged);
    reopen();
    assert_int_equal(ntold, 40);
    assert_true(event_count(EV_spool_damaged) == was);
}

static void unknown_version(void **state)
{
    (void)state;
    put(100);
    uint32_t slot = e->active->slot;
    struct seg_head h;
    engine_close(&e);
    struct disk_file *f = file_of(slot);
    for (int i = 0; i < 2; i++)
        if (head_load(f->now + i * PAGE, &h)) {
            h.version = 2;
            head_store(f->now + i * PAGE, &h);
        }
    assert_int_equal(engine_open(&e, &config, due, NULL), E_UNSUPPORTED);
}

static void strange_files(void **state)
{
    (void)state;
    uint64_t a = put(900);
    engine_close(&e);
    int fd;
    static char junk[128 * 1024] = "junk";
    assert_int_equal(rt_fs->open(0, "seg-000000aa", O_RDWR | O_CREAT, 0600, &fd), OK);
    rt_fs->pwritev(fd, &(struct iovec){junk, sizeof junk}, 1, 0);
    rt_fs->close(fd);
    rt_fs->open(0, "seg-000000bb", O_RDWR | O_CREAT, 0600, &fd);
    rt_fs->pwritev(fd, &(struct iovec){junk, 10}, 1, 0);
    rt_fs->close(fd);
    rt_fs->open(0, "new-000000cc", O_RDWR | O_CREAT, 0600, &fd);
    rt_fs->close(fd);
    rt_fs->open(0, "notes.txt", O_RDWR | O_CREAT, 0600, &fd);
    rt_fs->close(fd);
    reopen();
    assert_true(ntold == 1 && told[0] == a);
    assert_int_equal(count_names("quarantine/"), 2);
    assert_int_equal(count_names("new-"), 0);
    assert_int_equal(count_names("notes.txt"), 1);
}

/* A body that holds a copy of a batch, at a page of its own, is not taken for one. */
static void forged_batch(void **state)
{
    (void)state;
    struct spool_group g;
    uint64_t a = put(900), forged = a + 7;
    char page[3 * PAGE];
    struct batch_head bh = {.gen = 1ull << 32, .number = 9, .length = BATCH_HEAD + REC_HEAD, .count = 1, .durable = 8};
    struct rec r = {.gen = 1ull << 32, .id = forged, .batch = 9, .type = REC_END, .flags = REC_FIRST | REC_LAST};
    for (size_t i = 0; i + 512 <= sizeof page; i += 8) {
        batch_store(page + i / 512 * 512, &bh);
        rec_store(page + i / 512 * 512 + BATCH_HEAD, &r);
    }
    struct recipient to = {.address = S("a@example.test")};
    struct envelope env = {.id = engine_new_id(e), .to = &to, .nto = 1};
    struct body *b = body_new();
    body_add(b, str_mem(page, sizeof page));
    spool_group_init(&g);
    spool_group_message(&g, &env, b, 0);
    assert_int_equal(send_all(&g, 1, true), OK);
    body_drop(&b);
    uint32_t off;
    uint32_t slot = seg_holding(env.id, &off)->slot;
    engine_close(&e);
    flip(slot, off - 40); /* the real head of that batch */
    int64_t was = event_count(EV_spool_damaged);
    reopen();
    assert_true(event_count(EV_spool_damaged) == was);
    assert_true(was_told(a));
}

/* ---- recycling ----------------------------------------------------------------------------------------- */

static void pump(int n)
{
    for (int i = 0; i < n; i++)
        end(put(5000));
}

/* A segment that cannot be freed keeps what was copied out of it from coming back. */
static void copies_wait_for_the_original(void **state)
{
    (void)state;
    uint64_t old = put(5000);
    uint32_t off, slot = seg_holding(old, &off)->slot;
    pump(20);
    uint64_t other = put(5000);
    pump(20);
    work();
    e->garbage = 0;
    /* The write of the FREE head fails each time: only the first segment is ever compacted. */
    while (seg_holding(old, &off)->slot == slot) {
        assert_true(compact_step(e));
    }
    disk.fail_at = disk.steps + 1;
    disk.fail_with = E_IO;
    work();
    assert_true(e->segs[slot]->stuck);
    uint32_t copy = seg_holding(old, &off)->slot;
    end(old);
    end(other);
    pump(60);
    work();
    assert_true(e->segs[copy]->state == SEG_SEALED); /* waits for the original */
    crash(CRASH_DROP);
    assert_int_equal(ntold, 0);
    work();
    reopen();
    assert_int_equal(ntold, 0);
    assert_true(e->segs[copy]->state != SEG_SEALED || !bit_get(e->segs[copy]->after, slot));
}

static void readers_pin(void **state)
{
    (void)state;
    config.segment_size = 256 * 1024;
    engine_close(&e);
    disk_reset(2);
    reopen();
    enum { SIZE = 200000 };
    uint64_t id = put(SIZE);
    struct spool_reader r;
    str s;
    assert_int_equal(read_open(&r, e, id, NULL), OK);
    end(id);
    for (int i = 0; i < 10; i++) {
        pump(60);
        work();
    }
    size_t at = 0;
    for (;;) {
        assert_int_equal(spool_read_next(&r, &s), OK);
        if (!s.n)
            break;
        for (size_t i = 0; i < s.n; i++, at++)
            assert_int_equal(s.p[i], "abcdefghijklmnop"[(id + at) % 16]);
    }
    assert_int_equal(at, SIZE);
    spool_read_close(&r);
    work();
    pump(5);
    work();
    uint32_t used = 0;
    for (uint32_t i = 0; i < e->nsegs; i++)
        used += e->segs[i] && (e->segs[i]->state == SEG_SEALED || e->segs[i]->state == SEG_ACTIVE);
    assert_true(used <= 3);
}

/* What a failed sync left behind is cut off by the next segment's head. */
static void failed_batch_is_cut(void **state)
{
    (void)state;
    uint64_t a = put(900), b = engine_new_id(e);
    disk.fail_at = disk.steps + 2;
    disk.fail_with = E_IO;
    struct disk_file *f = file_of(e->active->slot);
    uint64_t at = e->active->end;
    assert_int_equal(try_put(b, 900), E_IO);
    /* The worst case: it did reach the disk. */
    memcpy(f->safe + at, f->now + at, PAGE);
    uint64_t c = put(900);
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            crash(CRASH_DROP);
        else
            reopen();
        assert_true(ntold == 2 && was_told(a) && was_told(c));
        work();
    }
}

static void clock_going_back(void **state)
{
    (void)state;
    atomic_store(&e->last_id, engine_new_id(e) + (1ull << 60)); /* a clock that was far ahead */
    uint64_t id = put(900);
    end(id);
    pump(30);
    work();
    crash(CRASH_DROP);
    assert_true(engine_new_id(e) > id);
}

/* Any octets changed anywhere: the start succeeds or says why, and reading ends. */
static void random_damage(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        teardown(NULL);
        disk_reset((uint64_t)round + 5);
        reopen();
        uint64_t id[20];
        for (int i = 0; i < 20; i++)
            id[i] = put(disk_random() % 9000);
        for (int i = 0; i < 20; i += 3)
            end(id[i]);
        if (round % 2)
            work();
        engine_close(&e);
        for (uint64_t n = 1 + disk_random() % 40; n; n--) {
            uint32_t slot = (uint32_t)(disk_random() % 4);
            uint64_t at =
                disk_random() % 3 ? disk_random() % 65536 : disk_random() % 65536 / PAGE * PAGE + disk_random() % 80;
            if (count_names("seg-") > (int)slot)
                flip(slot, at);
        }
        ntold = 0;
        err bad = engine_open(&e, &config, due, NULL);
        assert_true(bad == OK || bad == E_UNSUPPORTED);
        for (int i = 0; i < 20 && !bad; i++)
            read_back(id[i], 1);
        if (!bad)
            work();
    }
}

static void no_line(void *arg, str s)
{
    (*(int *)arg)++;
    assert_true(s.n > 0);
}

static void dump(void **state)
{
    (void)state;
    int lines = 0, fd;
    for (int i = 0; i < 30; i++)
        lazy(put(3000));
    end(told[0] ? told[0] : engine_new_id(e));
    engine_close(&e);
    assert_int_equal(rt_fs->open(0, ".", O_RDONLY | O_DIRECTORY, 0, &fd), OK);
    assert_int_equal(spool_dump(fd, no_line, &lines), OK);
    assert_true(lines >= 60);
    rt_fs->close(fd);
}

static void limits(void **state)
{
    (void)state;
    /* Larger than a segment. */
    assert_int_equal(try_put(engine_new_id(e), 70000), E_LIMIT);
    uint64_t a = put(100);
    config.max_bytes = 5 * 64 * 1024;
    reopen();
    err bad = OK;
    for (int i = 0; i < 100 && !bad; i++)
        bad = try_put(engine_new_id(e), 3000);
    assert_int_equal(bad, E_QUEUE_FULL);
    assert_int_equal(engine_room(e, 3000), E_QUEUE_FULL);
    config.max_bytes = 0;
    config.reserve = 1ull << 50;
    reopen();
    assert_int_equal(engine_room(e, 0), E_DISK_FULL);
    assert_int_equal(try_put(engine_new_id(e), 10), E_DISK_FULL);
    end(a);
}

int main(void)
{
    rt_log_setup(getenv("SPOOL_LOG") ? LOG_DEBUG : LOG_ERROR + 1, false, 2);
    if (getenv("SPOOL_TEST"))
        cmocka_set_test_filter(getenv("SPOOL_TEST"));
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(damage_in_the_middle),
        T(damaged_record_head),
        T(damaged_batch_head),
        T(torn_tail),
        T(lost_lazy_batch),
        T(footer_and_head),
        T(unknown_version),
        T(strange_files),
        T(forged_batch),
        T(copies_wait_for_the_original),
        T(readers_pin),
        T(failed_batch_is_cut),
        T(clock_going_back),
        T(random_damage),
        T(dump),
        T(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
