/* Any octets as a path: what is accepted prints to something that parses back to the same. */
#include "wire/addr.h"
#include "base/text.h"
#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned flags = data[0];
    str text = {(const char *)data + 1, size - 1}, rest = text, name;
    struct addr a, b;
    struct arena mem;
    arena_init(&mem, 256, 65536);
    for (int path = 0; path < 2; path++) {
        if (path ? addr_path(&rest, flags, &mem, &a) : addr_parse(text, flags, &mem, &a))
            continue;
        char out[ADDR_TEXT_MAX];
        struct buf o;
        buf_init_fixed(&o, out, sizeof out);
        addr_print(&o, &a);
        MUST(o.e == OK);
        MUST(a.utf8 == !text_ascii(buf_str(&o)) && (!a.utf8 || flags & ADDR_F_UTF8));
        for (size_t i = 0; i < o.n; i++)
            MUST((unsigned char)out[i] >= 32 && out[i] != 127);
        if (a.kind != ADDR_NONE)
            MUST(addr_parse(buf_str(&o), flags, &mem, &b) == FAULT_NONE && addr_eq(&a, &b) && a.kind == b.kind);
    }
    helo_parse(text, flags & 1, &name);
    arena_free(&mem);
    return 0;
}
