/* An aggregate report as XML (RFC 9990 3.1 and its schema). */
#include "wire/feedback.h"

/* Text of an element: what has a meaning in XML is escaped, what may not be in it becomes '?'. */
static void add_text(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '<')
            buf_add(out, S("&lt;"));
        else if (c == '>')
            buf_add(out, S("&gt;"));
        else if (c == '&')
            buf_add(out, S("&amp;"));
        else
            buf_add_char(out, c < ' ' || c > '~' ? '?' : (char)c);
    }
}

static void element(struct buf *out, const char *name, str value)
{
    buf_printf(out, "<%s>", name);
    add_text(out, value);
    buf_printf(out, "</%s>\n", name);
}

static void optional(struct buf *out, const char *name, str value)
{
    if (value.n)
        element(out, name, value);
}

static void print_row(struct buf *out, const struct feedback_row *r)
{
    buf_add(out, S("<record>\n<row>\n"));
    element(out, "source_ip", r->ip);
    buf_printf(out, "<count>%llu</count>\n<policy_evaluated>\n", (unsigned long long)r->count);
    element(out, "disposition", r->disposition);
    element(out, "dkim", r->dkim);
    element(out, "spf", r->spf);
    if (r->reason.n) {
        buf_add(out, S("<reason>\n"));
        element(out, "type", r->reason);
        buf_add(out, S("</reason>\n"));
    }
    buf_add(out, S("</policy_evaluated>\n</row>\n<identifiers>\n"));
    element(out, "header_from", r->from);
    element(out, "envelope_from", r->envelope_from);
    buf_add(out, S("</identifiers>\n<auth_results>\n"));
    for (size_t i = 0; i < r->nsignatures; i++) {
        buf_add(out, S("<dkim>\n"));
        element(out, "domain", r->signatures[i].domain);
        element(out, "selector", r->signatures[i].selector);
        element(out, "result", r->signatures[i].result);
        buf_add(out, S("</dkim>\n"));
    }
    buf_add(out, S("<spf>\n")); /* there is always one */
    element(out, "domain", r->spf_domain);
    optional(out, "scope", r->spf_scope);
    element(out, "result", r->spf_result.n ? r->spf_result : S("none"));
    buf_add(out, S("</spf>\n</auth_results>\n</record>\n"));
}

err feedback_print(struct buf *out, const struct feedback *f)
{
    buf_add(out,
            S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
              "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n<version>1.0</version>\n<report_metadata>\n"));
    element(out, "org_name", f->organization);
    element(out, "email", f->email);
    element(out, "report_id", f->id);
    buf_printf(out, "<date_range>\n<begin>%lld</begin>\n<end>%lld</end>\n</date_range>\n", (long long)f->begin_s,
               (long long)f->end_s);
    element(out, "generator", S("postrider " POSTRIDER_VERSION));
    buf_add(out, S("</report_metadata>\n<policy_published>\n"));
    element(out, "domain", f->domain);
    element(out, "discovery_method", S("treewalk"));
    element(out, "p", f->p.n ? f->p : S("none"));
    optional(out, "sp", f->sp);
    optional(out, "np", f->np);
    optional(out, "adkim", f->adkim);
    optional(out, "aspf", f->aspf);
    element(out, "testing", f->testing ? S("y") : S("n"));
    buf_add(out, S("</policy_published>\n"));
    for (size_t i = 0; i < f->nrows && !out->e; i++)
        print_row(out, &f->rows[i]);
    buf_add(out, S("</feedback>\n"));
    return out->e;
}
