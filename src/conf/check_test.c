#include "conf/check.c"
#include "conf/test_cases.h"

#define NAME "hostname = \"mx.example.test\"\n"
#define MX NAME "listener mx { address = \"127.0.0.1:2525\" }\n"
#define LINE3 "t.conf:3: "

static const struct conf_case cases[] = {
    /* names */
    {"hostname = \"a_b.test\"\nlistener x { address = \"127.0.0.1:1\" }",
     "t.conf:1: error: hostname: expected a domain name, found \"a_b.test\"\n"},
    {"hostname = \"mail\"\nlistener x { address = \"127.0.0.1:1\" }",
     "t.conf:1: warning: hostname: \"mail\" is not a full domain name; other servers may refuse mail from it\n"},
    {NAME, "t.conf: warning: no listener: nothing is taken from the network\n"},
    {NAME "route \"*\" { via = \"smtp://hub.test\" }", ""}, /* only sendmail */
    {NAME "route \"*\" { via = \"mx\" }\ndomain a.test { }",
     "t.conf: warning: no listener: nothing is taken from the network\n"},
    {MX "send { helo = \"[192.0.2.1]\" }", ""},
    {MX "send { helo = \"a b\" }",
     LINE3 "error: send.helo: expected a domain name or an address in brackets, found \"a b\"\n"},
    {MX "postmaster = \"me\"", LINE3 "error: postmaster: expected an address, found \"me\": address needs a domain\n"},
    {MX "subaddress = \"+x\"", LINE3 "error: subaddress: expected characters such as \"+\" or \"+-\", found \"+x\"\n"},
    {MX "data-dir = \"\"", LINE3 "error: data-dir: expected a path, found \"\"\n"},
    {MX "local { address-map = {\"a@b.test=c@d.test\", \"a@b.test\"} }",
     LINE3 "error: local: address-map: expected \"local@name=outside@domain\", found \"a@b.test\": no \"=\" in it\n"},
    {MX
     "control-socket = \"/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
     "123456789012345678901234567890\"",
     LINE3 "error: control-socket: expected a path of at most 107 octets for a socket, found 122 in "
           "\"/01234567890123456789012345678901234567890123456789012345678...\"\n"},

    /* policies by HTTPS */
    {MX "listener w { address = \"127.0.0.1:443\" protocol = \"https\" }", ""},
    {MX "listener w { address = \"127.0.0.1:443\" protocol = \"https\" tls = \"none\" }",
     LINE3 "error: listener w: expected protocol \"https\" without proxy, devices and tls = \"none\"\n"},
    {MX "listener w { address = \"127.0.0.1:443\" protocol = \"https\" submission = true }",
     LINE3 "error: listener w: expected protocol \"smtp\" with submission, found \"https\"\n"},
    {MX "sts { mx = {\"*.a.test\", \"a b\"} }", LINE3 "error: sts: mx: expected names of servers, found \"a b\"\n"},
    {MX "sts { max-age = \"1h\" }", LINE3 "error: sts.max-age: expected at least 1d and at most 8766h, found \"1h\"\n"},
    /* who gives tokens */
    {MX "oauth a { }", LINE3 "error: oauth a: expected jwks or introspection, found neither\n"},
    {MX "oauth a { jwks = \"https://id.test/keys\" }", LINE3
     "error: oauth a: expected issuer and audience beside jwks: a token that the same keys signed for another service "
     "must not open accounts here (RFC 8725 3.8, 3.9)\n"},
    {MX "oauth a { jwks = \"ftp://id.test\" issuer = \"x\" audience = \"y\" }",
     LINE3 "error: oauth a: jwks: expected an address that begins with https:// or http://, found \"ftp://id.test\"\n"},
    {MX "oauth a { introspection = \"http://id.test/\" client = \"c\" claim = {} }",
     LINE3 "warning: oauth a: introspection: over http:// everybody on the way can read and change what is said\n" LINE3
           "error: oauth a: expected secret-file beside client\n" LINE3
           "error: oauth a: claim: expected at least one name\n"},
    {MX "oauth a { introspection = \"http://127.0.0.1:8080/\" domains = \"a_b\" }",
     LINE3 "error: oauth a: domains: expected domain names, found \"a_b\"\n"},
    {MX "oauth a { introspection = \"https://id.test/\" } oauth a { introspection = \"https://id.test/\" }",
     LINE3 "error: oauth a is given twice (first in line 3)\n"},
    /* filters */
    {MX
     "milters = {\"inet:127.0.0.1:8891\", \"inet:8892@localhost\", \"[::1]:8893\", \"unix:/run/m.sock\", \"/run/n\"}",
     ""},
    {MX "milters = \"a\" milter a { address = \"local:/run/a\" } local { milters = \"none\" }", ""},
    {MX "milters = {\"a\", \"A\"} milter a { address = \"127.0.0.1:1\" }",
     LINE3 "error: milters: \"A\" is named twice\n"},
    {MX "milters = \"b\"", LINE3 "error: milters: expected the title of a milter section, or an address like "
                                 "inet:127.0.0.1:8891, found \"b\"\n"},
    {MX "milter a { address = \"127.0.0.1\" }",
     LINE3 "error: milter a: expected inet:HOST:PORT, inet:PORT@HOST, HOST:PORT or unix:/PATH, found \"127.0.0.1\"\n"},
    {MX "milter a { address = \"unix:run/x\" }",
     LINE3 "error: milter a: expected inet:HOST:PORT, inet:PORT@HOST, HOST:PORT or unix:/PATH, found \"unix:run/x\"\n"},
    {MX "milter a { address = \"127.0.0.1:65536\" }", LINE3 "error: milter a: expected inet:HOST:PORT, inet:PORT@HOST, "
                                                            "HOST:PORT or unix:/PATH, found \"127.0.0.1:65536\"\n"},
    {MX "milter a { address = \"127.0.0.1:1\" end-time = 1h }",
     LINE3 "error: milter a: whole-time: expected at least end-time, found less\n"},
    {MX "milter none { address = \"127.0.0.1:1\" }",
     LINE3 "error: milter none: the title \"none\" means that there is no filter; choose another one\n"},

    /* open relays */
    {MX "relay-from = \"0.0.0.0/0\"", LINE3 "error: relay-from: expected networks of at most /8 (IPv6: /32), found "
                                            "\"0.0.0.0/0\": an open relay; set open-relay = true if that is meant\n"},
    {MX "relay-from = {\"::/0\", \"8.0.0.0/7\", \"10.0.0.0/8\", \"2001:db8::/32\"}", LINE3
     "error: relay-from: expected networks of at most /8 (IPv6: /32), found \"::/0\": an open relay; set open-relay "
     "= true if that is meant\n" LINE3
     "error: relay-from: expected networks of at most /8 (IPv6: /32), found \"8.0.0.0/7\": an open relay; set "
     "open-relay = true if that is meant\n"},
    {MX "relay-from = \"::ffff:0.0.0.0/96\"",
     LINE3 "error: relay-from: expected networks of at most /8 (IPv6: /32), found "
           "\"0.0.0.0/0\": an open relay; set open-relay = true if that is meant\n"},
    {MX "relay-from = {\"8.0.0.0/8\", \"8.8.0.0/16\", \"10.0.0.0/8\", \"127.0.0.0/8\"}", ""},
    {MX "relay-from = {\"8.0.0.0/8\", \"9.0.0.0/8\"}", LINE3
     "error: relay-from: expected public networks of at most one /8 (IPv6: /32) together, found more: an open relay; "
     "set open-relay = true if that is meant\n"},
    {MX "xclient-from = \"0.0.0.0/1\"",
     LINE3 "error: xclient-from: expected networks of at most /8 (IPv6: /32), found "
           "\"0.0.0.0/1\": its clients could log in as anybody; set open-relay = true if that is meant\n"},
    {MX "proxy-protocol-from = \"0.0.0.0/0\"",
     LINE3 "warning: proxy-protocol-from: \"0.0.0.0/0\" is wide: any of its clients can claim any address\n"},
    {MX "proxy-protocol-from = \"0.0.0.0/0\" relay-from = \"10.0.0.0/8\"", LINE3
     "error: proxy-protocol-from: expected networks of at most /8 (IPv6: /32), found \"0.0.0.0/0\": its clients could "
     "claim an address of relay-from; set open-relay = true if that is meant\n"},
    {MX "limit-exempt = \"::/0\"", LINE3 "warning: limit-exempt: \"::/0\" lifts the limits for everybody\n"},

    /* listeners */
    {NAME "listener a { }", "t.conf:2: error: listener a: expected the key address, found none\n"},
    {MX "listener mx { address = \"127.0.0.1:2526\" }",
     LINE3 "error: listener \"mx\" is given twice (first in line 2)\n"},
    {MX "listener b { address = \"127.0.0.1:2525\" }",
     LINE3 "error: listener b: expected an address of its own, found that of listener mx in line 2\n"},
    {MX "metrics { address = \"127.0.0.1:2525\" }",
     LINE3 "error: metrics.address: expected an address of its own, found that of listener mx\n"},
    {MX "listener \"a b\" { address = \"127.0.0.1:1\" }", LINE3 "error: listener: expected a title of letters, digits, "
                                                                "\".\", \"-\", \"_\" (at most 32), found \"a b\"\n"},
    {MX "listener p { address = \"127.0.0.1:1\" proxy = \"127.0.0.1:2\" submission = true protocol = \"lmtp\" }",
     LINE3 "error: listener p: expected protocol \"smtp\" with submission, found \"lmtp\"\n" LINE3
           "error: listener p: expected proxy or submission, found both\n" LINE3
           "error: listener p: expected protocol \"smtp\" with proxy, found \"lmtp\"\n"},
    {MX "listener p { address = \"127.0.0.1:1\" proxy = \"127.0.0.1:2525\" }",
     LINE3 "error: listener p: proxy: expected another server, found \"127.0.0.1:2525\", which is our listener mx\n"},
    {MX "listener p { address = \"127.0.0.1:1\" proxy = \"host\" }", LINE3
     "error: listener p: proxy: expected \"host:port\" of the server behind, smtp://, smtps:// or lmtp://host:port "
     "or lmtp:///path, or the title of an upstream section, found \"host\"\n"},
    {MX "listener p { address = \"127.0.0.1:1\" proxy = \"127.0.0.1:2\" }", LINE3
     "warning: listener p: proxy: the servers of \"p servers\" see all clients under this proxy's address: if they "
     "let it relay, this is an open relay; take it out of their trusted networks, or set xclient or proxy-protocol "
     "in an upstream section\n"},
    {MX "listener p { address = \"127.0.0.1:1\" proxy = \"lmtp:///run/x\" }", ""},
    {MX "listener p { address = \"127.0.0.1:1\" proxy = \"in\" }\n"
        "upstream in { via = {\"smtp://127.0.0.1:3\", \"lmtp://127.0.0.1:4\"} xclient = true }",
     "t.conf:4: error: upstream in: via: expected servers that all speak SMTP or all LMTP, found both\n"},
    {MX "listener p { address = \"127.0.0.1:1\" proxy = {\"in\", \"127.0.0.1:2\"} proxy-mode = \"pass\" }\n"
        "upstream in { via = {\"smtp://127.0.0.1:3\", \"smtp://127.0.0.1:4\"} xclient = true }",
     LINE3
     "error: listener p: proxy: expected at most one upstream without domains, found p servers and in\n" LINE3
     "error: listener p: proxy: expected one upstream with proxy-mode = \"pass\", because the greeting is its own, "
     "found 2\n"},
    {MX "listener p { address = \"127.0.0.1:1\" proxy-mode = \"pass\" }",
     LINE3 "warning: listener p: proxy-mode has no meaning without proxy\n"},
    {MX "listener s { address = \"127.0.0.1:1\" submission = true tls = \"none\" }", LINE3
     "warning: listener s: submission without TLS: nobody can log in, because passwords are not taken in clear\n"},
    {MX "listener s { address = \"127.0.0.1:1\" certificate = \"c\" }",
     LINE3 "error: listener s: certificate: cannot read \"/etc/c\": not found\n" LINE3
           "error: listener s: expected the key \"key\" with the key \"certificate\", found none\n"},

    /* domains */
    {MX "domain \"a b\" { }", LINE3 "error: domain: expected a domain name as title, found \"a b\"\n"},
    {MX "domain \"*\" { }", LINE3 "error: domain: expected a domain name as title, found \"*\"\n"},
    {MX "domain A.test { }\ndomain a.TEST { }",
     "t.conf:4: error: domain \"a.test\" is given twice (first in line 3)\n"},
    {MX "domain b\xc3\xbc"
        "cher.test { }\ndomain xn--bcher-kva.test { }",
     "t.conf:4: error: domain \"xn--bcher-kva.test\" is given twice (first in line 3)\n"},
    {MX "domain a.test { deliver = \"maildri\" }",
     LINE3 "error: domain a.test: deliver: expected \"maildir\", \"discard\", \"mx\", \"lmtp://host:port\", "
           "\"lmtp:///path\" or \"smtp://host:port\", found \"maildri\"\n"},
    {MX "domain a.test { deliver = \"smtp://127.0.0.1:2525\" }", LINE3
     "error: domain a.test: deliver: expected another server, found \"smtp://127.0.0.1:2525\", which is our listener "
     "mx\n"},
    {MX "domain a.test { mailboxes = {\"../x\", \".x\", \"a/b\", \"\", \"A\", \"a\", \"x@y\", \"-x\"} }", LINE3
     "error: domain a.test: mailboxes: expected a name that does not begin with \".\" or \"-\", found \"../x\"\n" LINE3
     "error: domain a.test: mailboxes: expected a name that does not begin with \".\" or \"-\", found \".x\"\n" LINE3
     "error: domain a.test: mailboxes: expected a name without the characters / \\ \" @ < > | : * ?, found "
     "\"a/b\"\n" LINE3 "error: domain a.test: mailboxes: expected 1 to 64 octets, found \"\"\n" LINE3
     "error: domain a.test: mailboxes: expected a name without the characters / \\ \" @ < > | : * ?, found "
     "\"x@y\"\n" LINE3
     "error: domain a.test: mailboxes: expected a name that does not begin with \".\" or \"-\", found \"-x\"\n" LINE3
     "error: domain a.test: mailbox \"a\" is listed twice\n"},
    {MX "domain a.test { catch-all = \"x\" archive = \"@y\" }",
     LINE3 "error: domain a.test: catch-all: expected an address, found \"x\": address needs a domain\n" LINE3
           "error: domain a.test: archive: expected an address, found \"@y\": bad address syntax\n"},
    {MX "domain a.test { tls = require }",
     LINE3 "warning: domain a.test: tls has no meaning with deliver = \"maildir\"\n"},

    /* aliases and loops */
    {MX "domain a.test { }\nalias \"x\" { to = \"y@a.test\" }",
     "t.conf:4: error: alias: expected an address as title, found \"x\": address needs a domain\n"},
    {MX "domain a.test { }\nalias \"x@a.test\" { to = {\"y\"} }",
     "t.conf:4: error: alias x@a.test: to: expected an address, found \"y\": address needs a domain\n"},
    {MX "domain a.test { }\nalias \"x@a.test\" { }\nalias \"y@a.test\" { to = {} }",
     "t.conf:4: error: alias x@a.test: expected the key to, found none\n"
     "t.conf:5: error: alias y@a.test: to: expected at least one address, found an empty list\n"},
    {MX "domain a.test { }\nalias x@a.test { to = \"b@c.test\" }\nalias X@A.test { to = \"b@c.test\" }",
     "t.conf:5: error: alias \"X@a.test\" is given twice (first in line 4)\n"},
    {MX "alias x@a.test { to = \"b@c.test\" }",
     LINE3 "warning: alias x@a.test is never used: there is no domain a.test\n"},
    {MX "domain a.test { }\nalias x@a.test { to = \"x@a.test\" }",
     "t.conf:4: error: alias x@a.test: expected targets that do not lead back to it, found \"x@a.test\"\n"},
    {MX "domain a.test { }\nalias x@a.test { to = \"y@a.test\" }\nalias y@a.test { to = {\"o@c.test\", \"X@a.test\"} }",
     "t.conf:5: error: alias y@a.test: expected targets that do not lead back to it, found \"X@a.test\"\n"},
    {MX "domain a.test { catch-all = \"x@b.test\" }\ndomain b.test { catch-all = \"y@a.test\" }",
     "t.conf:4: error: domain b.test: catch-all: expected an address that does not lead back to itself, found "
     "\"y@a.test\"\n"},
    {MX "domain a.test { catch-all = \"x@a.test\" mailboxes = {\"x\"} }", ""},
    {MX "domain a.test { archive = \"x@b.test\" }\ndomain b.test { archive = \"y@a.test\" }",
     "t.conf:4: error: domain b.test: archive: expected an address whose own copies do not come back, found "
     "\"y@a.test\"\n"},

    /* routes */
    {MX "route \"*\" { via = \"h.test:587\" }",
     LINE3 "error: route *: via: expected \"smtp://host:port\", \"smtps://host:port\", \"mx\" or \"discard\", found "
           "\"h.test:587\"\n"},
    {MX "domain a.test { } route A.test { via = \"mx\" }",
     LINE3 "warning: route a.test takes no mail to that domain: domain a.test in line 3 says where it goes\n"},
    {MX "listener all { address = \"0.0.0.0:27\" } listener one { address = \"127.0.0.1:27\" }", LINE3
     "error: listener one: expected an address of its own, found one beside that of listener all in line 3: one of "
     "the two takes this port on all addresses\n"},
    {MX "listener all { address = \"[::]:27\" } listener one { address = \"127.0.0.1:27\" }", ""},
    {MX "listener one { address = \"[::1]:27\" } listener all { address = \"[::]:27\" }", LINE3
     "error: listener all: expected an address of its own, found one beside that of listener one in line 3: one of "
     "the two takes this port on all addresses\n"},
    {MX "route \"*\" { }", LINE3 "error: route *: expected the key via, found none\n"},
    {MX "route \"*\" { via = {} }", LINE3 "error: route *: via: expected at least one server, found an empty list\n"},
    {MX "route \"*.a.test\" { via = \"mx\" }",
     LINE3 "error: route: expected \"*\", a domain or \".domain\" as title, found \"*.a.test\"\n"},
    {MX "route .a.test { via = {\"lmtp://127.0.0.1:24\"} }", LINE3
     "error: route .a.test: via: expected \"smtp://host:port\", \"smtps://host:port\", \"mx\" or \"discard\", found "
     "\"lmtp://127.0.0.1:24\"\n"},
    {MX "route \"*\" { via = \"smtp://127.0.0.1:2525\" }",
     LINE3 "error: route *: via: expected another server, found \"smtp://127.0.0.1:2525\", which is our listener mx\n"},
    {MX "route \"*\" { via = \"mx\" }\nroute \"*\" { via = \"mx\" }",
     "t.conf:4: error: route \"*\" is given twice (first in line 3); a second one needs the key from\n"},
    {MX
     "route \"*\" { via = \"mx\" from = \"@B.test\" }\nroute \"*\" { via = \"mx\" from = {\"c@c.test\", \"@b.test\"} }",
     "t.conf:4: error: route \"*\" from \"@b.test\" is given twice (first in line 3)\n"},
    {MX "route \"*\" { via = \"mx\" from = {\"x\", \"@\", \"<>\"} }", LINE3
     "error: route *: from: expected an address, \"@domain\" or \"<>\", found \"x\": address needs a domain\n" LINE3
     "error: route *: from: expected an address, \"@domain\" or \"<>\", found \"@\": no domain name\n"},
    {MX
     "route \"*\" { via = \"smtps://h.test\" tls = none auth-user = \"u\" source = {\"1.2.3.4\", \"1.2.3.5\", \"x\"} }",
     LINE3
     "error: route *: expected tls other than \"none\" with smtps://, found \"none\"\n" LINE3
     "error: route *: expected the key password-file with auth-user, found none\n" LINE3
     "warning: route *: the password is sent in clear, because tls is \"none\"\n" LINE3
     "error: route *: source: expected at most one IPv4 and one IPv6 address, found a second one, \"1.2.3.5\"\n" LINE3
     "error: route *: source: expected an IP address, found \"x\"\n"},
};

static void rules(void **state)
{
    (void)state;
    test_conf_cases(cases, COUNT(cases));
}

static void filled_in(void **state)
{
    (void)state;
    struct conf *c = test_conf("/etc", str_c(MX "domain a.test { deliver = \"lmtp:///run/l\" } domain B.test { }"));
    assert_true(str_eq(c->origin, S("mx.example.test")) && str_eq(c->send_helo, S("mx.example.test")));
    assert_true(str_eq(c->listeners[0].hostname, S("mx.example.test")));
    assert_true(str_eq(c->postmaster, S("postmaster@b.test")));
    assert_true(str_eq(c->data_dir, S("/etc/data")) && str_eq(c->control_socket, S("/etc/data/control")));
    assert_int_equal(c->domains[0].hop.how, CONF_TO_SERVER);
    assert_true(str_eq(c->domains[0].hop.url.path, S("/run/l")));
    assert_int_equal(c->queue_delays.n, 7);
    assert_int_equal(c->queue_delays.v[6], 4 * 3600 * 1000000000ll);
    assert_int_equal(c->body_memory, 256 << 20);
    assert_int_equal(c->limit_exempt.n, 2);
    conf_drop(&c);
}

static void automatic(void **state)
{
    (void)state;
    static const struct {
        const char *dns;
        bool targets, validate;
    } v[] = {{"", false, true},
             {"dns { servers = {\"127.0.0.1:5353\"} }", true, false},
             {"dns { servers = \"::1\" }", true, false},
             {"dns { servers = {\"127.0.0.1\", \"9.9.9.9\"} validate = true }", false, true},
             {"private-targets = true dns { validate = false }", true, false},
             {"private-targets = false dns { servers = {\"127.0.0.1\"} }", false, false}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        char text[256];
        snprintf(text, sizeof text, MX "%s", v[i].dns);
        struct conf *c = test_conf("/etc", str_c(text));
        assert_int_equal(c->private_targets_now, v[i].targets);
        assert_int_equal(c->dns_validate_now, v[i].validate);
        conf_drop(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules), cmocka_unit_test(filled_in),
                                       cmocka_unit_test(automatic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
