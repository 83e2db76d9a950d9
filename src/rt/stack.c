/*
 * Stacks of fibers: 64 KiB each over a guard page, mapped on demand, kept for reuse in a bounded pool
 * per loop. Pages that a parked or pooled stack does not need go back to the system.
 */
#include "rt/internal.h"

#include <sys/mman.h>
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(a, b) 0
#define VALGRIND_STACK_DEREGISTER(a) (void)(a)
#endif
#if defined RT_ASAN /* what only a parked fiber holds is no leak */
#include <sanitizer/lsan_interface.h>
#define LEAK_ROOT(p, n) __lsan_register_root_region(p, n)
#define LEAK_ROOT_END(p, n) __lsan_unregister_root_region(p, n)
#else
#define LEAK_ROOT(p, n) (void)(p)
#define LEAK_ROOT_END(p, n) (void)(p)
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    PAGE = 4096,
    MAP_SIZE = STACK_SIZE + PAGE,
    POOL_MAX = 256,       /* free stacks kept by a loop */
    POOL_WARM = 16,       /* of these so many with all their pages */
    POOL_KEEP = 2 * PAGE, /* of the others so many bytes at the upper end */
    SAMPLE = 64,          /* one in so many ended fibers is measured */
    RED_ZONE = 1024,      /* below the depth noted at park: frames of the switch itself */
};

static char *low(const struct fiber *f) { return (char *)f->ctx.stack; }

/* Bytes of the stack that are resident: what it has used at most since its pages were given back. */
static void measure(const struct fiber *f)
{
    unsigned char in[STACK_SIZE / PAGE];
    size_t i = 0;
    if (mincore(low(f), STACK_SIZE, in))
        return;
    while (i < sizeof in && !(in[i] & 1))
        i++;
    metric_max(M_fiber_stack_max, (int64_t)((sizeof in - i) * PAGE));
}

/* The guard needs no mapping of its own where the kernel knows MADV_GUARD_INSTALL (6.13). */
static struct fiber *map(void)
{
    char *p =
        mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (madvise(p, PAGE, MADV_GUARD_INSTALL) && mprotect(p, PAGE, PROT_NONE)) {
        munmap(p, MAP_SIZE);
        return NULL;
    }
    madvise(p, MAP_SIZE, MADV_NOHUGEPAGE);
    struct fiber *f = (struct fiber *)(p + MAP_SIZE - ((sizeof(struct fiber) + 63) & ~(size_t)63));
    f->valgrind = VALGRIND_STACK_REGISTER(p + PAGE, (char *)f);
    ctx_init(&f->ctx, p + PAGE, (size_t)((char *)f - (p + PAGE)) & ~(size_t)63, fiber_main, f);
    LEAK_ROOT(p + PAGE, STACK_SIZE);
    return f;
}

static void unmap(struct fiber *f)
{
    LEAK_ROOT_END(low(f), STACK_SIZE);
    VALGRIND_STACK_DEREGISTER(f->valgrind);
    ctx_free(&f->ctx);
    munmap(low(f) - PAGE, MAP_SIZE);
}

struct fiber *stack_take(struct loop *l)
{
    struct list *n = list_pop_front(&l->stacks);
    if (!n)
        return map();
    l->nstacks--;
    return container_of(n, struct fiber, run);
}

void stack_give(struct loop *l, struct fiber *f)
{
#if defined RT_SANITIZER
    unmap(f);
    (void)l;
#else
    if (l->given++ % SAMPLE == 0)
        measure(f);
    if (l->nstacks >= POOL_MAX) {
        unmap(f);
        return;
    }
    if (l->nstacks >= POOL_WARM) {
        madvise(low(f), STACK_SIZE - POOL_KEEP, MADV_DONTNEED);
        list_push_back(&l->stacks, &f->run);
    } else {
        list_push_front(&l->stacks, &f->run);
    }
    l->nstacks++;
#endif
}

void stack_trim(struct fiber *f)
{
    uintptr_t from = (uintptr_t)low(f), to = ((uintptr_t)f->depth - RED_ZONE) & ~(uintptr_t)(PAGE - 1);
    measure(f);
    if (to > from)
        madvise((void *)from, to - from, MADV_DONTNEED);
    f->trimmed = true;
}

void stack_free_all(struct loop *l)
{
    struct list *n;
    while ((n = list_pop_front(&l->stacks)))
        unmap(container_of(n, struct fiber, run));
    l->nstacks = 0;
}
