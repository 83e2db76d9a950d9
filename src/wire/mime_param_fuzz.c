/* Any octets as a field with parameters: names are bounded and clean; as a coded text: the size of the pieces does not
 * matter. */
#include "wire/mime_param.h"

#include "base/cleanup.h"
#include "wire/fuzz.h"

static void decode(enum mime_coding coding, str in, size_t step, struct buf *out)
{
    struct mime_decoder d = {.coding = coding};
    for (size_t at = 0; at < in.n; at += step) {
        str piece = str_sub(in, at, at + step);
        char *p = buf_room(out, piece.n + 3);
        MUST(p);
        size_t n = mime_decode(&d, piece, p);
        MUST(n <= piece.n + 3);
        out->n += n;
    }
    char *p = buf_room(out, 3);
    MUST(p);
    out->n += mime_decode_end(&d, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 20000)
        return 0;
    str in = {(const char *)data + 1, size - 1}, names[MIME_NAMES_MAX];
    AUTO_ARENA a = {0};
    AUTO_BUF one, other;
    arena_init(&a, 4096, 65536);
    buf_init(&one, 1 << 20);
    buf_init(&other, 1 << 20);
    size_t n = mime_names(in, S("name"), &a, names, NULL);
    MUST(n <= MIME_NAMES_MAX);
    for (size_t i = 0; i < n; i++) {
        MUST(names[i].n > 0 && names[i].n <= MIME_NAME_MAX);
        for (size_t j = 0; j < names[i].n; j++)
            MUST((unsigned char)names[i].p[j] >= 32 && names[i].p[j] != 127);
    }
    decode(data[0] % 3, in, in.n ? in.n : 1, &one);
    decode(data[0] % 3, in, data[0] / 3 + 1u, &other);
    MUST(str_eq(buf_str(&one), buf_str(&other)));
    return 0;
}
