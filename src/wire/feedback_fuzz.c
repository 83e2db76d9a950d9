/* Aggregate reports of others: what is read can be written and read again. */
#include "wire/feedback.h"
#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct feedback f, again;
    struct buf out;
    arena_init(&a, 4096, 4 << 20);
    buf_init(&out, 16 << 20);
    if (feedback_read(str_mem(data, size), &a, &f) == OK && feedback_print(&out, &f) == OK) {
        err e = feedback_read(buf_str(&out), &a, &again);
        MUST(e == E_LIMIT || (e == OK && again.nrows == f.nrows));
    }
    buf_free(&out);
    arena_free(&a);
    return 0;
}
