/* Inside oauth: signed tokens, public keys, what tokens claim. */
#ifndef OAUTH_INTERNAL_H
#define OAUTH_INTERNAL_H
#include "oauth/oauth.h"
#include "wire/json.h"

enum {
    JSON_DEPTH = 8,
    KEYS_MAX = 32,           /* of one authority */
    KID_MAX = 200,           /* octets of a key's name */
    ANSWER_MAX = 256 * 1024, /* octets of an authority's answer */
    RSA_LEAST = 2048,        /* bits (RFC 7518 3.3) */
    RSA_MOST = 8192,
    TRIES_MAX = 4 /* keys that are tried for a token that does not name one */
};

/* ---- jwt.c (pure): RFC 7515 3.1, RFC 7519 ---- */

enum jwt_alg { JWT_RS256, JWT_PS256, JWT_ES256, JWT_EDDSA, JWT_ALGS, JWT_NONE = JWT_ALGS };
bool jwt_alg_find(str name, enum jwt_alg *ret);
struct jwt {
    enum jwt_alg alg; /* JWT_NONE: one that we do not take */
    char kid[KID_MAX + 1];
    str input;     /* what is signed: a view of the token */
    str signature; /* in the arena */
    struct json_object *claims;
    const char *fault; /* NULL, or why it is refused whatever its signature is */
};
/* False: it is no JWT at all, and *ret is empty. */
bool jwt_read(str token, struct arena *a, struct jwt *ret);
void jwt_free(struct jwt *j); /* any number of times */

/* ---- claims.c (pure) ---- */

/* NULL: the claims make it good for us, and *ret has the account; else why not. `asked`: they come from introspection,
 * which leaves out what the authority does not care for. */
const char *claims_fault(const struct conf_oauth *o, struct json_object *claims, bool asked, int64_t now_s,
                         struct oauth_owner *ret);

/* ---- keys.c (pure): JWK sets (RFC 7517) ---- */

struct keyset {
    int refs;   /* atomic */
    rt_time at; /* when it was fetched */
    size_t n;
    struct jwk {
        char kid[KID_MAX + 1];
        enum jwt_alg only; /* JWT_NONE: not said */
        enum jwt_alg kind; /* RS256 for RSA, ES256 for P-256, EDDSA for Ed25519 */
        struct evp_pkey_st *key;
    } v[KEYS_MAX];
};
/* Keys that are not for us, or not well, are passed over. NULL: it is no key set, or no memory. One reference. */
struct keyset *keyset_read(str json);
void keyset_drop(struct keyset **k);
enum key_verdict { KEY_GOOD, KEY_BAD, KEY_UNKNOWN };
enum key_verdict keyset_verify(const struct keyset *k, const struct jwt *j);

/* ---- cache.c ---- */

/* The authority's keys; one reference. `beside` (may be NULL): a set that does not have the key, so that a newer one is
 * wanted, if that is due. NULL: it does not answer. */
struct keyset *keys_of(const struct conf_oauth *o, const struct keyset *beside) YIELDS;

/* ---- answers.c: what introspection said, for introspection-age ---- */

enum { ANSWERS_KEPT = 1024, ANSWER_KEY = 32 };
bool answer_key(const struct conf_oauth *o, str token, unsigned char ret[ANSWER_KEY]); /* false: no memory */
bool answer_find(const unsigned char key[ANSWER_KEY], rt_time now, char ret_account[OAUTH_ACCOUNT_MAX + 1]);
void answer_keep(const unsigned char key[ANSWER_KEY], rt_time until, const char account[OAUTH_ACCOUNT_MAX + 1]);
/* Until when an answer of now may be used: for o->introspection_age, and not beyond the token's own end; 0: not at all.
 */
rt_time answer_until(const struct conf_oauth *o, struct json_object *said, rt_time now, int64_t now_s);

/* ---- introspect.c ---- */

enum oauth_result introspect(const struct conf_oauth *o, str token, struct oauth_owner *ret) YIELDS;
/* One question to an authority: the JSON of an answer with status 200, or NULL, logged. */
struct http_question;
struct json_object *authority_ask(const struct conf_oauth *o, str url, struct http_question *q, str *ret_body,
                                  struct arena *a) YIELDS;

#endif
