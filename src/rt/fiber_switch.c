/*
 * Switching stacks. A fiber is entered once by makecontext and setcontext; from then on _setjmp and
 * _longjmp switch without a system call. _FORTIFY_SOURCE is off in this file alone, because its
 * longjmp check takes another stack for a smashed one. The second back end (FIBER_CONTEXT) is
 * swapcontext: for sanitizers, which intercept longjmp, and for shadow stacks.
 */
#undef _FORTIFY_SOURCE
#include "rt/internal.h"

#if defined RT_ASAN
#include <sanitizer/common_interface_defs.h>

static _Thread_local struct ctx *came_from;

/* Called before a switch; leaving for good gives the fake stack back. */
static void before(struct ctx *from, struct ctx *to, bool last)
{
    came_from = from;
    __sanitizer_start_switch_fiber(last ? NULL : &from->sanitizer, to->stack, to->size);
}

/* Called on arrival. The thread's own stack bounds are learnt from the first arrival elsewhere. */
static void after(struct ctx *here, bool first)
{
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(first ? NULL : here->sanitizer, &bottom, &size);
    if (!came_from->stack) {
        came_from->stack = (void *)bottom;
        came_from->size = size;
    }
}
#elif defined RT_TSAN
#include <sanitizer/tsan_interface.h>

static void before(struct ctx *from, struct ctx *to, bool last)
{
    (void)from, (void)last;
    __tsan_switch_to_fiber(to->sanitizer, 0);
}
static void after(struct ctx *here, bool first) { (void)here, (void)first; }
#else
static inline void before(struct ctx *from, struct ctx *to, bool last) { (void)from, (void)to, (void)last; }
static inline void after(struct ctx *here, bool first) { (void)here, (void)first; }
#endif

/* makecontext passes ints only: the pointer travels in halves. */
static void trampoline(unsigned hi, unsigned lo)
{
    struct ctx *c = (struct ctx *)((uintptr_t)hi << 32 | lo);
    after(c, true);
    c->entry(c->arg);
    __builtin_trap();
}

static void prepare(struct ctx *c, ucontext_t *uc)
{
    uintptr_t p = (uintptr_t)c;
    getcontext(uc);
    uc->uc_stack.ss_sp = c->stack;
    uc->uc_stack.ss_size = c->size;
    uc->uc_link = NULL;
    makecontext(uc, (void (*)(void))trampoline, 2, (unsigned)(p >> 32), (unsigned)p);
}

void ctx_init_thread(struct ctx *c)
{
    *c = (struct ctx){0};
#if defined RT_TSAN
    c->sanitizer = __tsan_get_current_fiber();
#endif
}

void ctx_init(struct ctx *c, void *stack, size_t size, void (*entry)(void *arg), void *arg)
{
    c->stack = stack;
    c->size = size;
    c->entry = entry;
    c->arg = arg;
    c->sanitizer = NULL;
#if defined FIBER_CONTEXT
    prepare(c, &c->uc);
#else
    c->started = false;
#endif
#if defined RT_TSAN
    c->sanitizer = __tsan_create_fiber(0);
#endif
}

void ctx_free(struct ctx *c)
{
#if defined RT_TSAN
    if (c->sanitizer)
        __tsan_destroy_fiber(c->sanitizer);
#endif
    c->sanitizer = NULL;
}

#if defined FIBER_CONTEXT
static void jump(struct ctx *from, struct ctx *to) { swapcontext(&from->uc, &to->uc); }
#else
/* The first entry; the context is needed only until setcontext has read it. */
static _Noreturn void enter(struct ctx *to)
{
    static _Thread_local ucontext_t uc;
    to->started = true;
    prepare(to, &uc);
    setcontext(&uc);
    __builtin_trap();
}

static __attribute__((noinline)) void jump(struct ctx *from, struct ctx *to)
{
    if (_setjmp(from->env))
        return;
    if (to->entry && !to->started)
        enter(to);
    _longjmp(to->env, 1);
}
#endif

void ctx_switch(struct ctx *from, struct ctx *to)
{
    before(from, to, false);
    jump(from, to);
    after(from, false);
}

void ctx_leave(struct ctx *from, struct ctx *to)
{
    before(from, to, true);
    jump(from, to);
    after(from, true);
}
