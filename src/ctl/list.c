/* `queue list`: the entries that a filter matches, in order of arrival, in slices. */
#include "ctl/internal.h"

enum { SLICE = 128 }; /* entries rendered before others run: about a millisecond */

struct list_walk {
    struct ctl_session *s;
    int64_t now;
    uint64_t shown, messages, last_id;
    bool full;
};

static void entry_json(struct ctl_out *o, const struct queue_entry *e)
{
    json_open(o, '{');
    json_kid(o, "id", e->id);
    json_knum(o, "index", e->index);
    json_ktime(o, "arrived", e->arrived_ms);
    json_ktime(o, "expires", e->expires_ms);
    json_knum(o, "size", (int64_t)e->size);
    json_kstr(o, "sender", e->sender);
    ctl_rcpt_keys(o, e);
    json_knum(o, "tenant", e->tenant);
    json_close(o, '}');
}

/* One message has one line for itself and one for each recipient. */
static void entry_text(struct buf *b, const struct queue_entry *e, bool first, int64_t now)
{
    if (first)
        ctl_put_message(b, e->id, e->sender, e->size, e->arrived_ms, now);
    size_t at = b->n;
    buf_printf(b, "    %-8s ", e->state);
    text_safe(b, e->address);
    ctl_put_pad(b, at, 50);
    buf_add_c(b, " by ");
    text_safe(b, e->site);
    if (e->attempts) {
        buf_add_c(b, ", ");
        ctl_put_count(b, e->attempts, "attempt", "attempts");
    }
    ctl_put_next(b, e, now, "             ");
}

static void each(void *arg, const struct queue_entry *e)
{
    struct list_walk *w = arg;
    struct ctl_args *a = &w->s->args;
    bool first = e->id != w->last_id;
    if (w->full || (a->limit && (a->ids ? w->messages + first : w->shown + 1) > a->limit)) {
        w->full = true;
        return;
    }
    w->last_id = e->id;
    w->shown++;
    w->messages += first;
    struct ctl_out *o = &w->s->out;
    if (a->ids) {
        if (first)
            ctl_put_id(o, e->id);
    } else if (o->json) {
        if (w->shown > 1)
            buf_add_char(&o->b, '\n');
        entry_json(o, e);
    } else {
        entry_text(&o->b, e, first, w->now);
    }
}

int ctl_list(struct ctl_session *s)
{
    struct list_walk w = {.s = s, .now = rt_wall_ms()};
    uint64_t cursor = 0;
    bool more = true;
    if (s->out.json)
        json_open(&s->out, '[');
    while (more && !w.full) {
        more = queue_walk(s->rooms->queue, &s->args.filter, &cursor, SLICE, each, &w);
        if (ctl_out_send(&s->out))
            return EXIT_FAIL;
        fiber_yield();
    }
    if (s->out.json) {
        json_end(&s->out, ']');
    } else if (!s->args.ids) {
        ctl_put_recipients(&s->out.b, w.shown, w.messages);
        buf_add_c(&s->out.b, w.full ? "; there are more (--limit)\n" : "\n");
    }
    return EXIT_OK;
}
