/* The scheduler: a virtual clock, events in order of time, actors picked by chance, the trace and its hash. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#if defined RT_ASAN
#include <sanitizer/asan_interface.h>
#endif

struct sim sim OWN = {0};

/* ---- memory of our own ------------------------------------------------------------------------------------- */

void *own_grow(void *p, size_t n)
{
    p = __real_realloc(p, n ? n : 1);
    if (!p) {
        fputs("sim: out of memory\n", stderr);
        _exit(3);
    }
    return p;
}
void *own_alloc(size_t n) { return memset(own_grow(NULL, n), 0, n); }
char *own_text(const char *s) { return memcpy(own_alloc(strlen(s) + 1), s, strlen(s) + 1); }

/* ---- chance --------------------------------------------------------------------------------------------------- */

static uint64_t chance OWN;

uint64_t sim_random(void) /* splitmix64 */
{
    uint64_t z = chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
uint64_t sim_below(uint64_t n) { return sim_random() % n; }
bool sim_chance(unsigned percent) { return sim_below(100) < percent; }
int64_t sim_between(int64_t least, int64_t most) { return least + (int64_t)sim_below((uint64_t)(most - least + 1)); }

/* ---- the trace --------------------------------------------------------------------------------------------------- */

static uint64_t hash OWN = 0xcbf29ce484222325u;

uint64_t trace_hash(void) { return hash; }

void trace(const char *fmt, ...)
{
    char line[1024];
    if (!sim.tracing)
        return;
    int at =
        snprintf(line, sizeof line, "%lld.%06lld ", (long long)(sim.now / RT_S), (long long)(sim.now % RT_S / RT_US));
    va_list v;
    va_start(v, fmt);
    int n = vsnprintf(line + at, sizeof line - (size_t)at - 1, fmt, v);
    va_end(v);
    n = n + at < (int)sizeof line - 2 ? n + at : (int)sizeof line - 2;
    for (int i = 0; i < n; i++)
        if ((unsigned char)line[i] < 32)
            line[i] = ' ';
    line[n++] = '\n';
    for (int i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)line[i]) * 0x100000001b3u;
    fwrite(line, 1, (size_t)n, stdout);
}

void violation(const char *fmt, ...)
{
    char line[2048];
    va_list v;
    va_start(v, fmt);
    vsnprintf(line, sizeof line, fmt, v);
    va_end(v);
    trace("VIOLATION %s", line);
    fflush(stdout);
    if (sim.violations++ < 8)
        fprintf(stderr, "seed %llu at %.3f s: %s\n", (unsigned long long)sim.seed, (double)sim.now / (double)RT_S,
                line);
}

/* ---- events --------------------------------------------------------------------------------------------------------
 */

struct happening {
    rt_time at;
    uint64_t order;
    void (*fn)(void *arg, uint64_t n);
    void *arg;
    uint64_t n;
};
static struct happening *events OWN;
static size_t nevents OWN, events_cap OWN;
static uint64_t order OWN;

static bool before(const struct happening *a, const struct happening *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_at(rt_time at, void (*fn)(void *arg, uint64_t n), void *arg, uint64_t n)
{
    if (at == RT_NEVER)
        return;
    if (nevents == events_cap) {
        events_cap = events_cap ? 2 * events_cap : 256;
        events = own_grow(events, events_cap * sizeof *events);
    }
    struct happening e = {at < sim.now ? sim.now : at, order++, fn, arg, n};
    size_t i = nevents++;
    for (; i && before(&e, &events[(i - 1) / 2]); i = (i - 1) / 2)
        events[i] = events[(i - 1) / 2];
    events[i] = e;
}

static struct happening event_take(void)
{
    struct happening first = events[0], e = events[--nevents];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < nevents; i = k) {
        k += k + 1 < nevents && before(&events[k + 1], &events[k]);
        if (!before(&events[k], &e))
            break;
        events[i] = events[k];
    }
    events[i] = e;
    return first;
}

/* ---- actors --------------------------------------------------------------------------------------------------------
 */

enum { ACTOR_STACK = 512 * 1024, READY_MAX = 1024, STACKS = 64 };
static struct ctx kernel_ctx OWN;
static struct actor *ready[READY_MAX] OWN;
static size_t nready OWN;
static char *stacks[STACKS] OWN; /* of ended actors */
static size_t nstacks OWN;

static void make_ready(struct actor *a)
{
    if (a->ready || a->ended)
        return;
    a->ready = true;
    a->sleep++;
    if (nready == READY_MAX)
        abort();
    ready[nready++] = a;
}

void actor_wake(struct actor *a)
{
    a->woken = true;
    if (a != sim.running)
        make_ready(a);
}

static void timer_over(void *arg, uint64_t n)
{
    struct actor *a = arg;
    if (a->sleep == n)
        make_ready(a);
}

static void leave(void)
{
    struct actor *a = sim.running;
    ctx_switch(&a->ctx, &kernel_ctx);
}

void actor_sleep(rt_time until)
{
    struct actor *a = sim.running;
    if (!a->woken) {
        sim_at(until, timer_over, a, a->sleep);
        leave();
    }
    a->woken = false;
}

void actor_pass(void)
{
    struct actor *a = sim.running;
    make_ready(a);
    leave();
}

void actor_pause(rt_time span)
{
    struct actor *a = sim.running;
    rt_time until = sim.now + span;
    bool woken = a->woken;
    while (sim.now < until) {
        a->woken = false;
        actor_sleep(until);
        woken |= a->woken;
    }
    a->woken = woken;
}

static void actor_end(struct actor *a)
{
    for (int i = 0; i < 4; i++)
        if (a->specific[i].value)
            a->specific[i].end(a->specific[i].value);
    a->ended = true;
    if (a->joiner)
        actor_wake(a->joiner);
    ctx_leave(&a->ctx, &kernel_ctx);
}

static void actor_body(void *arg)
{
    struct actor *a = arg;
    a->fn(a->arg);
    actor_end(a);
}

static char *stack_get(void)
{
    if (nstacks)
        return stacks[--nstacks];
    char *p =
        __real_mmap(NULL, ACTOR_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        abort();
    mprotect(p, 4096, PROT_NONE);
    return p;
}

static void stack_put(struct actor *a)
{
    char *p = a->stack;
    a->stack = NULL;
    if (!p)
        return;
#if defined RT_ASAN
    __asan_unpoison_memory_region(p, ACTOR_STACK);
#endif
    if (nstacks < STACKS)
        stacks[nstacks++] = p;
    else
        __real_munmap(p, ACTOR_STACK);
}

struct actor *actor_new(struct node *n, const char *kind, void (*fn)(void *arg), void *arg)
{
    struct actor *a = own_alloc(sizeof *a);
    *a = (struct actor){.node = n, .kind = kind, .fn = fn, .arg = arg, .stack = stack_get(), .image = image_new()};
    ctx_init(&a->ctx, a->stack + 4096, ACTOR_STACK - 4096, actor_body, a);
    a->next = n->actors;
    n->actors = a;
    make_ready(a);
    return a;
}

void actors_drop(struct node *n)
{
    for (struct actor *a = n->actors; a; a = a->next) {
        a->ended = true;
        a->sleep++;
        stack_put(a);
        __real_free(a->image);
        a->image = NULL;
    }
    n->actors = NULL; /* the structs stay: timers point at them */
    size_t kept = 0;
    for (size_t i = 0; i < nready; i++)
        if (!ready[i]->ended)
            ready[kept++] = ready[i];
    nready = kept;
}

static void run(struct actor *a)
{
    a->ready = false;
    sim.running = a;
    state_load(a->node);
    image_swap(NULL, a);
    ctx_switch(&kernel_ctx, &a->ctx);
    image_swap(a, NULL);
    sim.running = NULL;
    if (a->ended)
        stack_put(a);
    if (a->node->doomed)
        node_crash(a->node, a->node->doom);
}

void sim_run(void)
{
    ctx_init_thread(&kernel_ctx);
    while (!sim.over) {
        if (nevents && (events[0].at <= sim.now || !nready)) {
            struct happening e = event_take();
            if (e.at > sim.now)
                sim.now = e.at;
            e.fn(e.arg, e.n);
        } else if (nready) {
            size_t i = sim_below(nready);
            struct actor *a = ready[i];
            ready[i] = ready[--nready];
            sim.now += (rt_time)sim_below(20) * RT_US;
            run(a);
        } else {
            violation("nothing will ever happen again");
            return;
        }
        if (sim.now > sim.end) {
            violation("the world does not end");
            return;
        }
    }
}

void sim_begin(uint64_t seed);
void sim_begin(uint64_t seed)
{
    sim.seed = seed;
    chance = seed * 0x2545f4914f6cdd1du + 0x9e3779b97f4a7c15u;
    sim.now = 1000 * RT_S;
}
