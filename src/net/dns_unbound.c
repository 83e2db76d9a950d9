/*
 * libunbound on our own loop, by its table of events (unbound-event.h). Its sockets live in an epoll set
 * of their own, level-triggered as it expects, and that set is one descriptor of the loop; a fiber watches
 * it while questions are under way. The library never runs on a fiber's stack: it keeps records of
 * 64 KiB on the stack in places. All its calls are made by posts and timers.
 */
#include "net/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>
#include <unbound.h>
#include <unbound-event.h>

#define ROOT_ANCHOR "/usr/share/dns/root.key"
#define STOPPING_LOOK (50 * RT_MS)
enum { TURN_EVENTS = 64, SERVERS_MAX = 8, ANCHOR_MAX = 64 * 1024 };

struct dns_engine {
    struct ub_event_base base; /* first: the library hands it back */
    struct ub_ctx *ctx;
    struct io io; /* the set of its sockets */
    struct fiber *watcher;
    struct post turn;
    unsigned pending; /* questions without an answer */
    bool turning, closing;
};

/* ---- a stack that is large enough ---------------------------------------------------------------- */

struct call {
    struct post post;
    err (*fn)(void *arg);
    void *arg;
    struct fiber *fiber;
    err e;
    bool done;
};

static void call_run(struct post *p)
{
    struct call *c = container_of(p, struct call, post);
    c->e = c->fn(c->arg);
    c->done = true;
    fiber_wake(c->fiber);
}

static err on_loop_stack(err (*fn)(void *arg), void *arg)
{
    struct call c = {.post.run = call_run, .fn = fn, .arg = arg, .fiber = fiber_self()};
    if (!c.fiber)
        return fn(arg);
    rt_post(rt_self(), &c.post);
    fiber_shield(true);
    while (!c.done)
        (void)fiber_park(RT_NEVER);
    fiber_shield(false);
    return c.e;
}

/* ---- events ----------------------------------------------------------------------------------------- */

struct event_of {
    struct ub_event super; /* first */
    struct dns_engine *engine;
    struct timer timer;
    rt_time span; /* of the timeout; 0: none */
    int fd;
    short bits;
    bool added; /* fd is in the set */
    void (*fn)(int fd, short bits, void *arg);
    void *arg;
};

static struct event_of *event_of(struct ub_event *e) { return (struct event_of *)(void *)e; }

static void event_bits_add(struct ub_event *e, short bits) { event_of(e)->bits |= bits; }
static void event_bits_del(struct ub_event *e, short bits) { event_of(e)->bits &= (short)~bits; }
static void event_fd(struct ub_event *e, int fd) { event_of(e)->fd = fd; }

static int event_del(struct ub_event *e)
{
    struct event_of *ev = event_of(e);
    if (ev->added)
        epoll_ctl(ev->engine->io.fd, EPOLL_CTL_DEL, ev->fd, NULL);
    ev->added = false;
    timer_stop(&ev->timer);
    return 0;
}

static void event_free(struct ub_event *e)
{
    event_del(e);
    free(e);
}

static int event_add(struct ub_event *e, struct timeval *tv)
{
    struct event_of *ev = event_of(e);
    event_del(e);
    ev->span = tv && ev->bits & UB_EV_TIMEOUT ? tv->tv_sec * RT_S + tv->tv_usec * RT_US : 0;
    if (tv && ev->bits & UB_EV_TIMEOUT)
        timer_set(&ev->timer, rt_after(ev->span));
    uint32_t want = (ev->bits & UB_EV_READ ? EPOLLIN : 0u) | (ev->bits & UB_EV_WRITE ? EPOLLOUT : 0u);
    if (ev->fd < 0 || !want)
        return 0;
    struct epoll_event ee = {.events = want, .data.ptr = ev};
    ev->added = epoll_ctl(ev->engine->io.fd, EPOLL_CTL_ADD, ev->fd, &ee) == 0;
    return ev->added ? 0 : -1;
}

/* Calls the library; ev may be gone afterwards. */
static void event_fire(struct event_of *ev, short bits)
{
    void (*fn)(int, short, void *) = ev->fn;
    void *arg = ev->arg;
    int fd = ev->fd;
    if (!(ev->bits & UB_EV_PERSIST))
        event_del(&ev->super);
    else if (ev->bits & UB_EV_TIMEOUT && ev->span)
        timer_set(&ev->timer, rt_after(ev->span));
    fn(fd, bits, arg);
}

static void event_timeout(struct timer *t) { event_fire(container_of(t, struct event_of, timer), UB_EV_TIMEOUT); }

static int event_timer_add(struct ub_event *e, struct ub_event_base *base, void (*fn)(int, short, void *), void *arg,
                           struct timeval *tv)
{
    struct event_of *ev = event_of(e);
    event_del(e);
    ev->engine = (struct dns_engine *)(void *)base;
    ev->fn = fn;
    ev->arg = arg;
    ev->fd = -1;
    ev->bits = UB_EV_TIMEOUT;
    return event_add(e, tv);
}

static int event_signal_add(struct ub_event *e, struct timeval *tv)
{
    (void)e, (void)tv;
    return -1;
}
static int event_signal_del(struct ub_event *e)
{
    (void)e;
    return -1;
}
static void event_winsock_free(struct ub_event *e) { (void)e; }
static void event_winsock_block(struct ub_event *e, int bits) { (void)e, (void)bits; }

static struct ub_event_vmt event_table = {
    .add_bits = event_bits_add,
    .del_bits = event_bits_del,
    .set_fd = event_fd,
    .free = event_free,
    .add = event_add,
    .del = event_del,
    .add_timer = event_timer_add,
    .del_timer = event_del,
    .add_signal = event_signal_add,
    .del_signal = event_signal_del,
    .winsock_unregister_wsaevent = event_winsock_free,
    .winsock_tcp_wouldblock = event_winsock_block,
};

static struct ub_event *event_new(struct ub_event_base *base, int fd, short bits, void (*fn)(int, short, void *),
                                  void *arg)
{
    struct event_of *ev = calloc(1, sizeof *ev);
    if (!ev)
        return NULL;
    ev->super.magic = UB_EVENT_MAGIC;
    ev->super.vmt = &event_table;
    ev->engine = (struct dns_engine *)(void *)base;
    ev->timer.fn = event_timeout;
    ev->fd = fd;
    ev->bits = bits;
    ev->fn = fn;
    ev->arg = arg;
    return &ev->super;
}

static void base_free(struct ub_event_base *b) { (void)b; }
static int base_dispatch(struct ub_event_base *b)
{
    (void)b;
    return -1;
}
static int base_exit(struct ub_event_base *b, struct timeval *tv)
{
    (void)b, (void)tv;
    return -1;
}
static struct ub_event *base_signal(struct ub_event_base *b, int fd, void (*fn)(int, short, void *), void *arg)
{
    (void)b, (void)fd, (void)fn, (void)arg;
    return NULL;
}
static struct ub_event *base_winsock(struct ub_event_base *b, void *ws, void (*fn)(int, short, void *), void *arg)
{
    (void)b, (void)ws, (void)fn, (void)arg;
    return NULL;
}
static struct ub_event_base_vmt base_table = {
    .free = base_free,
    .dispatch = base_dispatch,
    .loopexit = base_exit,
    .new_event = event_new,
    .new_signal = base_signal,
    .winsock_register_wsaevent = base_winsock,
};

/* ---- watching ------------------------------------------------------------------------------------------ */

/* The library sets up what its contexts share without a lock of its own. */
static pthread_mutex_t contexts = PTHREAD_MUTEX_INITIALIZER;

static void context_free(struct ub_ctx *c)
{
    pthread_mutex_lock(&contexts);
    ub_ctx_delete(c);
    pthread_mutex_unlock(&contexts);
}

static err destroy(void *arg)
{
    struct dns_engine *e = arg;
    context_free(e->ctx);
    io_close(&e->io);
    free(e);
    return OK;
}

static void destroy_post(struct post *p) { (void)destroy(container_of(p, struct dns_engine, turn)); }

static void close_when_done(struct dns_engine *e)
{
    if (e->closing && !e->pending && !e->watcher && !e->turning) {
        e->turning = true;
        e->turn.run = destroy_post;
        rt_post(rt_self(), &e->turn);
    }
}

/* One event at a time: a callback may free the events of others. */
static void turn(struct post *p)
{
    struct dns_engine *e = container_of(p, struct dns_engine, turn);
    struct epoll_event ee;
    e->turning = false;
    for (int i = 0; i < TURN_EVENTS && epoll_wait(e->io.fd, &ee, 1, 0) == 1; i++) {
        struct event_of *ev = ee.data.ptr;
        bool broken = ee.events & (EPOLLHUP | EPOLLERR);
        short got = 0;
        if (broken || ee.events & EPOLLIN)
            got |= UB_EV_READ;
        if (broken || ee.events & EPOLLOUT)
            got |= UB_EV_WRITE;
        event_fire(ev, got & ev->bits);
        if (i == TURN_EVENTS - 1 && !e->turning) {
            e->turning = true;
            rt_post(rt_self(), &e->turn);
        }
    }
    close_when_done(e);
}

/* Lives while questions are under way; after the server was told to stop, while somebody waits for one. */
static void watch(void *arg)
{
    struct dns_engine *e = arg;
    rt_time until = RT_NEVER;
    while (e->pending && (until == RT_NEVER || dns_wanted())) {
        err r = io_wait_read(&e->io, until);
        if (r == E_CANCELLED) {
            fiber_shield(true);
        } else if (r != OK && r != E_TIMEOUT) {
            break;
        } else {
            e->io.readable = false;
            if (!e->turning)
                rt_post(rt_self(), &e->turn);
            e->turning = true;
        }
        if (r == E_CANCELLED || until != RT_NEVER)
            until = rt_after(STOPPING_LOOK);
    }
    e->watcher = NULL;
    close_when_done(e);
}

/* ---- questions ---------------------------------------------------------------------------------------------- */

static void finish(struct dns_flight *f, const struct dns_reply *reply)
{
    struct dns_engine *e = f->engine;
    dns_answered(f, reply);
    if (--e->pending == 0 && e->watcher) {
        e->io.readable = true;
        fiber_wake(e->watcher);
    }
    close_when_done(e);
}

static void answered(void *arg, int rcode, void *packet, int n, int sec, char *why, int was_ratelimited)
{
    struct dns_reply reply = {.secure = sec == 2, .bogus = sec == 1};
    (void)why, (void)was_ratelimited;
    if (rcode == 0 && packet && n > 0)
        reply.packet = str_mem(packet, (size_t)n);
    else
        reply.e = rcode == 3 ? E_DNS_NONE : E_DNS_TEMP;
    finish(arg, &reply);
}

/* A name in the library's text form (RFC 1035 5.1): octets with a meaning there are escaped. */
static bool name_escape(const struct dns_flight *f, char *text, size_t size)
{
    struct buf b;
    buf_init_fixed(&b, text, size);
    for (size_t i = 0; i < f->name_n; i++) {
        unsigned char c = (unsigned char)f->name[i];
        if (ascii_alnum((char)c) || (c && memchr("-_./+=", c, 6)))
            buf_add_char(&b, (char)c);
        else
            buf_printf(&b, "\\%03u", c);
    }
    buf_add_char(&b, 0);
    return b.e == OK;
}

static void ask_now(struct post *p)
{
    struct dns_flight *f = container_of(p, struct dns_flight, post);
    char name[4 * DNS_NAME_MAX + 1];
    if (f->engine->watcher && name_escape(f, name, sizeof name) &&
        ub_resolve_event(f->engine->ctx, name, (int)f->type, 1, f, answered, NULL) == 0)
        return;
    finish(f, &(struct dns_reply){.e = E_DNS_TEMP});
}

static void unbound_ask(struct dns_engine *e, struct dns_flight *f)
{
    e->pending++;
    if (!e->watcher)
        e->watcher = fiber_spawn(watch, e, "dns");
    f->post.run = ask_now;
    rt_post(rt_self(), &f->post);
}

/* ---- contexts ------------------------------------------------------------------------------------------------ */

static bool set(struct ub_ctx *c, const char *key, const char *value) { return ub_ctx_set_option(c, key, value) == 0; }

static bool set_options(struct ub_ctx *c, bool validate)
{
    ub_ctx_debugout(c, NULL);
    return set(c, "module-config:", validate ? "validator iterator" : "iterator") &&
           set(c, "do-not-query-localhost:", "no") && set(c, "unblock-lan-zones:", "yes") &&
           set(c, "insecure-lan-zones:", "yes") &&
           /* Two silent names must not make a forwarder count as dead for everybody. */
           set(c, "infra-keep-probing:", "yes") && set(c, "infra-host-ttl:", "1") && set(c, "outgoing-range:", "512") &&
           /* dns_cache.c stands before it. */
           set(c, "msg-cache-size:", "64k") && set(c, "rrset-cache-size:", "256k") &&
           set(c, "num-queries-per-thread:", "4096") && set(c, "outgoing-num-tcp:", "8");
}

static bool forward_to(struct ub_ctx *c, const struct ip_port *at)
{
    char text[IP_TEXT_MAX + 8];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    ip_print(&b, &at->ip);
    buf_printf(&b, "@%u", at->port ? at->port : 53u);
    buf_add_char(&b, 0);
    return b.e == OK && ub_ctx_set_fwd(c, text) == 0;
}

/* The nameserver lines of resolv.conf(5); how many. */
static size_t forward_by_file(struct ub_ctx *c, str text)
{
    size_t n = 0;
    str line;
    while (text.p && n < SERVERS_MAX && str_cut(&text, '\n', &line)) {
        struct ip_port at = {.port = 53};
        line = str_trim(line);
        if (!str_starts(line, S("nameserver")) || line.n < 11 || !ascii_wsp(line.p[10]))
            continue;
        line = str_trim(str_skip(line, 10));
        line = str_sub(line, 0, str_find(line, ' '));
        n += ip_parse(line, &at.ip) && forward_to(c, &at);
    }
    return n;
}

static bool forward_all(struct ub_ctx *c, const struct dns_config *cfg)
{
    /* Names that the library would answer by itself; asking for the first one makes the settings final. */
    static const char *const ours[] = {"test.", "invalid.", "home.arpa.", "onion.", "127.in-addr.arpa."};
    size_t n = 0;
    for (size_t i = 0; i < cfg->nservers; i++) {
        struct ip_port at;
        if (!ip_from_sockaddr((const struct sockaddr *)&cfg->servers[i], sizeof cfg->servers[i], &at) ||
            !forward_to(c, &at))
            return false;
        n++;
    }
    if (!cfg->nservers)
        n = forward_by_file(c, cfg->resolv_conf);
    for (size_t i = 0; n && i < sizeof ours / sizeof ours[0]; i++)
        if (ub_ctx_zone_remove(c, ours[i]) != 0)
            return false;
    return true;
}

static bool add_anchor_lines(struct ub_ctx *c, str text)
{
    char z[2048];
    str line;
    size_t n = 0;
    while (text.p && str_cut(&text, '\n', &line)) {
        line = str_trim(str_sub(line, 0, str_find(line, ';')));
        if (line.n == 0)
            continue;
        if (!str_to_c(line, z, sizeof z) || ub_ctx_add_ta(c, z) != 0)
            return false;
        n++;
    }
    return n > 0;
}

static bool add_anchor(struct ub_ctx *c, str text)
{
    if (text.n)
        return add_anchor_lines(c, text);
    int fd;
    size_t n = 0;
    char *p = malloc(ANCHOR_MAX);
    bool ok = p && rt_fs->open(AT_FDCWD, ROOT_ANCHOR, O_RDONLY, 0, &fd) == OK;
    if (ok) {
        ok = rt_fs->pread(fd, p, ANCHOR_MAX, 0, &n) == OK && add_anchor_lines(c, str_mem(p, n));
        rt_fs->close(fd);
    }
    free(p);
    return ok;
}

struct opening {
    struct dns_engine *engine;
    const struct dns_config *cfg;
};

static err context_new(struct ub_ctx **ret, struct dns_engine *e, const struct dns_config *cfg)
{
    pthread_mutex_lock(&contexts);
    struct ub_ctx *c = ub_ctx_create_ub_event(&e->base);
    bool ok =
        c && set_options(c, cfg->validate) && (!cfg->validate || add_anchor(c, cfg->anchor)) && forward_all(c, cfg);
    pthread_mutex_unlock(&contexts);
    if (ok) {
        *ret = c;
        return OK;
    }
    if (c)
        context_free(c);
    return c ? E_SYNTAX : E_NOMEM;
}

static err open_now(void *arg)
{
    struct opening *o = arg;
    struct dns_engine *e = calloc(1, sizeof *e);
    if (!e)
        return E_NOMEM;
    e->base = (struct ub_event_base){UB_EVENT_MAGIC, &base_table};
    e->io = IO_NONE;
    e->turn.run = turn;
    int fd = epoll_create1(EPOLL_CLOEXEC);
    err r = fd < 0 ? err_from_errno(errno) : io_attach(&e->io, fd);
    if (r == OK)
        r = context_new(&e->ctx, e, o->cfg);
    if (r == OK) {
        o->engine = e;
        return OK;
    }
    io_close(&e->io);
    free(e);
    return r;
}

static err unbound_open(struct dns_engine **ret, const struct dns_config *c)
{
    struct opening o = {.cfg = c};
    err e = on_loop_stack(open_now, &o);
    if (e == OK)
        *ret = o.engine;
    return e;
}

static void unbound_close(struct dns_engine *e)
{
    e->closing = true;
    close_when_done(e);
}

const struct dns_backend dns_unbound = {.open = unbound_open, .ask = unbound_ask, .close = unbound_close};
