/*
 * The sink of a proxy listener: the message. Octets are framed anew on their way and stay one step behind: what makes
 * the message whole at the server (the final dot, BDAT LAST) is only sent when it was judged. A refusal, or anything
 * that goes wrong, closes the link before that.
 */
#include "proxy/internal.h"

#define LAST_WORDS (5 * RT_S)

/* From here on the octets are only counted, and the answer stands. */
static void give_up(struct recv_client *k, const struct reply *r)
{
    struct front *f = front_of(k);
    link_drop(&f->link);
    buf_free(&f->head);
    if (!f->dead)
        front_dead(f, r);
}

static struct matter matter_of(struct recv_client *k, str text)
{
    return (struct matter){.source = k->src, .conf = *k->conf, .env = &k->tx->env, .scan = &k->tx->scan, .text = text};
}

/* ---- to the server ------------------------------------------------------------------------------------------------
 */

/* The server spoke or closed before it had all: if it refused, that is its answer. */
static void early(struct recv_client *k)
{
    struct front *f = front_of(k);
    struct reply r;
    conn_hear(&f->link->conn);
    if (link_reply(f->link, LAST_WORDS) == OK && f->link->in.r.code >= 400) {
        r = f->link->in.r;
        if (r.code == 421)
            r.code = 451;
    } else {
        reply_set_str(&r, 451, "4.4.2", S("The connection to the server behind was lost, try again later"));
        rt_log(EV_upstream_lost, log_num((int64_t)k->src->session), log_c(f->link->via), log_err(E_CLOSED));
    }
    give_up(k, &r);
}

static void chunk_replies(struct recv_client *k, uint32_t most)
{
    struct front *f = front_of(k);
    struct reply r;
    while (f->link && f->chunks > most) {
        f->chunks--;
        if (link_reply(f->link, f->link->conf->send_end_time)) {
            front_lost(k, &r);
        } else if (!reply_is_ok(&f->link->in.r)) {
            r = f->link->in.r;
            front_relay(k, &r);
            give_up(k, &r);
        }
    }
}

/* What came so far holds nothing that has to be framed anew. */
static bool is_plain(const struct recv_client *k)
{
    return !front_of(k)->held && !(k->tx->scan.flags & (DATA_DOT_LINE | DATA_BARE));
}

/* Octets of the message as they are to arrive there. */
void data_put(struct recv_client *k, str octets)
{
    enum { CHUNKS_AHEAD = 8 };
    struct front *f = front_of(k);
    struct conn *c = f->link ? &f->link->conn : NULL;
    if (!c || octets.n == 0)
        return;
    c->deadline = rt_after(f->link->conf->send_data_time);
    if (!f->bdat && conn_readable(c)) {
        early(k);
        return;
    }
    metric_add(M_bytes_out, (int64_t)octets.n);
    if (f->bdat) {
        conn_printf(c, "BDAT %zu\r\n", octets.n);
        conn_writev(c, &(struct iovec){(void *)(uintptr_t)octets.p, octets.n}, 1);
        f->chunks++;
        chunk_replies(k, CHUNKS_AHEAD);
    } else if (is_plain(k) && data_out_whole(&f->out, octets)) {
        conn_write(c, octets);
    } else {
        for (str piece; data_out_next(&f->out, &octets, &piece);)
            conn_write(c, piece);
    }
    if (f->link && f->link->conn.e)
        early(k);
}

/* ---- the header
 * ------------------------------------------------------------------------------------------------------ */

bool data_wants_trace(const struct front *f)
{
    const struct conf_upstream *u = f->up;
    if (f->pass || u->trace == CONF_FALSE)
        return false;
    return u->trace == CONF_TRUE || (!u->xclient && u->proxy_protocol == CONF_PROXY_NONE);
}

static void put_trace(struct recv_client *k)
{
    const struct source *s = k->src;
    struct front *f = front_of(k);
    AUTO_BUF out;
    char id[40];
    struct buf b;
    buf_init_fixed(&b, id, sizeof id);
    buf_printf(&b, "%llx.%x", (unsigned long long)s->session, f->count);
    const struct head_received h = {
        .helo = s->helo,
        .rdns = s->client_name,
        .ip = s->client.ip.v ? &s->client.ip : NULL,
        .by = (*k->conf)->hostname,
        .esmtp = s->esmtp,
        .tls = s->tls.n != 0,
        .auth = s->authenticated,
        .utf8 = k->tx->env.flags & ENV_SMTPUTF8,
        .tls_info = s->tls,
        .id = buf_str(&b),
        .unix_s = rt_wall_ms() / 1000,
    };
    buf_init(&out, 8192);
    if (head_received(&out, &h) == OK)
        data_put(k, buf_str(&out));
}

/* The whole header block is here: judged, and sent on. */
static void header(struct recv_client *k, str block)
{
    struct front *f = front_of(k);
    struct reply r;
    struct matter m = matter_of(k, block);
    f->head_done = true;
    if (!judge(PHASE_HEADER, &m, &r)) {
        give_up(k, &r);
        return;
    }
    if (data_wants_trace(f))
        put_trace(k);
    data_put(k, block);
}

static bool too_large(struct recv_client *k, struct reply *r)
{
    const struct conf *c = *k->conf;
    const struct data_in *d = &k->tx->scan;
    uint64_t head = d->head_done ? d->body_at : d->size;
    if (d->size > (uint64_t)c->limits_message_size)
        reply_set(r, 552, "5.3.4", "Message size exceeds fixed maximum of %lld octets",
                  (long long)c->limits_message_size);
    else if (head > (uint64_t)c->limits_header_size)
        reply_set(r, 552, "5.3.4", "Header of the message exceeds fixed maximum of %lld octets",
                  (long long)c->limits_header_size);
    else
        return false;
    return true;
}

static void keep_head(struct recv_client *k, str octets)
{
    struct front *f = front_of(k);
    struct reply r;
    buf_add(&f->head, octets);
    if (f->head.e) {
        reply_set_str(&r, 451, "4.3.1", S("Out of memory, try again later"));
        give_up(k, &r);
    }
}

/* Octets of the message in order, `at` being the offset of the first. */
static void take(struct recv_client *k, str octets, uint64_t at)
{
    struct front *f = front_of(k);
    struct reply r;
    if (f->dead)
        return;
    if (too_large(k, &r)) {
        give_up(k, &r);
        return;
    }
    if (!f->head_done) {
        if (!k->tx->scan.head_done) {
            keep_head(k, octets);
            return;
        }
        size_t rest = (size_t)(k->tx->scan.body_at - at);
        str part = str_sub(octets, 0, rest);
        if (f->head.n) {
            keep_head(k, part);
            part = buf_str(&f->head);
        }
        if (!f->dead)
            header(k, part);
        buf_free(&f->head);
        octets = str_skip(octets, rest);
    }
    if (octets.n && !f->dead && judge_wants(PHASE_BODY, k->src)) {
        struct matter m = matter_of(k, octets);
        if (!judge(PHASE_BODY, &m, &r))
            give_up(k, &r);
    }
    if (!f->dead)
        data_put(k, octets);
}

/* Dots are taken away in place: the octets are the connection's own, and used up by this. */
size_t data_feed(struct recv_client *k, str wire)
{
    struct data_in *d = &k->tx->scan;
    uint64_t at = d->size;
    size_t got;
    char *p = (char *)(uintptr_t)wire.p;
    size_t used = data_in_feed(d, p, wire.n, p, &got);
    take(k, str_mem(p, got), at);
    return used;
}

bool data_ok(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    if (f->dead)
        *r = f->refusal;
    return !f->dead;
}

/* ---- the beginning
 * --------------------------------------------------------------------------------------------------- */

/* Nobody is left to get it, and yet the server wants the text: it gets none (RFC 2920 3.1). */
static void empty_body(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    if (f->up->lmtp || link_ask(f->link, S(".\r\n")) || f->link->in.r.code < 400)
        link_drop(&f->link);
    else
        *r = f->link->in.r;
    if (r->code < 400 || r->code == 421)
        reply_set_str(r, 554, "5.5.1", S("No valid recipients"));
}

/* 354, or the answer. */
static bool ask_data(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    err e;
    if (!f->data_asked)
        e = link_ask(f->link, S("DATA\r\n"));
    else
        e = link_reply(f->link, f->link->patience);
    f->data_asked = false;
    if (e) {
        front_lost(k, r);
        return false;
    }
    *r = f->link->in.r;
    if (r->code == 354 && k->tx->accepted)
        return true;
    if (r->code == 354)
        empty_body(k, r);
    else if (reply_is_ok(r))
        r->code = 300; /* no answer to DATA */
    front_relay(k, r);
    return false;
}

bool data_ask(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    f->bdat = k->tx->env.body == BODY_BINARYMIME;
    return f->bdat || ask_data(k, r);
}

bool data_begin(struct recv_client *k, enum data_mode mode, struct reply *r)
{
    struct front *f = front_of(k);
    struct tx *t = k->tx;
    if (f->dead || (f->data_asked && !f->link)) {
        *r = f->refusal;
        return false;
    }
    if (!t->accepted && !f->data_asked) {
        if (t->refused)
            reply_set_str(r, 554, "5.5.1", S("No valid recipients"));
        else
            reply_set_str(r, 503, "5.5.1", S("RCPT first"));
        return false;
    }
    if (!f->data_asked && held_wanted(k)) {
        f->held = true;
        return tx_body_begin(t, mode, r);
    }
    if (!data_ask(k, r))
        return false;
    if (!f->pass)
        r->code = 0;
    f->begun = t->begun = true;
    data_in_init(&t->scan, mode, f->bdat ? 0 : (uint32_t)(*k->conf)->limits_line_length);
    data_out_init(&f->out);
    buf_init(&f->head, (size_t)(*k->conf)->limits_header_size + 65536);
    return true;
}

/* ---- the end
 * --------------------------------------------------------------------------------------------------------- */

static void log_proxied(struct recv_client *k, const struct reply *r)
{
    char mem[REPLY_LINE_MAX];
    struct buf text;
    struct front *f = front_of(k);
    buf_init_fixed(&text, mem, sizeof mem);
    reply_print_line(&text, r);
    rt_log(EV_proxied, log_num((int64_t)k->src->session), log_str(k->src->client_text), log_str(k->tx->env.sender),
           log_num(k->tx->accepted), log_c(f->link->via), log_num((int64_t)k->tx->scan.size), log_str(buf_str(&text)));
    metric_add(M_bytes_in, (int64_t)k->tx->scan.size);
}

/* The last verdict. False: *r is the answer, and the server never gets the end. */
static bool judge_all(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    struct matter m = matter_of(k, S(""));
    if (!f->dead && !f->head_done)
        header(k, buf_str(&f->head));
    if (!f->dead && !judge(PHASE_END, &m, r))
        give_up(k, r);
    if (f->dead)
        *r = f->refusal;
    return !f->dead;
}

bool data_commit(struct recv_client *k, struct reply *r)
{
    data_in_end(&k->tx->scan);
    return judge_all(k, r) && data_end(k, r);
}

bool data_end(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    struct link *l = f->link;
    if (!f->bdat && conn_readable(&l->conn)) { /* no answer to what it has not seen yet */
        early(k);
        *r = f->refusal;
        return false;
    }
    l->conn.deadline = rt_after(l->conf->send_data_time);
    rt_said(l->session, '>', f->bdat ? S("BDAT 0 LAST") : S("."));
    conn_write(&l->conn, f->bdat ? S("BDAT 0 LAST\r\n") : data_out_end(&f->out));
    if (f->bdat)
        chunk_replies(k, 0);
    if (f->dead) {
        *r = f->refusal;
        return false;
    }
    f->begun = false; /* whatever comes now, no half message stands there */
    if (link_reply(l, l->conf->send_end_time)) {
        front_lost(k, r); /* it may have the message or not: the client keeps it (RFC 5321 4.5.3.2.6, RFC 1047) */
        return false;
    }
    *r = l->in.r;
    l->open_tx = f->bdat && !reply_is_ok(r);
    if (reply_is_ok(r))
        log_proxied(k, r);
    bool ok = reply_is_ok(r);
    front_relay(k, r);
    return ok;
}
