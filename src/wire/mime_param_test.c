#include "wire/mime_param.h"

#include "base/test.h"
#include "wire/mime.h"

/* ---- names ---- */

static const struct {
    const char *value, *param, *want; /* names joined by "|" */
} names[] = {
    {"attachment", "filename", ""},
    {"attachment; filename=a.exe", "filename", "a.exe"},
    {"attachment; FileName = \"a b.exe\"", "filename", "a b.exe"},
    {"attachment; filename=\"a\\\"b.exe\"; x=y", "filename", "a\"b.exe"},
    {"attachment; filename=a b.exe", "filename", "a|a b.exe"},
    {"attachment; filename=\"a.txt\"; filename=\"b.exe\"", "filename", "a.txt|b.exe"},
    {"attachment (a;filename=c) ; x; =; filename=b.exe", "filename", "c)|b.exe"},
    {"attachment; filename=\"unclosed.exe", "filename", "unclosed.exe"},
    {"attachment; filename=\"a\r\n .exe\"", "filename", "a .exe"},
    {"attachment; filename=\"a.exe\x01.\"", "filename", "a.exe."},
    /* RFC 2231 4.1 */
    {"application/x-stuff; name*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "name", "This is ***fun***"},
    {"application/x-stuff; name*0*=us-ascii'en'This%20is%20even%20more%20; name*1*=%2A%2A%2Afun%2A%2A%2A%20; "
     "name*2=\"isn't it!\"",
     "name", "This is even more ***fun*** isn't it!"},
    {"a/b; name*2=xe; name*0=\"pdf\"; name*1=\".e\"", "name", "pdf.exe"},
    {"a/b; name*0*=iso-8859-1''%E9.e; name*1=xe", "name", "\xc3\xa9.exe"},
    {"a/b; name*64=a; name*x=b; name*=plain.exe", "name", "plain.exe"},
    {"a/b; name*=utf-8''%e2%82%ac.exe; name=\"EURO.exe\"", "name", "\xe2\x82\xac.exe|EURO.exe"},
    {"a/b; name*=utf-16le''a%00.%00e%00x%00e%00", "name", "a.exe"},
    /* RFC 2047 where it may not stand */
    {"a/b; name=\"=?utf-8?B?YS5leGU=?=\"", "name", "a.exe"},
    {"a/b; name=\"=?utf-8?Q?a=2E?= =?us-ascii*en?q?exe?=\"", "name", "a.exe"},
    {"a/b; name==?iso-8859-1?Q?=E9_x.exe?=", "name", "\xc3\xa9 x.exe"},
    {"a/b; name=\"=?utf-8?X?a?= =?\"", "name", "=?utf-8?X?a?= =?"},
    {"a/b; name=\"=?utf-16be?B?AGEALgBlAHgAZQ==?=\"", "name", "a.exe"},
};

static void file_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct arena a;
        char mem[1000];
        struct buf got;
        str v[MIME_NAMES_MAX];
        bool controls = false;
        arena_init(&a, 1024, 65536);
        buf_init_fixed(&got, mem, sizeof mem);
        size_t n = mime_names(str_c(names[i].value), str_c(names[i].param), &a, v, &controls);
        for (size_t j = 0; j < n; j++) {
            buf_add(&got, j ? S("|") : S(""));
            buf_add(&got, v[j]);
        }
        if (!str_eq(buf_str(&got), str_c(names[i].want)))
            fail_msg("%s: %.*s", names[i].value, (int)got.n, mem);
        assert_int_equal(controls, strchr(names[i].value, 1) != NULL);
        arena_free(&a);
    }
}

/* A name of any length keeps its end; of many names some are left out. */
static void limits(void **state)
{
    (void)state;
    static char value[70000];
    struct arena a;
    str v[MIME_NAMES_MAX];
    arena_init(&a, 1024, 65536);
    for (size_t n = 1015; n < 1040; n++) {
        int at = sprintf(value, "a; name=\"");
        memset(value + at, 'x', n);
        sprintf(value + at + n, ".exe\"");
        assert_int_equal(mime_names(str_c(value), S("name"), &a, v, NULL), 1);
        assert_true(str_ends(v[0], S("x.exe")) && v[0].n <= MIME_NAME_MAX);
        assert_int_equal(v[0].n == n + 4, n + 4 <= MIME_NAME_MAX);
        arena_reset(&a);
    }
    int at = 0;
    for (int i = 0; i < MIME_NAMES_MAX + 1; i++)
        at += sprintf(value + at, "; name=%d.exe", i);
    assert_int_equal(mime_names(str_c(value), S("name"), &a, v, NULL), MIME_NAMES_MAX);
    arena_free(&a);
}

/* ---- transfer encodings ---- */

static const struct {
    enum mime_coding coding;
    const char *in, *want;
} codings[] = {
    {MIME_CODING_NONE, "a=3D\r\n", "a=3D\r\n"},
    {MIME_CODING_BASE64, "aGVs\r\nbG8=\r\n", "hello"},
    {MIME_CODING_BASE64, "aGVsbG8", "hello"},
    {MIME_CODING_BASE64, "aG*Vs!bG8=", "hello"},
    {MIME_CODING_BASE64, "aGVs\r\nbG8=aGVsbG8=", "hellohello"},
    {MIME_CODING_BASE64, "", ""},
    {MIME_CODING_QP, "a=3Db=\r\nc", "a=bc"},
    {MIME_CODING_QP, "a=3db= \t\r\nc=\nd", "a=bcd"},
    {MIME_CODING_QP, "a=xb=4", "a=xb=4"},
    {MIME_CODING_QP, "a==41=", "a=A="},
    {MIME_CODING_QP, "x\r\ny=0D=0A", "x\r\ny\r\n"},
};

static void decoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(codings); i++)
        for (size_t step = 1; step < 5; step++) {
            struct mime_decoder d = {.coding = codings[i].coding};
            str in = str_c(codings[i].in);
            char out[100];
            size_t n = 0;
            for (size_t at = 0; at < in.n; at += step)
                n += mime_decode(&d, str_sub(in, at, at + step), out + n);
            n += mime_decode_end(&d, out + n);
            out[n] = 0;
            assert_string_equal(out, codings[i].want);
            assert_int_equal(d.foreign, strchr(codings[i].in, '*') != NULL);
        }
}

/* ---- types, and the look at a message ---- */

static void types(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Text/PLAIN; charset=x", "text/plain"}, {" a (b) / c", "a/c"}, {"text", ""}, {"/x", ""}, {"a/", ""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char mem[20];
        struct buf b;
        buf_init_fixed(&b, mem, sizeof mem);
        mime_type_of(str_c(rows[i][0]), &b);
        assert_str(buf_str(&b), rows[i][1]);
    }
}

static void saw_head(void *arg, const struct mime_seen *e)
{
    buf_printf(arg, "<%u.%u%s%s ", e->number, e->depth, e->whole ? " whole" : "", e->leaf ? "" : " inside>");
}
static void saw_text(void *arg, str s) { buf_add(arg, s); }
static void saw_end(void *arg) { buf_add(arg, S(">")); }

static void looks(void **state)
{
    (void)state;
    static const struct mime_visitor v = {saw_head, saw_text, saw_end};
    static const char message[] =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\ntwo\r\n--b\r\nC: d\r\n--b--\r\nx";
    for (size_t step = 1; step < sizeof message; step++) {
        char mem[500];
        struct buf got;
        struct mime *m = mime_new();
        buf_init_fixed(&got, mem, sizeof mem);
        mime_look(m, &v, &got);
        for (size_t at = 0; at < sizeof message - 1; at += step)
            assert_int_equal(mime_look_at(m, str_sub(str_c(message), at, at + step)), OK);
        assert_int_equal(mime_look_end(m), OK);
        assert_str(buf_str(&got), "<0.0 whole inside> <1.1 one\r\n><2.1 inside> <3.2 two><4.1 >");
        mime_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(file_names), cmocka_unit_test(limits),
                                       cmocka_unit_test(decoding), cmocka_unit_test(types), cmocka_unit_test(looks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
