/* Asking an authority: about a token (RFC 7662 2), or for its keys. */
#include "base/cleanup.h"
#include "base/codec.h"
#include "http/http.h"
#include "oauth/internal.h"
#include "priv/priv.h"

#include <openssl/crypto.h>

enum { AT_ONCE = 32 }; /* questions over all loops */
static int asking;

static err take_turn(rt_time until) YIELDS;
static err take_turn(rt_time until)
{
    while (__atomic_add_fetch(&asking, 1, __ATOMIC_RELAXED) > AT_ONCE) {
        __atomic_sub_fetch(&asking, 1, __ATOMIC_RELAXED);
        if (rt_now() >= until || fiber_sleep(rt_after(20 * RT_MS)))
            return E_TIMEOUT;
    }
    return OK;
}

struct json_object *authority_ask(const struct conf_oauth *o, str url, struct http_question *q, str *ret_body,
                                  struct arena *a)
{
    char mem[300];
    struct buf why;
    struct http1_answer r = {0};
    struct json_object *said = NULL;
    buf_init_fixed(&why, mem, sizeof mem);
    q->deadline = rt_after(o->timeout);
    q->ca_pem = o->ca_pem.n ? o->ca_pem.p : NULL;
    q->most = ANSWER_MAX;
    q->private_targets = true; /* the administrator chose it */
    err e = http_url_parse(url, &q->url) ? take_turn(q->deadline) : E_SYNTAX;
    if (!e) {
        e = http_ask(q, a, &r, &why);
        __atomic_sub_fetch(&asking, 1, __ATOMIC_RELAXED);
    }
    if (!e && r.status == 200)
        said = json_parse(r.body, JSON_DEPTH);
    if (!said && !why.n) {
        if (e)
            buf_add_c(&why, err_text(e));
        else if (r.status != 200)
            buf_printf(&why, "HTTP status %d", r.status);
        else
            buf_add_c(&why, "the answer is no JSON");
    }
    if (!said)
        rt_log(EV_oauth_down, log_str(o->title), log_str(buf_str(&why)));
    *ret_body = r.body;
    return said;
}

/* application/x-www-form-urlencoded (RFC 6749 B). */
static void form(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (ascii_alnum(s.p[i]) || str_find(S("-._~"), s.p[i]) != STR_NONE)
            buf_add_char(out, s.p[i]);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* "Basic ..." (RFC 6749 2.3.1). */
static err credentials(const struct conf_oauth *o, struct buf *out) YIELDS;
static err credentials(const struct conf_oauth *o, struct buf *out)
{
    AUTO_BUF both;
    AUTO_BUF secret;
    buf_init(&both, 8192);
    buf_init(&secret, PRIV_SECRET_MAX);
    err e = o->secret_file.n ? priv_password(o->secret_name, &secret) : OK;
    form(&both, o->client);
    buf_add_char(&both, ':');
    form(&both, buf_str(&secret));
    buf_add_c(out, "Basic ");
    base64_encode(out, buf_str(&both));
    if (both.p)
        OPENSSL_cleanse(both.p, both.cap);
    if (secret.p)
        OPENSSL_cleanse(secret.p, secret.cap);
    return e ? e : both.e ? both.e : out->e;
}

static enum oauth_result understand(const struct conf_oauth *o, struct json_object *said, struct oauth_owner *ret)
{
    struct json_object *active = json_get(said, "active");
    ret->why = "the authority does not know it, or no more";
    if (!active || !json_object_is_type(active, json_type_boolean)) {
        ret->why = "the authority did not say whether it is active";
        rt_log(EV_oauth_down, log_str(o->title), log_c(ret->why));
        return OAUTH_DOWN;
    }
    if (!json_object_get_boolean(active))
        return OAUTH_NO;
    ret->why = claims_fault(o, said, true, rt_wall_ms() / 1000, ret);
    return ret->why ? OAUTH_NO : OAUTH_YES;
}

rt_time answer_until(const struct conf_oauth *o, struct json_object *said, rt_time now, int64_t now_s)
{
    int64_t end, left = o->introspection_age / RT_S;
    if (json_get(said, "exp") && !json_whole(json_get(said, "exp"), &end))
        return 0;
    if (json_get(said, "exp") && end - now_s < left)
        return end > now_s ? now + (end - now_s) * RT_S : 0;
    return o->introspection_age ? now + o->introspection_age : 0;
}

static enum oauth_result ask(const struct conf_oauth *o, str token, rt_time *ret_until, struct oauth_owner *ret) YIELDS;
static enum oauth_result ask(const struct conf_oauth *o, str token, rt_time *ret_until, struct oauth_owner *ret)
{
    AUTO_ARENA a = {0};
    AUTO_BUF body;
    AUTO_BUF auth;
    str text;
    buf_init(&body, 4 * OAUTH_TOKEN_MAX);
    buf_init(&auth, 16384);
    arena_init(&a, 8192, 2 * ANSWER_MAX + 65536);
    ret->by = o;
    ret->why = "the authority does not answer";
    buf_add_c(&body, "token=");
    form(&body, token);
    buf_add_c(&body, "&token_type_hint=access_token");
    if (body.e || (o->client.n && credentials(o, &auth)))
        return OAUTH_DOWN;
    const struct http1_field fields[] = {{S("Content-Type"), S("application/x-www-form-urlencoded")},
                                         {S("Accept"), S("application/json")},
                                         {S("Authorization"), buf_str(&auth)}};
    struct http_question q = {
        .method = "POST", .fields = fields, .nfields = o->client.n ? 3 : 2, .body = buf_str(&body)};
    AUTO_JSON *said = authority_ask(o, o->introspection, &q, &text, &a);
    if (auth.p)
        OPENSSL_cleanse(auth.p, auth.cap);
    if (said)
        *ret_until = answer_until(o, said, rt_now(), rt_wall_ms() / 1000);
    return said ? understand(o, said, ret) : OAUTH_DOWN;
}

enum oauth_result introspect(const struct conf_oauth *o, str token, struct oauth_owner *ret)
{
    unsigned char key[ANSWER_KEY];
    rt_time until = 0;
    bool may = o->introspection_age && answer_key(o, token, key);
    if (may && answer_find(key, rt_now(), ret->account)) {
        metric_add(M_oauth_cached, 1);
        ret->by = o;
        ret->why = NULL;
        return OAUTH_YES;
    }
    enum oauth_result r = ask(o, token, &until, ret);
    if (may && r == OAUTH_YES && until)
        answer_keep(key, until, ret->account);
    return r;
}
