/* What OAUTHBEARER (RFC 7628 3.1) and XOAUTH2 clients send: "user=..." or a GS2 header, then key=value pairs that each
 * end with ^A, of which "auth" has the token. */
#include "oauth/internal.h"

enum { SEP = 1 };

/* RFC 6750 2.1: b64token. */
static bool is_token(str s)
{
    size_t end = s.n;
    while (end && s.p[end - 1] == '=')
        end--;
    for (size_t i = 0; i < end; i++)
        if (!ascii_alnum(s.p[i]) && str_find(S("-._~+/"), s.p[i]) == STR_NONE)
            return false;
    return end > 0;
}

/* "Bearer TOKEN"; the scheme without regard to case (RFC 7628 3.1). */
static bool take_auth(str v, struct oauth_message *ret)
{
    if (!v.n)
        return true;
    if (!str_istarts(v, S("Bearer ")))
        return false;
    v = str_trim_wsp(str_skip(v, 7));
    ret->token = v;
    return !v.n || is_token(v);
}

static bool take_name(str v, bool escaped, struct oauth_message *ret)
{
    struct buf b;
    buf_init_fixed(&b, ret->name, OAUTH_ACCOUNT_MAX);
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        if (c == 0 || c == SEP)
            return false;
        if (c == '=' && escaped) { /* RFC 5801 4: =2C and =3D, nothing else */
            str code = str_sub(v, i + 1, i + 3);
            if (!str_ieq(code, S("2C")) && !str_ieq(code, S("3D")))
                return false;
            c = str_ieq(code, S("2C")) ? ',' : '=';
            i += 2;
        }
        buf_add_char(&b, c);
    }
    if (b.e)
        return false;
    ret->name[b.n] = 0;
    return true;
}

/* "n,a=NAME," or "n,,": we have no channel binding to offer, and "y" is a client that saw that. */
static bool take_gs2(str *rest, struct oauth_message *ret)
{
    str flag, name;
    if (!str_cut(rest, ',', &flag) || !rest->p || !str_cut(rest, ',', &name) || !rest->p)
        return false;
    if (!str_eq(flag, S("n")) && !str_eq(flag, S("y")))
        return false;
    if (!name.n)
        return true;
    return str_starts(name, S("a=")) && name.n > 2 && take_name(str_skip(name, 2), true, ret);
}

static bool take_pair(bool xoauth2, str pair, bool *auth, bool *user, struct oauth_message *ret)
{
    size_t eq = str_find(pair, '=');
    str key = str_sub(pair, 0, eq), value = str_skip(pair, eq == STR_NONE ? pair.n : eq + 1);
    for (size_t i = 0; i < key.n; i++)
        if (!ascii_alpha(key.p[i]))
            return false;
    if (eq == STR_NONE || !key.n || memchr(value.p ? value.p : "", 0, value.n))
        return false;
    bool is_auth = str_eq(key, S("auth")), is_user = xoauth2 && str_eq(key, S("user"));
    if ((is_auth && *auth) || (is_user && *user))
        return false;
    *auth |= is_auth;
    *user |= is_user;
    return is_auth ? take_auth(value, ret) : is_user ? take_name(value, false, ret) : true;
}

bool oauth_message_parse(bool xoauth2, str in, struct oauth_message *ret)
{
    struct oauth_message m = {.token = S("")};
    bool auth = false, user = false;
    str pair;
    if (!xoauth2 && !take_gs2(&in, &m))
        return false;
    if (!xoauth2 && (!in.n || in.p[0] != SEP))
        return false;
    if (!xoauth2)
        in = str_skip(in, 1);
    while (in.n && in.p[0] != SEP) {
        if (!str_cut(&in, SEP, &pair) || !in.p || !take_pair(xoauth2, pair, &auth, &user, &m))
            return false;
    }
    if (in.n != 1 || (xoauth2 && (!auth || !user)))
        return false;
    *ret = m;
    return true;
}
