/* AUTH towards a smart host: PLAIN and LOGIN (RFC 4954, RFC 4616). The password comes from priv, is wiped behind each
 * use, and goes out in clear only to this machine. */
#include "base/codec.h"
#include "base/text.h"
#include "priv/priv.h"
#include "send/internal.h"

#include <stdlib.h>

enum { USER_MAX = 512 };

struct secret { /* on the heap: too large for a fiber's stack; wiped as a whole */
    char password[PRIV_SECRET_MAX];
    char raw[USER_MAX + PRIV_SECRET_MAX + 2];
    char line[2 * (USER_MAX + PRIV_SECRET_MAX) + 32];
};

/* A line with `text` in base64 behind `before`. */
static err say_coded(struct peer *p, struct secret *s, str before, str text)
{
    struct buf line;
    buf_init_fixed(&line, s->line, sizeof s->line);
    buf_add(&line, before);
    base64_encode(&line, text);
    buf_add(&line, S("\r\n"));
    p->conn.deadline = rt_after(p->conf->send_command_time);
    err e = line.e ? line.e : conn_write(&p->conn, buf_str(&line));
    return e ? e : peer_reply(p, p->conf->send_command_time);
}

static err auth_plain(struct peer *p, struct secret *s, str user, str password)
{
    struct buf raw;
    buf_init_fixed(&raw, s->raw, sizeof s->raw);
    buf_add_char(&raw, 0);
    buf_add(&raw, user);
    buf_add_char(&raw, 0);
    buf_add(&raw, password);
    err e = raw.e ? raw.e : say_coded(p, s, S("AUTH PLAIN "), buf_str(&raw));
    if (!e && p->in.r.code == 334) /* it does not know of initial responses */
        e = say_coded(p, s, S(""), buf_str(&raw));
    return e;
}

static err auth_login(struct peer *p, struct secret *s, str user, str password)
{
    err e = peer_command(p, "AUTH LOGIN\r\n");
    for (int i = 0; i < 2 && !e && p->in.r.code == 334; i++)
        e = say_coded(p, s, S(""), i ? password : user);
    return e;
}

static bool is_near(const struct peer *p)
{
    struct ip_port ip;
    return p->conn.peer.ss_family == AF_UNIX ||
           (ip_from_sockaddr((const struct sockaddr *)&p->conn.peer, sizeof p->conn.peer, &ip) &&
            ip_class(&ip.ip) == IP_LOOPBACK);
}

static err ask_and_say(struct peer *p, struct secret *s)
{
    const struct conf_route *v = p->route.via;
    char mem[ROUTE_NAME_MAX];
    struct buf name, password;
    buf_init_fixed(&name, mem, sizeof mem);
    buf_init_fixed(&password, s->password, sizeof s->password);
    send_route_name(&name, v);
    err e = priv_password(buf_str(&name), &password);
    if (!e)
        e = password.e;
    if (e)
        return peer_fail(p, E_UNKNOWN, "7.0", "the password for AUTH: %s", err_text(e));
    e = p->ehlo.auth & AUTH_PLAIN ? auth_plain(p, s, v->auth_user, buf_str(&password))
                                  : auth_login(p, s, v->auth_user, buf_str(&password));
    if (e)
        return peer_fail(p, e, err_esc(e), "%s after AUTH", err_text(e));
    if (p->in.r.code == 235)
        return OK;
    /* A refused password is a fault of the configuration: mail waits until it is mended. */
    return peer_fail(p, E_UNKNOWN, "7.8", "AUTH was refused: %d %s " STR_FMT, p->in.r.code, p->in.r.esc,
                     STR_ARG(str_sub(reply_text(&p->in.r), 0, 300)));
}

err peer_log_in(struct peer *p)
{
    const struct conf_route *v = p->route.via;
    if (!v || v->auth_user.n == 0 || p->found)
        return OK;
    if (!p->secure && !is_near(p) && v->tls != CONF_TLS_NONE)
        return peer_fail(p, E_UNKNOWN, "7.0", "the password is only sent over TLS, which this server does not offer");
    if (!(p->ehlo.auth & (AUTH_PLAIN | AUTH_LOGIN)))
        return peer_fail(p, E_UNKNOWN, "7.0", "the server offers neither AUTH PLAIN nor AUTH LOGIN");
    struct secret *s = calloc(1, sizeof *s);
    if (!s)
        return peer_fail(p, E_NOMEM, "3.1", "%s", err_text(E_NOMEM));
    err e = ask_and_say(p, s);
    explicit_bzero(s, sizeof *s);
    free(s);
    return e;
}
