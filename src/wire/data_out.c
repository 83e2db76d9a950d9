/* Sending message data: dot stuffing and the end (RFC 5321 4.5.2), and local text brought to CRLF. */
#include "wire/data.h"

enum { BOL, LINE, CR };

void data_out_init(struct data_out *d) { d->state = BOL; }

static bool piece(struct data_out *d, uint8_t state, str p, str *ret)
{
    d->state = state;
    *ret = p;
    return true;
}

/* Octets of *in that can go as they are, whole lines and a last open one: up to a line that begins with
 * a dot, or to a CR or LF that is not part of a CRLF, or to a CR at the very end. */
static size_t plain(struct data_out *d, str in)
{
    size_t at = 0;
    while (at < in.n) {
        if (d->state == BOL && in.p[at] == '.')
            return at;
        const char *lf = memchr(in.p + at, '\n', in.n - at);
        size_t end = lf ? (size_t)(lf - in.p) : in.n;
        const char *cr = memchr(in.p + at, '\r', end - at);
        if (lf && cr == lf - 1 && end > at) {
            at = end + 1;
            d->state = BOL;
            continue;
        }
        size_t stop = cr ? (size_t)(cr - in.p) : end;
        if (stop > at)
            d->state = LINE;
        return stop;
    }
    return at;
}

bool data_out_next(struct data_out *d, str *in, str *ret_piece)
{
    for (;;) {
        if (in->n == 0)
            return false;
        char c = in->p[0];
        if (d->state == CR) { /* held back from the last piece */
            if (c != '\n')
                return piece(d, LINE, S(" "), ret_piece);
            *in = str_skip(*in, 1);
            return piece(d, BOL, S("\r\n"), ret_piece);
        }
        if (d->state == BOL && c == '.') /* the stuffed one; its own dot follows as part of the line */
            return piece(d, LINE, S("."), ret_piece);
        size_t n = plain(d, *in);
        if (n) {
            *ret_piece = str_sub(*in, 0, n);
            *in = str_skip(*in, n);
            return true;
        }
        *in = str_skip(*in, 1);
        if (c == '\n')
            return piece(d, LINE, S(" "), ret_piece);
        d->state = CR;
    }
}

bool data_out_whole(struct data_out *d, str octets)
{
    if (d->state == CR || !octets.n || octets.p[octets.n - 1] == '\r')
        return false;
    d->state = octets.p[octets.n - 1] == '\n' ? BOL : LINE;
    return true;
}

str data_out_end(const struct data_out *d) { return d->state == BOL ? S(".\r\n") : S("\r\n.\r\n"); }

void data_text_feed(struct data_text *t, str in, struct buf *out)
{
    while (in.n) {
        size_t n = 0;
        char c = in.p[0];
        if (c == '\n') {
            buf_add(out, S("\r\n"));
            t->cr = t->open = false;
            n = 1;
        } else if (c == '\r') {
            t->cr = t->open = true;
            n = 1;
        } else {
            if (t->cr)
                buf_add_char(out, ' ');
            t->cr = false;
            t->open = true;
            while (n < in.n && in.p[n] != '\r' && in.p[n] != '\n')
                n++;
            buf_add(out, str_sub(in, 0, n));
        }
        in = str_skip(in, n);
    }
}

void data_text_end(struct data_text *t, struct buf *out)
{
    if (t->open)
        buf_add(out, S("\r\n"));
    *t = (struct data_text){0};
}
