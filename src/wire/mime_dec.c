/* base64 and quoted-printable read as they stream by (RFC 2045 6.7, 6.8): what no encoder writes is passed over. */
#include "base/codec.h"
#include "wire/mime_param.h"

/* The alphabet for URLs, too. */
static int sextet(char c) { return c == '-' ? 62 : c == '_' ? 63 : base64_value(c); }

/* Some programs encode pieces of a file one by one, so that padding stands in the middle: readers go on behind it. */
static size_t from_base64(struct mime_decoder *d, str in, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        int v = sextet(in.p[i]);
        if (v < 0) {
            if (in.p[i] == '=')
                d->ended = true, d->nbits = 0;
            else
                d->foreign |= in.p[i] != '\r' && in.p[i] != '\n' && !ascii_wsp(in.p[i]);
            continue;
        }
        d->bits = d->bits << 6 | (uint32_t)v;
        d->nbits += 6;
        if (d->nbits >= 8) {
            d->nbits -= 8;
            out[n++] = (char)(d->bits >> d->nbits);
        }
    }
    return n;
}

static int hex(char c)
{
    return ascii_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static size_t flush(struct mime_decoder *d, char *out)
{
    size_t n = d->nheld;
    memcpy(out, d->held, n);
    d->nheld = 0;
    return n;
}

/* A held "=" with the next octet; true when more is needed. */
static bool qp_more(struct mime_decoder *d, char c, char *out, size_t *n)
{
    char first = d->nheld > 1 ? d->held[1] : c;
    if (d->nheld == 1) {
        if (c == '\n') { /* a soft line break with a bare LF */
            d->nheld = 0;
            return true;
        }
        if (hex(c) >= 0 || c == '\r' || ascii_wsp(c)) {
            d->held[d->nheld++] = c;
            return true;
        }
        return false;
    }
    if (hex(first) >= 0 && hex(c) >= 0) {
        out[(*n)++] = (char)(hex(first) << 4 | hex(c));
        d->nheld = 0;
        return true;
    }
    if (ascii_wsp(first) && (ascii_wsp(c) || c == '\r')) /* blanks between "=" and its line end */
        return d->held[1] = c, true;
    if ((first == '\r' || ascii_wsp(first)) && c == '\n') {
        d->nheld = 0;
        return true;
    }
    return false;
}

static size_t from_qp(struct mime_decoder *d, str in, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (d->nheld) {
            if (qp_more(d, c, out, &n))
                continue;
            n += flush(d, out + n);
        }
        if (c == '=')
            d->held[d->nheld++] = c;
        else
            out[n++] = c;
    }
    return n;
}

size_t mime_decode(struct mime_decoder *d, str in, char *out)
{
    if (d->coding == MIME_CODING_BASE64)
        return from_base64(d, in, out);
    if (d->coding == MIME_CODING_QP)
        return from_qp(d, in, out);
    if (in.n)
        memcpy(out, in.p, in.n);
    return in.n;
}

size_t mime_decode_end(struct mime_decoder *d, char *out) { return flush(d, out); }
