/* Which authority decides about a token, and what the client hears when none is for it. */
#include "oauth/internal.h"
#include "base/cleanup.h"
#include "base/text.h"

/* A signed token of this authority: a name of its issuer counts only after the signature. */
static enum oauth_result by_keys(const struct conf_oauth *o, const struct jwt *j, struct oauth_owner *ret) YIELDS;
static enum oauth_result by_keys(const struct conf_oauth *o, const struct jwt *j, struct oauth_owner *ret)
{
    ret->by = o;
    ret->why = j->fault;
    if (j->fault)
        return OAUTH_NO;
    ret->why = "the keys of the authority cannot be fetched";
    struct keyset *k = keys_of(o, NULL);
    enum key_verdict v = k ? keyset_verify(k, j) : KEY_UNKNOWN;
    if (k && v == KEY_UNKNOWN) {
        struct keyset *newer = keys_of(o, k);
        v = newer ? keyset_verify(newer, j) : KEY_UNKNOWN;
        keyset_drop(&k);
        k = newer;
    }
    bool down = !k;
    keyset_drop(&k);
    if (down)
        return OAUTH_DOWN;
    ret->why = v == KEY_BAD ? "the signature is wrong" : "signed by a key that is not known";
    if (v == KEY_GOOD)
        ret->why = claims_fault(o, j->claims, false, rt_wall_ms() / 1000, ret);
    return ret->why ? OAUTH_NO : OAUTH_YES;
}

static enum oauth_result judge(const struct conf *c, str token, const struct jwt *j, struct oauth_owner *ret) YIELDS;
static enum oauth_result judge(const struct conf *c, str token, const struct jwt *j, struct oauth_owner *ret)
{
    enum oauth_result all = OAUTH_NO;
    str iss = json_text(json_get(j->claims, "iss"));
    for (size_t i = 0; i < c->noauths; i++) {
        const struct conf_oauth *o = &c->oauths[i];
        struct oauth_owner own = {.why = NULL};
        if (j->claims && o->jwks.n) {
            if (!str_eq(iss, o->issuer))
                continue;
            return by_keys(o, j, ret);
        }
        if (!o->introspection.n)
            continue;
        enum oauth_result r = introspect(o, token, &own);
        if (r == OAUTH_YES || all != OAUTH_DOWN)
            *ret = own;
        if (r == OAUTH_YES)
            return r;
        if (r == OAUTH_DOWN)
            all = r;
    }
    return all;
}

enum oauth_result oauth_judge(const struct conf *c, str token, struct oauth_owner *ret)
{
    AUTO_ARENA a = {0};
    struct jwt j;
    arena_init(&a, 8192, 4 * OAUTH_TOKEN_MAX);
    *ret = (struct oauth_owner){.why = token.n ? "of no authority that is known" : "no token"};
    if (!token.n || token.n > OAUTH_TOKEN_MAX)
        return OAUTH_NO;
    (void)jwt_read(token, &a, &j);
    enum oauth_result r = judge(c, token, &j, ret);
    jwt_free(&j);
    return r;
}

bool oauth_speaks_for(const struct conf_oauth *by, str domain)
{
    for (size_t i = 0; i < by->domains.n; i++)
        if (str_ieq(by->domains.v[i], domain))
            return true;
    return by->domains.n == 0;
}

void oauth_refusal(struct buf *out, bool xoauth2, const struct conf *c, const struct conf_oauth *by)
{
    if (!by && c->noauths)
        by = &c->oauths[0];
    buf_add_c(out, xoauth2 ? "{\"status\":\"401\",\"schemes\":\"bearer\"" : "{\"status\":\"invalid_token\"");
    if (by && (by->scope.n || xoauth2)) {
        buf_add_c(out, ",\"scope\":");
        text_json(out, by->scope);
    }
    if (by && by->openid_configuration.n) {
        buf_add_c(out, ",\"openid-configuration\":");
        text_json(out, by->openid_configuration);
    }
    buf_add_char(out, '}');
}
