/* Mailboxes, paths, domains and address literals of SMTP (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3). */
#include "wire/addr.h"
#include "base/text.h"
#include "wire/idn.h"
#include "wire/ip.h"

#include <string.h>

static bool is_8bit(char c) { return (unsigned char)c > 127; }
static bool is_ctl(char c) { return (unsigned char)c < 32 || c == 127; }

/* atext of RFC 5322 3.2.3 that is neither letter nor digit: below 64 and above. */
#define AT(c) ((uint64_t)1 << ((c)&63))
static const uint64_t marks[2] = {
    AT('!') | AT('#') | AT('$') | AT('%') | AT('&') | AT('\'') | AT('*') | AT('+') | AT('-') | AT('/') | AT('=') |
        AT('?'),
    AT('^') | AT('_') | AT('`') | AT('{') | AT('|') | AT('}') | AT('~'),
};

/* Octets above 127 are judged elsewhere. */
static bool is_atext(char c) { return ascii_alnum(c) || is_8bit(c) || (marks[c >> 6 & 1] & AT(c)); }
static bool is_label(char c) { return ascii_alnum(c) || is_8bit(c) || c == '-'; }

bool addr_is_dot_string(str s)
{
    bool dot = true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' ? dot : !is_atext(s.p[i]))
            return false;
        dot = s.p[i] == '.';
    }
    return !dot;
}

/* Well-formed UTF-8 without C1 controls: they act on terminals and have no place in a name. */
static bool utf8_ok(str s)
{
    if (!text_utf8(s))
        return false;
    for (size_t i = 0; i + 1 < s.n; i++)
        if ((unsigned char)s.p[i] == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)
            return false;
    return true;
}

static bool label_valid(str l, unsigned flags)
{
    bool utf8 = !text_ascii(l);
    if (l.n == 0 || l.n > (utf8 ? ADDR_DOMAIN_MAX : ADDR_LABEL_MAX) || l.p[0] == '-' || l.p[l.n - 1] == '-')
        return false;
    for (size_t i = 0; i < l.n; i++) {
        char c = l.p[i];
        if (!is_label(c) && !(c == '_' && flags & ADDR_F_UNDERSCORE))
            return false;
    }
    return true;
}

bool domain_valid(str s, unsigned flags)
{
    struct ip ip;
    str rest = s, label;
    if (s.n == 0 || s.n > ADDR_DOMAIN_MAX)
        return false;
    if (!text_ascii(s) && (!(flags & ADDR_F_UTF8) || !utf8_ok(s)))
        return false;
    while (str_cut(&rest, '.', &label))
        if (!label_valid(label, flags))
            return false;
    return !ascii_digit(s.p[s.n - 1]) || !ip_parse(s, &ip); /* what has no colon is of version 4 */
}

enum addr_kind literal_kind(str s)
{
    struct ip ip;
    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return ADDR_NONE;
    str in = str_sub(s, 1, s.n - 1);
    if (str_istarts(in, S("IPv6:"))) {
        in = str_skip(in, 5);
        return str_find(in, ':') != STR_NONE && ip_parse(in, &ip) ? ADDR_IPV6 : ADDR_NONE;
    }
    return str_find(in, ':') == STR_NONE && ip_parse(in, &ip) ? ADDR_IPV4 : ADDR_NONE;
}

enum fault helo_parse(str arg, bool lenient, str *ret_name)
{
    struct ip ip;
    str name = arg;
    if (arg.n == 0)
        return FAULT_HELO;
    if (arg.p[0] == '[') {
        bool bare = lenient && arg.n > 2 && arg.p[arg.n - 1] == ']' && ip_parse(str_sub(arg, 1, arg.n - 1), &ip);
        if (literal_kind(arg) == ADDR_NONE && !bare)
            return FAULT_HELO;
    } else {
        if (lenient && name.n > 1 && name.p[name.n - 1] == '.')
            name.n--;
        if (!domain_valid(name, lenient ? ADDR_F_UNDERSCORE : 0) && !(lenient && ip_parse(arg, &ip)))
            return FAULT_HELO;
    }
    *ret_name = name;
    return FAULT_NONE;
}

/* Judges what may not stand in any part. */
static enum fault check_octets(str s, unsigned flags)
{
    bool high = false;
    for (size_t i = 0; i < s.n; i++) {
        if (is_ctl(s.p[i]))
            return FAULT_ADDR_CONTROL;
        high |= is_8bit(s.p[i]);
    }
    if (high && !(flags & ADDR_F_UTF8))
        return FAULT_ADDR_8BIT;
    return high && !utf8_ok(s) ? FAULT_ADDR_UTF8 : FAULT_NONE;
}

/* The quoted string at the start of *text (RFC 5321 Quoted-string), unquoted. */
static enum fault take_quoted(str *text, struct arena *mem, str *ret)
{
    size_t i = 1, escapes = 0;
    for (; i < text->n && text->p[i] != '"'; i++)
        if (text->p[i] == '\\') {
            i++;
            escapes++;
        }
    if (i >= text->n)
        return FAULT_ADDR_SYNTAX;
    str raw = str_sub(*text, 1, i);
    *text = str_skip(*text, i + 1);
    if (raw.n + 2 > ADDR_LOCAL_MAX) /* RFC 5321 4.5.3.1.1 counts the quotes too */
        return FAULT_ADDR_LONG;
    *ret = raw;
    if (escapes == 0)
        return FAULT_NONE;
    char *p = arena_alloc(mem, raw.n);
    if (!p)
        return FAULT_ADDR_NOMEM;
    size_t n = 0;
    for (i = 0; i < raw.n; i++) {
        if (raw.p[i] == '\\' && is_8bit(raw.p[++i])) /* RFC 6531 leaves quoted pairs ASCII */
            return FAULT_ADDR_SYNTAX;
        p[n++] = raw.p[i];
    }
    *ret = (str){p, n};
    return FAULT_NONE;
}

/* The local part at the start of *text, up to '@' or an octet that cannot be in it. */
static enum fault take_local(str *text, struct arena *mem, struct addr *a)
{
    if (text->n && text->p[0] == '"') {
        a->quoted = true;
        return take_quoted(text, mem, &a->local);
    }
    size_t i = 0;
    while (i < text->n && (is_atext(text->p[i]) || text->p[i] == '.'))
        i++;
    a->local = str_sub(*text, 0, i);
    *text = str_skip(*text, i);
    if (!addr_is_dot_string(a->local))
        return FAULT_ADDR_SYNTAX;
    return a->local.n > ADDR_LOCAL_MAX ? FAULT_ADDR_LONG : FAULT_NONE;
}

/* Everything behind the '@', up to '>' or the end: the caller checks what follows. */
static enum fault take_domain(str *text, unsigned flags, struct addr *a)
{
    size_t i = 0;
    if (text->n && text->p[0] == '[') {
        size_t end = str_find(*text, ']');
        if (end == STR_NONE)
            return FAULT_ADDR_LITERAL;
        a->domain = str_sub(*text, 0, end + 1);
        *text = str_skip(*text, end + 1);
        a->kind = literal_kind(a->domain);
        return a->kind == ADDR_NONE ? FAULT_ADDR_LITERAL : FAULT_NONE;
    }
    while (i < text->n && (is_label(text->p[i]) || text->p[i] == '.' || text->p[i] == '_'))
        i++;
    a->domain = str_sub(*text, 0, i);
    *text = str_skip(*text, i);
    a->kind = ADDR_NAME;
    if (i > ADDR_DOMAIN_MAX)
        return FAULT_ADDR_LONG;
    return domain_valid(a->domain, flags) ? FAULT_NONE : FAULT_ADDR_DOMAIN;
}

/* "@one,@two:" before a mailbox: parsed and dropped (RFC 5321 4.1.2 A-d-l, appendix C). */
static enum fault drop_route(str *text, unsigned flags, struct addr *a)
{
    if (text->n == 0 || text->p[0] != '@')
        return FAULT_NONE;
    a->routed = true;
    for (;;) {
        struct addr hop = {0};
        *text = str_skip(*text, 1);
        if (take_domain(text, flags, &hop) || text->n == 0)
            return FAULT_ADDR_ROUTE;
        char c = text->p[0];
        *text = str_skip(*text, 1);
        if (c == ':')
            return FAULT_NONE;
        if (c != ',' || text->n == 0 || text->p[0] != '@')
            return FAULT_ADDR_ROUTE;
    }
}

/* A mailbox at the start of *text; `end` is what must follow it ('>' or 0 for the end of text). */
static enum fault take_mailbox(str *text, char end, unsigned flags, struct arena *mem, struct addr *a)
{
    enum fault f = take_local(text, mem, a);
    if (f)
        return f;
    bool at_end = end ? text->n && text->p[0] == end : text->n == 0;
    if (at_end) {
        bool post = flags & ADDR_F_POSTMASTER && str_ieq(a->local, S("postmaster"));
        a->kind = ADDR_LOCAL;
        a->domain = S("");
        if (!post && (!(flags & ADDR_F_LOCAL) || str_find(a->local, '@') != STR_NONE))
            return FAULT_ADDR_NODOMAIN;
        return FAULT_NONE;
    }
    if (text->n == 0 || text->p[0] != '@')
        return FAULT_ADDR_SYNTAX;
    *text = str_skip(*text, 1);
    f = take_domain(text, flags, a);
    if (f)
        return f;
    at_end = end ? text->n && text->p[0] == end : text->n == 0;
    if (!at_end)
        return FAULT_ADDR_SYNTAX;
    /* The path as it goes on, without a route that was dropped (RFC 5321 4.5.3.1.3). */
    return a->local.n + 1 + a->domain.n + 2 > ADDR_PATH_MAX ? FAULT_ADDR_LONG : FAULT_NONE;
}

/* How far the path at the start of s reaches: behind the first '>' outside quotes. */
static size_t path_len(str s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == '>' && !quoted)
            return i + 1;
    }
    return 0;
}

static enum fault finish(const struct addr *a, struct addr *ret)
{
    *ret = *a;
    ret->utf8 = !text_ascii(a->local) || !text_ascii(a->domain);
    return FAULT_NONE;
}

/* Labels beyond ASCII must be U-labels (RFC 6531 3.3, RFC 5890 2.3.2.1): what has no A-label is no domain. */
static enum fault check_labels(const struct addr *a, struct arena *mem)
{
    str ascii;
    if (a->kind != ADDR_NAME || text_ascii(a->domain))
        return FAULT_NONE;
    err e = idn_to_ascii(a->domain, mem, &ascii);
    return e == E_NOMEM ? FAULT_ADDR_NOMEM : e ? FAULT_ADDR_DOMAIN : FAULT_NONE;
}

enum fault addr_path(str *text, unsigned flags, struct arena *mem, struct addr *ret)
{
    struct addr a = {.local = S_INIT(""), .domain = S_INIT("")};
    if (text->n == 0 || text->p[0] != '<')
        return FAULT_ADDR_BRACKET;
    size_t len = path_len(*text);
    enum fault f = check_octets(len ? str_sub(*text, 0, len) : *text, flags);
    if (f)
        return f;
    if (len == 0)
        return FAULT_ADDR_BRACKET;
    str in = str_sub(*text, 1, len);
    if (in.p[0] == '>') {
        if (!(flags & ADDR_F_NULL))
            return FAULT_ADDR_NULL;
    } else {
        f = drop_route(&in, flags, &a);
        f = f ? f : take_mailbox(&in, '>', flags, mem, &a);
        f = f ? f : check_labels(&a, mem);
        if (f)
            return f;
    }
    *text = str_skip(*text, len);
    return finish(&a, ret);
}

enum fault addr_parse(str text, unsigned flags, struct arena *mem, struct addr *ret)
{
    struct addr a = {.local = S_INIT(""), .domain = S_INIT("")};
    enum fault f = check_octets(text, flags);
    if (f)
        return f;
    if (text.n == 0) {
        if (!(flags & ADDR_F_NULL))
            return FAULT_ADDR_NULL;
    } else {
        f = take_mailbox(&text, 0, flags, mem, &a);
        if (f)
            return f;
    }
    return finish(&a, ret);
}

bool addr_copy(struct arena *mem, const struct addr *a, struct addr *ret)
{
    struct addr c = *a;
    c.local = arena_str(mem, a->local);
    c.domain = arena_str(mem, a->domain);
    if (!c.local.p || !c.domain.p)
        return false;
    *ret = c;
    return true;
}

void addr_print(struct buf *out, const struct addr *a)
{
    if (a->kind == ADDR_NONE)
        return;
    if (addr_is_dot_string(a->local))
        buf_add(out, a->local);
    else
        buf_add_quoted(out, a->local);
    if (a->kind == ADDR_LOCAL)
        return;
    buf_add_char(out, '@');
    buf_add(out, a->domain);
}

static void add_lower(struct buf *out, str s)
{
    char *p = s.n ? buf_room(out, s.n) : NULL;
    if (!p)
        return;
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    out->n += s.n;
}

void addr_key(struct buf *out, const struct addr *a, bool fold_local)
{
    if (a->kind == ADDR_NONE)
        return;
    if (fold_local || (a->kind == ADDR_LOCAL && str_ieq(a->local, S("postmaster"))))
        add_lower(out, a->local);
    else
        buf_add(out, a->local);
    if (a->kind == ADDR_LOCAL)
        return;
    buf_add_char(out, '@');
    add_lower(out, a->domain);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == ADDR_LOCAL && str_ieq(a->local, S("postmaster")))
        return str_ieq(a->local, b->local);
    return str_eq(a->local, b->local) && str_ieq(a->domain, b->domain);
}

bool addr_detail(str local, str separators, str *ret_base, str *ret_detail)
{
    for (size_t i = 1; i < local.n; i++) {
        if (str_find(separators, local.p[i]) == STR_NONE)
            continue;
        *ret_base = str_sub(local, 0, i);
        *ret_detail = str_skip(local, i + 1);
        return true;
    }
    *ret_base = local;
    *ret_detail = S("");
    return false;
}
