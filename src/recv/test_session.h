/* For tests of recv: a session at one end of a socket pair, and what it answers to octets sent in one go. */
#ifndef RECV_TEST_SESSION_H
#define RECV_TEST_SESSION_H
#include "intake/test_fakes.h"

#include "recv/recv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct talk {
    struct conn c;
    struct recv_listener *l;
    bool done;
};

static void talk_fiber(void *arg)
{
    struct talk *t = arg;
    recv_session(&t->c, t->l);
    t->done = true;
}

static struct sockaddr_storage talk_peer(const char *ip)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&ss;
    in->sin_family = AF_INET;
    in->sin_port = htons(40000);
    CHECK(inet_pton(AF_INET, ip, &in->sin_addr) == 1);
    return ss;
}

/* Starts a session; *ret_client is our end. */
static void talk_open(struct talk *t, struct recv_listener *l, const char *ip, struct io *ret_client)
{
    int fd[2];
    struct sockaddr_storage peer = talk_peer(ip);
    *t = (struct talk){.l = l};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    CHECK(conn_init(&t->c, fd[0], &peer) == OK);
    *ret_client = IO_NONE;
    CHECK(io_attach(ret_client, fd[1]) == OK);
    CHECK(fiber_spawn(talk_fiber, t, "session"));
}

static void talk_send(struct io *io, str s)
{
    while (s.n) {
        size_t n;
        struct iovec v = {(void *)(uintptr_t)s.p, s.n};
        if (io_write(io, &v, 1, rt_after(10 * RT_S), &n) != OK)
            return;
        s = str_skip(s, n);
    }
}

/* Everything until the session ends. */
static void talk_rest(struct talk *t, struct io *io, struct buf *out)
{
    size_t n = 1;
    while (n) {
        char *p = buf_room(out, 4096);
        if (!p || io_read(io, p, 4096, rt_after(20 * RT_S), &n) != OK)
            break;
        out->n += n;
    }
    while (!t->done)
        CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
    io_close(io);
}

struct talk_feed {
    struct io *io;
    str in;
    bool done;
};

static void talk_feeder(void *arg)
{
    struct talk_feed *f = arg;
    talk_send(f->io, f->in);
    shutdown(f->io->fd, SHUT_WR);
    f->done = true;
}

/* All of `in` at once, then the end of our side; all answers. */
static void talk_all(struct recv_listener *l, const char *ip, str in, struct buf *out)
{
    struct talk t;
    struct io io;
    talk_open(&t, l, ip, &io);
    struct talk_feed f = {&io, in, false};
    CHECK(fiber_spawn(talk_feeder, &f, "client"));
    talk_rest(&t, &io, out);
    while (!f.done)
        CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
}

/* "220 250/2.1.0 ...": one word for each reply, its last line. */
static inline void talk_codes(str answers, struct buf *out)
{
    str line;
    while (str_cut(&answers, '\n', &line)) {
        if (line.n < 4 || line.p[3] != ' ')
            continue;
        size_t esc = reply_esc_len(str_skip(line, 4));
        buf_add(out, out->n ? S(" ") : S(""));
        buf_add(out, str_sub(line, 0, 3));
        if (esc) {
            buf_add_char(out, '/');
            buf_add(out, str_sub(line, 4, 4 + esc));
        }
    }
}

#endif
