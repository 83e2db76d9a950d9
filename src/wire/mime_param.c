/* Tokens and parameters of MIME fields; see mime_param.h. Names of files are in mime_name.c. */
#include "wire/mime_param.h"

/* RFC 2045 5.1 takes the blanks, folds and comments of RFC 822 between any two tokens. */
str mime_skip_cfws(str s)
{
    int depth = 0;
    size_t i = 0;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (c == '\\' && depth)
            i++;
        else if (!depth && !ascii_wsp(c) && c != '\r' && c != '\n')
            break;
    }
    return str_skip(s, i);
}

static bool token_octet(char c) { return c > 32 && c < 127 && !memchr("()<>@,;:\\\"/[]?=", c, 15); }

str mime_token(str *s)
{
    size_t i = 0;
    *s = mime_skip_cfws(*s);
    while (i < s->n && token_octet(s->p[i]))
        i++;
    str t = str_sub(*s, 0, i);
    *s = mime_skip_cfws(str_skip(*s, i));
    return t;
}

bool mime_char(str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = mime_skip_cfws(str_skip(*s, 1));
    return true;
}

bool mime_value(str *s, struct buf *out)
{
    if (s->n && s->p[0] == '"') {
        size_t i = 1;
        for (; i < s->n && s->p[i] != '"'; i++) {
            if (s->p[i] == '\\' && i + 1 < s->n)
                i++;
            if (s->p[i] != '\r' && s->p[i] != '\n')
                buf_add_char(out, s->p[i]);
        }
        bool closed = i < s->n;
        *s = mime_skip_cfws(str_skip(*s, i + 1));
        return closed && !out->e;
    }
    /* a boundary without quotes may hold what no token may, in the wild: up to ';' or a blank */
    size_t i = 0;
    while (i < s->n && s->p[i] != ';' && !ascii_wsp(s->p[i]) && s->p[i] != '\r' && s->p[i] != '\n')
        i++;
    buf_add(out, str_sub(*s, 0, i));
    *s = mime_skip_cfws(str_skip(*s, i));
    return i > 0 && !out->e;
}

void mime_type_of(str value, struct buf *out)
{
    str type = mime_token(&value);
    if (!type.n || !mime_char(&value, '/'))
        return;
    str sub = mime_token(&value);
    size_t from = out->n;
    buf_add(out, type);
    buf_add_char(out, '/');
    buf_add(out, sub);
    if (out->e || !sub.n)
        out->n = from;
    for (size_t i = from; i < out->n; i++)
        out->p[i] = ascii_lower(out->p[i]);
}
