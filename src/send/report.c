/*
 * Reports to senders (RFC 3461 4.2 and 6, RFC 3464, RFC 6522, RFC 6533): what failed, is late, or was asked
 * about. One report for all recipients that ended together. The report and the outcomes that cause it are one
 * group of the spool: they stand or fall together. What cannot be returned to anybody is a double bounce.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "intake/intake.h"
#include "send/internal.h"
#include "wire/cmd.h"
#include "wire/dsn.h"
#include "wire/head.h"

#define REPORT_MAX ((size_t)16 << 20)

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

static enum dsn_action action_of(const struct report *r, const struct report_rcpt *to)
{
    return r->delayed ? DSN_DELAYED : ended_well(to) ? DSN_RELAYED : DSN_FAILED;
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

static void split_orcpt(struct arena *a, str raw, struct dsn_rcpt *d)
{
    size_t at = str_find(raw, ';');
    char text[600];
    struct buf b;
    if (at == STR_NONE)
        return;
    buf_init_fixed(&b, text, sizeof text);
    d->orcpt_type = str_sub(raw, 0, at);
    d->orcpt = xtext_decode(&b, str_skip(raw, at + 1)) ? arena_str(a, buf_str(&b)) : str_skip(raw, at + 1);
}

static void fill_rcpt(struct arena *a, const struct report *r, const struct report_rcpt *to,
                      const struct recipient *env, struct dsn_rcpt *d)
{
    *d = (struct dsn_rcpt){
        .final = env->address,
        .action = action_of(r, to),
        .remote_mta = to->remote,
        .last_attempt_s = rt_wall_ms() / 1000,
        .retry_until_s = r->delayed ? r->retry_until_ms / 1000 : 0,
    };
    d->status = status_of(a, to, d->action);
    split_orcpt(a, env->orcpt, d);
    if (to->remote.n)
        d->diagnostic = to->reply;
    else
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
    uint32_t head_size;
    bool eight;
};

/* The original's header block, or all of it when RET asks for that and it is small enough. */
static err read_content(struct draft *d, enum dsn_content *ret, struct buf *out)
{
    uint64_t size = d->env->head_size + d->env->body_size, most = (uint64_t)d->conf->queue_return_body;
    bool failed = false;
    for (size_t i = 0; i < d->n; i++)
        failed = failed || d->rcpts[i].action == DSN_FAILED;
    bool full = failed && d->env->ret != RET_HDRS && size <= most && !(d->env->flags & (ENV_BARE_EOL | ENV_NUL));
    *ret = full ? DSN_CONTENT_FULL : DSN_CONTENT_HEADERS;
    uint64_t left = full ? size : d->env->head_size;
    while (left) {
        str piece;
        err e = spool_read_next(&d->reader, &piece);
        if (e || piece.n == 0)
            return e;
        piece = str_sub(piece, 0, left);
        left -= piece.n;
        buf_add(out, piece);
    }
    return out->e;
}

static str original_subject(struct draft *d, str block)
{
    struct buf b;
    str raw = head_find(block, S("Subject"));
    if (!raw.p || raw.n > 1000)
        return (str){"", 0};
    buf_init(&b, 2048);
    head_unfold(&b, raw);
    str s = arena_str(&d->arena, buf_str(&b));
    buf_free(&b);
    return s.p ? s : (str){"", 0};
}

static err compose(struct draft *d)
{
    AUTO_BUF content, out, id, to_text;
    buf_init(&content, REPORT_MAX);
    buf_init(&out, 2 * REPORT_MAX);
    buf_init(&id, 64);
    buf_init(&to_text, 1024);
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
        .subject = original_subject(d, buf_str(&content)),
        .now_s = rt_wall_ms() / 1000,
        .arrival_s = d->env->arrived_ms / 1000,
        .utf8 = d->env->flags & ENV_SMTPUTF8,
        .content_8bit = !text_ascii(buf_str(&content)),
        .content = kind,
        .rcpts = d->rcpts,
        .n_rcpts = d->n,
    };
    d->eight = m.content_8bit || (m.utf8 && !text_ascii(d->to));
    e = d->arena.e ? d->arena.e : dsn_print(&out, &m);
    if (!e) {
        buf_add(&out, buf_str(&content));
        if (content.n && content.p[content.n - 1] != '\n')
            buf_add(&out, S("\r\n"));
        e = dsn_print_end(&out, &m);
    }
    bool blank;
    d->head_size = (uint32_t)head_len(buf_str(&out), &blank);
    if (!e && !(d->body = body_new()))
        e = E_NOMEM;
    return e ? e : body_add(d->body, buf_str(&out));
}

static unsigned dot_flag(const struct body *b)
{
    bool line_start = true;
    size_t at = 0;
    for (str piece; body_piece(b, &at, &piece);)
        for (size_t i = 0; i < piece.n; i++) {
            if (line_start && piece.p[i] == '.')
                return ENV_DOT_LINE;
            line_start = piece.p[i] == '\n';
        }
    return 0;
}

/* ---- what is written ------------------------------------------------------------------------------------------------
 */

static err add_results(struct spool_group *g, const struct report *r)
{
    if (r->delayed)
        return OK;
    err e = OK;
    for (uint32_t i = 0; i < r->nto && !e; i++) {
        struct result one = {r->to[i].index, r->to[i].outcome, r->to[i].reply};
        e = spool_group_results(g, r->id, &one, 1);
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
    if (!e && d->body)
        e = queue_accept(send_world.queue, &t->env, d->body);
    return e;
}

/* The envelope of the report, in `t`: null sender, the recipient resolved like any other of ours. */
static err address_report(struct draft *d, struct tx *t)
{
    err e = tx_own(t, d->conf, d->to);
    if (e)
        return e;
    struct envelope *env = &t->env;
    env->id = d->id;
    env->arrived_ms = rt_wall_ms();
    env->expires_ms = env->arrived_ms + d->conf->queue_report_lifetime / RT_MS;
    env->flags = ENV_REPORT | (d->env->sender.n ? 0 : ENV_DOUBLE) | dot_flag(d->body) | (d->eight ? ENV_8BIT_BODY : 0) |
                 (text_ascii(d->to) ? 0 : ENV_SMTPUTF8);
    env->head_size = d->head_size;
    env->body_size = body_size(d->body) - d->head_size;
    return OK;
}

static void log_outcomes(const struct draft *d)
{
    const struct report *r = d->report;
    for (uint32_t i = 0; i < r->nto; i++) {
        const struct report_rcpt *to = &r->to[i];
        str address = d->env->to[to->index].address;
        if (r->delayed)
            rt_log(EV_delayed, log_id(r->id), log_str(d->env->sender), log_str(address), log_id(d->body ? d->id : 0));
        else if (to->outcome == OUT_EXPIRED)
            rt_log(EV_expired, log_id(r->id), log_str(d->env->sender), log_str(address), log_str(to->reply),
                   log_id(d->body ? d->id : 0));
        else if (to->outcome == OUT_BOUNCED)
            rt_log(EV_bounced, log_id(r->id), log_str(d->env->sender), log_str(address), log_str(to->remote),
                   log_str(to->reply), log_id(d->body ? d->id : 0));
    }
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
            fill_rcpt(&d->arena, r, to, env, &d->rcpts[d->n++]);
    }
    if (d->env->sender.n) {
        d->to = d->env->sender;
        return;
    }
    bool tell = failed && d->conf->postmaster.n && !(d->env->flags & ENV_DOUBLE);
    d->to = tell ? d->conf->postmaster : (str){"", 0};
    for (uint32_t i = 0; failed && i < r->nto; i++)
        rt_log(EV_double_bounce, log_id(r->id), log_str(d->env->to[r->to[i].index].address), log_str(r->to[i].reply));
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
            if (!e && address_report(&d, &t)) /* nobody there: the report has no reader */
                body_drop(&d.body);
        }
    }
    if (!e)
        e = write_out(&d, &t);
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
