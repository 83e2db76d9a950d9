/* Tag lists (RFC 6376 2.7, 2.11, 3.2). */
#include "wire/tags.h"
#include "base/codec.h"
#include "base/text.h"

static bool is_fws(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

str tags_trim(str s)
{
    while (s.n && is_fws(s.p[0]))
        s = str_skip(s, 1);
    while (s.n && is_fws(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool name_ok(str name)
{
    if (!name.n || !ascii_alpha(name.p[0]))
        return false;
    for (size_t i = 1; i < name.n; i++)
        if (!ascii_alnum(name.p[i]) && name.p[i] != '_')
            return false;
    return true;
}

static bool value_ok(str value)
{
    bool high = false;
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        high = high || c > 127;
        if (c == 127 || (c < 32 && !is_fws(value.p[i])))
            return false;
    }
    return !high || text_utf8(value);
}

err tags_parse(str text, struct tags *ret)
{
    str rest = text, one;
    ret->n = 0;
    while (str_cut(&rest, ';', &one)) {
        size_t eq = str_find(one, '=');
        if (eq == STR_NONE) /* nothing may follow the last ';' */
            return !rest.p && ret->n && tags_trim(one).n == 0 ? OK : E_SYNTAX;
        struct tag t = {tags_trim(str_sub(one, 0, eq)), tags_trim(str_skip(one, eq + 1))};
        if (!name_ok(t.name) || !value_ok(t.value) || tags_get(ret, t.name).p)
            return E_SYNTAX;
        if (ret->n == TAGS_MAX)
            return E_LIMIT;
        ret->v[ret->n++] = t;
    }
    return ret->n ? OK : E_SYNTAX;
}

str tags_get(const struct tags *t, str name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->v[i].name, name))
            return t->v[i].value;
    return (str){NULL, 0};
}

bool tags_item(str *rest, char sep, str *ret)
{
    if (!str_cut(rest, sep, ret))
        return false;
    *ret = tags_trim(*ret);
    return true;
}

err tags_base64(str value, struct buf *out)
{
    char four[4];
    size_t n = 0, start = out->n;
    bool ended = false;
    err e = OK;
    for (size_t i = 0; i < value.n && !e; i++) {
        char c = value.p[i];
        if (is_fws(c))
            continue;
        if (ended)
            e = E_SYNTAX;
        four[n++] = c;
        if (n == 4 && !e) {
            ended = c == '=';
            e = base64_decode(out, str_mem(four, 4));
            n = 0;
        }
    }
    if (!e && n == 1)
        e = E_SYNTAX;
    if (!e && n > 1) {
        memset(four + n, '=', 4 - n);
        e = base64_decode(out, str_mem(four, 4));
    }
    if (e)
        out->n = start;
    return e;
}

static int hex_digit(char c) /* upper case only (2.11) */
{
    return ascii_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

err tags_unquote(str value, struct buf *out)
{
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (is_fws(c))
            continue;
        if (c == '=') {
            int hi = i + 2 < value.n ? hex_digit(value.p[i + 1]) : -1;
            int lo = i + 2 < value.n ? hex_digit(value.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return E_SYNTAX;
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        buf_add_char(out, c);
    }
    return out->e;
}
