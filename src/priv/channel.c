/*
 * The worker's end: many questions at once on one socket per loop and class. There is no fiber of our own that reads:
 * of those who wait one reads for all, and hands this on when it leaves, so that nothing is left behind when the loop
 * drains. At most a window of questions is under way, so that neither end ever finds the socket full; the rest waits
 * here in order.
 */
#include "base/list.h"
#include "priv/internal.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a class may have under way, how many may wait, and for how long. Unread packets of both ends must fit into a
 * socket's default of some 200 KB. */
static const struct {
    unsigned window, waiting;
    rt_time wait;
} limits[PRIV_CLASSES] = {
    [PRIV_FAST] = {64, 20000, 10 * RT_S}, [PRIV_BULK] = {64, 20000, 30 * RT_S}, [PRIV_SLOW] = {16, 2000, 30 * RT_S}};

struct call {
    struct list node; /* in channel.calls, in the order of asking */
    struct priv_head head;
    str in;
    struct buf *out;
    struct fiber *fiber;
    err e;
    bool sent, done;
    bool again; /* asked more than once: it may have been done before the answer that comes */
};

struct channel { /* touched by its own loop only */
    struct io io;
    int fd;
    bool attached;
    struct fiber *reader;
    struct list calls;
    unsigned ncalls, under_way;
    uint64_t next_id;
    char packet[PRIV_PACKET_MAX];
};
static struct channel *channels[PRIV_LOOPS_MAX][PRIV_CLASSES];
static bool connected;

err priv_links_open(struct priv_links *l, int loops)
{
    *l = (struct priv_links){0};
    for (; l->n < loops && l->n < PRIV_LOOPS_MAX; l->n++)
        for (int c = 0; c < PRIV_CLASSES; c++) {
            int pair[2];
            if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
                err e = err_from_errno(errno);
                while (c-- > 0) {
                    close(l->worker[l->n][c]);
                    close(l->keeper[l->n][c]);
                }
                priv_links_close(l, true, true);
                return e;
            }
            l->worker[l->n][c] = pair[0];
            l->keeper[l->n][c] = pair[1];
            fcntl(pair[0], F_SETFL, O_NONBLOCK);
        }
    return OK;
}

void priv_links_close(struct priv_links *l, bool worker, bool keeper)
{
    for (int i = 0; i < l->n; i++)
        for (int c = 0; c < PRIV_CLASSES; c++) {
            if (worker)
                close(l->worker[i][c]);
            if (keeper)
                close(l->keeper[i][c]);
        }
    if (worker && keeper)
        l->n = 0;
}

err priv_connect(const struct priv_links *l)
{
    for (int i = 0; i < l->n; i++)
        for (int c = 0; c < PRIV_CLASSES; c++) {
            struct channel *ch = channels[i][c] = calloc(1, sizeof *ch);
            if (!ch)
                return E_NOMEM;
            ch->io = IO_NONE;
            ch->fd = l->worker[i][c];
            /* Answers to a worker that died may still lie here: no id of ours is among theirs. */
            ch->next_id = rt_random() | 1;
            list_init(&ch->calls);
        }
    connected = true;
    return OK;
}

/* ---- sending ---------------------------------------------------------------------------------------------- */

/* False: not now. */
static bool send_call(struct channel *ch, struct call *c)
{
    struct iovec v[] = {{&c->head, sizeof c->head}, {(void *)(uintptr_t)c->in.p, c->in.n}};
    size_t n;
    err e = io_try_write(&ch->io, v, c->in.n ? 2 : 1, &n);
    if (e == E_AGAIN)
        return false;
    c->sent = true;
    ch->under_way++;
    if (e) {
        c->e = e;
        c->done = true;
        fiber_wake(c->fiber);
    }
    return true;
}

/* Sends what the window allows. False: the socket is full of what was left there, so look again soon. */
static bool pump(struct channel *ch, unsigned window)
{
    LIST_EACH(it, &ch->calls)
    {
        struct call *c = container_of(it, struct call, node);
        if (ch->under_way >= window)
            break;
        if (!c->sent && !c->done && !send_call(ch, c))
            return false;
    }
    return true;
}

/* ---- receiving -------------------------------------------------------------------------------------------- */

static void take_answer(struct channel *ch, const struct priv_head *h, str text)
{
    if (ch->under_way)
        ch->under_way--;
    LIST_EACH(it, &ch->calls)
    {
        struct call *c = container_of(it, struct call, node);
        if (c->head.id != h->id || !c->sent || c->done)
            continue;
        c->e = h->what < ERR_COUNT ? (err)h->what : E_UNKNOWN;
        if (!c->e && c->out) {
            buf_add(c->out, text);
            c->e = c->out->e;
        }
        c->done = true;
        fiber_wake(c->fiber);
        return;
    }
}

/* What its predecessor had read is lost with it; what it had not is still in the socket and is answered twice. */
static void new_keeper(struct channel *ch)
{
    ch->under_way = 0;
    LIST_EACH(it, &ch->calls)
    {
        struct call *c = container_of(it, struct call, node);
        c->again |= c->sent;
        c->sent = false;
    }
}

/* A packet of n octets: one answer after the other. */
static void take(struct channel *ch, size_t n)
{
    struct priv_head h;
    for (size_t at = 0; n - at >= sizeof h; at += h.n) {
        memcpy(&h, ch->packet + at, sizeof h);
        at += sizeof h;
        if (h.n > n - at)
            break;
        if (h.what == PRIV_HELLO)
            new_keeper(ch);
        else
            take_answer(ch, &h, str_mem(ch->packet + at, h.n));
    }
    OPENSSL_cleanse(ch->packet, n);
}

/* A keeper that began while nobody asked has said so, and what is asked now is not to be asked again for that. */
static void take_old(struct channel *ch)
{
    size_t n = 0;
    while (io_try_read(&ch->io, ch->packet, sizeof ch->packet, &n) == OK && n)
        take(ch, n);
}

/* Reads for all until `c` is done. */
static err read_for_all(struct channel *ch, struct call *c, unsigned window, rt_time deadline)
{
    err e = OK;
    ch->reader = fiber_self();
    take_old(ch);
    while (!c->done && !e) {
        bool full = !pump(ch, window);
        rt_time until = full && deadline > rt_after(20 * RT_MS) ? rt_after(20 * RT_MS) : deadline;
        size_t n = 0;
        e = io_read(&ch->io, ch->packet, sizeof ch->packet, until, &n);
        if (!e && n == 0)
            e = E_CLOSED;
        if (!e)
            take(ch, n);
        if (e == E_TIMEOUT && until < deadline)
            e = OK;
    }
    ch->reader = NULL;
    return e;
}

/* Somebody must read as long as anybody waits. */
static void hand_on(struct channel *ch)
{
    LIST_EACH(it, &ch->calls)
    {
        struct call *c = container_of(it, struct call, node);
        if (!c->done) {
            fiber_wake(c->fiber);
            return;
        }
    }
}

static err ask(struct channel *ch, struct call *c, enum priv_class class)
{
    rt_time deadline = rt_after(limits[class].wait);
    err e = OK;
    if (!ch->attached) {
        e = io_attach(&ch->io, ch->fd);
        if (e)
            return e;
        ch->attached = true;
        ch->io.readable = true;
    }
    if (ch->ncalls >= limits[class].waiting)
        return E_AGAIN;
    c->head.id = ch->next_id++;
    c->fiber = fiber_self();
    list_push_back(&ch->calls, &c->node);
    ch->ncalls++;
    if (ch->reader)
        pump(ch, limits[class].window);
    while (!c->done && !e)
        e = ch->reader ? fiber_park(deadline) : read_for_all(ch, c, limits[class].window, deadline);
    list_remove(&c->node);
    ch->ncalls--;
    if (!ch->reader)
        hand_on(ch);
    return c->done ? c->e : e;
}

err priv_call(enum priv_request what, str in, struct buf *out)
{
    const struct priv_row *row = &priv_rows[what];
    if (in.n > row->most_in)
        return E_LIMIT;
    if (!connected) {
        struct buf none;
        char mem[PRIV_SIG_MAX];
        buf_init_fixed(&none, mem, sizeof mem);
        return priv_answer(what, in, out ? out : &none);
    }
    int loop = rt_index();
    if (loop < 0 || !fiber_self() || !channels[loop][row->class])
        return E_BUG;
    struct call c = {.head = {.what = what, .n = (uint32_t)in.n}, .in = in, .out = out};
    err e = ask(channels[loop][row->class], &c, row->class);
    /* What is asked twice is done by two threads at once, or by a keeper and the one after it. */
    return e == E_NOT_FOUND && what == PRIV_secret_remove && c.again ? OK : e;
}
