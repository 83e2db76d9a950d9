/* The record of RFC 8460 3 and a report as JSON (4.4). */
#include "wire/tlsrpt.h"
#include "base/text.h"

/* ---- the record ---- */

bool tlsrpt_record(str txt, str *ret_rua)
{
    str field, rua = {NULL, 0}, name;
    if (!str_cut(&txt, ';', &field) || !str_eq(str_trim_wsp(field), S("v=TLSRPTv1")))
        return false;
    while (txt.p && str_cut(&txt, ';', &field)) {
        field = str_trim_wsp(field);
        if (!field.n) /* the last may be empty */
            continue;
        size_t eq = str_find(field, '=');
        if (eq == STR_NONE)
            return false;
        name = str_trim_wsp(str_sub(field, 0, eq));
        if (str_ieq(name, S("rua")) && !rua.p)
            rua = str_trim_wsp(str_skip(field, eq + 1));
    }
    *ret_rua = rua;
    return rua.n > 0;
}

bool tlsrpt_uri_next(str *list, str *ret_uri)
{
    while (list->p && str_cut(list, ',', ret_uri)) {
        *ret_uri = str_trim_wsp(*ret_uri);
        if (str_istarts(*ret_uri, S("mailto:")) || str_istarts(*ret_uri, S("https://")))
            return true;
    }
    return false;
}

/* ---- the report ---- */

static void name_of(struct buf *out, const char *name, bool *comma)
{
    if (*comma)
        buf_add_char(out, ',');
    *comma = true;
    text_json(out, str_c(name));
    buf_add_char(out, ':');
}

static void member(struct buf *out, const char *name, str value, bool *comma)
{
    if (!value.n)
        return;
    name_of(out, name, comma);
    text_json(out, value);
}

static void count(struct buf *out, const char *name, uint64_t n, bool *comma)
{
    name_of(out, name, comma);
    buf_add_u64(out, n);
}

static void time_of(struct buf *out, const char *name, int64_t s, bool *comma)
{
    char mem[40];
    struct buf t;
    buf_init_fixed(&t, mem, sizeof mem);
    text_time(&t, s * 1000);
    size_t dot = str_find(buf_str(&t), '.'); /* whole seconds, as in the RFC's example */
    t.n = dot == STR_NONE ? t.n : dot;
    buf_add_char(&t, 'Z');
    name_of(out, name, comma);
    text_json(out, buf_str(&t));
}

static void list(struct buf *out, const char *name, const str *v, size_t n, bool *comma)
{
    if (!n)
        return;
    name_of(out, name, comma);
    buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(out, ',');
        text_json(out, v[i]);
    }
    buf_add_char(out, ']');
}

static void print_failure(struct buf *out, const struct tlsrpt_failure *f)
{
    bool comma = false;
    buf_add_char(out, '{');
    member(out, "result-type", f->type, &comma);
    member(out, "sending-mta-ip", f->sending_ip, &comma);
    member(out, "receiving-mx-hostname", f->mx, &comma);
    member(out, "receiving-mx-helo", f->helo, &comma);
    member(out, "receiving-ip", f->receiving_ip, &comma);
    count(out, "failed-session-count", f->count, &comma);
    member(out, "additional-information", f->info, &comma);
    member(out, "failure-reason-code", f->reason, &comma);
    buf_add_char(out, '}');
}

static void print_policy(struct buf *out, const struct tlsrpt_policy *p)
{
    bool comma = false;
    buf_add(out, S("{\"policy\":{"));
    member(out, "policy-type", p->type, &comma);
    list(out, "policy-string", p->lines, p->nlines, &comma);
    member(out, "policy-domain", p->domain, &comma);
    list(out, "mx-host", p->hosts, p->nhosts, &comma);
    comma = false;
    buf_add(out, S("},\"summary\":{"));
    count(out, "total-successful-session-count", p->good, &comma);
    count(out, "total-failure-session-count", p->bad, &comma);
    buf_add_char(out, '}');
    if (p->nfailures) {
        buf_add(out, S(",\"failure-details\":["));
        for (size_t i = 0; i < p->nfailures && !out->e; i++) {
            if (i)
                buf_add_char(out, ',');
            print_failure(out, &p->failures[i]);
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

err tlsrpt_print(struct buf *out, const struct tlsrpt *r)
{
    bool comma = false;
    buf_add_char(out, '{');
    member(out, "organization-name", r->organization, &comma);
    name_of(out, "date-range", &comma);
    buf_add_char(out, '{');
    comma = false;
    time_of(out, "start-datetime", r->begin_s, &comma);
    time_of(out, "end-datetime", r->end_s, &comma);
    buf_add_char(out, '}');
    member(out, "contact-info", r->contact, &comma);
    member(out, "report-id", r->id, &comma);
    buf_add(out, S(",\"policies\":["));
    for (size_t i = 0; i < r->npolicies && !out->e; i++) {
        if (i)
            buf_add_char(out, ',');
        print_policy(out, &r->policies[i]);
    }
    buf_add(out, S("]}\n"));
    return out->e;
}
