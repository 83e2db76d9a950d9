/*
 * Connections: buffers that are borrowed from the thread while they hold something, one deadline,
 * one sticky error. Lines, pieces and bodies are read from the same buffer, so that pipelined input
 * is never lost between them; output is gathered and leaves when the fiber would have to sleep.
 */
#include "net/internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BUF_SIZE = 16 * 1024,      /* of a borrowed buffer; also what is gathered before it is written */
    LINE_MAX_SIZE = 64 * 1024, /* longest line that a caller may ask for */
    SWALLOW_MAX = 64 << 20,    /* of a line that is too long, before the connection counts as broken */
    FREE_MAX = 128,            /* buffers that a thread keeps for later */
    LINGER_MAX = 256 * 1024,   /* input thrown away at the end, so that a last reply arrives */
    PIECES = 32,               /* of one gathered write */
};
#define LINGER_TIME (500 * RT_MS)

/* ---- buffers: a short list of free ones per thread ---------------------------------------------- */

struct free_buf {
    struct free_buf *next;
};
struct free_list {
    struct free_buf *first;
    unsigned n;
};
static _Thread_local struct free_list *free_bufs;
static pthread_key_t free_key;
static pthread_once_t free_once = PTHREAD_ONCE_INIT;

static void free_list_end(void *list)
{
    struct free_list *l = list;
    for (struct free_buf *b = l->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(l);
    free_bufs = NULL;
}
static void free_list_key(void) { (void)pthread_key_create(&free_key, free_list_end); }

static char *buffer_take(void)
{
    struct free_list *l = free_bufs;
    if (!l || !l->first)
        return malloc(BUF_SIZE);
    struct free_buf *b = l->first;
    l->first = b->next;
    l->n--;
    return (char *)b;
}

static void buffer_give(char *p, size_t cap)
{
    if (!free_bufs && p) {
        (void)pthread_once(&free_once, free_list_key);
        struct free_list *l = calloc(1, sizeof *l);
        if (l && pthread_setspecific(free_key, l) == 0)
            free_bufs = l;
        else
            free(l);
    }
    if (!p || cap != BUF_SIZE || !free_bufs || free_bufs->n >= FREE_MAX) {
        free(p);
        return;
    }
    struct free_buf *b = (struct free_buf *)p;
    b->next = free_bufs->first;
    free_bufs->first = b;
    free_bufs->n++;
}

static void give_in(struct conn *c)
{
    buffer_give(c->in, c->in_cap);
    c->in = NULL;
    c->in_at = c->in_n = c->in_cap = 0;
}
static void give_out(struct conn *c)
{
    buffer_give(c->out, c->out_cap);
    c->out = NULL;
    c->out_at = c->out_n = c->out_cap = 0;
}

/* Room for at least one more octet behind in_n, in a buffer of `most` octets at most. */
static bool in_room(struct conn *c, size_t most)
{
    if (!c->in) {
        c->in = buffer_take();
        c->in_cap = c->in ? BUF_SIZE : 0;
        return c->in != NULL;
    }
    if (c->in_n < c->in_cap)
        return true;
    if (c->in_at > 0) {
        memmove(c->in, c->in + c->in_at, c->in_n - c->in_at);
        c->in_n -= c->in_at;
        c->in_at = 0;
        return true;
    }
    size_t cap = c->in_cap * 2 > most ? most : c->in_cap * 2;
    char *p = cap > c->in_cap ? malloc(cap) : NULL;
    if (!p)
        return false;
    memcpy(p, c->in, c->in_n);
    buffer_give(c->in, c->in_cap);
    c->in = p;
    c->in_cap = cap;
    return true;
}

/* ---- beginning and end ---------------------------------------------------------------------------- */

err conn_fail(struct conn *c, err e)
{
    if (c->e == OK)
        c->e = e;
    return c->e;
}

void conn_begin(struct conn *c, const struct sockaddr_storage *peer)
{
    c->deadline = RT_NEVER;
    if (peer)
        c->peer = *peer;
    if (io_address(&c->io, false, &c->local) != OK)
        c->local.ss_family = AF_UNSPEC;
}

err conn_init(struct conn *c, int fd, const struct sockaddr_storage *peer)
{
    *c = (struct conn){.io = IO_NONE};
    err e = io_attach(&c->io, fd);
    conn_begin(c, peer);
    return e ? conn_fail(c, e) : OK;
}

void conn_close(struct conn *c)
{
    tls_free(c);
    give_in(c);
    give_out(c);
    io_close(&c->io);
    conn_fail(c, E_CLOSED);
}

/* Closing a socket with unread input resets it, and the reset can overtake our last reply: takes what the peer is
 * still sending, for a moment, when it is sending or may be. */
static void linger(struct conn *c)
{
    size_t n = 0, gone = 0;
    rt_time until = rt_after(LINGER_TIME);
    bool more = c->in_at < c->in_n || c->hasty;
    io_shutdown(&c->io);
    if (!more && !c->io.readable)
        return;
    char *p = buffer_take();
    err e = p ? io_try_read(&c->io, p, BUF_SIZE, &n) : E_NOMEM;
    while (((e == OK && n) || (more && e == E_AGAIN)) && gone < LINGER_MAX) {
        more = false;
        gone += n;
        e = io_read(&c->io, p, BUF_SIZE, c->deadline < until ? c->deadline : until, &n);
    }
    buffer_give(p, p ? BUF_SIZE : 0);
}

void conn_end(struct conn *c)
{
    if (conn_flush(c) == OK) {
        if (c->tls)
            tls_bye(c);
        linger(c);
    }
    conn_close(c);
}

err conn_resume(struct conn *c)
{
    if ((c->e == E_TIMEOUT || c->e == E_CANCELLED || c->e == E_LINE_LENGTH) && !c->cut)
        c->e = OK;
    return c->e;
}

/* ---- input ------------------------------------------------------------------------------------------ */

static err try_read(struct conn *c, void *p, size_t n, size_t *ret_n)
{
    err e;
    if (c->tls) {
        e = tls_try_read(c, p, n, ret_n);
    } else {
        e = io_try_read(&c->io, p, n, ret_n);
        if (e == OK && *ret_n == 0)
            e = E_CLOSED;
    }
    if (e == OK)
        c->bytes_in += *ret_n;
    return e;
}

/* What comes after a read that gave nothing: output leaves, then the fiber sleeps or the error stays. */
static err after_read(struct conn *c, err e)
{
    if (e != OK && e != E_AGAIN && e != E_CLOSED)
        return conn_fail(c, e);
    if (c->out_n > c->out_at && !c->writing && conn_flush(c) != OK)
        return c->e;
    if (e == E_CLOSED)
        return conn_fail(c, e);
    e = c->tls ? tls_wait(c) : io_wait_read(&c->io, c->deadline);
    return e ? conn_fail(c, e) : OK;
}

static bool worth_trying(const struct conn *c) { return c->io.readable || (c->tls && tls_has_input(c)); }

/* OK: a read may give something. E_AGAIN: not before a wait. Else the deadline has passed or the fiber was
 * cancelled, which a peer that always has more to say does not put off; nor does it keep the loop for itself. */
static err before_read(struct conn *c)
{
    if (c->io.readable)
        return io_wait_read(&c->io, c->deadline);
    return worth_trying(c) ? OK : E_AGAIN;
}

/* At least one more octet and at most `want` into the buffer, which may grow to `most`. */
static err fill(struct conn *c, size_t most, size_t want)
{
    for (;;) {
        bool empty = c->in_at == c->in_n;
        err e = before_read(c);
        if (empty)
            c->in_at = c->in_n = 0;
        if (e == OK) {
            size_t n;
            if (!in_room(c, most))
                return conn_fail(c, E_NOMEM);
            size_t room = c->in_cap - c->in_n;
            e = try_read(c, c->in + c->in_n, room < want ? room : want, &n);
            if (e == OK) {
                c->in_n += n;
                return OK;
            }
        }
        if (empty)
            give_in(c);
        if (after_read(c, e) != OK)
            return c->e;
    }
}

/* The rest of a line that is longer than it may be. */
static err swallow(struct conn *c)
{
    size_t gone = 0;
    for (;;) {
        char *p = c->in + c->in_at, *lf = memchr(p, '\n', c->in_n - c->in_at);
        if (lf) {
            c->in_at = (size_t)(lf + 1 - c->in);
            return E_LINE_LENGTH;
        }
        gone += c->in_n - c->in_at;
        c->in_at = c->in_n;
        if (gone > SWALLOW_MAX)
            return conn_fail(c, E_LINE_LENGTH);
        if (fill(c, BUF_SIZE, SIZE_MAX) != OK)
            return c->e;
    }
}

err conn_readline(struct conn *c, size_t max, str *ret, bool *ret_crlf)
{
    size_t seen = 0;
    if (max > LINE_MAX_SIZE)
        max = LINE_MAX_SIZE;
    while (c->e == OK) {
        size_t n = c->in_n - c->in_at, look = n < max ? n : max;
        char *p = c->in ? c->in + c->in_at : NULL, *lf = look > seen ? memchr(p + seen, '\n', look - seen) : NULL;
        if (lf) {
            bool crlf = lf > p && lf[-1] == '\r';
            c->in_at += (size_t)(lf + 1 - p);
            *ret = str_mem(p, (size_t)(lf - p) - crlf);
            if (ret_crlf)
                *ret_crlf = crlf;
            return OK;
        }
        if (n >= max)
            return swallow(c);
        seen = n;
        fill(c, LINE_MAX_SIZE, SIZE_MAX);
    }
    return c->e;
}

err conn_peek(struct conn *c, str *ret)
{
    while (c->e == OK) {
        if (c->in_at < c->in_n) {
            *ret = str_mem(c->in + c->in_at, c->in_n - c->in_at);
            return OK;
        }
        fill(c, LINE_MAX_SIZE, SIZE_MAX);
    }
    return c->e;
}

err conn_peek_more(struct conn *c, str *ret)
{
    if (c->e == OK && c->in_n - c->in_at < LINE_MAX_SIZE && fill(c, LINE_MAX_SIZE, SIZE_MAX) == OK)
        *ret = str_mem(c->in + c->in_at, c->in_n - c->in_at);
    else if (c->e == OK)
        return E_LIMIT;
    return c->e;
}

/* How many more octets a header certainly has that begins with `in`. */
static size_t proxy_wants(str in)
{
    enum { SIGNATURE = 12, HEAD = 16 }; /* of version 2; a header of version 1 has at least 15 octets */
    if (in.n < SIGNATURE)
        return SIGNATURE - in.n;
    if (in.p[0] != '\r')
        return 1;
    if (in.n < HEAD)
        return HEAD - in.n;
    size_t all = HEAD + ((size_t)(uint8_t)in.p[14] << 8 | (uint8_t)in.p[15]);
    return all > in.n ? all - in.n : 1;
}

err conn_read_proxy(struct conn *c, struct proxyp *ret)
{
    while (c->e == OK) {
        str in = str_mem(c->in + c->in_at, c->in_n - c->in_at);
        enum proxyp_result r = proxyp_parse(in, ret);
        if (r == PROXYP_BAD)
            return E_SYNTAX;
        if (r == PROXYP_OK) {
            conn_took(c, ret->used);
            return OK;
        }
        fill(c, BUF_SIZE, proxy_wants(in));
    }
    return c->e;
}

void conn_took(struct conn *c, size_t n)
{
    size_t have = c->in_n - c->in_at;
    c->in_at += n < have ? n : have;
}

err conn_read(struct conn *c, void *p, size_t n, size_t *ret_n)
{
    while (c->e == OK) {
        if (c->in_at < c->in_n) {
            size_t have = c->in_n - c->in_at;
            *ret_n = have < n ? have : n;
            memcpy(p, c->in + c->in_at, *ret_n);
            c->in_at += *ret_n;
            return OK;
        }
        give_in(c);
        err e = before_read(c);
        if (e == OK) {
            e = try_read(c, p, n, ret_n);
            if (e == OK)
                return OK;
        }
        after_read(c, e);
    }
    return c->e;
}

bool conn_has_line(const struct conn *c)
{
    return c->in_at < c->in_n && memchr(c->in + c->in_at, '\n', c->in_n - c->in_at);
}

void conn_unread(struct conn *c, str s)
{
    if (c->e != OK || !s.n)
        return;
    if (c->in_at >= s.n) { /* they came from the buffer, where they still are */
        c->in_at -= s.n;
        return;
    }
    give_in(c);
    c->in_cap = s.n > BUF_SIZE ? s.n : BUF_SIZE;
    c->in = s.n > BUF_SIZE ? malloc(s.n) : buffer_take();
    if (!c->in) {
        conn_fail(c, E_NOMEM);
        return;
    }
    memcpy(c->in, s.p, s.n);
    c->in_n = s.n;
}

size_t conn_buffered(const struct conn *c) { return c->in_n - c->in_at + (c->tls ? tls_pending(c) : 0); }

bool conn_readable(struct conn *c)
{
    size_t n;
    if (c->in_at < c->in_n)
        return true;
    if (c->e != OK || !worth_trying(c) || !in_room(c, BUF_SIZE))
        return false;
    c->in_at = c->in_n = 0;
    err e = try_read(c, c->in, c->in_cap, &n);
    if (e == OK) {
        c->in_n = n;
        return true;
    }
    give_in(c);
    if (e != E_AGAIN)
        conn_fail(c, e);
    return false;
}

void conn_hear(struct conn *c)
{
    if (c->tls || c->io.fd < 0)
        return;
    give_out(c);
    c->e = OK;
}

/* ---- output ------------------------------------------------------------------------------------------- */

/* Writes what can be written of v, at least one octet; sleeps until it can. */
static err write_some(struct conn *c, const struct iovec *v, int nv, size_t *ret_n)
{
    err e;
    if (!c->tls) {
        e = io_write(&c->io, v, nv, c->deadline, ret_n);
    } else {
        while ((e = tls_try_write(c, v->iov_base, v->iov_len, ret_n)) == E_AGAIN)
            if ((e = tls_wait(c)) != OK)
                break;
    }
    if (e == OK)
        c->bytes_out += *ret_n;
    return e;
}

err conn_flush(struct conn *c)
{
    if (c->e == OK && c->writing)
        return OK;
    c->writing = true;
    while (c->e == OK && c->out_at < c->out_n) {
        size_t n;
        struct iovec v = {c->out + c->out_at, c->out_n - c->out_at};
        err e = write_some(c, &v, 1, &n);
        if (e)
            conn_fail(c, e);
        else
            c->out_at += n;
    }
    c->writing = false;
    if (c->out_at == c->out_n)
        give_out(c);
    return c->e;
}

/* Room for n more octets (n <= BUF_SIZE) behind out_n; flushes when there is none. */
static err out_room(struct conn *c, size_t n)
{
    if (c->out && c->out_cap - c->out_n < n && conn_flush(c) != OK)
        return c->e;
    if (!c->out) {
        c->out = buffer_take();
        c->out_cap = c->out ? BUF_SIZE : 0;
    }
    return c->out && c->out_cap - c->out_n >= n ? OK : conn_fail(c, c->out ? E_BUG : E_NOMEM);
}

/* v, all of it, behind what is gathered, in as few writes as the socket allows. v is used up. */
static err write_gathered(struct conn *c, struct iovec *v, int nv)
{
    int at = 0;
    c->writing = true;
    while (c->e == OK && at < nv) {
        size_t n = 0;
        err e = v[at].iov_len ? write_some(c, v + at, nv - at, &n) : OK;
        if (e) {
            conn_fail(c, e);
            c->cut = true;
        }
        while (at < nv && n >= v[at].iov_len)
            n -= v[at++].iov_len;
        if (at < nv && n) {
            v[at].iov_base = (char *)v[at].iov_base + n;
            v[at].iov_len -= n;
        }
    }
    c->writing = false;
    if (c->e == OK)
        give_out(c);
    return c->e;
}

static err add(struct conn *c, const char *p, size_t n)
{
    if (n == 0 || out_room(c, n) != OK)
        return c->e;
    memcpy(c->out + c->out_n, p, n);
    c->out_n += n;
    return OK;
}

err conn_writev(struct conn *c, const struct iovec *v, int nv)
{
    struct iovec all[PIECES];
    while (c->e == OK && nv > 0) {
        size_t sum = c->out_n - c->out_at;
        int k = 1, i = 0;
        all[0] = (struct iovec){c->out ? c->out + c->out_at : NULL, sum};
        for (; k < PIECES && i < nv; i++) {
            all[k++] = v[i];
            sum += v[i].iov_len;
        }
        if (sum > BUF_SIZE)
            write_gathered(c, all, k);
        else
            for (int j = 0; j < i; j++)
                add(c, v[j].iov_base, v[j].iov_len);
        v += i;
        nv -= i;
    }
    return c->e;
}

err conn_write(struct conn *c, str s)
{
    size_t have = c->out_n - c->out_at;
    if (c->e != OK || s.n == 0)
        return c->e;
    if (have + s.n <= BUF_SIZE)
        return add(c, s.p, s.n);
    struct iovec v = {(void *)(uintptr_t)s.p, s.n};
    return conn_writev(c, &v, 1);
}

err conn_printf(struct conn *c, const char *fmt, ...)
{
    for (int turn = 0; c->e == OK && out_room(c, turn ? BUF_SIZE : 1) == OK; turn++) {
        va_list ap;
        size_t room = c->out_cap - c->out_n;
        va_start(ap, fmt);
        int n = vsnprintf(c->out + c->out_n, room, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < room) {
            c->out_n += (size_t)n;
            return OK;
        }
        if (n < 0 || turn)
            return conn_fail(c, E_LIMIT);
    }
    return c->e;
}
