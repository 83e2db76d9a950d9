/* Any octets as a message: what can be converted comes out fit for 7 bits, and a second time unchanged. */
#include "base/text.h"
#include "wire/fuzz.h"
#include "wire/head.h"
#include "wire/mime.h"

#include <string.h>

static bool convert(str in, size_t step, struct buf *out, struct mime_info *info)
{
    struct mime *m = mime_new();
    MUST(m);
    for (size_t at = 0; at < in.n; at += step)
        mime_scan(m, str_sub(in, at, at + step));
    err e = mime_scan_end(m, info);
    bool ok = !e && !info->bad;
    for (size_t at = 0; ok && at < in.n; at += step)
        MUST(mime_convert(m, str_sub(in, at, at + step), out) == OK);
    if (ok)
        MUST(mime_convert_end(m, out) == OK);
    mime_free(&m);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 20000)
        return 0;
    str in = {(const char *)data + 1, size - 1};
    struct buf a, b, c;
    struct mime_info info, again;
    buf_init(&a, 1 << 22);
    buf_init(&b, 1 << 22);
    buf_init(&c, 1 << 22);
    bool ok = convert(in, in.n ? in.n : 1, &a, &info);
    MUST(ok == convert(in, data[0] + 1u, &b, &again) && str_eq(buf_str(&a), buf_str(&b)));
    if (ok) {
        MUST(info.head_8bit || text_ascii(buf_str(&a)));
        if (convert(buf_str(&a), 1000, &c, &again))
            MUST(!again.body_8bit && !again.binary && !again.long_line && str_eq(buf_str(&a), buf_str(&c)));
        if (!info.body_8bit && !info.binary && !info.long_line &&
            memmem(in.p, in.n, ":", 1) == NULL) /* no field: nothing to relabel */
            MUST(str_eq(buf_str(&a), in));
    }
    buf_free(&a);
    buf_free(&b);
    buf_free(&c);
    return 0;
}
