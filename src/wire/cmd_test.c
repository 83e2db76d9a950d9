#include "wire/cmd.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LINE(s) s, sizeof(s) - 1

static const struct {
    const char *in;
    size_t n;
    enum fault fault;
    const char *verb, *args;
} lines[] = {
    {LINE("NOOP"), FAULT_NONE, "NOOP", ""},
    {LINE("noop  hello there  "), FAULT_NONE, "noop", "hello there"},
    {LINE("QUIT \t"), FAULT_NONE, "QUIT", ""},
    {LINE("MAIL FROM:<a@b> SIZE=1"), FAULT_NONE, "MAIL", "FROM:<a@b> SIZE=1"},
    {LINE("EHLO"), FAULT_NONE, "EHLO", ""},
    {LINE(""), FAULT_EMPTY, 0, 0},
    {LINE("   "), FAULT_EMPTY, 0, 0},
    {LINE(" NOOP"), FAULT_VERB, 0, 0},
    {LINE("NOOP:x"), FAULT_VERB, 0, 0},
    {LINE("\xc3\xa9"), FAULT_VERB, 0, 0},
    {LINE("AVERYLONGVERBTHATNOBODYHAS"), FAULT_VERB, 0, 0},
    {LINE("NO\0OP"), FAULT_CONTROL, 0, 0},
    {LINE("NOOP\0"), FAULT_CONTROL, 0, 0},
    {LINE("NOOP\tx"), FAULT_CONTROL, 0, 0},
    {LINE("NOOP x\x7f"), FAULT_CONTROL, 0, 0},
    {LINE("NOOP\rRSET"), FAULT_CONTROL, 0, 0},
    {LINE("NOOP\nRSET"), FAULT_CONTROL, 0, 0},
    {LINE("NOOP \xff"), FAULT_NONE, "NOOP", "\xff"},
};

static void command_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct cmd c;
        enum fault f = cmd_parse((str){lines[i].in, lines[i].n}, &c);
        if (f != lines[i].fault)
            fail_msg("'%s': %s", lines[i].in, fault_name(f));
        if (f == FAULT_NONE)
            assert_true(str_eq(c.verb, str_c(lines[i].verb)) && str_eq(c.args, str_c(lines[i].args)));
    }
}

static const struct {
    const char *in;
    enum fault fault;
} mails[] = {
    {"FROM:<a@b>", FAULT_NONE},
    {"from:<a@b>", FAULT_NONE},
    {"FROM: <a@b>", FAULT_NONE},
    {"FROM:<>", FAULT_NONE},
    {"FROM:", FAULT_ADDR_BRACKET},
    {"", FAULT_FROM},
    {"FROM", FAULT_FROM},
    {"FROM <a@b>", FAULT_FROM},
    {"FROM :<a@b>", FAULT_FROM},
    {"TO:<a@b>", FAULT_FROM},
    {"<a@b>", FAULT_FROM},
    {"FROM:a@b", FAULT_ADDR_BRACKET},
    {"FROM:<a@b", FAULT_ADDR_BRACKET},
    {"FROM:<a@b>SIZE=1", FAULT_ADDR_SYNTAX},
    {"FROM:<a@b> <c@d>", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b>,<c@d>", FAULT_ADDR_SYNTAX},
    {"FROM:<a@b> SIZE=100", FAULT_NONE},
    {"FROM:<a@b>   size=100", FAULT_NONE},
    {"FROM:<a@b> SIZE=0", FAULT_NONE},
    {"FROM:<a@b> SIZE=", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> SIZE", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> SIZE=-1", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> SIZE=+1", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> SIZE=1k", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> SIZE=1=2", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> SIZE=9223372036854775807", FAULT_NONE},
    {"FROM:<a@b> SIZE=9223372036854775808", FAULT_SIZE_RANGE},
    {"FROM:<a@b> SIZE=18446744073709551616", FAULT_SIZE_RANGE},
    {"FROM:<a@b> SIZE=99999999999999999999", FAULT_SIZE_RANGE},
    {"FROM:<a@b> SIZE=999999999999999999999999", FAULT_SIZE_RANGE},
    {"FROM:<a@b> SIZE=1 SIZE=1", FAULT_PARAM_TWICE},
    {"FROM:<a@b> SIZE=1 size=2", FAULT_PARAM_TWICE},
    {"FROM:<a@b> FOO=1", FAULT_PARAM_UNKNOWN},
    {"FROM:<a@b> FOO", FAULT_PARAM_UNKNOWN},
    {"FROM:<a@b> NOTIFY=NEVER", FAULT_PARAM_UNKNOWN},
    {"FROM:<a@b> =1", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> -X=1", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> X_Y=1", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> BODY=7BIT", FAULT_NONE},
    {"FROM:<a@b> BODY=8bitmime", FAULT_NONE},
    {"FROM:<a@b> BODY=BINARYMIME", FAULT_NONE},
    {"FROM:<a@b> BODY=9BIT", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> BODY", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> BODY=7BIT BODY=7BIT", FAULT_PARAM_TWICE},
    {"FROM:<a@b> SMTPUTF8", FAULT_NONE},
    {"FROM:<a@b> smtputf8", FAULT_NONE},
    {"FROM:<a@b> SMTPUTF8=yes", FAULT_PARAM_SYNTAX},
    {"FROM:<\xc3\xa9@b> SMTPUTF8", FAULT_NONE},
    {"FROM:<\xc3\xa9@b>", FAULT_ADDR_8BIT},
    {"FROM:<\xe9@b> SMTPUTF8", FAULT_ADDR_UTF8},
    {"FROM:<a@b> RET=FULL ENVID=x", FAULT_NONE},
    {"FROM:<a@b> RET=hdrs", FAULT_NONE},
    {"FROM:<a@b> RET=ALL", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> ENVID=a+2Bb+3D", FAULT_NONE},
    {"FROM:<a@b> ENVID=a+2bb", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> ENVID=a=b", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> ENVID=a+0D+0A", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> ENVID=a+E9", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> ENVID=a+4", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> ENVID=+00", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> AUTH=<>", FAULT_NONE},
    {"FROM:<a@b> AUTH=e+3Dmc2@example.com", FAULT_NONE},
    {"FROM:<a@b> AUTH=a@@b", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> HOLDFOR=60", FAULT_NONE},
    {"FROM:<a@b> HOLDFOR=0", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> HOLDFOR=1234567890", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> HOLDUNTIL=2030-01-01T00:00:00Z", FAULT_NONE},
    {"FROM:<a@b> HOLDUNTIL=tomorrow", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> HOLDUNTIL=2030-01-01T00:00:00Z HOLDFOR=5", FAULT_PARAM_TWICE},
    {"FROM:<a@b> BY=120;R", FAULT_NONE},
    {"FROM:<a@b> BY=-5;NT", FAULT_NONE},
    {"FROM:<a@b> BY=0;R", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> BY=5", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> BY=5;X", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> BY=5;RX", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> BY=1234567890;N", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> MT-PRIORITY=9", FAULT_NONE},
    {"FROM:<a@b> mt-priority=-9", FAULT_NONE},
    {"FROM:<a@b> MT-PRIORITY=-0", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> MT-PRIORITY=10", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> MT-PRIORITY=+1", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> MT_PRIORITY=1", FAULT_PARAM_SYNTAX},
    {"FROM:<a@b> REQUIRETLS", FAULT_NONE},
    {"FROM:<a@b> REQUIRETLS=1", FAULT_PARAM_SYNTAX},
    {"FROM:<a@@b>", FAULT_ADDR_DOMAIN},
    {"FROM:<@a,@b:c@d> SIZE=3", FAULT_NONE},
};

static void mail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++) {
        struct arena mem;
        struct mail_cmd m;
        arena_init(&mem, 512, 8192);
        enum fault f = cmd_mail(str_c(mails[i].in), EXT_ALL, true, &mem, &m);
        if (f != mails[i].fault)
            fail_msg("%s: %s", mails[i].in, fault_name(f));
        arena_free(&mem);
    }
}

static void mail_results(void **state)
{
    (void)state;
    struct arena mem;
    struct mail_cmd m;
    arena_init(&mem, 512, 8192);
    str line = S("FROM:<a@b> SIZE=77 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q+2Bq AUTH=x+3D@y");
    assert_int_equal(cmd_mail(line, EXT_ALL, false, &mem, &m), FAULT_NONE);
    assert_true(m.p.size == 77 && m.p.body == BODY_8BITMIME && m.p.smtputf8 && m.p.ret == RET_HDRS);
    assert_true(str_eq(m.p.envid, S("q+q")) && str_eq(m.p.auth, S("x=@y")));
    assert_int_equal(m.p.seen, 1u << PARAM_SIZE | 1u << PARAM_BODY | 1u << PARAM_SMTPUTF8 | 1u << PARAM_RET |
                                   1u << PARAM_ENVID | 1u << PARAM_AUTH);
    assert_int_equal(cmd_mail(S("FROM: <a@b>"), EXT_ALL, false, &mem, &m), FAULT_ADDR_BRACKET);
    /* what is not offered is not known */
    static const struct {
        const char *in;
        unsigned ext;
    } offered[] = {
        {"FROM:<a@b> SIZE=1", EXT_SIZE},  {"FROM:<a@b> BODY=7BIT", EXT_8BITMIME}, {"FROM:<a@b> SMTPUTF8", EXT_SMTPUTF8},
        {"FROM:<a@b> RET=FULL", EXT_DSN}, {"FROM:<a@b> ENVID=x", EXT_DSN},        {"FROM:<a@b> AUTH=<>", EXT_AUTH},
    };
    for (size_t i = 0; i < sizeof offered / sizeof *offered; i++) {
        assert_int_equal(cmd_mail(str_c(offered[i].in), offered[i].ext, false, &mem, &m), FAULT_NONE);
        assert_int_equal(cmd_mail(str_c(offered[i].in), EXT_ALL & ~offered[i].ext, false, &mem, &m),
                         FAULT_PARAM_UNKNOWN);
    }
    assert_int_equal(cmd_mail(S("FROM:<a@b> BODY=BINARYMIME"), EXT_8BITMIME, false, &mem, &m), FAULT_PARAM_SYNTAX);
    assert_int_equal(cmd_mail(S("FROM:<\xc3\xa9@b>"), 0, false, &mem, &m), FAULT_ADDR_8BIT);
    arena_free(&mem);
}

static const struct {
    const char *in;
    bool utf8;
    enum fault fault;
    unsigned notify;
    const char *orcpt;
} rcpts[] = {
    {"TO:<a@b>", false, FAULT_NONE, 0, ""},
    {"TO: <a@b>", false, FAULT_NONE, 0, ""},
    {"to:<Postmaster>", false, FAULT_NONE, 0, ""},
    {"TO:<>", false, FAULT_ADDR_NULL, 0, ""},
    {"TO:<bob>", false, FAULT_ADDR_NODOMAIN, 0, ""},
    {"FROM:<a@b>", false, FAULT_TO, 0, ""},
    {"TO:<a@b> SIZE=1", false, FAULT_PARAM_UNKNOWN, 0, ""},
    {"TO:<a@b> NOTIFY=NEVER", false, FAULT_NONE, NOTIFY_NEVER, ""},
    {"TO:<a@b> NOTIFY=success,Failure,DELAY", false, FAULT_NONE, NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, ""},
    {"TO:<a@b> NOTIFY=NEVER,FAILURE", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> NOTIFY=FAILURE,NEVER", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> NOTIFY=FAILURE,FAILURE", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> NOTIFY=FAILURE,", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> NOTIFY=", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> NOTIFY", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> NOTIFY=SOON", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", false, FAULT_PARAM_TWICE, 0, ""},
    {"TO:<a@b> ORCPT=rfc822;x+2By@z", false, FAULT_NONE, 0, "x+y@z"},
    {"TO:<a@b> ORCPT=rfc822;", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=;x", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=rfc822", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=rfc822;a+", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=rfc822;a+0Ab", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=utf-8;\\x{E9}@z", false, FAULT_NONE, 0, "\xc3\xa9@z"},
    {"TO:<a@b> ORCPT=utf-8;\\x{1F600}\\x{2B}@z", false, FAULT_NONE, 0, "\xf0\x9f\x98\x80+@z"},
    {"TO:<a@b> ORCPT=utf-8;\\x{D800}@z", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=utf-8;\\x{110000}@z", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=utf-8;\\x{0}@z", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=utf-8;\\x{}@z", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=utf-8;\\x{E9", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=utf-8;\xc3\xa9@z", false, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<a@b> ORCPT=utf-8;\xc3\xa9@z", true, FAULT_NONE, 0, "\xc3\xa9@z"},
    {"TO:<a@b> ORCPT=utf-8;\xe9@z", true, FAULT_PARAM_SYNTAX, 0, ""},
    {"TO:<\xc3\xa9@b>", true, FAULT_NONE, 0, ""},
    {"TO:<\xc3\xa9@b>", false, FAULT_ADDR_8BIT, 0, ""},
};

static void rcpt(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rcpts / sizeof *rcpts; i++) {
        struct arena mem;
        struct rcpt_cmd r;
        arena_init(&mem, 512, 8192);
        enum fault f = cmd_rcpt(str_c(rcpts[i].in), EXT_ALL, rcpts[i].utf8, true, &mem, &r);
        if (f != rcpts[i].fault)
            fail_msg("%s: %s", rcpts[i].in, fault_name(f));
        if (f == FAULT_NONE && (r.p.notify != rcpts[i].notify || !str_eq(r.p.orcpt, str_c(rcpts[i].orcpt))))
            fail_msg("%s: %u '%.*s'", rcpts[i].in, r.p.notify, (int)r.p.orcpt.n, r.p.orcpt.p);
        arena_free(&mem);
    }
}

static void many_params(void **state)
{
    (void)state;
    char mem[2000];
    struct buf b;
    struct mail_cmd m;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add(&b, S("FROM:<a@b>"));
    for (int i = 0; i < 200; i++)
        buf_add(&b, S(" X"));
    assert_int_equal(cmd_mail(buf_str(&b), EXT_ALL, true, NULL, &m), FAULT_PARAM_UNKNOWN);
}

static const struct {
    const char *in;
    enum fault fault;
    uint64_t size;
    bool last;
} bdats[] = {
    {"0", FAULT_NONE, 0, false},
    {"0 LAST", FAULT_NONE, 0, true},
    {"10  last", FAULT_NONE, 10, true},
    {"007", FAULT_NONE, 7, false},
    {"1000", FAULT_NONE, 1000, false},
    {"1001", FAULT_BDAT_RANGE, 1001, false},
    {"4294967296", FAULT_BDAT_RANGE, 4294967296, false},
    {"4294967301 LAST", FAULT_BDAT_RANGE, 4294967301, true},
    {"18446744073709551615", FAULT_BDAT_RANGE, UINT64_MAX, false},
    {"18446744073709551616", FAULT_BDAT_RANGE, UINT64_MAX, false},
    {"18446744073709551617 LAST", FAULT_BDAT_RANGE, UINT64_MAX, true},
    {"99999999999999999999999999", FAULT_BDAT_RANGE, UINT64_MAX, false},
    {"", FAULT_BDAT, 0, false},
    {"-1", FAULT_BDAT, 0, false},
    {"+1", FAULT_BDAT, 0, false},
    {"1.5", FAULT_BDAT, 0, false},
    {"0x10", FAULT_BDAT, 0, false},
    {"10LAST", FAULT_BDAT, 0, false},
    {"LAST", FAULT_BDAT, 0, false},
    {"LAST 10", FAULT_BDAT, 0, false},
    {"10 LAST LAST", FAULT_BDAT, 0, false},
    {"10 FIRST", FAULT_BDAT, 0, false},
    {"10 LASTX", FAULT_BDAT, 0, false},
    {"10 20", FAULT_BDAT, 0, false},
    {"1e3", FAULT_BDAT, 0, false},
};

static void bdat(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bdats / sizeof *bdats; i++) {
        uint64_t size = 0;
        bool last = false;
        enum fault f = cmd_bdat(str_c(bdats[i].in), 1000, &size, &last);
        if (f != bdats[i].fault || (f != FAULT_BDAT && (size != bdats[i].size || last != bdats[i].last)))
            fail_msg("%s: %s", bdats[i].in, fault_name(f));
    }
}

static void others(void **state)
{
    (void)state;
    str mech, initial, name, value;
    enum fault f;
    assert_int_equal(cmd_auth(S("PLAIN"), &mech, &initial), FAULT_NONE);
    assert_true(str_eq(mech, S("PLAIN")) && !initial.p);
    assert_int_equal(cmd_auth(S("PLAIN ="), &mech, &initial), FAULT_NONE);
    assert_true(initial.p && initial.n == 0);
    assert_int_equal(cmd_auth(S("SCRAM-SHA-256 abc="), &mech, &initial), FAULT_NONE);
    assert_true(str_eq(initial, S("abc=")));
    assert_int_equal(cmd_auth(S(""), &mech, &initial), FAULT_NO_ARG);
    assert_int_equal(cmd_auth(S("PLAIN a b"), &mech, &initial), FAULT_SYNTAX);
    assert_int_equal(cmd_auth(S("PL@IN"), &mech, &initial), FAULT_SYNTAX);
    assert_int_equal(cmd_no_args(S("")), FAULT_NONE);
    assert_int_equal(cmd_no_args(S("x")), FAULT_ARG);
    struct arena mem;
    arena_init(&mem, 512, 4096);
    str rest = S("NAME=spike.example  ADDR=192.0.2.1 LOGIN=a+2Bb HELO=[UNAVAILABLE]");
    assert_true(cmd_xclient_next(&rest, &mem, &name, &value, &f) && str_eq(value, S("spike.example")));
    assert_true(cmd_xclient_next(&rest, &mem, &name, &value, &f) && str_eq(name, S("ADDR")));
    assert_true(cmd_xclient_next(&rest, &mem, &name, &value, &f) && str_eq(value, S("a+b")));
    assert_true(cmd_xclient_next(&rest, &mem, &name, &value, &f) && str_eq(value, S("[UNAVAILABLE]")));
    assert_true(!cmd_xclient_next(&rest, &mem, &name, &value, &f) && f == FAULT_NONE);
    rest = S("NAME");
    assert_true(!cmd_xclient_next(&rest, &mem, &name, &value, &f) && f == FAULT_SYNTAX);
    rest = S("NAME=+0");
    assert_true(!cmd_xclient_next(&rest, &mem, &name, &value, &f) && f == FAULT_SYNTAX);
    arena_free(&mem);
}

static void notify_texts(void **state)
{
    (void)state;
    static const struct {
        unsigned notify;
        const char *text;
    } rows[] = {{NOTIFY_NONE, ""},
                {NOTIFY_NEVER, " NOTIFY=NEVER"},
                {NOTIFY_FAILURE, " NOTIFY=FAILURE"},
                {NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, " NOTIFY=SUCCESS,FAILURE,DELAY"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char mem[NOTIFY_TEXT];
        struct buf b;
        buf_init_fixed(&b, mem, sizeof mem);
        cmd_notify_print(&b, rows[i].notify);
        assert_true(!b.e && str_eq(buf_str(&b), str_c(rows[i].text)));
    }
}

static void xtext(void **state)
{
    (void)state;
    char a[1024], b[1024], all[256];
    struct buf enc, dec;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    buf_init_fixed(&enc, a, sizeof a);
    buf_init_fixed(&dec, b, sizeof b);
    xtext_encode(&enc, (str){all, 256});
    assert_true(xtext_decode(&dec, buf_str(&enc)));
    assert_true(str_eq(buf_str(&dec), (str){all, 256}));
    buf_clear(&enc);
    xtext_encode(&enc, S("a+b=c d"));
    assert_true(str_eq(buf_str(&enc), S("a+2Bb+3Dc+20d")));
}

/* Every row of fault.def gives a reply with a code that fits its class. */
static void fault_rows(void **state)
{
    (void)state;
    for (int f = 1; f < FAULT_COUNT; f++) {
        struct reply r;
        fault_reply(&r, (enum fault)f, false);
        assert_true(r.code >= 400 && r.code < 600 && r.esc[0] == '0' + r.code / 100 && r.n > 0);
    }
    struct reply r;
    fault_reply(&r, FAULT_ADDR_SYNTAX, true);
    assert_string_equal(r.esc, "5.1.7");
    fault_reply(&r, FAULT_ADDR_8BIT, true);
    assert_true(r.code == 553);
    assert_string_equal(r.esc, "5.6.7");
}

/* A parameter of somebody else's extension is taken as it is, but it must be one. */
static void foreign_params(void **state)
{
    (void)state;
    struct arena a;
    struct rcpt_cmd r;
    arena_init(&a, 1024, 65536);
    assert_int_equal(cmd_rcpt(S("TO:<a@b.test> RRVS=2014-04-03T23:01:00Z X"), EXT_DSN | EXT_OTHER, true, true, &a, &r),
                     FAULT_NONE);
    assert_int_equal(r.p.seen, 0);
    assert_int_equal(cmd_rcpt(S("TO:<a@b.test> X NOTIFY=WHEN"), EXT_DSN | EXT_OTHER, true, true, &a, &r),
                     FAULT_PARAM_SYNTAX);
    assert_int_equal(cmd_rcpt(S("TO:<a@b.test> -X=1"), EXT_ALL | EXT_OTHER, true, true, &a, &r), FAULT_PARAM_SYNTAX);
    assert_int_equal(cmd_rcpt(S("TO:<a@b.test> X=1"), EXT_ALL, true, true, &a, &r), FAULT_PARAM_UNKNOWN);
    /* What is known and not offered is nobody's. */
    assert_int_equal(cmd_rcpt(S("TO:<a@b.test> NOTIFY=NEVER"), EXT_OTHER, true, true, &a, &r), FAULT_PARAM_UNKNOWN);
    assert_int_equal(cmd_rcpt(S("TO:<a@b.test> BODY=7BIT"), EXT_ALL | EXT_OTHER, true, true, &a, &r),
                     FAULT_PARAM_UNKNOWN);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines), cmocka_unit_test(mail),           cmocka_unit_test(mail_results),
        cmocka_unit_test(rcpt),          cmocka_unit_test(many_params),    cmocka_unit_test(bdat),
        cmocka_unit_test(others),        cmocka_unit_test(foreign_params), cmocka_unit_test(notify_texts),
        cmocka_unit_test(xtext),         cmocka_unit_test(fault_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
