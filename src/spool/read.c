/*
 * Reading one message: from memory, or from the log in pieces. The segments that it lies in are pinned,
 * so that they are not freed before the reader is closed. Checksums are verified while the bytes
 * pass, before the last piece of a record is handed out.
 */
#include "spool/internal.h"

#include <stdlib.h>

enum { READ_PIECE = 64 * 1024 };

/* One record of the message; the message record is visited twice when there are chunks. */
struct source {
    struct seg *seg;
    struct place place;
    uint64_t at, end; /* file offsets: next octet, behind the last */
    uint32_t sum, want;
    uint8_t type;
    bool open; /* its head was read */
};

struct reading {
    struct engine *e;
    struct source message;
    struct source *chunk;
    uint32_t nchunks, turn; /* 0: head block, 1..n: chunks, n + 1: the rest */
    uint64_t head_end;      /* where the head block ends */
    size_t fresh;           /* octets in the buffer that were not handed out; they begin at buf.n */
    bool chunks_only;       /* of a message that is still coming in: turns 1..n */
};

struct job {
    int fd;
    char *p;
    size_t n, got;
    uint64_t at;
    err e;
};

static void run_job(void *arg)
{
    struct job *j = arg;
    j->e = rt_fs->pread(j->fd, j->p, j->n, j->at, &j->got);
}

/* All n bytes, off the loop's thread when there is one. */
static err fetch(const struct source *s, char *p, size_t n, uint64_t at) YIELDS
{
    struct job j = {.fd = s->seg->fd, .p = p, .n = n, .at = at};
    err bad = OK;
    if (fiber_self())
        bad = rt_pool_run(run_job, &j);
    else
        run_job(&j);
    if (bad == E_LIMIT)
        bad = E_AGAIN;
    return bad ? bad : j.e ? j.e : j.got < n ? E_CORRUPT : OK;
}

static void unpin(struct engine *e, struct reading *g)
{
    bool last = false;
    lock_take(&e->lock);
    for (uint32_t i = 0; i <= g->nchunks; i++) {
        struct seg *s = i ? g->chunk[i - 1].seg : g->message.seg;
        last |= s && --s->pins == 0 && !s->live;
    }
    lock_drop(&e->lock);
    if (last)
        e->wake(e);
}

static void set_source(struct engine *e, struct source *s, const struct place *p, uint8_t type)
{
    *s = (struct source){.seg = e->segs[p->slot], .place = *p, .type = type};
    s->seg->pins++;
}

static err find_chunks(struct engine *e, struct reading *g, uint64_t id)
{
    struct chunks *c = chunks_find(e, id);
    if (!c)
        return OK;
    g->chunk = calloc(c->n, sizeof *g->chunk);
    if (!g->chunk)
        return E_NOMEM;
    for (uint32_t i = 0; i < c->n; i++) {
        if (!c->v[i].len)
            return E_CORRUPT;
        set_source(e, &g->chunk[i], &c->v[i], REC_CHUNK);
        g->nchunks = i + 1;
    }
    return OK;
}

/* Finds and pins everything in one step. */
static err find(struct engine *e, struct reading *g, uint64_t id)
{
    err bad = E_NOT_FOUND;
    lock_take(&e->lock);
    struct entry *at = index_find(&e->index, id);
    if (at) {
        set_source(e, &g->message, &(struct place){entry_slot(at), at->off, at->len}, REC_MESSAGE);
        bad = find_chunks(e, g, id);
    }
    lock_drop(&e->lock);
    return bad;
}

static err check_head(const struct source *s, const char *p, uint64_t id, struct rec *r)
{
    bool good = rec_load(p, r) && r->type == s->type && r->id == id && REC_HEAD + r->length == s->place.len;
    return good ? OK : E_CORRUPT;
}

/* The head and envelope of the message, and as many octets as fit in one read. */
static err open_message(struct spool_reader *r, struct reading *g, uint64_t id) YIELDS
{
    struct source *s = &g->message;
    struct rec rec;
    size_t n = s->place.len < READ_PIECE ? s->place.len : READ_PIECE;
    char *p = buf_room(&r->buf, n);
    if (!p)
        return E_NOMEM;
    err bad = fetch(s, p, n, s->place.off);
    if (!bad)
        bad = n < REC_HEAD ? E_CORRUPT : check_head(s, p, id, &rec);
    if (bad)
        return bad;
    size_t front = REC_HEAD + rec.meta;
    if (front > n) {
        p = buf_room(&r->buf, front);
        bad = p ? fetch(s, p + n, front - n, s->place.off + n) : E_NOMEM;
        n = front;
    }
    if (bad)
        return bad;
    str text = arena_str(&r->arena, str_mem(p + REC_HEAD, rec.meta));
    bad = text.p ? envelope_decode(&r->arena, text, &r->env) : E_NOMEM;
    if (bad)
        return bad;
    s->sum = crc32c(0, text.p, text.n);
    s->want = rec.sum;
    s->at = s->place.off + front;
    s->end = s->place.off + s->place.len;
    s->open = true;
    g->head_end = s->at + r->env.head_size;
    if (rec.aux != g->nchunks || (g->nchunks && g->head_end > s->end) || (s->at == s->end && s->sum != s->want))
        return E_CORRUPT;
    r->buf.n = front;
    g->fresh = n - front;
    return OK;
}

static err open_log(struct spool_reader *r, struct engine *e, uint64_t id) YIELDS
{
    struct reading *g = calloc(1, sizeof *g);
    if (!g)
        return E_NOMEM;
    g->e = e;
    r->state = g;
    err bad = find(e, g, id);
    return bad ? bad : open_message(r, g, id);
}

err read_open(struct spool_reader *r, struct engine *e, uint64_t id, struct body *mem)
{
    *r = (struct spool_reader){0};
    arena_init(&r->arena, 4096, SEGMENT_MAX);
    buf_init(&r->buf, SEGMENT_MAX);
    err bad = E_NOT_FOUND;
    if (mem && body_envelope(mem).p && !body_chunks(mem))
        bad = envelope_decode(&r->arena, body_envelope(mem), &r->env);
    if (!bad && r->env.id == id)
        r->mem = body_ref(mem);
    else
        bad = open_log(r, e, id);
    if (bad)
        spool_read_close(r);
    return bad;
}

err read_open_chunks(struct spool_reader *r, struct engine *e, uint64_t id)
{
    *r = (struct spool_reader){0};
    arena_init(&r->arena, 4096, SEGMENT_MAX);
    buf_init(&r->buf, SEGMENT_MAX);
    r->env.id = id;
    struct reading *g = calloc(1, sizeof *g);
    if (!g)
        return E_NOMEM;
    *g = (struct reading){.e = e, .turn = 1, .chunks_only = true};
    r->state = g;
    lock_take(&e->lock);
    err bad = find_chunks(e, g, id);
    lock_drop(&e->lock);
    bad = bad ? bad : g->nchunks ? OK : E_NOT_FOUND;
    if (bad)
        spool_read_close(r);
    return bad;
}

/* Where reading of the current source must stop this time. */
static uint64_t stop_of(const struct reading *g, const struct source *s)
{
    return g->nchunks && g->turn == 0 ? g->head_end : s->end;
}

static struct source *current(struct reading *g)
{
    for (; g->turn <= g->nchunks + (g->nchunks > 0 && !g->chunks_only); g->turn++) {
        struct source *s = g->turn == 0 || g->turn > g->nchunks ? &g->message : &g->chunk[g->turn - 1];
        if (!s->open || s->at < stop_of(g, s))
            return s;
    }
    return NULL;
}

static err open_chunk(struct spool_reader *r, struct source *s) YIELDS
{
    char head[REC_HEAD];
    struct rec rec;
    err bad = fetch(s, head, REC_HEAD, s->place.off);
    if (!bad)
        bad = check_head(s, head, r->env.id, &rec);
    if (bad)
        return bad;
    s->want = rec.sum;
    s->at = s->place.off + REC_HEAD;
    s->end = s->place.off + s->place.len;
    s->open = true;
    return OK;
}

static err next_of_log(struct spool_reader *r, struct reading *g, str *ret) YIELDS
{
    struct source *s = current(g);
    err bad = OK;
    *ret = (str){"", 0};
    while (s && !s->open && !bad) {
        bad = open_chunk(r, s);
        s = current(g);
    }
    if (bad || !s)
        return bad;
    uint64_t left = stop_of(g, s) - s->at;
    if (!g->fresh) {
        buf_clear(&r->buf);
        g->fresh = left < READ_PIECE ? left : READ_PIECE;
        char *p = buf_room(&r->buf, g->fresh);
        bad = p ? fetch(s, p, g->fresh, s->at) : E_NOMEM;
    }
    if (bad)
        return bad;
    size_t n = g->fresh < left ? g->fresh : left;
    *ret = str_mem(r->buf.p + r->buf.n, n);
    s->sum = crc32c(s->sum, ret->p, n);
    s->at += n;
    /* What was read beyond the head block is read again when its turn comes. */
    g->fresh = s->at < stop_of(g, s) ? g->fresh - n : 0;
    r->buf.n += n;
    return s->at == s->end && s->sum != s->want ? E_CORRUPT : OK;
}

err spool_read_next(struct spool_reader *r, str *ret_piece)
{
    if (!r->mem)
        return r->state ? next_of_log(r, r->state, ret_piece) : E_BUG;
    while (body_piece(r->mem, &r->at, ret_piece))
        if (ret_piece->n)
            return OK;
    *ret_piece = (str){"", 0};
    return OK;
}

void spool_read_close(struct spool_reader *r)
{
    struct reading *g = r->state;
    body_drop(&r->mem);
    if (g) {
        unpin(g->e, g);
        free(g->chunk);
        free(g);
    }
    buf_free(&r->buf);
    arena_free(&r->arena);
    r->state = NULL;
}
