/* An aggregate report read: of RFC 9990, and of RFC 7489 C before it. Expat parses; entities and DTDs are refused. */
#include "base/text.h"
#include "wire/feedback.h"

#include <expat.h>

struct reading {
    XML_Parser parser;
    struct arena *a;
    struct feedback *f;
    struct feedback_row row;
    struct feedback_dkim dkim[FEEDBACK_DKIM_MAX];
    size_t room; /* of f->rows */
    str path[FEEDBACK_DEPTH_MAX];
    size_t depth;
    char text[FEEDBACK_TEXT_MAX];
    size_t ntext;
    bool root; /* <feedback> was seen */
    err e;
};

static void stop(struct reading *r, err e)
{
    if (!r->e)
        r->e = e;
    XML_StopParser(r->parser, XML_FALSE);
}

static str local_name(const char *name)
{
    const char *colon = strrchr(name, ':'); /* names have their namespace before them */
    return str_c(colon ? colon + 1 : name);
}

static void on_start(void *arg, const char *name, const char **attributes)
{
    struct reading *r = arg;
    (void)attributes;
    if (r->depth == FEEDBACK_DEPTH_MAX) {
        stop(r, E_LIMIT);
        return;
    }
    str s = arena_str(r->a, local_name(name));
    if (!s.p) {
        stop(r, r->a->e);
        return;
    }
    r->path[r->depth++] = s;
    r->ntext = 0;
    if (r->depth == 1)
        r->root = str_eq(s, S("feedback"));
    if (r->depth == 2 && str_eq(s, S("record")))
        r->row = (struct feedback_row){.count = 0};
    if (r->depth == 4 && str_eq(s, S("dkim")) && str_eq(r->path[2], S("auth_results")) &&
        r->row.nsignatures < FEEDBACK_DKIM_MAX)
        r->dkim[r->row.nsignatures++] = (struct feedback_dkim){{0}};
}

static void on_text(void *arg, const char *p, int n)
{
    struct reading *r = arg;
    size_t room = sizeof r->text - r->ntext, len = (size_t)n < room ? (size_t)n : room;
    memcpy(r->text + r->ntext, p, len);
    r->ntext += len;
}

static bool at(const struct reading *r, const char *path)
{
    str rest = str_c(path), name;
    size_t i = 1;
    for (; str_cut(&rest, '/', &name); i++) {
        if (i >= r->depth || !str_eq(r->path[i], name))
            return false;
        if (!rest.p)
            break;
    }
    return i + 1 == r->depth;
}

static void number(str s, int64_t *ret)
{
    uint64_t v;
    if (text_u64(s, &v) && v <= INT64_MAX)
        *ret = (int64_t)v;
}

static void end_row(struct reading *r)
{
    struct feedback *f = r->f;
    if (f->nrows == r->room) {
        size_t more = r->room ? 2 * r->room : 16;
        struct feedback_row *v = f->nrows < FEEDBACK_ROWS_MAX ? arena_array(r->a, more, sizeof *v) : NULL;
        if (!v) {
            stop(r, f->nrows < FEEDBACK_ROWS_MAX ? r->a->e : E_LIMIT);
            return;
        }
        if (f->nrows)
            memcpy(v, f->rows, f->nrows * sizeof *v);
        f->rows = v;
        r->room = more;
    }
    r->row.signatures = arena_array(r->a, r->row.nsignatures + 1, sizeof *r->row.signatures);
    if (!r->row.signatures) {
        stop(r, r->a->e);
        return;
    }
    memcpy(r->row.signatures, r->dkim, r->row.nsignatures * sizeof *r->dkim);
    f->rows[f->nrows++] = r->row;
}

/* Where the text of an element goes. */
static str *place_of(struct reading *r)
{
    struct feedback *f = r->f;
    struct feedback_row *w = &r->row;
    struct feedback_dkim *d = w->nsignatures ? &r->dkim[w->nsignatures - 1] : NULL;
    const struct {
        const char *path;
        str *to;
    } places[] = {
        {"report_metadata/org_name", &f->organization},
        {"report_metadata/email", &f->email},
        {"report_metadata/report_id", &f->id},
        {"policy_published/domain", &f->domain},
        {"policy_published/p", &f->p},
        {"policy_published/sp", &f->sp},
        {"policy_published/np", &f->np},
        {"policy_published/adkim", &f->adkim},
        {"policy_published/aspf", &f->aspf},
        {"record/row/source_ip", &w->ip},
        {"record/row/policy_evaluated/disposition", &w->disposition},
        {"record/row/policy_evaluated/dkim", &w->dkim},
        {"record/row/policy_evaluated/spf", &w->spf},
        {"record/row/policy_evaluated/reason/type", &w->reason},
        {"record/identifiers/header_from", &w->from},
        {"record/identifiers/envelope_from", &w->envelope_from},
        {"record/auth_results/spf/domain", &w->spf_domain},
        {"record/auth_results/spf/scope", &w->spf_scope},
        {"record/auth_results/spf/result", &w->spf_result},
        {"record/auth_results/dkim/domain", d ? &d->domain : NULL},
        {"record/auth_results/dkim/selector", d ? &d->selector : NULL},
        {"record/auth_results/dkim/result", d ? &d->result : NULL},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (at(r, places[i].path))
            return places[i].to;
    return NULL;
}

static void on_end(void *arg, const char *name)
{
    struct reading *r = arg;
    int64_t count = -1;
    str text = str_trim(str_mem(r->text, r->ntext));
    (void)name;
    str *to = text.n ? place_of(r) : NULL;
    if (to) {
        *to = arena_str(r->a, text);
        if (!to->p)
            stop(r, r->a->e);
    } else if (at(r, "report_metadata/date_range/begin")) {
        number(text, &r->f->begin_s);
    } else if (at(r, "report_metadata/date_range/end")) {
        number(text, &r->f->end_s);
    } else if (at(r, "policy_published/testing")) {
        r->f->testing = str_eq(text, S("y"));
    } else if (at(r, "record/row/count")) {
        number(text, &count);
        r->row.count = count > 0 ? (uint64_t)count : 0;
    } else if (at(r, "record")) {
        end_row(r);
    }
    r->ntext = 0;
    r->depth -= r->depth > 0;
}

static void on_doctype(void *arg, const char *name, const char *sysid, const char *pubid, int internal)
{
    (void)name, (void)sysid, (void)pubid, (void)internal;
    stop(arg, E_SYNTAX);
}

err feedback_read(str xml, struct arena *a, struct feedback *ret)
{
    struct reading *r = arena_new(a, struct reading);
    if (!r || xml.n > INT32_MAX)
        return r ? E_LIMIT : a->e;
    *ret = (struct feedback){.nrows = 0};
    r->a = a;
    r->f = ret;
    r->parser = XML_ParserCreateNS(NULL, ':');
    if (!r->parser)
        return E_NOMEM;
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    enum XML_Status ok = XML_Parse(r->parser, xml.p, (int)xml.n, 1);
    XML_ParserFree(r->parser);
    if (r->e)
        return r->e;
    return ok == XML_STATUS_OK && r->root && ret->domain.n ? OK : E_SYNTAX;
}
