/* What rules may ask about content: names and kinds of attachments, and the scanners of others. */
#include "policy/internal.h"

static bool see_text(str s, fact_see *see, void *arg) YIELDS;
static bool see_text(str s, fact_see *see, void *arg) { return see(arg, &(struct fact_value){.text = s}); }

bool fact_attachment(struct policy *p, const struct matter *m, str name, fact_see *see, void *arg)
{
    const struct scan_found *f = content_look(p, m);
    (void)name;
    p->short_of_memory |= !f;
    for (size_t i = 0; f && i < f->n; i++)
        if (f->v[i].name.n && see_text(f->v[i].name, see, arg))
            return true;
    return false;
}

/* The body of a message without parts is no attachment, unless it says so. */
bool fact_attachment_type(struct policy *p, const struct matter *m, str name, fact_see *see, void *arg)
{
    const struct scan_found *f = content_look(p, m);
    (void)name;
    p->short_of_memory |= !f;
    for (size_t i = 0; f && i < f->n; i++) {
        const struct scan_item *it = &f->v[i];
        bool plain = it->flags & SCAN_OTHER_NAME || (it->flags & SCAN_WHOLE && it->type <= SCAN_XML && !it->name.n);
        if (plain)
            continue;
        if (see_text(str_c(scan_type_word(it->type)), see, arg) || (it->declared.n && see_text(it->declared, see, arg)))
            return true;
    }
    return false;
}

bool act_rspamd(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,
                struct verdict *v)
{
    (void)rule;
    (void)a;
    return content_rspamd(p, m, v);
}

bool act_clamd(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,
               struct verdict *v)
{
    (void)rule;
    (void)a;
    return content_clamd(p, m, v);
}
