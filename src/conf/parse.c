/*
 * Tokens to a tree of sections, keys and values, with their lines. Nothing nests but a list in a value and keys in
 * a section, so there is no recursion. After an error parsing goes on at the next key or section.
 */
#include "conf/internal.h"

enum { LOOK = 3 };

struct parser {
    struct lexer lex;
    struct token look[LOOK]; /* read ahead, oldest first */
    int nlook;
    struct arena *mem;
    struct errs *e;
    struct block *file, **last; /* the top level, and where the next section is linked */
    struct block *open;         /* the section that we are in, or the top level */
    bool nomem;
};

static struct token *peek(struct parser *p, int n)
{
    while (p->nlook <= n)
        p->look[p->nlook++] = lex_next(&p->lex);
    return &p->look[n];
}

static struct token take(struct parser *p)
{
    struct token t = *peek(p, 0);
    p->nlook--;
    memmove(p->look, p->look + 1, sizeof *p->look * (size_t)p->nlook);
    return t;
}

static const char *found(struct parser *p, const struct token *t)
{
    switch (t->kind) {
    case TOK_END:
        return "the end of the file";
    case TOK_BAD:
        return "something unreadable";
    default:
        return shown(p->e, t->text);
    }
}

static bool scalar(const struct token *t) { return t->kind == TOK_WORD || t->kind == TOK_STRING; }

/* A key begins here: a word and an equals sign. */
static bool key_ahead(struct parser *p) { return peek(p, 0)->kind == TOK_WORD && peek(p, 1)->kind == TOK_EQUAL; }

/* A section begins here: `name {` or `name title {`. */
static bool section_ahead(struct parser *p)
{
    return peek(p, 0)->kind == TOK_WORD &&
           (peek(p, 1)->kind == TOK_OPEN || (scalar(peek(p, 1)) && peek(p, 2)->kind == TOK_OPEN));
}

/* The same, and the name is one of ours: a brace or a value before it is missing. */
static bool known_section_ahead(struct parser *p)
{
    str name = peek(p, 0)->text;
    return section_ahead(p) && (section_find(name) != SEC_global || group_find(name));
}

/* Leaves what cannot be understood: up to the next key, section, closing brace or the end. */
static void skip_on(struct parser *p)
{
    do
        take(p);
    while (peek(p, 0)->kind != TOK_END && peek(p, 0)->kind != TOK_CLOSE && !key_ahead(p) && !section_ahead(p));
}

/* ---- values ---- */

struct values {
    struct token *v;
    size_t n, cap;
};

static void values_add(struct parser *p, struct values *list, struct token t)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 4;
        struct token *v = arena_array(p->mem, cap, sizeof *v);
        if (!v) {
            p->nomem = true;
            return;
        }
        if (list->n)
            memcpy(v, list->v, list->n * sizeof *v);
        list->v = v;
        list->cap = cap;
    }
    list->v[list->n++] = t;
}

/* Swallows a brace inside a list up to the one that closes it. */
static void skip_braces(struct parser *p)
{
    for (size_t depth = 0; peek(p, 0)->kind != TOK_END;) {
        enum tok kind = take(p).kind;
        depth += kind == TOK_OPEN;
        depth -= kind == TOK_CLOSE;
        if (depth == 0)
            return;
    }
}

/* The elements after an opening brace, up to the closing one. */
static void list(struct parser *p, struct entry *e, int line)
{
    struct values all = {0};
    bool comma = true; /* one may not stand here */
    for (;;) {
        struct token *t = peek(p, 0);
        if (t->kind == TOK_CLOSE) {
            take(p);
            break;
        }
        if (t->kind == TOK_END || key_ahead(p) || known_section_ahead(p)) {
            fail(p->e, t->line, "expected \"}\" at the end of the list of %s that begins in line %d, found %s",
                 shown(p->e, e->name), line, found(p, t));
            e->bad = true;
            break;
        }
        if (scalar(t)) {
            values_add(p, &all, *t);
            comma = false;
        } else if (t->kind == TOK_COMMA && !comma) {
            comma = true;
        } else {
            if (t->kind != TOK_BAD)
                fail(p->e, t->line, "expected a value in the list of %s, found %s%s", shown(p->e, e->name), found(p, t),
                     t->kind == TOK_OPEN ? "; lists do not nest" : "");
            e->bad = true;
            if (t->kind == TOK_OPEN) {
                skip_braces(p);
                continue;
            }
        }
        take(p);
    }
    e->v = all.v;
    e->n = all.n;
    e->list = true;
}

static void value(struct parser *p, struct entry *e)
{
    struct token *t = peek(p, 0);
    if (t->kind == TOK_OPEN) {
        int line = take(p).line;
        list(p, e, line);
        return;
    }
    if (scalar(t) && !key_ahead(p) && !(t->line > e->line && known_section_ahead(p))) {
        struct values one = {0};
        values_add(p, &one, take(p));
        e->v = one.v;
        e->n = one.n;
        e->bad = !e->v;
        return;
    }
    e->bad = true;
    if (t->kind == TOK_BAD) {
        take(p);
        return;
    }
    fail(p->e, e->line, "expected a value for %s, found %s", shown(p->e, e->name), found(p, t));
    if (t->kind == TOK_EQUAL || t->kind == TOK_COMMA)
        skip_on(p);
}

static void entry(struct parser *p)
{
    struct token name = take(p);
    take(p); /* = */
    struct entry *e = arena_new(p->mem, struct entry);
    if (!e) {
        p->nomem = true;
        return;
    }
    *e = (struct entry){.name = name.text, .line = name.line};
    value(p, e);
    *p->open->last = e;
    p->open->last = &e->next;
}

/* ---- sections ---- */

static struct block *block_new(struct parser *p, struct token name)
{
    struct block *b = arena_new(p->mem, struct block);
    if (!b) {
        p->nomem = true;
        return NULL;
    }
    *b = (struct block){.name = name.text, .line = name.line};
    b->last = &b->first;
    return b;
}

static void section(struct parser *p)
{
    struct token name = take(p);
    if (p->open != p->file)
        fail(p->e, name.line, "expected \"}\" at the end of section %s that begins in line %d, found section %s",
             shown(p->e, p->open->name), p->open->line, shown(p->e, name.text));
    struct block *b = block_new(p, name);
    if (!b)
        return;
    if (peek(p, 0)->kind != TOK_OPEN) {
        b->titled = true;
        b->title = take(p).text;
    }
    take(p); /* { */
    *p->last = b;
    p->last = &b->next;
    p->open = b;
}

static void close_section(struct parser *p)
{
    struct token t = take(p);
    if (p->open == p->file)
        fail(p->e, t.line, "expected a key or a section, found \"}\" that closes nothing");
    p->open = p->file;
}

static void stray(struct parser *p)
{
    struct token *t = peek(p, 0);
    if (t->kind == TOK_WORD && scalar(peek(p, 1)))
        fail(p->e, t->line, "expected \"=\" or \"{\" behind %s, found %s", found(p, t), found(p, peek(p, 1)));
    else if (t->kind == TOK_WORD)
        fail(p->e, t->line, "expected \"=\" and a value behind %s, found %s", found(p, t), found(p, peek(p, 1)));
    else if (t->kind != TOK_BAD)
        fail(p->e, t->line, "expected a key or a section, found %s", found(p, t));
    skip_on(p);
}

struct block *parse(str text, struct arena *mem, struct errs *e)
{
    struct parser p = {.lex = {.in = text, .line = 1, .mem = mem, .errs = e}, .mem = mem, .e = e};
    if (str_starts(text, S("\xef\xbb\xbf"))) /* the mark that some editors put in front of UTF-8 */
        p.lex.at = 3;
    p.file = p.open = block_new(&p, (struct token){0});
    if (!p.file)
        return NULL;
    p.last = &p.file->next;
    while (peek(&p, 0)->kind != TOK_END && !p.nomem && !mem->e) {
        if (key_ahead(&p))
            entry(&p);
        else if (section_ahead(&p))
            section(&p);
        else if (peek(&p, 0)->kind == TOK_CLOSE)
            close_section(&p);
        else
            stray(&p);
    }
    if (p.open != p.file && !e->full)
        fail(e, peek(&p, 0)->line,
             "expected \"}\" at the end of section %s that begins in line %d, found the end of the file",
             shown(e, p.open->name), p.open->line);
    return p.nomem || mem->e ? NULL : p.file;
}
