/*
 * Reports to senders (RFC 3461 4.2 and 6, RFC 3464, RFC 6522, RFC 6533): what failed, is late, or was asked
 * about. One report for all recipients that ended together. The report and the outcomes that cause it are one
 * group of the spool: they stand or fall together. What cannot be returned to anybody is a double bounce.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "intake/intake.h"
#include "intake/sign.h"
#include "send/internal.h"
#include "wire/cmd.h"
#include "wire/dsn.h"
#include "wire/head.h"

#define REPORT_MAX ((size_t)64 << 20) /* besides what is returned */

/* ---- who is told what -------------------------------------------------------------------------------------- */

static bool ended_well(const struct report_rcpt *r) { return r->outcome == OUT_DELIVERED; }

/* NOTIFY decides (RFC 3461 4.1); not given means failures and delays. */
static bool wanted(const struct report *r, const struct report_rcpt *to, unsigned notify)
{
    if (notify & NOTIFY_NEVER)
        return false;
    if (to->outcome == OUT_REMOVED)
        return false;
    if (ended_well(to))
        return notify & NOTIFY_SUCCESS;
    if (r->delayed)
        return notify == 0 || (notify & NOTIFY_DELAY);
    return notify == 0 || (notify & NOTIFY_FAILURE);
}

/* RFC 3464 2.3.3: a mailbox took it, or a server that sends no reports did. */
static enum dsn_action action_of(const struct conf *c, const struct report *r, const struct report_rcpt *to,
                                 const struct envelope *env)
{
    char mem[ROUTE_DOMAIN_MAX];
    struct route way;
    if (r->delayed || !ended_well(to))
        return r->delayed ? DSN_DELAYED : DSN_FAILED;
    route_find(c, false, env->way, env->sender, env->to[to->index].address, mem, &way);
    return route_is_final(&way) ? DSN_DELIVERED : DSN_RELAYED;
}

static int ascii_hex(char c)
{
    return ascii_digit(c) ? c - '0' : ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f' ? ascii_lower(c) - 'a' + 10 : -1;
}

static void add_utf8(struct buf *out, uint32_t v)
{
    if (v < 0x80) {
        buf_add_char(out, (char)v);
        return;
    }
    int more = v < 0x800 ? 1 : v < 0x10000 ? 2 : 3;
    static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
    buf_add_char(out, (char)(first[more] | v >> 6 * more));
    while (more--)
        buf_add_char(out, (char)(0x80 | ((v >> 6 * more) & 0x3f)));
}

/* The enhanced code of a reply, or one that fits its class: X.0.0 (RFC 3463 3.1). */
static str status_of(struct arena *a, const struct report_rcpt *to, enum dsn_action action)
{
    struct reply r = {0};
    char class = action == DSN_FAILED ? '5' : action == DSN_DELAYED ? '4' : '2';
    if (to->outcome == OUT_EXPIRED)
        return S("5.4.7");
    if (reply_from_text(&r, to->reply) && r.esc[0] == class)
        return arena_str(a, str_c(r.esc));
    return arena_printf(a, "%c.0.0", class);
}

/* utf-8-addr-xtext (RFC 6533 3): "\\x{F6}" is an o with two dots. */
static void add_unicode(struct buf *out, str s)
{
    while (s.n) {
        uint32_t v = 0;
        size_t n = 0;
        if (str_starts(s, S("\\x{")))
            for (n = 3; n < s.n && n < 10 && ascii_hex(s.p[n]) >= 0; n++)
                v = v << 4 | (uint32_t)ascii_hex(s.p[n]);
        bool good = n > 3 && n < s.n && s.p[n] == '}' && v > 0 && v < 0x110000 && (v < 0xd800 || v > 0xdfff);
        if (!good) {
            buf_add_char(out, s.p[0]);
            s = str_skip(s, 1);
            continue;
        }
        add_utf8(out, v);
        s = str_skip(s, n + 1);
    }
}

static void split_orcpt(struct arena *a, str raw, struct dsn_rcpt *d)
{
    size_t at = str_find(raw, ';');
    char text[600];
    struct buf b;
    if (at == STR_NONE)
        return;
    str address = str_skip(raw, at + 1);
    buf_init_fixed(&b, text, sizeof text);
    d->orcpt_type = str_sub(raw, 0, at);
    if (str_ieq(d->orcpt_type, S("utf-8")))
        add_unicode(&b, address);
    else if (!xtext_decode(&b, address))
        b.e = E_SYNTAX;
    d->orcpt = b.e ? address : arena_str(a, buf_str(&b));
}

/* How long it was tried, for people; NULL p without memory. */
static str gave_up(struct arena *a, const struct envelope *env, str last)
{
    char age[40];
    struct buf b;
    buf_init_fixed(&b, age, sizeof age);
    text_age(&b, (rt_wall_ms() - env->arrived_ms) / 1000);
    return arena_printf(a, "not delivered within " STR_FMT "%s" STR_FMT, STR_ARG(buf_str(&b)),
                        last.n ? "; the last attempt: " : "", STR_ARG(last));
}

static void fill_rcpt(struct arena *a, const struct conf *c, const struct report *r, const struct report_rcpt *to,
                      const struct envelope *env, struct dsn_rcpt *d)
{
    *d = (struct dsn_rcpt){
        .final = env->to[to->index].address,
        .action = action_of(c, r, to, env),
        .remote_mta = to->remote,
        .last_attempt_s = rt_wall_ms() / 1000,
        .retry_until_s = r->delayed ? r->retry_until_ms / 1000 : 0,
    };
    d->status = status_of(a, to, d->action);
    split_orcpt(a, env->to[to->index].orcpt, d);
    if (to->remote.n)
        d->diagnostic = to->reply;
    if (to->outcome == OUT_EXPIRED)
        d->error = gave_up(a, env, to->remote.n ? S("") : to->reply);
    else if (!to->remote.n)
        d->error = to->reply;
}

/* ---- the report as a message --------------------------------------------------------------------------------------
 */

struct draft {
    const struct report *report;
    struct conf *conf;
    struct arena arena;
    struct spool_reader reader;
    const struct envelope *env; /* of the original */
    struct dsn_rcpt *rcpts;
    size_t n;
    str to;      /* who is told */
    uint64_t id; /* of the report */
    struct body *body;
    uint32_t head_size, flags;
    bool unread; /* a failure that no sender is told of: a double bounce */
};

/* What a server on its way found too large may lie between the sender and us, too. */
static bool too_large(const struct dsn_rcpt *to)
{
    return to->action == DSN_FAILED && (str_eq(to->status, S("5.3.4")) || str_eq(to->status, S("5.2.3")));
}

/* The original's header block, or all of it when RET asks for that and it is small enough. */
static err read_content(struct draft *d, enum dsn_content *ret, struct buf *out)
{
    uint64_t size = d->env->head_size + d->env->body_size, most = (uint64_t)d->conf->queue_return_body;
    bool failed = false, large = false;
    for (size_t i = 0; i < d->n; i++) {
        failed = failed || d->rcpts[i].action == DSN_FAILED;
        large = large || too_large(&d->rcpts[i]);
    }
    bool text = !(d->env->flags & (ENV_BARE_EOL | ENV_NUL | ENV_LONG_LINE));
    bool full = failed && !large && d->env->ret != RET_HDRS && size <= most && text;
    *ret = full ? DSN_CONTENT_FULL : DSN_CONTENT_HEADERS;
    uint64_t left = full ? size : d->env->head_size;
    while (left) {
        str piece;
        err e = spool_read_next(&d->reader, &piece);
        if (e == E_CORRUPT) { /* the report goes without it */
            buf_clear(out);
            *ret = DSN_CONTENT_NONE;
            return OK;
        }
        if (e || piece.n == 0)
            return e;
        piece = str_sub(piece, 0, left);
        left -= piece.n;
        buf_add(out, piece);
    }
    return out->e;
}

/* The forms of RFC 6533, where something needs them. */
static bool speaks_utf8(const struct draft *d, str content)
{
    bool need = !text_ascii(d->to) || !text_ascii(content);
    for (size_t i = 0; i < d->n; i++)
        need = need || !text_ascii(d->rcpts[i].final) || !text_ascii(d->rcpts[i].orcpt);
    return need && d->env->flags & ENV_SMTPUTF8;
}

/* What the exits must know of the octets (enum envelope_flag). */
static uint32_t flags_of(struct buf *octets)
{
    static const struct {
        unsigned scan;
        uint32_t env;
    } map[] = {{DATA_DOT_LINE, ENV_DOT_LINE},
               {DATA_8BIT_BODY, ENV_8BIT_BODY},
               {DATA_8BIT_HEAD, ENV_8BIT_HEAD},
               {DATA_BARE, ENV_BARE_EOL},
               {DATA_NUL, ENV_NUL},
               {DATA_LONG_LINE, ENV_LONG_LINE},
               {DATA_UNENDED, ENV_NO_FINAL_EOL}};
    struct data_in scan;
    size_t n;
    uint32_t flags = 0;
    data_in_init(&scan, DATA_CHUNK, 998);
    data_in_feed(&scan, octets->p, octets->n, octets->p, &n);
    data_in_end(&scan);
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (scan.flags & map[i].scan)
            flags |= map[i].env;
    return flags;
}

/* The report as it is stored: signed, when its domain has a key. */
static err keep_text(struct draft *d, struct buf *text, int64_t now_s) YIELDS
{
    const struct sign_who w = {.now_s = now_s};
    AUTO_BUF top = {.max = REPORT_MAX};
    err e = sign_text(d->conf, &w, buf_str(text), &top);
    if (!e && !(d->body = body_new()))
        e = E_NOMEM;
    e = e ? e : body_add(d->body, buf_str(&top));
    e = e ? e : body_add(d->body, buf_str(text));
    d->head_size = (uint32_t)(top.n + head_len(buf_str(text), NULL));
    if (!e)
        d->flags = flags_of(text) | (top.n ? ENV_SIGNED : 0);
    return e;
}

static err compose(struct draft *d) YIELDS
{
    AUTO_BUF content, out, id;
    buf_init(&content, d->env->head_size + d->env->body_size + 2);
    buf_init(&out, content.max + REPORT_MAX);
    buf_init(&id, 64);
    enum dsn_content kind;
    err e = read_content(d, &kind, &content);
    if (e)
        return e;
    rt_id_text(&id, d->report->id);
    uint64_t random = rt_random();
    struct dsn m = {
        .reporting_mta = d->conf->hostname,
        .from = arena_printf(&d->arena, "Mail Delivery System <mailer-daemon@" STR_FMT ">", STR_ARG(d->conf->hostname)),
        .to = d->to,
        .message_id = arena_printf(&d->arena, "%016llx.%llx@" STR_FMT, (unsigned long long)random,
                                   (unsigned long long)d->id, STR_ARG(d->conf->hostname)),
        .boundary = arena_printf(&d->arena, "=_report_%016llx", (unsigned long long)random),
        .envid = d->env->envid,
        .queue_id = buf_str(&id),
        .now_s = rt_wall_ms() / 1000,
        .arrival_s = d->env->arrived_ms / 1000,
        .utf8 = speaks_utf8(d, buf_str(&content)),
        .content_8bit = !text_ascii(buf_str(&content)),
        .content = kind,
        .rcpts = d->rcpts,
        .n_rcpts = d->n,
    };
    e = d->arena.e ? d->arena.e : dsn_print(&out, &m);
    if (!e) {
        buf_add(&out, buf_str(&content));
        if (content.n && content.p[content.n - 1] != '\n')
            buf_add(&out, S("\r\n"));
        e = dsn_print_end(&out, &m);
    }
    return e ? e : keep_text(d, &out, m.now_s);
}

/* ---- what is written ------------------------------------------------------------------------------------------------
 */

static err add_results(struct spool_group *g, const struct report *r)
{
    struct result v[32];
    size_t n = 0;
    if (r->delayed)
        return OK;
    err e = OK;
    for (uint32_t i = 0; i < r->nto && !e; i++) {
        v[n++] = (struct result){r->to[i].index, r->to[i].outcome, r->to[i].reply};
        if (n == sizeof v / sizeof *v || i + 1 == r->nto) {
            e = spool_group_results(g, r->id, v, n);
            n = 0;
        }
    }
    return !e && r->last ? spool_group_end(g, r->id) : e;
}

static err write_out(struct draft *d, struct tx *t)
{
    struct spool_group g;
    spool_group_init(&g);
    err e = add_results(&g, d->report);
    if (!e && d->body)
        e = intake_own(&g, &t->env, d->body);
    if (!e && (d->body || !d->report->delayed))
        e = spool_put(send_world.spool, &g);
    spool_group_free(&g);
    if (!e && d->body) /* without memory the queue finds it in the spool after the next start */
        queue_accept(send_world.queue, &t->env, d->body);
    return e;
}

/* The envelope of the report, in `t`: null sender, the recipient resolved like any other of ours. */
static err address_report(struct draft *d, struct tx *t)
{
    err e = tx_own(t, d->conf, d->to);
    if (e)
        return e;
    if (!t->env.nto)
        return E_NOT_FOUND;
    struct envelope *env = &t->env;
    env->id = d->id;
    env->arrived_ms = rt_wall_ms();
    env->expires_ms = env->arrived_ms + d->conf->queue_report_lifetime / RT_MS;
    env->flags = ENV_REPORT | (d->env->sender.n ? 0 : ENV_DOUBLE) | d->flags | (text_ascii(d->to) ? 0 : ENV_SMTPUTF8);
    env->tenant = d->env->tenant;
    env->head_size = d->head_size;
    env->body_size = body_size(d->body) - d->head_size;
    return OK;
}

static void log_outcomes(const struct draft *d)
{
    const struct report *r = d->report;
    for (uint32_t i = 0; i < r->nto; i++) {
        const struct report_rcpt *to = &r->to[i];
        const struct recipient *env = &d->env->to[to->index];
        uint64_t id = d->body && wanted(r, to, env->notify) ? d->id : 0;
        struct log_field from = log_str(d->env->sender), address = log_str(env->address);
        if (r->delayed && id)
            rt_log(EV_delayed, log_id(r->id), from, address, log_id(id));
        else if (to->outcome == OUT_EXPIRED)
            rt_log(EV_expired, log_id(r->id), from, address, log_str(to->reply), log_id(id));
        else if (to->outcome == OUT_BOUNCED)
            rt_log(EV_bounced, log_id(r->id), from, address, log_str(to->remote), log_str(to->reply), log_id(id));
    }
}

static void log_double(const struct draft *d)
{
    const struct report *r = d->report;
    for (uint32_t i = 0; i < r->nto; i++)
        rt_log(EV_double_bounce, log_id(r->id), log_str(d->env->to[r->to[i].index].address), log_str(r->to[i].reply));
}

/* Who is told of `r`; a null sender is told nothing, its failure goes to the postmaster once. */
static void find_reader(struct draft *d)
{
    const struct report *r = d->report;
    size_t failed = 0;
    for (uint32_t i = 0; i < r->nto; i++) {
        const struct report_rcpt *to = &r->to[i];
        const struct recipient *env = &d->env->to[to->index];
        failed += !r->delayed && !ended_well(to) && to->outcome != OUT_REMOVED;
        if (wanted(r, to, env->notify))
            fill_rcpt(&d->arena, d->conf, r, to, d->env, &d->rcpts[d->n++]);
    }
    if (d->env->sender.n) {
        d->to = d->env->sender;
        return;
    }
    bool tell = failed && d->conf->postmaster.n && !(d->env->flags & ENV_DOUBLE);
    d->to = tell ? d->conf->postmaster : (str){"", 0};
    d->unread = failed > 0;
}

err send_report(void *arg, const struct report *r)
{
    (void)arg;
    struct draft d = {.report = r, .conf = send_world.conf()};
    struct tx t;
    tx_init(&t);
    arena_init(&d.arena, 4096, (size_t)64 << 20);
    err e = spool_read_open(&d.reader, send_world.spool, r->id, r->mem);
    if (!e) {
        d.env = &d.reader.env;
        d.rcpts = arena_array(&d.arena, r->nto, sizeof *d.rcpts);
        e = d.rcpts ? OK : E_NOMEM;
    }
    if (!e) {
        find_reader(&d);
        if (d.n && d.to.n) {
            d.id = spool_new_id(send_world.spool);
            e = compose(&d);
            e = e ? e : address_report(&d, &t);
            if (e == E_NOT_FOUND || e == E_LOOP) { /* a sender of ours that is not there: the report has no reader */
                body_drop(&d.body);
                d.unread = !r->delayed;
                e = OK;
            }
        }
    }
    if (!e)
        e = write_out(&d, &t);
    if (!e && d.unread)
        log_double(&d);
    if (!e)
        log_outcomes(&d);
    body_drop(&d.body);
    if (d.env)
        spool_read_close(&d.reader);
    tx_reset(&t);
    arena_free(&d.arena);
    conf_drop(&d.conf);
    return e;
}
