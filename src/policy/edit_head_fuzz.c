/* One edit of a header block: it adds or takes away a field, and never ends the header. Octets: kind, index, length of
 * the name, length of the value, both, the block. */
#include "policy/internal.h"
#include "wire/fuzz.h"
#include "wire/head.h"

static size_t fields(str block, str *ret_rest)
{
    size_t n = 0;
    struct head_field f;
    while (head_next(&block, &f))
        n++;
    *ret_rest = block;
    return n;
}

static void look(const struct edit *e, str block)
{
    struct buf out;
    str rest, after;
    size_t before = fields(block, &rest);
    buf_init(&out, 1 << 20);
    err bad = policy_edit_head(e, block, NULL, NULL, &out);
    if (!bad && str_eq(rest, S("\r\n"))) {
        size_t n = fields(buf_str(&out), &after);
        bool adds = e->kind == EDIT_HEADER_ADD || e->kind == EDIT_HEADER_INSERT;
        MUST(str_eq(after, S("\r\n")));
        MUST(!adds || n == before + 1);
        MUST(e->kind != EDIT_HEADER_REMOVE || n <= before);
        MUST(e->kind != EDIT_HEADER_CHANGE || n == before + 1 || n == before || n + 1 == before);
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || size > 1 << 16)
        return 0;
    str in = str_mem(data + 4, size - 4);
    size_t name = data[2] < in.n ? data[2] : in.n, value = data[3] < in.n - name ? data[3] : in.n - name;
    struct edit e = {.kind = (enum edit_kind)(EDIT_HEADER_ADD + data[0] % 4),
                     .index = data[1],
                     .name = str_sub(in, 0, name),
                     .value = str_sub(in, name, name + value)};
    if (!edit_is_good(&e))
        return 0;
    struct buf block;
    buf_init(&block, 1 << 17);
    buf_add(&block, str_skip(in, name + value));
    buf_add(&block, S("\r\n\r\n"));
    look(&e, buf_str(&block));
    buf_clear(&block);
    buf_add(&block, S("A: b\r\nC: d\r\n\r\n"));
    look(&e, buf_str(&block));
    buf_free(&block);
    return 0;
}
