/*
 * The sink of a proxy listener: recipients. The pipeline says what it thinks of each, the upstream that takes it is
 * found, and the command goes on. A recipient that a rule discards is answered for here and never reaches the server;
 * one that a rule redirects is another one there.
 */
#include "intake/judge.h"
#include "proxy/internal.h"

/* ---- which server --------------------------------------------------------------------------------------------- */

static const struct conf_upstream *place_of(const struct front *f, const struct rcpt_cmd *m, struct arena *mem)
{
    str ascii;
    if (!f->routed && f->up->domains.n == 0)
        return f->up;
    if (m->to.kind == ADDR_LOCAL)
        return f->listener->upstreams[0];
    return conf_upstream_of(f->listener, idn_to_ascii(m->to.domain, mem, &ascii) ? m->to.domain : ascii);
}

/* ---- elsewhere ------------------------------------------------------------------------------------------------- */

/* split = "store": what was accepted so far is said to intake, and the transaction goes on there. */
static bool go_over(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    struct tx *t = k->tx;
    struct expect *said = f->spare;
    t->accepted = t->refused = 0;
    t->open = false;
    f->stored = true;
    if (!tx_mail(t, k->src, *k->conf, &f->mail, r))
        return false;
    for (; said; said = said->next) {
        struct rcpt_cmd m;
        if (cmd_rcpt(said->line, EXT_ALL | EXT_OTHER, f->mail.p.smtputf8, true, &t->arena, &m) || !tx_rcpt(t, &m, r))
            return false;
    }
    return true;
}

/* Keeps what was accepted, newest first, for go_over. False: no memory. */
static bool note(struct recv_client *k, str args)
{
    struct front *f = front_of(k);
    if (f->listener->split != CONF_SPLIT_STORE)
        return true;
    struct expect *x = arena_new(&k->tx->arena, struct expect);
    str line = arena_str(&k->tx->arena, args);
    if (!x || !line.p)
        return false;
    *x = (struct expect){.kind = EXPECT_RCPT, .line = line, .next = f->spare};
    f->spare = x;
    return true;
}

/* One transaction has one server, and LMTP one recipient, because its answers are one for each. */
static enum recv_take not_here(struct recv_client *k, const struct rcpt_cmd *m, struct reply *r)
{
    struct front *f = front_of(k);
    if (f->listener->split == CONF_SPLIT_STORE && !k->tx->begun) {
        if (!go_over(k, r)) {
            front_dead(f, r);
            return RECV_NO;
        }
        return tx_rcpt(k->tx, m, r) ? RECV_OK : RECV_NO; /* the pipeline was asked already */
    }
    k->tx->refused++;
    reply_set_str(r, 452, "4.5.3", S("Too many recipients: this one goes elsewhere, send it in the next transaction"));
    return RECV_NO;
}

/* ---- a recipient ------------------------------------------------------------------------------------------------- */

static enum recv_take refused(struct recv_client *k, struct reply *r, int code, const char *esc, const char *text)
{
    reply_set(r, code, esc, "%s", text);
    k->tx->refused++;
    return RECV_NO;
}

/* Nobody behind hears of it, and the client gets its answer in its turn. */
static enum recv_take drop(struct recv_client *k, const struct rcpt_cmd *m, const struct verdict *v, struct reply *r)
{
    struct front *f = front_of(k);
    if (tx_pass_dropped(k->tx, m, v)) {
        envelope_no_memory(k, r);
        return RECV_NO;
    }
    k->tx->accepted++;
    if (!f->first) {
        reply_set_str(r, 250, "2.1.5", S("Recipient ok"));
        return RECV_OK;
    }
    if (envelope_expect(k, EXPECT_DROP, false, S("RCPT (discarded)")))
        return RECV_LATER;
    envelope_no_memory(k, r);
    return RECV_NO;
}

/* The recipient that this one has become, and what is said of it to the server. */
static bool redirect(struct recv_client *k, str to, const struct rcpt_cmd *m, struct rcpt_cmd *ret, str *args)
{
    struct tx *t = k->tx;
    char mem[NOTIFY_TEXT];
    struct buf notify;
    str orcpt = m->p.orcpt_raw.n ? m->p.orcpt_raw : S("");
    buf_init_fixed(&notify, mem, sizeof mem);
    cmd_notify_print(&notify, m->p.notify);
    *args = arena_printf(&t->arena, "TO:<" STR_FMT ">" STR_FMT "%s" STR_FMT, STR_ARG(to), STR_ARG(buf_str(&notify)),
                         orcpt.n ? " ORCPT=" : "", STR_ARG(orcpt));
    return args->p && (text_ascii(to) || front_of(k)->mail.p.smtputf8) &&
           !cmd_rcpt(*args, EXT_ALL, true, true, &t->arena, ret);
}

/* What is beyond all rules and servers: it is said to the server that takes it. */
static enum recv_take pass_on(struct recv_client *k, const struct rcpt_cmd *m, str args, struct reply *r) YIELDS
{
    struct front *f = front_of(k);
    const struct conf_upstream *u = place_of(f, m, &k->tx->arena);
    if (!u)
        return refused(k, r, 550, "5.7.1", "Relaying denied: no server behind takes this domain");
    if (k->tx->env.nto && (u != f->up || u->lmtp))
        return not_here(k, m, r);
    if (f->routed && (f->mail_held || u != f->up)) {
        f->up = u;
        f->mail_held = false;
        if (envelope_send_mail(k, true, r) != RECV_OK) {
            front_dead(f, r);
            return RECV_NO;
        }
    }
    if (!tx_pass_rcpt(k->tx, r)) {
        k->tx->refused++;
        return RECV_NO;
    }
    AUTO_BUF line;
    buf_init(&line, 16384);
    buf_add_c(&line, "RCPT ");
    buf_add(&line, args);
    if (line.e || !envelope_expect(k, EXPECT_RCPT, false, buf_str(&line))) {
        envelope_no_memory(k, r);
        return RECV_NO;
    }
    enum recv_take took = envelope_settle(k, !f->routed && !u->lmtp, r);
    if (took == RECV_OK && !note(k, args)) { /* a message that goes over to the spool would lack it */
        envelope_no_memory(k, r);
        return RECV_NO;
    }
    return took;
}

/* As the verdict on it says; in pass nothing is changed on its way. */
static enum recv_take by_verdict(struct recv_client *k, const struct rcpt_cmd *m, str args, const struct verdict *v,
                                 struct reply *r) YIELDS
{
    struct rcpt_cmd other;
    bool changes = v->kind == VERDICT_DISCARD || v->kind == VERDICT_REDIRECT;
    if (changes && front_of(k)->pass)
        return refused(k, r, 451, "4.3.5", "A rule for this recipient cannot be obeyed here, try again later");
    if (v->kind == VERDICT_DISCARD)
        return drop(k, m, v, r);
    if (v->kind != VERDICT_REDIRECT)
        return pass_on(k, m, args, r);
    if (!redirect(k, v->to, m, &other, &args))
        return refused(k, r, 451, "4.3.5", "The address that this recipient is redirected to does not exist");
    return pass_on(k, &other, args, r);
}

enum recv_take envelope_rcpt(struct recv_client *k, const struct rcpt_cmd *m, str args, struct reply *r)
{
    SCRATCH struct verdict v;
    struct front *f = front_of(k);
    if (f->stored)
        return recv_store.rcpt(k, m, args, r);
    if (f->dead) {
        *r = f->refusal;
        k->tx->refused++;
        return RECV_NO;
    }
    if (k->tx->accepted + f->asked >= tx_recipients_most(k->src, *k->conf))
        return refused(k, r, 452, "4.5.3", "Too many recipients");
    if (tx_pass_judge(k->tx, m, &v))
        return by_verdict(k, m, args, &v, r);
    *r = v.reply;
    k->tx->refused++;
    return RECV_NO;
}
