/* The parent's side of its children: fork, tell, wait for a word, and what their end means. */
#include "app/app.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORD_MS = 30000 };

/* A child that dies before it was ready is started again later and later, at most every 30 s. */
static rt_time restart_wait(const struct child *c)
{
    return (c->lost == 0 ? 0 : c->lost < 6 ? 1000 << (c->lost - 1) : 30000) * RT_MS;
}

static _Noreturn void in_child(const struct child *c, struct child_start *s, const int *others)
{
    for (; *others >= 0; others++)
        close(*others);
    /* The lock stays open here: it belongs to the last process of this server, not to the parent. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    _exit(c->run(s));
}

void child_start(struct child *c, struct child_start *s, const int *others)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        rt_log(EV_bug, log_c("socketpair"), log_c(strerror(errno)));
        return;
    }
    rt_log_flush();
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        s->channel = pair[1];
        s->again = c->again;
        in_child(c, s, others);
    }
    int e = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        c->start_at = rt_now_fresh() + RT_S;
        rt_log(c->died, log_num(0), log_c(strerror(e)));
        return;
    }
    c->pid = pid;
    c->channel = pair[0];
    c->ready = false;
    c->again = true;
    rt_log(c->started, log_num(pid));
}

void child_ended(struct child *c, int status, bool clean)
{
    char text[64];
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
    if (!clean || !WIFEXITED(status) || WEXITSTATUS(status))
        rt_log(c->died, log_num(c->pid), log_c(text));
    c->lost = c->ready ? 0 : c->lost + 1;
    c->start_at = rt_now_fresh() + restart_wait(c);
    close(c->channel);
    c->channel = -1;
    c->pid = 0;
}

void child_kill(struct child *c)
{
    int status;
    if (!c->pid)
        return;
    kill(c->pid, SIGKILL);
    if (waitpid(c->pid, &status, 0) == c->pid)
        child_ended(c, status, false);
}

/* ---- telling ------------------------------------------------------------------------------------------------ */

static int memory_file(const struct conf_bundle *b)
{
    struct buf bytes;
    buf_init(&bytes, (size_t)1 << 28);
    conf_bundle_encode(&bytes, b);
    int fd = bytes.e ? -1 : memfd_create("bundle", MFD_CLOEXEC);
    if (fd >= 0 && rt_fs_real.pwritev(fd, &(struct iovec){bytes.p, bytes.n}, 1, 0)) {
        close(fd);
        fd = -1;
    }
    buf_free(&bytes);
    return fd;
}

static err send_secrets(struct child *c, const struct conf_bundle *b)
{
    int fds[MESSAGE_FDS];
    struct message m = {.type = MSG_SECRETS};
    err e = OK;
    for (size_t i = 0; i <= b->n && !e; i++) {
        if (m.nfd == MESSAGE_FDS || (i == b->n && m.nfd)) {
            e = channel_send(c->channel, &m, fds);
            m.nfd = 0;
        }
        if (i < b->n && b->v[i].fd >= 0)
            fds[m.nfd++] = b->v[i].fd;
    }
    return e;
}

err child_tell(struct child *c, const struct conf_bundle *b, uint64_t generation, bool secrets)
{
    int fd = memory_file(b);
    err e = fd < 0 ? E_NOMEM : secrets ? send_secrets(c, b) : OK;
    if (!e)
        e = channel_send(c->channel, &(struct message){.type = MSG_RELOAD, .nfd = 1, .generation = generation}, &fd);
    if (fd >= 0)
        close(fd);
    return e;
}

err child_wait(struct child *c, uint64_t generation)
{
    rt_time end = rt_now_fresh() + WORD_MS * RT_MS;
    for (rt_time left; (left = end - rt_now_fresh()) > 0;) {
        struct pollfd v = {.fd = c->channel, .events = POLLIN};
        struct message m;
        int fds[MESSAGE_FDS];
        int n = poll(&v, 1, (int)(left / RT_MS) + 1);
        if (n <= 0)
            continue;
        err e = channel_recv(c->channel, &m, fds);
        if (e)
            return e;
        if (m.type == MSG_READY) {
            c->ready = true;
            if (generation == 0)
                return OK;
        } else if (m.generation == generation && (m.type == MSG_RELOADED || m.type == MSG_REFUSED)) {
            return m.type == MSG_RELOADED ? OK : E_DENIED;
        }
    }
    return E_TIMEOUT;
}
