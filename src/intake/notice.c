/* A message of our own to a postmaster: plain text, null sender, stored and queued like any other. */
#include "base/cleanup.h"
#include "directory/directory.h"
#include "intake/internal.h"
#include "intake/sign.h"
#include "intake/submit.h"
#include "wire/head.h"

static err compose(struct tx *t, str to, str subject, str text, struct buf *out, size_t *ret_head)
{
    int64_t now = rt_wall_ms();
    buf_printf(out, "From: Mail server <postmaster@" STR_FMT ">\r\nTo: <" STR_FMT ">\r\n", STR_ARG(t->conf->hostname),
               STR_ARG(to));
    err e = head_add(out, S("Subject"), subject);
    head_date(out, now / 1000);
    head_message_id(out, now, rt_random(), t->conf->hostname);
    buf_add(out, S("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n\r\n"));
    *ret_head = out->n;
    buf_add(out, text);
    return e ? e : out->e;
}

/* Signed, when a key signs for the domain of From. */
static err store(struct tx *t, struct buf *octets, size_t head) YIELDS;
static err store(struct tx *t, struct buf *octets, size_t head)
{
    struct spool_group g;
    AUTO_BUF top = {.max = 256 * 1024};
    const struct sign_who w = {.now_s = rt_wall_ms() / 1000};
    err e = sign_text(t->conf, &w, buf_str(octets), &top);
    struct body *b = body_new();
    e = e ? e : b ? body_add(b, buf_str(&top)) : E_NOMEM;
    e = e ? e : body_add(b, buf_str(octets));
    t->env.id = spool_new_id(intake_rooms.spool);
    t->env.arrived_ms = rt_wall_ms();
    t->env.expires_ms = t->env.arrived_ms + t->conf->queue_report_lifetime / RT_MS;
    t->env.flags = ENV_REPORT | ENV_DOUBLE | (top.n ? ENV_SIGNED : 0);
    t->env.head_size = (uint32_t)(top.n + head);
    t->env.body_size = octets->n - head;
    spool_group_init(&g);
    if (!e)
        e = intake_own(&g, &t->env, b);
    if (!e)
        e = spool_put(intake_rooms.spool, &g);
    spool_group_free(&g);
    if (!e)
        queue_accept(intake_rooms.queue, &t->env, b);
    body_drop(&b);
    return e;
}

err intake_notice(struct conf *c, str domain, str subject, str text)
{
    AUTO_BUF out;
    struct tx *t = calloc(1, sizeof *t);
    size_t head = 0;
    if (!t)
        return E_NOMEM;
    tx_init(t);
    buf_init(&out, 65536);
    t->conf = c;
    str to = c->postmaster;
    if (!to.n)
        to = arena_printf(&t->arena, "postmaster@" STR_FMT, STR_ARG(domain));
    err e = to.p ? tx_own(t, c, to) : E_NOMEM;
    if (!e && !t->env.nto)
        e = E_NOT_FOUND;
    if (!e)
        e = compose(t, to, subject, text, &out, &head);
    if (!e)
        e = store(t, &out, head);
    tx_reset(t);
    free(t);
    return e;
}
