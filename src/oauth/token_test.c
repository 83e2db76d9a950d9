/* Messages by the examples of RFC 7628 and of Google; signatures by those of RFC 7515 and RFC 8037 and by tokens of a
 * library of others; claims one by one. */
#include "base/test.h"
#include "oauth/internal.h"
#include "oauth/test_tokens.h"

#define A "\1"

static void messages(void **state)
{
    (void)state;
    static const struct {
        bool xoauth2;
        const char *in, *name, *token; /* name NULL: malformed */
    } rows[] = {
        /* RFC 7628 4.1 */
        {false,
         "n,a=user@example.com," A "host=server.example.com" A "port=143" A
         "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" A A,
         "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
        /* RFC 7628 4.3: no token, to be told what is needed */
        {false, "n,a=user@example.com," A "host=server.example.com" A "port=143" A "auth=" A A, "user@example.com", ""},
        {false, "n,," A "auth=bearer x" A A, "", "x"},
        {false, "y,," A "auth=Bearer x" A A, "", "x"},
        {false, "n,a=a=2Cb=3Dc," A "auth=Bearer x" A A, "a,b=c", "x"},
        {false, "n,," A A, "", ""},
        {false, "p=tls-unique,," A "auth=Bearer x" A A, NULL, NULL},
        {false, "n,a=a=2Xb," A "auth=Bearer x" A A, NULL, NULL},
        {false, "n,b=user," A "auth=Bearer x" A A, NULL, NULL},
        {false, "n,a=," A "auth=Bearer x" A A, NULL, NULL},
        {false, "n,," A "auth=Bearer x" A, NULL, NULL},
        {false, "n,," A "auth=Bearer x", NULL, NULL},
        {false, "n,," A "auth=Bearer x" A A "more", NULL, NULL},
        {false, "n,," A "auth=Bearer x" A "auth=Bearer y" A A, NULL, NULL},
        {false, "n,," A "auth=Basic x" A A, NULL, NULL},
        {false, "n,," A "auth=Bearer x y" A A, NULL, NULL},
        {false, "n,," A "auth=Bearer ===" A A, NULL, NULL},
        {false, "n,," A "no equal sign" A A, NULL, NULL},
        {false, "", NULL, NULL},
        {false, "n", NULL, NULL},
        {false, "n,,", NULL, NULL},
        {false, "user=a" A "auth=Bearer x" A A, NULL, NULL},
        {true, "user=someuser@example.com" A "auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg" A A,
         "someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"},
        {true, "user=a" A A, NULL, NULL},
        {true, "auth=Bearer x" A A, NULL, NULL},
        {true, "user=a" A "user=b" A "auth=Bearer x" A A, NULL, NULL},
        {true, "n,a=a," A "auth=Bearer x" A A, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct oauth_message m;
        bool ok = oauth_message_parse(rows[i].xoauth2, str_c(rows[i].in), &m);
        if (ok != (rows[i].name != NULL) ||
            (ok && (strcmp(m.name, rows[i].name) != 0 || !str_eq(m.token, str_c(rows[i].token)))))
            fail_msg("row %zu: %d", i, ok);
    }
}

static void names_are_bounded(void **state)
{
    (void)state;
    char in[OAUTH_ACCOUNT_MAX + 40];
    struct oauth_message m;
    for (int more = 0; more < 2; more++) {
        int n = snprintf(in, sizeof in, "n,a=%0*d,\1auth=Bearer x\1\1", OAUTH_ACCOUNT_MAX + more, 1);
        assert_int_equal(oauth_message_parse(false, str_mem(in, (size_t)n), &m), more == 0);
    }
}

/* ---- signatures ---- */

static enum key_verdict verdict(const char *keys, const char *token, const char **ret_fault)
{
    struct arena a;
    struct jwt j;
    struct keyset *k = keyset_read(str_c(keys));
    enum key_verdict v = KEY_UNKNOWN;
    arena_init(&a, 4096, 4 * OAUTH_TOKEN_MAX);
    assert_non_null(k);
    assert_true(jwt_read(str_c(token), &a, &j));
    *ret_fault = j.fault;
    if (!j.fault)
        v = keyset_verify(k, &j);
    keyset_drop(&k);
    jwt_free(&j);
    arena_free(&a);
    return v;
}

static void rfc7515(void **state)
{
    (void)state;
#define PAYLOAD ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    static const char rsa[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx"
        "HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6"
        "3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFv"
        "UK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}]}";
    static const char a2[] =
        "eyJhbGciOiJSUzI1NiJ9" PAYLOAD
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr"
        "7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x"
        "i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_Ioy"
        "pGlUPQGe77Rw";
    static const char ec[] =
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
    static const char a3[] = "eyJhbGciOiJFUzI1NiJ9" PAYLOAD
                             "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    static const char a1[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" PAYLOAD "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    static const char a5[] = "eyJhbGciOiJub25lIn0" PAYLOAD;
    const char *fault;
    assert_int_equal(verdict(rsa, a2, &fault), KEY_GOOD);
    assert_int_equal(verdict(ec, a3, &fault), KEY_GOOD);
    assert_int_equal(verdict(ec, a2, &fault), KEY_UNKNOWN); /* no key of that kind */
    (void)verdict(rsa, a1, &fault);
    assert_string_equal(fault, "signed by a method that is not accepted");
    (void)verdict(rsa, a5, &fault);
    assert_string_equal(fault, "signed by a method that is not accepted");
}

/* RFC 8037 A.4: what is signed is no JSON there. */
static void rfc8037(void **state)
{
    (void)state;
    struct keyset *k = keyset_read(S("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
                                     "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"));
    static const unsigned char sig[] = {0x86, 0x0c, 0x98, 0xd2, 0x29, 0x7f, 0x30, 0x60, 0xa3, 0x3f, 0x42, 0x73, 0x96,
                                        0x72, 0xd6, 0x1b, 0x53, 0xcf, 0x3a, 0xde, 0xfe, 0xd3, 0xd3, 0xc6, 0x72, 0xf3,
                                        0x20, 0xdc, 0x02, 0x1b, 0x41, 0x1e, 0x9d, 0x59, 0xb8, 0x62, 0x8d, 0xc3, 0x51,
                                        0xe2, 0x48, 0xb8, 0x8b, 0x29, 0x46, 0x8e, 0x0e, 0x41, 0x85, 0x5b, 0x0f, 0xb7,
                                        0xd8, 0x3b, 0xb1, 0x5b, 0xe9, 0x02, 0xbf, 0xcc, 0xb8, 0xcd, 0x0a, 0x02};
    struct jwt j = {.alg = JWT_EDDSA,
                    .input = S("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"),
                    .signature = str_mem(sig, sizeof sig)};
    assert_non_null(k);
    assert_int_equal(keyset_verify(k, &j), KEY_GOOD);
    j.input = S("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmd");
    assert_int_equal(keyset_verify(k, &j), KEY_BAD);
    keyset_drop(&k);
}

static void of_a_library(void **state)
{
    (void)state;
    static const struct {
        const char *what, *token;
        enum key_verdict want;
        bool fault;
    } rows[] = {
        {"RS256", token_rs256, KEY_GOOD, false},
        {"PS256", token_ps256, KEY_GOOD, false},
        {"ES256", token_es256, KEY_GOOD, false},
        {"EdDSA", token_eddsa, KEY_GOOD, false},
        {"no kid", token_nokid, KEY_GOOD, false},
        {"a kid that nobody has", token_unknown, KEY_UNKNOWN, false},
        {"the kid of another kind of key", token_cross, KEY_UNKNOWN, false},
        {"a key of 1024 bits", token_weak, KEY_UNKNOWN, false},
        {"a key for encryption", token_enc, KEY_UNKNOWN, false},
        {"another method than the key's own", token_rs_only, KEY_UNKNOWN, false},
        {"a public key as HMAC secret", token_hs256, KEY_UNKNOWN, true},
        {"no signature", token_none, KEY_UNKNOWN, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *fault = NULL;
        enum key_verdict got = verdict(keys_json, rows[i].token, &fault);
        if (got != rows[i].want || (fault != NULL) != rows[i].fault)
            fail_msg("%s: %d %s", rows[i].what, got, fault ? fault : "");
    }
}

/* Each octet of header, claims and signature counts. */
static void changed(void **state)
{
    (void)state;
    char copy[sizeof token_es256];
    for (size_t i = 0; i + 1 < sizeof token_es256; i++) {
        struct arena a;
        struct jwt j;
        struct keyset *k = keyset_read(str_c(keys_json));
        memcpy(copy, token_es256, sizeof copy);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        arena_init(&a, 4096, 4 * OAUTH_TOKEN_MAX);
        if (jwt_read(str_c(copy), &a, &j) && !j.fault)
            assert_int_not_equal(keyset_verify(k, &j), KEY_GOOD);
        jwt_free(&j);
        arena_free(&a);
        keyset_drop(&k);
    }
}

static void not_tokens(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "a",
                                       "a.b",
                                       "a.b.c",
                                       "e30.e30.",
                                       "e30.e30.AA",
                                       ".eyJhIjoxfQ.AA",
                                       "eyJhbGciOiJFUzI1NiJ9.W10.AA",
                                       "eyJhbGciOiJFUzI1NiJ9.e30.AA.AA",
                                       "eyJhbGciOiJFUzI1NiJ9.e30=.AA",
                                       "eyJhbGciOiJFUzI1NiJ9.e 30.AA"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct jwt j;
        arena_init(&a, 4096, 4 * OAUTH_TOKEN_MAX);
        if (jwt_read(str_c(rows[i]), &a, &j))
            fail_msg("taken: %s", rows[i]);
        arena_free(&a);
    }
}

static void headers(void **state)
{
    (void)state;
    static const struct {
        const char *token; /* {"alg":"ES256",...} . {} . AA */
        bool fine;
    } rows[] = {
        {"eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.e30.AA", true},                      /* typ JWT */
        {"eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AA", true},                  /* at+jwt (RFC 9068) */
        {"eyJhbGciOiJFUzI1NiIsInR5cCI6InNlY2V2ZW50K2p3dCJ9.e30.AA", false},         /* secevent+jwt */
        {"eyJhbGciOiJFUzI1NiIsImNyaXQiOlsiYjY0Il0sImI2NCI6ZmFsc2V9.e30.AA", false}, /* crit */
        {"eyJhbGciOiJFUzI1NiIsImtpZCI6MX0.e30.AA", false},                          /* kid is a number */
        {"eyJhbGciOiJlczI1NiJ9.e30.AA", false},                                     /* es256 */
        {"eyJhbGciOiJFUzM4NCJ9.e30.AA", false},                                     /* ES384 */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct jwt j;
        arena_init(&a, 4096, 4 * OAUTH_TOKEN_MAX);
        assert_true(jwt_read(str_c(rows[i].token), &a, &j));
        if ((j.fault == NULL) != rows[i].fine)
            fail_msg("row %zu: %s", i, j.fault ? j.fault : "fine");
        jwt_free(&j);
        arena_free(&a);
    }
}

static void key_sets(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int n; /* -1: none */
    } rows[] = {
        {"{\"keys\":[]}", 0},
        {"{\"keys\":[{\"kty\":\"RSA\"},{},1,null,\"x\"]}", 0},
        {"{\"keys\":{}}", -1},
        {"[]", -1},
        {"", -1},
        {"{\"keys\":[]} x", -1},
        {"{\"keys\":[[[[[[[[[[1]]]]]]]]]]}", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct keyset *k = keyset_read(str_c(rows[i].json));
        if ((k ? (int)k->n : -1) != rows[i].n)
            fail_msg("%s: %d", rows[i].json, k ? (int)k->n : -1);
        keyset_drop(&k);
    }
}

/* ---- claims ---- */

static void claims(void **state)
{
    (void)state;
    static str names[] = {S_INIT("email"), S_INIT("preferred_username"), S_INIT("sub")};
    static str aud[] = {S_INIT("mail"), S_INIT("smtp")};
    const struct conf_oauth o = {.issuer = S("https://id.test"),
                                 .audience = {aud, 2},
                                 .claim = {names, 3},
                                 .scope = S("mail send"),
                                 .leeway = 30 * RT_S};
#define MEMBERS "\"iss\":\"https://id.test\",\"aud\":\"mail\",\"scope\":\"send x mail\""
    static const struct {
        const char *json;
        bool asked;
        const char *want; /* the account, or NULL */
    } rows[] = {
        {"{" MEMBERS ",\"exp\":1000,\"email\":\"Alice@Example.test\"}", false, "alice@example.test"},
        {"{" MEMBERS ",\"exp\":970,\"email\":\"a@b.test\"}", false, "a@b.test"},
        {"{" MEMBERS ",\"exp\":969,\"email\":\"a@b.test\"}", false, NULL},
        {"{" MEMBERS ",\"exp\":1000.7,\"email\":\"a@b.test\"}", false, "a@b.test"},
        {"{" MEMBERS ",\"exp\":\"2000\",\"email\":\"a@b.test\"}", false, NULL},
        {"{" MEMBERS ",\"exp\":-1,\"email\":\"a@b.test\"}", false, NULL},
        {"{" MEMBERS ",\"exp\":1e300,\"email\":\"a@b.test\"}", false, NULL},
        {"{" MEMBERS ",\"email\":\"a@b.test\"}", false, NULL},
        {"{" MEMBERS ",\"email\":\"a@b.test\"}", true, "a@b.test"},
        {"{" MEMBERS ",\"exp\":2000,\"nbf\":1030,\"email\":\"a@b.test\"}", false, "a@b.test"},
        {"{" MEMBERS ",\"exp\":2000,\"nbf\":1031,\"email\":\"a@b.test\"}", false, NULL},
        {"{\"iss\":\"https://id.test/\",\"aud\":\"mail\",\"scope\":\"mail send\",\"exp\":2000,\"sub\":\"a\"}", false,
         NULL},
        {"{\"aud\":\"mail\",\"scope\":\"mail send\",\"exp\":2000,\"sub\":\"a\"}", false, NULL},
        {"{\"aud\":\"mail\",\"scope\":\"mail send\",\"sub\":\"a\"}", true, "a"},
        {"{\"iss\":\"x\",\"aud\":\"mail\",\"scope\":\"mail send\",\"sub\":\"a\"}", true, NULL},
        {"{\"iss\":\"https://"
         "id.test\",\"aud\":[\"web\",\"smtp\"],\"scp\":[\"send\",\"mail\"],\"exp\":2000,\"sub\":\"a\"}",
         false, "a"},
        {"{\"iss\":\"https://id.test\",\"aud\":[\"web\"],\"scp\":[\"send\",\"mail\"],\"exp\":2000,\"sub\":\"a\"}",
         false, NULL},
        {"{\"iss\":\"https://id.test\",\"scp\":[\"send\",\"mail\"],\"sub\":\"a\"}", true, NULL},
        {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"scope\":\"sendmail\",\"exp\":2000,\"sub\":\"a\"}", false,
         NULL},
        {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":2000,\"sub\":\"a\"}", false, NULL},
        {"{" MEMBERS ",\"exp\":2000,\"sub\":\"1234\",\"preferred_username\":\"a@b.test\"}", false, "a@b.test"},
        {"{" MEMBERS ",\"exp\":2000,\"sub\":\"1234\"}", false, "1234"},
        {"{" MEMBERS ",\"exp\":2000,\"email\":5,\"sub\":\"1234\"}", false, NULL},
        {"{" MEMBERS ",\"exp\":2000,\"email\":\"\",\"sub\":\"1234\"}", false, NULL},
        {"{" MEMBERS ",\"exp\":2000,\"email\":\"a b@c.test\"}", false, NULL},
        {"{" MEMBERS ",\"exp\":2000,\"email\":\"a\\u0000b@c.test\"}", false, NULL},
        {"{" MEMBERS ",\"exp\":2000,\"email\":\"a@b.test\",\"email_verified\":true}", false, "a@b.test"},
        {"{" MEMBERS ",\"exp\":2000,\"email\":\"a@b.test\",\"email_verified\":\"true\"}", false, "a@b.test"},
        {"{" MEMBERS ",\"exp\":2000,\"email\":\"a@b.test\",\"email_verified\":false}", false, NULL},
        {"{" MEMBERS ",\"exp\":2000,\"username\":\"a@b.test\"}", true, "a@b.test"},
        {"{" MEMBERS ",\"exp\":2000,\"username\":\"a@b.test\"}", false, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_JSON *j = json_parse(str_c(rows[i].json), JSON_DEPTH);
        struct oauth_owner who = {.why = NULL};
        assert_non_null(j);
        const char *why = claims_fault(&o, j, rows[i].asked, 1000, &who);
        if ((why == NULL) != (rows[i].want != NULL) || (!why && strcmp(who.account, rows[i].want) != 0))
            fail_msg("%s: %s", rows[i].json, why ? why : who.account);
    }
}

static void answers_kept(void **state)
{
    (void)state;
    struct conf_list aud = {(str[]){S("mail")}, 1};
    const struct conf_oauth one = {.title = S("a"), .introspection = S("https://a.test/"), .audience = aud},
                            other = {.title = S("a"), .introspection = S("https://a.test/"), .scope = S("smtp")};
    unsigned char k1[ANSWER_KEY], k2[ANSWER_KEY], k3[ANSWER_KEY];
    char account[OAUTH_ACCOUNT_MAX + 1] = "alice@a.test", got[OAUTH_ACCOUNT_MAX + 1];
    assert_true(answer_key(&one, S("t1"), k1) && answer_key(&one, S("t2"), k2) && answer_key(&other, S("t1"), k3));
    assert_true(memcmp(k1, k2, sizeof k1) && memcmp(k1, k3, sizeof k1)); /* another token, other demands */
    answer_keep(k1, 100, account);
    assert_true(answer_find(k1, 99, got));
    assert_string_equal(got, account);
    assert_false(answer_find(k1, 100, got));
    assert_false(answer_find(k2, 1, got) || answer_find(k3, 1, got));
}

static void answers_end(void **state)
{
    static const struct {
        int64_t age;
        const char *said;
        rt_time want; /* the answer came at 5 s, 1000 s after 1970 */
    } cases[] = {
        {60 * RT_S, "{}", 65 * RT_S},
        {60 * RT_S, "{\"exp\":1060}", 65 * RT_S},
        {60 * RT_S, "{\"exp\":1059}", 64 * RT_S},
        {60 * RT_S, "{\"exp\":1001}", 6 * RT_S},
        {60 * RT_S, "{\"exp\":1000}", 0},
        {60 * RT_S, "{\"exp\":10}", 0},
        {60 * RT_S, "{\"exp\":\"soon\"}", 0},
        {0, "{}", 0},
        {0, "{\"exp\":2000}", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct conf_oauth o = {.introspection_age = cases[i].age};
        AUTO_JSON *said = json_parse(str_c(cases[i].said), JSON_DEPTH);
        assert_int_equal(answer_until(&o, said, 5 * RT_S, 1000), cases[i].want);
    }
}

static void refusals(void **state)
{
    (void)state;
    struct buf b;
    struct conf_oauth o = {.scope = S("mail \"x"), .openid_configuration = S("https://id.test/.well-known/x")};
    struct conf c = {.oauths = &o, .noauths = 1};
    buf_init(&b, 1000);
    oauth_refusal(&b, false, &c, NULL);
    assert_str(buf_str(&b), "{\"status\":\"invalid_token\",\"scope\":\"mail \\\"x\",\"openid-configuration\":"
                            "\"https://id.test/.well-known/x\"}");
    buf_clear(&b);
    oauth_refusal(&b, true, &c, &o);
    assert_true(str_starts(buf_str(&b), S("{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":")));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),   cmocka_unit_test(names_are_bounded), cmocka_unit_test(rfc7515),
        cmocka_unit_test(rfc8037),    cmocka_unit_test(of_a_library),      cmocka_unit_test(changed),
        cmocka_unit_test(not_tokens), cmocka_unit_test(headers),           cmocka_unit_test(key_sets),
        cmocka_unit_test(claims),     cmocka_unit_test(answers_kept),      cmocka_unit_test(answers_end),
        cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
