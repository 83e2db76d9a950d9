/* Reports of others as JSON, for programs: one form for what was XML, JSON or header fields. */
#include "base/text.h"
#include "wire/findings.h"

static void name_of(struct buf *out, const char *name, bool *comma)
{
    if (*comma)
        buf_add_char(out, ',');
    *comma = true;
    text_json(out, str_c(name));
    buf_add_char(out, ':');
}

static void text(struct buf *out, const char *name, str s, bool *comma)
{
    if (!s.n)
        return;
    name_of(out, name, comma);
    text_json(out, s);
}

static void number(struct buf *out, const char *name, uint64_t n, bool *comma)
{
    name_of(out, name, comma);
    buf_add_u64(out, n);
}

static void time_of(struct buf *out, const char *name, int64_t s, bool *comma)
{
    if (s <= 0 || s > 253402300799)
        return;
    name_of(out, name, comma);
    buf_add_char(out, '"');
    text_time(out, s * 1000);
    buf_add_char(out, '"');
}

static void list(struct buf *out, const char *name, const str *v, size_t n, bool *comma)
{
    if (!n)
        return;
    name_of(out, name, comma);
    for (size_t i = 0; i < n; i++) {
        buf_add_char(out, i ? ',' : '[');
        text_json(out, v[i]);
    }
    buf_add_char(out, ']');
}

static void dmarc_row(struct buf *out, const struct feedback_row *w)
{
    bool comma = false;
    buf_add_char(out, '{');
    text(out, "source", w->ip, &comma);
    number(out, "count", w->count, &comma);
    text(out, "disposition", w->disposition, &comma);
    text(out, "reason", w->reason, &comma);
    text(out, "dkim", w->dkim, &comma);
    text(out, "spf", w->spf, &comma);
    text(out, "from", w->from, &comma);
    text(out, "envelope_from", w->envelope_from, &comma);
    text(out, "spf_domain", w->spf_domain, &comma);
    text(out, "spf_result", w->spf_result, &comma);
    name_of(out, "signatures", &comma);
    buf_add_char(out, '[');
    for (size_t i = 0; i < w->nsignatures; i++) {
        bool inner = false;
        buf_add_c(out, i ? ",{" : "{");
        text(out, "domain", w->signatures[i].domain, &inner);
        text(out, "selector", w->signatures[i].selector, &inner);
        text(out, "result", w->signatures[i].result, &inner);
        buf_add_char(out, '}');
    }
    buf_add_c(out, "]}");
}

static void dmarc(struct buf *out, const struct feedback *f, bool *comma)
{
    text(out, "policy", f->p, comma);
    text(out, "subdomain_policy", f->sp, comma);
    text(out, "contact", f->email, comma);
    name_of(out, "rows", comma);
    buf_add_char(out, '[');
    for (size_t i = 0; i < f->nrows && !out->e; i++) {
        if (i)
            buf_add_char(out, ',');
        dmarc_row(out, &f->rows[i]);
    }
    buf_add_char(out, ']');
}

static void tls_policy(struct buf *out, const struct tlsrpt_policy *p)
{
    bool comma = false;
    buf_add_char(out, '{');
    text(out, "type", p->type, &comma);
    text(out, "domain", p->domain, &comma);
    list(out, "lines", p->lines, p->nlines, &comma);
    list(out, "hosts", p->hosts, p->nhosts, &comma);
    number(out, "successful", p->good, &comma);
    number(out, "failed", p->bad, &comma);
    name_of(out, "failures", &comma);
    buf_add_char(out, '[');
    for (size_t i = 0; i < p->nfailures && !out->e; i++) {
        const struct tlsrpt_failure *f = &p->failures[i];
        bool inner = false;
        buf_add_c(out, i ? ",{" : "{");
        text(out, "result", f->type, &inner);
        number(out, "count", f->count, &inner);
        text(out, "host", f->mx, &inner);
        text(out, "helo", f->helo, &inner);
        text(out, "host_ip", f->receiving_ip, &inner);
        text(out, "sending_ip", f->sending_ip, &inner);
        text(out, "reason", f->reason, &inner);
        text(out, "information", f->info, &inner);
        buf_add_char(out, '}');
    }
    buf_add_c(out, "]}");
}

static void tls(struct buf *out, const struct tlsrpt *t, bool *comma)
{
    text(out, "contact", t->contact, comma);
    name_of(out, "policies", comma);
    buf_add_char(out, '[');
    for (size_t i = 0; i < t->npolicies && !out->e; i++) {
        if (i)
            buf_add_char(out, ',');
        tls_policy(out, &t->policies[i]);
    }
    buf_add_char(out, ']');
}

static void arf(struct buf *out, const struct arf *f, bool *comma)
{
    text(out, "type", f->type, comma);
    text(out, "source", f->source_ip, comma);
    text(out, "sender", f->mail_from, comma);
    list(out, "recipients", f->rcpt, f->nrcpt, comma);
    list(out, "domains", f->domains, f->ndomains, comma);
    text(out, "arrival", f->arrival, comma);
    text(out, "failure", f->failure, comma);
    text(out, "alignment", f->alignment, comma);
    text(out, "results", f->results, comma);
    text(out, "delivery", f->delivery, comma);
    text(out, "from", f->from, comma);
    text(out, "to", f->to, comma);
    text(out, "subject", f->subject, comma);
    text(out, "date", f->date, comma);
    text(out, "message_id", f->message_id, comma);
}

void findings_json(struct buf *out, const struct findings *r)
{
    bool comma = false;
    buf_add_char(out, '{');
    text(out, "kind", str_c(r->kind), &comma);
    text(out, "domain", r->domain, &comma);
    text(out, "organization", r->organization, &comma);
    text(out, "report", r->id, &comma);
    time_of(out, "begin", r->begin_s, &comma);
    time_of(out, "end", r->end_s, &comma);
    number(out, "total", r->total, &comma);
    number(out, "failed", r->failed, &comma);
    if (r->form == ENCLOSED_DMARC)
        dmarc(out, &r->dmarc, &comma);
    else if (r->form == ENCLOSED_TLS)
        tls(out, &r->tls, &comma);
    else
        arf(out, &r->arf, &comma);
    buf_add_char(out, '}');
}
