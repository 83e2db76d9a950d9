/* Files of accounts: whatever is taken is found again by its name. */
#include "priv/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct account_file f;
    arena_init(&a, 4096, 8 << 20);
    if (size < 65536 && account_file_read(&f, &a, &(struct priv_file){S("x"), str_mem(data, size)}) == OK)
        for (size_t i = 0; i < f.n; i++) {
            const struct account_line *x = account_file_find(&f, f.v[i].name);
            if (!x || !str_eq(x->name, f.v[i].name))
                abort();
        }
    arena_free(&a);
    return 0;
}
