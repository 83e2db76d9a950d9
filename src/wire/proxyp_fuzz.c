/* Any octets as a PROXY header: a longer input never changes what a shorter one gave. */
#include "wire/fuzz.h"
#include "wire/proxyp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxyp p, q;
    str in = {(const char *)data, size};
    enum proxyp_result r = proxyp_parse(in, &p);
    MUST(r != PROXYP_MORE || size < PROXYP_V2_MAX);
    if (r == PROXYP_OK) {
        MUST(p.used <= size && p.used > 0);
        MUST(proxyp_parse(str_sub(in, 0, p.used), &q) == PROXYP_OK && q.used == p.used);
        MUST(proxyp_parse(str_sub(in, 0, p.used - 1), &q) == PROXYP_MORE);
    }
    if (r == PROXYP_MORE)
        MUST(size == 0 || proxyp_parse(str_sub(in, 0, size - 1), &q) == PROXYP_MORE);
    return 0;
}
