/*
 * The directory as text: a line for each thing, "kind name key=value ...", keys in one order, only what is not the
 * default. Sorted as directory_list sorts, so that two exports can be compared line by line. Values with blanks,
 * quotes or nothing in them stand in double quotes, with backslashes before quotes and backslashes.
 */
#include "directory/internal.h"

enum type { STR, NUM, YES, NO }; /* NO: a flag whose word means false */
struct field {
    str name;
    char kind; /* of the lines it stands in: d u a c; '*': u and c */
    enum type type;
    size_t at; /* in struct directory_line */
};
#define AT(member) offsetof(struct directory_line, member)
static const struct field fields[] = {
    {S_INIT("deliver"), 'd', STR, AT(change.domain.deliver)},
    {S_INIT("catch-all"), 'd', STR, AT(change.domain.catch_all)},
    {S_INIT("customer"), 'd', STR, AT(change.domain.customer)},
    {S_INIT("messages"), 'd', STR, AT(change.domain.messages)},
    {S_INIT("recipients"), 'd', STR, AT(change.domain.recipients)},
    {S_INIT("disabled"), 'd', NO, AT(change.domain.enabled)},
    {S_INIT("name"), 'u', STR, AT(change.account.name)},
    {S_INIT("customer"), 'u', STR, AT(change.account.customer)},
    {S_INIT("messages"), 'u', STR, AT(change.account.messages)},
    {S_INIT("recipients"), 'u', STR, AT(change.account.recipients)},
    {S_INIT("size"), 'u', NUM, AT(change.account.size)},
    {S_INIT("any-sender"), 'u', YES, AT(change.account.any_sender)},
    {S_INIT("forward"), 'u', STR, AT(change.account.forward)},
    {S_INIT("keep"), 'u', YES, AT(change.account.keep)},
    {S_INIT("source"), 'u', STR, AT(change.account.source)},
    {S_INIT("held"), 'u', STR, AT(change.account.held)},
    {S_INIT("disabled"), 'u', NO, AT(change.account.enabled)},
    {S_INIT("to"), 'a', STR, AT(change.alias.targets)},
    {S_INIT("disabled"), 'a', NO, AT(change.alias.enabled)},
    {S_INIT("title"), 'c', STR, AT(title)},
    {S_INIT("disabled"), 'c', YES, AT(disabled)},
    {S_INIT("hash"), '*', STR, AT(hash)},
    {S_INIT("scram"), '*', STR, AT(scram)},
    {S_INIT("password"), '*', STR, AT(password)},
};
enum { NFIELDS = sizeof fields / sizeof *fields };

static bool in_line(const struct field *f, char kind)
{
    return f->kind == kind || (f->kind == '*' && (kind == 'u' || kind == 'c'));
}

static char kind_of(const struct directory_line *l)
{
    return l->credential ? 'c' : l->change.kind == DIR_DOMAIN ? 'd' : l->change.kind == DIR_ACCOUNT ? 'u' : 'a';
}

static void add_value(struct buf *out, str s)
{
    bool plain = s.n > 0;
    for (size_t i = 0; i < s.n && plain; i++)
        plain = (unsigned char)s.p[i] > 32 && s.p[i] != '"' && s.p[i] != '\\' && s.p[i] != '#';
    if (plain)
        buf_add(out, s);
    else
        buf_add_quoted(out, s);
}

static void add_name(struct buf *out, const struct directory_line *l)
{
    char mem[ADDR_TEXT_MAX];
    struct buf b;
    struct addr x = {.kind = ADDR_NAME};
    if (kind_of(l) == 'd') {
        add_value(out, l->change.domain.name);
        return;
    }
    bool alias = kind_of(l) == 'a';
    x.local = alias ? l->change.alias.local : l->change.account.local;
    x.domain = alias ? l->change.alias.domain : l->change.account.domain;
    buf_init_fixed(&b, mem, sizeof mem);
    addr_print(&b, &x);
    add_value(out, buf_str(&b));
}

void directory_line_print(struct buf *out, const struct directory_line *l)
{
    char kind = kind_of(l);
    buf_add_c(out, kind == 'd' ? "domain " : kind == 'u' ? "user " : kind == 'a' ? "alias " : "credential ");
    add_name(out, l);
    for (const struct field *f = fields; f < fields + NFIELDS; f++) {
        const char *at = (const char *)l + f->at;
        str s = f->type == STR ? *(const str *)at : S("");
        bool said = f->type == STR   ? s.n > 0
                    : f->type == NUM ? *(const int64_t *)at != 0
                                     : *(const bool *)at == (f->type == YES);
        if (!in_line(f, kind) || !said)
            continue;
        buf_add_char(out, ' ');
        buf_add(out, f->name);
        if (f->type == STR) {
            buf_add_char(out, '=');
            add_value(out, s);
        } else if (f->type == NUM) {
            buf_printf(out, "=%lld", (long long)*(const int64_t *)at);
        }
    }
    buf_add_char(out, '\n');
}

/* ---- parsing ---- */

/* One word, unquoted into the arena: up to a blank outside of quotes. False: an open quote, or no memory. */
static bool next_word(struct arena *a, str *rest, str *ret)
{
    str s = *rest;
    while (s.n && ascii_wsp(s.p[0]))
        s = str_skip(s, 1);
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0, i = 0;
    bool quoted = false;
    for (; p && i < s.n && (quoted || !ascii_wsp(s.p[i])); i++) {
        if (s.p[i] == '"')
            quoted = !quoted;
        else if (quoted && s.p[i] == '\\' && i + 1 < s.n)
            p[n++] = s.p[++i];
        else
            p[n++] = s.p[i];
    }
    *rest = str_skip(s, i);
    *ret = (str){p, n};
    return p && !quoted;
}

static bool bad(struct buf *why, const char *expected, str found)
{
    buf_printf(why, "expected %s, found \"", expected);
    text_safe(why, str_sub(found, 0, 80));
    buf_add_c(why, "\"");
    return false;
}

bool directory_line_set(struct directory_line *l, str word, struct buf *why)
{
    char kind = kind_of(l);
    size_t eq = str_find(word, '=');
    str name = str_sub(word, 0, eq), value = eq == STR_NONE ? S("") : str_skip(word, eq + 1);
    for (const struct field *f = fields; f < fields + NFIELDS; f++) {
        uint64_t n;
        char *at = (char *)l + f->at;
        if (!in_line(f, kind) || !str_eq(f->name, name))
            continue;
        if ((f->type == STR || f->type == NUM) != (eq != STR_NONE))
            return bad(why, eq == STR_NONE ? "a value behind the key" : "no value behind the key", word);
        if (f->at == AT(change.domain.deliver) && !value.n)
            return bad(why, "a way to deliver, as in the configuration", word);
        if (f->type == STR)
            *(str *)at = value;
        else if (f->type != NUM)
            *(bool *)at = f->type == YES;
        else if (!text_u64(value, &n) || n > INT64_MAX)
            return bad(why, "a whole number", word);
        else
            *(int64_t *)at = (int64_t)n;
        for (size_t i = 0; i < value.n; i++)
            if ((unsigned char)value.p[i] < 32 || value.p[i] == 127)
                return bad(why, "text without control characters", word);
        return value.n <= (f->at == AT(change.alias.targets) || f->at == AT(change.account.forward)
                               ? (size_t)DIRECTORY_TARGETS_MAX * 100
                               : DIRECTORY_TEXT_MAX) ||
               bad(why, "a shorter value", word);
    }
    return bad(why, "a key of this kind of line", word);
}

static bool set_name(struct arena *a, struct directory_line *l, str name, struct buf *why)
{
    const char *fault = "";
    bool ok;
    struct directory_change *c = &l->change;
    if (c->kind == DIR_DOMAIN)
        ok = directory_name(a, name, &c->domain.name);
    else if (c->kind == DIR_ALIAS)
        ok = directory_address(a, name, &c->alias.local, &c->alias.domain, &fault);
    else
        ok = directory_address(a, name, &c->account.local, &c->account.domain, &fault);
    return ok || bad(why, c->kind == DIR_DOMAIN ? "a domain name" : "an address", name);
}

bool directory_line_parse(struct arena *a, str line, struct directory_line *ret, struct buf *why)
{
    str kind, name, word;
    *ret = (struct directory_line){.change = {.verb = DIR_PUT}};
    if (!next_word(a, &line, &kind) || !next_word(a, &line, &name))
        return bad(why, "a kind and a name", line);
    if (str_eq(kind, S("domain"))) {
        ret->change.kind = DIR_DOMAIN;
        ret->change.domain.enabled = true;
        ret->change.domain.deliver = S("maildir");
    } else if (str_eq(kind, S("user")) || str_eq(kind, S("credential"))) {
        ret->change.kind = DIR_ACCOUNT;
        ret->change.account.enabled = true;
        ret->credential = kind.p[0] == 'c';
    } else if (str_eq(kind, S("alias"))) {
        ret->change.kind = DIR_ALIAS;
        ret->change.alias.enabled = true;
    } else {
        return bad(why, "domain, user, alias or credential at the beginning", kind);
    }
    if (!set_name(a, ret, name, why))
        return false;
    for (;;) {
        if (!next_word(a, &line, &word))
            return bad(why, "a closing quote", line);
        if (!word.n)
            return true;
        if (!directory_line_set(ret, word, why))
            return false;
    }
}
