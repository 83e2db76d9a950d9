/*
 * Names of files in Content-Type and Content-Disposition. Programs differ in which of several they take, so all are
 * found: whoever judges names judges each of them.
 */
#include "wire/mime_param.h"

#include "base/cleanup.h"
#include "base/text.h"

enum { SCRATCH_MAX = 4 * MIME_VALUE_MAX, WORD_MAX = 1024 };

/* ---- charsets -------------------------------------------------------------------------------------------------- */

static void add_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_add_char(out, (char)c);
    } else if (c < 0x800) {
        buf_add_char(out, (char)(0xC0 | c >> 6));
        buf_add_char(out, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_add_char(out, (char)(0xE0 | c >> 12));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 63)));
        buf_add_char(out, (char)(0x80 | (c & 63)));
    } else {
        buf_add_char(out, (char)(0xF0 | c >> 18));
        buf_add_char(out, (char)(0x80 | (c >> 12 & 63)));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 63)));
        buf_add_char(out, (char)(0x80 | (c & 63)));
    }
}

/* UTF-16: surrogates that have no partner become U+FFFD. */
static void from_utf16(struct buf *out, str s, bool little)
{
    uint32_t high = 0;
    for (size_t i = 0; i + 1 < s.n; i += 2) {
        uint32_t a = (unsigned char)s.p[i], b = (unsigned char)s.p[i + 1], c = little ? b << 8 | a : a << 8 | b;
        if (i == 0 && (c == 0xFEFF || c == 0xFFFE)) {
            little = c == 0xFEFF ? little : !little;
            continue;
        }
        if (c >= 0xD800 && c < 0xDC00) {
            high = c;
            continue;
        }
        if (c >= 0xDC00 && c < 0xE000)
            c = high ? 0x10000 + ((high - 0xD800) << 10) + (c - 0xDC00) : 0xFFFD;
        high = 0;
        add_utf8(out, c);
    }
}

void mime_to_utf8(struct buf *out, str charset, str text)
{
    if (str_istarts(charset, S("utf-16"))) {
        from_utf16(out, text, str_ieq(charset, S("utf-16le")));
    } else if (str_istarts(charset, S("iso-8859-1")) || str_ieq(charset, S("windows-1252")) ||
               str_ieq(charset, S("latin1")) || str_ieq(charset, S("cp1252"))) {
        for (size_t i = 0; i < text.n; i++)
            add_utf8(out, (unsigned char)text.p[i]);
    } else {
        buf_add(out, text);
    }
}

/* ---- encoded words (RFC 2047 2) -------------------------------------------------------------------------------- */

struct word {
    str charset, text;
    char coding;
    size_t n; /* octets of the whole */
};

static bool find_word(str s, struct word *ret)
{
    if (!str_starts(s, S("=?")))
        return false;
    str rest = str_skip(s, 2), coding;
    if (!str_cut(&rest, '?', &ret->charset) || !rest.p || !str_cut(&rest, '?', &coding) || !rest.p || coding.n != 1)
        return false;
    size_t end = str_search(rest, S("?="));
    if (end == STR_NONE)
        return false;
    ret->coding = ascii_lower(coding.p[0]);
    ret->text = str_sub(rest, 0, end);
    ret->n = (size_t)(rest.p + end + 2 - s.p);
    return ret->coding == 'q' || ret->coding == 'b';
}

static void add_word(struct buf *out, const struct word *w)
{
    char raw[WORD_MAX + 8];
    struct mime_decoder d = {.coding = w->coding == 'b' ? MIME_CODING_BASE64 : MIME_CODING_QP};
    str text = str_skip(w->text, w->text.n > WORD_MAX ? w->text.n - WORD_MAX / 4 * 4 : 0);
    size_t n = mime_decode(&d, text, raw);
    n += mime_decode_end(&d, raw + n);
    if (w->coding == 'q') /* an underscore that was written as such is "=5F"; a name loses nothing by the difference */
        for (size_t i = 0; i < n; i++)
            raw[i] = raw[i] == '_' ? ' ' : raw[i];
    mime_to_utf8(out, str_sub(w->charset, 0, str_find(w->charset, '*')), str_mem(raw, n)); /* RFC 2231 5: a language */
}

void mime_words(struct buf *out, str text)
{
    struct word w;
    bool after = false; /* a word: blanks up to the next one are nothing (RFC 2047 6.2) */
    for (size_t i = 0; i < text.n;) {
        size_t j = i;
        while (after && j < text.n && (ascii_wsp(text.p[j]) || text.p[j] == '\r' || text.p[j] == '\n'))
            j++;
        if (find_word(str_skip(text, j), &w)) {
            add_word(out, &w);
            i = j + w.n;
            after = true;
            continue;
        }
        buf_add_char(out, text.p[i++]);
        after = false;
    }
}

/* ---- parameters ------------------------------------------------------------------------------------------------ */

struct names {
    struct arena *a;
    str *v;
    size_t n;
    bool controls;
};

/* What a reader shows: without control octets; one that is too long keeps its end, where its kind is seen. */
static void add_name(struct names *k, str s)
{
    char mem[MIME_NAME_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 32 || s.p[i] == 127) {
            k->controls |= s.p[i] != '\t' && s.p[i] != '\r' && s.p[i] != '\n';
            continue;
        }
        if (n == sizeof mem) {
            memmove(mem + n / 4, mem + n / 2, n / 2);
            n -= n / 4;
        }
        mem[n++] = s.p[i];
    }
    str name = str_trim(str_mem(mem, n));
    for (size_t i = 0; i < k->n; i++)
        if (str_eq(k->v[i], name))
            return;
    if (name.n && k->n < MIME_NAMES_MAX) {
        k->v[k->n] = arena_str(k->a, name);
        k->n += k->v[k->n].p != NULL;
    }
}

static int hex(char c)
{
    return ascii_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static void add_percent(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool coded = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0;
        buf_add_char(out, coded ? (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2])) : s.p[i]);
        i += coded ? 2 : 0;
    }
}

/* charset'language'octets (RFC 2231 4); *charset is set by the first piece and holds for the others. */
static void add_extended(struct buf *out, str value, bool first, str *charset)
{
    str lang, rest = value;
    if (first && str_cut(&rest, '\'', charset) && rest.p && str_cut(&rest, '\'', &lang) && rest.p)
        value = rest;
    add_percent(out, value);
}

/* The next "; name=value" off *s, the value in `value`; what is no parameter is passed over. *whole: the value as it
 * was written, up to the next semicolon, unless it is quoted. */
static bool next_param(str *s, str *name, struct buf *value, str *whole)
{
    for (;;) {
        size_t semi = str_find(*s, ';');
        if (semi == STR_NONE)
            return false;
        *s = mime_skip_cfws(str_skip(*s, semi + 1));
        str rest = *s;
        *name = mime_token(&rest);
        buf_clear(value);
        if (!name->n || !mime_char(&rest, '='))
            continue;
        *whole = rest.n && rest.p[0] == '"' ? S("") : str_trim(str_sub(rest, 0, str_find(rest, ';')));
        (void)mime_value(&rest, value); /* an unclosed quote: to the end */
        *s = rest;
        return true;
    }
}

/* "name*": whole; "name*3", "name*3*": a piece. False: neither. */
static bool star(str name, str param, unsigned *ret_piece, bool *ret_whole, bool *ret_coded)
{
    uint64_t n = 0;
    if (!str_istarts(name, param) || name.n < param.n + 1 || name.p[param.n] != '*')
        return false;
    str rest = str_skip(name, param.n + 1);
    *ret_whole = rest.n == 0;
    *ret_coded = *ret_whole || str_ends(rest, S("*"));
    if (*ret_coded && !*ret_whole)
        rest.n--;
    if (!*ret_whole && (!text_u64(rest, &n) || n >= MIME_PIECES_MAX))
        return false;
    *ret_piece = (unsigned)n;
    return true;
}

/* All pieces "name*0", "name*1*" ..., which may stand in any order, put together. */
static void join_pieces(str value, str param, struct names *k, unsigned most)
{
    AUTO_BUF all, v, text;
    str charset = S(""), name, written;
    char charset_mem[32];
    buf_init(&all, SCRATCH_MAX);
    buf_init(&v, SCRATCH_MAX);
    buf_init(&text, SCRATCH_MAX);
    for (unsigned want = 0; want <= most; want++) {
        unsigned piece;
        bool whole, coded, found = false;
        for (str s = value; !found && next_param(&s, &name, &v, &written);)
            found = star(name, param, &piece, &whole, &coded) && !whole && piece == want;
        if (found && coded)
            add_extended(&all, buf_str(&v), want == 0, &charset);
        else if (found)
            buf_add(&all, buf_str(&v));
        if (want == 0) { /* `v` is used again */
            charset = str_sub(charset, 0, sizeof charset_mem);
            memcpy(charset_mem, charset.p, charset.n);
            charset.p = charset_mem;
        }
    }
    mime_to_utf8(&text, charset, buf_str(&all));
    add_name(k, buf_str(&text));
}

static void add_plain(struct names *k, str v)
{
    AUTO_BUF text;
    buf_init(&text, SCRATCH_MAX);
    mime_words(&text, v);
    add_name(k, buf_str(&text));
}

static void add_whole(struct names *k, str v)
{
    AUTO_BUF octets, text;
    str charset = S("");
    buf_init(&octets, SCRATCH_MAX);
    buf_init(&text, SCRATCH_MAX);
    add_extended(&octets, v, true, &charset);
    mime_to_utf8(&text, charset, buf_str(&octets));
    add_name(k, buf_str(&text));
}

size_t mime_names(str value, str param, struct arena *a, str names[MIME_NAMES_MAX], bool *ret_controls)
{
    struct names k = {.a = a, .v = names};
    AUTO_BUF v;
    unsigned piece, most = 0;
    bool whole, coded, pieces = false;
    str name, written;
    value = str_sub(value, 0, MIME_VALUE_MAX);
    buf_init(&v, SCRATCH_MAX);
    for (str s = value; next_param(&s, &name, &v, &written);) {
        if (str_ieq(name, param)) {
            add_plain(&k, buf_str(&v));
            if (written.n > v.n) /* blanks without quotes: some readers take all of it */
                add_plain(&k, written);
        } else if (star(name, param, &piece, &whole, &coded)) {
            if (whole)
                add_whole(&k, buf_str(&v));
            pieces |= !whole;
            most = !whole && piece > most ? piece : most;
        }
    }
    if (pieces)
        join_pieces(value, param, &k, most);
    if (ret_controls)
        *ret_controls |= k.controls;
    return k.n;
}
