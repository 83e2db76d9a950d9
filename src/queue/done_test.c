/* What becomes of recipients after their attempts: records, retries, deadlines, reports. */
#include "queue/world.h"
#include "rt/cells.h"

static int setup(void **state)
{
    (void)state;
    world_new();
    world_start();
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    world_free();
    return 0;
}

static struct ticket *take1(void)
{
    struct ticket *t[1];
    world_run();
    assert_true(w.nleases > 0);
    assert_int_equal(take(w.leases[w.nleases - 1], t, 1), 1);
    return t[0];
}
/* A message with two recipients that are both attempted, each on a lease of its own. */
static uint64_t attempt2(struct ticket *t[2], uint8_t notify)
{
    uint64_t id = bring("a@x.test b@slow.test", 0, 0, 86400000, notify);
    world_run();
    assert_int_equal(w.nleases, 2);
    assert_int_equal(take(w.leases[0], &t[0], 1) + take(w.leases[1], &t[1], 1), 2);
    return id;
}
static void give1(struct ticket *t, enum fate f, const char *reply)
{
    struct lease *l = t->lease;
    give(l, t, f, reply);
    finish_lease(l, OK, NULL);
}
static struct queue_stats stats(void)
{
    struct queue_stats s;
    queue_stats(w.q, &s);
    return s;
}
static struct queue_entry only;
static void keep_entry(void *arg, const struct queue_entry *e)
{
    (*(int *)arg)++;
    only = *e;
}
static const struct queue_entry *entry(uint64_t id)
{
    uint64_t cursor = 0;
    int n = 0;
    struct queue_filter f = {.id = id, .tenant = -1, .held = -1};
    assert_false(queue_walk(w.q, &f, &cursor, 100, keep_entry, &n));
    return n == 1 ? &only : NULL;
}

/* The table of delays with its jitter: never early, at most a tenth late; the last one repeats. */
static void test_delays(void **state)
{
    (void)state;
    static const int64_t table[] = {300, 600, 1200, 1200, 1200};
    int64_t least = INT64_MAX, most = 0;
    for (int round = 0; round < 40; round++) {
        uint64_t id = bring1("a@x.test");
        for (size_t i = 0; i < COUNT(table); i++) {
            struct ticket *t = take1();
            assert_int_equal(t->to[0].attempts, i);
            assert_true((t->mem != NULL) == (i == 0)); /* later attempts read the spool */
            give1(t, FATE_DEFERRED, "451 4.3.2 later");
            const struct queue_entry *e = entry(id);
            assert_string_equal(e->state, "waiting");
            assert_str(e->reply, "451 4.3.2 later");
            assert_int_equal(e->attempts, i + 1);
            int64_t wait = e->next_ms - rt_wall_ms();
            assert_true(wait >= table[i] * 1000 && wait <= table[i] * 1100 + TICK_MS);
            if (i == 0) {
                least = wait < least ? wait : least;
                most = wait > most ? wait : most;
            }
            assert_true(w.recs[w.nrecs - 1].kind == 'S' && w.recs[w.nrecs - 1].attempts == i + 1);
            assert_true(w.recs[w.nrecs - 1].lazy && w.recs[w.nrecs - 1].next_ms == e->next_ms);
            world_advance(wait - TICK_MS - 1);
            assert_int_equal(w.nleases, 0);
            world_advance(TICK_MS + 2);
            assert_int_equal(w.nleases, 1);
        }
        give1(take1(), FATE_DELIVERED, "250");
        assert_null(entry(id));
    }
    assert_true(most - least > 10000); /* there is jitter */
}

static void test_not_before(void **state)
{
    (void)state;
    uint64_t id = bring1("a@x.test");
    struct ticket *t = take1();
    t->not_before = w.now + 2000 * RT_S;
    give1(t, FATE_DEFERRED, "421 slow down");
    assert_in_range(entry(id)->next_ms - rt_wall_ms(), 2000000, 2000000 + TICK_MS);
}

/* The end comes at its time whatever the message is doing. */
static void test_expiry(void **state)
{
    (void)state;
    uint64_t waits = bring("a@x.test", 0, 0, 3600000, 0);
    give1(take1(), FATE_DEFERRED, "450 4.2.1 busy");
    uint64_t blocked = bring("b@down.test", 0, 0, 3600000, 0), probe = bring("c@down.test", 0, 0, 7200000, 0);
    struct ticket *t = take1();
    assert_int_equal(t->id, blocked);
    struct lease *l = t->lease;
    give(l, t, FATE_NONE, "");
    assert_int_equal(take(l, &t, 1), 1);
    give(l, t, FATE_NONE, "");
    finish_lease(l, E_UNREACHABLE, "no route");
    assert_str(entry(blocked)->reply, "no route");
    uint64_t held = bring("d@down.test", 0, 0, 3600000, 0);
    world_run();
    queue_act(w.q, QUEUE_HOLD, held, UINT32_MAX, S("root"));
    assert_string_equal(entry(held)->state, "held");
    rt_time start = w.now;
    while (w.nshown < 3 && w.now < start + 3700 * RT_S) {
        world_advance(1000);
        while (w.nleases)
            finish_lease(w.leases[0], E_UNREACHABLE, "no route");
    }
    assert_int_equal(w.nshown, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(w.shown[i].at >= start + 3599 * RT_S && w.shown[i].at <= start + 3601 * RT_S);
        assert_true(w.shown[i].n == 1 && w.shown[i].last && !w.shown[i].delayed);
        assert_int_equal(w.shown[i].outcome[0], OUT_EXPIRED);
        assert_string_equal(w.shown[i].reply[0], "no route");
    }
    assert_null(entry(waits));
    assert_null(entry(held));
    assert_non_null(entry(probe));
    assert_int_equal(stats().recipients, 1);
}

static void test_expiry_while_active(void **state)
{
    (void)state;
    uint64_t id = bring("a@x.test", 0, 0, 10000, 0);
    struct ticket *t = take1();
    world_advance(20000);
    assert_int_equal(w.nshown, 0);
    give1(t, FATE_DEFERRED, "451 again");
    assert_int_equal(w.nshown, 1);
    assert_int_equal(w.shown[0].outcome[0], OUT_EXPIRED);
    assert_string_equal(w.shown[0].reply[0], "451 again");
    assert_null(entry(id));
    bring("a@x.test", 0, 0, 10000, 0);
    t = take1();
    world_advance(20000);
    give1(t, FATE_DELIVERED, "250");
    assert_int_equal(w.nshown, 1);
    assert_int_equal(stats().recipients, 0);
}

/* A retry is never planned beyond the end. */
static void test_last_wait(void **state)
{
    (void)state;
    uint64_t id = bring("a@x.test", 0, 0, 100000, 0);
    give1(take1(), FATE_DEFERRED, "451");
    assert_in_range(entry(id)->next_ms - rt_wall_ms(), 99900, 100050);
    world_advance(100100);
    assert_int_equal(w.shown[0].outcome[0], OUT_EXPIRED);
}

static void test_delay_notice(void **state)
{
    (void)state;
    w.delays[0] = w.delays[1] = w.delays[2] = 86400 * RT_S;
    queue_reload(w.q, &w.conf);
    uint64_t id = bring("a@x.test b@x.test", 0, 0, 5 * 86400000ll, 0);
    give1(take1(), FATE_DEFERRED, "451 busy");
    uint64_t quiet = bring("c@x.test", 0, 0, 5 * 86400000ll, NOTIFY_FAILURE);
    give1(take1(), FATE_DEFERRED, "451 busy");
    world_advance(4 * 3600000 - 10);
    assert_int_equal(w.nshown, 0);
    world_advance(10 + TICK_MS);
    assert_int_equal(w.nshown, 1);
    assert_true(w.shown[0].delayed && !w.shown[0].last && w.shown[0].n == 2 && w.shown[0].id == id);
    assert_int_equal(w.shown[0].outcome[0], 0);
    assert_string_equal(w.shown[0].reply[1], "451 busy");
    world_advance(10 * 3600000);
    assert_int_equal(w.nshown, 1); /* once, and not where it is not wanted */
    assert_non_null(entry(quiet));
    assert_int_equal(stats().recipients, 3);
}

/* A notice that cannot be written is tried again; the message goes on meanwhile, even to its end. */
static void test_delay_notice_fails(void **state)
{
    (void)state;
    w.report = E_DISK_FULL;
    uint64_t id = bring1("a@x.test");
    struct ticket *t = take1();
    world_advance(4 * 3600000 + 1000);
    give1(t, FATE_DELIVERED, "250");
    assert_null(entry(id));
    world_advance(1000000);
    assert_int_equal(w.nshown, 0);
    assert_int_equal(stats().messages, 0);
    assert_int_equal(count('E', id), 1);
}

static void test_failed_together(void **state)
{
    (void)state;
    w.limits.recipients = 2;
    w.limits.connections = 1;
    uint64_t id = bring1("a@x.test b@x.test c@x.test d@x.test e@x.test");
    for (int i = 0; i < 3; i++) {
        struct ticket *t;
        world_run();
        assert_int_equal(w.nleases, 1);
        assert_int_equal(take(w.leases[0], &t, 1), 1);
        give(w.leases[0], t, i == 1 ? FATE_DELIVERED : FATE_FAILED, "550 5.1.1 unknown");
        assert_int_equal(w.nshown, i == 2); /* one report for all that failed */
    }
    assert_true(w.shown[0].n == 3 && w.shown[0].last && w.shown[0].id == id);
    assert_int_equal(w.shown[0].outcome[0], OUT_BOUNCED);
    assert_string_equal(w.shown[0].reply[2], "550 5.1.1 unknown");
    assert_int_equal(count('R', id), 2);
    assert_int_equal(count('E', id), 0); /* the report brings it */
    assert_int_equal(stats().messages, 0);
}

/* The others' attempts take long: the report does not wait for ever, and the end record comes with the last. */
static void test_report_before_the_rest(void **state)
{
    (void)state;
    struct ticket *t[2];
    uint64_t id = attempt2(t, 0);
    give(w.leases[0], t[0], FATE_FAILED, "550");
    world_advance(29000);
    assert_int_equal(w.nshown, 0);
    world_advance(2000);
    assert_int_equal(w.nshown, 1);
    assert_false(w.shown[0].last);
    give(w.leases[1], t[1], FATE_DELIVERED, "250");
    assert_int_equal(count('E', id), 1);
    assert_int_equal(stats().messages, 0);
}

/* The last recipient is delivered while the report about another one is still tried. */
static void test_end_left_to_report(void **state)
{
    (void)state;
    w.report = E_IO;
    struct ticket *t[2];
    uint64_t id = attempt2(t, 0);
    give(w.leases[0], t[0], FATE_FAILED, "550");
    world_advance(32000);
    give(w.leases[1], t[1], FATE_DELIVERED, "250");
    assert_int_equal(count('R', id), 1);
    assert_int_equal(count('E', id), 0);
    w.report = OK;
    world_advance(400000);
    assert_int_equal(w.nshown, 1);
    assert_true(w.shown[0].last); /* by then nothing else is left */
    assert_int_equal(stats().messages, 0);
}

/* The same while the report is being written: it was told that it is not the last, so we write the end. */
static uint64_t crossing_id;
static struct ticket *crossing;
static err crossing_report(void *arg, const struct report *r)
{
    (void)arg;
    assert_false(r->last);
    w.nshown++;
    struct ticket *t = crossing;
    t->to[0].fate = FATE_DELIVERED;
    queue_done(t->lease, t);
    world_posts();
    assert_int_equal(count('R', crossing_id), 1);
    assert_int_equal(count('E', crossing_id), 0);
    return OK;
}
static void test_end_after_report(void **state)
{
    (void)state;
    w.q->ops.report = crossing_report;
    struct ticket *t[2];
    crossing_id = attempt2(t, 0);
    crossing = t[1];
    give(w.leases[0], t[0], FATE_FAILED, "550");
    world_advance(31000);
    assert_int_equal(w.nshown, 1);
    assert_int_equal(count('E', crossing_id), 1);
    assert_int_equal(stats().messages, 0);
}

static void test_reports_retried(void **state)
{
    (void)state;
    w.report = E_DISK_FULL;
    for (int i = 0; i < 20; i++) {
        bring1("a@x.test");
        give1(take1(), FATE_FAILED, "550 no");
    }
    assert_int_equal(w.nshown, 0);
    size_t timers = w.timers;
    world_advance(3600000);
    assert_true(w.timers - timers < 2000); /* later each time */
    assert_int_equal(stats().messages, 20);
    w.report = OK;
    world_advance(400000);
    assert_int_equal(w.nshown, 20);
    assert_int_equal(stats().messages, 0);
}

static void test_success_report(void **state)
{
    (void)state;
    uint64_t id = bring("a@x.test", 0, 0, 86400000, NOTIFY_SUCCESS | NOTIFY_FAILURE);
    give1(take1(), FATE_RELAYED, "250 taken");
    assert_int_equal(w.nshown, 1);
    assert_true(w.shown[0].outcome[0] == OUT_DELIVERED && w.shown[0].last);
    assert_int_equal(count('R', id), 1);
    assert_int_equal(w.recs[0].outcome, OUT_UNTOLD);
    assert_int_equal(count('E', id), 0); /* the report brings it */
    id = bring("a@x.test", 0, 0, 86400000, NOTIFY_SUCCESS);
    give1(take1(), FATE_DELIVERED, "250 taken"); /* the next hop reports */
    id = bring("a@x.test", 0, 0, 86400000, NOTIFY_FAILURE);
    give1(take1(), FATE_RELAYED, "250 taken");
    assert_int_equal(w.nshown, 1);
    assert_int_equal(stats().messages, 0);
}

/* What was delivered is told of at once, however long another attempt takes. A failure waits for the others, but not
 * for a stop. */
static void test_success_report_soon(void **state)
{
    (void)state;
    struct ticket *t[2];
    uint64_t id = attempt2(t, NOTIFY_SUCCESS);
    give(w.leases[0], t[0], FATE_RELAYED, "250 taken");
    world_advance(1000);
    assert_int_equal(w.nshown, 1);
    assert_true(w.shown[0].outcome[0] == OUT_DELIVERED && !w.shown[0].last);
    give(w.leases[1], t[1], FATE_DELIVERED, "250");
    assert_int_equal(count('E', id), 1);
}

static void test_reports_at_stop(void **state)
{
    (void)state;
    struct ticket *t[2];
    attempt2(t, 0);
    give(w.leases[0], t[0], FATE_FAILED, "550");
    give(w.leases[1], t[1], FATE_NONE, "");
    world_run();
    assert_int_equal(w.nshown, 0);
    queue_stop(w.q);
    world_run();
    assert_int_equal(w.nshown, 1);
    assert_int_equal(w.shown[0].n, 1);
}

/* That it was delivered is durable before its report can be: a crash would have it delivered again. The report follows
 * as soon as it can, and what another recipient brings meanwhile does not end the message. */
static void test_untold(void **state)
{
    (void)state;
    struct ticket *t[2];
    uint64_t id = attempt2(t, NOTIFY_SUCCESS);
    w.report = E_NOMEM;
    w.disk = E_DISK_FULL;
    give(w.leases[0], t[0], FATE_RELAYED, "250 taken");
    world_advance(500);
    assert_int_equal(w.nrecs, 0);
    w.disk = OK;
    world_advance(1000);
    assert_int_equal(count('R', id), 1);
    assert_true(w.recs[0].outcome == OUT_UNTOLD && w.recs[0].rcpt == 0);
    give(w.leases[1], t[1], FATE_DELIVERED, "250");
    assert_int_equal(count('R', id), 2);
    assert_int_equal(count('E', id), 0);
    w.report = OK;
    world_advance(60000);
    assert_int_equal(w.nshown, 1);
    assert_true(w.shown[0].n == 1 && w.shown[0].outcome[0] == OUT_DELIVERED && w.shown[0].last);
    assert_int_equal(stats().messages, 0);
}

/* After a start it is told of and not attempted, whatever its deadline and however often the report fails. */
static void test_untold_recovered(void **state)
{
    (void)state;
    int64_t now = rt_wall_ms();
    struct recipient to[2] = {{.address = S("a@x.test"), .notify = NOTIFY_SUCCESS},
                              {.address = S("b@x.test"), .notify = NOTIFY_SUCCESS}};
    struct rcpt_status st[2] = {{.state = RCPT_UNTOLD, .reply = S("250 taken"), .next_ms = now + 9000},
                                {.attempts = 1, .next_ms = now + 3600000}};
    struct envelope e = {
        .id = 7, .arrived_ms = now - 9000, .expires_ms = now + 86400000, .sender = S("s@h.test"), .to = to, .nto = 2};
    queue_recovered(w.q, &e, st);
    e.id = 8;
    e.expires_ms = now - 1000;
    st[1].state = RCPT_DONE;
    queue_recovered(w.q, &e, st);
    w.report = E_NOMEM;
    world_start();
    assert_int_equal(stats().recipients, 3);
    assert_int_equal(queue_act(w.q, QUEUE_BOUNCE, 8, UINT32_MAX, S("root")), 0);
    world_advance(5000);
    assert_int_equal(w.nleases, 0);
    w.report = OK;
    world_advance(60000);
    assert_int_equal(w.nshown, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(w.shown[i].n == 1 && w.shown[i].outcome[0] == OUT_DELIVERED && w.shown[i].index[0] == 0);
        assert_string_equal(w.shown[i].reply[0], "250 taken");
        assert_true(w.shown[i].last == (w.shown[i].id == 8));
    }
    assert_int_equal(w.nleases, 0);
    assert_int_equal(stats().messages, 1);
    world_advance(3600000);
    assert_int_equal(drain(FATE_DELIVERED), 1);
    assert_int_equal(count('E', 7), 1);
    assert_int_equal(stats().messages, 0);
}

/* A report that could not be written waits for a later try, but not beyond a stop. */
static void test_failed_report_at_stop(void **state)
{
    (void)state;
    bring("a@x.test", 0, 0, 86400000, NOTIFY_SUCCESS);
    w.report = E_NOMEM;
    give1(take1(), FATE_RELAYED, "250");
    world_advance(1000);
    w.report = OK;
    world_run();
    assert_int_equal(w.nshown, 0);
    queue_stop(w.q);
    world_run();
    assert_int_equal(w.nshown, 1);
    assert_true(w.shown[0].outcome[0] == OUT_DELIVERED && w.shown[0].last);
}

static void test_replaced(void **state)
{
    (void)state;
    uint64_t id = bring1("a@x.test");
    give1(take1(), FATE_REPLACED, "");
    assert_int_equal(w.recs[0].outcome, OUT_REPLACED);
    assert_int_equal(count('E', id), 1);
}

/* A full disk: results are kept until they are durable; nothing is attempted twice. */
static void test_disk_full(void **state)
{
    (void)state;
    w.disk = E_DISK_FULL;
    uint64_t ids[50];
    for (int i = 0; i < 50; i++) {
        ids[i] = bring1("a@x.test");
        give1(take1(), FATE_DELIVERED, "250");
    }
    world_advance(60000);
    assert_int_equal(w.nrecs, 0);
    assert_int_equal(stats().messages, 50);
    assert_int_equal(w.nleases, 0);
    assert_true(w.groups < 130);
    w.disk = OK;
    world_advance(2000);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(count('R', ids[i]), 1);
        assert_int_equal(count('E', ids[i]), 1);
    }
    assert_int_equal(stats().messages, 0);
}

/* Results that come together go in one group. */
static void test_batches(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        bring1("a@x.test");
    give1(take1(), FATE_DELIVERED, "250");
    size_t before = w.groups;
    struct ticket *t[100];
    world_run();
    size_t n = 0;
    while (n < 99)
        for (int i = 0; i < w.nleases; i++)
            n += queue_take(w.leases[i], t + n, 100 - n, w.now);
    for (size_t i = 0; i < n; i++) {
        t[i]->to[0].fate = FATE_DELIVERED;
        queue_done(t[i]->lease, t[i]);
    }
    world_run();
    assert_true(w.groups - before <= 2);
    assert_int_equal(stats().messages, 0);
}

/* Bodies leave memory when their first attempt ended, when their destination is closed, when there are too many. */
static void test_bodies(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        bring1("a@x.test");
    world_run();
    assert_int_equal(stats().body_bytes, 100000);
    struct ticket *t = take1();
    give(t->lease, t, FATE_DEFERRED, "451");
    assert_int_equal(stats().body_bytes, 99000);
    finish_lease(w.leases[0], E_REFUSED, "refused");
    assert_int_equal(stats().body_bytes, 0);
    bring1("a@x.test");
    world_run();
    assert_int_equal(stats().body_bytes, 0);
    for (int i = 0; i < 2000; i++)
        bring1("a@y.test");
    world_run();
    assert_in_range(stats().body_bytes, (1 << 20) - 2000, 1 << 20);
    t = take1();
    assert_null(t->mem); /* the oldest went first */
    give1(t, FATE_DELIVERED, "250");
}

/* All that a message with a way of its own took is given back as what it was. */
static void test_way_given_back(void **state)
{
    (void)state;
    char way[200];
    memset(way, 'w', sizeof way);
    struct recipient to = {.address = S("a@x.test")};
    struct envelope e = {.id = ++w.id,
                         .arrived_ms = rt_wall_ms(),
                         .expires_ms = rt_wall_ms() + 86400000,
                         .head_size = 300,
                         .body_size = 700,
                         .sender = S("from@here.test"),
                         .way = str_mem(way, sizeof way),
                         .to = &to,
                         .nto = 1};
    struct body *b = body_make(1000);
    assert_int_equal(queue_accept(w.q, &e, b), OK);
    body_drop(&b);
    struct ticket *t = take1();
    const struct msg *m = ids_find(&w.q->index, e.id);
    assert_non_null(m);
    give1(t, FATE_DELIVERED, "250");
    size_t n = sizeof(struct msg) + sizeof(struct rcpt) + e.sender.n + 1 + sizeof way + to.address.n;
    void *again = cell_take(n);
    assert_ptr_equal(again, m);
    cell_give(again, n);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_delays),
        T(test_not_before),
        T(test_expiry),
        T(test_expiry_while_active),
        T(test_last_wait),
        T(test_delay_notice),
        T(test_delay_notice_fails),
        T(test_failed_together),
        T(test_report_before_the_rest),
        T(test_end_left_to_report),
        T(test_end_after_report),
        T(test_reports_retried),
        T(test_success_report),
        T(test_success_report_soon),
        T(test_reports_at_stop),
        T(test_untold),
        T(test_untold_recovered),
        T(test_failed_report_at_stop),
        T(test_replaced),
        T(test_disk_full),
        T(test_batches),
        T(test_bodies),
        T(test_way_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
