/* The octets of a message once more, for another message: pieces that are durable before the new record is. */
#include "spool/internal.h"

#include <stdlib.h>

/* The header block, which stays in memory, is not among the pieces; neither is what is left at the end. */
static err flush(struct spool_copy *c) YIELDS;
static err flush(struct spool_copy *c)
{
    struct spool_group *g = malloc(sizeof *g);
    if (!g)
        return E_NOMEM;
    spool_group_init(g);
    err e = spool_group_chunk(g, c->id, c->chunks, c->piece);
    c->chunks++; /* also when it fails: its fate is unknown then, and spool_forget must be told */
    e = e ? e : spool_put(c->spool, g);
    spool_group_free(g);
    free(g);
    body_drop(&c->piece);
    return e;
}

static err take(struct spool_copy *c, str octets) YIELDS;
static err take(struct spool_copy *c, str octets)
{
    err e = OK;
    while (octets.n && !e) {
        if (!c->piece && !(c->piece = body_new()))
            return E_NOMEM;
        str some = str_sub(octets, 0, SPOOL_CHUNK - (size_t)body_size(c->piece));
        e = body_add(c->piece, some);
        octets = str_skip(octets, some.n);
        if (!e && octets.n && body_size(c->piece) == SPOOL_CHUNK)
            e = flush(c);
    }
    return e;
}

err spool_copy_octets(struct spool_copy *c, struct spool *s, struct spool_reader *r)
{
    uint64_t at = 0, all = r->env.head_size + r->env.body_size, head = r->env.head_size;
    *c = (struct spool_copy){.spool = s, .id = spool_new_id(s), .body = body_new()};
    err e = c->body ? OK : E_NOMEM;
    while (!e && at < all) {
        str piece;
        e = spool_read_next(r, &piece);
        if (e || !piece.n)
            break;
        piece = str_sub(piece, 0, all - at);
        str first = at < head ? str_sub(piece, 0, head - at) : S("");
        e = body_add(c->body, first);
        e = e ? e : take(c, str_skip(piece, first.n));
        at += piece.n;
    }
    size_t k = 0;
    str piece;
    while (!e && c->piece && body_piece(c->piece, &k, &piece))
        e = body_add(c->body, piece);
    body_drop(&c->piece);
    return e ? e : at < all ? E_CORRUPT : OK;
}

void spool_copy_free(struct spool_copy *c, bool stored)
{
    if (c->chunks && !stored)
        spool_forget(c->spool, c->id);
    body_drop(&c->body);
    body_drop(&c->piece);
    c->chunks = 0;
}
