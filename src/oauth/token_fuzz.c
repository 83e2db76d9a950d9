/* Whatever a client or an authority may send: SASL messages, tokens, key sets, answers about a token. */
#include "oauth/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static str claims[] = {S_INIT("email"), S_INIT("preferred_username"), S_INIT("sub")}, aud[] = {S_INIT("mail")};
    const struct conf_oauth o = {.claim = {claims, 3}, .audience = {aud, 1}, .scope = S("mail send")};
    str in = str_mem(data, size);
    struct oauth_message m;
    struct oauth_owner who;
    struct arena a;
    struct jwt j;
    for (int x = 0; x < 2; x++)
        if (oauth_message_parse(x, in, &m) && (strlen(m.name) > OAUTH_ACCOUNT_MAX || m.token.n > size))
            abort();
    arena_init(&a, 4096, 4 * OAUTH_TOKEN_MAX);
    bool token = jwt_read(in, &a, &j);
    if (token)
        (void)claims_fault(&o, j.claims, false, 1000, &who);
    AUTO_JSON *said = json_parse(in, JSON_DEPTH);
    if (said && !claims_fault(&o, said, true, 1000, &who) && !who.account[0])
        abort();
    struct keyset *k = keyset_read(in);
    if (k && k->n > KEYS_MAX)
        abort();
    if (k && token)
        (void)keyset_verify(k, &j);
    keyset_drop(&k);
    jwt_free(&j);
    arena_free(&a);
    return 0;
}
