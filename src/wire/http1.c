/* HTTP/1.1 (RFC 9112 3 to 7): request line or status line, fields, and a body by length, by chunks, or to the end. */
#include "wire/http1.h"

#include "base/text.h"

bool http1_token(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alpha && str_find(S("!#$%&'*+-.^_`|~"), c) == STR_NONE)
            return false;
    }
    return s.n > 0;
}

bool http1_value(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' && s.p[i] != '\t')
            return false;
    return true;
}

str http1_field(const struct http1_answer *r, str name)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_ieq(r->v[i].name, name))
            return r->v[i].value;
    return (str){NULL, 0};
}

/* A line without its CRLF (a bare LF is taken too, RFC 9112 2.2), cut off *rest. False: it has not ended. */
static bool line(str *rest, str *ret)
{
    size_t lf = str_find(*rest, '\n');
    if (lf == STR_NONE)
        return false;
    *ret = str_sub(*rest, 0, lf && rest->p[lf - 1] == '\r' ? lf - 1 : lf);
    *rest = str_skip(*rest, lf + 1);
    return true;
}

/* ---- head ---- */

static err status_line(str s, int *ret)
{
    uint64_t code;
    if (!str_starts(s, S("HTTP/1.")) || s.n < 12 || s.p[8] != ' ' || (s.n > 12 && s.p[12] != ' ') ||
        !text_u64(str_sub(s, 9, 12), &code) || code < 100)
        return E_SYNTAX;
    *ret = (int)code;
    return OK;
}

static err field(str s, struct http1_field *v, size_t *n)
{
    size_t colon = str_find(s, ':');
    str name = str_sub(s, 0, colon), value = str_trim_wsp(str_skip(s, colon == STR_NONE ? s.n : colon + 1));
    if (colon == STR_NONE || !http1_token(name) || !http1_value(value)) /* folded lines are refused too (5.2) */
        return E_SYNTAX;
    if (*n == HTTP1_FIELDS_MAX)
        return E_LIMIT;
    v[(*n)++] = (struct http1_field){name, value};
    return OK;
}

/* The fields and the empty line behind them off *rest; `from` octets of the head were there before. */
static err fields(str *rest, size_t from, struct http1_field *v, size_t *n)
{
    str s;
    err e = OK;
    size_t whole = from + rest->n;
    for (*n = 0; !e;) {
        if (whole - rest->n > HTTP1_HEAD_MAX)
            return E_LIMIT;
        if (!line(rest, &s))
            return rest->n > HTTP1_HEAD_MAX ? E_LIMIT : E_AGAIN;
        if (s.n == 0)
            return OK;
        e = field(s, v, n);
    }
    return e;
}

/* Head of one answer off *rest. */
static err head(str *rest, struct http1_answer *r)
{
    str s, from = *rest;
    if (!line(rest, &s))
        return from.n > HTTP1_HEAD_MAX ? E_LIMIT : E_AGAIN;
    err e = status_line(s, &r->status);
    return e ? e : fields(rest, from.n - rest->n, r->v, &r->n);
}

/* ---- body ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RFC 9112 7.1: its size in hexadecimal, then extensions, which mean nothing to us. */
static err chunk_size(str s, size_t *ret)
{
    size_t n = 0, i = 0;
    for (; i < s.n && hex(s.p[i]) >= 0; i++) {
        if (i == 8)
            return E_LIMIT;
        n = n * 16 + (size_t)hex(s.p[i]);
    }
    if (i == 0 || (i < s.n && s.p[i] != ';' && s.p[i] != ' ' && s.p[i] != '\t'))
        return E_SYNTAX;
    *ret = n;
    return OK;
}

/* Walks over the chunks; copies them to `to` unless it is NULL. The size of the body in *ret_n. */
static err chunks(str rest, char *to, size_t *ret_n, size_t *ret_used)
{
    const char *from = rest.p;
    size_t n, sum = 0;
    str s;
    for (;;) {
        if (!line(&rest, &s))
            return rest.n > HTTP1_HEAD_MAX ? E_LIMIT : E_AGAIN;
        err e = chunk_size(s, &n);
        if (e)
            return e;
        if (n == 0)
            break;
        if (rest.n < n)
            return E_AGAIN;
        if (to)
            memcpy(to + sum, rest.p, n);
        sum += n;
        rest = str_skip(rest, n);
        if (!line(&rest, &s))
            return rest.n > 1 ? E_SYNTAX : E_AGAIN;
        if (s.n)
            return E_SYNTAX;
    }
    do { /* trailers */
        if (!line(&rest, &s))
            return rest.n > HTTP1_HEAD_MAX ? E_LIMIT : E_AGAIN;
    } while (s.n);
    *ret_n = sum;
    *ret_used = (size_t)(rest.p - from);
    return OK;
}

static err chunked(str rest, struct arena *a, struct http1_answer *r)
{
    size_t n = 0;
    err e = chunks(rest, NULL, &n, &r->used);
    char *p = e ? NULL : arena_alloc(a, n + 1);
    if (e)
        return e;
    if (!p)
        return a->e;
    r->body = str_mem(p, n);
    return chunks(rest, p, &n, &r->used);
}

static err body(str rest, bool ended, struct arena *a, struct http1_answer *r)
{
    str coding = http1_field(r, S("Transfer-Encoding")), length = http1_field(r, S("Content-Length"));
    uint64_t n = 0;
    if (coding.p)
        return str_ieq(coding, S("chunked")) ? chunked(rest, a, r) : E_SYNTAX;
    if (length.p && !text_u64(length, &n))
        return E_SYNTAX;
    if (length.p ? rest.n < n : !ended)
        return E_AGAIN;
    r->body = length.p ? str_sub(rest, 0, n) : rest;
    r->used = r->body.n;
    r->lasts = r->lasts && length.p;
    return OK;
}

err http1_answer(str octets, bool ended, bool head_only, struct arena *a, struct http1_answer *ret)
{
    struct http1_answer r = {.v = arena_array(a, HTTP1_FIELDS_MAX, sizeof *r.v)};
    err e = r.v ? OK : a->e;
    size_t all = octets.n;
    bool old = str_starts(octets, S("HTTP/1.0"));
    for (int i = 0; !e && (i == 0 || (r.status < 200 && r.status != 101)); i++)
        e = i == HTTP1_INTERIM_MAX ? E_LIMIT : head(&octets, &r);
    r.body = S("");
    r.lasts = !e && !old && !str_ieq(http1_field(&r, S("Connection")), S("close"));
    if (!e && !head_only && r.status >= 200 && r.status != 204 && r.status != 304)
        e = body(octets, ended, a, &r);
    if (e == E_AGAIN && ended)
        return E_RESET;
    r.used += all - octets.n;
    if (!e)
        *ret = r;
    return e;
}

/* ---- requests ---- */

enum { REQUEST_LINE_MAX = HTTP1_TARGET_MAX + 64 };

static err request_line(str s, struct http1_request *r)
{
    str target;
    if (!str_cut(&s, ' ', &r->method) || !str_cut(&s, ' ', &target) || !http1_token(r->method) || !target.n)
        return E_SYNTAX;
    if (target.n > HTTP1_TARGET_MAX)
        return E_LINE_LENGTH;
    if (s.n != 8 || !str_starts(s, S("HTTP/")) || s.p[6] != '.')
        return E_SYNTAX;
    if (s.p[5] != '1')
        return E_UNSUPPORTED;
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= ' ' || target.p[i] > '~')
            return E_SYNTAX;
    if (str_istarts(target, S("http://")) || str_istarts(target, S("https://"))) { /* 3.2.2 */
        target = str_skip(target, str_find(target, ':') + 3);
        size_t slash = str_find(target, '/');
        r->host = str_sub(target, 0, slash);
        target = str_skip(target, slash == STR_NONE ? target.n : slash);
    }
    str_cut(&target, '?', &r->path);
    r->query = target.p ? target : S("");
    return OK;
}

/* "name", "name:port", "[v6]:port": without the port and the last dot. */
static str host_name(str s)
{
    size_t colon = str_starts(s, S("[")) ? str_find(s, ']') : str_find(s, ':');
    s = str_sub(s, 0, colon == STR_NONE || s.p[colon] == ':' ? colon : colon + 1);
    return str_ends(s, S(".")) ? str_sub(s, 0, s.n - 1) : s;
}

/* Without one (3.2 wants a 400) a question is answered all the same, as one to no host: no page of a domain is found.
 */
static err find_host(struct http1_request *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (str_ieq(r->v[i].name, S("Host")) && !n++ && !r->host.p)
            r->host = r->v[i].value;
    r->host = host_name(r->host.p ? r->host : S(""));
    return n > 1 ? E_SYNTAX : OK;
}

err http1_request(str octets, struct arena *a, struct http1_request *ret)
{
    struct http1_request r = {.v = arena_array(a, HTTP1_FIELDS_MAX, sizeof *r.v)};
    str rest = octets, s = {0};
    if (!r.v)
        return a->e;
    for (int i = 0; i < 2 && s.n == 0; i++) /* an empty line before it is passed over (2.2) */
        if (!line(&rest, &s))
            return rest.n > REQUEST_LINE_MAX ? E_LINE_LENGTH : E_AGAIN;
    err e = s.n > REQUEST_LINE_MAX ? E_LINE_LENGTH : request_line(s, &r);
    e = e ? e : fields(&rest, octets.n - rest.n, r.v, &r.n);
    e = e ? e : find_host(&r);
    if (!e)
        *ret = r;
    return e;
}
