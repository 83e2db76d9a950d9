/* Connections to filters: opened and negotiated, kept between sessions, and the packets that come on them. */
#include "milter/internal.h"
#include "base/cleanup.h"

#include <stdlib.h>
#include <sys/un.h>

enum { IDLE_MAX = 64, ADDRESSES_MAX = 4, TERMS_MEM = 64 * 1024, PIECE = 16 * 1024 };
#define QUIT_TIME (2 * RT_S)

void milter_link_drop(struct milter_link **p)
{
    struct milter_link *l = *p;
    *p = NULL;
    if (!l)
        return;
    conn_close(&l->conn);
    buf_free(&l->in);
    arena_free(&l->mem);
    free(l);
    metric_add(M_milter_connections, -1);
}

/* ---- packets ---- */

err milter_link_read(struct milter_link *l, char *ret_what, str *ret_data)
{
    size_t need;
    buf_drop(&l->in, l->took);
    l->took = 0;
    for (;;) {
        enum milter_frame f = milter_frame(buf_str(&l->in), ret_what, ret_data, &need);
        if (f == MILTER_BROKEN)
            return E_PROTOCOL;
        if (f == MILTER_WHOLE)
            break;
        size_t got, want = need - l->in.n < PIECE ? need - l->in.n : PIECE; /* a length alone costs no memory */
        char *p = buf_room(&l->in, want);
        err e = p ? conn_read(&l->conn, p, want, &got) : l->in.e;
        if (e)
            return e;
        l->in.n += got;
    }
    l->took = need;
    return OK;
}

/* ---- opening ---- */

static size_t by_name(const struct conf_milter *c, struct arena *mem, struct sockaddr_storage v[ADDRESSES_MAX],
                      err *ret)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    size_t n = 0;
    for (int f = 0; f < 2; f++) {
        struct dns_answer a = {0};
        err e = dns_lookup(c->host, types[f], mem, &a);
        if (e && (f == 0 || *ret == E_DNS_NODATA))
            *ret = e;
        for (size_t i = 0; !e && i < a.n && n < ADDRESSES_MAX; i++) {
            struct ip_port at = {.ip = ip_from_octets(a.v[i].data.p, a.v[i].data.n), .port = c->port};
            if (at.ip.v && ip_to_sockaddr(&at, &v[n]))
                n++;
        }
    }
    return n;
}

static size_t addresses(const struct conf_milter *c, struct arena *mem, struct sockaddr_storage v[ADDRESSES_MAX],
                        err *ret)
{
    struct ip_port at = {.port = c->port};
    *ret = E_UNREACHABLE;
    memset(v, 0, ADDRESSES_MAX * sizeof *v);
    if (c->path.n) {
        struct sockaddr_un *un = (struct sockaddr_un *)&v[0];
        un->sun_family = AF_UNIX;
        return str_to_c(c->path, un->sun_path, sizeof un->sun_path) ? 1 : 0;
    }
    str host = str_ieq(c->host, S("localhost")) ? S("127.0.0.1") : c->host;
    if (ip_parse(host, &at.ip))
        return ip_to_sockaddr(&at, &v[0]) ? 1 : 0;
    return by_name(c, mem, v, ret);
}

static err connect_to(struct milter_link *l, const struct conf_milter *c, rt_time until)
{
    AUTO_ARENA mem = {0};
    struct sockaddr_storage v[ADDRESSES_MAX];
    err e;
    arena_init(&mem, 512, 1 << 16);
    size_t n = addresses(c, &mem, v, &e);
    for (size_t i = 0; i < n; i++) {
        struct target t = {.to = v[i]};
        rt_time left = (until - rt_now()) / (rt_time)(n - i);
        e = net_connect(&l->conn, &t, rt_after(left > 0 ? left : 0));
        if (!e || e == E_CANCELLED)
            break;
        conn_close(&l->conn);
    }
    return e;
}

/* Lists of macros stay as long as the connection. */
static err keep_terms(struct milter_link *l)
{
    for (size_t i = 0; i < MILTER_STAGES; i++)
        if (l->terms.macros[i].p && !(l->terms.macros[i] = arena_str(&l->mem, l->terms.macros[i])).p)
            return E_NOMEM;
    return OK;
}

static err negotiate(struct milter_link *l, struct buf *why)
{
    AUTO_BUF out;
    const char *what = "its answer to the negotiation is another one";
    char cmd;
    str data;
    buf_init(&out, 64);
    milter_optneg(&out, MILTER_VERSION, MILTER_ACTIONS, MILTER_STEPS);
    if (out.e)
        return out.e;
    conn_write(&l->conn, buf_str(&out));
    err e = conn_flush(&l->conn);
    e = e ? e : milter_link_read(l, &cmd, &data);
    if (e)
        return e;
    if (cmd != MILTER_OPTNEG || !milter_terms_parse(data, &l->terms, &what)) {
        buf_add_c(why, what);
        return E_PROTOCOL;
    }
    return keep_terms(l);
}

static err open_new(struct milter_link **ret, const struct conf_milter *c, struct buf *why)
{
    struct milter_link *l = calloc(1, sizeof *l);
    *ret = l;
    if (!l)
        return E_NOMEM;
    metric_add(M_milter_connections, 1);
    l->conn = (struct conn){.io = IO_NONE};
    buf_init(&l->in, MILTER_ANSWER_MAX + PIECE);
    arena_init(&l->mem, 512, TERMS_MEM);
    l->address = arena_str(&l->mem, c->address);
    rt_time until = rt_after(c->connect_time);
    err e = l->address.p ? connect_to(l, c, until) : E_NOMEM;
    if (e) {
        buf_printf(why, "connecting: %s", err_text(e));
        return e;
    }
    l->conn.deadline = until;
    e = negotiate(l, why);
    if (e && !why->n)
        buf_printf(why, "negotiating: %s", err_text(e));
    return e;
}

/* ---- idle ones ---- */

static bool alive(struct milter_link *l) { return l->in.n == l->took && conn_quiet(&l->conn); }

static struct milter_link *link_of(const struct idle *i) { return container_of(i, struct milter_link, idle); }
static bool leads_to(const struct idle *i, const void *address)
{
    return str_eq(link_of(i)->address, *(const str *)address);
}
static bool is_alive(struct idle *i) { return alive(link_of(i)); }

/* A filter takes the end of the connection for a QUIT. */
static void drop_idle(struct idle *i)
{
    struct milter_link *l = link_of(i);
    milter_link_drop(&l);
}

static struct idle_pool pool = {
    .most = IDLE_MAX, .fits = leads_to, .alive = is_alive, .drop = drop_idle, .expired = drop_idle};

err milter_link_get(struct milter_link **ret, const struct conf_milter *c, bool fresh, struct buf *why)
{
    struct idle *kept = fresh ? NULL : idle_take(&pool, &c->address);
    if (kept) {
        *ret = link_of(kept);
        (*ret)->used = true;
        return OK;
    }
    err e = open_new(ret, c, why);
    if (e)
        milter_link_drop(ret);
    return e;
}

static err say(struct milter_link *l, enum milter_cmd what)
{
    AUTO_BUF out;
    buf_init(&out, 64);
    milter_end(&out, milter_begin(&out, what));
    l->conn.deadline = rt_after(QUIT_TIME);
    conn_write(&l->conn, buf_str(&out));
    return out.e ? out.e : conn_flush(&l->conn);
}

void milter_link_keep(struct milter_link **p, const struct conf_milter *c, bool may)
{
    struct milter_link *l = *p;
    if (!l)
        return;
    bool live = alive(l), keep = live && may && c->idle_time && l->terms.version >= 6 && !fiber_cancelled();
    if (!live || say(l, keep ? MILTER_QUIT_NC : MILTER_QUIT) != OK || !keep) {
        milter_link_drop(p);
        return;
    }
    l->took = 0;
    buf_free(&l->in);
    if (!idle_keep(&pool, &l->idle, c->idle_time))
        milter_link_drop(p);
    *p = NULL;
}
