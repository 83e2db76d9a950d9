/* One question of HTTP/1.1 (RFC 9110, 9112), over TLS (RFC 9110 4.2.2) or in clear. */
#include "http/http.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stddef.h>
#include <sys/un.h>

enum { ADDRESSES_MAX = 4, PIECE = 16 * 1024, HEAD_OUT_MAX = 128 * 1024, SERVER_NAME_MAX = 300 };

bool http_url_parse(str s, struct http_url *ret)
{
    struct http_url u = {0};
    uint64_t port;
    u.tls = str_istarts(s, S("https://"));
    if (!u.tls && !str_istarts(s, S("http://")))
        return false;
    s = str_skip(s, u.tls ? 8 : 7);
    size_t slash = str_find(s, '/');
    str at = str_sub(s, 0, slash);
    u.path = slash == STR_NONE ? S("/") : str_skip(s, slash);
    u.port = u.tls ? 443 : 80;
    size_t end = str_starts(at, S("[")) ? str_find(at, ']') : STR_NONE;
    size_t colon = end == STR_NONE ? str_find(at, ':') : end + 1;
    u.host = end == STR_NONE ? str_sub(at, 0, colon) : str_sub(at, 1, end);
    str rest = str_skip(at, colon == STR_NONE || colon > at.n ? at.n : colon);
    if (rest.n && (!str_starts(rest, S(":")) || !text_u64(str_skip(rest, 1), &port) || port == 0 || port > 65535))
        return false;
    if (rest.n)
        u.port = (uint16_t)port;
    for (size_t i = 0; i < u.path.n; i++)
        if (u.path.p[i] <= ' ' || u.path.p[i] > '~' || u.path.p[i] == '#')
            return false;
    for (size_t i = 0; i < u.host.n; i++)
        if (u.host.p[i] <= ' ' || u.host.p[i] > '~' || str_find(S("@/?#[]"), u.host.p[i]) != STR_NONE)
            return false;
    *ret = u;
    return u.host.n > 0;
}

/* ---- connecting ---------------------------------------------------------------------------------------------- */

static void say(struct buf *why, const char *what, err e)
{
    if (why && why->n == 0)
        buf_printf(why, "%s: %s", what, err_text(e));
}

static err add(const struct http_question *q, struct ip ip, struct target *v, size_t *n)
{
    enum ip_class class = ip_class(&ip);
    struct ip_port at = {ip, q->url.port};
    if (class == IP_MULTICAST || (class != IP_GLOBAL && class != IP_RESERVED && !q->private_targets))
        return E_PRIVATE;
    if (*n < ADDRESSES_MAX) {
        v[*n] = (struct target){0};
        ip_to_sockaddr(&at, &v[(*n)++].to);
    }
    return OK;
}

/* IPv4 first: a name with a dead IPv6 address is more common than the opposite. */
static err find(const struct http_question *q, struct target v[ADDRESSES_MAX], size_t *n) YIELDS;
static err find(const struct http_question *q, struct target v[ADDRESSES_MAX], size_t *n)
{
    AUTO_ARENA a = {0};
    struct ip ip;
    err first = OK;
    arena_init(&a, 2048, 256 * 1024);
    if (q->unix_path) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        if (!str_to_c(str_c(q->unix_path), un.sun_path, sizeof un.sun_path))
            return E_SYNTAX;
        v[0] = (struct target){0};
        memcpy(&v[0].to, &un, sizeof un);
        *n = 1;
        return OK;
    }
    if (ip_parse(q->url.host, &ip))
        return add(q, ip, v, n);
    for (int f = 0; f < 2; f++) {
        struct dns_answer got = {0};
        err e = dns_lookup(q->url.host, f ? DNS_AAAA : DNS_A, &a, &got);
        for (size_t i = 0; !e && i < got.n; i++)
            e = add(q, ip_from_octets(got.v[i].data.p, got.v[i].data.n), v, n);
        first = first && first != E_DNS_NODATA ? first : e;
    }
    return *n ? OK : first;
}

static err reach(const struct http_question *q, struct conn *c, struct buf *why) YIELDS;
static err reach(const struct http_question *q, struct conn *c, struct buf *why)
{
    struct target v[ADDRESSES_MAX];
    size_t n = 0;
    err e = find(q, v, &n);
    if (e) {
        say(why, "no address", e);
        return e;
    }
    e = E_UNREACHABLE;
    for (size_t i = 0; i < n && e; i++) {
        rt_time left = (q->deadline - rt_now()) / (rt_time)(n - i);
        e = net_connect(c, &v[i], rt_after(left > 0 ? left : 0));
    }
    if (e) {
        say(why, "cannot connect", e);
        return e;
    }
    c->deadline = q->deadline;
    const struct tls_client_config tls = {
        .verify = q->any_certificate ? TLS_ANY : TLS_VERIFY, .name = q->url.host, .ca_pem = q->ca_pem};
    if (q->url.tls)
        e = tls_connect(c, &tls, why);
    if (e) {
        say(why, "TLS", e);
        conn_close(c);
    }
    return e;
}

/* ---- connections that stay ------------------------------------------------------------------------------------- */

struct line {
    struct idle idle;
    struct conn conn;
    char server[SERVER_NAME_MAX]; /* what it leads to */
};

/* False: too long a name to be kept by. */
static bool name_server(const struct http_question *q, char name[SERVER_NAME_MAX])
{
    struct buf b;
    buf_init_fixed(&b, name, SERVER_NAME_MAX);
    buf_printf(&b, "%d %u " STR_FMT " %s%c", q->url.tls, q->url.port, STR_ARG(q->url.host),
               q->unix_path ? q->unix_path : "", 0);
    return !b.e && !q->ca_pem && !q->any_certificate;
}

static void forget(struct line *l)
{
    conn_close(&l->conn);
    free(l);
}

static struct line *line_of(const struct idle *i) { return container_of(i, struct line, idle); }
static bool leads_to(const struct idle *i, const void *name) { return strcmp(line_of(i)->server, name) == 0; }
static bool is_quiet(struct idle *i) { return conn_quiet(&line_of(i)->conn); }
static void forget_idle(struct idle *i) { forget(line_of(i)); }
static struct idle_pool lines = {
    .most = HTTP_KEPT_MAX, .fits = leads_to, .alive = is_quiet, .drop = forget_idle, .expired = forget_idle};

/* One that the server has not closed meanwhile; NULL: none. */
static struct line *take_kept(const struct http_question *q)
{
    char name[SERVER_NAME_MAX];
    struct idle *i = q->keep && name_server(q, name) ? idle_take(&lines, name) : NULL;
    return i ? line_of(i) : NULL;
}

/* ---- asking -------------------------------------------------------------------------------------------------- */

static err put_pieces(const struct http_question *q, struct conn *c) YIELDS;
static err put_pieces(const struct http_question *q, struct conn *c)
{
    for (uint64_t at = 0; at < q->size && !c->e;) {
        str piece;
        err e = q->read(q->arg, at, &piece);
        if (e)
            return e;
        piece = str_sub(piece, 0, q->size - at < piece.n ? (size_t)(q->size - at) : piece.n);
        if (!piece.n)
            return E_IO; /* there is less than was said */
        conn_write(c, piece);
        at += piece.n;
    }
    return c->e;
}

static err put(const struct http_question *q, struct conn *c) YIELDS;
static err put(const struct http_question *q, struct conn *c)
{
    AUTO_BUF b;
    uint64_t size = q->read ? q->size : q->body.n;
    buf_init(&b, HEAD_OUT_MAX);
    bool v6 = str_find(q->url.host, ':') != STR_NONE;
    buf_printf(&b, "%s " STR_FMT " HTTP/1.1\r\nHost: %s" STR_FMT "%s", q->method, STR_ARG(q->url.path), v6 ? "[" : "",
               STR_ARG(q->url.host), v6 ? "]" : "");
    if (q->url.port != (q->url.tls ? 443 : 80))
        buf_printf(&b, ":%u", q->url.port);
    buf_add_c(&b, "\r\nUser-Agent: postrider/" POSTRIDER_VERSION "\r\nAccept-Language: en\r\n");
    buf_printf(&b, "Connection: %s\r\n", q->keep ? "keep-alive" : "close");
    for (size_t i = 0; i < q->nfields; i++) {
        if (!http1_token(q->fields[i].name) || !http1_value(q->fields[i].value))
            return E_SYNTAX;
        buf_printf(&b, STR_FMT ": " STR_FMT "\r\n", STR_ARG(q->fields[i].name), STR_ARG(q->fields[i].value));
    }
    if (size || q->method[0] == 'P')
        buf_printf(&b, "Content-Length: %llu\r\n", (unsigned long long)size);
    buf_add_c(&b, "\r\n");
    if (b.e)
        return b.e;
    conn_write(c, buf_str(&b));
    if (q->body.n && !q->read)
        conn_write(c, q->body);
    err e = q->read ? put_pieces(q, c) : OK;
    return e ? e : conn_flush(c);
}

/* Everything that came is kept, so that the parser, which is pure, can be asked again with more. */
static err take(const struct http_question *q, struct conn *c, struct arena *a, struct http1_answer *ret) YIELDS;
static err take(const struct http_question *q, struct conn *c, struct arena *a, struct http1_answer *ret)
{
    AUTO_BUF got;
    bool ended = false, head_only = q->method[0] == 'H';
    buf_init(&got, q->most + 1);
    for (;;) {
        str piece;
        err e = conn_peek(c, &piece);
        ended = e == E_CLOSED;
        if (e && !ended)
            return e;
        if (!ended) {
            piece = str_sub(piece, 0, PIECE);
            buf_add(&got, piece);
            conn_took(c, piece.n);
        }
        if (got.e || got.n > q->most)
            return got.e == E_NOMEM ? E_NOMEM : E_LIMIT;
        AUTO_ARENA scratch = {0};
        arena_init(&scratch, 8192, q->most + 65536);
        e = http1_answer(buf_str(&got), ended, head_only, &scratch, ret);
        if (e == E_AGAIN)
            continue;
        if (e)
            return e;
        str kept = arena_str(a, buf_str(&got)); /* the views of the answer must outlive the buffer */
        e = kept.p ? http1_answer(kept, ended, head_only, a, ret) : a->e;
        ret->lasts = !e && ret->lasts && !ended && ret->used == kept.n;
        return e;
    }
}

/* The question on a connection that is open, and its answer. */
static err converse(const struct http_question *q, struct conn *c, struct arena *a, struct http1_answer *ret) YIELDS;
static err converse(const struct http_question *q, struct conn *c, struct arena *a, struct http1_answer *ret)
{
    c->deadline = q->deadline;
    err e = put(q, c);
    if (!e || c->e == E_RESET || c->e == E_CLOSED) { /* a server that answers early may stop reading */
        if (e)
            conn_hear(c);
        e = take(q, c, a, ret);
    }
    return e;
}

static struct line *open_line(const struct http_question *q, err *ret_e, struct buf *why) YIELDS;
static struct line *open_line(const struct http_question *q, err *ret_e, struct buf *why)
{
    struct line *l = calloc(1, sizeof *l);
    *ret_e = l ? reach(q, &l->conn, why) : E_NOMEM;
    if (*ret_e) {
        free(l);
        return NULL;
    }
    return l;
}

err http_ask(const struct http_question *q, struct arena *a, struct http1_answer *ret, struct buf *why)
{
    struct line *l = take_kept(q);
    bool old = l != NULL;
    uint64_t heard = old ? l->conn.bytes_in : 0;
    err e = OK;
    if (old) {
        e = converse(q, &l->conn, a, ret);
        if (e && (l->conn.e == E_CLOSED || l->conn.e == E_RESET) && l->conn.bytes_in == heard) {
            forget(l); /* it was just closing */
            l = NULL;
            e = OK;
        }
    }
    if (!l) {
        l = open_line(q, &e, why);
        if (!l)
            return e;
        e = converse(q, &l->conn, a, ret);
    }
    if (e)
        say(why, "no answer", e);
    bool stays = !e && q->keep && ret->lasts && !l->conn.e && conn_buffered(&l->conn) == 0 && name_server(q, l->server);
    if (!stays || !idle_keep(&lines, &l->idle, HTTP_KEPT_TIME))
        forget(l);
    return e;
}
