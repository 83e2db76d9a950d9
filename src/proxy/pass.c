/*
 * Commands that a server behind answers itself: AUTH in every mode, and in pass all that is no part of a transaction's
 * frame. Lines are whole lines here, so that nothing but one command can come out of one.
 */
#include "proxy/internal.h"

enum { SASL_LINE_MAX = 12288 }; /* RFC 4954 4 */

static bool loopback(const struct source *s) { return ip_class(&s->client.ip) == IP_LOOPBACK; }

bool pass_can_auth(const struct recv_client *k, const struct ability *a)
{
    if (!(a->ehlo.caps & CAP_AUTH) || k->src->authenticated)
        return false;
    return k->src->tls.n || !a->secure || loopback(k->src);
}

static bool only_here(str verb)
{
    static const str names[] = {S_INIT("XFORWARD"), S_INIT("TURN"),     S_INIT("ATRN"), S_INIT("BURL"),
                                S_INIT("XEXCH50"),  S_INIT("STARTTLS"), S_INIT("LHLO"), S_INIT("AUTH")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_ieq(verb, names[i]))
            return true;
    return false;
}

static bool lost(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    front_lost(k, r);
    f->dead = false;
    if (f->pass) {
        r->code = 421;
        k->why = "the server behind closed the session";
    }
    return true;
}

/* `shown`: the same without secrets. */
static err forward(struct link *l, str verb, str args, str shown)
{
    l->conn.deadline = rt_after(l->patience);
    rt_said(l->session, '>', shown);
    conn_write(&l->conn, verb);
    if (args.n)
        conn_write(&l->conn, S(" "));
    conn_write(&l->conn, args);
    conn_write(&l->conn, S("\r\n"));
    return link_reply(l, l->patience);
}

/* ---- AUTH (RFC 4954) ----------------------------------------------------------------------------------------------
 */

/* A challenge to the client, its response to the server. False: one of both is gone; *r is set when it is the server.
 */
static bool exchange(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    char mem[REPLY_TEXT_MAX + 400];
    struct buf out;
    str line;
    bool crlf = false;
    buf_init_fixed(&out, mem, sizeof mem);
    reply_print(&out, &f->link->in.r);
    k->c->deadline = rt_after((*k->conf)->limits_idle_time);
    conn_write(k->c, buf_str(&out));
    if (conn_readline(k->c, SASL_LINE_MAX, &line, &crlf) || !crlf || memchr(line.p, '\r', line.n) ||
        memchr(line.p, 0, line.n)) {
        link_drop(&f->link); /* in the middle of an exchange */
        reply_set_str(r, 500, "5.5.2", S("A response must be one line that ends in CRLF"));
        return false;
    }
    f->link->conn.deadline = rt_after(f->link->patience);
    conn_write(&f->link->conn, line);
    conn_write(&f->link->conn, S("\r\n"));
    if (link_reply(f->link, f->link->patience) == OK)
        return true;
    lost(k, r);
    return false;
}

static bool ready(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    struct ability can;
    if (k->tx->open) {
        reply_set_str(r, 503, "5.5.1", S("Not within a mail transaction"));
        return false;
    }
    if (!k->src->esmtp || k->src->authenticated || f->routed) {
        reply_set_str(r, f->routed ? 502 : 503, "5.5.1",
                      k->src->authenticated ? S("Already authenticated")
                      : f->routed           ? S("AUTH is not offered here")
                                            : S("Send EHLO first"));
        return false;
    }
    if (f->link && !link_alive(f->link))
        link_drop(&f->link);
    if (!f->link && !f->pass)
        f->link = link_get(f->up, k->home, k->src, true, r);
    if (!f->link) {
        if (f->pass)
            lost(k, r);
        return false;
    }
    can = f->link->can;
    if (!pass_can_auth(k, &can)) {
        if (can.ehlo.caps & CAP_AUTH)
            reply_set_str(r, 538, "5.7.11", S("Encryption required: send STARTTLS first"));
        else
            reply_set_str(r, 502, "5.5.1", S("AUTH is not offered here"));
        return false;
    }
    return true;
}

static bool auth(struct recv_client *k, str args, struct reply *r)
{
    struct front *f = front_of(k);
    if (!ready(k, r))
        return true;
    f->link->own = true; /* whatever comes of it, the server knows somebody now */
    if (f->link->open_tx && link_ask(f->link, S("RSET\r\n")))
        return lost(k, r);
    f->link->open_tx = false;
    if (forward(f->link, S("AUTH"), args, k->shown))
        return lost(k, r);
    for (int turn = 0; f->link->in.r.code == 334; turn++)
        if (turn > 20 || !exchange(k, r))
            return true;
    *r = f->link->in.r;
    front_relay(k, r);
    f->dead = false;
    k->src->authenticated = r->code == 235;
    return true;
}

/* ---- all others
 * ------------------------------------------------------------------------------------------------------ */

bool pass_command(struct recv_client *k, str verb, str args, struct reply *r)
{
    struct front *f = front_of(k);
    if (!f || k->tx->begun)
        return false;
    if (str_ieq(verb, S("AUTH")))
        return auth(k, args, r);
    if (!f->pass || f->stored || only_here(verb))
        return false;
    if (!f->link || !link_alive(f->link) || forward(f->link, verb, args, k->shown))
        return lost(k, r);
    *r = f->link->in.r;
    front_relay(k, r);
    if (!f->link && !k->why) { /* a dialogue of its own, perhaps: not known here */
        reply_set_str(r, 502, "5.5.1", S("Command not implemented"));
        k->why = "a command of the server behind that is not known here";
    }
    f->dead = f->dead && k->tx->open;
    return true;
}
