#include "conf/bundle.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static char dir[64];

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}
static const char *at(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static const char main_text[] =
    "hostname = \"mx.example.test\"\n"
    "aliases-file = \"aliases\"\n"
    "listener mx { address = \"127.0.0.1:2525\" }\n"
    "domain example.test { mailboxes = {\"alice\", \"bob\"} }\n"
    "route * { via = \"smtp://h.test\" auth-user = \"u\" password-file = \"./pw\" ca-file = \"ca\" "
    "tls = verify }\n"
    "route a.test { via = \"smtp://h.test\" auth-user = \"u\" password-file = \"pw\" }\n";

static const char aliases_text[] = "# people\n"
                                   "\n"
                                   "root: alice\n"
                                   "info@Example.TEST: alice@example.test,\n"
                                   "   bob@example.test , carol@other.test\n"
                                   "   # indented comment\n"
                                   "\"john doe\"@example.test: bob\r\n"
                                   "unused@nowhere.test: bob@example.test";

static void reads(void **state)
{
    (void)state;
    put("p.conf", main_text);
    put("aliases", aliases_text);
    put("pw", "secret \nsecond line\n");
    put("ca", "PEM");
    struct conf_bundle b, copy;
    assert_int_equal(conf_bundle_read(&b, at("p.conf")), OK);
    assert_int_equal(b.n, 4);
    assert_true(b.system_name.n > 0);
    AUTO_BUF bytes;
    buf_init(&bytes, 1 << 20);
    conf_bundle_encode(&bytes, &b);
    assert_int_equal(bytes.e, OK);
    conf_bundle_free(&b);
    assert_int_equal(conf_bundle_decode(&copy, buf_str(&bytes)), OK);

    struct conf *c = NULL;
    struct conf_errors errors;
    AUTO_BUF out;
    buf_init(&out, 1 << 16);
    err e = conf_load(&c, &copy, &errors);
    conf_errors_print(&out, &errors);
    buf_add_char(&out, 0);
    char want[256];
    snprintf(want, sizeof want,
             "%s/aliases:8: warning: alias unused@nowhere.test is never used: there is no domain nowhere.test\n", dir);
    assert_string_equal(out.p, want);
    assert_int_equal(e, OK);
    conf_bundle_free(&copy);
    assert_true(str_eq(c->routes[0].password, S("secret")));
    assert_true(str_eq(c->routes[0].ca_pem, S("PEM")));
    assert_true(str_eq(c->routes[1].password, S("secret")));
    assert_true(str_eq(conf_file_text(c, c->routes[0].ca_file), S("PEM")));
    assert_null(conf_file_text(c, S("/x")).p);
    assert_int_equal(c->naliases, 4);
    const struct conf_alias *a = conf_alias(c, S("root"), S("example.test"));
    assert_non_null(a);
    assert_true(a->to.n == 1 && str_eq(a->to.v[0], S("alice@example.test")));
    a = conf_alias(c, S("INFO"), S("example.test"));
    assert_non_null(a);
    assert_int_equal(a->to.n, 3);
    assert_true(str_eq(a->to.v[2], S("carol@other.test")));
    assert_non_null(conf_alias(c, S("john doe"), S("example.test")));
    conf_errors_free(&errors);
    conf_drop(&c);
}

static void bad_files(void **state)
{
    (void)state;
    struct conf_bundle b;
    assert_int_equal(conf_bundle_read(&b, at("none.conf")), E_NOT_FOUND);
    assert_int_equal(conf_bundle_read(&b, dir), E_UNSUPPORTED);
    put("p.conf", "hostname = \"mx.example.test\"\nlistener mx { address = \"127.0.0.1:1\" }\n"
                  "domain a.test { mailboxes = \"b\" }\nalias x@a.test { to = \"b@a.test\" }\n"
                  "aliases-file = \"aliases\"\ntls { certificate = \"gone\" key = \".\" }\n");
    put("aliases", "no colon here\n: b\nx: b\ny:\nz: |/bin/cmd, /dev/null\nq: b@@c\nr: s\ns: r\n\xff: b\n");
    assert_int_equal(conf_bundle_read(&b, at("p.conf")), OK);
    struct conf *c = NULL;
    struct conf_errors errors;
    AUTO_BUF out;
    buf_init(&out, 1 << 16);
    assert_int_equal(conf_load(&c, &b, &errors), E_SYNTAX);
    assert_null(c);
    conf_errors_print(&out, &errors);
    AUTO_BUF all; /* with the folder's name taken out */
    buf_init(&all, 1 << 16);
    str rest = buf_str(&out), d = str_c(dir);
    for (size_t i; (i = str_search(rest, d)) != STR_NONE; rest = str_skip(rest, i + d.n)) {
        buf_add(&all, str_sub(rest, 0, i));
        buf_add_c(&all, "D");
    }
    buf_add(&all, rest);
    buf_add_char(&all, 0);
    static const char want[] =
        "D/p.conf:6: error: tls: certificate: cannot read \"D/gone\": not found\n"
        "D/p.conf:6: error: tls: key: cannot read \"D/.\": not supported\n"
        "D/aliases:1: error: expected \"name: target, target\", found \"no colon here\"\n"
        "D/aliases:2: error: expected a name or an address before \":\", found \"\": bad address syntax\n"
        "D/aliases:3: error: alias \"x@a.test\" is given twice (first in line 4 of the configuration)\n"
        "D/aliases:4: error: expected targets behind \"y@a.test:\", found none\n"
        "D/aliases:5: error: expected an address as target, found \"|/bin/cmd\": commands, files and included "
        "lists are not "
        "supported\n"
        "D/aliases:5: error: expected an address as target, found \"/dev/null\": commands, files and included "
        "lists are not "
        "supported\n"
        "D/aliases:6: error: expected an address as target, found \"b@@c\": bad domain in address\n"
        "D/aliases:8: error: alias s@a.test: expected targets that do not lead back to it, found \"r@a.test\"\n"
        "D/aliases:9: error: expected text, found octets that are not UTF-8\n";
    if (strcmp(all.p, want) != 0)
        fputs(all.p, stderr);
    assert_true(strcmp(all.p, want) == 0);
    conf_errors_free(&errors);
    conf_bundle_free(&b);
}

/* The parent's bundle holds no text of a secret, nor does what it sends; the keeper reads it from the descriptor. */
static void closed(void **state)
{
    (void)state;
    struct conf_bundle b, sent;
    struct conf_errors errors;
    struct conf *c = NULL;
    put("p.conf", main_text);
    put("aliases", aliases_text);
    put("pw", "secret \nsecond line\n");
    put("ca", "PEM");
    assert_int_equal(conf_bundle_read_closed(&b, at("p.conf")), OK);
    assert_int_equal(conf_bundle_add_secret(&b, str_c(at("gone"))), OK);
    AUTO_BUF bytes;
    buf_init(&bytes, 1 << 20);
    conf_bundle_encode(&bytes, &b);
    assert_true(str_search(buf_str(&bytes), S("second line")) == STR_NONE);
    assert_true(str_search(buf_str(&bytes), S("carol@other.test")) != STR_NONE);
    assert_int_equal(conf_bundle_decode(&sent, buf_str(&bytes)), OK);
    size_t n = 0;
    for (size_t i = 0; i < sent.n; i++) {
        assert_int_equal(sent.v[i].fd, -1);
        assert_int_equal(sent.v[i].secret, b.v[i].secret);
        assert_int_equal(sent.v[i].secret, b.v[i].fd >= 0 || b.v[i].e == E_NOT_FOUND);
        assert_true((sent.v[i].text.p == NULL) == sent.v[i].secret);
        n += sent.v[i].secret;
    }
    assert_int_equal(n, 2);
    assert_int_equal(conf_load(&c, &sent, &errors), OK);
    assert_int_equal(c->routes[0].password.n, 0);
    conf_errors_free(&errors);
    conf_drop(&c);
    for (int round = 0; round < 2; round++) /* where another reader left the position does not matter */
        for (size_t i = 0; i < b.n; i++)
            if (b.v[i].fd >= 0)
                assert_int_equal(conf_bundle_take(&sent, i, b.v[i].fd), OK);
    assert_int_equal(conf_load(&c, &sent, &errors), OK);
    assert_true(str_eq(c->routes[0].password, S("secret")));
    conf_errors_free(&errors);
    conf_drop(&c);
    conf_bundle_free(&sent);
    conf_bundle_free(&b);
}

static void damaged(void **state)
{
    (void)state;
    struct conf_bundle b, c;
    AUTO_BUF bytes;
    buf_init(&bytes, 1 << 20);
    assert_int_equal(conf_bundle_of(&b, S("x"), S("loops = 1"), S("/")), OK);
    conf_bundle_encode(&bytes, &b);
    for (size_t n = 0; n < bytes.n; n++)
        assert_int_equal(conf_bundle_decode(&c, (str){bytes.p, n}), E_CORRUPT);
    buf_add_char(&bytes, 0);
    assert_int_equal(conf_bundle_decode(&c, buf_str(&bytes)), E_CORRUPT);
    conf_bundle_free(&b);
    conf_bundle_free(&b);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/conf-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"p.conf", "aliases", "pw", "ca"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(at(names[i]));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(bad_files), cmocka_unit_test(closed),
                                       cmocka_unit_test(damaged)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
