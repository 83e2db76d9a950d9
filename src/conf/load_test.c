#include "conf/load.c"
#include "conf/test_cases.h"

#define HEAD "hostname = \"mx.example.test\" listener mx { address = \"127.0.0.1:2525\" }\n"

static const struct conf_case cases[] = {
    /* what must load */
    {HEAD, ""},
    {"\xef\xbb\xbf" HEAD, ""},
    {HEAD "relay-from = {}", ""},
    {HEAD "relay-from={\"10.0.0.0/8\" \"::1\",\n\n192.168.0.0/16,}\r\n", ""},
    {HEAD "relay-from = \"127.0.0.0/8\" # a lone value is a list of one", ""},
    {HEAD "route * { via = \"smtp://127.0.0.1:2599\" }", ""},
    {HEAD "queue { lifetime = 3d delays = {1s, \"5min\"} } limits{message-size=10MB}", ""},
    {HEAD "tls { min-version = 1.3 } private-targets = true send { ipv = 4 tls = require }", ""},
    {HEAD "domain b\xc3\xbc"
          "cher.test { mailboxes = \"alice\" }",
     ""},
    {HEAD "domain a.test { mailboxes = {\"b\"} }\nalias \"\\\"x y\\\"@a.test\" { to = \"b@a.test\" }", ""},
    {HEAD "domain a.test { mailboxes = {\"b\"} }\nalias b@a.test { to = {\"b@a.test\", \"c@other.test\"} }", ""},
    {HEAD "domain a.test { archive = \"all@a.test\" mailboxes = {\"all\"} }", ""},
    {HEAD "route a.test { via = \"mx\" }\nroute a.test { via = \"discard\" from = \"@b.test\" }", ""},
    {"hostname =\n  \"a.b\"\nlistener x\n{\naddress\n=\n\"[::1]:25\"\n}", ""},
    {HEAD "relay-from = \"0.0.0.0/0\"\nopen-relay = true",
     "t.conf:3: warning: open-relay is true: networks of any width may relay\n"},

    /* the grammar */
    {HEAD "relay-form = {}", "t.conf:2: error: unknown key \"relay-form\"; did you mean relay-from?\n"},
    {HEAD "data_dir = \"x\"", "t.conf:2: error: unknown key \"data_dir\"; did you mean data-dir?\n"},
    {HEAD "queue.lifetime = 3d",
     "t.conf:2: error: unknown key \"queue.lifetime\"; expected queue { lifetime = ... }\n"},
    {HEAD "queue.lifetme = 3d", "t.conf:2: error: unknown key \"queue.lifetme\"\n"},
    {HEAD "lifetime = 3d", "t.conf:2: error: unknown key \"lifetime\" here; it belongs into queue { }\n"},
    {HEAD "queue { hostname = \"a.b\" }",
     "t.conf:2: error: queue: unknown key \"hostname\" here; it belongs to the top level\n"},
    {HEAD "dns = 3", "t.conf:2: error: expected a key, found the section dns with \"=\"\n"},
    {HEAD "xyzzy = 3\nqueu { lifetime = 3d }\nfoobar {}\n",
     "t.conf:2: error: unknown key \"xyzzy\"\n"
     "t.conf:3: error: unknown section \"queu\"; did you mean queue?\n"
     "t.conf:4: error: unknown section \"foobar\"\n"},
    {HEAD "hostname {}", "t.conf:2: error: expected \"=\" behind hostname, found \"{\"\n"},
    {HEAD "user = \"a\"\nuser = \"b\"", "t.conf:3: error: user is given twice (first in line 2)\n"},
    {HEAD "dns { }\ndns { }", "t.conf:3: error: section dns is given twice (first in line 2)\n"},
    {HEAD "dns x { }", "t.conf:2: error: dns: expected \"{\", found the title \"x\"\n"},
    {HEAD "domain { }", "t.conf:2: error: expected a title behind \"domain\", found \"{\"\n"
                        "t.conf:2: error: domain: expected a domain name as title, found \"\"\n"},
    {HEAD "user = \"a\nlog { level = \"debug\" }",
     "t.conf:2: error: expected a closing quote at the end of the string, found the end of the line\n"},
    {HEAD "user = \"a\\n\"",
     "t.conf:2: error: expected \\\" or \\\\ in the string, found another octet behind a backslash\n"},
    {HEAD "user = \"a\tb\"", "t.conf:2: error: expected text in the string, found a control character\n"},
    {HEAD "user = \"a\xff"
          "b\"",
     "t.conf:2: error: expected text in the string, found octets that are not UTF-8\n"},
    {HEAD "\x01\x01\x01\nloops = 2", "t.conf:2: error: expected text, found a control character (octet 1)\n"},
    {HEAD "loops = 2;\nuser = \"u\"",
     "t.conf:2: error: expected a key or a section, found \";\": blanks or line ends separate keys\n"},
    {HEAD "loops =\nuser = \"u\"", "t.conf:2: error: expected a value for \"loops\", found \"user\"\n"},
    {HEAD "loops =\n", "t.conf:2: error: expected a value for \"loops\", found the end of the file\n"},
    {HEAD "loops = =\n", "t.conf:2: error: expected a value for \"loops\", found \"=\"\n"},
    {HEAD "loops 2\nuser = \"u\"", "t.conf:2: error: expected \"=\" or \"{\" behind \"loops\", found \"2\"\n"},
    {HEAD "loops\n", "t.conf:2: error: expected \"=\" and a value behind \"loops\", found the end of the file\n"},
    {HEAD "}\nloops = x", "t.conf:2: error: expected a key or a section, found \"}\" that closes nothing\n"
                          "t.conf:3: error: loops: expected a whole number, found \"x\"\n"},
    {HEAD "log { level = debug\ndns { validate = true }\n",
     "t.conf:3: error: expected \"}\" at the end of section \"log\" that begins in line 2, found section \"dns\"\n"},
    {HEAD "log { level = debug\n", "t.conf:3: error: expected \"}\" at the end of section \"log\" that begins in line "
                                   "2, found the end of the file\n"},
    {HEAD "relay-from = { \"::1\"\nloops = 1", "t.conf:3: error: expected \"}\" at the end of the list of "
                                               "\"relay-from\" that begins in line 2, found \"loops\"\n"},
    {HEAD "relay-from = { {\"::1\"} }",
     "t.conf:2: error: expected a value in the list of \"relay-from\", found \"{\"; lists do not nest\n"},
    {HEAD "relay-from = { ,\"::1\" }",
     "t.conf:2: error: expected a value in the list of \"relay-from\", found \",\"\n"},
    {HEAD "user = {\"a\"}", "t.conf:2: error: user: expected a single value, not a list, found \"{\"\n"},

    /* values */
    {HEAD "user = root", "t.conf:2: error: user: expected a value in double quotes, found \"root\"\n"},
    {HEAD "loops = 65", "t.conf:2: error: loops: expected at least 0 and at most 64, found \"65\"\n"},
    {HEAD "loops = -1", "t.conf:2: error: loops: expected a whole number, found \"-1\"\n"},
    {HEAD "limits { hops = 99999999999999999999 message-size = 1TB }",
     "t.conf:2: error: limits.hops: expected a smaller number, found \"99999999999999999999\"\n"
     "t.conf:2: error: limits.message-size: expected a size such as 512KB, 50MB or 1GB, found \"1TB\"\n"},
    {HEAD "limits { message-size = 1023 }",
     "t.conf:2: error: limits.message-size: expected at least 1KB, found \"1023\"\n"},
    {HEAD "queue { lifetime = 5 }",
     "t.conf:2: error: queue.lifetime: expected a time such as 500ms, 30s, 5min, 4h or 5d, found \"5\"\n"},
    {HEAD "queue { lifetime = 999999999999d }",
     "t.conf:2: error: queue.lifetime: expected a smaller number, found \"999999999999d\"\n"},
    {HEAD "queue { delays = {0s} }", "t.conf:2: error: queue.delays: expected a time above zero, found \"0s\"\n"},
    {HEAD "queue { delays = {} }", "t.conf:2: error: queue.delays: expected at least one time, found an empty list\n"},
    {HEAD "log { level = \"debgu\" }", "t.conf:2: error: log.level: expected one of info, debug, notice, warning, "
                                       "error (did you mean debug?), found \"debgu\"\n"},
    {HEAD "open-relay = yes", "t.conf:2: error: open-relay: expected true or false, found \"yes\"\n"},
    {HEAD "relay-from = \"10.1.2.3/8\"", "t.conf:2: error: relay-from: expected a network without bits behind its "
                                         "prefix (\"10.0.0.0/8\"?), found \"10.1.2.3/8\"\n"},
    {HEAD "relay-from = \"10.1.2\"",
     "t.conf:2: error: relay-from: expected an address or a network such as \"192.0.2.0/24\" or "
     "\"2001:db8::/32\", found \"10.1.2\"\n"},
    {HEAD "metrics { address = \"localhost:1\" }", "t.conf:2: error: metrics.address: expected an IP address and port "
                                                   "such as \"127.0.0.1:2525\" or \"[::1]:2525\", found "
                                                   "\"localhost:1\"\n"},
};

static void loads(void **state)
{
    (void)state;
    test_conf_cases(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
