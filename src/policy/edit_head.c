/* Edits of headers applied to a block, in the order in which they were made. Fields that no edit names stay octet by
 * octet as they were, and a value that an edit brings is written as it is (a signature may cover it). */
#include "policy/internal.h"
#include "wire/head.h"

enum { LINE_MOST = 998 };

struct field {
    struct field *next;
    str name;
    struct head_field f;  /* of the message */
    const struct edit *e; /* NULL, or whose value it has */
};

static bool good_name(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ':')
            return false;
    return s.n && s.n <= HEAD_NAME_MAX;
}

static bool good_value(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool fold = c == '\n' || (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n');
        if ((c < ' ' && c != '\t' && !fold) || c == 127)
            return false;
    }
    return s.n <= HEAD_FIELD_MAX;
}

bool edit_is_good(const struct edit *e)
{
    if (e->kind < EDIT_HEADER_ADD || e->kind > EDIT_HEADER_REMOVE)
        return true;
    return good_name(e->name) && (e->kind == EDIT_HEADER_REMOVE || good_value(e->value));
}

/* Lines of the value; true when one is longer than a header may have. */
static bool too_long(str name, str value)
{
    size_t before = name.n + 2;
    str line;
    for (str rest = value; str_cut(&rest, '\n', &line); before = 1)
        if (before + line.n > LINE_MOST)
            return true;
    return before + value.n > LINE_MOST && str_find(value, '\n') == STR_NONE;
}

static err put(struct buf *out, str name, str value)
{
    while (value.n && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--; /* a line end at the end would end the header */
    if (too_long(name, value))
        return head_add(out, name, value);
    buf_add(out, name);
    buf_add(out, value.n && ascii_wsp(value.p[0]) ? S(":") : S(": "));
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\n') {
            buf_add(out, S("\r\n"));
            if (i + 1 < value.n && !ascii_wsp(value.p[i + 1]))
                buf_add(out, S("\t"));
        } else if (c != '\r') {
            buf_add_char(out, c);
        }
    }
    buf_add(out, S("\r\n"));
    return out->e;
}

static struct field *split(struct arena *mem, str block, str *ret_rest)
{
    struct field *first = NULL, **last = &first;
    struct head_field f;
    while (head_next(&block, &f)) {
        struct field *x = arena_new(mem, struct field);
        if (!x)
            return NULL;
        *x = (struct field){.name = f.name, .f = f};
        *last = x;
        last = &x->next;
    }
    *ret_rest = block;
    return first;
}

/* The place of the index-th field of this name, from 1. */
static struct field **find(struct field **at, str name, uint32_t index)
{
    for (; *at; at = &(*at)->next)
        if (str_ieq((*at)->name, name) && --index == 0)
            return at;
    return at;
}

static err insert(struct arena *mem, struct field **at, const struct edit *e)
{
    struct field *x = arena_new(mem, struct field);
    if (!x)
        return E_NOMEM;
    *x = (struct field){.next = *at, .name = e->name, .e = e};
    *at = x;
    return OK;
}

static void take_away(struct field **at, const struct edit *e)
{
    if (e->index) {
        at = find(at, e->name, e->index);
        if (*at)
            *at = (*at)->next;
        return;
    }
    while (*at)
        if (str_ieq((*at)->name, e->name))
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

static err apply(struct arena *mem, struct field **first, const struct edit *e)
{
    struct field **at = first;
    switch (e->kind) {
    case EDIT_HEADER_ADD:
        while (*at)
            at = &(*at)->next;
        return insert(mem, at, e);
    case EDIT_HEADER_INSERT:
        for (uint32_t i = 0; i < e->index && *at; i++)
            at = &(*at)->next;
        return insert(mem, at, e);
    case EDIT_HEADER_CHANGE:
        at = find(first, e->name, e->index ? e->index : 1);
        if (*at)
            *at = (*at)->next;
        return e->value.n ? insert(mem, at, e) : OK;
    case EDIT_HEADER_REMOVE:
        take_away(first, e);
        return OK;
    default:
        return OK;
    }
}

err policy_edit_head(const struct edit *edits, str block, bool (*drop)(const struct head_field *f, void *arg),
                     void *arg, struct buf *out)
{
    struct arena mem;
    str rest = block;
    arena_init(&mem, 4096, 64 << 20);
    struct field *first = split(&mem, block, &rest);
    err e = mem.e;
    for (const struct edit *x = edits; x && !e; x = x->next)
        e = apply(&mem, &first, x);
    for (const struct field *f = first; f && !e; f = f->next)
        if (f->e)
            e = put(out, f->name, f->e->value);
        else if (!drop || !drop(&f->f, arg))
            buf_add(out, f->f.raw);
    if (!rest.n || !str_starts(rest, S("\r\n")))
        buf_add(out, S("\r\n"));
    buf_add(out, rest);
    arena_free(&mem);
    return e ? e : out->e;
}
