/* JSON and the small texts of answers. */
#include "base/test.h"
#include "ctl/out.c"

static void nested(void **none)
{
    (void)none;
    struct ctl_out o = {.json = true};
    buf_init(&o.b, 4096);
    json_open(&o, '{');
    json_kstr(&o, "a", S("x\"\n\xff"));
    json_knum(&o, "b", -5);
    json_kopen(&o, "c", '[');
    json_open(&o, '{');
    json_close(&o, '}');
    json_open(&o, '[');
    json_close(&o, ']');
    json_num(&o, 1);
    json_null(&o);
    json_bool(&o, true);
    json_close(&o, ']');
    json_ktime(&o, "d", 0);
    json_ktime(&o, "e", 1500);
    json_kbool(&o, "f", false);
    json_close(&o, '}');
    assert_str(buf_str(&o.b), "{\"a\":\"x\\\"\\n\xef\xbf\xbd\",\"b\":-5,\"c\":[{},[],1,null,true],\"d\":null,"
                              "\"e\":\"1970-01-01T00:00:01.500Z\",\"f\":false}");
    buf_free(&o.b);
}

/* Several answers, an object a line. */
static void lines(void **none)
{
    (void)none;
    struct ctl_out o = {.json = true};
    buf_init(&o.b, 4096);
    for (int i = 0; i < 2; i++) {
        json_open(&o, '{');
        json_kid(&o, "id", 0);
        json_kopen(&o, "to", '[');
        json_close(&o, ']');
        json_end(&o, '}');
    }
    assert_str(buf_str(&o.b), "{\"id\":\"0000000000000\",\"to\":[]}\n{\"id\":\"0000000000000\",\"to\":[]}\n");
    buf_free(&o.b);
}

static void texts(void **none)
{
    (void)none;
    static const struct {
        uint64_t n;
        const char *text;
    } sizes[] = {{0, "0 B"},         {1023, "1023 B"},    {1024, "1.0 KB"},           {10240, "10.0 KB"},
                 {102400, "100 KB"}, {5 << 20, "5.0 MB"}, {UINT64_MAX, "16777216 TB"}};
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        buf_clear(&b);
        ctl_put_size(&b, sizes[i].n);
        assert_str(buf_str(&b), sizes[i].text);
    }
    buf_clear(&b);
    ctl_put_count(&b, 1, "dog", "dogs");
    ctl_put_count(&b, 0, " dog", " dogs");
    ctl_put_in(&b, 1000, 1000);
    ctl_put_in(&b, 61500, 1000);
    ctl_put_sender(&b, S(""));
    ctl_put_sender(&b, S("a\x1b"));
    size_t at = b.n;
    ctl_put_pad(&b, at, 3);
    ctl_put_pad(&b, at, 2);
    assert_str(buf_str(&b), "1 dog0  dogsnowin 1 min 1 s<>a\\x1b   ");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nested), cmocka_unit_test(lines), cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
