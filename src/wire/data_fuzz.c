/* Any octets as message data: cut into pieces or whole, in place or not, the result is one and the same; what
 * is sent comes back as it was, and never holds a second end. */
#include "wire/data.h"
#include "wire/fuzz.h"

#include <string.h>

struct result {
    struct data_in d;
    char *p;
    size_t n, used;
};

static struct result receive(const char *in, size_t n, enum data_mode mode, size_t step, bool in_place)
{
    struct result r = {.p = malloc(2 * n + 1)};
    MUST(r.p);
    data_in_init(&r.d, mode, 40);
    while (r.used < n && !r.d.done) {
        size_t k = n - r.used < step ? n - r.used : step, o;
        char *piece = malloc(k), *out = in_place ? piece : r.p + r.n;
        MUST(piece);
        memcpy(piece, in + r.used, k);
        r.used += data_in_feed(&r.d, piece, k, out, &o);
        MUST(o <= k + !in_place);
        if (in_place)
            memcpy(r.p + r.n, out, o);
        r.n += o;
        free(piece);
    }
    data_in_end(&r.d);
    MUST(r.d.size == r.n);
    MUST(!r.d.head_done || (r.d.body_at >= 2 && r.d.body_at <= r.n));
    return r;
}

static void back_and_forth(const struct result *r)
{
    char *wire = malloc(2 * r->n + 8);
    size_t n = 0;
    struct data_out d;
    str in = {r->p, r->n}, piece;
    MUST(wire);
    data_out_init(&d);
    for (size_t at = 0; at < r->n; at += 7) {
        str part = str_sub(in, at, at + 7);
        while (data_out_next(&d, &part, &piece)) {
            memcpy(wire + n, piece.p, piece.n);
            n += piece.n;
        }
    }
    piece = data_out_end(&d);
    memcpy(wire + n, piece.p, piece.n);
    n += piece.n;
    struct result back = receive(wire, n, DATA_DOT, n, false);
    MUST(back.d.done && back.used == n && !(back.d.flags & DATA_BARE));
    if (!(r->d.flags & DATA_BARE) && !(r->n && r->p[r->n - 1] == '\r')) {
        MUST(back.n >= r->n && memcmp(back.p, r->p, r->n) == 0);
        MUST(back.n == r->n || (back.n == r->n + 2 && (r->n < 2 || memcmp(r->p + r->n - 2, "\r\n", 2) != 0)));
    }
    free(back.p);
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096)
        return 0;
    const char *in = (const char *)data + 1;
    size_t n = size - 1, step = data[0] % 100 + 1;
    enum data_mode mode = data[0] & 128 ? DATA_CHUNK : DATA_DOT;
    struct result whole = receive(in, n, mode, n ? n : 1, false), cut = receive(in, n, mode, step, false),
                  place = receive(in, n, mode, step, true);
    MUST(whole.used == cut.used && whole.n == cut.n && memcmp(whole.p, cut.p, whole.n) == 0);
    MUST(whole.d.flags == cut.d.flags && whole.d.longest == cut.d.longest && whole.d.body_at == cut.d.body_at);
    MUST(place.used == cut.used);
    if (!(cut.d.flags & DATA_BARE_CR))
        MUST(place.n == cut.n && memcmp(place.p, cut.p, cut.n) == 0 && place.d.flags == cut.d.flags);
    const char *end = mode == DATA_CHUNK                      ? NULL
                      : n >= 3 && memcmp(in, ".\r\n", 3) == 0 ? in
                                                              : memmem(in, n, "\r\n.\r\n", 5);
    MUST(whole.d.done == (end != NULL));
    if (end)
        MUST(whole.used == (size_t)(end - in) + (*end == '.' ? 3 : 5));
    back_and_forth(&whole);
    free(whole.p);
    free(cut.p);
    free(place.p);
    return 0;
}
