/* Stored forms of passwords: yescrypt by libcrypt for those that a client sends, a SCRAM verifier for those that it
 * does not (RFC 5802 3). */
#include "base/codec.h"
#include "base/text.h"
#include "priv/internal.h"

#include <crypt.h>
#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>

char *password_prepare(str password)
{
    char *plain = malloc(password.n + 1), *out = NULL;
    if (!plain)
        return NULL;
    memcpy(plain, password.p, password.n);
    plain[password.n] = 0;
    if (text_ascii(password) || gsasl_saslprep(plain, GSASL_ALLOW_UNASSIGNED, &out, NULL) != GSASL_OK || !out)
        return plain;
    size_t n = strlen(out);
    char *copy = malloc(n + 1); /* the library's memory goes back to the library */
    if (copy)
        memcpy(copy, out, n + 1);
    OPENSSL_cleanse(out, n);
    gsasl_free(out);
    OPENSSL_cleanse(plain, password.n);
    free(plain);
    return copy;
}

static void wipe(char *p)
{
    if (p)
        OPENSSL_cleanse(p, strlen(p));
    free(p);
}

static err make_hash(const char *password, char ret[PRIV_HASH_MAX])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data *d = calloc(1, sizeof *d);
    const char *got = NULL;
    if (d && crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting))
        got = crypt_rn(password, setting, d, sizeof *d);
    size_t n = got ? strlen(got) : 0;
    bool ok = got && got[0] != '*' && n < PRIV_HASH_MAX;
    if (ok)
        memcpy(ret, got, n + 1);
    if (d)
        OPENSSL_cleanse(d, sizeof *d);
    free(d);
    return ok ? OK : E_NOMEM;
}

static err make_scram(const char *password, char ret[PRIV_HASH_MAX])
{
    char salt[SCRAM_SALT], salted[SCRAM_KEY], client[SCRAM_KEY], server[SCRAM_KEY], stored[SCRAM_KEY];
    struct buf out;
    if (RAND_bytes((unsigned char *)salt, sizeof salt) != 1)
        return E_UNKNOWN;
    if (gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, password, SCRAM_ROUNDS, salt, sizeof salt, salted, client,
                                          server, stored) != GSASL_OK)
        return E_NOMEM;
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client, sizeof client);
    buf_init_fixed(&out, ret, PRIV_HASH_MAX - 1);
    buf_printf(&out, SCRAM_PREFIX "%d:", SCRAM_ROUNDS);
    base64_encode(&out, str_mem(salt, sizeof salt));
    buf_add_char(&out, '$');
    base64_encode(&out, str_mem(stored, sizeof stored));
    buf_add_char(&out, ':');
    base64_encode(&out, str_mem(server, sizeof server));
    OPENSSL_cleanse(server, sizeof server);
    if (!out.e)
        ret[out.n] = 0;
    return out.e;
}

err password_make(str password, char hash[PRIV_HASH_MAX], char scram[PRIV_HASH_MAX])
{
    if (password.n == 0 || memchr(password.p, 0, password.n))
        return E_SYNTAX;
    if (password.n > PRIV_PASSWORD_MAX)
        return E_LIMIT;
    char *p = password_prepare(password);
    err e = !p ? E_NOMEM : !*p ? E_SYNTAX : OK;
    if (!e)
        e = make_hash(p, hash);
    if (!e)
        e = make_scram(p, scram);
    wipe(p);
    return e;
}

/* "{CRYPT}$6$..." as other servers write it. */
static str without_scheme(str hash) { return str_istarts(hash, S("{CRYPT}")) ? str_skip(hash, 7) : hash; }

bool password_hash_valid(str hash)
{
    char z[PRIV_HASH_MAX];
    hash = without_scheme(hash);
    if (str_istarts(hash, S("{PLAIN}")))
        return hash.n > 7 && hash.n < PRIV_HASH_MAX;
    if (!str_to_c(hash, z, sizeof z) || hash.n < 13)
        return false;
    int known = crypt_checksalt(z);
    return known == CRYPT_SALT_OK || known == CRYPT_SALT_METHOD_LEGACY || known == CRYPT_SALT_TOO_CHEAP;
}

/* What is hashed when there is nothing to compare with, so that both take the same time. */
static const char *no_setting(char mem[CRYPT_GENSALT_OUTPUT_SIZE])
{
    return crypt_gensalt_rn("$y$", 0, NULL, 0, mem, CRYPT_GENSALT_OUTPUT_SIZE) ? mem : "$y$j9T$";
}

bool password_fits(str hash, str password)
{
    char z[PRIV_HASH_MAX], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    hash = without_scheme(hash);
    bool real = hash.n && str_to_c(hash, z, sizeof z);
    if (password.n == 0 || password.n > PRIV_PASSWORD_MAX || memchr(password.p, 0, password.n))
        return false;
    char *p = password_prepare(password);
    struct crypt_data *d = p ? calloc(1, sizeof *d) : NULL;
    bool fits = false;
    if (d && real && str_istarts(hash, S("{PLAIN}"))) {
        fits = str_eq_secret(str_skip(hash, 7), str_c(p));
    } else if (d) {
        const char *got = crypt_rn(p, real ? z : no_setting(setting), d, sizeof *d);
        fits = real && got && got[0] != '*' && str_eq_secret(str_c(got), str_c(z));
    }
    if (d)
        OPENSSL_cleanse(d, sizeof *d);
    free(d);
    wipe(p);
    return fits;
}

static bool take_b64(str text, unsigned char *to, size_t most, size_t *ret_n)
{
    char mem[128];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    if (base64_decode(&b, text) || b.n > most || b.n == 0)
        return false;
    memcpy(to, mem, b.n);
    *ret_n = b.n;
    return true;
}

bool scram_parse(str text, struct scram *ret)
{
    str rounds, salt, stored;
    uint64_t n;
    size_t a, b;
    if (!str_starts(text, S(SCRAM_PREFIX)))
        return false;
    text = str_skip(text, sizeof SCRAM_PREFIX - 1);
    if (!str_cut(&text, ':', &rounds) || !text.p || !str_cut(&text, '$', &salt) || !text.p ||
        !str_cut(&text, ':', &stored) || !text.p)
        return false;
    if (!text_u64(rounds, &n) || n < 4096 || n > SCRAM_ROUNDS_MAX)
        return false;
    ret->rounds = (uint32_t)n;
    return take_b64(salt, ret->salt, sizeof ret->salt, &ret->nsalt) && take_b64(stored, ret->stored, SCRAM_KEY, &a) &&
           a == SCRAM_KEY && take_b64(text, ret->server, SCRAM_KEY, &b) && b == SCRAM_KEY;
}
