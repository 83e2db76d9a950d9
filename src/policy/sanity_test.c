#include "policy/sanity.h"

#include "base/test.h"

#define NOW 1700000000 /* Tue, 14 Nov 2023 22:13:20 +0000 */
#define DATE "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
#define REST "From: a@x.test\r\nTo: b@y.test\r\nSubject: s\r\nMessage-ID: <1@x.test>\r\n"
#define GOOD DATE REST

static const struct {
    const char *head, *want; /* names of what is odd */
    bool body_8bit, utf8;
} cases[] = {
    {GOOD "\r\n", ""},
    {GOOD, ""},
    {"", "no-date no-message-id no-subject no-from no-to"},
    {REST "\r\n", "no-date"},
    {"Date: soon\r\n" REST, "bad-date"},
    {"Date: Wed, 15 Nov 2023 22:13:20 +0000\r\n" REST, ""},
    {"Date: Wed, 15 Nov 2023 22:13:21 +0000\r\n" REST, "future-date"},
    {"Date: Fri, 15 Sep 2023 22:13:20 +0000\r\n" REST, ""},
    {"Date: Fri, 15 Sep 2023 22:13:19 +0000\r\n" REST, "old-date"},
    {GOOD DATE, "twice-date"},
    {GOOD "from: c@z.test\r\n", "twice-from"},
    {GOOD "Subject: t\r\n", "twice-subject"},
    {GOOD "Message-Id: <2@x.test>\r\n", "twice-message-id"},
    {GOOD "To: t\r\nSender: a\r\n", "twice-other"},
    {GOOD "X-A: 1\r\nX-A: 2\r\nReceived: x; "
          "Tue, 14 Nov 2023 22:13:20 +0000\r\n",
     ""},
    {GOOD "X-Text: \xc3\xa9\r\n", ""},
    {GOOD "X-Text: \xe9\r\n", "8bit"},
    {.head = GOOD "X-Text: \xe9\r\n", .want = "", .utf8 = true},
    {GOOD "no field\r\n\r\n", "not-a-field"},
    {.head = GOOD, .want = "no-charset", .body_8bit = true},
    {.head = GOOD "Content-Type: text/plain; charset=utf-8\r\n", .want = "", .body_8bit = true},
    {.head = GOOD "Content-Type: text/plain\r\n", .want = "no-charset", .body_8bit = true},
    {.head = GOOD "Content-Type: multipart/mixed; boundary=x\r\n", .want = "", .body_8bit = true},
    {DATE "From: a@x.test\r\nTo: b\r\nSubject: s\r\nMessage-ID: 1@x.test\r\n", "bad-message-id"},
    {DATE "From: a@x.test\r\nTo: b\r\nSubject: s\r\nMessage-ID: <1 2@x.test>\r\n", "bad-message-id"},
    {DATE "From: a@x.test\r\nTo: b\r\nSubject: s\r\nMessage-ID:\r\n <1@x.test> (c)\r\n", ""},
    {DATE "From: \"pay@bank.test\" <a@x.test>\r\nTo: b\r\nSubject: s\r\nMessage-ID: <1@x>\r\n", "forged-name"},
    {DATE "From: \"a@mail.x.test\" <a@x.test>\r\nTo: b\r\nSubject: s\r\nMessage-ID: <1@x>\r\n", ""},
    {DATE "From: =?utf-8?B?cGF5QGJhbmsudGVzdA==?= <a@x.test>\r\nTo: b\r\nSubject: s\r\nMessage-ID: <1@x>\r\n",
     "forged-name"},
    {DATE "From: \"me @ home\" <a@x.test>\r\nTo: b\r\nSubject: s\r\nMessage-ID: <1@x>\r\n", ""},
    {GOOD "Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\n", ""},
    {GOOD "Received: from a by b\r\n", "received-date"},
    {GOOD "Received: from a by b; Thu, 16 Nov 2023 22:13:20 +0000\r\n", "received-future"},
};

static void finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char got[300] = "";
        uint32_t odd = sanity_of(str_c(cases[i].head), NOW, cases[i].body_8bit, cases[i].utf8);
        for (int k = 0; k < SANITY_COUNT; k++)
            if (odd & 1u << k)
                snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", *got ? " " : "", sanity_rows[k].name);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s:\n is   %s\n want %s", cases[i].head, got, cases[i].want);
    }
}

static void long_lines(void **state)
{
    (void)state;
    static char head[2000];
    for (int n = 998; n < 1000; n++) {
        int at = sprintf(head, GOOD "X: ");
        memset(head + at, 'x', (size_t)n - 3);
        strcpy(head + at + n - 3, "\r\n\r\n");
        assert_int_equal(sanity_of(str_c(head), NOW, false, false), n == 998 ? 0 : 1u << SANITY_LONG_LINE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds), cmocka_unit_test(long_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
