/* Header blocks: walking, unfolding, writing, and the fields that a server adds (RFC 5322, RFC 5321 4.4). */
#include "wire/head.h"
#include "base/text.h"
#include "wire/addr.h"

/* Length of the line at the start of s with its LF; ret_text: without CRLF or LF. */
static size_t line_at(str s, str *ret_text)
{
    size_t lf = str_find(s, '\n');
    size_t len = lf == STR_NONE ? s.n : lf + 1;
    size_t n = lf == STR_NONE ? s.n : lf;
    if (n && lf != STR_NONE && s.p[n - 1] == '\r')
        n--;
    *ret_text = str_sub(s, 0, n);
    return len;
}

/* Index of the colon when the line begins a field, else STR_NONE. */
static size_t field_colon(str line)
{
    size_t i = 0;
    while (i < line.n && line.p[i] > 32 && line.p[i] < 127 && line.p[i] != ':')
        i++;
    size_t name = i;
    while (i < line.n && ascii_wsp(line.p[i]))
        i++;
    return name && i < line.n && line.p[i] == ':' ? i : STR_NONE;
}

bool head_next(str *rest, struct head_field *ret)
{
    str line;
    size_t len = line_at(*rest, &line);
    size_t colon = field_colon(line);
    if (colon == STR_NONE)
        return false;
    size_t text_end = line.n;
    while (len < rest->n && ascii_wsp(rest->p[len])) {
        size_t at = len;
        len += line_at(str_skip(*rest, len), &line);
        text_end = at + line.n;
    }
    ret->name = str_trim_wsp(str_sub(*rest, 0, colon));
    ret->value = str_sub(*rest, colon + 1, text_end);
    ret->raw = str_sub(*rest, 0, len);
    *rest = str_skip(*rest, len);
    return true;
}

size_t head_len(str message, bool *ret_empty_line)
{
    struct head_field f;
    str rest = message, line;
    while (head_next(&rest, &f))
        ;
    size_t len = line_at(rest, &line);
    bool empty = len > 0 && line.n == 0;
    if (ret_empty_line)
        *ret_empty_line = empty;
    return message.n - rest.n + (empty ? len : 0);
}

str head_find(str block, str name)
{
    struct head_field f;
    while (head_next(&block, &f))
        if (str_ieq(f.name, name))
            return f.value;
    return (str){NULL, 0};
}

size_t head_count(str block, str name)
{
    struct head_field f;
    size_t n = 0;
    while (head_next(&block, &f))
        n += str_ieq(f.name, name);
    return n;
}

void head_unfold(struct buf *out, str value)
{
    value = str_trim(value);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        bool crlf = c == '\r' && i + 1 < value.n && value.p[i + 1] == '\n';
        if (crlf || c == '\n') {
            i += crlf;
            if (i + 1 >= value.n || !ascii_wsp(value.p[i + 1]))
                buf_add_char(out, ' ');
        } else {
            buf_add_char(out, ((unsigned char)c < 32 && c != '\t') || c == 127 ? '?' : c);
        }
    }
}

static bool name_ok(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= 32 || name.p[i] >= 127 || name.p[i] == ':')
            return false;
    return name.n > 0 && name.n <= HEAD_NAME_MAX;
}

static bool value_ok(str value)
{
    bool bad = false;
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        bad |= (c < 32 && c != '\t' && c != '\n') || c == 127;
    }
    return !bad;
}

/* Writes one line of a value, blanks in front of each word; folds before a word that would pass column 78.
 * False when a word is longer than a line may be. */
static bool add_folded(struct buf *out, str line, size_t col)
{
    enum { FOLD = 78, MAX = 998 };
    if (col + line.n <= FOLD) {
        buf_add(out, line);
        return true;
    }
    while (line.n) {
        size_t blanks = 0, end;
        while (blanks < line.n && ascii_wsp(line.p[blanks]))
            blanks++;
        for (end = blanks; end < line.n && !ascii_wsp(line.p[end]);)
            end++;
        if (end == blanks) /* trailing blanks */
            break;
        if (blanks && col + end > FOLD && col > 1) {
            buf_add(out, S("\r\n"));
            col = 0;
        }
        col += end;
        if (col > MAX)
            return false;
        buf_add(out, str_sub(line, 0, end));
        line = str_skip(line, end);
    }
    return true;
}

err head_add(struct buf *out, str name, str value)
{
    size_t start = out->n;
    bool first = true, fits = true;
    str line;
    if (!name_ok(name) || !value_ok(value))
        return E_SYNTAX;
    buf_add(out, name);
    buf_add_char(out, ':');
    value = str_trim(value);
    while (fits && str_cut(&value, '\n', &line)) {
        line = str_trim_wsp(line);
        if (line.n == 0) /* a line of blanks only would end some readers' header */
            continue;
        buf_add(out, first ? S(" ") : S("\r\n\t"));
        fits = add_folded(out, line, first ? name.n + 2 : 8);
        first = false;
    }
    buf_add(out, S("\r\n"));
    if (!fits || out->e) {
        out->n = start;
        return out->e ? out->e : E_LIMIT;
    }
    return OK;
}

const char *head_with(bool esmtp, bool lmtp, bool tls, bool auth, bool utf8)
{
    static const char *const words[3][4] = {
        {"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"},
        {"LMTP", "LMTPA", "LMTPS", "LMTPSA"},
        {"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"},
    };
    static const char *const utf8_lmtp[4] = {"UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"};
    int i = (tls ? 2 : 0) + (auth ? 1 : 0);
    if (lmtp)
        return utf8 ? utf8_lmtp[i] : words[1][i];
    if (utf8)
        return words[2][i];
    return esmtp || i ? words[0][i] : "SMTP";
}

/* Foreign text inside a comment, or as a name: nothing that ends or escapes it; at most 120 or 255 octets. */
static void add_safe(struct buf *out, str s, bool comment)
{
    SCRATCH char safe[256];
    s = str_sub(s, 0, comment ? 120 : 255);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool bad = (unsigned char)c < 32 || c == 127 || (comment ? c == '(' || c == ')' || c == '\\' : c == ' ');
        if (!bad && !comment && !ascii_alnum(c))
            bad = memchr("()<>,;\\\"@", c, 9) != NULL;
        safe[i] = bad ? '?' : c;
    }
    buf_add(out, str_mem(safe, s.n));
}

static void add_from(struct buf *v, const struct head_received *r)
{
    buf_add(v, S("from "));
    if (r->helo.n)
        add_safe(v, r->helo, false);
    else if (r->ip)
        ip_print_literal(v, r->ip);
    else
        buf_add(v, S("localhost"));
    if (r->ip) {
        buf_add(v, S(" ("));
        if (r->rdns.n) {
            add_safe(v, r->rdns, false);
            buf_add_char(v, ' ');
        }
        ip_print_literal(v, r->ip);
        buf_add_char(v, ')');
    }
    buf_add_char(v, '\n');
}

static void add_comment(struct buf *v, const char *what, str text)
{
    if (!text.n)
        return;
    buf_add(v, S(" ("));
    buf_add_c(v, what);
    add_safe(v, text, true);
    buf_add_char(v, ')');
}

err head_received(struct buf *out, const struct head_received *r)
{
    SCRATCH char mem[2000]; /* four names, two comments, an address, the words */
    struct buf v;
    buf_init_fixed(&v, mem, sizeof mem);
    if (r->local_user.n == 0)
        add_from(&v, r);
    buf_add(&v, S("by "));
    add_safe(&v, r->by, false);
    if (r->local_user.n)
        add_comment(&v, "", r->local_user);
    else {
        buf_add(&v, S(" with "));
        buf_add_c(&v, head_with(r->esmtp, r->lmtp, r->tls, r->auth, r->utf8));
    }
    add_comment(&v, "", r->tls_info);
    add_comment(&v, "authenticated ", r->auth_user);
    if (r->id.n) {
        buf_add(&v, S("\nid "));
        add_safe(&v, r->id, false);
    }
    if (r->rcpt.n && r->rcpt.n <= ADDR_TEXT_MAX) {
        buf_add(&v, r->id.n ? S(" for <") : S("\nfor <"));
        buf_add(&v, r->rcpt);
        buf_add_char(&v, '>');
    }
    buf_add(&v, S(";\n"));
    text_date(&v, r->unix_s);
    return v.e ? v.e : head_add(out, S("Received"), buf_str(&v));
}

void head_date(struct buf *out, int64_t unix_s)
{
    buf_add(out, S("Date: "));
    text_date(out, unix_s);
    buf_add(out, S("\r\n"));
}

void head_message_id(struct buf *out, int64_t unix_ms, uint64_t random, str hostname)
{
    buf_printf(out, "Message-ID: <%llx.%016llx@", (unsigned long long)unix_ms, (unsigned long long)random);
    add_safe(out, hostname, false);
    buf_add(out, S(">\r\n"));
}
