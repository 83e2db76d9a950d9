/* Names of segments: the time they were begun, in UTC, as 17 digits. */
#include "history/internal.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

void stem_of(char out[STEM + 1], int64_t ms)
{
    char text[64];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    text_time(&b, ms);
    size_t n = 0;
    for (size_t i = 0; i < b.n && n < STEM; i++)
        if (ascii_digit(text[i]))
            out[n++] = text[i];
    out[n] = 0;
}

bool stem_time(const char *name, int64_t *ret_ms)
{
    char text[32];
    for (int i = 0; i < STEM; i++)
        if (!ascii_digit(name[i]))
            return false;
    snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.%.3sZ", name, name + 4, name + 6, name + 8, name + 10,
             name + 12, name + 14);
    return text_parse_time(str_c(text), ret_ms);
}

bool path_of(char out[PATH_LEN], const char *folder, const char *stem, const char *suffix)
{
    return snprintf(out, PATH_LEN, "%s%s%s%s", folder, *folder ? "/" : "", stem, suffix) < PATH_LEN;
}

bool folder_fits(const char *folder) { return strlen(folder) + 1 + NAME_MAX_ < PATH_LEN; }

err stem_open(int dirfd, const char *folder, const char *stem, const char *suffix, int flags, int *ret_fd)
{
    char path[PATH_LEN];
    return path_of(path, folder, stem, suffix) ? rt_fs->open(dirfd, path, flags, 0600, ret_fd) : E_LIMIT;
}

err stem_rename(int dirfd, const char *folder, const char *stem, const char *from, const char *to)
{
    char before[PATH_LEN], after[PATH_LEN];
    if (!path_of(before, folder, stem, from) || !path_of(after, folder, stem, to))
        return E_LIMIT;
    return rt_fs->rename(dirfd, before, dirfd, after);
}

void stem_unlink(int dirfd, const char *folder, const char *stem, const char *suffix)
{
    char path[PATH_LEN];
    if (path_of(path, folder, stem, suffix))
        rt_fs->unlink(dirfd, path);
}

static void name_add(void *arg, const char *file)
{
    struct names *n = arg;
    int64_t ms;
    if (n->e || strlen(file) != STEM + 4 || !stem_time(file, &ms))
        return;
    bool raw = strcmp(file + STEM, ".raw") == 0, seg = strcmp(file + STEM, ".seg") == 0,
         bad = strcmp(file + STEM, ".bad") == 0;
    if (!raw && !seg && !bad)
        return;
    if (n->n == n->cap) {
        size_t cap = n->cap ? n->cap * 2 : 256;
        struct name *v = realloc(n->v, cap * sizeof *v);
        if (!v) {
            n->e = E_NOMEM;
            return;
        }
        n->v = v;
        n->cap = cap;
    }
    struct name *x = &n->v[n->n++];
    *x = (struct name){.raw = raw, .seg = seg, .bad = bad};
    memcpy(x->stem, file, STEM);
}

static int by_stem(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->stem, ((const struct name *)b)->stem);
}

err names_list(struct names *n, int dirfd, const char *folder)
{
    *n = (struct names){0};
    err e = rt_fs->list(dirfd, *folder ? folder : ".", name_add, n);
    e = e ? e : n->e;
    if (e) {
        names_free(n);
        return e;
    }
    if (n->n)
        qsort(n->v, n->n, sizeof *n->v, by_stem);
    size_t kept_n = 0;
    for (size_t i = 0; i < n->n; i++) {
        if (kept_n && strcmp(n->v[kept_n - 1].stem, n->v[i].stem) == 0) {
            n->v[kept_n - 1].raw |= n->v[i].raw;
            n->v[kept_n - 1].seg |= n->v[i].seg;
            n->v[kept_n - 1].bad |= n->v[i].bad;
        } else {
            n->v[kept_n++] = n->v[i];
        }
    }
    n->n = kept_n;
    return OK;
}

void names_free(struct names *n)
{
    free(n->v);
    *n = (struct names){0};
}
