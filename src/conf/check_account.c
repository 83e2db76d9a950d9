/* The rules of source sections, and the form of a file of accounts where its text is at hand: at `config check`, and in
 * the keeper. */
#include "conf/internal.h"

enum { LINES_SHOWN = 10 };

/* NULL, or what is wrong with "NAME:HASH..." */
static const char *line_fault(struct load *l, const struct conf_source *s, str line)
{
    str name, hash, whole;
    const char *why = NULL;
    if (!str_cut(&line, ':', &name) || !line.p || !str_cut(&line, ':', &hash))
        return "no \":\" in it";
    if (!name.n)
        return "no name";
    if (str_find(name, '@') == STR_NONE)
        return s->domains.n == 1 ? NULL : "a name without a domain, where domains does not list exactly one";
    return address_of(l, name, &whole, NULL, NULL, &why) ? NULL : why;
}

static void check_lines(struct load *l, const struct conf_source *s)
{
    str rest = conf_bundle_text(l->b, s->file), line;
    int n = 0, bad = 0;
    while (rest.n && str_cut(&rest, '\n', &line) && bad < LINES_SHOWN) {
        n++;
        line = str_trim(line);
        const char *why = !line.n || line.p[0] == '#' ? NULL : line_fault(l, s, line);
        if (why) /* the line has a hash in it: it is not shown */
            warn(&l->e, s->line, "source " STR_FMT ": file: line %d of " STR_FMT " is passed over: %s",
                 STR_ARG(s->title), n, STR_ARG(s->file), why);
        bad += why != NULL;
    }
}

void check_accounts(struct load *l)
{
    struct conf *c = l->c;
    for (size_t i = 0; i < c->nsources; i++) {
        struct conf_source *s = &c->sources[i];
        for (size_t k = 0; k < i; k++)
            if (str_eq(c->sources[k].title, s->title))
                fail(&l->e, s->line, "source " STR_FMT " is given twice (first in line %d)", STR_ARG(s->title),
                     c->sources[k].line);
        for (size_t k = 0; k < s->domains.n; k++)
            if (!domain_of(l, s->domains.v[k], &s->domains.v[k]))
                fail(&l->e, s->line, "source " STR_FMT ": domains: expected domain names, found %s", STR_ARG(s->title),
                     shown(&l->e, s->domains.v[k]));
        bool file = s->type == CONF_SOURCE_FILE;
        if (file ? !s->file.n : !s->address.n)
            fail(&l->e, s->line, "source " STR_FMT ": expected %s", STR_ARG(s->title), file ? "file" : "address");
        else if (file)
            check_lines(l, s);
    }
}
