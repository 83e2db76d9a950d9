/*
 * Recipients that a rule redirects on their way out leave as a message of their own: the same octets and envelope, to
 * what the new address becomes by the configuration. Its record and the results of the old recipients are one group of
 * the spool: they stand or fall together, so that no crash gives two copies or none. RFC 3461 5.2.7: ORCPT, NOTIFY, RET
 * and ENVID go with it, and nothing is reported of the old address.
 */
#include "base/text.h"
#include "intake/intake.h"
#include "send/internal.h"

#include <stdlib.h>

static void give(struct ticket *t, uint32_t i, enum fate f, const char *start, str to)
{
    char mem[500];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    buf_printf(&text, "%s" STR_FMT, start, STR_ARG(str_sub(to, 0, 400)));
    struct finding v = finding_of(t, f, buf_str(&text), S(""));
    finding_give(&v, t, i);
    t->to[i].judged = true;
}

static void not_now(struct ticket *t, const struct redirect *v, size_t n, err e)
{
    struct finding f = finding_of_err(t, e, "redirecting it", S(""));
    for (size_t k = 0; k < n; k++) {
        finding_give(&f, t, v[k].i);
        t->to[v[k].i].judged = true;
    }
}

/* The recipients that the new message has. Those that cannot be redirected get their fate: *ret_n are left. */
static err resolve(struct ticket *t, const struct conf *c, const struct envelope *env, struct redirect *v, size_t *n,
                   struct tx *tx) YIELDS;
static err resolve(struct ticket *t, const struct conf *c, const struct envelope *env, struct redirect *v, size_t *n,
                   struct tx *tx)
{
    size_t left = 0;
    err e = OK;
    for (size_t k = 0; k < *n && !e; k++) {
        const struct recipient *was = &env->to[t->to[v[k].i].index];
        e = tx_onward(tx, (struct conf *)(uintptr_t)c, env, was, v[k].to);
        if (!e) {
            v[left++] = v[k];
            continue;
        }
        if (e == E_NOT_FOUND || e == E_LOOP || e == E_SWITCHED_OFF || e == E_DENIED)
            give(t, v[k].i, FATE_DEFERRED, "451 4.3.5 there is no such address to redirect to: ", v[k].to);
        else
            not_now(t, &v[k], 1, e);
        e = e == E_NOMEM ? e : OK;
    }
    *n = e ? *n : left;
    return e;
}

static void describe(const struct envelope *env, const struct tx *tx, uint64_t id, struct envelope *now)
{
    *now = *env;
    now->id = id;
    now->flags &= ~(uint32_t)(ENV_HELD | ENV_QUARANTINE);
    now->held_why = S("");
    now->release_ms = 0; /* it was released already */
    now->to = tx->env.to;
    now->nto = tx->env.nto;
    for (uint32_t i = 0; i < now->nto; i++)
        if (!text_ascii(now->to[i].address))
            now->flags |= ENV_SMTPUTF8;
}

/* The message, and what became of the old recipients, at once. */
static err store(struct spool_group *g, const struct ticket *t, const struct redirect *v, size_t n,
                 const struct envelope *env, const struct spool_copy *c) YIELDS;
static err store(struct spool_group *g, const struct ticket *t, const struct redirect *v, size_t n,
                 const struct envelope *env, const struct spool_copy *c)
{
    char mem[500];
    spool_group_init(g);
    err e = spool_group_message(g, env, c->body, c->chunks);
    for (size_t k = 0; k < n && !e; k++) {
        struct buf text;
        buf_init_fixed(&text, mem, sizeof mem);
        buf_printf(&text, "250 2.0.0 redirected to " STR_FMT, STR_ARG(str_sub(v[k].to, 0, 400)));
        e = spool_group_results(g, t->id, &(struct result){t->to[v[k].i].index, OUT_REPLACED, buf_str(&text)}, 1);
    }
    e = e ? e : spool_put(send_world.spool, g);
    spool_group_free(g);
    return e;
}

static err put_anew(struct ticket *t, const struct envelope *env, const struct redirect *v, size_t n,
                    const struct tx *tx) YIELDS;
static err put_anew(struct ticket *t, const struct envelope *env, const struct redirect *v, size_t n,
                    const struct tx *tx)
{
    struct spool_reader r;
    struct spool_copy copy = {0};
    struct envelope now;
    struct spool_group *g = malloc(sizeof *g);
    err e = g ? queue_room(send_world.queue, tx->env.nto) : E_NOMEM;
    e = e ? e : spool_room(send_world.spool, env->head_size + env->body_size);
    e = e ? e : spool_read_open(&r, send_world.spool, t->id, t->mem);
    if (!e) {
        e = spool_copy_octets(&copy, send_world.spool, &r);
        spool_read_close(&r);
        describe(env, tx, copy.id, &now);
        e = e ? e : store(g, t, v, n, &now, &copy);
        if (!e) {
            for (size_t k = 0; k < n; k++)
                rt_log(EV_redirected, log_id(t->id), log_str(env->sender), log_str(t->to[v[k].i].address),
                       log_str(v[k].to), log_c(v[k].by), log_id(now.id));
            queue_accept(send_world.queue, &now, copy.body);
        }
        spool_copy_free(&copy, !e);
    }
    free(g);
    return e;
}

void send_redirect(struct ticket *t, const struct conf *c, const struct envelope *env, struct redirect *v, size_t n)
{
    struct tx *tx = calloc(1, sizeof *tx);
    size_t left = n;
    if (!tx) {
        not_now(t, v, n, E_NOMEM);
        return;
    }
    fiber_shield(true); /* only the disk is waited for */
    tx_init(tx);
    err e = resolve(t, c, env, v, &left, tx);
    if (!e && left)
        e = put_anew(t, env, v, left, tx);
    for (size_t k = 0; k < left && !e; k++)
        give(t, v[k].i, FATE_REPLACED, "250 2.0.0 redirected to ", v[k].to);
    if (e)
        not_now(t, v, left, e);
    tx_reset(tx);
    free(tx);
    fiber_shield(false);
}
