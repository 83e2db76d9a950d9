/*
 * Delivery into Maildirs: from tickets to files. The fiber reads the message and puts it into its outgoing form
 * (LF line ends, Return-Path, Delivered-To); the pool writes. Tickets go back when the folder that names their
 * files is on stable storage, for a whole batch at once.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "directory/directory.h"
#include "send/internal.h"
#include "send/maildir.h"
#include "wire/addr.h"
#include "wire/head.h"

#include <stdlib.h>

#define BATCH 16
#define WRITE_SIZE ((size_t)256 * 1024)
#define HEAD_MOST ((size_t)4 << 20) /* of a header block that a conversion made */

struct item { /* one ticket of a batch */
    struct ticket *ticket;
    struct box *box; /* that must be synced before it counts; NULL: its fate is known */
    str sender;
    int64_t arrived_ms;
    bool before; /* delivered by an earlier attempt */
};

struct mill { /* what a lease of a maildir site works with */
    struct lease *lease;
    struct conf *conf;
    const struct conf_domain *domain;
    struct box boxes[BATCH];
    struct item items[BATCH];
    size_t nboxes, n;
};

/* ---- the outgoing form -------------------------------------------------------------------------------------- */

static err run_step(struct drop *d)
{
    err e = rt_pool_run(drop_step, d);
    if (e && !d->e)
        d->e = e == E_LIMIT ? E_AGAIN : e;
    return d->e;
}

/* Maildirs hold lines that end in LF. */
static err add_lines(struct drop *d, str s)
{
    while (s.n) {
        size_t at = str_find(s, '\r');
        if (at == STR_NONE)
            at = s.n;
        bool pair = at + 1 < s.n && s.p[at + 1] == '\n';
        buf_add(&d->out, str_sub(s, 0, at));
        if (at < s.n && !pair && at + 1 < s.n)
            buf_add_char(&d->out, '\r'); /* a bare CR; one at the very end belongs to the next piece's LF */
        s = str_skip(s, at + 1);
    }
    return d->out.n >= WRITE_SIZE ? run_step(d) : d->out.e;
}

static void add_trace(struct drop *d, str sender, str address)
{
    buf_printf(&d->out, "Return-Path: <" STR_FMT ">\n", STR_ARG(sender));
    buf_printf(&d->out, "Delivered-To: " STR_FMT "\n", STR_ARG(address));
}

/* The header block without Return-Path fields of others (RFC 5321 4.4). */
static err add_head(struct drop *d, str block)
{
    struct head_field f;
    str rest = block;
    err e = OK;
    while (!e && head_next(&rest, &f))
        if (!str_ieq(f.name, S("Return-Path")))
            e = add_lines(d, f.raw);
    return e ? e : add_lines(d, rest);
}

struct form { /* where the copying of a message stands */
    struct drop *drop;
    struct mime *mime; /* NULL: as stored */
    struct buf head;   /* gathered until it is whole */
    size_t head_size;  /* as stored */
    bool head_done;
};

/* The head is gathered first, then the body follows piece by piece. */
static err add_piece(struct form *f, str piece, bool end)
{
    if (f->head_done)
        return add_lines(f->drop, piece);
    bool blank = false;
    buf_add(&f->head, piece);
    size_t n = f->mime ? head_len(buf_str(&f->head), &blank) : f->head_size;
    if (f->head.e || (!end && (f->mime ? !blank : f->head.n < n)))
        return f->head.e;
    f->head_done = true;
    err e = add_head(f->drop, str_sub(buf_str(&f->head), 0, n));
    return e ? e : add_lines(f->drop, str_skip(buf_str(&f->head), n));
}

static err copy_message(struct drop *d, struct spool_reader *r, struct mime *m)
{
    AUTO_BUF coded;
    struct form f = {.drop = d, .mime = m, .head_size = r->env.head_size};
    uint64_t left = r->env.head_size + r->env.body_size;
    buf_init(&f.head, HEAD_MOST);
    buf_init(&coded, (size_t)1 << 24);
    err e = OK;
    for (bool end = false; !e && !end;) {
        str piece;
        e = spool_read_next(r, &piece);
        end = !e && piece.n == 0;
        if (!e && (end ? left : piece.n > left))
            e = E_CORRUPT;
        left -= e ? 0 : piece.n;
        if (m && !e) {
            buf_clear(&coded);
            e = end ? mime_convert_end(m, &coded) : mime_convert(m, piece, &coded);
            piece = buf_str(&coded);
        }
        if (!e)
            e = add_piece(&f, piece, end);
    }
    buf_free(&f.head);
    return e;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

/* The mailbox as the configuration or the directory spells it; false: there is none. */
static bool mailbox_of(const struct mill *m, str local, char *ret, size_t size)
{
    str base, detail;
    if (directory_mailbox(m->domain, local, ret, size))
        return true;
    return m->domain->subaddress && addr_detail(local, m->conf->subaddress, &base, &detail) &&
           directory_mailbox(m->domain, base, ret, size);
}

/* The box of that name in this batch; E_LIMIT, E_NOMEM. */
static struct box *box_of(struct mill *m, str name, bool junk)
{
    for (size_t i = 0; i < m->nboxes; i++)
        if (str_eq(str_c(m->boxes[i].name), name) && m->boxes[i].junk == junk)
            return &m->boxes[i];
    struct box *b = &m->boxes[m->nboxes];
    *b = (struct box){.dir = -1, .junk = junk};
    if (!str_to_c(m->domain->title, b->domain, sizeof b->domain) || !str_to_c(name, b->name, sizeof b->name))
        return NULL;
    m->nboxes++;
    return b;
}

/* seconds.id_recipient.host: the same for every attempt. */
static void name_file(const struct mill *m, const struct ticket *t, int64_t arrived_ms, char out[DROP_NAME_MAX])
{
    struct buf b;
    buf_init_fixed(&b, out, DROP_NAME_MAX - 1);
    buf_printf(&b, "%lld.", (long long)(arrived_ms / 1000));
    rt_id_text(&b, t->id);
    buf_printf(&b, "_%u.", t->to[0].index);
    for (size_t i = 0; i < m->conf->hostname.n && i < 60; i++) {
        char c = m->conf->hostname.p[i];
        buf_add_char(&b, ascii_alnum(c) || c == '-' ? c : '.');
    }
    out[b.n] = 0;
}

/* E_NOT_FOUND: no such mailbox. */
static err find_box(struct mill *m, const struct ticket *t, bool junk, struct box **ret)
{
    AUTO_ARENA a = {0};
    struct addr to;
    char name[ADDR_LOCAL_MAX + 1];
    arena_init(&a, 512, 4096);
    if (addr_parse(t->to[0].address, ADDR_F_UTF8 | ADDR_F_UNDERSCORE, &a, &to) ||
        !mailbox_of(m, to.local, name, sizeof name))
        return E_NOT_FOUND;
    *ret = box_of(m, str_c(name), junk);
    return *ret ? OK : E_UNKNOWN;
}

/* ---- one message ------------------------------------------------------------------------------------------------ */

static void fail(struct item *it, err e)
{
    struct finding v = finding_of_err(it->ticket, e, "writing to the mailbox", S(""));
    finding_give_all(&v, it->ticket);
}

static void refuse(struct item *it, str text)
{
    struct finding v = finding_of(it->ticket, FATE_FAILED, text, S(""));
    finding_give_all(&v, it->ticket);
}

/* Into the file; OK and E_EXISTS: the box must be synced. */
static err write_file(struct mill *m, struct item *it, struct spool_reader *r, struct mime *mime, struct box *b)
{
    struct ticket *t = it->ticket;
    const struct recipient *rc = &r->env.to[t->to[0].index];
    struct drop d = {.box = b, .file = -1, .first = true, .repeat = !t->mem || t->to[0].attempts};
    name_file(m, t, r->env.arrived_ms, d.name);
    buf_init(&d.out, 4 * WRITE_SIZE + ((size_t)64 << 20));
    add_trace(&d, rc->sender.n ? rc->sender : r->env.sender, t->to[0].address);
    err e = copy_message(&d, r, mime);
    d.e = d.e ? d.e : e;
    d.last = !d.e;
    if (!d.e)
        run_step(&d);
    if (d.file >= 0 && rt_pool_run(drop_step, &d)) /* it failed: the file goes */
        drop_step(&d);
    buf_free(&d.out);
    return d.e;
}

static void carry(struct mill *m, struct item *it, struct spool_reader *r)
{
    struct mime *mime = NULL;
    struct mime_info info;
    struct box *b;
    err e = find_box(m, it->ticket, r->env.flags & ENV_JUNK, &b);
    if (e == E_NOT_FOUND) {
        refuse(it, S("550 5.1.1 no such mailbox here"));
        return;
    }
    if (!e && (r->env.flags & (ENV_BARE_EOL | ENV_NUL))) {
        e = convert_open(r, it->ticket->id, it->ticket->mem, &mime, &info);
        if (err_is_perm(e)) {
            refuse(it, S("554 5.6.3 a mailbox cannot hold this content, and it cannot be converted"));
            return;
        }
    }
    if (!e)
        e = write_file(m, it, r, mime, b);
    mime_free(&mime);
    it->before = e == E_EXISTS;
    if (!e || e == E_EXISTS)
        it->box = b;
    else
        fail(it, e);
}

static void deliver(struct mill *m, struct item *it)
{
    struct spool_reader r;
    struct ticket *t = it->ticket;
    err e = spool_read_open(&r, send_world.spool, t->id, t->mem);
    it->arrived_ms = rt_wall_ms();
    if (e) {
        fail(it, e == E_NOT_FOUND ? E_CORRUPT : e);
        return;
    }
    it->sender = arena_str(&t->arena, r.env.sender);
    it->arrived_ms = r.env.arrived_ms;
    if (send_judge(m->conf, t, &r.env, str_c(m->lease->key), true))
        carry(m, it, &r);
    spool_read_close(&r);
}

/* ---- batches ------------------------------------------------------------------------------------------------------
 */

static void end_boxes(void *arg)
{
    struct mill *m = arg;
    for (size_t i = 0; i < m->nboxes; i++) {
        m->boxes[i].e = m->boxes[i].dir >= 0 ? box_sync(&m->boxes[i]) : OK;
        box_close(&m->boxes[i]);
    }
}

static void settle(struct mill *m, struct item *it, err e)
{
    struct ticket *t = it->ticket;
    if (it->box && (e || it->box->e)) {
        fail(it, e ? e : it->box->e);
    } else if (it->box) {
        struct finding v = finding_of(
            t, FATE_RELAYED, it->before ? S("250 2.0.0 was delivered before") : S("250 2.0.0 delivered to the mailbox"),
            S(""));
        finding_give_all(&v, t);
    }
    outcome_log(t, it->sender, str_c(m->lease->key), S(""), it->arrived_ms);
    queue_done(m->lease, t);
}

static void run_batch(struct mill *m, struct ticket **v, size_t n)
{
    m->n = m->nboxes = 0;
    for (size_t i = 0; i < n; i++) {
        if (fiber_cancelled()) { /* the rest as if never taken */
            queue_done(m->lease, v[i]);
            continue;
        }
        struct item *it = &m->items[m->n++];
        *it = (struct item){.ticket = v[i]};
        fiber_shield(true);
        deliver(m, it);
        fiber_shield(false);
    }
    err e = m->nboxes ? rt_pool_run(end_boxes, m) : OK;
    for (size_t i = 0; i < m->nboxes && e; i++) /* it did not run: closed here, which blocks for a moment */
        box_close(&m->boxes[i]);
    for (size_t i = 0; i < m->n; i++)
        settle(m, &m->items[i], e);
}

void maildir_run(struct lease *l, struct conf *c, const struct route *r)
{
    struct ticket *v[BATCH];
    struct mill *m = calloc(1, sizeof *m);
    if (!m) {
        queue_end(l, E_NOMEM, S(""));
        return;
    }
    m->lease = l;
    m->conf = c;
    m->domain = r->local;
    for (size_t n; !fiber_cancelled() && (n = queue_take(l, v, BATCH, rt_after(c->queue_idle_time))) > 0;)
        run_batch(m, v, n);
    free(m);
    queue_end(l, OK, S(""));
}
