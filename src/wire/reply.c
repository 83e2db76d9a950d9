/* Replies as a server fills and prints them (RFC 5321 4.2, RFC 2034). One place writes them; it lets no
 * CR, LF, NUL or 8-bit octet through. */
#include "wire/reply.h"

#include <stdarg.h>
#include <stdio.h>

/* Text of a reply line: HT, 32..126 (RFC 5321 4.2 textstring). */
static bool safe(char c) { return (c >= 32 && c < 127) || c == '\t'; }

static void append(struct reply *r, str text)
{
    size_t room = sizeof r->text - r->n;
    if (text.n > room) {
        text.n = room;
        r->cut = true;
    }
    char *to = r->text + r->n;
    for (size_t i = 0; i < text.n; i++)
        to[i] = safe(text.p[i]) || text.p[i] == '\n' ? text.p[i] : '?';
    r->n += (uint16_t)text.n;
    while (r->n && r->text[r->n - 1] == '\n')
        r->n--;
}

static void set_head(struct reply *r, int code, const char *esc)
{
    r->code = code;
    r->n = 0;
    r->cut = false;
    str e = str_c(esc);
    if (reply_esc_len(e) != e.n || !str_to_c(e, r->esc, sizeof r->esc))
        r->esc[0] = 0;
}

void reply_set_str(struct reply *r, int code, const char *esc, str text)
{
    set_head(r, code, esc);
    append(r, text);
}

void reply_add_str(struct reply *r, str line)
{
    if (r->n + line.n + 1 > sizeof r->text) {
        r->cut = true;
        return;
    }
    if (r->n)
        r->text[r->n++] = '\n';
    append(r, line);
}

__attribute__((format(printf, 3, 0))) static str format(char *mem, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(mem, size, fmt, ap);
    return (str){mem, n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1};
}

void reply_set(struct reply *r, int code, const char *esc, const char *fmt, ...)
{
    SCRATCH char tmp[REPLY_TEXT_MAX + 1];
    va_list ap;
    va_start(ap, fmt);
    str s = format(tmp, sizeof tmp, fmt, ap);
    va_end(ap);
    reply_set_str(r, code, esc, s);
}

void reply_add(struct reply *r, const char *fmt, ...)
{
    SCRATCH char tmp[REPLY_TEXT_MAX + 1];
    va_list ap;
    va_start(ap, fmt);
    str s = format(tmp, sizeof tmp, fmt, ap);
    va_end(ap);
    reply_add_str(r, s);
}

/* How much of `s` goes on a line with `room` octets: all, or up to a blank in its second half. */
static size_t wrap_at(str s, size_t room)
{
    if (s.n <= room)
        return s.n;
    size_t at = str_rfind(str_sub(s, 0, room), ' ');
    return at == STR_NONE || at < room / 2 ? room : at;
}

static void add_code(struct buf *out, int code)
{
    char d[3] = {(char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10), (char)('0' + code % 10)};
    buf_add(out, str_mem(d, sizeof d));
}

void reply_print(struct buf *out, const struct reply *r)
{
    if (r->code < 200 || r->code > 599) {
        buf_add(out, S("451 4.3.0 Internal error\r\n"));
        return;
    }
    size_t esc = strnlen(r->esc, sizeof r->esc);
    size_t room = REPLY_LINE_MAX - 2 - 4 - (esc ? esc + 1 : 0);
    str rest = {r->text, r->n}, line = {r->text, 0};
    bool more = str_cut(&rest, '\n', &line);
    while (more) {
        size_t n = wrap_at(line, room);
        str part = str_sub(line, 0, n);
        line = str_skip(line, n);
        if (line.n && line.p[0] == ' ')
            line = str_skip(line, 1);
        more = line.n > 0 || str_cut(&rest, '\n', &line);
        add_code(out, r->code);
        buf_add_char(out, more ? '-' : ' ');
        buf_add(out, str_mem(r->esc, esc));
        buf_add(out, esc ? S(" ") : S(""));
        buf_add(out, part);
        buf_add(out, S("\r\n"));
    }
}

void reply_print_line(struct buf *out, const struct reply *r)
{
    add_code(out, r->code);
    if (r->esc[0]) {
        buf_add_char(out, ' ');
        buf_add_c(out, r->esc);
    }
    str rest = reply_text(r), line;
    for (bool first = true; r->n && str_cut(&rest, '\n', &line); first = false) {
        buf_add(out, first ? S(" ") : S("; "));
        buf_add(out, line);
    }
}
