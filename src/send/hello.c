/*
 * What is said before the first MAIL: greeting, EHLO (HELO where it is not known), STARTTLS. RFC 5321 3.1, 3.2,
 * 4.3.2; RFC 2033; RFC 3207.
 */
#include "send/internal.h"

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
            return e == E_LINE_LENGTH ? E_PROTOCOL : e;
        enum reply_in in = reply_parse_line(&p->in, line);
        if (in == REPLY_BAD)
            return E_PROTOCOL;
        if (!first && p->in.r.code == 250)
            ehlo_line(&p->ehlo, p->in.line);
        if (in == REPLY_DONE)
            return OK;
    }
}

static err say_hello(struct peer *p)
{
    str name = helo_name(p);
    const char *verb = p->lmtp ? "LHLO" : "EHLO";
    p->conn.deadline = rt_after(p->conf->send_command_time);
    conn_printf(&p->conn, "%s " STR_FMT "\r\n", verb, STR_ARG(name));
    err e = ehlo_reply(p);
    if (e)
        return peer_fail(p, e, err_esc(e), "%s after %s", err_text(e), verb);
    if (reply_is_ok(&p->in.r))
        return OK;
    if (p->lmtp || !reply_is_perm(&p->in.r))
        return peer_fail_reply(p, verb);
    p->ehlo = (struct ehlo){0};
    e = peer_command(p, "HELO " STR_FMT "\r\n", STR_ARG(name)); /* RFC 5321 3.2 */
    if (e)
        return peer_fail(p, e, err_esc(e), "%s after HELO", err_text(e));
    return reply_is_ok(&p->in.r) ? OK : peer_fail_reply(p, "HELO");
}

/* ---- TLS ------------------------------------------------------------------------------------------------ */

/* The name for SNI and certificate: not the brackets of a literal, nor the path of a socket. */
static str tls_name(const struct peer *p)
{
    str s = str_c(p->host);
    if (str_starts(s, S("/")))
        return S("");
    if (!str_starts(s, S("[")))
        return s;
    s = str_sub(s, 1, s.n - 1);
    return str_istarts(s, S("IPv6:")) ? str_skip(s, 5) : s;
}

/* NULL: the system's. */
static const char *roots(const struct peer *p)
{
    if (p->route.via && p->route.via->ca_pem.n)
        return p->route.via->ca_pem.p;
    return p->conf->ca_pem.n ? p->conf->ca_pem.p : NULL;
}

/* Any failure is E_TLS or E_TLS_NAME, so that the caller may try in clear. */
static err handshake(struct peer *p)
{
    char reason[256];
    struct buf why;
    buf_init_fixed(&why, reason, sizeof reason);
    bool verify = p->level == LEVEL_VERIFY, dane = p->level == LEVEL_DANE;
    enum tls_fault fault = TLS_FAULT_NONE;
    struct tls_client_config cfg = {
        .verify = dane      ? TLS_DANE
                  : verify  ? TLS_VERIFY
                  : p->look ? TLS_LOOK
                            : TLS_ANY,
        .name = dane ? p->dane->base : tls_name(p),
        .tlsa = dane ? p->dane->v : NULL,
        .ntlsa = dane ? p->dane->n : 0,
        .also = dane ? p->route.domain : S(""),
        .ca_pem = verify || p->look ? roots(p) : NULL,
        .ret_fault = &fault,
        .resume = true,
    };
    p->conn.deadline = rt_after(p->conf->send_command_time);
    err e = tls_connect(&p->conn, &cfg, &why);
    p->tls_result = fault ? seen_fault(fault) : e ? "validation-failure" : "";
    str_to_c(str_sub(buf_str(&why), 0, sizeof p->tls_reason - 1), p->tls_reason, sizeof p->tls_reason);
    if (e)
        return peer_fail(p, e == E_TLS_NAME || e == E_CANCELLED ? e : E_TLS, "7.5", "%s in the TLS handshake: " STR_FMT,
                         err_text(e), STR_ARG(buf_str(&why)));
    p->secure = tls_info(&p->conn, &p->tls);
    return OK;
}

static const char *by_dane(const struct peer *p) { return p->dane ? " by TLSA records" : p->sts ? " by MTA-STS" : ""; }

/* RFC 3207: after the handshake everything learnt before it is forgotten. */
static err start_tls(struct peer *p)
{
    bool must = p->level >= LEVEL_REQUIRE;
    if (p->secure || p->level == LEVEL_NONE)
        return OK;
    p->tls_result = "starttls-not-supported";
    if (!(p->ehlo.caps & CAP_STARTTLS))
        return must ? peer_fail(p, E_TLS, "7.5", "TLS is required%s, but the server does not offer it", by_dane(p))
                    : OK;
    err e = peer_command(p, "STARTTLS\r\n");
    if (e)
        return peer_fail(p, must ? e : E_TLS, err_esc(e), "%s after STARTTLS", err_text(e));
    if (p->in.r.code == 421) {
        peer_fail_reply(p, "STARTTLS");
        return must ? E_REFUSED : E_TLS;
    }
    if (p->in.r.code != 220)
        return must ? peer_fail(p, E_TLS, "7.5", "TLS is required%s, but the server says %d to STARTTLS", by_dane(p),
                                p->in.r.code)
                    : OK;
    e = handshake(p);
    return e ? e : say_hello(p);
}

/* The server said more than it was asked, or has gone already: none of its answers would be the one to its command.
 * What it says is told to people, and the next server is tried. */
static err out_of_turn(struct peer *p)
{
    err e = peer_reply(p, p->conf->send_command_time);
    p->gone = true;
    if (e)
        return peer_fail(p, e, err_esc(e), "%s before the first message", err_text(e));
    if (p->in.r.code == 421) /* RFC 5321 3.8: at any time */
        return peer_fail_reply(p, "before the first message");
    return peer_fail(p, E_PROTOCOL, "5.0", "the server said %d without being asked", p->in.r.code);
}

/* ---- all of it ---------------------------------------------------------------------------------------------- */

err peer_greet(struct peer *p, bool tls)
{
    err e = tls ? handshake(p) : OK;
    if (e)
        return e;
    e = peer_reply(p, p->conf->send_greeting_time);
    if (e)
        return peer_fail(p, e, err_esc(e), "%s while waiting for the greeting", err_text(e));
    if (p->in.r.code != 220)
        return reply_is_ok(&p->in.r)
                   ? peer_fail(p, E_PROTOCOL, "5.0", "the greeting is %d instead of 220", p->in.r.code)
                   : peer_fail_reply(p, "greeting");
    e = say_hello(p);
    if (!e)
        e = start_tls(p);
    if (!e)
        e = peer_log_in(p);
    return e || peer_alive(p) ? e : out_of_turn(p);
}
