/*
 * The production back end: epoll and an eventfd per loop, threads, futexes, the kernel's clocks and
 * sockets. Descriptors are registered once, edge-triggered.
 */
#include "rt/internal.h"

#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- clocks and chance ---- */

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * RT_S + t.tv_nsec;
}

static rt_time be_now(void) { return read_clock(CLOCK_MONOTONIC); }
static int64_t be_wall_ms(void) { return read_clock(CLOCK_REALTIME) / RT_MS; }

static void be_random(void *p, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t r = getrandom((char *)p + got, n - got, 0);
        if (r > 0)
            got += (size_t)r;
        else if (errno != EINTR)
            abort(); /* no kernel since 3.17 refuses; running on without would be worse */
    }
}

/* ---- loops ---- */

enum { EVENTS = 256 };

struct be_loop {
    int ep, wake;
    bool started;
    pthread_t thread;
    struct epoll_event events[EVENTS];
};

static void be_loop_close(struct loop *l)
{
    struct be_loop *b = l->be;
    if (!b)
        return;
    if (b->ep >= 0)
        close(b->ep);
    b->ep = -1; /* the eventfd stays: a late post may write to it */
}

static err be_loop_open(struct loop *l)
{
    struct be_loop *b = l->be = calloc(1, sizeof *b);
    if (!b)
        return E_NOMEM;
    b->ep = epoll_create1(EPOLL_CLOEXEC);
    b->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    if (b->ep < 0 || b->wake < 0 || epoll_ctl(b->ep, EPOLL_CTL_ADD, b->wake, &ev))
        return err_from_errno(errno);
    return OK;
}

/* The eventfd is edge-triggered and never read: each write is a new edge. */
static void be_wake(struct loop *l)
{
    struct be_loop *b = l->be;
    uint64_t one = 1;
    int saved = errno;
    ssize_t r = write(b->wake, &one, sizeof one);
    (void)r;
    errno = saved;
}

static int timeout_ms(rt_time until)
{
    if (until == 0)
        return 0;
    if (until == RT_NEVER)
        return -1;
    rt_time left = until - be_now();
    if (left <= 0)
        return 0;
    left = left / RT_MS + 1;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

static void be_wait(struct loop *l, rt_time until)
{
    struct be_loop *b = l->be;
    int n = epoll_wait(b->ep, b->events, EVENTS, timeout_ms(until));
    for (int i = 0; i < n; i++) {
        uint32_t e = b->events[i].events;
        struct io *io = b->events[i].data.ptr;
        bool end = e & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
        if (io)
            io_event(io, end || e & EPOLLIN, e & (EPOLLOUT | EPOLLHUP | EPOLLERR), end);
    }
}

struct thread_start {
    void *(*fn)(void *arg);
    void *arg;
    char name[16];
};

/* A thread names itself: from outside that takes a file of /proc, which a sandbox does not open. */
static void *named_thread(void *p)
{
    struct thread_start s = *(struct thread_start *)p;
    free(p);
    prctl(PR_SET_NAME, s.name);
    return s.fn(s.arg);
}

/* Threads leave signals to the one that called rt_run. */
int rt_thread_start(pthread_t *t, void *(*fn)(void *arg), void *arg, const char *name)
{
    sigset_t all, old;
    struct thread_start *s = calloc(1, sizeof *s);
    if (!s)
        return ENOMEM;
    *s = (struct thread_start){fn, arg, ""};
    str_to_c(str_sub(str_c(name), 0, sizeof s->name - 1), s->name, sizeof s->name);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int e = pthread_create(t, NULL, named_thread, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e)
        free(s);
    return e;
}

static void thread_end(void)
{
    log_end();
    metrics_end();
}

static void *loop_thread(void *l)
{
    loop_main(l);
    thread_end();
    return NULL;
}

static err be_run(struct world *w)
{
    signal(SIGPIPE, SIG_IGN);
    err e = pool_open(w->start.npool);
    for (int i = 0; i < w->n && !e; i++) {
        struct be_loop *b = w->loops[i].be;
        if (rt_thread_start(&b->thread, loop_thread, &w->loops[i], "loop"))
            e = E_NOMEM;
        else
            b->started = true;
    }
    if (e) {
        atomic_store(&w->finished, true);
        rt_stop();
    }
    bool drained = true;
    for (int i = 0; i < w->n; i++) {
        struct be_loop *b = w->loops[i].be;
        if (b->started)
            pthread_join(b->thread, NULL);
        drained &= w->loops[i].nfibers == 0;
    }
    pool_close(drained);
    return e;
}

/* ---- tasks ---- */

struct be_task {
    pthread_t thread;
    _Atomic uint32_t wakes; /* the futex word: counts up with each wake */
};

static void *task_thread(void *t)
{
    task_body(t);
    thread_end();
    return NULL;
}

static err be_task_start(struct task *t)
{
    struct be_task *b = t->be = calloc(1, sizeof *b);
    if (!b)
        return E_NOMEM;
    if (rt_thread_start(&b->thread, task_thread, t, t->name)) {
        free(b);
        t->be = NULL;
        return E_NOMEM;
    }
    return OK;
}

static void be_task_sleep(struct task *t, rt_time deadline)
{
    struct be_task *b = t->be;
    struct timespec at = {.tv_sec = deadline / RT_S, .tv_nsec = deadline % RT_S};
    uint32_t seen = atomic_load(&b->wakes);
    if (atomic_load(&t->inbox.asleep))
        syscall(SYS_futex, &b->wakes, FUTEX_WAIT_BITSET_PRIVATE, seen, deadline == RT_NEVER ? NULL : &at, NULL,
                FUTEX_BITSET_MATCH_ANY);
}

static void be_task_wake(struct task *t)
{
    struct be_task *b = t->be;
    atomic_fetch_add(&b->wakes, 1);
    syscall(SYS_futex, &b->wakes, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void be_task_join(struct task *t)
{
    struct be_task *b = t->be;
    pthread_join(b->thread, NULL);
    free(b);
}

static void be_give_way(void) { sched_yield(); }

/* ---- sockets ---- */

static int be_socket(int family, int type) { return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
static int be_accept(int fd, struct sockaddr *peer, socklen_t *n)
{
    return accept4(fd, peer, n, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
static ssize_t be_recv(int fd, void *p, size_t n) { return recv(fd, p, n, 0); }
static ssize_t be_send(int fd, const struct iovec *v, int nv)
{
    if (nv == 1)
        return send(fd, v->iov_base, v->iov_len, MSG_NOSIGNAL);
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)nv};
    return sendmsg(fd, &m, MSG_NOSIGNAL);
}
static int be_address(int fd, bool peer, struct sockaddr *at, socklen_t *n)
{
    return peer ? getpeername(fd, at, n) : getsockname(fd, at, n);
}
static int be_bind(int fd, const struct sockaddr *at, socklen_t n) { return bind(fd, at, n); }
static int be_connect(int fd, const struct sockaddr *to, socklen_t n) { return connect(fd, to, n); }

static int be_watch(struct loop *l, struct io *io)
{
    struct be_loop *b = l->be;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = io};
    return epoll_ctl(b->ep, EPOLL_CTL_ADD, io->fd, &ev);
}

/* Said before close, because another process may hold the same open socket. */
static void be_unwatch(struct loop *l, struct io *io)
{
    struct be_loop *b = l->be;
    epoll_ctl(b->ep, EPOLL_CTL_DEL, io->fd, NULL);
}

/* ---- the log ---- */

static bool be_log_ready(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, wait_ms) > 0;
}
static ssize_t be_log_write(int fd, const void *p, size_t n) { return write(fd, p, n); }

const struct backend rt_be_epoll = {
    .now = be_now,
    .wall_ms = be_wall_ms,
    .random = be_random,
    .run = be_run,
    .loop_open = be_loop_open,
    .loop_close = be_loop_close,
    .wait = be_wait,
    .wake = be_wake,
    .task_start = be_task_start,
    .task_sleep = be_task_sleep,
    .task_wake = be_task_wake,
    .task_join = be_task_join,
    .give_way = be_give_way,
    .pool_put = pool_put,
    .socket = be_socket,
    .bind = be_bind,
    .listen = listen,
    .accept = be_accept,
    .connect = be_connect,
    .recv = be_recv,
    .send = be_send,
    .getopt = getsockopt,
    .setopt = setsockopt,
    .address = be_address,
    .shutdown = shutdown,
    .close = close,
    .watch = be_watch,
    .unwatch = be_unwatch,
    .log_ready = be_log_ready,
    .log_write = be_log_write,
};
