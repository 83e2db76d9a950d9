/* For tests of policy: DNS from a table, without a socket. */
#ifndef POLICY_TEST_NAMES_H
#define POLICY_TEST_NAMES_H
#include "rt/test_world.h"

#include "net/test_dns.h"

/* `data`: an address of A, a name of PTR; "FAIL" for SERVFAIL, "HANG" for no answer at all. */
struct test_name {
    const char *name;
    unsigned type;
    const char *data;
};
static const struct test_name *test_names;
static int test_asked;

static void test_answer(struct post *p)
{
    struct dns_flight *f = container_of(p, struct dns_flight, post);
    static struct msg m;
    bool any = false, known = false, fails = false;
    for (const struct test_name *t = test_names; t->name; t++)
        if (str_ieq(str_c(t->name), str_c(f->name))) {
            known = true;
            fails |= t->type == f->type && strcmp(t->data, "FAIL") == 0;
        }
    msg_begin(&m, 1, fails ? 2 : known ? 0 : 3, f->name, f->type);
    for (const struct test_name *t = test_names; t->name && !fails; t++) {
        struct ip ip;
        if (!str_ieq(str_c(t->name), str_c(f->name)) || t->type != f->type)
            continue;
        any = true;
        if (t->type == DNS_A && ip_parse(str_c(t->data), &ip))
            rr_bytes(&m, f->name, DNS_A, 60, str_mem(ip.b, 4));
        else if (t->type == DNS_PTR)
            rr_name(&m, f->name, DNS_PTR, 60, t->data);
    }
    if (!any)
        rr_soa(&m, "test", 1, 1);
    dns_answered(f, &(struct dns_reply){.packet = buf_str(&m.b)});
}

static err test_open(struct dns_engine **ret, const struct dns_config *c)
{
    static int engine;
    (void)c;
    *ret = (struct dns_engine *)&engine;
    return OK;
}
static void test_ask(struct dns_engine *e, struct dns_flight *f)
{
    (void)e;
    test_asked++;
    for (const struct test_name *t = test_names; t->name; t++)
        if (str_ieq(str_c(t->name), str_c(f->name)) && strcmp(t->data, "HANG") == 0)
            return;
    f->post.run = test_answer;
    rt_post(rt_self(), &f->post);
}
static void test_close(struct dns_engine *e) { (void)e; }
static const struct dns_backend test_backend = {test_open, test_ask, test_close};

#endif
