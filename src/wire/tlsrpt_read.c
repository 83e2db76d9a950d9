/* A TLS report of others read (RFC 8460 4). What some write against the RFC is taken too: a string for a list. */
#include "base/text.h"
#include "wire/jread.h"
#include "wire/tlsrpt.h"

struct reading {
    struct jread in;
    struct arena *a;
    struct tlsrpt *r;
    size_t failures; /* of all policies */
    size_t room;     /* of r->policies */
};

static void stop(struct reading *r, err e)
{
    if (!r->in.bad)
        r->in.e = e;
    r->in.bad = true;
}

static str text(struct reading *r) { return jread_text(&r->in, r->a, TLSRPT_TEXT_MAX); }

/* Room for one more in an array of *n that grows by doubling from 4. NULL after an error. */
static void *grow(struct reading *r, void *v, size_t n, size_t size)
{
    if (n && (n < 4 || (n & (n - 1))))
        return v;
    if (n == 1 || n == 2) /* 4 were made at first */
        return v;
    void *more = arena_array(r->a, n ? 2 * n : 4, size);
    if (!more)
        stop(r, r->a->e);
    else if (n)
        memcpy(more, v, n * size);
    return more;
}

/* A list of strings, or one. */
static void strings(struct reading *r, str **v, size_t *n)
{
    bool one = jread_peek(&r->in) == '"';
    struct jread_list l = one ? (struct jread_list){.none = true} : jread_array(&r->in);
    while (one || jread_element(&r->in, &l)) {
        str s = text(r);
        if (*n < TLSRPT_STRINGS_MAX && s.n) {
            *v = grow(r, *v, *n, sizeof **v);
            if (!*v) {
                *n = 0;
                return;
            }
            (*v)[(*n)++] = s;
        }
        if (one)
            return;
    }
}

static void dates(struct reading *r)
{
    str name;
    int64_t ms;
    for (struct jread_list l = jread_object(&r->in); jread_member(&r->in, &l, r->a, &name);) {
        str s = text(r);
        if (!text_parse_time(s, &ms))
            continue;
        if (str_eq(name, S("start-datetime")))
            r->r->begin_s = ms / 1000;
        else if (str_eq(name, S("end-datetime")))
            r->r->end_s = ms / 1000;
    }
}

static void policy(struct reading *r, struct tlsrpt_policy *p)
{
    str name;
    for (struct jread_list l = jread_object(&r->in); jread_member(&r->in, &l, r->a, &name);) {
        if (str_eq(name, S("policy-type")))
            p->type = text(r);
        else if (str_eq(name, S("policy-domain")))
            p->domain = text(r);
        else if (str_eq(name, S("policy-string")))
            strings(r, &p->lines, &p->nlines);
        else if (str_eq(name, S("mx-host")) || str_eq(name, S("mx-host-pattern")))
            strings(r, &p->hosts, &p->nhosts);
        else
            jread_pass(&r->in);
    }
}

static void summary(struct reading *r, struct tlsrpt_policy *p)
{
    str name;
    for (struct jread_list l = jread_object(&r->in); jread_member(&r->in, &l, r->a, &name);) {
        uint64_t n = jread_count(&r->in);
        if (str_eq(name, S("total-successful-session-count")))
            p->good = n;
        else if (str_eq(name, S("total-failure-session-count")))
            p->bad = n;
    }
}

static void failure(struct reading *r, struct tlsrpt_failure *f)
{
    const struct {
        str name;
        str *to;
    } places[] = {
        {S("result-type"), &f->type},          {S("sending-mta-ip"), &f->sending_ip},
        {S("receiving-mx-hostname"), &f->mx},  {S("receiving-mx-helo"), &f->helo},
        {S("receiving-ip"), &f->receiving_ip}, {S("additional-information"), &f->info},
        {S("additional-info-uri"), &f->info},  {S("failure-reason-code"), &f->reason},
        {S("failure-error-code"), &f->reason},
    };
    str name;
    for (struct jread_list l = jread_object(&r->in); jread_member(&r->in, &l, r->a, &name);) {
        size_t i = 0, n = sizeof places / sizeof *places;
        while (i < n && !str_eq(places[i].name, name))
            i++;
        if (i < n)
            *places[i].to = text(r);
        else if (str_eq(name, S("failed-session-count")))
            f->count = jread_count(&r->in);
        else
            jread_pass(&r->in);
    }
}

static void failures(struct reading *r, struct tlsrpt_policy *p)
{
    for (struct jread_list l = jread_array(&r->in); jread_element(&r->in, &l);) {
        if (r->failures++ == TLSRPT_FAILURES_MAX) {
            stop(r, E_LIMIT);
            return;
        }
        p->failures = grow(r, p->failures, p->nfailures, sizeof *p->failures);
        if (!p->failures) {
            p->nfailures = 0;
            return;
        }
        struct tlsrpt_failure *f = &p->failures[p->nfailures++];
        *f = (struct tlsrpt_failure){.count = 0};
        failure(r, f);
    }
}

static void one_policy(struct reading *r)
{
    struct tlsrpt *t = r->r;
    str name;
    if (t->npolicies == TLSRPT_POLICIES_MAX) {
        stop(r, E_LIMIT);
        return;
    }
    t->policies = grow(r, t->policies, t->npolicies, sizeof *t->policies);
    if (!t->policies) {
        t->npolicies = 0;
        return;
    }
    struct tlsrpt_policy *p = &t->policies[t->npolicies++];
    *p = (struct tlsrpt_policy){.good = 0};
    for (struct jread_list l = jread_object(&r->in); jread_member(&r->in, &l, r->a, &name);) {
        if (str_eq(name, S("policy")))
            policy(r, p);
        else if (str_eq(name, S("summary")))
            summary(r, p);
        else if (str_eq(name, S("failure-details")))
            failures(r, p);
        else
            jread_pass(&r->in);
    }
}

static void report(struct reading *r)
{
    struct tlsrpt *t = r->r;
    str name;
    for (struct jread_list l = jread_object(&r->in); jread_member(&r->in, &l, r->a, &name);) {
        if (str_eq(name, S("organization-name")))
            t->organization = text(r);
        else if (str_eq(name, S("contact-info")))
            t->contact = text(r);
        else if (str_eq(name, S("report-id")))
            t->id = text(r);
        else if (str_eq(name, S("date-range")))
            dates(r);
        else if (str_eq(name, S("policies")))
            for (struct jread_list p = jread_array(&r->in); jread_element(&r->in, &p);)
                one_policy(r);
        else
            jread_pass(&r->in);
    }
}

err tlsrpt_read(str json, struct arena *a, struct tlsrpt *ret)
{
    struct reading r = {.a = a, .r = ret};
    *ret = (struct tlsrpt){.begin_s = 0};
    if (str_starts(json, S("\xef\xbb\xbf")))
        json = str_skip(json, 3);
    r.in = jread_of(json);
    if (jread_peek(&r.in) != '{')
        return E_SYNTAX;
    report(&r);
    if (!jread_end(&r.in))
        return r.in.e;
    return ret->npolicies ? OK : E_SYNTAX;
}
