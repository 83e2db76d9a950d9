/* What must hold: after each step of the story, and of every promise at the end. */
#include "world.h"

#include <stdio.h>

/* ---- after each step ------------------------------------------------------------------------------------------ */

struct overdue {
    struct node *n;
    uint64_t entries, waiting, held;
};

/* Every recipient has a time at which something happens to it, and that time is not long past. */
static void look_at(void *arg, const struct queue_entry *e)
{
    struct overdue *o = arg;
    int64_t now = rt_wall_ms();
    bool waiting = !strcmp(e->state, "waiting"), held = !strcmp(e->state, "held");
    o->entries++;
    o->waiting += waiting;
    o->held += held;
    if (waiting && e->next_ms == 0)
        violation("%s: %llx waits without a time", o->n->name, (unsigned long long)e->id);
    if (waiting && e->next_ms < now - 60000)
        violation("%s: %llx should have moved %lld ms ago", o->n->name, (unsigned long long)e->id,
                  (long long)(now - e->next_ms));
    if (e->expires_ms <= e->arrived_ms)
        violation("%s: %llx has no deadline", o->n->name, (unsigned long long)e->id);
    if (!held && strcmp(e->state, "active") && e->expires_ms < now - 120000 &&
        disk_troubled_until(o->n->disk) < sim.now - 60 * RT_S)
        violation("%s: %llx (%s) should have expired %lld ms ago", o->n->name, (unsigned long long)e->id, e->state,
                  (long long)(now - e->expires_ms));
}

static void look(struct node *n, void *arg)
{
    struct look k;
    struct overdue o = {.n = n};
    struct queue_filter f = {.tenant = -1, .held = -1};
    uint64_t cursor = 0;
    (void)arg;
    postrider_look(n, &k);
    uint64_t sum = k.q.ready + k.q.waiting + k.q.active + k.q.held;
    if (sum > k.q.recipients)
        violation("%s: %llu recipients, but %llu in the four states", n->name, (unsigned long long)k.q.recipients,
                  (unsigned long long)sum);
    if ((uint64_t)k.recipients != k.q.recipients)
        violation("%s: the metric says %lld recipients, the queue %llu", n->name, (long long)k.recipients,
                  (unsigned long long)k.q.recipients);
    if (k.q.messages > k.q.recipients)
        violation("%s: more messages than recipients", n->name);
    /* For a moment the spool knows of an end and the queue is not yet told. */
    rt_time *ahead = &n->server->ahead_since;
    *ahead = k.q.messages <= k.s.messages ? 0 : *ahead ? *ahead : sim.now;
    if (*ahead && *ahead<sim.now - RT_S && * ahead> n->boot[n->nboots - 1].from)
        violation("%s: the queue has %llu messages, the spool %llu", n->name, (unsigned long long)k.q.messages,
                  (unsigned long long)k.s.messages);
    for (int i = 0; i < LOG_ENDS; i++)
        if (k.counted[i] != n->lines[i])
            violation("%s: %lld events of kind %d counted, %lld in the log", n->name, (long long)k.counted[i], i,
                      (long long)n->lines[i]);
    if (k.out < 0 || k.sessions < 0 || k.bodies < 0)
        violation("%s: a gauge below nothing", n->name);
    while (queue_walk(n->server->queue, &f, &cursor, 1000, look_at, &o))
        ;
    if (o.held != k.q.held)
        violation("%s: %llu held by count, %llu by walk", n->name, (unsigned long long)k.q.held,
                  (unsigned long long)o.held);
}

/* Nothing to do, nobody there: nothing may be held. */
static void look_at_rest(struct node *n, void *arg)
{
    struct look k;
    (void)arg;
    postrider_look(n, &k);
    if (k.bodies || k.sessions || k.out || k.behind)
        violation("%s is at rest with %lld bytes of bodies, %lld sessions, %lld connections, %lld to servers behind",
                  n->name, (long long)k.bodies, (long long)k.sessions, (long long)k.out, (long long)k.behind);
    if (k.fibers != (n->server->edge.mode ? 2 * n->server->loops + 1 : n->server->loops))
        violation("%s is at rest with %lld fibers in %d loops", n->name, (long long)k.fibers, n->server->loops);
}

void check_rest(void)
{
    for (int i = 1; i < sim.nnodes; i++)
        node_visit(sim.node[i], look_at_rest, NULL);
}

static bool to_remote(const struct link *l, const struct remote *r)
{
    for (int i = 0; i < 2; i++)
        if (r->ip[i][0]) {
            struct sockaddr_storage at = place(r->ip[i], 0);
            if (((struct sockaddr_in *)&at)->sin_addr.s_addr ==
                ((const struct sockaddr_in *)&l->at[1])->sin_addr.s_addr)
                return true;
        }
    return false;
}

void check_limits(void)
{
    for (int i = 1; i < sim.nnodes; i++) {
        struct node *n = sim.node[i];
        for (int r = 0; r < nservers; r++) {
            unsigned open = 0;
            for (struct link *l = lan_links(); l; l = l->next)
                open += l->e[0].node == n && !l->e[0].closed && to_remote(l, &remotes[r]) && !edge_behind(l);
            if (open > n->server->connections)
                violation("%s has %u connections to %s, %u allowed", n->name, open, remotes[r].domain,
                          n->server->connections);
        }
        for (int c = 1; c <= 6; c++) {
            char ip[32];
            snprintf(ip, sizeof ip, "203.0.113.%d", c);
            struct sockaddr_storage at = place(ip, 0);
            unsigned open = 0;
            for (struct link *l = lan_links(); l; l = l->next)
                open += l->admitted && l->e[1].node == n && !l->e[1].closed && l->e[1].fd &&
                        ((const struct sockaddr_in *)&l->at[0])->sin_addr.s_addr ==
                            ((struct sockaddr_in *)&at)->sin_addr.s_addr;
            if (open > n->server->per_address)
                violation("%s serves %u sessions of %s, %u allowed", n->name, open, ip, n->server->per_address);
        }
    }
}

void check_step(void)
{
    for (int i = 1; i < sim.nnodes; i++)
        node_visit(sim.node[i], look, NULL);
    check_limits();
}

/* ---- promises
 * ----------------------------------------------------------------------------------------------------------- */

enum {
    RECORD_TIME = 4,    /* seconds that a remote 250 may need to reach the log: latency, batch, slow disk */
    LMTP_END_TIME = 30, /* ... with LMTP also that the 250s of the other recipients may need; send.end-time */
};

/* Not the last crash of all, long after everything was said. */
bool crashed_between(const struct node *n, rt_time from, rt_time to)
{
    for (int i = 0; i < n->nboots; i++)
        if (n->boot[i].how != END_STOP && n->boot[i].until != RT_NEVER && n->boot[i].until >= from &&
            n->boot[i].until <= to && n->boot[i].until < rest_from)
            return true;
    return false;
}

/* A stop that found the disk full or failing waits for it only so long. */
static bool stopped_in_trouble(const struct node *n, rt_time from, rt_time to)
{
    for (int i = 0; i < n->nboots; i++) {
        rt_time end = n->boot[i].until;
        if (n->boot[i].how == END_STOP && end >= from && end <= to && disk_troubled(n->disk, end, end) &&
            disk_troubled(n->disk, end - 4 * RT_S, end - 4 * RT_S))
            return true;
    }
    return false;
}

/* The other side may not have learnt that `a` arrived: its 250 was never read, or a crash fell before the batch that
 * records it. */
static bool doubtful(const struct arrival *a)
{
    const struct node *n = a->hops ? sim.node[a->hop[0].node] : NULL;
    if (a->end && a->end->link->e[0].got < a->upto)
        return true;
    if (!n)
        return false;
    rt_time calm = disk_calm_after(n->disk, a->said, RECORD_TIME * RT_S) + RECORD_TIME * RT_S;
    for (int r = 0; r < nservers && a->end; r++)
        calm += remotes[r].lmtp && to_remote(a->end->link, &remotes[r]) ? LMTP_END_TIME * RT_S : 0;
    return crashed_between(n, a->when, calm) || stopped_in_trouble(n, a->when, calm);
}

/* May it send on what `a` accepted for that recipient, or is it `a`? */
static bool on_the_way(const struct node *n, const struct mail *m, const struct fate_of *f)
{
    const struct server *s = m->at->server;
    return n == m->at || (s->smart && n == sim.node[1]) || n == s->edge.behind ||
           (n->index && onward_round(f->address));
}

/* Something between two nodes may have made two of one message. */
static bool doubtful_way(const struct mail *m, const struct fate_of *f)
{
    rt_time from = m->when - 200 * RT_S;
    for (int i = 1; i < sim.nnodes; i++)
        if (crashed_between(sim.node[i], from, RT_NEVER))
            return true;
    for (struct link *l = lan_links(); l; l = l->next)
        if (on_the_way(l->e[0].node, m, f) && l->e[1].node->index > 0 &&
            (l->e[1].sent > l->e[0].got || (l->broken && l->end_time >= from))) /* broken before the answer was given */
            return true;
    return false;
}

/* A line of the log that says what was discarded may have been lost. */
static bool rules_crashed(rt_time from)
{
    for (int i = 1; i < sim.nnodes; i++)
        if (sim.node[i]->server->rules && crashed_between(sim.node[i], from, RT_NEVER))
            return true;
    return false;
}

static bool same_hop(const struct arrival *x, const struct arrival *y)
{
    return x->hops && y->hops && x->hop[0].node == y->hop[0].node && x->hop[0].id == y->hop[0].id;
}

/* `y` came later, but was sent on a connection that had been given up before `x`: a slow server. */
static bool overtaken(const struct arrival *y, const struct arrival *x)
{
    rt_time given_up = y->end ? y->end->link->end_time : 0;
    return given_up && given_up <= x->when && y->end->link->e[0].got < y->upto;
}

static void check_twice(const struct mail *m, const struct fate_of *f, const struct arrival *x, const struct arrival *y)
{
    bool explained = same_hop(x, y) ? !x->node && (doubtful(x) || overtaken(y, x)) : doubtful_way(m, f);
    if (!explained)
        violation("message %d arrived twice for %s, at %.3f and %.3f, and nothing explains it", m->token, x->to,
                  (double)x->when / (double)RT_S, (double)y->when / (double)RT_S);
}

/* A message whose write failed was refused, and yet may be there after a crash, until the next segment is synced
 * (docs/SPOOL.md, states 10 and 9). */
static bool came_back(const struct mail *m)
{
    rt_time calm = disk_calm_after(m->at->disk, m->when - 3 * RT_S, RECORD_TIME * RT_S) + RECORD_TIME * RT_S;
    return m->doubtful && crashed_between(m->at, m->when - 3 * RT_S, calm);
}

/* A report goes by itself, and the 250 for it may be lost, too. */
static bool doubtful_report(const struct mail *m)
{
    for (size_t i = 0; i < narrivals; i++)
        if (arrivals[i].report && arrivals[i].token == m->token && arrivals[i].end->link->e[0].got < arrivals[i].upto)
            return true;
    return false;
}

static void check_rcpt(const struct mail *m, const struct fate_of *f)
{
    const struct arrival *before = NULL;
    bool doubt = doubtful_way(m, f);
    for (size_t i = 0; i < narrivals; i++) {
        const struct arrival *a = &arrivals[i];
        if (a->report || a->token != m->token || !ledger_reaches(f, a->to))
            continue;
        if (before)
            check_twice(m, f, before, a);
        doubt |= doubtful(a);
        before = a;
    }
    if (m->promise == REFUSED && before && !m->unheard && !came_back(m))
        violation("message %d was refused and arrived for %s", m->token, f->address);
    if (m->promise != ACCEPTED)
        return;
    bool here, may = rules_discard(m, f, &here);
    bool gone = may && (rules_discarded(m, f) || rules_crashed(m->when - 20 * RT_S));
    if (!f->delivered && !f->bounced && !f->removed && !gone && m->from[0] && !m->report_ended &&
        f->notify != TELL_NEVER)
        violation("message %d, accepted by %s at %.3f, is lost for %s", m->token, m->at->name,
                  (double)m->when / (double)RT_S, f->address);
    if (f->notify == TELL_NEVER && f->bounced + f->delayed + f->told)
        violation("message %d: %d reports about %s, who should cause none", m->token, f->bounced + f->delayed + f->told,
                  f->address);
    if (f->notify == TELL_ALL && f->delivered && !f->told && !f->bounced && m->from[0] && !m->report_ended &&
        !f->removed)
        violation("message %d reached %s, and its sender was not told", m->token, f->address);
    if (f->notify == TELL_USUAL && f->told)
        violation("message %d: a success for %s that nobody asked for was reported", m->token, f->address);
    if (f->delivered && f->bounced && !doubt)
        violation("message %d was delivered and returned for %s", m->token, f->address);
    if (f->bounced > 1 && !doubt && !doubtful_report(m))
        violation("message %d was returned %d times for %s", m->token, f->bounced, f->address);
    int logged = onward_logged(m->at->index, m->id, f->address), due = !here;
    for (size_t i = 0; i < nlog_ends; i++)
        logged += log_ends[i].node == m->at->index && log_ends[i].id == m->id && !strcmp(log_ends[i].to, f->address);
    if (logged != due && !crashed_between(m->at, m->when - 20 * RT_S, RT_NEVER))
        violation("the log of %s says %d times how message %d ended for %s", m->at->name, logged, m->token, f->address);
}

static void mailbox(void *arg, const char *path, const char *p, size_t n)
{
    struct node *box = arg;
    str rest = str_c(path), part[8];
    int k = 0;
    while (k < 8 && str_cut(&rest, '/', &part[k]))
        k++;
    if (k != 5 || str_eq(part[3], S("tmp")))
        return;
    char to[ADDR_MAX];
    const char *v[] = {to};
    snprintf(to, sizeof to, STR_FMT "@" STR_FMT, STR_ARG(part[2]), STR_ARG(part[1]));
    ledger_arrival(str_mem(p, n), v, 1, NULL, 0, box);
}

void check_mailboxes(void)
{
    for (int i = 1; i < sim.nnodes; i++)
        disk_each(sim.node[i]->disk, "mail", mailbox, sim.node[i]);
}

void check_end(void)
{
    for (size_t i = 0; i < nmails; i++) {
        const struct mail *m = mails[i];
        for (int k = 0; k < m->nto; k++)
            if (m->outside)
                edge_check_rcpt(m, &m->to[k]);
            else
                check_rcpt(m, &m->to[k]);
        if (m->proxy && !m->outside)
            edge_check_mail(m);
    }
    onward_end();
}
