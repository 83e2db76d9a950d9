/* The engine's beginning and end. */
#include "spool/internal.h"

#include <fcntl.h>
#include <stdlib.h>

enum { IOV_START = 1024, OWED_GROUP = 512, GARBAGE = 8 };

static void ignore(struct engine *e, struct spool_group *g) { (void)e, (void)g; }
static void nothing(struct engine *e) { (void)e; }

static err write_now(struct engine *e, struct spool_group *g)
{
    struct list l = LIST_INIT(l);
    list_push_back(&l, &g->held);
    engine_write(e, &l, true);
    return g->e;
}

/* Messages that recovery found done but not ended. When it fails the next start tries again. */
static void pay_owed(struct engine *e)
{
    struct cur c = cur_of(buf_str(&e->owed));
    while (c.n) {
        struct spool_group g;
        spool_group_init(&g);
        for (int i = 0; i < OWED_GROUP && c.n; i++)
            spool_group_end(&g, cur_u64(&c));
        write_now(e, &g);
        spool_group_free(&g);
    }
    buf_free(&e->owed);
}

static err start(struct engine *e, const struct spool_config *c, spool_due_fn *due, void *arg)
{
    err bad = rt_fs->open(c->dir, ".", O_RDONLY | O_DIRECTORY, 0, &e->dir);
    if (!bad)
        bad = rt_fs->lock(e->dir);
    if (!bad)
        bad = recover(e, due, arg);
    if (bad)
        return bad;
    e->running = true;
    /* Without a place to write the spool opens all the same: what is there can be read, and it tries again. */
    engine_retry(e);
    pay_owed(e);
    return OK;
}

err engine_open(struct engine **ret, const struct spool_config *c, spool_due_fn *due, void *arg)
{
    struct engine *e = calloc(1, sizeof *e);
    if (!e)
        return E_NOMEM;
    e->dir = e->direct.fd = -1;
    e->segment_size = c->segment_size ? page_up(c->segment_size) : 64 << 20;
    if (e->segment_size < SEGMENT_MIN)
        e->segment_size = SEGMENT_MIN;
    if (e->segment_size > SEGMENT_MAX)
        e->segment_size = SEGMENT_MAX;
    e->reserve = c->reserve;
    e->max_bytes = c->max_bytes;
    e->spare = c->spare;
    e->garbage = GARBAGE;
    e->stamp = 1;
    e->complete = ignore;
    e->completed = e->wake = nothing;
    e->submit = write_now;
    list_init(&e->in_batch);
    buf_init(&e->owed, 1 << 30);
    e->iov = malloc(IOV_START * sizeof *e->iov);
    e->iovcap = IOV_START;
    atomic_store(&e->looked, -RT_S);
    err bad = e->iov ? cuts_begin(e) : E_NOMEM;
    bad = bad ? bad : start(e, c, due, arg);
    if (bad)
        engine_close(&e);
    else
        *ret = e;
    return bad;
}

void engine_close(struct engine **pe)
{
    struct engine *e = *pe;
    *pe = NULL;
    if (!e)
        return;
    engine_gauges(e, true);
    for (uint32_t i = 0; i < e->nsegs; i++)
        if (e->segs[i])
            seg_delete(e, e->segs[i]);
    direct_end(e);
    free(e->direct.out);
    free(e->segs);
    struct map_iter it = map_begin(&e->chunks);
    for (struct map_node *n; (n = map_each(&it));)
        free(container_of(n, struct chunks, node));
    map_free(&e->chunks);
    index_free(&e->index);
    buf_free(&e->list);
    buf_free(&e->owed);
    free(e->iov);
    free(e->cuts);
    if (e->dir >= 0)
        rt_fs->close(e->dir);
    free(e);
}
