/* Documents made from the table: a sample file, the KEYS part of the manual page, a configuration in force. */
#include "base/cleanup.h"
#include "conf/internal.h"

union any { /* room for the struct of each section */
    struct conf global;
    struct conf_listener listener;
    struct conf_domain domain;
    struct conf_alias alias;
    struct conf_route route;
    struct conf_upstream upstream;
    struct conf_source source;
    struct conf_oauth oauth;
    struct conf_dkim dkim;
    struct conf_milter milter;
    struct conf_access list;
    struct conf_rule rule;
};

/* The defaults of all sections, to be printed. */
struct pattern {
    struct arena mem;
    union any *base;
};

static bool pattern_begin(struct pattern *p, enum section s)
{
    arena_init(&p->mem, 4096, 1 << 20);
    p->base = arena_new(&p->mem, union any);
    return p->base && section_defaults(s, &p->mem, p->base);
}

static bool here(const struct key *k, enum section s, const char *group)
{
    const char *g = key_group(k);
    return k->section == s && (group ? g && strcmp(g, group) == 0 : !g);
}

static void each_word(struct buf *out, const char *words, const char *before, const char *between)
{
    str rest = str_c(words), w;
    for (const char *sep = before; str_cut(&rest, '|', &w); sep = between)
        buf_printf(out, "%s" STR_FMT, sep, STR_ARG(w));
}

/* ---- the sample ---- */

static void sample_key(struct buf *out, const struct key *k, const void *base, const char *indent)
{
    buf_printf(out, "%s# %s", indent, k->text);
    if (k->type == TYPE_ENUM)
        each_word(out, k->def, "; one of ", ", ");
    if (k->flags & KEY_MUST)
        buf_add_c(out, "; must be given");
    if (k->flags & KEY_START)
        buf_add_c(out, " (at the next start)");
    buf_printf(out, "\n%s#", indent);
    key_word(out, k);
    buf_add_c(out, " = ");
    value_print(out, k, base);
    buf_add_c(out, "\n");
}

static void sample_keys(struct buf *out, enum section s, const char *group, const char *indent)
{
    struct pattern p;
    if (pattern_begin(&p, s))
        for (const struct key *k = keys; k < keys + KEY_COUNT; k++)
            if (here(k, s, group))
                sample_key(out, k, p.base, indent);
    arena_free(&p.mem);
}

static const char *const titles[] = {NULL,       "mx",    "example.org", "\"info@example.org\"",      "\"*\"",
                                     "inner",    "staff", "company",     "s1._domainkey.example.org", "blocked",
                                     "big-mail", "signer"};

void conf_sample(struct buf *out)
{
    buf_add_c(
        out,
        "# postrider.conf: every key with its default. A line that is commented out without a blank behind its\n"
        "# \"#\" is what is in force without it. A value is a string in double quotes, a number (sizes with KB MB\n"
        "# GB, times with ms s min h d), true or false, or a list in braces. Line ends are blanks; nothing is\n"
        "# expanded; nothing may be given twice. `postrider config check -c FILE` tells every mistake.\n\n");
    sample_keys(out, SEC_global, NULL, "");
    for (const struct named *g = groups; g->name; g++) {
        buf_printf(out, "\n# %s\n%s {\n", g->text, g->name);
        sample_keys(out, SEC_global, g->name, "    ");
        buf_add_c(out, "}\n");
    }
    for (int s = SEC_listener; s < SEC_COUNT; s++) {
        buf_printf(out, "\n# %s\n#%s %s {\n", sections[s - 1].text, sections[s - 1].name, titles[s]);
        sample_keys(out, (enum section)s, NULL, "    ");
        buf_add_c(out, "#}\n");
    }
}

/* ---- the manual page ---- */

/* A line of text in mdoc: backslashes and control characters at its begin lose their meaning. */
static void mdoc_text(struct buf *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        buf_add_c(out, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            buf_add_c(out, "\\e");
        else
            buf_add_char(out, *text);
    }
}

static const char *type_name(enum type t)
{
    static const char *const names[] = {
        [TYPE_STR] = "string",   [TYPE_BOOL] = "boolean",    [TYPE_NUM] = "number",   [TYPE_SIZE] = "size",
        [TYPE_TIME] = "time",    [TYPE_ENUM] = "word",       [TYPE_LIST] = "strings", [TYPE_NETS] = "networks",
        [TYPE_ADDR] = "address", [TYPE_ADDRS] = "addresses", [TYPE_TIMES] = "times"};
    return names[t];
}

static void manual_key(struct buf *out, const struct key *k, const void *base)
{
    buf_add_c(out, ".It Ic ");
    key_word(out, k);
    buf_printf(out, " No = Ar %s\n", type_name(k->type));
    mdoc_text(out, k->text);
    buf_add_c(out, ".\n");
    if (k->type == TYPE_ENUM) {
        each_word(out, k->def, "One of ", ", ");
        buf_add_c(out, ".\n");
    }
    if (k->flags & KEY_MUST) {
        buf_add_c(out, "Must be given.\n");
    } else if (k->def[0]) {
        AUTO_BUF value;
        buf_init(&value, 4096);
        value_print(&value, k, base);
        buf_add_char(&value, 0);
        buf_add_c(out, "The default is ");
        mdoc_text(out, value.e ? "" : value.p);
        buf_add_c(out, ".\n");
    }
    if (k->flags & KEY_WATCH)
        buf_add_c(out, "The file is watched: when it changes, it is taken into use without a reload.\n");
    if (k->flags & KEY_START)
        buf_add_c(out, "A change needs a new start.\n");
}

static void manual_keys(struct buf *out, enum section s, const char *group)
{
    struct pattern p;
    buf_add_c(out, ".Bl -tag -width Ds\n");
    if (pattern_begin(&p, s))
        for (const struct key *k = keys; k < keys + KEY_COUNT; k++)
            if (here(k, s, group))
                manual_key(out, k, p.base);
    buf_add_c(out, ".El\n");
    arena_free(&p.mem);
}

/* ---- the words of rules ---- */

static void row(struct buf *out, const char *words, const char *more, const char *text)
{
    buf_add_c(out, ".It ");
    mdoc_text(out, words);
    if (more[0]) {
        buf_add_char(out, ' ');
        mdoc_text(out, more);
    }
    buf_add_char(out, '\n');
    mdoc_text(out, text);
    buf_add_c(out, ".\n");
}

static void manual_facts(struct buf *out)
{
    buf_add_c(out, ".Pp\nFacts, and the phase in which a rule that names them is judged:\n"
                   ".Bl -tag -width Ds -compact\n");
    for (int i = 0; i < RULE_FACTS; i++) {
        const struct rule_fact_row *f = &rule_facts[i];
        buf_add_c(out, ".It ");
        mdoc_text(out, f->words);
        buf_printf(out, " (%s)\n", rule_phases[f->usual].word);
        mdoc_text(out, f->text);
        if (f->values && f->values[0])
            each_word(out, f->values, "; one of ", ", ");
        if (f->first != f->usual)
            buf_printf(out, "; may be asked from \"%s\" on", rule_phases[f->first].word);
        buf_add_c(out, ".\n");
    }
    buf_add_c(out, ".El\n");
}

static void manual_rules(struct buf *out)
{
    buf_add_c(out, ".Pp\nA condition is a sentence: tests are joined by and, or, not and parentheses; and binds closer "
                   "than or.\nA test is a fact, an operator and a value; a value with blanks, commas or parentheses "
                   "stands in single quotes.\nOperators may be preceded by is and by not.\n"
                   ".Pp\nPhases:\n.Bl -tag -width Ds -compact\n");
    for (int i = 0; i < RULE_PHASES; i++)
        row(out, rule_phases[i].word, "", rule_phases[i].text);
    buf_add_c(out, ".El\n");
    manual_facts(out);
    buf_add_c(out, ".Pp\nOperators:\n.Bl -tag -width Ds -compact\n");
    for (int i = 0; i < RULE_OPS; i++)
        row(out, rule_ops[i].words[0] ? rule_ops[i].words : "(none)", "", rule_ops[i].text);
    buf_add_c(out, ".El\n.Pp\nActions:\n.Bl -tag -width Ds -compact\n");
    for (int i = 0; i < RULE_DOS; i++)
        row(out, rule_dos[i].words, rule_dos[i].shape, rule_dos[i].text);
    buf_add_c(out, ".El\n");
}

void conf_manual(struct buf *out)
{
    buf_add_c(out, ".Ss Top level\n");
    manual_keys(out, SEC_global, NULL);
    for (const struct named *g = groups; g->name; g++) {
        buf_printf(out, ".Ss %s { }\n%s\n", g->name, g->text);
        manual_keys(out, SEC_global, g->name);
    }
    for (int s = SEC_listener; s < SEC_COUNT; s++) {
        buf_printf(out, ".Ss %s title { }\n%s\n", sections[s - 1].name, sections[s - 1].text);
        manual_keys(out, (enum section)s, NULL);
        if (s == SEC_rule)
            manual_rules(out);
    }
}

/* ---- what is in force ---- */

static bool same_value(const struct key *k, const void *a, const void *b)
{
    AUTO_BUF x;
    AUTO_BUF y;
    buf_init(&x, 64 << 20);
    buf_init(&y, 64 << 20);
    value_print(&x, k, a);
    value_print(&y, k, b);
    return !x.e && !y.e && str_eq(buf_str(&x), buf_str(&y));
}

static void print_keys(struct buf *out, const struct conf *c, enum section s, const char *group, const void *base,
                       const char *indent)
{
    struct pattern p;
    if (pattern_begin(&p, s))
        for (const struct key *k = keys; k < keys + KEY_COUNT; k++) {
            if (!here(k, s, group))
                continue;
            bool def = s == SEC_global ? !key_given(c, k) : same_value(k, base, p.base);
            if (k->type == TYPE_ADDR && same_value(k, base, p.base) && def)
                buf_printf(out, "%s#", indent); /* an address that is not set has no form that loads */
            else
                buf_add_c(out, indent);
            key_word(out, k);
            buf_add_c(out, " = ");
            value_print(out, k, base);
            buf_add_c(out, def ? "   # default\n" : "\n");
        }
    arena_free(&p.mem);
}

static void print_section(struct buf *out, const struct conf *c, enum section s, str title, const void *base)
{
    buf_printf(out, "\n%s ", sections[s - 1].name);
    buf_add_quoted(out, title);
    buf_add_c(out, " {\n");
    print_keys(out, c, s, NULL, base, "    ");
    buf_add_c(out, "}\n");
}

void conf_print(struct buf *out, const struct conf *c)
{
    print_keys(out, c, SEC_global, NULL, c, "");
    for (const struct named *g = groups; g->name; g++) {
        buf_printf(out, "\n%s {\n", g->name);
        print_keys(out, c, SEC_global, g->name, c, "    ");
        buf_add_c(out, "}\n");
    }
    for (size_t i = 0; i < c->nlisteners; i++)
        print_section(out, c, SEC_listener, c->listeners[i].title, &c->listeners[i]);
    for (size_t i = 0; i < c->ndomains; i++)
        print_section(out, c, SEC_domain, c->domains[i].title, &c->domains[i]);
    for (size_t i = 0; i < c->naliases; i++)
        if (!c->aliases[i].from_file)
            print_section(out, c, SEC_alias, c->aliases[i].title, &c->aliases[i]);
    for (size_t i = 0; i < c->nroutes; i++)
        if (!c->routes[i].of_proxy)
            print_section(out, c, SEC_route, c->routes[i].title, &c->routes[i]);
    for (size_t i = 0; i < c->nupstreams; i++)
        if (!c->upstreams[i].inline_of)
            print_section(out, c, SEC_upstream, c->upstreams[i].title, &c->upstreams[i]);
    for (size_t i = 0; i < c->nsources; i++)
        print_section(out, c, SEC_source, c->sources[i].title, &c->sources[i]);
    for (size_t i = 0; i < c->noauths; i++)
        print_section(out, c, SEC_oauth, c->oauths[i].title, &c->oauths[i]);
    for (size_t i = 0; i < c->ndkims; i++)
        print_section(out, c, SEC_dkim, c->dkims[i].title, &c->dkims[i]);
    for (size_t i = 0; i < c->nmilters; i++)
        if (!c->all_milters[i].by_address)
            print_section(out, c, SEC_milter, c->all_milters[i].title, &c->all_milters[i]);
    for (size_t i = 0; i < c->nlists; i++)
        print_section(out, c, SEC_list, c->lists[i].title, &c->lists[i]);
    for (size_t i = 0; i < c->nrules; i++)
        print_section(out, c, SEC_rule, c->rules[i].title, &c->rules[i]);
}

/* ---- what a reload cannot change ---- */

static void differs(struct buf *out, const char *where, str title, const struct key *k)
{
    const char *group = k ? key_group(k) : NULL;
    if (out->n)
        buf_add_c(out, ", ");
    buf_add_c(out, where);
    buf_add(out, title);
    if (title.n && k)
        buf_add_c(out, ": ");
    if (group)
        buf_printf(out, "%s.", group);
    if (k)
        key_word(out, k);
}

static void compare(struct buf *out, enum section s, const char *where, str title, const void *a, const void *b)
{
    for (const struct key *k = keys; k < keys + KEY_COUNT; k++)
        if (k->section == s && k->flags & KEY_START && !same_value(k, a, b))
            differs(out, where, title, k);
}

static const struct conf_listener *listener_of(const struct conf *c, str title)
{
    for (size_t i = 0; i < c->nlisteners; i++)
        if (str_ieq(c->listeners[i].title, title))
            return &c->listeners[i];
    return NULL;
}

void conf_needs_restart(struct buf *out, const struct conf *from, const struct conf *to)
{
    compare(out, SEC_global, "", S(""), from, to);
    for (size_t i = 0; i < from->nlisteners; i++) {
        const struct conf_listener *a = &from->listeners[i], *b = listener_of(to, a->title);
        if (b)
            compare(out, SEC_listener, "listener ", a->title, a, b);
    }
}
