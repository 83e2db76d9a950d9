/* Authentication-Results: RFC 8601 2.2, over the comments and quoted strings of RFC 5322 3.2. */
#include "wire/authres.h"

enum { DEPTH_MAX = 64 };

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Length of the comment or quoted string that begins s; 0: neither. An open one goes to the end. */
static size_t nested(str s)
{
    if (!s.n || (s.p[0] != '(' && s.p[0] != '"'))
        return 0;
    bool quote = s.p[0] == '"';
    int depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\') {
            i++;
        } else if (quote) {
            if (c == '"' && i)
                return i + 1;
        } else if (c == '(') {
            depth += depth < DEPTH_MAX;
        } else if (c == ')' && --depth == 0) {
            return i + 1;
        }
    }
    return s.n;
}

static str skip_cfws(str s)
{
    while (s.n) {
        if (is_blank(s.p[0]))
            s = str_skip(s, 1);
        else if (s.p[0] == '(')
            s = str_skip(s, nested(s));
        else
            break;
    }
    return s;
}

static str trim(str s)
{
    while (s.n && is_blank(s.p[0]))
        s = str_skip(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Up to the next ';' that counts; *rest is behind it. */
static str cut_result(str *rest)
{
    str s = *rest;
    size_t i = 0;
    while (i < s.n && s.p[i] != ';') {
        size_t n = nested(str_skip(s, i));
        i += n ? n : 1;
    }
    *rest = i < s.n ? str_skip(s, i + 1) : (str){NULL, 0};
    return str_sub(s, 0, i);
}

bool authres_id(str value, str *ret_id, str *ret_rest)
{
    str s = skip_cfws(value);
    size_t n = s.n && s.p[0] == '"' ? nested(s) : 0;
    bool quoted = n >= 2;
    while (!quoted && n < s.n && !is_blank(s.p[n]) && !strchr(";(", s.p[n]))
        n++;
    if (!n)
        return false;
    *ret_id = quoted ? str_sub(s, 1, n - 1) : str_sub(s, 0, n);
    str rest = str_skip(s, n);
    (void)cut_result(&rest);
    *ret_rest = rest.p ? rest : S("");
    return true;
}

bool authres_next(str *rest, str *ret)
{
    while (rest->p) {
        str one = trim(cut_result(rest));
        if (one.n && !str_ieq(skip_cfws(one), S("none"))) {
            *ret = one;
            return true;
        }
    }
    return false;
}

static str take_word(str *s)
{
    size_t n = 0;
    while (n < s->n && (ascii_alnum(s->p[n]) || s->p[n] == '-' || s->p[n] == '_'))
        n++;
    str word = str_sub(*s, 0, n);
    *s = skip_cfws(str_skip(*s, n));
    return word;
}

bool authres_method(str result, str *ret_method, str *ret_word)
{
    str s = skip_cfws(result);
    *ret_method = take_word(&s);
    if (str_starts(s, S("/"))) {
        s = skip_cfws(str_skip(s, 1));
        (void)take_word(&s);
    }
    if (!ret_method->n || !str_starts(s, S("=")))
        return false;
    s = skip_cfws(str_skip(s, 1));
    *ret_word = take_word(&s);
    return ret_word->n > 0;
}

/* ---- writing ---- */

/* A token of RFC 2045; one '@' may stand in an address. */
static bool plain(str value)
{
    unsigned at = 0;
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c == '@')
            at++;
        else if (c <= 32 || c == 127 || memchr("()<>,;:\\\"/[]?=", c, 14))
            return false;
    }
    return at <= 1 && value.p[value.n - 1] != '@';
}

void authres_property(struct buf *out, const char *name, str value)
{
    if (!value.n)
        return;
    buf_printf(out, " %s=", name);
    if (plain(value)) {
        buf_add(out, value);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '"' || c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, (unsigned char)c < 32 || c == 127 ? '?' : c);
    }
    buf_add_char(out, '"');
}

void authres_comment(struct buf *out, str text)
{
    if (!text.n)
        return;
    buf_add(out, S(" ("));
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '(' || c == ')' || c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, (unsigned char)c < 32 || c == 127 ? '?' : c);
    }
    buf_add_char(out, ')');
}
