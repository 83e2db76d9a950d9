/* Macros of SPF (RFC 7208 7), in names and in explanations. */
#include "base/text.h"
#include "wire/spf.h"

enum { LABELS_MAX = 128, NAME_MAX_OCTETS = 253, VALUE_MAX = 1024 };

struct macro {
    char letter; /* lower case */
    bool url;    /* written in upper case: its value is escaped */
    bool reverse;
    unsigned keep; /* labels, from the right; 0: all */
    str delimiters;
};

static bool is_delimiter(char c) { return c && memchr(".-+,/_=", c, 7); }

/* "{...}" at the start of *s, which moves behind it. */
static bool read_macro(str *s, bool text, struct macro *ret)
{
    size_t end = str_find(*s, '}'), i = 2;
    if (end == STR_NONE || end < 2)
        return false;
    *ret = (struct macro){.letter = ascii_lower(s->p[1]), .url = s->p[1] >= 'A' && s->p[1] <= 'Z'};
    if (!ret->letter || !memchr(text ? "slodiphcrtv" : "slodiphv", ret->letter, text ? 11 : 8))
        return false;
    size_t digits = i;
    for (; i < end && ascii_digit(s->p[i]); i++)
        ret->keep = ret->keep > LABELS_MAX ? ret->keep : ret->keep * 10 + (unsigned)(s->p[i] - '0');
    if (i > digits && ret->keep == 0)
        return false;
    if (i < end && ascii_lower(s->p[i]) == 'r') {
        ret->reverse = true;
        i++;
    }
    ret->delimiters = str_sub(*s, i, end);
    for (; i < end; i++)
        if (!is_delimiter(s->p[i]))
            return false;
    *s = str_skip(*s, end + 1);
    return true;
}

enum piece { PIECE_END, PIECE_TEXT, PIECE_MACRO, PIECE_BAD };

/* The next piece: text as it stands (or that %%, %_ and %- stand for), or a macro. */
static enum piece next_piece(str *rest, bool text, str *ret_text, struct macro *ret)
{
    size_t n = 0;
    if (rest->n == 0)
        return PIECE_END;
    for (; n < rest->n && rest->p[n] != '%'; n++)
        if (rest->p[n] < (text ? 0x20 : 0x21) || rest->p[n] > 0x7e)
            return PIECE_BAD;
    if (n) {
        *ret_text = str_sub(*rest, 0, n);
        *rest = str_skip(*rest, n);
        return PIECE_TEXT;
    }
    *rest = str_skip(*rest, 1);
    switch (rest->n ? rest->p[0] : 0) {
    case '{':
        return read_macro(rest, text, ret) ? PIECE_MACRO : PIECE_BAD;
    case '%':
        *ret_text = S("%");
        break;
    case '_':
        *ret_text = S(" ");
        break;
    case '-':
        *ret_text = S("%20");
        break;
    default:
        return PIECE_BAD;
    }
    *rest = str_skip(*rest, 1);
    return PIECE_TEXT;
}

bool spf_macro_valid(str macro, bool text)
{
    struct macro m;
    str t;
    enum piece p;
    while ((p = next_piece(&macro, text, &t, &m)) != PIECE_END)
        if (p == PIECE_BAD)
            return false;
    return true;
}

bool spf_uses_ptr(str macro)
{
    struct macro m;
    str t;
    for (enum piece p; (p = next_piece(&macro, true, &t, &m)) != PIECE_END && p != PIECE_BAD;)
        if (p == PIECE_MACRO && m.letter == 'p')
            return true;
    return false;
}

/* ---- values ---- */

/* IPv6 as nibbles, highest first. */
static void print_dotted(struct buf *out, const struct ip *ip)
{
    if (ip->v == 4) {
        ip_print(out, ip);
        return;
    }
    for (size_t i = 0; i < 32; i++)
        buf_printf(out, i ? ".%X" : "%X", ip->b[i / 2] >> (i % 2 ? 0 : 4) & 15);
}

static void print_value(struct buf *out, char letter, const struct spf_vars *v)
{
    switch (letter) {
    case 's':
        buf_add(out, v->local);
        buf_add_char(out, '@');
        buf_add(out, v->sender_domain);
        break;
    case 'l':
        buf_add(out, v->local);
        break;
    case 'o':
        buf_add(out, v->sender_domain);
        break;
    case 'd':
        buf_add(out, v->domain);
        break;
    case 'i':
        print_dotted(out, &v->ip);
        break;
    case 'p':
        buf_add(out, v->ptr);
        break;
    case 'h':
        buf_add(out, v->helo);
        break;
    case 'c':
        ip_print(out, &v->ip);
        break;
    case 'r':
        buf_add(out, v->us.n ? v->us : S("unknown"));
        break;
    case 't':
        buf_printf(out, "%lld", (long long)v->now_s);
        break;
    case 'v':
        buf_add(out, v->ip.v == 4 ? S("in-addr") : S("ip6"));
        break;
    default:
        break;
    }
}

static void add_escaped(struct buf *out, str s, bool url)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (!url || ascii_alnum((char)c) || (c && memchr("-._~", c, 4)))
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* Cut at the delimiters, turned around, the right-hand parts kept, joined by dots. */
static void add_transformed(struct buf *out, str value, const struct macro *m)
{
    uint16_t begin[LABELS_MAX + 1] = {0}; /* of each part; behind the last one: one more than the end */
    str delimiters = m->delimiters.n ? m->delimiters : S(".");
    size_t n = 1;
    for (size_t i = 0; i < value.n && n < LABELS_MAX; i++)
        if (memchr(delimiters.p, value.p[i], delimiters.n))
            begin[n++] = (uint16_t)(i + 1);
    begin[n] = (uint16_t)(value.n + 1);
    size_t keep = m->keep && m->keep < n ? m->keep : n;
    for (size_t i = n - keep; i < n; i++) {
        size_t k = m->reverse ? n - 1 - i : i;
        if (i > n - keep)
            buf_add_char(out, '.');
        add_escaped(out, str_sub(value, begin[k], begin[k + 1] - 1u), m->url);
    }
}

err spf_expand(struct buf *out, str macro, bool text, const struct spf_vars *v)
{
    char mem[VALUE_MAX];
    struct buf value;
    struct macro m;
    str t;
    for (enum piece p; out->e == OK && (p = next_piece(&macro, text, &t, &m)) != PIECE_END;) {
        if (p == PIECE_BAD)
            return E_SYNTAX;
        if (p == PIECE_TEXT) {
            buf_add(out, t);
            continue;
        }
        if ((m.letter == 'l' || m.letter == 's') && !text_ascii(v->local))
            return E_UNSUPPORTED;
        buf_init_fixed(&value, mem, sizeof mem);
        print_value(&value, m.letter, v);
        if (value.e)
            return value.e;
        add_transformed(out, buf_str(&value), &m);
    }
    return out->e;
}

err spf_expand_domain(struct buf *out, str macro, const struct spf_vars *v, str *ret)
{
    err e = spf_expand(out, macro, false, v);
    if (e)
        return e;
    str s = buf_str(out);
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    while (s.n > NAME_MAX_OCTETS && str_find(s, '.') != STR_NONE)
        s = str_skip(s, str_find(s, '.') + 1);
    *ret = s;
    return OK;
}
