/*
 * The counting sink: takes mail as fast as a simple epoll loop can and forgets it. With --ledger each
 * arrival is compared with what gen made and written down: lines of
 *   A seq attempt ok|bad rcpt,rcpt,... time opened   taken with 250 (one line per transaction)
 *   D seq attempt ok|bad rcpt,... time opened        whole text came, connection dropped before the reply
 *   X - - bad rcpt,... time opened                   text without a readable X-Load header
 * Both times are monotonic seconds; `opened` is when its connection was accepted.
 */
#include "sink.h"
#include "load.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum state { COMMAND, TEXT, CHUNK };

struct conn {
    struct stream s;
    enum state state;
    bool writing; /* EPOLLOUT is asked for */
    bool closing; /* close when `out` is written */
    bool chunk_last;
    bool mail;
    bool begun;           /* some octets of the text are gone from the input */
    bool doomed;          /* this text will be cut off */
    unsigned rcpts, done; /* recipients of this transaction; messages of this connection */
    size_t chunk_left;
    double wake;   /* not before this time (delay) */
    double opened; /* when it was accepted */
    struct conn *next_sleeper;
    struct buf text, names; /* ledger mode: the text as it came; recipients, comma-separated */
    uint64_t random;
};

struct loop {
    int epoll, listener;
    struct conn *sleepers, **sleepers_end; /* in order of wake: all delays are equal */
    struct buf plain, scratch, lines;
};

static struct options opt;
static SSL_CTX *tls;
static FILE *ledger;
static pthread_mutex_t ledger_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_ullong taken, octets, bad, connections, refused, dropped, next_random;
static _Atomic double first_at, last_at;
static atomic_bool stop;

static bool chance(struct conn *c, int percent)
{
    if (percent <= 0)
        return false;
    c->random = load_mix(c->random, 1);
    return (int)(c->random >> 33) % 100 < percent;
}

static bool fault(struct conn *c, struct fault f, const char *what)
{
    if (!chance(c, f.percent))
        return false;
    buf_printf(&c->s.out, "%d %d.3.0 %s refused by chance\r\n", f.code, f.code / 100, what);
    atomic_fetch_add(&refused, 1);
    return true;
}

static void reset(struct conn *c)
{
    c->mail = c->begun = c->doomed = false;
    c->rcpts = 0;
    buf_clear(&c->names);
    buf_clear(&c->text);
}

/* Takes the dots of transparency off: text as a message. */
static void unstuff(str in, struct buf *out)
{
    while (in.n > 0) {
        size_t nl = str_find(in, '\n');
        size_t n = nl == STR_NONE ? in.n : nl + 1;
        size_t skip = in.p[0] == '.' ? 1 : 0;
        buf_add(out, str_sub(in, skip, n));
        in = str_skip(in, n);
    }
}

static void note_arrival(struct loop *l, struct conn *c, char how, bool stuffed)
{
    str text = buf_str(&c->text);
    if (stuffed) {
        buf_clear(&l->plain);
        unstuff(text, &l->plain);
        text = buf_str(&l->plain);
    }
    struct load_msg m;
    size_t at;
    buf_clear(&l->lines);
    str names = buf_str(&c->names);
    if (!load_find(text, &m, &at)) {
        buf_printf(&l->lines, "X - - bad " STR_FMT " %.6f %.6f\n", STR_ARG(names), now_s(), c->opened);
        atomic_fetch_add(&bad, 1);
    } else {
        bool ok = load_same(text, at, &m, &l->scratch);
        if (!ok)
            atomic_fetch_add(&bad, 1);
        buf_printf(&l->lines, "%c %llu %u %s " STR_FMT " %.6f %.6f\n", how, (unsigned long long)m.seq, m.attempt,
                   ok ? "ok" : "bad", STR_ARG(names), now_s(), c->opened);
    }
    pthread_mutex_lock(&ledger_lock);
    fwrite(l->lines.p, 1, l->lines.n, ledger);
    fflush(ledger);
    pthread_mutex_unlock(&ledger_lock);
}

static void count_arrival(void)
{
    double t = now_s();
    unsigned long long n = atomic_fetch_add(&taken, 1) + 1;
    if (n == 1)
        atomic_store(&first_at, t);
    atomic_store(&last_at, t);
    if (opt.messages && n == opt.messages) {
        atomic_store(&stop, true);
        kill(getpid(), SIGTERM); /* ends the wait of every loop */
    }
}

/* The text is whole: decide, write it down, answer. */
static void end_of_text(struct loop *l, struct conn *c, bool stuffed)
{
    c->state = COMMAND;
    if (chance(c, opt.drop_after_dot)) {
        if (ledger)
            note_arrival(l, c, 'D', stuffed);
        atomic_fetch_add(&dropped, 1);
        buf_clear(&c->s.out);
        c->closing = true;
        return;
    }
    unsigned replies = opt.lmtp ? c->rcpts : 1;
    if (!fault(c, opt.refuse_data, "message")) {
        if (ledger)
            note_arrival(l, c, 'A', stuffed);
        for (unsigned i = 0; i < replies; i++)
            buf_add(&c->s.out, S("250 2.0.0 taken\r\n"));
        count_arrival();
    } else if (opt.lmtp) {
        for (unsigned i = 1; i < replies; i++)
            buf_printf(&c->s.out, "%d %d.3.0 refused\r\n", opt.refuse_data.code, opt.refuse_data.code / 100);
    }
    c->done++;
    reset(c);
    if (opt.per_connection && c->done >= (unsigned)opt.per_connection) {
        buf_add(&c->s.out, S("421 4.3.2 that was enough for one connection\r\n"));
        c->closing = true;
    }
}

/* In the text after DATA: looks for CRLF.CRLF. The octet before the input counts as CRLF at first,
 * because unused octets stay in `in` until it is clear that they end nothing. */
static bool text_step(struct loop *l, struct conn *c)
{
    str in = buf_str(&c->s.in);
    size_t end = STR_NONE, keep = in.n;
    bool at_start = !c->begun;
    if (at_start && str_starts(in, S(".\r\n"))) {
        end = 3;
    } else {
        for (const char *p = in.p, *q; (q = memchr(p, '.', (size_t)(in.p + in.n - p))) != NULL; p = q + 1) {
            size_t i = (size_t)(q - in.p);
            if (i >= 2 && in.p[i - 1] == '\n' && in.p[i - 2] == '\r' && str_starts(str_skip(in, i), S(".\r\n"))) {
                end = i + 3;
                break;
            }
        }
    }
    if (end == STR_NONE) {
        keep = in.n > 4 ? in.n - 4 : 0; /* the last four may begin the end */
        if (at_start && keep == 0)
            return false;
        if (c->doomed && keep > 0) {
            c->closing = true;
            atomic_fetch_add(&dropped, 1);
        }
    } else {
        keep = end - 3;
    }
    if (ledger)
        buf_add(&c->text, str_sub(in, 0, keep));
    atomic_fetch_add_explicit(&octets, keep, memory_order_relaxed);
    buf_drop(&c->s.in, end == STR_NONE ? keep : end);
    c->begun = c->begun || keep > 0;
    if (end == STR_NONE)
        return false;
    end_of_text(l, c, true);
    return true;
}

static bool chunk_step(struct loop *l, struct conn *c)
{
    str in = str_sub(buf_str(&c->s.in), 0, c->chunk_left);
    if (ledger)
        buf_add(&c->text, in);
    atomic_fetch_add_explicit(&octets, in.n, memory_order_relaxed);
    c->chunk_left -= in.n;
    buf_drop(&c->s.in, in.n);
    if (c->chunk_left > 0)
        return false;
    c->state = COMMAND;
    if (c->chunk_last)
        end_of_text(l, c, false);
    else
        buf_add(&c->s.out, S("250 2.0.0 chunk taken\r\n"));
    return true;
}

static void ehlo(struct conn *c)
{
    struct buf *o = &c->s.out;
    reset(c);
    buf_add(o, S("250-sink.test\r\n"));
    if (!opt.no_pipelining)
        buf_add(o, S("250-PIPELINING\r\n"));
    if (!opt.no_size)
        buf_add(o, S("250-SIZE 104857600\r\n"));
    if (!opt.no_8bitmime)
        buf_add(o, S("250-8BITMIME\r\n"));
    if (opt.chunking)
        buf_add(o, S("250-CHUNKING\r\n"));
    if (opt.binarymime)
        buf_add(o, S("250-BINARYMIME\r\n"));
    if (opt.smtputf8)
        buf_add(o, S("250-SMTPUTF8\r\n"));
    if (opt.dsn)
        buf_add(o, S("250-DSN\r\n"));
    if (opt.starttls && !c->s.ssl)
        buf_add(o, S("250-STARTTLS\r\n"));
    buf_add(o, S("250 ENHANCEDSTATUSCODES\r\n"));
}

static void rcpt(struct conn *c, str line)
{
    if (!c->mail) {
        buf_add(&c->s.out, S("503 5.5.1 MAIL first\r\n"));
        return;
    }
    if (fault(c, opt.refuse_rcpt, "recipient"))
        return;
    c->rcpts++;
    if (ledger) {
        str a = str_skip(line, 8);
        size_t lt = str_find(a, '<'), gt = str_find(a, '>');
        if (lt != STR_NONE && gt != STR_NONE && lt < gt) {
            if (c->names.n > 0)
                buf_add_char(&c->names, ',');
            buf_add(&c->names, str_sub(a, lt + 1, gt));
        }
    }
    buf_add(&c->s.out, S("250 2.1.5 ok\r\n"));
}

static void bdat(struct conn *c, str line)
{
    char z[64];
    unsigned long long n = 0;
    char last[8] = "";
    if (!str_to_c(line, z, sizeof z) || sscanf(z + 4, "%llu %7s", &n, last) < 1 || c->rcpts == 0) {
        buf_add(&c->s.out, S("503 5.5.1 no recipients, or no number\r\n"));
        c->closing = true; /* the octets that follow cannot be told apart from commands */
        return;
    }
    c->chunk_left = n;
    c->chunk_last = str_ieq(str_c(last), S("LAST"));
    c->state = CHUNK;
}

static void command(struct conn *c, str line)
{
    struct buf *o = &c->s.out;
    if (str_istarts(line, S("RCPT TO:"))) {
        rcpt(c, line);
    } else if (str_istarts(line, S("MAIL FROM:"))) {
        if (!fault(c, opt.refuse_mail, "sender")) {
            reset(c);
            c->mail = true;
            buf_add(o, S("250 2.1.0 ok\r\n"));
        }
    } else if (str_ieq(line, S("DATA"))) {
        if (c->rcpts == 0) {
            buf_add(o, S("554 5.5.1 no valid recipients\r\n"));
            return;
        }
        c->state = TEXT;
        c->doomed = chance(c, opt.drop_before_dot);
        buf_add(o, S("354 go on\r\n"));
    } else if (opt.chunking && str_istarts(line, S("BDAT "))) {
        bdat(c, line);
    } else if (str_istarts(line, opt.lmtp ? S("LHLO") : S("EHLO")) && !opt.no_ehlo) {
        ehlo(c);
    } else if (str_istarts(line, S("HELO"))) {
        reset(c);
        buf_add(o, S("250 sink.test\r\n"));
    } else if (str_ieq(line, S("RSET"))) {
        reset(c);
        buf_add(o, S("250 2.0.0 ok\r\n"));
    } else if (str_istarts(line, S("NOOP"))) {
        buf_add(o, S("250 2.0.0 ok\r\n"));
    } else if (str_ieq(line, S("QUIT"))) {
        buf_add(o, S("221 2.0.0 bye\r\n"));
        c->closing = true;
    } else if (opt.starttls && !c->s.ssl && str_ieq(line, S("STARTTLS"))) {
        reset(c);
        send(c->s.fd, "220 2.0.0 go on\r\n", 17, MSG_NOSIGNAL);
        buf_clear(&c->s.in);
        if (!stream_tls(&c->s, tls, true))
            c->closing = true;
    } else {
        buf_add(o, S("500 5.5.2 unknown command\r\n"));
    }
}

/* One step of the protocol; false when it needs more input. */
static bool step(struct loop *l, struct conn *c)
{
    if (c->state == TEXT)
        return text_step(l, c);
    if (c->state == CHUNK)
        return chunk_step(l, c);
    str line;
    size_t used;
    if (!stream_line(&c->s, 0, &line, &used))
        return false;
    command(c, line);
    if (c->s.in.n >= used)
        buf_drop(&c->s.in, used);
    if (c->state == CHUNK && c->chunk_left == 0)
        return chunk_step(l, c);
    return true;
}

static void conn_free(struct conn *c)
{
    stream_close(&c->s);
    buf_free(&c->s.in);
    buf_free(&c->s.out);
    buf_free(&c->text);
    buf_free(&c->names);
    free(c);
}

static void watch(struct loop *l, struct conn *c)
{
    bool want = stream_pending(&c->s);
    if (want == c->writing)
        return;
    c->writing = want;
    struct epoll_event ev = {.events = EPOLLIN | (want ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->s.fd, &ev);
}

/* Uses the input, then writes the replies; false when the connection is to be closed. */
static bool serve(struct loop *l, struct conn *c)
{
    while (c->wake == 0 && !c->closing && step(l, c)) {
        if (opt.delay_ms > 0 && c->s.out.n > 0) {
            c->wake = now_s() + opt.delay_ms / 1e3;
            c->next_sleeper = NULL;
            *l->sleepers_end = c;
            l->sleepers_end = &c->next_sleeper;
        }
    }
    if (c->wake > 0)
        return true;
    if (!stream_flush(&c->s))
        return false;
    watch(l, c);
    return !(c->closing && !stream_pending(&c->s));
}

static void wake_sleepers(struct loop *l)
{
    double t = now_s();
    while (l->sleepers && l->sleepers->wake <= t) {
        struct conn *c = l->sleepers;
        l->sleepers = c->next_sleeper;
        if (!l->sleepers)
            l->sleepers_end = &l->sleepers;
        c->wake = 0;
        if (!stream_flush(&c->s) || !serve(l, c))
            conn_free(c);
    }
}

static void accept_all(struct loop *l)
{
    for (int fd; (fd = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct conn *c = calloc(1, sizeof *c);
        if (!c) {
            close(fd);
            return;
        }
        stream_init(&c->s, fd);
        c->opened = now_s();
        buf_init(&c->text, 2 * LOAD_MAX);
        buf_init(&c->names, 1u << 20);
        c->random = load_mix(opt.seed, atomic_fetch_add(&next_random, 1));
        atomic_fetch_add(&connections, 1);
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev);
        if (opt.implicit_tls && !stream_tls(&c->s, tls, true))
            c->closing = true;
        if (chance(c, opt.greet_421)) {
            buf_add(&c->s.out, S("421 4.3.2 not now\r\n"));
            c->closing = true;
        } else {
            buf_add(&c->s.out, S("220 sink.test ESMTP\r\n"));
        }
        if (!serve(l, c))
            conn_free(c);
    }
}

static void *run(void *arg)
{
    struct loop *l = arg;
    struct epoll_event ev[64];
    while (!atomic_load(&stop)) {
        int n = epoll_wait(l->epoll, ev, 64, l->sleepers ? 1 : 200);
        for (int i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;
            if (!c) {
                accept_all(l);
            } else if (ev[i].events & EPOLLIN ? !stream_fill(&c->s) && c->wake == 0
                                              : ev[i].events & (EPOLLERR | EPOLLHUP)) {
                if (c->wake == 0)
                    conn_free(c);
            } else if (!serve(l, c)) {
                conn_free(c);
            }
        }
        wake_sleepers(l);
    }
    return NULL;
}

static void on_signal(int sig)
{
    (void)sig;
    atomic_store(&stop, true);
}

static void start_loop(struct loop *l)
{
    *l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC), .listener = listen_on(opt.host, opt.port)};
    if (l->listener < 0 || l->epoll < 0)
        die("sink: cannot listen on %s:%d", opt.host, opt.port);
    l->sleepers_end = &l->sleepers;
    buf_init(&l->plain, 2 * LOAD_MAX);
    buf_init(&l->scratch, 2 * LOAD_MAX);
    buf_init(&l->lines, 1u << 20);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->listener, &ev);
}

static void report(void)
{
    double seconds = atomic_load(&last_at) - atomic_load(&first_at);
    unsigned long long n = atomic_load(&taken);
    printf("{\"messages\": %llu, \"bytes\": %llu, \"first\": %.6f, \"last\": %.6f, \"seconds\": %.3f, \"rate\": %.1f, "
           "\"connections\": %llu, \"bad\": %llu, \"refused\": %llu, \"dropped\": %llu}\n",
           n, atomic_load(&octets), atomic_load(&first_at), atomic_load(&last_at), seconds,
           n > 1 && seconds > 0 ? (double)(n - 1) / seconds : 0.0, atomic_load(&connections), atomic_load(&bad),
           atomic_load(&refused), atomic_load(&dropped));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    options_parse(&opt, argc, argv);
    load_init();
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    if (opt.ledger && !(ledger = fopen(opt.ledger, "ae")))
        die("sink: %s: %s", opt.ledger, strerror(errno));
    if (opt.cert) {
        tls = SSL_CTX_new(TLS_server_method());
        if (!tls || SSL_CTX_use_certificate_chain_file(tls, opt.cert) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, opt.key, SSL_FILETYPE_PEM) != 1)
            die("sink: cannot use %s and %s", opt.cert, opt.key);
        SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    static struct loop loops[64];
    pthread_t threads[64];
    for (int i = 0; i < opt.threads; i++)
        start_loop(&loops[i]);
    fputs("sink: ready\n", stderr);
    for (int i = 1; i < opt.threads; i++)
        pthread_create(&threads[i], NULL, run, &loops[i]);
    run(&loops[0]);
    for (int i = 1; i < opt.threads; i++)
        pthread_join(threads[i], NULL);
    if (ledger)
        fclose(ledger);
    if (!opt.quiet)
        report();
    return 0;
}
