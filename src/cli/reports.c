/* `postrider reports read`: aggregate reports of others (RFC 9990, RFC 7489) as a person reads them. */
#include "base/codec.h"
#include "cli/internal.h"
#include "wire/feedback.h"
#include "wire/head.h"

#include <dirent.h>
#include <stdio.h>
#include <zlib.h>

enum { INPUT_MAX = 64 << 20, XML_MAX = 64 << 20, READ_MAX = 256 << 20 };

/* ---- unpacking -------------------------------------------------------------------------------------- */

/* bits: as inflateInit2 takes them: gzip, or a raw stream. E_LIMIT: more than XML_MAX. */
static err unpack(str in, int bits, struct buf *out)
{
    z_stream z = {0};
    if (inflateInit2(&z, bits) != Z_OK)
        return E_NOMEM;
    z.next_in = (unsigned char *)(uintptr_t)in.p;
    z.avail_in = (unsigned)in.n;
    int r = Z_OK;
    while (r == Z_OK) {
        char *to = buf_room(out, 65536);
        if (!to)
            break;
        z.next_out = (unsigned char *)to;
        z.avail_out = 65536;
        r = inflate(&z, Z_NO_FLUSH);
        out->n += 65536 - z.avail_out;
    }
    inflateEnd(&z);
    return out->e ? out->e : r == Z_STREAM_END ? OK : E_SYNTAX;
}

static unsigned le16(str s, size_t at) { return (unsigned char)s.p[at] | (unsigned)(unsigned char)s.p[at + 1] << 8; }

/* The first file of a ZIP archive. */
static err unzip(str in, struct buf *out)
{
    if (in.n < 30)
        return E_SYNTAX;
    size_t data = 30 + (size_t)le16(in, 26) + le16(in, 28);
    unsigned method = le16(in, 8);
    if (data >= in.n || (method != 0 && method != 8))
        return E_SYNTAX;
    if (method == 8)
        return unpack(str_skip(in, data), -15, out);
    size_t n = le16(in, 18) | (size_t)le16(in, 20) << 16;
    buf_add(out, str_sub(in, data, data + n));
    return out->e;
}

static err open_packed(str in, struct buf *out)
{
    in = str_starts(in, S("\xef\xbb\xbf")) ? str_skip(in, 3) : in;
    if (str_starts(in, S("\x1f\x8b")))
        return unpack(in, 15 + 32, out);
    if (str_starts(in, S("PK\3\4")))
        return unzip(in, out);
    in = str_trim(in);
    if (!str_starts(in, S("<")))
        return E_NOT_FOUND;
    buf_add(out, in);
    return out->e;
}

/* ---- messages --------------------------------------------------------------------------------------- */

static bool holds_report(str type)
{
    static const str kinds[] = {S_INIT("application/gzip"),        S_INIT("application/x-gzip"),
                                S_INIT("application/zip"),         S_INIT("application/x-zip-compressed"),
                                S_INIT("application/xml"),         S_INIT("text/xml"),
                                S_INIT("application/octet-stream")};
    type = str_trim(type);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_istarts(type, kinds[i]))
            return true;
    return false;
}

static err decode_base64(str in, struct buf *out)
{
    AUTO_BUF packed = {.max = INPUT_MAX};
    for (size_t i = 0; i < in.n; i++)
        if (!memchr(" \t\r\n", in.p[i], 4))
            buf_add_char(&packed, in.p[i]);
    return packed.e ? packed.e : base64_decode(out, buf_str(&packed));
}

/* A part: its body up to the next delimiter. */
static err open_part(str head, str rest, struct buf *out)
{
    AUTO_BUF raw = {.max = INPUT_MAX};
    size_t end = str_starts(rest, S("--")) ? 0 : str_search(rest, S("\n--"));
    str body = str_sub(rest, 0, end);
    if (!str_ieq(str_trim(head_find(head, S("Content-Transfer-Encoding"))), S("base64")))
        return open_packed(body, out);
    err e = decode_base64(body, &raw);
    return e ? e : open_packed(buf_str(&raw), out);
}

/* The first part that may be one and is: every header block of the message is looked at. */
static err open_message(str text, struct buf *out)
{
    err e = E_NOT_FOUND;
    while (text.n && e) {
        size_t n = head_len(text, NULL);
        str head = str_sub(text, 0, n);
        if (n && holds_report(head_find(head, S("Content-Type"))))
            e = open_part(head, str_skip(text, n), out);
        if (e == OK || e == E_NOMEM || e == E_LIMIT)
            return e;
        buf_clear(out);
        text = str_skip(text, n);
        size_t next = str_starts(text, S("--")) ? 0 : str_search(text, S("\n--"));
        if (next == STR_NONE)
            break;
        text = str_skip(text, next + 1);
        size_t line = str_find(text, '\n');
        text = line == STR_NONE ? (str){0} : str_skip(text, line + 1);
    }
    return e;
}

/* ---- for people --------------------------------------------------------------------------------------- */

static void safe(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n && i < 100; i++)
        buf_add_char(out, (unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] >= 0x7f ? '?' : s.p[i]);
}

static void words(struct buf *out, const char *before, str s)
{
    if (!s.n)
        return;
    buf_add_c(out, before);
    safe(out, s);
}

static void print_row(struct buf *out, const struct feedback_row *r)
{
    bool pass = str_eq(r->dkim, S("pass")) || str_eq(r->spf, S("pass"));
    buf_printf(out, "  %8llu  %-4s  ", (unsigned long long)r->count, pass ? "pass" : "FAIL");
    safe(out, r->ip);
    words(out, "  from ", r->from);
    words(out, "  spf ", r->spf_result);
    words(out, " of ", r->spf_domain);
    for (size_t i = 0; i < r->nsignatures; i++) {
        words(out, "  dkim ", r->signatures[i].result);
        words(out, " of ", r->signatures[i].domain);
    }
    if (!str_eq(r->disposition, S("none")) && !str_eq(r->disposition, S("pass")))
        words(out, "  -> ", r->disposition);
    buf_add_char(out, '\n');
}

static void print(struct buf *out, const struct feedback *f)
{
    uint64_t all = 0, failed = 0;
    for (size_t i = 0; i < f->nrows; i++) {
        const struct feedback_row *r = &f->rows[i];
        all += r->count;
        failed += str_eq(r->dkim, S("pass")) || str_eq(r->spf, S("pass")) ? 0 : r->count;
    }
    safe(out, f->domain);
    words(out, ", policy ", f->p.n ? f->p : S("none"));
    words(out, ", reported by ", f->organization);
    words(out, " (", f->email);
    buf_add_c(out, f->email.n ? ")\n  " : "\n  ");
    text_time(out, f->begin_s * 1000);
    buf_add_c(out, " to ");
    text_time(out, f->end_s * 1000);
    buf_printf(out, ", %llu messages, %llu failed\n", (unsigned long long)all, (unsigned long long)failed);
    for (size_t i = 0; i < f->nrows; i++)
        print_row(out, &f->rows[i]);
}

static int read_one(FILE *from, const char *name)
{
    AUTO_BUF in = {.max = INPUT_MAX}, xml = {.max = XML_MAX}, out = {.max = READ_MAX};
    AUTO_ARENA a = {0};
    struct feedback f;
    arena_init(&a, 65536, READ_MAX);
    err e = cli_read_all(fileno(from), &in);
    if (!e)
        e = open_packed(buf_str(&in), &xml);
    if (e == E_NOT_FOUND)
        e = open_message(buf_str(&in), &xml);
    if (!e)
        e = feedback_read(buf_str(&xml), &a, &f);
    if (e == E_NOT_FOUND || e == E_SYNTAX)
        return cli_fail(EX_DATAERR, "%s: this is no aggregate report: expected XML, gzip, ZIP, or a message with one",
                        name);
    if (e)
        return cli_fail(EX_DATAERR, "%s: this report cannot be read: %s", name, err_text(e));
    print(&out, &f);
    return out.e || cli_write_all(1, buf_str(&out)) ? EX_IOERR : EX_OK;
}

static int read_path(const char *path, int depth);

/* A folder of messages, or a Maildir: what is no report in it is passed over. */
static int read_folder(DIR *d, const char *path, int depth)
{
    int status = EX_NOINPUT;
    struct dirent *f;
    char inner[2048];
    while ((f = readdir(d))) {
        int n = snprintf(inner, sizeof inner, "%s/%s", path, f->d_name);
        if (f->d_name[0] != '.' && n > 0 && (size_t)n < sizeof inner && read_path(inner, depth + 1) == EX_OK)
            status = EX_OK;
    }
    closedir(d);
    return status;
}

static int read_path(const char *path, int depth)
{
    DIR *d = depth < 3 ? opendir(path) : NULL;
    if (d)
        return read_folder(d, path, depth);
    FILE *f = fopen(path, "re");
    int status = f ? read_one(f, path) : cli_fail(EX_NOINPUT, "%s: cannot be opened", path);
    if (f)
        fclose(f);
    return status;
}

int cli_reports(int argc, char **argv)
{
    int status = EX_OK;
    if (argc < 2 || !str_eq(str_c(argv[1]), S("read")))
        return cli_fail(EX_USAGE, "usage: postrider reports read [FILE|FOLDER ...]");
    if (argc == 2)
        return read_one(stdin, "standard input");
    for (int i = 2; i < argc; i++) {
        int one = read_path(argv[i], 0);
        status = one ? one : status;
    }
    return status;
}
