/* Any octets as a header block: what is missing is not there twice. */
#include "policy/sanity.h"

#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    uint32_t odd = sanity_of(str_mem(data + 1, size - 1), 1700000000, data[0] & 1, data[0] & 2);
    MUST(!(odd & 1u << SANITY_NO_DATE && odd & 1u << SANITY_TWICE_DATE));
    MUST(!(odd & 1u << SANITY_NO_FROM && odd & 1u << SANITY_FORGED_NAME));
    MUST(!(data[0] & 2 && odd & 1u << SANITY_EIGHT_BIT) && (data[0] & 1 || !(odd & 1u << SANITY_NO_CHARSET)));
    return 0;
}
