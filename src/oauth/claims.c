/* What a token says about itself (RFC 7519 4.1, RFC 7662 2.2), and whether that makes it one for us. */
#include "oauth/internal.h"

static bool has_word(str words, str word)
{
    str w;
    while (words.n && str_cut(&words, ' ', &w))
        if (str_eq(w, word))
            return true;
    return false;
}

/* A string, or an array that has it (RFC 7519 4.1.3). */
static bool is_or_has(struct json_object *o, str word)
{
    for (size_t i = 0; i < json_length(o); i++)
        if (str_eq(json_text(json_object_array_get_idx(o, i)), word))
            return true;
    return word.n && str_eq(json_text(o), word);
}

static bool meant_for_us(const struct conf_oauth *o, struct json_object *claims)
{
    for (size_t i = 0; i < o->audience.n; i++)
        if (is_or_has(json_get(claims, "aud"), o->audience.v[i]))
            return true;
    return o->audience.n == 0;
}

/* "scope" is one string of words (RFC 8693 4.2), "scp" that or an array, as others have it. */
static bool allows(const struct conf_oauth *o, struct json_object *claims)
{
    struct json_object *scope = json_get(claims, "scope"), *scp = json_get(claims, "scp");
    str wanted = o->scope, word;
    while (wanted.n && str_cut(&wanted, ' ', &word))
        if (word.n && !has_word(json_text(scope), word) && !has_word(json_text(scp), word) && !is_or_has(scope, word) &&
            !is_or_has(scp, word))
            return false;
    return true;
}

static const char *time_fault(const struct conf_oauth *o, struct json_object *claims, bool asked, int64_t now)
{
    struct json_object *exp = json_get(claims, "exp"), *nbf = json_get(claims, "nbf");
    int64_t at, leeway = o->leeway / RT_S;
    if (!exp && !asked)
        return "a token without an end";
    if (exp && (!json_whole(exp, &at) || at < now - leeway))
        return "expired";
    if (nbf && (!json_whole(nbf, &at) || at > now + leeway))
        return "not valid yet";
    return NULL;
}

/* The first claim of the list that is there decides: an empty or strange one does not give way to the next. */
static const char *account_fault(const struct conf_oauth *o, struct json_object *claims, bool asked,
                                 struct oauth_owner *ret)
{
    struct json_object *found = NULL, *verified = json_get(claims, "email_verified");
    for (size_t i = 0; i < o->claim.n && !found; i++) {
        char name[100];
        if (!str_to_c(o->claim.v[i], name, sizeof name))
            continue;
        found = json_get(claims, name);
        bool no =
            verified && (json_object_is_type(verified, json_type_boolean) ? !json_object_get_boolean(verified)
                                                                          : !str_ieq(json_text(verified), S("true")));
        if (found && str_eq(o->claim.v[i], S("email")) && no)
            return "its mail address is not verified";
    }
    if (!found && asked)
        found = json_get(claims, "username");
    str account = json_text(found);
    if (!account.n || !str_to_c(account, ret->account, sizeof ret->account))
        return "no claim names an account";
    for (size_t i = 0; i < account.n; i++) {
        if ((unsigned char)ret->account[i] <= ' ' || ret->account[i] == 127)
            return "no claim names an account";
        ret->account[i] = ascii_lower(ret->account[i]);
    }
    return NULL;
}

const char *claims_fault(const struct conf_oauth *o, struct json_object *claims, bool asked, int64_t now_s,
                         struct oauth_owner *ret)
{
    struct json_object *iss = json_get(claims, "iss");
    if (o->issuer.n && (iss || !asked) && !str_eq(json_text(iss), o->issuer))
        return "of another issuer";
    if (!meant_for_us(o, claims))
        return "for another audience";
    if (!allows(o, claims))
        return "for another scope";
    const char *why = time_fault(o, claims, asked, now_s);
    return why ? why : account_fault(o, claims, asked, ret);
}
