/*
 * `queue export-one ID`: what is left of a message in the exported form. A recipient whose attempt runs
 * is not given away while it runs: "postrider queue export" asks again. With --hold nothing more happens to
 * the message from the moment that its states were read, so that it can be removed once it is kept elsewhere.
 */
#include "base/codec.h"
#include "ctl/internal.h"

struct states {
    struct arena *arena;
    const struct envelope *env;
    struct rcpt_status *v; /* RCPT_DONE until the queue says otherwise */
    uint32_t left, active, held;
};

static void each(void *arg, const struct queue_entry *e)
{
    struct states *s = arg;
    if (e->index >= s->env->nto)
        return;
    struct rcpt_status *r = &s->v[e->index];
    s->left += r->state == RCPT_DONE;
    s->active += e->state[0] == 'a';
    s->held += e->state[0] == 'h';
    *r = (struct rcpt_status){.state = RCPT_WAITING,
                              .held = e->state[0] == 'h',
                              .attempts = (uint16_t)e->attempts,
                              .next_ms = e->next_ms,
                              .reply = arena_str(s->arena, str_sub(e->reply, 0, 512))};
}

/* The recipients that are left, and their states, move to the front. */
static void keep_left(struct envelope *env, struct rcpt_status *v)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < env->nto; i++)
        if (v[i].state == RCPT_WAITING) {
            env->to[n] = env->to[i];
            v[n++] = v[i];
        }
    env->nto = n;
}

/* The head may be larger than what a session gathers: many recipients. */
static err head(struct ctl_session *s, const struct envelope *env, const struct rcpt_status *v) YIELDS;
static err head(struct ctl_session *s, const struct envelope *env, const struct rcpt_status *v)
{
    AUTO_BUF b;
    buf_init(&b, CTL_EXPORT_HEAD_MAX);
    err e = ctl_export_head(&b, env, v);
    for (str rest = buf_str(&b); rest.n && !e; rest = str_skip(rest, CTL_FRAME_MAX)) {
        buf_add(&s->out.b, str_sub(rest, 0, CTL_FRAME_MAX));
        e = ctl_out_send(&s->out);
    }
    return e;
}

static int octets(struct ctl_session *s, struct spool_reader *r) YIELDS;
static int octets(struct ctl_session *s, struct spool_reader *r)
{
    uint32_t crc = 0;
    uint64_t left = r->env.head_size + r->env.body_size;
    while (left) {
        str piece;
        err e = spool_read_next(r, &piece);
        if (e || piece.n == 0)
            return ctl_fail(s, EXIT_FAIL, "postrider: the message cannot be read: %s", err_text(e ? e : E_CORRUPT));
        piece = str_sub(piece, 0, left);
        crc = crc32c(crc, piece.p, piece.n);
        left -= piece.n;
        for (; piece.n; piece = str_skip(piece, CTL_FRAME_MAX)) {
            buf_add(&s->out.b, str_sub(piece, 0, CTL_FRAME_MAX));
            if (ctl_out_send(&s->out))
                return EXIT_FAIL;
        }
    }
    buf_put_u32(&s->out.b, crc);
    return EXIT_OK;
}

static int export(struct ctl_session *s, struct spool_reader *r, uint64_t id) YIELDS;
static int export(struct ctl_session *s, struct spool_reader *r, uint64_t id)
{
    struct states st = {.arena = &r->arena, .env = &r->env};
    st.v = arena_array(&r->arena, r->env.nto + 1, sizeof *st.v);
    if (!st.v)
        return ctl_fail(s, EXIT_FAIL, "postrider: the server is out of memory");
    for (uint32_t i = 0; i < r->env.nto; i++)
        st.v[i].state = RCPT_DONE;
    const struct queue_filter f = {.id = id, .tenant = -1, .held = -1};
    uint64_t cursor = 0;
    while (queue_walk(s->rooms->queue, &f, &cursor, 1000, each, &st)) /* no pause: one picture of the message */
        ;
    if (st.left == 0)
        return ctl_fail(s, EXIT_GONE, "postrider: nothing is left of the message");
    if (st.active)
        return ctl_fail(s, EXIT_BUSY, "postrider: the message is being delivered");
    if (s->args.had && st.held == st.left)
        return EXIT_SAME;
    if (s->args.hold)
        queue_act(s->rooms->queue, QUEUE_HOLD, id, UINT32_MAX, str_c(s->who));
    keep_left(&r->env, st.v);
    err e = r->arena.e;
    if (!e)
        e = head(s, &r->env, st.v);
    if (e)
        return ctl_fail(s, EXIT_FAIL, "postrider: the message cannot be exported: %s", err_text(e));
    return octets(s, r);
}

int ctl_export_one(struct ctl_session *s)
{
    uint64_t id;
    struct spool_reader r;
    if (!ctl_want_id(s, s->args.word[0], &id))
        return EXIT_USAGE;
    err e = spool_read_open(&r, s->rooms->spool, id, NULL);
    if (e == E_NOT_FOUND)
        return ctl_fail(s, EXIT_GONE, "postrider: nothing is left of the message");
    if (e)
        return ctl_fail(s, EXIT_FAIL, "postrider: the message cannot be read: %s", err_text(e));
    int status = export(s, &r, id);
    spool_read_close(&r);
    return status;
}
