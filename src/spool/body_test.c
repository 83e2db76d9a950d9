/* Bodies against a plain buffer: pieces, and header blocks that are edited. */
#include "spool/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool same(const struct body *b, const struct buf *want)
{
    size_t at = 0, done = 0;
    str piece;
    while (body_piece(b, &at, &piece)) {
        if (!piece.n || !str_eq(piece, str_sub(buf_str(want), done, done + piece.n)))
            return false;
        done += piece.n;
    }
    return done == want->n && body_size(b) == want->n;
}

static void fill(char *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(seed + i * 7 + i / 251);
}

static void edits(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 300, 3000, 4000, 20000, 300000};
    static const size_t heads[] = {0, 1, 200, 511, 513, 700, 5000, 70000, 262144};
    static char octets[300000];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof heads / sizeof *heads; k++)
            for (size_t old = 0; old <= sizes[i]; old = old * 5 + 1) {
                struct body *b = body_new();
                struct buf want, next;
                buf_init(&want, 1 << 22);
                buf_init(&next, 1 << 22);
                fill(octets, sizes[i], 1);
                assert_int_equal(body_add(b, str_mem(octets, sizes[i])), OK);
                buf_add(&want, str_mem(octets, sizes[i]));
                for (unsigned turn = 0; turn < 3 && old <= want.n; turn++) {
                    fill(octets, heads[k], turn + 2);
                    assert_int_equal(body_splice_head(b, old, str_mem(octets, heads[k])), OK);
                    buf_clear(&next);
                    buf_add(&next, str_mem(octets, heads[k]));
                    buf_add(&next, str_skip(buf_str(&want), old));
                    struct buf t = want;
                    want = next;
                    next = t;
                    assert_true(same(b, &want));
                }
                assert_int_equal(body_add(b, S("tail")), OK);
                buf_add(&want, S("tail"));
                assert_true(same(b, &want));
                buf_free(&want);
                buf_free(&next);
                body_drop(&b);
            }
    assert_int_equal(metric_read(M_body_bytes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(edits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
