/* Sessions of the control socket: who may come, the request, the table of commands, the end. */
#include "ctl/internal.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    SESSIONS_MAX = 64,
    REQUEST_TIME_S = 10,
    MEMORY_MAX = 4 * 1024 * 1024,  /* words and their options; a session's texts */
    ANSWER_MAX = 64 * 1024 * 1024, /* gathered before it is sent: all recipients of one message at most */
};

struct server {
    const struct ctl *rooms;
    struct io listener;
    int sessions;
    bool closed;
    void (*session)(void *arg);
};
struct session_start {
    struct server *server;
    int fd;
    struct sockaddr_storage peer;
};

/* ---- commands ---- */

static const struct command {
    str name[2];        /* the second may be empty */
    size_t least, most; /* words behind it */
    unsigned opts;
    bool quiet; /* not logged: looks, changes nothing, and is asked often */
    int (*run)(struct ctl_session *s) YIELDS;
} commands[] = {
    {{S_INIT("status"), {0}}, 0, 0, 0, true, ctl_status},
    {{S_INIT("watch"), {0}}, 0, CTL_WORDS_MAX, 0, false, ctl_watch},
    {{S_INIT("capture"), {0}}, 0, CTL_WORDS_MAX, 0, false, ctl_capture},
    {{S_INIT("why"), {0}}, 1, 1, OPT_LIMIT, true, ctl_why},
    {{S_INIT("domain"), {0}}, 0, CTL_WORDS_MAX, OPT_RAW, false, ctl_directory},
    {{S_INIT("user"), {0}}, 0, CTL_WORDS_MAX, OPT_RAW, false, ctl_directory},
    {{S_INIT("alias"), {0}}, 0, CTL_WORDS_MAX, OPT_RAW, false, ctl_directory},
    {{S_INIT("credential"), {0}}, 0, CTL_WORDS_MAX, OPT_RAW, false, ctl_directory},
    {{S_INIT("dkim"), {0}}, 1, CTL_WORDS_MAX, OPT_RAW, false, ctl_keys},
    {{S_INIT("reports"), {0}}, 0, CTL_WORDS_MAX, OPT_RAW, true, ctl_reports},
    {{S_INIT("queue"), S_INIT("list")}, 0, 0, OPT_FILTER | OPT_ALL | OPT_LIMIT | OPT_IDS, true, ctl_list},
    {{S_INIT("queue"), S_INIT("show")}, 1, 1, OPT_HEAD | OPT_MESSAGE, true, ctl_show},
    {{S_INIT("queue"), S_INIT("flush")}, 0, CTL_WORDS_MAX, OPT_FILTER | OPT_ALL | OPT_DRY, false, ctl_flush},
    {{S_INIT("queue"), S_INIT("hold")}, 0, CTL_WORDS_MAX, OPT_FILTER | OPT_ALL | OPT_DRY, false, ctl_hold},
    {{S_INIT("queue"), S_INIT("release")}, 0, CTL_WORDS_MAX, OPT_FILTER | OPT_ALL | OPT_DRY, false, ctl_release},
    {{S_INIT("queue"), S_INIT("remove")}, 0, CTL_WORDS_MAX, OPT_FILTER | OPT_ALL | OPT_DRY, false, ctl_remove},
    {{S_INIT("queue"), S_INIT("bounce")}, 0, CTL_WORDS_MAX, OPT_FILTER | OPT_ALL | OPT_DRY, false, ctl_bounce},
    {{S_INIT("quarantine"), S_INIT("list")}, 0, 0, OPT_FILTER | OPT_LIMIT | OPT_IDS, true, ctl_quarantine_list},
    {{S_INIT("quarantine"), S_INIT("show")}, 1, 1, OPT_HEAD | OPT_MESSAGE | OPT_PART, true, ctl_quarantine_show},
    {{S_INIT("quarantine"), S_INIT("release")},
     0,
     CTL_WORDS_MAX,
     OPT_FILTER | OPT_ALL | OPT_DRY | OPT_TO,
     false,
     ctl_quarantine_release},
    {{S_INIT("quarantine"), S_INIT("delete")},
     0,
     CTL_WORDS_MAX,
     OPT_FILTER | OPT_ALL | OPT_DRY,
     false,
     ctl_quarantine_delete},
    {{S_INIT("quarantine"), S_INIT("learn")}, 2, CTL_WORDS_MAX, 0, false, ctl_quarantine_learn},
    /* of queue export and queue import, one message each */
    {{S_INIT("queue"), S_INIT("export-one")}, 1, 1, OPT_TAKE, true, ctl_export_one},
    {{S_INIT("queue"), S_INIT("import-one")}, 1, 1, 0, true, ctl_import_one},
    {{S_INIT("queue"), S_INIT("new-id")}, 0, 0, 0, true, ctl_new_id},
    {{S_INIT("queue"), S_INIT("has")}, 1, 1, 0, true, ctl_has},
};

int ctl_fail(struct ctl_session *s, int status, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ctl_out_send(&s->out);
    ctl_out_error(&s->out, str_mem(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
    return status;
}

bool ctl_want_id(struct ctl_session *s, str word, uint64_t *ret)
{
    if (rt_id_parse(word, ret))
        return true;
    AUTO_BUF safe;
    buf_init(&safe, 512);
    text_safe(&safe, str_sub(word, 0, 100));
    ctl_fail(s, EXIT_USAGE,
             "postrider: expected a message id of 13 characters such as queue list shows, found \"" STR_FMT "\"",
             STR_ARG(buf_str(&safe)));
    return false;
}

static const struct command *find(const struct ctl_request *r, size_t *ret_words)
{
    for (const struct command *c = commands; c < commands + sizeof commands / sizeof *commands; c++) {
        size_t n = c->name[1].n ? 2 : 1;
        if (r->n >= n && str_eq(r->v[0], c->name[0]) && (n == 1 || str_eq(r->v[1], c->name[1]))) {
            *ret_words = n;
            return c;
        }
    }
    return NULL;
}

static void log_request(struct ctl_session *s, const struct ctl_request *r)
{
    char mem[400];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    for (size_t i = 0; i < r->n && !b.e; i++) {
        if (i)
            buf_add_char(&b, ' ');
        bool secret = i && (str_eq(r->v[i - 1], S("--secret")) || str_eq(r->v[i - 1], S("--text")));
        buf_add(&b, secret || str_istarts(r->v[i], S("--password")) ? S("...") : str_sub(r->v[i], 0, 100));
    }
    rt_log(EV_control, log_num((int64_t)s->uid), log_str(buf_str(&b)));
}

static int run(struct ctl_session *s, const struct ctl_request *all)
{
    AUTO_BUF why;
    size_t words = 0;
    struct ctl_request r = {all->v, 0}; /* --json may stand before the command's name */
    for (size_t i = 0; i < all->n; i++) {
        if (str_eq(all->v[i], S("--json")))
            s->out.json = true;
        else
            r.v[r.n++] = all->v[i];
    }
    const struct command *c = find(&r, &words);
    if (!c)
        return ctl_fail(s, EXIT_USAGE, "postrider: the server does not know this command; see postrider help");
    buf_init(&why, 2048);
    if (c->opts == OPT_RAW)
        s->args = (struct ctl_args){.word = r.v, .nword = r.n};
    else if (!ctl_args_parse(&s->arena, r.v + words, r.n - words, c->opts, &s->args, &why))
        return ctl_fail(s, EXIT_USAGE, "postrider: " STR_FMT, STR_ARG(buf_str(&why)));
    if (s->args.nword < c->least || s->args.nword > c->most)
        return ctl_fail(s, EXIT_USAGE, "postrider: expected %zu word%s behind \"" STR_FMT "%s" STR_FMT "\", found %zu",
                        s->args.nword < c->least ? c->least : c->most, c->most == 1 ? "" : "s", STR_ARG(c->name[0]),
                        words == 2 ? " " : "", STR_ARG(c->name[1]), s->args.nword);
    if (!c->quiet)
        log_request(s, &r);
    return c->run(s);
}

/* ---- one session ---- */

static err read_all(struct conn *c, char *p, size_t n)
{
    for (size_t got = 0, k; got < n; got += k) {
        err e = conn_read(c, p + got, n - got, &k);
        if (e)
            return e;
        if (k == 0)
            return E_CLOSED;
    }
    return OK;
}

static err read_request(struct ctl_session *s, struct ctl_request *ret)
{
    char head[CTL_HEAD];
    uint32_t size;
    s->conn.deadline = rt_after(REQUEST_TIME_S * RT_S);
    err e = read_all(&s->conn, head, sizeof head);
    if (!e)
        e = ctl_request_head(str_mem(head, sizeof head), &size);
    if (e)
        return e;
    char *body = arena_alloc(&s->arena, size + 1);
    if (!body)
        return E_NOMEM;
    e = read_all(&s->conn, body, size);
    return e ? e : ctl_request_decode(&s->arena, str_mem(body, size), ret);
}

static bool may(const struct ctl_session *s) { return s->uid == 0 || s->uid == geteuid() || s->uid == s->rooms->owner; }

static int serve_request(struct ctl_session *s)
{
    struct ctl_request r;
    err e = read_request(s, &r);
    switch (e) {
    case OK:
        break;
    case E_UNSUPPORTED:
        return ctl_fail(s, EXIT_FAIL,
                        "postrider: expected a control request of version %d: the program and the running server "
                        "are of different versions; restart the server",
                        CTL_VERSION);
    case E_LIMIT:
        return ctl_fail(s, EXIT_FAIL, "postrider: the request is longer than %d octets or %d words", CTL_REQUEST_MAX,
                        CTL_WORDS_MAX);
    case E_SYNTAX:
        return ctl_fail(s, EXIT_FAIL, "postrider: the control request is malformed");
    case E_NOMEM:
        return ctl_fail(s, EXIT_FAIL, "postrider: the server is out of memory");
    case E_TIMEOUT:
        conn_resume(&s->conn);
        return ctl_fail(s, EXIT_FAIL, "postrider: no whole request came within %d s", REQUEST_TIME_S);
    default:
        return EXIT_FAIL;
    }
    if (!may(s))
        return ctl_fail(s, EXIT_FAIL,
                        "postrider: not permitted: only root, the server's user and the owner of its data folder may "
                        "do this (you are uid %u)",
                        (unsigned)s->uid);
    return run(s, &r);
}

static void session(struct server *server, int fd, const struct sockaddr_storage *peer)
{
    struct ctl_session *s = calloc(1, sizeof *s);
    uid_t uid = (uid_t)-1;
    if (!s) {
        rt_turn_away(fd, S(""));
        return;
    }
    bool known = rt_peer_uid(fd, &uid);
    s->rooms = server->rooms;
    s->uid = uid;
    snprintf(s->who, sizeof s->who, "uid %u", (unsigned)s->uid);
    arena_init(&s->arena, 4096, MEMORY_MAX);
    if (conn_init(&s->conn, fd, peer) == OK) {
        s->out.c = &s->conn;
        buf_init(&s->out.b, ANSWER_MAX);
        int status = known ? serve_request(s) : EXIT_FAIL;
        ctl_out_send(&s->out);
        ctl_out_end(&s->out, status);
        buf_free(&s->out.b);
    }
    conn_close(&s->conn);
    arena_free(&s->arena);
    free(s);
}

static void server_drop(struct server *s)
{
    if (s->closed && s->sessions == 0)
        free(s);
}

static void session_fiber(void *arg)
{
    struct session_start s = *(struct session_start *)arg;
    free(arg);
    session(s.server, s.fd, &s.peer);
    s.server->sessions--;
    server_drop(s.server);
}

/* ---- accepting ---- */

static void accept_all(struct server *server) YIELDS;
static void accept_all(struct server *server)
{
    for (;;) {
        int fd;
        struct sockaddr_storage peer = {0};
        err e = io_accept(&server->listener, &fd, &peer);
        if (e == E_CANCELLED)
            break;
        if (e) {
            rt_log(EV_accept_failed, log_c("control"), log_err(e));
            if (fiber_sleep(rt_after(RT_S / 10)))
                break;
            continue;
        }
        struct session_start *s = server->sessions < SESSIONS_MAX ? malloc(sizeof *s) : NULL;
        if (s)
            *s = (struct session_start){server, fd, peer};
        if (!s || !fiber_spawn(server->session, s, "control")) {
            free(s);
            rt_turn_away(fd, S(""));
            continue;
        }
        server->sessions++;
    }
}

static err serve(const struct ctl *rooms, int listen_fd, void (*fiber)(void *arg)) YIELDS;
static err serve(const struct ctl *rooms, int listen_fd, void (*fiber)(void *arg))
{
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        rt_turn_away(listen_fd, S(""));
        return E_NOMEM;
    }
    *s = (struct server){.rooms = rooms, .listener = IO_NONE, .session = fiber};
    err e = io_attach_listener(&s->listener, listen_fd);
    if (!e)
        accept_all(s);
    io_close(&s->listener);
    s->closed = true;
    server_drop(s); /* sessions that still run count themselves in it */
    return e;
}

err ctl_serve(const struct ctl *rooms, int listen_fd)
{
    if (!fiber_spawn(ctl_quarantine_keep, (void *)(uintptr_t)rooms, "quarantine"))
        return E_NOMEM;
    return serve(rooms, listen_fd, session_fiber);
}

static void metrics_fiber(void *arg)
{
    struct session_start s = *(struct session_start *)arg;
    struct conn c;
    free(arg);
    if (conn_init(&c, s.fd, &s.peer) == OK)
        ctl_metrics_session(s.server->rooms, &c);
    conn_close(&c);
    s.server->sessions--;
    server_drop(s.server);
}

err ctl_metrics_serve(const struct ctl *rooms, int listen_fd) { return serve(rooms, listen_fd, metrics_fiber); }
