/*
 * A message that we signed and that leaves in another form: what is stored does not fit the signature any more, so the
 * converted message gets its own in place of ours. Two more passes over it, and only where a server cannot take eight
 * bits. Likewise one that waited until half of the time is over for which its signatures are valid (x=): up to then
 * every attempt sends those that were made when it came.
 */
#include "base/cleanup.h"
#include "intake/sign.h"
#include "keys/keys.h"
#include "send/internal.h"
#include "wire/dkim.h"

enum { HEAD_MAX = 4 << 20, TOP_MAX = 1 << 20 };

struct pass {
    struct buf head; /* of the converted message, its empty line included */
    bool head_done;
    struct check_body *body;
};

/* The header block grows until its empty line is there; the rest is body. */
static err take(struct pass *x, str piece)
{
    bool blank;
    if (x->head_done) {
        check_body_feed(x->body, piece);
        return OK;
    }
    buf_add(&x->head, piece);
    size_t n = head_len(buf_str(&x->head), &blank);
    if (x->head.e || !blank)
        return x->head.e;
    check_body_feed(x->body, str_skip(buf_str(&x->head), n));
    x->head.n = n;
    x->head_done = true;
    return OK;
}

static err convert_all(struct trans *j, struct pass *x) YIELDS
{
    AUTO_BUF out = {.max = (size_t)1 << 24};
    for (;;) {
        str piece;
        err e = spool_read_next(&j->reader, &piece);
        bool end = !e && piece.n == 0;
        if (!e && !j->mime)
            buf_add(&out, piece);
        else if (!e)
            e = end ? mime_convert_end(j->mime, &out) : mime_convert(j->mime, piece, &out);
        e = e ? e : out.e;
        e = e ? e : take(x, buf_str(&out));
        if (e || end)
            return e;
        buf_clear(&out);
    }
}

static bool is_ours(const struct conf *c, const struct head_field *f)
{
    struct dkim_sig s;
    AUTO_ARENA mem = {0};
    bool ours = false;
    if (!str_ieq(f->name, S("DKIM-Signature")))
        return false;
    arena_init(&mem, 4096, 65536);
    if (!dkim_sig_parse(f->value, DKIM_SIGNATURE, &mem, &s))
        for (size_t i = 0; i < c->ndkims && !ours; i++)
            ours = str_ieq(s.key_name, c->dkims[i].title);
    return ours || (s.key_name.n && keys_known(s.key_name));
}

/* The converted header without the signatures at its top that are ours and no longer true. */
static str without_ours(const struct conf *c, str head)
{
    struct head_field f;
    str rest = head;
    while (head_next(&rest, &f) && is_ours(c, &f))
        head = rest;
    return head;
}

bool resign_due(const struct conf *c, const struct envelope *env)
{
    int64_t age_s = (rt_wall_ms() - env->arrived_ms) / 1000;
    bool due = false;
    for (size_t i = 0; i < c->ndkims && (env->flags & ENV_SIGNED); i++)
        due = due || (c->dkims[i].expire && age_s >= c->dkims[i].expire / RT_S / 2);
    return due;
}

err resign(struct peer *p, struct trans *j)
{
    const struct sign_who w = {.now_s = rt_wall_ms() / 1000};
    struct pass x = {.head = {.max = HEAD_MAX}};
    struct mime_info info;
    err e = sign_begin(p->conf, &x.body);
    if (e || !x.body)
        return e;
    e = convert_all(j, &x);
    str head = without_ours(p->conf, buf_str(&x.head));
    buf_init(&j->top, TOP_MAX + HEAD_MAX);
    if (!e && x.head_done)
        e = sign_head(p->conf, &w, head, x.body, &j->top);
    buf_add(&j->top, head);
    j->skip = x.head_done ? x.head.n : 0;
    if (!x.head_done)
        buf_free(&j->top);
    e = e ? e : j->top.e;
    bool converted = j->mime != NULL;
    mime_free(&j->mime); /* from the beginning again, to be sent this time */
    spool_read_close(&j->reader);
    err again = spool_read_open(&j->reader, send_world.spool, j->ticket->id, j->ticket->mem);
    e = e ? e : again == E_NOT_FOUND ? E_CORRUPT : again;
    if (!e && converted)
        e = convert_open(&j->reader, j->ticket->id, j->ticket->mem, &j->mime, &info);
    buf_free(&x.head);
    check_body_free(&x.body);
    return e;
}
