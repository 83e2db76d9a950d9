/* Answers of HTTP servers and questions to us, whole and in pieces: what is said of a part never contradicts the whole.
 */
#include "wire/fuzz.h"
#include "wire/http1.h"

static void as_request(str all, struct arena *a)
{
    struct http1_request r, part;
    err e = http1_request(all, a, &r);
    MUST(e || (http1_token(r.method) && r.n <= HTTP1_FIELDS_MAX && r.path.n <= HTTP1_TARGET_MAX && r.host.n <= all.n));
    arena_reset(a);
    for (size_t n = 0; n < all.n && n < 200; n++) {
        err p = http1_request(str_sub(all, 0, n), a, &part);
        MUST(p == E_AGAIN || p == e || e == E_AGAIN);
        arena_reset(a);
        if (p != E_AGAIN)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct http1_answer r, part;
    str all = str_mem(data, size);
    arena_init(&a, 16384, 1 << 20);
    err e = http1_answer(all, true, false, &a, &r);
    MUST(e != E_AGAIN);
    MUST(e || (r.status >= 100 && r.status <= 999 && r.n <= HTTP1_FIELDS_MAX && r.body.n <= size && r.used <= size));
    for (size_t n = 0; n < size && n < 200; n++) {
        err p = http1_answer(str_sub(all, 0, n), false, false, &a, &part);
        MUST(p != E_RESET);
        MUST(!(p == OK && e == OK) || part.status == r.status);
        arena_reset(&a);
        if (p != E_AGAIN)
            break;
    }
    as_request(all, &a);
    arena_free(&a);
    return 0;
}
