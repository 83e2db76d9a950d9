/* Envelopes there and back, and what does not decode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "spool/internal.h"

static struct recipient to[3] = {
    {.address = S_INIT("a@example.test"), .orcpt = S_INIT("rfc822;A@example.test"), .notify = 6},
    {.address = S_INIT("b@b\xc3\xbc.test"), .list = S_INIT("all@example.test"), .sender = S_INIT("srs0=x@y.test")},
    {.address = S_INIT("\"x y\"@example.test")},
};
static const struct envelope full = {
    .id = 0x7fffffffffffffff,
    .arrived_ms = 1700000000123,
    .expires_ms = 1700432000123,
    .tenant = 77,
    .flags = ENV_TLS | ENV_DOT_LINE,
    .body = 2,
    .ret = 1,
    .class = 3,
    .hops = 29,
    .head_size = 1234,
    .body_size = 1ull << 40,
    .sender = S_INIT("s@example.org"),
    .envid = S_INIT("id+1"),
    .client = S_INIT("2001:db8::1"),
    .helo = S_INIT("[2001:db8::1]"),
    .user = S_INIT("account"),
    .message_id = S_INIT("<x@y>"),
    .to = to,
    .nto = 3,
};

static void encode(struct buf *out, const struct envelope *e)
{
    buf_init(out, 1 << 20);
    assert_int_equal(envelope_encode(out, e), OK);
    assert_int_equal(out->n, envelope_size(e));
}

static void round_trip(void **state)
{
    (void)state;
    struct envelope e, empty = {.id = 1};
    struct arena a;
    struct buf one, two;
    arena_init(&a, 1024, 1 << 20);
    encode(&one, &full);
    assert_int_equal(envelope_decode(&a, buf_str(&one), &e), OK);
    assert_true(str_eq(e.to[1].sender, to[1].sender) && str_eq(e.to[1].list, to[1].list) && e.to[0].notify == 6);
    assert_true(e.body_size == full.body_size && e.expires_ms == full.expires_ms && e.tenant == 77 && e.hops == 29);
    encode(&two, &e);
    assert_true(str_eq(buf_str(&one), buf_str(&two)));
    buf_free(&two);
    struct envelope later = {
        .id = 2, .release_ms = 1800000000000, .by_ms = 1800000060000, .by = BY_NOTIFY | 128, .priority = -7};
    encode(&two, &later);
    assert_int_equal(envelope_decode(&a, buf_str(&two), &e), OK);
    assert_true(e.release_ms == later.release_ms && e.by_ms == later.by_ms && e.by == later.by && e.priority == -7);
    buf_free(&two);
    struct envelope held = full;
    held.flags |= ENV_HELD | ENV_QUARANTINE;
    held.held_why = S("rule big: 30 recipients");
    encode(&two, &held);
    assert_int_equal(envelope_decode(&a, buf_str(&two), &e), OK);
    assert_true(str_eq(e.held_why, held.held_why) && e.flags == held.flags && e.nto == 3 && !e.release_ms);
    buf_free(&two);
    for (int i = 0; i < 2; i++) { /* with and without a reason to be held */
        held.way = S("bulk");
        encode(&two, &held);
        assert_int_equal(envelope_decode(&a, buf_str(&two), &e), OK);
        assert_true(str_eq(e.way, held.way) && str_eq(e.held_why, held.held_why) && e.nto == 3);
        buf_free(&two);
        held.held_why = S("");
    }
    for (int i = 0; i < 2; i++) { /* redirected, with a way and without */
        to[1].past = S("x@example.test\ny@example.test");
        encode(&two, &held);
        to[1].past = (str){NULL, 0};
        assert_int_equal(envelope_decode(&a, buf_str(&two), &e), OK);
        assert_true(str_eq(e.to[1].past, S("x@example.test\ny@example.test")) && !e.to[0].past.n && !e.to[2].past.n);
        assert_true(str_eq(e.way, held.way) && str_eq(e.to[1].list, to[1].list) && e.nto == 3);
        for (size_t n = 0; n < two.n; n++)
            assert_int_equal(envelope_decode(&a, str_sub(buf_str(&two), 0, n), &e), E_CORRUPT);
        buf_free(&two);
        held.way = S("");
    }
    encode(&two, &empty);
    assert_int_equal(envelope_decode(&a, buf_str(&two), &e), OK);
    assert_int_equal(e.nto, 0);
    buf_free(&one);
    buf_free(&two);
    arena_free(&a);
}

/* Every shorter text, a longer one, another version, a recipient count that promises too much. */
static void does_not_decode(void **state)
{
    (void)state;
    struct envelope e;
    struct arena a;
    struct buf b;
    arena_init(&a, 1024, 1 << 20);
    encode(&b, &full);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(envelope_decode(&a, str_sub(buf_str(&b), 0, n), &e), E_CORRUPT);
    buf_add_char(&b, 0);
    assert_int_equal(envelope_decode(&a, buf_str(&b), &e), E_CORRUPT);
    b.n--;
    b.p[0]++;
    assert_int_equal(envelope_decode(&a, buf_str(&b), &e), E_CORRUPT);
    b.p[0]--;
    struct envelope none = full;
    none.nto = 0;
    size_t at = envelope_size(&none) - 4;
    memset(b.p + at, 0xff, 4);
    assert_int_equal(envelope_decode(&a, buf_str(&b), &e), E_CORRUPT);
    buf_free(&b);
    arena_free(&a);
}

static void too_long(void **state)
{
    (void)state;
    struct envelope e = full;
    struct buf b;
    char *p = calloc(1, 70000);
    e.sender = str_mem(p, 65535);
    encode(&b, &e);
    buf_free(&b);
    e.sender = str_mem(p, 65536);
    buf_init(&b, 1 << 20);
    assert_int_equal(envelope_encode(&b, &e), E_LIMIT);
    buf_free(&b);
    struct body *body = body_new();
    struct spool_group g;
    spool_group_init(&g);
    assert_int_equal(spool_group_message(&g, &e, body, 0), E_LIMIT);
    spool_group_free(&g);
    body_drop(&body);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(does_not_decode),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
