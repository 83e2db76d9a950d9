/*
 * The parent: parse, check, lock, bind, fork; then wait. It replaces a worker that died, reads the
 * configuration again on SIGHUP, and drains on SIGTERM. It never reads a byte from a peer.
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
#include <sys/mman.h>
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
    sigset_t old_mask;
    int signals; /* signalfd */
    int channel; /* to the worker; -1: none */
    pid_t worker;
    bool stopping, ready;
    int lost; /* workers lost in a row without becoming ready */
    uint64_t generation;
};

/* ---- configuration -------------------------------------------------------------------------------------- */

/* Reads and checks; every error goes to the log. The old generation stays in force on failure. */
static err load(struct parent *p, struct conf_bundle *bundle, struct conf **ret)
{
    struct conf_errors errors = {0};
    err e = conf_bundle_read(bundle, p->file);
    if (!e)
        e = conf_load(ret, bundle, &errors);
    for (size_t i = 0; i < errors.n; i++)
        rt_log(EV_reload_failed, log_str(errors.v[i].path), log_num(errors.v[i].line), log_str(errors.v[i].text));
    if (e && errors.n == 0)
        rt_log(EV_reload_failed, log_c(p->file), log_num(0), log_err(e));
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

static void start_worker(struct parent *p)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        rt_log(EV_bug, log_c("socketpair"), log_c(strerror(errno)));
        return;
    }
    rt_log_flush();
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        close(p->signals);
        /* The lock stays open here: it belongs to the last process of this server, not to the parent. */
        fcntl(pair[1], F_SETFL, O_NONBLOCK); /* a fiber reads it */
        sigprocmask(SIG_SETMASK, &p->old_mask, NULL);
        signal(SIGHUP, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        _exit(worker_run(&(struct worker_start){.bundle = &p->bundle,
                                                .conf = p->conf,
                                                .sockets = &p->sockets,
                                                .folders = p->folders,
                                                .channel = pair[1],
                                                .uid = p->uid,
                                                .gid = p->gid}));
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        rt_log(EV_worker_died, log_num(0), log_c(strerror(errno)));
        return;
    }
    p->worker = pid;
    p->channel = pair[0];
    p->ready = false;
    rt_log(EV_worker_started, log_num(pid));
}

static void worker_ended(struct parent *p, int status)
{
    char text[64];
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
    bool clean = p->stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!clean)
        rt_log(EV_worker_died, log_num(p->worker), log_c(text));
    if (!p->ready)
        p->lost++;
    close(p->channel);
    p->channel = -1;
    p->worker = 0;
}

static void reap(struct parent *p)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == p->worker)
            worker_ended(p, status);
}

/* ---- reload ------------------------------------------------------------------------------------------------------ */

static int memory_file(const struct conf_bundle *b)
{
    struct buf bytes;
    buf_init(&bytes, (size_t)1 << 28);
    conf_bundle_encode(&bytes, b);
    int fd = bytes.e ? -1 : memfd_create("bundle", MFD_CLOEXEC);
    if (fd >= 0 && rt_fs_real.pwritev(fd, &(struct iovec){bytes.p, bytes.n}, 1, 0)) {
        close(fd);
        fd = -1;
    }
    buf_free(&bytes);
    return fd;
}

static err tell_worker(struct parent *p)
{
    err e = OK;
    for (size_t i = 0; i < p->sockets.n && !e; i++) {
        const struct socket_set *s = &p->sockets.v[i];
        struct message m = {.type = MSG_SOCKETS, .kind = s->kind, .nfd = (uint32_t)s->nfd, .at = s->at};
        memcpy(m.title, s->title, sizeof m.title);
        e = channel_send(p->channel, &m, s->fd);
    }
    int fd = memory_file(&p->bundle);
    if (!e)
        e = fd < 0 ? E_NOMEM
                   : channel_send(p->channel,
                                  &(struct message){.type = MSG_RELOAD, .nfd = 1, .generation = p->generation}, &fd);
    if (fd >= 0)
        close(fd);
    return e;
}

static void reload(struct parent *p)
{
    struct conf_bundle bundle = {0};
    struct conf *c = NULL;
    notify_manager("RELOADING=1");
    if (load(p, &bundle, &c)) {
        conf_bundle_free(&bundle);
    } else {
        struct buf why;
        buf_init(&why, 1024);
        if (bundle_complete(&bundle, c) || sockets_follow(&p->sockets, c, &why)) {
            rt_log(EV_reload_failed, log_c(p->file), log_num(0), log_str(buf_str(&why)));
            conf_drop(&c);
            conf_bundle_free(&bundle);
        } else {
            buf_clear(&why);
            conf_needs_restart(&why, p->conf, c);
            if (why.n)
                rt_log(EV_restart_needed, log_c(p->file), log_str(buf_str(&why)));
            conf_drop(&p->conf);
            conf_bundle_free(&p->bundle);
            p->conf = c;
            p->bundle = bundle;
            setup_log(c);
            if (p->channel >= 0 && tell_worker(p))
                kill(p->worker, SIGKILL); /* it starts anew with the new generation */
        }
        buf_free(&why);
    }
    notify_manager("READY=1");
}

/* ---- life
 * -------------------------------------------------------------------------------------------------------------- */

static void from_worker(struct parent *p)
{
    struct message m;
    int fds[MESSAGE_FDS];
    err e = channel_recv(p->channel, &m, fds);
    if (e == OK && m.type == MSG_READY) {
        p->ready = true;
        p->lost = 0;
        notify_manager("READY=1");
    } else if (e == OK && m.type == MSG_RELOADED) {
        rt_log(EV_reload, log_num((int64_t)m.generation));
    } else if (e) {
        kill(p->worker, SIGKILL); /* reaped by SIGCHLD */
        int status;
        if (waitpid(p->worker, &status, 0) == p->worker)
            worker_ended(p, status);
    }
}

static void stop(struct parent *p)
{
    if (p->stopping)
        return;
    p->stopping = true;
    rt_log(EV_stop, log_c("told to stop"));
    notify_manager("STOPPING=1");
    sockets_free(&p->sockets); /* or new clients would wait in a socket that nobody accepts from */
    if (p->channel >= 0 && channel_send(p->channel, &(struct message){.type = MSG_DRAIN}, NULL))
        kill(p->worker, SIGKILL);
}

static void from_signals(struct parent *p)
{
    struct signalfd_siginfo s;
    while (read(p->signals, &s, sizeof s) == sizeof s) {
        if (s.ssi_signo == SIGCHLD)
            reap(p);
        else if (s.ssi_signo == SIGHUP)
            reload(p);
        else
            stop(p);
    }
}

/* A worker that dies before it was ready is started again later and later, at most every 30 s. */
static int restart_wait_ms(const struct parent *p)
{
    return p->lost == 0 ? 0 : p->lost < 6 ? 1000 << (p->lost - 1) : 30000;
}

static int watch(struct parent *p)
{
    rt_time drain_end = RT_NEVER, start_at = 0;
    while (!p->stopping || p->worker) {
        if (!p->worker && !p->stopping && rt_now_fresh() >= start_at)
            start_worker(p);
        if (p->stopping && drain_end == RT_NEVER)
            drain_end = rt_now_fresh() + p->conf->drain_time + 10 * RT_S;
        struct pollfd v[2] = {{.fd = p->signals, .events = POLLIN}, {.fd = p->channel, .events = POLLIN}};
        rt_log_flush();
        if (poll(v, 2, p->worker && !p->stopping ? -1 : 200) < 0 && errno != EINTR)
            return 1;
        bool had = p->worker != 0;
        if (v[0].revents)
            from_signals(p);
        if (v[1].revents && p->worker && p->channel == v[1].fd)
            from_worker(p);
        if (had && !p->worker)
            start_at = rt_now_fresh() + restart_wait_ms(p) * RT_MS;
        if (p->worker && rt_now_fresh() > drain_end)
            kill(p->worker, SIGKILL);
    }
    return 0;
}

static err begin(struct parent *p, struct buf *why)
{
    err e = choose_user(p, why);
    if (!e)
        e = folders_open(&p->folders, p->conf, p->uid, p->gid, why);
    if (!e)
        e = secrets_make(&p->folders, p->conf, why);
    if (!e)
        e = bundle_complete(&p->bundle, p->conf);
    p->sockets.nloops = p->conf->loops ? (int)p->conf->loops : (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (p->sockets.nloops > MESSAGE_FDS)
        p->sockets.nloops = MESSAGE_FDS;
    if (!e)
        e = sockets_follow(&p->sockets, p->conf, why);
    return e;
}

int app_serve(const char *file)
{
    struct parent p = {.file = file, .channel = -1};
    sigset_t mask;
    sigemptyset(&mask);
    for (const int *s = (int[]){SIGCHLD, SIGHUP, SIGINT, SIGTERM, 0}; *s; s++)
        sigaddset(&mask, *s);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &mask, &p.old_mask);
    p.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    raise_limits();
    if (load(&p, &p.bundle, &p.conf)) {
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
        sockets_free(&p.sockets);
    }
    rt_log_flush();
    buf_free(&why);
    conf_drop(&p.conf);
    conf_bundle_free(&p.bundle);
    return status;
}
