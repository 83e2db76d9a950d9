#include "wire/ip.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <netinet/in.h>

static const struct {
    const char *in, *out; /* NULL: refused */
} texts[] = {
    {"1.2.3.4", "1.2.3.4"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"256.1.1.1", NULL},
    {"1.2.3", NULL},
    {"1.2.3.4.5", NULL},
    {"1.2.3.4.", NULL},
    {"01.2.3.4", NULL},
    {"1.2.3.04", NULL},
    {"1..3.4", NULL},
    {"1.2.3.4 ", NULL},
    {"", NULL},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {"1:2:3:4::5:6:7:8", NULL},
    {"1:2:3:4:5:6:7", NULL},
    {"1:2:3:4:5:6:7:8:9", NULL},
    {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    {"::ffff:1.2.3.4", "1.2.3.4"},
    {"::1.2.3.4", "::102:304"},
    {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
    {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    {"1:2:3:4:5:6:7:1.2.3.4", NULL},
    {":1", NULL},
    {"1:", NULL},
    {":::", NULL},
    {"1::2::3", NULL},
    {"12345::", NULL},
    {"g::", NULL},
    {"fe80::1%eth0", NULL},
    {"::1.2.3", NULL},
    {"::1.2.3.4:5", NULL},
};

static str printed(void (*print)(struct buf *, const struct ip *), const struct ip *ip, char mem[80])
{
    struct buf b;
    buf_init_fixed(&b, mem, 80);
    print(&b, ip);
    assert_int_equal(b.e, OK);
    return buf_str(&b);
}

static void text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct ip ip = {0}, back = {0};
        char mem[80];
        bool ok = ip_parse(str_c(texts[i].in), &ip);
        if (ok != (texts[i].out != NULL))
            fail_msg("%s: %d", texts[i].in, ok);
        if (!ok)
            continue;
        str s = printed(ip_print, &ip, mem);
        if (!str_eq(s, str_c(texts[i].out)))
            fail_msg("%s: %.*s", texts[i].in, (int)s.n, s.p);
        assert_true(ip_parse(s, &back) && ip_eq(&ip, &back));
    }
}

static const struct {
    const char *in;
    uint16_t def;
    const char *out;
} ports[] = {
    {"1.2.3.4:25", 0, "1.2.3.4:25"},
    {"[::1]:25", 0, "[::1]:25"},
    {"1.2.3.4", 25, "1.2.3.4:25"},
    {"::1", 25, "[::1]:25"},
    {"[::1]", 25, "[::1]:25"},
    {"1.2.3.4", 0, NULL},
    {"[::1]", 0, NULL},
    {"1.2.3.4:", 25, NULL},
    {"1.2.3.4:0", 25, NULL},
    {"1.2.3.4:65536", 25, NULL},
    {"1.2.3.4:65535", 25, "1.2.3.4:65535"},
    {"[1.2.3.4]:25", 25, NULL},
    {"[::1", 25, NULL},
    {"[::1]25", 25, NULL},
    {"1.2.3.4:+5", 25, NULL},
    {":25", 25, NULL},
    {"[::ffff:1.2.3.4]:9", 25, "1.2.3.4:9"},
    {"1.2.3.4:000025", 25, NULL},
};

static void with_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        struct ip_port a;
        char mem[80];
        struct buf b;
        bool ok = ip_port_parse(str_c(ports[i].in), ports[i].def, &a);
        if (ok != (ports[i].out != NULL))
            fail_msg("%s: %d", ports[i].in, ok);
        if (!ok)
            continue;
        buf_init_fixed(&b, mem, sizeof mem);
        ip_print_port(&b, &a);
        assert_true(str_eq(buf_str(&b), str_c(ports[i].out)));
        struct sockaddr_storage ss;
        struct ip_port back = {0};
        socklen_t n = ip_to_sockaddr(&a, &ss);
        assert_true(n && ip_from_sockaddr((struct sockaddr *)&ss, n, &back));
        assert_true(ip_eq(&a.ip, &back.ip) && a.port == back.port);
    }
}

static const struct {
    const char *net, *ip;
    int has; /* -1: the network is refused */
} nets[] = {
    {"10.0.0.0/8", "10.255.0.1", 1},
    {"10.0.0.0/8", "11.0.0.1", 0},
    {"10.0.0.0/8", "::1", 0},
    {"10.0.0.1/8", "10.0.0.1", -1},
    {"10.0.0.1", "10.0.0.1", 1},
    {"10.0.0.1", "10.0.0.2", 0},
    {"0.0.0.0/0", "1.2.3.4", 1},
    {"0.0.0.0/33", "1.2.3.4", -1},
    {"::/0", "::1", 1},
    {"::/0", "1.2.3.4", 0},
    {"::1", "::1", 1},
    {"2001:db8::/33", "2001:db8:7fff::1", 1},
    {"2001:db8::/33", "2001:db8:8000::1", 0},
    {"::ffff:10.0.0.0/104", "10.1.1.1", 1},
    {"::ffff:10.0.0.0/95", "10.1.1.1", -1},
    {"::/129", "::1", -1},
    {"10.0.0.0/", "10.0.0.1", -1},
    {"10.0.0.0/08", "10.0.0.1", -1},
    {"10.0.0.0/-1", "10.0.0.1", -1},
    {"0.0.0.0/31", "0.0.0.1", 1},
};

static void networks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct ip_net n;
        struct ip ip;
        bool ok = ip_net_parse(str_c(nets[i].net), &n);
        if (ok != (nets[i].has >= 0))
            fail_msg("%s: %d", nets[i].net, ok);
        assert_true(ip_parse(str_c(nets[i].ip), &ip));
        if (ok && ip_net_has(&n, &ip) != nets[i].has)
            fail_msg("%s %s", nets[i].net, nets[i].ip);
    }
}

static const struct {
    const char *ip;
    enum ip_class want;
} classes[] = {
    {"8.8.8.8", IP_GLOBAL},          {"127.9.9.9", IP_LOOPBACK},
    {"0.1.2.3", IP_UNSPECIFIED},     {"10.1.1.1", IP_PRIVATE},
    {"172.31.0.1", IP_PRIVATE},      {"172.32.0.1", IP_GLOBAL},
    {"192.168.3.4", IP_PRIVATE},     {"100.64.0.1", IP_PRIVATE},
    {"100.128.0.1", IP_GLOBAL},      {"169.254.169.254", IP_LINK_LOCAL},
    {"224.0.0.1", IP_MULTICAST},     {"255.255.255.255", IP_RESERVED},
    {"::", IP_UNSPECIFIED},          {"::1", IP_LOOPBACK},
    {"fe80::1", IP_LINK_LOCAL},      {"fd00::1", IP_PRIVATE},
    {"ff02::1", IP_MULTICAST},       {"2001:db8::1", IP_RESERVED},
    {"2a00:1450::1", IP_GLOBAL},     {"::ffff:127.0.0.1", IP_LOOPBACK},
    {"2002:7f00:1::1", IP_LOOPBACK}, {"64:ff9b::a00:1", IP_PRIVATE},
    {"64:ff9b::808:808", IP_GLOBAL}, {"::7f00:1", IP_RESERVED},
};

static void classification(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        struct ip ip;
        assert_true(ip_parse(str_c(classes[i].ip), &ip));
        if (ip_class(&ip) != classes[i].want)
            fail_msg("%s: %d", classes[i].ip, ip_class(&ip));
    }
}

static void other_forms(void **state)
{
    (void)state;
    struct ip a, b;
    char mem[80];
    assert_true(ip_parse(S("192.0.2.9"), &a) && ip_parse(S("2001:db8::1"), &b));
    assert_true(str_eq(printed(ip_print_literal, &a, mem), S("[192.0.2.9]")));
    assert_true(str_eq(printed(ip_print_literal, &b, mem), S("[IPv6:2001:db8::1]")));
    assert_true(str_eq(printed(ip_print_reverse, &a, mem), S("9.2.0.192")));
    assert_true(str_eq(printed(ip_print_reverse, &b, mem),
                       S("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2")));
    a = ip_mask(&a, 24);
    assert_true(str_eq(printed(ip_print, &a, mem), S("192.0.2.0")));
    struct sockaddr_storage ss;
    struct ip_port none = {0}, r;
    assert_int_equal(ip_to_sockaddr(&none, &ss), 0);
    ss.ss_family = AF_UNIX;
    assert_false(ip_from_sockaddr((struct sockaddr *)&ss, sizeof ss, &r));
    assert_false(ip_from_sockaddr((struct sockaddr *)&ss, 2, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text), cmocka_unit_test(with_port), cmocka_unit_test(networks),
                                       cmocka_unit_test(classification), cmocka_unit_test(other_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
