/* Connections of clients by HTTPS, and the pages that there are. */
#include "web/web.h"
#include "base/text.h"
#include "directory/directory.h"
#include "http/http.h"

#define POLICY_PREFIX "mta-sts."

/* RFC 8461 3.3: the policy of DOMAIN is at the host mta-sts.DOMAIN. */
static void policy_page(const struct conf *c, const struct http1_request *q, struct http_reply *r)
{
    char mem[256];
    struct buf name;
    buf_init_fixed(&name, mem, sizeof mem);
    if (!str_istarts(q->host, S(POLICY_PREFIX)))
        return;
    for (size_t i = sizeof POLICY_PREFIX - 1; i < q->host.n; i++)
        buf_add_char(&name, ascii_lower(q->host.p[i]));
    const struct conf_domain *d = name.e ? NULL : directory_domain(c, buf_str(&name));
    if (d && directory_domain_enabled(d) && web_policy(c, d, r->body))
        r->status = 200;
}

static const struct {
    const char *path;
    void (*page)(const struct conf *c, const struct http1_request *q, struct http_reply *r);
} pages[] = {
    {"/.well-known/mta-sts.txt", policy_page},
};

static void answer(void *arg, const struct http1_request *q, struct http_reply *r)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (str_eq(q->path, str_c(pages[i].path)))
            pages[i].page(arg, q, r);
    rt_log(EV_web, log_str(q->host), log_str(q->path), log_num(r->status));
}

void web_session(struct conn *c, const struct conf *conf, struct tls_server *tls)
{
    c->deadline = rt_after(HTTP_SERVE_TIME);
    if (tls_accept(c, tls, NULL) == OK)
        (void)http_serve_one(c, answer, (void *)(uintptr_t)conf);
}
