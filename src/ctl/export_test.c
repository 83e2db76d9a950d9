/* The exported form: what is written is read again; every cut and every flipped octet of a head is noticed. */
#include "base/arena.h"
#include "base/test.h"
#include "ctl/export.c"

static struct recipient to[] = {
    {.address = S_INIT("x@to.test"),
     .orcpt = S_INIT("rfc822;x@to.test"),
     .notify = NOTIFY_SUCCESS,
     .sender = S_INIT("srs@us.test")},
    {.address = S_INIT("y@to.test"), .list = S_INIT("all@us.test")},
};
static const struct envelope env = {.id = 77,
                                    .arrived_ms = 1795344136000,
                                    .expires_ms = 1795776136000,
                                    .tenant = 3,
                                    .flags = ENV_8BIT_BODY,
                                    .body = BODY_8BITMIME,
                                    .head_size = 100,
                                    .body_size = 1 << 20,
                                    .sender = S_INIT("a@from.test"),
                                    .envid = S_INIT("e1"),
                                    .client = S_INIT("192.0.2.1"),
                                    .helo = S_INIT("h.test"),
                                    .message_id = S_INIT("<1@x>"),
                                    .to = to,
                                    .nto = 2};
static const struct rcpt_status state[] = {
    {.state = RCPT_WAITING, .held = true, .attempts = 7, .next_ms = 1795344999000, .reply = S_INIT("451 4.3.0 later")},
    {.state = RCPT_WAITING},
};

static void round_trip(void **none)
{
    (void)none;
    struct buf b;
    struct arena a;
    struct ctl_export x;
    uint64_t size;
    buf_init(&b, 1 << 20);
    arena_init(&a, 1024, 1 << 20);
    assert_int_equal(ctl_export_head(&b, &env, state), OK);
    assert_int_equal(ctl_export_size(buf_str(&b), &size), OK);
    assert_int_equal(size, b.n);
    assert_int_equal(ctl_export_decode(&a, buf_str(&b), &x), OK);
    assert_int_equal(x.env.id, 77);
    assert_int_equal(x.env.expires_ms, env.expires_ms);
    assert_int_equal(x.env.nto, 2);
    assert_str(x.env.to[0].sender, "srs@us.test");
    assert_str(x.env.to[1].list, "all@us.test");
    assert_int_equal(x.env.to[0].notify, NOTIFY_SUCCESS);
    assert_true(x.state[0].held && !x.state[1].held);
    assert_int_equal(x.state[0].attempts, 7);
    assert_int_equal(x.state[0].next_ms, 1795344999000);
    assert_str(x.state[0].reply, "451 4.3.0 later");

    for (size_t n = 0; n < b.n; n++) { /* cut */
        err e = ctl_export_size(str_sub(buf_str(&b), 0, n), &size);
        assert_int_equal(e, OK);
        assert_int_equal(size, n < MAGIC + 4 ? 0 : b.n);
        assert_int_equal(ctl_export_decode(&a, str_sub(buf_str(&b), 0, n), &x), E_CORRUPT);
    }
    for (size_t n = 0; n < b.n; n++) { /* flipped */
        b.p[n] ^= 0x10;
        assert_int_equal(ctl_export_decode(&a, buf_str(&b), &x), E_CORRUPT);
        b.p[n] ^= 0x10;
    }
    buf_free(&b);
    arena_free(&a);
}

static void sizes(void **none)
{
    (void)none;
    static const struct {
        str bytes;
        err e;
        uint64_t head;
    } v[] = {
        {S_INIT(""), OK, 0},
        {S_INIT("postrider mess"), OK, 0},
        {S_INIT("postrider message 1\n\0\0\0"), OK, 0},
        {S_INIT("postrider message 1\n\0\1\0\0"), OK, 256 + 24},
        {S_INIT("postrider message 1\n\1\0\0\4"), E_LIMIT, 0},
        {S_INIT("postrider message 2\n\0\1\0\0"), E_UNSUPPORTED, 0},
        {S_INIT("Postrider message 1\n\0\1\0\0"), E_SYNTAX, 0},
        {S_INIT("x"), E_SYNTAX, 0},
    };
    for (size_t i = 0; i < COUNT(v); i++) {
        uint64_t head = 99;
        assert_int_equal(ctl_export_size(v[i].bytes, &head), v[i].e);
        assert_int_equal(head, v[i].head);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
