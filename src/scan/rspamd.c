/* rspamd over HTTP: what is known of a message in header fields, the message as the body, JSON as the answer. */
#include "http/http.h"
#include "scan/peer.h"

#include "base/cleanup.h"

enum { PORT = 11333, CONTROLLER_PORT = 11334, FIELDS_MAX = RSPAMD_RCPTS_MAX + 16, VALUE_MAX = 400 };

struct fields {
    struct arena *a;
    struct http1_field *v;
    size_t n;
};

/* Peers chose these: what cannot stand in a field becomes "?", and the rest of a long one is cut. */
static void add(struct fields *f, str name, str value)
{
    char mem[VALUE_MAX];
    size_t n = value.n < sizeof mem ? value.n : sizeof mem;
    if (!value.n || f->n == FIELDS_MAX)
        return;
    for (size_t i = 0; i < n; i++)
        mem[i] = (unsigned char)value.p[i] < ' ' || value.p[i] == 127 ? '?' : value.p[i];
    value = arena_str(f->a, str_mem(mem, n));
    if (value.p)
        f->v[f->n++] = (struct http1_field){name, value};
}

static bool fill(const struct rspamd_question *q, struct fields *f)
{
    f->v = arena_array(f->a, FIELDS_MAX, sizeof *f->v);
    if (!f->v)
        return false;
    add(f, S("Password"), q->password);
    add(f, S("IP"), q->ip);
    add(f, S("Hostname"), q->hostname);
    add(f, S("Helo"), q->helo);
    add(f, S("From"), q->from);
    add(f, S("User"), q->user);
    add(f, S("Queue-Id"), q->queue_id);
    add(f, S("Deliver-To"), q->deliver_to);
    add(f, S("MTA-Name"), q->mta_name);
    add(f, S("TLS-Version"), q->tls_version);
    for (size_t i = 0; i < q->nrcpts && i < RSPAMD_RCPTS_MAX; i++)
        add(f, S("Rcpt"), q->rcpts[i]);
    return f->a->e == OK;
}

/* One question; the answer's body is in `a`. */
static err ask(const struct rspamd_question *q, str path, uint16_t port, struct arena *a, struct http1_answer *ret,
               struct buf *why) YIELDS;
static err ask(const struct rspamd_question *q, str path, uint16_t port, struct arena *a, struct http1_answer *ret,
               struct buf *why)
{
    AUTO_ARENA mem = {0};
    struct endpoint at;
    struct fields f = {.a = &mem};
    arena_init(&mem, 8192, 512 * 1024);
    if (!endpoint_parse(q->address, port, &at))
        return E_SYNTAX;
    if (!fill(q, &f))
        return E_NOMEM;
    const struct http_question h = {
        .method = "POST",
        .url = {.host = at.local ? S("localhost") : at.host, .port = at.port, .path = path},
        .fields = f.v,
        .nfields = f.n,
        .read = q->octets.read,
        .arg = q->octets.arg,
        .size = q->octets.size,
        .most = RSPAMD_ANSWER_MAX,
        .deadline = q->deadline,
        .private_targets = true,
        .unix_path = at.local ? at.path : NULL,
        .keep = true,
    };
    err e = http_ask(&h, a, ret, why);
    if (!e && ret->status != 200 && why)
        buf_printf(why, "it answered %d " STR_FMT, ret->status, STR_ARG(str_sub(ret->body, 0, 200)));
    return e;
}

err rspamd_ask(const struct rspamd_question *q, struct arena *a, struct rspamd_answer *ret, struct buf *why)
{
    struct http1_answer r;
    err e = ask(q, S("/checkv2"), PORT, a, &r, why);
    if (e)
        return e;
    if (r.status != 200)
        return r.status == 403 || r.status == 401 ? E_DENIED : E_PROTOCOL;
    e = rspamd_read(r.body, a, ret);
    if (e && why)
        buf_add(why, S("its answer is no JSON, or lacks an action"));
    return e;
}

err rspamd_learn(const struct rspamd_question *q, bool spam, struct buf *why)
{
    AUTO_ARENA a = {0};
    struct http1_answer r;
    arena_init(&a, 4096, 2 * RSPAMD_ANSWER_MAX + (1 << 20));
    err e = ask(q, spam ? S("/learnspam") : S("/learnham"), CONTROLLER_PORT, &a, &r, why);
    if (e)
        return e;
    if (r.status == 403 || r.status == 401)
        return E_DENIED;
    /* 208: it has learnt the message before; 204: too short to be learnt */
    return r.status == 200 ? OK : r.status == 208 ? E_EXISTS : E_PROTOCOL;
}
