/*
 * Proxies: in some worlds one node has a second listener that stands before another node or before servers of others.
 * With inspect and pass the promise is that of the server behind: no client hears 250 that it has not said, and what a
 * client brings once it is given once. With store it is the node's own.
 */
#include "world.h"

#include <arpa/inet.h>
#include <stdio.h>

bool edge_world OWN;

void edge_new(struct node *n)
{
    static const char *const traces[] = {"auto", "true", "false"};
    struct edge *e = &n->server->edge;
    bool smart = n->server->smart;
    e->mode = (enum edge_mode)(EDGE_INSPECT + sim_below(3));
    e->trace = traces[sim_below(3)];
    e->judges = e->mode == EDGE_INSPECT && sim_chance(50);
    if (sim_chance(50) && !(e->mode == EDGE_STORE && smart)) { /* the smart host would send it back */
        e->behind = sim.node[n->index % (sim.nnodes - 1) + 1];
        return;
    }
    e->remote = (int)sim_between(1, nservers - 1);
    if (e->remote < 3 && sim_chance(40))
        e->other = 3 - e->remote;
}

void edge_text(struct node *n, struct buf *out)
{
    static const char *const modes[] = {[EDGE_INSPECT] = "inspect", [EDGE_PASS] = "pass", [EDGE_STORE] = "store"};
    const struct edge *e = &n->server->edge;
    if (!e->mode)
        return;
    buf_printf(out, "listener edge { address = \"%s:%d\" tls = \"none\" proxy = \"behind\" proxy-mode = \"%s\" }\n",
               n->ip, EDGE_PORT, modes[e->mode]);
    if (e->behind)
        buf_printf(out, "upstream behind { via = \"%s:25\"", e->behind->ip);
    else
        buf_printf(out, "upstream behind { via = {\"%s%s:%d\"", remotes[e->remote].lmtp ? "lmtp://" : "",
                   remotes[e->remote].ip[0], BEHIND_PORT);
    if (e->other)
        buf_printf(out, ", \"%s:%d\"", remotes[e->other].ip[0], BEHIND_PORT);
    buf_printf(out, "%s tls = \"none\" trace = \"%s\" connect-time = \"5s\" check-time = \"4s\" idle-time = \"3s\" }\n",
               e->behind ? "" : "}", e->trace);
    if (e->judges)
        buf_add(out,
                S("rule edge-no { if = \"header X-Play is refuse\" then = \"refuse 554 5.7.1 Not today\" "
                  "on = \"edge\" }\n"
                  "rule edge-change { if = \"header X-Play is 'change header'\" then = {\"add header X-Rule: yes\", "
                  "\"change header Subject: changed\"} on = \"edge\" }\n"));
}

bool edge_carries(const struct node *n) { return n->server->edge.mode && n->server->edge.mode != EDGE_STORE; }

/* A client is about to bring it here: whose promise it will be. */
void edge_brings(struct mail *m, struct node *n)
{
    m->at = n;
    if (!edge_carries(n))
        return;
    m->proxy = n;
    m->outside = n->server->edge.behind == NULL;
    m->at = m->outside ? n : n->server->edge.behind;
}

bool edge_behind(const struct link *l)
{
    return ((const struct sockaddr_in *)&l->at[1])->sin_port == htons(BEHIND_PORT);
}
bool edge_link(const struct link *l) { return edge_behind(l) && edge_carries(l->e[0].node); }

/* Where a proxy has stored nothing it is no station, even if it has left a trace. */
void edge_hops(const struct mail *m, struct arrival *a)
{
    a->hops -= m->proxy && a->hops && a->hops < HOPS && a->hop[a->hops - 1].node == m->proxy->index;
}

static int arrived(const struct mail *m, const char *to, const struct arrival **ret_last)
{
    int n = 0;
    for (size_t i = 0; i < narrivals; i++)
        if (!arrivals[i].report && arrivals[i].token == m->token && !strcmp(arrivals[i].to, to)) {
            *ret_last = &arrivals[i];
            n++;
        }
    return n;
}

/* 250 for a message that goes to a server of others: it was there before. */
void edge_accepted(const struct mail *m, str reply)
{
    const struct arrival *a = NULL;
    if (str_search(reply, S("2.0.0 ok")) == STR_NONE)
        violation("%s answers message %d by itself: " STR_FMT, m->proxy->name, m->token, STR_ARG(reply));
    for (int i = 0; i < m->nto; i++)
        if (!arrived(m, m->to[i].address, &a))
            violation("%s accepted message %d, and the server behind has it not for %s", m->proxy->name, m->token,
                      m->to[i].address);
}

/* 4.4.2: the server behind was lost when it was asked for its answer. It may have the message, and that is only so when
 * the connection to it was indeed given up. */
void edge_refused(struct mail *m, str reply)
{
    if (!m->proxy || str_search(reply, S(" 4.4.2 ")) == STR_NONE)
        return;
    for (struct link *l = lan_links(); l && !m->unheard; l = l->next)
        m->unheard = l->e[0].node == m->proxy && l->e[1].node == (m->outside ? sim.node[0] : m->at) && l->e[0].closed &&
                     l->end_time >= sim.now - 120 * RT_S;
    if (!m->unheard)
        violation("%s says of message %d that the server behind was lost, and it was not", m->proxy->name, m->token);
}

/* A message that a server of others got through a proxy. */
void edge_check_rcpt(const struct mail *m, const struct fate_of *f)
{
    const struct arrival *a = NULL;
    int n = arrived(m, f->address, &a);
    if (n > 1)
        violation("message %d came %d times through %s for %s", m->token, n, m->proxy->name, f->address);
    if (n && m->promise == REFUSED && (!m->unheard || a->end->link->e[0].got >= a->upto))
        violation("message %d was refused by %s and arrived for %s, and %s knew", m->token, m->proxy->name, f->address,
                  m->proxy->name);
}

/* A message that a node got through a proxy: from one client, once, and under the id that this was told. */
void edge_check_mail(const struct mail *m)
{
    uint64_t id = m->promise == ACCEPTED ? m->id : 0;
    for (size_t i = 0; i < narrivals; i++) {
        const struct arrival *a = &arrivals[i];
        if (a->report || a->token != m->token || a->hops == 0 || a->hops == HOPS)
            continue;
        int node = a->hop[a->hops - 1].node;
        uint64_t one = a->hop[a->hops - 1].id;
        if (node != m->at->index)
            violation("message %d, given to %s by %s, came by n%d first", m->token, m->at->name, m->proxy->name, node);
        else if (id && id != one)
            violation("message %d was given to %s more than once by %s", m->token, m->at->name, m->proxy->name);
        id = one;
    }
}

/* What its rules ask of a message that came through it. */
void edge_arrival(const struct mail *m, const struct arrival *a, bool changed)
{
    if (!m->proxy || !m->proxy->server->edge.judges)
        return;
    if (m->play == PLAY_REFUSE)
        violation("message %d arrived for %s through %s, which refuses it", m->token, a->to, m->proxy->name);
    if (m->play == PLAY_CHANGE && !changed)
        violation("message %d arrived for %s through %s without what a rule changes in it", m->token, a->to,
                  m->proxy->name);
}
