/* Words of a sentence, the tables behind it, and saying what is wrong with one. */
#include "conf/rule_read.h"
#include "conf/conf.h"
#include "base/text.h"
#include "wire/addr.h"
#include "wire/idn.h"

enum { SHOWN_MAX = 60, WHY_MAX = 1024 };

const struct rule_phase_row rule_phases[RULE_PHASES] = {
#define RULE_PHASE(id, word, text) {word, text},
#include "conf/rule.def"
};
const struct rule_fact_row rule_facts[RULE_FACTS] = {
#define RULE_FACT(id, words, type, first, usual, last, values, text)                                                   \
    {words, RULE_##type, RULE_AT_##first, RULE_AT_##usual, RULE_AT_##last, values, text},
#include "conf/rule.def"
};
const struct rule_op_row rule_ops[RULE_OPS] = {
#define RULE_OP(id, words, types, count, text) {words, types, count, text},
#include "conf/rule.def"
};
const struct rule_do_row rule_dos[RULE_DOS] = {
#define RULE_DO(id, words, shape, first, usual, last, text)                                                            \
    {words, shape, RULE_AT_##first, RULE_AT_##usual, RULE_AT_##last, text},
#include "conf/rule.def"
};

/* ---- words ---- */

static bool blank(char c) { return c == ' ' || c == '\t'; }
static bool ends_word(char c) { return blank(c) || strchr("(),'<>=", c) != NULL; }

static struct rule_token string_token(struct rule_reader *r, size_t from)
{
    size_t n = str_find(str_skip(r->in, from + 1), '\'');
    if (n == STR_NONE)
        return (struct rule_token){RT_BAD, str_skip(r->in, from), from, r->in.n};
    return (struct rule_token){RT_STRING, str_sub(r->in, from + 1, from + 1 + n), from, from + n + 2};
}

static struct rule_token mark_token(struct rule_reader *r, size_t from)
{
    str rest = str_skip(r->in, from);
    size_t n = rest.n > 1 && rest.p[1] == '=' ? 2 : 1;
    if (rest.p[0] == '<' && rest.n > 1 && rest.p[1] == '>')
        return (struct rule_token){RT_WORD, str_sub(rest, 0, 2), from, from + 2};
    return (struct rule_token){RT_MARK, str_sub(rest, 0, n), from, from + n};
}

static struct rule_token read_token(struct rule_reader *r, size_t at)
{
    while (at < r->in.n && blank(r->in.p[at]))
        at++;
    if (at >= r->in.n)
        return (struct rule_token){RT_END, {"", 0}, at, at};
    char c = r->in.p[at];
    const char *single = strchr("(),", c);
    if (c && single)
        return (struct rule_token){RT_OPEN + (enum rule_tok)(single - strchr("(),", '(')), str_sub(r->in, at, at + 1),
                                   at, at + 1};
    if (c == '\'')
        return string_token(r, at);
    if (c == '<' || c == '>' || c == '=' || (c == '!' && at + 1 < r->in.n && r->in.p[at + 1] == '='))
        return mark_token(r, at);
    size_t end = at;
    while (end < r->in.n && r->in.p[end] && !ends_word(r->in.p[end]))
        end++;
    if (end == at)
        return (struct rule_token){RT_BAD, str_skip(r->in, at), at, r->in.n};
    return (struct rule_token){RT_WORD, str_sub(r->in, at, end), at, end};
}

void rule_next(struct rule_reader *r)
{
    r->now = read_token(r, r->at);
    r->at = r->now.end;
}

void rule_read_begin(struct rule_reader *r, str text, struct arena *mem)
{
    *r = (struct rule_reader){.in = text, .mem = mem};
    rule_next(r);
}

/* ---- faults ---- */

static void say_found(struct buf *b, const struct rule_token *t)
{
    str s = str_sub(t->text, 0, SHOWN_MAX);
    if (t->kind == RT_END) {
        buf_add_c(b, "the end");
    } else if (t->kind == RT_BAD && t->text.p && t->text.n && t->text.p[0] == '\'') {
        buf_add_c(b, "a single quote that is not closed");
    } else {
        while (s.n < t->text.n && s.n && ((unsigned char)t->text.p[s.n] & 0xc0) == 0x80)
            s.n--;
        buf_add_char(b, '"');
        if (text_utf8(s))
            buf_add(b, s);
        else
            text_safe(b, s);
        buf_add_c(b, s.n < t->text.n ? "...\"" : "\"");
    }
}

bool rule_expected(struct rule_reader *r, const char *what)
{
    char mem[WHY_MAX];
    struct buf b;
    if (r->bad || r->nomem)
        return false;
    r->bad = true;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_printf(&b, "expected %s, found ", what);
    say_found(&b, &r->now);
    if (r->near.n)
        buf_printf(&b, "; did you mean " STR_FMT "?", STR_ARG(r->near));
    r->why = arena_str(r->mem, buf_str(&b));
    return false;
}

bool rule_nomem(struct rule_reader *r)
{
    r->nomem = true;
    return false;
}

/* ---- rows ---- */

bool rule_takes(struct rule_reader *r, const char *words)
{
    str rest = str_c(words), word;
    struct rule_token t = r->now;
    size_t end = t.end;
    while (str_cut(&rest, ' ', &word) && word.n) {
        if ((t.kind != RT_WORD && t.kind != RT_MARK) || !str_ieq(t.text, word))
            return false;
        end = t.end;
        t = read_token(r, end);
    }
    r->at = end;
    rule_next(r);
    return true;
}

static const char *row_words(const void *rows, size_t size, int i)
{
    return *(const char *const *)((const char *)rows + size * (size_t)i);
}

int rule_takes_row(struct rule_reader *r, const void *rows, size_t size, int n)
{
    int best = -1;
    size_t longest = 0;
    struct rule_reader saved = *r;
    for (int i = 0; i < n; i++) {
        const char *words = row_words(rows, size, i);
        if (words[0] && strlen(words) > longest && rule_takes(r, words)) {
            best = i;
            longest = strlen(words);
        }
        r->at = saved.at;
        r->now = saved.now;
    }
    if (best >= 0)
        (void)rule_takes(r, row_words(rows, size, best));
    return best;
}

/* What people write who know other servers. */
static str other_word(str found)
{
    static const struct {
        str word, means;
    } v[] = {{S_INIT("reject"), S_INIT("refuse")},
             {S_INIT("deny"), S_INIT("refuse")},
             {S_INIT("block"), S_INIT("refuse")},
             {S_INIT("tempfail"), S_INIT("defer")},
             {S_INIT("drop"), S_INIT("discard")},
             {S_INIT("allow"), S_INIT("accept")},
             {S_INIT("permit"), S_INIT("accept")},
             {S_INIT("pass"), S_INIT("accept")},
             {S_INIT("prepend"), S_INIT("add header")},
             {S_INIT("route"), S_INIT("send by")},
             {S_INIT("from"), S_INIT("sender")},
             {S_INIT("to"), S_INIT("recipient")},
             {S_INIT("rcpt"), S_INIT("recipient")},
             {S_INIT("ip"), S_INIT("client")},
             {S_INIT("subject"), S_INIT("header Subject")},
             {S_INIT("rdns"), S_INIT("reverse dns")},
             {S_INIT("ehlo"), S_INIT("helo")},
             {S_INIT("user"), S_INIT("account")}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        if (str_ieq(found, v[i].word))
            return v[i].means;
    return S("");
}

static void look_near(struct rule_reader *r, const void *rows, size_t size, int n)
{
    char mem[WHY_MAX];
    struct buf b;
    if (r->now.kind != RT_WORD)
        return;
    r->near = other_word(r->now.text);
    memset(mem, 0, sizeof mem);
    buf_init_fixed(&b, mem, sizeof mem - 1);
    for (int i = 0; i < n; i++)
        buf_printf(&b, "%s|", row_words(rows, size, i));
    str near = conf_nearest(mem, r->now.text);
    if (!r->near.n && near.n)
        r->near = arena_str(r->mem, near);
}

const char *rule_rows(struct rule_reader *r, const char *before, const void *rows, size_t size, int n)
{
    struct buf b;
    char mem[WHY_MAX - 128];
    const char *sep = "";
    look_near(r, rows, size, n);
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add_c(&b, before);
    for (int i = 0; i < n; i++) {
        const char *words = row_words(rows, size, i);
        if (!words[0])
            continue;
        buf_printf(&b, "%s%s", sep, words);
        sep = i + 2 >= n ? " or " : ", ";
    }
    str s = arena_str(r->mem, buf_str(&b));
    return s.p ? s.p : before;
}

/* ---- pieces ---- */

bool rule_field_name(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= 32 || name.p[i] >= 127 || name.p[i] == ':')
            return false;
    return name.n > 0 && name.n <= 76;
}

bool rule_read_word(struct rule_reader *r, const char *what, str *ret)
{
    if (r->now.kind != RT_WORD && r->now.kind != RT_STRING)
        return rule_expected(r, what);
    *ret = arena_str(r->mem, r->now.text);
    if (!ret->p)
        return rule_nomem(r);
    rule_next(r);
    return true;
}

bool rule_read_fact(struct rule_reader *r, enum rule_fact *ret, str *ret_name)
{
    int i = rule_takes_row(r, rule_facts, sizeof *rule_facts, RULE_FACTS);
    if (i < 0)
        return rule_expected(r, rule_rows(r, "a fact: ", rule_facts, sizeof *rule_facts, RULE_FACTS));
    *ret = (enum rule_fact)i;
    *ret_name = S("");
    if (i == RULE_FACT_HEADER) {
        if (r->now.kind == RT_WORD && !rule_field_name(r->now.text))
            return rule_expected(r, "the name of a header field without \":\"");
        return rule_read_word(r, "the name of a header field", ret_name);
    }
    return i != RULE_FACT_TAG || rule_read_word(r, "the name of a tag", ret_name);
}

bool rule_read_score(str text, int64_t *ret)
{
    bool minus = str_starts(text, S("-"));
    str whole = str_skip(text, minus), part = S("");
    size_t dot = str_find(whole, '.');
    uint64_t a, b = 0;
    if (dot != STR_NONE) {
        part = str_skip(whole, dot + 1);
        whole = str_sub(whole, 0, dot);
        if (part.n == 0 || part.n > 2 || !text_u64(part, &b))
            return false;
        if (part.n == 1)
            b *= 10;
    }
    if (!text_u64(whole, &a) || a > 10000)
        return false;
    int64_t v = (int64_t)(a * RULE_SCORE_UNIT + b);
    *ret = minus ? -v : v;
    return true;
}

static bool lower(struct rule_reader *r, str *s)
{
    str copy = arena_str(r->mem, *s);
    if (!copy.p)
        return rule_nomem(r);
    for (size_t i = 0; i < copy.n; i++)
        ((char *)copy.p)[i] = ascii_lower(copy.p[i]);
    *s = copy;
    return true;
}

bool rule_read_address(struct rule_reader *r, str text, bool patterns, str *ret)
{
    static const char
        what[] = "an address such as info@example.org or <>",
        more[] =
            "an address such as info@example.org, @example.org for a domain, @.example.org for its sub-domains, or <>";
    struct addr a;
    struct buf b;
    char mem[ADDR_TEXT_MAX];
    if (str_eq(text, S("<>"))) {
        *ret = S("");
        return true;
    }
    bool pattern = patterns && str_starts(text, S("@"));
    bool sub = pattern && str_starts(text, S("@."));
    str domain = str_skip(text, sub ? 2 : 1);
    if (!pattern && addr_parse(text, ADDR_F_UTF8, r->mem, &a) != FAULT_NONE)
        return rule_expected(r, patterns ? more : what);
    if (!pattern && a.kind != ADDR_NAME && a.kind != ADDR_IPV4 && a.kind != ADDR_IPV6)
        return rule_expected(r, patterns ? more : what);
    if (pattern || a.kind == ADDR_NAME) {
        err e = idn_to_ascii(pattern ? domain : a.domain, r->mem, &domain);
        if (e == E_NOMEM || e == E_LIMIT)
            return rule_nomem(r);
        if (e || !domain_valid(domain, ADDR_F_UNDERSCORE))
            return rule_expected(r, patterns ? more : what);
    }
    buf_init_fixed(&b, mem, sizeof mem);
    if (pattern)
        buf_printf(&b, "@%s" STR_FMT, sub ? "." : "", STR_ARG(domain));
    else
        addr_print(&b,
                   &(struct addr){a.local, a.kind == ADDR_NAME ? domain : a.domain, a.kind, a.utf8, a.quoted, false});
    *ret = buf_str(&b);
    return b.e ? rule_expected(r, what) : lower(r, ret);
}
