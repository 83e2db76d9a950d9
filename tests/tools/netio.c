/* See netio.h. */
#include "netio.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(2);
}

static socklen_t make_addr(const char *host, int port, struct sockaddr_storage *ss)
{
    *ss = (struct sockaddr_storage){0};
    struct sockaddr_in *a = (struct sockaddr_in *)ss;
    struct sockaddr_in6 *b = (struct sockaddr_in6 *)ss;
    if (inet_pton(AF_INET, host, &a->sin_addr) == 1 && ntohl(a->sin_addr.s_addr) >> 24 == 127) {
        a->sin_family = AF_INET;
        a->sin_port = htons((uint16_t)port);
        return sizeof *a;
    }
    if (inet_pton(AF_INET6, host, &b->sin6_addr) == 1 && IN6_IS_ADDR_LOOPBACK(&b->sin6_addr)) {
        b->sin6_family = AF_INET6;
        b->sin6_port = htons((uint16_t)port);
        return sizeof *b;
    }
    return 0;
}

bool parse_hostport(const char *arg, char host[64], int *ret_port)
{
    str a = str_c(arg), h;
    size_t colon = str_rfind(a, ':');
    if (colon == STR_NONE)
        return false;
    h = str_sub(a, 0, colon);
    if (h.n > 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = str_sub(h, 1, h.n - 1);
    long port = strtol(arg + colon + 1, NULL, 10);
    struct sockaddr_storage ss;
    if (port < 1 || port > 65535 || !str_to_c(h, host, 64) || make_addr(host, (int)port, &ss) == 0)
        return false;
    *ret_port = (int)port;
    return true;
}

int listen_on(const char *host, int port)
{
    struct sockaddr_storage ss;
    socklen_t len = make_addr(host, port, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, 4096) < 0) {
        fprintf(stderr, "listen on %s:%d: %s\n", host, port, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

int connect_to(const char *host, int port)
{
    struct sockaddr_storage ss;
    socklen_t len = make_addr(host, port, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

void stream_init(struct stream *s, int fd)
{
    *s = (struct stream){.fd = fd};
    buf_init(&s->in, STREAM_IN_MAX);
    buf_init(&s->out, 2 * (64u << 20));
}

void stream_close(struct stream *s)
{
    if (s->ssl)
        SSL_free(s->ssl);
    if (s->fd >= 0)
        close(s->fd);
    s->ssl = NULL;
    s->fd = -1;
    s->out_off = 0;
    s->shaking = s->want_write = false;
    buf_clear(&s->in);
    buf_clear(&s->out);
}

bool stream_tls(struct stream *s, SSL_CTX *ctx, bool server)
{
    s->ssl = SSL_new(ctx);
    if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
        return false;
    if (server)
        SSL_set_accept_state(s->ssl);
    else
        SSL_set_connect_state(s->ssl);
    s->shaking = true;
    return true;
}

/* What a failed TLS call means: wait (true) or the end of the connection (false). */
static bool tls_wait(struct stream *s, int rc)
{
    int e = SSL_get_error(s->ssl, rc);
    s->want_write = e == SSL_ERROR_WANT_WRITE;
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static bool shake(struct stream *s)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(s->ssl);
    if (rc != 1)
        return tls_wait(s, rc);
    s->shaking = s->want_write = false;
    return true;
}

bool stream_fill(struct stream *s)
{
    if (s->shaking) {
        if (!shake(s))
            return false;
        if (s->shaking)
            return true;
    }
    for (;;) {
        char *room = buf_room(&s->in, 32768);
        if (!room) /* full: the caller has to take something first */
            return s->in.e = OK, true;
        if (s->ssl) {
            ERR_clear_error();
            int n = SSL_read(s->ssl, room, 32768);
            if (n <= 0)
                return tls_wait(s, n);
            s->in.n += (size_t)n;
            continue;
        }
        ssize_t n = recv(s->fd, room, 32768, 0);
        if (n > 0) {
            s->in.n += (size_t)n;
            if (n < 32768)
                return true; /* level-triggered: more will be told */
            continue;
        }
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
}

bool stream_flush(struct stream *s)
{
    if (s->shaking) {
        if (!shake(s))
            return false;
        if (s->shaking)
            return true;
    }
    while (s->out_off < s->out.n) {
        size_t left = s->out.n - s->out_off;
        ssize_t n;
        if (s->ssl) {
            ERR_clear_error();
            int rc = SSL_write(s->ssl, s->out.p + s->out_off, left > 1u << 20 ? 1 << 20 : (int)left);
            if (rc <= 0)
                return tls_wait(s, rc);
            n = rc;
        } else {
            n = send(s->fd, s->out.p + s->out_off, left, MSG_NOSIGNAL);
            if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        }
        s->out_off += (size_t)n;
    }
    s->want_write = false;
    s->out_off = 0;
    buf_clear(&s->out);
    return true;
}

bool stream_line(const struct stream *s, size_t from, str *ret_line, size_t *ret_used)
{
    str rest = str_skip(buf_str(&s->in), from);
    size_t nl = str_find(rest, '\n');
    if (nl == STR_NONE)
        return false;
    *ret_line = str_sub(rest, 0, nl > 0 && rest.p[nl - 1] == '\r' ? nl - 1 : nl);
    *ret_used = nl + 1;
    return true;
}
