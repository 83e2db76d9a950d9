/*
 * Crashes, failing disks and full disks. A scripted load runs on a disk in memory; at a chosen step the
 * machine stops (or the step fails), the cache is lost in one of several ways, the spool is opened again,
 * and a ledger of every answer given is held against what it tells. Then the load goes on, and again.
 *
 * CRASH_SEEDS=n runs n random histories instead of the few that fit into a unit test, CRASH_TEST=name one test,
 * CRASH_LOG=1 shows the log.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NOMEM_TEST 0 /* the sanitizers have their own allocators */
#else
#define NOMEM_TEST 1
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
#define malloc __libc_malloc /* what the disk and the ledger need never fails */
#define realloc __libc_realloc
#endif
#include "spool/memdisk.h"
#undef malloc
#undef realloc

/* Allocations of the engine so far; the one that fails. */
static long allocations, failing;
static int inside;
#if NOMEM_TEST
static bool fails(void) { return inside && ++allocations == failing; }
void *malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return fails() ? NULL : __libc_realloc(p, n); }
#endif

enum { MESSAGES = 4096, RCPTS = 4 };
enum fate { NOT_SENT, SENT, ACKED, FAILED }; /* of a record, as its sender knows it */

struct message {
    uint64_t id;
    uint32_t size, nto, chunks;
    uint8_t put, end, done[RCPTS];     /* enum fate */
    uint16_t acked_attempts, attempts; /* of recipient 0: known to be durable, last said */
    int mate;                          /* of the same group; -1: none */
    int cause;                         /* the message whose end was in the same group; -1: none */
    uint32_t seen;                     /* recoveries that told it */
    bool told;                         /* ... the last one */
};
static struct {
    struct message m[MESSAGES];
    int n;
    uint64_t rnd;
    struct engine *e;
    uint64_t seed;
    long step;
    const char *what;
    bool strict; /* what was answered with an error must stay away */
    struct spool_reader reader;
    bool reading;
    struct message *read;
    int due_order;
    uint64_t last_due;
} w;

#define REQUIRE(cond, m_)                                                                                              \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            fprintf(stderr, "%s seed %llu step %ld message %d: %s (line %d)\n", w.what, (unsigned long long)w.seed,    \
                    w.step, (int)(m_), #cond, __LINE__);                                                               \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static uint64_t rnd(uint64_t n)
{
    w.rnd = w.rnd * 6364136223846793005u + 1442695040888963407u;
    return (w.rnd >> 33) % n;
}

static char octet(const struct message *m, uint64_t at) { return (char)('!' + (m->id * 31 + at * 7 + at / 251) % 90); }

/* ---- the load --------------------------------------------------------------------------------------- */

static void add_octets(struct body *b, const struct message *m, uint64_t from, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        char c = octet(m, from + i);
        if (body_add(b, (str){&c, 1}))
            abort();
    }
}

static err send_group(struct spool_group *g, bool sync)
{
    struct list l = LIST_INIT(l);
    list_push_back(&l, &g->held);
    inside++;
    engine_write(w.e, &l, sync);
    inside--;
    return g->e;
}

static bool help(void)
{
    inside++;
    bool more = engine_help(w.e);
    inside--;
    return more;
}

/* What the sender learns: nothing after a crash. */
static enum fate learn(err e) { return disk.crashed ? SENT : e ? FAILED : ACKED; }

static struct message *new_message(void)
{
    if (w.n == MESSAGES)
        return NULL;
    struct message *m = &w.m[w.n++];
    /* Lives follow each other within a millisecond here: a lost id might be given again. */
    uint64_t id = engine_new_id(w.e);
    while (w.n > 1 && id <= m[-1].id)
        id = engine_new_id(w.e);
    *m = (struct message){.id = id, .mate = -1, .cause = -1};
    m->size = (uint32_t)(rnd(8) ? rnd(4000) : rnd(14000));
    m->nto = (uint32_t)(rnd(3) ? 1 : 1 + rnd(RCPTS));
    return m;
}

static void add_message(struct spool_group *g, struct message *m)
{
    struct recipient to[RCPTS];
    for (uint32_t i = 0; i < m->nto; i++)
        to[i] = (struct recipient){.address = S("someone@example.test")};
    uint32_t head = m->size < 60 ? m->size : 60;
    struct envelope env = {.id = m->id, .sender = S("from@example.org"), .to = to, .nto = m->nto, .head_size = head};
    env.body_size = m->size - head;
    struct body *b = body_new();
    uint32_t chunk = m->chunks ? (m->size - head) / (m->chunks + 1) : 0;
    add_octets(b, m, 0, head);
    add_octets(b, m, head + (uint64_t)chunk * m->chunks, m->size - head - (uint64_t)chunk * m->chunks);
    if (spool_group_message(g, &env, b, m->chunks))
        abort();
    body_drop(&b);
}

static void put_single(struct message *m)
{
    struct spool_group g;
    spool_group_init(&g);
    add_message(&g, m);
    m->put = SENT;
    m->put = learn(send_group(&g, true));
    spool_group_free(&g);
}

static void put_pair(struct message *a, struct message *b)
{
    struct spool_group g;
    spool_group_init(&g);
    add_message(&g, a);
    add_message(&g, b);
    a->mate = (int)(b - w.m);
    b->mate = (int)(a - w.m);
    a->put = b->put = learn(send_group(&g, true));
    spool_group_free(&g);
}

static void put_chunked(struct message *m)
{
    struct spool_group g;
    m->size = (uint32_t)(2000 + rnd(9000));
    m->chunks = (uint32_t)(1 + rnd(3));
    uint32_t head = 60, chunk = (m->size - head) / (m->chunks + 1);
    for (uint32_t i = 0; i < m->chunks; i++) {
        struct body *b = body_new();
        add_octets(b, m, head + (uint64_t)chunk * i, chunk);
        spool_group_init(&g);
        if (spool_group_chunk(&g, m->id, i, b))
            abort();
        err e = send_group(&g, true);
        spool_group_free(&g);
        body_drop(&b);
        if (e || !rnd(8)) {
            engine_forget(w.e, m->id); /* the session was lost */
            return;
        }
    }
    put_single(m);
    if (m->put != ACKED)
        engine_forget(w.e, m->id);
}

/* A batch of several groups at once. */
static void put_many(void)
{
    struct spool_group g[6];
    struct message *m[6];
    struct list l = LIST_INIT(l);
    int n = 0;
    for (int k = (int)(2 + rnd(5)); n < k && (m[n] = new_message()); n++) {
        spool_group_init(&g[n]);
        add_message(&g[n], m[n]);
        m[n]->put = SENT;
        list_push_back(&l, &g[n].held);
    }
    /* The disk may stop between two batches: each answer counts only when it came before. */
    engine_write(w.e, &l, true);
    for (int i = 0; i < n; i++) {
        m[i]->put = learn(g[i].e);
        spool_group_free(&g[i]);
    }
}

static struct message *some_live(void)
{
    for (int tries = 0; tries < 20 && w.n; tries++) {
        struct message *m = &w.m[rnd(3) ? (uint64_t)w.n - 1 - rnd(w.n < 12 ? (uint64_t)w.n : 12) : rnd((uint64_t)w.n)];
        if (m->put == ACKED && m->end == NOT_SENT)
            return m;
    }
    return NULL;
}

static void end_message(struct message *m, bool bounce)
{
    struct spool_group g;
    struct result r[RCPTS];
    size_t n = 0;
    spool_group_init(&g);
    struct message *b = bounce ? new_message() : NULL;
    if (b) {
        add_message(&g, b);
        b->cause = (int)(m - w.m);
    }
    for (uint32_t i = 0; i < m->nto; i++)
        if (m->done[i] != ACKED)
            r[n++] = (struct result){.rcpt = i, .outcome = OUT_DELIVERED, .reply = S("250 fine")};
    if (spool_group_results(&g, m->id, r, n) || spool_group_end(&g, m->id))
        abort();
    enum fate f = learn(send_group(&g, true));
    spool_group_free(&g);
    m->end = f == FAILED ? NOT_SENT : f; /* after an error the queue tries again */
    if (f == FAILED && !w.strict)
        m->end = SENT;
    for (size_t i = 0; i < n; i++)
        if (f == ACKED || m->done[r[i].rcpt] == NOT_SENT)
            m->done[r[i].rcpt] = f == FAILED && w.strict ? NOT_SENT : f == FAILED ? SENT : f;
    if (b)
        b->put = f;
}

static void part_done(struct message *m)
{
    if (m->nto < 2)
        return;
    uint32_t i = (uint32_t)rnd(m->nto - 1) + 1;
    if (m->done[i] == ACKED)
        return;
    struct spool_group g;
    struct result r = {.rcpt = i, .outcome = OUT_DELIVERED, .reply = S("250 yes")};
    spool_group_init(&g);
    if (spool_group_results(&g, m->id, &r, 1))
        abort();
    enum fate f = learn(send_group(&g, true));
    spool_group_free(&g);
    if (f == ACKED || m->done[i] == NOT_SENT)
        m->done[i] = f == FAILED && w.strict ? NOT_SENT : f == FAILED ? SENT : f;
}

static void put_off(struct message *m, bool sync)
{
    struct spool_group g;
    struct retry r = {.rcpt = 0, .attempts = ++m->attempts, .next_ms = 5, .reply = S("451 not now, thank you")};
    spool_group_init(&g);
    if (spool_group_retries(&g, m->id, &r, 1))
        abort();
    if (learn(send_group(&g, sync)) == ACKED && sync)
        m->acked_attempts = m->attempts;
    spool_group_free(&g);
}

static void check_octets(struct spool_reader *r, const struct message *m)
{
    uint64_t at = 0;
    for (str s;;) {
        REQUIRE(!spool_read_next(r, &s), m - w.m);
        if (!s.n)
            break;
        for (size_t k = 0; k < s.n; k++, at++)
            REQUIRE(s.p[k] == octet(m, at), m - w.m);
    }
    REQUIRE(at == m->size, m - w.m);
}

/* A reader stays open for a while, its message may end, and still it reads what it opened. */
static void read_some(struct message *m)
{
    if (w.reading) {
        check_octets(&w.reader, w.read);
        spool_read_close(&w.reader);
    }
    inside++;
    w.reading = m && !read_open(&w.reader, w.e, m->id, NULL);
    inside--;
    w.read = m;
}

static void one_op(void)
{
    struct message *m = some_live(), *a;
    uint64_t op = rnd(20);
    if (op < 4 && (a = new_message()))
        put_single(a);
    else if (op == 4 && w.n + 2 <= MESSAGES)
        a = new_message(), put_pair(a, new_message());
    else if (op == 5 && (a = new_message()))
        put_chunked(a);
    else if (op == 6)
        put_many();
    else if (op < 12 && m)
        end_message(m, op == 7);
    else if (op == 12 && m)
        part_done(m);
    else if (op < 15 && m)
        put_off(m, op == 13);
    else if (op == 15)
        read_some(rnd(2) ? m : NULL);
    else if (op > 16)
        help();
}

/* ---- the ledger ------------------------------------------------------------------------------------- */

static void check_told(struct message *m, int i, const struct rcpt_status *st)
{
    REQUIRE(m->put == SENT || m->put == ACKED || (m->put == FAILED && !w.strict), i);
    REQUIRE(m->end != ACKED, i);
    for (uint32_t k = 0; k < m->nto; k++) {
        REQUIRE(m->done[k] != ACKED || st[k].state == RCPT_DONE, i);
        REQUIRE(m->done[k] != NOT_SENT || st[k].state == RCPT_WAITING, i);
    }
    if (st[0].state == RCPT_WAITING) {
        REQUIRE(st[0].attempts >= m->acked_attempts, i);
        REQUIRE(st[0].attempts <= m->attempts, i);
    }
}

static void due(void *arg, const struct envelope *env, const struct rcpt_status *st)
{
    (void)arg;
    REQUIRE(env->id > w.last_due, -1);
    w.last_due = env->id;
    for (int i = 0; i < w.n; i++) {
        struct message *m = &w.m[i];
        if (m->id != env->id)
            continue;
        REQUIRE(env->nto == m->nto, i);
        REQUIRE(!m->told, i);
        m->told = true;
        check_told(m, i, st);
        /* From now on it is known to be there, with what it said. */
        m->put = ACKED;
        m->end = NOT_SENT;
        for (uint32_t k = 0; k < m->nto; k++)
            m->done[k] = st[k].state == RCPT_DONE ? ACKED : NOT_SENT;
        if (st[0].state == RCPT_WAITING)
            m->attempts = m->acked_attempts = st[0].attempts;
        return;
    }
    REQUIRE(!"a message that nobody sent", (int)env->id);
}

static void check_body(struct message *m, int i)
{
    struct spool_reader r;
    REQUIRE(!read_open(&r, w.e, m->id, NULL), i);
    check_octets(&r, m);
    spool_read_close(&r);
}

static void check_missing(struct message *m, int i)
{
    bool may_end = m->end == SENT || m->end == ACKED;
    REQUIRE(m->put != ACKED || may_end, i);
    struct spool_reader r;
    REQUIRE(read_open(&r, w.e, m->id, NULL) == E_NOT_FOUND, i);
    m->end = ACKED; /* gone for good: it must not come back later */
    if (m->put == SENT)
        m->put = ACKED;
}

static void reopen(void)
{
    struct spool_config c = {.segment_size = 64 * 1024, .spare = 1};
    for (int i = 0; i < w.n; i++)
        w.m[i].told = false;
    w.last_due = 0;
    inside++;
    err bad = engine_open(&w.e, &c, due, NULL);
    inside--;
    REQUIRE(!bad, -1);
    w.e->garbage = 1;
    for (int i = 0; i < w.n; i++) {
        struct message *m = &w.m[i];
        bool was_sent = m->put == SENT || m->put == ACKED;
        if (m->mate >= 0 && was_sent && m->end == NOT_SENT && w.m[m->mate].end == NOT_SENT)
            REQUIRE(m->told == w.m[m->mate].told, i);
        if (m->cause >= 0 && m->told) /* the report is there: what it reports on has ended */
            REQUIRE(!w.m[m->cause].told, i);
    }
    for (int i = 0; i < w.n; i++) {
        struct message *m = &w.m[i];
        if (m->told)
            check_body(m, i);
        else if (m->put != NOT_SENT)
            check_missing(m, i);
    }
}

static void stop(void)
{
    if (w.reading)
        spool_read_close(&w.reader);
    w.reading = false;
    engine_close(&w.e);
}

static void begin(uint64_t seed, const char *what)
{
    memset(&w, 0, sizeof w);
    w.seed = seed;
    w.rnd = seed * 77777 + 5;
    w.what = what;
    w.strict = true;
    disk_reset(seed);
    reopen();
}

static void run_ops(int n)
{
    for (int i = 0; i < n && !disk.crashed; i++)
        one_op();
}

static void finish(void)
{
    stop();
    disk_reset(1);
    rt_fs = &rt_fs_real;
}

/* ---- tests ----------------------------------------------------------------------------------------- */

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

/* How many histories: few as a unit test, more when asked. */
static uint64_t seeds(uint64_t few)
{
    const char *more = getenv("CRASH_SEEDS");
    return more ? strtoull(more, NULL, 10) : few;
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
    rt_log_setup(getenv("CRASH_LOG") ? LOG_DEBUG : LOG_ERROR + 1, false, 2);
    if (getenv("CRASH_TEST"))
        cmocka_set_test_filter(getenv("CRASH_TEST"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crash_at_every_step),
        cmocka_unit_test(random_crashes),
        cmocka_unit_test(crash_while_recovering),
        cmocka_unit_test(fail_at_every_step),
        cmocka_unit_test(fail_for_a_while),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(no_memory_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
