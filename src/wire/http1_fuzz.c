/* Answers of HTTP servers, whole and in pieces: what is said of a part never contradicts the whole. */
#include "wire/fuzz.h"
#include "wire/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct http1_answer r, part;
    str all = str_mem(data, size);
    arena_init(&a, 16384, 1 << 20);
    err e = http1_answer(all, true, false, &a, &r);
    MUST(e != E_AGAIN);
    MUST(e || (r.status >= 100 && r.status <= 999 && r.n <= HTTP1_FIELDS_MAX && r.body.n <= size));
    for (size_t n = 0; n < size && n < 200; n++) {
        err p = http1_answer(str_sub(all, 0, n), false, false, &a, &part);
        MUST(p != E_RESET);
        MUST(!(p == OK && e == OK) || part.status == r.status);
        arena_reset(&a);
        if (p != E_AGAIN)
            break;
    }
    arena_free(&a);
    return 0;
}
