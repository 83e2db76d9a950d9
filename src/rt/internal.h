/*
 * What the files of rt share. The back end (struct backend) is the only way to a clock, to random
 * bytes, to sockets and to threads: be_epoll.c fills it for production; a simulator fills another
 * one, where time is virtual and loops, tasks and pool jobs all run in one thread.
 */
#ifndef RT_INTERNAL_H
#define RT_INTERNAL_H
#include "rt/rt.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <ucontext.h>

#if defined __SANITIZE_ADDRESS__
#define RT_ASAN 1
#elif defined __SANITIZE_THREAD__
#define RT_TSAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define RT_ASAN 1
#elif __has_feature(thread_sanitizer)
#define RT_TSAN 1
#endif
#endif
#if defined RT_ASAN || defined RT_TSAN
#define RT_SANITIZER 1
#ifndef FIBER_CONTEXT
#define FIBER_CONTEXT 1
#endif
#endif

/* ---- stacks and switching (fiber_switch.c, stack.c) ----------------------------------------- */

/* Where a stack of execution left off. A fiber's also says where its stack lies and how it begins. */
struct ctx {
    void *stack; /* lowest usable byte */
    size_t size;
    void (*entry)(void *arg); /* must not return */
    void *arg;
#if defined FIBER_CONTEXT
    ucontext_t uc;
#else
    jmp_buf env;
    bool started;
#endif
    void *sanitizer; /* ASan: its fake stack; TSan: its name of the fiber */
};
void ctx_init_thread(struct ctx *c); /* the thread that is running */
void ctx_init(struct ctx *c, void *stack, size_t size, void (*entry)(void *arg), void *arg);
void ctx_switch(struct ctx *from, struct ctx *to); /* returns when something switches to `from` */
void ctx_leave(struct ctx *from, struct ctx *to);  /* the same at the end of a fiber */
void ctx_free(struct ctx *c);

enum fiber_state { FIBER_READY, FIBER_RUNNING, FIBER_PARKED, FIBER_CALLING, FIBER_ENDED };

/* Lies at the upper end of its own stack's mapping, so that an idle fiber touches one page less. */
struct fiber {
    struct list run; /* in loop->ready when READY; in loop->stacks when free */
    struct list all; /* in loop->fibers */
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
    void (*call)(void *arg); /* FIBER_CALLING: what is to run on the loop's stack */
    void *call_arg;
    const char *name;
    struct heap_node timer; /* key <= deadline: moved when it fires too early, not at every park */
    rt_time deadline;       /* of the present park */
    rt_time parked_at;
    char *depth; /* about the stack pointer of the present park */
    enum fiber_state state;
    int shields;
    int budget; /* socket calls left before it lets others run */
    bool woken, cancelled, trimmed;
    unsigned valgrind;
    struct ctx ctx;
};
enum { STACK_SIZE = 64 * 1024, FIBER_BUDGET = 64 };

struct fiber *stack_take(struct loop *l); /* NULL: no memory; ctx is set up for fiber_main */
void stack_give(struct loop *l, struct fiber *f);
void stack_trim(struct fiber *f); /* gives unused pages of a parked fiber back */
void stack_free_all(struct loop *l);
void fiber_main(void *f);
void fiber_resume(struct loop *l, struct fiber *f);
void fiber_expire(struct loop *l, rt_time now); /* park deadlines up to now */

/* ---- loops (loop.c, start.c) ------------------------------------------------------------------ */

/* Posts of any thread to one receiver: pushed without a lock, taken all at once. */
struct inbox {
    _Atomic(struct post *) newest;
    atomic_bool asleep; /* the receiver sleeps: who clears this must wake it */
};
/* Chain first..last, newest first. True: the receiver sleeps and the caller must wake it. */
bool inbox_push(struct inbox *in, struct post *newest, struct post *oldest);
struct post *inbox_take(struct inbox *in); /* oldest first */
bool inbox_empty(const struct inbox *in);

enum { WAKES_MAX = 8 };

struct loop {
    int index;
    struct ctx main;
    struct fiber *current;
    struct list ready, fibers;
    unsigned nfibers;
    struct heap deadlines, timers; /* of parked fibers; of struct timer */
    struct timer *late;            /* timers that found no memory for a place in the heap */
    struct inbox inbox;
    rt_time now;
    int64_t wall; /* ms; -1: not read in this turn */
    bool stopping, idle;
    rt_time drain_until;
    struct list stacks;      /* free ones */
    unsigned nstacks, given; /* in the list; ever given back */
    rt_time trim_at;         /* when to look for idle stacks next */
    /* Asleep when this loop sent to them: woken a little later, for all posts at once. One that woke by its deadline
     * meanwhile and fell asleep again may be here twice, or in two loops' lists. */
    struct task *wakes[WAKES_MAX];
    unsigned nwakes;
    void *be;
};
extern _Thread_local struct loop *rt_current;

void loop_init(struct loop *l, int index);
void loop_main(struct loop *l); /* until the world ends */
bool loop_turn(struct loop *l); /* false: this loop is done */

/* All loops of the process. */
struct world {
    struct loop *loops;
    int n;
    struct rt_start start;
    atomic_bool stop, finished;
    atomic_int idle;
};
extern struct world rt_world;
void world_wake_all(void);

/* ---- tasks and the pool --------------------------------------------------------------------- */

struct task {
    struct inbox inbox;
    atomic_bool stopping;
    const char *name;
    void (*fn)(struct task *t, void *arg);
    void *arg;
    void *be;
};
void task_body(struct task *t);
void task_wake_all(struct loop *l);

struct pool_job {
    struct post post; /* tells the fiber that it is done */
    struct pool_job *next;
    void (*fn)(void *arg);
    void *arg;
    struct loop *loop;
    struct fiber *fiber;
    bool done;
};
enum { POOL_QUEUE = 1024 };
/* Threads of be_epoll.c and its pool. */
int rt_thread_start(pthread_t *t, void *(*fn)(void *arg), void *arg, const char *name);
err pool_open(int n);
err pool_put(struct pool_job *j);
void pool_close(bool wait);
void pool_job_run(struct pool_job *j); /* fn, then the post */

/* ---- the back end ---------------------------------------------------------------------------- */

struct backend {
    rt_time (*now)(void);
    int64_t (*wall_ms)(void);
    void (*random)(void *p, size_t n);

    err (*run)(struct world *w); /* every loop until its end */
    err (*loop_open)(struct loop *l);
    void (*loop_close)(struct loop *l);
    /* Sleeps until `until` (0: not at all), a wake or an event; marks sockets ready by io_event. */
    void (*wait)(struct loop *l, rt_time until);
    void (*wake)(struct loop *l); /* any thread */

    err (*task_start)(struct task *t);
    void (*task_sleep)(struct task *t, rt_time deadline); /* while t->inbox.asleep */
    void (*task_wake)(struct task *t);
    void (*task_join)(struct task *t);
    void (*give_way)(void); /* NULL: nobody waits */
    err (*pool_put)(struct pool_job *j);

    /* As the system calls of these names: -1 and errno. */
    int (*socket)(int family, int type);
    int (*bind)(int fd, const struct sockaddr *at, socklen_t n);
    int (*listen)(int fd, int backlog);
    int (*accept)(int fd, struct sockaddr *peer, socklen_t *n);
    int (*connect)(int fd, const struct sockaddr *to, socklen_t n);
    ssize_t (*recv)(int fd, void *p, size_t n);
    ssize_t (*send)(int fd, const struct iovec *v, int nv);
    int (*getopt)(int fd, int level, int name, void *p, socklen_t *n);
    int (*setopt)(int fd, int level, int name, const void *p, socklen_t n);
    int (*address)(int fd, bool peer, struct sockaddr *at, socklen_t *n);
    int (*shutdown)(int fd, int how);
    int (*close)(int fd);
    int (*watch)(struct loop *l, struct io *io); /* from now on io_event tells of changes */
    void (*unwatch)(struct loop *l, struct io *io);

    /* Where log lines go: may a piece be written without blocking, waiting for it at most so long? Then write(2). */
    bool (*log_ready)(int fd, int wait_ms);
    ssize_t (*log_write)(int fd, const void *p, size_t n);
};
extern const struct backend rt_be_epoll;
extern const struct backend *rt_be;

/* Something changed: what may be tried again. `end`: nothing more follows what is there to read. */
void io_event(struct io *io, bool readable, bool writable, bool end);

/* ---- log and metrics -------------------------------------------------------------------------- */

bool log_pending(void); /* lines of this thread wait for their reader */
void log_end(void);     /* of this thread: last flush, memory back */
void event_add(enum event ev);
void metric_max(enum metric m, int64_t v);
void metrics_end(void); /* of this thread: its counts are kept */

#endif
