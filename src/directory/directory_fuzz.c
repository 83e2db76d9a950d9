/* Lines of an import: whatever is taken prints as a line that means the same. */
#include "directory/internal.h"
#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct buf one, two, why;
    struct directory_line l;
    arena_init(&a, 4096, 4 << 20);
    buf_init(&one, 1 << 20);
    buf_init(&two, 1 << 20);
    buf_init(&why, 1 << 16);
    if (size < 65536 && directory_line_parse(&a, str_mem(data, size), &l, &why)) {
        directory_line_print(&one, &l);
        if (!directory_line_parse(&a, str_sub(buf_str(&one), 0, one.n - 1), &l, &why))
            abort();
        directory_line_print(&two, &l);
        if (!str_eq(buf_str(&one), buf_str(&two)))
            abort();
    }
    buf_free(&one);
    buf_free(&two);
    buf_free(&why);
    arena_free(&a);
    return 0;
}
