/* Address lists of header fields (RFC 5322 3.4 and its obsolete forms 4.4), for `sendmail -t`. */
#include "wire/head.h"

enum { COMMENT_DEPTH = 16, SPEC_MAX = 1024 };

/* Skips blanks, line ends and comments. False for a comment that does not end or is too deep. */
static bool skip_cfws(str *s)
{
    int depth = 0;
    size_t i = 0;
    for (; i < s->n; i++) {
        char c = s->p[i];
        if (c == '(') {
            if (++depth > COMMENT_DEPTH)
                return false;
        } else if (depth == 0) {
            if (!ascii_wsp(c) && c != '\r' && c != '\n')
                break;
        } else if (c == ')') {
            depth--;
        } else if (c == '\\') {
            i++;
        }
    }
    *s = str_skip(*s, i);
    return depth == 0;
}

static bool atom_octet(char c) { return (unsigned char)c > 32 && c != 127 && !memchr("()<>[]:;@\\,\".", c, 13); }

static char peek(str s) { return s.n ? s.p[0] : 0; }

/* One word at *s: an atom, or a quoted string (with its quotes, folds taken out), onto `out`. */
static bool word(str *s, struct buf *out)
{
    size_t i = 0;
    if (peek(*s) != '"') {
        while (i < s->n && atom_octet(s->p[i]))
            i++;
        buf_add(out, str_sub(*s, 0, i));
        *s = str_skip(*s, i);
        return i > 0;
    }
    for (i = 1; i < s->n && s->p[i] != '"'; i++)
        if (s->p[i] == '\\')
            i++;
    if (i >= s->n)
        return false;
    for (size_t k = 0; k <= i; k++)
        if (s->p[k] != '\r' && s->p[k] != '\n')
            buf_add_char(out, s->p[k]);
    *s = str_skip(*s, i + 1);
    return true;
}

/* Words and dots at *s onto `out`, blanks and comments left out. *ret_gap: two words without a dot between them,
 * so it can only be a phrase. */
static bool words(str *s, struct buf *out, bool *ret_gap)
{
    bool after_word = false;
    *ret_gap = false;
    for (;;) {
        if (!skip_cfws(s))
            return false;
        char c = peek(*s);
        if (c == '.') {
            buf_add_char(out, '.');
            *s = str_skip(*s, 1);
            after_word = false;
        } else if (c == '"' || (c && atom_octet(c))) {
            *ret_gap |= after_word;
            if (!word(s, out))
                return false;
            after_word = true;
        } else {
            return true;
        }
    }
}

/* What follows an '@': a literal, or atoms and dots. */
static bool domain(str *s, struct buf *out)
{
    bool gap;
    buf_add_char(out, '@');
    if (!skip_cfws(s))
        return false;
    if (peek(*s) != '[') {
        size_t before = out->n;
        return peek(*s) != '"' && words(s, out, &gap) && !gap && out->n > before;
    }
    size_t end = str_find(*s, ']');
    if (end == STR_NONE)
        return false;
    for (size_t i = 0; i <= end; i++)
        if ((unsigned char)s->p[i] > 32 && s->p[i] != 127)
            buf_add_char(out, s->p[i]);
    *s = str_skip(*s, end + 1);
    return skip_cfws(s);
}

/* Behind a '<': [route] local [@domain] '>'. */
static bool angle(str *s, struct buf *out)
{
    bool gap;
    if (!skip_cfws(s))
        return false;
    bool route = peek(*s) == '@'; /* obs-route, dropped with its colon */
    while (route && (peek(*s) == '@' || peek(*s) == ',')) {
        *s = str_skip(*s, 1);
        size_t before = out->n;
        if (!skip_cfws(s) || (peek(*s) != '@' && peek(*s) != ',' && (!words(s, out, &gap) || gap)))
            return false;
        out->n = before;
    }
    if (route && peek(*s) != ':')
        return false;
    if (route)
        *s = str_skip(*s, 1);
    if (!words(s, out, &gap) || gap)
        return false;
    if (peek(*s) == '@') {
        *s = str_skip(*s, 1);
        if (out->n == 0 || !domain(s, out))
            return false;
    }
    if (peek(*s) != '>')
        return false;
    *s = str_skip(*s, 1);
    return skip_cfws(s);
}

/* One element that is not empty: *ret_group when it was the name of a group. */
static bool element(str *s, struct buf *out, str *ret_display, bool *ret_group)
{
    str start = *s;
    bool gap;
    *ret_group = false;
    *ret_display = S("");
    if (!words(s, out, &gap))
        return false;
    if (peek(*s) == '@') {
        *s = str_skip(*s, 1);
        if (gap || out->n == 0 || !domain(s, out))
            return false;
        gap = false;
    }
    if (peek(*s) == '<') { /* an address as the phrase before it is taken too */
        *ret_display = str_trim(str_sub(start, 0, (size_t)(s->p - start.p)));
        buf_clear(out);
        *s = str_skip(*s, 1);
        return angle(s, out);
    }
    if (peek(*s) == ':') {
        *s = str_skip(*s, 1);
        *ret_group = true;
        return true;
    }
    return !gap && out->n > 0;
}

bool head_addr_next(str *rest, struct arena *mem, struct head_addr *ret, bool *ret_bad)
{
    char text[SPEC_MAX];
    *ret_bad = true;
    for (;;) {
        struct buf out;
        bool group;
        buf_init_fixed(&out, text, sizeof text);
        if (!skip_cfws(rest))
            return false;
        if (rest->n == 0) {
            *ret_bad = false;
            return false;
        }
        if (peek(*rest) == ',' || peek(*rest) == ';') {
            *rest = str_skip(*rest, 1);
            continue;
        }
        if (!element(rest, &out, &ret->display, &group))
            return false;
        if (group)
            continue;
        if (out.e || (rest->n && peek(*rest) != ',' && peek(*rest) != ';'))
            return false;
        ret->spec = arena_str(mem, buf_str(&out));
        *ret_bad = ret->spec.p == NULL;
        return !*ret_bad;
    }
}
