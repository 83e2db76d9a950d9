/* DMARC records and the addresses in them. */
#include "wire/dmarc.h"
#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dmarc_record r;
    char mem[256];
    str uri, address;
    if (!dmarc_parse(str_mem(data, size), &r))
        return 0;
    MUST(r.psd == 'y' || r.psd == 'n' || r.psd == 'u');
    for (str list = r.rua; dmarc_uri_next(&list, &uri);) {
        MUST(uri.n > 2);
        if (dmarc_mailto(uri, mem, sizeof mem, &address))
            for (size_t i = 0; i < address.n; i++)
                MUST(address.p[i] > ' ' && address.p[i] <= '~');
    }
    return 0;
}
