/* Values: from tokens to the fields of the structs, and back to text. */
#include "conf/internal.h"
#include "base/cleanup.h"
#include "base/text.h"

struct unit {
    const char *name;
    int64_t factor;
};
static const struct unit sizes[] = {{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit times[] = {{"d", 86400000000000}, {"h", 3600000000000}, {"min", 60000000000},
                                    {"s", 1000000000},     {"ms", 1000000},      {NULL, 0}};
static const int64_t ms = 1000000;

static void print_unit(struct buf *out, const struct unit *u, int64_t v)
{
    while (u[1].name && (v == 0 || v % u->factor != 0))
        u++;
    buf_printf(out, "%lld%s", (long long)(v / u->factor), v == 0 && u->factor == ms ? "s" : u->name);
}

static void print_number(struct buf *out, enum type t, int64_t v)
{
    if (t == TYPE_SIZE)
        print_unit(out, sizes, v);
    else if (t == TYPE_TIME || t == TYPE_TIMES)
        print_unit(out, times, v);
    else
        buf_printf(out, "%lld", (long long)v);
}

/* ---- messages ---- */

static void key_shown(struct buf *out, const struct key *k)
{
    const char *group = key_group(k);
    if (group)
        buf_printf(out, "%s.", group);
    key_word(out, k);
}

/* "limits.hops: expected ..., found ..." */
static bool expected(const struct setting *s, const struct key *k, const struct token *t, const char *what)
{
    struct buf name;
    char mem[128] = "";
    buf_init_fixed(&name, mem, sizeof mem - 1);
    key_shown(&name, k);
    fail(s->e, t->line, "%s%s: expected %s, found %s", key_group(k) ? "" : s->where, mem, what, shown(s->e, t->text));
    return false;
}

static bool out_of_range(const struct setting *s, const struct key *k, const struct token *t)
{
    int64_t unit = k->type == TYPE_TIME ? ms : 1;
    struct buf b;
    char mem[128] = "";
    buf_init_fixed(&b, mem, sizeof mem - 1);
    buf_add_c(&b, "at least ");
    print_number(&b, k->type, k->least * unit);
    if (k->most) {
        buf_add_c(&b, " and at most ");
        print_number(&b, k->type, k->most * unit);
    }
    return expected(s, k, t, mem);
}

/* ---- single values ---- */

static const char *what_number(enum type t)
{
    switch (t) {
    case TYPE_SIZE:
        return "a size such as 512KB, 50MB or 1GB";
    case TYPE_TIME:
    case TYPE_TIMES:
        return "a time such as 500ms, 30s, 5min, 4h or 5d";
    default:
        return "a whole number";
    }
}

static bool number(const struct setting *s, const struct key *k, const struct token *t, int64_t *ret)
{
    const struct unit *u = k->type == TYPE_SIZE ? sizes : k->type == TYPE_NUM ? sizes + 3 : times;
    size_t n = 0;
    uint64_t v;
    while (n < t->text.n && ascii_digit(t->text.p[n]))
        n++;
    str unit = str_skip(t->text, n);
    if (!text_u64(str_sub(t->text, 0, n), &v))
        return expected(s, k, t, n ? "a smaller number" : what_number(k->type));
    while (u->name && !str_ieq(unit, str_c(u->name)))
        u++;
    if (!u->name && (v != 0 || unit.n))
        return expected(s, k, t, what_number(k->type));
    int64_t all = 0;
    if (u->name && (v > INT64_MAX || __builtin_mul_overflow((int64_t)v, u->factor, &all)))
        return expected(s, k, t, "a smaller number");
    if (k->type != TYPE_TIMES) {
        int64_t scale = k->type == TYPE_TIME ? ms : 1;
        if (all < k->least * scale || (k->most && all > k->most * scale))
            return out_of_range(s, k, t);
    } else if (all <= 0) {
        return expected(s, k, t, "a time above zero");
    }
    *ret = all;
    return true;
}

static bool boolean(const struct setting *s, const struct key *k, const struct token *t, bool *ret)
{
    bool yes = str_eq(t->text, S("true"));
    if (!yes && !str_eq(t->text, S("false")))
        return expected(s, k, t, "true or false");
    *ret = yes;
    return true;
}

static bool word(const struct setting *s, const struct key *k, const struct token *t, int *ret)
{
    str rest = str_c(k->def), w;
    for (int i = 0; str_cut(&rest, '|', &w); i++)
        if (str_eq(w, t->text)) {
            *ret = i;
            return true;
        }
    struct buf b;
    char mem[256] = "";
    buf_init_fixed(&b, mem, sizeof mem - 1);
    buf_add_c(&b, "one of ");
    rest = str_c(k->def);
    for (const char *sep = ""; str_cut(&rest, '|', &w); sep = ", ") {
        buf_add_c(&b, sep);
        buf_add(&b, w);
    }
    str near = nearest_word(k->def, t->text);
    if (near.n)
        buf_printf(&b, " (did you mean " STR_FMT "?)", STR_ARG(near));
    return expected(s, k, t, mem);
}

static bool string(const struct setting *s, const struct key *k, const struct token *t, str *ret)
{
    if (t->kind != TOK_STRING)
        return expected(s, k, t, "a value in double quotes");
    *ret = t->text;
    if (k->flags & (KEY_PATH | KEY_FILE | KEY_FOLDER) && t->text.n)
        *ret = path_join(s->mem, s->dir, t->text);
    else
        *ret = arena_str(s->mem, t->text);
    return ret->p != NULL;
}

/* "10.1.2.3/8" has bits behind the prefix: says which network may be meant. */
static bool network(const struct setting *s, const struct key *k, const struct token *t, struct ip_net *ret)
{
    if (ip_net_parse(t->text, ret))
        return true;
    struct ip ip;
    uint64_t bits;
    size_t slash = str_find(t->text, '/');
    if (slash != STR_NONE && ip_parse(str_sub(t->text, 0, slash), &ip) &&
        text_u64(str_skip(t->text, slash + 1), &bits) && bits <= (ip.v == 4 ? 32u : 128u)) {
        struct buf b;
        char mem[IP_TEXT_MAX + 80] = "";
        struct ip masked = ip_mask(&ip, (unsigned)bits);
        buf_init_fixed(&b, mem, sizeof mem - 1);
        buf_add_c(&b, "a network without bits behind its prefix (\"");
        ip_print(&b, &masked);
        buf_printf(&b, "/%u\"?)", (unsigned)bits);
        return expected(s, k, t, mem);
    }
    return expected(s, k, t, "an address or a network such as \"192.0.2.0/24\" or \"2001:db8::/32\"");
}

static bool address(const struct setting *s, const struct key *k, const struct token *t, struct sockaddr_storage *ret)
{
    struct ip_port at;
    if (!ip_port_parse(t->text, (uint16_t)k->least, &at))
        return expected(s, k, t,
                        k->least ? "an IP address, with or without a port, such as \"127.0.0.1:53\""
                                 : "an IP address and port such as \"127.0.0.1:2525\" or \"[::1]:2525\"");
    ip_to_sockaddr(&at, ret);
    return true;
}

static bool single(const struct setting *s, const struct key *k, const struct token *t, void *field)
{
    switch (k->type) {
    case TYPE_STR:
    case TYPE_LIST:
        return string(s, k, t, field);
    case TYPE_BOOL:
        return boolean(s, k, t, field);
    case TYPE_ENUM:
        return word(s, k, t, field);
    case TYPE_NETS:
        return network(s, k, t, field);
    case TYPE_ADDR:
    case TYPE_ADDRS:
        return address(s, k, t, field);
    default:
        return number(s, k, t, field);
    }
}

/* ---- lists ---- */

static size_t element_size(enum type t)
{
    switch (t) {
    case TYPE_LIST:
        return sizeof(str);
    case TYPE_NETS:
        return sizeof(struct ip_net);
    case TYPE_ADDRS:
        return sizeof(struct sockaddr_storage);
    default:
        return sizeof(int64_t);
    }
}

/* All list structs have a pointer and then a count. */
struct any_list {
    char *v;
    size_t n;
};
_Static_assert(sizeof(struct any_list) == sizeof(struct conf_list) &&
                   sizeof(struct any_list) == sizeof(struct conf_nets) &&
                   sizeof(struct any_list) == sizeof(struct conf_addrs) &&
                   sizeof(struct any_list) == sizeof(struct conf_times),
               "one shape of list");

static bool list(const struct setting *s, const struct key *k, const struct entry *e, struct any_list *ret)
{
    size_t size = element_size(k->type);
    char *v = arena_array(s->mem, e->n ? e->n : 1, size);
    bool ok = v != NULL;
    for (size_t i = 0; v && i < e->n; i++)
        ok &= single(s, k, &e->v[i], v + i * size);
    if (ok)
        memcpy(ret, &(struct any_list){v, e->n}, sizeof *ret);
    return ok;
}

bool value_set(const struct setting *s, const struct key *k, const struct entry *e, void *base)
{
    void *field = (char *)base + k->offset;
    if (e->bad)
        return false; /* reported by the parser */
    if (key_is_list(k))
        return list(s, k, e, field);
    if (e->list)
        return expected(s, k, &(struct token){TOK_OPEN, e->line, S_INIT("{")}, "a single value, not a list");
    return single(s, k, &e->v[0], field);
}

/* Defaults are parsed as a file's value would be; only strings and enums stand without quotes. */
bool value_default(const struct key *k, struct arena *mem, void *base)
{
    void *field = (char *)base + k->offset;
    if (k->def[0] == 0 || k->type == TYPE_ENUM)
        return true;
    struct conf_errors errors;
    struct errs e;
    errs_init(&e, &errors);
    struct setting s = {&e, mem, {0}, ""};
    struct token one = {TOK_STRING, 0, str_c(k->def)};
    struct entry entry = {.v = &one, .n = 1};
    bool ok;
    if (k->type == TYPE_STR) {
        *(str *)field = arena_str(mem, one.text);
        ok = ((str *)field)->p != NULL;
    } else if (key_is_list(k)) {
        AUTO_ARENA tmp;
        AUTO_BUF text;
        arena_init(&tmp, 1024, 65536);
        buf_init(&text, 4096);
        buf_printf(&text, "x = %s", k->def);
        struct block *b = parse(buf_str(&text), &tmp, &e);
        ok = b && b->first && value_set(&s, k, b->first, base);
    } else {
        ok = value_set(&s, k, &entry, base);
    }
    conf_errors_free(&errors);
    return ok;
}

/* ---- printing ---- */

static void print_net(struct buf *out, const struct ip_net *n)
{
    buf_add_char(out, '"');
    ip_print(out, &n->ip);
    if (n->bits != (n->ip.v == 4 ? 32 : 128))
        buf_printf(out, "/%u", n->bits);
    buf_add_char(out, '"');
}

static void print_address(struct buf *out, const struct sockaddr_storage *a)
{
    struct ip_port at;
    buf_add_char(out, '"');
    if (ip_from_sockaddr((const struct sockaddr *)a, sizeof *a, &at))
        ip_print_port(out, &at);
    buf_add_char(out, '"');
}

static void print_word(struct buf *out, const char *words, int index)
{
    str rest = str_c(words), w = {0};
    for (int i = 0; i <= index && str_cut(&rest, '|', &w); i++)
        ;
    if (str_eq(w, S("true")) || str_eq(w, S("false")))
        buf_add(out, w);
    else
        buf_add_quoted(out, w);
}

static void print_single(struct buf *out, const struct key *k, const void *field)
{
    switch (k->type) {
    case TYPE_STR:
    case TYPE_LIST:
        buf_add_quoted(out, *(const str *)field);
        return;
    case TYPE_BOOL:
        buf_add_c(out, *(const bool *)field ? "true" : "false");
        return;
    case TYPE_ENUM:
        print_word(out, k->def, *(const int *)field);
        return;
    case TYPE_NETS:
        print_net(out, field);
        return;
    case TYPE_ADDR:
    case TYPE_ADDRS:
        print_address(out, field);
        return;
    default:
        print_number(out, k->type, *(const int64_t *)field);
    }
}

void value_print(struct buf *out, const struct key *k, const void *base)
{
    const char *field = (const char *)base + k->offset;
    if (!key_is_list(k)) {
        print_single(out, k, field);
        return;
    }
    struct any_list l;
    memcpy(&l, field, sizeof l);
    buf_add_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i)
            buf_add_c(out, ", ");
        print_single(out, k, l.v + i * element_size(k->type));
    }
    buf_add_char(out, '}');
}

/* Relative paths begin at `dir`; "./" in front is dropped. */
str path_join(struct arena *mem, str dir, str path)
{
    while (str_starts(path, S("./")))
        path = str_skip(path, 2);
    if (str_starts(path, S("/")) || dir.n == 0)
        return arena_str(mem, path);
    return arena_printf(mem, STR_FMT "%s" STR_FMT, STR_ARG(dir), str_ends(dir, S("/")) ? "" : "/", STR_ARG(path));
}
