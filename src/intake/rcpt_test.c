/* Who is ours, who is relayed, who is refused, and what aliases become. */
#include "intake/judge.h"
#include "intake/test_fakes.h"

static const char conf_text[] =
    "hostname = \"mx.example.test\"\n"
    "listener mx { address = \"127.0.0.1:25001\" }\n"
    "listener six { address = \"[::1]:25001\" }\n"
    "limits { recipients = 100 }\n"
    "domain example.test { mailboxes = {\"alice\", \"bob\", \"with space\"} }\n"
    "domain catch.test { mailboxes = {\"one\"}  catch-all = \"alice@example.test\" }\n"
    "domain lists.test { deliver = \"lmtp://127.0.0.1:25024\" }\n"
    "domain xn--bcher-kva.test { mailboxes = {\"anna\"} }\n"
    "domain plain.test { mailboxes = {\"a\"}  subaddress = false }\n"
    "domain kept.test { mailboxes = {\"k\"}  archive = \"store@outside.test\" }\n"
    "alias \"info@example.test\" { to = {\"alice@example.test\", \"bob@example.test\"} }\n"
    "alias \"all@example.test\" { to = {\"info@example.test\", \"ALICE@example.test\", \"friend@outside.test\"} }\n"
    "alias \"away@example.test\" { to = {\"me@outside.test\"} }\n"
    "alias \"alice@catch.test\" { to = {\"alice@example.test\"} }\n"
    "alias \"bob@example.test\" { to = {\"bob@example.test\", \"bob@outside.test\"} }\n"
    "alias \"gone@kept.test\" { to = {\"k@kept.test\", \"z@outside.test\"} }\n";

enum who { STRANGER, FRIEND, LMTP };

struct tc {
    enum who who;
    const char *from, *rcpt; /* arguments of MAIL and RCPT */
    const char *reply;       /* code and enhanced code */
    const char *to;          /* recipients, each "address[<sender>][;orcpt]" and a blank behind it */
};

static const struct tc cases[] = {
    {STRANGER, "<a@b.test>", "<alice@example.test>", "250 2.1.5", "alice@example.test "},
    {STRANGER, "<a@b.test>", "<ALICE@Example.TEST>", "250 2.1.5", "ALICE@Example.TEST "},
    {STRANGER, "<a@b.test>", "<\"alice\"@example.test>", "250 2.1.5", "alice@example.test "},
    {STRANGER, "<a@b.test>", "<\"with space\"@example.test>", "250 2.1.5", "\"with space\"@example.test "},
    {STRANGER, "<>", "<alice@example.test>", "250 2.1.5", "alice@example.test "},
    {STRANGER, "<a@b.test>", "<carol@example.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<carol+x@example.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<alice+x@example.test>", "250 2.1.5", "alice+x@example.test "},
    {STRANGER, "<a@b.test>", "<a+x@plain.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<postmaster>", "250 2.1.5", "postmaster@example.test "},
    {STRANGER, "<a@b.test>", "<PostMaster>", "250 2.1.5", "postmaster@example.test "},
    {STRANGER, "<a@b.test>", "<Postmaster@lists.test>", "250 2.1.5", "Postmaster@lists.test "},
    {STRANGER, "<a@b.test>", "<postmaster@plain.test>", "250 2.1.5", "postmaster@plain.test "},
    {STRANGER, "<a@b.test>", "<postmaster@mx.example.test>", "250 2.1.5", "postmaster@example.test "},
    {STRANGER, "<a@b.test>", "<postmaster@[127.0.0.1]>", "250 2.1.5", "postmaster@example.test "},
    {STRANGER, "<a@b.test>", "<postmaster@[IPv6:::1]>", "250 2.1.5", "postmaster@example.test "},
    {STRANGER, "<a@b.test>", "<alice@[127.0.0.1]>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<postmaster@[192.0.2.9]>", "550 5.7.1", ""},
    {STRANGER, "<a@b.test>", "<x@[IPv6:2001:db8::1]>", "550 5.7.1", ""},
    {FRIEND, "<a@b.test>", "<x@[192.0.2.9]>", "250 2.1.5", "x@[192.0.2.9] "},
    {STRANGER, "<a@b.test>", "<x@outside.test>", "550 5.7.1", ""},
    {STRANGER, "<alice@example.test>", "<x@outside.test>", "550 5.7.1", ""},
    {STRANGER, "<a@b.test>", "<@example.test:x@outside.test>", "550 5.7.1", ""},
    {STRANGER, "<a@b.test>", "<alice@sub.example.test>", "550 5.7.1", ""},
    {STRANGER, "<a@b.test>", "<x%outside.test@example.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<outside.test!x@example.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<\"x@outside.test\"@example.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<x%outside.test@lists.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<outside.test!x@lists.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<\"x@outside.test\"@lists.test>", "550 5.1.1", ""},
    {STRANGER, "<a@b.test>", "<any.body@lists.test>", "250 2.1.5", "any.body@lists.test "},
    {FRIEND, "<a@b.test>", "<x@outside.test>", "250 2.1.5", "x@outside.test "},
    {FRIEND, "<a@b.test>", "<carol@example.test>", "550 5.1.1", ""},
    {LMTP, "<a@b.test>", "<x@outside.test>", "550 5.7.1", ""},
    {LMTP, "<a@b.test>", "<alice@example.test>", "250 2.1.5", "alice@example.test "},
    {STRANGER, "<a@b.test> SMTPUTF8",
     "<anna@b\xc3\xbc"
     "cher.test>",
     "250 2.1.5",
     "anna@b\xc3\xbc"
     "cher.test "},
    {STRANGER, "<a@b.test> SMTPUTF8",
     "<anna@B\xc3\x9c"
     "CHER.test>",
     "250 2.1.5",
     "anna@B\xc3\x9c"
     "CHER.test "},
    {STRANGER, "<a@b.test>", "<anna@xn--bcher-kva.test>", "250 2.1.5", "anna@xn--bcher-kva.test "},
    {STRANGER, "<a@b.test> SMTPUTF8", "<\xc3\xbc@outside.test>", "550 5.7.1", ""},
    /* aliases, catch-all, forwards */
    {STRANGER, "<a@b.test>", "<info@example.test>", "250 2.1.5",
     "alice@example.test;rfc822;info@example.test bob@example.test;rfc822;info@example.test "
     "bob@outside.test<SRS0=******=**=b.test=a@example.test>;rfc822;info@example.test "},
    {STRANGER, "<a@b.test>", "<info+x@example.test> ORCPT=rfc822;else@where.test", "250 2.1.5",
     "alice@example.test;rfc822;else@where.test bob@example.test;rfc822;else@where.test "
     "bob@outside.test<SRS0=******=**=b.test=a@example.test>;rfc822;else@where.test "},
    {STRANGER, "<>", "<away@example.test>", "250 2.1.5", "me@outside.test;rfc822;away@example.test "},
    {STRANGER, "<bob@example.test>", "<away@example.test>", "250 2.1.5", "me@outside.test;rfc822;away@example.test "},
    {STRANGER, "<SRS0=abc=de=first.test=x@second.test>", "<away@example.test>", "250 2.1.5",
     "me@outside.test<SRS1=******=second.test==abc=de=first.test=x@example.test>;rfc822;away@example.test "},
    {STRANGER, "<a@b.test>", "<one@catch.test>", "250 2.1.5", "one@catch.test "},
    {STRANGER, "<a@b.test>", "<two@catch.test>", "250 2.1.5", "alice@example.test;rfc822;two@catch.test "},
    {STRANGER, "<a@b.test>", "<alice@catch.test>", "250 2.1.5", "alice@example.test;rfc822;alice@catch.test "},
    /* the archive's copy */
    {STRANGER, "<a@b.test>", "<k@kept.test> NOTIFY=SUCCESS", "250 2.1.5",
     "store@outside.test<SRS0=******=**=b.test=a@kept.test> k@kept.test "},
    {STRANGER, "<a@b.test>", "<none@kept.test>", "550 5.1.1", ""},
    {FRIEND, "<k@kept.test>", "<x@outside.test>", "250 2.1.5", "x@outside.test store@outside.test "},
    /* senders that we rewrote */
    {STRANGER, "<>", "<SRS0=AAAAAA=AA=b.test=a@example.test>", "550 5.1.1", ""},
    {STRANGER, "<>", "<SRS1=AAAAAA=b.test==x@example.test>", "550 5.1.1", ""},
};

static struct source source_of(enum who who)
{
    struct source s = {.client_text = S("192.0.2.1"), .helo = S("client.test"), .esmtp = true};
    s.may_relay = s.trusted = who == FRIEND;
    s.lmtp = who == LMTP;
    return s;
}

static void add_all(struct buf *out, const struct tx *t)
{
    for (uint32_t i = 0; i < t->env.nto; i++) {
        const struct recipient *to = &t->env.to[i];
        buf_add(out, to->address);
        if (to->sender.n)
            buf_printf(out, "<" STR_FMT ">", STR_ARG(to->sender));
        if (to->orcpt.n)
            buf_printf(out, ";" STR_FMT, STR_ARG(to->orcpt));
        buf_add_char(out, ' ');
    }
}

/* '*' stands for any octet: the signed part of a rewritten sender. */
static bool fits(str got, const char *want)
{
    if (got.n != strlen(want))
        return false;
    for (size_t i = 0; i < got.n; i++)
        if (want[i] != '*' && want[i] != got.p[i])
            return false;
    return true;
}

static bool say_mail(struct tx *t, const struct source *s, const char *from, struct reply *r)
{
    struct mail_cmd m;
    char text[300];
    snprintf(text, sizeof text, "FROM:%s", from);
    CHECK(!cmd_mail(str_c(text), EXT_ALL, true, &t->arena, &m));
    struct matter about = {.source = s, .conf = fake.conf, .mail = &m};
    return judge(PHASE_MAIL, &about, r) && tx_mail(t, s, fake.conf, &m, r);
}

static bool say_rcpt(struct tx *t, const char *to, struct reply *r)
{
    struct rcpt_cmd m;
    char text[300];
    snprintf(text, sizeof text, "TO:%s", to);
    CHECK(!cmd_rcpt(str_c(text), EXT_ALL, t->env.flags & ENV_SMTPUTF8, true, &t->arena, &m));
    return tx_rcpt(t, &m, r);
}

static void decisions(void **state)
{
    (void)state;
    fake_begin(conf_text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct tc *c = &cases[i];
        struct source s = source_of(c->who);
        struct tx t;
        struct reply r = {0};
        struct buf got;
        char code[40];
        buf_init(&got, 10000);
        tx_init(&t);
        CHECK(say_mail(&t, &s, c->from, &r) && r.code == 250);
        bool ok = say_rcpt(&t, c->rcpt, &r);
        snprintf(code, sizeof code, "%d %s", r.code, r.esc);
        add_all(&got, &t);
        if (strcmp(code, c->reply) != 0 || !fits(buf_str(&got), c->to)) {
            print_error("%s: %s, to " STR_FMT "\n", c->rcpt, code, STR_ARG(buf_str(&got)));
            fail();
        }
        assert_int_equal(ok, c->reply[0] == '2');
        assert_int_equal(t.accepted, ok);
        buf_free(&got);
        tx_reset(&t);
        assert_null(t.arena.head);
    }
    fake_end();
}

static void duplicates_and_limit(void **state)
{
    (void)state;
    fake_begin(conf_text);
    struct source s = source_of(FRIEND);
    struct tx t;
    struct reply r = {0};
    tx_init(&t);
    CHECK(say_mail(&t, &s, "<a@b.test>", &r));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 50; i++) {
            char to[60];
            snprintf(to, sizeof to, "<user%d@outside.test>", i);
            CHECK(say_rcpt(&t, to, &r));
        }
    assert_int_equal(t.env.nto, 50);
    assert_int_equal(t.accepted, 100);
    assert_false(say_rcpt(&t, "<one.more@outside.test>", &r));
    assert_int_equal(r.code, 452);
    assert_string_equal(r.esc, "4.5.3");
    assert_int_equal(t.env.nto, 50);
    tx_reset(&t);
    fake_end();
}

/* A signed sender finds its way back; so does one whose case was changed on the way. */
static void srs_returns(void **state)
{
    (void)state;
    fake_begin(conf_text);
    struct source s = source_of(STRANGER);
    struct tx t;
    struct reply r = {0};
    char back[200];
    tx_init(&t);
    CHECK(say_mail(&t, &s, "<Some.One@b.test>", &r) && say_rcpt(&t, "<away@example.test>", &r));
    str sender = t.env.to[0].sender;
    snprintf(back, sizeof back, "<" STR_FMT ">", STR_ARG(sender));
    tx_reset(&t);
    for (int lower = 0; lower < 2; lower++) {
        CHECK(say_mail(&t, &s, "<>", &r));
        assert_true(say_rcpt(&t, back, &r));
        assert_int_equal(t.env.nto, 1);
        assert_true(str_ieq(t.env.to[0].address, S("some.one@b.test")));
        tx_reset(&t);
        for (char *p = back; *p; p++)
            *p = ascii_lower(*p);
    }
    back[8] = back[8] == 'a' ? 'b' : 'a';
    CHECK(say_mail(&t, &s, "<>", &r));
    assert_false(say_rcpt(&t, back, &r));
    assert_int_equal(r.code, 550);
    tx_reset(&t);
    fake_end();
}

static void room(void **state)
{
    (void)state;
    fake_begin(conf_text);
    struct source s = source_of(STRANGER);
    struct tx t;
    struct reply r = {0};
    tx_init(&t);
    static const err full[] = {E_DISK_FULL, E_QUEUE_FULL};
    for (int i = 0; i < 2; i++) {
        fake.room = full[i];
        assert_false(say_mail(&t, &s, "<a@b.test>", &r));
        assert_int_equal(r.code, 452);
        assert_string_equal(r.esc, "4.3.1");
        assert_false(t.open);
        tx_reset(&t);
    }
    fake.room = OK;
    assert_true(say_mail(&t, &s, "<a@b.test> SIZE=52428800", &r));
    tx_reset(&t);
    assert_false(say_mail(&t, &s, "<a@b.test> SIZE=52428801", &r));
    assert_int_equal(r.code, 552);
    tx_reset(&t);
    CHECK(say_mail(&t, &s, "<a@b.test>", &r));
    fake.queue_room = E_QUEUE_FULL;
    assert_false(say_rcpt(&t, "<alice@example.test>", &r));
    assert_int_equal(r.code, 452);
    tx_reset(&t);
    fake_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decisions), cmocka_unit_test(duplicates_and_limit),
                                       cmocka_unit_test(srs_returns), cmocka_unit_test(room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
