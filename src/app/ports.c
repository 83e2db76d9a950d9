/*
 * Ports: one configured address each, over all loops and generations. A session keeps the listener that it
 * began with; a reload gives the port a new one. Ports that a reload no longer names stop accepting; their
 * sessions go on.
 */
#include "app/wiring.h"
#include "proxy/proxy.h"

#include <stdlib.h>
#include <unistd.h>

#define PORTS_MAX 256

struct port {
    struct socket_set set;
    struct recv_port recv;
    struct fiber *serving[MESSAGE_FDS]; /* by loop; each touched by its own loop only */
    bool started, ended;
};
/* Entries are only added, by loop 0 or before loops run; a loop reads those below the count that it was told. */
static struct port *ports[PORTS_MAX];
static size_t nports;

static bool same_place(const struct socket_set *a, const struct socket_set *b)
{
    return a->kind == b->kind && memcmp(&a->at, &b->at, sizeof a->at) == 0;
}

void ports_add(const struct socket_set *s)
{
    for (size_t i = 0; i < nports; i++)
        if (!ports[i]->ended && same_place(&ports[i]->set, s)) {
            ports[i]->set.seen = true;
            memcpy(ports[i]->set.title, s->title, sizeof s->title);
            for (int k = 0; k < s->nfd; k++)
                close(s->fd[k]);
            return;
        }
    struct port *p = nports < PORTS_MAX ? calloc(1, sizeof *p) : NULL;
    int *fd = p ? calloc((size_t)s->nfd, sizeof *fd) : NULL;
    if (!fd) {
        free(p);
        return;
    }
    p->set = *s;
    p->set.fd = memcpy(fd, s->fd, (size_t)s->nfd * sizeof *fd);
    p->set.seen = true;
    ports[nports++] = p;
}

/* ---- serving ------------------------------------------------------------------------------------------------ */

struct serve {
    struct port *port;
    int fd;
};

static void serve(void *arg)
{
    struct serve s = *(struct serve *)arg;
    free(arg);
    if (s.port->set.kind == SOCKET_LISTENER || s.port->set.kind == SOCKET_LOCAL)
        recv_serve(&s.port->recv, s.fd);
    else
        world_serve(s.port->set.kind, s.fd);
    s.port->serving[rt_index()] = NULL;
}

/* Sockets bound once (unix, passed by systemd, few) are served by loop 0, the others one by each loop. */
static void start_here(struct port *p, int index)
{
    int fd = p->set.nfd == rt_nloops() ? p->set.fd[index] : index == 0 ? p->set.fd[0] : -1;
    if (p->set.nfd == 1 && p->set.kind == SOCKET_LISTENER && index > 0)
        fd = dup(p->set.fd[0]);
    struct serve *s = fd >= 0 ? malloc(sizeof *s) : NULL;
    if (!s)
        return;
    *s = (struct serve){p, fd};
    p->serving[index] = fiber_spawn(serve, s, "listener");
    if (!p->serving[index]) {
        rt_log(EV_accept_failed, log_c(p->set.title), log_err(E_NOMEM));
        free(s);
    }
}

void ports_begin(void)
{
    for (size_t i = 0; i < nports; i++) {
        ports[i]->started = true;
        ports[i]->set.seen = false;
    }
}

void ports_start(int index)
{
    for (size_t i = 0; i < nports; i++)
        if (!ports[i]->ended)
            start_here(ports[i], index);
}

struct change {
    struct post post;
    struct port *port;
    bool end;
};

static void change_here(struct post *post)
{
    struct change *c = container_of(post, struct change, post);
    int index = rt_index();
    if (!c->end)
        start_here(c->port, index);
    else if (c->port->serving[index])
        fiber_cancel(c->port->serving[index]);
    free(c);
}

static void change_everywhere(struct port *p, bool end)
{
    for (int i = 0; i < rt_nloops(); i++) {
        struct change *c = calloc(1, sizeof *c);
        if (!c)
            continue;
        *c = (struct change){{.run = change_here}, p, end};
        rt_post(rt_loop(i), &c->post);
    }
}

void ports_follow(void)
{
    for (size_t i = 0; i < nports; i++) {
        struct port *p = ports[i];
        if (!p->ended && !p->set.seen) {
            p->ended = true;
            change_everywhere(p, true);
        } else if (!p->ended && !p->started) {
            p->started = true;
            change_everywhere(p, false);
        }
        p->set.seen = false;
    }
}

void ports_stop(void)
{
    for (size_t i = 0; i < nports; i++)
        if (!ports[i]->ended) {
            ports[i]->ended = true;
            change_everywhere(ports[i], true);
        }
}

/* ---- what a generation offers ------------------------------------------------------------------------------------ */

/* The certificate of a listener: its own first, then the common one, or the self-signed pair. */
static err make_tls(struct conf *c, const struct conf_listener *l, const struct conf_bundle *b, struct tls_server **ret)
{
    const char *cert[2];
    char own_cert[512], why_text[512];
    struct buf why;
    size_t n = 0;
    if (l && l->certificate.n)
        cert[n++] = conf_bundle_text(b, l->certificate).p;
    if (c->tls_certificate.n) {
        cert[n++] = conf_bundle_text(b, c->tls_certificate).p;
    } else {
        secret_path(c, "cert.pem", own_cert, sizeof own_cert);
        cert[n++] = conf_bundle_text(b, str_c(own_cert)).p;
    }
    struct tls_server_config tc = {
        .cert_pem = cert,
        .n = n, /* their keys are the keeper's */
        .min_version = c->tls_min_version == CONF_TLS_1_3 ? 0x0304 : 0x0303,
        .ciphers = c->tls_ciphers.n ? c->tls_ciphers.p : NULL,
    };
    buf_init_fixed(&why, why_text, sizeof why_text);
    err e = E_NOT_FOUND;
    if (cert[n - 1] && cert[0])
        e = tls_server_new(ret, &tc, &why);
    if (e)
        rt_log(EV_reload_failed, log_str(l ? l->title : S("local")), log_num(l ? l->line : 0),
               log_str(why.n ? buf_str(&why) : S("the certificate cannot be read")));
    return e;
}

static err make_listener(struct conf *c, struct port *p, const struct conf_bundle *b, struct recv_listener **ret)
{
    struct recv_listener_config rc = {.conf = c, .kind = RECV_LOCAL};
    struct tls_server *tls = NULL;
    for (size_t i = 0; i < c->nlisteners && p->set.kind == SOCKET_LISTENER; i++)
        if (memcmp(&c->listeners[i].address, &p->set.at, sizeof p->set.at) == 0)
            rc.conf_listener = &c->listeners[i];
    const struct conf_listener *l = rc.conf_listener;
    if (p->set.kind == SOCKET_LISTENER) {
        if (!l)
            return E_NOT_FOUND;
        rc.kind = l->nupstreams              ? RECV_PROXY
                  : l->protocol == CONF_LMTP ? RECV_LMTP
                  : l->submission            ? RECV_SUBMISSION
                                             : RECV_MX;
        err e = l->tls == CONF_TLS_OFF ? OK : make_tls(c, l, b, &tls);
        if (e)
            return e;
        rc.tls = tls;
        rc.sink = proxy_sink(l);
    }
    rc.tenant = (uint32_t)(l ? l - c->listeners : 0) + 1;
    err e = recv_listener_new(ret, &rc);
    tls_server_drop(&tls);
    return e;
}

err ports_prepare(struct conf *c, const struct conf_bundle *b)
{
    struct recv_listener *made[PORTS_MAX] = {0};
    err e = OK;
    for (size_t i = 0; i < nports && !e; i++) {
        enum socket_kind k = ports[i]->set.kind;
        if (!ports[i]->ended && ports[i]->set.seen && (k == SOCKET_LISTENER || k == SOCKET_LOCAL))
            e = make_listener(c, ports[i], b, &made[i]);
    }
    for (size_t i = 0; i < nports; i++)
        if (made[i] && !e)
            recv_port_set(&ports[i]->recv, made[i]);
        else if (made[i])
            recv_listener_drop(&made[i]);
    return e;
}
