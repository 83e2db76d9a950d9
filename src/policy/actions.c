/* What a rule does by itself: verdicts, edits, points, marks. Each says what it did (policy_note), but for verdicts,
 * which the pipeline notes. */
#include "base/cleanup.h"
#include "policy/internal.h"
#include "policy/rules.h"
#include "wire/data.h"

#define ACT(name)                                                                                                      \
    static bool name(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,    \
                     struct verdict *v)
#define UNUSED (void)p, (void)rule, (void)m, (void)v

static void reply_of(struct verdict *v, enum verdict_kind kind, const struct rule_action *a)
{
    char esc[12];
    struct buf b;
    buf_init_fixed(&b, esc, sizeof esc - 1);
    buf_add(&b, a->enhanced);
    esc[b.n] = 0;
    v->kind = kind;
    if (a->code)
        reply_set_str(&v->reply, a->code, esc,
                      a->value.n               ? a->value
                      : kind == VERDICT_REFUSE ? S("Refused by policy")
                                               : S("Refused by policy for now, try again later"));
}

ACT(accept_it)
{
    UNUSED;
    (void)a;
    v->kind = VERDICT_ACCEPT;
    return true;
}

ACT(refuse_it)
{
    UNUSED;
    reply_of(v, VERDICT_REFUSE, a);
    return true;
}

ACT(defer_it)
{
    UNUSED;
    reply_of(v, VERDICT_DEFER, a);
    return true;
}

ACT(discard_it)
{
    UNUSED;
    (void)a;
    v->kind = VERDICT_DISCARD;
    return true;
}

ACT(quarantine_it)
{
    UNUSED;
    v->kind = VERDICT_QUARANTINE;
    v->why = a->value;
    return true;
}

ACT(hold_it)
{
    UNUSED;
    v->kind = VERDICT_HOLD;
    v->why = a->value;
    return true;
}

ACT(redirect_it)
{
    UNUSED;
    v->kind = VERDICT_REDIRECT;
    v->to = a->value;
    return true;
}

/* ---- edits
 * ------------------------------------------------------------------------------------------------------------ */

static bool edit(struct policy *p, const struct matter *m, const struct verdict *v, const char *what,
                 const struct edit *e)
{
    char mem[400];
    struct buf text;
    err bad = policy_add_edit(p, e);
    buf_init_fixed(&text, mem, sizeof mem);
    buf_add(&text, str_sub(e->name, 0, 80));
    if (e->name.n && e->value.n)
        buf_add(&text, S(": "));
    buf_add(&text, str_sub(e->value, 0, 300));
    if (!bad)
        policy_note(p, m, v->by, what, text.n ? buf_str(&text) : S(""));
    else if (bad != E_NOMEM)
        policy_note(p, m, v->by, "failed", str_c(err_text(bad)));
    return bad != E_NOMEM;
}

ACT(set_sender)
{
    UNUSED;
    return edit(p, m, v, "set sender", &(struct edit){.kind = EDIT_SENDER, .name = S(""), .value = a->value});
}

ACT(add_recipient)
{
    UNUSED;
    return edit(p, m, v, "add recipient", &(struct edit){.kind = EDIT_RCPT_ADD, .name = S(""), .value = a->value});
}

ACT(remove_recipient)
{
    UNUSED;
    return edit(p, m, v, "remove recipient",
                &(struct edit){.kind = EDIT_RCPT_REMOVE, .name = S(""), .value = a->value.n ? a->value : m->to});
}

ACT(add_header)
{
    UNUSED;
    return edit(p, m, v, "add header", &(struct edit){.kind = EDIT_HEADER_INSERT, .name = a->name, .value = a->value});
}

ACT(change_header)
{
    UNUSED;
    return edit(p, m, v, "change header",
                &(struct edit){.kind = EDIT_HEADER_CHANGE, .index = 1, .name = a->name, .value = a->value});
}

ACT(remove_header)
{
    UNUSED;
    return edit(p, m, v, "remove header", &(struct edit){.kind = EDIT_HEADER_REMOVE, .name = a->name, .value = S("")});
}

ACT(replace_body)
{
    UNUSED;
    AUTO_BUF text;
    struct data_text t = {0};
    struct body *b = body_new();
    buf_init(&text, 2 * a->value.n + 16);
    data_text_feed(&t, a->value, &text);
    data_text_end(&t, &text);
    bool ok =
        b && !text.e && !body_add(b, buf_str(&text)) &&
        edit(p, m, v, "replace body", &(struct edit){.kind = EDIT_BODY, .name = S(""), .value = S(""), .body = b});
    body_drop(&b);
    return ok;
}

ACT(set_tag)
{
    UNUSED;
    return edit(p, m, v, "tag", &(struct edit){.kind = EDIT_TAG, .name = a->name, .value = S("")});
}

ACT(set_class)
{
    UNUSED;
    return edit(p, m, v, "class",
                &(struct edit){.kind = EDIT_CLASS, .index = (uint32_t)a->number, .name = S(""), .value = S("")});
}

ACT(send_by)
{
    UNUSED;
    return edit(p, m, v, "send by", &(struct edit){.kind = EDIT_WAY, .name = S(""), .value = a->name});
}

ACT(add_score)
{
    UNUSED;
    policy_score(p, m, (double)a->number / RULE_SCORE_UNIT, v->by, S(""));
    return true;
}

act_fn *const own_acts[RULE_DOS] = {
    [RULE_DO_ACCEPT] = accept_it,
    [RULE_DO_REFUSE] = refuse_it,
    [RULE_DO_DEFER] = defer_it,
    [RULE_DO_DISCARD] = discard_it,
    [RULE_DO_QUARANTINE] = quarantine_it,
    [RULE_DO_HOLD] = hold_it,
    [RULE_DO_REDIRECT] = redirect_it,
    [RULE_DO_SENDER] = set_sender,
    [RULE_DO_RCPT_ADD] = add_recipient,
    [RULE_DO_RCPT_REMOVE] = remove_recipient,
    [RULE_DO_HEADER_ADD] = add_header,
    [RULE_DO_HEADER_CHANGE] = change_header,
    [RULE_DO_HEADER_REMOVE] = remove_header,
    [RULE_DO_BODY] = replace_body,
    [RULE_DO_TAG] = set_tag,
    [RULE_DO_SCORE] = add_score,
    [RULE_DO_CLASS] = set_class,
    [RULE_DO_SEND_BY] = send_by,
};
