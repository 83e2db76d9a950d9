/* Packets of the milter protocol against octets written down from libmilter's own. */
#include "base/test.h"
#include "wire/milter.h"

static void assert_octets(struct buf *b, const char *want, size_t n)
{
    assert_int_equal(b->e, OK);
    assert_int_equal(b->n, n);
    assert_memory_equal(b->p, want, n);
    buf_clear(b);
}
#define OCTETS(b, lit) assert_octets(b, lit, sizeof(lit) - 1)

static void to_filter(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    milter_optneg(&b, 6, 0x1ff, 0x1fffff);
    OCTETS(&b, "\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff");
    milter_connect_packet(&b, S("mx.test"), MILTER_FAMILY_4, 25, S("192.0.2.1"));
    OCTETS(&b, "\0\0\0\x16"
               "Cmx.test\0004\0\x19"
               "192.0.2.1\0");
    milter_connect_packet(&b, S("localhost"), MILTER_FAMILY_UNKNOWN, 25, S("x"));
    OCTETS(&b, "\0\0\0\x0c"
               "Clocalhost\0U");
    milter_envelope_packet(&b, MILTER_MAIL, S("<a@b>"), S("SIZE=3  BODY=7BIT"));
    OCTETS(&b, "\0\0\0\x18"
               "M<a@b>\0SIZE=3\0BODY=7BIT\0");
    milter_envelope_packet(&b, MILTER_RCPT, S("<a\0@b>"), S(""));
    OCTETS(&b, "\0\0\0\x08"
               "R<a?@b>\0");
    milter_header_packet(&b, S("Subject"), S(" one\r\n two\r"), false);
    OCTETS(&b, "\0\0\0\x13"
               "LSubject\0one\n two\r\0");
    milter_header_packet(&b, S("A"), S("  b"), true);
    OCTETS(&b, "\0\0\0\x07"
               "LA\0  b\0");
    milter_header_packet(&b, S("A"), S("\tb"), false);
    OCTETS(&b, "\0\0\0\x06"
               "LA\0\tb\0");
    size_t at = milter_begin(&b, MILTER_MACROS);
    buf_add_char(&b, MILTER_CONNECT);
    milter_put_z(&b, S("j"));
    milter_put_z(&b, S("mx"));
    milter_end(&b, at);
    OCTETS(&b, "\0\0\0\x07"
               "DCj\0mx\0");
    buf_free(&b);
}

static void frames(void **state)
{
    (void)state;
    char what;
    str data;
    size_t used;
    assert_int_equal(milter_frame(S("\0\0\0"), &what, &data, &used), MILTER_MORE);
    assert_int_equal(used, 5);
    assert_int_equal(milter_frame(S("\0\0\0\0"), &what, &data, &used), MILTER_BROKEN);
    assert_int_equal(milter_frame(S("\0\0\0\x03qa"), &what, &data, &used), MILTER_MORE);
    assert_int_equal(used, 7);
    assert_int_equal(milter_frame(S("\0\0\0\x01"
                                    "ca"),
                                  &what, &data, &used),
                     MILTER_WHOLE);
    assert_int_equal(what, 'c');
    assert_int_equal(data.n, 0);
    assert_int_equal(used, 5);
    assert_int_equal(milter_frame(S("\0\x10\0\0"), &what, &data, &used), MILTER_MORE); /* at the limit */
    assert_int_equal(milter_frame(S("\0\x10\0\x01"), &what, &data, &used), MILTER_BROKEN);
    assert_int_equal(milter_frame(S("\xff\xff\xff\xff"), &what, &data, &used), MILTER_BROKEN);
}

static void terms(void **state)
{
    (void)state;
    struct milter_terms t;
    const char *why;
    assert_true(milter_terms_parse(S("\0\0\0\x06\0\0\x01\x01\x30\x10\x04\0"
                                     "\0\0\0\0j {client_addr}\0"
                                     "\0\0\0\x05\0"),
                                   &t, &why));
    assert_int_equal(t.version, 6);
    assert_int_equal(t.actions, 0x101);
    assert_int_equal(t.steps, 0x100400); /* bits inside libmilter do not count */
    assert_str(t.macros[MILTER_AT_CONNECT], "j {client_addr}");
    assert_non_null(t.macros[MILTER_AT_EOM].p);
    assert_int_equal(t.macros[MILTER_AT_EOM].n, 0);
    assert_null(t.macros[MILTER_AT_MAIL].p);
    static const struct bad {
        const char *p;
        size_t n;
    } bad[] = {
#define BAD(lit) {lit, sizeof(lit) - 1}
        BAD("\0\0\0\x06\0\0\0\0\0\0\0"),
        BAD("\0\0\0\x01\0\0\0\0\0\0\0\0"),
        BAD("\0\0\0\x07\0\0\0\0\0\0\0\0"),
        BAD("\0\0\0\x06\0\0\x02\0\0\0\0\0"),
        BAD("\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x07j\0"),
        BAD("\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x01j"),
        BAD("\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x01"),
        BAD("\0\0\0\x06\0\0\0\0\0\0\0\0\0"),
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        why = NULL;
        assert_false(milter_terms_parse(str_mem(bad[i].p, bad[i].n), &t, &why));
        assert_non_null(why);
    }
    assert_true(milter_terms_parse(S("\0\0\0\x02\0\0\0\x3f\0\0\0\x7f"), &t, &why));
    assert_int_equal(t.version, 2);
}

static void answers(void **state)
{
    (void)state;
    static const struct row {
        char what;
        const char *p;
        size_t n;
        bool ok;
        uint32_t index;
        const char *name, *value;
    } rows[] = {
#define ROW(what, lit, ...) {what, lit, sizeof(lit) - 1, __VA_ARGS__}
        ROW('c', "", true, 0, "", ""),
        ROW('c', "x", false),
        ROW('4', "", true, 0, "", ""),
        ROW('f', "", true, 0, "", ""),
        ROW('h', "A\0b\0", true, 0, "A", "b"),
        ROW('h', "A\0\0", true, 0, "A", ""),
        ROW('h', "A\0b", false),
        ROW('h', "A\0b\0c\0", false),
        ROW('h', "A B\0b\0", false),
        ROW('h', "A:\0b\0", false),
        ROW('h', "\0b\0", false),
        ROW('i', "\0\0\0\x02X-A\0b\nc\0", true, 2, "X-A", "b\nc"),
        ROW('m', "\0\0\0\x01Subject\0\0", true, 1, "Subject", ""),
        ROW('m', "\0\0\0", false),
        ROW('m', "\x80\0\0\0A\0b\0", false),
        ROW('+', "<a@b>\0", true, 0, "<a@b>", ""),
        ROW('+', "<a@b>\0NOTIFY=NEVER\0", false),
        ROW('2', "<a@b>\0NOTIFY=NEVER\0", true, 0, "<a@b>", "NOTIFY=NEVER"),
        ROW('2', "<a@b>\0", true, 0, "<a@b>", ""),
        ROW('e', "<>\0SIZE=1 BODY=7BIT\0", true, 0, "<>", "SIZE=1 BODY=7BIT"),
        ROW('e', "\0", false),
        ROW('-', "a@b\0", true, 0, "a@b", ""),
        ROW('-', "a@b", false),
        ROW('b', "any\0thing", true, 0, "", NULL),
        ROW('q', "why\0", true, 0, "", "why"),
        ROW('y', "550 no\0", true, 0, "", "550 no"),
        ROW('O', "", false),
        ROW('Z', "", false),
        ROW(0, "", false),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct milter_answer a;
        const char *why = NULL;
        bool ok = milter_answer_parse(r->what, str_mem(r->p, r->n), &a, &why);
        if (ok != r->ok)
            print_message("row %zu\n", i);
        assert_int_equal(ok, r->ok);
        if (!ok) {
            assert_non_null(why);
            continue;
        }
        assert_int_equal(a.said, r->what);
        assert_int_equal(a.index, r->index);
        assert_str(a.name, r->name);
        if (r->value)
            assert_str(a.value, r->value);
    }
}

/* At the limit of an address, and one more. */
static void address_limit(void **state)
{
    (void)state;
    char mem[MILTER_ADDRESS_MAX + 2];
    struct milter_answer a;
    const char *why;
    memset(mem, 'x', sizeof mem);
    mem[MILTER_ADDRESS_MAX] = 0;
    assert_true(milter_answer_parse('+', str_mem(mem, MILTER_ADDRESS_MAX + 1), &a, &why));
    mem[MILTER_ADDRESS_MAX] = 'x';
    mem[MILTER_ADDRESS_MAX + 1] = 0;
    assert_false(milter_answer_parse('+', str_mem(mem, MILTER_ADDRESS_MAX + 2), &a, &why));
    memset(mem, 'x', sizeof mem);
    assert_true(milter_field_name(str_mem(mem, MILTER_HEADER_NAME_MAX)));
    assert_false(milter_field_name(str_mem(mem, MILTER_HEADER_NAME_MAX + 1)));
}

static void replies(void **state)
{
    (void)state;
    static const struct row {
        const char *text;
        int code;
        const char *esc, *lines;
    } rows[] = {
        {"550 5.7.1 Go away", 550, "5.7.1", "Go away"},
        {"451 Later", 451, "", "Later"},
        {"421 4.7.0 Bye", 421, "4.7.0", "Bye"},
        {"550-5.7.1 One\r\n550-5.7.1 Two\r\n550 5.7.1 Three", 550, "5.7.1", "One\nTwo\nThree"},
        {"554 5.7.1 100%% sure, 5% too", 554, "5.7.1", "100% sure, 5 too"},
        {"550", 550, "", ""},
        {"250 2.0.0 Ok", 0, NULL, NULL},
        {"350 x", 0, NULL, NULL},
        {"5x0 x", 0, NULL, NULL},
        {"550-5.7.1 One", 0, NULL, NULL},
        {"", 0, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reply r;
        bool ok = milter_reply(str_c(rows[i].text), &r);
        assert_int_equal(ok, rows[i].code != 0);
        if (!ok)
            continue;
        assert_int_equal(r.code, rows[i].code);
        assert_string_equal(r.esc, rows[i].esc);
        assert_str(reply_text(&r), rows[i].lines);
    }
}

static void values(void **state)
{
    (void)state;
    static const struct row {
        const char *in;
        bool space;
        const char *out;
    } rows[] = {
        {"plain", false, " plain"},
        {" plain", true, " plain"},
        {"plain", true, "plain"},
        {"v=1;\n\tb=x;\n  c=y", false, " v=1;\r\n\tb=x;\r\n  c=y"},
        {"a\r\n b", false, " a\r\n b"},
        {"a\nBcc: x", false, " a\r\n\tBcc: x"},
        {"a\n\n b", false, " a\r\n\t\r\n b"},
        {"a\n", false, " a"},
        {"a\r\n\r\n", false, " a"},
        {"a\rb\001", false, " a?b?"},
        {"\xc3\xa4", true, "\xc3\xa4"},
        {"", false, " "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 100);
        milter_value(&b, str_c(rows[i].in), rows[i].space);
        assert_str(buf_str(&b), rows[i].out);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_filter),     cmocka_unit_test(frames),  cmocka_unit_test(terms),  cmocka_unit_test(answers),
        cmocka_unit_test(address_limit), cmocka_unit_test(replies), cmocka_unit_test(values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
