/*
 * The load generator: sends numbered messages made by load.c over many connections, outlives the
 * server, and writes down what the server said about each. A message whose connection is lost before
 * the answer is sent again under the same number as the next attempt. Ledger lines:
 *   T seed rcpts domains domain            how this run was made (first line)
 *   A seq attempt rcpt,rcpt,... text       acknowledged with 250 for these recipients; text of the reply
 *   U seq attempt                          the connection was lost after the text began to leave
 *   R seq attempt code                     refused
 */
#include "gen.h"
#include "load.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum state { CLOSED, CONNECTING, GREETING, HELLO, START_TLS, IDLE, SENDING, RESETTING, QUITTING, FINISHED };

struct conn {
    struct stream s;
    enum state state;
    bool writing;
    bool have_seq; /* seq and attempt are to be sent (again) */
    bool pipelining, chunking, eightbit, tls_offered;
    bool text_sent; /* octets of the text have been handed to the socket */
    uint64_t seq;
    uint32_t attempt;
    unsigned next_cmd, next_reply, commands; /* of this transaction: MAIL, RCPT..., DATA or BDAT..., text */
    unsigned accepted, finals;               /* recipients taken; LMTP: replies after the text so far */
    int refusal;                             /* first refusing code */
    unsigned on_connection;
    double until, backoff, sent_at;
    struct buf text, ok; /* the message, and the recipients taken */
};

struct loop {
    int epoll;
    struct conn *conns;
    int n, finished;
    double give_up; /* once stopped: leave at this time */
    struct buf lines;
};

#define BUCKETS 2000 /* of 0.1 ms: then 10 ms steps */
static struct options opt;
static SSL_CTX *tls;
static int ledger = -1;
static atomic_ullong next_seq, acked, failed, unknown, retried, connects, octets;
static atomic_uint histogram[2 * BUCKETS];
static _Atomic double last_ack;
static double begun;
static atomic_bool stop;

static void count_latency(double s)
{
    double tenth = s * 1e4;
    unsigned i = tenth < BUCKETS           ? (unsigned)tenth
                 : tenth < BUCKETS * 100.0 ? BUCKETS + (unsigned)(tenth / 100)
                                           : 2 * BUCKETS - 1;
    atomic_fetch_add_explicit(&histogram[i], 1, memory_order_relaxed);
}

static double percentile(double p)
{
    unsigned long long total = 0, sum = 0;
    for (int i = 0; i < 2 * BUCKETS; i++)
        total += atomic_load(&histogram[i]);
    for (int i = 0; i < 2 * BUCKETS; i++) {
        sum += atomic_load(&histogram[i]);
        if (total > 0 && (double)sum >= p * (double)total)
            return i < BUCKETS ? (i + 1) / 10.0 : (i - BUCKETS + 1) * 10.0;
    }
    return 0;
}

static void write_lines(struct loop *l)
{
    if (ledger >= 0 && l->lines.n > 0 && write(ledger, l->lines.p, l->lines.n) != (ssize_t)l->lines.n)
        die("gen: ledger: %s", strerror(errno));
    buf_clear(&l->lines);
}

static void recipient(struct conn *c, unsigned k, struct buf *out)
{
    if (opt.rcpt)
        buf_add_c(out, opt.rcpt);
    else if (opt.domains > 1)
        buf_printf(out, "r%u.%llu@d%llu.%s", k, (unsigned long long)c->seq,
                   (unsigned long long)(load_mix(c->seq, k) % opt.domains), opt.domain);
    else
        buf_printf(out, "r%u.%llu@%s", k, (unsigned long long)c->seq, opt.domain);
}

static void watch(struct loop *l, struct conn *c)
{
    bool want = c->state == CONNECTING || stream_pending(&c->s);
    if (want == c->writing || c->s.fd < 0)
        return;
    c->writing = want;
    struct epoll_event ev = {.events = EPOLLIN | (want ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->s.fd, &ev);
}

static void close_conn(struct loop *l, struct conn *c, bool lost)
{
    if (c->state == SENDING && c->have_seq && lost) {
        if (c->text_sent) {
            buf_printf(&l->lines, "U %llu %u\n", (unsigned long long)c->seq, c->attempt);
            atomic_fetch_add(&unknown, 1);
            c->attempt++;
        }
        atomic_fetch_add(&retried, 1);
    }
    stream_close(&c->s);
    c->state = CLOSED;
    c->on_connection = 0;
    c->backoff = !lost ? 0 : c->backoff == 0 ? 0.02 : c->backoff < 0.4 ? c->backoff * 2 : 0.5;
    c->until = now_s() + c->backoff;
    write_lines(l);
}

static void open_conn(struct loop *l, struct conn *c)
{
    c->s.fd = connect_to(opt.host, opt.port);
    if (c->s.fd < 0) {
        close_conn(l, c, true);
        return;
    }
    atomic_fetch_add(&connects, 1);
    c->state = CONNECTING;
    c->writing = true;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->s.fd, &ev);
}

/* Command i of the transaction into the output. */
static void put_command(struct conn *c, unsigned i)
{
    struct buf *o = &c->s.out;
    bool bdat = opt.bdat && c->chunking;
    if (i == 0) {
        buf_printf(o, "MAIL FROM:<%s> SIZE=%zu", opt.from, c->text.n);
        buf_add_c(o, c->eightbit ? " BODY=8BITMIME\r\n" : "\r\n");
    } else if (i <= opt.rcpts) {
        buf_add_c(o, "RCPT TO:<");
        recipient(c, i - 1, o);
        buf_add_c(o, ">\r\n");
    } else if (bdat) {
        size_t at = (size_t)(i - opt.rcpts - 1) * (opt.chunk ? opt.chunk : c->text.n);
        str part = str_sub(buf_str(&c->text), at, opt.chunk ? at + opt.chunk : c->text.n);
        buf_printf(o, "BDAT %zu%s\r\n", part.n, i + 1 == c->commands ? " LAST" : "");
        buf_add(o, part);
        c->text_sent = true;
    } else if (i == opt.rcpts + 1) {
        buf_add_c(o, "DATA\r\n");
    } else {
        buf_add(o, buf_str(&c->text));
        buf_add(o, S(".\r\n"));
        c->text_sent = true;
    }
}

/* How many commands may be sent now: all before the text with PIPELINING, else one at a time. */
static void send_commands(struct conn *c)
{
    bool bdat = opt.bdat && c->chunking;
    unsigned upto = c->next_reply + 1;
    if (c->pipelining)
        upto = bdat ? c->commands : c->next_reply > opt.rcpts + 1 ? c->commands : opt.rcpts + 2;
    for (; c->next_cmd < upto && c->next_cmd < c->commands; c->next_cmd++)
        put_command(c, c->next_cmd);
    c->sent_at = now_s();
}

static bool take_seq(struct conn *c)
{
    if (c->have_seq)
        return true;
    unsigned long long n = atomic_load(&next_seq);
    do {
        if (n >= opt.messages || atomic_load(&stop))
            return false;
        if (opt.rate > 0 && (double)n > opt.rate * (now_s() - begun)) {
            c->until = now_s() + 0.002;
            return false;
        }
    } while (!atomic_compare_exchange_weak(&next_seq, &n, n + 1));
    c->seq = opt.first + n;
    c->attempt = 0;
    c->have_seq = true;
    return true;
}

static void begin_message(struct loop *l, struct conn *c)
{
    c->state = IDLE;
    if (!take_seq(c)) {
        if (atomic_load(&next_seq) < opt.messages && !atomic_load(&stop))
            return; /* waits for its time */
        c->state = QUITTING;
        buf_add_c(&c->s.out, "QUIT\r\n");
        return;
    }
    if (opt.reuse && c->on_connection >= opt.reuse) {
        c->state = QUITTING;
        buf_add_c(&c->s.out, "QUIT\r\n");
        return;
    }
    struct load_msg m = {opt.seed, c->seq, c->attempt, opt.sizes[load_mix(opt.seed, c->seq) % opt.nsizes],
                         opt.kind == 'm' ? "pd8"[c->seq % 3] : opt.kind};
    buf_clear(&c->text);
    buf_clear(&c->ok);
    bool bdat = opt.bdat && c->chunking;
    load_make(&m, !bdat, &c->text);
    c->eightbit = m.kind == '8';
    c->state = SENDING;
    c->text_sent = false;
    c->next_cmd = c->next_reply = c->accepted = c->finals = 0;
    c->refusal = 0;
    unsigned chunks = bdat && opt.chunk ? (unsigned)((c->text.n + opt.chunk - 1) / opt.chunk) : 1;
    c->commands = 1 + opt.rcpts + (bdat ? chunks : 2);
    c->on_connection++;
    send_commands(c);
    (void)l;
}

static void finish_message(struct loop *l, struct conn *c, int code, str text)
{
    unsigned long long seq = c->seq;
    if (code / 100 == 2 && c->accepted > 0) {
        buf_printf(&l->lines, "A %llu %u ", seq, c->attempt);
        buf_add(&l->lines, buf_str(&c->ok));
        buf_add_char(&l->lines, ' ');
        buf_add(&l->lines, str_sub(text, 0, 120));
        buf_add_char(&l->lines, '\n');
        double t = now_s();
        count_latency(t - c->sent_at);
        atomic_store(&last_ack, t);
        atomic_fetch_add(&acked, 1);
        atomic_fetch_add(&octets, c->text.n);
        c->have_seq = false;
    } else {
        code = c->refusal ? c->refusal : code;
        buf_printf(&l->lines, "R %llu %u %d\n", seq, c->attempt, code);
        if (code / 100 == 4) {
            c->attempt++;
            c->until = now_s() + 0.05;
            atomic_fetch_add(&retried, 1);
        } else {
            atomic_fetch_add(&failed, 1);
            c->have_seq = false;
        }
    }
    write_lines(l);
    if (c->next_reply < c->commands || code / 100 != 2) { /* stopped half-way: clear what is left */
        c->state = RESETTING;
        buf_add_c(&c->s.out, "RSET\r\n");
        return;
    }
    begin_message(l, c);
}

/* A reply to command next_reply of the transaction. */
static void transaction_reply(struct loop *l, struct conn *c, int code, str text)
{
    unsigned i = c->next_reply++;
    bool bdat = opt.bdat && c->chunking;
    if (i >= 1 && i <= opt.rcpts && code / 100 == 2) {
        if (c->accepted++ > 0)
            buf_add_char(&c->ok, ',');
        recipient(c, i - 1, &c->ok);
    } else if (code >= 400 && !c->refusal) {
        c->refusal = code;
    }
    bool last = i + 1 == c->commands;
    if (last && opt.lmtp && ++c->finals < c->accepted) {
        c->next_reply--; /* LMTP answers once per recipient taken (RFC 2033 4.2) */
        return;
    }
    bool data_refused = !bdat && i == opt.rcpts + 1 && code != 354;
    bool nothing_left = c->next_reply == c->next_cmd;
    if (last || data_refused || (nothing_left && c->refusal && c->accepted == 0 && i >= opt.rcpts && code != 354) ||
        (nothing_left && i == 0 && code >= 400)) {
        finish_message(l, c, last && code / 100 == 2 && c->accepted == 0 ? 554 : code, text);
        return;
    }
    send_commands(c);
}

static void say_hello(struct conn *c)
{
    buf_printf(&c->s.out, "%s %s\r\n", opt.lmtp ? "LHLO" : "EHLO", opt.helo);
    c->state = HELLO;
}

static void hello_line(struct conn *c, str line)
{
    str word = str_skip(line, 4);
    if (str_ieq(word, S("PIPELINING")))
        c->pipelining = !opt.no_pipeline;
    else if (str_ieq(word, S("CHUNKING")))
        c->chunking = true;
    else if (str_ieq(word, S("STARTTLS")))
        c->tls_offered = true;
}

/* One whole reply; false when the connection is to be given up. */
static bool reply(struct loop *l, struct conn *c, int code, str text)
{
    if (code == 421)
        return false;
    switch (c->state) {
    case GREETING:
        if (code != 220)
            return false;
        say_hello(c);
        return true;
    case HELLO:
        if (code != 250)
            return false;
        if (opt.starttls && !c->s.ssl) {
            if (!c->tls_offered)
                die("gen: the server does not offer STARTTLS");
            buf_add_c(&c->s.out, "STARTTLS\r\n");
            c->state = START_TLS;
            return true;
        }
        begin_message(l, c);
        return true;
    case START_TLS:
        if (code != 220 || !stream_tls(&c->s, tls, false))
            return false;
        say_hello(c);
        return true;
    case SENDING:
        transaction_reply(l, c, code, text);
        return true;
    case RESETTING:
        if (c->until > now_s())
            c->state = IDLE; /* after a temporary refusal: waits a little */
        else
            begin_message(l, c);
        return true;
    case QUITTING:
        close_conn(l, c, false);
        return true;
    default:
        return false;
    }
}

static bool use_input(struct loop *l, struct conn *c)
{
    size_t from = 0, used;
    str line;
    while (c->s.fd >= 0 && stream_line(&c->s, from, &line, &used)) {
        if (c->state == HELLO)
            hello_line(c, line);
        from += used;
        if (line.n > 3 && line.p[3] == '-')
            continue;
        char z[4] = "";
        str_to_c(str_sub(line, 0, 3), z, sizeof z);
        int code = atoi(z);
        if (code < 200 || code > 599 || !reply(l, c, code, str_skip(line, 4)))
            return false;
        if (c->state == CLOSED)
            return true;
        buf_drop(&c->s.in, from);
        from = 0;
    }
    return true;
}

static void pump(struct loop *l, struct conn *c, uint32_t events)
{
    if (c->state == CONNECTING) {
        if (events & (EPOLLERR | EPOLLHUP)) {
            close_conn(l, c, true);
            return;
        }
        c->state = GREETING;
        c->pipelining = c->chunking = c->tls_offered = false;
        if (opt.implicit_tls && !stream_tls(&c->s, tls, false)) {
            close_conn(l, c, true);
            return;
        }
    }
    bool open = events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? stream_fill(&c->s) : true;
    bool fine = use_input(l, c);
    if (c->state == CLOSED)
        return;
    if (!open || !fine || !stream_flush(&c->s)) {
        close_conn(l, c, c->state != QUITTING);
        return;
    }
    if (c->state != SENDING || c->next_reply > 0)
        c->backoff = c->state == GREETING ? c->backoff : 0;
    watch(l, c);
}

/* Connections that wait for a moment, not for the socket. Returns the milliseconds until the next. */
static int tick(struct loop *l)
{
    double t = now_s(), next = t + 0.2;
    l->finished = 0;
    for (int i = 0; i < l->n; i++) {
        struct conn *c = &l->conns[i];
        if (c->state == CLOSED) {
            bool more = c->have_seq || atomic_load(&next_seq) < opt.messages;
            if (!more || (atomic_load(&stop) && !c->have_seq))
                c->state = FINISHED;
            else if (c->until <= t)
                open_conn(l, c);
        } else if (c->state == IDLE && c->until <= t) {
            begin_message(l, c);
            pump(l, c, 0);
        }
        if (c->state == FINISHED)
            l->finished++;
        else if ((c->state == CLOSED || c->state == IDLE) && c->until < next)
            next = c->until;
    }
    return next <= t ? 0 : (int)((next - t) * 1000) + 1;
}

static void *run(void *arg)
{
    struct loop *l = arg;
    struct epoll_event ev[64];
    double next_tick = 0;
    while (l->finished < l->n) {
        double t = now_s();
        int wait = 1;
        if (t >= next_tick) {
            wait = tick(l);
            next_tick = t + 0.002;
        }
        if (atomic_load(&stop) && l->give_up == 0)
            l->give_up = t + 5; /* what is under way may end */
        if (l->give_up > 0 && t > l->give_up)
            break;
        if (opt.seconds > 0 && t - begun > opt.seconds)
            atomic_store(&stop, true);
        if (t - atomic_load(&last_ack) > opt.patience)
            atomic_store(&stop, true);
        int n = epoll_wait(l->epoll, ev, 64, wait);
        for (int i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;
            if (c->s.fd >= 0)
                pump(l, c, ev[i].events);
        }
    }
    return NULL;
}

static void on_signal(int sig)
{
    (void)sig;
    atomic_store(&stop, true);
}

static void report(double seconds)
{
    unsigned long long n = atomic_load(&acked);
    printf("{\"messages\": %llu, \"acked\": %llu, \"failed\": %llu, \"unknown\": %llu, \"retried\": %llu, "
           "\"connects\": %llu, \"bytes\": %llu, \"start\": %.6f, \"end\": %.6f, \"seconds\": %.3f, \"rate\": %.1f, "
           "\"p50_ms\": %.1f, \"p99_ms\": %.1f}\n",
           (unsigned long long)opt.messages, n, atomic_load(&failed), atomic_load(&unknown), atomic_load(&retried),
           atomic_load(&connects), atomic_load(&octets), begun, begun + seconds, seconds,
           seconds > 0 ? (double)n / seconds : 0.0, percentile(0.5), percentile(0.99));
}

static void start_loop(struct loop *l, int conns)
{
    *l = (struct loop){
        .epoll = epoll_create1(EPOLL_CLOEXEC), .conns = calloc((size_t)conns, sizeof *l->conns), .n = conns};
    if (l->epoll < 0 || !l->conns)
        die("gen: out of memory or descriptors");
    buf_init(&l->lines, 1u << 22);
    for (int i = 0; i < conns; i++) {
        stream_init(&l->conns[i].s, -1);
        buf_init(&l->conns[i].text, 2 * LOAD_MAX);
        buf_init(&l->conns[i].ok, 1u << 20);
    }
}

int main(int argc, char **argv)
{
    options_parse(&opt, argc, argv);
    load_init();
    signal(SIGPIPE, SIG_IGN);
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    if (opt.ledger && (ledger = open(opt.ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        die("gen: %s: %s", opt.ledger, strerror(errno));
    if (opt.implicit_tls || opt.starttls) {
        tls = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    static struct loop loops[64];
    pthread_t threads[64];
    begun = now_s();
    atomic_store(&last_ack, begun);
    for (int i = 0; i < opt.threads; i++)
        start_loop(&loops[i], opt.connections / opt.threads + (i < opt.connections % opt.threads));
    buf_printf(&loops[0].lines, "T %llu %u %u %s\n", (unsigned long long)opt.seed, opt.rcpts, opt.domains, opt.domain);
    write_lines(&loops[0]);
    for (int i = 1; i < opt.threads; i++)
        pthread_create(&threads[i], NULL, run, &loops[i]);
    run(&loops[0]);
    for (int i = 1; i < opt.threads; i++)
        pthread_join(threads[i], NULL);
    double end = atomic_load(&acked) > 0 ? atomic_load(&last_ack) : now_s();
    report(end - begun);
    return atomic_load(&acked) + atomic_load(&failed) >= opt.messages ? 0 : 1;
}
