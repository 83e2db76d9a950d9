/*
 * rt: the only room that starts threads, blocks, reads clocks and draws random numbers.
 *
 * A *loop* is a thread with its own epoll set; every session is a *fiber* of one loop: straight-line
 * code that sleeps inside calls marked YIELDS. A fiber never changes its loop. After a YIELDS call
 * re-read whatever others may have changed. Loops and tasks share nothing but immutable data and
 * *posts* (messages run on the receiver's thread). Blocking work runs on the *pool* or in a *task*.
 */
#ifndef RT_RT_H
#define RT_RT_H
#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define YIELDS /* may sleep: the fiber's loop runs others meanwhile */
#define BLOCKS /* blocks its thread: only from a task, the pool, or before loops run */

/* ---- time -------------------------------------------------------------------------------- */

typedef int64_t rt_time; /* monotonic nanoseconds; deadlines are absolute */
#define RT_NEVER INT64_MAX
#define RT_US ((rt_time)1000)
#define RT_MS ((rt_time)1000000)
#define RT_S ((rt_time)1000000000)

rt_time rt_now(void);       /* of the current loop turn; read anew in tasks */
rt_time rt_now_fresh(void); /* the clock itself */
rt_time rt_cpu(void);       /* that this thread has had of a processor; a system call */
int64_t rt_wall_ms(void);   /* milliseconds since 1970, of the current loop turn */
static inline rt_time rt_after(rt_time span) { return span == RT_NEVER ? RT_NEVER : rt_now() + span; }

uint64_t rt_random(void);             /* unpredictable; repeatable in the simulator */
uint64_t rt_random_below(uint64_t n); /* 0 .. n-1, even; n > 0 */

/* ---- loops, posts, tasks, pool ------------------------------------------------------------ */

struct loop;

/* Starts nloops loop threads (the simulator: as many in one thread) and npool pool threads. `init`
 * runs first on each loop, as a fiber; rt_run returns when rt_stop was called and every loop is idle
 * of fibers, at the latest after `drain`. Once in a process. OK; E_TIMEOUT: fibers were left;
 * E_NOMEM, E_IO: could not start. BLOCKS. */
struct rt_start {
    int nloops, npool;
    void (*init)(void *arg, int index);
    void *arg;
    rt_time drain;
};
err rt_run(const struct rt_start *s);
void rt_stop(void); /* from any thread or signal handler: cancels every fiber, new ones too */
int rt_nloops(void);
struct loop *rt_loop(int index);
int rt_index(void); /* of the current loop; -1 outside loops */
struct loop *rt_self(void);

/* A post runs `run` once on the receiving loop (never nested in a fiber; it must not yield; it may
 * spawn or wake fibers). The node belongs to rt until run begins. Any thread may post; posts of one
 * sender to one loop run in order; a turn takes them all at once (one wake-up a batch). */
struct post {
    struct post *next;
    void (*run)(struct post *p);
};
void rt_post(struct loop *to, struct post *p);
void rt_post_chain(struct loop *to, struct post *first); /* many at once, oldest first, linked by next */

/* A task is a thread of its own with an inbox (in the simulator: a fiber). task_take blocks until
 * posts are there or `deadline` has passed and returns all of them, oldest first, as a chain
 * through `next` (NULL: deadline, or the task was told to stop and the inbox is empty). */
struct task;
err rt_task_start(struct task **ret, const char *name, void (*fn)(struct task *t, void *arg), void *arg);
void rt_task_send(struct task *t, struct post *p); /* any thread */
struct post *rt_task_take(struct task *t, rt_time deadline) BLOCKS;
bool rt_task_stopping(struct task *t);
/* Threads that wait for this processor run first, once: who gathers work finds more of it afterwards. Costs nothing
 * where none waits. */
void rt_give_way(void) BLOCKS;
/* Tells it, waits for its end. Other loops that ever sent to it have ended their turn since. */
void rt_task_stop(struct task **t) BLOCKS;

/* Runs fn(arg) on a pool thread while the fiber sleeps; not cancellable (arg must stay valid, and it
 * does: the call returns after fn). E_NOMEM or E_LIMIT when the pool's queue is full; fn did not run. */
err rt_pool_run(void (*fn)(void *arg), void *arg) YIELDS;

/* A lock between threads for short sections that neither yield nor block. */
struct lock {
    int word;
};
void lock_take(struct lock *l);
void lock_drop(struct lock *l);

/* ---- fibers -------------------------------------------------------------------------------- */

struct fiber;

/* A new fiber of the current loop; it first runs after the caller yields. NULL when memory or the
 * number of mappings is exhausted (answer 421). `name` must be static. */
struct fiber *fiber_spawn(void (*fn)(void *arg), void *arg, const char *name);
struct fiber *fiber_self(void); /* NULL outside fibers */
/* Sleeps until fiber_wake, cancel or deadline: OK, E_CANCELLED, E_TIMEOUT. A wake before the park is
 * kept (one). Spurious wakes are possible: loop on the condition. */
err fiber_park(rt_time deadline) YIELDS;
void fiber_wake(struct fiber *f); /* same loop only: enqueues, never switches */
/* From now on every sleeping call of f returns E_CANCELLED at once, until fiber_shield. */
void fiber_cancel(struct fiber *f);
/* on = true: sleeping calls ignore cancellation (the end of a transaction, a last flush). */
void fiber_shield(bool on);
bool fiber_cancelled(void);
err fiber_sleep(rt_time until) YIELDS; /* OK at that time, or E_CANCELLED */
void fiber_yield(void) YIELDS;         /* lets the others run once */
/* Runs fn(arg) on the loop's own stack, which is as large as a thread's (a fiber's has 64 KiB), and returns after it.
 * fn must not sleep. Outside fibers: on the stack that is there. */
void fiber_on_loop(void (*fn)(void *arg), void *arg);

/* Fiber-side waiting, all within one loop. */
struct cond {
    struct list waiters;
};
void cond_init(struct cond *c);
err cond_wait(struct cond *c, rt_time deadline) YIELDS; /* OK, E_TIMEOUT, E_CANCELLED */
void cond_wake_one(struct cond *c);
void cond_wake_all(struct cond *c);

/* A timer of the current loop without a fiber: fn runs as a post does. */
struct timer {
    struct heap_node node;
    void (*fn)(struct timer *t);
    struct timer *late; /* rt's own: without memory it waits in a list */
};
void timer_set(struct timer *t, rt_time at); /* sets or moves; fn is filled in by the owner */
void timer_stop(struct timer *t);

/* ---- sockets ------------------------------------------------------------------------------- */

/* Non-blocking sockets of one loop. Zero-initialise; io_attach registers the descriptor once
 * (edge-triggered) on the current loop and owns it from then on, also on failure. */
struct io {
    int fd;                  /* -1 when closed */
    bool readable, writable; /* may be tried without waiting */
    bool attached, tcp, ended;
    struct fiber *reader, *writer;
    struct loop *loop;
};
#define IO_NONE ((struct io){.fd = -1})
err io_attach(struct io *io, int fd);
/* The same for a socket that is served as long as the loop runs: what fails is tried again. E_CANCELLED. */
err io_attach_listener(struct io *io, int fd) YIELDS;
void io_close(struct io *io); /* -1: nothing happens */
/* Each sleeps until it can do something. *ret_n == 0 from io_read is end of file. Errors: E_TIMEOUT,
 * E_CANCELLED, E_RESET, E_IO. io_write returns after one successful write, which may be short. */
err io_read(struct io *io, void *p, size_t n, rt_time deadline, size_t *ret_n) YIELDS;
err io_write(struct io *io, const struct iovec *v, int nv, rt_time deadline, size_t *ret_n) YIELDS;
err io_wait_read(struct io *io, rt_time deadline) YIELDS; /* readable, end of file or error pending */
err io_wait_write(struct io *io, rt_time deadline) YIELDS;
/* The same without sleeping: E_AGAIN. */
err io_try_read(struct io *io, void *p, size_t n, size_t *ret_n);
err io_try_write(struct io *io, const struct iovec *v, int nv, size_t *ret_n);
/* E_LIMIT: no descriptor or memory; the caller should sleep a little before it tries again. */
err io_accept(struct io *listener, int *ret_fd, struct sockaddr_storage *ret_peer) YIELDS;
err io_connect(struct io *io, const struct sockaddr *to, socklen_t to_len, const struct sockaddr *from,
               socklen_t from_len, rt_time deadline) YIELDS;                  /* makes the socket; from may be NULL */
err io_address(const struct io *io, bool peer, struct sockaddr_storage *ret); /* of either end */
void io_shutdown(struct io *io);                                              /* nothing more will be written */
/* The user at the other end of a unix socket, by the kernel's word. */
bool rt_peer_uid(int fd, uid_t *ret);
/* Closes a socket that was never attached, after a last word that fits any socket buffer (may be empty). */
void rt_turn_away(int fd, str text);
/* A bound, listening, non-blocking, close-on-exec socket; reuseport lets each loop have its own. An IPv6
 * one takes no IPv4. A negative backlog: only bound, to see whether the address is free; nobody can connect.
 * E_EXISTS: the address is in use. BLOCKS. */
err rt_listen(const struct sockaddr *at, socklen_t len, bool reuseport, int backlog, int *ret_fd) BLOCKS;

/* ---- files: blocking calls behind a table, so that tests can lose, tear and refuse ----------- */

/* Paths are relative to dirfd (AT_FDCWD allowed). Descriptors are small ints of the table's own. */
struct rt_fs {
    err (*open)(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd);
    void (*close)(int fd);
    err (*pread)(int fd, void *p, size_t n, uint64_t at, size_t *ret_n); /* short only at end of file */
    err (*pwritev)(int fd, const struct iovec *v, int nv, uint64_t at);  /* all of it, or an error */
    err (*datasync)(int fd);
    err (*sync)(int fd); /* files and folders */
    err (*allocate)(int fd, uint64_t at, uint64_t n);
    err (*truncate)(int fd, uint64_t n);
    err (*rename)(int dirfd, const char *from, int todirfd, const char *to);
    err (*link)(int dirfd, const char *from, int todirfd, const char *to);
    err (*unlink)(int dirfd, const char *path);
    err (*mkdir)(int dirfd, const char *path, mode_t mode); /* E_EXISTS */
    err (*list)(int dirfd, const char *path, void (*each)(void *arg, const char *name), void *arg);
    err (*size)(int fd, uint64_t *ret_n);
    err (*space)(int dirfd, uint64_t *ret_free_bytes); /* free for us */
    err (*lock)(int fd);                               /* until closed; E_EXISTS: held by another */
};
extern const struct rt_fs rt_fs_real;
extern const struct rt_fs *rt_fs; /* the table in use; a test may replace it before anything runs */

/* ---- log and metrics ------------------------------------------------------------------------- */

/* One row of rt/events.def each: RT_EVENT(name, level, "field names", counter help or NULL). A line is
 * `time level event field=value ...`; with log_json an object. Fields come in the row's order. */
enum event {
#define EVENT(name, level, fields, help) EV_##name,
#include "rt/events.def"
#undef EVENT
    EVENT_COUNT
};
enum log_level { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERROR };

struct log_field {
    enum { LF_STR, LF_NUM, LF_ID } kind;
    str s;
    int64_t n;
};
static inline struct log_field log_str(str s) { return (struct log_field){LF_STR, s, 0}; }
static inline struct log_field log_c(const char *z) { return (struct log_field){LF_STR, str_c(z), 0}; }
static inline struct log_field log_num(int64_t n) { return (struct log_field){LF_NUM, {0}, n}; }
static inline struct log_field log_id(uint64_t id) { return (struct log_field){LF_ID, {0}, (int64_t)id}; }
static inline struct log_field log_err(err e) { return log_c(err_text(e)); }

/* Counts the event and writes its line (values in the order of the row's fields; peer bytes are
 * escaped; lines are gathered and written once a loop turn). Never sleeps, never fails. */
#define rt_log(event, ...)                                                                                             \
    rt_log_fields((event), (struct log_field[]){__VA_ARGS__},                                                          \
                  sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
void rt_log_fields(enum event ev, const struct log_field *v, size_t n);
void rt_log_setup(enum log_level least, bool json, int fd); /* any time; default: info, text, 2 */
void rt_log_flush(void);                                    /* this thread's lines, now */
/* Sees every event that has a field `id`, whatever the level, on the thread that logs it, inside the
 * call: it must not log or sleep and must copy what it keeps. Set before loops run. */
void rt_log_tap(void (*fn)(enum event ev, const struct log_field *v, size_t n));
const char *event_name(enum event ev);
/* The line of an event as it is logged. */
void rt_log_format(struct buf *out, enum event ev, const struct log_field *v, size_t n, bool as_json);

/* While somebody watches (rt_watch_count of more than 0) every event is shown, whatever its level, and every word of
 * each session: who is 'C' the client, 'S' we to it, '>' we to a server behind, '<' that one. On the thread where it
 * happens, inside the call: the functions must not log or sleep, and copy what they keep. */
struct rt_watch {
    void (*event)(enum event ev, const struct log_field *v, size_t n);
    void (*said)(uint64_t session, char who, str octets);
};
void rt_watch_setup(const struct rt_watch *w); /* before the first rt_watch_count */
void rt_watch_count(int by);
extern int rt_watching; /* (private) */
void rt_said_line(uint64_t session, char who, str octets);
static inline void rt_said(uint64_t session, char who, str octets)
{
    if (__atomic_load_n(&rt_watching, __ATOMIC_ACQUIRE))
        rt_said_line(session, who, octets);
}
/* A message id as people see it: 13 characters of Crockford base 32, lower case. */
void rt_id_text(struct buf *out, uint64_t id);
bool rt_id_parse(str s, uint64_t *ret);

/* Counters and gauges, per thread and summed when read: metrics.def has METRIC(name, kind, help). */
enum metric {
#define METRIC(name, kind, help) M_##name,
#include "rt/metrics.def"
#undef METRIC
    METRIC_COUNT
};
void metric_add(enum metric m, int64_t by);
int64_t metric_read(enum metric m); /* the sum over all threads */
int64_t event_count(enum event ev);
void metrics_print(struct buf *out); /* Prometheus text exposition format */
/* Prints behind them what has labels of its own. Before loops run; a few at most. */
void metrics_also(void (*fn)(struct buf *out));

#endif
