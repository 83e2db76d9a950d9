/*
 * DMARC (RFC 9989): the policy for the author's domain by a walk up the tree of DNS names, and whether SPF or DKIM
 * passed for a domain of the same organization. The public suffix list has no say; what it would have said is noted.
 */
#include "check/internal.h"

#include <libpsl.h>

enum {
    WALK_MAX = 8,   /* questions of one walk (RFC 9989 4.10) */
    SEEN_MAX = 64,  /* names whose records are remembered for one message */
    OTHERS_MAX = 8, /* domains of signatures that a walk is made for */
    RECORD_MAX = 65535,
    ADDRESS_MAX = 320,
    SCRATCH_MAX = 1 << 20
};

/* One name that was asked for. */
struct seen {
    str name;
    err e;    /* OK: a record; E_DNS_NONE: none that is valid; E_DNS_TEMP: no answer */
    str text; /* as published */
    struct dmarc_record record;
};

struct dmarc {
    struct check *c;
    struct arena mem;
    struct seen seen[SEEN_MAX];
    size_t nseen;
};

/* Of one walk: the names with records, longest first. */
struct walk {
    const struct seen *v[WALK_MAX];
    size_t n;
    bool failed; /* a name did not answer */
    str start;
};

/* ---- records -------------------------------------------------------------------------------------------- */

static size_t labels_of(str name)
{
    size_t n = name.n > 0;
    for (size_t i = 0; i < name.n; i++)
        n += name.p[i] == '.';
    return n;
}

static str last_labels(str name, size_t keep)
{
    for (size_t n = labels_of(name); n > keep; n--)
        name = str_skip(name, str_find(name, '.') + 1);
    return name;
}

static void read_records(struct dmarc *d, struct seen *s, const struct dns_answer *ans)
{
    struct dmarc_record r;
    size_t found = 0;
    for (size_t i = 0; i < ans->n; i++)
        if (dmarc_parse(ans->v[i].data, &r) && found++ == 0)
            s->text = arena_str(&d->mem, str_sub(ans->v[i].data, 0, RECORD_MAX));
    if (found != 1 || !dmarc_parse(s->text, &s->record)) { /* several are none (RFC 9989 4.10) */
        s->e = d->mem.e ? E_DNS_TEMP : E_DNS_NONE;
        s->text = (str){0};
    }
}

/* What is published for a domain, asked for once. */
static const struct seen *look_up(struct dmarc *d, str domain) YIELDS
{
    static const struct seen too_many = {.e = E_DNS_TEMP};
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    for (size_t i = 0; i < d->nseen; i++)
        if (str_eq(d->seen[i].name, domain))
            return &d->seen[i];
    if (d->nseen == SEEN_MAX)
        return &too_many;
    struct seen *s = &d->seen[d->nseen++];
    s->name = domain;
    str name = arena_printf(&d->mem, "_dmarc." STR_FMT, STR_ARG(domain));
    check_answer_begin(&a);
    s->e = name.p ? check_ask(d->c, name, DNS_TXT, &a, &ans) : E_NOMEM;
    if (s->e == OK)
        read_records(d, s, &ans);
    else if (s->e == E_DNS_NODATA || s->e == E_SYNTAX || s->e == E_DNS_NONE)
        s->e = E_DNS_NONE;
    else
        s->e = E_DNS_TEMP;
    if (s->e == OK)
        check_explain(d->c, " record of " STR_FMT ": " STR_FMT, STR_ARG(domain), STR_ARG(s->text));
    return s;
}

/* RFC 9989 4.10 */
static void walk_up(struct dmarc *d, str domain, struct walk *w) YIELDS
{
    *w = (struct walk){.start = domain};
    for (str at = domain; at.n;) {
        const struct seen *s = look_up(d, at);
        if (s->e == OK)
            w->v[w->n++] = s;
        else if (s->e == E_DNS_TEMP)
            w->failed = true;
        if (s->e == OK && s->record.psd != 'u')
            break;
        size_t n = labels_of(at);
        at = n <= 1 ? (str){0} : last_labels(at, n >= WALK_MAX ? WALK_MAX - 1 : n - 1);
    }
}

/* RFC 9989 4.10.2. *ret_psd: the record of the public suffix above it, or NULL. */
static str organization(const struct walk *w, const struct seen **ret_psd)
{
    *ret_psd = NULL;
    for (size_t i = 0; i < w->n; i++) {
        if (w->v[i]->record.psd == 'n')
            return w->v[i]->name;
        if (w->v[i]->record.psd == 'y' && w->v[i]->name.n != w->start.n) {
            *ret_psd = w->v[i];
            return last_labels(w->start, labels_of(w->v[i]->name) + 1);
        }
    }
    return w->n ? w->v[w->n - 1]->name : w->start;
}

static bool at_or_below(str name, str domain)
{
    return str_eq(name, domain) ||
           (name.n > domain.n && name.p[name.n - domain.n - 1] == '.' && str_ends(name, domain));
}

/* ---- the policy -------------------------------------------------------------------------------------------- */

static enum dmarc_policy policy_of(enum dmarc_request r)
{
    return r == DMARC_REJECT       ? DMARC_POLICY_REJECT
           : r == DMARC_QUARANTINE ? DMARC_POLICY_QUARANTINE
                                   : DMARC_POLICY_NONE;
}

/* False: DMARC does not apply (RFC 9989 4.10.1, the end). */
static bool usable(const struct dmarc_record *r, bool *ret_only_none)
{
    *ret_only_none = r->p <= DMARC_WRONG || r->sp == DMARC_WRONG || r->np == DMARC_WRONG;
    return !*ret_only_none || dmarc_has_uri(r->rua);
}

/* NXDOMAIN: it does not exist, and nothing below it (RFC 9989 3.2.13). */
static bool exists(struct dmarc *d, str domain) YIELDS
{
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    check_answer_begin(&a);
    return check_ask(d->c, domain, DNS_A, &a, &ans) != E_DNS_NONE;
}

/* The record that applies to the author's domain; NULL: none, and ret->result says why. */
static const struct seen *find_policy(struct dmarc *d, struct walk *w, struct check_dmarc *ret) YIELDS
{
    const struct seen *psd, *found = NULL;
    str from = ret->from;
    walk_up(d, from, w);
    ret->org_domain = organization(w, &psd);
    if (w->n && str_eq(w->v[0]->name, from))
        found = w->v[0];
    for (size_t i = 0; !found && i < w->n; i++)
        if (str_eq(w->v[i]->name, ret->org_domain))
            found = w->v[i];
    if (!found)
        found = psd;
    /* Without an answer for the author's own name nothing is known; without one further up a record in hand stands. */
    if (w->failed && (!found || look_up(d, from)->e == E_DNS_TEMP)) {
        ret->result = CHECK_TEMPERROR;
        ret->why = S("DNS did not answer for the policy");
        return NULL;
    }
    if (!found)
        ret->why = S("no DMARC record");
    return found;
}

static void set_policy(struct dmarc *d, const struct seen *s, bool only_none, struct check_dmarc *ret) YIELDS
{
    const struct dmarc_record *r = &s->record;
    enum dmarc_request want = r->p;
    ret->policy_domain = s->name;
    ret->record = s->text;
    ret->testing = r->testing;
    ret->strict_spf = r->strict_spf;
    ret->strict_dkim = r->strict_dkim;
    ret->rua = r->rua;
    ret->ruf = r->ruf;
    ret->fo = r->fo;
    ret->p = r->p;
    ret->sp = r->sp;
    ret->np = r->np;
    if (!str_eq(s->name, ret->from)) {
        if (r->sp != DMARC_ABSENT)
            want = r->sp;
        if (r->np != DMARC_ABSENT && !only_none && !exists(d, ret->from))
            want = r->np;
    }
    ret->published = only_none ? DMARC_POLICY_NONE : policy_of(want);
}

/* ---- alignment ------------------------------------------------------------------------------------------------ */

/* CHECK_PASS: the same organization; CHECK_FAIL: not; CHECK_TEMPERROR: not known. */
static enum check_result aligned(struct dmarc *d, const struct check_dmarc *m, str domain, bool strict) YIELDS
{
    struct walk w;
    const struct seen *psd;
    if (str_eq(domain, m->from))
        return CHECK_PASS;
    if (strict || !at_or_below(domain, m->org_domain))
        return CHECK_FAIL;
    walk_up(d, domain, &w);
    if (str_eq(organization(&w, &psd), m->org_domain))
        return CHECK_PASS;
    return w.failed ? CHECK_TEMPERROR : CHECK_FAIL;
}

static str lower(struct dmarc *d, str s)
{
    char *p = arena_alloc(&d->mem, s.n + 1);
    for (size_t i = 0; p && i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return str_mem(p, p ? s.n : 0);
}

/* Is it worth a walk: did this method pass, or could it have, for this domain? */
static bool counts(enum check_result r) { return r == CHECK_PASS || r == CHECK_TEMPERROR; }

static void weigh(struct check_dmarc *m, enum check_result method, enum check_result alignment, str domain, bool *into,
                  bool *unknown)
{
    if (alignment == CHECK_FAIL)
        return;
    if (method == CHECK_PASS && alignment == CHECK_PASS) {
        *into = true;
        if (!m->aligned_by.n)
            m->aligned_by = domain;
    } else {
        *unknown = true;
    }
}

/* `unsure`: names above the author's did not answer, so its organization may be a wider one. */
static void judge(struct dmarc *d, const struct check_results *r, bool unsure, struct check_dmarc *m) YIELDS
{
    bool unknown = false;
    size_t walks = 0;
    if (r->mail.done && counts(r->mail.result)) {
        str domain = lower(d, r->mail.domain);
        weigh(m, r->mail.result, aligned(d, m, domain, m->strict_spf), domain, &m->spf_aligned, &unknown);
        unknown |= unsure && !m->strict_spf;
    }
    for (size_t i = 0; i < r->ndkim && walks < OTHERS_MAX; i++) {
        str domain = lower(d, r->dkim[i].domain);
        if (!counts(r->dkim[i].result) || !domain.n)
            continue;
        walks += !str_eq(domain, m->from) && at_or_below(domain, m->org_domain);
        weigh(m, r->dkim[i].result, aligned(d, m, domain, m->strict_dkim), domain, &m->dkim_aligned, &unknown);
        unknown |= unsure && !m->strict_dkim;
    }
    if (m->spf_aligned || m->dkim_aligned) {
        m->result = CHECK_PASS;
    } else if (unknown) {
        m->result = CHECK_TEMPERROR;
        m->why = S("DNS did not answer for what could have passed");
    } else {
        m->result = CHECK_FAIL;
        m->why = S("neither SPF nor DKIM passed for this organization");
        m->policy = m->published;
        if (m->testing && m->policy != DMARC_POLICY_NONE)
            m->policy--; /* RFC 9989 4.7, t=y: one level below */
    }
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static str keep(struct check *c, str s) { return s.n ? arena_str(c->mem, s) : (str){0}; }

static void keep_all(struct check *c, struct check_dmarc *m)
{
    str *const all[] = {&m->policy_domain, &m->org_domain, &m->record, &m->aligned_by, &m->rua, &m->ruf, &m->fo};
    const char *psl = m->from.n && psl_builtin() ? psl_registrable_domain(psl_builtin(), m->from.p) : NULL;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        *all[i] = keep(c, *all[i]);
    m->psl_domain = keep(c, str_c(psl));
}

static const char *author_trouble(enum author a)
{
    switch (a) {
    case AUTHOR_NONE:
        return "there is no From field with an address";
    case AUTHOR_MANY:
        return "the From field names several domains, or there are several such fields";
    default:
        return "the From field cannot be read";
    }
}

void check_dmarc(struct check *c, str head, struct check_results *r)
{
    struct check_dmarc *m = &r->dmarc;
    struct walk w;
    bool only_none;
    *m = (struct check_dmarc){.result = CHECK_NONE};
    m->author = author_domain(head, c->mem, &m->from);
    if (!m->from.n) { /* RFC 9989 5.3.1 */
        m->why = str_c(author_trouble(m->author));
        check_explain(c, "DMARC: none (" STR_FMT ")", STR_ARG(m->why));
        return;
    }
    struct dmarc *d = arena_new(c->mem, struct dmarc);
    m->result = CHECK_TEMPERROR;
    m->why = S("out of memory");
    if (!d)
        return;
    d->c = c;
    arena_init(&d->mem, 4096, SCRATCH_MAX);
    m->result = CHECK_NONE;
    m->why = (str){0};
    check_explain(c, "DMARC of " STR_FMT, STR_ARG(m->from));
    const struct seen *s = find_policy(d, &w, m);
    if (s && !usable(&s->record, &only_none)) {
        m->why = S("a record without a valid policy and without rua=");
    } else if (s) {
        set_policy(d, s, only_none, m);
        judge(d, r, w.failed, m);
    }
    keep_all(c, m);
    check_explain(c, "DMARC of " STR_FMT ": %s, policy %s of " STR_FMT ", organization " STR_FMT, STR_ARG(m->from),
                  check_result_name(m->result), dmarc_policy_name(m->published), STR_ARG(m->policy_domain),
                  STR_ARG(m->org_domain));
    arena_free(&d->mem);
}

/* ---- who may have reports ------------------------------------------------------------------------------------------
 */

static bool same_organization(struct dmarc *d, str a, str b) YIELDS
{
    struct walk w;
    const struct seen *psd;
    walk_up(d, a, &w);
    str org = organization(&w, &psd);
    if (w.failed || !at_or_below(b, org))
        return false;
    walk_up(d, b, &w);
    return !w.failed && str_eq(organization(&w, &psd), org);
}

/* The addresses of a list that are mail and at `host`, as a list (RFC 9990 4: to no other host). */
static str same_host(struct dmarc *d, str list, str host)
{
    AUTO_BUF out = {.max = RECORD_MAX};
    char mem[ADDRESS_MAX];
    str uri, to;
    while (dmarc_uri_next(&list, &uri)) {
        if (!dmarc_mailto(uri, mem, sizeof mem, &to) || !str_ieq(str_skip(to, str_rfind(to, '@') + 1), host))
            continue;
        if (out.n)
            buf_add_char(&out, ',');
        buf_add(&out, uri);
    }
    return out.n && !out.e ? arena_str(d->c->mem, buf_str(&out)) : (str){0};
}

static bool says_yes(struct dmarc *d, str domain, str host, bool failures, str *ret_instead) YIELDS
{
    AUTO_ARENA a = {0};
    struct dns_answer ans;
    struct dmarc_record r;
    str name = arena_printf(&d->mem, STR_FMT "._report._dmarc." STR_FMT, STR_ARG(domain), STR_ARG(host));
    check_answer_begin(&a);
    if (!name.p || check_ask(d->c, name, DNS_TXT, &a, &ans) != OK)
        return false;
    for (size_t i = 0; i < ans.n; i++)
        if (dmarc_parse(ans.v[i].data, &r)) {
            *ret_instead = same_host(d, failures ? r.ruf : r.rua, host);
            return true;
        }
    return false;
}

bool check_report_wanted(struct check *c, str domain, str host, bool failures, str *ret_instead)
{
    struct dmarc *d = arena_new(c->mem, struct dmarc);
    *ret_instead = (str){0};
    if (!d)
        return false;
    d->c = c;
    arena_init(&d->mem, 4096, SCRATCH_MAX);
    domain = lower(d, domain);
    host = lower(d, host);
    bool yes =
        str_eq(domain, host) || same_organization(d, domain, host) || says_yes(d, domain, host, failures, ret_instead);
    arena_free(&d->mem);
    return yes;
}
