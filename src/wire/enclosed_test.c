/* Where the report is in a message: examples of RFCs, encodings, nesting, bombs. */
#include "base/test.h"
#include "wire/enclosed.c"

static void file(struct buf *out, const char *path)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    buf_init(out, 65536);
    out->n = fread(buf_room(out, 65536), 1, 65536, f);
    fclose(f);
}

static void examples(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum enclosed_kind kind;
        const char *begins, *original;
    } rows[] = {
        {"tests/corpus/enclosed/rfc5965-b2.eml", ENCLOSED_FEEDBACK, "Feedback-Type: abuse", "From: <somespammer"},
        {"tests/corpus/enclosed/rfc6591-b1.eml", ENCLOSED_FEEDBACK, "Feedback-Type: auth-failure",
         "Authentication-Results: mta1011"},
        {"tests/corpus/enclosed/dmarc-gzip.eml", ENCLOSED_DMARC, "<?xml", NULL},
        {"tests/corpus/enclosed/dmarc-zip.eml", ENCLOSED_DMARC, "<?xml", NULL},
        {"tests/corpus/enclosed/tls.eml", ENCLOSED_TLS, "{", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf in, text;
        struct enclosed got;
        file(&in, rows[i].path);
        buf_init(&text, 65536);
        assert_int_equal(enclosed_find(buf_str(&in), &text, &got), OK);
        assert_int_equal(got.kind, rows[i].kind);
        assert_true(str_starts(str_trim(got.text), str_c(rows[i].begins)));
        assert_true(!rows[i].original == !got.original.n);
        assert_true(!rows[i].original || str_starts(str_trim(got.original), str_c(rows[i].original)));
        for (size_t n = 0; n < in.n; n += 11) { /* any cut ends somewhere */
            buf_clear(&text);
            (void)enclosed_find(str_sub(buf_str(&in), 0, n), &text, &got);
        }
        buf_free(&in);
        buf_free(&text);
    }
}

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        err e;
        const char *text;
    } rows[] = {
        {"Content-Type: text/xml\r\n\r\n<feedback/>\r\n", OK, "<feedback/>"},
        {"Content-Type: TEXT/XML; charset=x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<fee=64b=\r\nack/>",
         OK, "<feedback/>"},
        {"Content-Type: application/tlsrpt+json\r\nContent-Transfer-Encoding: base64\r\n\r\neyJ4\r\nIjoxfQ\r\n", OK,
         "{\"x\":1}"},
        {"Content-Type: text/plain\r\n\r\n<feedback/>\r\n", E_NOT_FOUND, NULL},
        {"Content-Type: text/xmlish\r\n\r\n<feedback/>\r\n", E_NOT_FOUND, NULL},
        {"Content-Type: application/octet-stream\r\n\r\nhello\r\n", E_NOT_FOUND, NULL},
        {"Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\nH4sI////\r\n", E_SYNTAX, NULL},
        {"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nhello\r\n--ab\r\n--a \r\nContent-Type: "
         "text/xml\r\n\r\n"
         "<x/>\r\n--a--\r\n",
         OK, "<x/>"},
        {"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a--\r\n--a\r\nContent-Type: text/xml\r\n\r\n<x/>\r\n",
         E_NOT_FOUND, NULL}, /* behind the end */
        {"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/xml\n\n<x/>\n", OK, "<x/>"}, /* no end */
        {"", E_NOT_FOUND, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text;
        struct enclosed got;
        buf_init(&text, 1000);
        assert_int_equal(enclosed_find(str_c(rows[i].message), &text, &got), rows[i].e);
        if (rows[i].text)
            assert_str(got.text, rows[i].text);
        buf_free(&text);
    }
}

static void nested(struct buf *out, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_printf(out, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    buf_add_c(out, "Content-Type: text/xml\r\n\r\n<x/>\r\n");
}

static void limits(void **state)
{
    (void)state;
    struct buf b, text;
    struct enclosed got;
    buf_init(&b, 1 << 20);
    buf_init(&text, 4);
    nested(&b, ENCLOSED_DEPTH_MAX);
    buf_add_c(&b, "");
    assert_int_equal(enclosed_find(buf_str(&b), &text, &got), E_LIMIT); /* "<x/>\r\n" is six octets */
    buf_free(&text);
    buf_init(&text, 6);
    assert_int_equal(enclosed_find(buf_str(&b), &text, &got), OK);
    buf_clear(&b);
    buf_clear(&text);
    nested(&b, ENCLOSED_DEPTH_MAX + 1);
    assert_int_equal(enclosed_find(buf_str(&b), &text, &got), E_LIMIT);
    for (int n = ENCLOSED_PARTS_MAX - 2; n <= ENCLOSED_PARTS_MAX - 1; n++) { /* with the whole and the report itself */
        buf_clear(&b);
        buf_clear(&text);
        buf_add_c(&b, "Content-Type: multipart/mixed; boundary=a\r\n\r\n");
        for (int i = 0; i < n; i++)
            buf_add_c(&b, "--a\r\n\r\nhello\r\n");
        buf_add_c(&b, "--a\r\nContent-Type: text/xml\r\n\r\n<x/>\r\n--a--\r\n");
        assert_int_equal(enclosed_find(buf_str(&b), &text, &got), n == ENCLOSED_PARTS_MAX - 2 ? OK : E_LIMIT);
    }
    buf_free(&b);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(forms), cmocka_unit_test(limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
