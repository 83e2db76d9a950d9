/* The words of a request in their form on the socket. Pure. */
#include "base/arena.h"
#include "ctl/ctl.h"

err ctl_request_encode(struct buf *out, const str *words, size_t n)
{
    uint64_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += 4 + (uint64_t)words[i].n;
    if (n > CTL_WORDS_MAX || size > CTL_REQUEST_MAX)
        return E_LIMIT;
    buf_put_u8(out, CTL_VERSION);
    buf_put_u32(out, (uint32_t)size);
    for (size_t i = 0; i < n; i++)
        buf_put_str32(out, words[i]);
    return out->e;
}

err ctl_request_head(str head, uint32_t *ret_size)
{
    struct cur c = cur_of(head);
    uint8_t version = cur_u8(&c);
    uint32_t size = cur_u32(&c);
    if (c.bad)
        return E_SYNTAX;
    if (version != CTL_VERSION)
        return E_UNSUPPORTED;
    if (size > CTL_REQUEST_MAX)
        return E_LIMIT;
    *ret_size = size;
    return OK;
}

err ctl_request_decode(struct arena *a, str body, struct ctl_request *ret)
{
    size_t n = 0;
    struct cur c = cur_of(body);
    for (; c.n && !c.bad; n++)
        cur_str32(&c);
    if (c.bad)
        return E_SYNTAX;
    if (n > CTL_WORDS_MAX)
        return E_LIMIT;
    struct ctl_request r = {arena_array(a, n + 1, sizeof *r.v), n};
    if (!r.v)
        return E_NOMEM;
    c = cur_of(body);
    for (size_t i = 0; i < n; i++)
        r.v[i] = cur_str32(&c);
    *ret = r;
    return OK;
}
