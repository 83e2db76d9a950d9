/*
 * For fuzz targets over whole sessions: every room that serves mail, wired as the worker wires them, in one process
 * with one loop: real policy, spool, queue, history and exits, on a folder in memory. Next servers on loopback take
 * what goes out and abort at anything but one orderly transaction after another.
 *
 * An input runs in a fiber of its own by fuzz_run. fuzz_settle then waits for the end of all that it began: no
 * message may stay anywhere.
 */
#ifndef APP_FUZZ_WORLD_H
#define APP_FUZZ_WORLD_H
#include "app/wiring.h"
#include "conf/test_conf.h"
#include "net/net.h"
#include "priv/priv.h"
#include "wire/fuzz.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    char folder[64];
    const char *conf;      /* text; @0 and @1 are the ports of the next servers */
    void (*begin)(void);   /* on the loop, before the first input */
    void (*one)(str in);   /* an input, in a fiber */
    struct io listener[2]; /* next servers: one that offers much, one that offers nothing */
    void (*visit)(struct conn *c, int which) YIELDS;
    int port[2], visits;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool ready, done;
    str in;
} fw = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void fuzz_tell(bool *what)
{
    pthread_mutex_lock(&fw.mutex);
    *what = true;
    pthread_cond_signal(&fw.changed);
    pthread_mutex_unlock(&fw.mutex);
}

/* ---- next servers ------------------------------------------------------------------------------------ */

struct fuzz_visit {
    struct conn c;
    int which;
};

static void fuzz_visit_fiber(void *arg)
{
    struct fuzz_visit *v = arg;
    fw.visit(&v->c, v->which);
    conn_close(&v->c);
    free(v);
    fw.visits--;
}

static void fuzz_accept(void *arg)
{
    struct io *listener = arg;
    struct sockaddr_storage peer;
    int fd;
    while (io_accept(listener, &fd, &peer) == OK) {
        struct fuzz_visit *v = calloc(1, sizeof *v);
        MUST(v && conn_init(&v->c, fd, &peer) == OK);
        v->which = (int)(listener - fw.listener);
        v->c.deadline = rt_after(20 * RT_S);
        fw.visits++;
        MUST(fiber_spawn(fuzz_visit_fiber, v, "visit"));
    }
}

/* Bound before the loop runs, so that the configuration may name the port. */
static int fuzz_listen(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd;
    MUST(rt_listen((struct sockaddr *)&at, sizeof at, false, 64, &fd) == OK);
    MUST(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

/* The body of one message as the other side may see it. */
static bool fuzz_take_text(struct conn *c, bool seven)
{
    str line;
    bool crlf;
    while (conn_readline(c, 65000, &line, &crlf) == OK) {
        MUST(crlf && line.n <= 1001);
        if (str_eq(line, S(".")))
            return true;
        for (size_t i = 0; i < line.n; i++)
            MUST(line.p[i] && line.p[i] != '\r' && (!seven || !(line.p[i] & 0x80)));
    }
    return false;
}

/* An answer by the first letter of the address: d defers, f fails. */
static const char *fuzz_rcpt_answer(str line)
{
    size_t lt = str_find(line, '<');
    char first = lt != STR_NONE && lt + 1 < line.n ? line.p[lt + 1] : 0;
    return first == 'd' ? "450 4.2.1 later\r\n" : first == 'f' ? "550 5.1.1 no\r\n" : "250 2.1.5 ok\r\n";
}

/* A strict server: whatever is not a command that we send means that octets of a message became commands. */
static inline void fuzz_strict_server(struct conn *c, int which)
{
    int taken = 0;
    bool lmtp = false, crlf;
    str line;
    conn_write(c, S("220 next.test\r\n"));
    while (conn_readline(c, 8192, &line, &crlf) == OK) {
        MUST(crlf && line.n >= 4 && line.n < 8192);
        for (size_t i = 0; i < line.n; i++)
            MUST((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f && (which == 0 || !(line.p[i] & 0x80)));
        if (str_starts(line, S("EHLO ")) || str_starts(line, S("LHLO "))) {
            lmtp = line.p[0] == 'L';
            conn_write(c, which ? S("250 next.test\r\n")
                                : S("250-next.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
                                    "250-ENHANCEDSTATUSCODES\r\n250 SIZE 1000000\r\n"));
        } else if (str_starts(line, S("MAIL FROM:<"))) {
            taken = 0;
            conn_write(c, S("250 2.1.0 ok\r\n"));
        } else if (str_starts(line, S("RCPT TO:<"))) {
            const char *answer = fuzz_rcpt_answer(line);
            taken += answer[0] == '2';
            conn_write(c, str_c(answer));
        } else if (str_eq(line, S("DATA"))) {
            conn_write(c, taken ? S("354 go on\r\n") : S("503 5.5.1 nobody\r\n"));
            if (!taken)
                continue;
            if (!fuzz_take_text(c, which))
                return;
            for (int i = 0; i < (lmtp ? taken : 1); i++)
                conn_write(c, S("250 2.0.0 ok\r\n"));
        } else if (str_eq(line, S("QUIT"))) {
            conn_write(c, S("221 2.0.0 bye\r\n"));
            conn_flush(c);
            return;
        } else {
            MUST(str_eq(line, S("RSET")) || str_eq(line, S("NOOP")));
            conn_write(c, S("250 2.0.0 ok\r\n"));
        }
    }
}

/* ---- the end of an input ------------------------------------------------------------------------------- */

struct fuzz_left {
    uint64_t idle[64]; /* messages of which all that is left waits for a time */
    unsigned n, busy;
};

static void fuzz_count(void *arg, const struct queue_entry *e)
{
    struct fuzz_left *l = arg;
    if (e->state[0] == 'a' || e->state[0] == 'r')
        l->busy++;
    else if (l->n < 64)
        l->idle[l->n++] = e->id;
}

/* What waits for a retry is removed by the operator; then nothing may be left in queue or spool. */
static inline void fuzz_settle(void)
{
    const struct queue_filter all = {.tenant = -1, .held = -1};
    rt_time until = rt_after(15 * RT_S);
    for (;;) {
        struct fuzz_left left = {0};
        uint64_t cursor = 0;
        while (queue_walk(world.queue, &all, &cursor, 1000, fuzz_count, &left))
            fiber_yield();
        for (unsigned i = 0; i < left.n; i++)
            queue_act(world.queue, QUEUE_REMOVE, left.idle[i], UINT32_MAX, S("fuzz"));
        if (!left.n && !left.busy)
            break;
        MUST(rt_now() < until); /* a message that never ends */
        fiber_sleep(rt_after(RT_MS / 5));
    }
    MUST(queue_settled(world.queue, until) == OK);
    struct spool_stats st;
    for (spool_stats(world.spool, &st); st.messages; spool_stats(world.spool, &st)) {
        MUST(rt_now() < until);
        fiber_sleep(rt_after(RT_MS / 5));
    }
}

/* ---- start, stop ----------------------------------------------------------------------------------------- */

static int fuzz_rm(const char *path, const struct stat *st, int kind, struct FTW *w)
{
    (void)st;
    (void)kind;
    (void)w;
    return remove(path);
}

static int fuzz_rm_file(const char *path, const struct stat *st, int kind, struct FTW *w)
{
    (void)st;
    (void)w;
    return kind == FTW_F ? remove(path) : 0;
}

/* Mail that was delivered, now and then. */
static inline void fuzz_sweep(void)
{
    static unsigned turn;
    char path[80];
    snprintf(path, sizeof path, "%s/mail", fw.folder);
    if (++turn % 256 == 0)
        nftw(path, fuzz_rm_file, 16, FTW_DEPTH | FTW_PHYS);
}

static void fuzz_fill_in(char *text, size_t size)
{
    struct buf b;
    buf_init_fixed(&b, text, size);
    for (const char *p = fw.conf; *p; p++) {
        if (*p == '@' && (p[1] == '0' || p[1] == '1'))
            buf_printf(&b, "%d", fw.port[*++p - '0']);
        else
            buf_add_char(&b, *p);
    }
    buf_add_char(&b, 0);
    MUST(!b.e);
}

static int fuzz_folder(const char *name)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s", fw.folder, name);
    MUST(mkdir(path, 0700) == 0);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(fd >= 0);
    return fd;
}

static void fuzz_init(void *arg, int index)
{
    int *fd = arg;
    (void)index;
    for (int i = 0; i < 2; i++) {
        MUST(io_attach(&fw.listener[i], fd[i]) == OK);
        MUST(fiber_spawn(fuzz_accept, &fw.listener[i], "next server"));
    }
    struct conf *c = world_conf();
    queue_start(world.queue, world.spool, c);
    conf_drop(&c);
    world.running = true;
    fw.begin();
    fuzz_tell(&fw.ready);
}

static void *fuzz_thread(void *arg)
{
    struct rt_start s = {.nloops = 1, .npool = 2, .init = fuzz_init, .arg = arg, .drain = 5 * RT_S};
    MUST(rt_run(&s) == OK);
    return NULL;
}

static void fuzz_stop_here(struct post *p)
{
    (void)p;
    queue_stop(world.queue);
    rt_stop();
}

/* In order, so that what is left over is a leak. */
static void fuzz_end(void)
{
    static struct post stop = {.run = fuzz_stop_here};
    rt_post(rt_loop(0), &stop);
    pthread_join(fw.thread, NULL);
    spool_close(&world.spool);
    history_close(&world.history);
    queue_free(&world.queue);
    conf_drop(&world.conf);
    priv_end();
    nftw(fw.folder, fuzz_rm, 16, FTW_DEPTH | FTW_PHYS);
}

static void fuzz_start(void)
{
    static int fd[2];
    static char text[8192];
    snprintf(fw.folder, sizeof fw.folder, "%s/postrider-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    MUST(mkdtemp(fw.folder));
    for (int i = 0; i < 2; i++)
        fd[i] = fuzz_listen(&fw.port[i]);
    fuzz_fill_in(text, sizeof text);
    rt_log_setup(LOG_ERROR, false, 2);
    world.conf = test_conf(fw.folder, str_c(text));
    world.folders = (struct folders){.data = -1,
                                     .lock = -1,
                                     .spool = fuzz_folder("spool"),
                                     .mail = fuzz_folder("mail"),
                                     .history = fuzz_folder("history")};
    MUST(tls_setup() == OK);
    MUST(priv_setup(&(struct priv_secrets){.srs = S("a secret of the tests")}) == OK);
    MUST(history_open(&world.history, &(struct history_config){.dirfd = world.folders.history,
                                                               .folder = "",
                                                               .max_size = 16 << 20,
                                                               .max_age = 3600 * RT_S}) == OK);
    MUST(queue_new(&world.queue, world_queue_ops()) == OK);
    struct spool_config sc = {.dir = world.folders.spool, .segment_size = 4 << 20, .spare = 2};
    MUST(spool_open(&world.spool, &sc, queue_recovered, world.queue) == OK);
    world_wire_up();
    MUST(pthread_create(&fw.thread, NULL, fuzz_thread, fd) == 0);
    pthread_mutex_lock(&fw.mutex);
    while (!fw.ready)
        pthread_cond_wait(&fw.changed, &fw.mutex);
    pthread_mutex_unlock(&fw.mutex);
    atexit(fuzz_end);
}

static void fuzz_fiber(void *arg)
{
    (void)arg;
    fw.one(fw.in);
    fuzz_tell(&fw.done);
}

static void fuzz_got(struct post *p)
{
    (void)p;
    MUST(fiber_spawn(fuzz_fiber, NULL, "input"));
}

/* One input to its end, from libFuzzer's thread. */
static void fuzz_run(str in)
{
    static struct post post = {.run = fuzz_got};
    if (!fw.ready)
        fuzz_start();
    fw.in = in;
    fw.done = false;
    rt_post(rt_loop(0), &post);
    pthread_mutex_lock(&fw.mutex);
    while (!fw.done)
        pthread_cond_wait(&fw.changed, &fw.mutex);
    pthread_mutex_unlock(&fw.mutex);
}

/* ---- a session with our server --------------------------------------------------------------------------- */

struct fuzz_talk {
    struct conn server;
    struct recv_listener *l;
    struct io client;
    str in;
    size_t step; /* octets sent at a time; 0: all */
    int open;    /* fibers that run */
};

static void fuzz_session(void *arg)
{
    struct fuzz_talk *t = arg;
    recv_session(&t->server, t->l);
    t->open--;
}

static void fuzz_feeder(void *arg)
{
    struct fuzz_talk *t = arg;
    size_t n = 1;
    for (str rest = t->in; rest.n && n; rest = str_skip(rest, n)) {
        struct iovec v = {(void *)(uintptr_t)rest.p, t->step && t->step < rest.n ? t->step : rest.n};
        if (io_write(&t->client, &v, 1, rt_after(10 * RT_S), &n))
            break;
        if (t->step)
            fiber_yield();
    }
    io_shutdown(&t->client);
    t->open--;
}

/* All of `in`, then the end of our side; everything that was answered. */
static inline void fuzz_talk(struct recv_listener *l, const char *ip, str in, size_t step, struct buf *out)
{
    struct fuzz_talk t = {.l = l, .in = in, .step = step, .client = IO_NONE, .open = 2};
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(40000)};
    struct sockaddr_storage ss = {0};
    int fd[2];
    size_t n = 1;
    MUST(inet_pton(AF_INET, ip, &peer.sin_addr) == 1);
    memcpy(&ss, &peer, sizeof peer);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    MUST(conn_init(&t.server, fd[0], &ss) == OK && io_attach(&t.client, fd[1]) == OK);
    MUST(fiber_spawn(fuzz_session, &t, "session") && fiber_spawn(fuzz_feeder, &t, "client"));
    while (n) {
        char *p = buf_room(out, 4096);
        MUST(p);
        if (io_read(&t.client, p, 4096, rt_after(20 * RT_S), &n))
            break;
        out->n += n;
    }
    for (rt_time until = rt_after(20 * RT_S); t.open;) {
        MUST(rt_now() < until); /* a session that never ends */
        fiber_sleep(rt_after(RT_MS / 10));
    }
    io_close(&t.client);
}

#endif
