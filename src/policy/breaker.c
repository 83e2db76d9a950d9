/* The switches of breaker.h: one list, whose entries never go. */
#include "policy/breaker.h"

#include <stdlib.h>

enum { BREAKERS_MAX = 1000, LABEL_MAX = 200 };

struct breaker {
    struct breaker *next;
    struct lock lock;
    enum breaker_state state;
    bool trying;       /* one question is out */
    uint32_t failures; /* in a row */
    rt_time until;     /* open: not asked before */
    uint64_t asked, failed;
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
