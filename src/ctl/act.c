/* `queue flush`, hold, release, remove, bounce: on messages named by id or found by a filter, in slices. */
#include "ctl/internal.h"

enum { SLICE = 500, DRY_LINES = 100 };
#define DURABLE_WAIT (10 * RT_S)

struct verb {
    enum queue_action action;
    const char *does, *did, *would;
};
static const struct verb verbs[] = {
    {QUEUE_FLUSH, "flush", "due now: ", "would be due now: "},
    {QUEUE_HOLD, "hold", "held: ", "would be held: "},
    {QUEUE_RELEASE, "release", "released: ", "would be released: "},
    {QUEUE_REMOVE, "remove", "removed: ", "would be removed: "},
    {QUEUE_BOUNCE, "bounce", "returned to the sender: ", "would be returned to the sender: "},
};

struct act_walk {
    struct ctl_session *s;
    struct found {
        uint64_t id;
        uint32_t index;
    } * found;
    size_t n, cap;
    uint64_t recipients, messages, last_id;
    bool shown_more, nomem, by_id;
};

static void show(struct act_walk *w, const struct queue_entry *e)
{
    struct ctl_out *o = &w->s->out;
    if (o->json) {
        json_open(o, '{');
        json_kid(o, "id", e->id);
        json_kstr(o, "recipient", e->address);
        json_close(o, '}');
    } else if (w->recipients < DRY_LINES) {
        rt_id_text(&o->b, e->id);
        buf_add_c(&o->b, "  ");
        ctl_put_sender(&o->b, e->sender);
        buf_add_c(&o->b, " to ");
        text_safe(&o->b, e->address);
        buf_add_char(&o->b, '\n');
    } else if (!w->shown_more) {
        w->shown_more = true;
        buf_add_c(&o->b, "...\n");
    }
}

static bool grow(struct act_walk *w)
{
    size_t cap = w->cap ? w->cap * 2 : SLICE;
    struct found *v = reallocarray(w->found, cap, sizeof *v);
    if (!v) {
        w->nomem = true;
        return false;
    }
    w->found = v;
    w->cap = cap;
    return true;
}

static void each(void *arg, const struct queue_entry *e)
{
    struct act_walk *w = arg;
    if (e->quarantine && !w->s->args.filter.quarantine && !w->by_id)
        return; /* what was judged to be harmful is not let go, or lost, by a filter that happens to fit */
    if (w->s->args.dry_run) {
        show(w, e);
        w->recipients++;
        w->messages += e->id != w->last_id;
        w->last_id = e->id;
    } else if (w->n < w->cap || grow(w)) {
        w->found[w->n++] = (struct found){e->id, e->index};
    }
}

static void count(void *arg, const struct queue_entry *e)
{
    (void)e;
    ++*(size_t *)arg;
}

/* All recipients of one message that a slice found. When these are all that it has left, they are handled as
 * one, so that one report tells of them. */
static void act_message(struct act_walk *w, const struct verb *v, const struct found *f, size_t n)
{
    struct queue *q = w->s->rooms->queue;
    const struct queue_filter all = {.id = f->id, .tenant = -1, .held = -1};
    uint64_t cursor = 0;
    size_t left = 0;
    uint32_t done = 0;
    while (queue_walk(q, &all, &cursor, SLICE, count, &left))
        ;
    if (left == n)
        done = queue_act(q, v->action, f->id, UINT32_MAX, str_c(w->s->who));
    for (size_t i = 0; i < n && left != n; i++)
        done += queue_act(q, v->action, f->id, f[i].index, str_c(w->s->who));
    w->recipients += done;
    w->messages += done > 0;
}

/* What a slice found is acted on after the walk, which must not see the queue change below it. */
static void act(struct act_walk *w, const struct verb *v)
{
    for (size_t i = 0, n; i < w->n; i += n) {
        for (n = 1; i + n < w->n && w->found[i + n].id == w->found[i].id;)
            n++;
        act_message(w, v, &w->found[i], n);
    }
    w->n = 0;
}

static int walk(struct act_walk *w, const struct verb *v, const struct queue_filter *f)
{
    uint64_t cursor = 0;
    for (bool more = true; more;) {
        more = queue_walk(w->s->rooms->queue, f, &cursor, SLICE, each, w);
        act(w, v);
        if (ctl_out_send(&w->s->out))
            return EXIT_FAIL; /* the operator is gone; what was done stays done */
        fiber_yield();
    }
    return EXIT_OK;
}

static void result(struct act_walk *w, const struct verb *v)
{
    struct ctl_out *o = &w->s->out;
    if (o->json) {
        if (w->s->args.dry_run)
            json_close(o, ']');
        json_knum(o, "recipients", (int64_t)w->recipients);
        json_knum(o, "messages", (int64_t)w->messages);
        json_end(o, '}');
        return;
    }
    buf_add_c(&o->b, w->s->args.dry_run ? v->would : v->did);
    ctl_put_recipients(&o->b, w->recipients, w->messages);
    buf_add_char(&o->b, '\n');
}

static int one_by_id(struct act_walk *w, const struct verb *v, str word)
{
    struct queue_filter f = w->s->args.filter;
    if (!ctl_want_id(w->s, word, &f.id))
        return EXIT_USAGE;
    uint64_t before = w->recipients;
    w->by_id = true;
    int status = walk(w, v, &f);
    if (status == EXIT_OK && w->recipients == before && !w->s->args.filtered) {
        ctl_fail(w->s, EXIT_FAIL,
                 "postrider: there is no message " STR_FMT " in the queue, or nothing of it to %s; "
                 "\"postrider why\" tells its story",
                 STR_ARG(str_sub(word, 0, 20)), v->does);
        return EXIT_FAIL;
    }
    return status;
}

static int run(struct ctl_session *s, const struct verb *v)
{
    struct act_walk w = {.s = s};
    struct ctl_args *a = &s->args;
    if (a->nword == 0 && !a->filtered && !a->all)
        return ctl_fail(s, EXIT_USAGE, "postrider: expected message ids, a filter such as --sender TEXT, or --all");
    if (a->all && (a->nword || a->filtered))
        return ctl_fail(s, EXIT_USAGE, "postrider: --all excludes ids and filters");
    if (s->out.json) {
        json_open(&s->out, '{');
        json_kstr(&s->out, "action", str_c(v->does));
        json_kbool(&s->out, "dry_run", a->dry_run);
        if (a->dry_run) {
            json_kopen(&s->out, "entries", '[');
        }
    }
    int status = a->nword ? EXIT_OK : walk(&w, v, &a->filter);
    for (size_t i = 0; i < a->nword; i++) {
        int one = one_by_id(&w, v, a->word[i]);
        status = one ? one : status;
    }
    result(&w, v);
    free(w.found);
    if (v->action == QUEUE_REMOVE && queue_settled(s->rooms->queue, rt_now() + DURABLE_WAIT))
        return ctl_fail(s, EXIT_FAIL,
                        "postrider: removed, but the disk does not take the note: a restart may bring it back; "
                        "see \"postrider status\"");
    if (w.nomem)
        return ctl_fail(s, EXIT_FAIL, "postrider: the server is out of memory; not all was done");
    return status;
}

int ctl_flush(struct ctl_session *s) { return run(s, &verbs[0]); }
int ctl_hold(struct ctl_session *s) { return run(s, &verbs[1]); }
int ctl_release(struct ctl_session *s) { return run(s, &verbs[2]); }
int ctl_remove(struct ctl_session *s) { return run(s, &verbs[3]); }
int ctl_bounce(struct ctl_session *s) { return run(s, &verbs[4]); }
