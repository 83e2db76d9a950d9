/*
 * Groups: records encoded by their owner, so that the writer has nothing left to do but to number and
 * seal them. A record's head and small payload lie in g->bytes; octets of bodies are named by parts
 * and written from where they are. Payload checksums are computed here, on the caller's thread.
 */
#include "spool/internal.h"

#include <stdlib.h>

enum { GROUP_MAX = 64 << 20, REPLY_MAX = 512 };

void spool_group_init(struct spool_group *g)
{
    g->done = (struct post){0};
    g->loop = NULL;
    g->e = OK;
    g->lazy = g->copies = g->brings = false;
    g->parts = NULL;
    g->nparts = 0;
    g->waiter = NULL;
    list_init(&g->held);
    buf_init_fixed(&g->bytes, g->room, sizeof g->room);
}

void spool_group_free(struct spool_group *g)
{
    for (uint32_t i = 0; i < g->nparts; i++)
        body_drop(&g->parts[i].body);
    if (g->parts != &g->first)
        free(g->parts);
    buf_free(&g->bytes);
    spool_group_init(g);
}

/* Room for n more bytes; small groups leave their own room for the heap when it is used up. */
static bool ensure(struct spool_group *g, size_t n)
{
    if (g->bytes.fixed && n > g->bytes.max - g->bytes.n) {
        struct buf heap;
        buf_init(&heap, GROUP_MAX);
        if (buf_room(&heap, g->bytes.n + n))
            buf_add(&heap, buf_str(&g->bytes));
        if (heap.e) {
            g->bytes.e = heap.e;
            buf_free(&heap);
        } else {
            g->bytes = heap;
        }
    }
    return buf_room(&g->bytes, n) != NULL;
}

static bool add_part(struct spool_group *g, struct body *b, bool env)
{
    struct spool_part *v = &g->first;
    if (g->nparts) {
        v = realloc(g->parts == &g->first ? NULL : g->parts, (g->nparts + 1) * sizeof *v);
        if (!v) {
            g->bytes.e = E_NOMEM;
            return false;
        }
        if (g->parts == &g->first)
            *v = g->first;
    }
    g->parts = v;
    v[g->nparts++] = (struct spool_part){(uint32_t)g->bytes.n, env, body_ref(b)};
    g->brings = true;
    return true;
}

static uint32_t sum_body(uint32_t sum, const struct body *b)
{
    str piece;
    for (size_t at = 0; body_piece(b, &at, &piece);)
        sum = crc32c(sum, piece.p, piece.n);
    return sum;
}

err spool_group_message(struct spool_group *g, const struct envelope *env, struct body *b, uint32_t chunks)
{
    if (g->bytes.e)
        return g->bytes.e;
    size_t envn = envelope_size(env), at = g->bytes.n;
    bool inside = !body_envelope(b).p && !body_put_envelope(b, env, chunks);
    if (!ensure(g, REC_HEAD + (inside ? 0 : envn)) || !add_part(g, b, inside))
        return g->bytes.e;
    g->bytes.n += REC_HEAD;
    str text = body_envelope(b);
    if (!inside) {
        err e = envelope_encode(&g->bytes, env);
        if (e)
            return e;
        text = str_mem(g->bytes.p + at + REC_HEAD, g->bytes.n - at - REC_HEAD);
    }
    struct rec r = {
        .type = REC_MESSAGE,
        .flags = env->nto == 1 ? REC_ONE : 0,
        .id = env->id,
        .aux = chunks,
        .meta = (uint32_t)text.n,
        .length = (uint32_t)(text.n + body_size(b)),
        .sum = sum_body(crc32c(0, text.p, text.n), b),
    };
    if (text.n + body_size(b) > SEGMENT_MAX)
        return g->bytes.e = E_LIMIT;
    rec_store(g->bytes.p + at, &r);
    return OK;
}

err spool_group_chunk(struct spool_group *g, uint64_t id, uint32_t n, struct body *b)
{
    if (g->bytes.e)
        return g->bytes.e;
    if (body_size(b) > SPOOL_CHUNK)
        return g->bytes.e = E_LIMIT;
    size_t at = g->bytes.n;
    if (!ensure(g, REC_HEAD) || !add_part(g, b, true))
        return g->bytes.e;
    g->bytes.n += REC_HEAD;
    struct rec r = {.type = REC_CHUNK, .id = id, .aux = n, .length = (uint32_t)body_size(b), .sum = sum_body(0, b)};
    rec_store(g->bytes.p + at, &r);
    return OK;
}

/* Ends a record whose payload was added behind the head's place at `at`. */
static err finish(struct spool_group *g, size_t at, uint8_t type, uint64_t id)
{
    if (g->bytes.e)
        return g->bytes.e;
    const char *p = g->bytes.p + at + REC_HEAD;
    uint32_t n = (uint32_t)(g->bytes.n - at - REC_HEAD);
    struct rec r = {.type = type, .id = id, .length = n, .meta = n, .sum = crc32c(0, p, n)};
    rec_store(g->bytes.p + at, &r);
    return OK;
}

err spool_group_results(struct spool_group *g, uint64_t id, const struct result *r, size_t n)
{
    size_t at = g->bytes.n, need = REC_HEAD + 4;
    for (size_t i = 0; i < n; i++)
        need += 7 + str_sub(r[i].reply, 0, REPLY_MAX).n;
    if (g->bytes.e || !ensure(g, need))
        return g->bytes.e;
    g->bytes.n += REC_HEAD;
    buf_put_u32(&g->bytes, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        buf_put_u32(&g->bytes, r[i].rcpt);
        buf_put_u8(&g->bytes, r[i].outcome);
        buf_put_str16(&g->bytes, str_sub(r[i].reply, 0, REPLY_MAX));
    }
    return finish(g, at, REC_RESULTS, id);
}

err spool_group_retries(struct spool_group *g, uint64_t id, const struct retry *r, size_t n)
{
    size_t at = g->bytes.n, need = REC_HEAD + 4;
    for (size_t i = 0; i < n; i++)
        need += 17 + str_sub(r[i].reply, 0, REPLY_MAX).n;
    if (g->bytes.e || !ensure(g, need))
        return g->bytes.e;
    g->bytes.n += REC_HEAD;
    buf_put_u32(&g->bytes, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        buf_put_u32(&g->bytes, r[i].rcpt);
        buf_put_u16(&g->bytes, r[i].attempts);
        buf_put_u8(&g->bytes, r[i].held);
        buf_put_u64(&g->bytes, (uint64_t)r[i].next_ms);
        buf_put_str16(&g->bytes, str_sub(r[i].reply, 0, REPLY_MAX));
    }
    return finish(g, at, REC_RETRIES, id);
}

err spool_group_end(struct spool_group *g, uint64_t id)
{
    size_t at = g->bytes.n;
    if (g->bytes.e || !ensure(g, REC_HEAD))
        return g->bytes.e;
    g->bytes.n += REC_HEAD;
    return finish(g, at, REC_END, id);
}

bool group_walk(struct spool_group *g, struct group_at *at, struct rec *r, struct spool_part **part)
{
    if (at->next + REC_HEAD > g->bytes.n)
        return false;
    at->rec = at->next;
    rec_peek(g->bytes.p + at->rec, r);
    *part = at->part < g->nparts && g->parts[at->part].at == at->rec ? &g->parts[at->part++] : NULL;
    at->next += REC_HEAD + (!*part ? r->length : (*part)->env ? 0 : r->meta);
    return true;
}
