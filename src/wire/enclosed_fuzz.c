/* Messages with reports in them: bounded in octets, whatever is nested in what. */
#include "wire/enclosed.h"
#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text;
    struct enclosed got;
    buf_init(&text, 100000);
    err e = enclosed_find(str_mem(data, size), &text, &got);
    MUST(text.n <= 100000 && (e == OK) == (got.kind != ENCLOSED_NONE));
    MUST(e != OK || got.text.n <= text.n);
    buf_clear(&text);
    e = enclosed_open(str_mem(data, size), &text, &got);
    MUST(text.n <= 100000);
    buf_free(&text);
    return 0;
}
