/* Dovecot's auth protocol, version 1: PLAIN over the client socket, USER over the userdb socket. */
#include "base/codec.h"
#include "directory/source.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINES_MAX = 200, INPUT_MAX = 16384 };

struct dialog {
    int fd;
    rt_time until;
    char in[INPUT_MAX];
    size_t n, at;
    char out[4096];
};

static bool ready(struct dialog *d, short events)
{
    rt_time left = d->until - rt_now_fresh();
    struct pollfd p = {.fd = d->fd, .events = events};
    return left > 0 && poll(&p, 1, (int)(left / RT_MS) + 1) == 1;
}

static bool open_it(struct dialog *d, str address)
{
    struct sockaddr_storage at = {0};
    struct sockaddr_un *u = (struct sockaddr_un *)&at;
    struct ip_port ip;
    socklen_t n = sizeof *u;
    if (ip_port_parse(address, 0, &ip) && ip.port && ip_to_sockaddr(&ip, &at)) {
        n = at.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    } else {
        u->sun_family = AF_UNIX;
        if (!str_to_c(address, u->sun_path, sizeof u->sun_path)) {
            errno = ENAMETOOLONG;
            return false;
        }
    }
    d->fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->fd < 0)
        return false;
    if (connect(d->fd, (struct sockaddr *)&at, n) == 0)
        return true;
    int e = errno;
    socklen_t len = sizeof e;
    if ((e == EINPROGRESS || e == EAGAIN) && ready(d, POLLOUT) &&
        getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0)
        errno = e;
    return e == 0;
}

static bool say(struct dialog *d, str s)
{
    while (s.n) {
        ssize_t n = send(d->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN && ready(d, POLLOUT))
            continue;
        if (n <= 0)
            return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

static bool line(struct dialog *d, str *ret)
{
    for (;;) {
        str have = str_mem(d->in + d->at, d->n - d->at);
        size_t end = str_find(have, '\n');
        if (end != STR_NONE) {
            *ret = str_sub(have, 0, end);
            d->at += end + 1;
            return true;
        }
        memmove(d->in, have.p, have.n);
        d->n = have.n;
        d->at = 0;
        if (d->n == sizeof d->in || !ready(d, POLLIN))
            return false;
        ssize_t n = recv(d->fd, d->in + d->n, sizeof d->in - d->n, 0);
        if (n <= 0)
            return false;
        d->n += (size_t)n;
    }
}

static bool has_word(str line, str word)
{
    str one;
    while (str_cut(&line, '\t', &one))
        if (str_eq(one, word))
            return true;
    return false;
}

bool source_dovecot_line(str text, bool login, enum source_answer *ret)
{
    str rest = text, word = {0}, id = {0};
    if (!str_cut(&rest, '\t', &word) || !str_cut(&rest, '\t', &id) || !str_eq(id, S("1")))
        return false;
    if (str_eq(word, login ? S("OK") : S("USER")))
        *ret = SOURCE_YES;
    else if (str_eq(word, S("NOTFOUND")))
        *ret = SOURCE_NO;
    else if (str_eq(word, S("FAIL")))
        *ret = !login || has_word(rest, S("temp")) || has_word(rest, S("code=temp_fail")) ? SOURCE_DOWN : SOURCE_WRONG;
    else
        return false;
    return true;
}

static void question(struct source_question *q, struct buf *out)
{
    char mem[1600];
    struct buf plain;
    if (!q->login) {
        buf_printf(out, "VERSION\t1\t1\nUSER\t1\t%s\tservice=smtp\n", q->address);
        return;
    }
    buf_init_fixed(&plain, mem, sizeof mem);
    buf_add_char(&plain, 0);
    buf_add_c(&plain, q->address);
    buf_add_char(&plain, 0);
    buf_add_c(&plain, q->password);
    /* The number of a client must not be that of another connection which still stands. */
    buf_printf(out, "VERSION\t1\t1\nCPID\t%u\nAUTH\t1\tPLAIN\tservice=smtp\tsecured\tno-penalty\tresp=",
               (unsigned)rt_random_below(INT32_MAX - 1) + 1);
    base64_encode(out, buf_str(&plain));
    buf_add_char(out, '\n');
    explicit_bzero(mem, sizeof mem);
}

void source_dovecot(struct source_question *q)
{
    struct buf ask;
    str text;
    struct dialog *d = calloc(1, sizeof *d);
    str where = q->login ? q->source->address : q->source->users;
    q->answer = SOURCE_DOWN;
    if (!d || (!q->login && !where.n)) { /* cannot be asked: it knows nobody by name */
        q->answer = d ? SOURCE_NO : SOURCE_DOWN;
        free(d);
        return;
    }
    d->fd = -1;
    d->until = rt_now_fresh() + q->source->timeout;
    buf_init_fixed(&ask, d->out, sizeof d->out);
    question(q, &ask);
    bool ok = strchr(q->address, '\t') == NULL && !ask.e && open_it(d, where) && say(d, buf_str(&ask));
    for (int i = 0; ok && i < LINES_MAX && line(d, &text); i++)
        if (source_dovecot_line(text, q->login, &q->answer))
            break;
    if (q->answer == SOURCE_DOWN)
        snprintf(q->why, sizeof q->why, "%s", ok ? "no answer from Dovecot" : strerror(errno));
    explicit_bzero(d->out, sizeof d->out);
    if (d->fd >= 0)
        close(d->fd);
    free(d);
}
