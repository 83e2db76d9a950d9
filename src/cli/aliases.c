/*
 * /etc/aliases: names of the system and who reads their mail. Programs, files and :include: lists are
 * not for a server that starts no shell: they are refused by name, never skipped in silence. Pure.
 */
#include "cli/internal.h"

enum { DEPTH_MAX = 16, NAMES_MAX = 5000 };

static const str blanks = S_INIT(" \t\r\n");

static str trim(str s)
{
    while (s.n && memchr(blanks.p, s.p[0], blanks.n))
        s = str_skip(s, 1);
    while (s.n && memchr(blanks.p, s.p[s.n - 1], blanks.n))
        s.n--;
    return s;
}

/* The next logical line: those that follow and begin with a blank belong to it. */
static bool logical_line(str *rest, str *ret, int *line, int *ret_first)
{
    if (rest->n == 0)
        return false;
    const char *start = rest->p;
    size_t n = 0;
    *ret_first = *line;
    do {
        size_t lf = str_find(str_skip(*rest, n), '\n');
        n = lf == STR_NONE ? rest->n : n + lf + 1;
        ++*line;
    } while (n < rest->n && ascii_wsp(rest->p[n]));
    *ret = str_mem(start, n);
    *rest = str_skip(*rest, n);
    return true;
}

/* A name before a colon; it may be quoted. */
static bool alias_name(str *s, str *ret)
{
    if (s->n && s->p[0] == '"') {
        size_t end = str_find(str_skip(*s, 1), '"');
        if (end == STR_NONE)
            return false;
        *ret = str_sub(*s, 1, end + 1);
        *s = trim(str_skip(*s, end + 2));
        if (s->n == 0 || s->p[0] != ':')
            return false;
        *s = str_skip(*s, 1);
        return true;
    }
    str name;
    if (str_find(*s, ':') == STR_NONE || !str_cut(s, ':', &name))
        return false;
    *ret = trim(name);
    return ret->n > 0;
}

bool aliases_parse(struct arena *a, str text, struct aliases *ret)
{
    struct aliases all = {0};
    size_t lines = 1;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    all.v = arena_array(a, lines, sizeof *all.v);
    if (!all.v)
        return false;
    int at = 1, first;
    for (str one; logical_line(&text, &one, &at, &first);) {
        str name, s = trim(one);
        if (s.n == 0 || s.p[0] == '#' || !alias_name(&s, &name))
            continue;
        all.v[all.n++] = (struct alias_line){name, trim(s), first};
    }
    *ret = all;
    return true;
}

bool name_list_add(struct arena *a, struct name_list *l, str s)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->v[i], s))
            return true;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        str *v = cap <= 4 * NAMES_MAX ? arena_array(a, cap, sizeof *v) : NULL;
        if (!v)
            return false;
        if (l->n)
            memcpy(v, l->v, l->n * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    s = arena_str(a, s);
    if (!s.p || l->n >= NAMES_MAX)
        return false;
    l->v[l->n++] = s;
    return true;
}

static const struct alias_line *find(const struct aliases *all, str name)
{
    for (size_t i = 0; i < all->n; i++)
        if (str_ieq(all->v[i].name, name))
            return &all->v[i];
    return NULL;
}

/* Cuts one target off a list: comma separated, commas in quotes do not count, and a comment ends a line. */
static bool next_target(str *rest, str *ret)
{
    bool quoted = false;
    size_t i = 0;
    if (rest->n == 0)
        return false;
    for (; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\' && quoted)
            i++;
        else if (c == ',' && !quoted)
            break;
    }
    *ret = trim(str_sub(*rest, 0, i));
    *rest = str_skip(*rest, i + 1);
    return true;
}

struct expansion {
    struct arena *arena;
    const struct aliases *all;
    struct name_list *out;
    struct buf *why;
    struct name_list seen;
};

static bool refuse(struct expansion *x, const struct alias_line *l, str target, const char *what)
{
    buf_printf(x->why, "aliases file, line %d: " STR_FMT ": ", l->line, STR_ARG(str_sub(l->name, 0, 64)));
    text_safe(x->why, str_sub(target, 0, 64));
    buf_printf(x->why, " is %s, which postrider does not serve", what);
    return false;
}

static bool expand(struct expansion *x, str name, int depth);

static bool follow(struct expansion *x, const struct alias_line *l, str t, int depth)
{
    str bare = t.n > 1 && t.p[0] == '"' && t.p[t.n - 1] == '"' ? str_sub(t, 1, t.n - 1) : t;
    if (str_starts(bare, S("|")))
        return refuse(x, l, t, "a program");
    if (str_starts(bare, S("/")))
        return refuse(x, l, t, "a file");
    if (str_istarts(bare, S(":include:")))
        return refuse(x, l, t, "an include");
    if (str_starts(t, S("\\"))) /* this very name, not its alias */
        return name_list_add(x->arena, x->out, str_skip(t, 1));
    if (str_find(t, '@') != STR_NONE)
        return name_list_add(x->arena, x->out, t);
    return expand(x, bare, depth + 1);
}

static bool expand(struct expansion *x, str name, int depth)
{
    const struct alias_line *l = find(x->all, name);
    size_t before = x->seen.n;
    if (!l)
        return name_list_add(x->arena, x->out, name);
    if (depth > DEPTH_MAX) {
        buf_printf(x->why, "aliases file, line %d: aliases lead further than %d steps", l->line, DEPTH_MAX);
        return false;
    }
    if (!name_list_add(x->arena, &x->seen, l->name))
        return false;
    if (x->seen.n == before) /* followed already: "root: root, admin" means the name itself too */
        return name_list_add(x->arena, x->out, name);
    str rest = l->targets, t;
    while (next_target(&rest, &t))
        if (t.n && !follow(x, l, t, depth))
            return false;
    return true;
}

bool aliases_expand(struct arena *a, const struct aliases *all, str name, struct name_list *out, struct buf *why)
{
    struct expansion x = {.arena = a, .all = all, .out = out, .why = why};
    bool ok = expand(&x, name, 0);
    if (!ok && why->n == 0)
        buf_add_c(why, "aliases file: too many names");
    return ok;
}
