/* STARTTLS (RFC 3207): nothing that was said or sent before the handshake counts afterwards. */
#include "recv/internal.h"

static void log_tls(struct session *s, const struct tls_info *t)
{
    rt_log(EV_tls, log_num((int64_t)s->src.session), log_c(t->version), log_c(t->cipher), log_c(t->sni));
    metric_add(M_tls_in, 1);
}

static void name_tls(struct session *s, const struct tls_info *t)
{
    str text = arena_printf(&s->names, "%s with cipher %s", t->version, t->cipher);
    s->src.tls = text.p ? text : S("TLS");
}

bool session_tls(struct session *s)
{
    char mem[200];
    struct buf why;
    struct tls_info t;
    buf_init_fixed(&why, mem, sizeof mem);
    s->c->deadline = session_deadline(s, s->conf->limits_idle_time);
    err e = tls_accept(s->c, s->l->c.tls, &why);
    if (e || !tls_info(s->c, &t)) {
        rt_log(EV_tls_failed, log_num((int64_t)s->src.session), log_str(s->src.client_text),
               why.n ? log_str(buf_str(&why)) : log_err(e));
        s->why = "TLS failed";
        s->closing = true;
        return false;
    }
    name_tls(s, &t);
    log_tls(s, &t);
    return true;
}

void do_starttls(struct session *s, const struct cmd *c, struct reply *r)
{
    (void)c;
    if (!can_tls(s)) {
        if (s->c->tls)
            reply_set_str(r, 503, "5.5.1", S("TLS is active already"));
        else
            reply_set_str(r, 502, "5.5.1", S("TLS is not offered here"));
        return;
    }
    if (!session_alone(s, r)) /* injected by somebody between (CVE-2011-0411), or a client that does not wait */
        return;
    reply_set_str(r, 220, "2.0.0", S("Ready to start TLS"));
    session_say(s, r);
    r->code = 0;
    if (conn_flush(s->c) != OK)
        return;
    session_forget(s);
    (void)session_tls(s);
}
