/* Records of RFC 9989 4.7 and their report addresses. */
#include "wire/dmarc.c"
#include "base/test.h"

static void record(void **state)
{
    (void)state;
    struct dmarc_record r;
    assert_true(dmarc_parse(S("v=DMARC1; p=reject; sp=none; np=Quarantine; adkim=s; aspf=r; psd=y; t=y; fo=1:d; "
                              "rua=mailto:a@b.test,mailto:c@d.test!10m; ruf=mailto:e@f.test; p=none"),
                            &r));
    assert_true(r.p == DMARC_REJECT && r.sp == DMARC_NONE && r.np == DMARC_QUARANTINE);
    assert_true(r.strict_dkim && !r.strict_spf && r.psd == 'y' && r.testing);
    assert_str(r.fo, "1:d");
    assert_true(dmarc_parse(S("v=DMARC1"), &r));
    assert_true(r.p == DMARC_ABSENT && r.psd == 'u' && !r.rua.n);
    static const char *const none[] = {"",         "v",         "v=",        "v=DMARC1 p=none",
                                       "V=dmarc1", " v=DMARC1", "v=DMARC11", ";v=DMARC1"};
    for (size_t i = 0; i < COUNT(none); i++)
        assert_false(dmarc_parse(str_c(none[i]), &r));
}

static void uris(void **state)
{
    (void)state;
    str list = S(" mailto:a@b.test , , nonsense, mailto:c%2Bd@e.test!10m,https://x.test/y,mailto:%00@x.test,mailto:%4"),
        uri, address = {0};
    char mem[20];
    assert_true(dmarc_uri_next(&list, &uri) && dmarc_mailto(uri, mem, sizeof mem, &address));
    assert_str(address, "a@b.test");
    assert_true(dmarc_uri_next(&list, &uri) && dmarc_mailto(uri, mem, sizeof mem, &address));
    assert_str(address, "c+d@e.test");
    assert_true(dmarc_uri_next(&list, &uri) && !dmarc_mailto(uri, mem, sizeof mem, &address));
    assert_true(dmarc_uri_next(&list, &uri) && !dmarc_mailto(uri, mem, sizeof mem, &address));
    assert_true(dmarc_uri_next(&list, &uri) && !dmarc_mailto(uri, mem, sizeof mem, &address));
    assert_false(dmarc_uri_next(&list, &uri));
    assert_false(dmarc_mailto(S("mailto:long-enough-to-fail@x.test"), mem, sizeof mem, &address));
    assert_false(dmarc_has_uri(S("")) || dmarc_has_uri(S("a@b.test")) || dmarc_has_uri(S("x:")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(record), cmocka_unit_test(uris)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
