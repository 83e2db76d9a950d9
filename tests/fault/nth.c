/*
 * Linked into postrider-fault in the place of the system calls named here (ld --wrap): the n-th one of a kind fails,
 * over all processes of the server, as a page that the test maps says; and the wall clock can be stepped. Without
 * FAULT_FILE in the environment nothing changes. tests/fault/nth drives it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { MEMORY = 1, FILES = 2, NETWORK = 4, LOOP = 8, PROCESS = 16 };

/* The page; numbers are native. */
static struct control {
    _Atomic uint32_t kinds; /* which calls count; 0: none */
    _Atomic uint32_t burst; /* how many fail from the n-th on */
    _Atomic int64_t left;   /* counts down; the call that finds 1 is the n-th */
    _Atomic uint64_t seen, failed;
    _Atomic int64_t shift; /* of the wall clock, s */
    _Atomic uint32_t disk_error;
    char last[32]; /* the first call that failed */
} * control;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("FAULT_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (p != MAP_FAILED)
        control = p;
}

static bool fails(enum kind kind, const char *name, int error)
{
    struct control *c = control;
    if (!c || !(atomic_load_explicit(&c->kinds, memory_order_relaxed) & kind))
        return false;
    atomic_fetch_add(&c->seen, 1);
    int64_t left = atomic_fetch_sub(&c->left, 1);
    if (left > 1 || left <= 1 - (int64_t)atomic_load(&c->burst))
        return false;
    if (!atomic_fetch_add(&c->failed, 1))
        snprintf(c->last, sizeof c->last, "%s", name);
    errno = error;
    return true;
}

/* FAULT(kind, error, value when it fails, type, name, (parameters), (arguments)) */
#define FAULT(kind, error, bad, type, name, params, args)                                                              \
    type __real_##name params;                                                                                         \
    type __wrap_##name params;                                                                                         \
    type __wrap_##name params { return fails(kind, #name, error) ? (bad) : __real_##name args; }
/* A disk is full or broken, as the page says. */
#define DISK(type, name, params, args)                                                                                 \
    FAULT(FILES, (int)atomic_load(&control->disk_error), -1, type, name, params, args)

FAULT(MEMORY, ENOMEM, NULL, void *, malloc, (size_t n), (n))
FAULT(MEMORY, ENOMEM, NULL, void *, calloc, (size_t n, size_t k), (n, k))
FAULT(MEMORY, ENOMEM, NULL, void *, realloc, (void *p, size_t n), (p, n))
FAULT(MEMORY, ENOMEM, NULL, void *, reallocarray, (void *p, size_t n, size_t k), (p, n, k))
FAULT(MEMORY, ENOMEM, NULL, void *, aligned_alloc, (size_t a, size_t n), (a, n))
FAULT(MEMORY, ENOMEM, MAP_FAILED, void *, mmap64, (void *p, size_t n, int prot, int flags, int fd, off_t at),
      (p, n, prot, flags, fd, at))

DISK(int, openat64, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
DISK(ssize_t, pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
DISK(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
DISK(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
DISK(int, fdatasync, (int fd), (fd))
DISK(int, fsync, (int fd), (fd))
DISK(int, ftruncate64, (int fd, off_t n), (fd, n))
DISK(int, renameat, (int a, const char *p, int b, const char *q), (a, p, b, q))
DISK(int, linkat, (int a, const char *p, int b, const char *q, int flags), (a, p, b, q, flags))
DISK(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
DISK(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
DISK(int, fstat64, (int fd, struct stat *st), (fd, st))
DISK(int, fstatvfs64, (int fd, struct statvfs *st), (fd, st))
FAULT(FILES, 0, ENOSPC, int, posix_fallocate64, (int fd, off_t at, off_t n), (fd, at, n))

FAULT(NETWORK, EMFILE, -1, int, socket, (int a, int b, int c), (a, b, c))
FAULT(NETWORK, EMFILE, -1, int, accept4, (int fd, struct sockaddr *at, socklen_t *n, int flags), (fd, at, n, flags))
FAULT(NETWORK, EADDRNOTAVAIL, -1, int, connect, (int fd, const struct sockaddr *at, socklen_t n), (fd, at, n))
FAULT(NETWORK, ECONNRESET, -1, ssize_t, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
FAULT(NETWORK, EPIPE, -1, ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
FAULT(NETWORK, ENOTCONN, -1, int, getpeername, (int fd, struct sockaddr *at, socklen_t *n), (fd, at, n))
FAULT(NETWORK, ENOBUFS, -1, int, getsockname, (int fd, struct sockaddr *at, socklen_t *n), (fd, at, n))
FAULT(NETWORK, ENOBUFS, -1, int, getsockopt, (int fd, int level, int name, void *p, socklen_t *n),
      (fd, level, name, p, n))
FAULT(NETWORK, ENOBUFS, -1, int, setsockopt, (int fd, int level, int name, const void *p, socklen_t n),
      (fd, level, name, p, n))
FAULT(NETWORK, ENOTCONN, -1, int, shutdown, (int fd, int how), (fd, how))
FAULT(NETWORK, ENOSPC, -1, int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *e), (ep, op, fd, e))

FAULT(LOOP, EINTR, -1, int, epoll_wait, (int ep, struct epoll_event *e, int n, int ms), (ep, e, n, ms))
FAULT(LOOP, EAGAIN, -1, ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))

FAULT(PROCESS, EAGAIN, -1, pid_t, fork, (void), ())
FAULT(PROCESS, EMFILE, -1, int, socketpair, (int a, int b, int c, int fd[2]), (a, b, c, fd))
FAULT(PROCESS, EMFILE, -1, int, eventfd, (unsigned n, int flags), (n, flags))
FAULT(PROCESS, EMFILE, -1, int, epoll_create1, (int flags), (flags))
FAULT(PROCESS, 0, EAGAIN, int, pthread_create, (pthread_t * t, const pthread_attr_t *a, void *(*fn)(void *), void *arg),
      (t, a, fn, arg))
FAULT(PROCESS, EADDRINUSE, -1, int, bind, (int fd, const struct sockaddr *at, socklen_t n), (fd, at, n))
FAULT(PROCESS, EADDRINUSE, -1, int, listen, (int fd, int n), (fd, n))

/* ---- the wall clock ---- */

int __real_clock_gettime(clockid_t which, struct timespec *t);
int __wrap_clock_gettime(clockid_t which, struct timespec *t);
int __wrap_clock_gettime(clockid_t which, struct timespec *t)
{
    int r = __real_clock_gettime(which, t);
    if (control && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        t->tv_sec += atomic_load(&control->shift);
    return r;
}

time_t __real_time(time_t *t);
time_t __wrap_time(time_t *t);
time_t __wrap_time(time_t *t)
{
    time_t now = __real_time(NULL) + (control ? atomic_load(&control->shift) : 0);
    if (t)
        *t = now;
    return now;
}

/* ---- the end of a child: what it leaked ---- */

#if defined __SANITIZE_ADDRESS__
void __lsan_do_leak_check(void);
#endif
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
_Noreturn void __wrap__exit(int status)
{
#if defined __SANITIZE_ADDRESS__
    if (!status && control)
        __lsan_do_leak_check();
#endif
    __real__exit(status);
}
