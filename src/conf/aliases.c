/*
 * The file of aliases: `name@domain: target, target` a line; lines that begin with a blank go on with the one
 * before; `#` begins a comment line. Names without a domain (/etc/aliases) are of the first maildir domain, or
 * of the origin.
 */
#include "conf/internal.h"
#include "base/text.h"

static str local_domain(const struct conf *c)
{
    for (size_t i = 0; i < c->ndomains; i++)
        if (str_eq(c->domains[i].deliver, S("maildir")))
            return c->domains[i].title;
    return c->origin.n ? c->origin : c->hostname;
}

/* The part before the first `sep` outside quotes is cut off; false when *rest is exhausted. */
static bool cut_unquoted(str *rest, char sep, str *ret_head)
{
    bool quoted = false;
    if (!rest->p)
        return false;
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '\\' && quoted)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == sep && !quoted) {
            *ret_head = str_sub(*rest, 0, i);
            *rest = str_skip(*rest, i + 1);
            return true;
        }
    }
    *ret_head = *rest;
    *rest = (str){NULL, 0};
    return true;
}

/* An address, or a bare name that `domain` completes. */
static bool target(struct load *l, int line, str text, str domain, const char *what, str *ret, str *ret_local,
                   str *ret_domain)
{
    const char *why = "";
    if (text.n && memchr("|/:\"", text.p[0], 4) && (text.p[0] != '"' || str_find(text, '@') == STR_NONE)) {
        fail(&l->e, line, "expected %s, found %s: commands, files and included lists are not supported", what,
             shown(&l->e, text));
        return false;
    }
    str whole = text;
    if (str_find(text, '@') == STR_NONE)
        whole = arena_printf(&l->tmp, STR_FMT "@" STR_FMT, STR_ARG(text), STR_ARG(domain));
    if (address_of(l, whole, ret, ret_local, ret_domain, &why))
        return true;
    fail(&l->e, line, "expected %s, found %s: %s", what, shown(&l->e, text), why);
    return false;
}

static size_t count_targets(str rest)
{
    str one;
    size_t n = 0;
    while (cut_unquoted(&rest, ',', &one))
        n++;
    return n;
}

static bool targets(struct load *l, struct conf_alias *a, str rest, str domain)
{
    bool ok = true;
    str one;
    a->to.v = arena_array(&l->c->arena, count_targets(rest), sizeof *a->to.v);
    if (!a->to.v)
        return false;
    while (cut_unquoted(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.n == 0)
            continue;
        if (target(l, a->line, one, domain, "an address as target", &a->to.v[a->to.n], NULL, NULL))
            a->to.n++;
        else
            ok = false;
    }
    if (a->to.n == 0 && ok)
        fail(&l->e, a->line, "expected targets behind \"" STR_FMT ":\", found none", STR_ARG(str_sub(a->title, 0, 80)));
    return a->to.n > 0;
}

static void alias_line(struct load *l, int line, str text, str domain)
{
    str name;
    str rest = text;
    cut_unquoted(&rest, ':', &name);
    if (!rest.p) {
        fail(&l->e, line, "expected \"name: target, target\", found %s", shown(&l->e, str_trim(text)));
        return;
    }
    struct conf_alias a = {.line = line, .from_file = true};
    if (!target(l, line, str_trim(name), domain, "a name or an address before \":\"", &a.title, &a.local, &a.domain))
        return;
    if (targets(l, &a, rest, domain))
        l->c->aliases[l->c->naliases++] = a;
}

/* The next line goes on with this one: it begins with a blank and holds something but a comment. */
static bool continues(str rest)
{
    str next = {0};
    str_cut(&rest, '\n', &next);
    if (!next.n || !ascii_wsp(next.p[0]))
        return false;
    next = str_trim(next);
    return next.n && next.p[0] != '#';
}

/* A line with those that continue it, as one text with their line ends in it. */
static str logical_line(str *rest, int *line)
{
    str one, all = {rest->p, 0};
    do {
        str_cut(rest, '\n', &one);
        ++*line;
        all.n = (size_t)(one.p + one.n - all.p);
    } while (rest->p && continues(*rest));
    return all;
}

static bool make_room(struct load *l, str text)
{
    struct conf *c = l->c;
    size_t lines = 1;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    struct conf_alias *v = arena_array(&c->arena, c->naliases + lines, sizeof *v);
    if (v && c->naliases)
        memcpy(v, c->aliases, c->naliases * sizeof *v);
    if (v)
        c->aliases = v;
    return v != NULL;
}

void aliases_read(struct load *l)
{
    const struct conf_file *f = NULL;
    for (size_t i = 1; i < l->b->n && l->c->aliases_file.n; i++)
        if (str_eq(l->b->v[i].path, l->c->aliases_file))
            f = &l->b->v[i];
    if (!f || f->e || !make_room(l, f->text))
        return;
    str main = l->e.path, domain = local_domain(l->c), rest = f->text;
    int line = 0;
    l->e.path = l->alias_path = arena_str(&l->e.out->arena, f->path);
    while (rest.n && !l->e.full && !l->tmp.e) {
        int first = line + 1;
        str text = logical_line(&rest, &line), body = str_trim(text);
        if (body.n == 0 || body.p[0] == '#')
            continue;
        if (!text_utf8(body))
            fail(&l->e, first, "expected text, found octets that are not UTF-8");
        else
            alias_line(l, first, body, domain);
    }
    l->e.path = main;
}
