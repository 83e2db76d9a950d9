/* Reports of others: kept once, within room and age, and shown. */
#include "reports/test_place.h"

#include "reports/received.c"

static char *file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char *p = malloc(1 << 20);
    assert_non_null(p);
    *n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

static err bring(str octets, bool *ret_again)
{
    struct keeping k = {.conf = place.conf, .octets = octets};
    arena_init(&k.mem, 4096, 16 << 20);
    read_and_keep(&k);
    arena_free(&k.mem);
    *ret_again = k.again;
    return k.e;
}

static err bring_file(const char *path)
{
    size_t n;
    bool again;
    char *p = file(path, &n);
    err e = bring(str_mem(p, n), &again);
    free(p);
    return e;
}

/* A report of its own for each i. */
static err bring_numbered(int i, bool *ret_again)
{
    char text[1000];
    int n =
        snprintf(text, sizeof text,
                 "Content-Type: text/xml\r\n\r\n<feedback><report_metadata><org_name>o</org_name><report_id>%d"
                 "</report_id></report_metadata><policy_published><domain>d%d.test</domain></policy_published>"
                 "<record><row><source_ip>192.0.2.%d</source_ip><count>%d</count><policy_evaluated><dkim>fail</dkim>"
                 "</policy_evaluated></row></record></feedback>",
                 i, i, i % 250, i);
    return bring(str_mem(text, (size_t)n), ret_again);
}

/* The answer to a command line. */
static char answer[100000], trouble[2000];
static int ask(const char *line, bool json)
{
    struct buf out, why;
    str words[16], rest = str_c(line);
    size_t n = 0;
    buf_init_fixed(&out, answer, sizeof answer - 1);
    buf_init_fixed(&why, trouble, sizeof trouble - 1);
    while (rest.n && n < COUNT(words) && str_cut(&rest, ' ', &words[n]))
        n++;
    int status = reports_answer(words, n, json, &out, &why);
    answer[out.n] = trouble[why.n] = 0;
    return status;
}

static void shown(void **state)
{
    (void)state;
    bool again;
    place_begin("received = {\"r@example.test\"}");
    assert_int_equal(ask("", false), 0);
    assert_string_equal(answer, "no reports\n");
    assert_int_equal(bring_file("tests/corpus/enclosed/dmarc-gzip.eml"), OK);
    assert_int_equal(bring_file("tests/corpus/enclosed/tls.eml"), OK);
    assert_int_equal(bring_file("tests/corpus/enclosed/rfc5965-b2.eml"), OK);
    assert_int_equal(bring_file("tests/corpus/enclosed/rfc6591-b1.eml"), OK);
    assert_int_equal(bring_file("tests/corpus/enclosed/dmarc-zip.eml"), OK); /* the same report again */
    assert_int_equal(ask("list", true), 0);
    assert_non_null(strstr(answer, "\"id\":4,"));
    assert_null(strstr(answer, "\"id\":5,"));
    static const struct {
        const char *line, *words[3];
    } rows[] = {
        {"show 1", {"example.com, policy quarantine", "192.0.2.123", "no DKIM signature"}},
        {"show 2", {"company-y.example, TLS", "certificate-expired", "starttls-not-supported"}},
        {"show 3", {"abuse complaint", "Earn money", "somespammer@example.net"}},
        {"show 4", {"auth-failure", "bodyhash", "You have a new bill"}},
        {"summary", {"DMARC: messages in its name", "TLS: sessions", "complaints"}},
        {"list --kind tls", {"company-y.example", "303 of 5629", "Company-X"}},
        {"list --domain=sender.example", {"a.sender.example", "failure", "1 of 1"}},
        {"list --since 2016-01-01 --until 2016-06-01", {"company-y.example", "", ""}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(ask(rows[i].line, false), 0);
        for (size_t k = 0; k < 3; k++)
            assert_non_null(strstr(answer, rows[i].words[k]));
        assert_int_equal(ask(rows[i].line, true), 0);
        assert_int_equal(answer[0], '{');
    }
    static const char *const wrong[] = {
        "nothing",       "show",         "show x",     "show 1 2",        "list 1",
        "list --kind x", "list --since", "list --x 1", "list --limit -1", "list --since yesterday"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(ask(wrong[i], false), 64);
        assert_non_null(strstr(trouble, "expected"));
    }
    assert_int_equal(ask("show 99", false), 1);
    assert_int_equal(ask("remove 1", false), 0);
    assert_int_equal(ask("remove 1", false), 1);
    assert_int_equal(ask("summary --domain example.com", false), 0);
    assert_string_equal(answer, "no reports\n"); /* its rows are gone as well */
    assert_int_equal(bring(S("Subject: hello\r\n\r\nno report\r\n"), &again), E_SYNTAX);
    place_end();
}

static int64_t kept(int64_t *ret_size)
{
    struct db_rows r;
    int64_t n = 0;
    db_rows_begin(&r, store_db(), "SELECT count(*), total(size) FROM received", "");
    while (db_rows_next(&r)) {
        n = db_rows_num(&r, 0);
        *ret_size = db_rows_num(&r, 1);
    }
    assert_int_equal(db_rows_end(&r), OK);
    return n;
}

static void room(void **state)
{
    (void)state;
    int64_t size = 0, one;
    bool again;
    place_begin("received-max-size = 64KB");
    assert_int_equal(bring_numbered(1, &again), OK);
    assert_int_equal(kept(&one), 1);
    for (int i = 2; i < 400; i++) {
        assert_int_equal(bring_numbered(i, &again), OK);
        assert_true(!again && kept(&size) <= i && size <= 65536);
    }
    assert_true(size > 65536 - 2 * one); /* full, not emptied */
    assert_int_equal(bring_numbered(399, &again), OK);
    assert_true(again);
    assert_int_equal(bring_numbered(1, &again), OK); /* the oldest has gone */
    assert_false(again);
    place_end();
}

static void age(void **state)
{
    (void)state;
    int64_t size, now_s = rt_wall_ms() / 1000;
    bool again;
    place_begin("received-max-age = \"1h\"");
    assert_int_equal(bring_numbered(1, &again), OK);
    received_trim(place.conf, now_s + 3599);
    assert_int_equal(kept(&size), 1);
    received_trim(place.conf, now_s + 3602); /* the clock may have gone on by a second */
    assert_int_equal(kept(&size), 0);
    place_end();
}

/* An XML text of exactly n octets, in gzip. */
static err bring_large(size_t n)
{
    struct buf xml, packed, mail;
    bool again;
    static const char head[] = "<feedback><policy_published><domain>d.test</domain></policy_published>";
    buf_init(&xml, n);
    buf_add_c(&xml, head);
    while (xml.n < n - 11)
        buf_add_char(&xml, ' ');
    buf_add_c(&xml, "</feedback>");
    assert_int_equal(xml.n, n);
    buf_init(&packed, 1 << 20);
    assert_int_equal(pack_gzip(buf_str(&xml), &packed), OK);
    buf_init(&mail, 1 << 20);
    buf_add_c(&mail, "Content-Type: application/gzip\r\nContent-Transfer-Encoding: binary\r\n\r\n");
    buf_add(&mail, buf_str(&packed));
    err e = bring(buf_str(&mail), &again);
    buf_free(&xml);
    buf_free(&packed);
    buf_free(&mail);
    return e;
}

static void unpacked(void **state)
{
    (void)state;
    place_begin("received-unpacked = 1MB");
    assert_int_equal(bring_large(1 << 20), OK);
    assert_int_equal(bring_large((1 << 20) + 1), E_SYNTAX);
    assert_int_equal(bring_large(64 << 20), E_SYNTAX);
    place_end();
}

static void whose(void **state)
{
    (void)state;
    place_begin("");
    assert_true(was_signed(place.conf, S("Authentication-Results: mx.example.test;\r\n dkim=pass header.d=x\r\n\r\n")));
    assert_false(was_signed(place.conf, S("Authentication-Results: mx.other.test; dkim=pass\r\n\r\n")));
    assert_false(was_signed(place.conf, S("Authentication-Results: mx.example.test; dkim=fail\r\n\r\ndkim=pass")));
    assert_false(was_signed(place.conf, S("Subject: x\r\n\r\n")));
    place_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shown), cmocka_unit_test(room), cmocka_unit_test(age),
                                       cmocka_unit_test(unpacked), cmocka_unit_test(whose)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
