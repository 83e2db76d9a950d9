/* Commands against a real file, then look-ups, then the same after opening it again. */
#include "base/test.h"
#include "conf/test_conf.h"
#include "directory/internal.h"
#include "priv/priv.h"

#include <fcntl.h>

static struct {
    char path[64];
    int fd;
    struct conf *conf;
} at;

static void set_up(const char *text)
{
    struct buf why;
    buf_init(&why, 1000);
    snprintf(at.path, sizeof at.path, "/tmp/directory-test-XXXXXX");
    assert_non_null(mkdtemp(at.path));
    at.fd = open(at.path, O_RDONLY | O_DIRECTORY);
    at.conf = test_conf("/tmp", str_c(text));
    assert_int_equal(directory_open(at.fd, &why), OK);
    assert_int_equal(priv_secrets_open(at.fd, &why), OK);
    buf_free(&why);
}

static void again(void)
{
    struct buf why;
    buf_init(&why, 1000);
    directory_close();
    assert_int_equal(directory_open(at.fd, &why), OK);
    buf_free(&why);
}

static void tear_down(void)
{
    directory_close();
    priv_secrets_close();
    conf_drop(&at.conf);
    for (const char *const *n =
             (const char *const[]){"directory.db", "directory.db-journal", "secrets.db", "secrets.db-journal", NULL};
         *n; n++)
        unlinkat(at.fd, *n, 0);
    close(at.fd);
    rmdir(at.path);
}

/* Runs a command of words between blanks; quotes are not understood. `says` is looked for in both answers. */
static void run(const char *line, int want, const char *says)
{
    struct arena a;
    struct buf out, why;
    str words[64], rest = str_c(line);
    size_t n = 0;
    arena_init(&a, 4096, 64 << 20);
    buf_init(&out, 1 << 20);
    buf_init(&why, 1 << 20);
    while (n < COUNT(words) && str_cut(&rest, ' ', &words[n]))
        n++;
    for (size_t i = 0; i < n; i++) /* "_" stands for a blank inside of a word */
        for (size_t k = 0; k < words[i].n; k++)
            if (words[i].p[k] == '_') {
                words[i] = arena_str(&a, words[i]);
                ((char *)words[i].p)[k] = ' ';
            }
    struct directory_call c = {at.conf, words, n, false, &out, &why, &a};
    int got = directory_command(&c);
    buf_add(&out, buf_str(&why));
    if (got != want || str_search(buf_str(&out), str_c(says)) == STR_NONE)
        fail_msg("%s: status %d, \"%.*s\"; expected %d, \"%s\"", line, got, (int)out.n, out.p, want, says);
    buf_free(&out);
    buf_free(&why);
    arena_free(&a);
}

static void commands(void **state)
{
    (void)state;
    set_up("listener mx { address = \"127.0.0.1:2525\" }\ndomain conf.test { deliver = \"maildir\" mailboxes = "
           "{\"bob\"} }\n"
           "alias \"info@conf.test\" { to = {\"bob@conf.test\"} }");
    run("domain add Example.TEST", 0, "");
    run("domain add example.test", 1, "there already");
    run("domain add conf.test", 1, "configuration file");
    run("domain add -x-", 64, "expected a domain name");
    run("domain add other.test --deliver nowhere", 1, "expected \"maildir\"");
    run("domain add other.test --deliver lmtp://127.0.0.1:24 --customer c1", 0, "");
    run("domain list", 0,
        "domain example.test deliver=maildir\ndomain other.test deliver=lmtp://127.0.0.1:24 customer=c1\n");
    run("domain show example.test", 0, "domain example.test");
    run("domain show none.test", 1, "no domain none.test");
    run("user add Alice@example.test --secret wonderland", 0, "");
    run("user add alice@EXAMPLE.test --secret x", 1, "there already");
    run("user add carol@conf.test", 0, "");
    run("user add bob@nowhere.test", 1, "domain add nowhere.test");
    run("user add a/b@example.test", 1, "mailbox");
    run("user add alice", 64, "expected an address");
    run("user add dave@example.test --messages 5/week", 1, "expected a rate");
    run("user add dave@example.test --nonsense 5", 64, "a key of this kind");
    run("user change alice@example.test --messages 5/min_9/h --any-sender", 0, "");
    run("user show alice@example.test", 0, "user Alice@example.test messages=\"5/min 9/h\" any-sender\n");
    run("user change alice@example.test --no-any-sender --forward carol@conf.test,dave@x.test --keep", 0, "");
    run("user show alice@example.test", 0, "forward=\"carol@conf.test dave@x.test\" keep\n");
    run("user list conf.test", 0, "user carol@conf.test\n");
    run("alias add team@example.test alice carol@conf.test", 0, "");
    run("alias add team@example.test alice", 1, "there already");
    run("alias add none@example.test", 1, "at least one");
    run("alias show team@example.test", 0, "to=\"alice@example.test carol@conf.test\"");
    run("alias change team@example.test carol@conf.test", 0, "");
    run("alias list", 0, "alias team@example.test to=carol@conf.test\n");
    run("credential add alice@example.test printer", 0, "-");
    run("credential add alice@example.test a/b", 64, "title");
    run("credential add nobody@example.test x", 1, "no user");
    run("credential list alice@example.test", 0, "alice@example.test  printer\n");
    run("credential disable alice@example.test printer", 0, "");
    run("credential list", 0, "printer  disabled\n");
    run("credential delete alice@example.test printer", 0, "");
    run("credential delete alice@example.test printer", 1, "no credential");
    run("domain delete example.test", 1, "users or aliases (2)");
    run("user disable alice@example.test", 0, "");
    run("user show alice@example.test", 0, " disabled");
    run("domain disable example.test", 0, "");
    run("user fly alice@example.test", 64, "found \"fly\"");
    again();
    run("domain list", 0, "domain example.test deliver=maildir disabled\n");
    run("user show alice@example.test", 0, "keep disabled\n");
    run("user delete alice@example.test", 0, "");
    run("user delete alice@example.test", 1, "no user");
    tear_down();
}

static void look_ups(void **state)
{
    (void)state;
    set_up("listener mx { address = \"127.0.0.1:2525\" }\ndomain conf.test { deliver = \"maildir\" mailboxes = "
           "{\"bob\"} }\n"
           "alias \"info@conf.test\" { to = {\"bob@conf.test\"} }");
    struct arena a;
    struct account x;
    const struct conf_alias *al;
    char name[65];
    arena_init(&a, 4096, 1 << 20);
    run("domain add example.test", 0, "");
    run("user add Alice@example.test", 0, "");
    run("user add eve@example.test --forward alice --keep", 0, "");
    run("alias add team@example.test alice bob@conf.test", 0, "");
    assert_non_null(directory_domain(at.conf, S("EXAMPLE.test")));
    assert_null(directory_domain(at.conf, S("none.test")));
    assert_int_equal(directory_account(&a, S("aLiCe"), S("example.test"), &x), OK);
    assert_str(x.local, "Alice");
    assert_true(x.id > 0 && x.enabled);
    const struct conf_domain *d = directory_domain(at.conf, S("example.test"));
    assert_true(directory_mailbox(d, S("ALICE"), name, sizeof name));
    assert_string_equal(name, "Alice");
    assert_true(directory_mailbox(d, S("Postmaster"), name, sizeof name));
    assert_false(directory_mailbox(d, S("team"), name, sizeof name));
    assert_int_equal(directory_alias(at.conf, &a, S("team"), S("example.test"), &al), OK);
    assert_int_equal(al->to.n, 2);
    assert_int_equal(directory_alias(at.conf, &a, S("eve"), S("example.test"), &al), OK);
    assert_int_equal(al->to.n, 2);
    assert_str(al->to.v[1], "eve@example.test");
    assert_int_equal(directory_alias(at.conf, &a, S("info"), S("conf.test"), &al), OK);
    assert_true(directory_leads_to(at.conf, S("team"), S("example.test"), S("alice@example.test")));
    assert_false(directory_leads_to(at.conf, S("team"), S("example.test"), S("eve@example.test")));
    assert_true(directory_leads_to(at.conf, S("info"), S("conf.test"), S("bob@conf.test")));
    assert_int_equal(directory_hold(S("alice"), S("example.test"), S("too fast")), OK);
    assert_int_equal(directory_account(&a, S("alice"), S("example.test"), &x), OK);
    assert_str(x.held, "too fast");
    arena_free(&a);
    tear_down();
}

static void transfer(void **state)
{
    (void)state;
    set_up("listener mx { address = \"127.0.0.1:2525\" }");
    struct arena a;
    struct buf out, why, first;
    arena_init(&a, 4096, 64 << 20);
    buf_init(&out, 1 << 20);
    buf_init(&first, 1 << 20);
    buf_init(&why, 1 << 20);
    str words[] = {S("user"), S("import"), S("--text"),
                   S("# a comment\n\ndomain example.test\nuser alice@example.test password=wonderland\n"
                     "user bob@example.test hash=\"$6$aaaaaaaa$xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n"
                     "credential bob@example.test title=phone password=abc\nalias x@example.test to=alice\n")};
    struct directory_call c = {at.conf, words, COUNT(words), false, &out, &why, &a};
    assert_int_equal(directory_command(&c), 0);
    assert_str(buf_str(&out), "imported: 5 lines\n");
    str export[] = {S("user"), S("export")};
    c.words = export, c.n = 2, c.out = &first;
    assert_int_equal(directory_command(&c), 0);
    assert_true(str_search(buf_str(&first), S("user alice@example.test hash=$y$")) != STR_NONE);
    assert_true(str_search(buf_str(&first), S(" scram=SCRAM-SHA-256$15000:")) != STR_NONE);
    assert_true(str_search(buf_str(&first), S("credential bob@example.test title=phone hash=$y$")) != STR_NONE);
    words[3] = buf_str(&first); /* what was exported goes in again and comes out the same */
    c.words = words, c.n = COUNT(words), c.out = &out;
    assert_int_equal(directory_command(&c), 0);
    buf_clear(&out);
    c.words = export, c.n = 2;
    assert_int_equal(directory_command(&c), 0);
    assert_true(str_eq(buf_str(&out), buf_str(&first)));
    words[3] = S("user alice@example.test\nuser x@nowhere.test\nuser bad@\n");
    c.words = words, c.n = COUNT(words);
    assert_int_equal(directory_command(&c), 1);
    assert_true(str_search(buf_str(&why), S("line 2: the domain nowhere.test")) != STR_NONE);
    assert_true(str_search(buf_str(&why), S("line 3: expected an address")) != STR_NONE);
    buf_free(&out);
    buf_free(&first);
    buf_free(&why);
    arena_free(&a);
    tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(commands), cmocka_unit_test(look_ups),
                                       cmocka_unit_test(transfer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
