/*
 * The parent: parse, check, lock, bind, fork; then wait. It replaces a child that died, reads the
 * configuration again on SIGHUP, drains on SIGTERM, and gives way to a new version on SIGUSR2. It never reads a byte
 * from a peer, nor one of a key: files with secrets are opened here and read by the keeper.
 */
#include "app/app.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct parent {
    const char *file;
    struct conf_bundle bundle;
    struct conf *conf;
    struct sockets sockets;
    struct folders folders;
    uid_t uid;
    gid_t gid;
    int signals; /* signalfd */
    struct priv_links links;
    struct child worker, keeper;
    uint64_t stamp_seen, stamp_refused; /* of the files that are watched */
    rt_time look_at;
    bool stopping, upgrading;
    uint64_t generation;
};

/* ---- configuration -------------------------------------------------------------------------------------- */

/* What is wrong with a configuration goes to the log; `bad` is start_failed or reload_failed. */
static void say_errors(const struct conf_errors *errors, enum event bad)
{
    for (size_t i = 0; i < errors->n; i++) {
        const struct conf_error *x = &errors->v[i];
        rt_log(x->warning ? EV_config_warning : bad, log_str(x->path), log_num(x->line), log_str(x->text));
    }
}

/* Checks what was read (e: how that went); every error goes to the log. The old generation stays in force on failure.
 */
static err load(struct parent *p, const struct conf_bundle *bundle, err e, struct conf **ret)
{
    struct conf_errors errors = {0};
    enum event bad = p->conf ? EV_reload_failed : EV_start_failed;
    bool unread = e;
    if (!e)
        e = conf_load(ret, bundle, &errors);
    say_errors(&errors, bad);
    if (unread && e == E_NOT_FOUND)
        rt_log(bad, log_c(p->file), log_num(0),
               log_c("there is no such file; name the configuration behind -c, or make one by \"postrider setup\""));
    else if (e && errors.n == 0)
        rt_log(bad, log_c(p->file), log_num(0), log_err(e));
    conf_errors_free(&errors);
    if (!e)
        (*ret)->generation = ++p->generation;
    return e;
}

static void setup_log(const struct conf *c)
{
    static const enum log_level levels[] = {LOG_INFO, LOG_DEBUG, LOG_NOTICE, LOG_WARNING, LOG_ERROR};
    rt_log_setup(levels[c->log_level], c->log_format == 1, 2);
}

static int complain(const char *file, struct buf *why)
{
    fprintf(stderr, "postrider: %s: " STR_FMT "\n", file, STR_ARG(buf_str(why)));
    return 1;
}

/* The user that the worker becomes: none when not started as root. */
static err choose_user(struct parent *p, struct buf *why)
{
    p->uid = geteuid();
    p->gid = getegid();
    if (p->uid != 0)
        return OK;
    char name[256];
    bool named = p->conf->user.n != 0;
    if (named && !str_to_c(p->conf->user, name, sizeof name))
        return E_SYNTAX;
    struct passwd *w = getpwnam(named ? name : "postrider");
    if (!w && !named)
        w = getpwnam("nobody");
    if (!w) {
        buf_printf(why, "user: there is no user \"%s\" on this system", named ? name : "nobody");
        return E_NOT_FOUND;
    }
    p->uid = w->pw_uid;
    p->gid = w->pw_gid;
    return OK;
}

/* ---- the worker ----------------------------------------------------------------------------------------------- */

/* Each session needs a descriptor and two memory mappings. */
static void raise_limits(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

static void start(struct parent *p, struct child *c)
{
    int others[] = {p->signals, -1, -1}, n = 1;
    if (p->worker.channel >= 0)
        others[n++] = p->worker.channel;
    else if (p->keeper.channel >= 0)
        others[n++] = p->keeper.channel;
    struct child_start s = {.bundle = &p->bundle,
                            .conf = p->conf,
                            .sockets = &p->sockets,
                            .folders = p->folders,
                            .links = &p->links,
                            .uid = p->uid,
                            .gid = p->gid};
    child_start(c, &s, others);
}

static struct child *child_of(struct parent *p, pid_t pid)
{
    return pid == p->worker.pid ? &p->worker : pid == p->keeper.pid ? &p->keeper : NULL;
}

static void reap(struct parent *p)
{
    int status;
    struct child *c;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if ((c = child_of(p, pid)))
            child_ended(c, status, p->stopping);
}

/* ---- reload ------------------------------------------------------------------------------------------------------ */

/* The keeper first: it alone can see whether a key is one. When it does not answer it starts anew, with the old
 * generation. */
static err tell_keeper(struct parent *p, const struct conf_bundle *b, uint64_t generation)
{
    err e = p->keeper.pid ? child_tell(&p->keeper, b, generation, true) : E_CLOSED;
    if (e == E_NOMEM) { /* nothing was said yet */
        rt_log(EV_reload_failed, log_c(p->file), log_num(0), log_err(e));
        return e;
    }
    if (!e)
        e = child_wait(&p->keeper, generation);
    if (e && e != E_DENIED) {
        child_kill(&p->keeper);
        rt_log(EV_reload_failed, log_c(p->file), log_num(0), log_c("the keeper did not answer; try again"));
    }
    return e;
}

static err tell_worker(struct parent *p)
{
    err e = OK;
    for (size_t i = 0; i < p->sockets.n && !e; i++) {
        const struct socket_set *s = &p->sockets.v[i];
        struct message m = {.type = MSG_SOCKETS, .kind = s->kind, .nfd = (uint32_t)s->nfd, .at = s->at};
        memcpy(m.title, s->title, sizeof m.title);
        e = channel_send(p->worker.channel, &m, s->fd);
    }
    return e ? e : child_tell(&p->worker, &p->bundle, p->generation, false);
}

/* Files, keys and sockets of a new generation, all or none. */
static err prepare(struct parent *p, const struct conf_bundle *bundle, const struct conf *c)
{
    struct buf why;
    buf_init(&why, 1024);
    err e = tell_keeper(p, bundle, c->generation);
    if (!e) {
        e = sockets_follow(&p->sockets, c, &why);
        if (e) {
            rt_log(EV_reload_failed, log_c(p->file), log_num(0), log_str(buf_str(&why)));
            tell_keeper(p, &p->bundle, ++p->generation); /* back to the keys that the worker serves */
        }
    }
    buf_free(&why);
    return e;
}

static void warn_of_restart(struct parent *p, const struct conf *c)
{
    struct buf why;
    buf_init(&why, 1024);
    conf_needs_restart(&why, p->conf, c);
    if (why.n)
        rt_log(EV_restart_needed, log_c(p->file), log_str(buf_str(&why)));
    buf_free(&why);
}

/* The generation is in force from here on; the worker follows. */
static void adopt(struct parent *p, const struct conf_bundle *bundle, struct conf *c)
{
    warn_of_restart(p, c);
    conf_drop(&p->conf);
    conf_bundle_free(&p->bundle);
    p->conf = c;
    p->bundle = *bundle;
    setup_log(c);
    err e = p->worker.channel >= 0 ? tell_worker(p) : OK;
    if (e) {
        rt_log(EV_reload_failed, log_c(p->file), log_num(0), log_err(e));
        kill(p->worker.pid, SIGKILL); /* it starts anew with the new generation */
    }
}

static void reload(struct parent *p)
{
    struct conf_bundle bundle = {0};
    struct conf *c = NULL;
    notify_manager("RELOADING=1");
    err e = load(p, &bundle, conf_bundle_read_closed(&bundle, p->file), &c);
    if (!e && !str_eq(c->data_dir, p->conf->data_dir)) { /* its lock, sockets and spool are open */
        rt_log(EV_reload_failed, log_c(p->file), log_num(0),
               log_c("data-dir: cannot change while the server runs: end the server, move the folder, start it anew"));
        e = E_DENIED;
    }
    if (!e) {
        e = bundle_complete(&bundle, c);
        if (e)
            rt_log(EV_reload_failed, log_c(p->file), log_num(0), log_err(e));
    }
    if (e || prepare(p, &bundle, c)) {
        conf_drop(&c);
        conf_bundle_free(&bundle);
    } else {
        adopt(p, &bundle, c);
    }
    notify_manager("READY=1");
}

/* Certificates and keys that changed where they lie, as a renewal by another program does it: the main file and all
 * others stay as they were. Both files of a pair must have come, so a change is taken when it has settled; what was
 * refused is not tried again until it changes. */
static void refresh(struct parent *p, uint64_t stamp)
{
    struct conf_bundle bundle = {0};
    struct conf *c = NULL;
    err e = load(p, &bundle, conf_bundle_refresh(&bundle, &p->bundle), &c);
    if (e || prepare(p, &bundle, c)) {
        p->stamp_refused = stamp;
        conf_drop(&c);
        conf_bundle_free(&bundle);
    } else {
        rt_log(EV_certificates_changed, log_c(p->file));
        adopt(p, &bundle, c);
    }
}

static void look_at_files(struct parent *p)
{
    uint64_t now = conf_bundle_stamp_now(&p->bundle);
    bool settled = now == p->stamp_seen;
    p->stamp_seen = now;
    p->look_at = rt_now_fresh() + p->conf->tls_watch;
    if (settled && now != conf_bundle_stamp(&p->bundle) && now != p->stamp_refused)
        refresh(p, now);
}

/* ---- life ---------------------------------------------------------------------------------------------------------
 */

static void from_child(struct parent *p, struct child *c)
{
    struct message m;
    int fds[MESSAGE_FDS];
    err e = channel_recv(c->channel, &m, fds);
    if (e == OK && m.type == MSG_READY) {
        c->ready = true;
        c->lost = 0;
        if (c == &p->worker) {
            folders_sign(&p->folders, true);
            notify_manager("READY=1");
        }
    } else if (e == OK && m.type == MSG_RELOADED && c == &p->worker) {
        rt_log(EV_reload, log_num((int64_t)m.generation));
    } else if (e && !(p->stopping && c == &p->worker)) {
        child_kill(c);
    } else if (e) { /* it is ending as it was told to */
        int status;
        if (waitpid(c->pid, &status, 0) == c->pid)
            child_ended(c, status, true);
    }
}

static void drain(struct parent *p)
{
    if (p->stopping)
        return;
    p->stopping = true;
    if (p->worker.channel >= 0 && channel_send(p->worker.channel, &(struct message){.type = MSG_DRAIN}, NULL))
        kill(p->worker.pid, SIGKILL);
}

static void stop(struct parent *p)
{
    if (p->stopping && !p->upgrading)
        return;
    p->upgrading = false;
    rt_log(EV_stop, log_c("told to stop"));
    notify_manager("STOPPING=1");
    sockets_free(&p->sockets); /* or new clients would wait in a socket that nobody accepts from */
    drain(p);
}

/* The sockets stay: new clients wait in them for the program that follows. */
static void upgrade(struct parent *p)
{
    if (p->stopping)
        return;
    p->upgrading = true;
    rt_log(EV_stop, log_c("a new version takes over"));
    notify_manager("RELOADING=1");
    drain(p);
}

static void from_signals(struct parent *p)
{
    struct signalfd_siginfo s;
    while (read(p->signals, &s, sizeof s) == sizeof s) {
        if (s.ssi_signo == SIGCHLD)
            reap(p);
        else if (s.ssi_signo == SIGHUP && !p->stopping)
            reload(p);
        else if (s.ssi_signo == SIGUSR2)
            upgrade(p);
        else
            stop(p);
    }
}

/* A keeper is needed as long as there is a worker. */
static void keep_running(struct parent *p)
{
    rt_time now = rt_now_fresh();
    if (!p->keeper.pid && (!p->stopping || p->worker.pid) && now >= p->keeper.start_at)
        start(p, &p->keeper);
    if (!p->worker.pid && !p->stopping && now >= p->worker.start_at)
        start(p, &p->worker);
}

/* How long to sleep, in ms; -1: until something happens. */
static int patience(const struct parent *p)
{
    if (!p->worker.pid || !p->keeper.pid || p->stopping || !p->worker.ready)
        return 200;
    if (p->conf->tls_watch == 0)
        return -1;
    rt_time left = p->look_at - rt_now_fresh();
    return left <= 0 ? 0 : (int)(left / RT_MS) + 1;
}

static int watch(struct parent *p)
{
    rt_time drain_end = RT_NEVER;
    while (!p->stopping || p->worker.pid) {
        keep_running(p);
        if (p->stopping && drain_end == RT_NEVER)
            drain_end = rt_now_fresh() + p->conf->drain_time + 10 * RT_S;
        struct pollfd v[3] = {{.fd = p->signals, .events = POLLIN},
                              {.fd = p->worker.channel, .events = POLLIN},
                              {.fd = p->keeper.channel, .events = POLLIN}};
        rt_log_flush();
        if (poll(v, 3, patience(p)) < 0 && errno != EINTR)
            return 1;
        if (v[0].revents)
            from_signals(p);
        if (v[1].revents && p->worker.pid && p->worker.channel == v[1].fd)
            from_child(p, &p->worker);
        if (v[2].revents && p->keeper.pid && p->keeper.channel == v[2].fd)
            from_child(p, &p->keeper);
        if (p->conf->tls_watch && !p->stopping && p->worker.ready && rt_now_fresh() >= p->look_at)
            look_at_files(p);
        if (p->worker.pid && rt_now_fresh() > drain_end)
            kill(p->worker.pid, SIGKILL);
    }
    return 0;
}

/* It ends when its channel does. */
static void end_keeper(struct parent *p)
{
    int status;
    if (!p->keeper.pid)
        return;
    close(p->keeper.channel);
    waitpid(p->keeper.pid, &status, 0);
}

/* The first keeper must take the secrets as they are, or there is no start. */
static err first_keeper(struct parent *p, struct buf *why)
{
    err e = priv_links_open(&p->links, p->sockets.nloops);
    if (!e) {
        start(p, &p->keeper);
        e = p->keeper.pid ? child_wait(&p->keeper, 0) : E_NOMEM;
    }
    if (e)
        buf_add_c(why, "the keeper, the process that holds keys and secrets, could not start; the lines above say why");
    return e;
}

static err begin(struct parent *p, struct buf *why)
{
    err e = choose_user(p, why);
    if (!e)
        e = folders_open(&p->folders, p->conf, p->uid, p->gid, why);
    if (!e)
        e = secrets_make(&p->folders, p->conf, why);
    if (!e && (e = bundle_complete(&p->bundle, p->conf)) != OK)
        buf_printf(why, STR_FMT "/secrets: cannot be read: %s", STR_ARG(p->conf->data_dir), err_text(e));
    p->sockets.nloops = p->conf->loops ? (int)p->conf->loops : (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (p->sockets.nloops > MESSAGE_FDS)
        p->sockets.nloops = MESSAGE_FDS;
    if (!e)
        e = sockets_follow(&p->sockets, p->conf, why);
    return e ? e : first_keeper(p, why);
}

int app_serve(const char *file)
{
    struct parent p = {
        .file = file,
        .worker = {"worker", EV_worker_started, EV_worker_died, worker_run, .channel = -1},
        .keeper = {"keeper", EV_keeper_started, EV_keeper_died, keeper_run, .channel = -1},
    };
    sigset_t mask;
    sigemptyset(&mask);
    for (const int *s = (int[]){SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR2, 0}; *s; s++)
        sigaddset(&mask, *s);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    p.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    upgrade_remember_program();
    raise_limits();
    if (load(&p, &p.bundle, conf_bundle_read_closed(&p.bundle, file), &p.conf)) {
        rt_log_flush();
        conf_bundle_free(&p.bundle);
        return 1;
    }
    setup_log(p.conf);
    struct buf why;
    buf_init(&why, 4096);
    int status = begin(&p, &why) ? complain(file, &why) : -1;
    if (status < 0) {
        rt_log(EV_start, log_c(POSTRIDER_VERSION), log_str(p.conf->hostname), log_num(p.sockets.nloops));
        status = watch(&p);
    }
    end_keeper(&p);
    if (p.upgrading)
        upgrade_exec(&p.sockets, file);
    sockets_free(&p.sockets);
    rt_log_flush();
    buf_free(&why);
    conf_drop(&p.conf);
    conf_bundle_free(&p.bundle);
    return status;
}
