/*
 * What the pipeline made of a message, applied at its end: another envelope, another body, held, or nothing at all
 * (which the log says). Edits of the header wait for commit.c, which writes it.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "intake/internal.h"
#include "intake/checks.h"
#include "intake/judge.h"
#include "intake/sign.h"

/* ---- the envelope ----------------------------------------------------------------------------------------------- */

static void failed(const struct tx *t, const struct edit *e, const char *why)
{
    rt_log(EV_policy_failed, log_num((int64_t)t->source->session), log_c(e->by ? e->by : "policy"), log_c(why));
}

/* An address from a rule or a filter, in the form of envelopes. p NULL: it is none, or no memory. */
static str address(struct tx *t, str text)
{
    SCRATCH char mem[ADDR_TEXT_MAX];
    struct buf out;
    struct addr a;
    if (str_starts(text, S("<")) && str_ends(text, S(">")))
        text = str_sub(text, 1, text.n - 1);
    if (!text.n)
        return S("");
    if (addr_parse(text, ADDR_F_UTF8 | ADDR_F_UNDERSCORE, &t->arena, &a) || a.kind == ADDR_LOCAL)
        return (str){NULL, 0};
    buf_init_fixed(&out, mem, sizeof mem);
    addr_print(&out, &a);
    if (!text_ascii(buf_str(&out)))
        t->env.flags |= ENV_SMTPUTF8;
    return out.e ? (str){NULL, 0} : arena_str(&t->arena, buf_str(&out));
}

enum { PARAMS_KNOWN = EXT_SIZE | EXT_8BITMIME | EXT_BINARYMIME | EXT_SMTPUTF8 | EXT_DSN | EXT_AUTH };

/* `params`: of RCPT, as a filter gave them. */
static err add_recipient(struct tx *t, str text, str params)
{
    struct want w = {0};
    struct rcpt_cmd m;
    str to = address(t, text);
    if (!to.p || !to.n)
        return E_SYNTAX;
    if (params.n) {
        str line = arena_printf(&t->arena, "TO:<" STR_FMT "> " STR_FMT, STR_ARG(to), STR_ARG(params));
        if (!line.p)
            return E_NOMEM;
        if (cmd_rcpt(line, PARAMS_KNOWN, true, true, &t->arena, &m))
            return E_SYNTAX;
        w = (struct want){.orcpt = m.p.orcpt_raw.p ? m.p.orcpt_raw : S(""), .notify = (uint8_t)m.p.notify};
    }
    return expand_text(t, to, S(""), &w);
}

/* As it was given, or what an alias of that name became. */
static bool is_recipient(const struct recipient *r, str text)
{
    return str_ieq(r->address, text) || str_ieq(r->list, text);
}

static void remove_recipient(struct tx *t, str text)
{
    uint32_t n = 0;
    str what = address(t, text);
    for (uint32_t i = 0; i < t->env.nto && what.p; i++)
        if (!is_recipient(&t->env.to[i], what))
            t->env.to[n++] = t->env.to[i];
    if (what.p)
        rcpt_cut(t, n);
}

static void set_sender(struct tx *t, const struct edit *e)
{
    struct addr a;
    bool bad;
    str from = address(t, e->value);
    if (!from.p) {
        failed(t, e, "not an address to send from");
        return;
    }
    struct mail_cmd m = {0};
    str line = e->name.n ? arena_printf(&t->arena, "FROM:<> " STR_FMT, STR_ARG(e->name)) : S("");
    if (line.n && cmd_mail(line, PARAMS_KNOWN, true, &t->arena, &m)) {
        failed(t, e, "not parameters of MAIL");
    } else if (line.n) {
        t->env.ret = (uint8_t)m.p.ret;
        t->env.envid = m.p.envid.p ? m.p.envid : S("");
    }
    t->env.sender = from;
    t->sender_ours = from.n && !addr_parse(from, ADDR_F_UTF8, &t->arena, &a) && domain_find(t, &a, &bad);
}

static bool edit_envelope(struct tx *t, const struct edit *e, struct reply *r)
{
    err bad = OK;
    switch (e->kind) {
    case EDIT_SENDER:
        set_sender(t, e);
        break;
    case EDIT_RCPT_ADD:
        bad = add_recipient(t, e->value, e->name);
        break;
    case EDIT_RCPT_REMOVE:
        remove_recipient(t, e->value);
        break;
    case EDIT_CLASS:
        t->env.class = (uint8_t)(e->index < 255 ? e->index : 255);
        break;
    case EDIT_WAY:
        t->env.way = arena_str(&t->arena, e->value);
        bad = t->env.way.p ? OK : E_NOMEM;
        break;
    case EDIT_JUNK:
        t->env.flags |= t->conf->check_quarantine == CONF_QUARANTINE_FOLDER ? ENV_JUNK : 0;
        break;
    default:
        break;
    }
    if (bad == E_NOMEM || bad == E_LIMIT) {
        reply_trouble(r, bad);
        return false;
    }
    if (bad)
        failed(t, e, "a recipient that was added does not exist, or has no good parameters");
    return true;
}

/* What all of them together want to be told of. */
static uint8_t notify_of(const struct envelope *env)
{
    const unsigned usual = NOTIFY_FAILURE | NOTIFY_DELAY;
    unsigned all = 0;
    if (env->nto == 1)
        return env->to[0].notify;
    for (uint32_t i = 0; i < env->nto; i++)
        all |= !env->to[i].notify ? usual : env->to[i].notify & ~(unsigned)NOTIFY_NEVER;
    return (uint8_t)(!all ? NOTIFY_NEVER : all == usual ? NOTIFY_NONE : all);
}

/* Everything goes there instead: in the name of the recipient, where there was but one (RFC 3461 5.2.7). A target that
 * is none must not lose the message. */
static bool redirect(struct tx *t, const struct verdict *v, struct reply *r)
{
    struct want w = {.orcpt = S(""), .notify = notify_of(&t->env)};
    str to = address(t, v->to), from = S("");
    if (t->env.nto == 1) {
        w.orcpt = t->env.to[0].orcpt;
        from = t->env.to[0].address;
    }
    rcpt_cut(t, 0);
    err e = to.p && to.n ? expand_redirected(t, to, from, &w) : E_SYNTAX;
    if (!e)
        return true;
    rt_log(EV_policy_failed, log_num((int64_t)t->source->session), log_c(v->by ? v->by : "policy"),
           log_c("the address to redirect to does not exist"));
    if (e == E_NOMEM || e == E_LIMIT)
        reply_trouble(r, e);
    else
        reply_set(r, 451, "4.3.5", "This message cannot be redirected, try again later");
    return false;
}

static bool hold(struct tx *t, const struct verdict *v, struct reply *r)
{
    t->env.flags |= ENV_HELD | (v->kind == VERDICT_QUARANTINE ? ENV_QUARANTINE : 0);
    str why = str_sub(v->why, 0, 500);
    t->env.held_why =
        arena_printf(&t->arena, "%s%s" STR_FMT, v->by ? v->by : "policy", why.n ? ": " : "", STR_ARG(why));
    if (t->env.held_why.p)
        return true;
    reply_trouble(r, E_NOMEM);
    return false;
}

/* ---- another body ------------------------------------------------------------------------------------------------ */

/* The header block as it was received, for the new body to follow it. */
static struct body *head_before(struct tx *t)
{
    AUTO_BUF mem;
    struct head_facts f;
    str block;
    struct body *b = body_new();
    buf_init(&mem, tx_head_octets(t) + 1);
    if (!b || !tx_head_view(t, &mem, &block)) {
        body_drop(&b);
        return NULL;
    }
    head_look(block, t->conf->hostname, &f);
    err e = f.none ? OK : body_add(b, block);
    if (!e && (f.none || !f.blank))
        e = body_add(b, S("\r\n"));
    if (e)
        body_drop(&b);
    return b;
}

static void feed_all(struct tx *t, const struct body *b) YIELDS
{
    size_t at = 0;
    str piece;
    while (body_piece(b, &at, &piece))
        (void)tx_feed(t, piece);
}

/* What was received is forgotten, and taken in anew: sizes, flags, the hash for our signatures, chunks. */
static err refill(struct tx *t, const struct body *now) YIELDS
{
    struct checks *k = t->checks;
    struct body *head = head_before(t);
    err e = head ? OK : E_NOMEM;
    if (t->chunks) {
        spool_forget(intake_rooms.spool, t->env.id);
        t->env.id = spool_new_id(intake_rooms.spool);
        t->chunks = 0;
    }
    body_drop(&t->body);
    body_drop(&t->head);
    check_body_free(&t->sign_hash);
    t->body = body_new_for(body_size(now));
    if (!e && (t->source->trusted || (t->checks && checks_sealable(t->checks))))
        e = sign_begin(t->conf, &t->sign_hash);
    if (!e && t->body) {
        uint32_t line_max = t->env.body == BODY_BINARYMIME ? 0 : (uint32_t)t->conf->limits_line_length;
        data_in_init(&t->scan, DATA_CHUNK, line_max);
        t->checks = NULL; /* they have seen what was received */
        t->refilled = true;
        feed_all(t, head);
        feed_all(t, now);
        data_in_end(&t->scan);
        e = t->trouble ? OK : tx_end_line(t);
        t->checks = k;
    }
    body_drop(&head);
    return e || t->body || t->trouble ? e : E_NOMEM;
}

static bool change_body(struct tx *t, const struct body *now, struct reply *r) YIELDS
{
    err e = refill(t, now);
    if (e) {
        reply_trouble(r, e);
        return false;
    }
    struct matter m = tx_matter(t, S(""));
    if (tx_body_ok(t, r) && judge_always(PHASE_END, &m, r))
        return true;
    reply_set(r, 451, "4.3.0", "A filter made of this message what cannot be stored, try again later");
    return false;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------
 */

static const struct body *new_body(const struct edit *e)
{
    const struct body *b = NULL;
    for (; e; e = e->next)
        if (e->kind == EDIT_BODY)
            b = e->body;
    return b;
}

static bool apply(struct tx *t, const struct policy *p, struct reply *r) YIELDS
{
    const struct verdict *v = policy_outcome(p);
    const struct body *b = new_body(policy_edits(p));
    for (const struct edit *e = policy_edits(p); e; e = e->next)
        if (!edit_envelope(t, e, r))
            return false;
    if (v->to.n && !redirect(t, v, r))
        return false;
    if ((v->kind == VERDICT_QUARANTINE || v->kind == VERDICT_HOLD) && !hold(t, v, r))
        return false;
    return !b || change_body(t, b, r);
}

static bool last_verdict(struct tx *t, struct reply *r) YIELDS
{
    SCRATCH struct verdict v;
    struct tx_octets o;
    AUTO_BUF mem;
    str head;
    if (!tx_judge_head(t))
        return tx_body_ok(t, r);
    if (!policy_wants(t->source->policy, PHASE_END))
        return true;
    buf_init(&mem, tx_head_octets(t) + 1);
    if (!tx_head_view(t, &mem, &head)) {
        reply_trouble(r, E_NOMEM);
        return false;
    }
    struct matter m = tx_matter(t, head);
    tx_octets_begin(&o, t);
    m.octets = &o.face;
    bool ok = judge_policy(PHASE_END, &m, &v);
    tx_octets_end(&o);
    if (!ok)
        *r = v.reply;
    return ok;
}

bool tx_apply(struct tx *t, struct reply *r, bool *ret_gone)
{
    const struct policy *p = t->source->policy;
    *ret_gone = t->env.nto == 0;
    if (!p)
        return true;
    if (!last_verdict(t, r))
        return false;
    if (policy_outcome(p)->kind == VERDICT_DISCARD) {
        *ret_gone = true;
        return true;
    }
    if (!apply(t, p, r))
        return false;
    *ret_gone = t->env.nto == 0;
    return true;
}

/* Of each recipient, for the promise: accepted, and this is what became of it. */
static void log_gone(const struct tx *t, str to, str why)
{
    rt_log(EV_discarded, log_id(t->env.id), log_num((int64_t)t->source->session), log_str(t->env.client),
           log_str(t->env.sender), log_str(to), log_num((int64_t)t->scan.size), log_str(why));
}

void tx_log_gone(const struct tx *t, bool all)
{
    const struct policy *p = t->source->policy;
    const struct verdict *v = p ? policy_outcome(p) : NULL;
    char mem[600];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    for (const struct tx_dropped *d = t->dropped; d; d = d->next)
        log_gone(t, d->address, d->why);
    if (!all)
        return;
    if (v && v->kind == VERDICT_DISCARD)
        buf_printf(&why, "%s%s" STR_FMT, v->by, v->why.n ? ": " : "", STR_ARG(str_sub(v->why, 0, 500)));
    else
        buf_add(&why, S("no recipient is left"));
    for (uint32_t i = 0; i < t->env.nto; i++)
        log_gone(t, t->env.to[i].address, buf_str(&why));
    if (!t->env.nto && !t->dropped)
        log_gone(t, S(""), buf_str(&why));
}

bool tx_readdressed(const struct tx *t)
{
    const struct policy *p = t->source->policy;
    const struct edit *e = p ? policy_edits(p) : NULL;
    if (p && policy_outcome(p)->to.n)
        return true;
    for (; e; e = e->next)
        if (e->kind == EDIT_SENDER || e->kind == EDIT_RCPT_ADD || e->kind == EDIT_RCPT_REMOVE)
            return true;
    return t->dropped != NULL;
}

/* ---- the header -----------------------------------------------------------------------------------------------------
 */

bool tx_edits_head(const struct tx *t)
{
    const struct edit *e = t->source->policy ? policy_edits(t->source->policy) : NULL;
    for (; e; e = e->next)
        if (e->kind >= EDIT_HEADER_ADD && e->kind <= EDIT_HEADER_REMOVE)
            return true;
    return false;
}

static bool keeps_all(const struct head_field *f, void *arg)
{
    (void)f;
    (void)arg;
    return false;
}

err tx_edit_head(struct tx *t, str fields, bool anew, struct buf *out)
{
    AUTO_BUF now;
    struct head_facts f;
    buf_init(&now, out->max);
    err e = policy_edit_head(policy_edits(t->source->policy), fields, anew ? head_unwanted : keeps_all, t, &now);
    if (e)
        return e;
    head_look(buf_str(&now), t->conf->hostname, &f);
    if (t->source->submitted)
        head_add_missing(out, &f, t);
    buf_add(out, buf_str(&now));
    if (!text_ascii(buf_str(&now)))
        t->scan.flags |= DATA_8BIT_HEAD;
    return out->e;
}
