/*
 * Delivery into Maildirs: DATA-DIR/mail/DOMAIN/MAILBOX/{tmp,new,cur}. A message counts as delivered when
 * its file and the folder that names it are on stable storage. Its file name is made of what the spool
 * knows (arrival, id, recipient), so that a repeat after a crash meets the first file and delivers nothing
 * twice. Folder names come from the configuration, never from the wire.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "send/internal.h"
#include "wire/addr.h"
#include "wire/head.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 16
#define WRITE_SIZE ((size_t)256 * 1024)

/* One recipient on its way into its mailbox; the pool works on it while the fiber sleeps. */
struct drop {
    str domain, mailbox; /* names of folders, NUL-ended (configuration) */
    char name[160];      /* of the file */
    bool repeat;         /* an earlier attempt may have left the file in cur */
    int folder, file;    /* of the mailbox; of tmp/name */
    struct buf out;      /* what is written next */
    uint64_t written;
    bool first, last, abandon; /* which steps this call takes */
    err e;
};

/* ---- on the pool ------------------------------------------------------------------------------------------ */

static err open_folder(int at, const char *name, int *ret)
{
    return rt_fs->open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, ret);
}

/* Opens a folder, making it first when it is missing; a new name is synced before anything lies in it. */
static err make_folder(int at, const char *name, int *ret)
{
    err e = open_folder(at, name, ret);
    if (e != E_NOT_FOUND)
        return e;
    e = rt_fs->mkdir(at, name, 0700);
    if (e && e != E_EXISTS)
        return e;
    e = rt_fs->sync(at);
    return e ? e : open_folder(at, name, ret);
}

static err open_mailbox(const struct drop *d, int *ret)
{
    int domain = -1, box = -1, sub = -1;
    err e = make_folder(send_world.mail_dir, d->domain.p, &domain);
    if (!e)
        e = make_folder(domain, d->mailbox.p, &box);
    static const char *const parts[] = {"tmp", "new", "cur"};
    for (int i = 0; i < 3 && !e; i++) {
        e = make_folder(box, parts[i], &sub);
        if (!e)
            rt_fs->close(sub);
    }
    if (domain >= 0)
        rt_fs->close(domain);
    if (e && box >= 0)
        rt_fs->close(box);
    else if (!e)
        *ret = box;
    return e;
}

struct search {
    const char *name;
    bool found;
};

static void look(void *arg, const char *name)
{
    struct search *s = arg;
    size_t n = str_c(s->name).n;
    str have = str_c(name);
    if (str_starts(have, str_c(s->name)) && (have.n == n || name[n] == ':' || name[n] == ','))
        s->found = true;
}

/* The message may lie there from an attempt whose result was lost; in cur its name has flags behind it. */
static bool is_there(const struct drop *d)
{
    struct search s = {.name = d->name};
    if (d->repeat) {
        rt_fs->list(d->folder, "new", look, &s);
        rt_fs->list(d->folder, "cur", look, &s);
    }
    return s.found;
}

static void path(const struct drop *d, const char *part, char out[200]) { snprintf(out, 200, "%s/%s", part, d->name); }

static err begin(struct drop *d)
{
    char tmp[200];
    err e = open_mailbox(d, &d->folder);
    if (e)
        return e;
    if (is_there(d))
        return E_EXISTS;
    path(d, "tmp", tmp);
    rt_fs->unlink(d->folder, tmp); /* of an attempt that a crash cut short */
    return rt_fs->open(d->folder, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600, &d->file);
}

static err finish(struct drop *d)
{
    char tmp[200], new[200];
    int folder = -1;
    path(d, "tmp", tmp);
    path(d, "new", new);
    err e = rt_fs->sync(d->file);
    if (!e)
        e = rt_fs->link(d->folder, tmp, d->folder, new);
    rt_fs->unlink(d->folder, tmp);
    if (!e || e == E_EXISTS) {
        err s = open_folder(d->folder, "new", &folder);
        s = s ? s : rt_fs->sync(folder);
        e = s ? s : e;
    }
    if (folder >= 0)
        rt_fs->close(folder);
    return e;
}

static void step(void *arg)
{
    struct drop *d = arg;
    char tmp[200];
    if (d->first && !d->e)
        d->e = begin(d);
    if (!d->e && d->out.n)
        d->e = rt_fs->pwritev(d->file, &(struct iovec){d->out.p, d->out.n}, 1, d->written);
    d->written += d->out.n;
    buf_clear(&d->out);
    if (d->last && !d->e)
        d->e = finish(d);
    else if (d->e && d->file >= 0) {
        path(d, "tmp", tmp);
        rt_fs->unlink(d->folder, tmp);
    }
    d->first = false;
}

/* ---- on the fiber ------------------------------------------------------------------------------------------- */

static err run_step(struct drop *d)
{
    if (d->out.e)
        d->e = d->out.e;
    err e = rt_pool_run(step, d);
    return e ? e : d->e;
}

static void close_drop(struct drop *d)
{
    if (d->file >= 0)
        rt_fs->close(d->file);
    if (d->folder >= 0)
        rt_fs->close(d->folder);
    buf_free(&d->out);
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

/* The whole message through `d`; the head is gathered first, then the body follows piece by piece. */
static err copy_message(struct drop *d, struct spool_reader *r, struct mime *m)
{
    AUTO_BUF head, coded;
    size_t head_size = r->env.head_size;
    buf_init(&head, (size_t)2 << 20);
    buf_init(&coded, (size_t)1 << 24);
    err e = OK;
    bool head_done = false;
    for (bool end = false; !e && !end;) {
        str piece;
        e = spool_read_next(r, &piece);
        end = !e && piece.n == 0;
        if (m && !e) {
            buf_clear(&coded);
            e = end ? mime_convert_end(m, &coded) : mime_convert(m, piece, &coded);
            piece = buf_str(&coded);
        }
        if (e || head_done) {
            e = e ? e : add_lines(d, piece);
            continue;
        }
        buf_add(&head, piece);
        bool blank;
        size_t n = m ? head_len(buf_str(&head), &blank) : head_size;
        if (head.e || (!end && (m ? !blank : head.n < head_size)))
            continue;
        e = add_head(d, str_sub(buf_str(&head), 0, n));
        if (!e)
            e = add_lines(d, str_skip(buf_str(&head), n));
        head_done = true;
    }
    return e ? e : head.e;
}

/* The name of the mailbox as the configuration spells it; p == NULL: there is none. */
static str mailbox_of(const struct conf *c, const struct conf_domain *d, str local)
{
    str base, detail;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < d->mailboxes.n; i++)
            if (str_ieq(d->mailboxes.v[i], local))
                return d->mailboxes.v[i];
        if (str_ieq(local, S("postmaster")))
            return S("postmaster");
        if (!d->subaddress || !addr_detail(local, c->subaddress, &base, &detail))
            break;
        local = base;
    }
    return (str){NULL, 0};
}

static err fill_drop(struct drop *d, const struct conf *c, const struct conf_domain *dom, const struct ticket *t,
                     const struct envelope *env)
{
    struct arena a;
    struct addr to;
    struct buf id, host;
    char id_text[24], host_text[64];
    arena_init(&a, 512, 4096);
    buf_init_fixed(&id, id_text, sizeof id_text);
    buf_init_fixed(&host, host_text, sizeof host_text);
    err e = addr_parse(t->to[0].address, ADDR_F_UTF8 | ADDR_F_LOCAL, &a, &to) ? E_SYNTAX : OK;
    *d = (struct drop){.folder = -1, .file = -1, .first = true, .repeat = !t->mem || t->to[0].attempts};
    buf_init(&d->out, 4 * WRITE_SIZE + ((size_t)64 << 20));
    if (!e) {
        d->domain = dom->title;
        d->mailbox = mailbox_of(c, dom, to.local);
        e = d->mailbox.p ? OK : E_NOT_FOUND;
    }
    rt_id_text(&id, t->id);
    for (size_t i = 0; i < c->hostname.n && i < 60; i++)
        buf_add_char(&host, ascii_alnum(c->hostname.p[i]) || c->hostname.p[i] == '-' ? c->hostname.p[i] : '.');
    snprintf(d->name, sizeof d->name, "%lld.%.*s_%u." STR_FMT, (long long)(env->arrived_ms / 1000), (int)id.n, id.p,
             t->to[0].index, STR_ARG(buf_str(&host)));
    arena_free(&a);
    return e;
}

static void tell(struct ticket *t, const struct drop *d, err e)
{
    if (e == OK || e == E_EXISTS)
        outcome_set(t, -1, FATE_DELIVERED,
                    e ? S("250 2.0.0 was delivered before") : S("250 2.0.0 delivered to the mailbox"), S(""));
    else if (e == E_NOT_FOUND && !d->mailbox.p)
        outcome_set(t, -1, FATE_FAILED, S("550 5.1.1 no such mailbox here"), S(""));
    else if (e == E_UNSUPPORTED)
        outcome_set(t, -1, FATE_FAILED, S("554 5.6.3 a mailbox cannot hold this content, and it cannot be converted"),
                    S(""));
    else
        outcome_set_err(NULL, t, e == E_NOT_FOUND ? E_IO : e, "writing to the mailbox");
}

static void deliver(struct conf *c, const struct conf_domain *dom, struct ticket *t, const char *via)
{
    struct spool_reader r;
    struct drop d;
    struct mime *m = NULL;
    err e = spool_read_open(&r, send_world.spool, t->id, t->mem);
    if (e) {
        outcome_set_err(NULL, t, e == E_NOT_FOUND ? E_CORRUPT : e, "reading the message from the spool");
        return;
    }
    e = fill_drop(&d, c, dom, t, &r.env);
    if (!e && (r.env.flags & (ENV_BARE_EOL | ENV_NUL)))
        e = convert_open(&r, t->id, t->mem, &m);
    if (!e) {
        const struct recipient *rc = &r.env.to[t->to[0].index];
        add_trace(&d, rc->sender.n ? rc->sender : r.env.sender, t->to[0].address);
        e = copy_message(&d, &r, m);
    }
    if (!e || d.file >= 0) {
        d.last = !e;
        d.e = e;
        err s = run_step(&d);
        e = e ? e : s;
    }
    tell(t, &d, e);
    outcome_log(t, r.env.sender, str_c(via), S(""), r.env.arrived_ms);
    close_drop(&d);
    mime_free(&m);
    spool_read_close(&r);
}

void maildir_run(struct lease *l, struct conf *c, const struct route *r)
{
    struct ticket *v[BATCH];
    size_t n;
    while (!fiber_cancelled() && (n = queue_take(l, v, BATCH, rt_after(c->queue_idle_time))) > 0)
        for (size_t i = 0; i < n; i++) {
            fiber_shield(true);
            deliver(c, r->local, v[i], l->key);
            fiber_shield(false);
            queue_done(l, v[i]);
        }
    queue_end(l, OK, S(""));
}
