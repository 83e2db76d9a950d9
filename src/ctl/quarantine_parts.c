/* The parts of a message for people: types, names of files, sizes; and its first text, decoded. */
#include "ctl/internal.h"
#include "wire/head.h"
#include "wire/mime.h"
#include "wire/mime_param.h"

enum { TEXT_MAX = 64 * 1024, PART_MEM = 256 * 1024, PIECE = 16 * 1024 };

struct parts {
    struct ctl_session *s;
    bool show, want_text, reading, have_text, html;
    struct arena mem; /* of one part */
    char type[80];
    size_t type_n;
    str names[MIME_NAMES_MAX], charset;
    size_t n;
    uint64_t size;
    unsigned depth, number;
    struct mime_decoder d;
    struct buf text; /* decoded, its charset as it is */
};

static void names(struct parts *x, str head)
{
    str type = head_find(head, S("Content-Type")), where = head_find(head, S("Content-Disposition"));
    struct buf b;
    buf_init_fixed(&b, x->type, sizeof x->type);
    mime_type_of(type.p ? type : S("text/plain"), &b);
    x->type_n = b.n;
    x->n = where.p ? mime_names(where, S("filename"), &x->mem, x->names, NULL) : 0;
    if (!x->n && type.p)
        x->n = mime_names(type, S("name"), &x->mem, x->names, NULL);
    str sets[MIME_NAMES_MAX];
    x->charset = type.p && mime_names(type, S("charset"), &x->mem, sets, NULL) ? sets[0] : S("us-ascii");
}

static void on_head(void *arg, const struct mime_seen *e)
{
    struct parts *x = arg;
    arena_reset(&x->mem);
    names(x, e->head);
    x->size = 0;
    x->depth = e->depth;
    x->number = e->number;
    str type = str_mem(x->type, x->type_n);
    bool plain = str_eq(type, S("text/plain")), html = str_eq(type, S("text/html"));
    x->reading = x->want_text && e->leaf && (plain || html) && (!x->have_text || (plain && x->html));
    if (x->reading) {
        buf_clear(&x->text);
        x->have_text = true;
        x->html = html;
        x->d = (struct mime_decoder){.coding = e->cte == CTE_QP       ? MIME_CODING_QP
                                               : e->cte == CTE_BASE64 ? MIME_CODING_BASE64
                                                                      : MIME_CODING_NONE};
    }
}

static void on_text(void *arg, str octets)
{
    struct parts *x = arg;
    x->size += octets.n;
    while (x->reading && octets.n && x->text.n < TEXT_MAX) {
        str some = str_sub(octets, 0, 4096);
        char *p = buf_room(&x->text, some.n + 3);
        if (!p)
            return;
        x->text.n += mime_decode(&x->d, some, p);
        octets = str_skip(octets, some.n);
    }
}

static void row(struct parts *x)
{
    struct ctl_out *o = &x->s->out;
    str type = str_mem(x->type, x->type_n), name = x->n ? x->names[0] : S("");
    if (o->json) {
        json_open(o, '{');
        json_knum(o, "part", x->number);
        json_kstr(o, "type", type);
        json_kstr(o, "name", name);
        json_knum(o, "size", (int64_t)x->size);
        json_close(o, '}');
        return;
    }
    buf_printf(&o->b, "%*s", (int)(2 + 2 * (x->depth < 20 ? x->depth : 20)), "");
    text_safe(&o->b, type.n ? type : S("(no type)"));
    buf_add_c(&o->b, ", ");
    ctl_put_size(&o->b, x->size);
    if (name.n) {
        buf_add_c(&o->b, ", \"");
        text_safe(&o->b, name);
        buf_add_char(&o->b, '"');
    }
    buf_add_char(&o->b, '\n');
}

static void on_end(void *arg)
{
    struct parts *x = arg;
    if (x->reading) {
        AUTO_BUF utf8;
        char *p = buf_room(&x->text, 3);
        if (p)
            x->text.n += mime_decode_end(&x->d, p);
        buf_init(&utf8, 4 * TEXT_MAX + 4096);
        mime_to_utf8(&utf8, x->charset, buf_str(&x->text));
        if (!utf8.e) {
            buf_clear(&x->text);
            buf_add(&x->text, buf_str(&utf8));
        }
    }
    x->reading = false;
    if (x->show)
        row(x);
}

/* Lines for a terminal: nothing in them moves its cursor. */
static void print_text(struct parts *x)
{
    struct ctl_out *o = &x->s->out;
    if (o->json) {
        json_kstr(o, "text", str_sub(buf_str(&x->text), 0, TEXT_MAX));
        return;
    }
    str rest = str_sub(buf_str(&x->text), 0, TEXT_MAX), line;
    while (rest.n && str_cut(&rest, '\n', &line)) {
        if (str_ends(line, S("\r")))
            line.n--;
        text_safe(&o->b, line);
        buf_add_char(&o->b, '\n');
    }
}

static err walk(struct parts *x, struct spool_reader *r) YIELDS;
static err walk(struct parts *x, struct spool_reader *r)
{
    static const struct mime_visitor v = {on_head, on_text, on_end};
    struct mime *m = mime_new();
    uint64_t left = r->env.head_size + r->env.body_size;
    err e = m ? OK : E_NOMEM;
    if (m)
        mime_look(m, &v, x);
    while (!e && left) {
        str piece;
        e = spool_read_next(r, &piece);
        if (e || !piece.n)
            break;
        left -= piece.n < left ? piece.n : left;
        e = mime_look_at(m, piece);
        fiber_yield();
    }
    e = e ? e : mime_look_end(m);
    mime_free(&m);
    return e == E_LIMIT ? OK : e; /* what is beyond is not shown */
}

err ctl_parts(struct ctl_session *s, struct spool_reader *r, bool parts, bool text)
{
    struct parts *x = arena_new(&s->arena, struct parts);
    if (!x)
        return E_NOMEM;
    *x = (struct parts){.s = s, .show = parts, .want_text = text};
    arena_init(&x->mem, 4096, PART_MEM);
    buf_init(&x->text, 5 * TEXT_MAX);
    if (parts && s->out.json) {
        json_kopen(&s->out, "parts", '[');
    } else if (parts) {
        buf_add_c(&s->out.b, "parts:\n");
    }
    bool alone = !parts && s->out.json;
    err e = walk(x, r);
    if (parts && s->out.json)
        json_close(&s->out, ']');
    if (alone)
        json_open(&s->out, '{');
    if (!e && text && (x->have_text || s->out.json))
        print_text(x);
    if (alone) {
        json_end(&s->out, '}');
    }
    buf_free(&x->text);
    arena_free(&x->mem);
    if (e)
        ctl_fail(s, EXIT_FAIL, "postrider: the message cannot be read: %s", err_text(e));
    return e;
}
