/* Options of the commands whose every word is one. */
#include "cli/options.h"
#include "base/str.h"

static const struct cli_option *find(const struct cli_options *tables, size_t ntables, str name)
{
    for (size_t t = 0; t < ntables; t++)
        for (size_t i = 0; i < tables[t].n; i++)
            if (str_eq(str_c(tables[t].v[i].name), name))
                return &tables[t].v[i];
    return NULL;
}

bool cli_options(const struct cli_options *tables, size_t ntables, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        str word = str_c(argv[i]);
        if (!str_starts(word, S("--")))
            return false;
        word = str_skip(word, 2);
        size_t eq = str_find(word, '=');
        const struct cli_option *o = find(tables, ntables, str_sub(word, 0, eq));
        if (!o || (o->is_switch && eq != STR_NONE))
            return false;
        if (o->is_switch)
            *o->value = o->name;
        else if (eq != STR_NONE)
            *o->value = argv[i] + 2 + eq + 1;
        else if (++i < argc)
            *o->value = argv[i];
        else
            return false;
    }
    return true;
}
