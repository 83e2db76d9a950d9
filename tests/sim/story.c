/*
 * The story of a world: mail comes in while servers, networks and disks fail, nodes crash, restart and reload and an
 * operator meddles. Then everything is well again, and when all is quiet, every promise must have been kept. At the
 * last all nodes crash once more, and nothing may come back.
 */
#include "world.h"

#include <stdio.h>

bool ending OWN;
rt_time rest_from OWN = RT_NEVER;

/* ---- the world ----------------------------------------------------------------------------------------------------
 */

static void remote_new(const char *domain, int number, bool lmtp, bool second)
{
    static const unsigned moods[] = {0, 3, 10, 25, 60};
    struct remote *r = &remotes[nservers++];
    snprintf(r->domain, sizeof r->domain, "%s", domain);
    snprintf(r->ip[0], sizeof r->ip[0], "192.0.2.%d", number);
    if (second)
        snprintf(r->ip[1], sizeof r->ip[1], "192.0.2.%u", (unsigned)(number + 100) % 256);
    r->lmtp = lmtp;
    r->bad = moods[sim_below(5)];
    r->limit = sim_chance(30) ? (unsigned)sim_between(1, 5) : 0;
}

static bool quiet(void)
{
    for (int i = 1; i < sim.nnodes; i++)
        if (sim.node[i]->alive && !sim.node[i]->up && !sim.node[i]->stopping)
            return false;
    return true;
}

/* ---- events of the story --------------------------------------------------------------------------------------------
 */

static void restart(void *arg, uint64_t n)
{
    (void)n;
    node_start(arg);
}

static void crash_one(void *arg, uint64_t how)
{
    struct node *n = arg;
    if (n->alive)
        node_crash(n, (enum crash)how);
    sim_at(sim.now + (rt_time)sim_between(100, 12000) * RT_MS, restart, n, 0);
}

static void watch(void *arg, uint64_t n)
{
    struct node *x = arg;
    (void)n;
    if (!x->alive)
        node_start(x);
    if (!sim.over)
        sim_at(sim.now + 5 * RT_S, watch, x, 0);
}

static void disk_well(void *arg, uint64_t n)
{
    struct node *x = arg;
    (void)n;
    disk_capacity(x->disk, -1);
    disk_errors(x->disk, 0);
}

static void disk_ill(struct node *n)
{
    bool full = sim_chance(50);
    trace("%s: the disk is %s", n->name, full ? "full" : "failing");
    if (full)
        disk_capacity(n->disk, (int64_t)sim_below(3) * 65536);
    else
        disk_errors(n->disk, (unsigned)sim_between(5, 300));
    sim_at(sim.now + sim_between(100, sim_chance(70) ? 3000 : 15000) * RT_MS, disk_well, n, 0);
    if (sim_chance(40)) /* a machine that fails seldom fails alone */
        sim_at(sim.now + sim_between(10, 4000) * RT_MS, crash_one, n, sim_chance(20) ? CRASH_KILL : CRASH_POWER);
}

enum { KILL, POWER, STEP, STOP, RELOAD, DISK, CLOCK, MOOD, OPERATOR, EVENTS };
static const unsigned char tempers[][EVENTS] = {
    {2, 2, 4, 2, 3, 2, 2, 2, 8},  /* a bit of everything */
    {6, 9, 20, 3, 0, 0, 1, 2, 2}, /* crashes */
    {1, 3, 4, 0, 1, 20, 0, 1, 2}, /* disks */
    {1, 1, 1, 1, 4, 1, 2, 12, 2}, /* servers */
    {1, 2, 3, 6, 8, 1, 1, 1, 30}, /* people */
};
static unsigned temper OWN, busy OWN; /* busy: percent of clients with an event behind them */

static int some_event(void)
{
    unsigned all = 0, at;
    int e = 0;
    for (int i = 0; i < EVENTS; i++)
        all += tempers[temper][i];
    for (at = (unsigned)sim_below(all); at >= tempers[temper][e]; e++)
        at -= tempers[temper][e];
    return e;
}

static void one_event(void)
{
    struct node *n = sim.node[1 + sim_below((uint64_t)sim.nnodes - 1)];
    enum queue_action act;
    switch (some_event()) {
    case KILL:
    case POWER:
        sim_at(sim.now + sim_between(0, 500) * RT_MS, crash_one, n, sim_chance(50) ? CRASH_KILL : CRASH_POWER);
        break;
    case STEP: /* in the middle of something that the disk does */
        n->crash_at_step = n->steps + sim_between(1, 60);
        break;
    case STOP:
        node_visit(n, postrider_stop, NULL);
        break;
    case RELOAD:
        node_visit(n, postrider_reload, NULL);
        break;
    case DISK:
        disk_ill(n);
        break;
    case CLOCK:
        n->wall_step += sim_between(-3000, 3000);
        trace("%s: the clock steps", n->name);
        break;
    case MOOD:
        remotes[sim_below((uint64_t)nservers)].bad = (unsigned)sim_below(100);
        break;
    default:
        act = (enum queue_action)sim_below(5);
        node_visit(n, postrider_operate, &act);
    }
}

static void release_one(void *arg, const struct queue_entry *e)
{
    uint64_t *id = arg;
    *id = e->id;
}

static void release_all(struct node *n, void *arg)
{
    struct queue_filter f = {.tenant = -1, .held = 1};
    (void)arg;
    for (int i = 0; i < 200; i++) {
        uint64_t cursor = 0, id = 0;
        while (queue_walk(n->server->queue, &f, &cursor, 1000, release_one, &id))
            ;
        if (!id)
            return;
        queue_act(n->server->queue, QUEUE_RELEASE, id, UINT32_MAX, S("story"));
    }
}

/* ---- the end
 * ------------------------------------------------------------------------------------------------------------ */

static void count_left(struct node *n, void *arg)
{
    struct look k;
    postrider_look(n, &k);
    *(uint64_t *)arg += k.q.recipients + k.s.messages;
}

static uint64_t left(void)
{
    uint64_t all = 0;
    for (int i = 1; i < sim.nnodes; i++)
        if (!node_visit(sim.node[i], count_left, &all))
            all++;
    return all;
}

static void say_left(struct node *n, void *arg)
{
    struct look k;
    (void)arg;
    postrider_look(n, &k);
    if (k.q.recipients || k.s.messages)
        violation(
            "%s never came to rest: queue %llu messages, %llu recipients (%llu ready, %llu waiting, %llu active, %llu "
            "held), spool %llu messages, failed %d, full %d",
            n->name, (unsigned long long)k.q.messages, (unsigned long long)k.q.recipients,
            (unsigned long long)k.q.ready, (unsigned long long)k.q.waiting, (unsigned long long)k.q.active,
            (unsigned long long)k.q.held, (unsigned long long)k.s.messages, k.s.failed, k.s.full);
}

static void heal(void)
{
    trace("from here on all is well");
    lan_healthy();
    dns_healthy();
    for (int i = 0; i < nservers; i++)
        remotes[i].bad = 0;
    for (int i = 1; i < sim.nnodes; i++) {
        sim.node[i]->crash_at_step = 0;
        if (sim.node[i]->hunger) /* what found no memory for its place in the queue is taken up by the next start */
            node_visit(sim.node[i], postrider_stop, NULL);
        sim.node[i]->hunger = 0;
        disk_well(sim.node[i], 0);
    }
}

static bool settle(rt_time most)
{
    rt_time until = sim.now + most;
    while (sim.now < until) {
        fiber_sleep(rt_after(5 * RT_S));
        for (int i = 1; i < sim.nnodes; i++)
            node_visit(sim.node[i], release_all, NULL);
        check_step();
        if (!clients_open && quiet() && !left()) {
            fiber_sleep(rt_after(60 * RT_S)); /* until idle connections and silent clients are given up */
            check_rest();
            return true;
        }
    }
    for (int i = 1; i < sim.nnodes; i++) {
        if (!sim.node[i]->up)
            violation("%s does not come up", sim.node[i]->name);
        node_visit(sim.node[i], say_left, NULL);
    }
    if (clients_open)
        violation("%d clients still wait", clients_open);
    return false;
}

static bool all_gone(void)
{
    for (int i = 1; i < sim.nnodes; i++)
        if (sim.node[i]->alive)
            return false;
    return true;
}

/* What was over stays over, whatever the last crash keeps of the disks. */
static void last_crash(void)
{
    size_t before = narrivals;
    int last = lan_links() ? lan_links()->id : 0;
    rest_from = sim.now;
    for (int i = 1; i < sim.nnodes; i++)
        sim_at(sim.now, crash_one, sim.node[i], sim_chance(30) ? CRASH_KILL : CRASH_POWER);
    fiber_sleep(rt_after(15 * RT_S));
    if (!settle(20 * RT_S))
        violation("something came back after the last crash");
    for (; before < narrivals; before++) /* a slow server may still bring in what it was given before */
        if (arrivals[before].end->link->id > last)
            violation("message %d was delivered again after the last crash", arrivals[before].token);
}

static void stop_all(void)
{
    sim.over = false;
    for (int tries = 0; tries < 60 && !all_gone(); tries++) {
        for (int i = 1; i < sim.nnodes; i++)
            if (!sim.node[i]->stopping)
                node_visit(sim.node[i], postrider_stop, NULL);
        fiber_sleep(rt_after(RT_S));
    }
    for (int i = 1; i < sim.nnodes; i++)
        if (sim.node[i]->alive)
            violation("%s does not stop", sim.node[i]->name);
}

static void guard(void *arg, uint64_t n)
{
    if (!ending)
        watch(arg, n);
}

static void director(void *arg)
{
    int clients = (int)sim_between(22, 34), i = 0;
    (void)arg;
    temper = (unsigned)sim_below(sizeof tempers / sizeof *tempers);
    busy = (unsigned)sim_between(10, 60);
    for (i = 0; i < nservers; i++) {
        int port = remotes[i].lmtp ? 24 : 25;
        remote_serve(&remotes[i], 0, port);
        if (remotes[i].ip[1][0] && sim_chance(60))
            remote_serve(&remotes[i], 1, port);
        if (edge_world)
            remote_serve(&remotes[i], 0, BEHIND_PORT);
    }
    for (i = 1; i < sim.nnodes; i++) {
        node_start(sim.node[i]);
        guard(sim.node[i], 0);
    }
    fiber_sleep(rt_after(2 * RT_S));
    for (i = 0; i < clients; i++) {
        fiber_sleep(rt_after(sim_between(0, sim_chance(70) ? 1500 : 9000) * RT_MS));
        client_spawn(sim.node[1 + sim_below((uint64_t)sim.nnodes - 1)]);
        if (sim_chance(busy))
            one_event();
        check_step();
    }
    fiber_sleep(rt_after(sim_between(0, 60) * RT_S));
    heal();
    if (settle(1800 * RT_S))
        last_crash();
    ending = true;
    check_mailboxes();
    check_end();
    stop_all();
    rt_stop();
}

static void outside_init(void *arg, int index)
{
    (void)arg, (void)index;
    director(NULL);
}

static int outside(struct node *n)
{
    struct rt_start s = {.nloops = 1, .npool = 1, .init = outside_init, .drain = 10 * RT_S};
    (void)n;
    err e = rt_run(&s);
    sim.over = true;
    return e ? 1 : 0;
}

void world_make(void)
{
    lan_begin();
    dns_begin();
    node_new("outside", "203.0.113.1", outside);
    remote_new("from.test", 1, false, false);
    remote_new("r1.test", 2, false, sim_chance(50));
    remote_new("r2.test", 3, false, false);
    remote_new("l.test", 4, true, false);
    int n = sim_chance(70) ? 2 : 3;
    bool smart = sim_chance(30);
    /* of the seed alone, so that worlds without are what they were */
    unsigned more = (unsigned)((sim.seed * 0x9e3779b97f4a7c15u) >> 61);
    edge_world = more < 2;
    onward_world = more == 1 || more == 2;
    for (int i = 1; i <= n; i++)
        postrider_new(i)->server->smart = smart;
    for (int i = 1; i <= n && onward_world; i++)
        sim.node[i]->server->onward = sim_chance(75);
    if (edge_world)
        edge_new(sim.node[sim_between(1, n)]);
    sim.end = sim.now + 3 * 3600 * RT_S;
    node_start(sim.node[0]);
}
