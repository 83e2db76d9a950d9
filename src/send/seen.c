/*
 * What is told of sessions for TLS reports (RFC 8460 4): under which policy, how they went. Only of servers that DNS
 * named; what an administrator configured is nobody else's affair.
 */
#include "base/cleanup.h"
#include "send/internal.h"

enum { LINES_MAX = 4096 }; /* octets of a policy in a report */

static void (*observer)(const struct send_seen *s);

void send_observe(void (*seen)(const struct send_seen *s)) { observer = seen; }

const char *seen_fault(enum tls_fault f)
{
    static const char *const names[] = {
        [TLS_FAULT_NONE] = "",
        [TLS_FAULT_NAME] = "certificate-host-mismatch",
        [TLS_FAULT_EXPIRED] = "certificate-expired",
        [TLS_FAULT_TRUST] = "certificate-not-trusted",
        [TLS_FAULT_OTHER] = "validation-failure",
    };
    return names[f];
}

static bool wanted(const struct conf *c, const struct route *r)
{
    return observer && c->report_tls && r->way == WAY_MX && !r->lax && r->domain.n && !str_starts(r->domain, S("["));
}

/* The lines of a policy file as a report wants them (4.4): without what surrounds them; patterns of hosts apart. */
static void split_policy(str text, struct buf *lines, struct buf *hosts)
{
    str line;
    while (text.p && str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (!line.n)
            continue;
        buf_printf(lines, "%s" STR_FMT, lines->n ? "\n" : "", STR_ARG(line));
        if (str_istarts(line, S("mx:")))
            buf_printf(hosts, "%s" STR_FMT, hosts->n ? "\n" : "", STR_ARG(str_trim(str_skip(line, 3))));
    }
}

static void print_tlsa(const struct dane *d, struct buf *lines)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct tls_tlsa *r = &d->v[i];
        buf_printf(lines, "%s%u %u %u ", i ? "\n" : "", r->usage, r->selector, r->matching);
        for (size_t k = 0; k < r->data.n; k++)
            buf_printf(lines, "%02x", (unsigned char)r->data.p[k]);
    }
}

static void print_ip(struct buf *out, const struct sockaddr_storage *a)
{
    struct ip_port at;
    if (ip_from_sockaddr((const struct sockaddr *)a, sizeof *a, &at))
        ip_print(out, &at.ip);
}

/* Fills in the policy of `s` and tells it; `lines` and `hosts` are what of it fits. */
static void tell(struct send_seen *s, const struct hops *all, const struct dane *d)
{
    AUTO_BUF lines, hosts;
    buf_init(&lines, LINES_MAX);
    buf_init(&hosts, LINES_MAX);
    if (s->policy == SEND_POLICY_TLSA && d)
        print_tlsa(d, &lines);
    else if (s->policy == SEND_POLICY_STS && all)
        split_policy(all->policy_text, &lines, &hosts);
    s->lines = buf_str(&lines);
    s->hosts = buf_str(&hosts);
    observer(s);
}

/* TLSA records of which none can be used, and names that a policy lacks, are faults of sessions that went well. */
static const char *result_of(const struct peer *p, const struct hop *h, const char **reason)
{
    *reason = p->tls_reason;
    if (*p->tls_result)
        return p->tls_result;
    if (h->unnamed)
        *reason = "the policy does not name this server";
    else if (h->dane && !h->dane->n)
        *reason = "no TLSA record can be used";
    return h->unnamed ? "validation-failure" : h->dane && !h->dane->n ? "tlsa-invalid" : "";
}

void seen_session(const struct peer *p, const struct hops *all, const struct hop *h)
{
    char from_mem[IP_TEXT_MAX], to_mem[IP_TEXT_MAX];
    struct buf from, to;
    const char *reason;
    if (!wanted(p->conf, &p->route) || !h->found)
        return;
    buf_init_fixed(&from, from_mem, sizeof from_mem);
    buf_init_fixed(&to, to_mem, sizeof to_mem);
    print_ip(&from, &p->conn.local);
    print_ip(&to, &p->conn.peer);
    struct send_seen s = {
        .domain = p->route.domain,
        .policy = h->dane       ? SEND_POLICY_TLSA
                  : all->policy ? SEND_POLICY_STS
                                : SEND_POLICY_NONE,
        .policy_domain = h->dane ? h->dane->base : p->route.domain,
        .sending_ip = buf_str(&from),
        .receiving_ip = buf_str(&to),
        .mx = h->host,
    };
    s.result = str_c(result_of(p, h, &reason));
    s.reason = s.result.n ? str_c(reason) : S("");
    tell(&s, all, h->dane);
}

void seen_host(const struct conf *c, const struct route *r, const struct hops *all, enum send_policy policy, str host,
               const char *result, const char *reason)
{
    struct send_seen s = {
        .domain = r->domain,
        .policy = policy,
        .policy_domain = policy == SEND_POLICY_TLSA ? host : r->domain,
        .mx = host,
        .result = str_c(result),
        .reason = str_c(reason),
    };
    if (wanted(c, r))
        tell(&s, all, NULL);
}

void seen_fetch(const struct conf *c, str domain, err e, str reason)
{
    struct send_seen s = {.domain = domain, .policy = SEND_POLICY_STS, .policy_domain = domain, .reason = reason};
    s.result = e == E_TLS_NAME || e == E_TLS ? S("sts-webpki-invalid")
               : e == E_SYNTAX               ? S("sts-policy-invalid")
                                             : S("sts-policy-fetch-error");
    if (observer && c->report_tls)
        tell(&s, NULL, NULL);
}
