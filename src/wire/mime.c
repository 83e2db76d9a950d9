/*
 * The walk over a MIME message, in two passes (see mime.h). Input comes in any pieces; it is cut into
 * lines, and a line longer than KEEP into several pieces. Only CRLF ends a line. Header blocks are
 * gathered whole; a body line is judged for a delimiter of any open multipart, the innermost first.
 *
 * The CRLF behind a body line is held back, because it belongs to the delimiter if one follows.
 */
#include "wire/head.h"
#include "wire/mime.h"
#include "wire/mime_internal.h"

#include <stdlib.h>

enum { KEEP = 1000 };

struct mime *mime_new(void)
{
    struct mime *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    buf_init(&m->head, MIME_HEAD_MAX);
    mime_rewind(m);
    return m;
}

void mime_free(struct mime **m)
{
    if (*m) {
        buf_free(&(*m)->head);
        free(*m);
    }
    *m = NULL;
}

/* Back to the first octet of the message; what the scan found stays. */
void mime_rewind(struct mime *m)
{
    buf_clear(&m->head);
    m->state = IN_HEAD;
    m->top = true;
    m->depth = m->next = m->part = 0;
    m->line_n = 0;
    m->middle = m->crlf = m->broken = m->inner = false;
    m->nested = 0;
    m->column = m->quad_n = m->b64_column = 0;
    m->e = OK;
}

static err fail(struct mime *m, err e)
{
    if (!m->e)
        m->e = e;
    return m->e;
}

/* --- What a piece of a body means to each pass --- */

static void scan_text(struct mime *m, str text)
{
    uint8_t found = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c > 127)
            found |= HAS_8BIT;
        else if (c == 0 || c == '\r' || c == '\n')
            found |= HAS_BINARY;
    }
    if (text.n + m->column > MIME_LINE_MAX)
        found |= HAS_LONG;
    m->column += text.n;
    m->has[m->part] |= found;
}

/* Preamble and epilogue are for nobody: made clean, cut where too long. */
static void pass_text(struct mime *m, str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (m->column++ >= MIME_LINE_MAX) {
            buf_add(m->out, S("\r\n"));
            m->column = 1;
        }
        buf_add_char(m->out, (unsigned char)c > 127 || c == 0 || c == '\r' || c == '\n' ? '?' : c);
    }
}

static void body_text(struct mime *m, str text, bool eol)
{
    if (m->visitor) {
        if (m->state == IN_LEAF)
            m->visitor->text(m->arg, text);
    } else if (!m->out)
        scan_text(m, text);
    else if (m->state == IN_LEAF)
        mime_leaf_text(m, text, eol);
    else
        pass_text(m, text);
}

/* The held CRLF as part of the body. */
static void body_crlf(struct mime *m)
{
    if (!m->crlf)
        return;
    m->crlf = false;
    m->column = 0;
    if (m->visitor && m->state == IN_LEAF)
        m->visitor->text(m->arg, S("\r\n"));
    if (m->out && m->state == IN_LEAF)
        mime_leaf_crlf(m);
    else if (m->out)
        buf_add(m->out, S("\r\n"));
}

/* --- Structure --- */

static err push(struct mime *m, str boundary, bool digest)
{
    if (m->depth == MIME_DEPTH_MAX)
        return fail(m, E_LIMIT);
    struct level *l = &m->levels[m->depth++];
    l->digest = digest;
    l->part = m->part;
    l->boundary_n = (uint8_t)boundary.n;
    memcpy(l->boundary, boundary.p, boundary.n);
    return OK;
}

static void show_head(struct mime *m, const struct entity *e)
{
    const struct mime_seen seen = {
        .number = m->part,
        .depth = m->depth + m->nested,
        .leaf = e->kind != KIND_MULTIPART && e->kind != KIND_MESSAGE,
        .whole = m->top,
        .cte = e->cte,
        .head = buf_str(&m->head),
    };
    m->visitor->head(m->arg, &seen);
}

/* The header block of an entity is complete: what follows it? */
static err head_end(struct mime *m, enum head_end how)
{
    struct entity e;
    if (m->next == MIME_PARTS_MAX)
        return fail(m, E_LIMIT);
    m->part = m->next++;
    bool digest = m->depth && m->levels[m->depth - 1].digest;
    mime_read_head(buf_str(&m->head), digest && !m->inner, &e);
    if (m->visitor)
        show_head(m, &e);
    if (!m->out) {
        m->kind[m->part] = (uint8_t)e.kind;
        m->cte[m->part] = (uint8_t)e.cte;
        m->text[m->part] = e.text;
        if (e.head_8bit)
            m->has[m->part] |= HEAD_8BIT;
        if (m->broken)
            m->has[m->part] |= HEAD_BROKEN;
    }
    m->fix = m->out ? mime_fix_of(m, m->part) : FIX_NONE;
    if (m->out)
        mime_write_head(m, buf_str(&m->head), &e, how);
    buf_clear(&m->head);
    m->top = m->inner = m->broken = false;
    m->crlf = m->middle = false;
    m->column = m->quad_n = m->b64_column = 0;
    m->state = IN_LEAF;
    if (e.kind == KIND_MESSAGE) {
        m->state = IN_HEAD;
        m->inner = true;
        /* a chain of messages inside messages has no boundaries: its own count */
        return ++m->nested > MIME_DEPTH_MAX ? fail(m, E_LIMIT) : OK;
    }
    if (e.kind == KIND_MULTIPART) {
        m->state = IN_BETWEEN;
        return push(m, (str){e.boundary, e.boundary_n}, e.digest);
    }
    return OK;
}

/* True when the line is a delimiter of level l. */
static bool delimits(const struct level *l, str line, bool *ret_close)
{
    str rest = str_skip(line, 2);
    if (!str_starts(rest, (str){l->boundary, l->boundary_n}))
        return false;
    rest = str_skip(rest, l->boundary_n);
    *ret_close = str_starts(rest, S("--"));
    if (*ret_close)
        rest = str_skip(rest, 2);
    return str_trim_wsp(rest).n == 0;
}

/* A delimiter line of level `at`: everything inside it ends. */
static err delimiter(struct mime *m, unsigned at, bool close, str line, bool eol)
{
    if (m->state == IN_HEAD) {
        err e = head_end(m, END_CUT);
        if (e)
            return e;
    }
    if (m->visitor && m->state == IN_LEAF)
        m->visitor->end(m->arg);
    if (m->out) {
        if (m->state == IN_LEAF)
            mime_leaf_end(m);
        if (m->crlf)
            buf_add(m->out, S("\r\n"));
        buf_add(m->out, line);
        if (eol)
            buf_add(m->out, S("\r\n"));
    }
    m->crlf = false;
    m->column = 0;
    m->nested = 0;
    m->inner = false;
    m->depth = close ? at : at + 1;
    m->part = m->levels[at].part; /* an epilogue is no leaf's */
    m->state = close ? IN_BETWEEN : IN_HEAD;
    return OK;
}

/* A field, or the continuation of one? What breaks lines inside is noted: nothing can be put into such a header. */
static bool head_line(struct mime *m, str line)
{
    struct head_field f;
    if (str_find(line, '\n') != STR_NONE || str_find(line, '\r') != STR_NONE)
        m->broken = true;
    return (m->head.n && ascii_wsp(line.p[0])) || head_next(&line, &f);
}

/* True when the line was a delimiter and is done with. */
static bool took_delimiter(struct mime *m, str line, bool eol)
{
    bool close;
    if (!str_starts(line, S("--")))
        return false;
    for (unsigned i = m->depth; i-- > 0;)
        if (delimits(&m->levels[i], line, &close)) {
            m->middle = false;
            delimiter(m, i, close, line, eol);
            return true;
        }
    return false;
}

/* A whole line, or a piece of a long one. `eol`: a CRLF follows. */
static err piece(struct mime *m, str text, bool eol)
{
    bool bol = !m->middle;
    m->middle = !eol;
    if (bol && took_delimiter(m, text, eol))
        return m->e;
    if (m->state == IN_HEAD && bol && eol && text.n == 0)
        return head_end(m, END_EMPTY_LINE);
    /* A line that is no field ends the header too, and belongs to the body (as wire/head has it). */
    while (m->state == IN_HEAD && bol && !head_line(m, text)) {
        if (head_end(m, END_BODY))
            return m->e;
        m->middle = !eol;
        if (took_delimiter(m, text, eol))
            return m->e;
    }
    if (m->state == IN_HEAD) {
        buf_add(&m->head, text);
        if (eol)
            buf_add(&m->head, S("\r\n"));
        return m->head.e ? fail(m, m->head.e) : OK;
    }
    body_crlf(m);
    body_text(m, text, eol);
    m->crlf = eol;
    return OK;
}

/* Cuts input into pieces; a CR at the end waits for what follows it. */
static err feed(struct mime *m, str in)
{
    while (in.n && !m->e) {
        size_t room = sizeof m->line - m->line_n;
        const char *lf = memchr(in.p, '\n', in.n < room ? in.n : room);
        size_t n = lf ? (size_t)(lf - in.p) + 1 : in.n < room ? in.n : room;
        memcpy(m->line + m->line_n, in.p, n);
        m->line_n += n;
        in = str_skip(in, n);
        if (m->line_n >= 2 && memcmp(m->line + m->line_n - 2, "\r\n", 2) == 0) {
            piece(m, (str){m->line, m->line_n - 2}, true);
            m->line_n = 0;
        } else if (m->line_n == sizeof m->line) {
            size_t keep = m->line[m->line_n - 1] == '\r';
            piece(m, (str){m->line, m->line_n - keep}, false);
            m->line[0] = '\r';
            m->line_n = keep;
        }
    }
    return m->e;
}

static err finish(struct mime *m)
{
    if (!m->e && m->line_n)
        piece(m, (str){m->line, m->line_n}, false);
    m->line_n = 0;
    if (!m->e && m->state == IN_HEAD)
        head_end(m, END_CUT);
    if (m->e)
        return m->e;
    body_crlf(m);
    if (m->visitor && m->state == IN_LEAF)
        m->visitor->end(m->arg);
    if (m->out && m->state == IN_LEAF) {
        mime_leaf_end(m);
        if (m->b64_column)
            buf_add(m->out, S("\r\n"));
    }
    return m->out && m->out->e ? fail(m, m->out->e) : OK;
}

/* --- The passes --- */

err mime_scan(struct mime *m, str in) { return feed(m, in); }

err mime_scan_end(struct mime *m, struct mime_info *ret)
{
    struct mime_info info = {0};
    err e = finish(m);
    for (unsigned i = 0; i < m->next; i++) {
        info.head_8bit |= (m->has[i] & HEAD_8BIT) != 0;
        info.body_8bit |= (m->has[i] & HAS_8BIT) != 0;
        info.binary |= (m->has[i] & HAS_BINARY) != 0;
        info.long_line |= (m->has[i] & HAS_LONG) != 0;
        info.bad |= m->has[i] & HEAD_BROKEN || mime_fix_of(m, i) == FIX_IMPOSSIBLE;
    }
    info.bad |= e != OK;
    info.parts = m->next;
    m->scanned = e == OK;
    m->bad = info.bad;
    mime_rewind(m);
    *ret = info;
    return e;
}

void mime_look(struct mime *m, const struct mime_visitor *v, void *arg)
{
    mime_rewind(m);
    m->visitor = v;
    m->arg = arg;
}

err mime_look_at(struct mime *m, str in) { return feed(m, in); }

err mime_look_end(struct mime *m) { return finish(m); }

err mime_convert(struct mime *m, str in, struct buf *out)
{
    if (!m->scanned || m->bad)
        return E_UNSUPPORTED;
    m->out = out;
    err e = feed(m, in);
    e = e ? e : out->e;
    m->out = NULL;
    return e;
}

err mime_convert_end(struct mime *m, struct buf *out)
{
    if (!m->scanned || m->bad)
        return E_UNSUPPORTED;
    m->out = out;
    err e = finish(m);
    m->out = NULL;
    return e;
}
