/* EHLO, HELO, LHLO and what they offer (RFC 5321 4.1.1.1, RFC 2033 4.1, RFC 1870, RFC 9422). */
#include "recv/internal.h"

static bool always(const struct session *s)
{
    (void)s;
    return true;
}

static void none(const struct session *s, struct buf *out)
{
    (void)s;
    (void)out;
}

static void ext_size(const struct session *s, struct buf *out)
{
    buf_printf(out, " %lld", (long long)s->conf->limits_message_size);
}

static void ext_limits(const struct session *s, struct buf *out)
{
    buf_printf(out, " MAILMAX=%lld RCPTMAX=%lld", (long long)s->conf->limits_messages,
               (long long)s->conf->limits_recipients);
}

static void ext_xclient(const struct session *s, struct buf *out)
{
    (void)s;
    buf_add(out, S(" NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"));
}

bool can_tls(const struct session *s) { return s->l->c.tls && !s->c->tls; }

enum { SMTP = PROTO_SMTP, LMTP = PROTO_LMTP, BOTH = PROTO_BOTH };
static const struct ext {
    const char *keyword;
    uint8_t protocols;
    bool (*when)(const struct session *s);
    void (*value)(const struct session *s, struct buf *out);
} exts[] = {
#define EXT(keyword, protocols, when, value) {#keyword, protocols, when, value},
#include "recv/cmds.def"
#undef EXT
};

static void add_exts(const struct session *s, struct reply *r)
{
    for (size_t i = 0; i < sizeof exts / sizeof *exts; i++) {
        char mem[160];
        struct buf line;
        buf_init_fixed(&line, mem, sizeof mem);
        if (!(exts[i].protocols & (is_lmtp(s) ? PROTO_LMTP : PROTO_SMTP)) || !exts[i].when(s))
            continue;
        buf_add_c(&line, exts[i].keyword);
        exts[i].value(s, &line);
        reply_add_str(r, buf_str(&line));
    }
}

void do_hello(struct session *s, const struct cmd *c, struct reply *r)
{
    str name;
    enum fault f = helo_parse(c->args, true, &name);
    if (f) {
        fault_reply(r, f, false);
        return;
    }
    session_end_tx(s); /* RFC 5321 4.1.4: as RSET, and once more from the beginning */
    s->src.helo = str_mem(s->helo, name.n < sizeof s->helo ? name.n : sizeof s->helo); /* 255 octets at most */
    memcpy(s->helo, name.p, s->src.helo.n);
    s->src.esmtp = ascii_lower(c->verb.p[0]) != 'h';
    s->state = STATE_READY;
    reply_set(r, 250, "", STR_FMT, STR_ARG(session_hostname(s)));
    if (s->src.esmtp)
        add_exts(s, r);
}
