/* The reverse name of the client, confirmed (RFC 8601 3). */
#include "check/internal.h"

enum { NAMES_MAX = 10 };

static enum check_result of_error(err e)
{
    return e == E_DNS_NONE || e == E_DNS_NODATA || e == E_SYNTAX ? CHECK_FAIL : CHECK_TEMPERROR;
}

/* OK: the name has the client's address. */
static err confirm(struct check *c, str name) YIELDS
{
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    size_t n = c->ip.v == 4 ? 4 : 16;
    check_answer_begin(&a);
    err e = check_ask(c, name, n == 4 ? DNS_A : DNS_AAAA, &a, &ans);
    for (size_t i = 0; e == OK && i < ans.n; i++)
        if (ans.v[i].data.n == n && memcmp(ans.v[i].data.p, c->ip.b, n) == 0)
            return OK;
    return e ? e : E_DNS_NODATA;
}

void check_iprev(struct check *c, struct check_iprev *ret)
{
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    char text[80];
    struct buf question;
    *ret = (struct check_iprev){.result = CHECK_PERMERROR};
    if (!c->ip.v)
        return;
    buf_init_fixed(&question, text, sizeof text);
    ip_print_reverse(&question, &c->ip);
    buf_add(&question, c->ip.v == 4 ? S(".in-addr.arpa") : S(".ip6.arpa"));
    check_answer_begin(&a);
    err e = check_ask(c, buf_str(&question), DNS_PTR, &a, &ans);
    if (e) {
        ret->result = e == E_DNS_NONE || e == E_DNS_NODATA ? CHECK_PERMERROR : CHECK_TEMPERROR;
        return;
    }
    ret->result = CHECK_FAIL;
    for (size_t i = 0; i < ans.n && i < NAMES_MAX; i++) {
        e = confirm(c, ans.v[i].data);
        if (e == OK) {
            ret->name = arena_str(c->mem, ans.v[i].data);
            ret->result = ret->name.p ? CHECK_PASS : CHECK_TEMPERROR;
            return;
        }
        if (of_error(e) == CHECK_TEMPERROR)
            ret->result = CHECK_TEMPERROR;
    }
}
