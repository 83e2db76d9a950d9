/*
 * The end of a message: last checks, trace (RFC 5321 4.4, RFC 3848), stable storage, queue. The 250 is made
 * here and nowhere else, behind spool_put.
 */
#include "intake/internal.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "intake/checks.h"
#include "intake/judge.h"
#include "intake/sign.h"
#include "intake/submit.h"
#include "wire/head.h"

/* What the octets are: judged before anything is done with them. */
static bool check_text(struct tx *t, struct reply *r)
{
    struct matter m = tx_matter(t, S(""));
    return judge_always(PHASE_END, &m, r);
}

static bool has_bare(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || (s.p[i] == '\r' && !(i + 1 < s.n && s.p[i + 1] == '\n')) ||
            (s.p[i] == '\n' && !(i && s.p[i - 1] == '\r')))
            return true;
    return false;
}

static bool check_head(struct tx *t, str head, const struct head_facts *f, struct reply *r)
{
    /* RFC 3030 3: only the body of a BINARYMIME message is binary. */
    if ((t->scan.flags & (DATA_BARE | DATA_NUL)) && has_bare(head)) {
        reply_set(r, 554, "5.6.11", "Bare CR, LF or NUL in the header");
        return false;
    }
    struct matter m = tx_matter(t, head);
    m.facts = f;
    return judge_always(PHASE_HEADER, &m, r) && submit_head(t, head, r);
}

static err add_received(struct buf *out, const struct tx *t)
{
    const struct source *s = t->source;
    char id[32];
    struct buf id_text;
    bool hide = t->account && t->conf->submission_hide_client;
    buf_init_fixed(&id_text, id, sizeof id);
    rt_id_text(&id_text, t->env.id);
    const struct head_received h = {
        .helo = hide ? S("submission") : s->helo,
        .rdns = hide ? S("") : s->client_name,
        .ip = s->client.ip.v && !hide ? &s->client.ip : NULL,
        .port = 0,
        .by = t->conf->hostname,
        .esmtp = s->esmtp,
        .lmtp = s->lmtp,
        .tls = s->tls.n != 0,
        .auth = s->authenticated,
        .utf8 = t->env.flags & ENV_SMTPUTF8,
        .tls_info = s->tls,
        .local_user = s->socket ? s->user : S(""),
        .id = buf_str(&id_text),
        .rcpt = t->accepted == 1 ? t->only : S(""),
        .unix_s = t->env.arrived_ms / 1000,
    };
    return head_received(out, &h);
}

static void add_flags(struct tx *t)
{
    static const struct {
        unsigned scan, env;
    } map[] = {{DATA_DOT_LINE, ENV_DOT_LINE},   {DATA_8BIT_BODY, ENV_8BIT_BODY}, {DATA_8BIT_HEAD, ENV_8BIT_HEAD},
               {DATA_BARE_CR, ENV_BARE_EOL},    {DATA_BARE_LF, ENV_BARE_EOL},    {DATA_NUL, ENV_NUL},
               {DATA_UNENDED, ENV_NO_FINAL_EOL}};
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (t->scan.flags & map[i].scan)
            t->env.flags |= map[i].env;
    if (t->scan.longest > 998)
        t->env.flags |= ENV_LONG_LINE;
    if (t->checks && checks_quarantine(t->checks) && t->conf->check_quarantine == CONF_QUARANTINE_FOLDER)
        t->env.flags |= ENV_JUNK;
}

/* For people: without folds, bounded. */
static str keep_message_id(struct tx *t, str raw)
{
    SCRATCH char mem[256];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    if (raw.n)
        head_unfold(&text, str_sub(raw, 0, sizeof mem));
    return text.n ? arena_str(&t->arena, buf_str(&text)) : S("");
}

/* Those that we trust to relay may have written our own verdict for us: another server of ours, a filter. */
static bool may_speak_for_us(const struct source *s) { return s->trusted && !s->submitted && !s->authenticated; }

/* What goes before the message: what the checks found, the trace and, with `anew`, the fields as they should be. */
static err new_head(struct tx *t, str fields, const struct head_facts *f, bool anew, bool edited, struct buf *out)
{
    err e = t->checks ? checks_fields(t->checks, out) : OK;
    e = e || t->untraced ? e : add_received(out, t);
    if (!e && edited)
        return tx_edit_head(t, fields, anew, out);
    if (!e && anew)
        head_repair(out, fields, f, t);
    if (f->none)
        buf_add(out, S("\r\n")); /* the first line is no field and must not become one */
    return e ? e : out->e;
}

/* Our signatures over the header as it will be stored: `made`, and behind it `rest`. What only passes is signed when it
 * was changed. */
static err add_signatures(struct tx *t, str made, str rest, struct buf *out) YIELDS
{
    const struct sign_who w = {.account = t->source->authenticated ? t->source->user : S(""),
                               .sender = t->env.sender,
                               .now_s = t->env.arrived_ms / 1000};
    AUTO_BUF whole = {.max = made.n + rest.n};
    if (!t->sign_hash || !t->source->trusted || (t->source->proxied && !t->refilled && !tx_edits_head(t)))
        return OK;
    if (rest.n) {
        buf_add(&whole, made);
        buf_add(&whole, rest);
        made = buf_str(&whole);
    }
    err e = whole.e ? whole.e : sign_head(t->conf, &w, made, t->sign_hash, out);
    if (!e && out->n)
        t->env.flags |= ENV_SIGNED;
    return e;
}

/* Mail of others that goes on gets an ARC set; what we sign is signed. */
static err add_seal(struct tx *t, str made, str rest, struct buf *out) YIELDS
{
    struct check_mail *m = t->checks ? checks_sealable(t->checks) : NULL;
    AUTO_BUF whole = {.max = made.n + rest.n};
    if (!m)
        return OK;
    buf_add(&whole, made);
    buf_add(&whole, rest);
    return whole.e ? whole.e
                   : seal_head(t->conf, m, &checks_results(t->checks)->arc, buf_str(&whole),
                               t->refilled ? t->sign_hash : NULL, t->env.arrived_ms / 1000, out);
}

/* Edits the header block where it lies and puts the sizes into the envelope. `block` is what was received of it. */
static err put_head(struct tx *t, str block, const struct head_facts *f) YIELDS
{
    AUTO_BUF out = {0}, top = {.max = block.n + (1 << 20)};
    buf_init(&out, block.n + 65536);
    str fields = f->none ? S("") : block;
    bool anew = t->source->submitted || (f->authres && !may_speak_for_us(t->source));
    bool edited = tx_edits_head(t);
    size_t replaced = anew || edited ? fields.n : 0;
    err e = new_head(t, fields, f, anew, edited, &out);
    if (!text_ascii(buf_str(&out)) && t->checks)
        t->scan.flags |= DATA_8BIT_HEAD;
    e = e ? e : add_signatures(t, buf_str(&out), str_skip(fields, replaced), &top);
    e = e ? e : add_seal(t, buf_str(&out), str_skip(fields, replaced), &top);
    t->env.head_size = (uint32_t)(top.n + out.n + fields.n - replaced);
    t->env.body_size = t->scan.size - fields.n;
    if (t->chunks) { /* the block lies apart: all of it goes before the tail */
        buf_add(&out, str_skip(block, replaced));
        replaced = 0;
    }
    buf_add(&top, buf_str(&out));
    e = e ? e : out.e ? out.e : top.e;
    return e ? e : body_splice_head(t->body, replaced, buf_str(&top));
}

static bool edit_head(struct tx *t, struct reply *r) YIELDS
{
    size_t n = tx_head_octets(t);
    AUTO_BUF mem = {0};
    buf_init(&mem, n + 1);
    str block;
    struct head_facts f;
    if (!tx_head_view(t, &mem, &block)) {
        reply_trouble(r, E_NOMEM);
        return false;
    }
    head_look(block, t->conf->hostname, &f);
    if (!check_head(t, block, &f, r))
        return false;
    t->env.hops = (uint8_t)(f.received < 255 ? f.received : 255);
    t->env.message_id = keep_message_id(t, f.message_id);
    err e = put_head(t, block, &f);
    if (e)
        reply_trouble(r, e);
    return e == OK;
}

static void set_times(struct tx *t)
{
    int64_t life = t->env.sender.n ? t->conf->queue_lifetime : t->conf->queue_report_lifetime;
    t->env.arrived_ms = rt_wall_ms();
    t->env.expires_ms = (t->env.release_ms ? t->env.release_ms : t->env.arrived_ms) + life / RT_MS;
    if ((t->env.by & 127) == BY_RETURN && t->env.by_ms < t->env.expires_ms) /* RFC 2852 4: then it goes back */
        t->env.expires_ms = t->env.by_ms;
}

enum { ALSO = 9, ALSO_MAX = 1000 };

/* The recipients after the first, as far as they are few. */
static str also(const struct envelope *e, struct buf *b)
{
    for (uint32_t i = 1; i < e->nto && i <= ALSO; i++) {
        size_t before = b->n;
        if (before)
            buf_add_c(b, ", ");
        buf_add(b, e->to[i].address);
        if (b->e)
            return str_mem(b->p, before);
    }
    return buf_str(b);
}

static void log_accepted(const struct tx *t)
{
    const struct envelope *e = &t->env;
    SCRATCH char text[ALSO_MAX];
    struct buf more;
    buf_init_fixed(&more, text, sizeof text);
    rt_log(EV_accepted, log_id(e->id), log_num((int64_t)t->source->session), log_str(e->client), log_str(e->helo),
           log_str(e->sender), log_str(e->to[0].address), log_num((int64_t)(e->head_size + e->body_size)),
           log_str(e->message_id),
           log_c(head_with(t->source->esmtp, t->source->lmtp, t->source->tls.n != 0, t->source->authenticated,
                           e->flags & ENV_SMTPUTF8)),
           log_str(e->user), log_num(e->nto), log_str(also(e, &more)));
    for (uint32_t i = 0; i < e->nto; i++)
        if (e->to[i].list.n && !str_eq(e->to[i].list, e->to[i].address))
            rt_log(EV_expanded, log_id(e->id), log_str(e->to[i].list), log_str(e->to[i].address));
    metric_add(M_bytes_in, (int64_t)(e->head_size + e->body_size));
}

/* RFC 4865: every recipient waits for the time of release, also over a new start. */
static err hold_back(struct tx *t, struct spool_group *g, struct rcpt_status **ret)
{
    struct rcpt_status *v = arena_array(&t->arena, t->env.nto, sizeof *v);
    struct retry *r = arena_array(&t->arena, t->env.nto, sizeof *r);
    if (!v || !r)
        return E_NOMEM;
    for (uint32_t i = 0; i < t->env.nto; i++) {
        v[i] = (struct rcpt_status){.state = RCPT_WAITING, .next_ms = t->env.release_ms};
        r[i] = (struct retry){.rcpt = i, .next_ms = t->env.release_ms};
    }
    *ret = v;
    return spool_group_retries(g, t->env.id, r, t->env.nto);
}

/* Which rule did what, and that it waits for an operator. */
static void log_policy(const struct tx *t)
{
    if (t->source->policy)
        policy_noted(t->source->policy, t->env.id);
    if (t->env.flags & ENV_QUARANTINE)
        rt_log(EV_quarantined, log_id(t->env.id), log_str(t->env.sender), log_str(t->env.held_why));
    else if (t->env.flags & ENV_HELD)
        rt_log(EV_held, log_id(t->env.id), log_str(t->env.held_why));
}

/* Durable, then queued: a message that the queue cannot hold now is taken up by the next start. */
static err store(struct tx *t) YIELDS
{
    struct spool_group g;
    spool_group_init(&g);
    struct rcpt_status *state = NULL;
    err e = spool_group_message(&g, &t->env, t->body, t->chunks);
    if (!e && t->env.release_ms && !(t->env.flags & ENV_HELD))
        e = hold_back(t, &g, &state);
    if (!e)
        e = spool_put(intake_rooms.spool, &g);
    spool_group_free(&g);
    if (!e) {
        t->chunks = 0;   /* they belong to the message now */
        log_accepted(t); /* before the queue has it: its first attempt may fail at once */
        if (t->checks)
            checks_log(t->checks, t->env.id);
        log_policy(t);
        if (state)
            queue_accept_as(intake_rooms.queue, &t->env, state);
        else
            queue_accept(intake_rooms.queue, &t->env, t->body);
    }
    return e;
}

err tx_end_line(struct tx *t)
{
    if (!(t->scan.flags & DATA_UNENDED) || t->env.body == BODY_BINARYMIME)
        return OK;
    t->scan.flags &= ~(unsigned)DATA_UNENDED;
    t->scan.size += 2;
    if (t->checks)
        checks_feed(t->checks, S("\r\n"), &t->scan);
    return body_add(t->body, S("\r\n"));
}

/* A message that was discarded gets the same answer. */
static void say_accepted(const struct tx *t, struct reply *r)
{
    char mem[48];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    buf_add(&text, S("Ok: queued as "));
    rt_id_text(&text, t->env.id);
    reply_set_str(r, 250, "2.0.0", buf_str(&text));
}

bool tx_finish(struct tx *t, struct reply *r, bool *ret_gone)
{
    data_in_end(&t->scan);
    if (!tx_body_ok(t, r))
        return false;
    err e = tx_end_line(t);
    if (e) {
        reply_trouble(r, e);
        return false;
    }
    if (t->checks)
        checks_end(t->checks);
    if (!check_text(t, r) || (t->checks && !checks_verdict(t->checks, r)) || !tx_apply(t, r, ret_gone))
        return false;
    set_times(t);
    if (!*ret_gone && !edit_head(t, r))
        return false;
    add_flags(t);
    if (!submit_take(t, r))
        return false;
    if (*ret_gone && t->source->policy)
        policy_noted(t->source->policy, t->env.id);
    if (*ret_gone)
        tx_log_gone(t, true);
    say_accepted(t, r);
    return true;
}

bool tx_keep(struct tx *t, struct reply *r, uint64_t *ret_id)
{
    err e = store(t);
    if (e) {
        reply_trouble(r, e);
        return false;
    }
    if (t->dropped)
        tx_log_gone(t, false);
    *ret_id = t->env.id;
    return true;
}

bool tx_commit(struct tx *t, struct reply *r, uint64_t *ret_id)
{
    bool gone;
    if (!tx_finish(t, r, &gone))
        return false;
    *ret_id = t->env.id;
    return gone || tx_keep(t, r, ret_id);
}
