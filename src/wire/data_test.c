#include "wire/data.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct expect {
    const char *in;
    size_t n;  /* of in, since it may hold NUL */
    long used; /* octets used when the end was found, -1: not ended */
    const char *out;
    unsigned flags;
};
#define IN(s) s, sizeof(s) - 1
#define ALL -2 /* ended with the last octet */

static const struct expect dot_cases[] = {
    {IN(".\r\n"), ALL, "", 0},
    {IN("\r\n.\r\n"), ALL, "\r\n", 0},
    {IN("a\r\n.\r\n"), ALL, "a\r\n", 0},
    {IN("a\r\n.\r\nQUIT\r\n"), 6, "a\r\n", 0},
    {IN("..\r\n.\r\n"), ALL, ".\r\n", DATA_DOT_LINE},
    {IN("..a\r\n.\r\n"), ALL, ".a\r\n", DATA_DOT_LINE},
    {IN(".a\r\n.\r\n"), ALL, "a\r\n", 0},
    {IN("a.\r\nb..\r\n.\r\n"), ALL, "a.\r\nb..\r\n", 0},
    {IN("...\r\n.\r\n"), ALL, "..\r\n", DATA_DOT_LINE},
    {IN("a"), -1, "a", 0},
    {IN("a\r\n."), -1, "a\r\n", 0},
    {IN("a\r\n.\r"), -1, "a\r\n", 0},
    /* what must not end a message */
    {IN("a\n.\nb"), -1, "a\n.\nb", DATA_BARE_LF},
    {IN("a\n.\r\nb"), -1, "a\n.\r\nb", DATA_BARE_LF},
    {IN("a\r\n.\nb"), -1, "a\r\n\nb", DATA_BARE_LF},
    {IN("a\r.\rb"), -1, "a\r.\rb", DATA_BARE_CR},
    {IN("a\r.\r\nb"), -1, "a\r.\r\nb", DATA_BARE_CR},
    {IN("a\r\n.\rb"), -1, "a\r\n\rb", DATA_BARE_CR},
    {IN("a\r\n.\r\r\nb"), -1, "a\r\n\r\r\nb", DATA_BARE_CR},
    {IN("a\n.\rb"), -1, "a\n.\rb", DATA_BARE},
    {IN("a\r.\nb"), -1, "a\r.\nb", DATA_BARE},
    {IN("a\n\n.\n\nb"), -1, "a\n\n.\n\nb", DATA_BARE_LF},
    {IN("a\r\r\n.\rb"), -1, "a\r\r\n\rb", DATA_BARE_CR},
    {IN("a\n\r.\r\nb"), -1, "a\n\r.\r\nb", DATA_BARE},
    {IN("a\r\n\0.\r\nb"), -1, "a\r\n", DATA_NUL},
    {IN("a\r\n.\0\r\nb"), -1, "a\r\n", DATA_NUL},
    {IN("a\r\0\n.\r\nb"), -1, "a\r", DATA_NUL | DATA_BARE},
    {IN("a\r\n.\r\0\nb"), -1, "a\r\n\r", DATA_NUL | DATA_BARE},
    {IN("a\r\n .\r\nb"), -1, "a\r\n .\r\nb", 0},
    {IN("a\r\n. \r\nb"), -1, "a\r\n \r\nb", 0},
    {IN("a\r\n.\x0b\r\nb"), -1, "a\r\n\x0b\r\nb", 0},
    {IN("a\r\n.\x85\r\nb"), -1, "a\r\n\x85\r\nb", DATA_8BIT_HEAD},
    {IN("a\n\r\n.\nb"), -1, "a\n\r\n\nb", DATA_BARE_LF},
    {IN("a\r\n.\n\r\nb"), -1, "a\r\n\n\r\nb", DATA_BARE_LF},
    /* bad, but CRLF.CRLF all the same: the end, and the message is refused */
    {IN("a\r\r\n.\r\nb"), 7, "a\r\r\n", DATA_BARE_CR},
    {IN("a\n\r\n.\r\nb"), 7, "a\n\r\n", DATA_BARE_LF},
    {IN("\n.\n\r\n.\r\nb"), 8, "\n.\n\r\n", DATA_BARE_LF},
    {IN("\n.\r\n.\r\n"), ALL, "\n.\r\n", DATA_BARE_LF},
    /* flags */
    {IN("S: \xc3\xa9\r\n\r\na\r\n.\r\n"), ALL, "S: \xc3\xa9\r\n\r\na\r\n", DATA_8BIT_HEAD},
    {IN("S: x\r\n\r\n\xe9\r\n.\r\n"), ALL, "S: x\r\n\r\n\xe9\r\n", DATA_8BIT_BODY},
    {IN("\r\n\xe9\r\n.\r\n"), ALL, "\r\n\xe9\r\n", DATA_8BIT_BODY},
};

static const struct expect chunk_cases[] = {
    {IN(".\r\n"), -1, ".\r\n", DATA_DOT_LINE},
    {IN(""), -1, "", 0},
    {IN("a\r\n.\r\nb\r\n"), -1, "a\r\n.\r\nb\r\n", DATA_DOT_LINE},
    {IN("a"), -1, "a", DATA_UNENDED},
    {IN("a\r"), -1, "a\r", DATA_UNENDED | DATA_BARE_CR},
    {IN("a\n"), -1, "a\n", DATA_UNENDED | DATA_BARE_LF},
    {IN("\r\n"), -1, "\r\n", 0},
    {IN("a\r\n\0\r\n"), -1, "a\r\n", DATA_NUL},
    {IN("a\r\n.\r\n\n"), -1, "a\r\n.\r\n\n", DATA_DOT_LINE | DATA_UNENDED | DATA_BARE_LF},
};

/* Feeds `in` in pieces of `step` octets, into other memory or in place. */
static void feed(const struct expect *e, enum data_mode mode, size_t step, bool in_place, size_t pad)
{
    static char in[4096], mem[4096];
    size_t used = 0, o = 0, n = pad + e->n;
    struct data_in d;
    data_in_init(&d, mode, 998);
    /* lines of 17 octets before the case, so that it falls on any place of a block */
    memset(in, 'x', pad);
    for (size_t end = pad; end >= 2; end = end > 17 ? end - 17 : 0)
        memcpy(in + end - 2, "\r\n", 2);
    if (e->n)
        memcpy(in + pad, e->in, e->n);
    while (used < n && !d.done) {
        size_t k = n - used < step ? n - used : step, got, u;
        char *piece = malloc(k + 1), *out = in_place ? piece : malloc(k + 1);
        memcpy(piece, in + used, k);
        u = data_in_feed(&d, piece, k, out, &got);
        assert_true(u == k || d.done);
        assert_true(got <= k + !in_place);
        memcpy(mem + o, out, got);
        o += got;
        used += u;
        if (out != piece)
            free(out);
        free(piece);
    }
    data_in_end(&d);
    long want = e->used == ALL ? (long)e->n : e->used;
    if ((d.done ? (long)(used - pad) : -1) != want || d.flags != e->flags || d.size != o)
        fail_msg("'%s' step %zu pad %zu: done %d used %zu flags %x want %x size %zu/%zu", e->in, step, pad, d.done,
                 used, d.flags, e->flags, (size_t)d.size, o);
    size_t m = strlen(e->out);
    bool lost = in_place && e->flags & DATA_BARE_CR; /* documented */
    if (!lost && (o < pad + m || memcmp(mem + pad, e->out, m) || memcmp(mem, in, pad)))
        fail_msg("'%s' step %zu pad %zu: output", e->in, step, pad);
    size_t after;
    if (d.done)
        assert_int_equal(data_in_feed(&d, "x", 1, mem, &after), 0);
}

static void all_splits(const struct expect *cases, size_t n, enum data_mode mode)
{
    static const size_t pads[] = {0, 3, 18, 50, 58, 59, 60, 61, 62, 63, 64, 65, 66, 122, 126, 127, 128, 129, 130, 300};
    for (size_t i = 0; i < n; i++)
        for (size_t p = 0; p < sizeof pads / sizeof *pads; p++)
            for (size_t step = 1; step < 400; step += step < 8 ? 1 : step < 140 ? 31 : 131) {
                /* a header of x lines changes no flag, an empty line at its end would */
                if (pads[p] && cases[i].n && cases[i].in[0] == '\r' && cases[i].flags & DATA_8BIT_BODY)
                    continue;
                feed(&cases[i], mode, step, false, pads[p]);
                feed(&cases[i], mode, step, true, pads[p]);
            }
}

static void receive_dot(void **state)
{
    (void)state;
    all_splits(dot_cases, sizeof dot_cases / sizeof *dot_cases, DATA_DOT);
}

static void receive_chunks(void **state)
{
    (void)state;
    all_splits(chunk_cases, sizeof chunk_cases / sizeof *chunk_cases, DATA_CHUNK);
}

static void line_limit(void **state)
{
    (void)state;
    for (size_t len = 990; len < 1010; len++)
        for (int dot = 0; dot < 2; dot++) {
            char in[1100], out[1101];
            size_t n = 0, o;
            struct data_in d;
            if (dot) /* the stuffed dot does not count */
                in[n++] = '.', in[n++] = '.';
            while (n < len + (size_t)dot)
                in[n++] = 'y';
            memcpy(in + n, "\r\n.\r\n", 5);
            data_in_init(&d, DATA_DOT, 998);
            assert_int_equal(data_in_feed(&d, in, n + 5, out, &o), n + 5);
            assert_true(d.done);
            assert_int_equal(d.longest, len);
            assert_int_equal(!!(d.flags & DATA_LONG_LINE), len > 998);
            data_in_init(&d, DATA_CHUNK, 998); /* an open last line counts too */
            data_in_feed(&d, in + dot, len, out, &o);
            data_in_end(&d);
            assert_int_equal(!!(d.flags & DATA_LONG_LINE), len > 998);
            data_in_init(&d, DATA_DOT, 0);
            data_in_feed(&d, in, n + 5, out, &o);
            assert_int_equal(d.flags & DATA_LONG_LINE, 0);
        }
}

static void body_offset(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 150; pad++) {
        char in[400], out[401];
        size_t o;
        struct data_in d;
        int n =
            snprintf(in, sizeof in, "A: %.*s\r\n\r\nbody\xe9\r\n\r\n.\r\n", (int)pad,
                     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        data_in_init(&d, DATA_DOT, 998);
        assert_int_equal(data_in_feed(&d, in, (size_t)n, out, &o), n);
        assert_true(d.head_done && d.done);
        assert_int_equal(d.body_at, pad + 7);
        assert_int_equal(d.flags, DATA_8BIT_BODY);
    }
}

/* Any octets: the block path and the octet path must agree. */
static void blocks_agree(void **state)
{
    (void)state;
    static const char alphabet[] = "\r\n\r\n\r\n..ab\0\xe9xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    uint64_t seed = 42;
    static char in[1000], a[1001], b[1001];
    for (int round = 0; round < 20000; round++) {
        size_t n = 0;
        while (n < 700) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned r = (unsigned)(seed >> 33);
            if (r % 4 == 0)
                in[n++] = '\r', in[n++] = '\n';
            else
                in[n++] = alphabet[r / 4 % (round % 2 ? sizeof alphabet - 1 : 12)];
            if (round % 3)
                for (unsigned k = r % 80; k && n < 700; k--)
                    in[n++] = 'z';
        }
        for (int mode = DATA_DOT; mode <= DATA_CHUNK; mode++) {
            struct data_in x, y, z;
            size_t ox, oy = 0, oz, ux, uy = 0;
            uint32_t limit = round % 5 ? 60 : 70; /* below and above the size of a block */
            data_in_init(&x, (enum data_mode)mode, limit);
            data_in_init(&y, (enum data_mode)mode, limit);
            ux = data_in_feed(&x, in, n, a, &ox);
            while (uy < n && !y.done) {
                size_t k;
                uy += data_in_feed(&y, in + uy, 1, b + oy, &k);
                oy += k;
            }
            assert_int_equal(ux, uy);
            assert_int_equal(ox, oy);
            assert_memory_equal(a, b, ox);
            assert_int_equal(x.flags, y.flags);
            assert_true(x.longest == y.longest || (x.longest < 64 && y.longest < 64));
            assert_int_equal(x.body_at, y.body_at);
            assert_int_equal(x.state, y.state);
            data_in_init(&z, (enum data_mode)mode, limit);
            memcpy(b, in, n);
            assert_int_equal(data_in_feed(&z, b, n, b, &oz), ux); /* all in one call: nothing is lost in place */
            assert_int_equal(ox, oz);
            assert_memory_equal(a, b, ox);
            assert_int_equal(x.flags, z.flags);
        }
    }
}

static const struct {
    const char *in, *out;
} sends[] = {
    {"", ".\r\n"},
    {"a\r\n", "a\r\n.\r\n"},
    {"a", "a\r\n.\r\n"},
    {".\r\n", "..\r\n.\r\n"},
    {".a\r\n..b\r\nc.\r\n", "..a\r\n...b\r\nc.\r\n.\r\n"},
    {"a\r\n.", "a\r\n..\r\n.\r\n"},
    {"a\r\n.\r\nMAIL\r\n", "a\r\n..\r\nMAIL\r\n.\r\n"},
    {"a\n.\nb\r\n", "a . b\r\n.\r\n"},
    {"a\r.\rb\r\n", "a . b\r\n.\r\n"},
    {"a\n.\r\nb\r\n", "a .\r\nb\r\n.\r\n"},
    {"a\r\n.\nb", "a\r\n.. b\r\n.\r\n"},
    {"a\r\n\r\r\n.\r\n", "a\r\n \r\n..\r\n.\r\n"},
    {"a\r", "a\r\n.\r\n"},
    {"\r", "\r\n.\r\n"},
    {"\n", " \r\n.\r\n"},
    {"\r\r", " \r\n.\r\n"},
    {"\n.\n", " . \r\n.\r\n"},
};

static void send_dot(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sends / sizeof *sends; i++)
        for (size_t step = 1; step < 20; step++) {
            char mem[200];
            struct buf out;
            struct data_out d;
            str in = str_c(sends[i].in), piece;
            buf_init_fixed(&out, mem, sizeof mem);
            data_out_init(&d);
            for (size_t at = 0; at < in.n; at += step) {
                str part = str_sub(in, at, at + step);
                while (data_out_next(&d, &part, &piece)) {
                    assert_true(piece.n > 0);
                    buf_add(&out, piece);
                }
            }
            buf_add(&out, data_out_end(&d));
            if (!str_eq(buf_str(&out), str_c(sends[i].out)))
                fail_msg("'%s' step %zu: '%.*s'", sends[i].in, step, (int)out.n, out.p);
        }
}

/* Octets that are in order go as they are, wherever they are cut. */
static void whole(void **state)
{
    (void)state;
    static const char *const rows[] = {"a\r\nb\r\n", "a\r\n\r\nb", "\r\n", "x"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t step = 1; step < 9; step++) {
            str in = str_c(rows[i]), piece;
            char mem[64];
            struct buf out;
            struct data_out d;
            buf_init_fixed(&out, mem, sizeof mem);
            data_out_init(&d);
            for (size_t at = 0; at < in.n; at += step) {
                str part = str_sub(in, at, at + step);
                if (data_out_whole(&d, part))
                    buf_add(&out, part);
                else
                    while (data_out_next(&d, &part, &piece))
                        buf_add(&out, piece);
            }
            buf_add(&out, data_out_end(&d));
            str end = str_ends(in, S("\r\n")) ? S(".\r\n") : S("\r\n.\r\n");
            assert_true(str_eq(str_sub(buf_str(&out), 0, in.n), in));
            assert_true(str_eq(str_skip(buf_str(&out), in.n), end));
        }
}

static const struct {
    const char *in, *out;
} texts[] = {
    {"", ""},
    {"a", "a\r\n"},
    {"a\n", "a\r\n"},
    {"a\r\n", "a\r\n"},
    {"a\r\r\n", "a\r\n"},
    {"a\rb\n", "a b\r\n"},
    {"a\r", "a\r\n"},
    {"\n\n", "\r\n\r\n"},
    {".\n", ".\r\n"},
    {"a\n\rb", "a\r\n b\r\n"},
};

static void local_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t step = 1; step < 6; step++) {
            char mem[100];
            struct buf out;
            struct data_text t = {0};
            str in = str_c(texts[i].in);
            buf_init_fixed(&out, mem, sizeof mem);
            for (size_t at = 0; at < in.n; at += step)
                data_text_feed(&t, str_sub(in, at, at + step), &out);
            data_text_end(&t, &out);
            if (!str_eq(buf_str(&out), str_c(texts[i].out)))
                fail_msg("'%s' step %zu: '%.*s'", texts[i].in, step, (int)out.n, out.p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(receive_dot),  cmocka_unit_test(receive_chunks),
                                       cmocka_unit_test(line_limit),   cmocka_unit_test(body_offset),
                                       cmocka_unit_test(blocks_agree), cmocka_unit_test(send_dot),
                                       cmocka_unit_test(whole),        cmocka_unit_test(local_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
