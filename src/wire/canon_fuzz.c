/* Any octets as a body, in pieces: the canonical form is the same, ends in CRLF and is its own canonical form. */
#include "wire/canon.h"
#include "wire/fuzz.h"

#include <string.h>

enum { ROOM = 1 << 17 };
static char once[ROOM], pieces[ROOM], again[ROOM];

static void put(void *arg, str piece) { buf_add(arg, piece); }

static str run(enum canon c, str in, size_t piece, char *mem)
{
    struct buf b;
    struct canon_body body;
    buf_init_fixed(&b, mem, ROOM);
    canon_body_init(&body, c, put, &b);
    while (in.n) {
        canon_body_feed(&body, str_sub(in, 0, piece));
        in = str_skip(in, piece);
    }
    canon_body_end(&body);
    MUST(!b.e);
    return buf_str(&b);
}

static void header(str in)
{
    struct head_field f;
    struct buf b;
    while (head_next(&in, &f)) {
        buf_init_fixed(&b, once, ROOM);
        canon_field(&b, CANON_RELAXED, &f);
        str s = buf_str(&b);
        MUST(!b.e && str_ends(s, S("\r\n")) && str_search(str_sub(s, 0, s.n - 2), S("\r\n")) == STR_NONE);
        MUST(str_search(s, S("  ")) == STR_NONE && str_find(s, '\t') == STR_NONE);
        str v = canon_b_value(f.value);
        MUST(!v.p || (v.p >= f.value.p && v.p + v.n <= f.value.p + f.value.n));
        canon_field_unsigned(&b, CANON_SIMPLE, &f, v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 16384)
        return 0;
    str in = {(const char *)data + 1, size - 1};
    for (enum canon c = CANON_SIMPLE; c <= CANON_RELAXED; c++) {
        str a = run(c, in, ROOM, once), b = run(c, in, 1 + data[0] % 64, pieces);
        MUST(str_eq(a, b));
        MUST(a.n == 0 || str_ends(a, S("\r\n")));
        MUST(str_eq(a, run(c, a, ROOM, again)));
    }
    header(in);
    return 0;
}
