/* Policies of domains and what their ids say. */
#include "base/test.h"
#include "conf/test_conf.h"
#include "web/web.h"
#include "wire/sts.h"

#define MX "hostname = \"mx.example.test\"\nlistener mx { address = \"127.0.0.1:25\" }\n"
#define WEB MX "listener web { address = \"127.0.0.1:443\" protocol = \"https\" }\n"

static const struct {
    const char *conf, *domain;
    bool serves;
    const char *policy; /* NULL: none */
} rows[] = {
    {MX, "example.test", false, "version: STSv1\r\nmode: testing\r\nmx: mx.example.test\r\nmax_age: 604800\r\n"},
    {WEB "sts { mode = \"enforce\" max-age = \"30d\" }", "example.test", true,
     "version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 2592000\r\n"},
    {WEB "sts { mx = {\"MX1.example.test\", \"*.b\303\274cher.test\"} }", "example.test", true,
     "version: STSv1\r\nmode: testing\r\nmx: mx1.example.test\r\nmx: *.xn--bcher-kva.test\r\nmax_age: 604800\r\n"},
    {WEB "sts { mode = \"off\" }", "example.test", true, NULL},
    {WEB "sts { mode = \"enforce\" }\ndomain a.test { sts-mode = \"none\" sts-mx = {\"x.test\"} sts-max-age = \"1d\" }",
     "a.test", true, "version: STSv1\r\nmode: none\r\nmx: x.test\r\nmax_age: 86400\r\n"},
    {WEB "sts { mode = \"enforce\" }\ndomain a.test { sts-mode = \"off\" }", "a.test", true, NULL},
    {WEB "sts { mode = \"off\" }\ndomain a.test { sts-mode = \"enforce\" }", "a.test", true,
     "version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 604800\r\n"},
};

static void policies(void **state)
{
    (void)state;
    char last[WEB_ID_SIZE + 1] = "";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf *c = test_conf("/", str_c(rows[i].conf));
        struct buf out;
        struct sts_policy p;
        char id[WEB_ID_SIZE + 1], record[100];
        str read;
        buf_init(&out, 65536);
        bool any = web_policy(c, conf_domain(c, str_c(rows[i].domain)), &out);
        assert_true(any == (rows[i].policy != NULL) && web_serves(c) == rows[i].serves);
        if (any) {
            assert_str(buf_str(&out), rows[i].policy);
            assert_true(sts_policy(buf_str(&out), &p));
            web_policy_id(buf_str(&out), id);
            assert_true(strcmp(id, last) != 0);
            snprintf(record, sizeof record, "v=STSv1; id=%s", id);
            assert_true(sts_record(str_c(record), &read) && str_eq(read, str_c(id)));
            memcpy(last, id, sizeof id);
            web_policy_id(buf_str(&out), id);
            assert_true(strcmp(id, last) == 0);
        }
        buf_free(&out);
        conf_drop(&c);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(policies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
