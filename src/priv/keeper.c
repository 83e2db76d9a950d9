/*
 * The keeper's end: threads that take questions and answer them. Each class has its own threads and sockets, so that
 * signatures for handshakes never wait behind the signing of messages or behind password hashes; and the threads of
 * those run at a lower priority than the loops of the worker.
 */
#include "priv/internal.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    int nice;       /* added to the process's own */
    unsigned batch; /* questions that a thread takes, and answers in one packet: each packet wakes the loop */
} classes[PRIV_CLASSES] = {
    [PRIV_FAST] = {"keep-fast", 0, 1}, [PRIV_BULK] = {"keep-bulk", 5, 8}, [PRIV_SLOW] = {"keep-slow", 10, 1}};

struct server { /* one thread */
    enum priv_class class;
    int ep;
    bool first; /* of its class: greets */
    const struct priv_links *links;
    struct {
        struct priv_head head;
        char text[PRIV_MESSAGE_MAX];
    } in;
    size_t nout; /* of answers that wait to be sent */
    char out[PRIV_PACKET_MAX];
};

static void flush(struct server *s, int fd)
{
    while (s->nout && send(fd, s->out, s->nout, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
    OPENSSL_cleanse(s->out, s->nout);
    s->nout = 0;
}

static void put_answer(struct server *s, const struct priv_head *h)
{
    memcpy(s->out + s->nout, h, sizeof *h);
    s->nout += sizeof *h + h->n;
}

static void answer(struct server *s, int fd)
{
    const struct priv_head *q = &s->in.head;
    /* The sockets say who does the work: a question of another class would be done at the wrong priority. */
    const struct priv_row *row =
        q->what < PRIV_REQUESTS && priv_rows[q->what].class == s->class ? &priv_rows[q->what] : NULL;
    struct buf out;
    if (row && row->most_out > sizeof s->out - s->nout - sizeof *q)
        flush(s, fd);
    buf_init_fixed(&out, s->out + s->nout + sizeof *q, row ? row->most_out : 0);
    err e = row ? priv_answer(q->what, str_mem(s->in.text, q->n), &out) : E_UNSUPPORTED;
    if (e) /* what it left is wiped with the rest */
        OPENSSL_cleanse(out.p, out.n);
    put_answer(s, &(struct priv_head){q->id, e, e ? 0 : (uint32_t)out.n});
    OPENSSL_cleanse(s->in.text, q->n);
}

/* Some questions of a socket that others may empty meanwhile. */
static void serve_some(struct server *s, int fd)
{
    for (unsigned i = 0; i < classes[s->class].batch; i++) {
        ssize_t n = recv(fd, &s->in, sizeof s->in, MSG_DONTWAIT);
        if (n <= 0)
            break;
        if (s->nout + sizeof s->in.head > sizeof s->out)
            flush(s, fd);
        if (n >= (ssize_t)sizeof s->in.head && s->in.head.n == (size_t)n - sizeof s->in.head)
            answer(s, fd);
    }
    flush(s, fd);
}

static void greet(struct server *s)
{
    for (int i = 0; i < s->links->n; i++) {
        put_answer(s, &(struct priv_head){.what = PRIV_HELLO});
        flush(s, s->links->keeper[i][s->class]);
    }
}

static void serve(struct task *t, void *arg)
{
    struct server *s = arg;
    int nice = classes[s->class].nice;
    (void)t;
    if (nice)
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), getpriority(PRIO_PROCESS, 0) + nice);
    if (s->first)
        greet(s);
    for (;;) {
        struct epoll_event ev[8];
        int n = epoll_wait(s->ep, ev, 8, -1);
        for (int i = 0; i < n; i++)
            serve_some(s, ev[i].data.fd);
        if (n < 0 && errno != EINTR)
            return;
    }
}

static err server_start(const struct priv_links *l, enum priv_class class, bool first)
{
    struct task *t;
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return E_NOMEM;
    *s = (struct server){.class = class, .first = first, .links = l, .ep = epoll_create1(EPOLL_CLOEXEC)};
    err e = s->ep < 0 ? err_from_errno(errno) : OK;
    for (int i = 0; i < l->n && !e; i++) {
        struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = l->keeper[i][class]};
        if (epoll_ctl(s->ep, EPOLL_CTL_ADD, ev.data.fd, &ev))
            e = err_from_errno(errno);
    }
    if (!e)
        e = rt_task_start(&t, classes[class].name, serve, s);
    if (e) {
        if (s->ep >= 0)
            close(s->ep);
        free(s);
    }
    return e;
}

err priv_serve(const struct priv_links *l, int nthreads)
{
    err e = OK;
    for (int c = 0; c < PRIV_CLASSES; c++)
        for (int i = 0; i < nthreads && !e; i++)
            e = server_start(l, (enum priv_class)c, i == 0);
    return e;
}
