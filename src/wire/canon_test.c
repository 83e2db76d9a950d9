#include "base/test.h"
#include "wire/canon.c"

static char mem[65536];
static struct buf out;

static void put(void *arg, str piece)
{
    (void)arg;
    buf_add(&out, piece);
}

static const struct {
    const char *in, *simple, *relaxed;
} bodies[] = {
    {"", "\r\n", ""},
    {"\r\n", "\r\n", ""},
    {"\r\n\r\n\r\n", "\r\n", ""},
    {"a", "a\r\n", "a\r\n"},
    {"a\r\n", "a\r\n", "a\r\n"},
    {"a\r\n\r\n\r\n", "a\r\n", "a\r\n"},
    {"\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
    {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, /* RFC 6376 3.4.5 */
    {"a \t\r\n", "a \t\r\n", "a\r\n"},
    {"a  b   c\r\n", "a  b   c\r\n", "a b c\r\n"},
    {"\ta\tb\r\n", "\ta\tb\r\n", " a b\r\n"},
    {" \r\n\t\r\n", " \r\n\t\r\n", ""},
    {"a\r\n \r\n\t\r\n", "a\r\n \r\n\t\r\n", "a\r\n"},
    {"a\r\n \r\nb\r\n", "a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n"},
    {" ", " \r\n", ""},
    {"a ", "a \r\n", "a\r\n"},
    {"a\r\n ", "a\r\n \r\n", "a\r\n"},
    {"a\r", "a\r\r\n", "a\r\r\n"},
    {"a\rb\r\n", "a\rb\r\n", "a\rb\r\n"},
    {"a \rb\r\n", "a \rb\r\n", "a \rb\r\n"},
    {"a\nb\n", "a\nb\n\r\n", "a\nb\n\r\n"},
    {"a\r\n\nb\r\n", "a\r\n\nb\r\n", "a\r\n\nb\r\n"},
    {"a \nb\r\n", "a \nb\r\n", "a \nb\r\n"},
    {"\r\r\n", "\r\r\n", "\r\r\n"},
    {"x\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\ny\r\n",
     "x\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\ny\r\n",
     "x\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\ny\r\n"},
};

static void body(const char *in, enum canon c, size_t piece, const char *want)
{
    struct canon_body b;
    str rest = str_c(in);
    buf_init_fixed(&out, mem, sizeof mem);
    canon_body_init(&b, c, put, NULL);
    while (rest.n) {
        canon_body_feed(&b, str_sub(rest, 0, piece));
        rest = str_skip(rest, piece);
    }
    canon_body_end(&b);
    assert_str(buf_str(&out), want);
}

/* Whatever the pieces that it comes in. */
static void all_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++)
        for (size_t piece = 1; piece <= 40; piece++) {
            body(bodies[i].in, CANON_SIMPLE, piece, bodies[i].simple);
            body(bodies[i].in, CANON_RELAXED, piece, bodies[i].relaxed);
        }
}

static const struct {
    const char *in, *simple, *relaxed;
} heads[] = {
    {"A: X\r\n", "A: X\r\n", "a:X\r\n"}, /* RFC 6376 3.4.5 */
    {"B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
    {"Subject:x", "Subject:x\r\n", "subject:x\r\n"},
    {"Empty:\r\n", "Empty:\r\n", "empty:\r\n"},
    {"Empty: \t\r\n \r\n", "Empty: \t\r\n \r\n", "empty:\r\n"},
    {"S: a\r\n\r\n", "S: a\r\n", "s:a\r\n"},
    {"S: a\r\n\t b \r\n  c\r\n", "S: a\r\n\t b \r\n  c\r\n", "s:a b c\r\n"},
};

static void all_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct head_field f;
        str rest = str_c(heads[i].in);
        assert_true(head_next(&rest, &f));
        buf_init_fixed(&out, mem, sizeof mem);
        canon_field(&out, CANON_SIMPLE, &f);
        assert_str(buf_str(&out), heads[i].simple);
        buf_init_fixed(&out, mem, sizeof mem);
        canon_field(&out, CANON_RELAXED, &f);
        assert_str(buf_str(&out), heads[i].relaxed);
    }
}

static const struct {
    const char *in, *simple, *relaxed;
} unsign[] = {
    {"D: a=1; b=xyz; c=2\r\n", "D: a=1; b=; c=2", "d:a=1; b=; c=2"},
    {"D: a=1; b= x\r\n\tyz \r\n ; c=2\r\n", "D: a=1; b=; c=2", "d:a=1; b=; c=2"},
    {"D: a=1;\r\n b=x\r\n", "D: a=1;\r\n b=", "d:a=1; b="},
    {"D: bh=q; b =x;\r\n", "D: bh=q; b =;", "d:bh=q; b =;"},
    {"D: b=x;\r\n\t\r\n", "D: b=;\r\n\t", "d:b=;"},
    {"D: bh=q\r\n", "D: bh=q", "d:bh=q"},
};

static void signature_taken_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unsign); i++) {
        struct head_field f;
        str rest = str_c(unsign[i].in);
        assert_true(head_next(&rest, &f));
        buf_init_fixed(&out, mem, sizeof mem);
        canon_field_unsigned(&out, CANON_SIMPLE, &f, canon_b_value(f.value));
        assert_str(buf_str(&out), unsign[i].simple);
        buf_init_fixed(&out, mem, sizeof mem);
        canon_field_unsigned(&out, CANON_RELAXED, &f, canon_b_value(f.value));
        assert_str(buf_str(&out), unsign[i].relaxed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_bodies), cmocka_unit_test(all_heads),
                                       cmocka_unit_test(signature_taken_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
