/*
 * Counters and gauges: an array per thread that only its thread writes, summed when read. An ended
 * thread's counts are added to `past`.
 */
#include "rt/internal.h"

#include <stdlib.h>

struct counts {
    struct counts *next;
    _Atomic int64_t metric[METRIC_COUNT], event[EVENT_COUNT];
};

enum kind { COUNTER, GAUGE, MAXIMUM };
static const struct {
    const char *name, *help;
    enum kind kind;
} rows[METRIC_COUNT] = {
#define METRIC(name, kind, help) [M_##name] = {#name, help, kind},
#include "rt/metrics.def"
#undef METRIC
};

static struct lock lock;
static struct counts past, *all = &past;
static _Thread_local struct counts *mine;

/* A thread that finds no memory counts in `past`, with the lock of the bus instead of its own array. */
static struct counts *own(void)
{
    if (!mine) {
        struct counts *c = calloc(1, sizeof *c);
        if (!c)
            return &past;
        lock_take(&lock);
        c->next = all;
        all = c;
        lock_drop(&lock);
        mine = c;
    }
    return mine;
}

static void add(struct counts *c, _Atomic int64_t *v, int64_t by)
{
    if (c == &past)
        atomic_fetch_add_explicit(v, by, memory_order_relaxed);
    else
        atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + by, memory_order_relaxed);
}

void metric_add(enum metric m, int64_t by)
{
    struct counts *c = own();
    add(c, &c->metric[m], by);
}

void event_add(enum event ev)
{
    struct counts *c = own();
    add(c, &c->event[ev], 1);
}

void metric_max(enum metric m, int64_t v)
{
    struct counts *c = own();
    if (v > atomic_load_explicit(&c->metric[m], memory_order_relaxed))
        atomic_store_explicit(&c->metric[m], v, memory_order_relaxed);
}

static int64_t merge(enum kind k, int64_t a, int64_t b) { return k == MAXIMUM ? (a > b ? a : b) : a + b; }

void metrics_end(void)
{
    if (!mine)
        return;
    lock_take(&lock);
    for (int i = 0; i < METRIC_COUNT; i++)
        past.metric[i] = merge(rows[i].kind, past.metric[i], mine->metric[i]);
    for (int i = 0; i < EVENT_COUNT; i++)
        past.event[i] += mine->event[i];
    struct counts **at = &all;
    while (*at != mine)
        at = &(*at)->next;
    *at = mine->next;
    lock_drop(&lock);
    free(mine);
    mine = NULL;
}

static int64_t sum(enum kind k, size_t offset)
{
    int64_t v = 0;
    lock_take(&lock);
    for (struct counts *c = all; c; c = c->next)
        v = merge(k, v, atomic_load_explicit((_Atomic int64_t *)((char *)c + offset), memory_order_relaxed));
    lock_drop(&lock);
    return v;
}

int64_t metric_read(enum metric m) { return sum(rows[m].kind, offsetof(struct counts, metric) + m * sizeof(int64_t)); }

int64_t event_count(enum event ev) { return sum(COUNTER, offsetof(struct counts, event) + ev * sizeof(int64_t)); }

static void add_i64(struct buf *out, int64_t v)
{
    if (v < 0)
        buf_add_char(out, '-');
    buf_add_u64(out, v < 0 ? -(uint64_t)v : (uint64_t)v);
    buf_add_char(out, '\n');
}

static void head(struct buf *out, const char *name, const char *tail, const char *help, bool counter)
{
    const char *parts[] = {"# HELP postrider_",
                           name,
                           tail,
                           " ",
                           help,
                           "\n# TYPE postrider_",
                           name,
                           tail,
                           counter ? " counter\n" : " gauge\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        buf_add_c(out, parts[i]);
}

static void (*more[4])(struct buf *out);

void metrics_also(void (*fn)(struct buf *out))
{
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (!more[i] || more[i] == fn) {
            more[i] = fn;
            return;
        }
}

void metrics_print(struct buf *out)
{
    for (enum metric m = 0; m < METRIC_COUNT; m++) {
        const char *tail = rows[m].kind == COUNTER ? "_total" : "";
        head(out, rows[m].name, tail, rows[m].help, rows[m].kind == COUNTER);
        buf_add(out, S("postrider_"));
        buf_add_c(out, rows[m].name);
        buf_add_c(out, tail);
        buf_add_char(out, ' ');
        add_i64(out, metric_read(m));
    }
    head(out, "events", "_total", "events in the log, by name", true);
    for (enum event ev = 0; ev < EVENT_COUNT; ev++) {
        buf_add(out, S("postrider_events_total{event=\""));
        buf_add_c(out, event_name(ev));
        buf_add(out, S("\"} "));
        add_i64(out, event_count(ev));
    }
    for (size_t i = 0; i < sizeof more / sizeof *more && more[i]; i++)
        more[i](out);
}
