/* The table of keys in memory, and finding rows by what a person wrote. */
#include "conf/internal.h"

enum {
    R = KEY_RELOAD,
    S = KEY_START,
    P = KEY_PATH,
    F = KEY_FILE,
    X = KEY_SECRET,
    M = KEY_MUST,
    W = KEY_WATCH,
    D = KEY_FOLDER
};

#define ROW(section, strct, name, type, def, least, most, flags, text)                                                 \
    {#name, SEC_##section, TYPE_##type, def, least, most, flags, text, offsetof(struct strct, name)},
#define KEY_global(...) ROW(global, conf, __VA_ARGS__)
#define KEY_listener(...) ROW(listener, conf_listener, __VA_ARGS__)
#define KEY_domain(...) ROW(domain, conf_domain, __VA_ARGS__)
#define KEY_alias(...) ROW(alias, conf_alias, __VA_ARGS__)
#define KEY_route(...) ROW(route, conf_route, __VA_ARGS__)
#define KEY_upstream(...) ROW(upstream, conf_upstream, __VA_ARGS__)
#define KEY_source(...) ROW(source, conf_source, __VA_ARGS__)
#define KEY_oauth(...) ROW(oauth, conf_oauth, __VA_ARGS__)
#define KEY_dkim(...) ROW(dkim, conf_dkim, __VA_ARGS__)
#define KEY_milter(...) ROW(milter, conf_milter, __VA_ARGS__)
#define KEY_list(...) ROW(list, conf_access, __VA_ARGS__)
#define KEY_rule(...) ROW(rule, conf_rule, __VA_ARGS__)
const struct key keys[KEY_COUNT] = {
#include "conf/keys.def"
};

#define GROUP(name, text) {#name, text},
const struct named groups[] = {
#include "conf/keys.def"
    {NULL, NULL}};

#define SECTION(name, text) {#name, text},
const struct named sections[] = {
#include "conf/keys.def"
    {NULL, NULL}};

/* The octets of a name that are written: not an underscore at its end. */
static size_t name_length(const char *name)
{
    size_t n = strlen(name);
    return n && name[n - 1] == '_' ? n - 1 : n;
}

/* Equal but that a hyphen is written for an underscore of C. */
static bool is_word(str written, const char *name)
{
    size_t n = name_length(name);
    if (written.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (written.p[i] != (name[i] == '_' ? '-' : name[i]))
            return false;
    return true;
}

static bool in_group(const struct key *k, const char *group)
{
    size_t n = strlen(group);
    return k->section == SEC_global && strncmp(k->name, group, n) == 0 && k->name[n] == '_';
}

const char *key_group(const struct key *k)
{
    for (const struct named *g = groups; g->name; g++)
        if (in_group(k, g->name))
            return g->name;
    return NULL;
}

/* The part of a row's name that is written in place. */
static const char *key_rest(const struct key *k)
{
    const char *group = key_group(k);
    return group ? k->name + strlen(group) + 1 : k->name;
}

static bool key_here(const struct key *k, enum section s, const char *group)
{
    if (k->section != s)
        return false;
    return group ? in_group(k, group) : s != SEC_global || !key_group(k);
}

const struct key *key_find(enum section s, const char *group, str name)
{
    for (const struct key *k = keys; k < keys + KEY_COUNT; k++)
        if (k->section == s && is_word(name, group && in_group(k, group) ? key_rest(k) : k->name) &&
            key_here(k, s, group))
            return k;
    return NULL;
}

void key_word(struct buf *out, const struct key *k)
{
    const char *name = key_rest(k);
    for (size_t i = 0, n = name_length(name); i < n; i++)
        buf_add_char(out, name[i] == '_' ? '-' : name[i]);
}

const char *group_find(str name)
{
    for (const struct named *g = groups; g->name; g++)
        if (is_word(name, g->name))
            return g->name;
    return NULL;
}

enum section section_find(str name)
{
    for (int i = 0; sections[i].name; i++)
        if (is_word(name, sections[i].name))
            return (enum section)(i + 1);
    return SEC_global;
}

/* ---- did you mean ---- */

enum { WORD_MAX = 48 };

static int least3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein distance, an underscore and a hyphen being one. Words beyond WORD_MAX are far from everything. */
static int distance(str a, str b)
{
    int row[WORD_MAX + 1];
    if (a.n > WORD_MAX || b.n > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a.n; i++) {
        int diagonal = row[0];
        char x = a.p[i - 1] == '_' ? '-' : ascii_lower(a.p[i - 1]);
        row[0] = (int)i;
        for (size_t j = 1; j <= b.n; j++) {
            char y = b.p[j - 1] == '_' ? '-' : b.p[j - 1];
            int next = least3(row[j] + 1, row[j - 1] + 1, diagonal + (x != y));
            diagonal = row[j];
            row[j] = next;
        }
    }
    return row[b.n];
}

struct nearest {
    str found, best;
    int at;
};
static void nearest_try(struct nearest *x, str word)
{
    int limit = word.n < 4 ? 1 : word.n < 8 ? 2 : 3, d = distance(x->found, word);
    if (d <= limit && d < x->at) {
        x->at = d;
        x->best = word;
    }
}

str nearest_key(enum section s, const char *group, str found, struct arena *mem)
{
    struct nearest x = {found, {0}, WORD_MAX};
    for (const struct key *k = keys; k < keys + KEY_COUNT; k++)
        if (key_here(k, s, group))
            nearest_try(&x, (str){key_rest(k), name_length(key_rest(k))});
    str copy = arena_str(mem, x.best);
    for (size_t i = 0; copy.p && i < copy.n; i++)
        if (copy.p[i] == '_')
            ((char *)copy.p)[i] = '-';
    return copy;
}

str nearest_section(str found)
{
    struct nearest x = {found, {0}, WORD_MAX};
    for (const struct named *g = groups; g->name; g++)
        nearest_try(&x, str_c(g->name));
    for (const struct named *s = sections; s->name; s++)
        nearest_try(&x, str_c(s->name));
    return x.best;
}

str nearest_word(const char *words, str found)
{
    struct nearest x = {found, {0}, WORD_MAX};
    str rest = str_c(words), word;
    while (str_cut(&rest, '|', &word))
        nearest_try(&x, word);
    return x.best;
}

str conf_nearest(const char *words, str found) { return nearest_word(words, found); }
