/* The questions of priv.h: what is packed and unpacked; and the table that all of them come from. */
#include "priv/internal.h"

#include <openssl/crypto.h>

const struct priv_row priv_rows[PRIV_REQUESTS] = {
#define PRIV_REQUEST(name, class, in, out, text) {#name, PRIV_##class, in, out, priv_do_##name},
#include "priv/requests.def"
#undef PRIV_REQUEST
};

#define PRIV_REQUEST(name, class, in, out, text)                                                                       \
    _Static_assert((in) <= PRIV_MESSAGE_MAX && (out) <= PRIV_MESSAGE_MAX, #name " fits into a message");
#include "priv/requests.def"
#undef PRIV_REQUEST

err priv_answer(uint32_t what, str in, struct buf *out)
{
    if (what >= PRIV_REQUESTS)
        return E_UNSUPPORTED;
    if (in.n > priv_rows[what].most_in)
        return E_LIMIT;
    err e = priv_rows[what].run(in, out);
    return e ? e : out->e ? out->e : out->n > priv_rows[what].most_out ? E_BUG : OK;
}

static err ask_mac(enum priv_request what, str text, unsigned char ret[PRIV_MAC_SIZE]) YIELDS;
static err ask_mac(enum priv_request what, str text, unsigned char ret[PRIV_MAC_SIZE])
{
    struct buf out;
    unsigned char mac[PRIV_MAC_SIZE];
    buf_init_fixed(&out, mac, sizeof mac);
    err e = priv_call(what, text, &out);
    if (!e && out.n != sizeof mac)
        e = E_BUG;
    if (!e)
        memcpy(ret, mac, sizeof mac);
    return e;
}

err priv_srs_mac(str text, unsigned char ret[PRIV_MAC_SIZE]) { return ask_mac(PRIV_srs_mac, text, ret); }
err priv_acme_mac(str text, unsigned char ret[PRIV_MAC_SIZE]) { return ask_mac(PRIV_acme_mac, text, ret); }

bool priv_srs_verify(str text, str tag)
{
    unsigned char mac[PRIV_MAC_SIZE];
    return tag.n >= 4 && tag.n <= sizeof mac && priv_srs_mac(text, mac) == OK &&
           str_eq_secret(tag, str_mem(mac, tag.n));
}

err priv_mail_sign(str name, const unsigned char hash[PRIV_MAC_SIZE], struct buf *out)
{
    char mem[400];
    struct buf in;
    buf_init_fixed(&in, mem, sizeof mem);
    buf_add(&in, str_mem(hash, PRIV_MAC_SIZE));
    buf_add(&in, name);
    return in.e ? E_NOT_FOUND : priv_call(PRIV_mail_sign, buf_str(&in), out);
}

err priv_password(str route, struct buf *out) { return priv_call(PRIV_password, route, out); }
