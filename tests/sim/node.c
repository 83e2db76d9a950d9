/* The life of a node: start, orderly end with its checks, crash; and visits by the story. */
#include "sim.h"

#include <stdio.h>

struct node *node_new(const char *name, const char *ip, int (*fn)(struct node *n))
{
    struct node *n = own_alloc(sizeof *n);
    n->index = sim.nnodes;
    n->main = fn;
    snprintf(n->name, sizeof n->name, "%s", name);
    snprintf(n->ip, sizeof n->ip, "%s", ip);
    n->disk = disk_new();
    sim.node[sim.nnodes++] = n;
    return n;
}

static void life_ends(struct node *n, int how)
{
    struct boot *b = &n->boot[n->nboots - 1];
    b->until = sim.now;
    b->how = how;
    n->alive = n->up = n->stopping = n->doomed = false;
    n->main_actor = NULL;
    n->pool.n = 0;
    n->log_n = 0;
    memset(n->lines, 0, sizeof n->lines);
}

/* An orderly end forgets nothing: no fiber (rt_run says so), no memory, no descriptor. */
static void node_ended(void *arg, uint64_t boot)
{
    struct node *n = arg;
    size_t blocks;
    if (!n->alive || (uint64_t)n->nboots != boot)
        return;
    size_t bytes = memory_leaked(n, &blocks);
    if (blocks && !n->cut_short)
        violation("%s: %zu bytes in %zu blocks were never freed", n->name, bytes, blocks);
    trace("%s: ended", n->name);
    lan_node_gone(n, CRASH_KILL);
    disk_crash(n->disk, CRASH_KILL);
    actors_drop(n);
    memory_drop(n);
    if (sim.loaded == n)
        sim.loaded = NULL;
    life_ends(n, n->cut_short ? END_KILL : END_STOP);
}

static void main_actor(void *arg)
{
    struct node *n = arg;
    int status = n->main(n);
    rt_log_flush();
    log_end();
    metrics_end();
    if (status)
        violation("%s ended with status %d", n->name, status);
    sim_at(sim.now, node_ended, n, (uint64_t)n->nboots);
}

void node_start(struct node *n)
{
    if (n->nboots == BOOTS_MAX || n->alive)
        return;
    trace("%s: starts", n->name);
    n->alive = true;
    n->cut_short = false;
    n->rnd = sim_random();
    n->boot[n->nboots++] = (struct boot){.from = sim.now, .until = RT_NEVER};
    state_new(n);
    n->main_actor = actor_new(n, "main", main_actor, n);
}

void node_crash(struct node *n, enum crash how)
{
    if (!n->alive)
        return;
    trace("%s: %s", n->name, how == CRASH_KILL ? "killed" : "loses power");
    sim.crashes++;
    n->crash_at_step = 0;
    lan_node_gone(n, how);
    disk_crash(n->disk, how);
    actors_drop(n);
    memory_drop(n);
    if (sim.loaded == n)
        sim.loaded = NULL;
    life_ends(n, how == CRASH_KILL ? END_KILL : END_POWER);
}

void node_doom(void)
{
    struct actor *a = sim.running;
    a->node->doomed = true;
    a->node->doom = sim_chance(50) ? CRASH_KILL : CRASH_POWER;
    for (;;)
        actor_sleep(RT_NEVER);
}

bool node_breakable(void) { return sim.broken && sim.running && sim.running->node->index > 0; }

static struct actor *first_loop(struct node *n)
{
    for (struct actor *a = n->actors; a; a = a->next)
        if (a->loop && a->loop->index == 0 && !a->ended)
            return a;
    return NULL;
}

bool node_visit(struct node *n, void (*fn)(struct node *n, void *arg), void *arg)
{
    struct actor *was = sim.running, *loop = n->alive && n->up ? first_loop(n) : NULL;
    if (!loop)
        return false;
    image_swap(was, NULL);
    state_load(n);
    image_swap(NULL, loop);
    bool there = rt_current != NULL;
    if (there) {
        sim.running = loop;
        loop->loop->now = sim.now;
        loop->loop->wall = -1;
        sim.visiting = true;
        fn(n, arg);
        sim.visiting = false;
        task_wake_all(loop->loop);
        rt_log_flush();
        image_swap(loop, NULL);
        sim.running = was;
    }
    if (was) {
        state_load(was->node);
        image_swap(NULL, was);
    }
    if (there)
        actor_wake(loop);
    return there;
}
