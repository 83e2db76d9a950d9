/* What is found in a header block, and what a submission gets. */
#include "intake/internal.h"
#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void looks(void **state)
{
    (void)state;
    static const struct {
        const char *block;
        size_t len;
        bool blank, none;
        unsigned received, own, from, date, message_ids, bcc;
        const char *message_id;
    } rows[] = {
        {"", 0, false, false, 0, 0, 0, 0, 0, 0, ""},
        {"\r\n", 2, true, false, 0, 0, 0, 0, 0, 0, ""},
        {"From: a\r\n\r\n", 11, true, false, 0, 0, 1, 0, 0, 0, ""},
        {"hello\r\n\r\n", 0, false, true, 0, 0, 0, 0, 0, 0, ""},
        {" folded\r\n\r\n", 0, false, true, 0, 0, 0, 0, 0, 0, ""},
        {"From: a\r\njunk\r\n\r\n", 9, false, false, 0, 0, 1, 0, 0, 0, ""},
        {"FROM : a\r\ndate: x\r\nMessage-Id:\r\n <m@x>\r\nMESSAGE-ID: 2\r\nbcc: q\r\nBCC: r\r\n", 71, false, false, 0,
         0, 1, 1, 2, 2, "<m@x>"},
        {"Received: from x by mx.test with SMTP; d\r\nReceived: from a (by mx.test c)\r\n\tby other.test\r\n"
         "Received: by\r\n mx.test.net; d\r\nreceived: by\tMX.TEST; d\r\n\r\n",
         149, true, false, 4, 2, 0, 0, 0, 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct head_facts f;
        head_look(str_c(rows[i].block), S("mx.test"), &f);
        if (f.len != rows[i].len || f.own != rows[i].own)
            print_error("row %zu: len %zu own %u\n", i, f.len, f.own);
        assert_int_equal(f.len, rows[i].len);
        assert_int_equal(f.blank, rows[i].blank);
        assert_int_equal(f.none, rows[i].none);
        assert_int_equal(f.received, rows[i].received);
        assert_int_equal(f.own, rows[i].own);
        assert_int_equal(f.from, rows[i].from);
        assert_int_equal(f.date, rows[i].date);
        assert_int_equal(f.message_ids, rows[i].message_ids);
        assert_int_equal(f.bcc, rows[i].bcc);
        assert_true(str_eq(f.message_id, str_c(rows[i].message_id)));
    }
}

static void repairs(void **state)
{
    (void)state;
    struct conf c = {.hostname = S("mx.test")};
    static const struct {
        const char *sender, *block, *want; /* '*' at the end of a line of want: any rest */
    } rows[] = {
        {"a@b.test", "From: a\r\nDate: d\r\nMessage-ID: <m>\r\n\r\n", "From: a\r\nDate: d\r\nMessage-ID: <m>\r\n\r\n"},
        {"a@b.test", "To: x\r\nBcc: y,\r\n z\r\nDate: d\r\nMessage-ID: <m>\r\nbcc: q\r\n\r\n",
         "From: <a@b.test>\r\nTo: x\r\nDate: d\r\nMessage-ID: <m>\r\n\r\n"},
        {"", "Date: d\r\nMessage-ID: <m>\r\njunk\r\n", "Date: d\r\nMessage-ID: <m>\r\njunk\r\n"},
        {"a@b.test", "From: a\r\n\r\n", "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: *\r\nFrom: a\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct source from = {.submitted = true};
        struct tx t = {
            .conf = &c, .source = &from, .env = {.sender = str_c(rows[i].sender), .arrived_ms = 1700000000000}};
        struct head_facts f;
        AUTO_BUF out = {0};
        buf_init(&out, 10000);
        head_look(str_c(rows[i].block), c.hostname, &f);
        head_repair(&out, str_c(rows[i].block), &f, &t);
        str got = buf_str(&out), want = str_c(rows[i].want), g, w;
        while (str_cut(&want, '\n', &w) && str_cut(&got, '\n', &g)) {
            size_t star = str_find(w, '*');
            assert_true(star == STR_NONE ? str_eq(g, w) : str_starts(g, str_sub(w, 0, star)));
        }
        assert_true(!want.p && !got.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(looks), cmocka_unit_test(repairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
