/* See enclosed.h. Every entity is looked at once for each level that it lies in. */
#include "wire/enclosed.h"
#include "wire/head.h"
#include "wire/mime_internal.h"
#include "wire/mime_param.h"
#include "wire/pack.h"

struct walk {
    struct buf *text;
    struct enclosed *ret;
    int parts;
    err e; /* the worst so far of what might have been a report */
};

static bool is_type(str type, str want)
{
    return str_istarts(type, want) && (type.n == want.n || memchr("; \t\r\n(", type.p[want.n], 6));
}

/* Types that reports come in; what is in it decides. */
static bool may_hold(str type)
{
    static const str kinds[] = {S_INIT("application/gzip"),
                                S_INIT("application/x-gzip"),
                                S_INIT("application/zip"),
                                S_INIT("application/x-zip-compressed"),
                                S_INIT("application/x-zip"),
                                S_INIT("application/xml"),
                                S_INIT("text/xml"),
                                S_INIT("application/octet-stream"),
                                S_INIT("application/tlsrpt+gzip"),
                                S_INIT("application/tlsrpt+json"),
                                S_INIT("application/json")};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (is_type(type, kinds[i]))
            return true;
    return false;
}

/* ---- transfer encodings ---- */

/* A body without its encoding: `in` itself, or in `mem`. */
static str decode(str in, enum mime_cte cte, struct buf *mem)
{
    struct mime_decoder d = {.coding = cte == CTE_BASE64 ? MIME_CODING_BASE64 : MIME_CODING_QP};
    if (cte != CTE_BASE64 && cte != CTE_QP)
        return in;
    char *to = buf_room(mem, in.n + 8);
    if (to) {
        mem->n = mime_decode(&d, in, to);
        mem->n += mime_decode_end(&d, to + mem->n);
    }
    return buf_str(mem);
}

/* ---- what it is ---- */

static str without_mark(str s)
{
    s = str_starts(s, S("\xef\xbb\xbf")) ? str_skip(s, 3) : s;
    return str_trim(s);
}

err enclosed_open(str file, struct buf *text, struct enclosed *ret)
{
    err e = pack_open(file, text);
    if (e)
        return e;
    str s = without_mark(buf_str(text));
    *ret = (struct enclosed){.text = s};
    ret->kind = str_starts(s, S("<")) ? ENCLOSED_DMARC : str_starts(s, S("{")) ? ENCLOSED_TLS : ENCLOSED_NONE;
    return ret->kind ? OK : E_NOT_FOUND;
}

static void open_leaf(struct walk *w, str body, enum mime_cte cte)
{
    struct buf mem;
    buf_init(&mem, body.n + 8);
    str s = decode(body, cte, &mem);
    err e = mem.e;
    buf_clear(w->text);
    if (!e)
        e = enclosed_open(s, w->text, w->ret);
    buf_free(&mem);
    if (e)
        w->ret->kind = ENCLOSED_NONE;
    if (e && (e != E_NOT_FOUND || !w->e))
        w->e = e;
}

static void open_feedback(struct walk *w, str body, enum mime_cte cte)
{
    struct buf mem;
    buf_init(&mem, body.n + 8);
    buf_clear(w->text);
    buf_add(w->text, decode(body, cte, &mem));
    err e = mem.e ? mem.e : w->text->e;
    buf_free(&mem);
    if (e)
        w->e = e;
    else
        *w->ret = (struct enclosed){.kind = ENCLOSED_FEEDBACK, .text = buf_str(w->text)};
}

/* ---- the walk ---- */

static void entity(struct walk *w, str s, int depth);

/* The body up to the next delimiter line, which is taken off *rest; *ret_last: it was the closing one, or none came. */
static str until_delimiter(str *rest, str boundary, bool *ret_last)
{
    str s = *rest;
    for (size_t at = 0; at < s.n;) {
        str line = str_skip(s, at);
        size_t eol = str_find(line, '\n'), len = eol == STR_NONE ? line.n : eol + 1;
        str text = str_skip(line, 2 + boundary.n);
        if (str_starts(line, S("--")) && str_starts(str_skip(line, 2), boundary) &&
            (!text.n || memchr("\r\n \t-", text.p[0], 5))) {
            *ret_last = str_starts(text, S("--"));
            *rest = str_skip(s, at + len);
            return str_sub(s, 0, at);
        }
        at += len;
    }
    *ret_last = true;
    *rest = S("");
    return s;
}

static void multipart(struct walk *w, str body, str boundary, int depth)
{
    bool last;
    (void)until_delimiter(&body, boundary, &last);
    while (!last && w->e != E_NOMEM) {
        bool had = w->ret->kind != ENCLOSED_NONE;
        entity(w, until_delimiter(&body, boundary, &last), depth + 1);
        if (had || (w->ret->kind != ENCLOSED_NONE && w->ret->kind != ENCLOSED_FEEDBACK))
            return;
    }
}

static bool is_original(str type)
{
    return is_type(type, S("message/rfc822")) || is_type(type, S("text/rfc822-headers")) ||
           is_type(type, S("message/rfc822-headers")) || is_type(type, S("message/global")) ||
           is_type(type, S("message/global-headers"));
}

static void entity(struct walk *w, str s, int depth)
{
    struct entity e = {0};
    if (depth > ENCLOSED_DEPTH_MAX || ++w->parts > ENCLOSED_PARTS_MAX) {
        w->e = E_LIMIT;
        return;
    }
    size_t n = head_len(s, NULL);
    str head = str_sub(s, 0, n), body = str_skip(s, n), type = str_trim(head_find(head, S("Content-Type")));
    mime_read_head(head, false, &e);
    if (w->ret->kind == ENCLOSED_FEEDBACK) {
        if (is_original(type) && !w->ret->original.n)
            w->ret->original = body;
    } else if (e.kind == KIND_MULTIPART && e.boundary_n) {
        char boundary[BOUNDARY_MAX]; /* e is for the parts to come */
        memcpy(boundary, e.boundary, e.boundary_n);
        multipart(w, body, str_mem(boundary, e.boundary_n), depth);
    } else if (is_type(type, S("message/feedback-report"))) {
        open_feedback(w, body, e.cte);
    } else if (may_hold(type)) {
        open_leaf(w, body, e.cte);
    }
}

err enclosed_find(str message, struct buf *text, struct enclosed *ret)
{
    struct walk w = {.text = text, .ret = ret};
    *ret = (struct enclosed){.kind = ENCLOSED_NONE};
    entity(&w, message, 0);
    if (ret->kind != ENCLOSED_NONE)
        return OK;
    return w.e ? w.e : E_NOT_FOUND;
}
