/* The list of what is wrong with a configuration: kept to a bound, sorted, printed. */
#include "conf/internal.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE_MAX = 512, SHOWN_MAX = 60 };

void errs_init(struct errs *e, struct conf_errors *out)
{
    *out = (struct conf_errors){0};
    arena_init(&out->arena, 4096, 4 << 20);
    *e = (struct errs){.out = out};
}

static bool room(struct errs *e)
{
    if (e->out->n < e->cap)
        return true;
    size_t cap = e->cap ? e->cap * 2 : 16;
    struct conf_error *v = arena_array(&e->out->arena, cap, sizeof *v);
    if (!v)
        return false;
    if (e->out->n)
        memcpy(v, e->out->v, e->out->n * sizeof *v);
    e->out->v = v;
    e->cap = cap;
    return true;
}

/* Bounds both kinds, so that warnings never crowd out errors. False: `text` is not to be kept. */
static bool counted(struct errs *e, bool warning, const char **ret_instead)
{
    if (warning) {
        if (e->warnings < WARNINGS_MAX && ++e->warnings == WARNINGS_MAX)
            *ret_instead = "too many warnings; the rest is not shown";
        else if (e->warnings == WARNINGS_MAX)
            return false;
        return true;
    }
    e->failed = true;
    if (++e->errors == ERRORS_MAX) {
        e->full = true;
        *ret_instead = "too many errors; the rest is not shown";
    }
    return true;
}

void errs_add(struct errs *e, int line, bool warning, const char *fmt, ...)
{
    const char *instead = NULL;
    if (e->full || !counted(e, warning, &instead) || !room(e))
        return;
    char text[MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof text)
        n = (int)sizeof text - 1;
    str s = arena_str(&e->out->arena, instead ? str_c(instead) : (str){text, n > 0 ? (size_t)n : 0});
    e->out->v[e->out->n++] = (struct conf_error){e->path, line, warning, s};
}

const char *shown(struct errs *e, str s)
{
    struct buf b;
    char mem[4 * SHOWN_MAX + 8];
    if (e->full)
        return "";
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add_char(&b, '"');
    str head = str_sub(s, 0, SHOWN_MAX);
    if (s.n > SHOWN_MAX)
        while (head.n && ((unsigned char)s.p[head.n] & 0xc0) == 0x80)
            head.n--;
    bool plain = text_utf8(head);
    for (size_t i = 0; plain && i < head.n; i++)
        plain = (unsigned char)head.p[i] >= 32 && head.p[i] != 127;
    if (plain)
        buf_add(&b, head);
    else
        text_safe(&b, head);
    buf_add_c(&b, s.n > SHOWN_MAX ? "...\"" : "\"");
    str copy = arena_str(&e->out->arena, buf_str(&b));
    return copy.p ? copy.p : "\"\"";
}

static size_t file_rank(const struct conf_bundle *b, str path)
{
    size_t i = 0;
    while (i < b->n && !str_eq(b->v[i].path, path))
        i++;
    return i;
}

void errs_finish(struct errs *e, const struct conf_bundle *order)
{
    struct conf_error *v = e->out->v;
    size_t keep = e->full ? e->out->n - 1 : e->out->n; /* the last one says that there are more */
    for (size_t i = 1; i < keep; i++) {
        struct conf_error x = v[i];
        size_t rank = file_rank(order, x.path), j = i;
        for (; j > 0; j--) {
            size_t other = file_rank(order, v[j - 1].path);
            if (other < rank || (other == rank && v[j - 1].line <= x.line))
                break;
            v[j] = v[j - 1];
        }
        v[j] = x;
    }
}

void conf_errors_print(struct buf *out, const struct conf_errors *e)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct conf_error *x = &e->v[i];
        buf_add(out, x->path);
        if (x->line > 0)
            buf_printf(out, ":%d", x->line);
        buf_add_c(out, x->warning ? ": warning: " : ": error: ");
        buf_add(out, x->text);
        buf_add_char(out, '\n');
    }
}

void conf_errors_free(struct conf_errors *e)
{
    if (!e)
        return;
    arena_free(&e->arena);
    e->v = NULL;
    e->n = 0;
}
