/*
 * One order (RFC 8555 7): directory, nonce, account, order, a proof for each name, the request for a certificate, and
 * the chain. Every answer is looked at for what is needed and for nothing else; whatever is missing ends the order with
 * the authority's own words where it said some.
 */
#include "acme/internal.h"
#include "base/cleanup.h"
#include "base/codec.h"
#include "base/text.h"
#include "priv/priv.h"
#include "wire/json.h"

enum { NONCE_TRIES = 6, JSON_DEPTH = 16 };
static const rt_time wait_least = 250 * RT_MS, wait_most = 15 * RT_S, wait_all = 10 * 60 * RT_S;

struct order {
    struct conf *c;
    struct https h;
    struct arena *a;
    struct buf *why;
    struct jose_key key;
    str new_nonce, new_account, new_order; /* addresses in the directory */
    str kid, nonce;
    str url, finalize, certificate;
    rt_time end;
};

/* ---- JSON ---- */

static struct json_object *parse(str s) { return s.n <= REPLY_MAX ? json_parse(s, JSON_DEPTH) : NULL; }

/* A string, copied; "" when it is not there. */
static str text(struct order *x, struct json_object *o, const char *name)
{
    str v = json_text(json_get(o, name));
    return v.n ? arena_str(x->a, v) : S("");
}

/* ---- what went wrong ---- */

static err fail(struct order *x, err e, const char *step, str detail)
{
    if (x->why->n == 0)
        buf_printf(x->why, "%s: " STR_FMT, step, STR_ARG(str_sub(detail, 0, 400)));
    return e ? e : E_PROTOCOL;
}

/* An answer that is an error: its problem document (RFC 7807) in words. */
static err refused(struct order *x, const char *step, const struct https_reply *r)
{
    AUTO_JSON *o = parse(r->body);
    str detail = text(x, o, "detail"), type = text(x, o, "type");
    if (x->why->n == 0)
        buf_printf(x->why, "%s: HTTP %d " STR_FMT " " STR_FMT, step, r->status, STR_ARG(str_sub(type, 0, 100)),
                   STR_ARG(str_sub(detail, 0, 400)));
    return E_PROTOCOL;
}

/* ---- signed requests ---- */

static err fresh_nonce(struct order *x)
{
    struct https_reply r;
    if (x->nonce.n)
        return OK;
    err e = https_ask(&x->h, "HEAD", x->new_nonce, (str){0}, &r);
    if (!e && r.nonce.n == 0)
        e = fail(x, E_PROTOCOL, "new nonce", S("the answer has no Replay-Nonce"));
    x->nonce = r.nonce;
    return e;
}

static bool bad_nonce(struct order *x, const struct https_reply *r)
{
    if (r->status != 400)
        return false;
    AUTO_JSON *o = parse(r->body);
    return str_eq(text(x, o, "type"), S("urn:ietf:params:acme:error:badNonce"));
}

/* POST with a signed payload; "" reads (RFC 8555 6.3). An answer of 2xx, or an error. */
static err post(struct order *x, const char *step, str url, str payload, struct https_reply *r)
{
    for (int i = 0; i < NONCE_TRIES; i++) {
        AUTO_BUF body = {0};
        buf_init(&body, REPLY_MAX);
        err e = fresh_nonce(x);
        if (!e)
            e = jose_sign(&body, &x->key, x->kid, x->nonce, url, payload);
        if (!e)
            e = https_ask(&x->h, "POST", url, buf_str(&body), r);
        if (e)
            return fail(x, e, step, str_c(err_text(e)));
        x->nonce = r->nonce;
        if (r->status / 100 == 2)
            return OK;
        if (!bad_nonce(x, r))
            return refused(x, step, r);
    }
    return fail(x, E_PROTOCOL, step, S("the authority refuses each nonce that it gave"));
}

/* Between two looks at something that is not ready. */
static err pause_for(struct order *x, const struct https_reply *r, int turn)
{
    rt_time wait = r->retry_after ? r->retry_after * RT_S : wait_least << (turn < 6 ? turn : 6);
    if (wait > wait_most)
        wait = wait_most;
    if (rt_after(wait) > x->end)
        return fail(x, E_TIMEOUT, "waiting", S("the authority did not come to an end"));
    return fiber_sleep(rt_after(wait));
}

/* ---- the steps ---- */

static err read_directory(struct order *x)
{
    struct https_reply r;
    err e = https_ask(&x->h, "GET", x->c->acme_directory, (str){0}, &r);
    if (e)
        return e;
    if (r.status != 200)
        return refused(x, "directory", &r);
    AUTO_JSON *o = parse(r.body);
    x->new_nonce = text(x, o, "newNonce");
    x->new_account = text(x, o, "newAccount");
    x->new_order = text(x, o, "newOrder");
    if (!x->new_nonce.n || !x->new_account.n || !x->new_order.n)
        return fail(x, E_PROTOCOL, "directory", S("it does not name newNonce, newAccount and newOrder"));
    return OK;
}

/* What a new account says of itself. */
static err describe_account(struct order *x, struct buf *b)
{
    const struct conf *c = x->c;
    buf_add(b, S("{\"termsOfServiceAgreed\":true"));
    for (size_t i = 0; i < c->acme_contact.n; i++) {
        AUTO_BUF to;
        buf_init(&to, 1024);
        buf_printf(&to, "mailto:" STR_FMT, STR_ARG(c->acme_contact.v[i]));
        buf_add(b, i ? S(",") : S(",\"contact\":["));
        text_json(b, buf_str(&to));
    }
    buf_add(b, c->acme_contact.n ? S("]") : S(""));
    err e = OK;
    if (c->acme_eab_kid.n) {
        buf_add(b, S(",\"externalAccountBinding\":"));
        e = jose_bind(b, &x->key, c->acme_eab_kid, x->new_account);
        if (e)
            return fail(x, e, "the keeper's external account binding", str_c(err_text(e)));
    }
    buf_add_char(b, '}');
    return b->e;
}

/* A key that the authority gave may serve once only: an account that is there already is asked for without it. */
static err find_bound_account(struct order *x, struct https_reply *r)
{
    if (!x->c->acme_eab_kid.n)
        return E_NOT_FOUND;
    err e = post(x, "account", x->new_account, S("{\"onlyReturnExisting\":true}"), r);
    if (e)
        buf_clear(x->why);
    return e;
}

/* The same request makes an account and finds it again (RFC 8555 7.3.1). */
static err find_account(struct order *x)
{
    AUTO_BUF b;
    struct https_reply r;
    buf_init(&b, 16384);
    err e = find_bound_account(x, &r);
    if (e) {
        e = describe_account(x, &b);
        if (!e)
            e = post(x, "account", x->new_account, buf_str(&b), &r);
    }
    if (!e && r.location.n == 0)
        e = fail(x, E_PROTOCOL, "account", S("the answer has no Location"));
    if (!e)
        x->kid = r.location;
    return e;
}

static err begin_order(struct order *x, struct https_reply *r)
{
    AUTO_BUF b;
    buf_init(&b, 65536);
    buf_add(&b, S("{\"identifiers\":["));
    for (size_t i = 0; i < x->c->acme_names.n; i++) {
        buf_add(&b, i ? S(",{\"type\":\"dns\",\"value\":") : S("{\"type\":\"dns\",\"value\":"));
        text_json(&b, x->c->acme_names.v[i]);
        buf_add_char(&b, '}');
    }
    buf_add(&b, S("]}"));
    err e = b.e ? b.e : post(x, "order", x->new_order, buf_str(&b), r);
    if (!e && r->location.n == 0)
        e = fail(x, E_PROTOCOL, "order", S("the answer has no Location"));
    if (!e)
        x->url = r->location;
    return e;
}

/* Publishes the proof and tells the authority to look. */
static err offer_proof(struct order *x, str name, struct json_object *authz)
{
    bool tls = x->c->acme_challenge == CONF_ACME_TLS_ALPN;
    struct json_object *all = json_get(authz, "challenges");
    struct https_reply r;
    for (size_t i = 0; i < json_length(all); i++) {
        struct json_object *o = json_object_array_get_idx(all, i);
        if (!str_eq(text(x, o, "type"), tls ? S("tls-alpn-01") : S("http-01")))
            continue;
        str token = text(x, o, "token"), url = text(x, o, "url");
        AUTO_BUF proof;
        buf_init(&proof, 1024);
        buf_add(&proof, token);
        buf_add_char(&proof, '.');
        err e = jose_thumbprint(&proof, &x->key);
        if (!e)
            e = challenge_begin(tls, name, token, buf_str(&proof));
        if (e)
            return fail(x, e, "proof", str_c(err_text(e)));
        return post(x, "proof", url, S("{}"), &r);
    }
    return fail(x, E_UNSUPPORTED, "proof", S("the authority offers no check of the kind acme.challenge"));
}

/* The words for a check that failed stand in the challenge (RFC 8555 8.2). */
static err check_failed(struct order *x, str name, struct json_object *authz)
{
    struct json_object *all = json_get(authz, "challenges");
    str detail = S("");
    for (size_t i = 0; i < json_length(all) && !detail.n; i++)
        detail = text(x, json_get(json_object_array_get_idx(all, i), "error"), "detail");
    if (x->why->n == 0)
        buf_printf(x->why, "check of " STR_FMT ": " STR_FMT, STR_ARG(name), STR_ARG(str_sub(detail, 0, 400)));
    return E_DENIED;
}

static err prove(struct order *x, str url)
{
    bool offered = false;
    for (int turn = 0;; turn++) {
        struct https_reply r;
        err e = post(x, "authorization", url, S(""), &r);
        if (e)
            return e;
        AUTO_JSON *o = parse(r.body);
        str status = text(x, o, "status"), name = text(x, json_get(o, "identifier"), "value");
        if (str_eq(status, S("valid")))
            return OK;
        if (!str_eq(status, S("pending")))
            return check_failed(x, name, o);
        if (!offered) {
            e = offer_proof(x, name, o);
            offered = true;
            turn = 0;
        }
        if (!e)
            e = pause_for(x, &r, turn);
        if (e)
            return e;
    }
}

static err prove_all(struct order *x, struct json_object *order)
{
    struct json_object *all = json_get(order, "authorizations");
    if (json_length(all) == 0 || json_length(all) > NAMES_MAX)
        return fail(x, E_PROTOCOL, "order", S("it has no authorizations"));
    err e = OK;
    for (size_t i = 0; i < json_length(all) && !e; i++) {
        struct json_object *o = json_object_array_get_idx(all, i);
        if (!json_object_is_type(o, json_type_string))
            return fail(x, E_PROTOCOL, "order", S("an authorization is no address"));
        str url = arena_str(x->a, str_c(json_object_get_string(o)));
        e = prove(x, url);
    }
    return e;
}

/* Looks until the order is as wanted. */
static err order_until(struct order *x, const char *wanted, struct https_reply *r)
{
    for (int turn = 0;; turn++) {
        AUTO_JSON *o = parse(r->body);
        str status = text(x, o, "status");
        x->finalize = text(x, o, "finalize");
        x->certificate = text(x, o, "certificate");
        if (str_eq(status, str_c(wanted)) || str_eq(status, S("valid")))
            return OK;
        if (str_eq(status, S("invalid")) || !status.n)
            return fail(x, E_DENIED, "order", text(x, json_get(o, "error"), "detail"));
        err e = pause_for(x, r, turn);
        if (!e)
            e = post(x, "order", x->url, S(""), r);
        if (e)
            return e;
    }
}

static err finalize(struct order *x, struct https_reply *r)
{
    AUTO_BUF csr;
    AUTO_BUF b;
    buf_init(&csr, PRIV_MESSAGE_MAX);
    buf_init(&b, 16384);
    err e = priv_acme_csr(x->c->acme_names.v, x->c->acme_names.n, &csr);
    if (e)
        return fail(x, e, "the keeper's request for a certificate", str_c(err_text(e)));
    buf_add(&b, S("{\"csr\":\""));
    base64url_encode(&b, buf_str(&csr));
    buf_add(&b, S("\"}"));
    return b.e ? b.e : post(x, "finalize", x->finalize, buf_str(&b), r);
}

static err run(struct order *x, str *ret_chain)
{
    struct https_reply r;
    err e = priv_acme_key(x->key.xy);
    if (e)
        return fail(x, e, "the keeper's account key", str_c(err_text(e)));
    e = read_directory(x);
    if (!e)
        e = find_account(x);
    if (!e)
        e = begin_order(x, &r);
    if (e)
        return e;
    AUTO_JSON *order = parse(r.body);
    e = prove_all(x, order);
    if (!e)
        e = post(x, "order", x->url, S(""), &r);
    if (!e)
        e = order_until(x, "ready", &r);
    if (!e && !x->certificate.n) {
        e = finalize(x, &r);
        if (!e)
            e = order_until(x, "valid", &r);
    }
    if (!e && !x->certificate.n)
        e = fail(x, E_PROTOCOL, "order", S("it is valid and names no certificate"));
    if (!e)
        e = post(x, "certificate", x->certificate, S(""), &r);
    if (!e)
        *ret_chain = r.body;
    return e;
}

err order_run(struct conf *c, struct arena *a, str *ret_chain, struct buf *why)
{
    struct order x = {.c = c, .a = a, .why = why, .end = rt_after(wait_all)};
    x.h = (struct https){.ca_pem = conf_file_text(c, c->acme_ca_file).p, .a = a, .why = why};
    err e = run(&x, ret_chain);
    challenge_end();
    return e ? e : a->e;
}
