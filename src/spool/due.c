/*
 * The last part of recovery: joins message records with what was recorded about them, both in order of
 * ids, and tells the queue. Only places are kept in memory; the bytes are read again, mostly
 * from footers that lie one after the other.
 */
#include "spool/internal.h"

#include <stdlib.h>

enum {
    WINDOW = 256 * 1024,
    TOLD_LEAST = 1 << 16,
    AHEAD = 8,    /* messages between asking for a place of the index and looking at it */
    PAGES = 1024, /* of segments, kept while states are read back */
};

static bool grow(void **v, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 4096;
    void *p = realloc(*v, more * size);
    if (!p)
        return false;
    *v = p;
    *cap = more;
    return true;
}

err due_found(struct due *d, const struct found *f)
{
    if (d->nfound == d->capfound && !grow((void **)&d->found, &d->capfound, sizeof *d->found))
        return E_NOMEM;
    d->found[d->nfound++] = *f;
    return OK;
}

/* What counts no more: the message has ended, or (for one recipient) a newer schedule is known. */
static bool stale(struct engine *e, const struct told *t)
{
    struct entry *at = index_find(&e->index, t->id);
    return !at || (t->type == REC_RETRIES && at->slot_one & 1 && at->stamp != (uint32_t)t->stamp);
}

static void purge(struct due *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->ntold; i++)
        if (!stale(d->e, &d->told[i]))
            d->told[n++] = d->told[i];
    d->ntold = n;
}

err due_told(struct due *d, const struct told *t)
{
    if (d->ntold == d->captold) {
        if (d->ntold >= TOLD_LEAST)
            purge(d);
        if (d->ntold > d->captold / 2 || !d->captold) {
            if (!grow((void **)&d->told, &d->captold, sizeof *d->told))
                return E_NOMEM;
        }
    }
    d->told[d->ntold++] = *t;
    return OK;
}

static int by_id(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_stamp(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->stamp < y->stamp ? -1 : x->stamp > y->stamp;
}

/* ---- reading back ------------------------------------------------------------------------------- */

/* A piece of a file. Reading on forwards fetches much at once, anything else only what is asked for. */
struct window {
    struct buf buf;
    uint32_t slot;
    uint64_t at;
};

static err window_get(struct engine *e, struct window *w, uint32_t slot, uint64_t at, size_t len, str *ret)
{
    if (w->buf.n && w->slot == slot && at >= w->at && at + len <= w->at + w->buf.n) {
        *ret = str_mem(w->buf.p + (at - w->at), len);
        return OK;
    }
    bool onwards = w->slot == slot && at >= w->at && at - w->at < 2 * WINDOW;
    size_t want = onwards && len < WINDOW ? WINDOW : len, n;
    buf_clear(&w->buf);
    char *p = buf_room(&w->buf, want ? want : 1);
    if (!p)
        return E_NOMEM;
    err bad = rt_fs->pread(e->segs[slot]->fd, p, want, at, &n);
    w->buf.n = bad ? 0 : n;
    w->slot = slot;
    w->at = at;
    if (bad || n < len)
        return bad ? bad : E_CORRUPT;
    *ret = str_mem(p, len);
    return OK;
}

/* What is recorded about messages lies in the order in which things happened, which is nearly theirs: pages that were
 * read stay for those that come soon, each in the place that its number gives it. */
struct pages {
    char *mem;
    struct {
        uint32_t slot, n; /* n: octets read; 0: none */
        uint64_t at;
    } v[PAGES];
};

static err pages_get(struct engine *e, struct pages *p, const struct told *t, struct window *w, str *ret)
{
    uint64_t at = t->at / PAGE * PAGE, within = t->at - at;
    if (!p->mem || within + t->len > PAGE)
        return window_get(e, w, t->slot, t->at, t->len, ret);
    size_t i = (at / PAGE * 31 + t->slot * 257u) % PAGES, n;
    char *page = p->mem + i * PAGE;
    if (p->v[i].n < within + t->len || p->v[i].slot != t->slot || p->v[i].at != at) {
        p->v[i].n = 0;
        err bad = rt_fs->pread(e->segs[t->slot]->fd, page, PAGE, at, &n);
        if (bad)
            return bad;
        p->v[i].slot = t->slot;
        p->v[i].at = at;
        p->v[i].n = (uint32_t)n;
    }
    *ret = str_mem(page + within, t->len);
    return p->v[i].n < within + t->len ? E_CORRUPT : OK;
}

/* ---- one message ---------------------------------------------------------------------------------- */

static err tell_results(struct arena *a, str bytes, struct rcpt_status *v, uint32_t nto)
{
    struct cur c = cur_of(bytes);
    for (uint32_t n = cur_u32(&c); n && !c.bad; n--) {
        uint32_t i = cur_u32(&c);
        uint8_t outcome = cur_u8(&c);
        str reply = cur_str16(&c);
        if (i >= nto || c.bad)
            continue;
        v[i].state = outcome == OUT_UNTOLD ? RCPT_UNTOLD : RCPT_DONE;
        v[i].reply = arena_str(a, reply);
    }
    return a->e;
}

static err tell_retries(struct arena *a, str bytes, struct rcpt_status *v, uint32_t nto)
{
    struct cur c = cur_of(bytes);
    for (uint32_t n = cur_u32(&c); n && !c.bad; n--) {
        uint32_t i = cur_u32(&c);
        struct rcpt_status s = {.attempts = cur_u16(&c)};
        s.held = cur_u8(&c) != 0;
        s.next_ms = (int64_t)cur_u64(&c);
        s.reply = cur_str16(&c);
        if (i >= nto || c.bad || v[i].state != RCPT_WAITING)
            continue;
        s.reply = arena_str(a, s.reply);
        v[i] = s;
    }
    return a->e;
}

struct teller {
    struct due *d;
    struct window env, state;
    struct pages *pages;
    struct arena arena;
    spool_due_fn *due;
    void *arg;
};

static err owe_end(struct engine *e, uint64_t id)
{
    buf_put_u64(&e->owed, id);
    return e->owed.e;
}

/* A message that cannot be understood is put aside and ended: it must not stay for ever. */
static err give_up(struct engine *e, const struct found *f)
{
    struct seg *s = e->segs[f->slot];
    struct entry *at = index_find(&e->index, f->id);
    char *p = malloc(at->len);
    size_t n = 0;
    if (p && rt_fs->pread(s->fd, p, at->len, f->off, &n))
        n = 0;
    quarantine(e, s, f->off, p, n, "envelope does not decode");
    free(p);
    return owe_end(e, f->id);
}

static err tell_one(struct teller *t, const struct found *f, const struct told *told, size_t ntold)
{
    struct engine *e = t->d->e;
    struct envelope env;
    str text;
    arena_reset(&t->arena);
    err bad = window_get(e, &t->env, f->slot, f->at, f->len, &text);
    if (!bad)
        bad = envelope_decode(&t->arena, text, &env);
    if (bad == E_CORRUPT || (!bad && env.id != f->id))
        return give_up(e, f);
    struct rcpt_status *v = bad ? NULL : arena_array(&t->arena, env.nto, sizeof *v);
    if (!bad && !v)
        bad = E_NOMEM;
    for (uint32_t i = 0; !bad && i < env.nto; i++)
        v[i].held = env.flags & ENV_HELD;
    for (size_t i = 0; i < ntold && !bad; i++) {
        bad = pages_get(e, t->pages, &told[i], &t->state, &text);
        if (!bad && told[i].type == REC_RESULTS)
            bad = tell_results(&t->arena, text, v, env.nto);
        else if (!bad)
            bad = tell_retries(&t->arena, text, v, env.nto);
    }
    if (bad)
        return bad;
    bool left = false;
    for (uint32_t i = 0; i < env.nto; i++)
        left |= v[i].state != RCPT_DONE;
    if (!left)
        return owe_end(e, f->id);
    t->due(t->arg, &env, v);
    return OK;
}

err due_call(struct due *d, spool_due_fn *due, void *arg)
{
    struct engine *e = d->e;
    struct teller t = {.d = d, .due = due, .arg = arg};
    purge(d);
    if (d->nfound)
        qsort(d->found, d->nfound, sizeof *d->found, by_id);
    if (d->ntold)
        qsort(d->told, d->ntold, sizeof *d->told, by_stamp);
    t.pages = calloc(1, sizeof *t.pages);
    if (!t.pages)
        return E_NOMEM;
    t.pages->mem = d->ntold ? malloc((size_t)PAGES * PAGE) : NULL;
    buf_init(&t.env.buf, SEGMENT_MAX);
    buf_init(&t.state.buf, SEGMENT_MAX);
    arena_init(&t.arena, 16384, SEGMENT_MAX);
    err bad = OK;
    for (size_t i = 0, k = 0; i < d->nfound && !bad; i++) {
        const struct found *f = &d->found[i];
        if (i + AHEAD < d->nfound)
            index_fetch(&e->index, d->found[i + AHEAD].id);
        struct entry *at = index_find(&e->index, f->id);
        if (!at || entry_slot(at) != f->slot || at->off != f->off)
            continue;
        while (k < d->ntold && d->told[k].id < f->id)
            k++;
        size_t n = 0;
        while (k + n < d->ntold && d->told[k + n].id == f->id)
            n++;
        bad = tell_one(&t, f, d->told + k, n);
    }
    buf_free(&t.env.buf);
    buf_free(&t.state.buf);
    free(t.pages->mem);
    free(t.pages);
    arena_free(&t.arena);
    return bad;
}

void due_free(struct due *d)
{
    free(d->found);
    free(d->told);
}
