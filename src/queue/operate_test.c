/* Operators' actions and views, recovery, reload, limits. */
#include "queue/world.h"

static int setup(void **state)
{
    (void)state;
    world_new();
    world_start();
    return 0;
}
static int setup_unstarted(void **state)
{
    (void)state;
    world_new();
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    world_free();
    return 0;
}

static const struct queue_filter all = {.tenant = -1, .held = -1};
static struct queue_entry seen[3000];
static char texts[3000][4][64];
static int nseen;

static str keep(char *to, str s)
{
    s = str_sub(s, 0, 63);
    memcpy(to, s.n ? s.p : "", s.n);
    to[s.n] = 0;
    return str_mem(to, s.n);
}
static void each(void *arg, const struct queue_entry *e)
{
    (void)arg;
    assert_true(nseen < 3000);
    seen[nseen] = *e;
    seen[nseen].sender = keep(texts[nseen][0], e->sender);
    seen[nseen].address = keep(texts[nseen][1], e->address);
    seen[nseen].site = keep(texts[nseen][2], e->site);
    seen[nseen].reply = keep(texts[nseen][3], e->reply);
    nseen++;
}
static int walk(const struct queue_filter *f, size_t budget)
{
    uint64_t cursor = 0;
    nseen = 0;
    while (queue_walk(w.q, f, &cursor, budget, each, NULL))
        ;
    return nseen;
}
static const char *state_of(uint64_t id)
{
    struct queue_filter f = all;
    f.id = id;
    return walk(&f, 10) ? seen[0].state : "none";
}
static struct queue_stats stats(void)
{
    struct queue_stats s;
    queue_stats(w.q, &s);
    return s;
}

static void test_walk(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        bring("Anna@X.test bob@y.test", i % 3, 0, 86400000, 0);
        if (i % 100 == 0)
            world_advance(1000);
    }
    world_run();
    static const size_t budgets[] = {1, 7, 100, 100000};
    for (size_t b = 0; b < COUNT(budgets); b++) {
        assert_int_equal(walk(&all, budgets[b]), 2000);
        for (int i = 1; i < 2000; i++)
            assert_true(seen[i].id > seen[i - 1].id || (seen[i].id == seen[i - 1].id && i % 2));
    }
    struct {
        struct queue_filter f;
        int n;
    } rows[] = {
        {all, 2000},
        {{.recipient = S("anna"), .tenant = -1, .held = -1}, 1000},
        {{.recipient = S("Y.TEST"), .tenant = -1, .held = -1}, 1000},
        {{.recipient = S("nobody"), .tenant = -1, .held = -1}, 0},
        {{.sender = S("HERE"), .tenant = -1, .held = -1}, 2000},
        {{.sender = S("<>"), .tenant = -1, .held = -1}, 0},
        {{.site = S("mx x"), .tenant = -1, .held = -1}, 1000},
        {{.tenant = 1, .held = -1}, 666},
        {{.tenant = 1, .held = -1, .recipient = S("bob")}, 333},
        {{.held = 1, .tenant = -1}, 0},
        {{.held = 0, .tenant = -1}, 2000},
        {{.error = S("x"), .tenant = -1, .held = -1}, 0},
        {{.older_ms = 3600000, .tenant = -1, .held = -1}, 0},
        {{.younger_ms = 3600000, .tenant = -1, .held = -1}, 2000},
        {{.id = 1500, .tenant = -1, .held = -1}, 2},
        {{.id = 9, .tenant = -1, .held = -1}, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(walk(&rows[i].f, 64), rows[i].n);
    struct queue_filter old = {.older_ms = 5500, .tenant = -1, .held = -1};
    assert_int_equal(walk(&old, 64), 2 * 401);
    assert_int_equal(stats().oldest_ms, rt_wall_ms() - 10000);
}

/* A message that is ready and has found no connection. */
static uint64_t bring_ready(const char *to)
{
    w.start_fails = true;
    uint64_t id = bring1(to);
    world_run();
    w.start_fails = false;
    assert_string_equal(state_of(id), "ready");
    return id;
}

static void test_hold_release(void **state)
{
    (void)state;
    uint64_t id = bring_ready("a@x.test b@y.test");
    assert_int_equal(queue_act(w.q, QUEUE_HOLD, id, 1, S("root")), 1);
    assert_int_equal(queue_act(w.q, QUEUE_HOLD, id, UINT32_MAX, S("root")), 1);
    assert_int_equal(queue_act(w.q, QUEUE_HOLD, id, UINT32_MAX, S("root")), 0);
    assert_int_equal(queue_act(w.q, QUEUE_HOLD, id + 5, UINT32_MAX, S("root")), 0);
    world_run();
    assert_true(count('S', id) == 2 && w.recs[0].held && !w.recs[0].lazy);
    assert_int_equal(w.events[EV_held], 2);
    assert_int_equal(stats().held, 2);
    world_advance(3600000);
    assert_int_equal(w.nleases, 0);
    assert_int_equal(queue_act(w.q, QUEUE_FLUSH, id, UINT32_MAX, S("root")), 0);
    assert_int_equal(queue_act(w.q, QUEUE_RELEASE, id, UINT32_MAX, S("root")), 2);
    world_run();
    assert_true(count('S', id) == 4 && !w.recs[w.nrecs - 1].held);
    assert_int_equal(drain(FATE_DELIVERED), 2);
    assert_int_equal(stats().messages, 0);
}

/* The disk is full when an operator holds a message: it is written as soon as it can be. */
static void test_hold_is_written(void **state)
{
    (void)state;
    uint64_t id = bring1("a@x.test");
    world_run();
    w.disk = E_DISK_FULL;
    queue_act(w.q, QUEUE_HOLD, id, UINT32_MAX, S("root"));
    world_advance(5000);
    assert_int_equal(w.nrecs, 0);
    w.disk = OK;
    world_advance(2000);
    assert_int_equal(count('S', id), 1);
    assert_true(w.recs[0].held);
    drain(FATE_DELIVERED);
}

static struct ticket *active(const char *to, uint64_t *id)
{
    struct ticket *t[1];
    *id = bring1(to);
    world_run();
    assert_int_equal(take(w.leases[w.nleases - 1], t, 1), 1);
    assert_string_equal(state_of(*id), "active");
    return t[0];
}

static void test_act_on_active(void **state)
{
    (void)state;
    static const struct {
        enum queue_action a;
        enum fate fate;
        const char *after;
        int removed, reports;
    } rows[] = {
        {QUEUE_HOLD, FATE_DEFERRED, "held", 0, 0},     {QUEUE_HOLD, FATE_DELIVERED, "none", 0, 0},
        {QUEUE_HOLD, FATE_NONE, "held", 0, 0},         {QUEUE_HOLD, FATE_FAILED, "none", 0, 1},
        {QUEUE_REMOVE, FATE_DEFERRED, "none", 1, 0},   {QUEUE_REMOVE, FATE_NONE, "none", 1, 0},
        {QUEUE_REMOVE, FATE_FAILED, "none", 1, 0},     {QUEUE_REMOVE, FATE_DELIVERED, "none", 0, 0},
        {QUEUE_BOUNCE, FATE_DEFERRED, "none", 0, 1},   {QUEUE_BOUNCE, FATE_FAILED, "none", 0, 1},
        {QUEUE_BOUNCE, FATE_NONE, "none", 0, 1},       {QUEUE_BOUNCE, FATE_DELIVERED, "none", 0, 0},
        {QUEUE_FLUSH, FATE_DEFERRED, "waiting", 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t id;
        struct ticket *t = active("a@x.test", &id);
        int shown = w.nshown, removed = w.events[EV_removed];
        assert_int_equal(queue_act(w.q, rows[i].a, id, UINT32_MAX, S("root")), rows[i].a != QUEUE_FLUSH);
        world_run();
        assert_string_equal(state_of(id), "active");
        struct lease *l = t->lease;
        give(l, t, rows[i].fate, "reply");
        finish_lease(l, OK, NULL);
        while (w.nleases)
            finish_lease(w.leases[0], OK, NULL);
        assert_string_equal(state_of(id), rows[i].after);
        assert_int_equal(w.events[EV_removed] - removed, rows[i].removed);
        assert_int_equal(w.nshown - shown, rows[i].reports);
        queue_act(w.q, QUEUE_REMOVE, id, UINT32_MAX, S("test"));
        world_run();
        assert_string_equal(state_of(id), "none");
        assert_int_equal(count('E', id), rows[i].reports ? 0 : 1);
        world_advance(60000);
    }
}

static void test_remove(void **state)
{
    (void)state;
    uint64_t id = bring_ready("a@x.test b@x.test c@x.test");
    assert_int_equal(queue_act(w.q, QUEUE_REMOVE, id, 1, S("root")), 1);
    world_run();
    assert_true(count('R', id) == 1 && w.recs[0].outcome == OUT_REMOVED && w.recs[0].rcpt == 1);
    assert_int_equal(count('E', id), 0);
    assert_int_equal(walk(&all, 10), 2);
    assert_int_equal(queue_act(w.q, QUEUE_REMOVE, id, UINT32_MAX, S("root")), 2);
    assert_int_equal(queue_act(w.q, QUEUE_REMOVE, id, UINT32_MAX, S("root")), 0);
    world_run();
    assert_true(count('R', id) == 3 && count('E', id) == 1);
    assert_int_equal(w.events[EV_removed], 3);
    assert_int_equal(stats().body_bytes, 0);
    drain(FATE_DELIVERED);
    assert_true(!stats().messages && !stats().recipients && !stats().sites);
}

/* What the disk refused is not settled until it took it; nothing that ended later is waited for. */
static void test_settled(void **state)
{
    (void)state;
    uint64_t first = bring_ready("a@x.test"), second = bring_ready("b@x.test");
    assert_int_equal(queue_settled(w.q, rt_now()), OK);
    w.disk = E_DISK_FULL;
    queue_act(w.q, QUEUE_REMOVE, first, UINT32_MAX, S("root"));
    world_run();
    assert_int_equal(queue_settled(w.q, rt_now()), E_TIMEOUT);
    assert_int_equal(stats().recipients, 2);
    w.disk = OK;
    queue_act(w.q, QUEUE_REMOVE, second, UINT32_MAX, S("root"));
    world_advance(5000);
    assert_int_equal(queue_settled(w.q, rt_now()), OK);
    assert_int_equal(stats().recipients, 0);
}

static void test_bounce(void **state)
{
    (void)state;
    uint64_t id = bring_ready("a@x.test b@x.test");
    queue_act(w.q, QUEUE_HOLD, id, UINT32_MAX, S("root"));
    assert_int_equal(queue_act(w.q, QUEUE_BOUNCE, id, UINT32_MAX, S("root")), 2);
    world_run();
    assert_true(w.nshown == 1 && w.shown[0].n == 2 && w.shown[0].last);
    assert_string_equal(w.shown[0].reply[0], BOUNCE_TEXT);
    assert_int_equal(w.shown[0].outcome[1], OUT_BOUNCED);
    assert_int_equal(stats().messages, 0);
}

static void test_flush(void **state)
{
    (void)state;
    uint64_t a, b = 0;
    struct ticket *t = active("a@x.test", &a);
    struct lease *l = t->lease;
    give(l, t, FATE_DEFERRED, "refused");
    finish_lease(l, E_REFUSED, "refused");
    b = bring1("b@x.test");
    world_run();
    assert_int_equal(w.nleases, 0);
    assert_string_equal(state_of(a), "waiting");
    assert_string_equal(state_of(b), "waiting");
    assert_str(seen[0].reply, "refused");
    assert_true(seen[0].next_ms > rt_wall_ms());
    assert_int_equal(stats().blocked_sites, 1);
    struct queue_filter f = {.error = S("REFUSED"), .tenant = -1, .held = -1};
    assert_int_equal(walk(&f, 10), 2);
    assert_int_equal(queue_act(w.q, QUEUE_FLUSH, a, UINT32_MAX, S("root")), 1);
    world_run();
    assert_int_equal(w.nleases, 1);
    assert_int_equal(stats().blocked_sites, 0);
    assert_int_equal(drain(FATE_DELIVERED), 2);
}

static void test_room(void **state)
{
    (void)state;
    w.conf.queue_max_recipients = 3;
    queue_reload(w.q, &w.conf);
    assert_int_equal(queue_room(w.q, 3), OK);
    assert_int_equal(queue_room(w.q, 4), E_QUEUE_FULL);
    bring1("a@x.test b@x.test");
    assert_int_equal(queue_room(w.q, 1), OK);
    assert_int_equal(queue_room(w.q, 2), E_QUEUE_FULL);
    world_run();
    assert_int_equal(queue_room(w.q, 2), E_QUEUE_FULL);
    drain(FATE_DELIVERED);
    assert_int_equal(queue_room(w.q, 3), OK);
}

static void test_accepted_held(void **state)
{
    (void)state;
    struct recipient to = {.address = S("a@x.test")};
    struct envelope e = {.id = 7,
                         .arrived_ms = rt_wall_ms(),
                         .expires_ms = rt_wall_ms() + 86400000,
                         .flags = ENV_HELD,
                         .to = &to,
                         .nto = 1};
    assert_int_equal(queue_accept(w.q, &e, NULL), OK);
    world_run();
    assert_string_equal(state_of(7), "held");
    assert_str(seen[0].sender, "");
    struct queue_filter f = {.sender = S("<>"), .tenant = -1, .held = 1};
    assert_int_equal(walk(&f, 10), 1);
    assert_int_equal(w.nleases, 0);
    queue_act(w.q, QUEUE_RELEASE, 7, UINT32_MAX, S("root"));
    assert_int_equal(drain(FATE_DELIVERED), 0);
    world_advance(1000);
    assert_int_equal(drain(FATE_DELIVERED), 1);
}

/* What keeps the limits of the quarantine looks every few seconds: it must not meet the rest of the queue. */
static void test_quarantine_is_found_at_once(void **state)
{
    (void)state;
    struct recipient to = {.address = S("a@x.test")};
    struct queue_filter f = {.tenant = -1, .held = -1, .quarantine = true};
    uint64_t cursor = 0;
    for (int i = 0; i < 1000; i++)
        bring("anna@x.test", 0, 0, 86400000, 0);
    assert_false(queue_walk(w.q, &f, &cursor, 1, each, NULL));
    for (uint64_t id = 5000; id < 5003; id++) {
        struct envelope e = {.id = id,
                             .arrived_ms = rt_wall_ms(),
                             .expires_ms = rt_wall_ms() + 86400000,
                             .flags = ENV_HELD | ENV_QUARANTINE,
                             .to = &to,
                             .nto = 1};
        assert_int_equal(queue_accept(w.q, &e, NULL), OK);
    }
    world_run();
    cursor = nseen = 0;
    assert_false(queue_walk(w.q, &f, &cursor, 3, each, NULL));
    assert_true(nseen == 3 && seen[0].id == 5000 && seen[2].id == 5002);
    assert_int_equal(walk(&all, 64), 1003);
    queue_act(w.q, QUEUE_REMOVE, 5001, UINT32_MAX, S("root"));
    world_run();
    assert_int_equal(walk(&f, 1), 2);
}

static void test_recovery(void **state)
{
    (void)state;
    int64_t now = rt_wall_ms();
    struct recipient to[4] = {
        {.address = S("a@x.test")}, {.address = S("b@x.test")}, {.address = S("c@y.test")}, {.address = S("d@z.test")}};
    struct rcpt_status st[4] = {{.state = RCPT_DONE},
                                {.attempts = 2, .next_ms = now + 60000, .reply = S("451 wait")},
                                {.held = true},
                                {.attempts = 0}};
    struct envelope e = {.id = 7,
                         .arrived_ms = now - 9000,
                         .expires_ms = now + 86400000,
                         .sender = S("s@h.test"),
                         .to = to,
                         .nto = 4,
                         .head_size = 1,
                         .body_size = 2};
    queue_recovered(w.q, &e, st);
    e.id = 8;
    e.expires_ms = now - 1000; /* the end came while we were down: those never tried get one attempt */
    struct rcpt_status late[4] = {{.state = RCPT_DONE}, {.state = RCPT_DONE}, {.state = RCPT_DONE}, {.attempts = 0}};
    queue_recovered(w.q, &e, late);
    e.id = 9;
    late[3].attempts = 1;
    queue_recovered(w.q, &e, late);
    assert_int_equal(stats().recipients, 5);
    assert_int_equal(queue_room(w.q, 1), OK);
    uint64_t early = bring1("early@x.test"); /* accepted before the start */
    world_run();
    assert_int_equal(w.nleases, 0);
    world_start();
    assert_int_equal(walk(&all, 10), 6);
    assert_int_equal(w.nshown, 0);
    assert_true(seen[0].id == 7 && seen[0].index == 1 && seen[0].attempts == 2 && seen[0].size == 3);
    assert_string_equal(seen[0].state, "waiting");
    assert_str(seen[0].reply, "451 wait");
    assert_in_range(seen[0].next_ms, now + 60000, now + 60000 + TICK_MS);
    assert_string_equal(seen[1].state, "held");
    assert_true(seen[1].index == 2 && seen[1].arrived_ms / 1000 == (now - 9000) / 1000);
    world_advance(TICK_MS);
    assert_int_equal(w.nshown, 1);
    assert_true(w.shown[0].id == 9 && w.shown[0].outcome[0] == OUT_EXPIRED && w.shown[0].index[0] == 3);
    assert_int_equal(drain(FATE_DELIVERED), 3);
    assert_int_equal(count('E', 8) + count('E', early), 2);
    world_advance(61000);
    assert_int_equal(drain(FATE_DELIVERED), 1);
    assert_int_equal(stats().recipients, 1);
}

/* Held back by its sender for longer than any delay: a new start changes nothing about that. */
static void test_future_release(void **state)
{
    (void)state;
    int64_t now = rt_wall_ms(), week = 7 * 86400000ll;
    struct recipient to = {.address = S("a@x.test")};
    struct rcpt_status st = {.attempts = 0, .next_ms = now + week};
    struct envelope e = {
        .id = 7, .arrived_ms = now, .expires_ms = now + 2 * week, .sender = S("s@h.test"), .to = &to, .nto = 1};
    queue_recovered(w.q, &e, &st);
    world_start();
    world_advance(week - 60000);
    assert_int_equal(drain(FATE_DELIVERED), 0);
    world_advance(60000 + 2 * TICK_MS);
    assert_int_equal(drain(FATE_DELIVERED), 1);
}

/* The wall clock was ahead by a month when the next attempt was written down. */
static void test_clock_back(void **state)
{
    (void)state;
    int64_t now = rt_wall_ms();
    struct recipient to = {.address = S("a@x.test")};
    struct rcpt_status st = {.attempts = 1, .next_ms = now + 30 * 86400000ll};
    struct envelope e = {.id = 7,
                         .arrived_ms = now + 30 * 86400000ll,
                         .expires_ms = now + 35 * 86400000ll,
                         .sender = S("s@h.test"),
                         .to = &to,
                         .nto = 1};
    queue_recovered(w.q, &e, &st);
    world_start();
    assert_int_equal(walk(&all, 10), 1);
    assert_string_equal(seen[0].state, "waiting");
    int64_t most = 0;
    for (size_t i = 0; i < w.conf.queue_delays.n; i++)
        most = w.conf.queue_delays.v[i] > most ? w.conf.queue_delays.v[i] : most;
    world_advance(2 * most / RT_MS + 2 * TICK_MS);
    assert_int_equal(drain(FATE_DELIVERED), 1);
}

static const char *moved_to = "mx x.test";
static void moving_site(void *arg, bool lax, str way, str sender, str address, struct buf *key, struct site_limits *l)
{
    (void)arg;
    (void)lax;
    (void)way;
    (void)sender;
    (void)address;
    buf_add_c(key, moved_to);
    *l = w.limits;
}

static void test_reload(void **state)
{
    (void)state;
    w.q->ops.site = moving_site;
    moved_to = "mx x.test";
    for (int i = 0; i < 2500; i++)
        bring1("a@x.test b@x.test");
    world_run();
    struct ticket *t[1];
    assert_int_equal(take(w.leases[0], t, 1), 1);
    moved_to = "smtp relay";
    w.limits.connections = 2;
    queue_reload(w.q, &w.conf);
    queue_reload(w.q, &w.conf);
    world_run();
    struct queue_site v[4];
    assert_int_equal(queue_sites(w.q, v, 4), 2);
    assert_str(v[0].key, "smtp relay");
    assert_int_equal(v[0].ready, 4996);
    assert_int_equal(v[1].ready, 0);
    struct lease *l = w.leases[0];
    give(l, t[0], FATE_NONE, ""); /* what was out moves when it comes back */
    assert_int_equal(take(l, t, 1), 0);
    assert_true(l->over);
    finish_lease(l, OK, NULL);
    assert_int_equal(queue_sites(w.q, v, 4), 1);
    assert_int_equal(v[0].ready, 4998);
    world_advance(60000);
    assert_true(w.nleases <= 2);
    assert_int_equal(drain(FATE_DELIVERED), 2500);
}

static void test_sites(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        for (int k = 0; k <= i; k++) {
            char a[32];
            snprintf(a, sizeof a, "a@d%02d.test", i);
            bring1(a);
        }
    world_run();
    struct queue_site v[3];
    assert_int_equal(queue_sites(w.q, v, 3), 3);
    assert_str(v[0].key, "mx d49.test");
    assert_str(v[2].key, "mx d47.test");
    assert_true(v[0].ready == 49 && v[0].connections == 1 && v[0].waiting == 0);
    assert_int_equal(stats().sites, 50);
    drain(FATE_DELIVERED);
    assert_int_equal(stats().sites, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_walk),
        T(test_hold_release),
        T(test_hold_is_written),
        T(test_act_on_active),
        T(test_remove),
        T(test_settled),
        T(test_bounce),
        T(test_flush),
        T(test_room),
        T(test_accepted_held),
        T(test_quarantine_is_found_at_once),
        T(test_reload),
        T(test_sites),
        cmocka_unit_test_setup_teardown(test_recovery, setup_unstarted, teardown),
        cmocka_unit_test_setup_teardown(test_clock_back, setup_unstarted, teardown),
        cmocka_unit_test_setup_teardown(test_future_release, setup_unstarted, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
