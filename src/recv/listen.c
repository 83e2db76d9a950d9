/*
 * What comes before a session: accepting, the PROXY header of a trusted balancer, limits by address. A refused
 * connection gets 421 and is closed (RFC 5321 3.1, 4.2.1).
 */
#include "recv/internal.h"
#include "web/web.h"

#include <stdlib.h>

#define PROXY_TIME (10 * RT_S)
#define REFUSE_TIME (5 * RT_S)

/* ---- listeners --------------------------------------------------------------------------------------- */

err recv_listener_new(struct recv_listener **ret, const struct recv_listener_config *c)
{
    struct recv_listener *l = calloc(1, sizeof *l);
    if (!l)
        return E_NOMEM;
    l->refs = 1;
    l->c = *c;
    l->c.conf = conf_ref(c->conf);
    l->c.tls = c->tls ? tls_server_ref(c->tls) : NULL;
    l->title = c->conf_listener ? c->conf_listener->title : S("local");
    *ret = l;
    return OK;
}

struct recv_listener *recv_listener_ref(struct recv_listener *l)
{
    __atomic_add_fetch(&l->refs, 1, __ATOMIC_RELAXED);
    return l;
}

void recv_listener_drop(struct recv_listener **p)
{
    struct recv_listener *l = *p;
    *p = NULL;
    if (!l || __atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL))
        return;
    tls_server_drop(&l->c.tls);
    conf_drop(&l->c.conf);
    free(l);
}

void recv_port_set(struct recv_port *p, struct recv_listener *l)
{
    lock_take(&p->lock);
    struct recv_listener *before = p->now;
    p->now = l;
    lock_drop(&p->lock);
    recv_listener_drop(&before);
}

static struct recv_listener *port_get(struct recv_port *p)
{
    lock_take(&p->lock);
    struct recv_listener *l = p->now ? recv_listener_ref(p->now) : NULL;
    lock_drop(&p->lock);
    return l;
}

/* ---- one connection ------------------------------------------------------------------------------------- */

struct start {
    struct conn c;
    struct recv_listener *l;
    int fd;
    struct sockaddr_storage peer;
};

/* True when the address of the connection was replaced by the header's, or none was due. */
static bool take_proxy(struct conn *c)
{
    struct proxyp p;
    c->deadline = rt_after(PROXY_TIME);
    if (conn_read_proxy(c, &p) != OK)
        return false;
    if (!p.local) {
        ip_to_sockaddr(&p.src, &c->peer);
        ip_to_sockaddr(&p.dst, &c->local);
    }
    return true;
}

static bool wants_proxy(const struct recv_listener *l, const struct conf *c, const struct ip *ip)
{
    const struct conf_listener *cl = l->c.conf_listener;
    return nets_have(&c->proxy_protocol_from, ip) || (cl && nets_have(&cl->proxy_protocol_from, ip));
}

/* Closes with 421; inside implicit TLS nobody could read it. */
static void refuse(struct start *st, const char *why, str text)
{
    const struct conf_listener *cl = st->l->c.conf_listener;
    struct ip_port at = {0};
    char mem[IP_TEXT_MAX];
    struct buf who;
    buf_init_fixed(&who, mem, sizeof mem);
    if (ip_from_sockaddr((const struct sockaddr *)&st->c.peer, sizeof st->c.peer, &at))
        ip_print(&who, &at.ip);
    rt_log(EV_refused, log_num(0), log_str(buf_str(&who)), log_c("connection"), log_c(why));
    st->c.deadline = rt_after(REFUSE_TIME);
    if (!cl || (cl->tls != CONF_TLS_IMPLICIT && cl->protocol != CONF_HTTPS))
        conn_write(&st->c, text);
    conn_end(&st->c);
}

static void admit(struct start *st, struct conf *c)
{
    struct ip_port at = {0};
    if (ip_from_sockaddr((const struct sockaddr *)&st->c.peer, sizeof st->c.peer, &at) &&
        wants_proxy(st->l, c, &at.ip)) {
        if (!take_proxy(&st->c)) {
            refuse(st, "no valid PROXY header", S("421 4.7.0 PROXY header required\r\n"));
            return;
        }
        (void)ip_from_sockaddr((const struct sockaddr *)&st->c.peer, sizeof st->c.peer, &at);
    }
    switch (gate_enter(c, &at.ip)) {
    case GATE_OK:
        if (st->l->c.kind == RECV_WEB)
            web_session(&st->c, c, st->l->c.tls);
        else
            recv_session(&st->c, st->l);
        gate_leave(c, &at.ip);
        return;
    case GATE_FULL:
        refuse(st, "too many connections", S("421 4.3.2 Too many connections, try again later\r\n"));
        return;
    case GATE_MANY:
        refuse(st, "too many connections from this address",
               S("421 4.7.0 Too many connections from your address, try again later\r\n"));
        return;
    case GATE_FAST:
        refuse(st, "connections too fast", S("421 4.7.0 Too many new connections, try again later\r\n"));
        return;
    }
}

static void connection(void *arg)
{
    struct start *st = arg;
    if (conn_init(&st->c, st->fd, &st->peer) == OK) {
        struct conf *c = intake_conf();
        admit(st, c);
        conf_drop(&c);
    }
    conn_close(&st->c);
    recv_listener_drop(&st->l);
    free(st);
}

/* ---- accepting ---------------------------------------------------------------------------------------------- */

static bool start(struct recv_port *p, int fd, const struct sockaddr_storage *peer)
{
    struct start *st = calloc(1, sizeof *st);
    if (!st)
        return false;
    st->fd = fd;
    st->peer = *peer;
    st->l = port_get(p);
    if (st->l && fiber_spawn(connection, st, "session"))
        return true;
    recv_listener_drop(&st->l);
    free(st);
    return false;
}

void recv_serve(struct recv_port *p, int fd)
{
    struct io io = IO_NONE;
    err e = io_attach_listener(&io, fd);
    while (!e) {
        int got;
        struct sockaddr_storage peer = {0};
        e = io_accept(&io, &got, &peer);
        if (e == OK) {
            if (!start(p, got, &peer))
                rt_turn_away(got, S("421 4.3.2 Out of memory, try again later\r\n"));
            continue;
        }
        if (e == E_CANCELLED)
            break;
        /* Out of descriptors or the like: the backlog keeps the client meanwhile. */
        struct recv_listener *l = port_get(p);
        rt_log(EV_accept_failed, log_str(l ? l->title : S("")), log_err(e));
        recv_listener_drop(&l);
        e = fiber_sleep(rt_after(200 * RT_MS));
    }
    io_close(&io);
}
