/*
 * Crashes: at a chosen step the machine stops, the cache is lost in one of several ways, the spool is opened again, and
 * the ledger is held against what it tells. Then the load goes on, and again.
 */
#include "spool/crash_load.h"

/* Every step of one history is the last one, in every mode. */
static void every_step(uint64_t seed, int ops)
{
    begin(seed, "count");
    run_ops(ops);
    long steps = disk.steps;
    finish();
    for (long at = 1; at <= steps; at++)
        for (int mode = 0; mode < CRASH_MODES + 1; mode++) {
            begin(seed, "crash");
            w.step = at;
            if (disk.steps >= at) {
                finish();
                continue;
            }
            disk.crash_at = at;
            run_ops(ops);
            stop();
            disk.rnd += (uint64_t)mode * 1000003;
            disk_crash(mode < CRASH_MODES ? (enum crash_mode)mode : CRASH_MIX);
            reopen();
            run_ops(15);
            stop();
            reopen();
            finish();
        }
}

static void crash_at_every_step(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(1) && seed <= 10; seed++)
        every_step(seed, 120);
}

/* Long histories with many crashes, and crashes during recovery. */
static void random_history(uint64_t seed)
{
    begin(seed, "history");
    for (int life = 0; life < 8; life++) {
        disk.crash_at = disk.steps + 1 + (long)rnd(150);
        w.step = disk.crash_at;
        run_ops(400);
        stop();
        disk_crash((enum crash_mode)rnd(CRASH_MODES));
        reopen();
    }
    finish();
}

static void random_crashes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(40); seed++)
        random_history(seed);
}

/* A start may itself crash at each of its steps. */
static void crash_while_recovering(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 104; seed++)
        for (long at = 1; at < 12; at++) {
            begin(seed, "recovering");
            disk.crash_at = disk.steps + 60 + (long)seed * 7;
            run_ops(300);
            stop();
            disk_crash(CRASH_MIX);
            disk.crash_at = disk.steps + at;
            w.step = at;
            struct spool_config c = {.segment_size = 64 * 1024, .spare = 1};
            struct engine *e = NULL;
            for (int i = 0; i < w.n; i++)
                w.m[i].told = false;
            w.last_due = 0;
            struct message *was = malloc(sizeof w.m);
            memcpy(was, w.m, sizeof w.m);
            if (!engine_open(&e, &c, due, NULL)) {
                for (int i = 0; i < 6; i++)
                    engine_help(e);
                engine_close(&e);
            }
            disk.locked = false;
            memset(disk.fds, 0, sizeof disk.fds);
            memcpy(w.m, was, sizeof w.m);
            free(was);
            disk_crash(CRASH_MIX);
            reopen();
            run_ops(30);
            finish();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crash_at_every_step),
        cmocka_unit_test(random_crashes),
        cmocka_unit_test(crash_while_recovering),
    };
    return run_these("crashes", tests, sizeof tests / sizeof *tests);
}
