/* Hashes of bodies and of header data: SHA-256, the one hash of RFC 8301. */
#include "check/sign.h"
#include "check/signed.h"

#include <openssl/err.h>

#include <stdlib.h>

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

/* ---- for those who sign ---- */

struct check_body {
    struct body_hash hash;
    bool ended;
};

err check_body_new(struct check_body **ret, bool simple, bool relaxed)
{
    struct check_body *b = calloc(1, sizeof *b);
    if (!b)
        return E_NOMEM;
    err e = simple ? body_hash_want(&b->hash, CANON_SIMPLE) : OK;
    if (!e && relaxed)
        e = body_hash_want(&b->hash, CANON_RELAXED);
    if (e)
        check_body_free(&b);
    else
        *ret = b;
    return e;
}

void check_body_feed(struct check_body *b, str octets) { body_hash_feed(&b->hash, octets); }

const unsigned char *check_body_hash(struct check_body *b, enum canon c)
{
    if (!b->ended)
        body_hash_end(&b->hash);
    b->ended = true;
    return b->hash.form[c].md && !b->hash.form[c].bad ? b->hash.form[c].hash : NULL;
}

void check_body_free(struct check_body **b)
{
    if (*b)
        body_hash_free(&(*b)->hash);
    free(*b);
    *b = NULL;
}
