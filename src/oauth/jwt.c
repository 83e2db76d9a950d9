/*
 * A signed token in compact form: HEADER.CLAIMS.SIGNATURE, each base64url (RFC 7515 3.1). Which signature it has to
 * have is for us to say and not for the token (RFC 8725 3.1): "none" and every MAC are refused by name, and addresses
 * or keys in its header (jku, jwk, x5u, x5c) are never looked at.
 */
#include "base/codec.h"
#include "oauth/internal.h"

#include <stdlib.h>

bool jwt_alg_find(str name, enum jwt_alg *ret)
{
    static const str names[JWT_ALGS] = {S_INIT("RS256"), S_INIT("PS256"), S_INIT("ES256"), S_INIT("EdDSA")};
    for (int i = 0; i < JWT_ALGS; i++)
        if (str_eq(name, names[i])) {
            *ret = (enum jwt_alg)i;
            return true;
        }
    return false;
}

static bool decode(struct arena *a, str part, str *ret)
{
    char *mem = part.n <= OAUTH_TOKEN_MAX ? arena_alloc(a, part.n + 4) : NULL;
    struct buf b;
    if (!mem)
        return false;
    buf_init_fixed(&b, mem, part.n + 4);
    if (base64url_decode(&b, part))
        return false;
    *ret = buf_str(&b);
    return true;
}

/* RFC 8725 3.11: a token that was made for another use says so. */
static bool typ_fits(struct json_object *header)
{
    struct json_object *o = json_get(header, "typ");
    str typ = json_text(o);
    if (str_istarts(typ, S("application/")))
        typ = str_skip(typ, 12);
    return !o || str_ieq(typ, S("JWT")) || str_ieq(typ, S("at+jwt")) || str_ieq(typ, S("at+JWT"));
}

static const char *header_fault(struct json_object *header, struct jwt *j)
{
    struct json_object *kid = json_get(header, "kid");
    if (!jwt_alg_find(json_text(json_get(header, "alg")), &j->alg))
        return "signed by a method that is not accepted";
    if (json_get(header, "crit")) /* RFC 7515 4.1.11: extensions that we do not know */
        return "needs extensions that are not known";
    if (!typ_fits(header))
        return "a token for another use";
    if (kid && (!json_text(kid).p || !str_to_c(json_text(kid), j->kid, sizeof j->kid)))
        return "a key name that is none";
    return NULL;
}

bool jwt_read(str token, struct arena *a, struct jwt *ret)
{
    str rest = token, head, body, text, claims;
    struct jwt j = {.alg = JWT_NONE};
    *ret = j;
    if (token.n > OAUTH_TOKEN_MAX || !str_cut(&rest, '.', &head) || !rest.p || !str_cut(&rest, '.', &body) || !rest.p)
        return false;
    if (!decode(a, head, &text) || !decode(a, body, &claims) || !decode(a, rest, &j.signature))
        return false;
    AUTO_JSON *header = json_parse(text, JSON_DEPTH);
    if (!json_get(header, "alg"))
        return false;
    j.input = str_sub(token, 0, head.n + 1 + body.n);
    j.claims = json_parse(claims, JSON_DEPTH);
    if (!j.claims || !json_object_is_type(j.claims, json_type_object)) {
        jwt_free(&j);
        return false;
    }
    j.fault = header_fault(header, &j);
    *ret = j;
    return true;
}

void jwt_free(struct jwt *j) { json_drop(&j->claims), j->claims = NULL; }
