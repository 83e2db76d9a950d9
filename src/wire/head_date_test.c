#include "wire/head.h"

#include "base/test.h"

static const struct {
    const char *text;
    int64_t unix_s; /* -1: none */
} rows[] = {
    {"Fri, 21 Nov 1997 09:55:06 -0600", 880127706},                                      /* RFC 5322 A.1.1 */
    {"Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)", -27723480}, /* A.5 */
    {"21 Nov 97 09:55:06 GMT", 880106106},                                               /* A.6.2 */
    {"Fri, 21 Nov 1997 09(comment): 55 : 06 -0600", 880127706},                          /* A.6.3 */
    {"1 Jan 1970 00:00 +0000", 0},
    {"1 Jan 1970 01:00:00 +0100", 0},
    {"Thu 1 Jan 1970 00:00:00 UT", 0},
    {"31 Dec 1998 23:59:60 +0000", 915148800},
    {"29 Feb 2024 12:00:00 EST", 1709226000},
    {"1 Jan 49 00:00:00 Z", 2493072000},
    {"1 Jan 126 00:00:00 Z", 1767225600},
    {"", -1},
    {"now", -1},
    {"29 Feb 2023 12:00:00 +0000", -1},
    {"31 Apr 2023 12:00:00 +0000", -1},
    {"0 Apr 2023 12:00:00 +0000", -1},
    {"1 Xyz 2023 12:00:00 +0000", -1},
    {"1 Apr 2023 24:00:00 +0000", -1},
    {"1 Apr 2023 12:60:00 +0000", -1},
    {"1 Apr 2023 12:00:00", -1},
    {"1 Apr 2023 12:00:00 +0060", -1},
    {"1 Apr 2023 12:00:00 +000", -1},
    {"1 Apr 2023 12:00:00 +0000 and more", -1},
    {"2023-04-01 12:00:00 +0000", -1},
    {"Apr 1, 2023 12:00:00 +0000", -1},
};

static void dates(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = -1;
        bool ok = head_date_read(str_c(rows[i].text), &got);
        if (ok != (rows[i].unix_s != -1) || got != rows[i].unix_s)
            fail_msg("%s: %d %lld", rows[i].text, ok, (long long)got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(dates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
