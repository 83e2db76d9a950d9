/* A small HTTPS client (RFC 9110, RFC 9112): one request a connection, answers of bounded size, no redirects. */
#include "acme/internal.h"
#include "base/text.h"
#include "net/net.h"

static const rt_time wait_connect = 10 * RT_S, wait_all = 60 * RT_S;

bool https_url_parse(str s, struct https_url *ret)
{
    uint64_t port = 443;
    if (s.n > URL_MAX || !str_starts(s, S("https://")))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 127)
            return false;
    s = str_skip(s, 8);
    size_t slash = str_find(s, '/');
    str at = slash == STR_NONE ? s : str_sub(s, 0, slash), host = at, number = {0};
    if (str_starts(at, S("["))) {
        size_t end = str_find(at, ']');
        if (end == STR_NONE)
            return false;
        host = str_sub(at, 1, end);
        number = str_skip(at, end + 1);
    } else if (str_find(at, ':') != STR_NONE) {
        host = str_sub(at, 0, str_find(at, ':'));
        number = str_skip(at, host.n);
    }
    if (number.n && (number.p[0] != ':' || !text_u64(str_skip(number, 1), &port) || port == 0 || port > 65535))
        return false;
    *ret = (struct https_url){host, slash == STR_NONE ? S("/") : str_skip(s, slash), (uint16_t)port};
    return host.n > 0 && str_find(host, '@') == STR_NONE;
}

static err failed(const struct https *h, err e, const char *what, str host)
{
    if (h->why && h->why->n == 0)
        buf_printf(h->why, STR_FMT ": %s: %s", STR_ARG(host), what, err_text(e));
    return e;
}

/* ---- connecting ---- */

static err try_connect(struct conn *c, const struct ip *ip, uint16_t port)
{
    struct target t = {0};
    struct ip_port at = {*ip, port};
    ip_to_sockaddr(&at, &t.to);
    return net_connect(c, &t, rt_after(wait_connect));
}

static err reach(const struct https *h, const struct https_url *u, struct conn *c)
{
    static const enum dns_type types[] = {DNS_AAAA, DNS_A};
    struct ip ip;
    if (ip_parse(u->host, &ip))
        return try_connect(c, &ip, u->port);
    err e = E_DNS_NONE;
    for (size_t k = 0; k < 2; k++) {
        struct dns_answer answer = {0};
        err found = dns_lookup(u->host, types[k], h->a, &answer);
        e = found && k == 0 ? e : found ? (e == E_DNS_NONE ? found : e) : e;
        for (size_t i = 0; !found && i < answer.n && i < 4; i++) {
            ip = ip_from_octets(answer.v[i].data.p, answer.v[i].data.n);
            e = try_connect(c, &ip, u->port);
            if (!e)
                return OK;
        }
    }
    return e;
}

/* ---- answers ---- */

/* A field's value into `ret` when this line is that field. */
static void field(const struct https *h, str line, const char *name, str *ret)
{
    str n = str_c(name);
    if (line.n > n.n && line.p[n.n] == ':' && str_ieq(str_sub(line, 0, n.n), n))
        *ret = arena_str(h->a, str_trim(str_skip(line, n.n + 1)));
}

struct framing {
    bool chunked, sized;
    uint64_t size;
};

static err read_head(const struct https *h, struct conn *c, struct https_reply *r, struct framing *f)
{
    str line, length = {0}, coding = {0}, retry = {0};
    uint64_t n = 0;
    err e = conn_readline(c, HEAD_LINE_MAX, &line, NULL);
    if (e)
        return e;
    if (!str_starts(line, S("HTTP/1.")) || line.n < 12 || !text_u64(str_sub(line, 9, 12), &n))
        return E_PROTOCOL;
    r->status = (int)n;
    for (int i = 0; i < HEAD_LINES_MAX; i++) {
        e = conn_readline(c, HEAD_LINE_MAX, &line, NULL);
        if (e || line.n == 0)
            break;
        field(h, line, "location", &r->location);
        field(h, line, "replay-nonce", &r->nonce);
        field(h, line, "content-type", &r->type);
        field(h, line, "retry-after", &retry);
        field(h, line, "content-length", &length);
        field(h, line, "transfer-encoding", &coding);
    }
    if (e || line.n)
        return e ? e : E_LIMIT;
    if (text_u64(retry, &n))
        r->retry_after = n > 3600 ? 3600 : (int)n;
    f->chunked = str_ieq(coding, S("chunked"));
    f->sized = !f->chunked && length.n;
    if ((coding.n && !f->chunked) || (f->sized && !text_u64(length, &f->size)))
        return E_PROTOCOL;
    return OK;
}

static err read_some(struct conn *c, struct buf *out, uint64_t n)
{
    while (n) {
        size_t got = 0;
        char *p = n <= REPLY_MAX ? buf_room(out, (size_t)n) : NULL;
        err e = p ? conn_read(c, p, (size_t)n, &got) : n > REPLY_MAX ? E_LIMIT : out->e;
        if (e)
            return e;
        out->n += got;
        n -= got;
    }
    return OK;
}

static bool hex_number(str s, uint64_t *ret)
{
    uint64_t v = 0;
    s = str_trim(str_sub(s, 0, str_find(s, ';') == STR_NONE ? s.n : str_find(s, ';')));
    for (size_t i = 0; i < s.n; i++) {
        char ch = (char)(s.p[i] | 0x20);
        int d = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
        if (d < 0 || i == 8)
            return false;
        v = v * 16 + (unsigned)d;
    }
    *ret = v;
    return s.n > 0;
}

/* RFC 9112 7.1; what follows the last chunk is left in the connection, which ends. */
static err read_chunks(struct conn *c, struct buf *out)
{
    for (;;) {
        str line;
        uint64_t n;
        err e = conn_readline(c, HEAD_LINE_MAX, &line, NULL);
        if (e)
            return e;
        if (!hex_number(line, &n))
            return E_PROTOCOL;
        if (n == 0)
            return OK;
        e = read_some(c, out, n);
        if (!e)
            e = conn_readline(c, HEAD_LINE_MAX, &line, NULL);
        if (e || line.n)
            return e ? e : E_PROTOCOL;
    }
}

static err read_to_end(struct conn *c, struct buf *out)
{
    str s;
    err e;
    while ((e = conn_peek(c, &s)) == OK && !out->e) {
        buf_add(out, s);
        conn_took(c, s.n);
    }
    return out->e ? out->e : e == E_CLOSED ? OK : e;
}

static err read_reply(const struct https *h, struct conn *c, bool head, struct https_reply *r)
{
    struct framing f = {0};
    struct buf body;
    buf_init(&body, REPLY_MAX);
    err e = read_head(h, c, r, &f);
    if (!e && !head && r->status != 204 && r->status != 304)
        e = f.chunked ? read_chunks(c, &body) : f.sized ? read_some(c, &body, f.size) : read_to_end(c, &body);
    if (!e) {
        r->body = arena_str(h->a, buf_str(&body));
        e = h->a->e;
    }
    buf_free(&body);
    return e;
}

err https_ask(const struct https *h, const char *method, str url, str body, struct https_reply *ret)
{
    struct https_url u;
    struct conn c;
    *ret = (struct https_reply){0};
    if (!https_url_parse(url, &u))
        return failed(h, E_SYNTAX, "not an https address", str_sub(url, 0, 200));
    err e = reach(h, &u, &c);
    if (e)
        return failed(h, e, "cannot connect", u.host);
    c.deadline = rt_after(wait_all);
    char mem[200] = "";
    struct buf tls_why;
    buf_init_fixed(&tls_why, mem, sizeof mem - 1);
    struct tls_client_config cfg = {.verify = TLS_VERIFY, .name = u.host, .ca_pem = h->ca_pem};
    e = tls_connect(&c, &cfg, &tls_why);
    if (e) {
        conn_close(&c);
        return failed(h, e, mem[0] ? mem : "TLS", u.host);
    }
    bool v6 = str_find(u.host, ':') != STR_NONE;
    conn_printf(&c, "%s " STR_FMT " HTTP/1.1\r\nHost: %s" STR_FMT "%s", method, STR_ARG(u.path), v6 ? "[" : "",
                STR_ARG(u.host), v6 ? "]" : "");
    if (u.port != 443)
        conn_printf(&c, ":%u", u.port);
    conn_printf(&c, "\r\nUser-Agent: " STR_FMT "\r\nAccept-Language: en\r\nConnection: close\r\n", STR_ARG(h->agent));
    if (body.p)
        conn_printf(&c, "Content-Type: application/jose+json\r\nContent-Length: %zu\r\n", body.n);
    conn_write(&c, S("\r\n"));
    conn_write(&c, body);
    e = conn_flush(&c);
    if (!e)
        e = read_reply(h, &c, strcmp(method, "HEAD") == 0, ret);
    conn_end(&c);
    return e ? failed(h, e, "no answer that can be used", u.host) : OK;
}
