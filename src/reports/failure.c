/*
 * DMARC failure reports (RFC 9991, RFC 6591): about single messages, to those whose record asks for them. Off unless
 * wanted, limited by domain and in all, never about what may be a report or a bounce itself. Those that wait are in
 * memory only: they are samples, and a restart may lose them.
 */
#include "base/text.h"
#include "intake/sign.h"
#include "reports/internal.h"
#include "wire/head.h"
#include "wire/spf.h"

#include <stdlib.h>

enum {
    WAITING_MAX = 50,
    DOMAINS_MAX = 512, /* that the limit tells apart within an hour */
    PROBES = 8,
    HOUR_S = 3600,
    HEAD_KEPT = 32 * 1024, /* octets of the header of a message */
    ITEM_MAX = 256 * 1024,
    RESULTS_MAX = 16 * 1024,
    LETTER_MAX = 256 * 1024
};
#define ASK_TIME (20 * RT_S)

static struct lock lock;
static struct failure *first, **last = &first;
static size_t waiting;

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static struct quota { /* of one domain in one hour */
    uint64_t domain;
    int64_t hour;
    uint64_t sent, held;
} quotas[DOMAINS_MAX], all;

static void quota_renew(struct quota *q, uint64_t domain, int64_t hour)
{
    if (q->hour == hour && q->domain == domain)
        return;
    uint64_t held = q->domain == domain ? q->held : 0; /* what was held back is told in a later hour */
    *q = (struct quota){.domain = domain, .hour = hour, .held = held};
}

/* NULL: more domains in this hour than are told apart. */
static struct quota *quota_of(uint64_t domain, int64_t hour)
{
    struct quota *old = NULL;
    for (size_t i = 0; i < PROBES; i++) {
        struct quota *q = &quotas[(domain + i) % DOMAINS_MAX];
        if (q->domain == domain) {
            quota_renew(q, domain, hour);
            return q;
        }
        if (!old && q->hour != hour)
            old = q;
    }
    if (old)
        quota_renew(old, domain, hour);
    return old;
}

/* 0: held back; else what the report counts for. Under the lock. */
static uint64_t quota_take(const struct conf *c, str domain, int64_t now_s)
{
    int64_t hour = now_s / HOUR_S + 1; /* never that of an empty slot */
    struct quota *q = quota_of(str_ihash(domain) | 1, hour);
    quota_renew(&all, 1, hour);
    if (!q || q->sent >= (uint64_t)c->report_failure_limit || all.sent >= (uint64_t)c->report_failure_limit_all ||
        waiting >= WAITING_MAX) {
        if (q)
            q->held++;
        return 0;
    }
    uint64_t incidents = q->held + 1;
    q->held = 0;
    q->sent++;
    all.sent++;
    return incidents;
}

/* ---- what is asked for ------------------------------------------------------------------------------------------- */

static bool failed(enum check_result r)
{
    return r == CHECK_FAIL || r == CHECK_SOFTFAIL || r == CHECK_PERMERROR || r == CHECK_POLICY;
}

/* The first signature that failed; else the first one. */
static const struct check_dkim *signature_of(const struct check_results *r, bool *ret_failed)
{
    *ret_failed = false;
    for (size_t i = 0; i < r->ndkim; i++)
        if (failed(r->dkim[i].result)) {
            *ret_failed = true;
            return &r->dkim[i];
        }
    return r->ndkim ? &r->dkim[0] : NULL;
}

/* fo= of RFC 9989 4.7; none that is known is "0". */
static bool asked_for(const struct check_results *r)
{
    const struct check_dmarc *d = &r->dmarc;
    str list = d->fo, one;
    bool known = false, yes = false, bad_signature;
    (void)signature_of(r, &bad_signature);
    while (list.p && str_cut(&list, ':', &one)) {
        one = str_trim_wsp(one);
        bool zero = str_eq(one, S("0")), any = str_eq(one, S("1")), dkim = str_ieq(one, S("d")),
             spf = str_ieq(one, S("s"));
        known = known || zero || any || dkim || spf;
        yes = yes || (zero && d->result == CHECK_FAIL) || (any && !(d->dkim_aligned && d->spf_aligned)) ||
              (dkim && bad_signature) || (spf && r->mail.done && failed(r->mail.result));
    }
    return known ? yes : d->result == CHECK_FAIL;
}

/* A report, a bounce or another answer of a machine gets none, so that two of us never go on telling each other. */
static bool from_machine(const struct checks_seen *s)
{
    AUTO_BUF type = {.max = HEAD_FIELD_MAX};
    if (!s->check->from.n)
        return true;
    str automatic = str_trim(head_find(s->head, S("Auto-Submitted")));
    head_unfold(&type, head_find(s->head, S("Content-Type")));
    str t = str_trim(buf_str(&type));
    return (automatic.n && !str_istarts(automatic, S("no"))) || str_istarts(t, S("multipart/report")) ||
           str_istarts(t, S("message/feedback-report"));
}

/* ---- a message was judged ---------------------------------------------------------------------------------------- */

static const char *delivery_of(enum dmarc_policy done)
{
    return done == DMARC_POLICY_REJECT ? "reject" : done == DMARC_POLICY_QUARANTINE ? "spam" : "delivered";
}

/* Everything that the report needs outlives the session in it. */
static struct failure *remember(const struct conf *c, const struct checks_seen *s)
{
    const struct check_results *r = s->results;
    const struct check_dmarc *d = &r->dmarc;
    AUTO_BUF results = {.max = RESULTS_MAX};
    bool bad;
    const struct check_dkim *sig = signature_of(r, &bad);
    struct failure *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    arena_init(&f->mem, 4096, ITEM_MAX);
    if (check_authres(s->check, r, c->check_authserv_id, &results))
        buf_clear(&results);
    f->domain = arena_str(&f->mem, d->policy_domain);
    f->from = arena_str(&f->mem, d->from);
    f->ruf = arena_str(&f->mem, d->ruf);
    f->sender = arena_str(&f->mem, s->check->from);
    f->spf_domain = arena_str(&f->mem, r->mail.done ? r->mail.domain : S(""));
    f->results = arena_str(&f->mem, buf_str(&results));
    f->head = arena_str(&f->mem, str_sub(s->head, 0, HEAD_KEPT));
    f->dkim_domain = arena_str(&f->mem, sig ? sig->domain : S(""));
    f->dkim_selector = arena_str(&f->mem, sig ? sig->selector : S(""));
    f->dkim_identity = arena_str(&f->mem, sig ? sig->identity : S(""));
    f->ip = s->check->ip;
    f->arrived_s = s->check->now_s;
    f->alignment = d->dkim_aligned && d->spf_aligned ? "dkim, spf"
                   : d->dkim_aligned                 ? "dkim"
                   : d->spf_aligned                  ? "spf"
                                                     : "none";
    f->delivery = delivery_of(s->disposition);
    return f;
}

static void forget(struct failure *f)
{
    if (f)
        arena_free(&f->mem);
    free(f);
}

void failures_seen(const struct conf *c, const struct checks_seen *s)
{
    const struct check_dmarc *d = &s->results->dmarc;
    if (!d->ruf.n || (d->result != CHECK_PASS && d->result != CHECK_FAIL) || !asked_for(s->results) || from_machine(s))
        return;
    lock_take(&lock);
    uint64_t incidents = quota_take(c, d->policy_domain, rt_wall_ms() / 1000);
    lock_drop(&lock);
    struct failure *f = incidents ? remember(c, s) : NULL;
    if (!f || f->mem.e) {
        forget(f);
        metric_add(M_failures_held, 1);
        return;
    }
    f->incidents = incidents;
    lock_take(&lock);
    *last = f;
    last = &f->next;
    waiting++;
    lock_drop(&lock);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static struct failure *take_first(void)
{
    lock_take(&lock);
    struct failure *f = first;
    if (f) {
        first = f->next;
        last = first ? last : &first;
        waiting--;
    }
    lock_drop(&lock);
    return f;
}

/* The record by which SPF was judged; it is in the cache. */
static str spf_record(struct failure *f) YIELDS;
static str spf_record(struct failure *f)
{
    AUTO_ARENA a = {0}, own = {0};
    struct dns_answer ans;
    str found = {0};
    check_answer_begin(&a);
    arena_init(&own, 1024, 65536);
    struct check c = {.mem = &own, .source = &check_source_net, .deadline = rt_after(ASK_TIME)};
    if (f->spf_domain.n && check_ask(&c, f->spf_domain, DNS_TXT, &a, &ans) == OK)
        for (size_t i = 0; i < ans.n && !found.n; i++)
            if (spf_is_record(ans.v[i].data))
                found = arena_str(&f->mem, ans.v[i].data);
    return found;
}

static err send_to(const struct failure *f, struct conf *c, str to, str spf) YIELDS;
static err send_to(const struct failure *f, struct conf *c, str to, str spf)
{
    AUTO_BUF text = {.max = LETTER_MAX}, top = {.max = LETTER_MAX};
    AUTO_BUF from = {.max = ADDRESS_MAX};
    const struct sign_who w = {.now_s = rt_wall_ms() / 1000};
    uint64_t id = 0;
    if (c->report_from.n)
        buf_add(&from, c->report_from);
    else
        buf_printf(&from, "dmarc-reports@" STR_FMT, STR_ARG(signing_host(c)));
    err e = from.e ? from.e : failure_print(f, c, buf_str(&from), to, spf, &text);
    e = e ? e : sign_text(c, &w, buf_str(&text), &top);
    e = e ? e : message_send(c, to, buf_str(&top), buf_str(&text), 0, &id);
    if (!e && id)
        rt_log(EV_failure_reported, log_id(id), log_str(f->domain), log_str(to), log_num((int64_t)f->incidents));
    return e;
}

static void send_one(struct failure *f) YIELDS;
static void send_one(struct failure *f)
{
    struct destinations to;
    struct conf *c = reports_rooms.conf();
    destinations_find(&to, f->domain, f->ruf, true, 0);
    str spf = to.n ? spf_record(f) : (str){0};
    for (size_t i = 0; i < to.n; i++) {
        err e = send_to(f, c, str_c(to.v[i]), spf);
        if (e)
            rt_log(EV_report_failed, log_c("sending"), log_str(f->domain), log_err(e));
    }
    conf_drop(&c);
}

void failures_send(void)
{
    struct failure *f;
    while (!fiber_cancelled() && (f = take_first())) {
        send_one(f);
        forget(f);
    }
}
