#include "conf/rule.c"
#include "base/test.h"
#include "conf/conf.h"

/* A tree in brackets, to compare. */
static void show(struct buf *b, const struct rule_cond *c)
{
    static const char *const kinds[] = {"and", "or", "not"};
    buf_add_char(b, '(');
    if (c->kind != RULE_TEST) {
        buf_add_c(b, kinds[c->kind]);
        for (const struct rule_cond *x = c->first; x; x = x->next)
            show(b, x);
    } else {
        buf_printf(b, "%s", rule_facts[c->fact].words);
        if (c->name.n)
            buf_printf(b, ":" STR_FMT, STR_ARG(c->name));
        buf_printf(b, " %s", rule_ops[c->op].words);
        buf_add(b, c->list_title);
        for (size_t i = 0; i < c->n; i++) {
            enum rule_type t = rule_facts[c->fact].type;
            buf_add_char(b, ' ');
            if (t == RULE_IP)
                ip_print(b, &c->v[i].net.ip);
            else if (t == RULE_NUM || t == RULE_SIZE || t == RULE_SCORE || t == RULE_WORD)
                buf_printf(b, "%lld", (long long)c->v[i].number);
            else
                buf_add(b, c->v[i].text);
        }
    }
    buf_add_char(b, ')');
}

static const struct {
    const char *text, *want; /* a tree, or "expected ..." */
} conditions[] = {
    {"authenticated", "(authenticated )"},
    {"NOT Authenticated", "(not(authenticated ))"},
    {"size > 20MB and recipient domain is lists.test and not authenticated",
     "(and(size > 20971520)(recipient domain is lists.test)(not(authenticated )))"},
    {"tls or early talker and helo is a.test", "(or(tls )(and(early talker )(helo is a.test)))"},
    {"(tls or early talker) and helo is a.test", "(and(or(tls )(early talker ))(helo is a.test))"},
    {"client in 10.0.0.0/8, 192.0.2.1", "(client in 10.0.0.0 192.0.2.1)"},
    {"client in (::1)", "(client in ::1)"},
    {"client is not 192.0.2.1", "(not(client is 192.0.2.1))"},
    {"client != 192.0.2.1", "(not(client is 192.0.2.1))"},
    {"client is in list x", "(client in listx)"},
    {"client is not in list x and tls", "(and(not(client in listx))(tls ))"},
    {"client not in 10.0.0.0/8", "(not(client in 10.0.0.0))"},
    {"sender is <>", "(sender is )"},
    {"sender is Info@EXAMPLE.org", "(sender is info@example.org)"},
    {"sender in @Example.org, @.b\xc3\xbc.test", "(sender in @example.org @.xn--b-eha.test)"},
    {"sender domain is .B\xc3\xbc.test", "(sender domain is .xn--b-eha.test)"},
    {"sender domain = a.test", "(sender domain is a.test)"},
    {"sender matches *@dsl-?.test", "(sender matches *@dsl-?.test)"},
    {"header Subject contains 'free, (and) money'", "(header:Subject contains free, (and) money)"},
    {"header X-Spam", "(header:X-Spam )"},
    {"header Subject is 'in'", "(header:Subject is in)"},
    {"sender does not contain x", 0},
    {"sender not contains x", "(not(sender contains x))"},
    {"tag seen and score >= 2.5", "(and(tag:seen )(score >= 250))"},
    {"score < -3", "(score < -300)"},
    {"spf in fail, softfail", "(spf in 1 2)"},
    {"reverse dns is none", "(reverse dns is 1)"},
    {"recipients>=100", "(recipients >= 100)"},
    {"size<=512kb", "(size <= 524288)"},
    {"size > 20 MB and tls", "(and(size > 20971520)(tls ))"},
    {"size > 20 and tls", "(and(size > 20)(tls ))"},
    {"size > 20KB MB", "expected \"and\", \"or\" or the end, found \"MB\""},
    {"attachment ends with .exe, .scr", "(attachment ends with .exe .scr)"},
    {"helo is [192.0.2.1]", "(helo is [192.0.2.1])"},

    {"", "expected a fact: "},
    {"sendr is a@b.test", "expected a fact: "},
    {"sender is a@b.test, c@d.test", "expected one value here; \"in\" takes several, so \"and\", \"or\" or the end, "
                                     "found \",\""},
    {"sender is a@b.test or c@d.test", "expected a fact: "},
    {"sender is a@b.test tls", "expected \"and\", \"or\" or the end, found \"tls\""},
    {"sender is", "expected a value, found the end"},
    {"sender is b.test", "expected an address such as info@example.org, @example.org for a domain, @.example.org for "
                         "its sub-domains, or <>, found \"b.test\""},
    {"sender > 5", "expected behind sender one of in list, in, is, matches, contains, begins with, ends with, and, or, "
                   "the end, found \"5\""},
    {"client is 10.1.2.3/8", "expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32, found "
                             "\"10.1.2.3/8\""},
    {"client matches x", "expected behind client one of in list, in, is, and, or, the end, found \"x\""},
    {"client is localhost", "expected an address or a network"},
    {"size > big", "expected a size such as 512KB or 20MB, found \"big\""},
    {"recipients > 5KB", "expected a whole number, found \"5KB\""},
    {"score > 1.234", "expected a number such as 5 or 2.5, found \"1.234\""},
    {"spf is good", "expected one of pass, fail, softfail, neutral, none, temperror, permerror, found \"good\""},
    {"spf", "expected behind spf one of in, is, found the end"},
    {"sender domain is a..b", "expected a domain name, or one behind a dot for its sub-domains, found \"a..b\""},
    {"header", "expected the name of a header field, found the end"},
    {"header X: is 1", "expected the name of a header field without \":\", found \"X:\""},
    {"helo is 'a", "expected a value, found a single quote that is not closed"},
    {"(tls", "expected \"and\", \"or\" or \")\", found the end"},
    {"tls)", "expected \"and\", \"or\" or the end, found \")\""},
    {"client in (::1", "expected \",\" or \")\" behind a value, found the end"},
    {"client in list", "expected the title of a list, found the end"},
    {"tls and", "expected a fact: "},
    {"not not not not not not not not not not not not not not not not not tls",
     "expected at most 16 parentheses and nots inside each other, found \"not\""},
};

static bool begins(str s, const char *z) { return str_starts(s, str_c(z)); }

static void each_condition(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < COUNT(conditions); i++) {
        struct arena mem;
        struct rule_cond *c = NULL;
        struct buf b;
        str why = {0};
        const char *want = conditions[i].want;
        arena_init(&mem, 4096, 1 << 20);
        buf_init(&b, 65536);
        bool ok = rule_condition(str_c(conditions[i].text), &mem, &c, &why);
        if (ok)
            show(&b, c);
        else
            buf_add(&b, why);
        if (!want)
            want = "expected behind sender";
        bool tree = want[0] == '(';
        if (ok != tree || (tree ? !str_eq(buf_str(&b), str_c(want)) : !begins(buf_str(&b), want))) {
            print_error("%s\n wanted %s\n found  " STR_FMT "\n", conditions[i].text, want, STR_ARG(buf_str(&b)));
            wrong++;
        }
        buf_free(&b);
        arena_free(&mem);
    }
    assert_int_equal(wrong, 0);
}

/* 256 tests are taken, one more is not; the same for 1024 values. */
static void bounds(void **state)
{
    (void)state;
    struct {
        const char *head, *more;
        size_t most;
    } v[] = {{"tls", " or tls", RULE_TESTS}, {"client in ::1", ",::1", RULE_VALUES}};
    for (size_t i = 0; i < COUNT(v); i++)
        for (size_t over = 0; over < 2; over++) {
            struct arena mem;
            struct buf b;
            struct rule_cond *c;
            str why;
            arena_init(&mem, 4096, 1 << 20);
            buf_init(&b, 65536);
            buf_add_c(&b, v[i].head);
            for (size_t n = 1; n < v[i].most + over; n++)
                buf_add_c(&b, v[i].more);
            assert_int_equal(rule_condition(buf_str(&b), &mem, &c, &why), over == 0);
            buf_free(&b);
            arena_free(&mem);
        }
}

static const struct {
    const char *text, *want;
} actions[] = {
    {"accept", "accept"},
    {"refuse", "refuse 550 5.7.1 []"},
    {"Refuse 552 5.3.4 Too large for a list", "refuse 552 5.3.4 [Too large for a list]"},
    {"refuse no thanks, (really)", "refuse 550 5.7.1 [no thanks, (really)]"},
    {"refuse 554 Away", "refuse 554 5.7.1 [Away]"},
    {"defer 4.2.1 Later", "defer 450 4.2.1 [Later]"},
    {"quarantine it's odd", "quarantine [it's odd]"},
    {"hold", "hold []"},
    {"redirect X@Y.test", "redirect [x@y.test]"},
    {"set sender <>", "set sender []"},
    {"remove recipient", "remove recipient []"},
    {"remove recipient a@b.test", "remove recipient [a@b.test]"},
    {"add header X-Seen: yes: no", "add header X-Seen [yes: no]"},
    {"change header Subject:", "change header Subject []"},
    {"remove header X-A", "remove header X-A []"},
    {"tag a.b-c", "tag a.b-c []"},
    {"score -2.5", "score -250"},
    {"class 3", "class 3"},
    {"limit 30/min 500/h by client", "limit 30 500 0 0 client"},
    {"limit 10 at once by header X-Id", "limit 0 0 0 10 header X-Id"},
    {"limit 2000/d by sender domain", "limit 0 0 2000 0 sender domain"},
    {"verify recipient", "verify recipient  0"},
    {"verify recipient at [::1]:25", "verify recipient ::1 25"},
    {"verify recipient at mail.test:2525", "verify recipient mail.test 2525"},
    {"run milter dkim", "run milter dkim []"},
    {"scan rspamd", "scan rspamd"},

    {"", "expected accept, refuse, "},
    {"reject", "expected accept, refuse, "},
    {"accept it", "expected the end of the action; several actions are a list, found \"it\""},
    {"refuse 450 x", "expected a code from 500 to 559 or a text, found \"450\""},
    {"refuse 5.7.1 \xc3\xbc", "expected a text of at most 400 printable ASCII characters, found \"\xc3\xbc\""},
    {"defer 5.7.1 x", "expected an enhanced code that begins with 4, found \"5.7.1\""},
    {"redirect <>", "expected the address of a recipient, found \"<>\""},
    {"redirect", "expected an address, found the end"},
    {"add header X-Seen", "expected NAME: VALUE, a header field of at most 900 octets, found \"X-Seen\""},
    {"score many", "expected a number such as 5, -2 or 2.5, found \"many\""},
    {"class 256", "expected a whole number from 0 to 255, found \"256\""},
    {"limit by client", "expected a limit such as 30/min, 500/h, 2000/d or 10 at once, found \"by\""},
    {"limit 30/sec by client", "expected a limit such as 30/min, 500/h, 2000/d or 10 at once, found \"30/sec\""},
    {"limit 3/min 4/min by client", "expected a limit such as"},
    {"limit 30/min", "expected \"by\" and a fact behind the limit, found the end"},
    {"limit 30/min by size", "expected a fact that tells one from another, such as client, sender or account, found "
                             "\"size\""},
    {"limit 30 by client", "expected /min, /h, /d or \"at once\" behind the number, found \"by\""},
    {"verify recipient at mail.test", "expected HOST:PORT of a server, found \"mail.test\""},
    {"run milter", "expected the title of a milter, found the end"},
    {"tag a/b", "expected the name of a tag"},
};

static void show_action(struct buf *b, const struct rule_action *a)
{
    buf_printf(b, "%s", rule_dos[a->what].words);
    if (a->name.n)
        buf_printf(b, " " STR_FMT, STR_ARG(a->name));
    switch (a->what) {
    case RULE_DO_REFUSE:
    case RULE_DO_DEFER:
        buf_printf(b, " %d " STR_FMT " [" STR_FMT "]", a->code, STR_ARG(a->enhanced), STR_ARG(a->value));
        break;
    case RULE_DO_SCORE:
    case RULE_DO_CLASS:
        buf_printf(b, " %lld", (long long)a->number);
        break;
    case RULE_DO_LIMIT:
        buf_printf(b, " %u %u %u %u %s", a->rates[0], a->rates[1], a->rates[2], a->at_once, rule_facts[a->by].words);
        if (a->by_name.n)
            buf_printf(b, " " STR_FMT, STR_ARG(a->by_name));
        break;
    case RULE_DO_VERIFY:
        buf_printf(b, " " STR_FMT " %u", STR_ARG(a->host), a->port);
        break;
    default:
        if (rule_dos[a->what].shape[0])
            buf_printf(b, " [" STR_FMT "]", STR_ARG(a->value));
    }
}

static void each_action(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < COUNT(actions); i++) {
        struct arena mem;
        struct rule_action a;
        struct buf b;
        str why = {0};
        arena_init(&mem, 4096, 1 << 20);
        buf_init(&b, 65536);
        if (rule_action(str_c(actions[i].text), &mem, &a, &why))
            show_action(&b, &a);
        else
            buf_add(&b, why);
        bool fault = str_starts(str_c(actions[i].want), S("expected"));
        if (fault ? !begins(buf_str(&b), actions[i].want) : !str_eq(buf_str(&b), str_c(actions[i].want))) {
            print_error("%s\n wanted %s\n found  " STR_FMT "\n", actions[i].text, actions[i].want,
                        STR_ARG(buf_str(&b)));
            wrong++;
        }
        buf_free(&b);
        arena_free(&mem);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_condition), cmocka_unit_test(bounds),
                                       cmocka_unit_test(each_action)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
