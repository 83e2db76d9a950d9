/*
 * The files of a Maildir: DATA-DIR/mail/DOMAIN/MAILBOX/{tmp,new,cur}. Everything here blocks and runs on the
 * pool. A file is written and synced in tmp, then linked into new; it counts as delivered when new is synced, which
 * is done once for many files (box_sync). Its name is made of what the spool knows, so that a repeat after a
 * crash meets the first file and delivers nothing twice.
 */
#include "send/maildir.h"
#include "send/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- folders -------------------------------------------------------------------------------------------------- */

/* Mailboxes whose folders are known to be on stable storage, by a hash of their names; a collision costs a sync, and so
 * does every delivery without memory for the table. */
#define KNOWN 4096
static uint64_t *known;
static struct lock known_lock;

static uint64_t box_hash(const struct box *b)
{
    return (str_hash(str_c(b->domain)) * 31 + str_hash(str_c(b->name)) + 2 * b->junk) | 1;
}

static bool is_known(const struct box *b)
{
    uint64_t h = box_hash(b);
    lock_take(&known_lock);
    bool yes = known && known[h % KNOWN] == h;
    lock_drop(&known_lock);
    return yes;
}

static void make_known(const struct box *b)
{
    uint64_t h = box_hash(b);
    lock_take(&known_lock);
    if (!known)
        known = calloc(KNOWN, sizeof *known);
    if (known)
        known[h % KNOWN] = h;
    lock_drop(&known_lock);
}

static err open_folder(int at, const char *name, int *ret)
{
    return rt_fs->open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, ret);
}

static err sync_folder(int at, const char *name)
{
    int fd;
    err e = open_folder(at, name, &fd);
    if (e)
        return e;
    e = rt_fs->sync(fd);
    rt_fs->close(fd);
    return e;
}

/* Opens a folder, making it first when it is missing. What is new, or was made by an attempt that a crash cut short,
 * is synced before anything lies in it. */
static err make_folder(int at, const char *name, bool sync, int *ret)
{
    int fd;
    err e = open_folder(at, name, &fd);
    if (e == E_NOT_FOUND) {
        sync = true;
        e = rt_fs->mkdir(at, name, 0700);
        if (!e || e == E_EXISTS)
            e = open_folder(at, name, &fd);
    }
    if (e)
        return e;
    if (sync && (e = rt_fs->sync(at)))
        rt_fs->close(fd);
    else
        *ret = fd;
    return e;
}

/* *dir, an open mailbox, becomes its folder for what is suspicious. */
static err enter_junk(bool sync, int *dir)
{
    int folder, mark;
    err e = make_folder(*dir, ".Junk", sync, &folder);
    rt_fs->close(*dir);
    *dir = e ? -1 : folder;
    if (!e && rt_fs->open(folder, "maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600, &mark) == OK)
        rt_fs->close(mark);
    return e;
}

err box_open(struct box *b)
{
    static const char *const parts[] = {"tmp", "new", "cur"};
    bool sync = !is_known(b);
    int domain = -1, dir = -1, part;
    if (b->dir >= 0)
        return OK;
    err e = make_folder(send_world.mail_dir, b->domain, sync, &domain);
    if (!e)
        e = make_folder(domain, b->name, sync, &dir);
    if (!e && b->junk)
        e = enter_junk(sync, &dir);
    for (int i = 0; i < 3 && !e; i++) {
        e = make_folder(dir, parts[i], sync && i == 2, &part);
        if (!e)
            rt_fs->close(part);
    }
    if (domain >= 0)
        rt_fs->close(domain);
    if (e) {
        if (dir >= 0)
            rt_fs->close(dir);
        return e;
    }
    make_known(b);
    b->dir = dir;
    return OK;
}

err box_sync(struct box *b)
{
    err e = b->fresh ? sync_folder(b->dir, "new") : OK;
    if (!e && b->moved)
        e = sync_folder(b->dir, "cur");
    b->fresh = b->moved = false;
    return e;
}

void box_close(struct box *b)
{
    if (b->dir >= 0)
        rt_fs->close(b->dir);
    b->dir = -1;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static void path(const struct drop *d, const char *part, char out[DROP_PATH_MAX])
{
    snprintf(out, DROP_PATH_MAX, "%s/%s", part, d->name);
}

struct search {
    str name;
    bool found;
};

static void look(void *arg, const char *name)
{
    struct search *s = arg;
    str have = str_c(name);
    if (str_starts(have, s->name) && (have.n == s->name.n || have.p[s->name.n] == ':' || have.p[s->name.n] == ','))
        s->found = true;
}

/* A reader of mail may have moved the file of an earlier attempt to cur, where its name has flags behind it. */
static bool was_moved(const struct drop *d)
{
    struct search s = {.name = str_c(d->name)};
    return d->repeat && rt_fs->list(d->box->dir, "cur", look, &s) == OK && s.found;
}

static err begin(struct drop *d)
{
    char tmp[DROP_PATH_MAX];
    err e = box_open(d->box);
    if (e)
        return e;
    if (was_moved(d)) {
        d->box->fresh = d->box->moved = true;
        return E_EXISTS;
    }
    path(d, "tmp", tmp);
    rt_fs->unlink(d->box->dir, tmp); /* of an attempt that a crash cut short */
    return rt_fs->open(d->box->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600, &d->file);
}

static err finish(struct drop *d)
{
    char tmp[DROP_PATH_MAX], new[DROP_PATH_MAX];
    path(d, "tmp", tmp);
    path(d, "new", new);
    err e = rt_fs->sync(d->file);
    if (!e)
        e = rt_fs->link(d->box->dir, tmp, d->box->dir, new);
    if (!e || e == E_EXISTS)
        d->box->fresh = true;
    return e;
}

static void end(struct drop *d)
{
    char tmp[DROP_PATH_MAX];
    if (d->file < 0)
        return;
    rt_fs->close(d->file);
    d->file = -1;
    path(d, "tmp", tmp);
    rt_fs->unlink(d->box->dir, tmp);
}

void drop_step(void *arg)
{
    struct drop *d = arg;
    if (d->first && !d->e)
        d->e = begin(d);
    d->first = false;
    if (!d->e && d->out.n)
        d->e = rt_fs->pwritev(d->file, &(struct iovec){d->out.p, d->out.n}, 1, d->written);
    d->written += d->out.n;
    buf_clear(&d->out);
    if (d->last && !d->e)
        d->e = finish(d);
    if (d->last || d->e)
        end(d);
}
