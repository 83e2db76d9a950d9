/* SMTP command lines and the arguments of each verb (RFC 5321 4.1.1). */
#include "wire/cmd.h"
#include "base/text.h"
#include "wire/internal.h"

static bool is_ctl(char c) { return (unsigned char)c < 32 || c == 127; }

/* Trailing blanks are tolerated (RFC 5321 4.1.1). */
static str trim_end(str s)
{
    while (s.n && ascii_wsp(s.p[s.n - 1]))
        s.n--;
    return s;
}

static str skip_spaces(str s)
{
    while (s.n && s.p[0] == ' ')
        s = str_skip(s, 1);
    return s;
}

enum fault cmd_parse(str line, struct cmd *ret)
{
    str s = trim_end(line);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (is_ctl(s.p[i]))
            return FAULT_CONTROL;
    if (s.n == 0)
        return FAULT_EMPTY;
    while (n < s.n && (ascii_alnum(s.p[n]) || s.p[n] == '-'))
        n++;
    if (n == 0 || n > 16 || (n < s.n && s.p[n] != ' '))
        return FAULT_VERB;
    ret->verb = str_sub(s, 0, n);
    ret->args = skip_spaces(str_skip(s, n));
    return FAULT_NONE;
}

/* "FROM:" or "TO:" before a path; blanks behind the colon only when lenient. */
static bool take_keyword(str *args, str keyword, bool lenient)
{
    if (!str_istarts(*args, keyword))
        return false;
    *args = str_skip(*args, keyword.n);
    if (lenient)
        *args = skip_spaces(*args);
    return true;
}

enum fault cmd_mail(str args, unsigned exts, bool lenient, struct arena *mem, struct mail_cmd *ret)
{
    struct mail_cmd m = {0};
    if (!take_keyword(&args, S("FROM:"), lenient))
        return FAULT_FROM;
    /* SMTPUTF8 comes behind the path that it is about: first read as if it were there. */
    unsigned flags = ADDR_F_NULL | (exts & EXT_SMTPUTF8 ? ADDR_F_UTF8 : 0);
    enum fault f = addr_path(&args, flags, mem, &m.from);
    f = f ? f : params_parse(args, false, exts, false, mem, &m.p);
    m.p.raw = str_trim_wsp(args);
    if (!f && m.from.utf8 && !m.p.smtputf8)
        f = FAULT_ADDR_8BIT;
    if (!f)
        *ret = m;
    return f;
}

enum fault cmd_rcpt(str args, unsigned exts, bool utf8, bool lenient, struct arena *mem, struct rcpt_cmd *ret)
{
    struct rcpt_cmd r = {0};
    if (!take_keyword(&args, S("TO:"), lenient))
        return FAULT_TO;
    enum fault f = addr_path(&args, ADDR_F_POSTMASTER | (utf8 ? ADDR_F_UTF8 : 0), mem, &r.to);
    f = f ? f : params_parse(args, true, exts, utf8, mem, &r.p);
    r.p.raw = str_trim_wsp(args);
    if (!f)
        *ret = r;
    return f;
}

/* The next word of *rest. */
static str take_word(str *rest)
{
    size_t n = str_find(*rest, ' ');
    str w = str_sub(*rest, 0, n == STR_NONE ? rest->n : n);
    *rest = skip_spaces(str_skip(*rest, w.n));
    return w;
}

enum fault cmd_bdat(str args, uint64_t max, uint64_t *ret_size, bool *ret_last)
{
    str rest = args, number = take_word(&rest);
    uint64_t v = 0;
    bool last = str_ieq(rest, S("LAST"));
    if (number.n == 0 || (rest.n && !last))
        return FAULT_BDAT;
    for (size_t i = 0; i < number.n; i++)
        if (!ascii_digit(number.p[i]))
            return FAULT_BDAT;
    *ret_last = last;
    *ret_size = text_u64(number, &v) ? v : UINT64_MAX;
    return *ret_size > max ? FAULT_BDAT_RANGE : FAULT_NONE;
}

enum fault cmd_auth(str args, str *ret_mech, str *ret_initial)
{
    str rest = args, mech = take_word(&rest);
    if (mech.n == 0)
        return FAULT_NO_ARG;
    if (mech.n > 20 || str_find(rest, ' ') != STR_NONE)
        return FAULT_SYNTAX;
    for (size_t i = 0; i < mech.n; i++) /* RFC 4422 3.1 */
        if (!ascii_alnum(mech.p[i]) && mech.p[i] != '-' && mech.p[i] != '_')
            return FAULT_SYNTAX;
    *ret_mech = mech;
    *ret_initial = rest.n == 0 ? (str){NULL, 0} : str_eq(rest, S("=")) ? S("") : rest;
    return FAULT_NONE;
}

enum fault cmd_no_args(str args) { return args.n ? FAULT_ARG : FAULT_NONE; }

bool cmd_xclient_next(str *rest, struct arena *mem, str *ret_name, str *ret_value, enum fault *ret_fault)
{
    *ret_fault = FAULT_NONE;
    str word = take_word(rest);
    if (word.n == 0)
        return false;
    size_t eq = str_find(word, '=');
    *ret_fault = FAULT_SYNTAX;
    if (eq == STR_NONE || eq == 0 || eq > 32)
        return false;
    str value = str_skip(word, eq + 1);
    struct buf out;
    char *p = arena_alloc(mem, value.n + 1);
    if (!p) {
        *ret_fault = FAULT_ADDR_NOMEM;
        return false;
    }
    buf_init_fixed(&out, p, value.n + 1);
    if (!xtext_decode(&out, value))
        return false;
    *ret_fault = FAULT_NONE;
    *ret_name = str_sub(word, 0, eq);
    *ret_value = buf_str(&out);
    return true;
}

void xtext_encode(struct buf *out, str in)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];
        if (c < 33 || c > 126 || c == '+' || c == '=')
            buf_add(out, (str){(char[3]){'+', digits[c >> 4], digits[c & 15]}, 3});
        else
            buf_add_char(out, (char)c);
    }
}

static int hex_upper(char c) { return ascii_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

bool xtext_decode(struct buf *out, str in)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c < 33 || c > 126 || c == '=')
            return false;
        if (c == '+') {
            if (in.n - i < 3 || hex_upper(in.p[i + 1]) < 0 || hex_upper(in.p[i + 2]) < 0)
                return false;
            c = (char)(hex_upper(in.p[i + 1]) << 4 | hex_upper(in.p[i + 2]));
            i += 2;
        }
        buf_add_char(out, c);
    }
    return out->e == OK;
}
