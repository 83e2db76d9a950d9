/* The server's side of HTTP/1.1: one question a connection, then it ends. Bodies of questions are not read. */
#include "base/cleanup.h"
#include "http/http.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {414, "URI Too Long"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

static int refusal(err e)
{
    switch (e) {
    case E_TIMEOUT:
        return 408;
    case E_LINE_LENGTH:
        return 414;
    case E_LIMIT:
        return 431;
    case E_UNSUPPORTED:
        return 505;
    case E_NOMEM:
        return 503;
    default:
        return 400;
    }
}

/* The head of the question as it lies in the connection's buffer: valid until the next read. */
static err read_question(struct conn *c, struct arena *a, struct http1_request *ret) YIELDS;
static err read_question(struct conn *c, struct arena *a, struct http1_request *ret)
{
    str octets;
    err e = conn_peek(c, &octets);
    while (!e) {
        arena_reset(a);
        e = http1_request(octets, a, ret);
        if (e != E_AGAIN)
            return e;
        e = conn_peek_more(c, &octets);
    }
    return e;
}

static int ask(const struct http1_request *q, http_answer_fn *fn, void *arg, struct http_reply *r) YIELDS;
static int ask(const struct http1_request *q, http_answer_fn *fn, void *arg, struct http_reply *r)
{
    r->status = 404;
    if (!str_eq(q->method, S("GET")) && !str_eq(q->method, S("HEAD")))
        r->status = 405;
    else
        fn(arg, q, r);
    if (r->body->e)
        r->status = 500;
    return r->status;
}

static void put(struct conn *c, struct http_reply *r, bool head_only) YIELDS;
static void put(struct conn *c, struct http_reply *r, bool head_only)
{
    if (r->status != 200) {
        buf_clear(r->body);
        buf_printf(r->body, "%d %s\n", r->status, reason_of(r->status));
        r->type = "text/plain; charset=utf-8";
    }
    conn_printf(c,
                "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
                "X-Content-Type-Options: nosniff\r\n%s\r\n",
                r->status, reason_of(r->status), r->type, r->body->n, r->status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!head_only)
        conn_write(c, buf_str(r->body));
    conn_end(c);
}

int http_serve_one(struct conn *c, http_answer_fn *fn, void *arg)
{
    AUTO_ARENA a = {0};
    AUTO_BUF body;
    struct http1_request q = {0};
    struct http_reply r = {.type = "text/plain; charset=utf-8", .body = &body};
    arena_init(&a, 4096, 65536);
    buf_init(&body, HTTP_REPLY_MAX);
    c->hasty = true;
    c->deadline = rt_after(HTTP_SERVE_TIME);
    err e = read_question(c, &a, &q);
    if (c->e && (c->e != E_TIMEOUT || conn_resume(c)))
        return 0;
    bool head_only = !e && str_eq(q.method, S("HEAD"));
    r.status = e ? refusal(e) : ask(&q, fn, arg, &r);
    c->deadline = rt_after(HTTP_SERVE_TIME);
    put(c, &r, head_only);
    return r.status;
}
