/*
 * Cuts: of a segment whose write or sync failed, the batches from that one on do not count, though they may lie whole
 * on the disk. Every head names up to MAX_CUTS of them. When there are more, the oldest go into the heads of the cut
 * segments themselves; until that has worked nothing is written that could need another one. So none is ever dropped.
 */
#include "spool/internal.h"

#include <stdlib.h>

static void remove_at(struct engine *e, uint32_t i)
{
    memmove(e->cuts + i, e->cuts + i + 1, (e->ncuts - i - 1) * sizeof *e->cuts);
    e->ncuts--;
}

static bool known(const struct engine *e, uint64_t gen)
{
    for (uint32_t i = 0; i < e->ncuts; i++)
        if (e->cuts[i].gen == gen)
            return true;
    return false;
}

static bool make_room(struct engine *e)
{
    if (e->ncuts < e->capcuts)
        return true;
    uint32_t cap = e->capcuts ? 2 * e->capcuts : MAX_CUTS + 1;
    struct cut *v = realloc(e->cuts, cap * sizeof *v);
    if (!v)
        return false;
    e->cuts = v;
    e->capcuts = cap;
    return true;
}

err cuts_begin(struct engine *e) { return make_room(e) ? OK : E_NOMEM; }

/* Old heads name segments that are long gone; which these are is known when all have been read. */
err cuts_seen(struct engine *e, const struct seg_head *h)
{
    for (uint32_t i = 0; i < h->ncuts; i++) {
        if (known(e, h->cuts[i].gen))
            continue;
        if (!make_room(e))
            return E_NOMEM;
        e->cuts[e->ncuts++] = h->cuts[i];
    }
    return OK;
}

void cuts_recovered(struct engine *e)
{
    for (uint32_t i = 0; i < e->ncuts;) {
        struct seg *s = seg_of_gen(e, e->cuts[i].gen);
        if (!s || s->cut)
            remove_at(e, i);
        else
            i++;
    }
    e->cut_turn = e->ncuts != 0;
}

/* There is room: engine_next gave this segment only because there was. */
void cut_add(struct engine *e, const struct seg *s, uint32_t batch)
{
    if (!known(e, s->gen) && make_room(e))
        e->cuts[e->ncuts++] = (struct cut){s->gen, batch};
    e->cut_turn++;
}

void cut_forget(struct engine *e, uint64_t gen)
{
    for (uint32_t i = 0; i < e->ncuts; i++)
        if (e->cuts[i].gen == gen) {
            remove_at(e, i);
            return;
        }
}

uint32_t engine_cut_of(const struct engine *e, const struct seg *s)
{
    for (uint32_t i = 0; !s->cut && i < e->ncuts; i++)
        if (e->cuts[i].gen == s->gen)
            return e->cuts[i].batch;
    return s->cut;
}

/* The segment's own head is to name its cut. False: not now, the helper has it, or its disk does not let us. */
static bool settle(struct engine *e, struct cut c)
{
    lock_take(&e->lock);
    struct seg *s = seg_of_gen(e, c.gen);
    bool ours = s && s->state == SEG_SEALED && s != e->from;
    if (ours) {
        s->state = SEG_BUSY;
        s->cut = c.batch;
    }
    lock_drop(&e->lock);
    if (!ours)
        return false;
    err bad = seg_write_head(e, s, HEAD_LOG, s->gen);
    lock_take(&e->lock);
    s->state = SEG_SEALED;
    if (bad)
        s->cut = 0;
    else
        cut_forget(e, c.gen);
    e->cut_turn++; /* heads that were written meanwhile did not name all */
    lock_drop(&e->lock);
    return !bad;
}

err cuts_settle(struct engine *e)
{
    for (uint32_t i = 0;;) {
        lock_take(&e->lock);
        bool fits = e->ncuts <= MAX_CUTS, more = i < e->ncuts;
        struct cut c = more ? e->cuts[i] : (struct cut){0};
        lock_drop(&e->lock);
        if (fits)
            return OK;
        if (!more)
            return E_IO;
        if (!settle(e, c))
            i++;
    }
}
