#include "wire/dsn.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char mem[200000];
static struct buf out;

static bool has(const char *needle) { return str_search(buf_str(&out), str_c(needle)) != STR_NONE; }

/* Every line ends in CRLF, is at most 998 long, and is ASCII unless `utf8`. */
static void well_formed(bool utf8)
{
    str rest = buf_str(&out), line;
    while (str_cut(&rest, '\n', &line) && rest.p) {
        assert_true(line.n > 0 && line.n <= 999 && line.p[line.n - 1] == '\r');
        assert_true(str_find(str_sub(line, 0, line.n - 1), '\r') == STR_NONE);
    }
    assert_true(line.n == 0);
    assert_true(utf8 ? text_utf8(buf_str(&out)) : text_ascii(buf_str(&out)));
}

static struct dsn base(const struct dsn_rcpt *r, size_t n)
{
    return (struct dsn){.reporting_mta = S("mx.test"),
                        .from = S("Mail Delivery System <mailer-daemon@mx.test>"),
                        .to = S("a@b.test"),
                        .message_id = S("id@mx.test"),
                        .boundary = S("=_b.1"),
                        .envid = S("E 1"),
                        .queue_id = S("Q1"),
                        .now_s = 1000000000,
                        .arrival_s = 900000000,
                        .content = DSN_CONTENT_HEADERS,
                        .rcpts = r,
                        .n_rcpts = n};
}

static void failed(void **state)
{
    (void)state;
    struct dsn_rcpt r[2] = {
        {.orcpt_type = S("rfc822"),
         .orcpt = S("o@p.test"),
         .final = S("x@y.test"),
         .action = DSN_FAILED,
         .status = S("5.1.1"),
         .remote_mta = S("mail.y.test"),
         .diagnostic = S("550 5.1.1 no\r\nsuch user"),
         .last_attempt_s = 999999999},
        {.final = S("z@y.test"),
         .action = DSN_DELAYED,
         .status = S("4.4.1"),
         .error = S("no answer"),
         .retry_until_s = 1000500000},
    };
    struct dsn d = base(r, 2);
    buf_init_fixed(&out, mem, sizeof mem);
    assert_int_equal(dsn_print(&out, &d), OK);
    buf_add(&out, S("Subject: x\r\n"));
    assert_int_equal(dsn_print_end(&out, &d), OK);
    well_formed(false);
    assert_true(has("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_b.1\"\r\n"));
    assert_true(has("Subject: Undelivered mail returned to sender\r\n"));
    assert_true(has("\r\nOriginal-Envelope-Id: E 1\r\nReporting-MTA: dns;mx.test\r\n"));
    assert_true(has("\r\nX-Queue-Id: Q1\r\n\r\nOriginal-Recipient: "));
    assert_true(has("\r\n\r\nOriginal-Recipient: rfc822;o@p.test\r\nFinal-Recipient: rfc822;x@y.test\r\n"
                    "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns;mail.y.test\r\n"
                    "Diagnostic-Code: smtp;550 5.1.1 no  such user\r\nLast-Attempt-Date: "));
    assert_true(
        has("\r\n\r\nFinal-Recipient: rfc822;z@y.test\r\nAction: delayed\r\nStatus: 4.4.1\r\nWill-Retry-Until: "));
    assert_true(has("Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\n--=_b.1--\r\n"));
    assert_true(has("<x@y.test>: host mail.y.test said: 550 5.1.1 no such user\r\n"));
    assert_true(has("<z@y.test>: no answer\r\n"));
    assert_true(has("Auto-Submitted: auto-replied\r\n"));
}

static void global(void **state)
{
    (void)state;
    struct dsn_rcpt r = {.orcpt_type = S("utf-8"),
                         .orcpt = S("\xc3\xa9+@p.test"),
                         .final = S("\xf0\x9f\x98\x80@y.test"),
                         .action = DSN_FAILED,
                         .status = S("5.6.7"),
                         .diagnostic = S("550 b\xc3\xa9 \xff")};
    struct dsn d = base(&r, 1);
    d.utf8 = true;
    d.content = DSN_CONTENT_FULL;
    buf_init_fixed(&out, mem, sizeof mem);
    assert_int_equal(dsn_print(&out, &d), OK);
    well_formed(true);
    assert_true(has("report-type=global-delivery-status") && has("Content-Type: message/global-delivery-status\r\n"));
    assert_true(has("Original-Recipient: utf-8;\xc3\xa9+@p.test\r\n") && has("Content-Type: message/global\r\n"));
    d.utf8 = false;
    buf_clear(&out);
    assert_int_equal(dsn_print(&out, &d), OK);
    well_formed(false);
    assert_true(has("Original-Recipient: utf-8;\\x{E9}\\x{2B}@p.test\r\n"));
    assert_true(has("Final-Recipient: utf-8;\\x{1F600}@y.test\r\n") && has("message/rfc822\r\n"));
}

/* Whatever peers put into replies and names, no field and no line begins where they want it. */
static void hostile(void **state)
{
    (void)state;
    char junk[2500];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (char)(i * 7);
    str j = {junk, sizeof junk}, line = S("\r\n--=_b.1\r\nX: y\r\n");
    struct dsn_rcpt r[3] = {
        {.orcpt_type = line, .orcpt = line, .final = line, .status = line, .remote_mta = line, .diagnostic = line},
        {.orcpt_type = S("t"),
         .orcpt = str_sub(j, 0, 400),
         .final = str_sub(j, 0, 400),
         .status = S("5.0.0"),
         .remote_mta = j,
         .diagnostic = j,
         .error = j},
        {.final = S("a@b"), .error = (str){memset(mem + 150000, 'w', 3000), 3000}},
    };
    struct dsn d = base(r, 3);
    d.envid = d.subject = d.queue_id = line;
    buf_init_fixed(&out, mem, 150000);
    err e = dsn_print(&out, &d);
    assert_int_equal(e, OK);
    well_formed(false);
    assert_false(has("\r\nX: y"));
    d.boundary = S("a b");
    assert_int_equal(dsn_print(&out, &d), E_SYNTAX);
    d = base(r, 3);
    struct buf small;
    buf_init_fixed(&small, mem, 500);
    assert_int_equal(dsn_print(&small, &d), E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(failed), cmocka_unit_test(global), cmocka_unit_test(hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
