/*
 * The listening sockets. Each address is bound once without SO_REUSEPORT as a probe, so that a second
 * server is noticed, then once per loop; a socket that systemd passed for the address is shared by all
 * loops instead (sd_listen_fds(3)).
 */
#include "app/app.h"
#include "base/cleanup.h"
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

/* ---- sockets that were open before us -------------------------------------------------------------------------- */

/* From the service manager (sd_listen_fds(3)) or from the program that this process was before. */
enum { PASSED_MAX = 1024 };
static struct {
    int fd[PASSED_MAX]; /* -1: taken */
    size_t n;
    bool read, handed; /* handed: by our predecessor, as many for an address as it had loops */
} passed;
static const char HANDED[] = "POSTRIDER_SOCKETS"; /* "5,6,7" */

static void pass(uint64_t fd)
{
    int flags = fd < INT32_MAX ? fcntl((int)fd, F_GETFL) : -1;
    if (flags < 0 || passed.n == PASSED_MAX)
        return;
    fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    fcntl((int)fd, F_SETFL, flags | O_NONBLOCK);
    passed.fd[passed.n++] = (int)fd;
}

static void read_passed(void)
{
    uint64_t pid = 0, n = 0, fd;
    str rest = str_c(getenv(HANDED)), word;
    if (passed.read)
        return;
    passed.read = true;
    passed.handed = rest.p != NULL;
    while (str_cut(&rest, ',', &word))
        if (text_u64(word, &fd))
            pass(fd);
    if (!passed.handed && text_u64(str_c(getenv("LISTEN_PID")), &pid) && pid == (uint64_t)getpid() &&
        text_u64(str_c(getenv("LISTEN_FDS")), &n))
        for (fd = 3; fd < 3 + n && n <= PASSED_MAX; fd++)
            pass(fd);
    unsetenv(HANDED);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
}

/* Moves those that are bound to this address into s->fd, at most `most`. */
static void take_passed(struct socket_set *s, int most)
{
    read_passed();
    for (size_t i = 0; i < passed.n && s->nfd < most; i++) {
        struct sockaddr_storage have = {0};
        socklen_t len = sizeof have;
        if (passed.fd[i] < 0 || getsockname(passed.fd[i], (struct sockaddr *)&have, &len) ||
            !same_address(&have, &s->at))
            continue;
        s->fd[s->nfd++] = passed.fd[i];
        passed.fd[i] = -1;
    }
}

/* What the configuration no longer asks for: clients must not wait in it. */
static void drop_passed(void)
{
    for (size_t i = 0; i < passed.n; i++)
        if (passed.fd[i] >= 0)
            close(passed.fd[i]);
    passed.n = 0;
}

err sockets_hand_over(struct sockets *s)
{
    AUTO_BUF list;
    buf_init(&list, PASSED_MAX * 12);
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < s->v[i].nfd; k++)
            buf_printf(&list, "%s%d", list.n ? "," : "", s->v[i].fd[k]);
    buf_add_char(&list, 0);
    if (list.e || setenv(HANDED, list.p, 1))
        return E_NOMEM;
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < s->v[i].nfd; k++)
            fcntl(s->v[i].fd[k], F_SETFD, 0);
    return OK;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

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
    take_passed(s, want);
    if (s->nfd == want || (s->nfd && !passed.handed))
        return OK;
    if (s->at.ss_family == AF_UNIX) {
        err e = open_unix(s, &s->fd[0]);
        s->nfd = e ? 0 : 1;
        return e;
    }
    int probe = -1; /* does not listen: a client that reached it would be cut off when it closes */
    err e = s->nfd ? OK : rt_listen((const struct sockaddr *)&s->at, address_length(&s->at), false, -1, &probe);
    if (e)
        return e;
    if (probe >= 0)
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

static err want_acme(struct sockets *s, const struct conf *c, struct buf *why)
{
    struct sockaddr_storage any = {0};
    struct ip_port port = {{.v = 4}, c->acme_challenge == CONF_ACME_HTTP ? 80 : 443};
    ip_to_sockaddr(&port, &any);
    err e = OK;
    for (size_t i = 0; i < c->acme_address.n && !e; i++)
        e = want(s, SOCKET_ACME, S("acme"), &c->acme_address.v[i], why);
    return c->acme_address.n ? e : want(s, SOCKET_ACME, S("acme"), &any, why);
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
    if (!e && c->acme_names.n)
        e = want_acme(s, c, why);
    if (!e)
        e = want_local(s, SOCKET_CONTROL, c, why);
    if (!e)
        e = want_local(s, SOCKET_LOCAL, c, why);
    if (e) {
        while (s->n > before)
            close_set(&s->v[--s->n]);
        return e;
    }
    if (passed.handed)
        drop_passed();
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
