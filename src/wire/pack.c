/* zlib's loops, each once, and the little of ZIP (APPNOTE 4.3) that a report needs. */
#include "wire/pack.h"

#include <zlib.h>

enum { STEP = 65536, ZIP_HEAD = 30, ZIP_STORED = 0, ZIP_DEFLATED = 8, ZIP_ENCRYPTED = 1, ZIP_FOLDERS_MAX = 16 };

/* `z` is set up; `step` is deflate or inflate. */
static int run(z_stream *z, int (*step)(z_stream *, int), int flush, str in, struct buf *out)
{
    int r = Z_OK;
    z->next_in = (unsigned char *)(uintptr_t)in.p;
    while (r == Z_OK) {
        size_t left = out->max - out->n, n = left < STEP ? left : STEP;
        unsigned char past; /* is there more than fits? */
        char *to = n ? buf_room(out, n) : (char *)&past;
        if (!to)
            return Z_MEM_ERROR;
        /* zlib counts in unsigned int, so input goes in by pieces */
        size_t have = (size_t)((unsigned char *)(uintptr_t)in.p + in.n - z->next_in);
        z->avail_in = have > INT32_MAX ? INT32_MAX : (unsigned)have;
        z->next_out = (unsigned char *)to;
        z->avail_out = (unsigned)(n ? n : 1);
        r = step(z, flush);
        if (!n && z->avail_out == 0)
            return Z_BUF_ERROR;
        out->n += n ? n - z->avail_out : 0;
    }
    return r;
}

static err result(int r, struct buf *out)
{
    if (r == Z_BUF_ERROR && out->n == out->max)
        out->e = E_LIMIT;
    return out->e ? out->e : r == Z_STREAM_END ? OK : E_SYNTAX;
}

err pack_gzip(str in, struct buf *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return E_NOMEM;
    err e = result(run(&z, deflate, Z_FINISH, in, out), out);
    deflateEnd(&z);
    return e;
}

/* `bits` as inflateInit2 takes them: gzip, or a raw stream. */
static err inflate_all(str in, int bits, struct buf *out)
{
    z_stream z = {0};
    if (inflateInit2(&z, bits) != Z_OK)
        return E_NOMEM;
    err e = result(run(&z, inflate, Z_NO_FLUSH, in, out), out);
    inflateEnd(&z);
    return e;
}

static unsigned le16(str s, size_t at) { return (unsigned char)s.p[at] | (unsigned)(unsigned char)s.p[at + 1] << 8; }

/* The first file of an archive; entries of folders before it are passed over. */
static err unzip(str in, struct buf *out)
{
    for (int i = 0; i < ZIP_FOLDERS_MAX; i++) {
        if (in.n < ZIP_HEAD || !str_starts(in, S("PK\3\4")))
            return E_SYNTAX;
        unsigned flags = le16(in, 6), method = le16(in, 8);
        str name = str_sub(in, ZIP_HEAD, ZIP_HEAD + le16(in, 26));
        size_t n = le16(in, 18) | (size_t)le16(in, 20) << 16;
        size_t head = ZIP_HEAD + (size_t)le16(in, 26) + le16(in, 28);
        if (head > in.n)
            return E_SYNTAX;
        in = str_skip(in, head);
        if (flags & ZIP_ENCRYPTED)
            return E_SYNTAX;
        if (method == ZIP_DEFLATED && !str_ends(name, S("/")))
            return inflate_all(in, -15, out);
        if (method != ZIP_STORED || n > in.n)
            return E_SYNTAX;
        if (!str_ends(name, S("/"))) {
            buf_add(out, str_sub(in, 0, n));
            return out->e;
        }
        in = str_skip(in, n);
    }
    return E_SYNTAX;
}

err pack_open(str in, struct buf *out)
{
    if (str_starts(in, S("\x1f\x8b")))
        return inflate_all(in, 15 + 16, out);
    if (str_starts(in, S("PK\3\4")))
        return unzip(in, out);
    buf_add(out, in);
    return out->e;
}
