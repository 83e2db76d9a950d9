/* The sink that keeps messages: recv's transactions as intake takes them. */
#include "recv/sink.h"

static bool open_session(struct recv_client *k, struct reply *greeting)
{
    (void)k;
    (void)greeting;
    return true;
}

static void close_session(struct recv_client *k) { (void)k; }

static void hello(struct recv_client *k, str verb, struct recv_offer *offer, struct reply *r)
{
    (void)verb;
    (void)r;
    offer->caps = CAP_SIZE | CAP_8BITMIME | CAP_SMTPUTF8 | CAP_BINARYMIME | CAP_DSN | CAP_LIMITS | CAP_VRFY;
    if (k->c->tls) /* RFC 8689 2 */
        offer->caps |= CAP_REQUIRETLS;
    if (k->listener && k->listener->submission)
        offer->caps |=
            CAP_DELIVERBY | CAP_MT_PRIORITY | ((*k->conf)->submission_future_release ? CAP_FUTURERELEASE : 0);
}

static enum recv_take mail(struct recv_client *k, const struct mail_cmd *m, str args, struct reply *r)
{
    (void)args;
    return tx_mail(k->tx, k->src, *k->conf, m, r) ? RECV_OK : RECV_NO;
}

static enum recv_take rcpt(struct recv_client *k, const struct rcpt_cmd *m, str args, struct reply *r)
{
    (void)args;
    return tx_rcpt_judged(k->tx, m, r) ? RECV_OK : RECV_NO;
}

static bool body_begin(struct recv_client *k, enum data_mode mode, struct reply *r)
{
    return tx_body_begin(k->tx, mode, r);
}

static size_t feed(struct recv_client *k, str wire) { return tx_feed(k->tx, wire); }
static char *room(struct recv_client *k, size_t *ret_n) { return tx_room(k->tx, ret_n); }
static size_t took(struct recv_client *k, size_t n) { return tx_took(k->tx, n); }

static bool body_ok(struct recv_client *k, struct reply *r) { return tx_body_ok(k->tx, r); }

static bool commit(struct recv_client *k, struct reply *r)
{
    uint64_t id;
    return tx_commit(k->tx, r, &id);
}

static void reset(struct recv_client *k) { tx_reset(k->tx); }

const struct recv_sink recv_store = {
    .open = open_session,
    .close = close_session,
    .hello = hello,
    .mail = mail,
    .rcpt = rcpt,
    .judges_rcpt = true,
    .body_begin = body_begin,
    .feed = feed,
    .room = room,
    .took = took,
    .body_ok = body_ok,
    .commit = commit,
    .reset = reset,
};
