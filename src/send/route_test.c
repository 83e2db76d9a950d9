/* Ways and keys of sites. */
#include "base/test.h"
#include "send/test_fakes.h"

#define CONF                                                                                                           \
    "hostname = \"relay.test\"\ndata-dir = \"/tmp\"\n"                                                                 \
    "domain here.test { mailboxes = {\"a\"} }\n"                                                                       \
    "domain store.test { deliver = \"lmtp://127.0.0.1:24\" }\n"                                                        \
    "domain socket.test { deliver = \"lmtp:///run/lmtp\" }\n"                                                          \
    "domain next.test { deliver = \"smtp://mail.next.test\" tls = \"verify\" }\n"                                      \
    "domain gone.test { deliver = \"discard\" }\n"                                                                     \
    "domain backup.test { deliver = \"mx\" }\n"                                                                        \
    "domain xn--bcher-kva.test { mailboxes = {\"a\"} }\n"                                                              \
    "route other.test { via = \"smtp://127.0.0.1:26\" connections = 3 rate = 60 }\n"                                   \
    "route \".deep.test\" { via = \"mx\" tls = \"require\" }\n"                                                        \
    "route two.test { via = \"smtp://127.0.0.1:27\" }\n"                                                               \
    "route two.test { via = \"smtp://127.0.0.1:28\" from = {\"boss@here.test\"} }\n"                                   \
    "route trash.test { via = \"discard\" }\n"                                                                         \
    "route mixed.test { via = {\"mx\", \"smtp://127.0.0.1:29\"} }\n"                                                   \
    "send { tls = \"none\" }\n"

static const struct row {
    const char *sender, *to, *key;
    enum way way;
    enum tls_level tls;
    bool final;
} rows[] = {
    {"x@y.test", "a@here.test", "maildir here.test", WAY_MAILDIR, LEVEL_MAY, true},
    {"x@y.test", "A+b@HERE.Test", "maildir here.test", WAY_MAILDIR, LEVEL_MAY, true},
    {"x@y.test",
     "a@b\xc3\xbc"
     "cher.test",
     "maildir xn--bcher-kva.test", WAY_MAILDIR, LEVEL_MAY, true},
    {"x@y.test", "a@store.test", "domain store.test", WAY_FIXED, LEVEL_MAY, true},
    {"x@y.test", "a@socket.test", "domain socket.test", WAY_FIXED, LEVEL_MAY, true},
    {"x@y.test", "a@next.test", "domain next.test", WAY_FIXED, LEVEL_VERIFY, false},
    {"x@y.test", "a@gone.test", "discard", WAY_DISCARD, LEVEL_MAY, true},
    {"x@y.test", "a@backup.test", "backup backup.test", WAY_BACKUP, LEVEL_NONE, false},
    {"x@y.test", "a@other.test", "route other.test", WAY_FIXED, LEVEL_MAY, false},
    {"x@y.test", "a@Far.com", "mx far.com", WAY_MX, LEVEL_NONE, false},
    {"x@y.test", "a@\xc3\x84.com", "mx xn--4ca.com", WAY_MX, LEVEL_NONE, false},
    {"x@y.test", "a@[192.0.2.1]", "mx [192.0.2.1]", WAY_MX, LEVEL_NONE, false},
    {"x@y.test", "\"a@b\"@far.com", "mx far.com", WAY_MX, LEVEL_NONE, false},
    {"x@y.test", "a@x.deep.test", "route .deep.test mx x.deep.test", WAY_MX, LEVEL_REQUIRE, false},
    {"x@y.test", "a@deep.test", "mx deep.test", WAY_MX, LEVEL_NONE, false},
    {"x@y.test", "a@two.test", "route two.test", WAY_FIXED, LEVEL_MAY, false},
    {"boss@here.test", "a@two.test", "route two.test#", WAY_FIXED, LEVEL_MAY, false},
    {"", "a@trash.test", "discard", WAY_DISCARD, LEVEL_MAY, true},
    {"", "a@mixed.test", "route mixed.test mx mixed.test", WAY_MX, LEVEL_NONE, false},
    {"", "nobody", "mx ", WAY_MX, LEVEL_NONE, false},
};

static struct conf *conf;

static void key_of(const char *sender, const char *to, struct buf *out, struct route *ret)
{
    static char mem[ROUTE_DOMAIN_MAX];
    route_find(conf, false, S(""), str_c(sender), str_c(to), mem, ret);
    buf_clear(out);
    route_key(out, ret);
}

/* To a way, to its key, and back. */
static void ways(void **state)
{
    (void)state;
    char mem[400];
    struct buf key;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct route there, back;
        buf_init_fixed(&key, mem, sizeof mem);
        key_of(r->sender, r->to, &key, &there);
        bool from = r->key[strlen(r->key) - 1] == '#';
        if (from)
            key.n = str_find(buf_str(&key), '#') + 1;
        if (!str_eq(buf_str(&key), str_c(r->key)))
            fail_msg("%s: key " STR_FMT, r->to, STR_ARG(buf_str(&key)));
        assert_int_equal(there.way, r->way);
        assert_int_equal(there.way == WAY_MAILDIR || there.way == WAY_DISCARD ? LEVEL_MAY : there.tls, r->tls);
        assert_int_equal(route_is_final(&there), r->final);
        key_of(r->sender, r->to, &key, &there);
        route_of_key(conf, buf_str(&key), &back);
        assert_int_equal(back.way, there.way);
        if (there.way == WAY_DISCARD)
            continue;
        assert_int_equal(back.tls, there.tls);
        assert_ptr_equal(back.local, there.local);
        assert_ptr_equal(back.via, there.via);
        if (there.way == WAY_MX)
            assert_true(str_eq(back.domain, there.domain));
    }
}

static void keys_that_are_gone(void **state)
{
    (void)state;
    static const char *const gone[] = {"",
                                       "nonsense",
                                       "route",
                                       "route none.test",
                                       "route other.test mx other.test",
                                       "domain",
                                       "domain far.com",
                                       "maildir",
                                       "maildir store.test",
                                       "backup here.test",
                                       "route mixed.test",
                                       "route two.test#12",
                                       "domain here.test",
                                       "maildir backup.test"};
    for (size_t i = 0; i < COUNT(gone); i++) {
        struct route r;
        route_of_key(conf, str_c(gone[i]), &r);
        if (r.way != WAY_LOST)
            fail_msg("'%s' is way %d", gone[i], r.way);
    }
}

static void limits(void **state)
{
    (void)state;
    char mem[400];
    struct buf key;
    struct route r;
    struct site_limits l;
    buf_init_fixed(&key, mem, sizeof mem);
    key_of("", "a@other.test", &key, &r);
    route_limits(conf, &r, &l);
    assert_int_equal(l.connections, 3);
    assert_int_equal(l.rate, 60);
    assert_int_equal(l.recipients, 100);
    assert_int_equal(l.messages_per_connection, 1000);
    key_of("", "a@here.test", &key, &r);
    route_limits(conf, &r, &l);
    assert_int_equal(l.connections, 20);
    assert_int_equal(l.recipients, 1);
}

/* Two sections of one title have passwords of their own. */
static void names(void **state)
{
    (void)state;
    char mem[2][ROUTE_NAME_MAX];
    struct buf b[2];
    size_t n = 0;
    for (size_t i = 0; i < conf->nroutes; i++)
        if (str_eq(conf->routes[i].title, S("two.test"))) {
            buf_init_fixed(&b[n], mem[n], sizeof mem[n]);
            send_route_name(&b[n], &conf->routes[i]);
            n++;
        }
    assert_int_equal(n, 2);
    assert_false(str_eq(buf_str(&b[0]), buf_str(&b[1])));
}

static int load(void **state)
{
    (void)state;
    conf = fake_load(CONF);
    return 0;
}
static int drop(void **state)
{
    (void)state;
    conf_drop(&conf);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ways), cmocka_unit_test(keys_that_are_gone),
                                       cmocka_unit_test(limits), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, load, drop);
}
