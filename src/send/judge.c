/* The rules of the configuration that stand before an attempt (at = "route", "deliver"): what they refuse fails, what
 * they put off waits, what they discard is done, what they hold waits for an operator (once). Likewise the hooks of a
 * script. Without such rules nothing of this happens. */
#include "base/cleanup.h"
#include "policy/policy.h"
#include "send/internal.h"

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

static void give(struct ticket *t, uint32_t i, const struct verdict *v)
{
    char mem[REPLY_LINE_MAX];
    struct buf text;
    struct finding f;
    buf_init_fixed(&text, mem, sizeof mem);
    if (v->kind == VERDICT_HOLD && !t->to[i].released) {
        t->to[i].fate = FATE_HELD;
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
    finding_give(&f, t, i);
}

bool send_judge(const struct conf *c, struct ticket *t, const struct envelope *env, str way)
{
    AUTO_BUF head = {0};
    uint32_t left = 0;
    if (!policy_out_wanted(c))
        return true;
    buf_init(&head, env->head_size + 1);
    err e = read_head(t, env->head_size, &head);
    for (uint32_t i = 0; i < t->nto; i++) {
        SCRATCH struct verdict v;
        const struct policy_leaving l = {.env = env, .to = t->to[i].address, .site = way, .head = buf_str(&head)};
        if (t->to[i].fate != FATE_NONE)
            continue;
        if (e || !policy_out(c, &l, &v)) {
            struct finding f = finding_of_err(t, e ? e : E_NOMEM, "asking the rules", S(""));
            finding_give(&f, t, i);
        } else {
            give(t, i, &v);
        }
        left += t->to[i].fate == FATE_NONE;
    }
    return left > 0;
}
