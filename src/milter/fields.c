/* What a filter's changes of fields mean (milter.h): a list of names stands for the block. */
#include "milter/milter.h"
#include "wire/head.h"

struct milter_field {
    struct milter_field *next;
    str name;
    bool gone; /* deleted by this filter: it still counts */
};

static struct milter_field *make(struct milter_fields *f, str name, struct milter_field **at)
{
    struct milter_field *x = arena_new(f->mem, struct milter_field);
    if (!x)
        return NULL;
    *x = (struct milter_field){.name = arena_str(f->mem, name), .next = *at};
    *at = x;
    if (f->last == at)
        f->last = &x->next;
    return x->name.p ? x : NULL;
}

err milter_fields_begin(struct milter_fields *f, struct arena *mem, str block)
{
    struct head_field field;
    *f = (struct milter_fields){.mem = mem};
    f->last = &f->first;
    while (head_next(&block, &field))
        if (!make(f, field.name, f->last))
            return E_NOMEM;
    return OK;
}

/* Fields before `x` that are there: of its name, or all. */
static uint32_t before(const struct milter_fields *f, const struct milter_field *x, bool of_name)
{
    uint32_t n = 0;
    for (const struct milter_field *i = f->first; i != x; i = i->next)
        n += !i->gone && (!of_name || str_ieq(i->name, x->name));
    return n;
}

static err add(struct milter_fields *f, str name, struct milter_edit *ret)
{
    *ret = (struct milter_edit){MILTER_EDIT_ADD, 0, name};
    return make(f, name, f->last) ? OK : E_NOMEM;
}

static err insert(struct milter_fields *f, const struct milter_change *c, struct milter_edit *ret)
{
    struct milter_field **at = &f->first;
    uint32_t want = c->index ? c->index - 1 : 0, n = 0;
    while (*at && (n < want || (*at)->gone)) {
        n += !(*at)->gone;
        at = &(*at)->next;
    }
    *ret = (struct milter_edit){c->index ? MILTER_EDIT_INSERT : MILTER_EDIT_TOP, n, c->name};
    if (!*at && c->index)
        return add(f, c->name, ret);
    return make(f, c->name, at) ? OK : E_NOMEM;
}

static err change(struct milter_fields *f, const struct milter_change *c, struct milter_edit *ret)
{
    struct milter_field *x = f->first;
    uint32_t left = c->index ? c->index : 1;
    while (x && !(str_ieq(x->name, c->name) && --left == 0))
        x = x->next;
    *ret = (struct milter_edit){MILTER_EDIT_NONE, 0, c->name};
    if (!x)
        return c->value.n ? add(f, c->name, ret) : OK;
    ret->name = x->name;
    if (x->gone && c->value.n) { /* it comes back where it was */
        ret->kind = MILTER_EDIT_INSERT;
        ret->index = before(f, x, false);
    } else if (!x->gone) {
        ret->kind = c->value.n ? MILTER_EDIT_CHANGE : MILTER_EDIT_REMOVE;
        ret->index = before(f, x, true) + 1;
    }
    x->gone = c->value.n == 0;
    return OK;
}

err milter_fields_apply(struct milter_fields *f, const struct milter_change *c, struct milter_edit *ret)
{
    switch (c->said) {
    case MILTER_SAID_ADD_HEADER:
        return add(f, c->name, ret);
    case MILTER_SAID_INSERT_HEADER:
        return insert(f, c, ret);
    case MILTER_SAID_CHANGE_HEADER:
        return change(f, c, ret);
    default:
        *ret = (struct milter_edit){MILTER_EDIT_NONE, 0, S("")};
        return OK;
    }
}
