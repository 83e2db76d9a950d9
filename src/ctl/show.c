/* `queue show ID`: one message: its envelope from the spool, its recipients from the queue, its octets if wanted. */
#include "ctl/internal.h"

enum { RECIPIENTS_SLICE = 500 };

struct show_walk {
    struct ctl_out *o;
    int64_t now;
    uint64_t n;
};

void ctl_rcpt_keys(struct ctl_out *o, const struct queue_entry *e)
{
    json_kstr(o, "recipient", e->address);
    json_kstr(o, "site", e->site);
    json_kstr(o, "state", str_c(e->state));
    json_knum(o, "attempts", e->attempts);
    json_ktime(o, "next", e->next_ms);
    json_kstr(o, "reply", e->reply);
}

void ctl_rcpt_json(struct ctl_out *o, const struct queue_entry *e)
{
    json_open(o, '{');
    json_knum(o, "index", e->index);
    ctl_rcpt_keys(o, e);
    json_close(o, '}');
}

static void rcpt_text(struct buf *b, const struct queue_entry *e, int64_t now)
{
    buf_printf(b, "  %-8s ", e->state);
    text_safe(b, e->address);
    buf_add_c(b, " by ");
    text_safe(b, e->site);
    buf_add_c(b, ", ");
    ctl_put_count(b, e->attempts, "attempt", "attempts");
    ctl_put_next(b, e, now, "           ");
}

static void each(void *arg, const struct queue_entry *e)
{
    struct show_walk *w = arg;
    w->n++;
    if (w->o->json)
        ctl_rcpt_json(w->o, e);
    else
        rcpt_text(&w->o->b, e, w->now);
}

static void envelope_json(struct ctl_out *o, const struct envelope *e)
{
    json_kid(o, "id", e->id);
    json_ktime(o, "arrived", e->arrived_ms);
    json_ktime(o, "expires", e->expires_ms);
    json_kstr(o, "sender", e->sender);
    json_knum(o, "size", (int64_t)(e->head_size + e->body_size));
    json_kstr(o, "client", e->client);
    json_kstr(o, "helo", e->helo);
    json_kstr(o, "user", e->user);
    json_kstr(o, "envid", e->envid);
    json_kstr(o, "message_id", e->message_id);
    json_kbool(o, "quarantine", e->flags & ENV_QUARANTINE);
    json_kstr(o, "held_why", e->held_why);
    json_knum(o, "tenant", e->tenant);
    json_knum(o, "accepted_recipients", e->nto);
}

static void envelope_line(struct buf *b, const char *name, str value)
{
    if (value.n == 0)
        return;
    buf_printf(b, "%-11s", name);
    text_safe(b, value);
    buf_add_char(b, '\n');
}

static void envelope_text(struct buf *b, const struct envelope *e, int64_t now)
{
    buf_add_c(b, "message    ");
    rt_id_text(b, e->id);
    buf_add_c(b, ", ");
    ctl_put_size(b, e->head_size + e->body_size);
    buf_add_c(b, "\nsender     ");
    ctl_put_sender(b, e->sender);
    buf_add_c(b, "\narrived    ");
    text_time(b, e->arrived_ms);
    buf_add_c(b, ", ");
    text_age(b, (now - e->arrived_ms) / 1000);
    buf_add_c(b, " ago\nexpires    ");
    text_time(b, e->expires_ms);
    buf_add_c(b, e->flags & ENV_QUARANTINE ? ", not while it is in quarantine\n" : "\n");
    envelope_line(b, "client", e->client);
    envelope_line(b, "helo", e->helo);
    envelope_line(b, "user", e->user);
    envelope_line(b, "envid", e->envid);
    envelope_line(b, "message-id", e->message_id);
    envelope_line(b, e->flags & ENV_QUARANTINE ? "quarantine" : "held", e->held_why);
}

static void recipients(struct ctl_session *s, struct show_walk *w, uint64_t id) YIELDS;
static void recipients(struct ctl_session *s, struct show_walk *w, uint64_t id)
{
    const struct queue_filter f = {.id = id, .tenant = -1, .held = -1};
    uint64_t cursor = 0;
    for (bool more = true; more;) {
        more = queue_walk(s->rooms->queue, &f, &cursor, RECIPIENTS_SLICE, each, w);
        if (ctl_out_send(&s->out))
            return;
        fiber_yield();
    }
}

/* The header block, or the whole message, as it is stored. */
static int octets(struct ctl_session *s, struct spool_reader *r) YIELDS;
static int octets(struct ctl_session *s, struct spool_reader *r)
{
    uint64_t left = s->args.message ? r->env.head_size + r->env.body_size : r->env.head_size;
    while (left) {
        str piece;
        err e = spool_read_next(r, &piece);
        if (e)
            return ctl_fail(s, EXIT_FAIL, "postrider: the message cannot be read: %s", err_text(e));
        if (piece.n == 0)
            break;
        piece = str_sub(piece, 0, left);
        left -= piece.n;
        while (piece.n) {
            buf_add(&s->out.b, str_sub(piece, 0, CTL_FRAME_MAX));
            piece = str_skip(piece, CTL_FRAME_MAX);
            if (ctl_out_send(&s->out))
                return EXIT_FAIL;
        }
    }
    return EXIT_OK;
}

static int show(struct ctl_session *s, struct spool_reader *r, uint64_t id) YIELDS;
static int show(struct ctl_session *s, struct spool_reader *r, uint64_t id)
{
    struct show_walk w = {&s->out, rt_wall_ms(), 0};
    if (s->args.head || s->args.message)
        return octets(s, r);
    if (s->args.text && !s->args.parts)
        return ctl_parts(s, r, false, true) ? EXIT_FAIL : EXIT_OK;
    if (s->out.json) {
        json_open(&s->out, '{');
        envelope_json(&s->out, &r->env);
        json_kopen(&s->out, "recipients", '[');
    } else {
        envelope_text(&s->out.b, &r->env, w.now);
        buf_add_c(&s->out.b, "recipients not yet done:\n");
    }
    recipients(s, &w, id);
    if (s->out.json) {
        json_close(&s->out, ']');
        if (s->args.parts && ctl_parts(s, r, true, s->args.text))
            return EXIT_FAIL;
        json_end(&s->out, '}');
    } else if (w.n == 0) {
        buf_add_c(&s->out.b, "  none\n");
    }
    if (!s->out.json && s->args.parts && ctl_parts(s, r, true, s->args.text))
        return EXIT_FAIL;
    return EXIT_OK;
}

int ctl_show(struct ctl_session *s)
{
    uint64_t id;
    struct spool_reader r;
    if (!ctl_want_id(s, s->args.word[0], &id))
        return EXIT_USAGE;
    err e = spool_read_open(&r, s->rooms->spool, id, NULL);
    if (e == E_NOT_FOUND)
        return ctl_fail(s, EXIT_FAIL,
                        "postrider: there is no message " STR_FMT " in the queue; \"postrider why " STR_FMT
                        "\" tells its story",
                        STR_ARG(s->args.word[0]), STR_ARG(s->args.word[0]));
    if (e)
        return ctl_fail(s, EXIT_FAIL, "postrider: the message cannot be read: %s", err_text(e));
    int status = show(s, &r, id);
    spool_read_close(&r);
    return status;
}
