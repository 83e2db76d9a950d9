/* Probes, and the table of what they brought. */
#include "policy/verify.h"
#include "base/map.h"
#include "policy/breaker.h"

#include <stdlib.h>
#include <sys/un.h>

enum { FAILURES = 3, TEXT_MAX = 200, NAME_MAX = 300, LINE_MAX_OCTETS = 600 };
#define PAUSE (10 * RT_S)
#define GOODBYE (RT_S)

struct entry {
    struct map_node node;
    struct list age;
    rt_time until;
    enum verify_answer what;
    int code;
    char esc[12];
    char text[TEXT_MAX];
};

static struct {
    struct lock lock;
    struct map map;
    struct list age;
} table = {.age = LIST_INIT(table.age)};

/* ---- what is known ---- */

static uint64_t key_of(str server, str to) { return (str_ihash(to) ^ str_hash(server) * 0x9e3779b97f4a7c15u) | 1; }

static struct entry *find(uint64_t key)
{
    struct map_node *n = map_find(&table.map, key);
    return n ? container_of(n, struct entry, node) : NULL;
}

static void forget(struct entry *e)
{
    list_remove(&e->age);
    map_remove(&table.map, &e->node);
    free(e);
}

static bool recall(uint64_t key, enum verify_answer *ret, struct reply *r)
{
    bool found = false;
    lock_take(&table.lock);
    struct entry *e = find(key);
    if (e && e->until <= rt_now()) {
        forget(e);
    } else if (e) {
        *ret = e->what;
        reply_set_str(r, e->code, e->esc, str_c(e->text));
        list_remove(&e->age);
        list_push_back(&table.age, &e->age);
        found = true;
    }
    lock_drop(&table.lock);
    return found;
}

static void remember(const struct conf *c, uint64_t key, enum verify_answer what, const struct reply *r)
{
    if (what != VERIFY_OK && what != VERIFY_UNKNOWN)
        return;
    lock_take(&table.lock);
    struct entry *e = find(key);
    if (!e) {
        while (table.map.n >= (size_t)c->policy_verify_entries && !list_empty(&table.age))
            forget(container_of(table.age.next, struct entry, age));
        e = calloc(1, sizeof *e);
        if (e)
            list_init(&e->age);
        if (e && !map_add(&table.map, &e->node, key)) {
            free(e);
            e = NULL;
        }
    }
    if (e) {
        str text = str_sub(reply_text(r), 0, TEXT_MAX - 1);
        e->until = rt_after(what == VERIFY_OK ? c->policy_verify_keep : c->policy_verify_keep_unknown);
        e->what = what;
        e->code = r->code;
        memcpy(e->esc, r->esc, sizeof e->esc);
        memcpy(e->text, text.p, text.n);
        e->text[text.n] = 0;
        list_remove(&e->age);
        list_push_back(&table.age, &e->age);
    }
    lock_drop(&table.lock);
}

size_t verify_count(void)
{
    lock_take(&table.lock);
    size_t n = table.map.n;
    lock_drop(&table.lock);
    return n;
}

/* ---- a probe ---- */

struct probe {
    struct conn conn;
    rt_time deadline;
    struct reply_parser in;
    bool utf8; /* the server offers SMTPUTF8 */
};

static err read_reply(struct probe *p) YIELDS
{
    reply_parser_init(&p->in);
    for (;;) {
        str line;
        err e = conn_readline(&p->conn, REPLY_IN_LINE_MAX, &line, NULL);
        if (e)
            return e;
        enum reply_in in = reply_parse_line(&p->in, line);
        if (in == REPLY_BAD)
            return E_PROTOCOL;
        p->utf8 |= str_ieq(p->in.line, S("SMTPUTF8"));
        if (in == REPLY_DONE)
            return OK;
    }
}

static err command(struct probe *p, const char *verb, str arg, const char *tail) YIELDS
{
    char mem[LINE_MAX_OCTETS];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_printf(&b, "%s" STR_FMT "%s\r\n", verb, STR_ARG(arg), tail);
    if (b.e)
        return E_LIMIT;
    conn_write(&p->conn, buf_str(&b));
    return read_reply(p);
}

static err connect_to(struct probe *p, const struct ip_port *at, str path) YIELDS
{
    struct target t = {0};
    if (path.n) {
        struct sockaddr_un *un = (struct sockaddr_un *)&t.to;
        un->sun_family = AF_UNIX;
        if (!str_to_c(path, un->sun_path, sizeof un->sun_path))
            return E_LIMIT;
    } else {
        (void)ip_to_sockaddr(at, &t.to);
    }
    return net_connect(&p->conn, &t, p->deadline);
}

/* The first address that takes the connection. */
static err connect_name(struct probe *p, const struct url *u) YIELDS
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    struct ip_port at = {.port = u->port};
    err e = E_DNS_NONE;
    if (u->path.n || ip_parse(u->host, &at.ip))
        return connect_to(p, &at, u->path);
    for (int t = 0; t < 2; t++) {
        struct arena mem;
        struct dns_answer ans = {0};
        arena_init(&mem, 1024, 32768);
        err asked = dns_lookup(u->host, types[t], &mem, &ans);
        e = asked && e == E_DNS_NONE ? asked : e;
        for (size_t i = 0; !asked && i < ans.n && i < 4; i++) {
            at.ip = ip_from_octets(ans.v[i].data.p, ans.v[i].data.n);
            e = connect_to(p, &at, S(""));
            if (!e)
                break;
        }
        arena_free(&mem);
        if (!e || e == E_CANCELLED)
            return e;
    }
    return e;
}

static err secure(struct probe *p, const struct url *u) YIELDS
{
    struct tls_client_config tls = {.verify = TLS_ANY, .name = u->host_is_ip ? S("") : u->host};
    return u->scheme == URL_SMTPS ? tls_connect(&p->conn, &tls, NULL) : OK;
}

static bool ascii(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return false;
    return true;
}

/* Up to the reply to RCPT, which is then in p->in.r. */
static err talk(struct probe *p, const struct conf *c, const struct url *u, str to) YIELDS
{
    bool plain = ascii(to);
    err e = secure(p, u);
    if (!e)
        e = read_reply(p);
    if (e || p->in.r.code / 100 != 2)
        return e ? e : E_REFUSED;
    e = command(p, u->scheme == URL_LMTP ? "LHLO " : "EHLO ", c->send_helo, "");
    if (!e && p->in.r.code / 100 != 2 && u->scheme != URL_LMTP)
        e = command(p, "HELO ", c->send_helo, "");
    if (e || p->in.r.code / 100 != 2)
        return e ? e : E_REFUSED;
    if (!plain && !p->utf8)
        return E_UNSUPPORTED;
    e = command(p, "MAIL FROM:<>", S(""), plain ? "" : " SMTPUTF8");
    if (e || p->in.r.code / 100 != 2)
        return e ? e : E_REFUSED;
    e = command(p, "RCPT TO:<", to, ">");
    int class = p->in.r.code / 100;
    return e ? e : class == 2 || class == 4 || class == 5 ? OK : E_PROTOCOL;
}

static enum verify_answer meaning(const struct reply *r)
{
    if (r->code / 100 == 2)
        return VERIFY_OK;
    return r->code / 100 == 5 ? VERIFY_UNKNOWN : VERIFY_LATER;
}

static void server_name(struct buf *b, const struct url *u)
{
    if (u->path.n)
        buf_add(b, u->path);
    else
        buf_printf(b, STR_FMT ":%u", STR_ARG(u->host), u->port);
}

static err probe(const struct conf *c, const struct url *u, str to, enum verify_answer *ret, struct reply *r) YIELDS
{
    SCRATCH struct probe p;
    memset(&p.conn, 0, sizeof p.conn);
    p.conn.io.fd = -1;
    p.utf8 = false;
    p.deadline = rt_after(c->policy_verify_time);
    err e = connect_name(&p, u);
    if (e)
        return e;
    p.conn.deadline = p.deadline;
    e = talk(&p, c, u, to);
    if (!e) {
        *ret = meaning(&p.in.r);
        *r = p.in.r;
    }
    if (!p.conn.e) {
        p.conn.deadline = rt_after(GOODBYE);
        conn_write(&p.conn, S("QUIT\r\n"));
        conn_end(&p.conn);
    } else {
        conn_close(&p.conn);
    }
    return e;
}

enum verify_answer verify_ask(const struct conf *c, const struct url *u, str to, struct reply *r)
{
    char mem[NAME_MAX];
    struct buf name;
    enum verify_answer what = VERIFY_DOWN;
    buf_init_fixed(&name, mem, sizeof mem);
    server_name(&name, u);
    uint64_t key = key_of(buf_str(&name), to);
    if (recall(key, &what, r)) {
        metric_add(M_verify_cached, 1);
        return what;
    }
    struct breaker *b = breaker_of("verify", buf_str(&name));
    if (!breaker_enter(b))
        return VERIFY_DOWN;
    metric_add(M_verify_probes, 1);
    rt_time begun = rt_now();
    err e = probe(c, u, to, &what, r);
    breaker_took(b, begun);
    if (e == E_CANCELLED)
        breaker_cancel(b);
    else
        breaker_leave(b, !e, FAILURES, PAUSE, err_text(e));
    if (e) {
        rt_log(EV_verify_failed, log_str(buf_str(&name)), log_str(to), log_err(e));
        return VERIFY_DOWN;
    }
    remember(c, key, what, r);
    return what;
}
