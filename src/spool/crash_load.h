/*
 * For crash_test.c and failing_test.c: a scripted load on a disk in memory, and a ledger of every answer given, which
 * is held against what the spool tells when it is opened again.
 *
 * CRASH_SEEDS=n runs n random histories instead of the few that fit into a unit test, CRASH_TEST=name one test,
 * CRASH_LOG=1 shows the log.
 */
#ifndef SPOOL_CRASH_LOAD_H
#define SPOOL_CRASH_LOAD_H
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
static long allocations __attribute__((unused)), failing __attribute__((unused));
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

/* How many histories: few as a unit test, more when asked. */
static inline uint64_t seeds(uint64_t few)
{
    const char *more = getenv("CRASH_SEEDS");
    return more ? strtoull(more, NULL, 10) : few;
}

/* CRASH_TEST and CRASH_LOG are looked at here. */
static inline int run_these(const char *name, const struct CMUnitTest *tests, size_t n)
{
    rt_log_setup(getenv("CRASH_LOG") ? LOG_DEBUG : LOG_ERROR + 1, false, 2);
    if (getenv("CRASH_TEST"))
        cmocka_set_test_filter(getenv("CRASH_TEST"));
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
#endif
