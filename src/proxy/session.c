/* The sink of a proxy listener: a client's session from its greeting to its end, and what EHLO may offer. */
#include "proxy/internal.h"

#include <stdlib.h>

/* ---- the ends -----------------------------------------------------------------------------------------------------
 */

static void reset(struct recv_client *k)
{
    struct front *f = front_of(k);
    if (!f || f->stored) {
        if (f && f->link && f->mailed)
            f->link->open_tx = true;
        tx_reset(k->tx);
    }
    if (!f)
        return;
    if (f->data_asked && f->link && !f->first && !f->begun) /* MAIL was refused: so is DATA, or the link is of no use */
        f->data_asked = link_reply(f->link, f->link->patience) != OK || f->link->in.r.code < 400;
    if (f->first || f->data_asked || f->begun)
        link_drop(&f->link); /* replies, or half a message, are on their way */
    buf_free(&f->head);
    struct front keep = {
        .listener = f->listener, .pass = f->pass, .routed = f->routed, .up = f->up, .link = f->link, .count = f->count};
    if (!f->stored)
        tx_reset(k->tx);
    size_t head = offsetof(struct front, refusal);
    memcpy(f, &keep, head);
    f->last = &f->first;
}

static bool open_session(struct recv_client *k, struct reply *greeting)
{
    struct front *f = k->own = calloc(1, sizeof *f);
    if (!f) {
        reply_set_str(greeting, 421, "4.3.1", S("Out of memory, try again later"));
        return false;
    }
    f->last = &f->first;
    f->listener = k->listener;
    f->pass = k->listener->proxy_mode == CONF_PROXY_PASS;
    f->routed = k->listener->nupstreams > 1;
    f->up = k->listener->upstreams[0];
    if (!f->pass)
        return true;
    f->link = link_get(f->up, k->home, k->src, true, greeting);
    if (f->link)
        *greeting = f->link->in.r; /* its greeting */
    else if (greeting->code / 100 == 4)
        greeting->code = 421;
    return f->link != NULL;
}

static void close_session(struct recv_client *k)
{
    struct front *f = front_of(k);
    if (!f)
        return;
    link_put(&f->link);
    buf_free(&f->head);
    free(f);
    k->own = NULL;
}

/* ---- EHLO ---------------------------------------------------------------------------------------------------------
 */

/* What all servers that may get this client's mail can do. False: not all of them are known. */
static bool common(const struct front *f, struct ability *ret)
{
    bool any = false, all = true;
    for (size_t u = 0; u < f->listener->nupstreams; u++)
        for (size_t i = 0; i < f->listener->upstreams[u]->via.n; i++) {
            struct server *s = server_of(f->listener->upstreams[u], i);
            struct ability one;
            if (!s || !server_ability(s, &one)) {
                all = all && s && !server_is_up(s);
                continue;
            }
            if (!any) {
                *ret = one;
                any = true;
                continue;
            }
            ret->ehlo.caps &= one.ehlo.caps;
            ret->ehlo.size =
                !ret->ehlo.size || (one.ehlo.size && one.ehlo.size < ret->ehlo.size) ? one.ehlo.size : ret->ehlo.size;
        }
    return any && all;
}

/* AUTH without what cannot cross somebody between: channel binding, and certificates of the connection. */
static void add_auth(struct front *f, str line)
{
    struct buf b;
    size_t n = strlen(f->lines);
    str rest = line, word;
    buf_init_fixed(&b, f->lines + n, sizeof f->lines - n - 2);
    unsigned words = 0;
    while (str_cut(&rest, line.p[4] == '=' && !words ? '=' : ' ', &word)) {
        if (!word.n || str_iends(word, S("-PLUS")) || str_ieq(word, S("EXTERNAL")))
            continue;
        if (words++)
            buf_add_char(&b, ' ');
        buf_add(&b, word);
    }
    if (words < 2 || b.e)
        b.n = 0;
    else
        buf_add_char(&b, '\n');
    f->lines[n + b.n] = 0;
}

static void add_lines(struct recv_client *k, const struct ability *a, struct recv_offer *offer)
{
    struct front *f = front_of(k);
    str rest = str_c(a->lines), line;
    f->lines[0] = 0;
    while (str_cut(&rest, '\n', &line)) {
        bool auth = str_istarts(line, S("AUTH")) && line.n > 5;
        if (auth && pass_can_auth(k, a))
            add_auth(f, line);
        size_t n = strlen(f->lines);
        if (!auth && line.n && f->pass && n + line.n + 2 < sizeof f->lines) {
            memcpy(f->lines + n, line.p, line.n);
            memcpy(f->lines + n + line.n, "\n", 2);
            offer->others = true;
        }
    }
}

static void hello(struct recv_client *k, str verb, struct recv_offer *offer, struct reply *r)
{
    struct front *f = front_of(k);
    struct ability can = {.ehlo.caps = CAP_8BITMIME};
    bool known = false;
    if (f->pass) {
        err e = f->link && link_alive(f->link)
                    ? link_ehlo(f->link, verb.n == 4 && ascii_lower(verb.p[0]) == 'h' ? "HELO" : "EHLO", k->src->helo)
                    : E_CLOSED;
        if (e) {
            front_lost(k, r);
            r->code = 421;
            k->why = "the server behind closed the session";
            return;
        }
        *r = f->link->in.r;
        front_relay(k, r);
        if (!f->link) /* 421, or no answer to EHLO */
            return;
        can = f->link->can;
        r->n = reply_is_ok(r) && memchr(r->text, '\n', r->n) ? (uint16_t)((char *)memchr(r->text, '\n', r->n) - r->text)
                                                             : r->n;
        known = true;
    }
    if (!known && !common(f, &can) && k->src->esmtp) {
        struct reply unused;
        if (!f->link)
            f->link = link_get(f->up, k->home, k->src, false, &unused);
        if (f->link)
            can = f->link->can;
    }
    uint32_t passed = CAP_DELIVERBY | CAP_MT_PRIORITY | (k->src->tls.n ? CAP_REQUIRETLS : 0) | CAP_8BITMIME |
                      CAP_SMTPUTF8 | CAP_DSN | (can.ehlo.caps & CAP_CHUNKING ? CAP_BINARYMIME : 0);
    offer->caps = (can.ehlo.caps & passed) | CAP_SIZE | CAP_VRFY;
    if (pass_can_auth(k, &can))
        offer->caps |= CAP_AUTH;
    offer->size = can.ehlo.size;
    add_lines(k, &can, offer);
    offer->lines = str_c(f->lines);
    if (k->listener->upstreams[0]->lmtp && !f->routed)
        offer->rcpt_max = 1;
    offer->caps |= CAP_LIMITS;
}

/* ---- the table ------------------------------------------------------------------------------------------------------
 */

static bool body_begin(struct recv_client *k, enum data_mode mode, struct reply *r)
{
    return front_of(k)->stored && !front_of(k)->dead ? recv_store.body_begin(k, mode, r) : data_begin(k, mode, r);
}

static size_t feed(struct recv_client *k, str wire)
{
    return front_of(k)->stored || front_of(k)->held ? recv_store.feed(k, wire) : data_feed(k, wire);
}

static bool body_ok(struct recv_client *k, struct reply *r)
{
    return front_of(k)->stored || front_of(k)->held ? recv_store.body_ok(k, r) : data_ok(k, r);
}

static bool commit(struct recv_client *k, struct reply *r)
{
    if (front_of(k)->held)
        return held_commit(k, r);
    return front_of(k)->stored ? recv_store.commit(k, r) : data_commit(k, r);
}

static const struct recv_sink sink = {
    .open = open_session,
    .close = close_session,
    .hello = hello,
    .command = pass_command,
    .mail = envelope_mail,
    .judges_rcpt = true,
    .rcpt = envelope_rcpt,
    .answer = envelope_answer,
    .ahead = envelope_ahead,
    .body_begin = body_begin,
    .feed = feed,
    .body_ok = body_ok,
    .commit = commit,
    .reset = reset,
};

const struct recv_sink *proxy_sink(const struct conf_listener *l)
{
    return l && l->nupstreams && l->proxy_mode != CONF_PROXY_STORE ? &sink : NULL;
}
