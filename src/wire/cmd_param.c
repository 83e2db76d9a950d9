/* Parameters of MAIL and RCPT: one row of param.def and one parser each. */
#include "wire/cmd.h"
#include "base/text.h"
#include "wire/internal.h"

struct ctx {
    unsigned exts;
    bool utf8;
    struct arena *mem;
    struct params *p;
};

/* Value octets of RFC 5321 4.1.2: 33..126 but '='; '=' is taken since base64-like values hold it, and
 * octets above 127 for the utf-8 forms of RFC 6533, judged by the parameter's own parser. */
static bool value_octet(char c) { return c > 32 && c != 127 ? true : (unsigned char)c > 127; }

bool param_next(str *rest, struct param_text *ret, enum fault *ret_fault)
{
    str s = *rest;
    size_t n = 0;
    *ret_fault = FAULT_NONE;
    while (s.n && s.p[0] == ' ')
        s = str_skip(s, 1);
    *rest = s;
    if (s.n == 0)
        return false;
    *ret_fault = FAULT_PARAM_SYNTAX;
    while (n < s.n && (ascii_alnum(s.p[n]) || (n && s.p[n] == '-')))
        n++;
    if (n == 0 || n > 64)
        return false;
    ret->keyword = str_sub(s, 0, n);
    ret->has_value = n < s.n && s.p[n] == '=';
    size_t start = ret->has_value ? n + 1 : n;
    for (n = start; n < s.n && s.p[n] != ' '; n++)
        if (!ret->has_value || !value_octet(s.p[n]))
            return false;
    ret->value = str_sub(s, start, n);
    if (ret->has_value && ret->value.n == 0)
        return false;
    *rest = str_skip(s, n);
    *ret_fault = FAULT_NONE;
    return true;
}

/* RFC 1870 4: 1 to 20 digits. A number that only 64 bits hold, or that is larger, is too big for anyone. */
static enum fault param_size(struct ctx *c, str v)
{
    uint64_t size;
    for (size_t i = 0; i < v.n; i++)
        if (!ascii_digit(v.p[i]))
            return FAULT_PARAM_SYNTAX;
    if (v.n == 0)
        return FAULT_PARAM_SYNTAX;
    if (!text_u64(v, &size) || size > INT64_MAX)
        return FAULT_SIZE_RANGE;
    c->p->size = size;
    return FAULT_NONE;
}

static enum fault param_body(struct ctx *c, str v)
{
    if (str_ieq(v, S("7BIT")))
        c->p->body = BODY_7BIT;
    else if (str_ieq(v, S("8BITMIME")))
        c->p->body = BODY_8BITMIME;
    else if (str_ieq(v, S("BINARYMIME")) && c->exts & EXT_BINARYMIME)
        c->p->body = BODY_BINARYMIME;
    else
        return FAULT_PARAM_SYNTAX;
    return FAULT_NONE;
}

static enum fault param_smtputf8(struct ctx *c, str v)
{
    c->p->smtputf8 = true;
    return v.p ? FAULT_PARAM_SYNTAX : FAULT_NONE;
}

static enum fault param_ret(struct ctx *c, str v)
{
    c->p->ret = str_ieq(v, S("FULL")) ? RET_FULL : str_ieq(v, S("HDRS")) ? RET_HDRS : RET_NONE;
    return c->p->ret == RET_NONE ? FAULT_PARAM_SYNTAX : FAULT_NONE;
}

/* xtext that decodes to printable ASCII or, with `utf8`, UTF-8. */
static enum fault decode(struct ctx *c, str v, bool (*dec)(struct buf *, str), bool utf8, str *ret)
{
    struct buf out;
    char *p = arena_alloc(c->mem, v.n + 1);
    if (!p)
        return FAULT_ADDR_NOMEM;
    buf_init_fixed(&out, p, v.n + 1);
    if (!dec(&out, v))
        return FAULT_PARAM_SYNTAX;
    for (size_t i = 0; i < out.n; i++)
        if ((unsigned char)p[i] < 32 || p[i] == 127)
            return FAULT_PARAM_SYNTAX;
    if (utf8 ? !text_utf8(buf_str(&out)) : !text_ascii(buf_str(&out)))
        return FAULT_PARAM_SYNTAX;
    *ret = buf_str(&out);
    return FAULT_NONE;
}

/* RFC 3461 4.4: at most 100 octets. */
static enum fault param_envid(struct ctx *c, str v)
{
    return v.n == 0 || v.n > 100 ? FAULT_PARAM_SYNTAX : decode(c, v, xtext_decode, false, &c->p->envid);
}

/* RFC 4954 5: xtext of a mailbox, or <>. */
static enum fault param_auth(struct ctx *c, str v)
{
    struct addr a;
    str text;
    if (v.n == 0 || v.n > 500)
        return FAULT_PARAM_SYNTAX;
    if (str_eq(v, S("<>"))) {
        c->p->auth = S("");
        return FAULT_NONE;
    }
    enum fault f = decode(c, v, xtext_decode, c->exts & EXT_SMTPUTF8, &text);
    if (f)
        return f;
    if (addr_parse(text, c->exts & EXT_SMTPUTF8 ? ADDR_F_UTF8 | ADDR_F_LOCAL : ADDR_F_LOCAL, c->mem, &a))
        return FAULT_PARAM_SYNTAX;
    c->p->auth = text;
    return FAULT_NONE;
}

/* RFC 4865 5: one of HOLDFOR and HOLDUNTIL, once. */
static enum fault held_twice(const struct ctx *c)
{
    return c->p->hold_s || c->p->hold_until_ms ? FAULT_PARAM_TWICE : FAULT_NONE;
}

static enum fault param_holdfor(struct ctx *c, str v)
{
    uint64_t n;
    if (v.n == 0 || v.n > 9 || !text_u64(v, &n) || !n)
        return FAULT_PARAM_SYNTAX;
    enum fault f = held_twice(c);
    c->p->hold_s = (int64_t)n;
    return f;
}

static enum fault param_holduntil(struct ctx *c, str v)
{
    int64_t ms;
    if (v.n > 40 || !text_parse_time(v, &ms) || ms <= 0)
        return FAULT_PARAM_SYNTAX;
    enum fault f = held_twice(c);
    c->p->hold_until_ms = ms;
    return f;
}

/* RFC 2852 4: seconds, ";", R or N, T for a trace; in mode R at least one second. */
static enum fault param_by(struct ctx *c, str v)
{
    size_t at = str_find(v, ';');
    bool minus = v.n && v.p[0] == '-';
    uint64_t n;
    str number = str_skip(str_sub(v, 0, at), minus), mode = at == STR_NONE ? S("") : str_skip(v, at + 1);
    if (number.n == 0 || number.n > 9 || !text_u64(number, &n) || mode.n == 0 || mode.n > 2)
        return FAULT_PARAM_SYNTAX;
    c->p->by = ascii_upper(mode.p[0]) == 'R' ? BY_RETURN : ascii_upper(mode.p[0]) == 'N' ? BY_NOTIFY : BY_NONE;
    c->p->by_trace = mode.n == 2;
    c->p->by_s = minus ? -(int64_t)n : (int64_t)n;
    if (c->p->by == BY_NONE || (c->p->by_trace && ascii_upper(mode.p[1]) != 'T'))
        return FAULT_PARAM_SYNTAX;
    return c->p->by == BY_RETURN && c->p->by_s < 1 ? FAULT_PARAM_SYNTAX : FAULT_NONE;
}

/* RFC 6710 4.1 */
static enum fault param_priority(struct ctx *c, str v)
{
    bool minus = v.n == 2 && v.p[0] == '-';
    if (v.n != 1u + minus || !ascii_digit(v.p[minus]) || (minus && v.p[1] == '0'))
        return FAULT_PARAM_SYNTAX;
    c->p->priority = (minus ? -1 : 1) * (v.p[minus] - '0');
    return FAULT_NONE;
}

static enum fault param_requiretls(struct ctx *c, str v)
{
    c->p->requiretls = true;
    return v.p ? FAULT_PARAM_SYNTAX : FAULT_NONE;
}

/* RFC 3461 4.1: NEVER alone, or a list of the others, each once. */
static enum fault param_notify(struct ctx *c, str v)
{
    unsigned bits = 0;
    str word;
    while (str_cut(&v, ',', &word)) {
        unsigned b = str_ieq(word, S("NEVER"))     ? NOTIFY_NEVER
                     : str_ieq(word, S("SUCCESS")) ? NOTIFY_SUCCESS
                     : str_ieq(word, S("FAILURE")) ? NOTIFY_FAILURE
                     : str_ieq(word, S("DELAY"))   ? NOTIFY_DELAY
                                                   : NOTIFY_NONE;
        if (b == NOTIFY_NONE || bits & (b | NOTIFY_NEVER) || (bits && b == NOTIFY_NEVER))
            return FAULT_PARAM_SYNTAX;
        bits |= b;
    }
    c->p->notify = bits;
    return bits ? FAULT_NONE : FAULT_PARAM_SYNTAX;
}

static bool code_point(struct buf *out, uint32_t v)
{
    if (v < 0x20 || v == 0x7f || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return false;
    if (v < 0x80) {
        buf_add_char(out, (char)v);
    } else {
        char b[4];
        size_t n = v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
        for (size_t i = n; i-- > 1; v >>= 6)
            b[i] = (char)(0x80 | (v & 0x3f));
        b[0] = (char)((0xf00 >> n) | v);
        buf_add(out, (str){b, n});
    }
    return out->e == OK;
}

static int hex_any(char c)
{
    c = ascii_lower(c);
    return ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* utf-8-addr-xtext and utf-8-addr-unitext of RFC 6533 3: \x{HEX} for what is not plain; UTF-8 as it is. */
static bool utf8_addr_decode(struct buf *out, str in)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '+' || c == '=')
            return false;
        if (c != '\\') {
            buf_add_char(out, c);
            continue;
        }
        size_t end = str_find(str_skip(in, i), '}');
        if (!str_starts(str_skip(in, i), S("\\x{")) || end == STR_NONE || end < 4 || end > 9)
            return false;
        uint32_t v = 0;
        for (size_t k = i + 3; k < i + end; k++) {
            if (hex_any(in.p[k]) < 0)
                return false;
            v = v << 4 | (uint32_t)hex_any(in.p[k]);
        }
        if (!code_point(out, v))
            return false;
        i += end;
    }
    return out->e == OK;
}

/* RFC 3461 4.2: addr-type ";" xtext, at most 500 octets; RFC 6533 3 for the type utf-8. */
static enum fault param_orcpt(struct ctx *c, str v)
{
    size_t semi = str_find(v, ';');
    if (v.n > 500 || semi == STR_NONE || semi == 0 || semi + 1 == v.n)
        return FAULT_PARAM_SYNTAX;
    str type = str_sub(v, 0, semi), text = str_skip(v, semi + 1);
    for (size_t i = 0; i < type.n; i++)
        if (!ascii_alnum(type.p[i]) && type.p[i] != '-')
            return FAULT_PARAM_SYNTAX;
    if (!text_ascii(v) && !c->utf8)
        return FAULT_PARAM_SYNTAX;
    bool u = str_ieq(type, S("utf-8"));
    enum fault f = decode(c, text, u ? utf8_addr_decode : xtext_decode, u, &c->p->orcpt);
    if (f)
        return f;
    c->p->orcpt_type = type;
    c->p->orcpt_raw = v;
    return FAULT_NONE;
}

enum { VERB_MAIL, VERB_RCPT };
static const struct row {
    str keyword;
    int verb;
    unsigned ext;
    enum fault (*parse)(struct ctx *c, str value);
} rows[PARAM_COUNT] = {
#define PARAM(keyword, verb, ext, parse) {S_INIT(#keyword), VERB_##verb, ext, parse},
#include "wire/param.def"
#undef PARAM
};

/* Equal but for ASCII case, and a hyphen that C writes as an underscore. */
static bool is_keyword(str row, str given)
{
    if (row.n != given.n)
        return false;
    for (size_t i = 0; i < row.n; i++)
        if ((row.p[i] == '_' ? '-' : row.p[i]) != ascii_upper(given.p[i]))
            return false;
    return true;
}

static enum fault one(struct ctx *c, bool rcpt, const struct param_text *t)
{
    bool known = false;
    for (unsigned i = 0; i < PARAM_COUNT; i++) {
        if (!is_keyword(rows[i].keyword, t->keyword))
            continue;
        known = true;
        if ((rows[i].verb == VERB_RCPT) != rcpt || !(rows[i].ext & c->exts))
            continue;
        if (c->p->seen & 1u << i)
            return FAULT_PARAM_TWICE;
        c->p->seen |= 1u << i;
        return rows[i].parse(c, t->has_value ? t->value : (str){NULL, 0});
    }
    return !known && c->exts & EXT_OTHER ? FAULT_NONE : FAULT_PARAM_UNKNOWN;
}

enum fault params_parse(str rest, bool rcpt, unsigned exts, bool utf8, struct arena *mem, struct params *ret)
{
    struct ctx c = {exts, utf8, mem, ret};
    struct param_text t;
    enum fault f = FAULT_NONE;
    *ret = (struct params){0};
    if (rest.n && rest.p[0] != ' ')
        return FAULT_ADDR_SYNTAX;
    for (unsigned n = 0; f == FAULT_NONE && param_next(&rest, &t, &f); n++)
        f = n < 32 ? one(&c, rcpt, &t) : FAULT_PARAM_MANY;
    return f;
}

void cmd_notify_print(struct buf *out, unsigned notify)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {
        {NOTIFY_NEVER, "NEVER"}, {NOTIFY_SUCCESS, "SUCCESS"}, {NOTIFY_FAILURE, "FAILURE"}, {NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (notify & words[i].bit) {
            buf_add_c(out, before);
            buf_add_c(out, words[i].word);
            before = ",";
        }
}
