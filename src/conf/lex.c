/*
 * Text to tokens. A word is a run of octets that are neither blank, control nor one of " { } = , # ;
 * a string stands in double quotes on one line, with \" and \\ as its only escapes.
 */
#include "conf/internal.h"
#include "base/text.h"

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool word_char(char c) { return (unsigned char)c > ' ' && c != 127 && !strchr("\"{}=,#;", c); }

static void skip_blanks(struct lexer *l)
{
    while (l->at < l->in.n) {
        char c = l->in.p[l->at];
        if (c == '#') {
            size_t n = str_find(str_skip(l->in, l->at), '\n');
            l->at = n == STR_NONE ? l->in.n : l->at + n;
        } else if (blank(c)) {
            l->line += c == '\n';
            l->at++;
        } else {
            return;
        }
    }
}

/* Takes the backslashes of a string out. False when one stands before something else. */
static bool unescape(struct lexer *l, str raw, str *ret)
{
    if (str_find(raw, '\\') == STR_NONE) {
        *ret = raw;
        return true;
    }
    str copy = arena_str(l->mem, raw);
    char *to = (char *)copy.p;
    for (size_t i = 0; to && i < raw.n; i++) {
        if (raw.p[i] == '\\' && raw.p[++i] != '\\' && raw.p[i] != '"')
            return false;
        *to++ = raw.p[i];
    }
    *ret = (str){copy.p, to ? (size_t)(to - copy.p) : 0};
    return true;
}

/* What is wrong with the octets of a string; NULL: nothing. */
static const char *string_fault(str raw)
{
    for (size_t i = 0; i < raw.n; i++)
        if ((unsigned char)raw.p[i] < 32 || raw.p[i] == 127)
            return raw.p[i] == 0 ? "a NUL octet" : "a control character";
    return text_utf8(raw) ? NULL : "octets that are not UTF-8";
}

static struct token string_token(struct lexer *l)
{
    struct token t = {TOK_STRING, l->line, {0}};
    size_t from = ++l->at;
    char c = 0;
    for (; l->at < l->in.n && (c = l->in.p[l->at]) != '"' && c != '\n'; l->at++)
        if (c == '\\' && l->at + 1 < l->in.n && l->in.p[l->at + 1] != '\n')
            l->at++;
    if (l->at >= l->in.n || c == '\n') {
        fail(l->errs, l->line, "expected a closing quote at the end of the string, found the end of the line");
        t.kind = TOK_BAD;
        return t;
    }
    str raw = str_sub(l->in, from, l->at++);
    const char *fault = string_fault(raw);
    if (fault) {
        fail(l->errs, l->line, "expected text in the string, found %s", fault);
        t.kind = TOK_BAD;
    } else if (!unescape(l, raw, &t.text)) {
        fail(l->errs, l->line, "expected \\\" or \\\\ in the string, found another octet behind a backslash");
        t.kind = TOK_BAD;
    }
    return t;
}

/* An octet that begins nothing: reported once for a run of them. */
static struct token bad_token(struct lexer *l)
{
    struct token t = {TOK_BAD, l->line, {0}};
    unsigned char c = (unsigned char)l->in.p[l->at];
    if (c == ';')
        fail(l->errs, l->line, "expected a key or a section, found \";\": blanks or line ends separate keys");
    else
        fail(l->errs, l->line, "expected text, found %s (octet %d)", c ? "a control character" : "a NUL octet", c);
    while (l->at < l->in.n && (unsigned char)l->in.p[l->at] == c)
        l->at++;
    return t;
}

struct token lex_next(struct lexer *l)
{
    static const struct {
        char c;
        enum tok kind;
    } marks[] = {{'=', TOK_EQUAL}, {'{', TOK_OPEN}, {'}', TOK_CLOSE}, {',', TOK_COMMA}};
    skip_blanks(l);
    if (l->at >= l->in.n || l->errs->full)
        return (struct token){TOK_END, l->line, {0}};
    char c = l->in.p[l->at];
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (c == marks[i].c)
            return (struct token){marks[i].kind, l->line, {l->in.p + l->at++, 1}};
    if (c == '"')
        return string_token(l);
    if (!word_char(c))
        return bad_token(l);
    size_t from = l->at;
    while (l->at < l->in.n && word_char(l->in.p[l->at]))
        l->at++;
    str word = str_sub(l->in, from, l->at);
    if (text_utf8(word))
        return (struct token){TOK_WORD, l->line, word};
    fail(l->errs, l->line, "expected text, found octets that are not UTF-8");
    return (struct token){TOK_BAD, l->line, {0}};
}
