/* Questions of the checks: one place that counts them, knows when it is too late, and tells of each. */
#include "check/check.h"

#include <stdarg.h>
#include <stdio.h>

static err ask_net(void *arg, const struct dns_question *q, struct arena *a, struct dns_answer *ret)
{
    (void)arg;
    return dns_ask(q, a, ret);
}

const struct check_source check_source_net = {ask_net, NULL};

const char *check_result_name(enum check_result r)
{
    static const char *const names[] = {"none",    "pass",   "fail",      "softfail",
                                        "neutral", "policy", "temperror", "permerror"};
    return names[r];
}

const char *dmarc_policy_name(enum dmarc_policy p)
{
    static const char *const names[] = {"none", "quarantine", "reject"};
    return names[p];
}

void check_answer_begin(struct arena *a) { arena_init(a, 2048, CHECK_ANSWER_MAX); }

void check_explain(struct check *c, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    if (!c->explain)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    for (size_t i = 0; i < len; i++)
        buf_add_char(c->explain, (unsigned char)line[i] < ' ' || line[i] == 0x7f ? '?' : line[i]);
    buf_add_char(c->explain, '\n');
}

static const char *type_name(enum dns_type t)
{
    switch (t) {
    case DNS_A:
        return "A";
    case DNS_CNAME:
        return "CNAME";
    case DNS_PTR:
        return "PTR";
    case DNS_MX:
        return "MX";
    case DNS_TXT:
        return "TXT";
    case DNS_AAAA:
        return "AAAA";
    case DNS_SRV:
        return "SRV";
    case DNS_TLSA:
        return "TLSA";
    }
    return "?";
}

static void explain_answer(struct check *c, enum dns_type type, const struct dns_answer *ans)
{
    for (size_t i = 0; i < ans->n; i++) {
        str d = ans->v[i].data;
        char text[IP_TEXT_MAX];
        struct buf b;
        if (type == DNS_A || type == DNS_AAAA) {
            struct ip ip = ip_from_octets(d.p, d.n);
            buf_init_fixed(&b, text, sizeof text);
            ip_print(&b, &ip);
            d = buf_str(&b);
        }
        if (type == DNS_MX)
            check_explain(c, "    %u " STR_FMT, ans->v[i].preference, STR_ARG(d));
        else
            check_explain(c, "    " STR_FMT, STR_ARG(d));
    }
}

err check_ask(struct check *c, str name, enum dns_type type, struct arena *a, struct dns_answer *ret)
{
    struct dns_question q = {name, type, c->deadline, true};
    unsigned most = c->questions_max ? c->questions_max : CHECK_QUESTIONS_MAX;
    if (c->questions >= most || rt_now() >= c->deadline) {
        check_explain(c, "  look-up %s " STR_FMT ": %s", type_name(type), STR_ARG(name),
                      c->questions >= most ? "not asked, too many questions" : "not asked, no time left");
        return E_DNS_TEMP;
    }
    c->questions++;
    err e = c->source->ask(c->source->arg, &q, a, ret);
    if (!c->explain)
        return e;
    check_explain(c, "  look-up %s " STR_FMT ": %s", type_name(type), STR_ARG(name), e ? err_text(e) : "found");
    if (!e)
        explain_answer(c, type, ret);
    return e;
}
