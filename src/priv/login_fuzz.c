/* SASL messages: the first octet names the mechanism, NL separates the messages. No source of passwords is open. */
#include "priv/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out;
    if (!size || size > 65536)
        return 0;
    struct priv_sasl s = {
        .mech = (enum priv_mech)(data[0] % PRIV_MECH_COUNT), .bound = data[0] & 64, .domain = S("x.test")};
    str rest = str_mem(data + 1, size - 1), in;
    enum priv_result r = PRIV_MORE;
    int hashes = 0; /* each costs much time */
    buf_init(&out, 65536);
    while (r == PRIV_MORE && hashes < 1 && str_cut(&rest, '\n', &in)) {
        hashes += priv_sasl_is_costly(&s);
        buf_clear(&out);
        r = priv_sasl_step(&s, in, &out);
        if (r == PRIV_DONE)
            abort(); /* nobody is known */
    }
    priv_sasl_end(&s);
    buf_free(&out);
    return 0;
}
