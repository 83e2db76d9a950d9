/*
 * A connection to a server, from the first packet to the moment that MAIL may be said: connect with
 * failover, greeting, EHLO (HELO where it is not known), STARTTLS, AUTH. RFC 5321 3.1, 3.2, 4.3.2; RFC 2033;
 * RFC 3207; RFC 4954.
 */
#include "base/codec.h"
#include "base/text.h"
#include "priv/priv.h"
#include "send/internal.h"

#include <stdarg.h>
#include <stdio.h>

static err fail(struct peer *p, err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static err fail(struct peer *p, err e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->why, sizeof p->why, fmt, ap);
    va_end(ap);
    return e;
}

static err fail_reply(struct peer *p, const char *at)
{
    struct buf b;
    buf_init_fixed(&b, p->why, sizeof p->why - 1);
    reply_print_line(&b, &p->in.r);
    buf_printf(&b, " (%s)", at);
    p->why[b.n] = 0;
    return p->in.r.code / 100 == 5 ? E_DENIED : E_REFUSED;
}

err peer_reply(struct peer *p, rt_time span)
{
    p->conn.deadline = rt_after(span);
    reply_parser_init(&p->in);
    for (;;) {
        str line;
        err e = conn_readline(&p->conn, REPLY_IN_LINE_MAX, &line, NULL);
        if (e)
            return e;
        enum reply_in in = reply_parse_line(&p->in, line);
        if (in == REPLY_DONE)
            return OK;
        if (in == REPLY_BAD)
            return E_SYNTAX;
    }
}

static err command(struct peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static err command(struct peer *p, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line)
        return E_LIMIT;
    p->conn.deadline = rt_after(p->conf->send_command_time);
    conn_write(&p->conn, (str){line, (size_t)n});
    return peer_reply(p, p->conf->send_command_time);
}

/* ---- EHLO ---------------------------------------------------------------------------------------------- */

static str helo_name(const struct peer *p)
{
    if (p->route.via && p->route.via->helo.n)
        return p->route.via->helo;
    return p->conf->send_helo.n ? p->conf->send_helo : p->conf->hostname;
}

/* Reads the answer to EHLO line by line, because its keywords are in the lines. */
static err ehlo_reply(struct peer *p)
{
    p->ehlo = (struct ehlo){0};
    p->conn.deadline = rt_after(p->conf->send_command_time);
    reply_parser_init(&p->in);
    for (bool first = true;; first = false) {
        str line;
        err e = conn_readline(&p->conn, REPLY_IN_LINE_MAX, &line, NULL);
        if (e)
            return e;
        enum reply_in in = reply_parse_line(&p->in, line);
        if (in == REPLY_BAD)
            return E_SYNTAX;
        if (!first && p->in.r.code == 250)
            ehlo_line(&p->ehlo, p->in.line);
        if (in == REPLY_DONE)
            return OK;
    }
}

static err say_hello(struct peer *p)
{
    str name = helo_name(p);
    p->conn.deadline = rt_after(p->conf->send_command_time);
    conn_printf(&p->conn, "%s " STR_FMT "\r\n", p->lmtp ? "LHLO" : "EHLO", STR_ARG(name));
    err e = ehlo_reply(p);
    if (e)
        return fail(p, e, "%s after EHLO", err_text(e));
    if (reply_is_ok(&p->in.r))
        return OK;
    if (p->lmtp || p->in.r.code == 421 || reply_is_temp(&p->in.r))
        return fail_reply(p, "EHLO");
    e = command(p, "HELO " STR_FMT "\r\n", STR_ARG(name)); /* RFC 5321 3.2 */
    if (e)
        return fail(p, e, "%s after HELO", err_text(e));
    return reply_is_ok(&p->in.r) ? OK : fail_reply(p, "HELO");
}

/* ---- TLS ------------------------------------------------------------------------------------------------ */

static err handshake(struct peer *p)
{
    char reason[256];
    struct buf why;
    buf_init_fixed(&why, reason, sizeof reason);
    bool verify = p->route.tls == LEVEL_VERIFY;
    struct tls_client_config cfg = {
        .verify = verify ? TLS_VERIFY : TLS_ANY,
        .name = str_c(p->host),
        .ca_pem = verify && p->route.via && p->route.via->ca_pem.n ? p->route.via->ca_pem.p : NULL,
    };
    p->conn.deadline = rt_after(p->conf->send_command_time);
    err e = tls_connect(&p->conn, &cfg, &why);
    if (e)
        return fail(p, e, "%s: " STR_FMT, err_text(e), STR_ARG(buf_str(&why)));
    p->secure = tls_info(&p->conn, &p->tls);
    metric_add(M_tls_out, 1);
    return OK;
}

/* RFC 3207: after the handshake everything learnt before it is forgotten. */
static err start_tls(struct peer *p)
{
    bool must = p->route.tls == LEVEL_REQUIRE || p->route.tls == LEVEL_VERIFY;
    if (p->secure || p->route.tls == LEVEL_NONE)
        return OK;
    if (!(p->ehlo.caps & CAP_STARTTLS))
        return must ? fail(p, E_TLS, "TLS is required, but the server does not offer STARTTLS") : OK;
    err e = command(p, "STARTTLS\r\n");
    if (e)
        return fail(p, e, "%s after STARTTLS", err_text(e));
    if (p->in.r.code != 220)
        return must ? fail_reply(p, "STARTTLS") : OK;
    e = handshake(p);
    return e ? e : say_hello(p);
}

/* ---- AUTH ------------------------------------------------------------------------------------------------- */

static err auth_plain(struct peer *p, str user, str password)
{
    struct buf raw, line;
    buf_init(&raw, 1024);
    buf_init(&line, 2048);
    buf_add_char(&raw, 0);
    buf_add(&raw, user);
    buf_add_char(&raw, 0);
    buf_add(&raw, password);
    buf_add(&line, S("AUTH PLAIN "));
    base64_encode(&line, buf_str(&raw));
    buf_add(&line, S("\r\n"));
    err e = raw.e ? raw.e : line.e;
    if (!e)
        e = conn_write(&p->conn, buf_str(&line));
    if (raw.p)
        explicit_bzero(raw.p, raw.n);
    if (line.p)
        explicit_bzero(line.p, line.n);
    buf_free(&raw);
    buf_free(&line);
    return e ? e : peer_reply(p, p->conf->send_command_time);
}

static err auth_login(struct peer *p, str user, str password)
{
    err e = command(p, "AUTH LOGIN\r\n");
    for (int i = 0; i < 2 && !e && p->in.r.code == 334; i++) {
        struct buf line;
        buf_init(&line, 1024);
        base64_encode(&line, i ? password : user);
        buf_add(&line, S("\r\n"));
        e = line.e ? line.e : conn_write(&p->conn, buf_str(&line));
        if (line.p)
            explicit_bzero(line.p, line.n);
        buf_free(&line);
        if (!e)
            e = peer_reply(p, p->conf->send_command_time);
    }
    return e;
}

static err log_in(struct peer *p)
{
    const struct conf_route *v = p->route.via;
    if (!v || v->auth_user.n == 0)
        return OK;
    struct ip_port ip = {0};
    bool near =
        ip_from_sockaddr((struct sockaddr *)&p->conn.peer, sizeof p->conn.peer, &ip) && ip_class(&ip.ip) == IP_LOOPBACK;
    if (!p->secure && !near)
        return fail(p, E_TLS, "the password is only sent over TLS, which this server does not offer");
    if (!(p->ehlo.auth & (AUTH_PLAIN | AUTH_LOGIN)))
        return fail(p, E_UNKNOWN, "the server offers neither AUTH PLAIN nor AUTH LOGIN");
    struct buf password;
    buf_init(&password, 1024);
    err e = priv_password(v->title, &password);
    if (!e)
        e = p->ehlo.auth & AUTH_PLAIN ? auth_plain(p, v->auth_user, buf_str(&password))
                                      : auth_login(p, v->auth_user, buf_str(&password));
    if (password.p)
        explicit_bzero(password.p, password.n);
    buf_free(&password);
    if (e)
        return fail(p, e, "%s after AUTH", err_text(e));
    /* A refused password is a fault of the configuration: mail waits until it is mended. */
    return p->in.r.code == 235 ? OK : (fail_reply(p, "AUTH"), E_UNKNOWN);
}

/* ---- connecting --------------------------------------------------------------------------------------------- */

static void name_hop(struct peer *p, const struct hop *h)
{
    struct ip_port ip;
    struct buf b;
    buf_init_fixed(&b, p->via, sizeof p->via - 1);
    str_to_c(h->host, p->host, sizeof p->host);
    buf_add(&b, h->host);
    if (ip_from_sockaddr((const struct sockaddr *)&h->to, sizeof h->to, &ip)) {
        buf_add_char(&b, '[');
        ip_print(&b, &ip.ip);
        buf_printf(&b, "]:%u", ip.port);
    }
    p->via[b.e ? 0 : b.n] = 0;
}

/* The configured local address of the hop's family, if any. */
static void choose_source(const struct peer *p, struct target *t)
{
    const struct conf_list *l = p->route.via && p->route.via->source.n ? &p->route.via->source : &p->conf->send_source;
    for (size_t i = 0; i < l->n; i++) {
        struct ip_port a = {0};
        struct sockaddr_storage s;
        if (ip_parse(l->v[i], &a.ip) && ip_to_sockaddr(&a, &s) && s.ss_family == t->to.ss_family) {
            t->from = s;
            return;
        }
    }
}

static err greet(struct peer *p, const struct hop *h)
{
    err e = h->tls ? handshake(p) : OK;
    if (e)
        return e;
    e = peer_reply(p, p->conf->send_greeting_time);
    if (e)
        return fail(p, e, "%s while waiting for the greeting", err_text(e));
    if (p->in.r.code != 220)
        return fail_reply(p, "greeting");
    e = say_hello(p);
    if (!e)
        e = start_tls(p);
    return e ? e : log_in(p);
}

static err try_hop(struct peer *p, const struct hop *h)
{
    struct target t = {.to = h->to};
    choose_source(p, &t);
    name_hop(p, h);
    p->secure = false;
    p->lmtp = h->lmtp;
    err e = net_connect(&p->conn, &t, rt_after(p->conf->send_connect_time));
    if (e)
        return fail(p, e, "%s", err_text(e));
    p->open = true;
    metric_add(M_deliveries, 1);
    e = greet(p, h);
    if (e)
        peer_close(p, e == E_REFUSED || e == E_DENIED);
    return e;
}

/* TLS that was only wished for and failed: once more in clear (RFC 7435). */
static err try_in_clear(struct peer *p, const struct hop *h)
{
    enum tls_level wanted = p->route.tls;
    p->route.tls = LEVEL_NONE;
    err e = try_hop(p, h);
    p->route.tls = wanted;
    return e;
}

err peer_open(struct peer *p, const struct hops *h)
{
    err last = E_UNREACHABLE;
    bool all_perm = h->n > 0;
    for (size_t i = 0; i < h->n; i++) {
        err e = try_hop(p, &h->v[i]);
        if ((e == E_TLS || e == E_TLS_NAME) && p->route.tls == LEVEL_MAY && !h->v[i].tls)
            e = try_in_clear(p, &h->v[i]);
        if (!e)
            return OK;
        all_perm = all_perm && e == E_DENIED;
        last = e;
        if (fiber_cancelled())
            return E_CANCELLED;
    }
    return all_perm ? E_DENIED : last == E_DENIED ? E_REFUSED : last;
}

void peer_close(struct peer *p, bool quit)
{
    if (!p->open)
        return;
    p->open = false;
    metric_add(M_deliveries, -1);
    if (quit && !p->conn.e) {
        /* QUIT without waiting for its answer: nothing depends on it. */
        p->conn.deadline = rt_after(2 * RT_S);
        conn_write(&p->conn, S("QUIT\r\n"));
        conn_end(&p->conn);
    } else {
        conn_close(&p->conn);
    }
}

bool peer_alive(struct peer *p)
{
    return p->open && !p->conn.e && conn_buffered(&p->conn) == 0 && !conn_readable(&p->conn);
}
