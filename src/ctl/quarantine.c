/*
 * `quarantine list`, show, release, delete, learn: messages that a rule or filter took in but kept from their
 * recipients. They lie in the queue as held ones that never expire; here they are looked at by message.
 */
#include "base/codec.h"
#include "ctl/internal.h"
#include "directory/directory.h"
#include "http/http.h"
#include "wire/addr.h"
#include "wire/endpoint.h"
#include "wire/head.h"
#include "wire/idn.h"
#include "wire/mime_param.h"

#include <stdlib.h>

enum { SLICE = 64, LEARN_MAX = 64 << 20, LEARN_ANSWER = 64 * 1024 };
#define LEARN_TIME (30 * RT_S)

/* ---- list ---- */

struct ids {
    uint64_t v[SLICE + 1];
    size_t n;
    uint64_t last;
};

static void each_id(void *arg, const struct queue_entry *e)
{
    struct ids *x = arg;
    if (e->id == x->last || x->n == SLICE)
        return;
    x->v[x->n++] = x->last = e->id;
}

struct to_list {
    struct ctl_out *o;
    unsigned n;
};

static void each_to(void *arg, const struct queue_entry *e)
{
    struct to_list *t = arg;
    t->n++;
    if (t->o->json) {
        json_str(t->o, e->address);
    } else {
        buf_add_c(&t->o->b, t->n > 1 ? ", " : "    to ");
        text_safe(&t->o->b, e->address);
    }
}

static void recipients(struct ctl_session *s, uint64_t id)
{
    const struct queue_filter f = {.id = id, .tenant = -1, .held = -1, .quarantine = true};
    struct to_list t = {.o = &s->out};
    uint64_t cursor = 0;
    while (queue_walk(s->rooms->queue, &f, &cursor, 1000, each_to, &t))
        ;
    if (!s->out.json)
        buf_add_char(&s->out.b, '\n');
}

/* The subject as people read it. */
static void subject_of(struct spool_reader *r, struct buf *out) YIELDS;
static void subject_of(struct spool_reader *r, struct buf *out)
{
    AUTO_BUF raw;
    str piece;
    buf_init(&raw, 2000);
    if (spool_read_next(r, &piece) != OK)
        return;
    str value = head_find(str_sub(piece, 0, r->env.head_size), S("Subject"));
    if (!value.p)
        return;
    head_unfold(&raw, str_sub(value, 0, 900));
    mime_words(out, buf_str(&raw));
}

static void row_json(struct ctl_session *s, const struct envelope *e, str subject)
{
    struct ctl_out *o = &s->out;
    json_open(o, '{');
    json_kid(o, "id", e->id);
    json_ktime(o, "arrived", e->arrived_ms);
    json_knum(o, "size", (int64_t)(e->head_size + e->body_size));
    json_kstr(o, "sender", e->sender);
    json_kstr(o, "client", e->client);
    json_kstr(o, "subject", subject);
    json_kstr(o, "why", e->held_why);
    json_kopen(o, "recipients", '[');
    recipients(s, e->id);
    json_close(o, ']');
    json_close(o, '}');
}

static void row_text(struct ctl_session *s, const struct envelope *e, str subject)
{
    struct buf *b = &s->out.b;
    ctl_put_message(b, e->id, e->sender, e->head_size + e->body_size, e->arrived_ms, rt_wall_ms());
    recipients(s, e->id);
    if (subject.n) {
        buf_add_c(b, "    subject ");
        text_safe(b, subject);
        buf_add_char(b, '\n');
    }
    buf_add_c(b, "    why ");
    text_safe(b, e->held_why);
    buf_add_char(b, '\n');
}

static void row(struct ctl_session *s, uint64_t id) YIELDS;
static void row(struct ctl_session *s, uint64_t id)
{
    struct spool_reader r;
    AUTO_BUF subject;
    if (s->args.ids) {
        ctl_put_id(&s->out, id);
        return;
    }
    if (spool_read_open(&r, s->rooms->spool, id, NULL) != OK)
        return; /* it went meanwhile */
    buf_init(&subject, 4000);
    subject_of(&r, &subject);
    if (s->out.json)
        row_json(s, &r.env, buf_str(&subject));
    else
        row_text(s, &r.env, buf_str(&subject));
    spool_read_close(&r);
}

int ctl_quarantine_list(struct ctl_session *s)
{
    struct ids x = {0};
    uint64_t cursor = 0, shown = 0;
    s->args.filter.quarantine = true;
    if (s->out.json)
        json_open(&s->out, '[');
    for (bool more = true; more && (!s->args.limit || shown < s->args.limit);) {
        x.n = 0;
        /* one message at a time passes its recipients: a slice ends behind a whole message */
        more = queue_walk(s->rooms->queue, &s->args.filter, &cursor, SLICE, each_id, &x);
        for (size_t i = 0; i < x.n && (!s->args.limit || shown < s->args.limit); i++, shown++)
            row(s, x.v[i]);
        if (ctl_out_send(&s->out))
            return EXIT_FAIL;
        fiber_yield();
    }
    if (s->out.json) {
        json_end(&s->out, ']');
    } else if (!s->args.ids) {
        ctl_put_count(&s->out.b, shown, "message", "messages");
        buf_add_c(&s->out.b, " in quarantine\n");
    }
    return EXIT_OK;
}

/* ---- show, release, delete ---- */

static void count(void *arg, const struct queue_entry *e)
{
    (void)e;
    ++*(size_t *)arg;
}

static bool is_here(struct ctl_session *s, uint64_t id)
{
    const struct queue_filter f = {.id = id, .tenant = -1, .held = -1, .quarantine = true};
    uint64_t cursor = 0;
    size_t n = 0;
    while (queue_walk(s->rooms->queue, &f, &cursor, 1000, count, &n))
        ;
    return n > 0;
}

static bool want_here(struct ctl_session *s, str word, uint64_t *ret) YIELDS;
static bool want_here(struct ctl_session *s, str word, uint64_t *ret)
{
    if (!ctl_want_id(s, word, ret))
        return false;
    if (is_here(s, *ret))
        return true;
    ctl_fail(s, EXIT_FAIL,
             "postrider: there is no message " STR_FMT " in quarantine; \"postrider why\" tells its story",
             STR_ARG(word));
    return false;
}

int ctl_quarantine_show(struct ctl_session *s)
{
    uint64_t id;
    if (!want_here(s, s->args.word[0], &id))
        return EXIT_FAIL;
    if (!s->args.head && !s->args.message && !s->args.text)
        s->args.parts = true;
    return ctl_show(s);
}

/* As a new message to somebody else; the one in quarantine then goes. Cut off between the two there are both. */
static err send_copy(struct ctl_session *s, uint64_t id, str to, uint64_t *ret_new) YIELDS;
static err send_copy(struct ctl_session *s, uint64_t id, str to, uint64_t *ret_new)
{
    struct spool_reader r;
    struct spool_copy c = {0};
    struct recipient one = {.address = to, .orcpt = S(""), .list = S(""), .sender = S("")};
    err e = spool_read_open(&r, s->rooms->spool, id, NULL);
    if (e)
        return e;
    struct envelope env = r.env;
    struct spool_group *g = arena_new(&s->arena, struct spool_group);
    e = g ? spool_copy_octets(&c, s->rooms->spool, &r) : E_NOMEM;
    env.id = c.id;
    env.flags &= ~(unsigned)(ENV_HELD | ENV_QUARANTINE);
    env.held_why = S("");
    env.to = &one;
    env.nto = 1;
    env.arrived_ms = rt_wall_ms();
    env.expires_ms = env.arrived_ms + 5 * INT64_C(86400000);
    if (!e) {
        spool_group_init(g);
        e = spool_group_message(g, &env, c.body, c.chunks);
        e = e ? e : spool_put(s->rooms->spool, g);
        spool_group_free(g);
    }
    if (!e) {
        rt_log(EV_imported, log_id(env.id), log_id(id), log_str(env.sender), log_str(to),
               log_num((int64_t)(env.head_size + env.body_size)), log_c(s->who));
        queue_accept(s->rooms->queue, &env, c.body);
        *ret_new = env.id;
    }
    spool_copy_free(&c, !e);
    spool_read_close(&r);
    return e;
}

static bool good_address(struct ctl_session *s, str text, str *ret)
{
    char mem[ADDR_TEXT_MAX];
    struct addr a;
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    if (addr_parse(text, ADDR_F_UTF8, &s->arena, &a) || a.kind == ADDR_LOCAL || a.kind == ADDR_NONE)
        return false;
    addr_print(&b, &a);
    *ret = arena_str(&s->arena, buf_str(&b));
    return !b.e && ret->p;
}

/* A mailbox of ours that is not there: the message would be gone from here, and returned to whoever is said to be its
 * sender. Aliases lead nowhere at this point, because recipients were expanded when it came. */
static bool is_there(struct ctl_session *s, str to)
{
    struct conf *c = s->rooms->conf();
    size_t at = str_rfind(to, '@');
    str local = str_sub(to, 0, at), base = local, detail, ascii;
    char name[256];
    bool known = idn_to_ascii(str_skip(to, at + 1), &s->arena, &ascii) == OK;
    const struct conf_domain *d = known ? directory_domain(c, ascii) : NULL;
    bool there = !d || d->hop.how != CONF_TO_MAILDIR || directory_mailbox(d, local, name, sizeof name) ||
                 (d->subaddress && addr_detail(local, c->subaddress, &base, &detail) &&
                  directory_mailbox(d, base, name, sizeof name));
    conf_drop(&c);
    return there;
}

static int release_to(struct ctl_session *s) YIELDS;
static int release_to(struct ctl_session *s)
{
    str to;
    if (!good_address(s, s->args.to, &to))
        return ctl_fail(s, EXIT_USAGE, "postrider: --to: expected an address with a domain");
    if (!s->args.nword)
        return ctl_fail(s, EXIT_USAGE, "postrider: --to: expected message ids beside it");
    if (!is_there(s, to))
        return ctl_fail(s, EXIT_FAIL, "postrider: --to: there is no mailbox " STR_FMT " (an alias will not do)",
                        STR_ARG(to));
    int status = EXIT_OK;
    for (size_t i = 0; i < s->args.nword; i++) {
        uint64_t id, as = 0;
        if (!want_here(s, s->args.word[i], &id)) {
            status = EXIT_FAIL;
            continue;
        }
        err e = s->args.dry_run ? OK : send_copy(s, id, to, &as);
        if (e) {
            status = ctl_fail(s, EXIT_FAIL, "postrider: the message cannot be sent again: %s", err_text(e));
            continue;
        }
        if (!s->args.dry_run) {
            str who = arena_printf(&s->arena, "%s: released to " STR_FMT, s->who, STR_ARG(to));
            queue_act(s->rooms->queue, QUEUE_REMOVE, id, UINT32_MAX, who.p ? who : str_c(s->who));
        }
        if (s->out.json) {
            json_open(&s->out, '{');
            json_kid(&s->out, "id", id);
            json_kid(&s->out, "as", as);
            json_kstr(&s->out, "to", to);
            json_end(&s->out, '}');
        } else {
            rt_id_text(&s->out.b, id);
            buf_add_c(&s->out.b, s->args.dry_run ? " would be sent to " : " is on its way to ");
            text_safe(&s->out.b, to);
            if (as) {
                buf_add_c(&s->out.b, " as ");
                rt_id_text(&s->out.b, as);
            }
            buf_add_char(&s->out.b, '\n');
        }
    }
    return status;
}

int ctl_quarantine_release(struct ctl_session *s)
{
    s->args.filter.quarantine = true;
    if (s->args.to.n)
        return release_to(s);
    if (s->args.all) { /* of the quarantine, not of the queue */
        s->args.all = false;
        s->args.filtered = true;
    }
    return ctl_release(s);
}

int ctl_quarantine_delete(struct ctl_session *s)
{
    s->args.filter.quarantine = true;
    if (s->args.all) {
        s->args.all = false;
        s->args.filtered = true;
    }
    return ctl_remove(s);
}

/* ---- learn ---- */

static err read_all(struct ctl_session *s, uint64_t id, struct buf *out) YIELDS;
static err read_all(struct ctl_session *s, uint64_t id, struct buf *out)
{
    struct spool_reader r;
    err e = spool_read_open(&r, s->rooms->spool, id, NULL);
    if (e)
        return e;
    uint64_t left = r.env.head_size + r.env.body_size;
    while (!e && left) {
        str piece;
        e = spool_read_next(&r, &piece);
        if (e || !piece.n)
            break;
        buf_add(out, str_sub(piece, 0, left));
        left -= piece.n < left ? piece.n : left;
        e = out->e;
    }
    spool_read_close(&r);
    return e;
}

/* The URL of a question to rspamd's controller. */
static str controller(struct ctl_session *s, const struct conf *c, const char *what)
{
    enum { PORT = 11334 };
    struct endpoint at = {.local = true};
    bool own = c->rspamd_controller.n > 0;
    str text = own ? c->rspamd_controller : c->rspamd;
    if (!text.n || !endpoint_parse(text, PORT, &at) || at.local)
        at = (struct endpoint){.host = S("127.0.0.1"), .port = PORT};
    bool v6 = str_find(at.host, ':') != STR_NONE;
    return arena_printf(&s->arena, "http://%s" STR_FMT "%s:%u/%s", v6 ? "[" : "", STR_ARG(at.host), v6 ? "]" : "",
                        own ? at.port : PORT, what);
}

static err learn(struct ctl_session *s, const struct conf *c, uint64_t id, bool spam, struct buf *why) YIELDS;
static err learn(struct ctl_session *s, const struct conf *c, uint64_t id, bool spam, struct buf *why)
{
    AUTO_BUF message;
    AUTO_ARENA mem = {0};
    struct http1_answer got = {0};
    str password = str_trim(conf_file_text(c, c->rspamd_password_file));
    str url = controller(s, c, spam ? "learnspam" : "learnham");
    const struct http1_field field = {.name = S("Password"), .value = password};
    struct http_question q = {.method = "POST",
                              .fields = &field,
                              .nfields = password.n ? 1 : 0,
                              .most = LEARN_ANSWER,
                              .deadline = rt_after(LEARN_TIME),
                              .private_targets = true};
    buf_init(&message, LEARN_MAX);
    arena_init(&mem, 4096, 4 * LEARN_ANSWER);
    if (!url.p || !http_url_parse(url, &q.url)) {
        buf_add_c(why, "rspamd.controller is not host:port");
        return E_SYNTAX;
    }
    err e = read_all(s, id, &message);
    q.body = buf_str(&message);
    e = e ? e : http_ask(&q, &mem, &got, why);
    if (!e && got.status != 200 && got.status != 204 && got.status != 208) { /* 208: it knows it already */
        buf_printf(why, "rspamd answers %d: ", got.status);
        text_safe(why, str_sub(got.body, 0, 200));
        return E_PROTOCOL;
    }
    return e;
}

int ctl_quarantine_learn(struct ctl_session *s)
{
    bool spam = str_eq(s->args.word[0], S("spam"));
    int status = EXIT_OK;
    if (!spam && !str_eq(s->args.word[0], S("ham")))
        return ctl_fail(s, EXIT_USAGE, "postrider: quarantine learn: expected spam or ham, and message ids");
    struct conf *c = s->rooms->conf();
    for (size_t i = 1; i < s->args.nword; i++) {
        uint64_t id;
        AUTO_BUF why;
        buf_init(&why, 1000);
        if (!want_here(s, s->args.word[i], &id)) {
            status = EXIT_FAIL;
            continue;
        }
        err e = learn(s, c, id, spam, &why);
        if (e) {
            status = ctl_fail(s, EXIT_FAIL, "postrider: rspamd did not learn it: %s: " STR_FMT, err_text(e),
                              STR_ARG(buf_str(&why)));
            continue;
        }
        rt_log(EV_learned, log_id(id), log_str(s->args.word[0]), log_c(s->who));
        if (s->out.json) {
            json_open(&s->out, '{');
            json_kid(&s->out, "id", id);
            json_kstr(&s->out, "learned", s->args.word[0]);
            json_end(&s->out, '}');
        } else {
            rt_id_text(&s->out.b, id);
            buf_printf(&s->out.b, " was learned as %s\n", spam ? "spam" : "ham");
        }
    }
    conf_drop(&c);
    return status;
}
