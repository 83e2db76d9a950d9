/* Envelopes in their stored form. Version 1: fixed fields, strings with 16-bit lengths, recipients.
 * Version 2, of messages that need it: before all that, when to release and by when to deliver.
 * Version 3, likewise: as 2, and before that why it is held. Version 4: as 3, and before that the way it leaves by.
 * Version 5: as 4, and with each recipient where it was redirected from. */
#include "spool/internal.h"

enum {
    ENVELOPE_VERSION = 1,
    ENVELOPE_TIMED = 2,
    ENVELOPE_HELD = 3,
    ENVELOPE_WAY = 4,
    ENVELOPE_PAST = 5,
    RECIPIENT_LEAST = 9,
    TIMED = 8 + 8 + 1 + 1
};

static bool timed(const struct envelope *e) { return e->release_ms || e->by_ms || e->by || e->priority; }

static bool redirected(const struct envelope *e)
{
    for (uint32_t i = 0; i < e->nto; i++)
        if (e->to[i].past.n)
            return true;
    return false;
}

static uint8_t version_of(const struct envelope *e)
{
    if (redirected(e))
        return ENVELOPE_PAST;
    if (e->way.n)
        return ENVELOPE_WAY;
    return e->held_why.n ? ENVELOPE_HELD : timed(e) ? ENVELOPE_TIMED : ENVELOPE_VERSION;
}

err envelope_encode(struct buf *out, const struct envelope *e)
{
    uint8_t version = version_of(e);
    buf_put_u8(out, version);
    if (version >= ENVELOPE_WAY)
        buf_put_str16(out, e->way);
    if (version >= ENVELOPE_HELD)
        buf_put_str16(out, e->held_why);
    if (version >= ENVELOPE_TIMED) {
        buf_put_u64(out, (uint64_t)e->release_ms);
        buf_put_u64(out, (uint64_t)e->by_ms);
        buf_put_u8(out, e->by);
        buf_put_u8(out, (uint8_t)e->priority);
    }
    buf_put_u64(out, e->id);
    buf_put_u64(out, (uint64_t)e->arrived_ms);
    buf_put_u64(out, (uint64_t)e->expires_ms);
    buf_put_u32(out, e->tenant);
    buf_put_u32(out, e->flags);
    buf_put_u8(out, e->body);
    buf_put_u8(out, e->ret);
    buf_put_u8(out, e->class);
    buf_put_u8(out, e->hops);
    buf_put_u32(out, e->head_size);
    buf_put_u64(out, e->body_size);
    const str texts[] = {e->sender, e->envid, e->client, e->helo, e->user, e->message_id};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        buf_put_str16(out, texts[i]);
    buf_put_u32(out, e->nto);
    for (uint32_t i = 0; i < e->nto; i++) {
        buf_put_str16(out, e->to[i].address);
        buf_put_str16(out, e->to[i].orcpt);
        buf_put_u8(out, e->to[i].notify);
        buf_put_str16(out, e->to[i].list);
        buf_put_str16(out, e->to[i].sender);
        if (version >= ENVELOPE_PAST)
            buf_put_str16(out, e->to[i].past);
    }
    return out->e;
}

static err decode_recipients(struct arena *a, struct cur *c, uint8_t version, struct envelope *e)
{
    e->nto = cur_u32(c);
    if (c->bad || e->nto > c->n / RECIPIENT_LEAST)
        return E_CORRUPT;
    e->to = arena_array(a, e->nto, sizeof *e->to);
    if (!e->to)
        return E_NOMEM;
    for (uint32_t i = 0; i < e->nto; i++) {
        e->to[i].address = cur_str16(c);
        e->to[i].orcpt = cur_str16(c);
        e->to[i].notify = cur_u8(c);
        e->to[i].list = cur_str16(c);
        e->to[i].sender = cur_str16(c);
        e->to[i].past = version >= ENVELOPE_PAST ? cur_str16(c) : (str){"", 0};
    }
    return c->bad || c->n ? E_CORRUPT : OK;
}

err envelope_decode(struct arena *a, str bytes, struct envelope *ret)
{
    struct cur c = cur_of(bytes);
    struct envelope e = {0};
    uint8_t version = cur_u8(&c);
    if (version < ENVELOPE_VERSION || version > ENVELOPE_PAST)
        return E_CORRUPT;
    if (version >= ENVELOPE_WAY)
        e.way = cur_str16(&c);
    if (version >= ENVELOPE_HELD)
        e.held_why = cur_str16(&c);
    if (version >= ENVELOPE_TIMED) {
        e.release_ms = (int64_t)cur_u64(&c);
        e.by_ms = (int64_t)cur_u64(&c);
        e.by = cur_u8(&c);
        e.priority = (int8_t)cur_u8(&c);
    }
    e.id = cur_u64(&c);
    e.arrived_ms = (int64_t)cur_u64(&c);
    e.expires_ms = (int64_t)cur_u64(&c);
    e.tenant = cur_u32(&c);
    e.flags = cur_u32(&c);
    e.body = cur_u8(&c);
    e.ret = cur_u8(&c);
    e.class = cur_u8(&c);
    e.hops = cur_u8(&c);
    e.head_size = cur_u32(&c);
    e.body_size = cur_u64(&c);
    str *texts[] = {&e.sender, &e.envid, &e.client, &e.helo, &e.user, &e.message_id};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = cur_str16(&c);
    err bad = decode_recipients(a, &c, version, &e);
    if (bad || version != version_of(&e)) /* a higher version than it needs is not what we write */
        return bad ? bad : E_CORRUPT;
    *ret = e;
    return OK;
}

size_t envelope_size(const struct envelope *e)
{
    size_t n = 1 + 3 * 8 + 2 * 4 + 4 + 4 + 8 + 6 * 2 + 4;
    uint8_t version = version_of(e);
    n += version >= ENVELOPE_TIMED ? TIMED : 0;
    n += version >= ENVELOPE_HELD ? 2 + e->held_why.n : 0;
    n += version >= ENVELOPE_WAY ? 2 + e->way.n : 0;
    n += version >= ENVELOPE_PAST ? 2 * (size_t)e->nto : 0;
    n += e->sender.n + e->envid.n + e->client.n + e->helo.n + e->user.n + e->message_id.n;
    for (uint32_t i = 0; i < e->nto; i++) {
        n += RECIPIENT_LEAST + e->to[i].address.n + e->to[i].orcpt.n;
        n += e->to[i].list.n + e->to[i].sender.n + e->to[i].past.n;
    }
    return n;
}
