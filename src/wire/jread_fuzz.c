/* JSON of others: the three ways over a value end at the same place, and strings stay within their bounds. */
#include "wire/fuzz.h"
#include "wire/jread.h"

static void walk(struct jread *j, struct arena *a)
{
    str name;
    char c = jread_peek(j);
    if (c == '{') {
        for (struct jread_list l = jread_object(j); jread_member(j, &l, a, &name);)
            walk(j, a);
    } else if (c == '[') {
        for (struct jread_list l = jread_array(j); jread_element(j, &l);)
            walk(j, a);
    } else if (c == '"') {
        MUST(jread_text(j, a, 100).n <= 100);
    } else {
        (void)jread_count(j);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct jread whole = jread_of(str_mem(data, size)), passed = whole;
    arena_init(&a, 4096, 16 << 20);
    walk(&whole, &a);
    jread_pass(&passed);
    MUST(whole.depth <= JREAD_DEPTH_MAX + 1);
    if (!whole.bad) { /* passing over is laxer, never stricter */
        MUST(!passed.bad);
        MUST(passed.rest.n == whole.rest.n);
    }
    arena_free(&a);
    return 0;
}
