/*
 * Redirects on the way out: in some worlds nodes have rules at route and deliver that send recipients elsewhere, by
 * the first letters of their address. The old recipient and the one in its place are one of the ledger: reached as
 * often as any other. Two kinds go in circles, within one server and between two, and must come to an end all the
 * same.
 */
#include "world.h"

#include <stdio.h>

/* At most one recipient of each kind in a message: those that become one and the same address leave as one. */
enum kind { GO, FAR, DEAD, SPIN, ORBIT, KINDS };
static const char *const words[KINDS] = {"go", "far", "dead", "spin", "orbit"};

bool onward_world OWN;

static enum kind kind_of(const char *address)
{
    int k = 0;
    while (k < KINDS && strncmp(address, words[k], strlen(words[k])) != 0)
        k++;
    return (enum kind)k;
}

bool onward_round(const char *asked) { return kind_of(asked) == ORBIT; }

void onward_address(char out[ADDR_MAX])
{
    int k = (int)sim_below(KINDS);
    if (k == ORBIT)
        snprintf(out, ADDR_MAX, "orbit@%s", sim.node[1 + sim_below((uint64_t)sim.nnodes - 1)]->name);
    else
        snprintf(out, ADDR_MAX, "%s%u@%s", words[k], (unsigned)sim_below(1000),
                 remotes[sim_between(1, nservers - 1)].domain);
}

bool onward_again(const struct mail *m, const char *address)
{
    enum kind k = kind_of(address);
    for (int i = 0; i < m->nto && k < KINDS; i++)
        if (kind_of(m->to[i].address) == k)
            return true;
    return false;
}

void onward_text(struct node *n, struct buf *out)
{
    if (!n->server->onward)
        return;
    const struct node *next = sim.node[n->index % (sim.nnodes - 1) + 1];
    buf_printf(out,
               "rule go    { if = \"recipient matches go*@*\" then = \"redirect d@%s\" at = \"route\" }\n"
               "rule far   { if = \"recipient matches far*@*\" then = \"redirect on@r2.test\" at = \"deliver\" }\n"
               "rule dead  { if = \"recipient matches dead*@*\" then = \"redirect badon@r2.test\" at = \"route\" }\n"
               "rule spin  { if = \"recipient matches spin*@*\" then = \"redirect ring1@r1.test\" at = \"deliver\" }\n"
               "rule ring1 { if = \"recipient is ring1@r1.test\" then = \"redirect ring2@r2.test\" at = \"route\" }\n"
               "rule ring2 { if = \"recipient is ring2@r2.test\" then = \"redirect ring1@r1.test\" at = \"route\" }\n"
               "rule orbit { if = \"recipient is orbit@%s\" then = \"redirect orbit@%s\" at = \"route\" }\n",
               n->name, n->name, next->name);
}

/* Is this where one who was asked for may have been sent? */
bool onward_to(const char *asked, const char *address)
{
    switch (kind_of(asked)) {
    case GO:
        return address[0] == 'd' && address[1] == '@' && address[2] == 'n';
    case FAR:
        return !strcasecmp(address, "on@r2.test");
    case DEAD:
        return !strcasecmp(address, "badon@r2.test");
    case SPIN:
        return !strcasecmp(address, "ring1@r1.test") || !strcasecmp(address, "ring2@r2.test");
    case ORBIT:
        return !strncmp(address, "orbit@n", 7);
    default:
        return false;
    }
}

/* A message arrived that came by these nodes. */
void onward_arrival(const struct mail *m, const struct fate_of *f, const struct arrival *a)
{
    bool ruled = false;
    for (int i = 0; i < a->hops; i++)
        ruled |= sim.node[a->hop[i].node]->server->onward;
    enum kind k = kind_of(a->to);
    bool here = k == ORBIT ? a->node && sim.node[a->node]->server->onward : ruled;
    if (here && k < KINDS)
        violation("message %d arrived for %s, whom a rule on its way sends elsewhere", m->token, a->to);
    if (!ruled && strcasecmp(a->to, f->address) != 0)
        violation("message %d arrived for %s, and no rule on its way sends it there", m->token, a->to);
}

/* ---- the log -------------------------------------------------------------------------------------------------- */

struct moved { /* "redirected": one recipient became one of another message */
    int node;
    uint64_t id, anew;
    char from[ADDR_MAX], to[ADDR_MAX];
    rt_time when;
};
static struct moved *moved OWN;
static size_t nmoved OWN, moved_cap OWN;

void onward_line(const struct node *n, uint64_t id, str from, str to, uint64_t anew)
{
    if (nmoved == moved_cap)
        moved = own_grow(moved, (moved_cap = moved_cap ? 2 * moved_cap : 64) * sizeof *moved);
    struct moved *v = &moved[nmoved++];
    *v = (struct moved){.node = n->index, .id = id, .anew = anew, .when = sim.now};
    str_to_c(from, v->from, ADDR_MAX);
    str_to_c(to, v->to, ADDR_MAX);
}

int onward_logged(int node, uint64_t id, const char *address)
{
    int n = 0;
    for (size_t i = 0; i < nmoved; i++)
        n += moved[i].node == node && moved[i].id == id && !strcmp(moved[i].from, address);
    return n;
}

/* What takes the place of a recipient ends as a recipient does: once, and the log says so. */
void onward_end(void)
{
    for (size_t i = 0; i < nmoved; i++) {
        const struct moved *v = &moved[i];
        int ends = onward_logged(v->node, v->anew, v->to);
        for (size_t k = 0; k < nlog_ends; k++)
            ends += log_ends[k].node == v->node && log_ends[k].id == v->anew && !strcmp(log_ends[k].to, v->to);
        if (ends != 1 && !crashed_between(sim.node[v->node], v->when - 20 * RT_S, RT_NEVER))
            violation("%s redirected %s to %s at %.3f, and its log says %d times how that ended",
                      sim.node[v->node]->name, v->from, v->to, (double)v->when / (double)RT_S, ends);
    }
}
