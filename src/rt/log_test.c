/* Log lines: form, escaping, JSON, limits, a log that nobody reads; ids in text. */
#include "rt/test_world.h"

#include <fcntl.h>

static int pipe_fd[2];
static char text[1 << 20];

/* What was logged since the last call, without its time. */
static const char *logged(void)
{
    rt_log_flush();
    ssize_t n = read(pipe_fd[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    return n > 25 && text[0] != '{' ? text + 25 : text;
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(pipe2(pipe_fd, O_NONBLOCK), 0);
    rt_log_setup(LOG_INFO, false, pipe_fd[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    return 0;
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } cases[] = {
        {"<a@b.example>", 13, "<a@b.example>"},
        {"", 0, "\"\""},
        {"two words", 9, "\"two words\""},
        {"a=b", 3, "\"a=b\""},
        {"a\"b\\", 4, "\"a\\\"b\\\\\""},
        {"x\r\ny", 4, "\"x\\x0d\\x0ay\""},
        {"n\0n", 3, "\"n\\x00n\""},
        {"\xc3\xa4\x7f", 3, "\"\\xc3\\xa4\\x7f\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[128];
        rt_log(EV_stop, log_str(str_mem(cases[i].in, cases[i].n)));
        snprintf(want, sizeof want, "notice stop why=%s\n", cases[i].out);
        assert_string_equal(logged(), want);
    }
    rt_log(EV_accepted, log_id(1), log_num(-5), log_num(INT64_MIN), log_c(NULL));
    assert_string_equal(logged(), "info accepted id=0000000000001 session=-5 client=-9223372036854775808 helo=\"\"\n");
    rt_log(EV_stop, log_c("a"), log_c("no such field"));
    assert_string_equal(logged(), "notice stop why=a\n");
    rt_log(EV_stop, log_err(E_DISK_FULL));
    assert_string_equal(logged(), "notice stop why=\"disk is full\"\n");
}

static void test_time(void **state)
{
    (void)state;
    rt_log(EV_stop, log_c("x"));
    logged();
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (int i = 0; form[i]; i++)
        assert_true(form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i]);
}

static void test_json(void **state)
{
    (void)state;
    rt_log_setup(LOG_INFO, true, pipe_fd[1]);
    rt_log(EV_accepted, log_id(33), log_c("plain"), log_c("q\"\\\n\x01\xff"), log_num(7));
    const char *line = logged();
    assert_memory_equal(line, "{\"time\":\"20", 11);
    assert_string_equal(strchr(line, ','),
                        ",\"level\":\"info\",\"event\":\"accepted\",\"id\":\"0000000000011\",\"session\":\"plain\","
                        "\"client\":\"q\\\"\\\\\\n\\u0001\xef\xbf\xbd\",\"helo\":7}\n");
    char big[3000];
    memset(big, 'x', sizeof big);
    for (int dirty = 0; dirty < 2; dirty++) {
        big[5] = dirty ? '"' : 'x';
        rt_log(EV_stop, log_str(str_mem(big, sizeof big)));
        line = logged();
        assert_int_equal(strlen(line), strlen(strchr(line, ',')) + 34);
        assert_string_equal(line + strlen(line) - 7, "x...\"}\n");
    }
}

static void test_limits(void **state)
{
    (void)state;
    char big[5000];
    memset(big, 'x', sizeof big);
    rt_log(EV_stop, log_str(str_mem(big, 1024)));
    assert_int_equal(strlen(logged()), strlen("notice stop why=\n") + 1024);
    rt_log(EV_stop, log_str(str_mem(big, 1025)));
    assert_int_equal(strlen(logged()), strlen("notice stop why=\"...\"\n") + 1024);
    int64_t n = event_count(EV_tls);
    rt_log_setup(LOG_NOTICE, false, pipe_fd[1]);
    rt_log(EV_tls, log_c("below the level"));
    assert_string_equal(logged(), "");
    assert_int_equal(event_count(EV_tls), n + 1); /* counted all the same */
}

static void test_unread(void **state)
{
    (void)state;
    char big[1000];
    memset(big, 'x', sizeof big);
    int64_t lost = metric_read(M_log_lost);
    enum { LINES = 400 };
    for (int i = 0; i < LINES; i++) {
        rt_log(EV_stop, log_str(str_mem(big, sizeof big)));
    }
    lost = metric_read(M_log_lost) - lost;
    assert_true(lost > 100 && lost < LINES);
    int lines = 0;
    for (const char *s; *(s = logged());)
        for (const char *p = text; *p; p++)
            lines += *p == '\n';
    assert_int_equal(lines + lost, LINES); /* whole lines only */
    close(pipe_fd[0]);
    rt_log(EV_stop, log_c("nobody"));
    assert_int_equal(pipe2(pipe_fd, O_NONBLOCK), 0);
}

static enum event tapped;
static size_t taps;
static uint64_t tapped_id;

static void tap(enum event ev, const struct log_field *v, size_t n)
{
    tapped = ev;
    tapped_id = n ? (uint64_t)v[0].n : 0;
    taps++;
}

static void test_tap(void **state)
{
    (void)state;
    rt_log_setup(LOG_ERROR, false, pipe_fd[1]);
    rt_log_tap(tap);
    rt_log(EV_delivered, log_id(77));
    rt_log(EV_stop, log_c("has no id"));
    rt_log_tap(NULL);
    assert_int_equal(taps, 1);
    assert_int_equal(tapped, EV_delivered);
    assert_int_equal(tapped_id, 77);
}

static void log_init(void *arg, int index)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        rt_log(EV_stop, log_num(index), log_c("?"));
        if (i % 20 == 0)
            fiber_yield();
    }
    rt_stop();
}

static void test_threads(void **state)
{
    (void)state;
    char name[] = "/tmp/postrider-log-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    fcntl(fd, F_SETFL, O_APPEND);
    rt_log_setup(LOG_INFO, false, fd);
    world(3, log_init);
    rt_log_setup(LOG_INFO, false, pipe_fd[1]);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    assert_true(n > 0);
    text[n] = 0;
    int lines = 0;
    for (char *p = text; *p; p = strchr(p, '\n') + 1, lines++)
        assert_memory_equal(p + 25, "notice stop why=", 16);
    assert_int_equal(lines, 600);
}

static void test_ids(void **state)
{
    (void)state;
    static const struct {
        uint64_t id;
        const char *text;
    } good[] = {
        {0, "0000000000000"},
        {31, "000000000000z"},
        {32, "0000000000010"},
        {INT64_MAX, "7zzzzzzzzzzzz"},
    };
    uint64_t id;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char p[16];
        struct buf b;
        buf_init_fixed(&b, p, sizeof p);
        rt_id_text(&b, good[i].id);
        assert_true(str_eq(buf_str(&b), str_c(good[i].text)));
        assert_true(rt_id_parse(buf_str(&b), &id));
        assert_int_equal(id, good[i].id);
    }
    assert_true(rt_id_parse(S("OoIiLlABCDEFG"), &id));
    uint64_t same;
    assert_true(rt_id_parse(S("001111abcdefg"), &same));
    assert_int_equal(id, same);
    static const char *const bad[] = {
        "", "000000000000", "00000000000000", "8000000000000", "000000000000u", "000000000000-"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(rt_id_parse(str_c(bad[i]), &id));
    assert_false(rt_id_parse(S("000000\0000000"), &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
