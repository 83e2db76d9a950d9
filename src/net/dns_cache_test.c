/* What goes into the cache comes out of it as it was. */
#include "rt/test_world.h"

#include "net/dns.h"

#include <string.h>

enum { MANY = 1000 };

static char big[UINT16_MAX + 1];

/* n records, the last one with `size` octets of data; every other one is empty. */
static const struct row {
    str name, canonical;
    size_t n, size;
    err e;
    bool secure, kept;
} rows[] = {
    {S_INIT("a.test"), S_INIT("a.test"), 1, 4, OK, true, true},
    {S_INIT("a.test"), S_INIT("b.test"), 8, 300, OK, false, true},
    {S_INIT("a.test"), S_INIT("a.test"), 9, 1, OK, false, true},
    {S_INIT("a.test"), S_INIT(""), MANY, 1, OK, false, true},
    {S_INIT("none.test"), S_INIT("none.test"), 0, 0, E_DNS_NONE, true, true},
    {S_INIT("none.test"), S_INIT("else.test"), 0, 0, E_DNS_NODATA, false, true},
    {S_INIT("a.test"), S_INIT("a.test"), 1, UINT16_MAX, OK, false, true},
    {S_INIT("a.test"), S_INIT("a.test"), 1, UINT16_MAX + 1, OK, false, false},
};

static void check(const struct row *x)
{
    static struct dns_record v[MANY];
    for (size_t i = 0; i < x->n; i++)
        v[i] = (struct dns_record){.preference = (uint16_t)(7 * i + 0x102), .port = (uint16_t)(65535 - i)};
    for (size_t i = 0; i < x->n; i += 2)
        v[i].data = str_mem(big + i, 6);
    if (x->n)
        v[x->n - 1].data = str_mem(big, x->size);
    struct dns_answer a = {.v = v, .n = x->n, .canonical = x->canonical, .secure = x->secure};
    struct dns_result *in = dns_result_new(x->e, &a);
    CHECK(in);
    in->until = rt_after(RT_S);
    dns_cache_clear();
    dns_cache_put(x->name, DNS_SRV, 5, in);
    CHECK(!dns_cache_get(x->name, DNS_A, 5) && !dns_cache_get(x->name, DNS_SRV, 6));
    struct dns_result *out = dns_cache_get(x->name, DNS_SRV, 5);
    CHECK((out != NULL) == x->kept);
    if (out) {
        CHECK(out->e == x->e && out->until == in->until && out->answer.secure == x->secure);
        CHECK(str_eq(out->answer.canonical, x->canonical) && out->answer.n == x->n);
        for (size_t i = 0; i < x->n; i++) {
            const struct dns_record *r = &out->answer.v[i];
            CHECK(r->preference == v[i].preference && r->port == v[i].port && str_eq(r->data, v[i].data));
        }
    }
    dns_result_drop(&out);
    dns_result_drop(&in);
}

static void all(void *arg, int index)
{
    (void)arg, (void)index;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 31 + (i >> 8));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i]);
    dns_cache_clear();
    rt_stop();
}

static void test_kept(void **state)
{
    (void)state;
    world(1, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
