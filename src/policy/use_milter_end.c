/* The end of a message for one milter: header, body, end, and its changes as edits of the pipeline; and the macros. */
#include "policy/use_milter.h"
#include "base/cleanup.h"
#include "wire/head.h"

/* ---- macros ------------------------------------------------------------------------------------------------- */

static str number(struct use_milters *u, uint64_t n)
{
    buf_clear(&u->text);
    buf_add_u64(&u->text, n);
    return buf_str(&u->text);
}

static str ip_of(struct use_milters *u, const struct ip *ip)
{
    buf_clear(&u->text);
    if (!ip->v)
        return S("127.0.0.1");
    ip_print(&u->text, ip);
    return buf_str(&u->text);
}

static str none(void) { return (str){0}; }
static str some(str s) { return s.n ? s : none(); }

static str client_name(struct use_milters *u)
{
    const struct source *s = u->about->source;
    if (u->name.n || s->client_name.n)
        return u->name.n ? u->name : s->client_name;
    if (!s->client.ip.v)
        return S("localhost");
    buf_clear(&u->text);
    buf_add_char(&u->text, '[');
    ip_print(&u->text, &s->client.ip);
    buf_add_char(&u->text, ']');
    return buf_str(&u->text);
}

static str domain_of(str address)
{
    size_t at = str_rfind(address, '@');
    return at == STR_NONE ? none() : str_skip(address, at + 1);
}

static bool ours(const struct use_milters *u, str address)
{
    str d = domain_of(address);
    return !d.n || conf_domain(u->about->conf, d);
}

/* "TLSv1.3 with cipher X" */
static str of_tls(str tls, bool cipher)
{
    static const str between = S_INIT(" with cipher ");
    size_t at = str_search(tls, between);
    if (at == STR_NONE)
        return cipher ? none() : some(tls);
    return cipher ? str_skip(tls, at + between.n) : str_sub(tls, 0, at);
}

static str m_j(struct use_milters *u) { return u->about->conf->hostname; }
static str m_v(struct use_milters *u)
{
    (void)u;
    return S("postrider " POSTRIDER_VERSION);
}
static str m_about(struct use_milters *u) /* `_`: what is known of the client, in one text */
{
    SCRATCH char mem[320];
    str name = client_name(u);
    size_t n = name.n < sizeof mem ? name.n : sizeof mem;
    memcpy(mem, name.p, n);
    bool ip = n && mem[0] == '[';
    const struct ip *of = &u->about->source->client.ip;
    buf_clear(&u->text);
    buf_add(&u->text, str_mem(mem, n));
    if (!ip) {
        buf_add(&u->text, S(" ["));
        if (of->v)
            ip_print(&u->text, of);
        else
            buf_add(&u->text, S("127.0.0.1"));
        buf_add(&u->text, S("]"));
    }
    return buf_str(&u->text);
}
static str m_daemon(struct use_milters *u)
{
    return u->about->source->socket ? S("local") : some(u->about->source->listener);
}
static str m_daemon_addr(struct use_milters *u) { return ip_of(u, &u->about->source->local.ip); }
static str m_daemon_port(struct use_milters *u) { return number(u, u->about->source->local.port); }
static str m_client_addr(struct use_milters *u) { return ip_of(u, &u->about->source->client.ip); }
static str m_client_port(struct use_milters *u) { return number(u, u->about->source->client.port); }
static str m_client_ptr(struct use_milters *u) { return u->name.n ? u->name : S("unknown"); }
static str m_tls_version(struct use_milters *u) { return of_tls(u->about->source->tls, false); }
static str m_cipher(struct use_milters *u) { return of_tls(u->about->source->tls, true); }
static str m_auth_type(struct use_milters *u)
{
    const struct source *s = u->about->source;
    return !s->authenticated ? none() : s->mechanism ? str_c(s->mechanism) : S("XCLIENT");
}
static str m_auth_user(struct use_milters *u)
{
    return u->about->source->authenticated ? u->about->source->user : none();
}
static str m_auth_author(struct use_milters *u) { return u->about->mail ? some(u->about->mail->p.auth) : none(); }
static str sender(struct use_milters *u)
{
    if (u->about->env)
        return u->about->env->sender;
    if (!u->about->mail)
        return S("");
    buf_clear(&u->text);
    addr_print(&u->text, &u->about->mail->from);
    return buf_str(&u->text);
}
static str m_mail_addr(struct use_milters *u)
{
    str s = sender(u);
    return s.n ? s : S("<>");
}
static str m_mail_host(struct use_milters *u) { return domain_of(sender(u)); }
static str m_mail_mailer(struct use_milters *u) { return ours(u, sender(u)) ? S("local") : S("esmtp"); }
/* Of one that was refused, as Sendmail and Postfix have it: mailer "error", its code and text. */
static str m_rcpt_addr(struct use_milters *u)
{
    return u->refusal ? str_mem(u->refusal->text, u->refusal->n) : some(u->rcpt);
}
static str m_rcpt_host(struct use_milters *u) { return u->refusal ? some(str_c(u->refusal->esc)) : domain_of(u->rcpt); }
static str m_rcpt_mailer(struct use_milters *u)
{
    if (u->refusal)
        return S("error");
    return !u->rcpt.n ? none() : ours(u, u->rcpt) ? S("local") : S("esmtp");
}
static str m_id(struct use_milters *u)
{
    if (!u->about->env || !u->about->env->id)
        return none();
    buf_clear(&u->text);
    rt_id_text(&u->text, u->about->env->id);
    return buf_str(&u->text);
}

str use_milter_macro(void *arg, str name)
{
    static const struct {
        str name;
        str (*value)(struct use_milters *u);
    } rows[] = {
        {S_INIT("i"), m_id},
        {S_INIT("j"), m_j},
        {S_INIT("v"), m_v},
        {S_INIT("_"), m_about},
        {S_INIT("daemon_name"), m_daemon},
        {S_INIT("daemon_addr"), m_daemon_addr},
        {S_INIT("daemon_port"), m_daemon_port},
        {S_INIT("if_name"), m_j},
        {S_INIT("if_addr"), m_daemon_addr},
        {S_INIT("client_addr"), m_client_addr},
        {S_INIT("client_name"), client_name},
        {S_INIT("client_port"), m_client_port},
        {S_INIT("client_ptr"), m_client_ptr},
        {S_INIT("tls_version"), m_tls_version},
        {S_INIT("cipher"), m_cipher},
        {S_INIT("auth_type"), m_auth_type},
        {S_INIT("auth_authen"), m_auth_user},
        {S_INIT("auth_author"), m_auth_author},
        {S_INIT("mail_addr"), m_mail_addr},
        {S_INIT("mail_host"), m_mail_host},
        {S_INIT("mail_mailer"), m_mail_mailer},
        {S_INIT("rcpt_addr"), m_rcpt_addr},
        {S_INIT("rcpt_host"), m_rcpt_host},
        {S_INIT("rcpt_mailer"), m_rcpt_mailer},
    };
    struct use_milters *u = arg;
    for (size_t i = 0; u->about && i < sizeof rows / sizeof *rows; i++)
        if (str_eq(rows[i].name, name))
            return rows[i].value(u);
    return none();
}

/* ---- changes -------------------------------------------------------------------------------------------------- */

/* What the filter gave, as edits take it: a blank is put before it as Sendmail does, unless it wants its own. */
static err edit_field(struct policy *p, const struct milter_change *c, const struct milter_edit *what, bool spaces)
{
    static const enum edit_kind kinds[] = {[MILTER_EDIT_ADD] = EDIT_HEADER_ADD,
                                           [MILTER_EDIT_TOP] = EDIT_HEADER_INSERT,
                                           [MILTER_EDIT_INSERT] = EDIT_HEADER_INSERT,
                                           [MILTER_EDIT_CHANGE] = EDIT_HEADER_CHANGE,
                                           [MILTER_EDIT_REMOVE] = EDIT_HEADER_REMOVE};
    AUTO_BUF value;
    buf_init(&value, 2 * c->value.n + 16);
    milter_value(&value, c->value, spaces);
    if (value.e)
        return value.e;
    struct edit e = {.kind = kinds[what->kind], .index = what->index, .name = what->name, .value = buf_str(&value)};
    if (e.kind == EDIT_HEADER_REMOVE)
        e.value = S("");
    return policy_add_edit(p, &e);
}

static err edit_envelope(struct policy *p, const struct milter_change *c)
{
    str address = c->name;
    if (str_starts(address, S("<")) && str_ends(address, S(">")))
        address = str_sub(address, 1, address.n - 1);
    struct edit e = {.value = address, .name = c->value};
    switch (c->said) {
    case MILTER_SAID_SENDER:
        e.kind = EDIT_SENDER;
        break;
    case MILTER_SAID_DELETE_RCPT:
        e.kind = EDIT_RCPT_REMOVE;
        break;
    default:
        e.kind = EDIT_RCPT_ADD;
    }
    return policy_add_edit(p, &e);
}

static bool is_field(const struct milter_change *c)
{
    return c->said == MILTER_SAID_ADD_HEADER || c->said == MILTER_SAID_INSERT_HEADER ||
           c->said == MILTER_SAID_CHANGE_HEADER;
}

static err edit_all(struct policy *p, str head, const struct milter_result *r, bool spaces)
{
    AUTO_ARENA mem = {0};
    struct milter_fields f;
    arena_init(&mem, 4096, 16 << 20);
    err e = r->changes ? milter_fields_begin(&f, &mem, head) : OK;
    for (const struct milter_change *c = r->changes; c && !e; c = c->next) {
        struct milter_edit what = {MILTER_EDIT_NONE, 0, S("")};
        if (!is_field(c)) {
            e = edit_envelope(p, c);
            continue;
        }
        e = milter_fields_apply(&f, c, &what);
        if (!e && what.kind != MILTER_EDIT_NONE)
            e = edit_field(p, c, &what, spaces);
    }
    const struct edit body = {.kind = EDIT_BODY, .body = r->body};
    return e || !r->body ? e : policy_add_edit(p, &body);
}

/* ---- the message ---------------------------------------------------------------------------------------------- */

/* The header block as it is now, with what filters before this one made of it. */
static err head_now(struct policy *p, const struct matter *m, struct buf *out) YIELDS;
static err head_now(struct policy *p, const struct matter *m, struct buf *out)
{
    AUTO_BUF block;
    uint64_t at = 0, end = m->scan->head_done ? m->scan->body_at : m->scan->size;
    buf_init(&block, (size_t)end + 1);
    while (at < end && !block.e) {
        str piece;
        err e = policy_body(p, m, &at, &piece);
        if (e || !piece.n)
            return e ? e : E_CORRUPT;
        buf_add(&block, str_sub(piece, 0, (size_t)end - block.n));
    }
    return block.e ? block.e : policy_edit_head(policy_edits(p), buf_str(&block), NULL, NULL, out);
}

/* Header and body are told; OK, and *said decides when the filter did. */
static err tell(struct policy *p, struct use_milter *x, struct matter *m, str head, struct milter_verdict *said) YIELDS;
static err tell(struct policy *p, struct use_milter *x, struct matter *m, str head, struct milter_verdict *said)
{
    uint64_t at = m->scan->head_done ? m->scan->body_at : m->scan->size;
    err e = milter_head(x->m, head, said);
    while (!e && said->outcome == MILTER_GO_ON && milter_wants_body(x->m)) {
        str piece;
        e = policy_body(p, m, &at, &piece);
        if (e || !piece.n)
            break;
        e = milter_body(x->m, piece, said);
    }
    return e;
}

static bool quarantine(struct policy *p, const struct use_milter *x, const struct milter_result *r, struct verdict *v)
{
    if (!r->quarantine.p || v->kind == VERDICT_QUARANTINE)
        return true;
    v->kind = VERDICT_QUARANTINE;
    v->by = x->by;
    v->why = arena_str(policy_mem(p), r->quarantine);
    return v->why.p != NULL;
}

bool use_milter_end(struct policy *p, struct use_milters *u, struct use_milter *x, struct matter *m, struct verdict *v,
                    bool *ret_ok)
{
    AUTO_BUF head;
    AUTO_ARENA mem = {0};
    SCRATCH struct milter_verdict said;
    SCRATCH struct verdict mine;
    struct milter_result r = {0};
    int64_t most = m->conf->limits_message_size;
    arena_init(&mem, 4096, (size_t)m->conf->limits_header_size * 4 + (1 << 20));
    buf_init(&head, (size_t)m->conf->limits_header_size * 4 + (1 << 20));
    verdict_init(&mine);
    said.outcome = MILTER_GO_ON;
    rt_time begun = rt_now();
    err e = head_now(p, m, &head);
    e = e ? e : tell(p, x, m, buf_str(&head), &said);
    if (!e && said.outcome == MILTER_GO_ON)
        e = milter_eom(x->m, &mem, (uint64_t)most, &r, &said);
    breaker_took(x->breaker, begun);
    bool spaces = milter_leading_space(x->m), on = true;
    e = e ? e : edit_all(p, buf_str(&head), &r, spaces);
    body_drop(&r.body);
    *ret_ok = e != E_NOMEM || milter_failed(x->m);
    if (e && *ret_ok)
        on = use_milter_failed(p, u, x, e, &mine);
    else if (*ret_ok)
        on = use_milter_settled(x, &said, &mine) && (*ret_ok = quarantine(p, x, &r, v));
    if (mine.kind != VERDICT_CONTINUE)
        *v = mine;
    return on;
}
