/* Clients: they bring mail, in order or pipelined or in chunks; some vanish, some never finish, some do not listen. */
#include "world.h"
#include "base/text.h"
#include "net/net.h"

#include <stdio.h>

int clients_open OWN;

enum habit { PLAIN, PIPELINED, CHUNKED, SLOW, VANISHES, HANGS, HABITS };

struct client {
    struct conn c;
    struct node *to;
    bool edge; /* by its proxy */
    enum habit habit;
    int boot[2]; /* of `at` and of the proxy when it began */
    struct mail *mail;
    struct buf text;
    bool sent; /* the end of the data */
};

/* One reply; its code, or 0 without one. */
static int reply(struct client *k, char *ret_text, size_t size)
{
    str line;
    bool crlf;
    do
        if (conn_readline(&k->c, 4096, &line, &crlf))
            return 0;
    while (line.n > 3 && line.p[3] == '-');
    if (ret_text)
        str_to_c(str_sub(line, 0, size - 1), ret_text, size);
    return line.n < 3 ? 0 : (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
}

static int say(struct client *k, const char *line)
{
    conn_printf(&k->c, "%s\r\n", line);
    if (k->habit == SLOW)
        fiber_sleep(rt_after(sim_between(10, 8000) * RT_MS));
    return reply(k, NULL, 0);
}

/* ---- the mail -------------------------------------------------------------------------------------------------- */

static void some_address(char out[ADDR_MAX])
{
    unsigned kind = (unsigned)sim_below(10), n = (unsigned)sim_below(1000);
    if (onward_world && sim_chance(20)) {
        onward_address(out);
    } else if (kind < 4) {
        int i = 1 + (int)sim_below((uint64_t)sim.nnodes - 1);
        snprintf(out, ADDR_MAX, "%c@%s", (char)('a' + n % 3), sim.node[i]->name);
    } else if (kind == 4 && n < 600) {
        snprintf(out, ADDR_MAX, "bad%u@%s", n, remotes[1 + n % (unsigned)(nservers - 1)].domain);
    } else if (kind == 4) {
        snprintf(out, ADDR_MAX, "x%u@nowhere%u.test", n, n % 3);
    } else {
        snprintf(out, ADDR_MAX, "x%u@%s", n, remotes[1 + n % (unsigned)(nservers - 1)].domain);
    }
}

static void some_sender(char out[ADDR_MAX])
{
    unsigned kind = (unsigned)sim_below(10);
    if (kind == 0)
        out[0] = 0;
    else if (kind < 3)
        snprintf(out, ADDR_MAX, "%c@%s", (char)('a' + sim_below(3)),
                 sim.node[1 + sim_below((uint64_t)sim.nnodes - 1)]->name);
    else
        snprintf(out, ADDR_MAX, "s%u@%s", (unsigned)sim_below(50), remotes[0].domain);
}

static void compose(struct client *k)
{
    struct mail *m = k->mail;
    size_t size = sim_chance(80) ? sim_below(3000) : sim_below(k->to->server->segment < 1 << 20 ? 24000 : 60000);
    if (k->to->server->segment >= 1 << 20 && sim_chance(6))
        size = 262144 + sim_below(150000); /* goes to the spool in chunks */
    buf_clear(&k->text);
    buf_printf(&k->text, "From: <%s>\r\nSubject: of %d\r\nX-Token: %d\r\nX-Play: %s\r\n\r\n", m->from, m->token,
               m->token, play_word(m->play));
    for (size_t n = 0; k->text.n < size; n++)
        buf_printf(&k->text, "%sline %zu of %d, as long as it takes to fill a page or two\r\n", n % 7 == 3 ? "." : "",
                   n, m->token);
    buf_add(&k->text, S("the end\r\n"));
}

static void send_dotted(struct client *k)
{
    str rest = buf_str(&k->text), line;
    while (rest.n && str_cut(&rest, '\n', &line)) {
        if (line.n && line.p[0] == '.')
            conn_write(&k->c, S("."));
        conn_write(&k->c, line);
        conn_write(&k->c, S("\n"));
        if (k->habit == SLOW && sim_below(40) == 0) {
            conn_flush(&k->c);
            fiber_sleep(rt_after(sim_between(10, 6000) * RT_MS));
        }
    }
    conn_write(&k->c, S(".\r\n"));
}

static bool in_trouble(const struct node *n, int boot, rt_time since)
{
    return disk_troubled_until(n->disk) >= since || n->nboots != boot || !n->alive || n->stopping;
}

static void accepted(struct mail *m, str text)
{
    size_t at = str_search(text, S("queued as "));
    m->promise = ACCEPTED;
    m->when = sim.now;
    if (m->outside)
        edge_accepted(m, text);
    else if (at == STR_NONE || !rt_id_parse(str_sub(text, at + 10, at + 23), &m->id))
        violation("no id in " STR_FMT, STR_ARG(text));
    sim.accepted++;
    rules_accepted(m);
    trace("client: %d accepted by %s%s%s", m->token, m->at->name, m->proxy ? " through " : "",
          m->proxy ? m->proxy->name : "");
}

/* The answer to a whole message. */
static void judge(struct client *k)
{
    char text[256];
    struct mail *m = k->mail;
    const struct end *e = lan_end(k->c.io.fd);
    struct link *l = e ? e->link : NULL;
    rt_time asked = rt_now();
    bool sent = k->c.e == OK; /* a slow one may have run out of its own time before the dot */
    k->c.deadline = rt_after(120 * RT_S);
    int code = reply(k, text, sizeof text);
    bool trouble = in_trouble(k->to, k->boot[1], asked), behind = in_trouble(m->at, k->boot[0], asked);
    if (code == 250) {
        accepted(m, str_c(text));
    } else if (code) {
        m->promise = REFUSED;
        m->when = sim.now;
        m->doubtful = trouble || behind || code == 451;
        edge_refused(m, str_c(text));
        trace("client: %d refused: %s", m->token, text);
    } else if (sent && k->c.e == E_TIMEOUT && l && !l->broken && !l->e[0].deaf && !l->end_time && !trouble) {
        violation("%s did not answer the end of message %d in two minutes", k->to->name, m->token);
    }
}

/* MAIL to DATA; false: the transaction cannot go on. */
static bool envelope(struct client *k)
{
    struct mail *m = k->mail;
    char line[128];
    int tried = 1 + (int)(sim_chance(85) ? sim_below(4) : sim_below(TO_MAX)), good = 0;
    snprintf(line, sizeof line, "MAIL FROM:<%s>%s", m->from, sim_chance(10) ? " RET=HDRS ENVID=x+2By" : "");
    if (say(k, line) != 250)
        return false;
    for (int i = 0; i < tried; i++) {
        struct fate_of *f = &m->to[m->nto];
        some_address(f->address);
        bool twice = false;
        for (int j = 0; j < m->nto; j++)
            twice |= !strcmp(m->to[j].address, f->address);
        if (twice || onward_again(m, f->address))
            continue;
        static const char *const notify[] = {"", " NOTIFY=NEVER", " NOTIFY=SUCCESS,FAILURE"};
        f->notify = sim_chance(80) ? TELL_USUAL : sim_chance(50) ? TELL_NEVER : TELL_ALL;
        snprintf(line, sizeof line, "RCPT TO:<%s>%s", f->address, notify[f->notify]);
        int code = say(k, line);
        if (!code)
            return false;
        if (code == 250) {
            good++;
            m->nto++;
        }
    }
    return good > 0;
}

/* The same in one piece; all recipients are such as a postrider takes. */
static bool pipelined(struct client *k)
{
    struct mail *m = k->mail;
    int n = 1 + (int)sim_below(3);
    conn_printf(&k->c, "MAIL FROM:<%s>\r\n", m->from);
    for (int i = 0; i < n; i++) {
        snprintf(m->to[i].address, ADDR_MAX, "x%u@%s", (unsigned)(sim_below(500) * 3) + (unsigned)i, remotes[1].domain);
        conn_printf(&k->c, "RCPT TO:<%s>\r\n", m->to[i].address);
    }
    conn_write(&k->c, S("DATA\r\n"));
    int code = reply(k, NULL, 0), good = 0;
    for (int i = 0; i < n && code; i++) {
        int c = reply(k, NULL, 0);
        if (!c)
            return false;
        if (code == 250 && c == 250)
            m->to[good++] = m->to[i];
    }
    m->nto = good;
    return reply(k, NULL, 0) == 354;
}

static void transaction(struct client *k)
{
    char from[ADDR_MAX];
    some_sender(from);
    struct mail *m = k->mail = ledger_mail(from);
    m->at = k->to;
    if (k->edge)
        edge_brings(m, k->to);
    m->when = sim.now;
    m->play = some_play();
    k->boot[0] = m->at->nboots;
    k->boot[1] = k->to->nboots;
    compose(k);
    if (k->habit == PIPELINED ? !pipelined(k) : !envelope(k)) {
        m->nto = 0;
        if (k->habit != PIPELINED)
            say(k, "RSET");
        return;
    }
    if (k->habit == HANGS && sim_chance(50)) {
        fiber_sleep(rt_after(70 * RT_S));
        m->nto = 0;
        k->c.e = E_RESET;
        return;
    }
    rules_readdress(m);
    if (k->habit == CHUNKED) {
        size_t half = k->text.n / 2;
        conn_printf(&k->c, "BDAT %zu\r\n", half);
        conn_write(&k->c, str_sub(buf_str(&k->text), 0, half));
        conn_printf(&k->c, "BDAT %zu LAST\r\n", k->text.n - half);
        conn_write(&k->c, str_skip(buf_str(&k->text), half));
        int code = reply(k, NULL, 0);
        if (code != 250) {
            m->promise = code ? REFUSED : ASKED;
            m->doubtful = true;
            k->c.e = k->c.e ? k->c.e : E_RESET;
            return;
        }
    } else {
        if (k->habit != PIPELINED && say(k, "DATA") != 354) {
            m->nto = 0;
            return;
        }
        if (k->habit == VANISHES && sim_chance(40)) { /* in the middle of the message */
            conn_write(&k->c, str_sub(buf_str(&k->text), 0, k->text.n / 2));
            conn_flush(&k->c);
            m->promise = REFUSED;
            k->c.e = E_RESET;
            return;
        }
        send_dotted(k);
    }
    conn_flush(&k->c);
    if (k->habit == VANISHES) { /* does not wait for the answer */
        fiber_sleep(rt_after(sim_between(0, 100) * RT_MS));
        k->c.e = E_RESET;
        return;
    }
    judge(k);
}

static void session(void *arg)
{
    struct client *k = arg;
    struct target t = {.to = place(k->to->ip, k->edge ? EDGE_PORT : 25)};
    char ip[32];
    snprintf(ip, sizeof ip, "203.0.113.%d", (int)sim_between(1, 6));
    t.from = place(ip, 0);
    buf_init(&k->text, 1 << 24);
    if (net_connect(&k->c, &t, rt_after(20 * RT_S)) == OK) {
        k->c.deadline = rt_after(100 * RT_S);
        int code = reply(k, NULL, 0);
        if (code == 220) {
            lan_end(k->c.io.fd)->link->admitted = true;
            for (int n = (int)sim_between(1, 4); say(k, "EHLO client.test") == 250 && n && !k->c.e; n--) {
                k->c.deadline = rt_after(200 * RT_S);
                transaction(k);
            }
            if (!k->c.e)
                say(k, "QUIT");
        }
    }
    conn_close(&k->c);
    buf_free(&k->text);
    free(k);
    clients_open--;
}

void client_spawn(struct node *to)
{
    struct client *k = calloc(1, sizeof *k);
    static const unsigned habits[] = {PLAIN, PLAIN, PLAIN,     PLAIN, PIPELINED, PIPELINED, CHUNKED,  CHUNKED,
                                      PLAIN, PLAIN, PIPELINED, PLAIN, PLAIN,     SLOW,      VANISHES, HANGS};
    k->to = to;
    k->edge = to->server->edge.mode && sim_chance(75);
    k->habit = (enum habit)habits[sim_below(sizeof habits / sizeof *habits)];
    clients_open++;
    if (!fiber_spawn(session, k, "client"))
        abort();
}
