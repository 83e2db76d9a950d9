/*
 * The sink of a proxy listener: the envelope. Commands go on as they come, several in one group where both sides can
 * do that; answers come back in order. A link that went away between two transactions is replaced without a word; one
 * that goes away within a transaction ends it with 451 4.4.2.
 */
#include "proxy/internal.h"

enum { REPEATS = 8 }; /* idle links that turn out to be closed, one after the other */

/* ---- answers -------------------------------------------------------------------------------------------------- */

void front_dead(struct front *f, const struct reply *r)
{
    f->dead = true;
    f->refusal = *r;
}

void front_lost(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    err e = f->link ? f->link->conn.e : OK;
    if (e == E_TIMEOUT)
        reply_set_str(r, 451, "4.4.2", S("The server behind does not answer, try again later"));
    else
        reply_set_str(r, 451, "4.4.2", S("The connection to the server behind was lost, try again later"));
    if (f->link && e == E_TIMEOUT)
        server_failed(f->link->server, f->link->up, "it does not answer");
    if (f->link)
        rt_log(EV_upstream_lost, log_num((int64_t)k->src->session), log_c(f->link->via), log_err(e ? e : E_PROTOCOL));
    link_drop(&f->link);
    front_dead(f, r);
}

void front_relay(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    if (r->code / 100 == 3 || r->code < 200 || r->code > 599) {
        link_drop(&f->link); /* what it means is anybody's guess */
        reply_set_str(r, 451, "4.5.0", S("The server behind broke the protocol, try again later"));
        front_dead(f, r);
    } else if (r->code == 421) {
        link_drop(&f->link);
        if (f->pass)
            k->why = "the server behind closed the session";
        else
            r->code = 451;
        front_dead(f, r);
    }
}

/* ---- commands that go on ---------------------------------------------------------------------------------------- */

static void send_line(struct link *l, str line)
{
    l->conn.deadline = rt_after(l->patience);
    rt_said(l->session, '>', line);
    conn_write(&l->conn, line);
    conn_write(&l->conn, S("\r\n"));
}

bool envelope_expect(struct recv_client *k, enum expect_kind kind, bool quiet, str line)
{
    struct front *f = front_of(k);
    struct expect *x = arena_new(&k->tx->arena, struct expect);
    str copy = arena_str(&k->tx->arena, line);
    if (!x || !copy.p)
        return false;
    *x = (struct expect){.kind = kind, .quiet = quiet, .line = copy};
    bool due = f->first || f->data_asked;
    *f->last = x;
    f->last = &x->next;
    f->asked += kind == EXPECT_RCPT;
    if (f->link && kind != EXPECT_DROP && (due || link_in_step(f->link)))
        send_line(f->link, copy);
    return true;
}

static struct expect *take(struct front *f)
{
    struct expect *x = f->first;
    f->first = x->next;
    f->asked -= x->kind == EXPECT_RCPT;
    if (!f->first)
        f->last = &f->first;
    return x;
}

/* The link was idle for too long: everything that this transaction has said is said again on a new one. */
static bool say_again(struct recv_client *k, struct expect *x, struct reply *r)
{
    struct front *f = front_of(k);
    bool fresh = f->link->own;
    link_drop(&f->link);
    f->link = link_get(f->up, k->home, k->src, fresh, r);
    if (!f->link)
        return false;
    f->link->transactions++;
    f->link->open_tx = true;
    for (; x; x = x->next)
        if (x->kind == EXPECT_RSET)
            send_line(f->link, S("NOOP")); /* keeps its place */
        else if (x->kind != EXPECT_DROP)
            send_line(f->link, x->line);
    if (f->data_asked)
        send_line(f->link, S("DATA"));
    return true;
}

/* Its first words on a link that had served before: nothing was attempted if it ends there. A link that knows who the
 * client is by AUTH cannot be replaced. */
static bool may_repeat(const struct front *f, const struct expect *x)
{
    return f->link->transactions > 1 && x->kind <= EXPECT_MAIL && !f->pass &&
           (!f->link->own || f->up->xclient || f->up->proxy_protocol != CONF_PROXY_NONE);
}

static bool next_reply(struct recv_client *k, struct expect *x, struct reply *r)
{
    struct front *f = front_of(k);
    for (int turn = 0;; turn++) {
        err e = f->link->gone ? E_PROTOCOL : link_reply(f->link, f->link->patience);
        bool away = e == E_CLOSED || e == E_RESET || (!e && f->link->in.r.code == 421);
        if (turn < REPEATS && away && may_repeat(f, x)) {
            if (say_again(k, x, r))
                continue;
            front_dead(f, r);
            return false;
        }
        if (e)
            front_lost(k, r);
        else
            *r = f->link->in.r;
        return !e;
    }
}

static void judge_mail(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    front_relay(k, r);
    if (!reply_is_ok(r)) {
        if (f->link)
            f->link->open_tx = false;
        if (!f->dead)
            front_dead(f, r);
    }
}

/* `line`: the command that it answers. */
static void judge_rcpt(struct recv_client *k, str line, struct reply *r)
{
    struct rcpt_cmd m;
    struct tx *t = k->tx;
    front_relay(k, r);
    if (reply_is_ok(r))
        t->accepted++;
    else
        t->refused++;
    if (!reply_is_ok(r) || front_of(k)->readdressed ||
        cmd_rcpt(str_skip(line, 5), EXT_ALL | EXT_OTHER, true, true, &t->arena, &m))
        return;
    if (tx_pass_accepted(t, &m)) { /* it would be missing in what the pipeline sees */
        reply_set_str(r, 451, "4.3.1", S("Out of memory, try again later"));
        link_drop(&front_of(k)->link);
        front_dead(front_of(k), r);
    }
}

bool envelope_answer(struct recv_client *k, str *ret_what, struct reply *r)
{
    struct front *f = front_of(k);
    while (f->first) {
        struct expect *x = f->first;
        *ret_what = x->line;
        bool was_dead = f->dead;
        struct reply refusal;
        if (was_dead)
            refusal = f->refusal;
        if (x->kind == EXPECT_DROP && !was_dead)
            reply_set_str(r, 250, "2.1.5", S("Recipient ok"));
        else if (x->kind != EXPECT_DROP && f->link)
            (void)next_reply(k, x, r);
        else
            *r = f->refusal;
        take(f);
        if (x->kind == EXPECT_MAIL && f->link)
            judge_mail(k, r);
        else if (x->kind == EXPECT_RCPT && f->link)
            judge_rcpt(k, x->line, r);
        if (was_dead && x->kind == EXPECT_RCPT)
            *r = refusal; /* what the server says to a RCPT without MAIL is no answer to the client's question */
        if (x->kind >= EXPECT_MAIL && !x->quiet)
            return x->kind != EXPECT_MAIL || reply_is_ok(r);
    }
    reply_set_str(r, 451, "4.3.0", S("Internal error"));
    return false;
}

/* Commands before the last one wait for their answers, which come first. */
static bool others_wait(const struct front *f)
{
    const struct expect *x = f->first;
    while (x && x->quiet)
        x = x->next;
    return x && x->next;
}

enum recv_take envelope_settle(struct recv_client *k, bool may_wait, struct reply *r)
{
    struct front *f = front_of(k);
    str what;
    bool more = f->link && (f->link->can.ehlo.caps & CAP_PIPELINING) && conn_has_line(k->c);
    if (others_wait(f) || (may_wait && more))
        return RECV_LATER;
    (void)envelope_answer(k, &what, r);
    return reply_is_ok(r) ? RECV_OK : RECV_NO;
}

void envelope_no_memory(struct recv_client *k, struct reply *r)
{
    reply_set_str(r, 451, "4.3.1", S("Out of memory, try again later"));
    link_drop(&front_of(k)->link);
    front_dead(front_of(k), r);
}

/* ---- MAIL ------------------------------------------------------------------------------------------------------- */

/* Where the parameters begin: behind the path, whose quoted parts may hold anything. */
static size_t path_end(str args)
{
    bool quoted = false;
    for (size_t i = 0; i < args.n; i++) {
        if (args.p[i] == '\\')
            i++;
        else if (args.p[i] == '"')
            quoted = !quoted;
        else if (args.p[i] == '>' && !quoted)
            return i + 1;
    }
    return args.n;
}

/* The line as it goes on: what the client wrote, without a SIZE that the server does not know. */
static void mail_line(struct buf *out, const struct link *l, const char *verb, str args)
{
    size_t at = path_end(args);
    buf_add_c(out, verb);
    buf_add(out, str_sub(args, 0, at));
    str rest = str_skip(args, at), word;
    while (str_cut(&rest, ' ', &word)) {
        if (!word.n || (str_istarts(word, S("SIZE=")) && !(l->can.ehlo.caps & CAP_SIZE)))
            continue;
        buf_add_char(out, ' ');
        buf_add(out, word);
    }
}

/* Something was offered that this server, another one than before, cannot do. */
static bool can_all(const struct link *l, const struct mail_cmd *m, struct reply *r)
{
    uint32_t caps = l->can.ehlo.caps, need = 0;
    if (m->p.body == BODY_8BITMIME)
        need |= CAP_8BITMIME;
    if (m->p.body == BODY_BINARYMIME)
        need |= CAP_BINARYMIME | CAP_CHUNKING;
    if (m->p.smtputf8)
        need |= CAP_SMTPUTF8;
    if (m->p.ret || m->p.envid.p)
        need |= CAP_DSN;
    need |= m->p.seen & 1u << PARAM_REQUIRETLS ? CAP_REQUIRETLS : 0;
    if ((caps & need) == need)
        return true;
    reply_set_str(r, 451, "4.5.1", S("No server behind takes this kind of message now, try again later"));
    return false;
}

static bool need_link(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    if (f->link && f->link->up != f->up)
        link_put(&f->link);
    if (f->link && !link_alive(f->link)) {
        bool known = f->pass || f->link->own;
        link_drop(&f->link);
        if (known && !f->up->xclient && f->up->proxy_protocol == CONF_PROXY_NONE) {
            /* it knew things about this client that another connection would not know */
            reply_set_str(r, 421, "4.4.2", S("The server behind closed the session"));
            k->why = "the server behind closed the session";
            return false;
        }
    }
    if (!f->link)
        f->link = link_get(f->up, k->home, k->src, f->pass, r);
    return f->link != NULL;
}

enum recv_take envelope_send_mail(struct recv_client *k, bool quiet, struct reply *r)
{
    struct front *f = front_of(k);
    AUTO_BUF line;
    if (!need_link(k, r))
        return RECV_NO;
    if (!can_all(f->link, &f->mail, r))
        return RECV_NO;
    buf_init(&line, 16384);
    bool ok = true;
    if (f->link->open_tx)
        ok = envelope_expect(k, EXPECT_RSET, true, S("RSET"));
    if (f->up->xforward && f->link->xforward[0]) {
        link_xforward(&line, f->link, k->src);
        ok = ok && !line.e && envelope_expect(k, EXPECT_XFORWARD, true, buf_str(&line));
        line.n = 0;
    }
    mail_line(&line, f->link, "MAIL ", f->mail_args);
    ok = ok && !line.e && envelope_expect(k, EXPECT_MAIL, quiet, buf_str(&line));
    if (!ok) {
        envelope_no_memory(k, r);
        return RECV_NO;
    }
    f->link->transactions++;
    f->link->open_tx = f->mailed = true;
    return RECV_OK;
}

static bool remember(struct recv_client *k, str args)
{
    struct front *f = front_of(k);
    f->mail_args = arena_str(&k->tx->arena, args);
    return f->mail_args.p && !cmd_mail(f->mail_args, EXT_ALL | EXT_OTHER, true, &k->tx->arena, &f->mail);
}

enum recv_take envelope_mail(struct recv_client *k, const struct mail_cmd *m, str args, struct reply *r)
{
    struct front *f = front_of(k);
    if (!remember(k, args)) { /* *m goes with its line */
        envelope_no_memory(k, r);
        return RECV_NO;
    }
    if (!tx_pass_mail(k->tx, k->src, *k->conf, m, !f->pass, r)) {
        front_dead(f, r);
        return RECV_NO;
    }
    f->count++;
    k->tx->open = true;
    if (f->routed) {
        f->mail_held = true;
        reply_set_str(r, 250, "2.1.0", S("Sender ok"));
        return RECV_OK;
    }
    f->up = f->listener->upstreams[0];
    enum recv_take took = envelope_send_mail(k, false, r);
    return took == RECV_OK ? envelope_settle(k, !f->up->lmtp, r) : took;
}

void envelope_ahead(struct recv_client *k)
{
    struct front *f = front_of(k);
    if (!f->first || !f->link || f->dead || k->tx->env.body == BODY_BINARYMIME || held_wanted(k) ||
        judge_wants(PHASE_DATA, k->src))
        return;
    send_line(f->link, S("DATA"));
    f->data_asked = true;
}

/* ---- another envelope ------------------------------------------------------------------------------------------- */

static bool send_rcpt(struct recv_client *k, const struct recipient *to)
{
    AUTO_BUF line;
    bool dsn = front_of(k)->link->can.ehlo.caps & CAP_DSN;
    buf_init(&line, 16384);
    buf_printf(&line, "RCPT TO:<" STR_FMT ">", STR_ARG(to->address));
    if (dsn)
        cmd_notify_print(&line, to->notify);
    if (dsn && to->orcpt.n && (text_ascii(to->orcpt) || front_of(k)->mail.p.smtputf8))
        buf_printf(&line, " ORCPT=" STR_FMT, STR_ARG(to->orcpt));
    return !line.e && envelope_expect(k, EXPECT_RCPT, false, buf_str(&line));
}

/* A rule cannot make a transaction need SMTPUTF8 that has not asked for it (RFC 6531 3.5). */
static bool can_be_said(const struct recv_client *k)
{
    const struct envelope *e = &k->tx->env;
    bool ascii = text_ascii(e->sender);
    for (uint32_t i = 0; ascii && i < e->nto; i++)
        ascii = text_ascii(e->to[i].address);
    return ascii || front_of(k)->mail.p.smtputf8;
}

bool envelope_again(struct recv_client *k, struct reply *r)
{
    struct front *f = front_of(k);
    struct tx *t = k->tx;
    struct reply one;
    str what, params = str_skip(f->mail_args, path_end(f->mail_args));
    if (!can_be_said(k)) {
        reply_set_str(r, 553, "5.6.7", S("A rule gave this message an address that needs SMTPUTF8"));
        return false;
    }
    f->readdressed = true;
    f->mail_args = arena_printf(&t->arena, "FROM:<" STR_FMT ">" STR_FMT, STR_ARG(t->env.sender), STR_ARG(params));
    t->accepted = t->refused = 0;
    if (!f->mail_args.p) {
        envelope_no_memory(k, r);
        return false;
    }
    if (envelope_send_mail(k, false, r) != RECV_OK)
        return false;
    bool ok = true;
    for (uint32_t i = 0; ok && i < t->env.nto; i++)
        ok = send_rcpt(k, &t->env.to[i]);
    if (!ok)
        envelope_no_memory(k, r);
    while (f->first) {
        (void)envelope_answer(k, &what, &one);
        if (ok && !reply_is_ok(&one))
            *r = one;
        ok &= reply_is_ok(&one);
    }
    return ok;
}
