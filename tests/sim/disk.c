/*
 * Disks: a small file system with a write-back cache. What was written is seen at once but survives the loss of
 * power only when it was synced; of the rest any sectors may survive, one of them torn. Names are durable when
 * their folder was synced; of later changes to names the first few survive. A disk may be full, or fail.
 */
#include "sim.h"

#include <fcntl.h>
#include <stdio.h>

enum { PAGE = 4096, SECTOR = 512, FD0 = 10000, FDS = 2048, NAME = 96, TROUBLES = 64 };

struct page {
    char *now, *safe; /* NULL: zeros; the same when nothing is unsynced */
    bool dirty;
};
struct name {
    char name[NAME];
    int inode;
};
struct names {
    struct name *v;
    int n, cap;
};
struct inode {
    bool folder, locked;
    struct page *page;
    size_t npages;
    uint64_t size, safe_size;
    uint32_t *dirty;
    size_t ndirty, dirty_cap;
    struct names now, safe;
    int links; /* names in `now` */
};
struct change { /* `name` in `folder` means inode from now on; -1: nothing */
    int folder, inode;
    bool joined; /* one step with the change before */
    char name[NAME];
};
struct disk {
    struct inode *inode;
    int ninodes, cap;
    struct change *change;
    int nchanges, changes_cap;
    uint64_t used, limit; /* limit 0: none */
    unsigned errors;      /* per mille */
    struct {
        rt_time from, until; /* until: RT_NEVER while it lasts */
    } trouble[TROUBLES];
    int ntroubles;
    bool slow;
};
static struct {
    struct disk *disk;
    int inode;
} fds[FDS] OWN;

/* ---- names ------------------------------------------------------------------------------------------------------ */

static int names_find(const struct names *v, str name)
{
    for (int i = 0; i < v->n; i++)
        if (str_eq(str_c(v->v[i].name), name))
            return i;
    return -1;
}

static void names_set(struct names *v, str name, int inode)
{
    int i = names_find(v, name);
    if (inode < 0) {
        if (i >= 0)
            v->v[i] = v->v[--v->n];
        return;
    }
    if (i < 0) {
        if (v->n == v->cap)
            v->v = own_grow(v->v, (size_t)(v->cap = v->cap ? 2 * v->cap : 8) * sizeof *v->v);
        i = v->n++;
        str_to_c(name, v->v[i].name, NAME);
    }
    v->v[i].inode = inode;
}

static void names_copy(struct names *to, const struct names *from)
{
    if (to->cap < from->n)
        to->v = own_grow(to->v, (size_t)(to->cap = from->n) * sizeof *to->v);
    if (from->n)
        memcpy(to->v, from->v, (size_t)from->n * sizeof *to->v);
    to->n = from->n;
}

static int inode_new(struct disk *d, bool folder)
{
    if (d->ninodes == d->cap)
        d->inode = own_grow(d->inode, (size_t)(d->cap = d->cap ? 2 * d->cap : 64) * sizeof *d->inode);
    d->inode[d->ninodes] = (struct inode){.folder = folder};
    return d->ninodes++;
}

static void set_name(struct disk *d, int folder, str name, int inode, bool joined)
{
    struct names *v = &d->inode[folder].now;
    int i = names_find(v, name);
    if (i >= 0) {
        struct inode *old = &d->inode[v->v[i].inode];
        if (--old->links == 0)
            d->used -= old->size;
    }
    names_set(v, name, inode);
    if (inode >= 0 && d->inode[inode].links++ == 0)
        d->used += d->inode[inode].size;
    if (d->nchanges == d->changes_cap)
        d->change = own_grow(d->change,
                             (size_t)(d->changes_cap = d->changes_cap ? 2 * d->changes_cap : 64) * sizeof *d->change);
    struct change *c = &d->change[d->nchanges++];
    *c = (struct change){.folder = folder, .inode = inode, .joined = joined};
    str_to_c(name, c->name, NAME);
}

static void settle_names(struct disk *d, int n)
{
    while (n < d->nchanges && d->change[n].joined)
        n++;
    for (int i = 0; i < n; i++)
        names_set(&d->inode[d->change[i].folder].safe, str_c(d->change[i].name), d->change[i].inode);
    memmove(d->change, d->change + n, (size_t)(d->nchanges - n) * sizeof *d->change);
    d->nchanges -= n;
}

/* The folder that `path` lies in, and the last part of it ("": the folder itself). -1: there is none. */
static int walk(struct disk *d, int at, const char *path, str *ret_last)
{
    str rest = str_c(path), part;
    *ret_last = S("");
    while (str_cut(&rest, '/', &part)) {
        if (ret_last->n) {
            int i = names_find(&d->inode[at].now, *ret_last);
            if (i < 0 || !d->inode[d->inode[at].now.v[i].inode].folder)
                return -1;
            at = d->inode[at].now.v[i].inode;
            *ret_last = S("");
        }
        if (part.n && !str_eq(part, S(".")))
            *ret_last = part;
    }
    return at;
}

static int look_up(struct disk *d, int at, str last)
{
    if (!last.n)
        return at;
    int i = names_find(&d->inode[at].now, last);
    return i < 0 ? -1 : d->inode[at].now.v[i].inode;
}

/* ---- steps: where crashes and faults happen ------------------------------------------------------------------------
 */

static struct disk *disk_of(int fd) { return fds[fd - FD0].disk; }
static struct inode *file_of(int fd) { return &fds[fd - FD0].disk->inode[fds[fd - FD0].inode]; }

/* A thread that may wait for its disk does. */
static void take_time(struct disk *d, rt_time most)
{
    if (sim.running && !sim.running->loop)
        actor_pause((rt_time)sim_below((uint64_t)most * (d->slow ? 10 : 1)));
}

/* True: the node crashes in the middle of this step. */
static bool step(void)
{
    struct node *n = sim.running ? sim.running->node : NULL;
    return n && ++n->steps == n->crash_at_step;
}

static err fault(struct disk *d)
{
    bool bad = d->errors && sim_below(1000) < d->errors;
    if (bad)
        trace("%s: the disk fails", sim.running ? sim.running->node->name : "");
    return bad ? E_IO : OK;
}

static bool fits(const struct disk *d, uint64_t more) { return !d->limit || d->used + more <= d->limit; }

/* ---- files
 * ------------------------------------------------------------------------------------------------------------- */

static void resize(struct disk *d, struct inode *f, uint64_t size);

static err fs_open(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd)
{
    (void)mode;
    struct disk *d = disk_of(dirfd);
    str last;
    int at = walk(d, fds[dirfd - FD0].inode, path, &last), i = at < 0 ? -1 : look_up(d, at, last);
    if (i >= 0 && flags & O_CREAT && flags & O_EXCL)
        return E_EXISTS;
    if (at < 0 || (i < 0 && !(flags & O_CREAT)))
        return E_NOT_FOUND;
    if (i >= 0 && d->inode[i].folder != !!(flags & O_DIRECTORY))
        return E_IO;
    if (i < 0) {
        if (!fits(d, PAGE))
            return E_DISK_FULL;
        i = inode_new(d, false);
        set_name(d, at, last, i, false);
    } else if (flags & O_TRUNC) {
        resize(d, &d->inode[i], 0);
    }
    for (int fd = 0; fd < FDS; fd++)
        if (!fds[fd].disk) {
            fds[fd].disk = d;
            fds[fd].inode = i;
            *ret_fd = FD0 + fd;
            return OK;
        }
    return E_LIMIT;
}

static void fs_close(int fd)
{
    if (fd < 0)
        return;
    if (!disk_of(fd))
        violation("a file is closed that is not open");
    else
        file_of(fd)->locked = false;
    fds[fd - FD0].disk = NULL;
}

static err fs_pread(int fd, void *p, size_t n, uint64_t at, size_t *ret_n)
{
    struct inode *f = file_of(fd);
    size_t got = 0;
    n = at >= f->size ? 0 : f->size - at < n ? f->size - at : n;
    while (got < n) {
        size_t i = (at + got) / PAGE, off = (at + got) % PAGE, part = PAGE - off < n - got ? PAGE - off : n - got;
        char *from = i < f->npages ? f->page[i].now : NULL;
        if (from)
            memcpy((char *)p + got, from + off, part);
        else
            memset((char *)p + got, 0, part);
        got += part;
    }
    *ret_n = got;
    return OK;
}

static bool all_zero(const char *p, size_t n) { return !n || (!p[0] && !memcmp(p, p + 1, n - 1)); }

static void put(struct inode *f, uint64_t at, const char *p, size_t n)
{
    while (n) {
        size_t i = at / PAGE, off = at % PAGE, part = PAGE - off < n ? PAGE - off : n;
        if (i >= f->npages) {
            size_t more = i + 16;
            f->page = own_grow(f->page, more * sizeof *f->page);
            memset(f->page + f->npages, 0, (more - f->npages) * sizeof *f->page);
            f->npages = more;
        }
        struct page *g = &f->page[i];
        if (g->now || !all_zero(p, part)) {
            if (!g->dirty) {
                char *copy = own_alloc(PAGE);
                if (g->now)
                    memcpy(copy, g->now, PAGE);
                g->now = copy;
                g->dirty = true;
                if (f->ndirty == f->dirty_cap)
                    f->dirty =
                        own_grow(f->dirty, (f->dirty_cap = f->dirty_cap ? 2 * f->dirty_cap : 16) * sizeof *f->dirty);
                f->dirty[f->ndirty++] = (uint32_t)i;
            }
            memcpy(g->now + off, p, part);
        }
        at += part;
        p += part;
        n -= part;
    }
}

static void resize(struct disk *d, struct inode *f, uint64_t size)
{
    if (f->links)
        d->used += size - f->size;
    if (size < f->size) {
        static const char zeros[PAGE];
        for (uint64_t at = size; at < f->size && at / PAGE < f->npages;) {
            size_t part = PAGE - at % PAGE;
            put(f, at, zeros, part);
            at += part;
        }
    }
    f->size = size;
}

static err fs_pwritev(int fd, const struct iovec *v, int nv, uint64_t at)
{
    struct disk *d = disk_of(fd);
    struct inode *f = file_of(fd);
    uint64_t all = 0;
    for (int i = 0; i < nv; i++)
        all += v[i].iov_len;
    err e = fault(d);
    if (!e && at + all > f->size && !fits(d, at + all - f->size))
        e = E_DISK_FULL;
    bool crash = step();
    uint64_t n = e == E_DISK_FULL ? 0 : e || (crash && sim_chance(50)) ? sim_below(all + 1) : all, to = at + n;
    for (int i = 0; i < nv && at < to; i++) {
        uint64_t part = v[i].iov_len < to - at ? v[i].iov_len : to - at;
        put(f, at, v[i].iov_base, part);
        at += part;
    }
    if (to > f->size && n)
        resize(d, f, to);
    if (crash)
        node_doom();
    take_time(d, 100 * RT_US);
    return e;
}

/* What of the unsynced survives: all of it, or any sectors. */
static void settle(struct inode *f, bool all)
{
    for (size_t k = 0; k < f->ndirty; k++) {
        struct page *g = &f->page[f->dirty[k]];
        if (!all) {
            for (int s = 0; s < PAGE; s += SECTOR) {
                size_t keep = sim_chance(60) ? SECTOR : sim_chance(10) ? sim_below(SECTOR) : 0;
                if (g->safe)
                    memcpy(g->now + s + keep, g->safe + s + keep, SECTOR - keep);
                else
                    memset(g->now + s + keep, 0, SECTOR - keep);
            }
        }
        if (g->safe != g->now)
            __real_free(g->safe);
        g->safe = g->now;
        g->dirty = false;
    }
    f->ndirty = 0;
    if (all || sim_chance(50))
        f->safe_size = f->size;
}

static err fs_sync(int fd)
{
    struct disk *d = disk_of(fd);
    int i = fds[fd - FD0].inode;
    bool crash = step();
    if (crash && sim_chance(50))
        node_doom(); /* before anything of it happened */
    take_time(d, 2 * RT_MS);
    struct inode *f = &d->inode[i];
    err e = fault(d);
    if (f->folder) {
        int n = 0;
        for (int k = 0; k < d->nchanges; k++)
            if (d->change[k].folder == i)
                n = k + 1;
        settle_names(d, e ? 0 : n);
    } else {
        settle(f, !e || sim_chance(40)); /* a failed one: all, some or nothing reached the disk, and it looks clean */
        if (!e)
            f->safe_size = f->size;
    }
    if (crash)
        node_doom();
    return e;
}

static err fs_allocate(int fd, uint64_t at, uint64_t n)
{
    struct disk *d = disk_of(fd);
    struct inode *f = file_of(fd);
    if (at + n <= f->size)
        return OK;
    if (!fits(d, at + n - f->size))
        return E_DISK_FULL;
    resize(d, f, at + n);
    return OK;
}

static err fs_truncate(int fd, uint64_t n)
{
    resize(disk_of(fd), file_of(fd), n);
    return OK;
}

static err names_step(void)
{
    if (step())
        node_doom();
    return OK;
}

static err fs_rename(int dirfd, const char *from, int todirfd, const char *to)
{
    struct disk *d = disk_of(dirfd);
    str a, b;
    int x = walk(d, fds[dirfd - FD0].inode, from, &a), y = walk(d, fds[todirfd - FD0].inode, to, &b);
    int i = x < 0 ? -1 : look_up(d, x, a);
    if (i < 0 || y < 0)
        return E_NOT_FOUND;
    set_name(d, y, b, i, false);
    set_name(d, x, a, -1, true);
    return names_step();
}

static err fs_link(int dirfd, const char *from, int todirfd, const char *to)
{
    struct disk *d = disk_of(dirfd);
    str a, b;
    int x = walk(d, fds[dirfd - FD0].inode, from, &a), y = walk(d, fds[todirfd - FD0].inode, to, &b);
    int i = x < 0 ? -1 : look_up(d, x, a);
    if (i < 0 || y < 0)
        return E_NOT_FOUND;
    if (look_up(d, y, b) >= 0)
        return E_EXISTS;
    set_name(d, y, b, i, false);
    return names_step();
}

static err fs_unlink(int dirfd, const char *path)
{
    struct disk *d = disk_of(dirfd);
    str last;
    int at = walk(d, fds[dirfd - FD0].inode, path, &last);
    if (at < 0 || look_up(d, at, last) < 0)
        return E_NOT_FOUND;
    set_name(d, at, last, -1, false);
    return names_step();
}

static err fs_mkdir(int dirfd, const char *path, mode_t mode)
{
    (void)mode;
    struct disk *d = disk_of(dirfd);
    str last;
    int at = walk(d, fds[dirfd - FD0].inode, path, &last);
    if (at < 0)
        return E_NOT_FOUND;
    if (look_up(d, at, last) >= 0)
        return E_EXISTS;
    set_name(d, at, last, inode_new(d, true), false);
    return names_step();
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->name, ((const struct name *)b)->name);
}

static err fs_list(int dirfd, const char *path, void (*each)(void *arg, const char *name), void *arg)
{
    struct disk *d = disk_of(dirfd);
    str last;
    int at = walk(d, fds[dirfd - FD0].inode, path, &last), i = at < 0 ? -1 : look_up(d, at, last);
    if (i < 0 || !d->inode[i].folder)
        return E_NOT_FOUND;
    struct names copy = {0};
    names_copy(&copy, &d->inode[i].now);
    if (copy.n)
        qsort(copy.v, (size_t)copy.n, sizeof *copy.v, by_name);
    for (int k = 0; k < copy.n; k++)
        each(arg, copy.v[k].name);
    __real_free(copy.v);
    return OK;
}

static err fs_size(int fd, uint64_t *ret_n)
{
    *ret_n = file_of(fd)->size;
    return OK;
}
static err fs_space(int dirfd, uint64_t *ret)
{
    const struct disk *d = disk_of(dirfd);
    *ret = !d->limit ? (uint64_t)1 << 40 : d->limit > d->used ? d->limit - d->used : 0;
    return OK;
}
static err fs_lock(int fd)
{
    if (file_of(fd)->locked)
        return E_EXISTS;
    file_of(fd)->locked = true;
    return OK;
}

const struct rt_fs sim_fs = {
    fs_open,   fs_close, fs_pread,  fs_pwritev, fs_sync, fs_sync, fs_allocate, fs_truncate,
    fs_rename, fs_link,  fs_unlink, fs_mkdir,   fs_list, fs_size, fs_space,    fs_lock,
};

/* ---- the disk as a whole
 * ------------------------------------------------------------------------------------------------ */

struct disk *disk_new(void)
{
    struct disk *d = own_alloc(sizeof *d);
    inode_new(d, true);
    d->inode[0].links = 1;
    d->slow = sim_chance(15);
    return d;
}

void disk_crash(struct disk *d, enum crash how)
{
    for (int i = 0; i < FDS; i++)
        if (fds[i].disk == d)
            fds[i].disk = NULL;
    for (int i = 0; i < d->ninodes; i++)
        d->inode[i].locked = false;
    if (how == CRASH_KILL)
        return;
    bool all = sim_chance(10), none = !all && sim_chance(30);
    settle_names(d, all ? d->nchanges : none ? 0 : (int)sim_below((uint64_t)d->nchanges + 1));
    d->nchanges = 0;
    d->used = 0;
    for (int i = 0; i < d->ninodes; i++) {
        struct inode *f = &d->inode[i];
        f->links = i == 0;
        if (none)
            for (size_t k = 0; k < f->ndirty; k++) {
                struct page *g = &f->page[f->dirty[k]];
                __real_free(g->now);
                g->now = g->safe;
                g->dirty = false;
            }
        f->ndirty = none ? 0 : f->ndirty;
        if (!none)
            settle(f, all);
        f->size = f->safe_size;
        names_copy(&f->now, &f->safe);
    }
    for (int i = 0; i < d->ninodes; i++)
        for (int k = 0; k < d->inode[i].now.n; k++) {
            struct inode *f = &d->inode[d->inode[i].now.v[k].inode];
            if (f->links++ == 0)
                d->used += f->size;
        }
}

static void note(struct disk *d)
{
    bool was = d->ntroubles && d->trouble[d->ntroubles - 1].until == RT_NEVER, is = d->limit || d->errors;
    if (was && !is)
        d->trouble[d->ntroubles - 1].until = sim.now;
    if (!was && is && d->ntroubles == TROUBLES)
        abort();
    if (!was && is) {
        d->trouble[d->ntroubles].from = sim.now;
        d->trouble[d->ntroubles++].until = RT_NEVER;
    }
}
void disk_capacity(struct disk *d, int64_t more_bytes)
{
    d->limit = more_bytes < 0 ? 0 : d->used + (uint64_t)more_bytes + 1;
    note(d);
}
void disk_errors(struct disk *d, unsigned per_mille)
{
    d->errors = per_mille;
    note(d);
}
rt_time disk_troubled_until(const struct disk *d) { return d->ntroubles ? d->trouble[d->ntroubles - 1].until : 0; }

bool disk_troubled(const struct disk *d, rt_time from, rt_time to)
{
    for (int i = 0; i < d->ntroubles; i++)
        if (d->trouble[i].from <= to && d->trouble[i].until >= from)
            return true;
    return false;
}

rt_time disk_calm_after(const struct disk *d, rt_time at, rt_time span)
{
    for (int i = 0; i < d->ntroubles; i++)
        if (d->trouble[i].from <= at + span && d->trouble[i].until >= at)
            at = d->trouble[i].until;
    return at;
}

static int fd_for(struct disk *d, int inode)
{
    for (int fd = 0; fd < FDS; fd++)
        if (!fds[fd].disk) {
            fds[fd].disk = d;
            fds[fd].inode = inode;
            return FD0 + fd;
        }
    abort();
}

int disk_folder(struct disk *d, const char *path)
{
    str last;
    int at = walk(d, 0, path, &last), i = look_up(d, at, last);
    if (i < 0) {
        i = inode_new(d, true);
        set_name(d, at, last, i, false);
        settle_names(d, d->nchanges);
    }
    return fd_for(d, i);
}

static void each_below(struct disk *d, int folder, const char *path,
                       void (*each)(void *arg, const char *path, const char *p, size_t n), void *arg)
{
    struct names v = {0};
    char name[512];
    names_copy(&v, &d->inode[folder].now);
    if (v.n)
        qsort(v.v, (size_t)v.n, sizeof *v.v, by_name);
    for (int k = 0; k < v.n; k++) {
        struct inode *f = &d->inode[v.v[k].inode];
        snprintf(name, sizeof name, "%s/%s", path, v.v[k].name);
        if (f->folder) {
            each_below(d, v.v[k].inode, name, each, arg);
            continue;
        }
        char *text = own_alloc(f->size + 1);
        for (uint64_t at = 0; at < f->size; at += PAGE)
            if (at / PAGE < f->npages && f->page[at / PAGE].now)
                memcpy(text + at, f->page[at / PAGE].now, f->size - at < PAGE ? f->size - at : PAGE);
        each(arg, name, text, f->size);
        __real_free(text);
    }
    __real_free(v.v);
}

void disk_each(struct disk *d, const char *path, void (*each)(void *arg, const char *path, const char *p, size_t n),
               void *arg)
{
    str last;
    int at = walk(d, 0, path, &last), i = at < 0 ? -1 : look_up(d, at, last);
    if (i >= 0)
        each_below(d, i, path, each, arg);
}
