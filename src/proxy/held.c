/*
 * Messages that somebody wants to read as a whole, or to change: intake gathers them as it does with those that are
 * stored (256 KiB in memory, the rest in the spool, unsynced), judges and edits them, and only then does the server
 * behind hear DATA. Its answer is the client's.
 */
#include "proxy/internal.h"

bool held_wanted(const struct recv_client *k)
{
    const struct front *f = front_of(k);
    return !f->pass && (k->tx->checks || k->tx->dropped || judge_may_change(k->src) || judge_wants(PHASE_END, k->src));
}

static bool put(void *arg, str piece)
{
    struct recv_client *k = arg;
    data_put(k, piece);
    return !front_of(k)->dead;
}

/* Kept for an operator, if this listener may keep mail; no server has it, and the client may only be told otherwise by
 * somebody who stores. */
static bool keep(struct recv_client *k, struct reply *r) YIELDS
{
    struct front *f = front_of(k);
    uint64_t id;
    if (f->link && f->mailed)
        f->link->open_tx = true;
    if (f->listener->split == CONF_SPLIT_STORE)
        return tx_keep(k->tx, r, &id);
    reply_set_str(r, 550, "5.7.1", S("This message is not taken here"));
    return false;
}

static bool send_on(struct recv_client *k, struct reply *r) YIELDS
{
    struct front *f = front_of(k);
    struct tx *t = k->tx;
    if (tx_readdressed(t) && !envelope_again(k, r))
        return false;
    if (!data_ask(k, r))
        return false;
    f->begun = true;
    data_out_init(&f->out);
    err e = tx_send(t, put, k);
    if (e && !f->dead) {
        reply_set_str(r, 451, "4.3.0", S("The message cannot be read, try again later"));
        link_drop(&f->link);
        front_dead(f, r);
    }
    if (f->dead) {
        *r = f->refusal;
        return false;
    }
    return data_end(k, r);
}

bool held_commit(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    struct tx *t = k->tx;
    bool gone;
    if (f->dead) {
        *r = f->refusal;
        return false;
    }
    t->untraced = !data_wants_trace(f);
    if (!tx_finish(t, r, &gone) || gone)
        return gone && reply_is_ok(r);
    if (t->env.flags & ENV_HELD)
        return keep(k, r);
    r->code = 0;
    if (!send_on(k, r))
        return false;
    tx_sent(t);
    return true;
}
