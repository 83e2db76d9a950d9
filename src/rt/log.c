/*
 * The log: a line per event, formatted without printf into a buffer of the thread, written once a
 * loop turn. Peer bytes are escaped and cut. A log that is not read (a full pipe) never stops the
 * server: lines wait in the buffer, and when that is full new ones are dropped and counted.
 */
#include "rt/internal.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BUFFER = 64 * 1024,    /* of a thread */
    LINE_MAX_ = 16 * 1024, /* a line that is longer is dropped */
    VALUE_MAX = 1024,      /* octets of a value that are shown */
    FIELDS_MAX = 16,
    ATOM = 4096, /* PIPE_BUF: so much goes into a pipe that polls writable */
    STAMP = 24,
};

static struct {
    const char *name;
    const char *fields;
    enum log_level level;
    str field[FIELDS_MAX];
    size_t n;
    bool has_id;
} rows[EVENT_COUNT] = {
#define EVENT(name_, level_, fields_, help_) [EV_##name_] = {.name = #name_, .fields = fields_, .level = LOG_##level_},
#include "rt/events.def"
#undef EVENT
};
static const char *const levels[] = {"debug", "info", "notice", "warning", "error"};

static atomic_int least = LOG_INFO, out_fd = 2;
static atomic_bool json, patient; /* patient: the descriptor is a file, a write of any size ends */
static void (*tap)(enum event ev, const struct log_field *v, size_t n);

struct lines {
    char stamp[STAMP];
    int64_t stamp_s, stamp_ms;
    struct buf b;
    bool torn; /* the last write ended inside a line */
};
static _Thread_local struct lines *mine;

static void set_out(enum log_level lowest, bool as_json, int fd)
{
    struct stat st;
    atomic_store(&patient, fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(fd))));
    atomic_store(&least, (int)lowest);
    atomic_store(&json, as_json);
    atomic_store(&out_fd, fd);
}

__attribute__((constructor)) static void read_rows(void)
{
    for (int i = 0; i < EVENT_COUNT; i++) {
        str rest = str_c(rows[i].fields), name;
        while (rows[i].n < FIELDS_MAX && str_cut(&rest, ' ', &name)) {
            if (name.n)
                rows[i].field[rows[i].n++] = name;
            rows[i].has_id |= str_eq(name, S("id"));
        }
    }
    set_out(LOG_INFO, false, 2);
}

const char *event_name(enum event ev) { return rows[ev].name; }
void rt_log_tap(void (*fn)(enum event ev, const struct log_field *v, size_t n)) { tap = fn; }

/* Whoever logs outlives the reader of the log. */
void rt_log_setup(enum log_level lowest, bool as_json, int fd)
{
    signal(SIGPIPE, SIG_IGN);
    set_out(lowest, as_json, fd);
}

static struct lines *own(void)
{
    if (!mine) {
        struct lines *l = calloc(1, sizeof *l);
        if (!l)
            return NULL;
        l->stamp_s = -1;
        buf_init(&l->b, BUFFER);
        if (!buf_room(&l->b, BUFFER)) {
            free(l);
            return NULL;
        }
        mine = l;
    }
    return mine;
}

/* ---- writing ---- */

static void drop(struct lines *l, size_t n)
{
    int64_t lost = 0;
    for (size_t i = 0; i < n; i++)
        lost += l->b.p[i] == '\n';
    buf_drop(&l->b, n);
    if (l->torn)
        buf_add_char(&l->b, '\n');
    l->torn = false;
    metric_add(M_log_lost, lost);
}

/* How much to write at once so that the write does not block: whole lines, if the first fits. */
static size_t portion(const struct lines *l, int fd, int wait_ms)
{
    if (atomic_load_explicit(&patient, memory_order_relaxed))
        return l->b.n;
    if (!rt_be->log_ready(fd, wait_ms))
        return 0;
    if (l->b.n <= ATOM)
        return l->b.n;
    size_t end = str_rfind((str){l->b.p, ATOM}, '\n');
    return end == STR_NONE ? ATOM : end + 1;
}

static void write_out(struct lines *l, int wait_ms)
{
    int fd = atomic_load_explicit(&out_fd, memory_order_relaxed);
    while (l->b.n) {
        size_t n = portion(l, fd, wait_ms);
        if (!n)
            return;
        ssize_t r = rt_be->log_write(fd, l->b.p, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0 && errno == EAGAIN)
            return;
        if (r <= 0) {
            drop(l, l->b.n);
            return;
        }
        l->torn = l->b.p[r - 1] != '\n';
        buf_drop(&l->b, (size_t)r);
    }
}

void rt_log_flush(void)
{
    if (mine && mine->b.n)
        write_out(mine, 0);
}

bool log_pending(void) { return mine && mine->b.n; }

void log_end(void)
{
    if (!mine)
        return;
    write_out(mine, 1000);
    if (mine->b.n)
        drop(mine, mine->b.n);
    buf_free(&mine->b);
    free(mine);
    mine = NULL;
}

/* ---- formatting ---- */

static const char *stamp(struct lines *l)
{
    int64_t ms = rt_wall_ms(), s = ms / 1000;
    if (ms == l->stamp_ms)
        return l->stamp;
    if (s != l->stamp_s) {
        struct buf b;
        char text[64];
        buf_init_fixed(&b, text, sizeof text);
        text_time(&b, ms);
        memcpy(l->stamp, text, STAMP);
        l->stamp_s = s;
    }
    int sub = (int)(ms % 1000);
    l->stamp[20] = (char)('0' + sub / 100);
    l->stamp[21] = (char)('0' + sub / 10 % 10);
    l->stamp[22] = (char)('0' + sub % 10);
    l->stamp_ms = ms;
    return l->stamp;
}

/* What a value may hold without quotes: 1; with quotes but as it is: 2. */
static unsigned char plain[256];

__attribute__((constructor)) static void fill_plain(void)
{
    for (int c = 32; c < 127; c++)
        plain[c] = c == '"' || c == '\\' ? 0 : c == ' ' || c == '=' ? 2 : 1;
}

static void add_num(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_add_char(b, '-');
    buf_add_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static void add_text(struct buf *b, str s)
{
    bool cut = s.n > VALUE_MAX;
    size_t bare = 0, clean = 0;
    if (cut)
        s.n = VALUE_MAX;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = plain[(unsigned char)s.p[i]];
        bare += c == 1;
        clean += c != 0;
    }
    if (bare == s.n && s.n && !cut) {
        buf_add(b, s);
        return;
    }
    buf_add_char(b, '"');
    if (clean == s.n)
        buf_add(b, s);
    else
        text_safe(b, s);
    buf_add(b, cut ? S("...\"") : S("\""));
}

static void add_json(struct buf *b, str s)
{
    size_t clean = 0, n = s.n > VALUE_MAX ? VALUE_MAX : s.n;
    for (size_t i = 0; i < n; i++)
        clean += plain[(unsigned char)s.p[i]] != 0;
    if (clean < n) {
        text_json(b, str_sub(s, 0, n));
        if (b->n && n < s.n)
            b->n--;
    } else {
        buf_add_char(b, '"');
        buf_add(b, str_sub(s, 0, n));
    }
    if (n < s.n)
        buf_add(b, S("..."));
    if (clean == n || n < s.n)
        buf_add_char(b, '"');
}

static void add_value(struct buf *b, const struct log_field *f, bool as_json)
{
    if (f->kind == LF_NUM) {
        add_num(b, f->n);
    } else if (f->kind == LF_ID) {
        buf_add(b, as_json ? S("\"") : S(""));
        rt_id_text(b, (uint64_t)f->n);
        buf_add(b, as_json ? S("\"") : S(""));
    } else if (as_json) {
        add_json(b, f->s);
    } else {
        add_text(b, f->s);
    }
}

static void add_line(struct lines *l, struct buf *b, enum event ev, const struct log_field *v, size_t n, bool as_json)
{
    buf_add(b, as_json ? S("{\"time\":\"") : S(""));
    buf_add(b, str_mem(stamp(l), STAMP));
    buf_add(b, as_json ? S("\",\"level\":\"") : S(" "));
    buf_add_c(b, levels[rows[ev].level]);
    buf_add(b, as_json ? S("\",\"event\":\"") : S(" "));
    buf_add_c(b, rows[ev].name);
    buf_add(b, as_json ? S("\"") : S(""));
    for (size_t i = 0; i < n && i < rows[ev].n; i++) {
        buf_add(b, as_json ? S(",\"") : S(" "));
        buf_add(b, rows[ev].field[i]);
        buf_add(b, as_json ? S("\":") : S("="));
        add_value(b, &v[i], as_json);
    }
    buf_add(b, as_json ? S("}\n") : S("\n"));
}

/* False: it did not fit, and nothing of it is left. */
static bool try_line(struct lines *l, enum event ev, const struct log_field *v, size_t n)
{
    size_t before = l->b.n;
    add_line(l, &l->b, ev, v, n, atomic_load_explicit(&json, memory_order_relaxed));
    if (!l->b.e)
        return true;
    l->b.e = OK;
    l->b.n = before;
    return false;
}

void rt_log_format(struct buf *out, enum event ev, const struct log_field *v, size_t n, bool as_json)
{
    struct lines *l = own(), none = {.stamp_s = -1};
    add_line(l ? l : &none, out, ev, v, n, as_json);
}

/* A thread without memory for lines of its own writes this one at once, from memory that all such threads share. */
static void log_at_once(enum event ev, const struct log_field *v, size_t n)
{
    static struct lock turn;
    static char mem[LINE_MAX_];
    struct lines l = {.stamp_s = -1};
    lock_take(&turn);
    buf_init_fixed(&l.b, mem, sizeof mem);
    bool fits = try_line(&l, ev, v, n);
    if (fits)
        write_out(&l, 0);
    if (!fits || l.b.n)
        metric_add(M_log_lost, 1);
    lock_drop(&turn);
}

/* ---- those who watch ---- */

int rt_watching;
static struct rt_watch watch;

void rt_watch_setup(const struct rt_watch *w) { watch = *w; }

void rt_watch_count(int by) { __atomic_add_fetch(&rt_watching, by, __ATOMIC_RELEASE); }

void rt_said_line(uint64_t session, char who, str octets) { watch.said(session, who, octets); }

void rt_log_fields(enum event ev, const struct log_field *v, size_t n)
{
    event_add(ev);
    if (__atomic_load_n(&rt_watching, __ATOMIC_ACQUIRE))
        watch.event(ev, v, n);
    if (tap && rows[ev].has_id)
        tap(ev, v, n);
    if ((int)rows[ev].level < atomic_load_explicit(&least, memory_order_relaxed))
        return;
    struct lines *l = own();
    if (!l) {
        log_at_once(ev, v, n);
        return;
    }
    if (!try_line(l, ev, v, n)) {
        write_out(l, 0);
        if (!try_line(l, ev, v, n))
            metric_add(M_log_lost, 1);
    }
    if (!rt_current)
        write_out(l, 0);
}
