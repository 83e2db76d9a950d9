/* Actions: what a rule does, from text. */
#include "base/text.h"
#include "conf/internal.h"
#include "conf/rule.h"
#include "conf/rule_read.h"
#include "wire/url.h"

enum { VALUE_MAX = 900, TAG_MAX = 32, CLASS_MAX = 255 };

/* All that is left, as it stands. */
static str rest_of(struct rule_reader *r)
{
    str rest = str_trim(str_skip(r->in, r->now.at));
    r->at = r->in.n;
    rule_next(r);
    return rest;
}

static bool keep(struct rule_reader *r, str text, str *ret)
{
    *ret = arena_str(r->mem, text);
    return ret->p || rule_nomem(r);
}

static bool printable(str s, size_t most)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || (unsigned char)s.p[i] >= 127)
            return false;
    return s.n <= most;
}

/* ---- replies ---- */

static bool code_of(str s, int *ret)
{
    uint64_t v;
    if (s.n != 3 || !text_u64(s, &v))
        return false;
    *ret = (int)v;
    return true;
}

/* "5.7.1": three numbers, the first of one digit, the others of at most three (RFC 3463 2). */
static bool enhanced_of(str s)
{
    str part;
    int n = 0;
    while (str_cut(&s, '.', &part)) {
        uint64_t v;
        if (!text_u64(part, &v) || part.n > (n ? 3u : 1u) || (part.n > 1 && part.p[0] == '0'))
            return false;
        n++;
    }
    return n == 3;
}

static bool reply(struct rule_reader *r, struct rule_action *a)
{
    bool refuse = a->what == RULE_DO_REFUSE;
    char class = refuse ? '5' : '4';
    int code;
    a->code = refuse ? 550 : 450;
    if (r->now.kind == RT_WORD && code_of(r->now.text, &code)) {
        if (code / 100 != class - '0' || code % 100 >= 60)
            return rule_expected(r, refuse ? "a code from 500 to 559 or a text" : "a code from 400 to 459 or a text");
        a->code = code;
        rule_next(r);
    }
    a->enhanced = refuse ? S("5.7.1") : S("4.7.1");
    if (r->now.kind == RT_WORD && enhanced_of(r->now.text)) {
        if (r->now.text.p[0] != class)
            return rule_expected(r, refuse ? "an enhanced code that begins with 5"
                                           : "an enhanced code that begins with 4");
        if (!keep(r, r->now.text, &a->enhanced))
            return false;
        rule_next(r);
    }
    struct rule_token at = r->now;
    str text = rest_of(r);
    if (printable(text, RULE_REPLY_MAX))
        return keep(r, text, &a->value);
    r->now = at;
    return rule_expected(r, "a text of at most 400 printable ASCII characters");
}

/* ---- header fields ---- */

static bool field(struct rule_reader *r, struct rule_action *a)
{
    struct rule_token at = r->now;
    str rest = rest_of(r);
    size_t colon = str_find(rest, ':');
    str name = str_trim(str_sub(rest, 0, colon == STR_NONE ? 0 : colon));
    if (colon == STR_NONE || !rule_field_name(name) || rest.n - colon > VALUE_MAX) {
        r->now = at;
        return rule_expected(r, "NAME: VALUE, a header field of at most 900 octets");
    }
    return keep(r, name, &a->name) && keep(r, str_trim(str_skip(rest, colon + 1)), &a->value);
}

static bool field_name(struct rule_reader *r, struct rule_action *a)
{
    if (r->now.kind == RT_WORD && !rule_field_name(r->now.text))
        return rule_expected(r, "the name of a header field without \":\"");
    return rule_read_word(r, "the name of a header field", &a->name);
}

/* ---- words and numbers ---- */

static bool plain_word(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && !memchr("._-", s.p[i], 3))
            return false;
    return s.n > 0 && s.n <= TAG_MAX;
}

static bool name(struct rule_reader *r, const char *what, struct rule_action *a)
{
    if (r->now.kind != RT_WORD || !plain_word(r->now.text))
        return rule_expected(r, what);
    return rule_read_word(r, what, &a->name);
}

static bool score(struct rule_reader *r, struct rule_action *a)
{
    if (r->now.kind != RT_WORD || !rule_read_score(r->now.text, &a->number))
        return rule_expected(r, "a number such as 5, -2 or 2.5");
    rule_next(r);
    return true;
}

static bool class(struct rule_reader *r, struct rule_action *a)
{
    uint64_t v;
    if (r->now.kind != RT_WORD || !text_u64(r->now.text, &v) || v > CLASS_MAX)
        return rule_expected(r, "a whole number from 0 to 255");
    a->number = (int64_t)v;
    rule_next(r);
    return true;
}

static bool address(struct rule_reader *r, struct rule_action *a)
{
    if (r->now.kind != RT_WORD && r->now.kind != RT_STRING)
        return rule_expected(r, "an address");
    if (!rule_read_address(r, r->now.text, false, &a->value))
        return false;
    if (a->value.n == 0 && a->what != RULE_DO_SENDER)
        return rule_expected(r, "the address of a recipient");
    rule_next(r);
    return true;
}

/* ---- limits ---- */

static bool rates(struct rule_reader *r, struct rule_action *a)
{
    static const char what[] = "a limit such as 30/min, 500/h, 2000/d or 10 at once";
    size_t from = r->now.at, to = from;
    struct rule_token first = r->now;
    uint64_t v;
    if (r->now.kind == RT_WORD && text_u64(r->now.text, &v)) {
        if (v == 0 || v > 1000000)
            return rule_expected(r, "a number from 1 to 1000000");
        rule_next(r);
        a->at_once = (uint32_t)v;
        return rule_takes(r, "at once") || rule_expected(r, "/min, /h, /d or \"at once\" behind the number");
    }
    while (r->now.kind == RT_WORD && str_find(r->now.text, '/') != STR_NONE) {
        to = r->now.end;
        rule_next(r);
    }
    if (to > from && conf_rate(str_sub(r->in, from, to), a->rates) && (a->rates[0] || a->rates[1] || a->rates[2]))
        return true;
    r->now = first;
    return rule_expected(r, what);
}

static bool limit(struct rule_reader *r, struct rule_action *a)
{
    if (!rates(r, a))
        return false;
    if (!rule_takes(r, "by"))
        return rule_expected(r, "\"by\" and a fact behind the limit");
    struct rule_token at = r->now;
    if (!rule_read_fact(r, &a->by, &a->by_name))
        return false;
    enum rule_type type = rule_facts[a->by].type;
    if (type != RULE_YES && type != RULE_NUM && type != RULE_SIZE && type != RULE_SCORE)
        return true;
    r->now = at;
    return rule_expected(r, "a fact that tells one from another, such as client, sender or account");
}

/* ---- servers ---- */

static bool server(struct rule_reader *r, struct rule_action *a)
{
    struct url u;
    const char *why = "";
    if (!rule_takes(r, "at"))
        return true;
    str full = arena_printf(r->mem, "smtp://" STR_FMT, STR_ARG(r->now.text));
    if (!full.p)
        return rule_nomem(r);
    if (r->now.kind != RT_WORD || !url_parse(full, &u, &why) || !u.port_given || str_find(r->now.text, '/') != STR_NONE)
        return rule_expected(r, "HOST:PORT of a server");
    a->host = u.host;
    a->port = u.port;
    rule_next(r);
    return true;
}

static bool argument(struct rule_reader *r, struct rule_action *a)
{
    switch (a->what) {
    case RULE_DO_REFUSE:
    case RULE_DO_DEFER:
        return reply(r, a);
    case RULE_DO_QUARANTINE:
    case RULE_DO_HOLD:
    case RULE_DO_BODY:
        return keep(r, rest_of(r), &a->value);
    case RULE_DO_RCPT_REMOVE:
        return r->now.kind == RT_END || address(r, a);
    case RULE_DO_REDIRECT:
    case RULE_DO_SENDER:
    case RULE_DO_RCPT_ADD:
        return address(r, a);
    case RULE_DO_HEADER_ADD:
    case RULE_DO_HEADER_CHANGE:
        return field(r, a);
    case RULE_DO_HEADER_REMOVE:
        return field_name(r, a);
    case RULE_DO_TAG:
        return name(r, "the name of a tag: letters, digits, \".\", \"-\", \"_\" (at most 32)", a);
    case RULE_DO_MILTER:
        return name(r, "the title of a milter", a);
    case RULE_DO_SEND_BY:
        return name(r, "the title of a section route", a);
    case RULE_DO_SCRIPT:
        return name(r, "the name of a function", a);
    case RULE_DO_SCORE:
        return score(r, a);
    case RULE_DO_CLASS:
        return class(r, a);
    case RULE_DO_LIMIT:
        return limit(r, a);
    case RULE_DO_VERIFY:
        return server(r, a);
    default:
        return true;
    }
}

bool rule_action(str text, struct arena *mem, struct rule_action *ret, str *ret_why)
{
    struct rule_reader r;
    struct rule_action a = {0};
    rule_read_begin(&r, text, mem);
    int what = rule_takes_row(&r, rule_dos, sizeof *rule_dos, RULE_DOS);
    bool ok = what >= 0;
    if (!ok)
        (void)rule_expected(&r, rule_rows(&r, "", rule_dos, sizeof *rule_dos, RULE_DOS));
    a.what = (enum rule_do)what;
    a.value = a.name = a.host = a.by_name = S("");
    ok = ok && argument(&r, &a);
    if (ok && r.now.kind != RT_END)
        ok = rule_expected(&r, "the end of the action; several actions are a list");
    *ret_why = r.nomem ? (str){NULL, 0} : r.why;
    if (ok)
        *ret = a;
    return ok;
}
