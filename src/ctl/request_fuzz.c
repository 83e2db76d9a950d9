/* Any octets as a control request, and its words as options; then as an exported message. */
#include "ctl/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_request(struct arena *a, str in)
{
    uint32_t n;
    struct ctl_request r;
    struct ctl_args args;
    struct buf why;
    if (ctl_request_head(str_sub(in, 0, CTL_HEAD), &n) || n > in.n - CTL_HEAD)
        return;
    if (ctl_request_decode(a, str_sub(in, CTL_HEAD, CTL_HEAD + n), &r))
        return;
    buf_init(&why, 2048);
    for (unsigned opts = 0; opts < 256; opts += 255)
        if (!ctl_args_parse(a, r.v, r.n, opts, &args, &why) && why.n == 0)
            __builtin_trap(); /* a refusal says why */
    buf_free(&why);
    struct buf again;
    buf_init(&again, CTL_REQUEST_MAX + CTL_HEAD);
    if (ctl_request_encode(&again, r.v, r.n) == OK && !str_eq(buf_str(&again), str_sub(in, 0, CTL_HEAD + n)))
        __builtin_trap();
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    str in = {(const char *)data, size};
    arena_init(&a, 4096, 4 * CTL_REQUEST_MAX);
    as_request(&a, in);
    arena_free(&a);
    return 0;
}
