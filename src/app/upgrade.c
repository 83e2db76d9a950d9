/*
 * A new version takes over from a running one, in the same process: the parent lets its worker end its
 * sessions' transactions, keeps the listening sockets, in which new clients wait meanwhile, and becomes the
 * program that now lies where it was started from. The queue is found in the spool, as after any start.
 *
 * The file lock in the data folder says who to tell: "PID START", and " ready" once it serves.
 */
#include "app/app.h"
#include "base/text.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SPARE_TIME (30 * RT_S) /* beside drain-time, to read the spool */

/* ---- the parent's side -------------------------------------------------------------------------------------- */

static char program[4096];

void upgrade_remember_program(void)
{
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n < 0 ? 0 : n] = 0;
}

static void say_failed(const char *then)
{
    char text[200];
    snprintf(text, sizeof text, "%s%s", strerror(errno), then);
    rt_log(EV_upgrade_failed, log_c(program), log_c(text));
    rt_log_flush();
}

void upgrade_exec(struct sockets *s, const char *file)
{
    char serve[] = "serve", option[] = "-c", name[] = "postrider", path[1024];
    char *argv[] = {name, serve, option, path, NULL};
    sigset_t none;
    sigemptyset(&none);
    if (!str_to_c(str_c(file), path, sizeof path) || sockets_hand_over(s)) {
        rt_log(EV_upgrade_failed, log_c(program), log_c("the sockets cannot be handed over; start the server anew"));
        return;
    }
    rt_log_flush();
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(program, argv);
    say_failed("; this version goes on");
    execv("/proc/self/exe", argv); /* there is none, or it cannot run: go on with the one that we are */
    say_failed(", nor could this version be started again; start the server anew");
}

/* ---- the command -------------------------------------------------------------------------------------------- */

/* The parent of the server that holds the data folder; *ret_text is what its lock says. */
static pid_t holder(const struct conf *c, char *text, size_t size)
{
    char path[1100];
    uint64_t pid = 0;
    str word, rest;
    if (snprintf(path, sizeof path, STR_FMT "/lock", STR_ARG(c->data_dir)) >= (int)sizeof path)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    bool free = flock(fd, LOCK_SH | LOCK_NB) == 0;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n < 0 ? 0 : n] = 0;
    rest = str_c(text);
    str_cut(&rest, ' ', &word);
    return !free && text_u64(word, &pid) && pid > 1 && pid < INT32_MAX ? (pid_t)pid : 0;
}

int upgrade_command(const char *file)
{
    char before[64], now[64];
    struct conf *c = cli_load_config(file); /* what this version would refuse must not stop the old one */
    if (!c)
        return 1;
    pid_t pid = holder(c, before, sizeof before);
    if (!pid) {
        fprintf(stderr, "postrider: no server runs with the data folder " STR_FMT "\n", STR_ARG(c->data_dir));
        conf_drop(&c);
        return 69;
    }
    if (kill(pid, SIGUSR2)) {
        fprintf(stderr, "postrider: the server (process %d) cannot be told: only root and its user may\n", (int)pid);
        conf_drop(&c);
        return 77;
    }
    rt_time end = rt_now_fresh() + c->drain_time + SPARE_TIME;
    bool done = false;
    while (!done && rt_now_fresh() < end && (holder(c, now, sizeof now) == pid || kill(pid, 0) == 0)) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        done = holder(c, now, sizeof now) == pid && !str_eq(str_c(now), str_c(before)) &&
               str_ends(str_c(now), S(" ready\n"));
    }
    conf_drop(&c);
    if (!done)
        fprintf(stderr, "postrider: the new version did not take over; the log of the server says why\n");
    return done ? 0 : 1;
}
