#include "wire/endpoint.h"

#include "base/test.h"

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host; /* NULL: no address */
        unsigned port;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", 3310},
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"[::1]:65535", "::1", 65535},
        {"[::1]", "::1", 3310},
        {"scan.test:3", "scan.test", 3},
        {"/run/c.ctl", "/run/c.ctl", 0},
        {"unix:/run/c", "/run/c", 0},
        {"", NULL, 0},
        {"a:0", NULL, 0},
        {"a:65536", NULL, 0},
        {"a:", NULL, 0},
        {"[::1", NULL, 0},
        {"[::1]x", NULL, 0},
        {"a b:1", NULL, 0},
        {"a\r\nb", NULL, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct endpoint at;
        bool ok = endpoint_parse(str_c(rows[i].text), 3310, &at);
        assert_int_equal(ok, rows[i].host != NULL);
        if (ok && at.local)
            assert_string_equal(at.path, rows[i].host);
        else if (ok)
            assert_true(str_eq(at.host, str_c(rows[i].host)) && at.port == rows[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
