/* The exported form of a message: how it is written and read. Pure. */
#include "ctl/ctl.h"

#include "base/codec.h"

enum { MAGIC = sizeof CTL_EXPORT_MAGIC - 1, STATE_LEAST = 2 + 1 + 8 + 2 };

static uint32_t u32_at(str s, size_t at)
{
    struct cur c = cur_of(str_skip(s, at));
    return cur_u32(&c);
}

err ctl_export_head(struct buf *out, const struct envelope *env, const struct rcpt_status *state)
{
    size_t start = out->n;
    buf_add(out, S(CTL_EXPORT_MAGIC));
    buf_put_u32(out, 0); /* of everything behind it up to the octets; filled in below */
    buf_put_u32(out, 0); /* of the envelope */
    size_t at = out->n;
    err e = envelope_encode(out, env);
    if (e)
        return e;
    size_t env_size = out->n - at;
    for (uint32_t i = 0; i < env->nto; i++) {
        buf_put_u16(out, state[i].attempts);
        buf_put_u8(out, state[i].held);
        buf_put_u64(out, (uint64_t)state[i].next_ms);
        buf_put_str16(out, str_sub(state[i].reply, 0, 512));
    }
    if (out->e)
        return out->e;
    char mem[8];
    struct buf sizes;
    buf_init_fixed(&sizes, mem, sizeof mem);
    buf_put_u32(&sizes, (uint32_t)(out->n - at + 8));
    buf_put_u32(&sizes, (uint32_t)env_size);
    memcpy(out->p + start + MAGIC, mem, sizeof mem);
    buf_put_u32(out, crc32c(0, out->p + start, out->n - start));
    return out->e;
}

err ctl_export_size(str bytes, uint64_t *ret_head)
{
    static const str family = S_INIT("postrider message ");
    *ret_head = 0;
    if (!str_starts(bytes, str_sub(family, 0, bytes.n)))
        return E_SYNTAX;
    if (bytes.n < MAGIC + 4)
        return OK;
    if (!str_starts(bytes, S(CTL_EXPORT_MAGIC)))
        return E_UNSUPPORTED;
    uint64_t size = u32_at(bytes, MAGIC);
    if (size > CTL_EXPORT_HEAD_MAX)
        return E_LIMIT;
    *ret_head = MAGIC + 4 + size;
    return OK;
}

static err decode_states(struct arena *a, struct cur *c, struct ctl_export *x)
{
    if (x->env.nto == 0 || x->env.nto > c->n / STATE_LEAST)
        return E_CORRUPT;
    x->state = arena_array(a, x->env.nto, sizeof *x->state);
    if (!x->state)
        return E_NOMEM;
    for (uint32_t i = 0; i < x->env.nto; i++) {
        struct rcpt_status *s = &x->state[i];
        s->state = RCPT_WAITING;
        s->attempts = cur_u16(c);
        s->held = cur_u8(c) != 0;
        s->next_ms = (int64_t)cur_u64(c);
        s->reply = cur_str16(c);
    }
    return c->bad || c->n ? E_CORRUPT : OK;
}

err ctl_export_decode(struct arena *a, str head, struct ctl_export *ret)
{
    struct ctl_export x = {0};
    uint64_t size;
    if (ctl_export_size(head, &size) || size != head.n || head.n < MAGIC + 12)
        return E_CORRUPT;
    if (crc32c(0, head.p, head.n - 4) != u32_at(head, head.n - 4))
        return E_CORRUPT;
    struct cur c = cur_of(str_sub(head, MAGIC + 4, head.n - 4));
    err e = envelope_decode(a, cur_str32(&c), &x.env);
    if (!e)
        e = c.bad ? E_CORRUPT : decode_states(a, &c, &x);
    if (!e)
        *ret = x;
    return e;
}
