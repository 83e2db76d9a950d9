/*
 * A connection to a server: connecting with failover over the hops of a way (RFC 5321 5.1), replies, and the
 * end by QUIT. What is said before the first MAIL is in hello.c.
 */
#include "base/text.h"
#include "send/internal.h"

#include <stdarg.h>
#include <stdio.h>

#define QUIT_TIME (2 * RT_S) /* for the answer to QUIT, on which nothing depends */

/* ---- what went wrong --------------------------------------------------------------------------------------- */

err peer_fail(struct peer *p, err e, const char *esc, const char *fmt, ...)
{
    struct buf b;
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_init_fixed(&b, p->why, sizeof p->why - 1);
    buf_printf(&b, "451 4.%s %s: %s", esc, p->via, text);
    p->why[b.n] = 0;
    p->theirs = false;
    return e;
}

err peer_fail_reply(struct peer *p, const char *at)
{
    char mem[512];
    struct buf b, line;
    buf_init_fixed(&line, mem, sizeof mem);
    reply_print_line(&line, &p->in.r);
    buf_init_fixed(&b, p->why, sizeof p->why - 1);
    buf_printf(&b, STR_FMT " (%s of %s)", STR_ARG(buf_str(&line)), at, p->via);
    p->why[b.n] = 0;
    p->theirs = true;
    return reply_is_perm(&p->in.r) ? E_DENIED : E_REFUSED;
}

/* ---- lines and replies --------------------------------------------------------------------------------------- */

err peer_reply(struct peer *p, rt_time span)
{
    p->conn.deadline = rt_after(span);
    reply_parser_init(&p->in);
    for (;;) {
        str line;
        err e = conn_readline(&p->conn, REPLY_IN_LINE_MAX, &line, NULL);
        enum reply_in in = e ? REPLY_BAD : reply_parse_line(&p->in, line);
        if (in == REPLY_DONE)
            return OK;
        if (in == REPLY_BAD) {
            p->gone = true;
            return e && e != E_LINE_LENGTH ? e : E_PROTOCOL;
        }
    }
}

err peer_command(struct peer *p, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line)
        return E_BUG;
    if (conn_buffered(
            &p->conn)) { /* said before it was asked: taken for the answer, every later one would be off by one */
        p->gone = true;
        return E_PROTOCOL;
    }
    p->conn.deadline = rt_after(p->conf->send_command_time);
    conn_write(&p->conn, (str){line, (size_t)n});
    return peer_reply(p, p->conf->send_command_time);
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
    p->via[b.n] = 0;
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

static err fail_loop(struct peer *p)
{
    snprintf(p->why, sizeof p->why, "%s %s: mail loops back to ourselves",
             p->route.way == WAY_MX ? "554 5.4.6" : "451 4.4.6", p->via);
    p->theirs = false;
    return E_LOOP;
}

/* DANE and MTA-STS ask for more than a route that wishes or requires TLS; `none` and a CA of one's own are the
 * administrator's word. */
static enum tls_level level_of(const struct peer *p, const struct hop *h)
{
    enum tls_level l = p->route.tls;
    if (l == LEVEL_NONE || l == LEVEL_VERIFY)
        return l;
    if (h->dane) /* RFC 8461 2: DANE goes first */
        return h->dane->n ? LEVEL_DANE : LEVEL_REQUIRE;
    return h->sts ? LEVEL_VERIFY : l;
}

/* `clear`: TLS that was only wished for has failed (RFC 7435). */
static err try_hop(struct peer *p, const struct hops *all, const struct hop *h, bool clear) YIELDS;
static err try_hop(struct peer *p, const struct hops *all, const struct hop *h, bool clear)
{
    struct target t = {.to = h->to};
    choose_source(p, &t);
    name_hop(p, h);
    p->secure = p->gone = false;
    p->ehlo = (struct ehlo){0};
    p->transactions = 0;
    p->lmtp = h->lmtp;
    p->found = h->found;
    p->dane = h->dane;
    p->sts = h->sts && !h->dane;
    p->look = all->policy && !h->sts && !h->dane && h->found;
    p->tls_result = NULL;
    p->tls_reason[0] = 0;
    p->level = clear ? LEVEL_NONE : level_of(p, h);
    err e = net_connect(&p->conn, &t, rt_after(p->conf->send_connect_time));
    if (e)
        return peer_fail(p, e, "4.1", "%s", err_text(e));
    p->open = true;
    metric_add(M_deliveries, 1);
    e = hop_is_own(p->conf, &p->conn.local, &p->conn.peer) ? fail_loop(p) : peer_greet(p, h->tls);
    if (p->tls_result)
        seen_session(p, all, h);
    if (e)
        peer_close(p, e == E_REFUSED || e == E_DENIED);
    return e;
}

err peer_open(struct peer *p, const struct hops *h)
{
    err last = E_UNREACHABLE;
    bool all_perm = true;
    for (size_t i = 0; i < h->n; i++) {
        err e = try_hop(p, h, &h->v[i], false);
        if (e == E_TLS && p->level == LEVEL_MAY && !h->v[i].tls)
            e = try_hop(p, h, &h->v[i], true);
        if (!e)
            return OK;
        if (fiber_cancelled())
            return E_CANCELLED;
        all_perm = all_perm && (e == E_DENIED || e == E_LOOP);
        last = e;
    }
    return all_perm ? E_DENIED : last == E_DENIED ? E_REFUSED : last;
}

str peer_tls_text(const struct peer *p, char mem[64])
{
    static const char *const how[] = {[LEVEL_VERIFY] = " verified", [LEVEL_DANE] = " DANE"};
    const char *word = p->level < sizeof how / sizeof *how && how[p->level] ? how[p->level] : "";
    if (p->level == LEVEL_VERIFY && p->sts)
        word = " MTA-STS";
    int n = p->secure ? snprintf(mem, 64, "%s%s", p->tls.version, word) : 0;
    return str_mem(mem, n > 0 && n < 64 ? (size_t)n : 0);
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

void peer_close(struct peer *p, bool quit)
{
    if (!p->open)
        return;
    p->open = false;
    metric_add(M_deliveries, -1);
    if (quit && !p->gone && !p->conn.e) {
        p->conn.deadline = rt_after(QUIT_TIME);
        conn_write(&p->conn, S("QUIT\r\n"));
        peer_reply(p, QUIT_TIME); /* RFC 5321 4.1.1.10 */
        conn_end(&p->conn);
    }
    conn_close(&p->conn);
}

bool peer_alive(struct peer *p)
{
    return p->open && !p->conn.e && conn_buffered(&p->conn) == 0 && !conn_readable(&p->conn) && !p->conn.e;
}
