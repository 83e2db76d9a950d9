/* What a script keeps over a session or a transaction: a few values by name, outside of Lua. */
#include "script/internal.h"

enum { VARS_MAX = 64, VARS_OCTETS = 65536 };

struct var {
    struct var *next;
    struct script_value value;
    size_t name_n, size;
    char text[]; /* the name, then a string's octets */
};
struct script_vars {
    struct var *first;
    unsigned n;
    size_t octets;
};

static struct var **find(struct script_vars *v, str name)
{
    struct var **at = &v->first;
    while (*at && !str_eq((str){(*at)->text, (*at)->name_n}, name))
        at = &(*at)->next;
    return at;
}

static void forget(struct script_vars *v, struct var **at)
{
    struct var *x = *at;
    *at = x->next;
    v->n--;
    v->octets -= x->size;
    free(x);
}

bool vars_set(struct script_vars **pv, str name, const struct script_value *value)
{
    if (!*pv && !(*pv = calloc(1, sizeof **pv)))
        return false;
    struct script_vars *v = *pv;
    size_t size = name.n + (value->kind == SCRIPT_STR ? value->s.n : 0);
    struct var **at = find(v, name);
    size_t old = *at ? (*at)->size : 0;
    if (value->kind == SCRIPT_NIL) {
        if (*at)
            forget(v, at);
        return true;
    }
    if (name.n > NAME_MAX_OWN || (!*at && v->n >= VARS_MAX) || v->octets - old + size > VARS_OCTETS)
        return false;
    struct var *x = malloc(sizeof *x + size);
    if (!x)
        return false;
    if (*at)
        forget(v, at);
    *x = (struct var){.next = v->first, .value = *value, .name_n = name.n, .size = size};
    memcpy(x->text, name.p, name.n);
    if (value->kind == SCRIPT_STR && value->s.n)
        memcpy(x->text + name.n, value->s.p, value->s.n);
    x->value.s = (str){x->text + name.n, value->s.n};
    v->first = x;
    v->n++;
    v->octets += size;
    return true;
}

bool vars_get(const struct script_vars *v, str name, struct script_value *ret)
{
    const struct var *x = v ? *find((struct script_vars *)(uintptr_t)v, name) : NULL;
    if (x)
        *ret = x->value;
    return x != NULL;
}

void script_vars_free(struct script_vars **v)
{
    while (*v && (*v)->first)
        forget(*v, &(*v)->first);
    free(*v);
    *v = NULL;
}
