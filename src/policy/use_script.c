/*
 * Scripts in the pipeline: which generation a session has, what is called in a phase, and what becomes of what it says.
 * A session keeps the script that it began with; a reload is for those that come after it.
 */
#include "policy/use_script.h"
#include "base/cleanup.h"
#include "policy/internal.h"

#include <stdlib.h>

enum { HEAD_MAX = 1 << 20 }; /* octets of a header block that a script sees */

static struct {
    struct lock lock;
    struct script *script; /* of new sessions */
    bool wanted;           /* there is one in the configuration, though perhaps none that could be loaded */
} current;

struct held { /* by a session */
    struct script *script;
    struct script_vars *session, *envelope;
    uint64_t id;
};

static const unsigned char hook_of[PHASE_COUNT] = {
    [PHASE_CONNECT] = SCRIPT_ON_connect, [PHASE_HELO] = SCRIPT_ON_helo,       [PHASE_AUTH] = SCRIPT_ON_auth,
    [PHASE_MAIL] = SCRIPT_ON_mail,       [PHASE_RCPT] = SCRIPT_ON_rcpt,       [PHASE_DATA] = SCRIPT_ON_data,
    [PHASE_HEADER] = SCRIPT_ON_header,   [PHASE_BODY] = SCRIPT_ON_body,       [PHASE_END] = SCRIPT_ON_end_of_message,
    [PHASE_ROUTE] = SCRIPT_ON_route,     [PHASE_DELIVER] = SCRIPT_ON_deliver,
};

/* ---- generations --------------------------------------------------------------------------------------------- */

void use_script_options(const struct conf *c, struct script_options *o)
{
    script_options_init(o);
    o->instructions = c->lua_instructions;
    o->memory = c->lua_memory;
    o->memory_all = c->lua_memory_all;
    o->run_time = c->lua_run_time;
    o->time = c->lua_time;
    o->questions = (unsigned)c->lua_questions;
    o->http_most = (size_t)c->lua_http_most;
    o->body_most = (size_t)c->lua_body_most;
    o->failures = (unsigned)c->lua_failures;
    o->pause = c->lua_pause;
    o->private_targets = c->lua_private_targets;
}

static void replace(struct script *s, bool wanted)
{
    lock_take(&current.lock);
    struct script *old = current.script;
    current.script = s;
    current.wanted = wanted;
    lock_drop(&current.lock);
    script_drop(&old);
}

static struct script *take(void)
{
    lock_take(&current.lock);
    struct script *s = current.script ? script_ref(current.script) : NULL;
    lock_drop(&current.lock);
    return s;
}

void use_script_follow(const struct conf *c)
{
    struct script *s = NULL;
    struct script_options o;
    char text[600];
    struct buf why;
    script_store_limit((size_t)c->lua_store);
    if (!c->nscripts) {
        replace(NULL, false);
        return;
    }
    AUTO_FREE struct script_file *files = calloc(c->nscripts, sizeof *files);
    buf_init_fixed(&why, text, sizeof text);
    use_script_options(c, &o);
    for (size_t i = 0; files && i < c->nscripts; i++)
        files[i] = (struct script_file){c->scripts[i].name, c->scripts[i].text};
    o.files = files;
    o.nfiles = c->nscripts;
    err e = files ? script_new(&s, &o, &why) : E_NOMEM;
    if (!e) {
        replace(s, true);
        rt_log(EV_script_loaded, log_str(c->scripts[0].name), log_num((int64_t)c->nscripts));
        return;
    }
    struct script *old = take();
    if (!why.n)
        buf_add_c(&why, err_text(e));
    rt_log(EV_script_not_loaded, log_str(buf_str(&why)), log_c(old ? "the one before it stays" : "every hook fails"));
    script_drop(&old);
    lock_take(&current.lock);
    current.wanted = true;
    lock_drop(&current.lock);
}

bool use_script_ready(void)
{
    struct script *s = take();
    bool there = s != NULL;
    script_drop(&s);
    return there;
}

unsigned use_script_wants(const struct source *s, const struct conf *c)
{
    unsigned phases = 0;
    (void)s, (void)c;
    lock_take(&current.lock);
    /* Nobody knows the hooks of one that could not be loaded: it fails from the first moment on, and on the way out. */
    const unsigned all = 1u << SCRIPT_ON_connect | 1u << SCRIPT_ON_mail | 1u << SCRIPT_ON_route;
    unsigned hooks = current.script ? script_hooks(current.script) : current.wanted ? all : 0;
    lock_drop(&current.lock);
    for (enum phase ph = 0; hooks && ph < PHASE_COUNT; ph++)
        phases |= hooks & 1u << hook_of[ph] ? PHASE_BIT(ph) : 0;
    return phases;
}

/* ---- a session -------------------------------------------------------------------------------------------------- */

static struct held *of_session(void **own)
{
    struct held *h = *own;
    if (!h) {
        h = *own = calloc(1, sizeof *h);
        if (h)
            h->script = take();
    } else if (!h->script) {
        h->script = take(); /* it could not be loaded before */
    }
    return h;
}

/* "script policy.lua:12" */
static const char *said_by(struct policy *p, const struct script_verdict *s)
{
    str by = s->file.n ? arena_printf(policy_mem(p), "script " STR_FMT ":%d", STR_ARG(s->file), s->line) : S("script");
    return by.p ? by.p : "script";
}

static void translate(struct policy *p, const struct script_verdict *s, struct verdict *v)
{
    static const enum verdict_kind kinds[] = {
        [SCRIPT_CONTINUE] = VERDICT_CONTINUE, [SCRIPT_ACCEPT] = VERDICT_ACCEPT,
        [SCRIPT_REFUSE] = VERDICT_REFUSE,     [SCRIPT_DEFER] = VERDICT_DEFER,
        [SCRIPT_DISCARD] = VERDICT_DISCARD,   [SCRIPT_QUARANTINE] = VERDICT_QUARANTINE,
        [SCRIPT_HOLD] = VERDICT_HOLD,         [SCRIPT_REDIRECT] = VERDICT_REDIRECT,
    };
    v->kind = kinds[s->kind];
    if (v->kind == VERDICT_CONTINUE)
        return;
    v->by = said_by(p, s);
    v->why = v->kind == VERDICT_REFUSE || v->kind == VERDICT_DEFER ? S("") : s->text;
    v->to = s->to;
    if (v->kind == VERDICT_REFUSE || v->kind == VERDICT_DEFER) {
        bool refuse = v->kind == VERDICT_REFUSE;
        int code = s->code ? s->code : refuse ? 550 : 451;
        const char *esc = s->esc[0] ? s->esc : refuse ? "5.7.1" : "4.7.1";
        str text = s->text.n ? s->text : refuse ? S("Refused by policy") : S("Refused by policy for now");
        reply_set_str(&v->reply, code, esc, text);
    }
}

/* What was accepted is never bounced because a script fails: it waits. */
static void failed(const struct conf *c, enum phase ph, err e, struct verdict *v)
{
    v->by = "script that failed";
    if (e == E_CANCELLED || c->lua_fail == CONF_SAFE_DEFER || (ph >= PHASE_ROUTE && c->lua_fail == CONF_SAFE_REFUSE))
        verdict_reply(v, 451, "4.3.5", "The policy of this server cannot be evaluated now; try again later");
    else if (c->lua_fail == CONF_SAFE_REFUSE)
        verdict_reply(v, 550, "5.3.5", "The policy of this server cannot be evaluated");
}

/* The header block is in m->text, or has to be read. "" when it cannot be had. */
static str head_of(struct policy *p, enum phase ph, const struct matter *m) YIELDS;
static str head_of(struct policy *p, enum phase ph, const struct matter *m)
{
    if (ph >= PHASE_ROUTE)
        return m->text;
    if (ph != PHASE_END || m->text.n || !m->octets || !m->scan)
        return ph == PHASE_HEADER || ph == PHASE_END ? m->text : S("");
    size_t n = m->scan->head_done ? (size_t)m->scan->body_at : (size_t)m->scan->size, at = 0;
    char *to = n <= HEAD_MAX ? arena_alloc(policy_mem(p), n + 1) : NULL;
    while (to && at < n) {
        str piece = S("");
        if (m->octets->read(m->octets->arg, at, &piece) || !piece.n)
            break;
        piece = str_sub(piece, 0, n - at);
        memcpy(to + at, piece.p, piece.n);
        at += piece.n;
    }
    return to && at == n ? (str){to, n} : S("");
}

static err ask(struct policy *p, struct held *h, enum phase ph, str function, struct matter *m,
               struct script_verdict *ret) YIELDS;
static err ask(struct policy *p, struct held *h, enum phase ph, str function, struct matter *m,
               struct script_verdict *ret)
{
    struct script_subject subject = {p, m, head_of(p, ph, m)};
    const struct script_request q = {.world = &use_script_world,
                                     .subject = &subject,
                                     .hook = (enum script_hook)hook_of[ph],
                                     .function = function,
                                     .piece = ph == PHASE_BODY ? m->text : S(""),
                                     .session = &h->session,
                                     .envelope = ph >= PHASE_MAIL ? &h->envelope : NULL,
                                     .mem = policy_mem(p),
                                     .session_id = m->source ? m->source->session : 0,
                                     .message_id = m->env ? m->env->id : 0};
    return script_call(h->script, &q, ret, NULL);
}

bool use_script_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v)
{
    struct script_verdict said;
    struct held *h = of_session(own);
    if (!h)
        return false;
    if (!h->script) {
        failed(m->conf, ph, E_UNKNOWN, v);
        return true;
    }
    err e = ask(p, h, ph, S(""), m, &said);
    if (e && e != E_NOT_FOUND)
        failed(m->conf, ph, e, v);
    else if (!e)
        translate(p, &said, v);
    return true;
}

bool act_script(struct policy *p, const struct conf_rule *rule, const struct rule_action *a, struct matter *m,
                struct verdict *v)
{
    struct script_verdict said;
    size_t i = 0;
    (void)rule;
    while (filters[i].name && filters[i].run != use_script_run)
        i++;
    struct held *h = filters[i].name ? of_session(&p->own[i]) : NULL;
    if (!h)
        return false;
    err e = h->script ? ask(p, h, p->phase, a->name, m, &said) : E_UNKNOWN;
    if (e == E_NOT_FOUND)
        rt_log(EV_script_failed, log_num((int64_t)(m->source ? m->source->session : 0)), log_str(a->name),
               log_c("there is no such function"));
    if (e)
        failed(m->conf, p->phase, e, v);
    else
        translate(p, &said, v);
    return true;
}

void use_script_tx_end(struct policy *p, void **own)
{
    struct held *h = *own;
    (void)p;
    script_vars_free(&h->envelope);
}

void use_script_session_end(struct policy *p, void **own)
{
    struct held *h = *own;
    (void)p;
    script_vars_free(&h->envelope);
    script_vars_free(&h->session);
    script_drop(&h->script);
    free(h);
    *own = NULL;
}
