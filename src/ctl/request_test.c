/* Requests: what goes in comes out; what is cut, too long or of another version is refused. */
#include "base/test.h"
#include "ctl/request.c"

static void round_trip(void **state)
{
    (void)state;
    const str words[] = {S("queue"), S(""), S("hold"), S_INIT("a\0b"), S("--json")};
    struct buf b;
    struct arena a;
    struct ctl_request r;
    uint32_t size;
    buf_init(&b, CTL_REQUEST_MAX + CTL_HEAD);
    arena_init(&a, 1024, 1 << 20);
    assert_int_equal(ctl_request_encode(&b, words, COUNT(words)), OK);
    assert_int_equal(ctl_request_head(str_sub(buf_str(&b), 0, CTL_HEAD), &size), OK);
    assert_int_equal(size, b.n - CTL_HEAD);
    assert_int_equal(ctl_request_decode(&a, str_skip(buf_str(&b), CTL_HEAD), &r), OK);
    assert_int_equal(r.n, COUNT(words));
    for (size_t i = 0; i < r.n; i++)
        assert_true(str_eq(r.v[i], words[i]));
    for (size_t cut = 1; cut < b.n - CTL_HEAD; cut++) { /* every prefix: refused, or whole words */
        err e = ctl_request_decode(&a, str_sub(buf_str(&b), CTL_HEAD, CTL_HEAD + cut), &r);
        assert_true(e == E_SYNTAX || (e == OK && r.n < COUNT(words)));
    }
    arena_free(&a);
    buf_free(&b);
}

static void heads(void **state)
{
    (void)state;
    static const struct {
        str head;
        err e;
        uint32_t size;
    } v[] = {
        {S_INIT("\1\0\0\0\0"), OK, 0},
        {S_INIT("\1\0\0\20\0"), OK, CTL_REQUEST_MAX},
        {S_INIT("\1\1\0\20\0"), E_LIMIT, 0},
        {S_INIT("\1\377\377\377\377"), E_LIMIT, 0},
        {S_INIT("\2\0\0\0\0"), E_UNSUPPORTED, 0},
        {S_INIT("GET /"), E_UNSUPPORTED, 0},
        {S_INIT("\1\0\0\0"), E_SYNTAX, 0},
        {S_INIT(""), E_SYNTAX, 0},
    };
    for (size_t i = 0; i < COUNT(v); i++) {
        uint32_t size = 0;
        assert_int_equal(ctl_request_head(v[i].head, &size), v[i].e);
        assert_int_equal(size, v[i].size);
    }
}

static void limits(void **state)
{
    (void)state;
    static char big[CTL_REQUEST_MAX];
    static str words[CTL_WORDS_MAX + 1];
    struct buf b;
    buf_init(&b, 2 * CTL_REQUEST_MAX);
    str one = {big, CTL_REQUEST_MAX - 4}, more = {big, CTL_REQUEST_MAX - 3};
    assert_int_equal(ctl_request_encode(&b, &one, 1), OK);
    buf_clear(&b);
    assert_int_equal(ctl_request_encode(&b, &more, 1), E_LIMIT);
    assert_int_equal(ctl_request_encode(&b, words, CTL_WORDS_MAX), OK);
    buf_clear(&b);
    assert_int_equal(ctl_request_encode(&b, words, CTL_WORDS_MAX + 1), E_LIMIT);
    buf_free(&b);

    static char zeros[4 * (CTL_WORDS_MAX + 1)];
    struct arena a;
    struct ctl_request r;
    arena_init(&a, 1024, 1 << 20);
    assert_int_equal(ctl_request_decode(&a, str_mem(zeros, 4 * CTL_WORDS_MAX), &r), OK);
    assert_int_equal(r.n, CTL_WORDS_MAX);
    assert_int_equal(ctl_request_decode(&a, str_mem(zeros, sizeof zeros), &r), E_LIMIT);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(heads), cmocka_unit_test(limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
