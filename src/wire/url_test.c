#include "wire/url.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
    const char *in;
    bool ok;
    enum url_scheme scheme;
    const char *host;
    int port;
    const char *path;
} cases[] = {
    {"smtp://host", true, URL_SMTP, "host", 25, ""},
    {"SMTP://host.test:2525", true, URL_SMTP, "host.test", 2525, ""},
    {"smtps://host/", true, URL_SMTPS, "host", 465, ""},
    {"lmtp://127.0.0.1:2424", true, URL_LMTP, "127.0.0.1", 2424, ""},
    {"lmtp://h", true, URL_LMTP, "h", 24, ""},
    {"lmtp:///run/x.sock", true, URL_LMTP, "", 0, "/run/x.sock"},
    {"smtp://[::1]:25", true, URL_SMTP, "::1", 25, ""},
    {"smtp://[::1]", true, URL_SMTP, "::1", 25, ""},
    {"smtp://under_score:1", true, URL_SMTP, "under_score", 1, ""},
    {"", false, 0, 0, 0, 0},
    {"host", false, 0, 0, 0, 0},
    {"http://host", false, 0, 0, 0, 0},
    {"smtp:host", false, 0, 0, 0, 0},
    {"smtp://", false, 0, 0, 0, 0},
    {"smtp://:25", false, 0, 0, 0, 0},
    {"smtp://h:", false, 0, 0, 0, 0},
    {"smtp://h:0", false, 0, 0, 0, 0},
    {"smtp://h:65536", false, 0, 0, 0, 0},
    {"smtp://h:25x", false, 0, 0, 0, 0},
    {"smtp://::1", false, 0, 0, 0, 0},
    {"smtp://[::1", false, 0, 0, 0, 0},
    {"smtp://[1.2.3.4]", false, 0, 0, 0, 0},
    {"smtp://[::1]x", false, 0, 0, 0, 0},
    {"smtp://u@h", false, 0, 0, 0, 0},
    {"smtp://h/path", false, 0, 0, 0, 0},
    {"smtp://h ", false, 0, 0, 0, 0},
    {"smtp:///path", false, 0, 0, 0, 0},
    {"lmtp:///", false, 0, 0, 0, 0},
};

static void urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct url u = {0};
        const char *why = NULL;
        bool ok = url_parse(str_c(cases[i].in), &u, &why);
        if (ok != cases[i].ok)
            fail_msg("%s: %d", cases[i].in, ok);
        if (!ok) {
            assert_non_null(why);
            continue;
        }
        assert_true(u.scheme == cases[i].scheme && u.port == cases[i].port && str_eq(u.host, str_c(cases[i].host)) &&
                    str_eq(u.path, str_c(cases[i].path)));
    }
    assert_string_equal(url_scheme_name(URL_SMTPS), "smtps");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(urls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
