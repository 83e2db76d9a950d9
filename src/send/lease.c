/*
 * The fiber of a lease: one connection to its site for as long as there is work. It takes tickets in
 * batches, sends one message after the other, the next envelope behind the body of the one before, and
 * gives every ticket back with its fates.
 */
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

static void give_back(struct run *r, struct ticket *t, const struct trans *j)
{
    if (j && j->opened)
        outcome_log(t, j->sender, str_c(r->peer.via), str_c(r->peer.secure ? r->peer.tls.version : ""),
                    j->reader.env.arrived_ms);
    queue_done(r->lease, t);
}

static struct ticket *next_ticket(struct run *r, rt_time until)
{
    if (r->at == r->n) {
        r->at = 0;
        r->n = queue_take(r->lease, r->v, BATCH, until);
    }
    return r->at < r->n ? r->v[r->at++] : NULL;
}

static void give_back_rest(struct run *r)
{
    while (r->at < r->n)
        queue_done(r->lease, r->v[r->at++]); /* FATE_NONE: as if never taken */
}

/* The next message whose envelope could be begun; those that could not are given back at once. */
static struct trans *begin_next(struct run *r, struct trans *j, rt_time until)
{
    for (struct ticket *t; !r->peer.gone && !r->peer.conn.e && (t = next_ticket(r, until));) {
        if (trans_begin(&r->peer, j, t) == OK)
            return j;
        give_back(r, t, j);
        trans_free(j);
    }
    return NULL;
}

/* A server that closed an idle connection: no attempt was made, so none is counted. */
static err refresh(struct run *r, const struct hops *h)
{
    if (peer_alive(&r->peer))
        return OK;
    peer_close(&r->peer, false);
    r->peer.gone = false;
    return peer_open(&r->peer, h);
}

/* The whole of one message whose envelope is begun; *ret_next is the one that was begun behind its body. */
static err carry(struct run *r, struct trans *j, struct trans **ret_next)
{
    struct peer *p = &r->peer;
    struct trans *other = j == &r->job[0] ? &r->job[1] : &r->job[0];
    *ret_next = NULL;
    fiber_shield(true); /* a stop lets the message at hand be finished */
    err e = trans_envelope(p, j);
    if (!e && j->go) {
        e = trans_body(p, j);
        if (!e && (p->ehlo.caps & CAP_PIPELINING) && r->at < r->n)
            *ret_next = begin_next(r, other, 0);
        if (!e)
            e = trans_end(p, j);
    } else if (!e && j->reset) {
        p->conn.deadline = rt_after(p->conf->send_command_time);
        conn_write(&p->conn, S("RSET\r\n"));
        e = peer_reply(p, p->conf->send_command_time);
    }
    fiber_shield(false);
    return e;
}

static void send_all(struct run *r, const struct hops *h)
{
    struct trans *next = NULL;
    err e = OK;
    bool first = true;
    while (!e && !fiber_cancelled()) {
        struct trans *j = next;
        if (!j) {
            if (r->at == r->n && !first) { /* about to sleep for work: look at the connection afterwards */
                r->at = 0;
                r->n = queue_take(r->lease, r->v, BATCH, rt_after(r->conf->queue_idle_time));
                if (r->n == 0 || (e = refresh(r, h)))
                    break;
            }
            first = false;
            j = begin_next(r, &r->job[0], 0);
            if (!j)
                continue;
        }
        e = carry(r, j, &next);
        give_back(r, j->ticket, j);
        trans_free(j);
        if (e && next) { /* begun, but nothing of its body was sent */
            for (uint32_t i = 0; i < next->ticket->nto; i++)
                next->ticket->to[i].fate = FATE_NONE;
            give_back(r, next->ticket, NULL);
            trans_free(next);
        }
    }
    give_back_rest(r);
}

/* Nothing can ever be delivered on this way (no such domain, null MX, a loop): every message of the site fails. */
static void fail_all(struct run *r, err e, str why)
{
    char text[512];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    buf_printf(&b, "%s 5.%s " STR_FMT, e == E_NULL_MX ? "556" : "550", err_esc(e), STR_ARG(why));
    for (struct ticket *t; (t = next_ticket(r, 0));) {
        outcome_set(t, -1, FATE_FAILED, buf_str(&b), (str){"", 0});
        queue_done(r->lease, t);
    }
}

static void discard_all(struct run *r)
{
    for (struct ticket *t; (t = next_ticket(r, 0));) {
        outcome_set(t, -1, FATE_DELIVERED, S("250 2.0.0 discarded"), (str){"", 0});
        outcome_log(t, (str){"", 0}, S("discard"), (str){"", 0}, rt_wall_ms());
        queue_done(r->lease, t);
    }
}

static void remote(struct run *r)
{
    struct hops h;
    err e = hops_find(r->conf, &r->route, &h);
    if (err_is_perm(e) && r->route.way != WAY_FIXED) {
        fail_all(r, e, h.why);
        queue_end(r->lease, OK, (str){"", 0});
    } else if (e) {
        queue_end(r->lease, e, h.why);
    } else {
        r->peer.conf = r->conf;
        r->peer.route = r->route;
        e = peer_open(&r->peer, &h);
        if (e == E_DENIED) {
            fail_all(r, E_DENIED, str_c(r->peer.why));
            queue_end(r->lease, OK, (str){"", 0});
        } else if (e) {
            queue_end(r->lease, e, str_c(r->peer.why));
        } else {
            send_all(r, &h);
            peer_close(&r->peer, !r->peer.gone);
            queue_end(r->lease, OK, (str){"", 0});
        }
    }
    hops_free(&h);
}

static void run_lease(void *arg)
{
    struct run *r = arg;
    switch (r->route.way) {
    case WAY_DISCARD:
        discard_all(r);
        queue_end(r->lease, OK, (str){"", 0});
        break;
    case WAY_MAILDIR:
        maildir_run(r->lease, r->conf, &r->route);
        break;
    case WAY_LOST: /* the configuration changed: the queue works its sites out anew */
        queue_end(r->lease, OK, (str){"", 0});
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
