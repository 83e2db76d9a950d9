/*
 * What is said on a new link before the first MAIL: PROXY header, greeting, EHLO, STARTTLS, XCLIENT (RFC 5321 3.1,
 * RFC 3207, Postfix's XCLIENT and XFORWARD).
 */
#include "proxy/internal.h"
#include "wire/cmd.h"
#include "wire/proxyp.h"

/* ---- EHLO ---------------------------------------------------------------------------------------------------- */

static void keep(char *out, size_t size, str s, const char *end)
{
    size_t n = strlen(out);
    if (n + s.n + 2 > size)
        return;
    memcpy(out + n, s.p, s.n);
    memcpy(out + n + s.n, end, strlen(end) + 1);
}

static bool keyword(str line, str name)
{
    return str_istarts(line, name) && (line.n == name.n || line.p[name.n] == ' ' || line.p[name.n] == '=');
}

/* Keywords that recv answers for, or that make no sense behind somebody between: he would have to know them, such as
 * Exim's PRDR (an answer for each recipient behind the dot) and PIPECONNECT (words before the greeting). */
static bool ours(str line)
{
    static const str names[] = {S_INIT("PIPELINING"),    S_INIT("SIZE"),        S_INIT("8BITMIME"),
                                S_INIT("SMTPUTF8"),      S_INIT("CHUNKING"),    S_INIT("BINARYMIME"),
                                S_INIT("DSN"),           S_INIT("LIMITS"),      S_INIT("ENHANCEDSTATUSCODES"),
                                S_INIT("STARTTLS"),      S_INIT("XCLIENT"),     S_INIT("XFORWARD"),
                                S_INIT("VRFY"),          S_INIT("HELP"),        S_INIT("BURL"),
                                S_INIT("XEXCH50"),       S_INIT("TURN"),        S_INIT("ATRN"),
                                S_INIT("DELIVERBY"),     S_INIT("MT-PRIORITY"), S_INIT("REQUIRETLS"),
                                S_INIT("FUTURERELEASE"), S_INIT("X-EXPS"),      S_INIT("X-ANONYMOUSTLS"),
                                S_INIT("PRDR"),          S_INIT("PIPECONNECT"), S_INIT("PIPE_CONNECT"),
                                S_INIT("CHECKPOINT")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (keyword(line, names[i]))
            return true;
    return false;
}

static void take_line(struct link *l, str line)
{
    ehlo_line(&l->can.ehlo, line);
    if (keyword(line, S("XCLIENT")))
        keep(l->xclient, sizeof l->xclient, str_skip(line, 7), "");
    else if (keyword(line, S("XFORWARD")))
        keep(l->xforward, sizeof l->xforward, str_skip(line, 8), "");
    else if (!ours(line) && text_ascii(line))
        keep(l->can.lines, sizeof l->can.lines, line, "\n");
}

/* The answer line by line, because the keywords are in the lines. */
err link_ehlo(struct link *l, const char *verb, str name)
{
    bool secure = l->can.secure;
    l->can = (struct ability){.secure = secure};
    l->xclient[0] = l->xforward[0] = 0;
    l->conn.deadline = rt_after(l->patience);
    conn_printf(&l->conn, "%s " STR_FMT "\r\n", verb, STR_ARG(name));
    reply_parser_init(&l->in);
    for (bool first = true;; first = false) {
        str line;
        err e = conn_readline(&l->conn, REPLY_IN_LINE_MAX, &line, NULL);
        if (e)
            return e == E_LINE_LENGTH ? E_PROTOCOL : e;
        enum reply_in in = reply_parse_line(&l->in, line);
        if (in == REPLY_BAD)
            return E_PROTOCOL;
        if (!first && l->in.r.code == 250)
            take_line(l, l->in.line);
        if (in == REPLY_DONE) {
            l->gone = l->gone || l->in.r.code == 421;
            return OK;
        }
    }
}

static err refused(struct link *l, const char *at)
{
    char text[300];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    reply_print_line(&b, &l->in.r);
    return link_trouble(l, reply_is_perm(&l->in.r) ? E_DENIED : E_REFUSED, "%s: " STR_FMT, at, STR_ARG(buf_str(&b)));
}

static err say_hello(struct link *l)
{
    const char *verb = l->up->lmtp ? "LHLO" : "EHLO";
    str name = l->up->helo.n ? l->up->helo : l->conf->send_helo;
    err e = link_ehlo(l, verb, name);
    if (!e && !reply_is_ok(&l->in.r) && reply_is_perm(&l->in.r) && !l->up->lmtp)
        e = link_ehlo(l, verb = "HELO", name); /* RFC 5321 3.2 */
    if (e)
        return link_trouble(l, e, "%s after %s", err_text(e), verb);
    return reply_is_ok(&l->in.r) ? OK : refused(l, verb);
}

/* ---- who the client is ------------------------------------------------------------------------------------------ */

static void proxy_header(struct link *l, const struct source *src)
{
    char mem[PROXYP_V1_MAX + 1];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    static const struct source nobody;
    src = src ? src : &nobody;
    proxyp_print(&b, l->up->proxy_protocol == CONF_PROXY_V2 ? 2 : 1, &src->client, &src->local);
    conn_write(&l->conn, buf_str(&b));
}

static bool takes(const char *attributes, const char *name)
{
    str rest = str_c(attributes), word;
    while (str_cut(&rest, ' ', &word))
        if (str_ieq(word, str_c(name)))
            return true;
    return false;
}

static void attribute(struct buf *out, const char *takes_text, const char *name, str value)
{
    if (!takes(takes_text, name))
        return;
    buf_printf(out, " %s=", name);
    if (value.n)
        xtext_encode(out, str_sub(value, 0, 255));
    else
        buf_add_c(out, "[UNAVAILABLE]");
}

struct place {
    char ip[IP_TEXT_MAX + 8], port[8];
    str ip_text, port_text;
};
static void place(struct place *p, const struct ip_port *at)
{
    struct buf b;
    *p = (struct place){0};
    if (!at->ip.v)
        return;
    buf_init_fixed(&b, p->ip, sizeof p->ip);
    if (at->ip.v == 6)
        buf_add_c(&b, "IPV6:");
    ip_print(&b, &at->ip);
    p->ip_text = buf_str(&b);
    buf_init_fixed(&b, p->port, sizeof p->port);
    buf_printf(&b, "%u", at->port);
    p->port_text = buf_str(&b);
}

static void client_attributes(struct buf *out, const char *take, const struct source *src)
{
    struct place client, local;
    place(&client, &src->client);
    place(&local, &src->local);
    attribute(out, take, "NAME", src->client_name);
    attribute(out, take, "ADDR", client.ip_text);
    attribute(out, take, "PORT", client.port_text);
    attribute(out, take, "PROTO", src->esmtp ? S("ESMTP") : S("SMTP"));
    attribute(out, take, "HELO", src->helo);
    attribute(out, take, "LOGIN", src->authenticated ? src->user : S(""));
    attribute(out, take, "DESTADDR", local.ip_text);
    attribute(out, take, "DESTPORT", local.port_text);
}

void link_xforward(struct buf *out, const struct link *l, const struct source *src)
{
    buf_add_c(out, "XFORWARD");
    client_attributes(out, l->xforward, src);
    if (takes(l->xforward, "SOURCE"))
        buf_add_c(out, " SOURCE=REMOTE");
}

/* The server begins anew, as if the client had connected itself. */
static err tell_client(struct link *l, const struct source *src)
{
    char mem[1600];
    struct buf b;
    if (!l->xclient[0])
        return link_trouble(l, E_PROTOCOL, "xclient is set, but the server does not offer XCLIENT to this proxy");
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add_c(&b, "XCLIENT");
    client_attributes(&b, l->xclient, src);
    buf_add_c(&b, "\r\n");
    err e = b.e ? E_LIMIT : link_ask(l, buf_str(&b));
    if (e)
        return link_trouble(l, e, "%s after XCLIENT", err_text(e));
    if (l->in.r.code != 220)
        return refused(l, "XCLIENT");
    return say_hello(l);
}

/* ---- TLS ----------------------------------------------------------------------------------------------------------
 */

static err handshake(struct link *l, const struct url *u)
{
    char reason[200];
    struct buf why;
    bool verify = l->up->tls == CONF_TLS_VERIFY;
    buf_init_fixed(&why, reason, sizeof reason);
    struct tls_client_config cfg = {
        .verify = verify ? TLS_VERIFY : TLS_ANY,
        .name = u->host,
        .ca_pem = verify && l->up->ca_pem.n ? l->up->ca_pem.p : NULL,
        .resume = true,
    };
    err e = tls_connect(&l->conn, &cfg, &why);
    if (e)
        return link_trouble(l, e == E_TLS_NAME || e == E_CANCELLED ? e : E_TLS, "%s in the TLS handshake: " STR_FMT,
                            err_text(e), STR_ARG(buf_str(&why)));
    l->can.secure = true;
    return OK;
}

static err start_tls(struct link *l, const struct url *u, bool clear)
{
    bool must = l->up->tls == CONF_TLS_REQUIRE || l->up->tls == CONF_TLS_VERIFY;
    if (l->can.secure || l->up->tls == CONF_TLS_NONE || clear)
        return OK;
    if (!(l->can.ehlo.caps & CAP_STARTTLS))
        return must ? link_trouble(l, E_TLS_NAME, "TLS is required, but the server does not offer it") : OK;
    err e = link_ask(l, S("STARTTLS\r\n"));
    if (e)
        return link_trouble(l, e, "%s after STARTTLS", err_text(e));
    if (l->in.r.code != 220)
        return must ? refused(l, "STARTTLS") : OK;
    e = handshake(l, u);
    return e ? e : say_hello(l);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------
 */

static const struct url *url_of(const struct link *l)
{
    for (size_t i = 0; i < l->up->via.n; i++)
        if (server_of(l->up, i) == l->server)
            return &l->up->hops[i].url;
    return &l->up->hops[0].url;
}

err link_hello(struct link *l, bool implicit_tls, bool clear, const struct source *src)
{
    const struct url *u = url_of(l);
    l->conn.deadline = rt_after(l->up->connect_time);
    if (l->up->proxy_protocol != CONF_PROXY_NONE)
        proxy_header(l, src);
    err e = implicit_tls ? handshake(l, u) : OK;
    if (e)
        return e;
    e = link_reply(l, l->up->connect_time);
    if (e)
        return link_trouble(l, e, "%s while waiting for the greeting", err_text(e));
    if (l->in.r.code != 220)
        return reply_is_ok(&l->in.r) ? link_trouble(l, E_PROTOCOL, "the greeting is %d", l->in.r.code)
                                     : refused(l, "greeting");
    struct reply greeting = l->in.r;
    e = say_hello(l);
    e = e ? e : start_tls(l, u, clear);
    if (!e && l->up->xclient && src)
        e = tell_client(l, src);
    if (!e)
        l->in.r = greeting; /* for those who want to hear it */
    l->patience = l->conf->send_command_time;
    return e;
}
