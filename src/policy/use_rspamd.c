/*
 * rspamd, asked about the whole message at its end: its action becomes a verdict, the fields that it wants added and
 * taken away become edits, its symbols lie open to rules as tags.
 */
#include "policy/internal.h"
#include "policy/service.h"

#include "base/cleanup.h"

static enum service_fail fail_of(const struct conf *c)
{
    static const enum service_fail of[] = {SERVICE_ACCEPT, SERVICE_DEFER, SERVICE_REFUSE};
    return of[c->rspamd_fail];
}

/* ---- the question ------------------------------------------------------------------------------------------------ */

static bool fill(struct policy *p, const struct matter *m, struct rspamd_question *q)
{
    const struct source *s = m->source;
    const struct envelope *e = m->env;
    struct arena *a = policy_mem(p);
    uint32_t n = e && e->nto < RSPAMD_RCPTS_MAX ? e->nto : RSPAMD_RCPTS_MAX;
    str password = str_trim(conf_file_text(m->conf, m->conf->rspamd_password_file));
    *q = (struct rspamd_question){
        .address = m->conf->rspamd,
        .password = str_sub(password, 0, str_find(password, '\n')),
        .ip = s->socket ? S("127.0.0.1") : s->client_text,
        .hostname = s->client_name,
        .helo = s->helo,
        .from = e ? e->sender : S(""),
        .user = s->account.n ? s->account : s->user,
        .mta_name = m->conf->hostname,
        .tls_version = str_sub(s->tls, 0, str_find(s->tls, ' ')),
    };
    if (!e)
        return true;
    char mem[16];
    struct buf id;
    buf_init_fixed(&id, mem, sizeof mem);
    rt_id_text(&id, e->id);
    q->queue_id = e->id ? arena_str(a, buf_str(&id)) : S("");
    str *v = arena_array(a, n ? n : 1, sizeof *v);
    for (uint32_t i = 0; v && i < n && i < e->nto; i++)
        v[q->nrcpts++] = e->to[i].address;
    q->rcpts = v;
    q->deliver_to = e->nto == 1 ? e->to[0].address : S("");
    return v != NULL && q->queue_id.p != NULL;
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

static err edit(struct policy *p, enum edit_kind kind, str name, str value, uint32_t index)
{
    err e = policy_add_edit(p, &(struct edit){.kind = kind, .name = name, .value = value, .index = index});
    return e == E_NOMEM ? e : OK; /* a field that cannot be written is left out */
}

static err apply_fields(struct policy *p, const struct rspamd_answer *r)
{
    err e = OK;
    for (size_t i = 0; !e && i < r->nedits; i++) {
        const struct rspamd_edit *x = &r->edits[i];
        if (x->remove)
            e = edit(p, EDIT_HEADER_REMOVE, x->name, S(""), x->index > 0 ? (uint32_t)x->index : 0);
        else if (x->index >= 0)
            e = edit(p, EDIT_HEADER_INSERT, x->name, x->value, (uint32_t)x->index);
        else
            e = edit(p, EDIT_HEADER_ADD, x->name, x->value, 0);
    }
    for (size_t i = 0; !e && i < r->nsignatures; i++)
        e = edit(p, EDIT_HEADER_INSERT, S("DKIM-Signature"), r->signatures[i], 0);
    if (!e && r->change_from.p)
        e = edit(p, EDIT_SENDER, S(""), r->change_from, 0);
    for (size_t i = 0; !e && i < r->nadd; i++)
        e = edit(p, EDIT_RCPT_ADD, S(""), r->add_rcpts[i], 0);
    for (size_t i = 0; !e && i < r->ndel; i++)
        e = edit(p, EDIT_RCPT_REMOVE, S(""), r->del_rcpts[i], 0);
    return e;
}

/* "tag rspamd.SYMBOL" in rules; the score in thousandths has no place there, so in words. */
static err apply_tags(struct policy *p, const struct rspamd_answer *r)
{
    err e = edit(p, EDIT_TAG, S("rspamd"), str_c(rspamd_action_name(r->action)), 0);
    for (size_t i = 0; !e && i < r->nsymbols; i++) {
        char mem[100];
        struct buf name;
        buf_init_fixed(&name, mem, sizeof mem);
        buf_add(&name, S("rspamd."));
        buf_add(&name, r->symbols[i].name);
        if (!name.e)
            e = edit(p, EDIT_TAG, buf_str(&name), r->symbols[i].options, 0);
    }
    return e;
}

static err mark_junk(struct policy *p)
{
    err e = edit(p, EDIT_HEADER_CHANGE, S("X-Spam-Flag"), S("YES"), 1);
    return e ? e : edit(p, EDIT_JUNK, S(""), S(""), 0);
}

static err apply_action(struct policy *p, const struct rspamd_answer *r, struct verdict *v)
{
    str said = str_sub(r->message, 0, 200);
    switch (r->action) {
    case RSPAMD_REJECT:
        verdict_reply(v, 554, "5.7.1", STR_FMT, STR_ARG(said.n ? said : S("Spam message rejected")));
        break;
    case RSPAMD_SOFT_REJECT:
        verdict_reply(v, 451, "4.7.1", STR_FMT, STR_ARG(said.n ? said : S("Try again later")));
        break;
    case RSPAMD_REWRITE_SUBJECT: {
        err e = r->subject.n ? edit(p, EDIT_HEADER_CHANGE, S("Subject"), r->subject, 1) : OK;
        return e ? e : mark_junk(p);
    }
    case RSPAMD_ADD_HEADER:
        return mark_junk(p);
    case RSPAMD_QUARANTINE:
        v->kind = VERDICT_QUARANTINE;
        v->why = S("rspamd: quarantine");
        break;
    case RSPAMD_DISCARD:
        v->kind = VERDICT_DISCARD;
        break;
    case RSPAMD_NONE:
    case RSPAMD_GREYLIST: /* its own module answers by a soft reject; a rule may look at the tag */
        break;
    }
    return OK;
}

static bool apply(struct policy *p, const struct matter *m, const struct rspamd_answer *r, struct verdict *v)
{
    char mem[200];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    if (r->skipped && r->action == RSPAMD_NONE) /* it may also skip because the answer is clear */
        return true;
    buf_printf(&text, "%.2f of %.2f", r->score, r->required);
    for (size_t i = 0; i < r->nsymbols && !text.e; i++)
        if (r->symbols[i].score >= 1 || r->symbols[i].score <= -1)
            buf_printf(&text, " " STR_FMT, STR_ARG(r->symbols[i].name));
    policy_note(p, m, "rspamd", rspamd_action_name(r->action), buf_str(&text));
    err e = apply_tags(p, r);
    e = e ? e : apply_fields(p, r);
    e = e ? e : apply_action(p, r, v);
    return !e;
}

/* ---- ------------------------------------------------------------------------------------------------------------- */

static bool fail(struct policy *p, const struct matter *m, struct verdict *v, str why)
{
    service_failed(p, m, v, fail_of(m->conf), "rspamd", "spam filter", why);
    return true;
}

/* The arena is as large as an answer may make it; what stays of it is little. */
static bool ask(struct policy *p, const struct matter *m, struct breaker *b, struct rspamd_question *q,
                struct verdict *v) YIELDS;
static bool ask(struct policy *p, const struct matter *m, struct breaker *b, struct rspamd_question *q,
                struct verdict *v)
{
    AUTO_ARENA a = {0};
    struct rspamd_answer r = {0};
    char mem[300];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    arena_init(&a, 16384, 4 * RSPAMD_ANSWER_MAX);
    q->deadline = rt_after(m->conf->rspamd_time);
    rt_time begun = rt_now();
    err e = rspamd_ask(q, &a, &r, &why);
    breaker_took(b, begun);
    if (e == E_CANCELLED)
        breaker_cancel(b);
    else
        breaker_leave(b, e == OK, (uint32_t)m->conf->rspamd_failures, m->conf->rspamd_pause, err_text(e));
    if (e)
        return fail(p, m, v, why.n ? buf_str(&why) : str_c(err_text(e)));
    return apply(p, m, &r, v);
}

bool content_rspamd(struct policy *p, const struct matter *m, struct verdict *v)
{
    const struct conf *c = m->conf;
    struct service_octets o = {p, m};
    struct rspamd_question q;
    struct scan_octets octets;
    if (p->content.rspamd || !c->rspamd.n || !service_message(&o, &octets))
        return true;
    p->content.rspamd = true;
    if (octets.size > (uint64_t)c->rspamd_size) {
        policy_note(p, m, "rspamd", "not asked", S("the message is larger than rspamd.size"));
        return true;
    }
    if (!fill(p, m, &q))
        return false;
    q.octets = octets;
    struct breaker *b = breaker_of("rspamd", c->rspamd);
    if (!breaker_enter(b))
        return fail(p, m, v, S("it failed before, and is left alone for now"));
    return ask(p, m, b, &q, v);
}

unsigned rspamd_wants(const struct source *s, const struct conf *c)
{
    return c->rspamd.n && content_whose(c->rspamd_mail, s, c) ? PHASE_BIT(PHASE_END) : 0;
}

bool rspamd_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    (void)own;
    (void)ph;
    return content_rspamd(p, m, v);
}
