/* Signed messages of ACME (RFC 8555 6.2): JWS of RFC 7515 with ES256, keys as RFC 7517 and 7638 write them. */
#include "acme/internal.h"
#include "base/cleanup.h"
#include "base/codec.h"
#include "base/text.h"
#include "priv/priv.h"

#include <openssl/evp.h>

void jose_jwk(struct buf *out, const struct jose_key *k)
{
    buf_add(out, S("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\""));
    base64url_encode(out, str_mem(k->xy, 32));
    buf_add(out, S("\",\"y\":\""));
    base64url_encode(out, str_mem(k->xy + 32, 32));
    buf_add(out, S("\"}"));
}

static err sha256(str s, unsigned char ret[32])
{
    return EVP_Digest(s.p, s.n, ret, NULL, EVP_sha256(), NULL) ? OK : E_NOMEM;
}

err jose_thumbprint(struct buf *out, const struct jose_key *k)
{
    AUTO_BUF jwk;
    unsigned char digest[32];
    buf_init(&jwk, 1024);
    jose_jwk(&jwk, k);
    err e = jwk.e ? jwk.e : sha256(buf_str(&jwk), digest);
    if (!e)
        base64url_encode(out, str_mem(digest, sizeof digest));
    return e ? e : out->e;
}

static void member(struct buf *out, const char *name, str value)
{
    buf_printf(out, ",\"%s\":", name);
    text_json(out, value);
}

/* The two parts that are signed, with the dot between them. Returns where the dot is. */
static size_t put_parts(struct buf *text, str head, str payload)
{
    base64url_encode(text, head);
    size_t dot = text->n;
    buf_add_char(text, '.');
    base64url_encode(text, payload);
    return dot;
}

static err put_whole(struct buf *out, const struct buf *text, size_t dot, str sig)
{
    buf_printf(out, "{\"protected\":\"" STR_FMT "\",\"payload\":\"" STR_FMT "\",\"signature\":\"",
               STR_ARG(str_sub(buf_str(text), 0, dot)), STR_ARG(str_skip(buf_str(text), dot + 1)));
    base64url_encode(out, sig);
    buf_add(out, S("\"}"));
    return out->e;
}

err jose_sign(struct buf *out, const struct jose_key *k, str kid, str nonce, str url, str payload)
{
    AUTO_BUF head;
    AUTO_BUF text;
    unsigned char digest[32], sig[64];
    buf_init(&head, 8192);
    buf_init(&text, REPLY_MAX);
    buf_add(&head, S("{\"alg\":\"ES256\""));
    if (kid.n) {
        member(&head, "kid", kid);
    } else {
        buf_add(&head, S(",\"jwk\":"));
        jose_jwk(&head, k);
    }
    member(&head, "nonce", nonce);
    member(&head, "url", url);
    buf_add_char(&head, '}');
    size_t dot = put_parts(&text, buf_str(&head), payload);
    err e = head.e ? head.e : text.e ? text.e : sha256(buf_str(&text), digest);
    if (!e)
        e = priv_acme_sign(digest, sig);
    return e ? e : put_whole(out, &text, dot, str_mem(sig, sizeof sig));
}

err jose_bind(struct buf *out, const struct jose_key *k, str kid, str url)
{
    AUTO_BUF head;
    AUTO_BUF jwk;
    AUTO_BUF text;
    unsigned char mac[PRIV_MAC_SIZE];
    buf_init(&head, 8192);
    buf_init(&jwk, 1024);
    buf_init(&text, PRIV_MESSAGE_MAX);
    buf_add(&head, S("{\"alg\":\"HS256\""));
    member(&head, "kid", kid);
    member(&head, "url", url);
    buf_add_char(&head, '}');
    jose_jwk(&jwk, k);
    size_t dot = put_parts(&text, buf_str(&head), buf_str(&jwk));
    err e = head.e ? head.e : jwk.e ? jwk.e : text.e ? text.e : priv_acme_mac(buf_str(&text), mac);
    return e ? e : put_whole(out, &text, dot, str_mem(mac, sizeof mac));
}
