/* An authority that says whatever it likes: the input is its answers, each a status letter, the rest of the line as
 * Location, and a body up to the next NUL. An order ends, with a chain or with words why not. */
#include "rt/rt.h"

#define fiber_sleep(until) ((void)(until), OK)
#include "acme/order.c"

#include <stdlib.h>

static str answers;
static int asked;

err https_ask(const struct https *h, const char *method, str url, str body, struct https_reply *ret)
{
    str one, location = S("");
    static const int statuses[] = {200, 201, 400, 403, 500, 204, 404, 200};
    (void)h, (void)method, (void)url, (void)body;
    if (++asked > 200 || !answers.n || !str_cut(&answers, 0, &one))
        return E_TIMEOUT;
    int status = one.n ? statuses[one.p[0] & 7] : 200;
    if (one.n)
        str_cut(&one, '\n', &location);
    *ret = (struct https_reply){.status = status, .location = str_skip(location, 1), .nonce = S("n"), .body = one};
    if (!ret->body.p)
        ret->body = S("");
    return OK;
}

err priv_acme_key(unsigned char ret[64])
{
    memset(ret, 1, 64);
    return OK;
}

err priv_acme_csr(const str *names, size_t n, struct buf *out)
{
    (void)names, (void)n;
    buf_add_c(out, "csr");
    return OK;
}

err jose_sign(struct buf *out, const struct jose_key *k, str kid, str nonce, str url, str payload)
{
    (void)k, (void)kid, (void)nonce, (void)url, (void)payload;
    buf_add_c(out, "{}");
    return OK;
}

err jose_bind(struct buf *out, const struct jose_key *k, str kid, str url)
{
    (void)k, (void)kid, (void)url;
    buf_add_c(out, "{}");
    return OK;
}

err jose_thumbprint(struct buf *out, const struct jose_key *k)
{
    (void)k;
    buf_add_c(out, "thumb");
    return OK;
}

err challenge_begin(bool tls, str name, str token, str authorization)
{
    (void)tls, (void)name, (void)token;
    return authorization.n > 1 ? OK : E_LIMIT;
}

void challenge_end(void) {}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf *c;
    static const char text[] = "hostname = \"mx.example.test\"\nacme { agree = true  names = {\"mx.example.test\", "
                               "\"mail.example.test\"}  contact = {\"a@example.test\"}  eab-kid = \"kid\" }\n";
    if (!c) {
        struct conf_bundle b;
        if (conf_bundle_of(&b, S("t.conf"), str_c(text), S("/")) || conf_load_loose(&c, &b))
            abort();
        conf_bundle_free(&b);
    }
    struct arena a;
    struct buf why;
    str chain = {NULL, 0};
    asked = 0;
    answers = str_mem(data, size);
    arena_init(&a, 4096, 8 << 20);
    buf_init(&why, 1024);
    err e = order_run(c, &a, &chain, &why);
    if (!e && !chain.p)
        abort();
    buf_free(&why);
    arena_free(&a);
    return 0;
}
