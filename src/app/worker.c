/*
 * The worker: drops privileges, opens the spool, and builds the rooms on every loop. It follows the
 * parent through the channel: a new generation, the order to drain, and its end.
 */
#include "app/app.h"
#include "app/sandbox.h"
#include "app/wiring.h"
#include "db/counts.h"
#include "directory/directory.h"
#include "intake/submit.h"
#include "keys/keys.h"
#include "policy/greylist.h"
#include "policy/use_script.h"
#include "reports/reports.h"
#include "send/send.h"
#include "spool/spool.h"

#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct world world;

#define COUNTS_EVERY (20 * RT_S)
#define TRIM_EVERY (10 * RT_S)

/* ---- generations ------------------------------------------------------------------------------------------ */

static struct lock generation_lock;

struct conf *world_conf(void)
{
    lock_take(&generation_lock);
    struct conf *c = conf_ref(world.conf);
    lock_drop(&generation_lock);
    return c;
}

static void world_set_conf(struct conf *c)
{
    lock_take(&generation_lock);
    struct conf *old = world.conf;
    world.conf = c;
    lock_drop(&generation_lock);
    conf_drop(&old);
}

/* ---- privileges ----------------------------------------------------------------------------------------------- */

err drop_privileges(uid_t uid, gid_t gid)
{
    if (geteuid() != 0 || uid == 0)
        return OK;
    if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        return E_DENIED;
    return setuid(0) == 0 ? E_BUG : OK; /* there is no way back */
}

/* ---- the parent's messages ----------------------------------------------------------------------------------------
 */

/* One for each loop, so that a reload needs no memory to be told; the newest generation replaces one not yet read. */
struct loop_reload {
    struct post post;
    struct conf *_Atomic conf; /* NULL: nothing is under way */
};
static struct loop_reload reloads[MESSAGE_FDS];

static void reload_here(struct post *p)
{
    struct loop_reload *r = container_of(p, struct loop_reload, post);
    struct conf *c = atomic_exchange(&r->conf, NULL);
    loop_follow(c);
    conf_drop(&c);
}

static str own_secret_file(const struct conf *c, const struct conf_bundle *b, const char *name)
{
    char path[1200];
    secret_path(c, name, path, sizeof path);
    return conf_bundle_text(b, str_c(path));
}

/* What the system says about names, kept with the generation. */
static void keep_system_files(struct conf *c, const struct conf_bundle *b)
{
    c->resolv_conf = arena_str(&c->arena, conf_bundle_text(b, S("/etc/resolv.conf")));
    c->hosts = arena_str(&c->arena, conf_bundle_text(b, S("/etc/hosts")));
    c->acme_chain = arena_str(&c->arena, own_secret_file(c, b, "acme.crt"));
    if (!c->anchor.n)
        c->anchor = arena_str(&c->arena, conf_bundle_text(b, S(ROOT_ANCHOR)));
}

static void announce(struct conf *c)
{
    for (int i = 0; i < rt_nloops() && i < MESSAGE_FDS; i++) {
        struct conf *unread = atomic_exchange(&reloads[i].conf, conf_ref(c));
        reloads[i].post.run = reload_here;
        if (!unread)
            rt_post(rt_loop(i), &reloads[i].post);
        conf_drop(&unread);
    }
}

err bundle_from_fd(struct conf_bundle *b, int fd)
{
    struct buf bytes;
    uint64_t size = 0;
    size_t got = 0;
    buf_init(&bytes, (size_t)1 << 28);
    err e = rt_fs_real.size(fd, &size);
    char *p = e ? NULL : buf_room(&bytes, size);
    if (!e && p)
        e = rt_fs_real.pread(fd, p, size, 0, &got);
    bytes.n = got;
    if (!e)
        e = conf_bundle_decode(b, buf_str(&bytes));
    buf_free(&bytes);
    return e;
}

static err take_generation(int fd, uint64_t generation)
{
    struct conf_bundle bundle = {0};
    struct conf_errors errors = {0};
    struct conf *c = NULL;
    err e = bundle_from_fd(&bundle, fd);
    if (!e)
        e = conf_load(&c, &bundle, &errors);
    if (!e) {
        c->generation = generation;
        keep_system_files(c, &bundle);
        e = ports_prepare(c, &bundle);
    }
    conf_errors_free(&errors);
    conf_bundle_free(&bundle);
    if (e) {
        conf_drop(&c);
        return e;
    }
    use_script_follow(c);
    ports_follow();
    announce(c);
    world_set_conf(c);
    return OK;
}

static void take_sockets(const struct message *m, const int *fds)
{
    struct socket_set s = {.kind = m->kind, .at = m->at, .nfd = (int)m->nfd, .seen = true};
    int fd[MESSAGE_FDS];
    memcpy(s.title, m->title, sizeof s.title);
    s.fd = memcpy(fd, fds, m->nfd * sizeof *fds);
    ports_add(&s);
}

static void follow_parent(void *arg)
{
    static struct io io = {.fd = -1}; /* outlives the fiber: the channel stays open until the process ends */
    (void)arg;
    if (io_attach(&io, world.channel))
        _exit(1);
    for (;;) {
        struct message m;
        int fds[MESSAGE_FDS];
        err e = channel_recv(world.channel, &m, fds);
        if (e == E_AGAIN) {
            io.readable = false;
            if (io_wait_read(&io, RT_NEVER) == E_CANCELLED)
                break;
        } else if (e) { /* the parent is gone: nothing outlives it */
            rt_log_flush();
            _exit(1);
        } else if (m.type == MSG_SOCKETS) {
            take_sockets(&m, fds);
        } else if (m.type == MSG_RELOAD) {
            m.type = take_generation(fds[0], m.generation) ? MSG_READY : MSG_RELOADED;
            m.nfd = 0;
            close(fds[0]);
            channel_send(world.channel, &m, NULL);
        } else if (m.type == MSG_DRAIN) {
            ports_stop();
            queue_stop(world.queue);
            rt_stop();
        }
    }
}

/* ---- start
 * ------------------------------------------------------------------------------------------------------------ */

static void run_greylist(void *arg)
{
    (void)arg;
    grey_run(world_conf);
}

static void run_reports(void *arg)
{
    (void)arg;
    reports_run();
}

static void run_counts(void *arg)
{
    (void)arg;
    counts_run(COUNTS_EVERY);
}

/* What a flood of messages or a start left free goes back to the system when the flood is over: bodies, and what the
 * heap keeps between what lives for long. */
static void trim_heap(void *arg)
{
    (void)arg;
    spool_trim();
    (void)malloc_trim(0);
}

static void run_trim(void *arg)
{
    enum { MUCH = 10000, LITTLE = 1000 }; /* records of the spool: since the last time; in one turn */
    int64_t trimmed = -MUCH - 1, was = 0; /* a start leaves much, too */
    (void)arg;
    while (fiber_sleep(rt_after(TRIM_EVERY)) == OK) {
        int64_t now = metric_read(M_spool_records);
        if (now - trimmed > MUCH && now - was < LITTLE && rt_pool_run(trim_heap, NULL) == OK)
            trimmed = now;
        was = now;
    }
}

static void start_loop(void *arg, int index)
{
    (void)arg;
    struct conf *c = world_conf();
    loop_follow(c);
    if (index == 0) {
        use_script_follow(c);
        queue_start(world.queue, world.spool, c);
        world.running = true;
        ports_start();
        fiber_spawn(follow_parent, NULL, "parent");
        fiber_spawn(run_reports, NULL, "reports");
        fiber_spawn(run_greylist, NULL, "greylist");
        fiber_spawn(run_counts, NULL, "counts");
        fiber_spawn(run_trim, NULL, "trim");
        fiber_spawn(world_watch, NULL, "proxy");
        channel_send(world.channel, &(struct message){.type = MSG_READY}, NULL);
    }
    conf_drop(&c);
}

/* A server without a history does its work all the same. */
static void open_history(const struct child_start *w)
{
    const struct conf *c = world.conf;
    const struct history_config hc = {
        .dirfd = w->folders.history, .folder = "", .max_size = c->history_max_size, .max_age = c->history_max_age};
    err e = history_open(&world.history, &hc);
    if (e)
        rt_log(EV_history_failed, log_c("open"), log_err(e));
}

static err open_directory(const struct child_start *w)
{
    char mem[500];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    err e = directory_open(w->folders.data, &why);
    if (e)
        rt_log(EV_directory_failed, log_c("open"), log_str(buf_str(&why)));
    return e;
}

static void observe_reports(void)
{
    checks_observe(reports_seen);
    send_observe(reports_session);
}

/* A server that cannot count does its work all the same. */
static void open_reports(const struct child_start *w)
{
    char mem[500];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    const struct reports rooms = {world.spool, world.queue, world_conf};
    if (reports_open(w->folders.data, &rooms, &why))
        rt_log(EV_report_failed, log_c("open"), log_str(S("")), log_str(buf_str(&why)));
    else
        observe_reports();
}

/* Without them mail goes out all the same; they are fetched again. */
static void open_policies(const struct child_start *w)
{
    char mem[500];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    if (sts_open(w->folders.data, &why))
        rt_log(EV_sts_failed, log_c("sts.db"), log_str(buf_str(&why)));
}

/* Without it no mail is signed by keys that the server made. */
static void open_keys(const struct child_start *w)
{
    char mem[500];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    if (keys_open(w->folders.data, &why))
        rt_log(EV_dkim_key_failed, log_c("dkim.db"), log_c("open"), log_str(buf_str(&why)));
}

/* Without them limits and blocks begin anew with each start. */
static void open_counts(const struct child_start *w)
{
    char mem[500];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    quota_keep();
    guard_keep();
    script_store_keep();
    if (counts_open(w->folders.data, &why))
        rt_log(EV_counts_failed, log_str(buf_str(&why)));
}

/* Without it greylisting forgets what it learns when this process ends. */
static void open_greylist(const struct child_start *w)
{
    char mem[500];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    if (grey_open(w->folders.data, &why))
        rt_log(EV_greylist_failed, log_c("open"), log_str(buf_str(&why)));
}

static err open_stores(const struct child_start *w)
{
    const struct conf *c = world.conf;
    open_history(w);
    err e = open_directory(w);
    open_policies(w);
    open_keys(w);
    open_greylist(w);
    open_counts(w);
    if (!e)
        e = queue_new(&world.queue, world_queue_ops());
    if (e)
        return e;
    struct spool_config sc = {
        .dir = w->folders.spool,
        .segment_size = (uint64_t)c->spool_segment_size,
        .reserve = (uint64_t)c->spool_reserve,
        .max_bytes = (uint64_t)c->spool_max_size,
        .spare = 4,
    };
    return spool_open(&world.spool, &sc, queue_recovered, world.queue);
}

/* Once this is done, nothing but these can be opened: whoever needs more adds it here. */
static err shut_in(const struct folders *f)
{
    const struct sandbox_place places[] = {{f->spool, NULL},
                                           {f->mail, NULL},
                                           {f->history, NULL},
                                           {f->data, "directory.db"},
                                           {f->data, "directory.db-journal"},
                                           {f->data, "reports.db"},
                                           {f->data, "reports.db-journal"},
                                           {f->data, "sts.db"},
                                           {f->data, "sts.db-journal"},
                                           {f->data, "dkim.db"},
                                           {f->data, "dkim.db-journal"},
                                           {f->data, "greylist.db"},
                                           {f->data, "greylist.db-journal"},
                                           {f->data, "counts.0"},
                                           {f->data, "counts.1"}};
    return sandbox_enter(SANDBOX_WORKER, places, sizeof places / sizeof *places);
}

/* The C library looks at this file each time that it is asked for local time, unless a name was given. */
static void keep_time_zone(void)
{
    setenv("TZ", ":/etc/localtime", 0);
    tzset();
}

int worker_run(const struct child_start *w)
{
    prctl(PR_SET_NAME, "postrider-work");
    fcntl(w->channel, F_SETFL, O_NONBLOCK); /* a fiber reads it */
    priv_links_close(w->links, false, true);
    conf_bundle_close(w->bundle);
    close(w->folders.secrets);
    world.channel = w->channel;
    world.folders = w->folders;
    world.conf = conf_ref(w->conf);
    err e = OK;
    for (size_t i = 0; i < w->sockets->n && !e; i++)
        e = ports_add(&w->sockets->v[i]);
    keep_system_files(world.conf, w->bundle);
    keep_time_zone();
    e = e ? e : tls_setup();
    if (!e)
        e = priv_connect(w->links);
    if (!e)
        e = ports_prepare(world.conf, w->bundle);
    if (!e)
        e = drop_privileges(w->uid, w->gid);
    if (!e && world.conf->sandbox)
        e = shut_in(&w->folders);
    if (!e)
        e = open_stores(w);
    if (e) {
        rt_log(EV_bug, log_c("start of the worker"), log_err(e));
        rt_log_flush();
        return 1;
    }
    open_reports(w);
    world_wire_up();
    ports_begin();
    world.started_ms = rt_wall_ms();
    struct rt_start s = {.nloops = w->sockets->nloops,
                         .npool = 4 * w->sockets->nloops,
                         .init = start_loop,
                         .drain = world.conf->drain_time};
    e = rt_run(&s);
    queue_stop(world.queue);
    reports_close();
    grey_close();
    spool_close(&world.spool);
    history_close(&world.history);
    directory_close();
    (void)counts_save();
    counts_close();
    sts_close();
    keys_close();
    rt_log(EV_stop, log_c(e == E_TIMEOUT ? "drain-time was over, what still ran was cut off" : "drained"));
    rt_log_flush();
    return e && e != E_TIMEOUT ? 1 : 0;
}
