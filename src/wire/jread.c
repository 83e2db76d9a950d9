/* See jread.h. Strings are taken as they are: whether they are UTF-8 is for whoever shows them. */
#include "wire/jread.h"
#include "base/text.h"

static void stop(struct jread *j, err e)
{
    if (!j->bad)
        j->e = e;
    j->bad = true;
    j->rest = S("");
}

char jread_peek(struct jread *j)
{
    size_t i = 0;
    while (i < j->rest.n && memchr(" \t\r\n", j->rest.p[i], 4))
        i++;
    j->rest = str_skip(j->rest, i);
    return j->rest.n ? j->rest.p[0] : 0;
}

static bool take(struct jread *j, char c)
{
    if (jread_peek(j) != c)
        return false;
    j->rest = str_skip(j->rest, 1);
    return true;
}

/* ---- lists ---- */

static struct jread_list enter(struct jread *j, char bracket)
{
    if (jread_peek(j) != bracket) {
        jread_pass(j);
        return (struct jread_list){.none = true};
    }
    j->rest = str_skip(j->rest, 1);
    if (++j->depth > JREAD_DEPTH_MAX)
        stop(j, E_LIMIT);
    return (struct jread_list){.none = j->bad};
}

struct jread_list jread_object(struct jread *j) { return enter(j, '{'); }
struct jread_list jread_array(struct jread *j) { return enter(j, '['); }

static bool next(struct jread *j, struct jread_list *l, char end)
{
    if (l->none || j->bad)
        return false;
    if (take(j, end)) {
        j->depth--;
        l->none = true;
        return false;
    }
    if (l->begun && (!take(j, ',') || jread_peek(j) == end))
        stop(j, E_SYNTAX);
    l->begun = true;
    return !j->bad;
}

bool jread_element(struct jread *j, struct jread_list *l) { return next(j, l, ']'); }

bool jread_member(struct jread *j, struct jread_list *l, struct arena *a, str *ret_name)
{
    enum { NAME_MAX_OCTETS = 64 };
    if (!next(j, l, '}'))
        return false;
    if (jread_peek(j) != '"')
        stop(j, E_SYNTAX);
    *ret_name = jread_text(j, a, NAME_MAX_OCTETS);
    if (!j->bad && !take(j, ':'))
        stop(j, E_SYNTAX);
    return !j->bad;
}

/* ---- strings ---- */

/* The length of the string that `rest` begins with, quotes included; 0: it does not end. */
static size_t string_len(str rest)
{
    for (size_t i = 1; i < rest.n; i++) {
        if (rest.p[i] == '"')
            return i + 1;
        if (rest.p[i] == '\\')
            i++;
        else if ((unsigned char)rest.p[i] < ' ')
            return 0;
    }
    return 0;
}

static int hex4(str s)
{
    int v = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = i < s.n ? ascii_lower(s.p[i]) : 0;
        int d = ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static size_t put_utf8(char *to, uint32_t v)
{
    if (v < 0x80) {
        to[0] = (char)v;
        return 1;
    }
    size_t more = v < 0x800 ? 1 : v < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(first[more] | v >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (v >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

/* What stands behind a backslash: decoded to `to` (room for 4); how much of the input it was, 0: no escape. */
static size_t unescape(str s, char *to, size_t *ret_n)
{
    static const char from[] = "\"\\/bfnrt", by[] = "\"\\/\b\f\n\r\t";
    const char *at = s.n ? memchr(from, s.p[0], sizeof from - 1) : NULL;
    if (at) {
        to[0] = by[at - from];
        *ret_n = 1;
        return 1;
    }
    int v = s.n && s.p[0] == 'u' ? hex4(str_skip(s, 1)) : -1;
    if (v < 0)
        return 0;
    size_t used = 5;
    int low = v >= 0xd800 && v < 0xdc00 && str_starts(str_skip(s, 5), S("\\u")) ? hex4(str_skip(s, 7)) : -1;
    if (low >= 0xdc00 && low < 0xe000) {
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
        used = 11;
    } else if (v >= 0xd800 && v < 0xe000) {
        v = 0xfffd; /* half a pair */
    }
    *ret_n = put_utf8(to, (uint32_t)v);
    return used;
}

str jread_text(struct jread *j, struct arena *a, size_t most)
{
    if (jread_peek(j) != '"') {
        jread_pass(j);
        return S("");
    }
    size_t n = string_len(j->rest), at = 0, len;
    str in = str_sub(j->rest, 1, n ? n - 1 : 0);
    char *to = n ? arena_alloc(a, (in.n < most ? in.n : most) + 4) : NULL;
    if (!to) {
        stop(j, n ? a->e : E_SYNTAX);
        return S("");
    }
    for (size_t i = 0; i < in.n; i++) {
        char c[4] = {in.p[i]};
        len = 1;
        if (in.p[i] == '\\') {
            size_t used = unescape(str_skip(in, i + 1), c, &len);
            if (!used) {
                stop(j, E_SYNTAX);
                return S("");
            }
            i += used;
        }
        if (at + len > most)
            continue; /* the rest is looked at and dropped */
        memcpy(to + at, c, len);
        at += len;
    }
    j->rest = str_skip(j->rest, n);
    return str_mem(to, at);
}

/* ---- the other values ---- */

static bool word_octet(char c) { return ascii_alnum(c) || c == '-' || c == '+' || c == '.'; }

static str take_word(struct jread *j)
{
    size_t i = 0;
    while (i < j->rest.n && word_octet(j->rest.p[i]))
        i++;
    str s = str_sub(j->rest, 0, i);
    j->rest = str_skip(j->rest, i);
    bool known = str_eq(s, S("true")) || str_eq(s, S("false")) || str_eq(s, S("null"));
    if (!known && !(s.n && (ascii_digit(s.p[0]) || (s.n > 1 && s.p[0] == '-'))))
        stop(j, E_SYNTAX);
    return s;
}

uint64_t jread_count(struct jread *j)
{
    uint64_t v = 0;
    char c = jread_peek(j);
    if (c == '"') {
        size_t n = string_len(j->rest);
        if (!n)
            stop(j, E_SYNTAX);
        else if (!text_u64(str_sub(j->rest, 1, n - 1), &v))
            v = 0;
        j->rest = str_skip(j->rest, n);
    } else if (c == '{' || c == '[') {
        jread_pass(j);
    } else if (!text_u64(take_word(j), &v)) {
        v = 0;
    }
    return v;
}

/* Without recursion: brackets are counted by what they must be closed with. */
void jread_pass(struct jread *j)
{
    char open[JREAD_DEPTH_MAX];
    int n = 0;
    do {
        char c = jread_peek(j);
        if (c == '"') {
            size_t len = string_len(j->rest);
            if (!len)
                stop(j, E_SYNTAX);
            j->rest = str_skip(j->rest, len);
        } else if (c == '{' || c == '[') {
            if (j->depth + n >= JREAD_DEPTH_MAX) {
                stop(j, E_LIMIT);
                return;
            }
            open[n++] = c == '{' ? '}' : ']';
            j->rest = str_skip(j->rest, 1);
        } else if (n && (c == '}' || c == ']')) {
            if (open[--n] != c)
                stop(j, E_SYNTAX);
            j->rest = str_skip(j->rest, 1);
        } else if (n && (c == ',' || c == ':')) {
            j->rest = str_skip(j->rest, 1); /* what is passed over is not judged in detail */
        } else {
            (void)take_word(j);
        }
    } while (n && !j->bad);
}

bool jread_end(struct jread *j)
{
    if (jread_peek(j))
        stop(j, E_SYNTAX);
    return !j->bad;
}
