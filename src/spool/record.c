/* The stored forms of heads: records, batches, segments, trailers, footer entries. Layouts in docs/SPOOL.md 1. */
#include "spool/internal.h"

#define BATCH_MAGIC 0x31425250u   /* "PRB1" */
#define TRAILER_MAGIC 0x31545250u /* "PRT1" */
static const char head_magic[8] = {'P', 'R', 's', 'p', 'o', 'o', 'l', '\n'};

void rec_store(char *p, const struct rec *r)
{
    put32(p + 4, r->sum);
    put64(p + 8, r->gen);
    put32(p + 16, r->batch);
    put32(p + 20, r->length);
    put32(p + 24, r->meta);
    p[28] = (char)r->type;
    p[29] = (char)r->flags;
    p[30] = p[31] = 0;
    put64(p + 32, r->id);
    put64(p + 40, r->aux);
    put32(p, crc32c(0, p + 4, REC_HEAD - 4));
}

void rec_peek(const char *p, struct rec *r)
{
    r->sum = get32(p + 4);
    r->gen = get64(p + 8);
    r->batch = get32(p + 16);
    r->length = get32(p + 20);
    r->meta = get32(p + 24);
    r->type = (uint8_t)p[28];
    r->flags = (uint8_t)p[29];
    r->id = get64(p + 32);
    r->aux = get64(p + 40);
}

bool rec_load(const char *p, struct rec *r)
{
    if (get32(p) != crc32c(0, p + 4, REC_HEAD - 4))
        return false;
    rec_peek(p, r);
    return r->type > 0 && r->type < REC_TYPES && r->meta <= r->length && r->id;
}

void batch_store(char *p, const struct batch_head *b)
{
    put32(p + 4, BATCH_MAGIC);
    put64(p + 8, b->gen);
    put32(p + 16, b->number);
    put32(p + 20, b->length);
    put32(p + 24, b->count);
    put32(p + 28, b->durable);
    put64(p + 32, b->last_id);
    put64(p + 40, b->stamp);
    put32(p, crc32c(0, p + 4, BATCH_HEAD - 4));
}

bool batch_load(const char *p, struct batch_head *b)
{
    if (get32(p + 4) != BATCH_MAGIC || get32(p) != crc32c(0, p + 4, BATCH_HEAD - 4))
        return false;
    b->gen = get64(p + 8);
    b->number = get32(p + 16);
    b->length = get32(p + 20);
    b->count = get32(p + 24);
    b->durable = get32(p + 28);
    b->last_id = get64(p + 32);
    b->stamp = get64(p + 40);
    return b->length >= BATCH_HEAD && b->number;
}

void head_store(char *p, const struct seg_head *h)
{
    memset(p, 0, HEAD_BYTES);
    memcpy(p, head_magic, 8);
    put32(p + 8, h->version);
    put32(p + 12, h->state);
    put64(p + 16, h->gen);
    put64(p + 24, h->size);
    put64(p + 32, h->last_id);
    put64(p + 40, h->stamp);
    put32(p + 48, h->turn);
    put32(p + 52, h->ncuts);
    put32(p + 56, h->cut);
    for (uint32_t i = 0; i < h->ncuts; i++) {
        put64(p + 64 + 16 * i, h->cuts[i].gen);
        put32(p + 72 + 16 * i, h->cuts[i].batch);
    }
    put32(p + HEAD_BYTES - 4, crc32c(0, p, HEAD_BYTES - 4));
}

bool head_load(const char *p, struct seg_head *h)
{
    if (memcmp(p, head_magic, 8) != 0 || get32(p + HEAD_BYTES - 4) != crc32c(0, p, HEAD_BYTES - 4))
        return false;
    *h = (struct seg_head){
        .version = get32(p + 8),
        .state = get32(p + 12),
        .gen = get64(p + 16),
        .size = get64(p + 24),
        .last_id = get64(p + 32),
        .stamp = get64(p + 40),
        .turn = get32(p + 48),
        .ncuts = get32(p + 52),
        .cut = get32(p + 56),
    };
    if (h->ncuts > MAX_CUTS)
        h->ncuts = MAX_CUTS;
    for (uint32_t i = 0; i < h->ncuts; i++)
        h->cuts[i] = (struct cut){get64(p + 64 + 16 * i), get32(p + 72 + 16 * i)};
    return true;
}

void trailer_store(char *p, const struct trailer *t)
{
    memset(p, 0, TRAILER_BYTES);
    put32(p, TRAILER_MAGIC);
    put64(p + 8, t->gen);
    put64(p + 16, t->end);
    put32(p + 24, t->at);
    put32(p + 28, t->length);
    put32(p + 32, t->sum);
    put32(p + 36, t->count);
    put32(p + 40, t->batch);
    put32(p + TRAILER_BYTES - 4, crc32c(0, p, TRAILER_BYTES - 4));
}

bool trailer_load(const char *p, struct trailer *t)
{
    if (get32(p) != TRAILER_MAGIC || get32(p + TRAILER_BYTES - 4) != crc32c(0, p, TRAILER_BYTES - 4))
        return false;
    *t = (struct trailer){
        .gen = get64(p + 8),
        .end = get64(p + 16),
        .at = get32(p + 24),
        .length = get32(p + 28),
        .sum = get32(p + 32),
        .count = get32(p + 36),
        .batch = get32(p + 40),
    };
    return true;
}

void foot_store(char *p, const struct foot_entry *f)
{
    p[0] = (char)f->type;
    p[1] = (char)f->flags;
    p[2] = p[3] = 0;
    put32(p + 4, f->off);
    put32(p + 8, f->len);
    put32(p + 12, f->meta);
    put64(p + 16, f->id);
    put64(p + 24, f->aux);
}

bool foot_next(str *rest, struct foot_entry *ret, str *ret_meta)
{
    if (rest->n < FOOT_ENTRY)
        return false;
    const char *p = rest->p;
    *ret = (struct foot_entry){
        .type = (uint8_t)p[0],
        .flags = (uint8_t)p[1],
        .off = get32(p + 4),
        .len = get32(p + 8),
        .meta = get32(p + 12),
        .id = get64(p + 16),
        .aux = get64(p + 24),
    };
    if (ret->meta > rest->n - FOOT_ENTRY || !ret->type || ret->type >= REC_TYPES)
        return false;
    *ret_meta = str_sub(*rest, FOOT_ENTRY, FOOT_ENTRY + ret->meta);
    *rest = str_skip(*rest, FOOT_ENTRY + ret->meta);
    return true;
}
