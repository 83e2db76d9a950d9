/* What a script in the pipeline sees of a session and a message, and how it changes them. */
#include "base/cleanup.h"
#include "check/check.h"
#include "policy/internal.h"
#include "policy/lists.h"
#include "policy/use_script.h"
#include "wire/head.h"

/* ---- values ------------------------------------------------------------------------------------------------------ */

static void text(struct script_value *v, str s)
{
    if (s.n)
        *v = (struct script_value){.kind = SCRIPT_STR, .s = s};
}

static void number(struct script_value *v, double n) { *v = (struct script_value){.kind = SCRIPT_NUM, .n = n}; }
static void yes(struct script_value *v, bool b) { *v = (struct script_value){.kind = SCRIPT_BOOL, .b = b}; }

static void lower(struct arena *mem, struct script_value *v, str s)
{
    char *p = arena_alloc(mem, s.n + 1);
    for (size_t i = 0; p && i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    if (p)
        *v = (struct script_value){.kind = SCRIPT_STR, .s = {p, s.n}};
}

static void domain_of(struct arena *mem, struct script_value *v, str address)
{
    size_t at = str_rfind(address, '@');
    lower(mem, v, at == STR_NONE ? S("") : str_skip(address, at + 1));
}

static str printed(struct arena *mem, const struct addr *a)
{
    char room[ADDR_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, room, sizeof room);
    addr_print(&b, a);
    str s = arena_str(mem, buf_str(&b));
    return s.p ? s : S("");
}

static void of_session(const struct source *s, enum script_field f, struct arena *mem, struct script_value *v)
{
    char room[IP_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, room, sizeof room);
    switch (f) {
    case SCRIPT_session_id:
        buf_add_u64(&b, s->session);
        text(v, arena_str(mem, buf_str(&b)));
        break;
    case SCRIPT_session_ip:
        text(v, s->client_text);
        break;
    case SCRIPT_session_port:
        number(v, s->client.port);
        break;
    case SCRIPT_session_local_ip:
        ip_print(&b, &s->local.ip);
        text(v, arena_str(mem, buf_str(&b)));
        break;
    case SCRIPT_session_local_port:
        number(v, s->local.port);
        break;
    case SCRIPT_session_name:
        text(v, s->client_name);
        break;
    case SCRIPT_session_listener:
        text(v, s->listener);
        break;
    case SCRIPT_session_helo:
        text(v, s->helo);
        break;
    case SCRIPT_session_tls:
        text(v, s->tls);
        break;
    case SCRIPT_session_account:
        text(v, s->account);
        break;
    case SCRIPT_session_user:
        text(v, s->user);
        break;
    default:
        yes(v, f == SCRIPT_session_esmtp           ? s->esmtp
               : f == SCRIPT_session_lmtp          ? s->lmtp
               : f == SCRIPT_session_authenticated ? s->authenticated
               : f == SCRIPT_session_may_relay     ? s->may_relay
               : f == SCRIPT_session_proxied       ? s->proxied
                                                   : s->early);
    }
}

static str sender(const struct matter *m, struct arena *mem, bool *known)
{
    *known = m->mail || m->env;
    if (m->mail)
        return printed(mem, &m->mail->from);
    return m->env ? m->env->sender : S("");
}

static void recipients(const struct envelope *env, struct arena *mem, struct script_value *v)
{
    size_t n = env && env->nto < 10000 ? env->nto : env ? 10000 : 0;
    str *list = arena_array(mem, n + 1, sizeof *list);
    for (size_t i = 0; list && i < n; i++)
        list[i] = env->to[i].address;
    if (list)
        *v = (struct script_value){.kind = SCRIPT_LIST, .v = list, .nv = n};
}

static void of_envelope(const struct matter *m, enum script_field f, struct arena *mem, struct script_value *v)
{
    bool known;
    str from = sender(m, mem, &known);
    struct buf b;
    char id[20];
    buf_init_fixed(&b, id, sizeof id);
    switch (f) {
    case SCRIPT_envelope_id:
        if (m->env && m->env->id)
            rt_id_text(&b, m->env->id);
        text(v, arena_str(mem, buf_str(&b)));
        break;
    case SCRIPT_envelope_sender:
        if (known)
            *v = (struct script_value){.kind = SCRIPT_STR, .s = from};
        break;
    case SCRIPT_envelope_sender_domain:
        if (known)
            domain_of(mem, v, from);
        break;
    case SCRIPT_envelope_recipient:
        text(v, m->to.n || !m->rcpt ? m->to : printed(mem, &m->rcpt->to));
        break;
    case SCRIPT_envelope_recipient_domain:
        if (m->to.n || m->rcpt)
            domain_of(mem, v, m->to.n ? m->to : printed(mem, &m->rcpt->to));
        break;
    case SCRIPT_envelope_recipients:
        recipients(m->env, mem, v);
        break;
    case SCRIPT_envelope_size:
        if (m->mail && m->mail->p.seen & 1u << PARAM_SIZE)
            number(v, (double)m->mail->p.size);
        break;
    case SCRIPT_envelope_smtputf8:
        yes(v, m->mail ? m->mail->p.smtputf8 : m->env && m->env->flags & ENV_SMTPUTF8);
        break;
    case SCRIPT_envelope_server:
        text(v, m->site);
        break;
    default:
        break;
    }
}

static void dkim(const struct check_results *r, enum script_field f, struct arena *mem, struct script_value *v)
{
    str *list = arena_array(mem, r->ndkim + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list && i < r->ndkim; i++)
        if (r->dkim[i].result == CHECK_PASS)
            list[n++] = r->dkim[i].domain;
    if (f == SCRIPT_results_dkim)
        text(v, n ? S("pass") : r->ndkim ? S("fail") : S("none"));
    else if (list)
        *v = (struct script_value){.kind = SCRIPT_LIST, .v = list, .nv = n};
}

static void of_results(const struct matter *m, bool at_end, enum script_field f, struct arena *mem,
                       struct script_value *v)
{
    const struct check_results *r = m->checks;
    if (!r)
        return;
    const struct check_spf *spf = r->mail.done ? &r->mail : &r->helo;
    if (f == SCRIPT_results_spf)
        text(v, spf->done ? str_c(check_result_name(spf->result)) : S(""));
    else if (f == SCRIPT_results_spf_domain)
        text(v, spf->done ? spf->domain : S(""));
    else if (!at_end) /* the others are known when the message is */
        return;
    else if (f == SCRIPT_results_dkim || f == SCRIPT_results_dkim_domains)
        dkim(r, f, mem, v);
    else if (f == SCRIPT_results_dmarc)
        text(v, str_c(check_result_name(r->dmarc.result)));
    else if (f == SCRIPT_results_dmarc_policy)
        text(v, str_c(dmarc_policy_name(r->dmarc.published)));
    else if (f == SCRIPT_results_arc)
        text(v, str_c(check_result_name(r->arc.result)));
    else
        text(v, r->dmarc.from);
}

static void of_message(const struct script_subject *s, enum script_field f, struct arena *mem, struct script_value *v)
{
    const struct matter *m = s->matter;
    if (f == SCRIPT_message_score) {
        number(v, policy_score_now(s->policy));
    } else if (f == SCRIPT_message_size) {
        if (m->scan)
            number(v, (double)m->scan->size);
    } else {
        str id = head_find(s->head, S("Message-ID"));
        char *p = arena_alloc(mem, id.n + 1);
        struct buf b;
        if (!p || !id.p)
            return;
        buf_init_fixed(&b, p, id.n + 1);
        head_unfold(&b, id);
        text(v, buf_str(&b));
    }
}

static void field(void *subject, enum script_field f, struct arena *mem, struct script_value *v)
{
    const struct script_subject *s = subject;
    if (f <= SCRIPT_session_early) {
        if (s->matter->source)
            of_session(s->matter->source, f, mem, v);
    } else if (f <= SCRIPT_envelope_server) {
        of_envelope(s->matter, f, mem, v);
    } else if (f <= SCRIPT_message_score) {
        of_message(s, f, mem, v);
    } else {
        of_results(s->matter, s->matter->octets != NULL, f, mem, v);
    }
}

/* ---- the message ---------------------------------------------------------------------------------------------------
 */

static err head(void *subject, struct buf *out)
{
    const struct script_subject *s = subject;
    if (!s->head.n)
        return E_NOT_FOUND;
    return policy_edit_head(policy_edits(s->policy), s->head, NULL, NULL, out);
}

static err body(void *subject, size_t most, struct buf *out)
{
    const struct script_subject *s = subject;
    if (!s->matter->scan || !s->matter->octets)
        return E_NOT_FOUND;
    uint64_t at = s->matter->scan->head_done ? s->matter->scan->body_at : s->matter->scan->size;
    err e = OK;
    for (str piece; !e && out->n < most;) {
        e = policy_body(s->policy, s->matter, &at, &piece);
        if (e || !piece.n)
            break;
        buf_add(out, str_sub(piece, 0, most - out->n));
        e = out->e;
    }
    return e;
}

/* ---- edits ----------------------------------------------------------------------------------------------------------
 */

/* Any line ends become CRLF, and the last line gets one. */
static err body_of(str in, struct body **ret)
{
    struct body *b = *ret = body_new();
    err e = b ? OK : E_NOMEM;
    while (!e && in.n) {
        size_t n = str_find(in, '\n');
        str line = str_sub(in, 0, n);
        in = str_skip(in, n == STR_NONE ? in.n : n + 1);
        while (str_ends(line, S("\r")))
            line.n--;
        for (size_t i = 0; i < line.n; i++)
            if (line.p[i] == '\r' || !line.p[i])
                e = E_SYNTAX;
        e = e ? e : body_add(b, line);
        e = e ? e : body_add(b, S("\r\n"));
    }
    if (e)
        body_drop(ret);
    return e;
}

static err edit(void *subject, const struct script_edit *x)
{
    static const enum edit_kind kinds[] = {
        [SCRIPT_EDIT_SENDER] = EDIT_SENDER,
        [SCRIPT_EDIT_RCPT_ADD] = EDIT_RCPT_ADD,
        [SCRIPT_EDIT_RCPT_REMOVE] = EDIT_RCPT_REMOVE,
        [SCRIPT_EDIT_HEADER_ADD] = EDIT_HEADER_ADD,
        [SCRIPT_EDIT_HEADER_INSERT] = EDIT_HEADER_INSERT,
        [SCRIPT_EDIT_HEADER_CHANGE] = EDIT_HEADER_CHANGE,
        [SCRIPT_EDIT_HEADER_REMOVE] = EDIT_HEADER_REMOVE,
        [SCRIPT_EDIT_BODY] = EDIT_BODY,
        [SCRIPT_EDIT_TAG] = EDIT_TAG,
        [SCRIPT_EDIT_PRIORITY] = EDIT_CLASS,
        [SCRIPT_EDIT_WAY] = EDIT_WAY,
    };
    static const char *const what[] = {
        [SCRIPT_EDIT_SENDER] = "set sender",
        [SCRIPT_EDIT_RCPT_ADD] = "add recipient",
        [SCRIPT_EDIT_RCPT_REMOVE] = "remove recipient",
        [SCRIPT_EDIT_HEADER_ADD] = "add header",
        [SCRIPT_EDIT_HEADER_INSERT] = "insert header",
        [SCRIPT_EDIT_HEADER_CHANGE] = "change header",
        [SCRIPT_EDIT_HEADER_REMOVE] = "remove header",
        [SCRIPT_EDIT_BODY] = "replace body",
        [SCRIPT_EDIT_TAG] = "tag",
        [SCRIPT_EDIT_PRIORITY] = "class",
        [SCRIPT_EDIT_WAY] = "send by",
    };
    const struct script_subject *s = subject;
    struct edit e = {.kind = kinds[x->kind], .index = x->index, .name = x->name, .value = x->value};
    struct body *b = NULL;
    struct addr a;
    AUTO_ARENA mem = {0};
    arena_init(&mem, 512, 4096);
    char number[4];
    struct buf class;
    buf_init_fixed(&class, number, sizeof number);
    if (x->kind == SCRIPT_EDIT_WAY && !conf_route_named(s->matter->conf, x->value))
        return E_NOT_FOUND;
    if (x->kind == SCRIPT_EDIT_RCPT_REMOVE && !x->value.n)
        e.value = s->matter->to;
    if ((x->kind == SCRIPT_EDIT_RCPT_ADD || x->kind == SCRIPT_EDIT_SENDER) &&
        addr_parse(x->value, ADDR_F_UTF8 | (x->kind == SCRIPT_EDIT_SENDER ? ADDR_F_NULL : 0), &mem, &a))
        return E_SYNTAX;
    err why = x->kind == SCRIPT_EDIT_BODY ? body_of(x->value, &b) : OK;
    e.body = b;
    if (x->kind == SCRIPT_EDIT_BODY)
        e.value = S("");
    why = why ? why : policy_add_edit(s->policy, &e);
    if (x->kind == SCRIPT_EDIT_PRIORITY)
        buf_add_u64(&class, x->index);
    if (!why)
        policy_note(s->policy, s->matter, "script", what[x->kind],
                    class.n    ? buf_str(&class)
                    : e.name.n ? e.name
                               : e.value);
    body_drop(&b);
    return why;
}

static void score(void *subject, double points, str why)
{
    const struct script_subject *s = subject;
    policy_score(s->policy, s->matter, points, "script", why);
}

static bool tag(void *subject, str name, str *ret)
{
    const struct script_subject *s = subject;
    return policy_tag(s->policy, name, ret);
}

static err in_list(void *subject, str list, str key, bool *ret)
{
    const struct script_subject *s = subject;
    struct conf *c = (struct conf *)(uintptr_t)s->matter->conf;
    const struct conf_access *l = NULL;
    struct ip ip;
    rt_time until = rt_after(c->policy_dns_time);
    for (size_t i = 0; i < c->nlists && !l; i++)
        l = str_eq(c->lists[i].title, list) ? &c->lists[i] : NULL;
    if (!l)
        return E_NOT_FOUND;
    if (ip_parse(key, &ip))
        *ret = list_has_ip(c, l, &ip, until);
    else if (!key.n || str_find(key, '@') != STR_NONE)
        *ret = list_has_address(c, l, key, until);
    else
        *ret = list_has_domain(c, l, key, until) || list_has_text(c, l, key, until);
    return OK;
}

static void describe(const struct scan_item *i, struct script_part *x)
{
    x->type = i->declared;
    x->name = i->name;
    x->size = i->size;
    x->found = str_c(scan_type_word(i->type));
    x->inside = i->flags & SCAN_INSIDE;
}

/* Parts and the files in archives, as conditions see them (attachment, attachment type). */
static err parts(void *subject, struct arena *mem, struct script_part **ret, size_t *ret_n)
{
    const struct script_subject *s = subject;
    if (s->policy->phase != PHASE_END)
        return E_NOT_FOUND;
    const struct scan_found *f = content_look(s->policy, s->matter);
    if (!f)
        return E_NOMEM;
    struct script_part *v = arena_array(mem, f->n ? f->n : 1, sizeof *v);
    size_t n = 0;
    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < f->n; i++)
        if (!(f->v[i].flags & SCAN_OTHER_NAME))
            describe(&f->v[i], &v[n++]);
    *ret = v;
    *ret_n = n;
    return OK;
}

const struct script_world use_script_world = {.field = field,
                                              .head = head,
                                              .body = body,
                                              .edit = edit,
                                              .score = score,
                                              .tag = tag,
                                              .in_list = in_list,
                                              .parts = parts};
