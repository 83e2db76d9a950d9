/* What crosses threads: posts in order, tasks, the pool, the lock. */
#include "rt/test_world.h"

#include <stdatomic.h>

enum { POSTS = 20000 };

struct numbered {
    struct post p;
    int from, n;
};

static struct numbered *sent[2];
static int next_of[2], arrived;
static struct fiber *waiting;

static void receive(struct post *p)
{
    struct numbered *m = container_of(p, struct numbered, p);
    CHECK(rt_index() == 0 && fiber_self() == NULL);
    CHECK(m->n == next_of[m->from]++);
    if (++arrived == 2 * POSTS && waiting)
        fiber_wake(waiting);
}

/* Loops 1 and 2 post to loop 0; one singly, one in chains of ten. */
static void posts_init(void *arg, int index)
{
    (void)arg;
    if (index == 0) {
        waiting = fiber_self();
        while (arrived < 2 * POSTS)
            CHECK(fiber_park(RT_NEVER) == OK);
        rt_stop();
        return;
    }
    int from = index - 1;
    struct numbered *m = sent[from] = calloc(POSTS, sizeof *m);
    for (int i = 0; i < POSTS; i++) {
        m[i] = (struct numbered){.p.run = receive, .from = from, .n = i};
        if (from == 0)
            rt_post(rt_loop(0), &m[i].p);
        else if (i % 10 == 9)
            rt_post_chain(rt_loop(0), &m[i - 9].p);
        else
            m[i].p.next = &m[i + 1].p;
        if (i % 1000 == 0)
            fiber_yield();
    }
}

static void test_posts(void **state)
{
    (void)state;
    world(3, posts_init);
}

struct ask {
    struct post p;
    struct loop *from;
    struct fiber *fiber;
    bool answered;
};
static struct task *task;

static void answer(struct post *p)
{
    struct ask *a = container_of(p, struct ask, p);
    a->answered = true;
    fiber_wake(a->fiber);
}

static void serve(struct task *t, void *arg)
{
    int *served = arg;
    CHECK(rt_index() == -1 && rt_self() == NULL);
    while (!rt_task_stopping(t))
        for (struct post *p = rt_task_take(t, RT_NEVER), *next; p; p = next) {
            struct ask *a = container_of(p, struct ask, p);
            next = p->next;
            p->run = answer;
            ++*served;
            rt_post(a->from, p);
        }
}

static int asked, loops_done;

static void asks(void *arg, int index)
{
    (void)arg, (void)index;
    for (int i = 0; i < 2000; i++) {
        struct ask a = {.from = rt_self(), .fiber = fiber_self()};
        rt_task_send(task, &a.p);
        while (!a.answered)
            CHECK(fiber_park(RT_NEVER) == OK);
    }
    if (__atomic_add_fetch(&loops_done, 1, __ATOMIC_SEQ_CST) == 2)
        rt_stop();
}

static void test_task(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(rt_task_start(&task, "test task", serve, &asked) == OK);
        struct rt_start s = {.nloops = 2, .npool = 1, .init = asks, .drain = RT_S};
        CHECK(rt_run(&s) == OK);
        rt_task_stop(&task);
        CHECK(task == NULL && asked == 4000);
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void takes(struct task *t, void *arg)
{
    int *n = arg;
    rt_time begin = rt_now();
    CHECK(rt_task_take(t, begin + 20 * RT_MS) == NULL);
    CHECK(!rt_task_stopping(t) || rt_now() - begin < 20 * RT_MS);
    struct post *p;
    while ((p = rt_task_take(t, RT_NEVER)))
        for (; p; p = p->next)
            ++*n;
    CHECK(rt_task_stopping(t));
}

/* A task that wakes by its deadlines and sleeps again, while the loop that sent to it has not yet come to wake it. */
static atomic_int counted;

static void count_posts(struct task *t, void *arg)
{
    (void)arg;
    while (!rt_task_stopping(t))
        for (struct post *p = rt_task_take(t, rt_now_fresh() + RT_MS); p; p = p->next)
            atomic_fetch_add(&counted, 1);
}

static void restless_init(void *arg, int index)
{
    (void)arg;
    static struct post posts[2][40];
    struct task *t[2];
    if (index)
        return;
    for (int i = 0; i < 2; i++)
        CHECK(rt_task_start(&t[i], "restless", count_posts, NULL) == OK);
    for (int i = 0; i < 40; i++) {
        rt_task_send(t[0], &posts[0][i]);
        rt_task_send(t[1], &posts[1][i]);
        while (atomic_load(&counted) < 2 * (i + 1)) /* no turn of the loop in between */
            usleep(100);
        usleep(200);
        if (i % 20 == 19)
            fiber_yield();
    }
    for (int i = 0; i < 2; i++)
        rt_task_stop(&t[i]);
    rt_stop();
}

static void test_task_restless(void **state)
{
    (void)state;
    world(1, restless_init);
}

static void test_task_alone(void **state)
{
    (void)state;
    struct task *t;
    struct post posts[100];
    int n = 0;
    assert_int_equal(rt_task_start(&t, "a name longer than fifteen", takes, &n), OK);
    usleep(40000);
    for (int i = 0; i < 100; i++)
        rt_task_send(t, &posts[i]);
    rt_task_stop(&t);
    assert_int_equal(n, 100); /* what was sent before the stop is taken */
    rt_task_stop(&t);
}

enum { JOBS = 1200, QUEUE = 1024 };
static int jobs, begun, refused, ended;
static bool gate;

static void job(void *arg)
{
    CHECK(rt_index() == -1);
    while (!__atomic_load_n(&gate, __ATOMIC_SEQ_CST))
        usleep(200);
    __atomic_add_fetch(&jobs, 1, __ATOMIC_SEQ_CST);
    *(bool *)arg = true;
}

static void job_fiber(void *arg)
{
    (void)arg;
    bool ran = false;
    begun++;
    err e = rt_pool_run(job, &ran);
    CHECK(e == OK ? ran : e == E_LIMIT && !ran);
    refused += e == E_LIMIT;
    ended++;
}

static void pool_init(void *arg, int index)
{
    (void)arg, (void)index;
    for (int i = 0; i < JOBS; i++)
        CHECK(fiber_spawn(job_fiber, NULL, "job"));
    while (begun < JOBS)
        fiber_yield();
    CHECK(refused >= JOBS - QUEUE - 2 && refused <= JOBS - QUEUE); /* two may be with the threads */
    __atomic_store_n(&gate, true, __ATOMIC_SEQ_CST);
    while (ended < JOBS)
        fiber_sleep(rt_after(RT_MS));
    CHECK(jobs == JOBS - refused);
    bool ran = false;
    fiber_cancel(fiber_self()); /* a job cannot be cancelled */
    CHECK(rt_pool_run(job, &ran) == OK && ran);
    rt_stop();
}

static void test_pool(void **state)
{
    (void)state;
    world(1, pool_init);
}

static struct lock lock;
static int shared;

static void count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        lock_take(&lock);
        shared++;
        lock_drop(&lock);
    }
}

static void lock_init(void *arg, int index)
{
    (void)arg, (void)index;
    count_up(NULL);
    CHECK(rt_pool_run(count_up, NULL) == OK);
    if (__atomic_add_fetch(&loops_done, 1, __ATOMIC_SEQ_CST) == 2) {
        CHECK(shared == 80000);
        rt_stop();
    }
}

static void test_lock(void **state)
{
    (void)state;
    world(2, lock_init);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts),         cmocka_unit_test(test_task), cmocka_unit_test(test_task_alone),
        cmocka_unit_test(test_task_restless), cmocka_unit_test(test_pool), cmocka_unit_test(test_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
