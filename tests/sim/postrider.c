/*
 * A postrider as its worker builds it (src/app/worker.c, wire_up.c, ports.c), without processes, TLS and control
 * socket: the rooms from recv to spool with one configuration, reloaded and stopped as by the parent's messages.
 * Variables without OWN are a node's own here, too.
 */
#include "world.h"
#include "intake/intake.h"
#include "net/dns.h"
#include "priv/priv.h"
#include "proxy/proxy.h"
#include "recv/recv.h"
#include "send/send.h"

#include <stdio.h>

static struct conf *now;
enum { PORTS = 2 }; /* the second one: a proxy */
static struct recv_port ports[PORTS];
static int sockets[PORTS][LOOPS_MAX_];
static struct fiber *serving[PORTS][LOOPS_MAX_];
static bool running;
static struct history *history;

static struct conf *conf_now(void) { return conf_ref(now); }
static int ports_of(const struct node *n) { return n->server->edge.mode ? 2 : 1; }

/* ---- the configuration ---------------------------------------------------------------------------------------- */

static void conf_text(struct node *n, struct buf *out)
{
    struct server *s = n->server;
    buf_printf(out,
               "hostname = \"%s\"\ndata-dir = \"/data\"\nlistener mx { address = \"%s:25\" tls = \"none\" }\n"
               "relay-from = {\"203.0.113.0/24\", \"198.51.100.0/24\"}\n"
               "domain %s { deliver = \"maildir\" mailboxes = {\"a\", \"b\", \"c\"%s} }\n"
               "private-targets = true\nsrs-domain = \"%s\"\n"
               "dns { servers = {\"192.0.2.53:53\"} timeout = \"4s\" }\n"
               "limits { header-size = \"16KB\" message-size = \"%s\" connections-per-address = %u recipients = 100 "
               "idle-time = \"40s\""
               " data-time = \"40s\" message-time = \"2min\" connection-rate = 2000%s }\n",
               n->name, n->ip, n->name, onward_world ? ", \"d\", \"orbit\"" : "", n->name,
               s->segment < 1 << 20 ? "32KB" : "512KB", s->per_address, onward_world ? " hops = 15" : "");
    buf_printf(
        out,
        "queue { delays = {\"8s\", \"15s\", \"30s\"} lifetime = \"%ds\" report-lifetime = \"2h\" delay-notice = \"%ds\""
        " connections = %u recipients-per-message = %u messages-per-connection = %u idle-time = \"2s\" return-body = "
        "\"8KB\" }\n"
        "send { connect-time = \"5s\" greeting-time = \"20s\" command-time = \"20s\" data-time = \"20s\""
        " end-time = \"30s\" tls = \"none\" }\ndrain-time = \"20s\"\n",
        (int)(s->lifetime / RT_S), s->version % 2 ? 45 : 0, s->connections, s->recipients, s->messages);
    for (int i = 0; i < nservers; i++)
        if (remotes[i].lmtp)
            buf_printf(out, "domain %s { deliver = \"lmtp://%s:24\" tls = \"none\" }\n", remotes[i].domain,
                       remotes[i].ip[0]);
    edge_text(n, out);
    rules_text(n, out);
    onward_text(n, out);
    if (s->smart && n->index > 1 && s->edge.mode != EDGE_STORE)
        buf_printf(out, "route \"*\" { via = \"smtp://%s:25\" tls = \"none\" }\n", sim.node[1]->ip);
}

static err conf_new(struct node *n, struct conf **ret)
{
    struct conf_bundle b = {0};
    struct conf_errors errors = {0};
    struct buf text;
    buf_init(&text, 65536);
    conf_text(n, &text);
    err e = conf_bundle_of(&b, S("/sim/postrider.conf"), buf_str(&text), S("/sim"));
    e = e ? e : conf_load(ret, &b, &errors);
    for (size_t i = 0; e && i < errors.n; i++)
        fprintf(stderr, "conf:%d: " STR_FMT "\n", errors.v[i].line, STR_ARG(errors.v[i].text));
    if (!e) {
        (*ret)->generation = (uint64_t)++n->server->version;
        (*ret)->resolv_conf = (*ret)->hosts = S("");
    }
    conf_errors_free(&errors);
    conf_bundle_free(&b);
    buf_free(&text);
    return e;
}

static err listeners_follow(struct conf *c)
{
    struct recv_listener *l;
    err e = OK;
    for (size_t i = 0; i < c->nlisteners && !e; i++) {
        const struct conf_listener *x = &c->listeners[i];
        struct recv_listener_config rc = {.conf = c,
                                          .conf_listener = x,
                                          .kind = x->nupstreams ? RECV_PROXY : RECV_MX,
                                          .tenant = (uint32_t)i + 1,
                                          .sink = proxy_sink(x)};
        e = recv_listener_new(&l, &rc);
        if (!e)
            recv_port_set(&ports[i], l);
    }
    return e;
}

static void loop_follow(struct conf *c)
{
    dns_follow(c);
    if (rt_index() == 0 && running)
        queue_reload(sim.running->node->server->queue, c);
}

/* ---- loops ----------------------------------------------------------------------------------------------------------
 */

static void serve(void *arg)
{
    int i = (int)((struct recv_port *)arg - ports);
    recv_serve(&ports[i], sockets[i][rt_index()]);
    serving[i][rt_index()] = NULL;
}

static void look_behind(void *arg)
{
    (void)arg;
    proxy_watch(conf_now);
}

static void start_loop(void *arg, int index)
{
    struct node *n = arg;
    struct conf *c = conf_now();
    loop_follow(c);
    for (int i = 0; i < ports_of(n); i++)
        serving[i][index] = fiber_spawn(serve, &ports[i], "listener");
    if (index == 0) {
        queue_start(n->server->queue, n->server->spool, c);
        running = n->up = true;
        if (n->server->edge.mode)
            fiber_spawn(look_behind, NULL, "proxy");
    }
    conf_drop(&c);
}

struct reload {
    struct post post;
    struct conf *conf;
    bool stop;
};

static void reload_here(struct post *p)
{
    struct reload *r = container_of(p, struct reload, post);
    if (r->stop) {
        for (int i = 0; i < PORTS; i++)
            if (serving[i][rt_index()])
                fiber_cancel(serving[i][rt_index()]);
    } else {
        loop_follow(r->conf);
    }
    conf_drop(&r->conf);
    free(r);
}

static void everywhere(struct conf *c, bool stop)
{
    for (int i = 0; i < rt_nloops(); i++) {
        struct reload *r = calloc(1, sizeof *r);
        *r = (struct reload){{.run = reload_here}, c ? conf_ref(c) : NULL, stop};
        rt_post(rt_loop(i), &r->post);
    }
}

/* ---- visits
 * --------------------------------------------------------------------------------------------------------------- */

void postrider_reload(struct node *n, void *arg)
{
    (void)arg;
    struct conf *c = NULL;
    struct server *s = n->server;
    s->lifetime = sim_between(40, 200) * RT_S;
    if (conf_new(n, &c) || listeners_follow(c)) {
        violation("%s: reload failed", n->name);
        return;
    }
    trace("%s: reload", n->name);
    everywhere(c, false);
    struct conf *old = now;
    now = c;
    conf_drop(&old);
}

void postrider_stop(struct node *n, void *arg)
{
    (void)arg;
    trace("%s: told to stop", n->name);
    n->stopping = true;
    n->up = false;
    everywhere(NULL, true);
    queue_stop(n->server->queue);
    rt_stop();
}

void postrider_look(struct node *n, void *arg)
{
    struct look *k = arg;
    queue_stats(n->server->queue, &k->q);
    spool_stats(n->server->spool, &k->s);
    k->bodies = metric_read(M_body_bytes);
    k->sessions = metric_read(M_connections);
    k->out = metric_read(M_deliveries);
    k->recipients = metric_read(M_queue_recipients);
    k->fibers = metric_read(M_fibers);
    k->behind = metric_read(M_upstream_connections);
    static const enum event ends[LOG_ENDS] = {EV_delivered, EV_bounced, EV_expired, EV_removed};
    for (int i = 0; i < LOG_ENDS; i++)
        k->counted[i] = event_count(ends[i]);
}

struct pick {
    uint64_t id;
    uint64_t seen;
};
static void pick_one(void *arg, const struct queue_entry *e)
{
    struct pick *p = arg;
    if (sim_below(++p->seen) == 0)
        p->id = e->id;
}

/* Which message of the story it is that the operator ends. */
static void tell_ledger(struct node *n, uint64_t id, bool bounce)
{
    struct spool_reader r;
    struct buf text;
    str piece;
    if (spool_read_open(&r, n->server->spool, id, NULL))
        return;
    buf_init(&text, 1 << 22);
    while (!spool_read_next(&r, &piece) && piece.n)
        buf_add(&text, piece);
    ledger_ended(buf_str(&text), bounce);
    buf_free(&text);
    spool_read_close(&r);
}

void postrider_operate(struct node *n, void *arg)
{
    enum queue_action a = *(enum queue_action *)arg;
    struct queue_filter f = {.tenant = -1, .held = -1};
    struct pick p = {0};
    uint64_t cursor = 0;
    if (a == QUEUE_RELEASE)
        f.held = 1;
    while (queue_walk(n->server->queue, &f, &cursor, 1000, pick_one, &p))
        ;
    if (!p.id)
        return;
    if (a == QUEUE_REMOVE || a == QUEUE_BOUNCE)
        tell_ledger(n, p.id, a == QUEUE_BOUNCE);
    uint32_t did = queue_act(n->server->queue, a, p.id, UINT32_MAX, S("story"));
    trace("%s: operator: action %d, message %llx, %u recipients", n->name, a, (unsigned long long)p.id, did);
}

/* ---- start and end
 * ---------------------------------------------------------------------------------------------------------- */

static err listen_all(struct node *n)
{
    err e = OK;
    for (int i = 0; i < ports_of(n); i++) {
        struct sockaddr_storage at = place(n->ip, i ? EDGE_PORT : 25);
        for (int k = 0; k < n->server->loops && !e; k++)
            e = rt_listen((struct sockaddr *)&at, sizeof(struct sockaddr_in), true, 100, &sockets[i][k]);
    }
    return e;
}

static err open_stores(struct node *n)
{
    struct history_config hc = {.dirfd = disk_folder(n->disk, "history"),
                                .folder = "",
                                .max_size = now->history_max_size,
                                .max_age = now->history_max_age};
    if (history_open(&history, &hc))
        trace("%s: no history", n->name);
    static const struct queue_ops ops = {.site = send_site, .start = send_start, .report = send_report};
    err e = queue_new(&n->server->queue, &ops);
    struct spool_config sc = {
        .dir = disk_folder(n->disk, "spool"), .segment_size = n->server->segment, .reserve = 0, .spare = 2};
    return e ? e : spool_open(&n->server->spool, &sc, queue_recovered, n->server->queue);
}

static int postrider_main(struct node *n)
{
    struct server *s = n->server;
    s->queue = NULL;
    s->spool = NULL;
    dns_backend = &sim_dns;
    err e = conf_new(n, &now);
    e = e ? e : priv_setup(&(struct priv_secrets){.srs = S("0123456789abcdef0123456789abcdef")});
    e = e ? e : listeners_follow(now);
    if (e)
        return 2;
    for (rt_time begun = sim.now; (e = open_stores(n)) != OK; begun = sim.now) {
        trace("%s: cannot start: %s", n->name, err_name(e));
        if (!disk_troubled(n->disk, begun, sim.now)) /* else its supervisor tries again */
            return 3;
        history_close(&history);
        queue_free(&s->queue);
        actor_pause(RT_S);
    }
    if (listen_all(n))
        return 4;
    intake_setup(&(struct intake){s->spool, s->queue, conf_now});
    send_setup(&(struct send){s->spool, s->queue, conf_now, disk_folder(n->disk, "mail")});
    struct rt_start st = {.nloops = s->loops, .npool = 2, .init = start_loop, .arg = n, .drain = now->drain_time};
    e = rt_run(&st);
    n->up = false;
    queue_stop(s->queue);
    spool_close(&s->spool);
    history_close(&history);
    if (e) { /* a session did not end in time; the process ends all the same */
        trace("%s: fibers were left: %s", n->name, err_name(e));
        n->cut_short = true;
        if (ending)
            violation("%s: fibers were left when it was told to stop: %s", n->name, err_name(e));
        return 0;
    }
    queue_free(&s->queue);
    for (int i = 0; i < PORTS; i++)
        recv_port_set(&ports[i], NULL);
    priv_end();
    conf_drop(&now);
    return 0;
}

struct node *postrider_new(int number)
{
    char name[32], ip[32];
    snprintf(name, sizeof name, "n%d.test", number);
    snprintf(ip, sizeof ip, "198.51.100.%d", number);
    struct node *n = node_new(name, ip, postrider_main);
    struct server *s = n->server = own_alloc(sizeof *s);
    s->loops = (int)sim_between(1, LOOPS_MAX_);
    s->segment = sim_chance(60) ? 64 << 10 : sim_chance(60) ? 128 << 10 : 1 << 20;
    s->connections = (unsigned)sim_between(1, 4);
    s->recipients = (unsigned)sim_between(1, 10);
    s->messages = (unsigned)sim_between(1, 10);
    s->per_address = (unsigned)sim_between(3, 8);
    s->lifetime = sim_between(40, 200) * RT_S;
    s->rules = sim_chance(50);
    n->hunger = sim_chance(10) ? (unsigned)sim_between(20, 1500) : 0;
    if (n->hunger)
        trace("%s: short of memory: 1 in %u", n->name, n->hunger);
    return n;
}
