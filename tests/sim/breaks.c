/*
 * The deliberate faults of --break: each takes the place of one function of the rooms, which the linker leads through
 * here (--wrap). The rooms themselves hold no trace of them, and without --break every call goes straight on.
 */
#include "spool/internal.h"
#include "world.h"
#include "intake/intake.h"

static bool broken(const char *name) { return node_breakable() && !strcmp(sim.broken, name); }

/* reply-before-sync: the writer's sync returns before anything is on the disk. */
static err late_sync(int fd) { return broken("reply-before-sync") ? OK : sim_fs.datasync(fd); }
static struct rt_fs broken_fs OWN;

void breaks_begin(void)
{
    broken_fs = sim_fs;
    if (sim.broken)
        broken_fs.datasync = late_sync;
    rt_fs = &broken_fs;
}

/* lost-wakeup: one in so many wake-ups of a sleeping task is forgotten. */
bool __real_inbox_push(struct inbox *in, struct post *newest, struct post *oldest);
bool __wrap_inbox_push(struct inbox *in, struct post *newest, struct post *oldest);
bool __wrap_inbox_push(struct inbox *in, struct post *newest, struct post *oldest)
{
    bool wake = __real_inbox_push(in, newest, oldest);
    return wake && !(broken("lost-wakeup") && sim_below(300) == 0);
}

/* forgotten-outcome: what became of a message is not written down, now and then. */
static uint64_t forgotten OWN;
err __real_spool_group_results(struct spool_group *g, uint64_t id, const struct result *r, size_t n);
err __wrap_spool_group_results(struct spool_group *g, uint64_t id, const struct result *r, size_t n);
err __wrap_spool_group_results(struct spool_group *g, uint64_t id, const struct result *r, size_t n)
{
    if (broken("forgotten-outcome") && sim_below(20) == 0) {
        forgotten = id;
        return OK;
    }
    return __real_spool_group_results(g, id, r, n);
}
err __real_spool_group_end(struct spool_group *g, uint64_t id);
err __wrap_spool_group_end(struct spool_group *g, uint64_t id);
err __wrap_spool_group_end(struct spool_group *g, uint64_t id)
{
    return broken("forgotten-outcome") && forgotten == id ? OK : __real_spool_group_end(g, id);
}

/* early-recycle: a segment is freed although ends in it are about messages whose records are still there (SPOOL.md 5,
 * rule 3). */
bool __real_seg_is_dead(const struct engine *e, const struct seg *s);
bool __wrap_seg_is_dead(const struct engine *e, const struct seg *s);
bool __wrap_seg_is_dead(const struct engine *e, const struct seg *s)
{
    if (!broken("early-recycle"))
        return __real_seg_is_dead(e, s);
    return s->state == SEG_SEALED && !s->live && !s->pins && !s->stuck && s != e->from &&
           bits_empty_but(e, s->after, s->slot);
}

/* split-bounce: the outcome is written first, the report that it causes in a group of its own. */
err __real_intake_own(struct spool_group *g, const struct envelope *env, struct body *b);
err __wrap_intake_own(struct spool_group *g, const struct envelope *env, struct body *b);
err __wrap_intake_own(struct spool_group *g, const struct envelope *env, struct body *b)
{
    if (broken("split-bounce") && g->bytes.n) {
        err e = spool_put(sim.running->node->server->spool, g);
        spool_group_free(g);
        if (e)
            return e;
    }
    return __real_intake_own(g, env, b);
}
