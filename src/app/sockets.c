/*
 * The listening sockets. Each address is bound once without SO_REUSEPORT as a probe, so that a second
 * server is noticed, then once per loop; a socket that systemd passed for the address is shared by all
 * loops instead (sd_listen_fds(3)).
 */
#include "app/app.h"
#include "base/text.h"
#include "wire/ip.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

void socket_path(struct buf *out, const struct conf *c, enum socket_kind kind)
{
    str set = kind == SOCKET_CONTROL ? c->control_socket : c->local_socket;
    if (set.n == 0) {
        buf_add(out, c->data_dir);
        buf_add(out, kind == SOCKET_CONTROL ? S("/control") : S("/submit"));
    } else {
        buf_add(out, set);
    }
}

static socklen_t address_length(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET    ? sizeof(struct sockaddr_in)
           : a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                      : sizeof(struct sockaddr_un);
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return a->ss_family == b->ss_family && memcmp(a, b, address_length(a)) == 0;
}

/* A socket from the service manager that is bound to this address, or -1. */
static int passed_socket(const struct sockaddr_storage *at)
{
    uint64_t pid = 0, n = 0;
    if (!text_u64(str_c(getenv("LISTEN_PID")), &pid) || !text_u64(str_c(getenv("LISTEN_FDS")), &n) ||
        pid != (uint64_t)getpid())
        return -1;
    for (int fd = 3; fd < 3 + (int)n && n < 1024; fd++) {
        struct sockaddr_storage have = {0};
        socklen_t len = sizeof have;
        if (getsockname(fd, (struct sockaddr *)&have, &len) == 0 && same_address(&have, at)) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
            return fd;
        }
    }
    return -1;
}

static err open_unix(struct socket_set *s, int *ret)
{
    const struct sockaddr_un *u = (const struct sockaddr_un *)&s->at;
    unlink(u->sun_path); /* ours: the data folder is locked */
    mode_t old = umask(s->kind == SOCKET_LOCAL ? 0111 : 0117);
    err e = rt_listen((const struct sockaddr *)&s->at, sizeof *u, false, BACKLOG, ret);
    umask(old);
    return e;
}

static err open_set(struct socket_set *s, int want)
{
    s->fd = calloc((size_t)want, sizeof *s->fd);
    if (!s->fd)
        return E_NOMEM;
    int passed = passed_socket(&s->at);
    if (passed >= 0) {
        s->fd[s->nfd++] = passed;
        return OK;
    }
    if (s->at.ss_family == AF_UNIX) {
        err e = open_unix(s, &s->fd[0]);
        s->nfd = e ? 0 : 1;
        return e;
    }
    int probe = -1;
    err e = rt_listen((const struct sockaddr *)&s->at, address_length(&s->at), false, BACKLOG, &probe);
    if (e)
        return e;
    close(probe);
    while (s->nfd < want && !e) {
        e = rt_listen((const struct sockaddr *)&s->at, address_length(&s->at), true, BACKLOG, &s->fd[s->nfd]);
        s->nfd += !e;
    }
    return e;
}

static void close_set(struct socket_set *s)
{
    for (int i = 0; i < s->nfd; i++)
        close(s->fd[i]);
    if (s->at.ss_family == AF_UNIX)
        unlink(((struct sockaddr_un *)&s->at)->sun_path);
    free(s->fd);
}

static struct socket_set *find_set(struct sockets *s, enum socket_kind kind, const struct sockaddr_storage *at)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].kind == kind && same_address(&s->v[i].at, at))
            return &s->v[i];
    return NULL;
}

static void explain(struct buf *why, str title, const struct sockaddr_storage *at)
{
    struct ip_port ip;
    int e = errno;
    if (at->ss_family == AF_UNIX)
        buf_add_c(why, ((const struct sockaddr_un *)at)->sun_path);
    else if (ip_from_sockaddr((const struct sockaddr *)at, sizeof *at, &ip))
        ip_print_port(why, &ip);
    buf_printf(why, " (" STR_FMT "): %s%s", STR_ARG(title), strerror(e),
               e == EADDRINUSE      ? "; another server listens there"
               : e == EACCES        ? "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
               : e == EADDRNOTAVAIL ? "; this machine has no such address"
                                    : "");
}

static err want(struct sockets *s, enum socket_kind kind, str title, const struct sockaddr_storage *at, struct buf *why)
{
    struct socket_set *have = find_set(s, kind, at);
    if (!have) {
        struct socket_set *v = realloc(s->v, (s->n + 1) * sizeof *v);
        if (!v)
            return E_NOMEM;
        s->v = v;
        have = &v[s->n];
        *have = (struct socket_set){.kind = kind, .at = *at};
        errno = 0;
        err e = open_set(have, kind == SOCKET_LISTENER ? s->nloops : 1);
        if (e) {
            explain(why, title, at);
            close_set(have);
            return e;
        }
        s->n++;
    }
    have->seen = true;
    if (!str_to_c(title, have->title, sizeof have->title))
        return E_LIMIT;
    return OK;
}

static err want_local(struct sockets *s, enum socket_kind kind, const struct conf *c, struct buf *why)
{
    struct sockaddr_storage at = {0};
    struct sockaddr_un *u = (struct sockaddr_un *)&at;
    struct buf path;
    buf_init_fixed(&path, u->sun_path, sizeof u->sun_path - 1);
    u->sun_family = AF_UNIX;
    socket_path(&path, c, kind);
    if (path.e) {
        buf_printf(why,
                   "the path of a local socket is longer than %zu characters: choose a shorter data-dir, or set "
                   "control-socket and local-socket",
                   sizeof u->sun_path - 1);
        return E_LIMIT;
    }
    return want(s, kind, kind == SOCKET_CONTROL ? S("control") : S("local"), &at, why);
}

err sockets_follow(struct sockets *s, const struct conf *c, struct buf *why)
{
    size_t before = s->n;
    err e = OK;
    for (size_t i = 0; i < s->n; i++)
        s->v[i].seen = false;
    for (size_t i = 0; i < c->nlisteners && !e; i++)
        e = want(s, SOCKET_LISTENER, c->listeners[i].title, &c->listeners[i].address, why);
    if (!e && c->metrics_address.ss_family)
        e = want(s, SOCKET_METRICS, S("metrics"), &c->metrics_address, why);
    if (!e)
        e = want_local(s, SOCKET_CONTROL, c, why);
    if (!e)
        e = want_local(s, SOCKET_LOCAL, c, why);
    if (e) {
        while (s->n > before)
            close_set(&s->v[--s->n]);
        return e;
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].seen)
            s->v[kept++] = s->v[i];
        else
            close_set(&s->v[i]);
    s->n = kept;
    return OK;
}

void sockets_close(struct sockets *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < s->v[i].nfd; k++)
            close(s->v[i].fd[k]);
}

void sockets_free(struct sockets *s)
{
    for (size_t i = 0; i < s->n; i++)
        close_set(&s->v[i]);
    free(s->v);
    *s = (struct sockets){.nloops = s->nloops};
}
