/*
 * `why`: the story of a message, from the history and from what the queue still has to do. The same
 * code tells it when no server runs, from the history's files alone.
 */
#include "ctl/why.h"

enum { EVENTS_MAX = 1000, IDS_DEFAULT = 5, IDS_MAX = 100, SITES_MAX = 512 };
static const size_t memory_max = 16 << 20;

/* ---- collecting ---- */

void story_init(struct story *s)
{
    *s = (struct story){0};
    arena_init(&s->arena, 16384, memory_max);
}

void story_free(struct story *s)
{
    arena_free(&s->arena);
    *s = (struct story){0};
}

static bool room(struct story *s)
{
    if (s->n < s->cap)
        return true;
    size_t cap = s->cap ? s->cap * 2 : 32;
    struct story_event *v = arena_array(&s->arena, cap, sizeof *v);
    if (!v)
        return false;
    if (s->n)
        memcpy(v, s->v, s->n * sizeof *v);
    s->v = v;
    s->cap = cap;
    return true;
}

/* For history_answer.each: a copy of the event. Runs on any thread, while the one who asked sleeps. */
static bool collect(void *arg, const struct history_event *e)
{
    struct story *s = arg;
    struct history_field *f = arena_array(&s->arena, e->n + 1, sizeof *f);
    if (!f || !room(s)) {
        s->e = E_NOMEM;
        return false;
    }
    for (size_t i = 0; i < e->n; i++) {
        f[i] = e->field[i];
        f[i].name = arena_str(&s->arena, e->field[i].name);
        if (f[i].value.kind == LF_STR)
            f[i].value.s = arena_str(&s->arena, e->field[i].value.s);
    }
    s->v[s->n] = (struct story_event){e->ms, arena_str(&s->arena, e->name), e->id, f, e->n, s->n};
    s->n++;
    return true;
}

static void note(void *arg, const char *file, const char *why)
{
    struct story *s = arg;
    if (s->damaged.n == 0)
        s->damaged = arena_printf(&s->arena, "the history file %s is left out: %s", file, why);
}

static err ask(const struct story_source *from, const struct history_query *q, struct story *s)
{
    const struct history_answer a = {collect, note, s};
    err e = E_NOT_FOUND;
    if (from->history)
        e = history_ask(from->history, q, &a);
    else if (from->folder)
        e = history_find(from->dirfd, from->folder, q, &a);
    if (e == E_NOT_FOUND)
        e = OK; /* no history yet */
    return e ? e : s->e;
}

/* Loops write what they log in pieces, so that events of one moment may come in any order: the arrival is the first. */
static bool begins(const struct story_event *e)
{
    return str_eq(e->name, S("accepted")) || str_eq(e->name, S("imported"));
}

static int newest_first(const void *a, const void *b)
{
    const struct story_event *x = a, *y = b;
    if (begins(x) != begins(y))
        return begins(x) ? 1 : -1;
    if (x->ms != y->ms)
        return x->ms < y->ms ? 1 : -1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void put_in_order(struct story *s)
{
    if (s->n)
        qsort(s->v, s->n, sizeof *s->v, newest_first);
}

/* ---- phrases ---- */

/* {field} stands for a value, {field:size}, {field:ms} for its form, {field:many} for a number above 1; [...] is left
 * out when a value in it is empty. */
static const struct {
    const char *name, *text;
} phrases[] = {
    {"accepted", "accepted from {client}[ ({helo})][, user {user},] by {with}: from {from:sender} to {to}[, {also}][ "
                 "({recipients:many} recipients)], {size:size}"
                 "[, message-id {message_id}]"},
    {"imported", "imported by {who}, where it was message {was}: from {from:sender} to {to}, {size:size}"},
    {"expanded", "{to} is replaced by {into}"},
    {"redirected", "redirected from {to} to {into} by {by}, as message {anew}"},
    {"delivered", "delivered to {to}[ by {via}][ over {tls}][: {reply}][, {delay:ms} after its arrival]"},
    {"deferred", "{to}: attempt {attempts}[ by {via}]: {reply}"},
    {"bounced", "{to} failed[ at {via}]: {reply}[; the report is message {report}]"},
    {"expired", "{to} is given up, too old: {reply}[; the report is message {report}]"},
    {"removed", "{to} is removed by {who}"},
    {"judged", "{phase}: {by}: {verdict}[ ({text})]"},
    {"discarded", "discarded for {to}, from {client}: {why}"},
    {"quarantined", "in quarantine: {why}"},
    {"held", "held by {who}"},
    {"released", "released by {who}"},
    {"delayed", "its sender is told that it is late for {to}[, by message {report}]"},
    {"double_bounce", "the report about {to} could not be returned: {reply}"},
    {"loop", "a mail loop is stopped: {to}[ by {via}]"},
};

static const struct log_field *find(const struct story_event *e, str name)
{
    for (size_t i = 0; i < e->n; i++)
        if (str_eq(e->field[i].name, name))
            return &e->field[i].value;
    return NULL;
}

/* False for an empty value. */
static bool value(struct buf *out, const struct story_event *e, str what)
{
    str name;
    str_cut(&what, ':', &name);
    const struct log_field *f = find(e, name);
    size_t before = out->n;
    if (!f)
        return false;
    if (str_eq(what, S("many")) && f->n < 2)
        return false;
    if (str_eq(what, S("size")))
        ctl_put_size(out, (uint64_t)f->n);
    else if (str_eq(what, S("ms")) && f->n < 1000)
        buf_printf(out, "%lld ms", (long long)f->n);
    else if (str_eq(what, S("ms")))
        text_age(out, f->n / 1000);
    else if (str_eq(what, S("sender")))
        ctl_put_sender(out, f->s);
    else if (f->kind == LF_STR)
        text_safe(out, f->s);
    else if (f->kind == LF_NUM)
        buf_printf(out, "%lld", (long long)f->n);
    else if (f->n)
        rt_id_text(out, (uint64_t)f->n);
    return out->n > before;
}

static void phrase(struct buf *out, const struct story_event *e, str text)
{
    size_t group = 0;
    bool in_group = false, keep = true;
    while (text.n) {
        char c = text.p[0];
        size_t end = str_find(text, '}');
        if (c == '{' && end != STR_NONE) {
            keep &= value(out, e, str_sub(text, 1, end));
            text = str_skip(text, end + 1);
            continue;
        }
        if (c == '[') {
            group = out->n;
            in_group = keep = true;
        } else if (c == ']' && in_group) {
            if (!keep)
                out->n = group;
            in_group = false;
        } else {
            buf_add_char(out, c);
        }
        text = str_skip(text, 1);
    }
}

static void any_event(struct buf *out, const struct story_event *e)
{
    text_safe(out, e->name);
    for (size_t i = 0; i < e->n; i++) {
        buf_add_char(out, ' ');
        text_safe(out, e->field[i].name);
        buf_add_char(out, '=');
        value(out, e, e->field[i].name);
    }
}

static void event_text(struct buf *out, const struct story_event *e, uint64_t about)
{
    buf_add_c(out, "  ");
    text_time(out, e->ms);
    buf_add_c(out, "  ");
    if (e->id != about) { /* another message's event that names this one: its report, or what it was */
        bool was = str_eq(e->name, S("redirected"));
        buf_add_c(out, was ? "this was message " : "this is a report about message ");
        rt_id_text(out, e->id);
        buf_add_c(out, ": ");
    }
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (str_eq(e->name, str_c(phrases[i].name))) {
            phrase(out, e, str_c(phrases[i].text));
            buf_add_char(out, '\n');
            return;
        }
    any_event(out, e);
    buf_add_char(out, '\n');
}

static void event_json(struct ctl_out *o, const struct story_event *e, uint64_t about)
{
    json_open(o, '{');
    json_ktime(o, "time", e->ms);
    json_kstr(o, "event", e->name);
    if (e->id != about) {
        json_kid(o, "id", e->id);
    }
    for (size_t i = 0; i < e->n; i++) {
        const struct log_field *f = &e->field[i].value;
        char name[64];
        if (str_eq(e->field[i].name, S("id")) || !str_to_c(e->field[i].name, name, sizeof name))
            continue;
        json_key(o, name);
        if (f->kind == LF_STR)
            json_str(o, f->s);
        else if (f->kind == LF_NUM)
            json_num(o, f->n);
        else if (f->n)
            json_id(o, (uint64_t)f->n);
        else
            json_null(o);
    }
    json_close(o, '}');
}

/* ---- what is left to do ---- */

struct left_walk {
    struct ctl_out *o;
    const struct queue_site *sites;
    size_t nsites;
    int64_t now;
    uint64_t n;
};

/* A ready recipient may wait for its destination. */
static void closed_site(struct left_walk *w, const struct queue_entry *e)
{
    struct buf *b = &w->o->b;
    for (size_t i = 0; i < w->nsites; i++) {
        const struct queue_site *s = &w->sites[i];
        if (!str_eq(s->key, e->site) || s->blocked_until_ms <= w->now)
            continue;
        buf_add_c(b, "; this destination is closed until ");
        text_time(b, s->blocked_until_ms);
        if (s->error.n) {
            buf_add_c(b, ": ");
            text_safe(b, s->error);
        }
    }
}

static void left_text(struct left_walk *w, const struct queue_entry *e)
{
    struct buf *b = &w->o->b;
    buf_add_c(b, "  now: ");
    text_safe(b, e->address);
    if (e->quarantine) {
        buf_add_c(b, " is in quarantine until an operator releases or deletes it, or quarantine.max-age is over\n");
        return;
    }
    if (e->state[0] == 'h') {
        buf_add_c(b, " is held until an operator releases it");
    } else if (e->state[0] == 'a') {
        buf_add_c(b, " is being delivered by ");
        text_safe(b, e->site);
    } else if (e->state[0] == 'w') {
        buf_add_c(b, " waits for its next attempt ");
        ctl_put_in(b, e->next_ms, w->now);
        buf_add_c(b, " (");
        text_time(b, e->next_ms);
        buf_add_c(b, ") by ");
        text_safe(b, e->site);
    } else {
        buf_add_c(b, " is ready for ");
        text_safe(b, e->site);
        closed_site(w, e);
    }
    if (e->attempts) {
        buf_add_c(b, ", after ");
        ctl_put_count(b, e->attempts, "attempt", "attempts");
    }
    buf_add_c(b, "; it expires ");
    text_time(b, e->expires_ms);
    buf_add_char(b, '\n');
    if (e->reply.n) {
        buf_add_c(b, "       last reply: ");
        text_safe(b, e->reply);
        buf_add_char(b, '\n');
    }
}

static void each_left(void *arg, const struct queue_entry *e)
{
    struct left_walk *w = arg;
    w->n++;
    if (w->o->json)
        ctl_rcpt_json(w->o, e);
    else
        left_text(w, e);
}

static void left(struct ctl_out *o, struct queue *q, uint64_t id, uint64_t *ret_n)
{
    const struct queue_filter f = {.id = id, .tenant = -1, .held = -1};
    struct queue_site *sites = o->json ? NULL : calloc(SITES_MAX, sizeof *sites);
    struct left_walk w = {.o = o, .sites = sites, .now = rt_wall_ms()};
    uint64_t cursor = 0;
    if (sites)
        w.nsites = queue_sites(q, sites, SITES_MAX);
    while (queue_walk(q, &f, &cursor, EVENTS_MAX, each_left, &w)) /* views of sites live until we yield */
        ;
    free(sites);
    *ret_n = w.n;
}

/* ---- one message ---- */

static bool is_about(const struct story_event *e, uint64_t id)
{
    const struct log_field *report = find(e, S("report")), *anew = find(e, S("anew"));
    return e->id == id || (report && report->kind == LF_ID && (uint64_t)report->n == id) ||
           (anew && anew->kind == LF_ID && (uint64_t)anew->n == id);
}

static void tell(struct ctl_out *o, const struct story_source *from, const struct story *s, uint64_t id)
{
    uint64_t n = 0;
    if (o->json) {
        json_open(o, '{');
        json_kid(o, "id", id);
        json_kopen(o, "events", '[');
    } else {
        buf_add_c(&o->b, "message ");
        rt_id_text(&o->b, id);
        buf_add_char(&o->b, '\n');
    }
    for (size_t i = s->n; i-- > 0;) { /* they came newest first */
        if (!is_about(&s->v[i], id))
            continue;
        if (o->json)
            event_json(o, &s->v[i], id);
        else
            event_text(&o->b, &s->v[i], id);
    }
    if (o->json) {
        json_close(o, ']');
        json_kopen(o, "waiting", '[');
    }
    if (from->queue)
        left(o, from->queue, id, &n);
    if (o->json) {
        json_close(o, ']');
        json_close(o, '}');
    } else if (n == 0) {
        buf_add_c(&o->b, from->queue ? "  now: nothing is left to do\n" : "  now: unknown, no server runs\n");
    }
}

static bool in_queue(struct queue *q, uint64_t id)
{
    struct ctl_out nowhere = {.json = true};
    uint64_t n = 0;
    buf_init(&nowhere.b, 1 << 20);
    if (q)
        left(&nowhere, q, id, &n);
    buf_free(&nowhere.b);
    return n > 0;
}

/* The newest of several messages: an id begins with the time. */
struct newest {
    uint64_t *ids; /* newest first */
    size_t n, max;
    str address;
};

static void newest_add(struct newest *w, uint64_t id)
{
    size_t i = w->n;
    for (size_t k = 0; k < w->n; k++)
        if (w->ids[k] == id)
            return;
    if (w->n == w->max && (!w->max || w->ids[w->n - 1] > id))
        return;
    i = w->n == w->max ? w->n - 1 : w->n++;
    for (; i > 0 && w->ids[i - 1] < id; i--)
        w->ids[i] = w->ids[i - 1];
    w->ids[i] = id;
}

static void each_waiting(void *arg, const struct queue_entry *e)
{
    struct newest *w = arg;
    if (str_ieq(e->address, w->address)) /* the filter takes parts of addresses, too */
        newest_add(w, e->id);
}

/* Of many recipients the event of an arrival names some, so those that wait are looked for where they wait. */
static void waiting_for(struct queue *q, struct newest *w) YIELDS;
static void waiting_for(struct queue *q, struct newest *w)
{
    const struct queue_filter f = {.recipient = w->address, .tenant = -1, .held = -1};
    uint64_t cursor = 0;
    while (queue_walk(q, &f, &cursor, EVENTS_MAX, each_waiting, w) && !fiber_cancelled())
        fiber_yield();
}

static err find_ids(const struct story_source *from, str what, uint64_t limit, uint64_t *ids, size_t *ret_n)
{
    struct story s;
    if (str_find(what, '@') == STR_NONE) {
        *ret_n = 1;
        return rt_id_parse(what, ids) ? OK : E_SYNTAX;
    }
    struct newest w = {.ids = ids,
                       .max = limit && limit < IDS_MAX ? (size_t)limit
                              : limit                  ? IDS_MAX
                                                       : IDS_DEFAULT,
                       .address = what};
    story_init(&s);
    err e = ask(from, &(struct history_query){.address = what, .limit = EVENTS_MAX}, &s);
    for (size_t i = 0; !e && i < s.n; i++)
        if (s.v[i].id)
            newest_add(&w, s.v[i].id);
    story_free(&s);
    if (!e && from->queue)
        waiting_for(from->queue, &w);
    *ret_n = e ? 0 : w.n;
    return e;
}

err story_tell(struct ctl_out *o, const struct story_source *from, str what, uint64_t limit)
{
    uint64_t ids[IDS_MAX];
    size_t n = 0;
    struct story s;
    if (what.n > 2 && what.p[0] == '<' && what.p[what.n - 1] == '>')
        what = str_sub(what, 1, what.n - 1);
    err e = find_ids(from, what, limit, ids, &n);
    if (e || n == 0)
        return e ? e : E_NOT_FOUND;
    story_init(&s);
    e = ask(from, &(struct history_query){.ids = ids, .nids = n, .limit = EVENTS_MAX * n}, &s);
    put_in_order(&s);
    if (!e && s.n == 0 && !in_queue(from->queue, ids[0]))
        e = E_NOT_FOUND;
    if (!e && o->json) {
        json_open(o, '{');
        json_kopen(o, "messages", '[');
    }
    for (size_t i = 0; i < n && !e; i++)
        tell(o, from, &s, ids[i]);
    if (!e && o->json) {
        json_close(o, ']');
        json_end(o, '}');
    } else if (!e && s.damaged.n) {
        text_safe(&o->b, s.damaged);
        buf_add_char(&o->b, '\n');
    }
    story_free(&s);
    return e ? e : o->b.e;
}

bool ctl_told(const struct ctl *rooms, uint64_t id)
{
    struct story s;
    const struct story_source from = {.history = rooms->history};
    story_init(&s);
    err e = ask(&from, &(struct history_query){.ids = &id, .nids = 1, .limit = 1}, &s);
    bool known = !e && s.n > 0;
    story_free(&s);
    return known;
}

/* ---- the two ways to ask ---- */

int ctl_why(struct ctl_session *s)
{
    const struct story_source from = {.history = s->rooms->history, .queue = s->rooms->queue};
    err e = story_tell(&s->out, &from, s->args.word[0], s->args.limit);
    AUTO_BUF safe;
    buf_init(&safe, 1024);
    text_safe(&safe, str_sub(s->args.word[0], 0, 200));
    if (e == E_SYNTAX)
        return ctl_fail(s, EXIT_USAGE,
                        "postrider: expected a message id of 13 characters or an address, found \"" STR_FMT "\"",
                        STR_ARG(buf_str(&safe)));
    if (e == E_NOT_FOUND)
        return ctl_fail(s, EXIT_FAIL,
                        "postrider: nothing is known about " STR_FMT ": not in the queue, not in the history",
                        STR_ARG(buf_str(&safe)));
    if (e)
        return ctl_fail(s, EXIT_FAIL, "postrider: the story cannot be told: %s", err_text(e));
    return EXIT_OK;
}

err ctl_why_offline(struct buf *out, int dirfd, const char *folder, str what, uint64_t limit, bool json)
{
    struct ctl_out o = {.json = json};
    const struct story_source from = {.dirfd = dirfd, .folder = folder};
    buf_init(&o.b, memory_max);
    err e = story_tell(&o, &from, what, limit);
    if (!e)
        buf_add(out, buf_str(&o.b));
    buf_free(&o.b);
    return e ? e : out->e;
}
