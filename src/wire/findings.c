/* See findings.h. */
#include "wire/findings.h"
#include "base/text.h"

#include <stdio.h>

/* ---- reading ---- */

static uint64_t plus(uint64_t a, uint64_t b) { return a + b < a ? UINT64_MAX : a + b; }

static bool row_passes(const struct feedback_row *w) { return str_eq(w->dkim, S("pass")) || str_eq(w->spf, S("pass")); }

static err read_dmarc(const struct enclosed *e, struct arena *a, struct findings *r)
{
    struct feedback *f = &r->dmarc;
    err got = feedback_read(e->text, a, f);
    if (got)
        return got;
    r->kind = "dmarc";
    r->domain = f->domain;
    r->organization = f->organization.n ? f->organization : f->email;
    r->id = f->id;
    r->begin_s = f->begin_s;
    r->end_s = f->end_s;
    for (size_t i = 0; i < f->nrows; i++) {
        r->total = plus(r->total, f->rows[i].count);
        r->failed = plus(r->failed, row_passes(&f->rows[i]) ? 0 : f->rows[i].count);
    }
    return OK;
}

static err read_tls(const struct enclosed *e, struct arena *a, struct findings *r)
{
    struct tlsrpt *t = &r->tls;
    err got = tlsrpt_read(e->text, a, t);
    if (got)
        return got;
    r->kind = "tls";
    r->organization = t->organization.n ? t->organization : t->contact;
    r->id = t->id;
    r->begin_s = t->begin_s;
    r->end_s = t->end_s;
    for (size_t i = 0; i < t->npolicies; i++) {
        const struct tlsrpt_policy *p = &t->policies[i];
        /* of TLSA the policy's domain is a server's; another policy names the domain of the mail */
        if (!r->domain.n || (!str_eq(p->type, S("tlsa")) && str_eq(t->policies[0].type, S("tlsa"))))
            r->domain = p->domain.n ? p->domain : r->domain;
        r->total = plus(r->total, plus(p->good, p->bad));
        r->failed = plus(r->failed, p->bad);
    }
    return OK;
}

static str after_at(str address)
{
    size_t at = str_rfind(address, '@');
    str s = at == STR_NONE ? (str){"", 0} : str_skip(address, at + 1);
    size_t end = 0;
    while (end < s.n && (ascii_alnum(s.p[end]) || s.p[end] == '.' || s.p[end] == '-'))
        end++;
    return str_sub(s, 0, end);
}

static err read_arf(const struct enclosed *e, struct arena *a, struct findings *r)
{
    struct arf *f = &r->arf;
    uint64_t n;
    err got = arf_read(e->text, e->original, a, f);
    if (got)
        return got;
    r->kind = arf_is_failure(f) ? "failure" : "abuse";
    r->domain = f->ndomains ? f->domains[0] : f->dkim_domain.n ? f->dkim_domain : after_at(f->from);
    r->domain = r->domain.n ? r->domain : after_at(f->mail_from);
    r->organization = f->reporting_mta;
    size_t semicolon = str_find(r->organization, ';'); /* "dns; mx.example.com" */
    if (semicolon != STR_NONE)
        r->organization = str_trim(str_skip(r->organization, semicolon + 1));
    r->organization = r->organization.n ? r->organization : f->user_agent;
    r->id = arena_printf(a, "%016llx",
                         (unsigned long long)(str_hash_stable(e->text) * 31 + str_hash_stable(f->message_id)));
    r->total = r->failed = text_u64(f->incidents, &n) && n ? n : 1;
    return r->id.p ? OK : a->e;
}

err findings_read(const struct enclosed *e, struct arena *a, struct findings *ret)
{
    *ret = (struct findings){.form = e->kind};
    return e->kind == ENCLOSED_DMARC ? read_dmarc(e, a, ret)
           : e->kind == ENCLOSED_TLS ? read_tls(e, a, ret)
                                     : read_arf(e, a, ret);
}

/* ---- rows ---- */

static bool tls_row(const struct tlsrpt *t, size_t i, struct finding *ret)
{
    for (size_t k = 0; k < t->npolicies; k++) {
        const struct tlsrpt_policy *p = &t->policies[k];
        if (i == 0) {
            *ret = (struct finding){p->domain, p->type, plus(p->good, p->bad), p->bad};
            return true;
        }
        if (--i < p->nfailures) {
            const struct tlsrpt_failure *f = &p->failures[i];
            *ret = (struct finding){f->mx.n ? f->mx : f->receiving_ip, f->type, f->count, f->count};
            return true;
        }
        i -= p->nfailures;
    }
    return false;
}

bool findings_row(const struct findings *r, size_t i, struct finding *ret)
{
    if (r->form == ENCLOSED_TLS)
        return tls_row(&r->tls, i, ret);
    if (r->form == ENCLOSED_FEEDBACK) {
        *ret = (struct finding){r->arf.source_ip, r->arf.failure.n ? r->arf.failure : r->arf.type, r->total, r->failed};
        return i == 0;
    }
    if (i >= r->dmarc.nrows)
        return false;
    const struct feedback_row *w = &r->dmarc.rows[i];
    *ret = (struct finding){w->ip, w->from, w->count, row_passes(w) ? 0 : w->count};
    return true;
}

/* ---- in words ---- */

static void words(struct buf *out, const char *before, str s, const char *after)
{
    if (!s.n)
        return;
    buf_add_c(out, before);
    text_safe(out, str_sub(s, 0, 300));
    buf_add_c(out, after);
}

static void print_time(struct buf *out, int64_t s)
{
    char mem[40];
    struct buf t;
    if (s < 0 || s > 253402300799) /* the last second of the year 9999 */
        s = 0;
    buf_init_fixed(&t, mem, sizeof mem);
    text_time(&t, s * 1000);
    buf_add(out, str_sub(buf_str(&t), 0, 10));
    buf_add_char(out, ' ');
    buf_add(out, str_sub(buf_str(&t), 11, 16));
}

static void print_period(struct buf *out, const struct findings *r)
{
    if (!r->begin_s && !r->end_s)
        return;
    buf_add_c(out, "  from ");
    print_time(out, r->begin_s);
    buf_add_c(out, " to ");
    print_time(out, r->end_s);
    buf_add_c(out, " UTC\n");
}

static void print_row(struct buf *out, const struct feedback_row *w)
{
    buf_printf(out, "  %8llu  %-4s  ", (unsigned long long)w->count, row_passes(w) ? "pass" : "FAIL");
    words(out, "", w->ip, "");
    words(out, "  from ", w->from, "");
    words(out, "  spf ", w->spf_result, "");
    words(out, " of ", w->spf_domain, "");
    for (size_t i = 0; i < w->nsignatures; i++) {
        words(out, "  dkim ", w->signatures[i].result, "");
        words(out, " of ", w->signatures[i].domain, "");
    }
    if (!str_eq(w->disposition, S("none")) && !str_eq(w->disposition, S("pass")))
        words(out, "  -> ", w->disposition, "");
    words(out, " (", w->reason, ")");
    buf_add_char(out, '\n');
}

static void dmarc_text(struct buf *out, const struct findings *r)
{
    const struct feedback *f = &r->dmarc;
    words(out, "", f->domain, "");
    words(out, ", policy ", f->p.n ? f->p : S("none"), "");
    words(out, ", reported by ", f->organization, "");
    words(out, " (", f->email, ")");
    buf_add_char(out, '\n');
    print_period(out, r);
    buf_printf(out, "  %llu messages, %llu failed\n", (unsigned long long)r->total, (unsigned long long)r->failed);
    for (size_t i = 0; i < f->nrows && !out->e; i++)
        print_row(out, &f->rows[i]);
}

static void tls_policy_text(struct buf *out, const struct tlsrpt_policy *p)
{
    words(out, "  policy ", p->type.n ? p->type : S("not named"), "");
    words(out, " of ", p->domain, "");
    buf_printf(out, ": %llu sessions went well, %llu failed\n", (unsigned long long)p->good,
               (unsigned long long)p->bad);
    for (size_t i = 0; i < p->nlines; i++)
        words(out, "            ", p->lines[i], "\n");
    for (size_t i = 0; i < p->nfailures && !out->e; i++) {
        const struct tlsrpt_failure *f = &p->failures[i];
        buf_printf(out, "  %8llu  ", (unsigned long long)f->count);
        words(out, "", f->type.n ? f->type : S("failure"), "");
        words(out, "  at ", f->mx, "");
        words(out, " [", f->receiving_ip, "]");
        words(out, "  from ", f->sending_ip, "");
        words(out, "  ", f->reason, "");
        words(out, "  ", f->info, "");
        buf_add_char(out, '\n');
    }
}

static void tls_text(struct buf *out, const struct findings *r)
{
    words(out, "", r->domain.n ? r->domain : S("(no domain)"), "");
    words(out, ", TLS of mail to it, reported by ", r->organization, "");
    if (r->tls.contact.n && !str_eq(r->tls.contact, r->organization))
        words(out, " (", r->tls.contact, ")");
    buf_add_char(out, '\n');
    print_period(out, r);
    for (size_t i = 0; i < r->tls.npolicies && !out->e; i++)
        tls_policy_text(out, &r->tls.policies[i]);
}

static void arf_text(struct buf *out, const struct findings *r)
{
    const struct arf *f = &r->arf;
    words(out, "", r->domain.n ? r->domain : S("(no domain)"), "");
    words(out, ", ", f->type, arf_is_failure(f) ? " report about a message" : " complaint about a message");
    words(out, ", reported by ", r->organization, "");
    buf_add_char(out, '\n');
    words(out, "  sent by     ", f->source_ip, "\n");
    words(out, "  envelope    ", f->mail_from, "\n");
    for (size_t i = 0; i < f->nrcpt; i++)
        words(out, "  recipient   ", f->rcpt[i], "\n");
    words(out, "  arrived     ", f->arrival, "\n");
    words(out, "  failure     ", f->failure, "\n");
    words(out, "  alignment   ", f->alignment, "\n");
    words(out, "  results     ", f->results, "\n");
    words(out, "  delivery    ", f->delivery, "\n");
    words(out, "  From        ", f->from, "\n");
    words(out, "  To          ", f->to, "\n");
    words(out, "  Subject     ", f->subject, "\n");
    words(out, "  Date        ", f->date, "\n");
    words(out, "  Message-ID  ", f->message_id, "\n");
}

void findings_text(struct buf *out, const struct findings *r)
{
    if (r->form == ENCLOSED_DMARC)
        dmarc_text(out, r);
    else if (r->form == ENCLOSED_TLS)
        tls_text(out, r);
    else
        arf_text(out, r);
}
