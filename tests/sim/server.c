/* Servers of others: they take mail, put it off, refuse it, hang up at any step, stall, and lose their last word. */
#include "world.h"
#include "net/net.h"
#include "wire/ip.h"

#include <stdio.h>

struct remote remotes[SERVERS] OWN;
int nservers OWN;

struct listen {
    struct remote *r;
    int which, port;
};
struct talk {
    struct conn c;
    struct remote *r;
    int fd, node, messages;
    struct sockaddr_storage peer;
    char to[TO_MAX * 4][ADDR_MAX];
    int nto;
    unsigned commands;
    bool chunking, mail, bye; /* mail: a transaction is open */
    bool lenient;             /* refuses nothing for good: reports come here */
    struct buf data;
};

const char *world_host(const char *domain)
{
    for (int i = 0; i < nservers; i++)
        if (!strcmp(remotes[i].domain, domain))
            return remotes[i].ip[0];
    for (int i = 1; i < sim.nnodes; i++)
        if (!strcmp(sim.node[i]->name, domain))
            return sim.node[i]->ip;
    return NULL;
}
const char *world_second(const char *domain)
{
    for (int i = 0; i < nservers && i < SERVERS; i++)
        if (!strcmp(remotes[i].domain, domain) && remotes[i].ip[1][0])
            return remotes[i].ip[1];
    return NULL;
}

struct sockaddr_storage place(const char *ip, int port)
{
    struct sockaddr_storage at = {0};
    struct ip_port a = {.port = (uint16_t)port};
    if (!ip_parse(str_c(ip), &a.ip))
        abort();
    ip_to_sockaddr(&a, &at);
    return at;
}

static bool bad(const struct talk *t) { return sim_below(100) < t->r->bad; }

/* What a step that goes wrong does: a reply of its own, a pause, or the end. True: the step is done with. */
static bool misbehave(struct talk *t, bool may_refuse)
{
    if (!bad(t))
        return false;
    switch (sim_below(may_refuse && !t->lenient ? 7 : 6)) {
    case 0:
    case 1:
        conn_printf(&t->c, "45%d 4.3.0 not now\r\n", (int)sim_below(3));
        return true;
    case 2:
        conn_printf(&t->c, "421 4.3.2 closing\r\n");
        t->bye = true;
        return true;
    case 3:
        t->c.e = E_RESET; /* hangs up */
        t->bye = true;
        return true;
    case 4:
        fiber_sleep(rt_after(sim_between(1, 45) * RT_S));
        ledger_said(lan_end(t->c.io.fd)); /* what was answered before and waited for company */
        return false;
    case 5:
        conn_printf(&t->c, "451-4.3.0 not\r\n451 4.3.0 now\r\n");
        return true;
    default:
        conn_printf(&t->c, "55%d 5.%d.1 never\r\n", (int)sim_below(5), (int)sim_below(3) + 1);
        return true;
    }
}

static void limits_kept(struct talk *t)
{
    if (t->node < 1 || edge_link(lan_end(t->c.io.fd)->link))
        return;
    const struct server *s = sim.node[t->node]->server;
    if ((unsigned)t->nto > s->recipients)
        violation("%s sent %d recipients in one transaction, %u allowed", sim.node[t->node]->name, t->nto,
                  s->recipients);
    if ((unsigned)t->messages > s->messages)
        violation("%s sent %d messages on one connection, %u allowed", sim.node[t->node]->name, t->messages,
                  s->messages);
}

#define TAKEN "250 2.0.0 ok\r\n"

/* Where its answer ends among the octets of the connection. */
static uint64_t answer_end(const struct talk *t)
{
    return lan_end(t->c.io.fd)->sent + t->c.out_n - t->c.out_at + sizeof TAKEN - 1;
}

/* The message is ours now; whether the other side learns of it is another matter. */
static void keep(struct talk *t, const char *const *to, int nto)
{
    ledger_arrival(buf_str(&t->data), to, nto, lan_end(t->c.io.fd), answer_end(t), NULL);
}

static void answer_data(struct talk *t)
{
    const char *to[TO_MAX * 4];
    t->messages++;
    limits_kept(t);
    if (t->r->lmtp) {
        for (int i = 0; i < t->nto && !t->bye; i++) {
            if (misbehave(t, true))
                continue;
            to[0] = t->to[i];
            keep(t, to, 1);
            conn_write(&t->c, S(TAKEN));
            conn_flush(&t->c);
        }
        return;
    }
    if (misbehave(t, true))
        return;
    for (int i = 0; i < t->nto; i++)
        to[i] = t->to[i];
    keep(t, to, t->nto);
    if (bad(t)) { /* its last word is lost, or comes too late */
        if (sim_chance(50)) {
            t->c.e = E_RESET;
            t->bye = true;
            return;
        }
        fiber_sleep(rt_after(sim_between(20, 40) * RT_S));
        ledger_said(lan_end(t->c.io.fd));
    }
    conn_write(&t->c, S(TAKEN));
}

static void take_lines(struct talk *t)
{
    str line;
    bool crlf;
    t->data.n = 0;
    conn_write(&t->c, S("354 go on\r\n"));
    while (!conn_readline(&t->c, 65536, &line, &crlf)) {
        if (line.n == 1 && line.p[0] == '.') {
            answer_data(t);
            return;
        }
        buf_add(&t->data, line.n && line.p[0] == '.' ? str_skip(line, 1) : line);
        buf_add(&t->data, S("\r\n"));
        if (t->r->bad && sim_below(3000) < t->r->bad)
            fiber_sleep(rt_after(sim_between(1, 3000) * RT_MS));
    }
}

static void forget(struct talk *t)
{
    t->nto = 0;
    t->mail = false;
    t->data.n = 0;
}

static void take_chunk(struct talk *t, str args)
{
    size_t left = 0;
    bool last = str_search(args, S("LAST")) != STR_NONE;
    for (size_t i = 0; i < args.n && ascii_digit(args.p[i]); i++)
        left = left * 10 + (size_t)(args.p[i] - '0');
    while (left) {
        char *p = buf_room(&t->data, left);
        size_t n;
        if (conn_read(&t->c, p, left, &n) || n == 0)
            return;
        t->data.n += n;
        left -= n;
    }
    if (!t->nto)
        conn_write(&t->c, S("503 5.5.1 whom to?\r\n"));
    else if (last)
        answer_data(t);
    else
        conn_write(&t->c, S("250 2.0.0 go on\r\n"));
    if (last)
        forget(t);
}

static void rcpt(struct talk *t, str line)
{
    size_t from = str_find(line, '<'), to = str_find(line, '>');
    str address = from == STR_NONE || to == STR_NONE ? S("") : str_sub(line, from + 1, to);
    if (!t->mail)
        conn_write(&t->c, S("503 5.5.1 from whom?\r\n"));
    else if (str_starts(address, S("bad")) && t->r != &remotes[0])
        conn_write(&t->c, S("550 5.1.1 no such user\r\n"));
    else if (t->nto == TO_MAX * 4 || (t->r->limit && (unsigned)t->nto >= t->r->limit))
        conn_write(&t->c, S("452 4.5.3 too many\r\n"));
    else if (!misbehave(t, true)) {
        str_to_c(address, t->to[t->nto++], ADDR_MAX);
        conn_write(&t->c, S("250 2.1.5 ok\r\n"));
    }
}

static void command(struct talk *t, str line)
{
    if (str_istarts(line, S("EHLO")) || str_istarts(line, S("LHLO"))) {
        if (!misbehave(t, true))
            conn_printf(
                &t->c, "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 10000000\r\n%s250 ENHANCEDSTATUSCODES\r\n",
                t->r->domain, t->chunking ? "250-CHUNKING\r\n" : "");
    } else if (str_istarts(line, S("HELO")) || str_istarts(line, S("NOOP"))) {
        conn_write(&t->c, S("250 ok\r\n"));
    } else if (str_istarts(line, S("MAIL"))) {
        forget(t);
        if (!misbehave(t, true)) {
            t->mail = true;
            conn_write(&t->c, S("250 2.1.0 ok\r\n"));
        }
    } else if (str_istarts(line, S("RCPT"))) {
        rcpt(t, line);
    } else if (str_istarts(line, S("DATA"))) {
        if (!t->nto)
            conn_write(&t->c, S("503 5.5.1 whom to?\r\n"));
        else if (!misbehave(t, true))
            take_lines(t);
        forget(t);
    } else if (str_istarts(line, S("BDAT"))) {
        take_chunk(t, str_skip(line, 5));
    } else if (str_istarts(line, S("RSET"))) {
        forget(t);
        conn_write(&t->c, S("250 2.0.0 ok\r\n"));
    } else if (str_istarts(line, S("QUIT"))) {
        conn_write(&t->c, S("221 2.0.0 bye\r\n"));
        t->bye = true;
    } else {
        conn_write(&t->c, S("500 5.5.2 what?\r\n"));
    }
}

static void talk(void *arg)
{
    struct talk *t = arg;
    str line;
    bool crlf;
    if (conn_init(&t->c, t->fd, &t->peer) == OK) {
        t->c.deadline = rt_after(300 * RT_S);
        if (!misbehave(t, true))
            conn_printf(&t->c, "220 %s ready\r\n", t->r->domain);
        while (!t->bye && t->commands++ < 2000 && !conn_readline(&t->c, 4096, &line, &crlf))
            command(t, line);
        if (!t->c.e)
            conn_flush(&t->c);
    }
    conn_close(&t->c);
    buf_free(&t->data);
    free(t);
}

static void serve(void *arg)
{
    struct listen l = *(struct listen *)arg;
    struct io io = IO_NONE;
    struct sockaddr_storage at = place(l.r->ip[l.which], l.port);
    int fd;
    free(arg);
    if (rt_listen((struct sockaddr *)&at, sizeof(struct sockaddr_in), false, 100, &fd) || io_attach(&io, fd))
        abort();
    for (;;) {
        struct sockaddr_storage peer;
        int got;
        if (io_accept(&io, &got, &peer))
            break;
        struct talk *t = calloc(1, sizeof *t);
        t->r = l.r;
        t->fd = got;
        t->peer = peer;
        t->chunking = sim_chance(40);
        t->node = lan_end(got)->link->e[0].node->index;
        t->lenient = l.r == &remotes[0] || (l.port == BEHIND_PORT && !edge_link(lan_end(got)->link));
        buf_init(&t->data, 1 << 24);
        if (!t || !fiber_spawn(talk, t, "server"))
            abort();
    }
    io_close(&io);
}

void remote_serve(struct remote *r, int which, int port)
{
    struct listen *l = malloc(sizeof *l);
    *l = (struct listen){r, which, port};
    if (!fiber_spawn(serve, l, "remote"))
        abort();
}
