/* DMARC (RFC 9990): what a judgement is as a line, and lines as rows of a report. */
#include "base/text.h"
#include "reports/internal.h"

enum { LINE_MAX_OCTETS = 4096, POLICY_MAX = 2048, RUA_MAX = 1000 };

/* ---- counting ---- */

static void add_word(struct buf *out, const char *z) { field_add(out, str_c(z)); }

static const char *request_word(enum dmarc_request r)
{
    static const char *const words[] = {"", "", "none", "quarantine", "reject"};
    return words[r];
}

/* Whole addresses only: a part of one would be somebody else's. */
static str first_addresses(str rua)
{
    if (rua.n <= RUA_MAX)
        return rua;
    size_t comma = str_rfind(str_sub(rua, 0, RUA_MAX + 1), ',');
    return str_sub(rua, 0, comma == STR_NONE ? 0 : comma);
}

static void make_policy(struct buf *out, const struct check_dmarc *d)
{
    str rua = first_addresses(d->rua);
    for (size_t i = 0; i < rua.n; i++)
        buf_add_char(out, (unsigned char)rua.p[i] < ' ' ? ' ' : rua.p[i]);
    add_word(out, request_word(d->p));
    add_word(out, request_word(d->sp));
    add_word(out, request_word(d->np));
    add_word(out, d->strict_dkim ? "s" : "r");
    add_word(out, d->strict_spf ? "s" : "r");
    add_word(out, d->testing ? "y" : "n");
}

/* What was done, and behind a plus sign why it is less than the policy asks for (RFC 9990 3.1.6). */
static void add_disposition(struct buf *out, const struct checks_seen *s)
{
    const struct check_dmarc *d = &s->results->dmarc;
    char mem[64];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    bool enforcing = d->result == CHECK_PASS && d->published > DMARC_POLICY_NONE && s->disposition == DMARC_POLICY_NONE;
    buf_add_c(&b, enforcing ? "pass" : dmarc_policy_name(s->disposition));
    if (d->result == CHECK_FAIL && s->disposition < d->policy)
        buf_add_c(&b, "+local_policy");
    else if (d->result == CHECK_FAIL && d->testing && s->disposition < d->published)
        buf_add_c(&b, "+policy_test_mode");
    field_add(out, buf_str(&b));
}

static void make_line(struct buf *out, const struct checks_seen *s)
{
    const struct check_results *r = s->results;
    size_t at = str_rfind(s->check->from, '@');
    char mem[IP_TEXT_MAX];
    struct buf ip;
    buf_init_fixed(&ip, mem, sizeof mem);
    ip_print(&ip, &s->check->ip);
    field_add(out, r->dmarc.from);
    field_add(out, buf_str(&ip));
    add_disposition(out, s);
    add_word(out, r->dmarc.dkim_aligned ? "pass" : "fail");
    add_word(out, r->dmarc.spf_aligned ? "pass" : "fail");
    field_add(out, at == STR_NONE ? (str){0} : str_skip(s->check->from, at + 1));
    field_add(out, r->mail.domain);
    add_word(out, s->check->from.n ? "mfrom" : "helo");
    add_word(out, check_result_name(r->mail.result));
    for (size_t k = 0, n = 0; k < 2; k++) /* those that pass go first (3.1.3) */
        for (size_t i = 0; i < r->ndkim && n < FEEDBACK_DKIM_MAX; i++) {
            if ((r->dkim[i].result == CHECK_PASS) != (k == 0))
                continue;
            n++;
            field_add(out, r->dkim[i].domain);
            field_add(out, r->dkim[i].selector);
            add_word(out, check_result_name(r->dkim[i].result));
        }
}

void reports_seen(const struct checks_seen *s)
{
    const struct check_dmarc *d = &s->results->dmarc;
    AUTO_BUF line = {.max = LINE_MAX_OCTETS}, policy = {.max = POLICY_MAX};
    struct conf *c = reports_rooms.conf ? reports_rooms.conf() : NULL;
    if (c && c->report_dmarc && d->rua.n && d->policy_domain.n &&
        (d->result == CHECK_PASS || d->result == CHECK_FAIL)) {
        make_line(&line, s);
        make_policy(&policy, d);
        if (line.e || policy.e)
            metric_add(M_reports_lost, 1);
        else
            store_count(c, KIND_DMARC, d->policy_domain, buf_str(&policy), buf_str(&line));
    }
    if (c && c->report_failures)
        failures_seen(c, s);
    conf_drop(&c);
}

/* ---- a finished period ---- */

void dmarc_policy(struct period *p, str text)
{
    struct feedback *f = &p->f;
    str rest = arena_str(&p->mem, text);
    p->rua = field_take(&rest);
    f->domain = p->domain;
    f->p = field_take(&rest);
    f->sp = field_take(&rest);
    f->np = field_take(&rest);
    f->adkim = field_take(&rest);
    f->aspf = field_take(&rest);
    f->testing = str_eq(field_take(&rest), S("y"));
}

static bool read_line(struct period *p, str text, int64_t count, struct feedback_row *w)
{
    str rest = arena_str(&p->mem, text);
    w->signatures = arena_array(&p->mem, FEEDBACK_DKIM_MAX, sizeof *w->signatures);
    if (!rest.p || !w->signatures)
        return false;
    w->count = (uint64_t)count;
    str *const to[] = {&w->from,          &w->ip,         &w->disposition, &w->dkim,      &w->spf,
                       &w->envelope_from, &w->spf_domain, &w->spf_scope,   &w->spf_result};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        *to[i] = field_take(&rest);
    size_t plus = str_find(w->disposition, '+');
    if (plus != STR_NONE) {
        w->reason = str_skip(w->disposition, plus + 1);
        w->disposition = str_sub(w->disposition, 0, plus);
    }
    while (rest.p && w->nsignatures < FEEDBACK_DKIM_MAX) {
        struct feedback_dkim *d = &w->signatures[w->nsignatures++];
        d->domain = field_take(&rest);
        d->selector = field_take(&rest);
        d->result = field_take(&rest);
    }
    return true;
}

void dmarc_lines(struct period *p)
{
    struct db_rows r;
    struct feedback *f = &p->f;
    f->rows = arena_array(&p->mem, LINES_MAX, sizeof *f->rows);
    if (!f->rows)
        return;
    db_rows_begin(&r, store_db(), "SELECT line, count FROM line WHERE begin = ? AND domain = ? LIMIT 10000", "is",
                  p->begin_s, p->domain);
    while (f->nrows < LINES_MAX && db_rows_next(&r)) {
        if (!read_line(p, db_rows_str(&r, 0), db_rows_num(&r, 1), &f->rows[f->nrows]))
            break;
        f->nrows++;
    }
    (void)db_rows_end(&r);
    p->count = f->nrows;
}
