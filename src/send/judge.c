/* The rules of the configuration that stand before an attempt (at = "route", "deliver"): what they refuse fails, what
 * they put off waits, what they discard is done, what they hold waits for an operator (once), what they redirect
 * becomes a message of its own. Likewise the hooks of a script. Without such rules nothing of this happens. */
#include "base/cleanup.h"
#include "policy/policy.h"
#include "send/internal.h"

#include <stdlib.h>

/* The header block, for conditions about it. */
static err read_head(struct ticket *t, uint32_t size, struct buf *out) YIELDS
{
    struct spool_reader r;
    str piece;
    err e = spool_read_open(&r, send_world.spool, t->id, t->mem);
    if (e)
        return e;
    while (!e && out->n < size && !(e = spool_read_next(&r, &piece)) && piece.n)
        buf_add(out, str_sub(piece, 0, size - out->n));
    spool_read_close(&r);
    return e ? e : out->e;
}

static uint32_t lines(str s)
{
    uint32_t n = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

static void give(struct ticket *t, uint32_t i, const struct verdict *v)
{
    char mem[REPLY_LINE_MAX];
    struct buf text;
    struct finding f;
    buf_init_fixed(&text, mem, sizeof mem);
    if (v->kind == VERDICT_HOLD && !t->to[i].released) {
        t->to[i].fate = FATE_HELD;
        t->to[i].judged = true;
        return;
    }
    enum fate fate = v->kind == VERDICT_REFUSE    ? FATE_FAILED
                     : v->kind == VERDICT_DEFER   ? FATE_DEFERRED
                     : v->kind == VERDICT_DISCARD ? FATE_RELAYED
                                                  : FATE_NONE;
    if (fate == FATE_NONE)
        return;
    reply_print_line(&text, &v->reply);
    f = finding_of(t, fate, buf_str(&text), S(""));
    if (fate == FATE_RELAYED && !f.reply.n) /* no memory; the log must not call it delivered */
        f.reply = S("250 2.0.0 discarded by a rule");
    finding_give(&f, t, i);
    t->to[i].judged = true;
}

struct judging { /* one message on its way out */
    const struct conf *conf;
    struct ticket *ticket;
    const struct envelope *env;
    str way, head;
    bool unconnected;
    struct redirect *to; /* those that go elsewhere */
    size_t nto;
};

/* What the rules say of one recipient; E_NOMEM. */
static err judge_one(struct judging *j, uint32_t i) YIELDS;
static err judge_one(struct judging *j, uint32_t i)
{
    SCRATCH struct verdict v;
    struct ticket *t = j->ticket;
    str past = j->env->to[t->to[i].index].past;
    const struct policy_leaving l = {.env = j->env,
                                     .to = t->to[i].address,
                                     .site = j->way,
                                     .head = j->head,
                                     .past = past,
                                     .unconnected = j->unconnected,
                                     .mem = &t->arena};
    if (!policy_out(j->conf, &l, &v))
        return E_NOMEM;
    if (v.kind == VERDICT_REDIRECT && lines(past) >= POLICY_REDIRECTS) {
        reply_set(&v.reply, 554, "5.4.6", "Redirected too often");
        v.kind = VERDICT_REFUSE;
        rt_log(EV_loop, log_id(t->id), log_str(l.to), log_str(v.to));
    }
    if (v.kind == VERDICT_REDIRECT) {
        if (!j->to && !(j->to = calloc(t->nto, sizeof *j->to)))
            return E_NOMEM;
        j->to[j->nto++] = (struct redirect){i, v.to, v.by ? v.by : "policy"};
    }
    give(t, i, &v);
    return OK;
}

static bool undecided(const struct ticket *t)
{
    for (uint32_t i = 0; i < t->nto; i++)
        if (t->to[i].fate == FATE_NONE)
            return true;
    return false;
}

bool send_judge(const struct conf *c, struct ticket *t, const struct envelope *env, str way, bool connected)
{
    AUTO_BUF head = {0};
    struct judging j = {.conf = c, .ticket = t, .env = env, .way = way, .unconnected = !connected};
    if (!policy_out_wanted(c))
        return true;
    buf_init(&head, env->head_size + 1);
    err bad = read_head(t, env->head_size, &head);
    if (bad == E_CANCELLED) /* nobody was asked: as if it had never been taken */
        return false;
    j.head = buf_str(&head);
    for (uint32_t i = 0; i < t->nto; i++) {
        if (t->to[i].fate != FATE_NONE)
            continue;
        err e = bad ? bad : judge_one(&j, i);
        if (e) {
            struct finding f = finding_of_err(t, e, "asking the rules", S(""));
            finding_give(&f, t, i);
        }
    }
    if (j.nto)
        send_redirect(t, c, env, j.to, j.nto);
    free(j.to);
    return undecided(t);
}

bool send_judge_unsent(const struct conf *c, struct ticket *t, str way, struct origin *ret)
{
    struct spool_reader r;
    *ret = (struct origin){S(""), rt_wall_ms()};
    if (!policy_out_wanted(c) || spool_read_open(&r, send_world.spool, t->id, t->mem))
        return true;
    *ret = (struct origin){arena_str(&t->arena, r.env.sender), r.env.arrived_ms};
    bool left = send_judge(c, t, &r.env, way, false);
    spool_read_close(&r);
    return left;
}
