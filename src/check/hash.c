/* Hashes of bodies and of header data: SHA-256, the one hash of RFC 8301. */
#include "check/signed.h"

#include <openssl/err.h>

static void put(void *arg, str piece)
{
    struct body_stream *s = arg;
    s->size += piece.n;
    if (EVP_DigestUpdate(s->md, piece.p, piece.n) != 1)
        s->bad = true;
}

err body_hash_want(struct body_hash *b, enum canon c)
{
    struct body_stream *s = &b->form[c];
    if (s->md)
        return OK;
    s->md = EVP_MD_CTX_new();
    if (!s->md || EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1) {
        ERR_clear_error();
        EVP_MD_CTX_free(s->md);
        s->md = NULL;
        return E_NOMEM;
    }
    canon_body_init(&s->canon, c, put, s);
    return OK;
}

void body_hash_feed(struct body_hash *b, str octets)
{
    for (enum canon c = CANON_SIMPLE; c <= CANON_RELAXED; c++)
        if (b->form[c].md)
            canon_body_feed(&b->form[c].canon, octets);
}

void body_hash_end(struct body_hash *b)
{
    for (enum canon c = CANON_SIMPLE; c <= CANON_RELAXED; c++) {
        struct body_stream *s = &b->form[c];
        if (!s->md)
            continue;
        canon_body_end(&s->canon);
        if (EVP_DigestFinal_ex(s->md, s->hash, NULL) != 1 || s->bad) {
            ERR_clear_error();
            s->bad = true;
        }
    }
}

void body_hash_free(struct body_hash *b)
{
    for (enum canon c = CANON_SIMPLE; c <= CANON_RELAXED; c++) {
        EVP_MD_CTX_free(b->form[c].md);
        b->form[c].md = NULL;
    }
}

err sha256(str data, unsigned char ret[DKIM_HASH_SIZE])
{
    if (EVP_Digest(data.p, data.n, ret, NULL, EVP_sha256(), NULL) == 1)
        return OK;
    ERR_clear_error();
    return E_NOMEM;
}
