/*
 * The exit of addresses that take reports (report.received): the whole message goes to the room that keeps them. What
 * is no report is with the postmaster before its ticket goes back.
 */
#include "base/cleanup.h"
#include "send/internal.h"

enum { BATCH = 8 };

/* E_LIMIT: larger than a message may be here. */
static err read_all(const struct ticket *t, const struct conf *c, struct spool_reader *r, struct buf *out) YIELDS;
static err read_all(const struct ticket *t, const struct conf *c, struct spool_reader *r, struct buf *out)
{
    err e = spool_read_open(r, send_world.spool, t->id, t->mem);
    if (e)
        return e;
    buf_init(out, (size_t)c->limits_message_size + (4 << 20));
    for (;;) {
        str piece;
        e = spool_read_next(r, &piece);
        if (e || !piece.n)
            return e ? e : out->e;
        buf_add(out, piece);
    }
}

static void keep(struct ticket *t, const struct conf *c)
{
    struct spool_reader r = {0};
    AUTO_BUF octets = {0};
    struct finding v;
    err e = read_all(t, c, &r, &octets);
    bool opened = r.state != NULL;
    if (!e)
        e = send_world.received ? send_world.received(&r.env, buf_str(&octets)) : E_AGAIN;
    if (!e)
        v = finding_of(t, FATE_DELIVERED, S("250 2.0.0 report kept"), S(""));
    else if (e == E_EXISTS)
        v = finding_of(t, FATE_REPLACED, S("250 2.0.0 this is no report that can be read; the postmaster has it"),
                       S(""));
    else if (e == E_UNSUPPORTED || e == E_NOT_FOUND)
        v = finding_of(t, FATE_FAILED, S("550 5.6.0 this address takes reports, and this is none that can be read"),
                       S(""));
    else if (e == E_CORRUPT)
        v = finding_of(t, FATE_FAILED, S("550 5.3.0 the message is damaged"), S(""));
    else
        v = finding_of_err(t, e, "keeping the report", S(""));
    finding_give_all(&v, t);
    outcome_log(t, opened ? r.env.sender : S(""), S("reports"), S(""), opened ? r.env.arrived_ms : rt_wall_ms());
    if (opened)
        spool_read_close(&r);
}

void received_run(struct lease *l, struct conf *c)
{
    struct ticket *v[BATCH];
    size_t n;
    while (!fiber_cancelled() && (n = queue_take(l, v, BATCH, rt_after(c->queue_idle_time))))
        for (size_t i = 0; i < n; i++) {
            if (!fiber_cancelled())
                keep(v[i], c);
            queue_done(l, v[i]);
        }
    queue_end(l, OK, S(""));
}
