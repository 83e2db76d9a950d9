/*
 * Non-blocking sockets for fibers. Each call tries first and sleeps only when the kernel says so; the
 * flags in struct io remember what is worth trying (edge-triggered). A fiber that never has to wait
 * lets others run after FIBER_BUDGET calls.
 */
#include "rt/internal.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

void io_event(struct io *io, bool readable, bool writable, bool end)
{
    io->ended |= end;
    if (readable) {
        io->readable = true;
        if (io->reader)
            fiber_wake(io->reader);
    }
    if (writable) {
        io->writable = true;
        if (io->writer)
            fiber_wake(io->writer);
    }
}

static void close_fd(struct io *io)
{
    if (io->fd >= 0)
        rt_be->close(io->fd);
    io->fd = -1;
}

#define AGAIN (200 * RT_MS) /* between tries to serve a socket */

static err attach(struct io *io, int fd)
{
    struct loop *l = rt_current;
    assert(l);
    int family = 0;
    socklen_t n = sizeof family;
    *io = (struct io){.fd = fd, .writable = true, .loop = l};
    if (rt_be->getopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) == 0)
        io->tcp = family == AF_INET || family == AF_INET6;
    if (rt_be->watch(l, io))
        return errno == ENOSPC ? E_LIMIT : err_from_errno(errno);
    io->attached = true;
    return OK;
}

err io_attach(struct io *io, int fd)
{
    err e = attach(io, fd);
    if (e)
        close_fd(io);
    return e;
}

err io_attach_listener(struct io *io, int fd)
{
    err e;
    while ((e = attach(io, fd)) != OK) {
        rt_log(EV_accept_failed, log_c(""), log_err(e));
        if (fiber_sleep(rt_after(AGAIN)) == OK)
            continue;
        close_fd(io);
        return E_CANCELLED;
    }
    return OK;
}

void io_close(struct io *io)
{
    if (io->fd < 0)
        return;
    if (io->attached)
        rt_be->unwatch(io->loop, io);
    io->attached = io->readable = io->writable = false;
    close_fd(io);
    if (io->reader)
        fiber_wake(io->reader);
    if (io->writer)
        fiber_wake(io->writer);
}

/* Before each try: the reasons not to go on, and fairness. */
static err enter(struct io *io, rt_time deadline)
{
    struct fiber *f = fiber_self();
    assert(f);
    if (io->fd < 0)
        return E_RESET;
    if (fiber_cancelled())
        return E_CANCELLED;
    if (deadline <= rt_now())
        return E_TIMEOUT;
    if (--f->budget <= 0)
        fiber_yield();
    return io->fd < 0 ? E_RESET : OK;
}

/* Sleeps until *flag; `who` is where the waiting fiber is named. */
static err wait_for(struct io *io, const bool *flag, struct fiber **who, rt_time deadline)
{
    err e = OK;
    assert(!*who);
    *who = fiber_self();
    while (!*flag && io->fd >= 0 && !e)
        e = fiber_park(deadline);
    *who = NULL;
    if (io->fd < 0)
        return E_RESET;
    return *flag ? OK : e;
}

err io_wait_read(struct io *io, rt_time deadline)
{
    err e = enter(io, deadline);
    return e ? e : wait_for(io, &io->readable, &io->reader, deadline);
}

err io_wait_write(struct io *io, rt_time deadline)
{
    err e = enter(io, deadline);
    return e ? e : wait_for(io, &io->writable, &io->writer, deadline);
}

static err socket_err(int e)
{
    err r = err_from_errno(e);
    return r == E_AGAIN || r == E_NOMEM || r == E_TIMEOUT ? r : r == E_IO ? E_IO : E_RESET;
}

err io_try_read(struct io *io, void *p, size_t n, size_t *ret_n)
{
    if (io->fd < 0)
        return E_RESET;
    if (!io->readable)
        return E_AGAIN;
    for (;;) {
        ssize_t r = rt_be->recv(io->fd, p, n);
        if (r >= 0) {
            /* TCP gave all it had; what comes later is a new edge, unless the end was already told. */
            if ((size_t)r < n && r && io->tcp && !io->ended)
                io->readable = false;
            *ret_n = (size_t)r;
            return OK;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            io->readable = false;
        return socket_err(errno);
    }
}

err io_try_write(struct io *io, const struct iovec *v, int nv, size_t *ret_n)
{
    if (io->fd < 0)
        return E_RESET;
    if (!io->writable)
        return E_AGAIN;
    for (;;) {
        ssize_t r = rt_be->send(io->fd, v, nv > IOV_MAX ? IOV_MAX : nv);
        if (r >= 0) {
            *ret_n = (size_t)r;
            return OK;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            io->writable = false;
        return socket_err(errno);
    }
}

err io_read(struct io *io, void *p, size_t n, rt_time deadline, size_t *ret_n)
{
    for (;;) {
        err e = enter(io, deadline);
        if (!e)
            e = io_try_read(io, p, n, ret_n);
        if (e != E_AGAIN)
            return e;
        e = wait_for(io, &io->readable, &io->reader, deadline);
        if (e)
            return e;
    }
}

err io_write(struct io *io, const struct iovec *v, int nv, rt_time deadline, size_t *ret_n)
{
    for (;;) {
        err e = enter(io, deadline);
        if (!e)
            e = io_try_write(io, v, nv, ret_n);
        if (e != E_AGAIN)
            return e;
        e = wait_for(io, &io->writable, &io->writer, deadline);
        if (e)
            return e;
    }
}

/* accept(2) reports network errors of the new connection: those concern nobody. */
static bool skip_accept_error(int e)
{
    return e == EINTR || e == ECONNABORTED || e == ENETDOWN || e == EPROTO || e == ENOPROTOOPT || e == EHOSTDOWN ||
           e == ENONET || e == EHOSTUNREACH || e == EOPNOTSUPP || e == ENETUNREACH || e == EPERM;
}

err io_accept(struct io *listener, int *ret_fd, struct sockaddr_storage *ret_peer)
{
    for (;;) {
        err e = enter(listener, RT_NEVER);
        if (!e && !listener->readable)
            e = wait_for(listener, &listener->readable, &listener->reader, RT_NEVER);
        if (e)
            return e;
        socklen_t n = sizeof *ret_peer;
        memset(ret_peer, 0, sizeof *ret_peer);
        int fd = rt_be->accept(listener->fd, (struct sockaddr *)ret_peer, &n);
        if (fd >= 0) {
            *ret_fd = fd;
            return OK;
        }
        if (errno == EAGAIN)
            listener->readable = false;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS)
            return E_LIMIT;
        else if (!skip_accept_error(errno))
            return err_from_errno(errno);
    }
}

static void set_opt(int fd, int level, int name)
{
    int on = 1;
    rt_be->setopt(fd, level, name, &on, sizeof on);
}

static err bind_from(int fd, const struct sockaddr *from, socklen_t n)
{
    if (!from)
        return OK;
    if (from->sa_family != AF_UNIX)
        set_opt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    return rt_be->bind(fd, from, n) ? err_from_errno(errno) : OK;
}

static err connect_result(struct io *io, rt_time deadline)
{
    /* A new socket is no edge until the connection stands or fails. */
    io->writable = false;
    err e = wait_for(io, &io->writable, &io->writer, deadline);
    int failed = 0;
    socklen_t n = sizeof failed;
    if (!e && rt_be->getopt(io->fd, SOL_SOCKET, SO_ERROR, &failed, &n))
        failed = errno;
    return e ? e : err_from_errno(failed);
}

err io_connect(struct io *io, const struct sockaddr *to, socklen_t to_len, const struct sockaddr *from,
               socklen_t from_len, rt_time deadline)
{
    *io = IO_NONE;
    if (fiber_cancelled())
        return E_CANCELLED;
    int fd = rt_be->socket(to->sa_family, SOCK_STREAM);
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? E_LIMIT : err_from_errno(errno);
    if (to->sa_family != AF_UNIX)
        set_opt(fd, IPPROTO_TCP, TCP_NODELAY);
    err e = bind_from(fd, from, from_len);
    bool pending = false;
    if (!e && rt_be->connect(fd, to, to_len)) {
        pending = errno == EINPROGRESS || errno == EINTR;
        if (!pending)
            e = err_from_errno(errno);
    }
    if (e) {
        rt_be->close(fd);
        return e;
    }
    e = io_attach(io, fd);
    if (!e && pending)
        e = connect_result(io, deadline);
    if (e)
        io_close(io);
    return e;
}

err io_address(const struct io *io, bool peer, struct sockaddr_storage *ret)
{
    socklen_t n = sizeof *ret;
    memset(ret, 0, sizeof *ret);
    return rt_be->address(io->fd, peer, (struct sockaddr *)ret, &n) ? err_from_errno(errno) : OK;
}

void io_shutdown(struct io *io)
{
    if (io->fd >= 0)
        rt_be->shutdown(io->fd, SHUT_WR);
}

bool rt_peer_uid(int fd, uid_t *ret)
{
    struct ucred who;
    socklen_t n = sizeof who;
    if (rt_be->getopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n))
        return false;
    *ret = who.uid;
    return true;
}

void rt_turn_away(int fd, str text)
{
    if (text.n)
        (void)rt_be->send(fd, &(struct iovec){(void *)(uintptr_t)text.p, text.n}, 1);
    rt_be->close(fd);
}

err rt_listen(const struct sockaddr *at, socklen_t len, bool reuseport, int backlog, int *ret_fd)
{
    int fd = rt_be->socket(at->sa_family, SOCK_STREAM);
    if (fd < 0)
        return err_from_errno(errno);
    if (at->sa_family != AF_UNIX) {
        set_opt(fd, SOL_SOCKET, SO_REUSEADDR);
        set_opt(fd, IPPROTO_TCP, TCP_NODELAY); /* accepted sockets inherit it */
        if (reuseport)
            set_opt(fd, SOL_SOCKET, SO_REUSEPORT);
        if (at->sa_family == AF_INET6)
            set_opt(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    }
    if (rt_be->bind(fd, at, len) || (backlog >= 0 && rt_be->listen(fd, backlog))) {
        err e = errno == EADDRINUSE ? E_EXISTS : err_from_errno(errno);
        rt_be->close(fd);
        return e;
    }
    *ret_fd = fd;
    return OK;
}
