/* Canonical forms (RFC 6376 3.4.1 to 3.4.4). */
#include "wire/canon.h"

/* ---- header fields -------------------------------------------------------------------------------------- */

/* Unfolded, each run of blanks one space, none at the ends. Pieces of one value may follow each other. */
struct relax {
    struct buf *out;
    bool wsp, any;
};

static void relax_add(struct relax *r, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
            i++;
            continue;
        }
        if (ascii_wsp(c) || c == '\n') {
            r->wsp = true;
            continue;
        }
        if (r->wsp && r->any)
            buf_add_char(r->out, ' ');
        r->wsp = false;
        r->any = true;
        buf_add_char(r->out, c);
    }
}

static void relax_name(struct buf *out, str name)
{
    for (size_t i = 0; i < name.n; i++)
        buf_add_char(out, ascii_lower(name.p[i]));
    buf_add_char(out, ':');
}

static str without_end(str raw)
{
    if (str_ends(raw, S("\n")))
        raw.n--;
    if (str_ends(raw, S("\r")))
        raw.n--;
    return raw;
}

void canon_field_unsigned(struct buf *out, enum canon c, const struct head_field *f, str value_b)
{
    size_t at = value_b.p ? (size_t)(value_b.p - f->value.p) : f->value.n;
    str before = str_sub(f->value, 0, at), behind = str_skip(f->value, at + value_b.n);
    if (c == CANON_RELAXED) {
        struct relax r = {.out = out};
        relax_name(out, f->name);
        relax_add(&r, before);
        relax_add(&r, behind);
        return;
    }
    size_t head = (size_t)(f->value.p - f->raw.p);
    buf_add(out, str_sub(f->raw, 0, head));
    buf_add(out, before);
    buf_add(out, behind);
}

void canon_field(struct buf *out, enum canon c, const struct head_field *f)
{
    if (c == CANON_RELAXED)
        canon_field_unsigned(out, c, f, (str){NULL, 0});
    else
        buf_add(out, without_end(f->raw));
    buf_add(out, S("\r\n"));
}

str canon_b_value(str value)
{
    str rest = value, one;
    while (str_cut(&rest, ';', &one)) {
        size_t eq = str_find(one, '=');
        if (eq != STR_NONE && str_eq(str_trim(str_sub(one, 0, eq)), S("b")))
            return str_skip(one, eq + 1);
    }
    return (str){NULL, 0};
}

/* ---- bodies ------------------------------------------------------------------------------------------------ */

void canon_body_init(struct canon_body *b, enum canon c, canon_put *put, void *arg)
{
    *b = (struct canon_body){.c = c, .put = put, .arg = arg};
}

/* What was held back turns out to stand before more octets. */
static void let_go(struct canon_body *b)
{
    static const char ends[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    while (b->empties) {
        size_t n = b->empties < 16 ? (size_t)b->empties : 16;
        b->put(b->arg, str_mem(ends, 2 * n));
        b->empties -= n;
    }
    if (b->wsp)
        b->put(b->arg, S(" "));
    b->wsp = false;
}

static void give(struct canon_body *b, str piece)
{
    if (b->empties || b->wsp)
        let_go(b);
    b->put(b->arg, piece);
    b->line = b->any = true;
}

static void line_end(struct canon_body *b)
{
    b->wsp = false; /* blanks at the end of a line */
    if (b->line)
        b->put(b->arg, S("\r\n"));
    else
        b->empties++;
    b->line = false;
}

/* The octets from s.p[0] on that go out as they are, line ends and single spaces among them. Nothing is held back
 * before them. */
static size_t plain_run(const struct canon_body *b, str s)
{
    bool relaxed = b->c == CANON_RELAXED, line = b->line;
    size_t i = 0;
    while (i < s.n) {
        char c = s.p[i];
        if (c == '\r') {
            if (!line || i + 1 >= s.n || s.p[i + 1] != '\n')
                break;
            line = false;
            i += 2;
        } else if (relaxed && ascii_wsp(c)) {
            if (c == '\t' || i + 1 >= s.n || ascii_wsp(s.p[i + 1]) || s.p[i + 1] == '\r')
                break;
            line = true;
            i++;
        } else {
            line = true;
            i++;
        }
    }
    return i;
}

/* One octet, with all that is held back. */
static void step(struct canon_body *b, char c)
{
    if (b->cr) {
        b->cr = false;
        if (c == '\n') {
            line_end(b);
            return;
        }
        give(b, S("\r"));
    }
    if (c == '\r')
        b->cr = true;
    else if (b->c == CANON_RELAXED && ascii_wsp(c))
        b->wsp = true;
    else
        give(b, str_mem(&c, 1));
}

void canon_body_feed(struct canon_body *b, str in)
{
    while (in.n) {
        size_t n = 0;
        bool at_wsp = b->c == CANON_RELAXED && ascii_wsp(in.p[0]);
        if (!b->cr && !(b->wsp && at_wsp) && in.p[0] != '\r')
            n = plain_run(b, in);
        if (!n) {
            step(b, in.p[0]);
            in = str_skip(in, 1);
            continue;
        }
        give(b, str_sub(in, 0, n));
        b->line = in.p[n - 1] != '\n' || n < 2 || in.p[n - 2] != '\r';
        in = str_skip(in, n);
    }
}

void canon_body_end(struct canon_body *b)
{
    if (b->cr)
        give(b, S("\r"));
    b->cr = b->wsp = false;
    if (b->line) /* the last line has no end */
        b->put(b->arg, S("\r\n"));
    else if (!b->any && b->c == CANON_SIMPLE)
        b->put(b->arg, S("\r\n"));
    b->line = false;
    b->empties = 0;
}
