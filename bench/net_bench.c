/*
 * What connections cost: memory of an idle one, in clear and in TLS, each with its fiber asleep in
 * conn_readline; a line there and back; bulk data. Prints a line each; no judgement.
 * Usage: net-bench [connections]
 */
#include "net/internal.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ROUNDS = 50000, BULK = 200 * 1024 * 1024 };

static int count = 9000, left;
static struct tls_server *server;

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

static void pair(int fd[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd)) {
        perror("socketpair");
        exit(1);
    }
}

/* ---- idle ---- */

static void idle(void *arg)
{
    struct conn c;
    str line;
    int fd = (int)(intptr_t)arg;
    if (conn_init(&c, fd, NULL) == OK && (!server || tls_accept(&c, server, NULL) == OK))
        while (conn_readline(&c, 1024, &line, NULL) == OK) {
            conn_write(&c, S("250 2.0.0 OK\r\n"));
            left--;
        }
    conn_close(&c);
}

/* The client's side: its state of TLS goes at once, so that only the server's is counted. */
static void one_command(int fd, int *keep)
{
    struct conn c;
    str line;
    struct tls_client_config cfg = {.verify = TLS_ANY};
    *keep = dup(fd);
    if (conn_init(&c, fd, NULL) == OK && (!server || tls_connect(&c, &cfg, NULL) == OK)) {
        conn_write(&c, S("NOOP\r\n"));
        if (conn_readline(&c, 1024, &line, NULL) != OK)
            printf("failed: %s\n", err_name(c.e));
    }
    conn_close(&c);
}

static void bench_idle(const char *what)
{
    int *keep = calloc((size_t)count, sizeof *keep);
    long before = resident();
    left = count;
    for (int i = 0; i < count; i++) {
        int fd[2];
        pair(fd);
        fiber_spawn(idle, (void *)(intptr_t)fd[0], "idle");
        one_command(fd[1], &keep[i]);
    }
    fiber_sleep(rt_after(14 * RT_S)); /* sleeping stacks are trimmed meanwhile */
    printf("%-44s %8ld octets\n", what, (resident() - before) / count);
    for (int i = 0; i < count; i++)
        close(keep[i]);
    free(keep);
    fiber_sleep(rt_after(RT_S));
    malloc_trim(0);
}

/* ---- speed ---- */

static void echo(void *arg)
{
    struct conn c;
    str s;
    conn_init(&c, (int)(intptr_t)arg, NULL);
    if (server)
        tls_accept(&c, server, NULL);
    while (conn_readline(&c, 1024, &s, NULL) == OK) {
        if (!str_eq(s, S("DATA")))
            conn_write(&c, S("250 2.0.0 OK\r\n"));
        else
            while (conn_peek(&c, &s) == OK)
                conn_took(&c, s.n);
    }
    left--;
    conn_close(&c);
}

static void bench_speed(const char *what)
{
    int fd[2];
    struct conn c;
    str s;
    static char block[65536];
    struct tls_client_config cfg = {.verify = TLS_ANY};
    pair(fd);
    left = 1;
    fiber_spawn(echo, (void *)(intptr_t)fd[0], "echo");
    conn_init(&c, fd[1], NULL);
    if (server)
        tls_connect(&c, &cfg, NULL);
    rt_time begin = rt_now_fresh();
    for (int i = 0; i < ROUNDS && c.e == OK; i++) {
        conn_write(&c, S("RCPT TO:<somebody@example.test>\r\n"));
        conn_readline(&c, 1024, &s, NULL);
    }
    printf("%-14s a line there and back, both ends     %8.1f ns\n", what, (double)(rt_now_fresh() - begin) / ROUNDS);
    begin = rt_now_fresh();
    conn_write(&c, S("DATA\r\n"));
    for (int i = 0; i < BULK / (int)sizeof block; i++)
        conn_write(&c, str_mem(block, sizeof block));
    conn_end(&c);
    while (left)
        fiber_yield();
    printf("%-14s bulk, both ends                      %8.1f MB/s\n", what,
           BULK / 1e6 / ((double)(rt_now_fresh() - begin) / 1e9));
}

static void run(void *arg, int index)
{
    struct buf cert, key;
    (void)arg, (void)index;
    bench_speed("clear:");
    bench_idle("idle connection in clear");
    buf_init(&cert, 8192);
    buf_init(&key, 8192);
    if (tls_self_signed(S("bench.test"), &cert, &key) == OK) {
        buf_add_char(&cert, 0);
        buf_add_char(&key, 0);
        const char *cp = cert.p, *kp = key.p;
        struct tls_server_config tc = {.cert_pem = &cp, .key_pem = &kp, .n = 1};
        if (tls_server_new(&server, &tc, NULL) == OK) {
            bench_speed("TLS:");
            bench_idle("idle connection in TLS 1.3");
        }
    }
    rt_stop();
}

int main(int argc, char **argv)
{
    struct rlimit r;
    if (argc > 1)
        count = (int)strtol(argv[1], NULL, 10);
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && (rlim_t)count * 2 + 100 > r.rlim_cur) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    struct rt_start s = {.nloops = 1, .npool = 1, .init = run, .drain = 5 * RT_S};
    return rt_run(&s) == OK ? 0 : 1;
}
