/*
 * Writing. Each loop gathers its events in a chunk and sends it when it is full or 20 ms old; the writer makes one
 * frame of all that has come. Chunks on their way are bounded: beyond that events are dropped and counted.
 */
#include "history/internal.h"
#include "base/codec.h"

#include <fcntl.h>
#include <stdlib.h>

enum {
    LANES = 64,       /* loops */
    CHUNK = 64 << 10, /* octets of records in one */
    CHUNKS_IN_FRAME = FRAME_MAX / CHUNK,
    IN_FLIGHT_MAX = 16 << 20, /* octets on their way to the writer */
};
#define LANE_TIME (20 * RT_MS)
#define PAUSE (5 * RT_S) /* after a failed write */
static const int64_t hour_ms = 3600000;

struct chunk {
    struct post post; /* run is NULL: so it is told from a request to settle */
    uint32_t n, cap, events;
    char data[];
};
struct lane { /* of one loop */
    struct timer timer;
    struct chunk *open;
    bool set; /* the timer */
} __attribute__((aligned(64)));

struct active { /* the segment that is written */
    int fd;
    char stem[STEM + 1];
    uint64_t at;
    int64_t hour;
    size_t keys;
};
struct history {
    int dirfd;
    char folder[PATH_LEN];
    int64_t max_size; /* atomic, as the next one */
    int64_t max_age_ms;
    struct task *task;
    struct table own;
    size_t in_flight; /* atomic */
    struct lane lane[LANES];
    /* the writer's own: */
    struct active active;
    struct buf keys;
    rt_time pause_until;
    bool failing; /* told once */
};
static struct history *tapped;

static int64_t atomic_get(const int64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }

/* ---- on the loops ---- */

static void drop_chunk(struct history *h, struct chunk *c)
{
    __atomic_sub_fetch(&h->in_flight, c->cap, __ATOMIC_RELAXED);
    free(c);
}

static struct chunk *new_chunk(struct history *h, size_t cap)
{
    if (__atomic_add_fetch(&h->in_flight, cap, __ATOMIC_RELAXED) <= IN_FLIGHT_MAX) {
        struct chunk *c = malloc(sizeof *c + cap);
        if (c) {
            *c = (struct chunk){.cap = (uint32_t)cap};
            return c;
        }
    }
    __atomic_sub_fetch(&h->in_flight, cap, __ATOMIC_RELAXED);
    return NULL;
}

static void chunk_send(struct history *h, struct chunk **c)
{
    if (*c)
        rt_task_send(h->task, &(*c)->post);
    *c = NULL;
}

static void lane_due(struct timer *t)
{
    struct lane *l = container_of(t, struct lane, timer);
    l->set = false;
    if (tapped)
        chunk_send(tapped, &l->open);
}

static void lane_put(struct history *h, struct lane *l, enum event ev, const struct log_field *v, size_t n, size_t size)
{
    if (l->open && l->open->cap - l->open->n < size)
        chunk_send(h, &l->open);
    if (!l->open)
        l->open = new_chunk(h, CHUNK);
    if (!l->open) {
        metric_add(M_history_lost, 1);
        return;
    }
    record_put(l->open->data + l->open->n, (uint16_t)ev, rt_wall_ms(), v, n);
    l->open->n += (uint32_t)size;
    l->open->events++;
    if (!l->set) {
        l->set = true;
        l->timer.fn = lane_due;
        timer_set(&l->timer, rt_after(LANE_TIME));
    }
}

static void tap(enum event ev, const struct log_field *v, size_t n)
{
    struct history *h = tapped;
    int index = rt_index();
    if (!h)
        return;
    if (n > HISTORY_FIELDS)
        n = HISTORY_FIELDS;
    size_t size = record_size(v, n);
    if (index >= 0 && index < LANES) {
        lane_put(h, &h->lane[index], ev, v, n, size);
        return;
    }
    struct chunk *c = new_chunk(h, size); /* a task or the pool: rare */
    if (!c) {
        metric_add(M_history_lost, 1);
        return;
    }
    record_put(c->data, (uint16_t)ev, rt_wall_ms(), v, n);
    c->n = (uint32_t)size;
    c->events = 1;
    chunk_send(h, &c);
}

/* ---- the active segment ---- */

static void failed(struct history *h, const char *step, err e)
{
    h->pause_until = rt_now_fresh() + PAUSE;
    if (!h->failing)
        rt_log(EV_history_failed, log_c(step), log_err(e));
    h->failing = true;
}

/* A raw segment is small enough that several fit into the bound of the folder. */
static uint64_t raw_max(const struct history *h)
{
    int64_t part = atomic_get(&h->max_size) / 8;
    return part > SEGMENT_MAX ? SEGMENT_MAX : part < 65536 ? 65536 : (uint64_t)part;
}

static int64_t file_size(const struct history *h, const char *stem, const char *suffix)
{
    uint64_t size = 0;
    int fd;
    if (stem_open(h->dirfd, h->folder, stem, suffix, O_RDONLY, &fd))
        return 0;
    rt_fs->size(fd, &size);
    rt_fs->close(fd);
    return (int64_t)size;
}

static int64_t segment_size(const struct history *h, const struct name *n)
{
    return (n->raw ? file_size(h, n->stem, ".raw") : 0) + (n->seg ? file_size(h, n->stem, ".seg") : 0) +
           (n->bad ? file_size(h, n->stem, ".bad") : 0);
}

static void remove_segment(const struct history *h, const struct name *n)
{
    static const char *const suffix[] = {".raw", ".seg", ".bad"};
    bool there[] = {n->raw, n->seg, n->bad};
    for (int i = 0; i < 3; i++)
        if (there[i])
            stem_unlink(h->dirfd, h->folder, n->stem, suffix[i]);
}

/* Removes the oldest segments until size and age are within their bounds, the active one at its largest. */
static void trim(struct history *h)
{
    struct names names;
    if (names_list(&names, h->dirfd, h->folder))
        return;
    int64_t sum = (int64_t)raw_max(h), now = rt_wall_ms(), begun;
    size_t i = names.n;
    for (; i > 0; i--) {
        const struct name *n = &names.v[i - 1];
        if (strcmp(n->stem, h->active.stem) == 0)
            continue;
        sum += segment_size(h, n);
        bool old = stem_time(n->stem, &begun) && begun + hour_ms < now - atomic_get(&h->max_age_ms);
        if (old || sum > atomic_get(&h->max_size))
            break;
    }
    for (; i > 0; i--)
        if (strcmp(names.v[i - 1].stem, h->active.stem) != 0)
            remove_segment(h, &names.v[i - 1]);
    names_free(&names);
}

static void end_active(struct history *h)
{
    struct active *a = &h->active;
    if (a->fd < 0)
        return;
    char stem[STEM + 1];
    memcpy(stem, a->stem, sizeof stem);
    rt_fs->close(a->fd);
    *a = (struct active){.fd = -1};
    err e = seal(h->dirfd, h->folder, stem);
    if (e)
        failed(h, "seal", e);
    trim(h);
}

/* A name that is not taken: the time, or the next free millisecond. */
static err begin_active(struct history *h)
{
    struct active a = {.fd = -1};
    int64_t now = rt_wall_ms();
    err e = E_EXISTS;
    for (int i = 0; e == E_EXISTS && i < 1000; i++) {
        stem_of(a.stem, now + i);
        if (!file_size(h, a.stem, ".seg"))
            e = stem_open(h->dirfd, h->folder, a.stem, ".raw", O_RDWR | O_CREAT | O_EXCL, &a.fd);
    }
    if (e)
        return e;
    AUTO_BUF head;
    buf_init(&head, TABLE_MAX + HEAD_SIZE);
    file_head(&head, RAW_MAGIC, &h->own);
    struct iovec v = {head.p, head.n};
    e = head.e ? head.e : rt_fs->pwritev(a.fd, &v, 1, 0);
    if (e) {
        rt_fs->close(a.fd);
        stem_unlink(h->dirfd, h->folder, a.stem, ".raw");
        return e;
    }
    a.at = head.n;
    a.hour = now / hour_ms;
    h->active = a;
    return OK;
}

static void roll_when_due(struct history *h, size_t more)
{
    struct active *a = &h->active;
    if (a->fd >= 0 && (a->hour != rt_wall_ms() / hour_ms || a->at + more > raw_max(h) || a->keys > KEYS_MAX))
        end_active(h);
}

/* ---- writing frames ---- */

static void add_keys(struct history *h, const struct chunk *c)
{
    struct cur in = cur_of((str){c->data, c->n});
    struct record r;
    uint32_t key[HISTORY_FIELDS], last = 0;
    while (record_next(&in, &r))
        for (size_t i = 0, n = record_keys(&h->own, &r, key); i < n; i++) {
            if (key[i] != last)
                buf_put_u32(&h->keys, key[i]);
            last = key[i];
        }
}

static err write_frame(struct history *h, struct chunk *const *c, int n)
{
    struct iovec v[CHUNKS_IN_FRAME + 2];
    char head[FRAME_HEAD];
    uint32_t size = 0;
    buf_clear(&h->keys);
    for (int i = 0; i < n; i++) {
        add_keys(h, c[i]);
        v[i + 2] = (struct iovec){c[i]->data, c[i]->n};
        size += c[i]->n;
    }
    if (h->keys.e)
        return h->keys.e;
    uint32_t nkeys = (uint32_t)(h->keys.n / 4), crc = crc32c(frame_crc(size, nkeys), h->keys.p, h->keys.n);
    for (int i = 0; i < n; i++)
        crc = crc32c(crc, c[i]->data, c[i]->n);
    frame_head(head, size, nkeys, crc);
    v[0] = (struct iovec){head, sizeof head};
    v[1] = (struct iovec){h->keys.p, h->keys.n};
    size_t all = FRAME_HEAD + h->keys.n + size;
    roll_when_due(h, all);
    err e = h->active.fd < 0 ? begin_active(h) : OK;
    if (e == OK)
        e = rt_fs->pwritev(h->active.fd, v, n + 2, h->active.at);
    if (e)
        return e;
    h->active.at += all;
    h->active.keys += nkeys;
    h->failing = false;
    return OK;
}

static void write_chunks(struct history *h, struct chunk **c, int n)
{
    int64_t lost = 0;
    err e = rt_now_fresh() < h->pause_until ? E_AGAIN : write_frame(h, c, n);
    if (e && e != E_AGAIN)
        failed(h, "write", e);
    for (int i = 0; i < n; i++) {
        lost += c[i]->events;
        drop_chunk(h, c[i]);
    }
    if (e)
        metric_add(M_history_lost, lost);
}

/* ---- settling ---- */

struct settle {
    struct post last; /* to the writer, then back to the loop that asked; run is set */
    struct history *h;
    struct loop *from;
    struct fiber *fiber;
    int left; /* atomic: loops that have not sent theirs */
    bool done;
    struct settle_loop {
        struct post post;
        struct settle *all;
    } loop[LANES];
};

static void settled(struct post *p)
{
    struct settle *s = container_of(p, struct settle, last);
    if (s->fiber) {
        s->done = true;
        fiber_wake(s->fiber);
    } else {
        free(s); /* who asked was cancelled */
    }
}

static void settle_loop(struct post *p)
{
    struct settle *s = container_of(p, struct settle_loop, post)->all;
    chunk_send(s->h, &s->h->lane[rt_index()].open);
    if (__atomic_sub_fetch(&s->left, 1, __ATOMIC_ACQ_REL) == 0)
        rt_task_send(s->h->task, &s->last);
}

err history_settle(struct history *h)
{
    struct settle *s = calloc(1, sizeof *s);
    int n = rt_nloops() < LANES ? rt_nloops() : LANES;
    if (!s)
        return E_NOMEM;
    *s = (struct settle){.last.run = settled, .h = h, .from = rt_self(), .fiber = fiber_self(), .left = n};
    for (int i = 0; i < n; i++) {
        s->loop[i] = (struct settle_loop){.post.run = settle_loop, .all = s};
        rt_post(rt_loop(i), &s->loop[i].post);
    }
    err e = OK;
    while (!s->done && e != E_CANCELLED)
        e = fiber_park(RT_NEVER);
    if (!s->done) {
        s->fiber = NULL; /* settled() runs on this loop, so nothing else looks at it now */
        return E_CANCELLED;
    }
    free(s);
    return OK;
}

/* ---- the task ---- */

static void take_all(struct history *h, struct post *p)
{
    struct chunk *c[CHUNKS_IN_FRAME];
    int n = 0;
    uint32_t size = 0;
    while (p) {
        struct post *next = p->next;
        struct chunk *x = p->run ? NULL : container_of(p, struct chunk, post);
        if (n && (!x || n == CHUNKS_IN_FRAME || size + x->n > FRAME_MAX)) {
            write_chunks(h, c, n);
            n = 0, size = 0;
        }
        if (x) {
            c[n++] = x;
            size += x->n;
        } else {
            rt_post(container_of(p, struct settle, last)->from, p);
        }
        p = next;
    }
    if (n)
        write_chunks(h, c, n);
}

/* What an earlier process left is finished, so that it has an index. */
static void seal_leftovers(struct history *h)
{
    struct names names;
    if (names_list(&names, h->dirfd, h->folder))
        return;
    for (size_t i = 0; i < names.n; i++) {
        const struct name *n = &names.v[i];
        if (n->raw && n->seg)
            stem_unlink(h->dirfd, h->folder, n->stem, ".raw"); /* finished, but not removed in time */
        else if (n->raw)
            seal(h->dirfd, h->folder, n->stem);
    }
    names_free(&names);
    trim(h);
}

static rt_time next_hour(void) { return rt_now_fresh() + (hour_ms - rt_wall_ms() % hour_ms + 1000) * RT_MS; }

static void writer(struct task *t, void *arg)
{
    struct history *h = arg;
    seal_leftovers(h);
    for (;;) {
        struct post *p = rt_task_take(t, next_hour());
        if (!p && rt_task_stopping(t))
            break;
        if (!p) {
            roll_when_due(h, 0);
            trim(h);
        }
        take_all(h, p);
    }
    if (h->active.fd >= 0)
        rt_fs->close(h->active.fd);
    h->active.fd = -1;
}

/* ---- beginning and end ---- */

void history_bounds(struct history *h, int64_t max_size, rt_time max_age)
{
    __atomic_store_n(&h->max_size, max_size, __ATOMIC_RELAXED);
    __atomic_store_n(&h->max_age_ms, max_age / RT_MS, __ATOMIC_RELAXED);
}

err history_open(struct history **ret, const struct history_config *c)
{
    size_t n = strlen(c->folder);
    struct history *h = folder_fits(c->folder) ? calloc(1, sizeof *h) : NULL;
    if (!h)
        return folder_fits(c->folder) ? E_NOMEM : E_LIMIT;
    memcpy(h->folder, c->folder, n + 1);
    h->dirfd = c->dirfd;
    h->active.fd = -1;
    history_bounds(h, c->max_size, c->max_age);
    buf_init(&h->keys, 4 * (size_t)KEYS_MAX);
    err e = table_own(&h->own);
    if (e == OK && n) {
        e = rt_fs->mkdir(h->dirfd, h->folder, 0700);
        e = e == E_EXISTS ? OK : e;
    }
    if (e == OK)
        e = rt_task_start(&h->task, "history", writer, h);
    if (e) {
        table_free(&h->own);
        free(h);
        return e;
    }
    tapped = h;
    rt_log_tap(tap);
    *ret = h;
    return OK;
}

void history_close(struct history **h)
{
    struct history *x = *h;
    *h = NULL;
    if (!x)
        return;
    rt_log_tap(NULL);
    tapped = NULL;
    for (int i = 0; i < LANES; i++)
        chunk_send(x, &x->lane[i].open);
    rt_task_stop(&x->task);
    buf_free(&x->keys);
    table_free(&x->own);
    free(x);
}

struct ask {
    struct history *h;
    const struct history_query *q;
    const struct history_answer *a;
    err e;
};
static void ask_job(void *arg)
{
    struct ask *x = arg;
    x->e = history_find(x->h->dirfd, x->h->folder, x->q, x->a);
}

err history_ask(struct history *h, const struct history_query *q, const struct history_answer *a)
{
    struct ask x = {h, q, a, OK};
    err e = history_settle(h);
    if (e == OK)
        e = rt_pool_run(ask_job, &x);
    return e ? e : x.e;
}
