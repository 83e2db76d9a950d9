/*
 * Rules of the configuration in a world. What a message asks for stands in its header X-Play, what a recipient asks for
 * in its address; some nodes have the rules that look there, some have not. What was accepted and discarded must be
 * said in the log, of each recipient; what was refused, discarded or sent elsewhere must not arrive.
 */
#include "world.h"

#include <stdio.h>

static const char *const plays[] = {
    [PLAY_NONE] = "none",         [PLAY_REFUSE] = "refuse",         [PLAY_DISCARD] = "discard",
    [PLAY_HOLD] = "hold",         [PLAY_QUARANTINE] = "quarantine", [PLAY_REDIRECT] = "redirect",
    [PLAY_ADD] = "add recipient", [PLAY_CHANGE] = "change header",
};

const char *play_word(enum play p) { return plays[p]; }

enum play some_play(void) { return sim_chance(60) ? PLAY_NONE : (enum play)sim_between(PLAY_NONE + 1, PLAYS - 1); }

/* On a proxy that stores nothing they are for the first listener: for the other one, see edge.c. */
void rules_text(struct node *n, struct buf *out)
{
    const char *on = edge_carries(n) ? " on = \"mx\"" : "";
    if (!n->server->rules)
        return;
    buf_printf(out,
               "rule no     { if = \"header X-Play is refuse\" then = \"refuse 554 5.7.1 Not today\"%s }\n"
               "rule gone   { if = \"header X-Play is discard\" then = \"discard\"%s }\n"
               "rule hold   { if = \"header X-Play is hold\" then = \"hold to be looked at\"%s }\n"
               "rule cell   { if = \"header X-Play is quarantine\" then = \"quarantine suspicious\"%s }\n"
               "rule change { if = \"header X-Play is 'change header'\" then = {\"add header X-Rule: yes\", "
               "\"change header Subject: changed\"}%s }\n"
               "rule drop   { if = \"recipient matches x*77@*\" then = \"discard\" at = \"rcpt\"%s }\n",
               on, on, on, on, on, on);
    buf_add(out,
            S("rule out-no { if = \"recipient matches x*88@*\" then = \"refuse 550 5.7.1 Not there\" at = \"route\" }\n"
              "rule out    { if = \"recipient matches x*66@*\" then = \"discard\" at = \"route\" }\n"));
    /* Only of clients: what comes from another node is already on its way. */
    buf_printf(
        out,
        "rule other  { if = \"header X-Play is redirect and client in 203.0.113.0/24\" then = \"redirect a@%s\"%s }\n"
        "rule more   { if = \"header X-Play is 'add recipient' and client in 203.0.113.0/24\" then = \"add "
        "recipient c@%s\"%s }\n",
        n->name, on, n->name, on);
}

static bool ends(const char *address, const char *digits)
{
    const char *at = strchr(address, '@');
    return address[0] == 'x' && at && at - address >= 3 && !strncmp(at - 2, digits, 2);
}

static bool discards(const struct mail *m, const char *to)
{
    return m->play == PLAY_DISCARD || ends(to, "77") || ends(to, "66");
}

bool rules_discard(const struct mail *m, const struct fate_of *f, bool *ret_here)
{
    bool any = false;
    for (int i = 1; i < sim.nnodes; i++)
        any |= sim.node[i]->server->rules;
    *ret_here = m->at->server->rules && (m->play == PLAY_DISCARD || ends(f->address, "77"));
    return any && discards(m, f->address);
}

/* Of whom everything was redirected: what its sender wants to know of any of those that were accepted. */
static int wanted_of_all(const struct mail *m)
{
    int want = TELL_NEVER;
    for (int i = 0; i < m->nto; i++) {
        int one = m->to[i].notify;
        if (!ends(m->to[i].address, "77") && one != TELL_NEVER)
            want = one == TELL_ALL || want == TELL_ALL ? TELL_ALL : TELL_USUAL;
    }
    return want;
}

/* Before the message is sent: who is to get it. */
void rules_readdress(struct mail *m)
{
    char to[ADDR_MAX];
    int want = wanted_of_all(m);
    if (m->proxy || !m->at->server->rules || (m->play != PLAY_REDIRECT && m->play != PLAY_ADD))
        return;
    snprintf(to, sizeof to, "%c@%s", m->play == PLAY_ADD ? 'c' : 'a', m->at->name);
    if (m->play == PLAY_REDIRECT)
        m->nto = 0;
    if (ledger_rcpt(m, str_c(to)))
        return;
    m->to[m->nto] = (struct fate_of){.notify = m->play == PLAY_REDIRECT ? want : TELL_USUAL};
    snprintf(m->to[m->nto++].address, ADDR_MAX, "%s", to);
}

void rules_accepted(const struct mail *m)
{
    const struct server *s = m->at->server;
    bool refuses = (s->rules && !m->outside) || (m->proxy && m->proxy->server->edge.judges);
    if (refuses && m->play == PLAY_REFUSE)
        violation("%s accepted message %d, which its rules refuse", m->at->name, m->token);
}

/* ---- what is held ------------------------------------------------------------------------------------------- */

struct release {
    int node;
    uint64_t id;
};
static struct release *releases OWN;
static size_t nreleases OWN, releases_cap OWN;

void rules_released(const struct node *n, uint64_t id)
{
    if (nreleases == releases_cap)
        releases = own_grow(releases, (releases_cap = releases_cap ? 2 * releases_cap : 64) * sizeof *releases);
    releases[nreleases++] = (struct release){n->index, id};
}

static bool was_released(int node, uint64_t id)
{
    for (size_t i = 0; i < nreleases; i++)
        if (releases[i].node == node && releases[i].id == id)
            return true;
    return crashed_between(sim.node[node], 0, RT_NEVER); /* the line may have been lost */
}

/* ---- what arrives ---------------------------------------------------------------------------------------------- */

static bool is_changed(str message)
{
    str head = str_sub(message, 0, str_search(message, S("\nline 0")));
    return (str_starts(head, S("X-Rule: yes")) || str_search(head, S("\nX-Rule: yes")) != STR_NONE) &&
           str_search(head, S("\nSubject: changed")) != STR_NONE;
}

/* A message arrived that came by these nodes. */
void rules_arrival(const struct mail *m, const struct arrival *a, str message)
{
    bool ruled = false, held = m->play == PLAY_HOLD || m->play == PLAY_QUARANTINE;
    for (int i = 0; i < a->hops; i++) {
        bool here = sim.node[a->hop[i].node]->server->rules;
        ruled |= here;
        if (here && held && !was_released(a->hop[i].node, a->hop[i].id))
            violation("message %d arrived for %s; %s holds it, and nobody released it", m->token, a->to,
                      sim.node[a->hop[i].node]->name);
    }
    bool changed = m->play == PLAY_CHANGE && is_changed(message);
    edge_arrival(m, a, changed);
    if (!ruled)
        return;
    if (m->play == PLAY_REFUSE || discards(m, a->to) || ends(a->to, "88"))
        violation("message %d arrived for %s, although a rule on its way refuses or discards it", m->token, a->to);
    if (m->play == PLAY_CHANGE && !changed)
        violation("message %d arrived for %s without what a rule changes in it", m->token, a->to);
}

/* "discarded" and what was discarded before an attempt: each line is about one recipient of one message. */
struct gone {
    int node;
    uint64_t id;
    char from[ADDR_MAX], to[ADDR_MAX];
};
static struct gone *gone OWN;
static size_t ngone OWN, gone_cap OWN;

void rules_gone(const struct node *n, uint64_t id, str from, str to)
{
    if (ngone == gone_cap)
        gone = own_grow(gone, (gone_cap = gone_cap ? 2 * gone_cap : 64) * sizeof *gone);
    struct gone *g = &gone[ngone++];
    *g = (struct gone){.node = n->index, .id = id};
    str_to_c(str_eq(from, S("\"\"")) ? S("") : from, g->from, ADDR_MAX);
    str_to_c(to, g->to, ADDR_MAX);
}

/* The server that accepted it says so under its id; one behind it knows another id. */
bool rules_discarded(const struct mail *m, const struct fate_of *f)
{
    for (size_t i = 0; i < ngone; i++) {
        const struct gone *g = &gone[i];
        bool same = !strcasecmp(g->to, f->address), first = g->node == m->at->index;
        if (same && (first ? g->id == m->id : !strcmp(g->from, m->from)))
            return true;
        /* under another id, perhaps with a sender that SRS made */
        if (ledger_reaches(f, g->to) && (!same || onward_round(f->address)))
            return true;
    }
    return false;
}
