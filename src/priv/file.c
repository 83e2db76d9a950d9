/* Files of keys in the folder of secrets: written whole or not at all. */
#include "priv/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* A file of this process's own, synced. */
static err write_fresh(int dir, const char *fresh, str text)
{
    AUTO_FD fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    size_t at = 0;
    while (at < text.n) {
        ssize_t n = write(fd, text.p + at, text.n - at);
        if (n <= 0)
            return n < 0 ? err_from_errno(errno) : E_IO;
        at += (size_t)n;
    }
    return fsync(fd) ? err_from_errno(errno) : OK;
}

static bool fresh_name(const char *name, char ret[NAME_MAX + 1])
{
    return snprintf(ret, NAME_MAX + 1, "%s.%d.new", name, (int)getpid()) <= NAME_MAX;
}

err priv_file_write(int dir, const char *name, str text)
{
    char fresh[NAME_MAX + 1];
    if (!fresh_name(name, fresh))
        return E_LIMIT;
    err e = write_fresh(dir, fresh, text);
    if (!e && (renameat(dir, fresh, dir, name) || fsync(dir)))
        e = err_from_errno(errno);
    return e;
}

/* Some file systems over a network do not know the flag. */
static int rename_new(int dir, const char *fresh, const char *name)
{
    int r = renameat2(dir, fresh, dir, name, RENAME_NOREPLACE);
    if (!r || errno != EINVAL)
        return r;
    if (faccessat(dir, name, F_OK, 0) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(dir, fresh, dir, name);
}

err priv_file_make(int dir, const char *name, str text)
{
    char fresh[NAME_MAX + 1];
    if (!fresh_name(name, fresh))
        return E_LIMIT;
    err e = write_fresh(dir, fresh, text);
    if (!e && ((rename_new(dir, fresh, name) && errno != EEXIST) || fsync(dir)))
        e = err_from_errno(errno);
    (void)unlinkat(dir, fresh, 0);
    return e;
}

void priv_file_tidy(int dir)
{
    AUTO_FD copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d)
        return;
    copy = -1; /* the stream's */
    for (struct dirent *x; (x = readdir(d));)
        if (str_ends(str_c(x->d_name), S(".new")))
            (void)unlinkat(dir, x->d_name, 0);
    closedir(d);
}

err priv_file_read(int dir, const char *name, struct buf *out)
{
    AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *p = fd < 0 ? NULL : buf_room(out, out->max);
    ssize_t n = p ? read(fd, p, out->max) : -1;
    if (n < 0)
        return fd >= 0 && !p ? E_NOMEM : err_from_errno(errno);
    out->n = (size_t)n;
    return OK;
}
