/*
 * Attachments of strangers: programs are refused by name and by true type, also inside an archive; what is only odd
 * gives points. The octets are looked at as they stream by, so that a proxy need not hold the message for it.
 */
#include "policy/internal.h"

#include "base/text.h"

static const struct {
    unsigned flags;
    bool packed; /* only of archives */
    double points;
    const char *why;
} odd[] = {
    {SCAN_GTUBE, false, 1000, "the text that tests filters (GTUBE)"},
    {SCAN_HIDDEN_NAME, false, 3, "a name that hides its end"},
    {SCAN_MACROS, false, 2, "a document with macros"},
    {SCAN_ACTIVE, false, 1, "a document that starts something"},
    {SCAN_ENCRYPTED, true, 2, "an archive with a password"},
    {SCAN_DAMAGED, true, 2, "an archive that readers may understand in different ways"},
    {SCAN_UNREADABLE, true, 1, "an archive whose names cannot be read"},
};

/* Only where messages are put aside must a proxy keep them until the end: there the same stands under another name. */
unsigned attachments_wants(const struct source *s, const struct conf *c)
{
    bool other = c->policy_attachments == CONF_FILES_OFF || c->policy_attachments == CONF_FILES_QUARANTINE;
    return other || !client_is_stranger(s, c) ? 0 : ATTACHMENTS_PHASES;
}

unsigned attachments_wants_aside(const struct source *s, const struct conf *c)
{
    return c->policy_attachments == CONF_FILES_QUARANTINE && client_is_stranger(s, c) ? ATTACHMENTS_PHASES : 0;
}

static void give_points(struct policy *p, const struct matter *m, const struct scan_found *f)
{
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
        const struct scan_item *found = NULL;
        for (size_t i = 0; !found && i < f->n; i++) {
            const struct scan_item *it = &f->v[i];
            bool fits = !odd[k].packed || scan_type_kind(it->type) == SCAN_PACKED;
            found = it->flags & odd[k].flags && fits && !(it->flags & SCAN_INSIDE) ? it : NULL;
        }
        if (found)
            policy_score(p, m, odd[k].points, "attachments", str_c(odd[k].why));
    }
    if (f->incomplete)
        policy_score(p, m, 2, "attachments", str_c(f->incomplete));
}

static bool judge_files(struct policy *p, const struct matter *m, const struct scan_found *f, struct verdict *v)
{
    char mem[300];
    str why = S("");
    for (size_t i = 0; !why.n && i < f->n; i++)
        why = content_danger(m->conf, &f->v[i], mem, sizeof mem);
    give_points(p, m, f);
    if (!why.n)
        return true;
    v->why = arena_str(policy_mem(p), why);
    if (!v->why.p)
        return false;
    switch ((enum conf_attachments)m->conf->policy_attachments) {
    case CONF_FILES_REFUSE:
        verdict_reply(v, 554, "5.7.1", "Not accepted here: " STR_FMT, STR_ARG(why));
        v->why = S("");
        break;
    case CONF_FILES_QUARANTINE:
        v->kind = VERDICT_QUARANTINE;
        break;
    default:
        policy_score(p, m, 4, "attachments", why);
        policy_add_edit(p, &(struct edit){.kind = EDIT_TAG, .name = S("attachment"), .value = why});
        v->why = S("");
    }
    return true;
}

bool attachments_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    (void)own;
    if (ph != PHASE_END)
        return content_take(p, m, m->text);
    const struct scan_found *f = content_look(p, m);
    return f && judge_files(p, m, f, v);
}
