#include "wire/mime.c"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static char mem[600000];
static struct buf out;

static struct mime_info run(str in, size_t step, err *ret_e)
{
    struct mime *m = mime_new();
    struct mime_info info = {0};
    err e = OK;
    buf_init_fixed(&out, mem, sizeof mem);
    for (size_t at = 0; at < in.n; at += step)
        mime_scan(m, str_sub(in, at, at + step));
    e = mime_scan_end(m, &info);
    if (!e && !info.bad) {
        for (size_t at = 0; !e && at < in.n; at += step)
            e = mime_convert(m, str_sub(in, at, at + step), &out);
        e = e ? e : mime_convert_end(m, &out);
    } else {
        assert_int_equal(mime_convert(m, in, &out), E_UNSUPPORTED);
    }
    mime_free(&m);
    *ret_e = e;
    return info;
}

#define MULTI "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b b\"\r\n"
#define CTE8 "Content-Transfer-Encoding: 8bit\r\n"
#define CTE7 "Content-Transfer-Encoding: 7bit\r\n"
#define QP "Content-Transfer-Encoding: quoted-printable\r\n"
#define B64 "Content-Transfer-Encoding: base64\r\n"
#define TEXT "Content-Type: text/plain; charset=utf-8\r\n"
#define L100 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define SOFT75 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=\r\n"
#define X25 "xxxxxxxxxxxxxxxxxxxxxxxxx"
#define IN(s) S_INIT(s)

static const struct {
    str in, want; /* want.p NULL: bad */
} cases[] = {
    /* nothing to do */
    {IN("A: b\r\n\r\nhello\r\n"), IN("A: b\r\n\r\nhello\r\n")},
    {IN("A: b\r\n\r\nhello"), IN("A: b\r\n\r\nhello")},
    {IN("A: b\r\n"), IN("A: b\r\n")},
    {IN(""), IN("")},
    {IN("\r\nbody\r\n"), IN("\r\nbody\r\n")},
    {IN("A: b\r\n" CTE8 "\r\nhello\r\n"), IN("A: b\r\n" CTE7 "\r\nhello\r\n")},
    {IN("A: \xc3\xa9\r\n\r\nhello\r\n"), IN("A: \xc3\xa9\r\n\r\nhello\r\n")},
    /* one part */
    {IN("MIME-Version: 1.0\r\n" TEXT CTE8 "\r\n\xc3\xa9=\r\nx \r\n"),
     IN("MIME-Version: 1.0\r\n" TEXT QP "\r\n=C3=A9=3D\r\nx=20\r\n")},
    {IN("A: b\r\n\r\n\xe9"),
     IN("A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" QP "\r\n=E9")},
    {IN("MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\r\n"),
     IN("MIME-Version: 1.0\r\nContent-Type: image/png\r\n" B64 "\r\n/w0K\r\n")},
    {IN("MIME-Version: 1.0\r\n" TEXT "Content-Transfer-Encoding: binary\r\n\r\na\nb"),
     IN("MIME-Version: 1.0\r\n" TEXT B64 "\r\nYQpi\r\n")},
    /* long lines */
    {IN("MIME-Version: 1.0\r\n\r\n" L100 L100 L100 L100 L100 L100 L100 L100 L100 L100 "\r\n"),
     IN("MIME-Version: 1.0\r\n" QP
        "\r\n" SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 SOFT75 X25 "\r\n")},
    /* multipart: only the leaf that needs it */
    {IN(MULTI CTE8 "\r\npre\r\n--b b\r\n" TEXT CTE8 "\r\n\xc3\xa9\r\n--b b\r\n" TEXT
                   "\r\nplain\r\n\r\n--b b--\r\nepi\r\n"),
     IN(MULTI CTE7 "\r\npre\r\n--b b\r\n" TEXT QP "\r\n=C3=A9\r\n--b b\r\n" TEXT
                   "\r\nplain\r\n\r\n--b b--\r\nepi\r\n")},
    {IN(MULTI "\r\n--b b\r\nContent-Type: a/b\r\n\r\n\xff\r\n--b b--\r\n"),
     IN(MULTI "\r\n--b b\r\nContent-Type: a/b\r\n" B64 "\r\n/w==\r\n--b b--\r\n")},
    /* the CRLF before a delimiter is not content; an empty part; blanks behind a delimiter */
    {IN(MULTI "\r\n--b b \t\r\n\r\n--b b\r\n\r\n\xc3\xa9\r\n\r\n--b b--"),
     IN(MULTI "\r\n--b b \t\r\n\r\n--b b\r\n" QP "\r\n=C3=A9\r\n\r\n--b b--")},
    /* no delimiter: longer words, bare LF before it */
    {IN(MULTI "\r\n--b b\r\n\r\n\xc3\xa9\r\n--b bx\r\n--b b--\r\n"),
     IN(MULTI "\r\n--b b\r\n" QP "\r\n=C3=A9\r\n--b bx\r\n--b b--\r\n")},
    /* preamble and epilogue are made clean */
    {IN(MULTI "\r\n\xc3\r\n--b b\r\n\r\nx\r\n--b b--\r\n\xe9\r\n"),
     IN(MULTI "\r\n?\r\n--b b\r\n\r\nx\r\n--b b--\r\n?\r\n")},
    /* a message inside, relabelled */
    {IN("Content-Type: message/rfc822\r\n" CTE8 "\r\nA: b\r\n\r\n\xe9\r\n"),
     IN("Content-Type: message/rfc822\r\n" CTE7 "\r\nA: b\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=unknown-8bit\r\n" QP "\r\n=E9\r\n")},
    {IN("Content-Type: multipart/digest; boundary=q\r\n\r\n--q\r\n\r\nA: b\r\n\r\n\xe9\r\n--q--\r\n"),
     IN("Content-Type: multipart/digest; boundary=q\r\n\r\n--q\r\n\r\nA: b\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=unknown-8bit\r\n" QP "\r\n=E9\r\n--q--\r\n")},
    {IN("Content-Type: message/global\r\n" CTE8 "\r\nA: \xc3\xa9\r\n"),
     IN("Content-Type: message/global\r\nMIME-Version: 1.0\r\n" B64 "\r\nQTogw6kNCg==\r\n")},
    /* encoded already, but badly */
    {IN("MIME-Version: 1.0\r\n" QP "\r\na=3D\xe9 =\r\n"), IN("MIME-Version: 1.0\r\n" QP "\r\na=3D=E9 =\r\n")},
    {IN("MIME-Version: 1.0\r\n" B64 "\r\nYW\xe9Jj\r\n"), IN("MIME-Version: 1.0\r\n" B64 "\r\nYWJj\r\n")},
    /* a body without an empty line before it */
    {IN("A: b\r\nno field \xe9\r\n"),
     IN("A: b\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=unknown-8bit\r\n" QP "\r\nno field =E9\r\n")},
    {IN("A: b\r\nno field\r\nX: y\r\n"), IN("A: b\r\nno field\r\nX: y\r\n")},
    /* cannot be */
    {IN("A: b\nX\r\n\r\n\xe9\r\n"), {NULL, 0}},
    {IN("Content-Type: message/partial\r\n\r\n\xe9\r\n"), {NULL, 0}},
    {IN("Content-Type: multipart/mixed\r\n\r\n\xe9\r\n"), {NULL, 0}},
    {IN("Content-Transfer-Encoding: x-uue\r\n\r\n\xe9\r\n"), {NULL, 0}},
    /* a boundary that ends the header of a part early; nested boundaries, the inner left open */
    {IN(MULTI "\r\n--b b\r\nX: y\r\n--b b--\r\n"), IN(MULTI "\r\n--b b\r\nX: y\r\n--b b--\r\n")},
    {IN(MULTI "\r\n--b b\r\nContent-Type: multipart/x; boundary=i\r\n\r\n--i\r\n\r\n\xe9\r\n--b b--\r\n"),
     IN(MULTI "\r\n--b b\r\nContent-Type: multipart/x; boundary=i\r\n\r\n--i\r\n" QP "\r\n=E9\r\n--b b--\r\n")},
};

static void conversion(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 3000; step = step < 20 ? step + 1 : step * 3) {
            err e;
            struct mime_info info = run(cases[i].in, step, &e);
            if (info.bad != (cases[i].want.p == NULL))
                fail_msg("%zu step %zu: bad %d", i, step, info.bad);
            if (cases[i].want.p && (e || !str_eq(buf_str(&out), cases[i].want)))
                fail_msg("%zu step %zu: %s\n%.*s", i, step, err_name(e), (int)out.n, out.p);
        }
}

static void what_it_finds(void **state)
{
    (void)state;
    err e;
    struct mime_info i = run(S("A: \xe9\r\n\r\nb\r\n"), 5, &e);
    assert_true(i.head_8bit && !i.body_8bit && !i.bad && i.parts == 1);
    i = run(S("A: b\r\n\r\n\xe9\n\r\n"), 5, &e);
    assert_true(!i.head_8bit && i.body_8bit && i.binary && !i.long_line);
    i = run(S(MULTI "\r\n--b b\r\nX: \xe9\r\n\r\n--b b--\r\n"), 7, &e);
    assert_true(i.head_8bit && i.parts == 2);
}

/* Depth, parts and header size end in an error, not in trouble. */
static void limits(void **state)
{
    (void)state;
    static char big[MIME_HEAD_MAX + 100];
    struct buf b;
    err e;
    for (int depth = 18; depth < 24; depth++) {
        buf_init_fixed(&b, big, sizeof big);
        for (int i = 0; i < depth; i++)
            buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
        buf_add(&b, S("\r\n\xe9\r\n"));
        struct mime_info info = run(buf_str(&b), 1000, &e);
        assert_int_equal(info.bad, depth > MIME_DEPTH_MAX);
        assert_int_equal(e, depth > MIME_DEPTH_MAX ? E_LIMIT : OK);
    }
    buf_init_fixed(&b, big, sizeof big);
    for (int i = 0; i < 30; i++)
        buf_add(&b, S("Content-Type: message/rfc822\r\n\r\n"));
    run(buf_str(&b), 1000, &e);
    assert_int_equal(e, E_LIMIT);
    buf_init_fixed(&b, big, sizeof big);
    buf_add(&b, S(MULTI "\r\n"));
    for (int i = 0; i < MIME_PARTS_MAX; i++)
        buf_add(&b, S("--b b\r\n\r\n"));
    run(buf_str(&b), 1000, &e);
    assert_int_equal(e, E_LIMIT);
    memset(big, 'x', sizeof big);
    memcpy(big, "X: ", 3);
    run((str){big, sizeof big}, 1000, &e);
    assert_int_equal(e, E_LIMIT);
}

static void quoted_printable(void **state)
{
    (void)state;
    buf_init_fixed(&out, mem, sizeof mem);
    mime_qp_line(&out, S("a=b\t"));
    assert_true(str_eq(buf_str(&out), S("a=3Db=09")));
    buf_clear(&out);
    mime_qp_line(&out, S(L100));
    assert_true(str_eq(buf_str(&out), S(SOFT75 X25)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conversion), cmocka_unit_test(what_it_finds),
                                       cmocka_unit_test(limits), cmocka_unit_test(quoted_printable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
