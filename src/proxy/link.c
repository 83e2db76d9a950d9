/*
 * A link: one connection to one server behind. Opening with failover, replies, and the pool of idle links of each
 * loop, from which the next session takes one.
 */
#include "proxy/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

enum { IDLE_MAX = 256, ADDRESSES_MAX = 8 };
#define QUIT_TIME (2 * RT_S)

err link_trouble(struct link *l, err e, const char *fmt, ...)
{
    va_list ap;
    char text[300];
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(l->why, sizeof l->why, "%s: %s", l->via, text);
    return e;
}

/* ---- lines and replies --------------------------------------------------------------------------------------- */

err link_reply(struct link *l, rt_time span)
{
    l->conn.deadline = rt_after(span);
    reply_parser_init(&l->in);
    for (;;) {
        str line;
        err e = conn_readline(&l->conn, REPLY_IN_LINE_MAX, &line, NULL);
        enum reply_in in = e ? REPLY_BAD : reply_parse_line(&l->in, line);
        rt_said(l->session, '<', e ? str_c(err_text(e)) : line);
        if (in == REPLY_DONE) {
            l->gone = l->gone || l->in.r.code == 421;
            return OK;
        }
        if (in == REPLY_BAD) {
            l->gone = true;
            return e && e != E_LINE_LENGTH ? e : E_PROTOCOL;
        }
    }
}

bool link_in_step(struct link *l)
{
    if (conn_buffered(&l->conn) == 0)
        return true;
    l->gone = true;
    return false;
}

err link_ask(struct link *l, str line)
{
    if (!link_in_step(l))
        return link_reply(l, l->patience) == OK && l->in.r.code == 421 ? OK : E_PROTOCOL;
    l->conn.deadline = rt_after(l->patience);
    rt_said(l->session, '>', line);
    conn_write(&l->conn, line);
    return link_reply(l, l->patience);
}

bool link_alive(struct link *l) { return !l->gone && conn_quiet(&l->conn); }

/* ---- the end --------------------------------------------------------------------------------------------------- */

static void forget(struct link *l)
{
    conn_close(&l->conn);
    if (l->counted) {
        __atomic_sub_fetch(&l->server->connections, 1, __ATOMIC_RELAXED);
        metric_add(M_upstream_connections, -1);
    }
    conf_drop(&l->conf);
    free(l);
}

void link_drop(struct link **p)
{
    if (*p)
        forget(*p);
    *p = NULL;
}

static void bye(void *arg)
{
    struct link *l = arg;
    fiber_shield(true);
    l->conn.deadline = rt_after(QUIT_TIME);
    conn_write(&l->conn, S("QUIT\r\n")); /* RFC 5321 4.1.1.10 */
    (void)link_reply(l, QUIT_TIME);
    conn_end(&l->conn);
    forget(l);
}

static void say_bye(struct link *l)
{
    if (!link_alive(l) || !fiber_spawn(bye, l, "quit"))
        forget(l);
}

/* ---- idle ones ------------------------------------------------------------------------------------------------- */

struct wanted {
    const struct conf_upstream *up; /* of this generation */
    const struct server *server;
};

static struct link *link_of(const struct idle *i) { return container_of(i, struct link, idle); }
static bool is_wanted(const struct idle *i, const void *key)
{
    const struct wanted *w = key;
    return link_of(i)->server == w->server && link_of(i)->up == w->up;
}
static bool is_alive(struct idle *i) { return link_alive(link_of(i)); }
static void drop_idle(struct idle *i) { forget(link_of(i)); }
static void end_idle(struct idle *i) { say_bye(link_of(i)); }
static struct idle_pool pool = {
    .most = IDLE_MAX, .fits = is_wanted, .alive = is_alive, .drop = drop_idle, .expired = end_idle};

static struct link *from_pool(const struct conf_upstream *u, const struct server *s)
{
    const struct wanted w = {u, s};
    struct idle *i = idle_take(&pool, &w);
    return i ? link_of(i) : NULL;
}

void link_put(struct link **p)
{
    struct link *l = *p;
    *p = NULL;
    if (!l)
        return;
    l->session = l->own ? l->session : 0;
    if (l->own || l->up->idle_time == 0 || !link_alive(l) || !idle_keep(&pool, &l->idle, l->up->idle_time))
        say_bye(l);
}

/* ---- connecting ------------------------------------------------------------------------------------------------ */

static size_t host_addresses(const struct url *u, struct arena *mem, struct sockaddr_storage v[ADDRESSES_MAX], err *ret)
{
    struct dns_answer a[2] = {0};
    size_t n = 0;
    err e6 = dns_lookup(u->host, DNS_AAAA, mem, &a[0]);
    err e4 = dns_lookup(u->host, DNS_A, mem, &a[1]);
    *ret = e4 ? e4 : e6;
    for (int f = 1; f >= 0; f--)
        for (size_t i = 0; !(f ? e4 : e6) && i < a[f].n && n < ADDRESSES_MAX; i++) {
            struct ip_port at = {.ip = ip_from_octets(a[f].v[i].data.p, a[f].v[i].data.n), .port = u->port};
            if (at.ip.v && ip_to_sockaddr(&at, &v[n]))
                n++;
        }
    return n;
}

static size_t addresses(const struct url *u, struct arena *mem, struct sockaddr_storage v[ADDRESSES_MAX], err *ret)
{
    struct ip_port at = {.port = u->port};
    *ret = E_UNREACHABLE;
    memset(v, 0, ADDRESSES_MAX * sizeof *v);
    if (u->path.n) {
        struct sockaddr_un *un = (struct sockaddr_un *)&v[0];
        un->sun_family = AF_UNIX;
        return str_to_c(u->path, un->sun_path, sizeof un->sun_path) ? 1 : 0;
    }
    if (ip_parse(u->host, &at.ip))
        return ip_to_sockaddr(&at, &v[0]) ? 1 : 0;
    return host_addresses(u, mem, v, ret);
}

static err connect_one(struct link *l, const struct url *u)
{
    AUTO_ARENA mem = {0};
    struct sockaddr_storage v[ADDRESSES_MAX];
    err e;
    arena_init(&mem, 512, 1 << 16);
    size_t n = addresses(u, &mem, v, &e);
    for (size_t i = 0; i < n; i++) {
        struct target t = {.to = v[i]};
        e = net_connect(&l->conn, &t, rt_after(l->up->connect_time));
        if (!e || e == E_CANCELLED)
            break;
        conn_close(&l->conn);
    }
    return e ? link_trouble(l, e, "%s", err_text(e)) : OK;
}

static struct link *new_link(const struct conf_upstream *u, size_t i, struct conf *c, const struct source *src)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l || !(l->server = server_of(u, i))) {
        free(l);
        return NULL;
    }
    l->conn = (struct conn){.io = IO_NONE};
    l->conf = conf_ref(c);
    l->up = u;
    l->patience = u->connect_time;
    l->session = src ? src->session : 0;
    struct buf b;
    buf_init_fixed(&b, l->via, sizeof l->via - 1);
    text_safe(&b, str_sub(u->via.v[i], 0, 100));
    l->via[b.n] = 0;
    return l;
}

static err try_open(struct link **ret, const struct conf_upstream *u, size_t i, struct conf *c,
                    const struct source *src, bool clear)
{
    struct link *l = new_link(u, i, c, src);
    *ret = l;
    if (!l)
        return E_NOMEM;
    int open = __atomic_add_fetch(&l->server->connections, 1, __ATOMIC_RELAXED);
    metric_add(M_upstream_connections, 1);
    l->counted = true;
    if (u->connections && open > u->connections)
        return link_trouble(l, E_LIMIT, "all its connections are in use");
    err e = connect_one(l, &u->hops[i].url);
    return e ? e : link_hello(l, u->hops[i].url.scheme == URL_SMTPS, clear, src);
}

/* On failure *ret may still hold what there is to say about it. TLS that is only wished for and fails is done without
 * (RFC 7435). */
err link_open(struct link **ret, const struct conf_upstream *u, size_t i, struct conf *c, const struct source *src)
{
    err e = try_open(ret, u, i, c, src, false);
    if (e == E_TLS && u->tls == CONF_TLS_MAY && u->hops[i].url.scheme != URL_SMTPS) {
        link_drop(ret);
        e = try_open(ret, u, i, c, src, true);
    }
    if (*ret && !e)
        server_works((*ret)->server, u, &(*ret)->can);
    else if (*ret && e != E_CANCELLED && e != E_LIMIT)
        server_failed((*ret)->server, u, (*ret)->why);
    return e;
}

/* ---- one for a session --------------------------------------------------------------------------------------------
 */

/* What the client hears when no server could be had. */
static void no_link(struct reply *r, const struct link *l, err e)
{
    const struct reply *said = l ? &l->in.r : NULL;
    if (e == E_NOMEM || !l) {
        reply_set_str(r, 451, "4.3.1", S("Out of memory, try again later"));
    } else if ((e == E_REFUSED || e == E_DENIED) && said->code >= 400) {
        *r = *said;
        r->code = r->code == 421 ? 451 : r->code; /* this session goes on */
    } else if (e == E_LIMIT) {
        reply_set_str(r, 451, "4.3.2", S("The server behind is busy, try again later"));
    } else {
        reply_set(r, 451, "4.4.1", "No server behind answers now, try again later (%s)", err_text(e));
    }
}

/* Is a connection bound to its client from the first octet on? */
static bool tells(const struct conf_upstream *u) { return u->xclient || u->proxy_protocol != CONF_PROXY_NONE; }

struct link *link_get(const struct conf_upstream *u, struct conf *c, const struct source *src, bool fresh,
                      struct reply *r)
{
    uint8_t order[SERVERS_MAX];
    size_t n = servers_order(u, &src->client.ip, order);
    struct link *l = NULL;
    err e = E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        struct server *s = server_of(u, order[i]);
        if (!fresh && !tells(u) && s && (l = from_pool(u, s))) {
            l->session = src->session;
            return l;
        }
        e = link_open(&l, u, order[i], c, src);
        if (!e) {
            l->own = fresh || tells(u);
            return l;
        }
        if (i + 1 == n || e == E_CANCELLED)
            break;
        link_drop(&l);
    }
    no_link(r, l, e);
    link_drop(&l);
    return NULL;
}
