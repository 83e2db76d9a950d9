/* Quoted-printable and base64 of a leaf as it streams by (RFC 2045 6.7, 6.8). */
#include "base/codec.h"
#include "wire/mime_internal.h"

enum { QP_COLUMNS = 75, B64_COLUMNS = 76 };

/* One octet onto the output line; a soft line break before it where it would pass the column. */
static void qp_octet(struct buf *out, size_t *column, char c, bool literal)
{
    static const char digits[] = "0123456789ABCDEF";
    if (*column + (literal ? 1 : 3) > QP_COLUMNS) {
        buf_add(out, S("=\r\n"));
        *column = 0;
        if (c == '-') /* a line that we begin is never a delimiter */
            literal = false;
    }
    if (literal)
        buf_add_char(out, c);
    else
        buf_add(out, (str){(char[3]){'=', digits[(unsigned char)c >> 4], digits[c & 15]}, 3});
    *column += literal ? 1 : 3;
}

/* `again`: it is quoted-printable already, so '=' stays. `eol`: a blank at the end must not stand bare. */
static void qp_text(struct buf *out, size_t *column, str s, bool again, bool eol)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool blank_end = ascii_wsp(c) && eol && !again && i + 1 == s.n;
        if (again && c == '=' && *column + 3 > QP_COLUMNS && i + 1 < s.n) { /* not between '=' and its digits */
            buf_add(out, S("=\r\n"));
            *column = 0;
        }
        bool literal = c == '=' ? again : ascii_wsp(c) ? !blank_end : c > 32 && c < 127;
        qp_octet(out, column, c, literal);
    }
}

void mime_qp_line(struct buf *out, str line)
{
    size_t column = 0;
    qp_text(out, &column, line, false, true);
}

static void b64_flush(struct mime *m)
{
    if (m->quad_n == 0)
        return;
    if (m->b64_column == B64_COLUMNS) {
        buf_add(m->out, S("\r\n"));
        m->b64_column = 0;
    }
    base64_encode(m->out, (str){m->quad, m->quad_n});
    m->b64_column += 4;
    m->quad_n = 0;
}

static void b64_text(struct mime *m, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        m->quad[m->quad_n++] = s.p[i];
        if (m->quad_n == sizeof m->quad)
            b64_flush(m);
    }
}

/* base64 with foreign octets in it: a reader drops them (RFC 2045 6.8), so do we; lines stay short. */
static void b64_again(struct mime *m, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c <= 32 || c >= 127)
            continue;
        if (m->column >= B64_COLUMNS) {
            buf_add(m->out, S("\r\n"));
            m->column = 0;
        }
        buf_add_char(m->out, c);
        m->column++;
    }
}

void mime_leaf_text(struct mime *m, str text, bool eol)
{
    switch (m->fix) {
    case FIX_QP:
    case FIX_QP_AGAIN:
        qp_text(m->out, &m->column, text, m->fix == FIX_QP_AGAIN, eol);
        break;
    case FIX_BASE64:
        b64_text(m, text);
        break;
    case FIX_BASE64_AGAIN:
        b64_again(m, text);
        break;
    default:
        buf_add(m->out, text);
    }
}

void mime_leaf_crlf(struct mime *m)
{
    if (m->fix == FIX_BASE64)
        b64_text(m, S("\r\n"));
    else
        buf_add(m->out, S("\r\n"));
}

void mime_leaf_end(struct mime *m)
{
    if (m->fix == FIX_BASE64)
        b64_flush(m);
}
