/* How a story reads: phrases, JSON, order, reports, what hostile values become. */
#include "base/test.h"
#include "ctl/why.c"

static struct history_field f(const char *name, struct log_field v) { return (struct history_field){str_c(name), v}; }

static void event(struct story *s, int64_t ms, const char *name, uint64_t id, struct history_field *v, size_t n)
{
    struct history_event e = {.ms = ms, .name = str_c(name), .id = id, .n = n};
    memcpy(e.field, v, n * sizeof *v);
    assert_true(collect(s, &e));
}
#define EVENT_(s, ms, name, id, ...)                                                                                   \
    event(s, ms, name, id, (struct history_field[]){__VA_ARGS__},                                                      \
          sizeof((struct history_field[]){__VA_ARGS__}) / sizeof(struct history_field))

static const uint64_t ID = 0x1234567890abcdef >> 1, REPORT = 0x1234567890abcd00 >> 1;

static void fill(struct story *s) /* newest first, as the history gives it */
{
    EVENT_(s, 4000, "newer_event", ID, f("id", log_id(ID)), f("what", log_str(S("a b\x1b"))), f("n", log_num(5)));
    EVENT_(s, 3000, "bounced", ID, f("id", log_id(ID)), f("from", log_str(S("a@b"))), f("to", log_str(S("z@y"))),
           f("via", log_str(S(""))), f("reply", log_str(S("550 no"))), f("report", log_id(REPORT)));
    EVENT_(s, 2000, "delivered", ID, f("id", log_id(ID)), f("from", log_str(S("a@b"))), f("to", log_str(S("x@y"))),
           f("via", log_str(S("mx y"))), f("reply", log_str(S("250 ok"))), f("delay", log_num(61000)),
           f("tls", log_str(S("TLSv1.3"))));
    EVENT_(s, 1000, "accepted", ID, f("id", log_id(ID)), f("client", log_str(S("192.0.2.1"))),
           f("helo", log_str(S(""))), f("from", log_str(S(""))), f("to", log_str(S("x@y"))), f("size", log_num(2048)),
           f("message_id", log_str(S(""))), f("with", log_str(S("ESMTPS"))), f("recipients", log_num(12)),
           f("also", log_str(S("z@y, w@v"))));
}

static void texts(void **none)
{
    (void)none;
    struct story s;
    struct ctl_out o = {0};
    const struct story_source from = {0};
    story_init(&s);
    buf_init(&o.b, 1 << 20);
    fill(&s);
    tell(&o, &from, &s, ID);
    struct buf want;
    buf_init(&want, 65536);
    buf_add_c(&want, "message ");
    rt_id_text(&want, ID);
    buf_add_c(&want,
              "\n  1970-01-01T00:00:01.000Z  accepted from 192.0.2.1 by ESMTPS: from <> to x@y, z@y, w@v (12 "
              "recipients), 2.0 KB\n"
              "  1970-01-01T00:00:02.000Z  delivered to x@y by mx y over TLSv1.3: 250 ok, 1 min 1 s after its arrival\n"
              "  1970-01-01T00:00:03.000Z  z@y failed: 550 no; the report is message ");
    rt_id_text(&want, REPORT);
    buf_add_c(&want, "\n  1970-01-01T00:00:04.000Z  newer_event id=");
    rt_id_text(&want, ID);
    buf_add_c(&want, " what=a b\\x1b n=5\n  now: unknown, no server runs\n");
    buf_add_char(&want, 0);
    assert_str(buf_str(&o.b), want.p);

    buf_clear(&o.b);
    tell(&o, &from, &s, REPORT); /* the report's own story names what it is about */
    assert_true(str_search(buf_str(&o.b), S("this is a report about message ")) != STR_NONE);
    assert_true(str_search(buf_str(&o.b), S("delivered")) == STR_NONE);
    buf_free(&want);
    buf_free(&o.b);
    story_free(&s);
}

static void as_json(void **none)
{
    (void)none;
    struct story s;
    struct ctl_out o = {.json = true};
    const struct story_source from = {0};
    story_init(&s);
    buf_init(&o.b, 1 << 20);
    fill(&s);
    tell(&o, &from, &s, ID);
    str got = buf_str(&o.b);
    assert_true(str_search(got, S("\"events\":[{\"time\":\"1970-01-01T00:00:01.000Z\",\"event\":\"accepted\","
                                  "\"client\":\"192.0.2.1\",\"helo\":\"\"")) != STR_NONE);
    assert_true(str_search(got, S("{\"time\":\"1970-01-01T00:00:04.000Z\",\"event\":\"newer_event\",\"what\":\"a "
                                  "b\\u001b\",\"n\":5}],\"waiting\":[]}")) != STR_NONE);
    buf_free(&o.b);
    story_free(&s);
}

static void newest_messages(void **none)
{
    static const struct {
        uint64_t add[6], want[3];
        size_t max, n;
    } cases[] = {
        {{100, 100, 99, 99, 98}, {100, 99}, 2, 2},
        {{98, 100, 99, 97, 100}, {100, 99, 98}, 3, 3},
        {{5, 6}, {6, 5}, 3, 2},
        {{1, 2, 3}, {3}, 1, 1},
        {{3, 2, 1, 4}, {4, 3, 2}, 3, 3},
        {{0}, {0}, 3, 0},
    };
    (void)none;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint64_t ids[3] = {0};
        struct newest w = {.ids = ids, .max = cases[c].max};
        for (size_t i = 0; i < 6 && cases[c].add[i]; i++)
            newest_add(&w, cases[c].add[i]);
        assert_int_equal(w.n, cases[c].n);
        for (size_t i = 0; i < w.n; i++)
            assert_int_equal(ids[i], cases[c].want[i]);
    }
}

static void order(void **none)
{
    (void)none;
    static const struct {
        const char *name;
        int64_t ms;
    } came[] = {{"delivered", 7}, {"accepted", 6}, {"expanded", 6}, {"second", 5}, {"first", 5}, {"deferred", 7}};
    static const char *const want[] = {"delivered", "deferred", "expanded", "second", "first", "accepted"};
    struct story s;
    story_init(&s);
    put_in_order(&s);
    for (size_t i = 0; i < sizeof came / sizeof *came; i++)
        EVENT_(&s, came[i].ms, came[i].name, ID, f("id", log_id(ID)));
    put_in_order(&s);
    for (size_t i = 0; i < s.n; i++)
        assert_str(s.v[i].name, want[i]);
    story_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(as_json),
                                       cmocka_unit_test(newest_messages), cmocka_unit_test(order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
