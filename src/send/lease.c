/*
 * The fiber of a lease: one connection to its site for as long as there is work. It takes tickets in
 * batches, sends one message after the other, the next envelope behind the body of the one before, and
 * gives every ticket back with its fates. A connection that ends, ends the lease: the queue opens the next.
 */
#include "policy/policy.h"
#include "send/internal.h"

#include <stdlib.h>

#define BATCH 32

struct send send_world;

void send_setup(const struct send *s) { send_world = *s; }

struct run {
    struct lease *lease;
    struct conf *conf;
    struct route route;
    struct ticket *v[BATCH]; /* taken, not yet given back: v[at .. n) */
    size_t at, n;
    struct peer peer;
    struct trans job[2];
};

/* ---- tickets ------------------------------------------------------------------------------------------------- */

static bool take_more(struct run *r)
{
    if (r->at < r->n)
        return true;
    r->at = r->n = 0;
    if (!fiber_cancelled())
        r->n = queue_take(r->lease, r->v, BATCH, rt_after(r->conf->queue_idle_time));
    return r->n > 0;
}

static void give_back_rest(struct run *r)
{
    while (r->at < r->n)
        queue_done(r->lease, r->v[r->at++]); /* FATE_NONE: as if never taken */
}

static void finish(struct run *r, struct trans *j)
{
    char tls[64];
    /* What a rule discards has ended before it is known how its sender would be written. */
    str from = j->sender.n || !j->opened ? j->sender : j->reader.env.sender;
    outcome_log(j->ticket, from, str_c(r->peer.via), peer_tls_text(&r->peer, tls),
                j->opened ? j->reader.env.arrived_ms : rt_wall_ms());
    queue_done(r->lease, j->ticket);
    trans_free(j);
}

/* Begun, but nothing of its body was sent: as if never taken. */
static void undo(struct run *r, struct trans *j)
{
    struct ticket *t = j->ticket;
    for (uint32_t i = 0; i < t->nto; i++)
        if (t->to[i].fate != FATE_REPLACED) /* that is durable */
            t->to[i].fate = FATE_NONE;
    r->peer.gone = r->peer.gone || j->pending;
    queue_done(r->lease, t);
    trans_free(j);
}

/* ---- transactions ---------------------------------------------------------------------------------------------- */

/* MAILMAX (RFC 9422 4.1). */
static bool has_room(const struct peer *p) { return !p->ehlo.mail_max || p->transactions < p->ehlo.mail_max; }

/* The next message at hand whose envelope could be begun; those that could not are given back at once. */
static struct trans *begin_next(struct run *r, struct trans *j)
{
    struct peer *p = &r->peer;
    while (r->at < r->n && !p->gone && !p->conn.e && has_room(p)) {
        if (trans_begin(p, j, r->v[r->at++]) == OK)
            return j;
        finish(r, j);
    }
    return NULL;
}

/* From the first octet of the body to the last reply a stop waits: half a message helps nobody. */
static err carry_body(struct run *r, struct trans *j, struct trans **ret_next)
{
    struct peer *p = &r->peer;
    fiber_shield(true);
    err e = trans_body(p, j);
    if (!e && j->go && !j->bdat && (p->ehlo.caps & CAP_PIPELINING))
        *ret_next = begin_next(r, j == &r->job[0] ? &r->job[1] : &r->job[0]);
    if (!e)
        e = trans_end(p, j);
    fiber_shield(false);
    return e;
}

/* The whole of one message whose envelope is begun; *ret_next is the one that was begun behind its body. */
static err carry(struct run *r, struct trans *j, struct trans **ret_next)
{
    *ret_next = NULL;
    err e = trans_envelope(&r->peer, j);
    if (!e && j->go)
        e = carry_body(r, j, ret_next);
    if (!e && j->reset)
        e = peer_command(&r->peer, "RSET\r\n");
    return e;
}

static void send_all(struct run *r)
{
    struct trans *j = NULL, *next;
    err e = OK;
    while (!e && !fiber_cancelled()) {
        if (!j) {
            bool at_hand = r->at < r->n;
            if (!take_more(r) || !has_room(&r->peer) || (!at_hand && !peer_alive(&r->peer)))
                break;
            j = begin_next(r, &r->job[0]);
            e = r->peer.conn.e;
            continue;
        }
        e = carry(r, j, &next);
        finish(r, j);
        j = next;
    }
    if (j)
        undo(r, j);
    r->peer.gone = r->peer.gone || e;
    give_back_rest(r);
}

/* ---- ways ------------------------------------------------------------------------------------------------------- */

static void log_loop(const struct ticket *t, str why)
{
    for (uint32_t i = 0; i < t->nto; i++)
        rt_log(EV_loop, log_id(t->id), log_str(t->to[i].address), log_str(why));
}

/* Every message of the site ends alike, without a connection, but for what rules about its way say. */
static void end_all(struct run *r, enum fate f, str reply, str remote, const char *via, bool loop)
{
    while (take_more(r)) {
        struct ticket *t = r->v[r->at++];
        struct finding v = finding_of(t, f, reply, remote);
        struct origin from;
        bool left = send_judge_unsent(r->conf, t, str_c(r->lease->key), &from);
        finding_give_all(&v, t);
        if (loop && left)
            log_loop(t, reply);
        outcome_log(t, from.sender, str_c(via), S(""), from.arrived_ms);
        queue_done(r->lease, t);
    }
    queue_end(r->lease, OK, S(""));
}

/* There is no connection. What rules send elsewhere, or end, needs none; the rest has made an attempt. */
static void judge_unsent(struct run *r, const char *why)
{
    enum { MOST = 1000 }; /* the others wait until the site is tried again */
    for (int n = 0; n < MOST && policy_out_wanted(r->conf) && take_more(r); n++) {
        struct ticket *t = r->v[r->at++];
        struct origin from;
        (void)send_judge_unsent(r->conf, t, str_c(r->lease->key), &from);
        outcome_log(t, from.sender, str_c(r->lease->key), S(""), from.arrived_ms);
        queue_untaken(r->lease, t, str_c(why));
    }
    give_back_rest(r);
}

static void remote(struct run *r)
{
    struct peer *p = &r->peer;
    struct hops h;
    err e = hops_find(r->conf, &r->route, &h);
    if (e && h.forever) {
        /* nothing can ever be delivered on this way: no such domain, null MX, a loop */
        end_all(r, FATE_FAILED, str_c(h.why), S(""), "", e == E_LOOP);
    } else if (e) {
        judge_unsent(r, h.why);
        queue_end(r->lease, e, str_c(h.why));
    } else {
        p->conf = r->conf;
        p->route = r->route;
        e = peer_open(p, &h);
        if (e == E_DENIED && r->route.way == WAY_MX) {
            end_all(r, FATE_FAILED, str_c(p->why), p->theirs ? str_c(p->host) : S(""), p->via, !p->theirs);
        } else if (e) {
            judge_unsent(r, p->why);
            queue_end(r->lease, e, str_c(p->why));
        } else {
            send_all(r);
            peer_close(p, true);
            queue_end(r->lease, OK, S(""));
        }
    }
    hops_free(&h);
}

static void run_lease(void *arg)
{
    struct run *r = arg;
    switch (r->route.way) {
    case WAY_DISCARD:
        end_all(r, FATE_RELAYED, S("250 2.0.0 discarded"), S(""), "discard", false);
        break;
    case WAY_MAILDIR:
        maildir_run(r->lease, r->conf, &r->route);
        break;
    case WAY_REPORTS:
        received_run(r->lease, r->conf);
        break;
    case WAY_LOST: /* the configuration changed: the queue works its sites out anew */
        queue_end(r->lease, OK, S(""));
        break;
    default:
        remote(r);
    }
    conf_drop(&r->conf);
    free(r);
}

bool send_start(void *arg, struct lease *l)
{
    (void)arg;
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return false;
    r->lease = l;
    r->conf = send_world.conf();
    route_of_key(r->conf, str_c(l->key), &r->route);
    if (!fiber_spawn(run_lease, r, "send")) {
        conf_drop(&r->conf);
        free(r);
        return false;
    }
    return true;
}
