/* TLS reports (RFC 8460): what a session is as a line, lines as policies of a report, and to whom it goes. */
#include "base/text.h"
#include "net/net.h"
#include "reports/internal.h"
#include "wire/dmarc.h"

enum { LINE_OCTETS = 2048, POLICY_OCTETS = 9 * 1024 };

/* ---- counting ---- */

/* Lines of text stay lines; anything else that would break the row is replaced. */
static void add_lines(struct buf *out, str s)
{
    buf_add_char(out, '\t');
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, ((unsigned char)s.p[i] < ' ' && s.p[i] != '\n') || s.p[i] == 0x7f ? ' ' : s.p[i]);
}

void reports_session(const struct send_seen *s)
{
    static const char *const types[] = {
        [SEND_POLICY_NONE] = "no-policy-found", [SEND_POLICY_STS] = "sts", [SEND_POLICY_TLSA] = "tlsa"};
    AUTO_BUF line = {.max = LINE_OCTETS}, policy = {.max = POLICY_OCTETS};
    struct conf *c = reports_rooms.conf ? reports_rooms.conf() : NULL;
    if (c && c->report_tls) {
        field_add(&policy, str_c(types[s->policy]));
        field_add(&policy, s->policy_domain);
        add_lines(&policy, s->lines);
        add_lines(&policy, s->hosts);
        const str fields[] = {s->result, s->sending_ip, s->receiving_ip, s->mx, s->reason};
        for (size_t i = 0; s->result.n && i < sizeof fields / sizeof *fields; i++)
            field_add(&line, fields[i]);
        if (line.e || policy.e)
            metric_add(M_reports_lost, 1);
        else
            store_count(c, KIND_TLS, s->domain, buf_str(&policy), buf_str(&line));
    }
    conf_drop(&c);
}

/* ---- a finished period ---- */

static bool split_lines(struct arena *a, str text, str **v, size_t *n)
{
    str line;
    *v = arena_array(a, TLSRPT_STRINGS_MAX, sizeof **v);
    while (*v && text.n && *n < TLSRPT_STRINGS_MAX && str_cut(&text, '\n', &line))
        (*v)[(*n)++] = line;
    return *v;
}

static bool begin_policy(struct period *p, str text, struct tlsrpt_policy *t)
{
    str rest = arena_str(&p->mem, text), lines = {0};
    if (!rest.p)
        return false;
    t->type = field_take(&rest);
    t->domain = field_take(&rest);
    (void)str_cut(&rest, '\t', &lines);
    return split_lines(&p->mem, lines, &t->lines, &t->nlines) && split_lines(&p->mem, rest, &t->hosts, &t->nhosts);
}

static void add_result(struct period *p, struct tlsrpt_policy *t, str text, int64_t count)
{
    p->count += (uint64_t)count;
    if (!text.n) {
        t->good += (uint64_t)count;
        return;
    }
    str rest = arena_str(&p->mem, text);
    struct tlsrpt_failure *f = &t->failures[t->nfailures++];
    t->bad += (uint64_t)count;
    *f = (struct tlsrpt_failure){.count = (uint64_t)count};
    str *const to[] = {&f->type, &f->sending_ip, &f->receiving_ip, &f->mx, &f->reason};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        *to[i] = field_take(&rest);
}

/* Rows come by policy; those of one share an array of failures that all policies cut their parts from. */
void tls_lines(struct period *p)
{
    struct db_rows r;
    struct tlsrpt *t = &p->t;
    str last = {NULL, 0};
    struct tlsrpt_failure *all = arena_array(&p->mem, LINES_MAX, sizeof *all);
    t->policies = arena_array(&p->mem, TLSRPT_POLICIES_MAX, sizeof *t->policies);
    if (!all || !t->policies)
        return;
    size_t used = 0;
    db_rows_begin(&r, store_db(),
                  "SELECT policy, line, count FROM tls_line WHERE begin = ? AND domain = ? ORDER BY policy LIMIT 10000",
                  "is", p->begin_s, p->domain);
    while (used < LINES_MAX && db_rows_next(&r)) {
        str policy = db_rows_str(&r, 0);
        if (!last.p || !str_eq(policy, last)) {
            if (t->npolicies == TLSRPT_POLICIES_MAX || !begin_policy(p, policy, &t->policies[t->npolicies]))
                break;
            t->policies[t->npolicies++].failures = &all[used];
            last = arena_str(&p->mem, policy);
        }
        struct tlsrpt_policy *now = &t->policies[t->npolicies - 1];
        add_result(p, now, db_rows_str(&r, 1), db_rows_num(&r, 2));
        used = (size_t)(now->failures + now->nfailures - all);
    }
    (void)db_rows_end(&r);
}

/* ---- who asks for it ---- */

/* The rua= at _smtp._tls. OK and "" when nobody asks; several records are none (3). */
static err ask_rua(struct period *p) YIELDS;
static err ask_rua(struct period *p)
{
    AUTO_ARENA a = {0};
    char name[300];
    struct buf b;
    struct dns_answer got = {0};
    str rua, one = {"", 0};
    size_t n = 0;
    arena_init(&a, 4096, 1 << 20);
    buf_init_fixed(&b, name, sizeof name);
    buf_printf(&b, "_smtp._tls." STR_FMT, STR_ARG(p->domain));
    err e = b.e ? E_DNS_NODATA : dns_lookup(buf_str(&b), DNS_TXT, &a, &got);
    for (size_t i = 0; !e && i < got.n; i++) {
        if (!str_starts(got.v[i].data, S("v=TLSRPTv1")))
            continue;
        n++;
        if (tlsrpt_record(got.v[i].data, &rua))
            one = rua;
    }
    p->rua = n == 1 ? arena_str(&p->mem, one) : S("");
    return e == E_DNS_NODATA || e == E_DNS_NONE ? OK : e ? e : p->rua.p ? OK : E_NOMEM;
}

static err send_one(struct letter *l, str uri) YIELDS;
static err send_one(struct letter *l, str uri)
{
    char mem[ADDRESS_MAX];
    str to;
    if (str_istarts(uri, S("https://")))
        return post_keep(l, uri);
    return dmarc_mailto(uri, mem, sizeof mem, &to) ? letter_send(l, to) : OK;
}

err send_tls(struct period *p)
{
    struct letter l;
    str list, uri;
    if (!p->count)
        return OK;
    err e = ask_rua(p);
    if (e || !p->rua.n)
        return e;
    e = letter_make(&l, p);
    list = p->rua;
    for (int n = 0; !e && n < RECIPIENTS_MAX && tlsrpt_uri_next(&list, &uri); n++) {
        err one = send_one(&l, uri);
        if (one == E_DENIED)
            rt_log(EV_report_failed, log_c("signing: no section dkim for the domain of From"), log_str(p->domain),
                   log_err(one));
        else if (one && !err_is_perm(one))
            e = one;
    }
    letter_free(&l);
    return e;
}
