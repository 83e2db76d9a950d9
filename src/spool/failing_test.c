/*
 * Disks that fail or are full, and memory that runs out: what was answered OK is there all the same, what was answered
 * with an error stays away, and the spool goes on.
 */
#include "spool/crash_load.h"

/* ---- failing and full disks ------------------------------------------------------------------------- */

static bool can_put(void)
{
    struct message *m = new_message();
    m->size = 500;
    put_single(m);
    return m->put == ACKED;
}

/* Each step in turn fails once. What was answered with an error is cut off, and the spool goes on. */
static void fail_at_every_step(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed <= 20 + seeds(1) / 4; seed++) {
        begin(seed, "count");
        run_ops(100);
        long steps = disk.steps;
        finish();
        for (long at = 1; at <= steps; at++) {
            begin(seed, "error");
            w.step = at;
            disk.fail_at = at;
            disk.fail_with = E_IO;
            run_ops(110);
            disk.fail_at = 0;
            engine_retry(w.e);
            REQUIRE(can_put(), -1);
            stop();
            disk_crash((enum crash_mode)rnd(CRASH_MODES));
            reopen();
            run_ops(20);
            finish();
        }
    }
}

/* The disk fails for a while. Then everything works again without a restart, and nothing that was acknowledged is gone.
 */
static void fail_for_a_while(void **state)
{
    (void)state;
    for (uint64_t seed = 30; seed < 45; seed++) {
        begin(seed, "failing");
        w.strict = false;
        run_ops(60);
        disk.fail_at = disk.steps + 1;
        disk.fail_for_good = true;
        disk.fail_with = E_IO;
        run_ops(30);
        REQUIRE(engine_room(w.e, 0) == E_IO || !can_put(), -1);
        disk.fail_at = 0;
        disk.fail_for_good = false;
        engine_retry(w.e);
        REQUIRE(can_put(), -1);
        run_ops(60);
        stop();
        disk_crash((enum crash_mode)rnd(CRASH_MODES));
        reopen();
        finish();
    }
}

/* On a full disk an end may have to wait until compaction has made room for it. */
static void end_all(void)
{
    bool left = true;
    for (int round = 0; left; round++) {
        left = false;
        REQUIRE(round < 30, -1);
        for (int i = 0; i < w.n; i++) {
            if (w.m[i].put != ACKED || w.m[i].end == ACKED)
                continue;
            end_message(&w.m[i], false);
            left |= w.m[i].end != ACKED;
            while (engine_help(w.e))
                ;
        }
    }
}

/* A full disk refuses new messages; it is usable again when messages end, or when there is room. */
static void full_disk(void **state)
{
    (void)state;
    for (uint64_t seed = 60; seed < 75; seed++) {
        begin(seed, "full");
        disk.capacity = 64 * 1024 * (5 + seed % 5);
        int refused = 0;
        for (int i = 0; i < 300 && refused < 10; i++) {
            struct message *m = new_message();
            err room = engine_room(w.e, m->size);
            put_single(m);
            refused += m->put != ACKED;
            REQUIRE(room != OK || m->put == ACKED, i);
            engine_help(w.e);
        }
        REQUIRE(refused == 10 && engine_room(w.e, 4000) == E_DISK_FULL, -1);
        if (seed % 2) {
            disk.capacity *= 2;
            atomic_store(&w.e->looked, -RT_S);
            REQUIRE(engine_room(w.e, 4000) == OK && can_put(), -1);
        }
        run_ops(50);
        end_all();
        while (engine_help(w.e))
            ;
        atomic_store(&w.e->looked, -RT_S);
        REQUIRE(engine_room(w.e, 4000) == OK && can_put(), -1);
        stop();
        disk_crash((enum crash_mode)rnd(CRASH_MODES));
        reopen();
        finish();
    }
}

/* ---- schedules that were not synced ------------------------------------------------------------------ */

static void put_one(struct message *m)
{
    m->nto = 1;
    m->size = 500;
    put_single(m);
    REQUIRE(m->put == ACKED, m - w.m);
}

/* A schedule is durable, a newer one is in a batch whose sync failed, and the older one's segment is compacted: the
 * attempts counted before must still be known when the newer one is lost. */
static void lazy_supersedes_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        for (int full = 0; full < 2; full++) {
            begin(seed, "lazy");
            w.e->garbage = 0;
            struct message *keep = new_message();
            put_one(keep);
            for (int i = 0; i < 3; i++)
                put_off(keep, true);
            for (bool moved = false; !moved;) { /* the rest of the segment is garbage */
                const struct seg *first = w.e->active;
                struct message *m = new_message();
                put_one(m);
                end_message(m, false);
                moved = w.e->active != first;
            }
            for (int i = 0; i < 2; i++)
                put_off(keep, false);
            if (full) { /* the segment is left while they are unsynced, and cannot be synced */
                while (w.e->active->end + 4 * PAGE + page_up(w.e->active->foot.n) < w.e->active->size)
                    put_off(keep, false);
            }
            disk.fail_at = disk.steps + 2;
            disk.fail_with = E_IO;
            struct message *m = new_message();
            m->size = 4000;
            put_single(m);
            disk.fail_at = 0;
            while (help())
                ;
            stop();
            disk_crash(CRASH_DROP);
            reopen();
            finish();
        }
}

/* So many that they would not fit into the memory kept for them, over many segments, and never a sync of another's. */
static void lazy_for_ever(void **state)
{
    (void)state;
    begin(9, "lazy for ever");
    for (int i = 0; i < 40; i++)
        put_one(new_message());
    for (int round = 0; round < 400; round++)
        for (int i = 0; i < 40; i++) {
            put_off(&w.m[i], false);
            while (i % 10 == 0 && help())
                ;
        }
    REQUIRE(w.e->nsegs < 24, -1);
    stop();
    disk_crash(CRASH_DROP);
    reopen();
    finish();
}

/* ---- many failures ---------------------------------------------------------------------------------- */

/* A message that stays, so that its segment stays, and one whose sync fails. */
static void put_and_fail(void)
{
    struct message *m = new_message();
    m->size = 500;
    put_single(m);
    REQUIRE(m->put == ACKED, m - w.m);
    m = new_message();
    m->size = 500;
    disk.fail_at = disk.steps + 2; /* the batch was written */
    disk.fail_with = E_IO;
    put_single(m);
    disk.fail_at = 0;
    REQUIRE(m->put == FAILED, m - w.m);
}

/* More segments are cut than a head can name, then all but the first few are freed, with the heads that named those:
 * none of the refused messages comes back, whatever the crash leaves. */
static void many_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        begin(seed, "many cuts");
        for (int i = 0; i < 50; i++) {
            w.step = i;
            put_and_fail();
            if (seed > 8 && rnd(20) == 0) {
                stop();
                disk_crash((enum crash_mode)rnd(CRASH_MODES));
                reopen();
            }
        }
        for (int i = 0; i < w.n; i++)
            if (w.m[i].put == ACKED && i > 4)
                end_message(&w.m[i], false);
        while (help())
            ;
        stop();
        disk_crash((enum crash_mode)(seed % CRASH_MODES));
        reopen();
        end_all();
        REQUIRE(can_put(), -1);
        finish();
    }
}

/* ... nor when no head of a cut segment can be written for a while: then nothing new is accepted until one can. */
static void many_cuts_on_a_bad_disk(void **state)
{
    (void)state;
    for (int mode = 0; mode < CRASH_MODES; mode++) {
        begin(70 + (uint64_t)mode, "many cuts, bad disk");
        for (uint32_t i = 0; i < MAX_CUTS; i++)
            put_and_fail();
        struct message *m = new_message();
        m->size = 500;
        put_single(m);
        disk.fail_at = disk.steps + 2;
        disk.fail_for_good = true;
        disk.fail_with = E_IO;
        m = new_message();
        m->size = 500;
        put_single(m);
        REQUIRE(m->put == FAILED && w.e->ncuts == MAX_CUTS + 1, m - w.m);
        engine_retry(w.e);
        REQUIRE(!can_put() && engine_room(w.e, 0) == E_IO, -1);
        disk.fail_for_good = false;
        disk.fail_at = 0;
        engine_retry(w.e);
        REQUIRE(can_put() && w.e->ncuts == MAX_CUTS, -1);
        stop();
        disk_crash((enum crash_mode)mode);
        reopen();
        finish();
    }
}

/* ---- memory ------------------------------------------------------------------------------------------ */

/* Each allocation of the writer, the helper and the readers fails once: refused at worst, and nothing is lost. */
static void no_memory(void **state)
{
    (void)state;
    long most = LONG_MAX;
    for (long n = 1; n <= most && NOMEM_TEST; n++) {
        begin(200, "memory");
        w.step = n;
        allocations = 0;
        failing = n;
        run_ops(100);
        failing = 0;
        most = n == 1 ? allocations : most;
        REQUIRE(can_put(), -1);
        stop();
        if (n % 2)
            disk_crash(CRASH_DROP);
        reopen();
        run_ops(10);
        finish();
    }
}

/* The same for a start: it says so, and the next one finds everything. */
static void no_memory_at_start(void **state)
{
    (void)state;
    begin(201, "memory at start");
    run_ops(150);
    stop();
    struct spool_config c = {.segment_size = 64 * 1024, .spare = 1};
    static struct message copy[MESSAGES];
    err bad = E_NOMEM;
    for (long n = 1; bad == E_NOMEM && NOMEM_TEST; n++) {
        struct message *was = memcpy(copy, w.m, sizeof w.m);
        for (int i = 0; i < w.n; i++)
            w.m[i].told = false;
        w.last_due = 0;
        allocations = 0;
        failing = n;
        w.step = n;
        inside++;
        bad = engine_open(&w.e, &c, due, NULL);
        inside--;
        failing = 0;
        REQUIRE(bad == OK || bad == E_NOMEM, -1);
        memcpy(w.m, was, sizeof w.m);
    }
    stop();
    reopen();
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_at_every_step),
        cmocka_unit_test(fail_for_a_while),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(lazy_supersedes_nothing),
        cmocka_unit_test(lazy_for_ever),
        cmocka_unit_test(many_cuts),
        cmocka_unit_test(many_cuts_on_a_bad_disk),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(no_memory_at_start),
    };
    return run_these("failing", tests, sizeof tests / sizeof *tests);
}
