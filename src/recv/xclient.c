/*
 * XCLIENT: a trusted proxy says whom it speaks for. Only from the networks named by xclient-from, judged by the
 * address of the connection itself (or of its PROXY header), never by an earlier XCLIENT. XFORWARD says the same for
 * the log alone.
 */
#include "recv/internal.h"
#include "base/text.h"

bool can_xclient(const struct session *s)
{
    struct ip_port real;
    if (!ip_from_sockaddr((const struct sockaddr *)&s->c->peer, sizeof s->c->peer, &real))
        return false;
    const struct conf_listener *l = s->l->c.conf_listener;
    return nets_have(&s->conf->xclient_from, &real.ip) || (l && nets_have(&l->xclient_from, &real.ip));
}

/* What the attributes said; kept apart until all are known to be good. */
struct claim {
    struct source src;
    bool named;
};

static bool unavailable(str v) { return str_ieq(v, S("[UNAVAILABLE]")) || str_ieq(v, S("[TEMPUNAVAIL]")); }

static bool take_port(str v, uint16_t *ret)
{
    uint64_t n;
    if (!text_u64(v, &n) || n > 65535)
        return false;
    *ret = (uint16_t)n;
    return true;
}

static bool take_addr(str v, struct ip *ret)
{
    if (str_istarts(v, S("IPV6:")))
        v = str_skip(v, 5);
    return ip_parse(v, ret);
}

static bool take_name(str v, str *ret)
{
    str name;
    if (helo_parse(v, true, &name))
        return false;
    *ret = name;
    return true;
}

/* A user name becomes part of log lines and headers. */
static bool take_login(str v, struct source *src)
{
    for (size_t i = 0; i < v.n; i++)
        if ((unsigned char)v.p[i] <= 32 || v.p[i] == 127)
            return false;
    src->user = v;
    src->account = S("");
    src->authenticated = v.n > 0;
    return v.n <= 255;
}

static bool take(struct claim *k, str name, str v)
{
    struct source *src = &k->src;
    bool none = unavailable(v);
    if (str_ieq(name, S("NAME"))) {
        src->client_name = S("");
        k->named = true;
        return none || take_name(v, &src->client_name);
    }
    if (str_ieq(name, S("HELO")))
        return none || take_name(v, &src->helo);
    if (str_ieq(name, S("ADDR")))
        return none || take_addr(v, &src->client.ip);
    if (str_ieq(name, S("DESTADDR")))
        return none || take_addr(v, &src->local.ip);
    if (str_ieq(name, S("PORT")))
        return none || take_port(v, &src->client.port);
    if (str_ieq(name, S("DESTPORT")))
        return none || take_port(v, &src->local.port);
    if (str_ieq(name, S("PROTO")))
        return none || str_ieq(v, S("SMTP")) || str_ieq(v, S("ESMTP"));
    if (str_ieq(name, S("LOGIN"))) {
        src->user = src->account = S("");
        src->authenticated = false;
        src->mechanism = NULL;
        return none || take_login(v, src);
    }
    return false;
}

static bool keep(struct arena *a, str *s)
{
    if (s->n)
        *s = arena_str(a, *s);
    return !s->n || s->p;
}

/* As if the client had connected itself: names of before are gone, those claimed stay. */
static void become(struct session *s, struct claim *k, struct reply *r)
{
    struct arena before = s->names;
    s->names = (struct arena){0};
    arena_init(&s->names, before.chunk, before.max);
    bool ok = keep(&s->names, &k->src.client_name) && keep(&s->names, &k->src.helo) && keep(&s->names, &k->src.user) &&
              keep(&s->names, &k->src.tls);
    arena_free(&before);
    s->offer = (struct recv_offer){0};
    s->src = k->src;
    s->src.esmtp = false;
    s->named = k->named;
    struct buf text;
    buf_init_fixed(&text, s->client_text, sizeof s->client_text);
    ip_print(&text, &s->src.client.ip);
    s->src.client_text = buf_str(&text);
    session_trust(s);
    s->state = STATE_GREET;
    if (!ok) {
        reply_set_str(r, 421, "4.3.0", S("Out of memory, try again later"));
        s->closing = true;
        return;
    }
    r->code = 0;
    struct matter m = {0};
    policy_free(&s->src.policy); /* another client: it is judged from the beginning */
    if (session_policy(s, r) && session_judge(s, PHASE_CONNECT, &m, r)) {
        session_greet(s);
        return;
    }
    s->why = "refused at its greeting";
    s->closing = true;
}

void do_xclient(struct session *s, const struct cmd *c, struct reply *r)
{
    AUTO_ARENA mem = {0};
    arena_init(&mem, 512, 16384);
    str rest = c->args, name, value;
    enum fault f = FAULT_NONE;
    struct claim k = {.src = s->src, .named = s->named};
    if (!session_alone(s, r))
        return;
    bool good = rest.n > 0;
    while (good && cmd_xclient_next(&rest, &mem, &name, &value, &f))
        good = take(&k, name, value);
    if (!good || f) {
        reply_set_str(r, 501, "5.5.4", S("Bad XCLIENT attribute"));
        return;
    }
    become(s, &k, r);
}

void do_xforward(struct session *s, const struct cmd *c, struct reply *r)
{
    static const str names[] = {S_INIT("NAME"), S_INIT("ADDR"),  S_INIT("PORT"),  S_INIT("PROTO"),
                                S_INIT("HELO"), S_INIT("IDENT"), S_INIT("SOURCE")};
    AUTO_ARENA mem = {0};
    arena_init(&mem, 512, 16384);
    char text[600];
    struct buf told;
    str rest = c->args, name, value;
    enum fault f = FAULT_NONE;
    bool good = rest.n > 0;
    buf_init_fixed(&told, text, sizeof text);
    while (good && cmd_xclient_next(&rest, &mem, &name, &value, &f)) {
        good = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            good = good || str_ieq(name, names[i]);
        buf_printf(&told, "%s" STR_FMT "=" STR_FMT, told.n ? " " : "", STR_ARG(name), STR_ARG(str_sub(value, 0, 255)));
    }
    if (!good || f) {
        reply_set_str(r, 501, "5.5.4", S("Bad XFORWARD attribute"));
        return;
    }
    rt_log(EV_forwarded_for, log_num((int64_t)s->src.session), log_str(s->src.client_text), log_str(buf_str(&told)));
    reply_set_str(r, 250, "2.0.0", S("Ok"));
}
