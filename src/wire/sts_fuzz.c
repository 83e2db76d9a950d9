/* MTA-STS records and policies. */
#include "wire/fuzz.h"
#include "wire/sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sts_policy p;
    str id, text = str_mem(data, size);
    if (sts_record(text, &id))
        MUST(id.n > 0 && id.n <= STS_ID_MAX);
    if (!sts_policy(text, &p))
        return 0;
    MUST(p.max_age_s >= 0 && p.max_age_s <= STS_AGE_MAX && p.nmx <= STS_MX_MAX);
    for (size_t i = 0; i < p.nmx; i++)
        MUST(!str_starts(p.mx[i], S("*.")) ? sts_match(&p, p.mx[i]) : true);
    return 0;
}
