#include "scan/scan.h"

#include "base/test.h"
#include "scan/test_files.h"

#define B64 "Content-Transfer-Encoding: base64\r\n"
#define FILE_OF(name, octets)                                                                                          \
    "Content-Type: application/octet-stream\r\n" B64 "Content-Disposition: attachment; filename=" name "\r\n\r"        \
    "\n" octets
#define MIXED "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"

static const char *const flag_words[] = {"attached", "encrypted", "damaged", "macros", "active", "unreadable",
                                         "hidden",   "other",     "inside",  "whole",  "code",   "gtube"};

/* "PART NAME type flag,flag; ..." */
static void print(struct buf *out, const struct scan_found *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct scan_item *it = &f->v[i];
        buf_printf(out, "%s%u <" STR_FMT "> %s", i ? "; " : "", it->part, STR_ARG(it->name), scan_type_word(it->type));
        const char *sep = " ";
        for (size_t k = 0; k < COUNT(flag_words); k++)
            if (it->flags & 1u << k && k != 0 && k != 9) {
                buf_printf(out, "%s%s", sep, flag_words[k]);
                sep = ",";
            }
    }
    if (f->incomplete)
        buf_printf(out, " (%s)", f->incomplete);
}

static void look(str in, size_t step, const struct scan_limits *limits, struct buf *out)
{
    const struct scan_found *f;
    struct scan_look *l = scan_look_new(limits);
    assert_non_null(l);
    for (size_t at = 0; at < in.n; at += step)
        assert_int_equal(scan_look_at(l, str_sub(in, at, at + step)), OK);
    assert_int_equal(scan_look_end(l, &f), OK);
    print(out, f);
    scan_look_free(&l);
}

static const struct {
    const char *message, *want;
} cases[] = {
    /* parts */
    {"A: b\r\n\r\nhello\r\n", "0 <> text"},
    {"", "0 <> empty"},
    {"Content-Type: text/plain; name=a.txt\r\nContent-Disposition: inline; filename=\"b.exe\"\r\n\r\nhello",
     "0 <a.txt> text; 0 <b.exe> empty other"},
    {"Content-Disposition: attachment; filename=\"a\xe2\x80\xaetxt.exe\"\r\n\r\nhello",
     "0 <a\xe2\x80\xaetxt.exe> text hidden"},
    {"Content-Disposition: attachment; filename=\"a\x01.exe\"\r\n\r\nhello", "0 <a.exe> text hidden"},
    {MIXED "--b\r\n\r\none\r\n--b\r\nContent-Type: image/png; name=x.png\r\n" B64 "\r\n" PE "--b--\r\n",
     "1 <> text; 2 <x.png> pe"},
    {MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\n" FILE_OF("x", PE) "--b--\r\n", "2 <x> pe"},
    {FILE_OF("x", "TVp*h"), "0 <x> text code"},
    {"Content-Transfer-Encoding: quoted-printable\r\n\r\n%PD=46-1.4 /Jav=\r\naScript", "0 <> pdf active"},
    {"Content-Transfer-Encoding: "
     "base64\r\n\r\nWEpTKkM0SkRCUUFETjEuTlNCTjMqMklETkVOKkdUVUJFLVNUQU5EQVJELUFOVEktVUJFLVRFU1Qt\r\n"
     "RU1BSUwqQy4zNFgNCg==\r\n",
     "0 <> text gtube"},
    /* documents */
    {FILE_OF("a.doc", OLE_MACRO), "0 <a.doc> ole macros"},
    {FILE_OF("a.pdf", PDF_RUNS), "0 <a.pdf> pdf active"},
    {FILE_OF("a.docx", DOCX), "0 <a.docx> ooxml; 0 <[Content_Types].xml> xml inside; 0 <word/document.xml> xml inside"},
    {FILE_OF("a.docx", DOCM), "0 <a.docx> ooxml macros; 0 <[Content_Types].xml> xml inside; 0 <word/document.xml> xml "
                              "inside; 0 <word/vbaProject.bin> ole inside"},
    /* archives */
    {FILE_OF("a.zip", ZIP_EXE), "0 <a.zip> zip; 0 <docs/readme.txt> text inside; 0 <docs/run.exe> pe inside"},
    {FILE_OF("a.zip", ZIP_STORED), "0 <a.zip> zip; 0 <a.txt> text inside; 0 <b.dat> pe inside"},
    {FILE_OF("a.zip", ZIP_STREAMED), "0 <a.zip> zip; 0 <a.txt> text inside; 0 <b.scr> pe inside"},
    {FILE_OF("a.zip", ZIP_CUT), "0 <a.zip> zip damaged; 0 <a.txt> text inside; 0 <b.exe> pe inside"},
    {FILE_OF("a.zip", ZIP_SECRET), "0 <a.zip> zip encrypted; 0 <a.exe> data encrypted,inside"},
    {FILE_OF("a.zip", ZIP_STORED_SHORT), "0 <a.zip> zip damaged; 0 <b.txt> pe inside; 0 <c.txt> text inside"},
    {FILE_OF("a.zip", ZIP_STORED_NONE), "0 <a.zip> zip damaged; 0 <b.txt> pe inside; 0 <c.txt> text inside"},
    {FILE_OF("a.zip", ZIP_STORED_STREAMED), "0 <a.zip> zip; 0 <b.txt> pe inside; 0 <c.txt> text inside"},
    {FILE_OF("a.zip", ZIP_DEFLATED_SHORT), "0 <a.zip> zip damaged; 0 <b.txt> pe inside; 0 <c.txt> text inside"},
    {FILE_OF("a.zip", ZIP_DEFLATED_NONE), "0 <a.zip> zip damaged; 0 <b.txt> pe inside; 0 <c.txt> text inside"},
    {FILE_OF("a.zip", ZIP_DEFLATED_LONG), "0 <a.zip> zip damaged; 0 <b.txt> pe inside; 0 <c.txt> text inside"},
    {MIXED "--b\r\n\r\none\r\n--b\r\n" FILE_OF("a.zip", ZIP_STORED) "--b\r\n" FILE_OF("b.zip", ZIP_STORED) "--b--\r\n",
     "1 <> text; 2 <a.zip> zip; 2 <a.txt> text inside; 2 <b.dat> pe inside; 3 <b.zip> zip; 3 <a.txt> text inside; "
     "3 <b.dat> pe inside"},
    {FILE_OF("a.zip", ZIP_JUNK), "0 <a.zip> zip; 0 <b.exe> pe inside"},
    {FILE_OF("a.zip", ZIP_TWO_NAMES), "0 <a.zip> zip damaged; 0 <a.txt> text inside; 0 <b.exe> data damaged,inside"},
    {FILE_OF("a.zip", ZIP_TWO),
     "0 <a.zip> ooxml damaged; 0 <[Content_Types].xml> xml inside; 0 <word/document.xml> xml "
     "inside; 0 <b.exe> pe inside"},
    {FILE_OF("a.zip", JAR), "0 <a.zip> jar; 0 <META-INF/MANIFEST.MF> text inside; 0 <A.class> java-class inside"},
    {FILE_OF("a.tgz", TGZ), "0 <a.tgz> gzip; 0 <> tar inside; 0 <a.txt> text inside; 0 <dir/b.exe> pe inside"},
    {FILE_OF("a.exe.gz", GZ_EXE), "0 <a.exe.gz> gzip; 0 <a.exe> pe inside"},
    {FILE_OF("a.rar", RAR4), "0 <a.rar> rar encrypted; 0 <a.txt> data inside; 0 <b.exe> data encrypted,inside"},
    {FILE_OF("a.rar", RAR4_SECRET), "0 <a.rar> rar encrypted,unreadable"},
    {FILE_OF("a.rar", RAR5), "0 <a.rar> rar5 encrypted; 0 <a.txt> data inside; 0 <b.exe> data encrypted,inside"},
    {FILE_OF("a.rar", RAR5_SECRET), "0 <a.rar> rar5 encrypted,unreadable"},
    {FILE_OF("a.7z", SEVENZIP), "0 <a.7z> 7z; 0 <a.exe> empty inside"},
    {FILE_OF("a.7z", SEVENZIP_PACKED), "0 <a.7z> 7z unreadable"},
};

/* The size of the pieces does not matter. */
static void finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t step = 1; step < 4000; step = step * 3 + 1) {
            char mem[2000];
            struct buf got;
            buf_init_fixed(&got, mem, sizeof mem);
            look(str_c(cases[i].message), step, &SCAN_LIMITS, &got);
            if (!str_eq(buf_str(&got), str_c(cases[i].want)))
                fail_msg("case %zu, pieces of %zu:\n is   %.*s\n want %s", i, step, (int)got.n, mem, cases[i].want);
        }
}

/* Names above 100 octets, in the ways of GNU and of POSIX. */
static void long_names(void **state)
{
    (void)state;
    static const char *const rows[] = {FILE_OF("a.tgz", TGZ_LONG), FILE_OF("a.tgz", TGZ_PAX)};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct scan_found *f;
        struct scan_look *l = scan_look_new(&SCAN_LIMITS);
        assert_int_equal(scan_look_at(l, str_c(rows[i])), OK);
        assert_int_equal(scan_look_end(l, &f), OK);
        assert_int_equal(f->n, 3);
        assert_true(f->v[2].name.n > 120 && str_ends(f->v[2].name, S(".exe")) && f->v[2].type == SCAN_PE);
        scan_look_free(&l);
    }
}

static void limits(void **state)
{
    (void)state;
    char mem[2000];
    struct buf got;
    buf_init_fixed(&got, mem, sizeof mem);
    look(str_c(FILE_OF("a.zip", ZIP_EXE)), 100, &(struct scan_limits){3, 1000}, &got);
    assert_null(memmem(mem, got.n, "(", 1));
    buf_clear(&got);
    look(str_c(FILE_OF("a.zip", ZIP_EXE)), 100, &(struct scan_limits){2, 1000}, &got);
    assert_str(buf_str(&got), "0 <a.zip> zip; 0 <docs/readme.txt> text inside (too many parts and files)");
    buf_clear(&got);
    look(str_c(FILE_OF("a.zip", ZIP_EXE)), 100, &(struct scan_limits){3, 81}, &got); /* 5 and 76 octets */
    assert_null(memmem(mem, got.n, "(", 1));
    buf_clear(&got);
    look(str_c(FILE_OF("a.zip", ZIP_EXE)), 100, &(struct scan_limits){3, 80}, &got);
    assert_non_null(memmem(mem, got.n, "(an archive unpacks to too much)", 32));
}

static void nesting(void **state)
{
    (void)state;
    static char text[4000];
    for (int depth = 20; depth < 22; depth++) {
        char mem[200];
        struct buf got;
        int at = 0;
        for (int i = 0; i < depth; i++)
            at += sprintf(text + at, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
        sprintf(text + at, "\r\nhello\r\n");
        buf_init_fixed(&got, mem, sizeof mem);
        look(str_c(text), 100, &SCAN_LIMITS, &got);
        assert_int_equal(memmem(mem, got.n, "nested too deeply", 17) != NULL, depth == 21);
    }
}

static const struct {
    str octets;
    enum scan_type type;
} heads[] = {
    {S_INIT(""), SCAN_EMPTY},
    {S_INIT("Hello, world\r\n"), SCAN_TEXT},
    {S_INIT("MZ is a text about programs, and long enough that an offset could stand where none does."), SCAN_TEXT},
    {S_INIT("MZ\x90\0\3\0\0\0"), SCAN_DOS},
    {S_INIT("MZ\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
            "\0\0"
            "\0\0\0\0\xff\xff\xff\xff"),
     SCAN_DOS}, /* an offset that is larger than anything */
    {S_INIT("MZ H\xc3\xa4ndler,\r\nhier die Liste"), SCAN_TEXT},
    {S_INIT("\x7f"
            "ELF\2\1\1"),
     SCAN_ELF},
    {S_INIT("\xcf\xfa\xed\xfe"), SCAN_MACHO},
    {S_INIT("\xca\xfe\xba\xbe\0\0\0\2"), SCAN_MACHO},
    {S_INIT("\xca\xfe\xba\xbe\0\0\0\x34"), SCAN_CLASS},
    {S_INIT("#!/bin/sh\nexit\n"), SCAN_SCRIPT},
    {S_INIT("# a heading\n"), SCAN_TEXT},
    {S_INIT("<!-- x --><html>"), SCAN_HTML},
    {S_INIT("\xef\xbb\xbf <!DOCTYPE html>"), SCAN_HTML},
    {S_INIT("<?xml version='1.0'?>"), SCAN_XML},
    {S_INIT("a\0b"), SCAN_DATA},
    {S_INIT("\n\n%PDF-1.7"), SCAN_PDF},
    {S_INIT("\x89PNG\r\n\x1a\n"), SCAN_PNG},
    {S_INIT("PK\5\6"), SCAN_ZIP},
    {S_INIT("PK"), SCAN_TEXT},
    {S_INIT("h\xc3\xa9llo"), SCAN_TEXT},
};

static void kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++)
        if (scan_type_of(heads[i].octets) != heads[i].type)
            fail_msg("%zu: %s", i, scan_type_word(scan_type_of(heads[i].octets)));
    assert_int_equal(scan_type_kind(SCAN_ELF), SCAN_PROGRAM);
    assert_int_equal(scan_type_kind(SCAN_PNG), SCAN_MEDIA);
    assert_string_equal(scan_type_text(SCAN_PE), "a program for Windows");
}

static void extensions(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"a.EXE", "exe"},
                                          {"a.txt.exe . .", "exe"},
                                          {"a.exe\"", "exe"},
                                          {"exe", ""},
                                          {"a.b/c", ""},
                                          {"", ""},
                                          {"...", ""},
                                          {"a.sixteenletters16", "sixteenletters16"},
                                          {"a.sixteenletters167", ""},
                                          {"dir.x/a.scr", "scr"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char mem[SCAN_EXTENSION_MAX];
        assert_str(scan_extension(str_c(rows[i][0]), mem), rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds),  cmocka_unit_test(long_names),
                                       cmocka_unit_test(limits), cmocka_unit_test(nesting),
                                       cmocka_unit_test(kinds),  cmocka_unit_test(extensions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
