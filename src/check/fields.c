/* A header block in which the fields of a name are found from the lowest upwards (RFC 6376 5.4.2). */
#include "check/signed.h"

static uint32_t *slot_of(const struct fields *f, str name)
{
    size_t at = (size_t)str_ihash(name) & f->mask;
    while (f->slot[at] && !str_ieq(f->v[f->slot[at] - 1].f.name, name))
        at = (at + 1) & f->mask;
    return &f->slot[at];
}

static size_t count(str head)
{
    struct head_field one;
    size_t n = 0;
    while (n <= CHECK_FIELDS_MAX && head_next(&head, &one))
        n++;
    return n;
}

err fields_read(struct fields *f, str head, struct arena *a)
{
    size_t n = count(head), cap = 16;
    *f = (struct fields){0};
    if (n > CHECK_FIELDS_MAX)
        return E_LIMIT;
    while (cap < 2 * n)
        cap *= 2;
    f->v = arena_array(a, n + 1, sizeof *f->v);
    f->slot = arena_array(a, cap, sizeof *f->slot);
    if (!f->v || !f->slot)
        return E_NOMEM;
    f->mask = cap - 1;
    for (; f->n < n && head_next(&head, &f->v[f->n].f); f->n++) {
        uint32_t *slot = slot_of(f, f->v[f->n].f.name);
        f->v[f->n].above = *slot; /* the lowest so far */
        *slot = (uint32_t)f->n + 1;
    }
    return OK;
}

void fields_begin(struct fields *f) { f->stamp++; }

const struct head_field *fields_take(struct fields *f, str name)
{
    uint32_t lowest = *slot_of(f, name);
    if (!lowest)
        return NULL;
    struct mail_field *m = &f->v[lowest - 1];
    if (m->stamp != f->stamp) {
        m->stamp = f->stamp;
        m->cursor = lowest;
    }
    if (!m->cursor)
        return NULL;
    const struct mail_field *taken = &f->v[m->cursor - 1];
    m->cursor = taken->above;
    return &taken->f;
}

size_t fields_count(const struct fields *f, str name)
{
    size_t n = 0;
    for (uint32_t at = *slot_of(f, name); at; at = f->v[at - 1].above)
        n++;
    return n;
}
