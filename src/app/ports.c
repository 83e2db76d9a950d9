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

/* A port on one loop, touched by that loop alone: what tells it to begin and to end, once each, lies ready here, so
 * that a port is served whatever memory there is. */
struct place {
    struct post begin, end;
    struct timer again; /* no fiber could be had: later */
    struct fiber *serving;
    int fd;
    bool over;
    struct port *port;
};
struct port {
    struct socket_set set;
    struct recv_port recv;
    bool started, ended;
    struct place *place; /* one per loop */
};
/* Entries are only added, by loop 0 or before loops run; a loop reads those below the count that it was told. */
static struct port *ports[PORTS_MAX];
static size_t nports;

static bool same_place(const struct socket_set *a, const struct socket_set *b)
{
    return a->kind == b->kind && memcmp(&a->at, &b->at, sizeof a->at) == 0;
}

err ports_add(const struct socket_set *s)
{
    for (size_t i = 0; i < nports; i++)
        if (!ports[i]->ended && same_place(&ports[i]->set, s)) {
            ports[i]->set.seen = true;
            memcpy(ports[i]->set.title, s->title, sizeof s->title);
            for (int k = 0; k < s->nfd; k++)
                close(s->fd[k]);
            return OK;
        }
    struct port *p = nports < PORTS_MAX ? calloc(1, sizeof *p) : NULL;
    int *fd = p ? calloc((size_t)s->nfd, sizeof *fd) : NULL;
    struct place *place = fd ? calloc(MESSAGE_FDS, sizeof *place) : NULL;
    if (!place) {
        rt_log(EV_bug, log_c("ports"), log_c("no memory for a port: it is not served until the next start"));
        for (int k = 0; k < s->nfd; k++)
            close(s->fd[k]);
        free(fd);
        free(p);
        return E_NOMEM;
    }
    p->set = *s;
    p->set.fd = memcpy(fd, s->fd, (size_t)s->nfd * sizeof *fd);
    p->set.seen = true;
    p->place = place;
    ports[nports++] = p;
    return OK;
}

/* ---- serving ------------------------------------------------------------------------------------------------ */

static void serve(void *arg)
{
    struct place *l = arg;
    struct port *p = l->port;
    if (p->set.kind == SOCKET_LISTENER || p->set.kind == SOCKET_LOCAL)
        recv_serve(&p->recv, l->fd);
    else
        world_serve(p->set.kind, l->fd);
    l->serving = NULL;
}

static void try_start(struct place *l)
{
    if (l->over)
        return;
    l->serving = fiber_spawn(serve, l, "listener");
    if (!l->serving) {
        rt_log(EV_accept_failed, log_c(l->port->set.title), log_err(E_NOMEM));
        timer_set(&l->again, rt_after(RT_S));
    }
}

static void start_again(struct timer *t) { try_start(container_of(t, struct place, again)); }

/* Sockets bound once (unix, passed by systemd, few) are served by loop 0, the others one by each loop. */
static void start_here(struct port *p, int index)
{
    struct place *l = &p->place[index];
    int fd = p->set.nfd == rt_nloops() ? p->set.fd[index] : index == 0 ? p->set.fd[0] : -1;
    if (p->set.nfd == 1 && p->set.kind == SOCKET_LISTENER && index > 0)
        fd = dup(p->set.fd[0]);
    l->port = p;
    l->fd = fd;
    l->again.fn = start_again;
    if (fd >= 0)
        try_start(l);
}

void ports_begin(void)
{
    for (size_t i = 0; i < nports; i++) {
        ports[i]->started = true;
        ports[i]->set.seen = false;
    }
}

static void begin_here(struct post *post)
{
    struct place *l = container_of(post, struct place, begin);
    start_here(l->port, rt_index());
}

static void end_here(struct post *post)
{
    struct place *l = container_of(post, struct place, end);
    l->over = true;
    timer_stop(&l->again);
    if (l->serving)
        fiber_cancel(l->serving);
}

static void change_everywhere(struct port *p, bool end)
{
    for (int i = 0; i < rt_nloops(); i++) {
        struct place *l = &p->place[i];
        struct post *post = end ? &l->end : &l->begin;
        l->port = p;
        post->run = end ? end_here : begin_here;
        rt_post(rt_loop(i), post);
    }
}

void ports_start(void)
{
    for (size_t i = 0; i < nports; i++)
        if (!ports[i]->ended)
            change_everywhere(ports[i], false);
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

/* ---- when certificates end ----------------------------------------------------------------------------------------
 */

#define DAY_S (24 * 3600)
#define SOON_S (14 * DAY_S)

/* *ret_first is the earliest end of all listeners. */
static void look_at_end(const struct tls_server *s, const struct conf_listener *l, int64_t *ret_first)
{
    int64_t end = tls_server_ends(s), left = end - rt_wall_ms() / 1000;
    if (!end)
        return;
    *ret_first = *ret_first == 0 || end < *ret_first ? end : *ret_first;
    if (left < SOON_S)
        rt_log(EV_certificate_ends, log_str(l->title), log_num(left < 0 ? -1 : left / DAY_S));
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
    } else if (c->acme_names.n && c->acme_chain.n) {
        cert[n++] = c->acme_chain.p;
    } else {
        secret_path(c, "cert.pem", own_cert, sizeof own_cert);
        cert[n++] = conf_bundle_text(b, str_c(own_cert)).p;
    }
    bool old = l && l->devices.n; /* TLS 1.0 is better than none there */
    struct tls_server_config tc = {
        .cert_pem = cert,
        .n = n, /* their keys are the keeper's */
        .min_version = old                                  ? 0x0301
                       : c->tls_min_version == CONF_TLS_1_3 ? 0x0304
                                                            : 0x0303,
        .ciphers = old                ? "DEFAULT:!aNULL:!eNULL:@SECLEVEL=0"
                   : c->tls_ciphers.n ? c->tls_ciphers.p
                                      : NULL,
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

static err make_listener(struct conf *c, struct port *p, const struct conf_bundle *b, struct recv_listener **ret,
                         int64_t *ret_first)
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
        rc.kind = l->nupstreams                   ? RECV_PROXY
                  : l->protocol == CONF_LMTP      ? RECV_LMTP
                  : l->protocol == CONF_HTTPS     ? RECV_WEB
                  : l->submission || l->devices.n ? RECV_SUBMISSION
                                                  : RECV_MX;
        err e = l->tls == CONF_TLS_OFF ? OK : make_tls(c, l, b, &tls);
        if (e)
            return e;
        if (tls)
            look_at_end(tls, l, ret_first);
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
    int64_t first = 0;
    for (size_t i = 0; i < nports && !e; i++) {
        enum socket_kind k = ports[i]->set.kind;
        if (!ports[i]->ended && ports[i]->set.seen && (k == SOCKET_LISTENER || k == SOCKET_LOCAL))
            e = make_listener(c, ports[i], b, &made[i], &first);
    }
    for (size_t i = 0; i < nports; i++)
        if (made[i] && !e)
            recv_port_set(&ports[i]->recv, made[i]);
        else if (made[i])
            recv_listener_drop(&made[i]);
    if (!e)
        metric_add(M_certificate_ends, first - metric_read(M_certificate_ends));
    return e;
}
