/* The switches of breaker.h: one list, whose entries never go. */
#include "policy/breaker.h"

#include <stdlib.h>

enum { BREAKERS_MAX = 1000, LABEL_MAX = 200, STEPS = 10 };

/* Upper bounds of the histogram, in milliseconds. */
static const unsigned bounds[STEPS] = {1, 5, 20, 50, 100, 250, 1000, 5000, 15000, 60000};

struct breaker {
    struct breaker *next;
    struct lock lock;
    enum breaker_state state;
    bool trying;       /* one question is out */
    uint32_t failures; /* in a row */
    rt_time until;     /* open: not asked before */
    uint64_t asked, failed;
    uint64_t took[STEPS + 1]; /* not cumulative; the last: longer than all bounds */
    rt_time sum;
    size_t n;
    char name[LABEL_MAX];
};

static struct lock all_lock;
static struct breaker *all;
static unsigned count;

static struct breaker *find(str name)
{
    for (struct breaker *b = all; b; b = b->next)
        if (str_eq(str_mem(b->name, b->n), name))
            return b;
    return NULL;
}

struct breaker *breaker_of(const char *kind, str name)
{
    char mem[LABEL_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    buf_printf(&text, "%s " STR_FMT, kind, STR_ARG(str_sub(name, 0, LABEL_MAX - 40)));
    lock_take(&all_lock);
    struct breaker *b = find(buf_str(&text));
    if (!b && count < BREAKERS_MAX && (b = calloc(1, sizeof *b))) {
        memcpy(b->name, mem, text.n);
        b->n = text.n;
        b->next = all;
        all = b;
        count++;
    }
    lock_drop(&all_lock);
    return b;
}

bool breaker_enter(struct breaker *b)
{
    bool go = true;
    if (!b)
        return true;
    lock_take(&b->lock);
    if (b->state == BREAKER_OPEN && rt_now() >= b->until)
        b->state = BREAKER_TRYING;
    if (b->state == BREAKER_OPEN || (b->state == BREAKER_TRYING && b->trying))
        go = false;
    if (go) {
        b->trying = b->state == BREAKER_TRYING;
        b->asked++;
    }
    lock_drop(&b->lock);
    return go;
}

void breaker_leave(struct breaker *b, bool ok, uint32_t failures, rt_time pause, const char *why)
{
    enum breaker_state before, now;
    if (!b)
        return;
    lock_take(&b->lock);
    before = b->state;
    b->trying = false;
    b->failures = ok ? 0 : b->failures + 1;
    b->failed += !ok;
    if (ok) {
        b->state = BREAKER_CLOSED;
    } else if (failures && (before == BREAKER_TRYING || b->failures >= failures)) {
        b->state = BREAKER_OPEN;
        b->until = rt_after(pause);
    }
    now = b->state;
    lock_drop(&b->lock);
    if (now == BREAKER_OPEN && before == BREAKER_CLOSED)
        rt_log(EV_filter_down, log_str(str_mem(b->name, b->n)), log_c(why), log_num(pause / RT_S));
    if (now == BREAKER_CLOSED && before != BREAKER_CLOSED)
        rt_log(EV_filter_up, log_str(str_mem(b->name, b->n)));
}

void breaker_cancel(struct breaker *b)
{
    if (!b)
        return;
    lock_take(&b->lock);
    b->trying = false;
    b->asked--;
    lock_drop(&b->lock);
}

enum breaker_state breaker_state(struct breaker *b)
{
    lock_take(&b->lock);
    enum breaker_state s = b->state;
    lock_drop(&b->lock);
    return s;
}

void breaker_each(void (*fn)(void *arg, str name, enum breaker_state s, uint64_t asked, uint64_t failed), void *arg)
{
    lock_take(&all_lock);
    struct breaker *b = all;
    lock_drop(&all_lock); /* new ones come before the first; none goes */
    for (; b; b = b->next) {
        lock_take(&b->lock);
        enum breaker_state s = b->state;
        uint64_t asked = b->asked, failed = b->failed;
        lock_drop(&b->lock);
        fn(arg, str_mem(b->name, b->n), s, asked, failed);
    }
}

/* ---- metrics ------------------------------------------------------------------------------------------------------
 */

void breaker_took(struct breaker *b, rt_time begun)
{
    if (!b)
        return;
    rt_time took = rt_now() - begun;
    size_t i = 0;
    while (i < STEPS && took > bounds[i] * RT_MS)
        i++;
    lock_take(&b->lock);
    b->took[i]++;
    b->sum += took;
    lock_drop(&b->lock);
}

static void label(struct buf *out, const char *name, const struct breaker *b, const char *more)
{
    buf_printf(out, "postrider_filter_%s{filter=\"", name);
    for (size_t i = 0; i < b->n; i++) {
        if (b->name[i] == '"' || b->name[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, b->name[i] == '\n' ? ' ' : b->name[i]);
    }
    buf_printf(out, "\"%s} ", more);
}

static void print(struct buf *out, const struct breaker *b, int what)
{
    char le[40];
    uint64_t n = 0;
    switch (what) {
    case 0:
        label(out, "up", b, "");
        buf_printf(out, "%d\n", b->state == BREAKER_CLOSED);
        return;
    case 1:
        label(out, "asked_total", b, "");
        buf_printf(out, "%llu\n", (unsigned long long)b->asked);
        return;
    case 2:
        label(out, "failed_total", b, "");
        buf_printf(out, "%llu\n", (unsigned long long)b->failed);
        return;
    default:
        break;
    }
    for (size_t i = 0; i <= STEPS; i++) {
        struct buf t;
        n += b->took[i];
        memset(le, 0, sizeof le);
        buf_init_fixed(&t, le, sizeof le - 1);
        if (i < STEPS)
            buf_printf(&t, ",le=\"%g\"", bounds[i] / 1000.0);
        else
            buf_add_c(&t, ",le=\"+Inf\"");
        label(out, "seconds_bucket", b, le);
        buf_printf(out, "%llu\n", (unsigned long long)n);
    }
    label(out, "seconds_sum", b, "");
    buf_printf(out, "%.6f\n", (double)b->sum / RT_S);
    label(out, "seconds_count", b, "");
    buf_printf(out, "%llu\n", (unsigned long long)n);
}

void breaker_metrics(struct buf *out)
{
    static const char *const heads[] = {
        "# HELP postrider_filter_up whether a milter, a scanner or a server behind is asked (0: it failed and is left "
        "alone)\n# TYPE postrider_filter_up gauge\n",
        "# HELP postrider_filter_asked_total questions to it\n# TYPE postrider_filter_asked_total counter\n",
        "# HELP postrider_filter_failed_total questions that it did not answer\n"
        "# TYPE postrider_filter_failed_total counter\n",
        "# HELP postrider_filter_seconds how long it took; of a milter, one step of a message\n"
        "# TYPE postrider_filter_seconds histogram\n"};
    lock_take(&all_lock);
    struct breaker *first = all;
    lock_drop(&all_lock);
    for (int what = 0; first && what < 4; what++) {
        buf_add_c(out, heads[what]);
        for (struct breaker *b = first; b; b = b->next) {
            lock_take(&b->lock);
            print(out, b, what);
            lock_drop(&b->lock);
        }
    }
}
