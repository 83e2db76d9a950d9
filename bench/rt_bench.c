/*
 * What the runtime costs: a fiber switch, a post there and back between loops, a task's answer, a log
 * line, a spawn, an echo over a socket pair, and memory per idle fiber. Prints a line each; no
 * judgement. Usage: rt-bench
 */
#include "rt/rt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 200000, IDLE = 10000 };

static void report(const char *what, rt_time begin, long n)
{
    printf("%-44s %8.1f ns\n", what, (double)(rt_now_fresh() - begin) / (double)n);
}

static long resident(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * 4096;
}

static int left;

static void yields(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        fiber_yield();
    (void)arg;
    left--;
}

static void bench_switch(void)
{
    left = 2;
    fiber_spawn(yields, NULL, "a");
    fiber_spawn(yields, NULL, "b");
    rt_time begin = rt_now_fresh();
    while (left)
        fiber_yield();
    report("fiber switch (loop and back: two)", begin, 3L * ROUNDS);
}

static void ends(void *arg) { left--, (void)arg; }

static void bench_spawn(void)
{
    rt_time begin = rt_now_fresh();
    for (int i = 0; i < ROUNDS; i++) {
        left = 1;
        fiber_spawn(ends, NULL, "e");
        fiber_yield();
    }
    report("spawn, run, end", begin, ROUNDS);
}

struct ball {
    struct post p;
    struct loop *home;
    struct fiber *fiber;
    bool back;
};

static void caught(struct post *p)
{
    struct ball *b = container_of(p, struct ball, p);
    b->back = true;
    fiber_wake(b->fiber);
}

static void thrown(struct post *p)
{
    struct ball *b = container_of(p, struct ball, p);
    p->run = caught;
    rt_post(b->home, p);
}

static void throws(void *arg)
{
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct ball b = {.home = rt_self(), .fiber = fiber_self(), .p.run = thrown};
        rt_post(rt_loop(1), &b.p);
        while (!b.back)
            fiber_park(RT_NEVER);
    }
    (void)arg;
    left--;
}

static void bench_post(int fibers)
{
    char name[64];
    left = fibers;
    snprintf(name, sizeof name, "post to another loop and back, %d waiting", fibers);
    rt_time begin = rt_now_fresh();
    for (int i = 0; i < fibers; i++)
        fiber_spawn(throws, NULL, "t");
    while (left)
        fiber_sleep(rt_after(RT_MS));
    report(name, begin, fibers * (ROUNDS / 10L));
}

static struct task *server;

static void serve(struct task *t, void *arg)
{
    (void)arg;
    for (struct post *p; (p = rt_task_take(t, RT_NEVER));)
        while (p) {
            struct post *next = p->next;
            thrown(p);
            p = next;
        }
}

static void asks(void *arg)
{
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct ball b = {.home = rt_self(), .fiber = fiber_self()};
        rt_task_send(server, &b.p);
        while (!b.back)
            fiber_park(RT_NEVER);
    }
    (void)arg;
    left--;
}

static void bench_task(int fibers)
{
    char name[64];
    left = fibers;
    snprintf(name, sizeof name, "question to a task and answer, %d waiting", fibers);
    rt_time begin = rt_now_fresh();
    for (int i = 0; i < fibers; i++)
        fiber_spawn(asks, NULL, "t");
    while (left)
        fiber_sleep(rt_after(RT_MS));
    report(name, begin, fibers * (ROUNDS / 10L));
}

static void bench_log(bool json)
{
    rt_log_setup(LOG_INFO, json, open("/dev/null", O_WRONLY | O_CLOEXEC));
    rt_time begin = rt_now_fresh();
    for (int i = 0; i < ROUNDS; i++) {
        rt_log(EV_accepted, log_id(0x123456789abcdefu), log_num(i), log_str(S("192.0.2.17")),
               log_str(S("mail.example.net")), log_str(S("<someone@example.net>")), log_str(S("<another@example.org>")),
               log_num(12345), log_str(S("<1234.5678@mail.example.net>")), log_str(S("ESMTPS")));
        if (i % 100 == 0)
            fiber_yield();
    }
    report(json ? "log line of 9 fields, JSON" : "log line of 9 fields", begin, ROUNDS);
}

static struct io near, far;

static void echoes(void *arg)
{
    char c;
    size_t n;
    (void)arg;
    while (io_read(&far, &c, 1, rt_after(60 * RT_S), &n) == OK && n) {
        struct iovec v = {&c, 1};
        io_write(&far, &v, 1, rt_after(60 * RT_S), &n);
    }
    io_close(&far);
}

static void bench_echo(void)
{
    int sv[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) || io_attach(&near, sv[0]) || io_attach(&far, sv[1]))
        return;
    fiber_spawn(echoes, NULL, "echo");
    rt_time begin = rt_now_fresh();
    for (int i = 0; i < ROUNDS / 10; i++) {
        char c = 'x';
        size_t n;
        struct iovec v = {&c, 1};
        if (io_write(&near, &v, 1, rt_after(60 * RT_S), &n) || io_read(&near, &c, 1, rt_after(60 * RT_S), &n))
            break;
    }
    report("echo over a socket pair, one loop", begin, ROUNDS / 10);
    io_close(&near);
}

static struct cond gate;

/* As deep as a session that has done a handshake, then idle. */
static __attribute__((noinline)) void deep(char *p, size_t n)
{
    memset(p, 1, n);
    __asm__ volatile("" ::"r"(p) : "memory");
}

static __attribute__((noinline)) void dig(void)
{
    char p[12000];
    deep(p, sizeof p);
}

static void idles(void *arg)
{
    if (arg)
        dig();
    cond_wait(&gate, rt_after(600 * RT_S));
    left--;
}

static void bench_idle(bool deep_first)
{
    cond_init(&gate);
    long before = resident();
    left = IDLE;
    for (int i = 0; i < IDLE; i++)
        fiber_spawn(idles, deep_first ? &gate : NULL, "idle");
    fiber_sleep(rt_after(100 * RT_MS));
    printf("%-44s %8ld bytes\n", deep_first ? "resident per fiber, 12 kB deep before" : "resident per fiber",
           (resident() - before) / IDLE);
    if (deep_first) {
        fiber_sleep(rt_after(20 * RT_S));
        printf("%-44s %8ld bytes\n", "the same, idle for 20 s", (resident() - before) / IDLE);
    }
    cond_wake_all(&gate);
    while (left)
        fiber_yield();
}

static void init(void *arg, int index)
{
    (void)arg;
    if (index)
        return;
    bench_switch();
    bench_spawn();
    bench_echo();
    bench_post(1);
    bench_post(100);
    bench_task(1);
    bench_task(100);
    bench_log(false);
    bench_log(true);
    bench_idle(false);
    bench_idle(true);
    rt_stop();
}

int main(void)
{
    struct rt_start s = {.nloops = 2, .npool = 1, .init = init, .drain = RT_S};
    if (rt_task_start(&server, "server", serve, NULL) || rt_run(&s))
        return 1;
    rt_task_stop(&server);
    return 0;
}
