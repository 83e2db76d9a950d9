/*
 * For tests: a disk in memory behind struct rt_fs, with a write-back cache. What was written is seen at
 * once but survives a crash only when it was synced; of the rest a crash keeps what its mode
 * says: nothing, all, or any sectors of any writes, one of them torn. Names are durable when their folder was
 * synced; of later changes to the folder a crash keeps the first few.
 */
#ifndef SPOOL_MEMDISK_H
#define SPOOL_MEMDISK_H
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "spool/internal.h"

enum { DISK_FILES = 256, DISK_FDS = 512, DISK_NAME = 64, SECTOR = 512 };
/* KILL: only the process is gone, the cache stays as it is. */
enum crash_mode { CRASH_DROP, CRASH_KEEP, CRASH_MIX, CRASH_KILL, CRASH_MODES };

struct disk_write {
    struct disk_write *next;
    uint64_t at, n; /* n == 0: the file's size became `at` */
    char bytes[];
};
struct disk_file {
    char *now, *safe;
    uint64_t size, safe_size, cap;
    struct disk_write *first, *last;
    int names; /* in either folder image, and open descriptors */
};
struct disk_name {
    char name[DISK_NAME];
    int file; /* -1: none */
};
struct disk_change { /* to the folder: name now means file (-1: nothing) */
    char name[DISK_NAME];
    int file;
};
static struct {
    struct disk_file file[DISK_FILES];
    struct disk_name now[DISK_FILES], safe[DISK_FILES];
    struct disk_change change[DISK_FILES * 4];
    int nchanges;
    int fds[DISK_FDS]; /* file + 1; -1: a folder; 0: closed */
    bool locked;
    uint64_t capacity;      /* 0: no limit */
    long steps;             /* writes, syncs and changes of names so far */
    long crash_at, fail_at; /* step that crashes; that fails; 0: none */
    err fail_with;
    bool fail_for_good; /* all steps from fail_at on */
    bool crashed;
    uint64_t rnd;
} disk;

static uint64_t disk_random(void)
{
    disk.rnd ^= disk.rnd << 13;
    disk.rnd ^= disk.rnd >> 7;
    disk.rnd ^= disk.rnd << 17;
    return disk.rnd;
}

/* Every step that changes the disk passes here: OK, or the error to give. */
static err disk_step(void)
{
    if (disk.crashed)
        return E_IO;
    disk.steps++;
    if (disk.steps == disk.crash_at) {
        disk.crashed = true;
        return OK; /* this step still enters the cache */
    }
    if (disk.fail_at && (disk.steps == disk.fail_at || (disk.fail_for_good && disk.steps > disk.fail_at)))
        return disk.fail_with;
    return OK;
}

static int disk_find(struct disk_name *v, const char *name)
{
    for (int i = 0; i < DISK_FILES; i++)
        if (v[i].name[0] && !strcmp(v[i].name, name))
            return i;
    return -1;
}

static void disk_bind(struct disk_name *v, const char *name, int file)
{
    int i = disk_find(v, name);
    if (file < 0) {
        if (i >= 0)
            v[i].name[0] = 0;
        return;
    }
    for (int k = 0; i < 0 && k < DISK_FILES; k++)
        if (!v[k].name[0])
            i = k;
    if (i < 0)
        abort();
    snprintf(v[i].name, DISK_NAME, "%s", name);
    v[i].file = file;
}

static void disk_rebind(const char *name, int file)
{
    disk_bind(disk.now, name, file);
    if (disk.nchanges == DISK_FILES * 4)
        abort();
    struct disk_change *c = &disk.change[disk.nchanges++];
    snprintf(c->name, DISK_NAME, "%s", name);
    c->file = file;
}

static void disk_sync_folder(int keep)
{
    for (int i = 0; i < keep; i++)
        disk_bind(disk.safe, disk.change[i].name, disk.change[i].file);
    disk.nchanges = 0;
}

static uint64_t disk_used(void)
{
    uint64_t n = 0;
    for (int i = 0; i < DISK_FILES; i++)
        if (disk.now[i].name[0])
            n += disk.file[disk.now[i].file].size;
    return n;
}

static bool file_named(int f)
{
    for (int i = 0; i < DISK_FILES; i++)
        if ((disk.now[i].name[0] && disk.now[i].file == f) || (disk.safe[i].name[0] && disk.safe[i].file == f))
            return true;
    for (int i = 0; i < disk.nchanges; i++)
        if (disk.change[i].file == f)
            return true;
    for (int i = 0; i < DISK_FDS; i++)
        if (disk.fds[i] == f + 1)
            return true;
    return false;
}

static void file_forget_writes(struct disk_file *f)
{
    for (struct disk_write *w = f->first, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    f->first = f->last = NULL;
}

static void file_end(struct disk_file *f)
{
    file_forget_writes(f);
    free(f->now);
    free(f->safe);
    *f = (struct disk_file){0};
}

static int file_new(void)
{
    for (int i = 0; i < DISK_FILES; i++)
        if (!file_named(i)) {
            file_end(&disk.file[i]);
            return i;
        }
    abort();
}

static void file_grow(struct disk_file *f, uint64_t n)
{
    if (n <= f->cap)
        return;
    f->now = realloc(f->now, n);
    f->safe = realloc(f->safe, n);
    memset(f->now + f->cap, 0, n - f->cap);
    memset(f->safe + f->cap, 0, n - f->cap);
    f->cap = n;
}

static void file_note(struct disk_file *f, uint64_t at, const char *bytes, uint64_t n)
{
    struct disk_write *w = malloc(sizeof *w + n);
    *w = (struct disk_write){.at = at, .n = n};
    if (n)
        memcpy(w->bytes, bytes, n);
    if (f->last)
        f->last->next = w;
    else
        f->first = w;
    f->last = w;
}

static err md_open(int dirfd, const char *path, int flags, mode_t mode, int *ret)
{
    (void)dirfd, (void)mode;
    int fd = 0;
    while (disk.fds[fd])
        fd++;
    if (flags & O_DIRECTORY) {
        disk.fds[fd] = -1;
        *ret = fd;
        return OK;
    }
    int i = disk_find(disk.now, path);
    if (i >= 0 && flags & O_EXCL)
        return E_EXISTS;
    if (i < 0 && !(flags & O_CREAT))
        return E_NOT_FOUND;
    int f = i < 0 ? -1 : disk.now[i].file;
    if (i < 0) {
        err e = disk_step();
        if (e)
            return e;
        f = file_new();
        disk_rebind(path, f);
    }
    disk.fds[fd] = f + 1;
    *ret = fd;
    return OK;
}

static void md_close(int fd)
{
    if (disk.fds[fd] < 0)
        disk.locked = false;
    disk.fds[fd] = 0;
}

static err md_pread(int fd, void *p, size_t n, uint64_t at, size_t *ret)
{
    struct disk_file *f = &disk.file[disk.fds[fd] - 1];
    size_t got = at >= f->size ? 0 : f->size - at < n ? f->size - at : n;
    if (got)
        memcpy(p, f->now + at, got);
    *ret = got;
    return OK;
}

static err md_pwritev(int fd, const struct iovec *v, int nv, uint64_t at)
{
    struct disk_file *f = &disk.file[disk.fds[fd] - 1];
    bool was = disk.crashed;
    err e = disk_step();
    size_t all = 0;
    for (int i = 0; i < nv; i++)
        all += v[i].iov_len;
    if (!e && disk.capacity && at + all > f->size && disk_used() + (at + all - f->size) > disk.capacity)
        e = E_DISK_FULL;
    if (was)
        return e;
    char *p = malloc(all ? all : 1), *q = p;
    for (int i = 0; i < nv; q += v[i++].iov_len)
        memcpy(q, v[i].iov_base, v[i].iov_len);
    if (e)
        all = e == E_IO && all ? disk_random() % all : 0; /* a part may have gone through */
    if (all) {
        file_grow(f, at + all);
        memcpy(f->now + at, p, all);
        file_note(f, at, p, all);
        if (at + all > f->size)
            f->size = at + all;
    }
    free(p);
    return e ? e : disk.crashed ? E_IO : OK;
}

/* A failed sync is the worst one: some pages reached the disk, the rest looks clean and is lost. */
static void file_settle(struct disk_file *f, enum crash_mode mode)
{
    for (struct disk_write *w = f->first; w; w = w->next) {
        if (!w->n) {
            if (mode == CRASH_KEEP || (mode == CRASH_MIX && disk_random() % 2))
                f->safe_size = w->at;
            continue;
        }
        for (uint64_t at = w->at; at < w->at + w->n;) {
            uint64_t end = (at / SECTOR + 1) * SECTOR, n = end < w->at + w->n ? end - at : w->at + w->n - at;
            bool keep = mode == CRASH_KEEP || (mode == CRASH_MIX && disk_random() % 3);
            uint64_t part = mode == CRASH_MIX && disk_random() % 12 == 0 ? disk_random() % n : n;
            if (keep) {
                memcpy(f->safe + at, w->bytes + (at - w->at), part);
                if (at + part > f->safe_size)
                    f->safe_size = at + part;
            }
            at += n;
        }
    }
    file_forget_writes(f);
}

static err md_sync(int fd)
{
    bool was = disk.crashed;
    err e = disk_step();
    if (was || disk.crashed)
        return E_IO;
    if (disk.fds[fd] < 0) {
        if (!e)
            disk_sync_folder(disk.nchanges);
        return e;
    }
    struct disk_file *f = &disk.file[disk.fds[fd] - 1];
    file_settle(f, e ? CRASH_MIX : CRASH_KEEP);
    if (!e)
        f->safe_size = f->size;
    return e;
}

static err md_resize(int fd, uint64_t size)
{
    struct disk_file *f = &disk.file[disk.fds[fd] - 1];
    bool was = disk.crashed;
    err e = disk_step();
    if (!e && disk.capacity && size > f->size && disk_used() + size - f->size > disk.capacity)
        e = E_DISK_FULL;
    if (was || e)
        return e;
    file_grow(f, size);
    f->size = size;
    file_note(f, size, NULL, 0);
    return disk.crashed ? E_IO : OK;
}

static err md_allocate(int fd, uint64_t at, uint64_t n)
{
    return at + n > disk.file[disk.fds[fd] - 1].size ? md_resize(fd, at + n) : OK;
}

static err md_rename(int d, const char *from, int d2, const char *to)
{
    (void)d, (void)d2;
    int i = disk_find(disk.now, from);
    bool was = disk.crashed;
    err e = i < 0 ? E_NOT_FOUND : disk_step();
    if (e || was)
        return e;
    int f = disk.now[i].file;
    /* One change: a crash leaves the old name or the new one. */
    disk_rebind(to, f);
    disk_bind(disk.now, from, -1);
    if (disk_find(disk.safe, from) >= 0)
        disk_rebind(from, -1);
    else
        for (int k = 0; k < disk.nchanges; k++)
            if (!strcmp(disk.change[k].name, from))
                disk.change[k].file = -1;
    return disk.crashed ? E_IO : OK;
}

static err md_unlink(int d, const char *path)
{
    (void)d;
    if (disk_find(disk.now, path) < 0)
        return E_NOT_FOUND;
    bool was = disk.crashed;
    err e = disk_step();
    if (e || was)
        return e;
    disk_rebind(path, -1);
    return disk.crashed ? E_IO : OK;
}

static err md_link(int d, const char *a, int d2, const char *b) { return (void)d, (void)d2, (void)a, (void)b, E_IO; }
static err md_mkdir(int d, const char *p, mode_t m) { return (void)d, (void)p, (void)m, OK; }
static err md_lock(int fd)
{
    (void)fd;
    if (disk.locked)
        return E_EXISTS;
    disk.locked = true;
    return OK;
}

static err md_list(int d, const char *path, void (*each)(void *arg, const char *name), void *arg)
{
    (void)d, (void)path;
    char(*names)[DISK_NAME] = malloc(DISK_FILES * DISK_NAME);
    int n = 0;
    for (int i = 0; i < DISK_FILES; i++)
        if (disk.now[i].name[0] && !strchr(disk.now[i].name, '/'))
            memcpy(names[n++], disk.now[i].name, DISK_NAME);
    for (int i = 0; i < n; i++)
        each(arg, names[i]);
    free(names);
    return OK;
}

static err md_size(int fd, uint64_t *ret) { return *ret = disk.file[disk.fds[fd] - 1].size, OK; }

static err md_space(int d, uint64_t *ret)
{
    (void)d;
    uint64_t used = disk_used();
    *ret = !disk.capacity ? 1ull << 40 : disk.capacity > used ? disk.capacity - used : 0;
    return OK;
}

static const struct rt_fs memdisk = {
    md_open,   md_close, md_pread,  md_pwritev, md_sync, md_sync, md_allocate, md_resize,
    md_rename, md_link,  md_unlink, md_mkdir,   md_list, md_size, md_space,    md_lock,
};

static void disk_reset(uint64_t seed)
{
    for (int i = 0; i < DISK_FILES; i++)
        file_end(&disk.file[i]);
    memset(&disk, 0, sizeof disk);
    disk.rnd = seed * 0x9e3779b97f4a7c15u + 1;
    rt_fs = &memdisk;
}

/* After the engine has been closed: what the next start finds. */
static inline void disk_crash(enum crash_mode mode)
{
    disk.crashed = false;
    disk.crash_at = disk.fail_at = 0;
    if (mode == CRASH_KILL)
        return;
    int keep = mode == CRASH_KEEP   ? disk.nchanges
               : mode == CRASH_DROP ? 0
                                    : (int)(disk_random() % (uint64_t)(disk.nchanges + 1));
    disk_sync_folder(keep);
    memcpy(disk.now, disk.safe, sizeof disk.now);
    for (int i = 0; i < DISK_FILES; i++) {
        struct disk_file *f = &disk.file[i];
        file_settle(f, mode);
        f->size = f->safe_size;
        if (f->cap)
            memcpy(f->now, f->safe, f->cap);
        if (f->size < f->cap)
            memset(f->now + f->size, 0, f->cap - f->size);
    }
}
#endif
