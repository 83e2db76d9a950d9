/*
 * What authorities said about tokens, for a moment, so that a program that logs in for each message is asked about
 * once: only that one is good, by a hash of the token and of all that the configuration asks of it, and never beyond
 * its end. A table of fixed size over all loops; a new answer takes the place of an old one.
 */
#include "oauth/internal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

static struct {
    struct lock lock;
    struct answer {
        unsigned char key[ANSWER_KEY];
        rt_time until; /* 0: empty */
        char account[OAUTH_ACCOUNT_MAX + 1];
    } * v; /* ANSWERS_KEPT, from the first that is kept; NULL before */
} answers;

static bool add(EVP_MD_CTX *x, str s)
{
    uint64_t n = s.n;
    return EVP_DigestUpdate(x, &n, sizeof n) == 1 && EVP_DigestUpdate(x, s.p ? s.p : "", s.n) == 1;
}

static bool add_list(EVP_MD_CTX *x, const struct conf_list *l)
{
    uint64_t n = l->n;
    bool ok = EVP_DigestUpdate(x, &n, sizeof n) == 1;
    for (size_t i = 0; ok && i < l->n; i++)
        ok = add(x, l->v[i]);
    return ok;
}

bool answer_key(const struct conf_oauth *o, str token, unsigned char ret[ANSWER_KEY])
{
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    bool ok = x && EVP_DigestInit_ex(x, EVP_sha256(), NULL) == 1 && add(x, o->title) && add(x, o->introspection) &&
              add(x, o->client) && add(x, o->issuer) && add(x, o->scope) && add_list(x, &o->audience) &&
              add_list(x, &o->claim) && add(x, token) && EVP_DigestFinal_ex(x, ret, NULL) == 1;
    EVP_MD_CTX_free(x);
    return ok;
}

static struct answer *slot(const unsigned char key[ANSWER_KEY])
{
    uint32_t at;
    memcpy(&at, key, sizeof at);
    return &answers.v[at % ANSWERS_KEPT];
}

bool answer_find(const unsigned char key[ANSWER_KEY], rt_time now, char ret_account[OAUTH_ACCOUNT_MAX + 1])
{
    lock_take(&answers.lock);
    const struct answer *a = answers.v ? slot(key) : NULL;
    bool found = a && now < a->until && CRYPTO_memcmp(a->key, key, ANSWER_KEY) == 0;
    if (found)
        memcpy(ret_account, a->account, sizeof a->account);
    lock_drop(&answers.lock);
    return found;
}

void answer_keep(const unsigned char key[ANSWER_KEY], rt_time until, const char account[OAUTH_ACCOUNT_MAX + 1])
{
    lock_take(&answers.lock);
    if (!answers.v)
        answers.v = calloc(ANSWERS_KEPT, sizeof *answers.v);
    struct answer *a = answers.v ? slot(key) : NULL;
    if (a) { /* without memory the authority is asked again */
        memcpy(a->key, key, ANSWER_KEY);
        memcpy(a->account, account, sizeof a->account);
        a->until = until;
    }
    lock_drop(&answers.lock);
}
