/* The real file system behind struct rt_fs: whole reads and writes, errno turned into err. */
#include "rt/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

static err done(int r) { return r < 0 ? err_from_errno(errno) : OK; }

static err fs_open(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd)
{
    int fd;
    do
        fd = openat(dirfd, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_from_errno(errno);
    *ret_fd = fd;
    return OK;
}

static void fs_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

static err fs_pread(int fd, void *p, size_t n, uint64_t at, size_t *ret_n)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(fd, (char *)p + got, n - got, (off_t)(at + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_from_errno(errno);
        if (r == 0)
            break;
        got += (size_t)r;
    }
    *ret_n = got;
    return OK;
}

/* All of v[0] from `skip` on. */
static err write_rest(int fd, const struct iovec *v, size_t skip, uint64_t *at)
{
    while (skip < v->iov_len) {
        ssize_t r = pwrite(fd, (const char *)v->iov_base + skip, v->iov_len - skip, (off_t)*at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? err_from_errno(errno) : E_IO;
        skip += (size_t)r;
        *at += (size_t)r;
    }
    return OK;
}

/* IOV_MAX vectors a call. A vector that was cut by a short write is finished alone; then it goes on. */
static err fs_pwritev(int fd, const struct iovec *v, int nv, uint64_t at)
{
    while (nv > 0) {
        ssize_t r = pwritev(fd, v, nv > IOV_MAX ? IOV_MAX : nv, (off_t)at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_from_errno(errno);
        size_t left = (size_t)r;
        at += left;
        bool moved = left > 0;
        for (; nv && left >= v->iov_len; v++, nv--, moved = true)
            left -= v->iov_len;
        if (!left && moved)
            continue;
        err e = write_rest(fd, v, left, &at);
        if (e)
            return e;
        v++, nv--;
    }
    return OK;
}

static err fs_datasync(int fd) { return done(fdatasync(fd)); }
static err fs_sync(int fd) { return done(fsync(fd)); }

static err fs_allocate(int fd, uint64_t at, uint64_t n)
{
    int e;
    do
        e = posix_fallocate(fd, (off_t)at, (off_t)n);
    while (e == EINTR);
    return err_from_errno(e);
}

static err fs_truncate(int fd, uint64_t n) { return done(ftruncate(fd, (off_t)n)); }
static err fs_rename(int dirfd, const char *from, int todirfd, const char *to)
{
    return done(renameat(dirfd, from, todirfd, to));
}
static err fs_link(int dirfd, const char *from, int todirfd, const char *to)
{
    return done(linkat(dirfd, from, todirfd, to, 0));
}
static err fs_unlink(int dirfd, const char *path) { return done(unlinkat(dirfd, path, 0)); }
static err fs_mkdir(int dirfd, const char *path, mode_t mode) { return done(mkdirat(dirfd, path, mode)); }

static err fs_list(int dirfd, const char *path, void (*each)(void *arg, const char *name), void *arg)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        err e = err_from_errno(errno);
        fs_close(fd);
        return e;
    }
    struct dirent *entry;
    while ((errno = 0, entry = readdir(d))) {
        const char *name = entry->d_name;
        if (name[0] != '.' || (name[1] && (name[1] != '.' || name[2])))
            each(arg, name);
    }
    err e = err_from_errno(errno);
    closedir(d);
    return e;
}

static err fs_size(int fd, uint64_t *ret_n)
{
    struct stat st;
    if (fstat(fd, &st))
        return err_from_errno(errno);
    *ret_n = (uint64_t)st.st_size;
    return OK;
}

static err fs_space(int dirfd, uint64_t *ret_free_bytes)
{
    struct statvfs s;
    if (dirfd == AT_FDCWD ? statvfs(".", &s) : fstatvfs(dirfd, &s))
        return err_from_errno(errno);
    *ret_free_bytes = (uint64_t)s.f_bavail * s.f_frsize;
    return OK;
}

static err fs_lock(int fd)
{
    if (!flock(fd, LOCK_EX | LOCK_NB))
        return OK;
    return errno == EWOULDBLOCK ? E_EXISTS : err_from_errno(errno);
}

const struct rt_fs rt_fs_real = {
    .open = fs_open,
    .close = fs_close,
    .pread = fs_pread,
    .pwritev = fs_pwritev,
    .datasync = fs_datasync,
    .sync = fs_sync,
    .allocate = fs_allocate,
    .truncate = fs_truncate,
    .rename = fs_rename,
    .link = fs_link,
    .unlink = fs_unlink,
    .mkdir = fs_mkdir,
    .list = fs_list,
    .size = fs_size,
    .space = fs_space,
    .lock = fs_lock,
};
const struct rt_fs *rt_fs = &rt_fs_real;
