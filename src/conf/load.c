/* From the tree to a generation: every key finds its field, every section its struct; then the rules are checked. */
#include "conf/internal.h"
#include "wire/addr.h"
#include "wire/idn.h"

#include <stdlib.h>

enum { WHERE_MAX = 96 };
static const size_t memory_max = (size_t)1 << 30;

/* ---- names and addresses ---- */

bool domain_of(struct load *l, str text, str *ret)
{
    str s;
    err e = idn_to_ascii(text, &l->c->arena, &s);
    if (e == E_NOMEM)
        l->tmp.e = e;
    if (e || !domain_valid(s, 0))
        return false;
    *ret = s;
    return true;
}

bool address_of(struct load *l, str text, str *ret, str *ret_local, str *ret_domain, const char **ret_why)
{
    struct addr a;
    enum fault f = addr_parse(text, ADDR_F_UTF8, &l->c->arena, &a);
    if (f == FAULT_NONE && (a.kind == ADDR_LOCAL || a.kind == ADDR_NONE))
        f = FAULT_ADDR_NODOMAIN;
    if (f == FAULT_NONE && a.kind == ADDR_NAME && !domain_of(l, a.domain, &a.domain))
        f = FAULT_ADDR_DOMAIN;
    if (f != FAULT_NONE) {
        *ret_why = fault_text(f);
        return false;
    }
    char mem[ADDR_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    addr_print(&b, &a);
    *ret = arena_str(&l->c->arena, buf_str(&b));
    if (ret_local)
        *ret_local = arena_str(&l->c->arena, a.local);
    if (ret_domain)
        *ret_domain = a.domain;
    *ret_why = "out of memory";
    return !b.e && ret->p;
}

/* ---- keys ---- */

struct place { /* where keys are being read */
    enum section section;
    const char *group; /* or NULL */
    const char *where; /* "listener mx: " */
    void *base;
};

static void unknown_key(struct load *l, const struct place *at, const struct entry *e)
{
    const char *name = shown(&l->e, e->name);
    str near = nearest_key(at->section, at->group, e->name, &l->tmp);
    if (near.n) {
        fail(&l->e, e->line, "%sunknown key %s; did you mean " STR_FMT "?", at->where, name, STR_ARG(near));
        return;
    }
    for (const struct named *g = groups; at->section == SEC_global && g->name; g++)
        if (key_find(SEC_global, g->name, e->name)) {
            fail(&l->e, e->line, "%sunknown key %s here; it belongs into %s { }", at->where, name, g->name);
            return;
        }
    size_t dot = str_find(e->name, '.');
    const char *group = dot == STR_NONE || at->section != SEC_global ? NULL : group_find(str_sub(e->name, 0, dot));
    if (group && key_find(SEC_global, group, str_skip(e->name, dot + 1))) {
        fail(&l->e, e->line, "%sunknown key %s; expected %s { " STR_FMT " = ... }", at->where, name, group,
             STR_ARG(str_skip(e->name, dot + 1)));
        return;
    }
    if (at->group && key_find(SEC_global, NULL, e->name))
        fail(&l->e, e->line, "%sunknown key %s here; it belongs to the top level", at->where, name);
    else if (section_find(e->name) || group_find(e->name))
        fail(&l->e, e->line, "%sexpected a key, found the section " STR_FMT " with \"=\"", at->where, STR_ARG(e->name));
    else
        fail(&l->e, e->line, "%sunknown key %s", at->where, name);
}

static const struct conf_file *bundle_file(const struct conf_bundle *b, str path)
{
    for (size_t i = 1; i < b->n; i++)
        if (str_eq(b->v[i].path, path))
            return &b->v[i];
    return NULL;
}

static void check_file(struct load *l, const struct place *at, const struct entry *e, str path)
{
    if (path.n == 0)
        return;
    const struct conf_file *f = bundle_file(l->b, path);
    if (!f || f->e)
        fail(&l->e, e->line, "%s" STR_FMT ": cannot read %s: %s", at->where, STR_ARG(e->name), shown(&l->e, path),
             err_text(f ? f->e : E_NOT_FOUND));
}

static void set_key(struct load *l, const struct place *at, const struct entry *e, int *seen)
{
    const struct key *k = key_find(at->section, at->group, e->name);
    if (!k) {
        unknown_key(l, at, e);
        return;
    }
    int *first = &seen[k - keys];
    if (*first) {
        fail(&l->e, e->line, "%s" STR_FMT " is given twice (first in line %d)", at->where, STR_ARG(e->name), *first);
        return;
    }
    *first = e->line;
    if (at->section == SEC_global)
        l->lines[k - keys] = e->line;
    struct setting s = {&l->e, &l->c->arena, l->b->dir, at->where};
    if (value_set(&s, k, e, at->base) && k->flags & KEY_FILE)
        check_file(l, at, e, *(str *)((char *)at->base + k->offset));
}

static void set_keys(struct load *l, const struct place *at, const struct block *b)
{
    int seen[KEY_COUNT] = {0};
    for (const struct entry *e = b->first; e && !l->e.full; e = e->next)
        set_key(l, at, e, seen);
    for (const struct key *k = keys; k < keys + KEY_COUNT; k++) {
        if (k->section != at->section || !(k->flags & KEY_MUST) || seen[k - keys])
            continue;
        struct buf name;
        char mem[64] = "";
        buf_init_fixed(&name, mem, sizeof mem - 1);
        key_word(&name, k);
        fail(&l->e, b->line, "%sexpected the key %s, found none", at->where, mem);
    }
}

bool section_defaults(enum section s, struct arena *mem, void *base)
{
    bool ok = true;
    for (const struct key *k = keys; k < keys + KEY_COUNT; k++)
        if (k->section == s)
            ok &= value_default(k, mem, base);
    return ok;
}

/* ---- sections ---- */

static bool listener_title(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && !memchr("._-", s.p[i], 3))
            return false;
    return s.n > 0 && s.n <= 32;
}

static bool route_title(struct load *l, str text, str *ret)
{
    if (str_eq(text, S("*"))) {
        *ret = text;
        return true;
    }
    bool suffix = str_starts(text, S("."));
    str name;
    if (!domain_of(l, str_skip(text, suffix), &name))
        return false;
    *ret = suffix ? arena_printf(&l->c->arena, "." STR_FMT, STR_ARG(name)) : name;
    return ret->p != NULL;
}

static void listener(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_listener *x = &l->c->listeners[l->c->nlisteners++];
    x->line = b->line;
    at->base = x;
    *ret_title = b->title;
    if (!listener_title(b->title))
        fail(&l->e, b->line,
             "listener: expected a title of letters, digits, \".\", \"-\", \"_\" (at most 32), found %s",
             shown(&l->e, b->title));
}

static void domain(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_domain *x = &l->c->domains[l->c->ndomains++];
    x->line = b->line;
    at->base = x;
    if (!domain_of(l, b->title, ret_title))
        fail(&l->e, b->line, "domain: expected a domain name as title, found %s", shown(&l->e, b->title));
}

static void alias(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    const char *why;
    struct conf_alias *x = &l->c->aliases[l->c->naliases++];
    x->line = b->line;
    at->base = x;
    if (!address_of(l, b->title, ret_title, &x->local, &x->domain, &why))
        fail(&l->e, b->line, "alias: expected an address as title, found %s: %s", shown(&l->e, b->title), why);
}

static void route(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_route *x = &l->c->routes[l->c->nroutes++];
    x->line = b->line;
    at->base = x;
    if (!route_title(l, b->title, ret_title))
        fail(&l->e, b->line, "route: expected \"*\", a domain or \".domain\" as title, found %s",
             shown(&l->e, b->title));
}

static void source(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_source *x = &l->c->sources[l->c->nsources++];
    x->line = b->line;
    at->base = x;
    *ret_title = b->title;
    if (!listener_title(b->title))
        fail(&l->e, b->line, "source: expected a title of letters, digits, \".\", \"-\", \"_\" (at most 32), found %s",
             shown(&l->e, b->title));
}

static void oauth(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_oauth *x = &l->c->oauths[l->c->noauths++];
    x->line = b->line;
    at->base = x;
    *ret_title = b->title;
    if (!listener_title(b->title))
        fail(&l->e, b->line, "oauth: expected a title of letters, digits, \".\", \"-\", \"_\" (at most 32), found %s",
             shown(&l->e, b->title));
}

static void upstream(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_upstream *x = &l->c->upstreams[l->c->nupstreams++];
    x->line = b->line;
    at->base = x;
    *ret_title = b->title;
    if (!listener_title(b->title))
        fail(&l->e, b->line,
             "upstream: expected a title of letters, digits, \".\", \"-\", \"_\" (at most 32), found %s",
             shown(&l->e, b->title));
}

static void dkim(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    static const str middle = S_INIT("._domainkey.");
    struct conf_dkim *x = &l->c->dkims[l->c->ndkims++];
    str selector, domain;
    size_t i = str_search(b->title, middle);
    x->line = b->line;
    at->base = x;
    if (i == STR_NONE && domain_of(l, b->title, &domain) && domain.p[0] != '[') {
        *ret_title = domain;
        return;
    }
    if (i == STR_NONE || !domain_of(l, str_sub(b->title, 0, i), &selector) ||
        !domain_of(l, str_skip(b->title, i + middle.n), &domain))
        fail(&l->e, b->line, "dkim: expected SELECTOR._domainkey.DOMAIN or a domain as title, found %s",
             shown(&l->e, b->title));
    else
        *ret_title = arena_printf(&l->c->arena, STR_FMT "._domainkey." STR_FMT, STR_ARG(selector), STR_ARG(domain));
}

static void list(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_access *x = &l->c->lists[l->c->nlists++];
    x->line = b->line;
    at->base = x;
    *ret_title = b->title;
    if (!listener_title(b->title))
        fail(&l->e, b->line, "list: expected a title of letters, digits, \".\", \"-\", \"_\" (at most 32), found %s",
             shown(&l->e, b->title));
}

static void rule(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_rule *x = &l->c->rules[l->c->nrules++];
    x->line = x->line_if = x->line_then = x->line_at = x->line_on = b->line;
    at->base = x;
    *ret_title = b->title;
    for (const struct entry *e = b->first; e; e = e->next) {
        int *line = str_eq(e->name, S("if"))     ? &x->line_if
                    : str_eq(e->name, S("then")) ? &x->line_then
                    : str_eq(e->name, S("at"))   ? &x->line_at
                    : str_eq(e->name, S("on"))   ? &x->line_on
                                                 : NULL;
        if (line)
            *line = e->line;
    }
    if (!listener_title(b->title))
        fail(&l->e, b->line, "rule: expected a title of letters, digits, \".\", \"-\", \"_\" (at most 32), found %s",
             shown(&l->e, b->title));
}

static void milter(struct load *l, const struct block *b, struct place *at, str *ret_title)
{
    struct conf_milter *x = &l->c->all_milters[l->c->nmilters++];
    x->line = b->line;
    at->base = x;
    *ret_title = b->title;
    if (!listener_title(b->title))
        fail(&l->e, b->line, "milter: expected a title of letters, digits, \".\", \"-\", \"_\" (at most 32), found %s",
             shown(&l->e, b->title));
}

/* The title is the first member of each section's struct. */
_Static_assert(offsetof(struct conf_listener, title) == 0 && offsetof(struct conf_domain, title) == 0 &&
                   offsetof(struct conf_alias, title) == 0 && offsetof(struct conf_route, title) == 0 &&
                   offsetof(struct conf_upstream, title) == 0 && offsetof(struct conf_source, title) == 0 &&
                   offsetof(struct conf_dkim, title) == 0 && offsetof(struct conf_access, title) == 0 &&
                   offsetof(struct conf_rule, title) == 0 && offsetof(struct conf_oauth, title) == 0 &&
                   offsetof(struct conf_milter, title) == 0,
               "titles come first");

static void titled(struct load *l, const struct block *b, enum section s)
{
    static void (*const make[])(struct load *, const struct block *, struct place *, str *) = {
        NULL, listener, domain, alias, route, upstream, source, oauth, dkim, list, rule, milter};
    struct buf where;
    char mem[WHERE_MAX] = "";
    str title = b->title;
    struct place at = {.section = s, .where = mem};
    if (!b->titled)
        fail(&l->e, b->line, "expected a title behind \"" STR_FMT "\", found \"{\"", STR_ARG(b->name));
    make[s](l, b, &at, &title);
    buf_init_fixed(&where, mem, sizeof mem - 1);
    buf_printf(&where, "%s " STR_FMT ": ", sections[s - 1].name, STR_ARG(str_sub(b->title, 0, WHERE_MAX - 16)));
    if (!b->titled || strchr(mem, '\n'))
        mem[0] = 0;
    if (!section_defaults(s, &l->c->arena, at.base)) {
        l->tmp.e = E_NOMEM;
        return;
    }
    *(str *)at.base = arena_str(&l->c->arena, title);
    set_keys(l, &at, b);
}

static void group(struct load *l, const struct block *b, const char *name, int *seen)
{
    char where[WHERE_MAX] = "";
    struct buf w;
    struct place at = {.section = SEC_global, .group = name, .where = "", .base = l->c};
    if (b->titled)
        fail(&l->e, b->line, "%s: expected \"{\", found the title %s", name, shown(&l->e, b->title));
    if (*seen)
        fail(&l->e, b->line, "section %s is given twice (first in line %d)", name, *seen);
    *seen = b->line;
    buf_init_fixed(&w, where, sizeof where - 1);
    buf_printf(&w, "%s: ", name);
    at.where = where;
    set_keys(l, &at, b);
}

static void unknown_section(struct load *l, const struct block *b)
{
    str near = nearest_section(b->name);
    const struct key *k = key_find(SEC_global, NULL, b->name);
    if (k)
        fail(&l->e, b->line, "expected \"=\" behind " STR_FMT ", found \"{\"", STR_ARG(b->name));
    else if (near.n)
        fail(&l->e, b->line, "unknown section %s; did you mean " STR_FMT "?", shown(&l->e, b->name), STR_ARG(near));
    else
        fail(&l->e, b->line, "unknown section %s", shown(&l->e, b->name));
}

static bool make_room(struct load *l, const struct block *tree)
{
    size_t n[SEC_COUNT] = {0};
    for (const struct block *b = tree; b; b = b->next)
        n[section_find(b->name)]++;
    struct conf *c = l->c;
    c->listeners = arena_array(&c->arena, n[SEC_listener], sizeof *c->listeners);
    c->domains = arena_array(&c->arena, n[SEC_domain], sizeof *c->domains);
    c->aliases = arena_array(&c->arena, n[SEC_alias], sizeof *c->aliases);
    c->routes = arena_array(&c->arena, n[SEC_route], sizeof *c->routes);
    /* one more for each listener that names servers itself */
    c->sources = arena_array(&c->arena, n[SEC_source], sizeof *c->sources);
    c->upstreams = arena_array(&c->arena, n[SEC_upstream] + n[SEC_listener], sizeof *c->upstreams);
    c->oauths = arena_array(&c->arena, n[SEC_oauth], sizeof *c->oauths);
    c->dkims = arena_array(&c->arena, n[SEC_dkim], sizeof *c->dkims);
    c->lists = arena_array(&c->arena, n[SEC_list], sizeof *c->lists);
    c->rules = arena_array(&c->arena, n[SEC_rule], sizeof *c->rules);
    c->all_milters = arena_array(&c->arena, n[SEC_milter] + MILTERS_BY_ADDRESS, sizeof *c->all_milters);
    return !c->arena.e;
}

static void apply(struct load *l, const struct block *tree)
{
    enum { GROUPS_MAX = 32 };
    int seen[GROUPS_MAX] = {0};
    struct place top = {.section = SEC_global, .where = "", .base = l->c};
    set_keys(l, &top, tree);
    for (const struct block *b = tree->next; b && !l->e.full; b = b->next) {
        const char *g = group_find(b->name);
        enum section s = section_find(b->name);
        size_t at = 0;
        while (g && groups[at].name != g)
            at++;
        if (g)
            group(l, b, g, &seen[at % GROUPS_MAX]);
        else if (s)
            titled(l, b, s);
        else
            unknown_section(l, b);
    }
}

/* ---- generations ---- */

static void load_main(struct load *l)
{
    const struct conf_file *main = &l->b->v[0];
    if (main->e) {
        fail(&l->e, 0, "cannot read the file: %s", err_text(main->e));
        return;
    }
    if (main->text.n > FILE_MAX) {
        fail(&l->e, 0, "expected a file of at most 64MB, found one of %zu octets", main->text.n);
        return;
    }
    struct block *tree = parse(main->text, &l->tmp, &l->e);
    if (tree && make_room(l, tree))
        apply(l, tree);
}

static err load(struct conf **ret, const struct conf_bundle *b, struct conf_errors *errors, bool loose)
{
    struct load l = {.b = b};
    errs_init(&l.e, errors);
    arena_init(&l.tmp, 65536, memory_max);
    l.c = calloc(1, sizeof *l.c);
    if (!l.c || b->n == 0) {
        free(l.c);
        return b->n ? E_NOMEM : E_BUG;
    }
    l.c->refs = 1;
    arena_init(&l.c->arena, 65536, memory_max);
    l.c->arena.secret = true;
    l.c->dir = arena_str(&l.c->arena, b->dir);
    l.e.path = arena_str(&errors->arena, b->v[0].path);
    bool nomem = !section_defaults(SEC_global, &l.c->arena, l.c);
    if (!nomem) {
        load_main(&l);
        aliases_read(&l);
        scripts_read(&l);
        if (!l.e.full)
            check(&l);
        if (!l.e.full && conf_index_build(&l))
            check_loops(&l);
    }
    errs_finish(&l.e, b);
    nomem |= l.c->arena.e || l.tmp.e || errors->arena.e;
    arena_free(&l.tmp);
    if (nomem || (l.e.failed && !loose)) {
        conf_drop(&l.c);
        return nomem ? E_NOMEM : E_SYNTAX;
    }
    *ret = l.c;
    return OK;
}

err conf_load(struct conf **ret, const struct conf_bundle *b, struct conf_errors *errors)
{
    return load(ret, b, errors, false);
}

err conf_load_loose(struct conf **ret, const struct conf_bundle *b)
{
    struct conf_errors errors = {0};
    err e = load(ret, b, &errors, true);
    conf_errors_free(&errors);
    return e;
}

struct conf *conf_ref(struct conf *c)
{
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
    return c;
}

void conf_drop(struct conf **c)
{
    struct conf *x = *c;
    *c = NULL;
    if (!x || __atomic_sub_fetch(&x->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    conf_index_free(x->index);
    for (size_t i = 0; i < x->nlists; i++)
        access_free(&x->lists[i].set);
    arena_free(&x->arena);
    free(x);
}
