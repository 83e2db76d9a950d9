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

static bool offers(const struct session *s, enum cap cap) { return s->offer.caps & cap; }
static bool can_size(const struct session *s) { return offers(s, CAP_SIZE); }
static bool can_8bit(const struct session *s) { return offers(s, CAP_8BITMIME); }
static bool can_utf8(const struct session *s) { return offers(s, CAP_SMTPUTF8); }
static bool can_binary(const struct session *s) { return offers(s, CAP_BINARYMIME); }
static bool can_dsn(const struct session *s) { return offers(s, CAP_DSN); }
static bool can_limits(const struct session *s) { return offers(s, CAP_LIMITS); }
static bool can_release(const struct session *s) { return offers(s, CAP_FUTURERELEASE); }
static bool can_by(const struct session *s) { return offers(s, CAP_DELIVERBY); }
static bool can_priority(const struct session *s) { return offers(s, CAP_MT_PRIORITY); }
static bool can_requiretls(const struct session *s) { return offers(s, CAP_REQUIRETLS); }
static bool can_vrfy(const struct session *s) { return offers(s, CAP_VRFY); }

unsigned session_exts(const struct session *s)
{
    static const struct {
        enum cap cap;
        enum cmd_ext ext;
    } map[] = {{CAP_SIZE, EXT_SIZE},
               {CAP_8BITMIME, EXT_8BITMIME},
               {CAP_BINARYMIME, EXT_BINARYMIME},
               {CAP_SMTPUTF8, EXT_SMTPUTF8},
               {CAP_DSN, EXT_DSN},
               {CAP_AUTH, EXT_AUTH},
               {CAP_FUTURERELEASE, EXT_FUTURERELEASE},
               {CAP_DELIVERBY, EXT_DELIVERBY},
               {CAP_MT_PRIORITY, EXT_MT_PRIORITY},
               {CAP_REQUIRETLS, EXT_REQUIRETLS}};
    unsigned exts = 0;
    for (size_t i = 0; i < sizeof map / sizeof *map && s->src.esmtp; i++)
        if (offers(s, map[i].cap))
            exts |= map[i].ext;
    return s->src.esmtp && s->offer.others ? exts | EXT_OTHER : exts;
}

static void ext_size(const struct session *s, struct buf *out)
{
    uint64_t most = (uint64_t)s->conf->limits_message_size;
    if (s->offer.size && s->offer.size < most)
        most = s->offer.size;
    buf_printf(out, " %llu", (unsigned long long)most);
}

static void ext_limits(const struct session *s, struct buf *out)
{
    int64_t most = s->conf->limits_recipients;
    if (s->offer.rcpt_max && s->offer.rcpt_max < most)
        most = s->offer.rcpt_max;
    buf_printf(out, " MAILMAX=%lld RCPTMAX=%lld", (long long)s->conf->limits_messages, (long long)most);
}

/* The longest time, and the last moment (RFC 4865 4). */
static void ext_release(const struct session *s, struct buf *out)
{
    char mem[40];
    struct buf until;
    int64_t most = s->conf->submission_future_release / RT_S;
    buf_init_fixed(&until, mem, sizeof mem);
    text_time(&until, (rt_wall_ms() / 1000 + most) * 1000);
    buf_printf(out, " %lld " STR_FMT "Z", (long long)most, STR_ARG(str_sub(buf_str(&until), 0, 19)));
}

static void ext_xforward(const struct session *s, struct buf *out)
{
    (void)s;
    buf_add(out, S(" NAME ADDR PORT PROTO HELO IDENT SOURCE"));
}

static void ext_xclient(const struct session *s, struct buf *out)
{
    (void)s;
    buf_add(out, S(" NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"));
}

static void ext_auth(const struct session *s, struct buf *out) { auth_list(s, out); }

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

/* What may be said to the client that named itself. False: *r is a refusal. */
static bool ask(struct session *s, str verb, struct reply *r)
{
    struct matter m = {0};
    s->offer = (struct recv_offer){0};
    s->as.can_tls = can_tls(s);
    if (!session_judge(s, PHASE_HELO, &m, r))
        return false;
    s->sink->hello(&s->as, verb, &s->offer, r);
    if (can_auth(s))
        s->offer.caps |= CAP_AUTH;
    return r->code < 300;
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
    if (!ask(s, c->verb, r)) {
        s->state = STATE_GREET;
        return;
    }
    s->state = STATE_READY;
    if (!r->code)
        reply_set(r, 250, "", STR_FMT, STR_ARG(session_hostname(s)));
    if (!s->src.esmtp)
        return;
    add_exts(s, r);
    str rest = s->offer.lines, line;
    while (str_cut(&rest, '\n', &line))
        if (line.n)
            reply_add_str(r, line);
}
