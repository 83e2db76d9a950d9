/*
 * `watch` and `capture`: what happens, as it happens. Events and words of sessions come from every thread; each
 * watcher has a bounded text that they are added to, and a fiber of loop 0 that sends it. What does not fit is counted.
 */
#include "ctl/internal.h"

enum { TEXT_MAX = 4 << 20, CHOSEN_MAX = 256, SAID_MAX = 2000 };
#define LOOK RT_S /* between looks at whether the other end is still there */

struct watcher {
    struct list node;
    struct post post;
    struct fiber *fiber;
    const struct ctl_args *args;
    struct buf text;
    uint64_t lost;
    uint64_t chosen[CHOSEN_MAX]; /* sessions of a capture, the oldest is replaced */
    size_t nchosen;
    bool capture, json, posted;
};

static struct {
    struct lock lock;
    struct list all;
} watchers = {.all = LIST_INIT(watchers.all)};

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

/* "field=value" is a whole field; anything else is looked for anywhere. */
static bool has_word(str line, str word)
{
    size_t at = 0;
    for (;;) {
        size_t found = str_search(str_skip(line, at), word);
        if (found == STR_NONE)
            return false;
        if (str_find(word, '=') == STR_NONE)
            return true;
        at += found;
        size_t end = at + word.n;
        if (at && line.p[at - 1] == ' ' && (end == line.n || line.p[end] == ' ' || line.p[end] == '\n'))
            return true;
        at++;
    }
}

static bool wanted(const struct watcher *w, str line)
{
    for (size_t i = 0; i < w->args->nword; i++)
        if (!has_word(line, w->args->word[i]))
            return false;
    return true;
}

static bool session_of(const struct log_field *v, size_t n, str line, uint64_t *ret)
{
    size_t at = str_search(line, S(" session="));
    (void)v;
    (void)n;
    if (at == STR_NONE)
        return false;
    str rest = str_skip(line, at + 9), number;
    size_t end = 0;
    while (end < rest.n && ascii_digit(rest.p[end]))
        end++;
    number = str_sub(rest, 0, end);
    return text_u64(number, ret);
}

static bool is_chosen(const struct watcher *w, uint64_t session)
{
    if (w->args->nword == 0)
        return true;
    size_t n = w->nchosen < CHOSEN_MAX ? w->nchosen : CHOSEN_MAX;
    for (size_t i = 0; i < n; i++)
        if (w->chosen[i] == session)
            return true;
    return false;
}

/* ---- what happens; any thread
 * ---------------------------------------------------------------------------------------- */

static void woken(struct post *p)
{
    struct watcher *w = container_of(p, struct watcher, post);
    lock_take(&watchers.lock);
    w->posted = false;
    struct fiber *f = w->fiber;
    lock_drop(&watchers.lock);
    if (f)
        fiber_wake(f);
}

/* With the lock. */
static void add(struct watcher *w, str line)
{
    size_t before = w->text.n;
    buf_add(&w->text, line);
    if (w->text.e) {
        w->text.e = OK;
        w->text.n = before;
        w->lost++;
    }
    if (!w->posted) {
        w->posted = true;
        rt_post(rt_loop(0), &w->post);
    }
}

static void choose(struct watcher *w, uint64_t session)
{
    if (!is_chosen(w, session))
        w->chosen[w->nchosen++ % CHOSEN_MAX] = session;
}

static void on_event(enum event ev, const struct log_field *v, size_t n)
{
    AUTO_BUF text;
    AUTO_BUF json;
    buf_init(&text, 65536);
    buf_init(&json, 65536);
    rt_log_format(&text, ev, v, n, false);
    rt_log_format(&json, ev, v, n, true);
    str line = buf_str(&text);
    uint64_t session = 0;
    bool has_session = session_of(v, n, line, &session) && session;
    lock_take(&watchers.lock);
    for (struct list *i = watchers.all.next; i != &watchers.all; i = i->next) {
        struct watcher *w = container_of(i, struct watcher, node);
        bool want = wanted(w, line);
        if (w->capture && want && has_session)
            choose(w, session);
        if (w->capture ? has_session && is_chosen(w, session) : want)
            add(w, w->json ? buf_str(&json) : line);
    }
    lock_drop(&watchers.lock);
}

static void one_line(struct buf *out, bool json, uint64_t session, char who, str line)
{
    text_time(out, rt_wall_ms()); /* in front of what the log has there, too */
    buf_printf(out, " %llu %c ", (unsigned long long)session, who);
    text_safe(out, str_sub(line, 0, SAID_MAX));
    (void)json;
    buf_add_char(out, '\n');
}

static void one_json(struct buf *out, uint64_t session, char who, str line)
{
    buf_add_c(out, "{\"time\":\"");
    text_time(out, rt_wall_ms());
    buf_printf(out, "\",\"session\":%llu,\"who\":\"%c\",\"text\":", (unsigned long long)session, who);
    text_json(out, str_sub(line, 0, SAID_MAX));
    buf_add_c(out, "}\n");
}

static void on_said(uint64_t session, char who, str octets)
{
    AUTO_BUF text;
    AUTO_BUF json;
    if (!session)
        return;
    buf_init(&text, 1 << 20);
    buf_init(&json, 1 << 20);
    lock_take(&watchers.lock);
    for (struct list *i = watchers.all.next; i != &watchers.all; i = i->next) {
        struct watcher *w = container_of(i, struct watcher, node);
        if (!w->capture || !is_chosen(w, session))
            continue;
        struct buf *out = w->json ? &json : &text;
        str rest = octets, line;
        while (out->n == 0 && rest.n && str_cut(&rest, '\n', &line)) {
            do {
                line.n -= line.n && line.p[line.n - 1] == '\r';
                w->json ? one_json(out, session, who, line) : one_line(out, false, session, who, line);
            } while (rest.n && str_cut(&rest, '\n', &line));
        }
        add(w, buf_str(out));
    }
    lock_drop(&watchers.lock);
}

/* ---- a watcher
 * ----------------------------------------------------------------------------------------------------------- */

static void join(struct watcher *w)
{
    static bool begun; /* loop 0 alone */
    if (!begun)
        rt_watch_setup(&(struct rt_watch){on_event, on_said});
    begun = true;
    lock_take(&watchers.lock);
    list_push_back(&watchers.all, &w->node);
    lock_drop(&watchers.lock);
    rt_watch_count(1);
}

/* Afterwards nobody touches it. */
static void leave(struct watcher *w)
{
    rt_watch_count(-1);
    fiber_shield(true);
    lock_take(&watchers.lock);
    list_remove(&w->node);
    bool posted = w->posted;
    lock_drop(&watchers.lock);
    while (posted) {
        (void)fiber_sleep(rt_after(RT_MS));
        lock_take(&watchers.lock);
        posted = w->posted;
        lock_drop(&watchers.lock);
    }
    fiber_shield(false);
}

/* What has gathered, sent. */
static err send_on(struct ctl_session *s, struct watcher *w)
{
    struct buf empty, text;
    buf_init(&empty, TEXT_MAX);
    lock_take(&watchers.lock);
    text = w->text;
    w->text = empty;
    uint64_t lost = w->lost;
    w->lost = 0;
    lock_drop(&watchers.lock);
    buf_add(&s->out.b, buf_str(&text));
    buf_free(&text);
    if (lost)
        buf_printf(&s->out.b,
                   w->json ? "{\"lost\":%llu}\n" : "(%llu lines lost: they came faster than they are read)\n",
                   (unsigned long long)lost);
    s->conn.deadline = rt_after(30 * RT_S);
    return s->out.b.n ? ctl_out_send(&s->out) : OK;
}

static int follow(struct ctl_session *s, bool capture)
{
    struct watcher *w = arena_new(&s->arena, struct watcher);
    if (!w)
        return ctl_fail(s, EXIT_FAIL, "postrider: the server is out of memory");
    *w = (struct watcher){
        .post.run = woken, .fiber = fiber_self(), .args = &s->args, .capture = capture, .json = s->out.json};
    buf_init(&w->text, TEXT_MAX);
    join(w);
    err e = OK;
    while (!e) {
        err parked = fiber_park(rt_after(LOOK));
        e = parked == E_CANCELLED ? parked : send_on(s, w);
        if (!e && conn_readable(&s->conn))
            e = E_CLOSED; /* nothing more is expected from there */
        e = e ? e : s->conn.e;
    }
    leave(w);
    buf_free(&w->text);
    return EXIT_OK;
}

int ctl_watch(struct ctl_session *s) { return follow(s, false); }
int ctl_capture(struct ctl_session *s) { return follow(s, true); }
