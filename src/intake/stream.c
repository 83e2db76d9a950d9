/*
 * The pipeline while a message comes in: its header as soon as it is whole, its body piece by piece, where somebody
 * wants to see them; and the octets once more for those who need all of them at the end.
 */
#include "base/cleanup.h"
#include "intake/internal.h"
#include "intake/checks.h"
#include "intake/judge.h"

struct matter tx_matter(struct tx *t, str text)
{
    return (struct matter){.source = t->source,
                           .conf = t->conf,
                           .env = &t->env,
                           .scan = &t->scan,
                           .text = text,
                           .checks = t->checks ? checks_results(t->checks) : NULL};
}

/* The header block in one piece: a view of the body's first piece, or put together in `mem`. */
static bool head_view(const struct body *b, size_t n, struct buf *mem, str *ret)
{
    size_t at = 0;
    str piece = S("");
    if (!n || !body_piece(b, &at, &piece) || piece.n >= n) {
        *ret = str_sub(piece, 0, n);
        return true;
    }
    do {
        buf_add(mem, str_sub(piece, 0, n - mem->n));
    } while (mem->n < n && body_piece(b, &at, &piece));
    *ret = buf_str(mem);
    return !mem->e;
}

size_t tx_head_octets(const struct tx *t) { return t->scan.head_done ? (size_t)t->scan.body_at : (size_t)t->scan.size; }

bool tx_head_view(const struct tx *t, struct buf *mem, str *ret)
{
    return head_view(t->head ? t->head : t->body, tx_head_octets(t), mem, ret);
}

/* The message is refused, which its sender hears at its end. */
static void refuse(struct tx *t, const struct reply *r)
{
    struct reply *kept = arena_new(&t->arena, struct reply);
    if (kept)
        *kept = *r;
    t->refusal = kept;
    tx_give_up(t, kept ? TROUBLE_POLICY : TROUBLE_KEEP, kept ? OK : E_NOMEM);
}

static bool ask(struct tx *t, enum phase ph, str text) YIELDS
{
    SCRATCH struct verdict v;
    struct matter m = tx_matter(t, text);
    if (judge_policy(ph, &m, &v))
        return true;
    refuse(t, &v.reply);
    return false;
}

bool tx_judge_head(struct tx *t)
{
    AUTO_BUF mem;
    str block;
    if (t->head_judged || !policy_wants(t->source->policy, PHASE_HEADER))
        return true;
    t->head_judged = true;
    buf_init(&mem, tx_head_octets(t) + 1);
    if (!tx_head_view(t, &mem, &block)) {
        tx_give_up(t, TROUBLE_KEEP, E_NOMEM);
        return false;
    }
    return ask(t, PHASE_HEADER, block);
}

void tx_stream(struct tx *t, str got)
{
    if (!t->scan.head_done || t->trouble || !tx_judge_head(t) || !policy_wants(t->source->policy, PHASE_BODY))
        return;
    uint64_t before = t->scan.size - got.n;
    str part = before < t->scan.body_at ? str_skip(got, (size_t)(t->scan.body_at - before)) : got;
    if (part.n)
        (void)ask(t, PHASE_BODY, part);
}

/* ---- the octets once more ------------------------------------------------------------------------------------- */

void tx_octets_begin(struct tx_octets *o, struct tx *t)
{
    *o = (struct tx_octets){.face = {.size = t->scan.size, .arg = o}, .t = t};
    o->face.read = tx_octets_read;
}

void tx_octets_end(struct tx_octets *o)
{
    if (o->open)
        spool_read_close(&o->chunks);
    o->open = false;
}

/* From the offset `at` of a body in memory on. */
static str in_memory(const struct body *b, uint64_t at)
{
    size_t where = 0;
    str piece;
    while (body_piece(b, &where, &piece)) {
        if (at < piece.n)
            return str_skip(piece, (size_t)at);
        at -= piece.n;
    }
    return S("");
}

/* Octets that are in the spool, `at` counted from the first of them: forwards only, or from the beginning. */
static err in_spool(struct tx_octets *o, uint64_t at, str *ret) YIELDS
{
    if (o->open && at < o->piece_at)
        tx_octets_end(o);
    if (!o->open) {
        err e = spool_read_chunks(&o->chunks, intake_rooms.spool, o->t->env.id);
        if (e)
            return e;
        o->open = true;
        o->piece_at = 0;
        o->piece = S("");
    }
    while (at >= o->piece_at + o->piece.n) {
        o->piece_at += o->piece.n;
        err e = spool_read_next(&o->chunks, &o->piece);
        if (e || !o->piece.n)
            return e ? e : E_CORRUPT;
    }
    *ret = str_skip(o->piece, (size_t)(at - o->piece_at));
    return OK;
}

err tx_octets_read(void *arg, uint64_t at, str *ret)
{
    struct tx_octets *o = arg;
    const struct tx *t = o->t;
    *ret = S("");
    if (at >= t->scan.size || !t->body)
        return OK;
    if (!t->head) {
        *ret = in_memory(t->body, at);
        return OK;
    }
    uint64_t head = body_size(t->head), tail = t->scan.size - body_size(t->body);
    if (at < head)
        *ret = in_memory(t->head, at);
    else if (at >= tail)
        *ret = in_memory(t->body, at - tail);
    else
        return in_spool(o, at - head, ret);
    return OK;
}

/* ---- on its way to a server behind -------------------------------------------------------------------------- */

/* Octets `from` to `to` of a body in memory. */
static bool put_part(const struct body *b, uint64_t from, uint64_t to, bool (*put)(void *arg, str piece),
                     void *arg) YIELDS
{
    while (from < to) {
        str piece = in_memory(b, from);
        if (piece.n > to - from)
            piece.n = (size_t)(to - from);
        if (!piece.n || !put(arg, piece))
            return false;
        from += piece.n;
    }
    return true;
}

err tx_send(struct tx *t, bool (*put)(void *arg, str piece), void *arg)
{
    struct tx_octets o;
    uint64_t head = t->chunks ? t->env.head_size : 0, left = t->env.head_size + t->env.body_size - body_size(t->body);
    err e = OK;
    bool go = put_part(t->body, 0, head, put, arg);
    tx_octets_begin(&o, t);
    for (uint64_t at = 0; go && !e && at < left;) {
        str piece;
        e = in_spool(&o, at, &piece);
        go = !e && put(arg, piece);
        at += piece.n;
    }
    tx_octets_end(&o);
    if (go && !e)
        (void)put_part(t->body, head, body_size(t->body), put, arg);
    return e;
}

void tx_sent(const struct tx *t)
{
    if (t->checks)
        checks_log(t->checks, t->env.id);
    if (t->source->policy)
        policy_noted(t->source->policy, t->env.id);
    if (t->dropped)
        tx_log_gone(t, false);
}
