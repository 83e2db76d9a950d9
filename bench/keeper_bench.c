/*
 * RSA-2048 signatures for mail by a keeper of its own process, one thread, asked by one loop with many questions under
 * way: signatures a second of the keeper's processor time (what `openssl speed rsa2048` counts too), by the clock, and
 * how late the asking loop ever was to wake a fiber. bench/signing sets it beside openssl. Usage: keeper-bench
 * [SECONDS]
 */
#include "base/text.h"
#include "priv/priv.h"
#include "priv/sign_key.h"
#include "rt/rt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ASKING = 64, WAKE_MS = 2 };

static struct priv_links links;
static pid_t keeper;
static uint64_t seconds = 3;
static int left;
static long done;
static rt_time latest;
static bool over;

static double cpu_of(pid_t pid)
{
    clockid_t id;
    struct timespec t = {0};
    if (clock_getcpuclockid(pid, &id) == 0)
        clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ask(void *arg)
{
    unsigned char hash[PRIV_MAC_SIZE] = {0};
    char mem[PRIV_SIG_MAX];
    struct buf sig;
    (void)arg;
    for (uint64_t i = 0; !over; i++) {
        memcpy(hash, &i, sizeof i);
        buf_init_fixed(&sig, mem, sizeof mem);
        if (priv_mail_sign(S("bench"), hash, &sig)) {
            fprintf(stderr, "keeper-bench: no signature\n");
            exit(1);
        }
        done++;
    }
    left--;
}

static void watch(void *arg)
{
    (void)arg;
    while (!over) {
        rt_time due = rt_after(WAKE_MS * RT_MS);
        (void)fiber_sleep(due);
        if (rt_now() - due > latest)
            latest = rt_now() - due;
    }
}

static void measure(void *arg)
{
    (void)arg;
    for (left = 0; left < ASKING; left++)
        if (!fiber_spawn(ask, NULL, "ask"))
            exit(1);
    (void)fiber_spawn(watch, NULL, "watch");
    (void)fiber_sleep(rt_after(RT_S / 5)); /* everything is warm */
    rt_time begin = rt_now();
    double cpu = cpu_of(keeper);
    long before = done;
    latest = 0;
    (void)fiber_sleep(rt_after((rt_time)seconds * RT_S));
    double n = (double)(done - before);
    printf("%.1f signatures per second of processor time, %.1f by the clock, loop late by at most %.1f ms\n",
           n / (cpu_of(keeper) - cpu), n * (double)RT_S / (double)(rt_now() - begin), (double)latest / RT_MS);
    over = true;
    while (left)
        (void)fiber_sleep(rt_after(RT_MS));
    rt_stop();
}

static void begin(void *arg, int index)
{
    (void)arg;
    (void)index;
    (void)fiber_spawn(measure, NULL, "measure");
}

static void serve(str key)
{
    const struct priv_signer signer = {.name = S("bench"), .key = key, .rsa = true};
    priv_links_close(&links, true, false);
    if (priv_setup(&(struct priv_secrets){.signers = &signer, .nsigners = 1}) || priv_serve(&links, 1))
        exit(1);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    struct buf pem;
    buf_init(&pem, 16384);
    if (argc > 1 && !text_u64(str_c(argv[1]), &seconds))
        return 1;
    if (sign_key_make(2048, &pem) || priv_links_open(&links, 1))
        return 1;
    keeper = fork();
    if (keeper == 0)
        serve(buf_str(&pem));
    priv_links_close(&links, false, true);
    if (keeper < 0 || priv_connect(&links))
        return 1;
    struct rt_start s = {.nloops = 1, .npool = 1, .init = begin, .drain = RT_S};
    err e = rt_run(&s);
    kill(keeper, SIGTERM); /* a profiler writes what it has */
    waitpid(keeper, NULL, 0);
    buf_free(&pem);
    return e ? 1 : 0;
}
