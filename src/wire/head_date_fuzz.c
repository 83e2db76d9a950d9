/* Any octets as a date: what is read is a time that was meant. */
#include "base/text.h"
#include "wire/fuzz.h"
#include "wire/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t t, again;
    char mem[64];
    struct buf b;
    if (!head_date_read(str_mem(data, size), &t))
        return 0;
    MUST(t > -2300000000 && t < 260000000000);
    buf_init_fixed(&b, mem, sizeof mem);
    text_date(&b, t);
    if (t >= 0 && t < 250000000000)
        MUST(head_date_read(buf_str(&b), &again) && again == t);
    return 0;
}
