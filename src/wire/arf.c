/* The fields of RFC 5965 3 and RFC 6591 3.1, 3.2; those of the message are unfolded and otherwise as they are. */
#include "wire/arf.h"
#include "wire/head.h"

static str keep(struct arena *a, str raw)
{
    char mem[ARF_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    head_unfold(&b, str_sub(raw, 0, sizeof mem));
    return arena_str(a, buf_str(&b));
}

/* "<a@b.test>" without its brackets; "<>" stays, it says something. */
static str bare(str s) { return s.n > 2 && str_starts(s, S("<")) && str_ends(s, S(">")) ? str_sub(s, 1, s.n - 1) : s; }

static str *place(struct arf *f, str name)
{
    const struct {
        str name;
        str *to;
    } places[] = {
        {S("Feedback-Type"), &f->type},
        {S("User-Agent"), &f->user_agent},
        {S("Source-IP"), &f->source_ip},
        {S("Original-Mail-From"), &f->mail_from},
        {S("Arrival-Date"), &f->arrival},
        {S("Received-Date"), &f->arrival},
        {S("Reporting-MTA"), &f->reporting_mta},
        {S("Incidents"), &f->incidents},
        {S("Auth-Failure"), &f->failure},
        {S("Identity-Alignment"), &f->alignment},
        {S("Authentication-Results"), &f->results},
        {S("Delivery-Result"), &f->delivery},
        {S("DKIM-Domain"), &f->dkim_domain},
        {S("DKIM-Selector"), &f->dkim_selector},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (str_ieq(places[i].name, name))
            return places[i].to;
    if (str_ieq(name, S("Original-Rcpt-To")) && f->nrcpt < ARF_LIST_MAX)
        return &f->rcpt[f->nrcpt++];
    if (str_ieq(name, S("Reported-Domain")) && f->ndomains < ARF_LIST_MAX)
        return &f->domains[f->ndomains++];
    return NULL;
}

static err read_fields(str part, struct arena *a, struct arf *f)
{
    struct head_field h;
    for (int n = 0; head_next(&part, &h); n++) {
        if (n == ARF_FIELDS_MAX)
            return E_LIMIT;
        str *to = place(f, h.name);
        if (!to || to->n)
            continue;
        *to = bare(keep(a, h.value));
        if (!to->p)
            return a->e;
    }
    return OK;
}

err arf_read(str part, str original, struct arena *a, struct arf *ret)
{
    size_t i = 0;
    *ret = (struct arf){.nrcpt = 0};
    while (i < part.n && (part.p[i] == '\r' || part.p[i] == '\n'))
        i++;
    err e = read_fields(str_skip(part, i), a, ret);
    if (e)
        return e;
    if (!ret->type.n)
        return E_SYNTAX;
    char type[ARF_TEXT_MAX];
    for (i = 0; i < ret->type.n; i++)
        type[i] = ascii_lower(ret->type.p[i]);
    ret->type = arena_str(a, str_mem(type, ret->type.n));
    ret->from = keep(a, head_find(original, S("From")));
    ret->to = keep(a, head_find(original, S("To")));
    ret->subject = keep(a, head_find(original, S("Subject")));
    ret->message_id = keep(a, head_find(original, S("Message-ID")));
    ret->date = keep(a, head_find(original, S("Date")));
    return a->e;
}
