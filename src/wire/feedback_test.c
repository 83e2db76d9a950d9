/* Reports: what is written can be read, what others write too, and bombs do not go off. */
#include "base/test.h"
#include "wire/feedback.c"

static void round_trip(void **state)
{
    (void)state;
    struct feedback_dkim dkim[] = {{S_INIT("a.test"), S_INIT("s1"), S_INIT("pass")},
                                   {S_INIT("b.test"), S_INIT("s2"), S_INIT("fail")}};
    struct feedback_row rows[] = {
        {S_INIT("192.0.2.1"), 3, S_INIT("none"), S_INIT("pass"), S_INIT("fail"), S_INIT("a.test"), S_INIT("b<&>.test"),
         S_INIT("b.test"), S_INIT("mfrom"), S_INIT("pass"), dkim, 2},
        {S_INIT("2001:db8::1"), 1, S_INIT("reject"), S_INIT("fail"), S_INIT("fail"), S_INIT("a.test")}};
    struct feedback f = {S_INIT("us.test"),
                         S_INIT("x@us.test"),
                         S_INIT("id"),
                         100,
                         200,
                         S_INIT("a.test"),
                         S_INIT("reject"),
                         S_INIT("none"),
                         S_INIT(""),
                         S_INIT("s"),
                         S_INIT("r"),
                         true,
                         rows,
                         2},
                    got;
    struct buf out;
    struct arena a;
    buf_init(&out, 100000);
    arena_init(&a, 4096, 1 << 20);
    assert_int_equal(feedback_print(&out, &f), OK);
    assert_int_equal(feedback_read(buf_str(&out), &a, &got), OK);
    assert_str(got.organization, "us.test");
    assert_str(got.p, "reject");
    assert_true(got.begin_s == 100 && got.end_s == 200 && got.testing && got.nrows == 2 && !got.np.n);
    assert_true(got.rows[0].count == 3 && got.rows[0].nsignatures == 2);
    assert_str(got.rows[0].envelope_from, "b<&>.test");
    assert_str(got.rows[0].signatures[1].selector, "s2");
    assert_str(got.rows[1].ip, "2001:db8::1");
    assert_true(got.rows[1].nsignatures == 0 && !got.rows[1].spf_domain.n);
    /* Any cut, and little memory. */
    for (size_t n = 0; n < out.n - 20; n += 7)
        assert_int_not_equal(feedback_read(str_sub(buf_str(&out), 0, n), &a, &got), OK);
    for (size_t max = 0; max < 4000; max += 101) {
        struct arena little;
        arena_init(&little, 64, max);
        err e = feedback_read(buf_str(&out), &little, &got);
        assert_true(e == E_LIMIT || e == E_NOMEM || e == OK);
        arena_free(&little);
    }
    arena_free(&a);
    buf_free(&out);
}

static void bombs(void **state)
{
    (void)state;
    struct arena a;
    struct feedback got;
    struct buf b;
    arena_init(&a, 4096, 1 << 20);
    assert_int_equal(
        feedback_read(S("<!DOCTYPE x [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;\">]><feedback>&c;</feedback>"), &a, &got),
        E_SYNTAX);
    assert_int_equal(feedback_read(S("<html/>"), &a, &got), E_SYNTAX);
    assert_int_equal(feedback_read(S(""), &a, &got), E_SYNTAX);
    buf_init(&b, 1 << 20);
    buf_add(&b, S("<feedback>"));
    for (int i = 0; i < 1000; i++)
        buf_add(&b, S("<x>"));
    assert_int_equal(feedback_read(buf_str(&b), &a, &got), E_LIMIT);
    for (int depth = FEEDBACK_DEPTH_MAX; depth <= FEEDBACK_DEPTH_MAX + 1; depth++) {
        buf_clear(&b);
        buf_add(&b, S("<feedback>"));
        for (int i = 1; i < depth; i++)
            buf_add(&b, S("<x>"));
        for (int i = 1; i < depth; i++)
            buf_add(&b, S("</x>"));
        buf_add(&b, S("</feedback>"));
        assert_int_equal(feedback_read(buf_str(&b), &a, &got) == E_LIMIT, depth > FEEDBACK_DEPTH_MAX);
    }
    buf_clear(&b);
    buf_add(&b, S("<feedback><policy_published><domain>"));
    for (int i = 0; i < 100000; i++)
        buf_add(&b, S("long"));
    buf_add(&b, S("</domain></policy_published></feedback>"));
    assert_int_equal(feedback_read(buf_str(&b), &a, &got), OK);
    assert_int_equal(got.domain.n, FEEDBACK_TEXT_MAX);
    buf_free(&b);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(bombs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
