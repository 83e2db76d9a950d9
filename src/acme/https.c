/* A question to the authority, over HTTPS only, and what of the answer counts (RFC 8555 6). */
#include "acme/internal.h"
#include "base/text.h"
#include "http/http.h"

#define ASK_TIME (60 * RT_S)

/* RFC 9110 10.2.3: only seconds, an hour at most; a date is as good as nothing said. */
static int seconds(str s)
{
    uint64_t n;
    return !text_u64(s, &n) ? 0 : n > 3600 ? 3600 : (int)n;
}

err https_ask(const struct https *h, const char *method, str url, str body, struct https_reply *ret)
{
    static const struct http1_field jose = {{"Content-Type", 12}, {"application/jose+json", 21}};
    char mem[200];
    struct buf why;
    struct http1_answer r;
    struct http_question q = {.method = method,
                              .fields = &jose,
                              .nfields = body.p ? 1 : 0,
                              .body = body,
                              .ca_pem = h->ca_pem,
                              .most = REPLY_MAX,
                              .deadline = rt_after(ASK_TIME),
                              .private_targets = true}; /* the administrator chose the authority */
    buf_init_fixed(&why, mem, sizeof mem);
    bool fits = url.n <= URL_MAX && http_url_parse(url, &q.url) && q.url.tls;
    if (!fits)
        buf_add_c(&why, "not an https address");
    err e = fits ? http_ask(&q, h->a, &r, &why) : E_SYNTAX;
    if (e && h->why && h->why->n == 0)
        buf_printf(h->why, STR_FMT ": " STR_FMT, STR_ARG(fits ? q.url.host : str_sub(url, 0, 200)),
                   STR_ARG(buf_str(&why)));
    if (!e)
        *ret = (struct https_reply){.status = r.status,
                                    .location = http1_field(&r, S("Location")),
                                    .nonce = http1_field(&r, S("Replay-Nonce")),
                                    .type = http1_field(&r, S("Content-Type")),
                                    .body = r.body,
                                    .retry_after = seconds(http1_field(&r, S("Retry-After")))};
    return e;
}
