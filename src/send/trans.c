/*
 * One message over a ready connection: envelope, body, end. RFC 5321 3.3, RFC 2920, RFC 3030, RFC 3461,
 * RFC 6152, RFC 6531. With PIPELINING the whole envelope is one burst, and the envelope of the next message
 * follows the body of this one (RFC 2920 3.1).
 */
#include "base/text.h"
#include "send/internal.h"
#include "wire/cmd.h"

/* ---- what the message needs and the server has -------------------------------------------------------------- */

static str address_domain(str a)
{
    size_t at = str_rfind(a, '@');
    return at == STR_NONE ? a : str_skip(a, at + 1);
}

static const struct recipient *envelope_rcpt(const struct trans *j, uint32_t i)
{
    return &j->reader.env.to[j->ticket->to[i].index];
}

static str sender_of(const struct trans *j, uint32_t i)
{
    const struct recipient *r = envelope_rcpt(j, i);
    return r->sender.n ? r->sender : j->reader.env.sender;
}

/* Recipients with another sender than the first (forwarding) go in a transaction of their own. */
static void same_sender_only(struct trans *j)
{
    struct ticket *t = j->ticket;
    uint32_t kept = 1;
    for (uint32_t i = 1; i < t->nto; i++)
        if (str_eq(sender_of(j, i), sender_of(j, 0))) {
            struct ticket_rcpt swap = t->to[kept];
            t->to[kept++] = t->to[i];
            t->to[i] = swap;
        }
    j->nto = kept;
}

/* Without SMTPUTF8 an address may still go out when only its domain is not ASCII: as A-labels (RFC 6531 3.7.1). */
static bool downgrade(struct ticket *t, str *address)
{
    size_t at = str_rfind(*address, '@');
    str ascii;
    if (text_ascii(*address))
        return true;
    if (at == STR_NONE || !text_ascii(str_sub(*address, 0, at)) ||
        idn_to_ascii(address_domain(*address), &t->arena, &ascii))
        return false;
    *address = arena_printf(&t->arena, STR_FMT "@" STR_FMT, (int)at, address->p, STR_ARG(ascii));
    return address->p != NULL;
}

static err fit_utf8(struct peer *p, struct trans *j)
{
    struct ticket *t = j->ticket;
    const struct envelope *env = &j->reader.env;
    bool lacks = !(p->ehlo.caps & CAP_SMTPUTF8);
    j->sender = sender_of(j, 0);
    j->utf8 = !lacks && ((env->flags & ENV_SMTPUTF8) || !text_ascii(j->sender));
    for (uint32_t i = 0; i < j->nto; i++) {
        j->utf8 = j->utf8 || (!lacks && !text_ascii(t->to[i].address));
        if (lacks && !downgrade(t, &t->to[i].address))
            outcome_set(t, (int)i, FATE_FAILED,
                        S("553 5.6.7 the next server cannot take internationalized addresses (SMTPUTF8)"),
                        str_c(p->host));
    }
    bool head = (env->flags & ENV_8BIT_HEAD) && ((env->flags & ENV_SMTPUTF8) || !(p->ehlo.caps & CAP_8BITMIME));
    if (lacks && (!downgrade(t, &j->sender) || head)) {
        outcome_set(t, -1, FATE_FAILED, S("553 5.6.7 the next server cannot take internationalized mail (SMTPUTF8)"),
                    str_c(p->host));
        return E_UNSUPPORTED;
    }
    return OK;
}

/* Eight bits and binary content only go where they are offered; elsewhere the message is re-encoded, or bounced. */
static err fit_body(struct peer *p, struct trans *j)
{
    const struct envelope *env = &j->reader.env;
    uint32_t f = env->flags, caps = p->ehlo.caps;
    bool binary = f & (ENV_BARE_EOL | ENV_NUL | ENV_LONG_LINE | ENV_NO_FINAL_EOL);
    bool eight = f & (ENV_8BIT_BODY | ENV_8BIT_HEAD);
    j->bdat = (caps & CAP_CHUNKING) && (binary || eight);
    j->binary = binary && j->bdat && (caps & CAP_BINARYMIME);
    bool fits = (!binary || j->binary) && (!(f & ENV_8BIT_BODY) || (caps & CAP_8BITMIME));
    if (fits)
        return OK;
    j->bdat = false;
    err e = convert_open(&j->reader, j->ticket->id, j->ticket->mem, &j->mime);
    if (e == OK)
        return OK;
    if (err_is_perm(e))
        outcome_set(j->ticket, -1, FATE_FAILED,
                    S("554 5.6.3 the next server cannot take this content, and it cannot be converted"),
                    str_c(p->host));
    else
        outcome_set_err(p, j->ticket, e, "converting the message");
    return e;
}

static err fit_size(struct peer *p, struct trans *j)
{
    j->size = j->reader.env.head_size + j->reader.env.body_size;
    if (!(p->ehlo.caps & CAP_SIZE) || p->ehlo.size == 0 || j->size <= p->ehlo.size)
        return OK;
    char text[160];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    buf_printf(&b, "552 5.3.4 the message has %llu octets, the next server takes %llu", (unsigned long long)j->size,
               (unsigned long long)p->ehlo.size);
    outcome_set(j->ticket, -1, FATE_FAILED, buf_str(&b), str_c(p->host));
    return E_LIMIT;
}

/* ---- the envelope ------------------------------------------------------------------------------------------------ */

/* Steps: 0 is MAIL, 1 .. nto are RCPT, nto + 1 is DATA (none with BDAT). */
static void write_mail(struct peer *p, struct trans *j)
{
    const struct envelope *env = &j->reader.env;
    struct conn *c = &p->conn;
    conn_printf(c, "MAIL FROM:<" STR_FMT ">", STR_ARG(j->sender));
    if ((p->ehlo.caps & CAP_SIZE) && !j->mime)
        conn_printf(c, " SIZE=%llu", (unsigned long long)j->size);
    if (j->binary)
        conn_write(c, S(" BODY=BINARYMIME"));
    else if ((p->ehlo.caps & CAP_8BITMIME) && (env->flags & (ENV_8BIT_BODY | ENV_8BIT_HEAD)) && !j->mime)
        conn_write(c, S(" BODY=8BITMIME"));
    if (j->utf8)
        conn_write(c, S(" SMTPUTF8"));
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

static void write_notify(struct conn *c, unsigned notify)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {
        {NOTIFY_NEVER, "NEVER"}, {NOTIFY_SUCCESS, "SUCCESS"}, {NOTIFY_FAILURE, "FAILURE"}, {NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (notify & words[i].bit) {
            conn_printf(c, "%s%s", before, words[i].word);
            before = ",";
        }
}

static void write_rcpt(struct peer *p, struct trans *j, uint32_t i)
{
    const struct recipient *r = envelope_rcpt(j, i);
    struct conn *c = &p->conn;
    conn_printf(c, "RCPT TO:<" STR_FMT ">", STR_ARG(j->ticket->to[i].address));
    if (p->ehlo.caps & CAP_DSN) {
        write_notify(c, r->notify);
        if (r->orcpt.n && (text_ascii(r->orcpt) || j->utf8))
            conn_printf(c, " ORCPT=" STR_FMT, STR_ARG(r->orcpt));
    }
    conn_write(c, S("\r\n"));
}

/* The answers are read by the same rule that the commands were written by, whatever became of recipients since. */
static bool step_is_wanted(const struct trans *j, uint32_t step)
{
    return step == 0 || step > j->nto || j->asked[(step - 1) / 64] >> (step - 1) % 64 & 1;
}

static void write_step(struct peer *p, struct trans *j, uint32_t step)
{
    if (step == 0)
        write_mail(p, j);
    else if (step <= j->nto)
        write_rcpt(p, j, step - 1);
    else
        conn_write(&p->conn, S("DATA\r\n"));
}

/* 452 and 552 behind accepted recipients: this transaction is full, the rest goes in the next one. */
static enum fate rcpt_fate(const struct peer *p, const struct trans *j)
{
    if ((p->in.r.code == 452 || p->in.r.code == 552) && j->accepted)
        return FATE_NONE;
    return outcome_of_reply(&p->in.r, STAGE_RCPT);
}

static void take_step(struct peer *p, struct trans *j, uint32_t step)
{
    const struct reply *r = &p->in.r;
    struct ticket *t = j->ticket;
    if (step == 0) {
        j->mail_ok = reply_is_ok(r);
        if (!j->mail_ok)
            outcome_set_reply(p, t, -1, outcome_of_reply(r, STAGE_MAIL));
    } else if (step <= j->nto) {
        uint32_t i = step - 1;
        if (!j->mail_ok)
            return;
        if (reply_is_ok(r)) {
            j->took[i / 64] |= (uint64_t)1 << i % 64;
            j->accepted++;
        } else if (rcpt_fate(p, j) != FATE_NONE) {
            outcome_set_reply(p, t, (int)i, rcpt_fate(p, j));
        }
    } else {
        j->go = r->code == 354;
        if (!j->go && j->accepted)
            outcome_set_reply(p, t, -1, outcome_of_reply(r, STAGE_DATA));
    }
}

static err read_step(struct peer *p, struct trans *j, uint32_t step)
{
    static const char *const doing[] = {"waiting for the reply to MAIL", "waiting for the reply to RCPT",
                                        "waiting for the reply to DATA"};
    err e = peer_reply(p, p->conf->send_command_time);
    if (e) {
        outcome_set_err(p, j->ticket, e, doing[step == 0 ? 0 : step <= j->nto ? 1 : 2]);
        return e;
    }
    take_step(p, j, step);
    if (p->in.r.code == 421) { /* the server goes away (RFC 5321 4.2.1): nothing more is said to it */
        outcome_set_reply(p, j->ticket, -1, FATE_DEFERRED);
        p->gone = true;
        return E_CLOSED;
    }
    return OK;
}

err trans_begin(struct peer *p, struct trans *j, struct ticket *t)
{
    *j = (struct trans){.ticket = t};
    err e = spool_read_open(&j->reader, send_world.spool, t->id, t->mem);
    if (e) {
        outcome_set_err(p, t, e == E_NOT_FOUND ? E_CORRUPT : e, "reading the message from the spool");
        return e;
    }
    j->opened = true;
    if (t->nto > TRANS_RCPT_MAX)
        t->nto = TRANS_RCPT_MAX;
    same_sender_only(j);
    e = fit_utf8(p, j);
    if (!e)
        e = fit_size(p, j);
    if (!e)
        e = fit_body(p, j);
    if (e)
        return e;
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < j->nto; i++)
        if (t->to[i].fate == FATE_NONE) {
            j->asked[i / 64] |= (uint64_t)1 << i % 64;
            wanted++;
        }
    if (!wanted)
        return E_UNSUPPORTED;
    j->nstep = j->nto + 1 + !j->bdat;
    p->transactions++;
    if (p->ehlo.caps & CAP_PIPELINING)
        for (; j->step < j->nstep; j->step++)
            if (step_is_wanted(j, j->step))
                write_step(p, j, j->step);
    return OK;
}

err trans_envelope(struct peer *p, struct trans *j)
{
    bool ahead = j->step != 0;
    err e = OK;
    for (uint32_t s = 0; s < j->nstep && !e; s++) {
        if (!step_is_wanted(j, s))
            continue;
        if (!ahead) {
            if ((s > 0 && !j->mail_ok) || (s > j->nto && !j->accepted))
                break;
            p->conn.deadline = rt_after(p->conf->send_command_time);
            write_step(p, j, s);
        }
        e = read_step(p, j, s);
    }
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
        return conn_writev(c, &(struct iovec){(void *)piece.p, piece.n}, 1);
    for (str out; data_out_next(&j->out, &piece, &out);)
        conn_write(c, out);
    return c->e;
}

static err write_converted(struct peer *p, struct trans *j, str piece, bool last)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 24);
    err e = last ? mime_convert_end(j->mime, &b) : mime_convert(j->mime, piece, &b);
    if (!e && b.n)
        e = write_piece(p, j, buf_str(&b));
    buf_free(&b);
    return e;
}

err trans_body(struct peer *p, struct trans *j)
{
    uint32_t f = j->reader.env.flags;
    struct conn *c = &p->conn;
    data_out_init(&j->out);
    j->stuff = j->mime || (f & (ENV_DOT_LINE | ENV_BARE_EOL | ENV_NO_FINAL_EOL));
    if (j->bdat)
        conn_printf(c, "BDAT %llu LAST\r\n", (unsigned long long)j->size);
    err e = OK;
    for (str piece; !e;) {
        e = spool_read_next(&j->reader, &piece);
        if (e || piece.n == 0)
            break;
        metric_add(M_bytes_out, (int64_t)piece.n);
        e = j->mime ? write_converted(p, j, piece, false) : write_piece(p, j, piece);
    }
    if (!e && j->mime)
        e = write_converted(p, j, (str){"", 0}, true);
    if (!e && !j->bdat)
        e = conn_write(c, j->stuff ? data_out_end(&j->out) : S(".\r\n"));
    if (e) {
        /* Half a message was sent: the connection must not be used again, or it would look whole. */
        outcome_set_err(p, j->ticket, e, "sending the message");
        conn_close(c);
        p->gone = true;
    }
    return e;
}

/* ---- the end
 * ------------------------------------------------------------------------------------------------------------ */

static bool took(const struct trans *j, uint32_t i) { return j->took[i / 64] >> i % 64 & 1; }

static enum fate success(const struct peer *p) { return p->ehlo.caps & CAP_DSN ? FATE_DELIVERED : FATE_RELAYED; }

static err read_end(struct peer *p, struct trans *j)
{
    err e = peer_reply(p, p->conf->send_end_time);
    if (e)
        outcome_set_err(p, j->ticket, e, "waiting for the reply to the end of the message");
    return e;
}

/* SMTP: one answer for all accepted recipients. LMTP: one each, in their order (RFC 2033 4.2). */
err trans_end(struct peer *p, struct trans *j)
{
    struct ticket *t = j->ticket;
    err e = OK;
    bool have = false;
    for (uint32_t i = 0; i < j->nto && !e; i++) {
        if (!took(j, i) || t->to[i].fate != FATE_NONE)
            continue;
        if (!have || p->lmtp)
            e = read_end(p, j);
        if (e)
            return e;
        have = true;
        enum fate f = outcome_of_reply(&p->in.r, STAGE_END);
        outcome_set_reply(p, t, (int)i, f == FATE_DELIVERED ? success(p) : f);
        p->gone = p->gone || p->in.r.code == 421;
    }
    return p->gone ? E_CLOSED : OK;
}

void trans_free(struct trans *j)
{
    if (j->opened)
        spool_read_close(&j->reader);
    mime_free(&j->mime);
    j->opened = false;
}
