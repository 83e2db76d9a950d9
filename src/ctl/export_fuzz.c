/* Any octets as the head of an exported message; the checksum is made right, so that what lies behind it is reached. */
#include "base/codec.h"
#include "ctl/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(struct arena *a, const struct ctl_export *x)
{
    struct buf b;
    struct ctl_export y;
    buf_init(&b, CTL_EXPORT_HEAD_MAX);
    if (ctl_export_head(&b, &x->env, x->state) == OK) {
        if (ctl_export_decode(a, buf_str(&b), &y) || y.env.nto != x->env.nto || !str_eq(y.env.sender, x->env.sender))
            __builtin_trap();
    }
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct ctl_export x;
    uint64_t head;
    struct buf b;
    arena_init(&a, 4096, 64 << 20);
    buf_init(&b, 1 << 24);
    buf_add(&b, (str){(const char *)data, size});
    if (ctl_export_size(buf_str(&b), &head) == OK && head == b.n && b.n > 28) {
        uint32_t crc = crc32c(0, b.p, b.n - 4);
        for (int i = 0; i < 4; i++)
            b.p[b.n - 4 + (size_t)i] = (char)(crc >> (8 * i));
    }
    if (ctl_export_decode(&a, buf_str(&b), &x) == OK)
        check_again(&a, &x);
    buf_free(&b);
    arena_free(&a);
    return 0;
}
