/*
 * One message over a ready connection: envelope, body, end. RFC 5321 3.3, RFC 2920, RFC 3030, RFC 3461,
 * RFC 6152, RFC 6531. With PIPELINING the envelope goes out ahead of its replies, and the envelope of the next
 * message follows the body of this one (RFC 2920 3.1).
 */
#include "base/text.h"
#include "send/internal.h"
#include "wire/cmd.h"

#define AHEAD 100             /* commands without a reply yet: both sides' buffers hold so much */
#define LAST_WORDS (5 * RT_S) /* for a reply that came in the middle of the body */

static struct ticket_rcpt *rcpt(const struct trans *j, uint32_t k) { return &j->ticket->to[j->who[k]]; }
static bool has(const uint64_t *set, uint32_t k) { return set[k / 64] >> k % 64 & 1; }
static void put(uint64_t *set, uint32_t k) { set[k / 64] |= (uint64_t)1 << k % 64; }

/* Octets that will go out, before any has. */
static uint64_t out_size(const struct trans *j) { return j->size - j->skip + j->top.n; }

/* To all that share the fate of the transaction. */
static void give_all(struct trans *j, const struct finding *v)
{
    for (uint32_t k = 0; k < j->nto; k++)
        if (rcpt(j, k)->fate == FATE_NONE && !has(j->left, k))
            finding_give(v, j->ticket, j->who[k]);
}
static void reply_for_all(struct peer *p, struct trans *j, enum fate f)
{
    struct finding v = finding_of_reply(p, j->ticket, f);
    give_all(j, &v);
}
static void err_for_all(struct peer *p, struct trans *j, err e, const char *while_doing)
{
    struct finding v = finding_of_err(j->ticket, e, while_doing, p ? str_c(p->host) : str_c(""));
    give_all(j, &v);
}

/* ---- the commands ------------------------------------------------------------------------------------------------ */

static void write_promises(struct peer *p, const struct envelope *env)
{
    struct conn *c = &p->conn;
    if ((env->flags & ENV_REQUIRETLS) && (p->ehlo.caps & CAP_REQUIRETLS))
        conn_write(c, S(" REQUIRETLS"));
    if (env->priority && (p->ehlo.caps & CAP_MT_PRIORITY))
        conn_printf(c, " MT-PRIORITY=%d", env->priority);
    if (env->by && (p->ehlo.caps & CAP_DELIVERBY)) {
        long long left = (env->by_ms - rt_wall_ms()) / 1000;
        bool back = (env->by & 127) == BY_RETURN;
        left = left < -999999999 ? -999999999 : left > 999999999 ? 999999999 : left;
        conn_printf(c, " BY=%lld;%c%s", back && left < 1 ? 1 : left, back ? 'R' : 'N', env->by & 128 ? "T" : "");
    }
}

/* Commands are written by hand: every message has some, and printf would take longer than all the rest of them. */
static void write_path(struct conn *c, str command, str path)
{
    conn_write(c, command);
    conn_write(c, path);
    conn_write(c, S(">"));
}

static void write_size(struct conn *c, uint64_t size)
{
    char mem[32];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add(&b, S(" SIZE="));
    buf_add_u64(&b, size);
    conn_write(c, buf_str(&b));
}

static void write_mail(struct peer *p, struct trans *j)
{
    const struct envelope *env = &j->reader.env;
    struct conn *c = &p->conn;
    write_path(c, S("MAIL FROM:<"), j->sender);
    if ((p->ehlo.caps & CAP_SIZE) && !j->mime)
        write_size(c, out_size(j));
    if (j->binary)
        conn_write(c, S(" BODY=BINARYMIME"));
    else if (j->eight)
        conn_write(c, S(" BODY=8BITMIME"));
    if (j->utf8)
        conn_write(c, S(" SMTPUTF8"));
    write_promises(p, env);
    if (p->ehlo.caps & CAP_DSN) {
        if (env->ret != RET_NONE)
            conn_write(c, env->ret == RET_FULL ? S(" RET=FULL") : S(" RET=HDRS"));
        if (env->envid.n) {
            char xtext[400];
            struct buf b;
            buf_init_fixed(&b, xtext, sizeof xtext);
            xtext_encode(&b, env->envid);
            if (!b.e)
                conn_printf(c, " ENVID=" STR_FMT, STR_ARG(buf_str(&b)));
        }
    }
    conn_write(c, S("\r\n"));
}

static void write_rcpt(struct peer *p, struct trans *j, uint32_t k)
{
    const struct recipient *r = &j->reader.env.to[rcpt(j, k)->index];
    struct conn *c = &p->conn;
    write_path(c, S("RCPT TO:<"), rcpt(j, k)->address);
    if (p->ehlo.caps & CAP_DSN) {
        char mem[NOTIFY_TEXT];
        struct buf notify;
        buf_init_fixed(&notify, mem, sizeof mem);
        cmd_notify_print(&notify, r->notify);
        conn_write(c, buf_str(&notify));
        if (r->orcpt.n && (text_ascii(r->orcpt) || j->utf8))
            conn_printf(c, " ORCPT=" STR_FMT, STR_ARG(r->orcpt));
    }
    conn_write(c, S("\r\n"));
    put(j->asked, k);
}

/* Its reply will come, or came. */
static bool was_written(const struct trans *j, uint32_t step)
{
    return step < j->step && (step == 0 || step > j->nto || has(j->asked, step - 1));
}

static void write_step(struct peer *p, struct trans *j, uint32_t step)
{
    p->conn.deadline = rt_after(p->conf->send_command_time);
    j->pending = true;
    if (step == 0)
        write_mail(p, j);
    else if (step > j->nto)
        conn_write(&p->conn, S("DATA\r\n"));
    else if (rcpt(j, step - 1)->fate == FATE_NONE)
        write_rcpt(p, j, step - 1);
}

/* Writes on, with replies read up to `done`. Without PIPELINING one command at a time. */
static void write_ahead(struct peer *p, struct trans *j, uint32_t done)
{
    uint32_t ahead = p->ehlo.caps & CAP_PIPELINING ? AHEAD : 0;
    while (j->step < j->nstep && j->step <= done + ahead) {
        bool vain = (done > 0 && !j->mail_ok) || (done > j->nto && !j->accepted);
        if (vain)
            break;
        write_step(p, j, j->step++);
    }
}

/* ---- their replies ----------------------------------------------------------------------------------------------- */

/* 452 and 552 behind accepted recipients: this transaction is full, the rest goes in the next one. */
static enum fate rcpt_fate(const struct peer *p, const struct trans *j)
{
    if ((p->in.r.code == 452 || p->in.r.code == 552) && j->accepted)
        return FATE_NONE;
    return outcome_of_reply(&p->in.r, STAGE_RCPT);
}

static void take_rcpt(struct peer *p, struct trans *j, uint32_t k)
{
    if (!j->mail_ok)
        return;
    if (reply_is_ok(&p->in.r)) {
        put(j->took, k);
        j->accepted++;
        return;
    }
    enum fate f = rcpt_fate(p, j);
    struct finding v = finding_of_reply(p, j->ticket, f);
    if (f == FATE_NONE)
        put(j->left, k);
    else
        finding_give(&v, j->ticket, j->who[k]);
}

static void take_step(struct peer *p, struct trans *j, uint32_t step)
{
    const struct reply *r = &p->in.r;
    if (step == 0) {
        j->mail_ok = reply_is_ok(r);
        if (!j->mail_ok)
            reply_for_all(p, j, outcome_of_reply(r, STAGE_MAIL));
    } else if (step <= j->nto) {
        take_rcpt(p, j, step - 1);
    } else {
        j->go = r->code == 354;
        if (!j->go && j->accepted)
            reply_for_all(p, j, outcome_of_reply(r, STAGE_DATA));
    }
}

/* Nothing was attempted when a connection that had served before went away between two messages. */
static bool was_idle(const struct peer *p, uint32_t step) { return step == 0 && p->transactions > 1; }

static err read_step(struct peer *p, struct trans *j, uint32_t step)
{
    static const char *const doing[] = {"waiting for the reply to MAIL", "waiting for the reply to RCPT",
                                        "waiting for the reply to DATA"};
    err e = peer_reply(p, p->conf->send_command_time);
    if (e) {
        if (!was_idle(p, step) || (e != E_CLOSED && e != E_RESET))
            err_for_all(p, j, e, doing[step == 0 ? 0 : step <= j->nto ? 1 : 2]);
        return e;
    }
    if (p->in.r.code != 421) {
        take_step(p, j, step);
        return OK;
    }
    /* The server goes away (RFC 5321 4.2.1): nothing more is said to it. */
    if (!was_idle(p, step))
        reply_for_all(p, j, FATE_DEFERRED);
    p->gone = true;
    return E_CLOSED;
}

err trans_begin(struct peer *p, struct trans *j, struct ticket *t)
{
    *j = (struct trans){.ticket = t};
    err e = spool_read_open(&j->reader, send_world.spool, t->id, t->mem);
    if (e) {
        struct finding v = finding_of_err(t, e == E_NOT_FOUND ? E_CORRUPT : e, "reading it from the spool", str_c(""));
        finding_give_all(&v, t);
        return e;
    }
    j->opened = true;
    if (!send_judge(p->conf, t, &j->reader.env, str_c(p->via), true))
        return E_DENIED;
    e = fit_message(p, j);
    if (e == E_NOMEM)
        err_for_all(p, j, e, "preparing it");
    if (e)
        return e;
    j->nstep = j->nto + 1 + !j->bdat;
    p->transactions++;
    write_ahead(p, j, 0);
    return OK;
}

err trans_envelope(struct peer *p, struct trans *j)
{
    err e = OK;
    for (uint32_t s = 0; s < j->nstep && !e; s++) {
        write_ahead(p, j, s);
        if (was_written(j, s))
            e = read_step(p, j, s);
    }
    j->pending = e != OK;
    if (!e && j->bdat)
        j->go = j->accepted > 0;
    j->reset = !e && !j->go && j->mail_ok; /* a transaction stands open that will get no message */
    return e;
}

/* ---- the message ----------------------------------------------------------------------------------------------------
 */

/* One piece in its outgoing form. */
static err write_piece(struct peer *p, struct trans *j, str piece)
{
    struct conn *c = &p->conn;
    c->deadline = rt_after(p->conf->send_data_time);
    if (j->bdat || !j->stuff)
        return conn_writev(c, &(struct iovec){(void *)(uintptr_t)piece.p, piece.n}, 1);
    for (str out; data_out_next(&j->out, &piece, &out);)
        conn_write(c, out);
    return c->e;
}

static err write_converted(struct peer *p, struct trans *j, str piece, bool last)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 24);
    err e = last ? mime_convert_end(j->mime, &b) : mime_convert(j->mime, piece, &b);
    if (!e && j->top.n) { /* once: what stands in place of the header */
        e = write_piece(p, j, buf_str(&j->top));
        buf_free(&j->top);
    }
    size_t skip = j->skip < b.n ? j->skip : b.n;
    buf_drop(&b, skip);
    j->skip -= skip;
    if (!e && b.n)
        e = write_piece(p, j, buf_str(&b));
    buf_free(&b);
    return e == E_LIMIT || e == E_UNSUPPORTED ? E_BUG : e; /* the first pass allowed it */
}

/* The same of a message that leaves as it is stored, perhaps under new signatures. */
static err write_stored(struct peer *p, struct trans *j, str piece)
{
    err e = OK;
    if (j->top.n) {
        e = write_piece(p, j, buf_str(&j->top));
        buf_free(&j->top);
    }
    size_t skip = j->skip < piece.n ? j->skip : piece.n;
    j->skip -= skip;
    piece = str_skip(piece, skip);
    return !e && piece.n ? write_piece(p, j, piece) : e;
}

/* All of the stored octets; *ret_ended: the last ones were CRLF. The server must not speak before the end. */
static err write_octets(struct peer *p, struct trans *j, bool *ret_ended)
{
    uint64_t sent = 0;
    *ret_ended = true;
    for (;;) {
        str piece;
        err e = spool_read_next(&j->reader, &piece);
        if (e || piece.n == 0)
            return e ? e : sent == j->size ? OK : E_CORRUPT;
        sent += piece.n;
        if (sent > j->size)
            return E_CORRUPT;
        if (conn_readable(&p->conn))
            return E_PROTOCOL;
        metric_add(M_bytes_out, (int64_t)piece.n);
        e = j->mime ? write_converted(p, j, piece, false) : write_stored(p, j, piece);
        if (e)
            return e;
        *ret_ended = piece.p[piece.n - 1] == '\n';
    }
}

/* The server spoke or closed before it had all of the message: what it said, if it refused, is its answer. */
static void early_reply(struct peer *p, struct trans *j, err e)
{
    if (e != E_PROTOCOL && e != E_RESET && e != E_CLOSED)
        return;
    conn_hear(&p->conn);
    if (peer_reply(p, LAST_WORDS) == OK && p->in.r.code >= 400)
        reply_for_all(p, j, outcome_of_reply(&p->in.r, STAGE_END));
}

/* No recipient was accepted, and yet the server wants the text: it gets none (RFC 2920 3.1). */
static err empty_body(struct peer *p, struct trans *j)
{
    if (p->lmtp) { /* how many replies would come? */
        p->gone = true;
        return E_CLOSED;
    }
    j->go = j->reset = false;
    return peer_command(p, ".\r\n");
}

err trans_body(struct peer *p, struct trans *j)
{
    uint32_t f = j->reader.env.flags;
    struct conn *c = &p->conn;
    if (!j->accepted)
        return empty_body(p, j);
    data_out_init(&j->out);
    j->stuff = j->mime || (f & (ENV_DOT_LINE | ENV_BARE_EOL | ENV_NO_FINAL_EOL));
    if (j->bdat)
        conn_printf(c, "BDAT %llu LAST\r\n", (unsigned long long)out_size(j));
    bool ended;
    err e = write_octets(p, j, &ended);
    if (!e && j->mime)
        e = write_converted(p, j, (str){"", 0}, true);
    if (!e && !j->bdat)
        e = conn_write(c, j->stuff ? data_out_end(&j->out) : ended ? S(".\r\n") : S("\r\n.\r\n"));
    if (e) {
        /* Half a message was sent: the connection must not be used again, or it would look whole. */
        early_reply(p, j, e);
        err_for_all(p, j, e, "sending the message");
        conn_close(c);
        p->gone = true;
    }
    return e;
}

/* ---- the end --------------------------------------------------------------------------------------------------------
 */

static enum fate success(const struct peer *p) { return p->ehlo.caps & CAP_DSN ? FATE_DELIVERED : FATE_RELAYED; }

/* SMTP: one answer for all accepted recipients. LMTP: one each, in their order (RFC 2033 4.2). */
err trans_end(struct peer *p, struct trans *j)
{
    struct finding v = {0};
    bool have = false;
    if (!j->go)
        return OK;
    for (uint32_t k = 0; k < j->nto; k++) {
        if (!has(j->took, k))
            continue;
        if (!have || p->lmtp) {
            err e = peer_reply(p, p->conf->send_end_time);
            if (e) {
                err_for_all(p, j, e, "waiting for the reply to the end of the message");
                return e;
            }
            enum fate f = outcome_of_reply(&p->in.r, STAGE_END);
            v = finding_of_reply(p, j->ticket, f == FATE_DELIVERED ? success(p) : f);
            j->reset = j->reset || (j->bdat && f != FATE_DELIVERED); /* RFC 3030 2 */
            p->gone = p->gone || p->in.r.code == 421;
            have = true;
        }
        finding_give(&v, j->ticket, j->who[k]);
    }
    return p->gone ? E_CLOSED : OK;
}

void trans_free(struct trans *j)
{
    if (j->opened)
        spool_read_close(&j->reader);
    mime_free(&j->mime);
    buf_free(&j->top);
    j->opened = false;
}
