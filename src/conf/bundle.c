/*
 * Bundles: reading the files that a configuration consists of, and handing them to a child. The main file is
 * parsed here only to see which others it names; its errors are told later, by conf_load.
 */
#include "base/cleanup.h"
#include "conf/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

enum { SECRET_HERE = 1, SECRET_ELSEWHERE = 2 }; /* in the encoded form */
enum { BUNDLE_VERSION = 2, FILES_MAX = 65536, FOLDER_MAX = 200 };
static const size_t memory_max = (size_t)1 << 30;

/* From the beginning, wherever the position of a shared descriptor is; a pipe has no position. */
static err read_all(int fd, bool seekable, char *p, size_t n, size_t *ret_n)
{
    size_t at = 0;
    while (at < n) {
        ssize_t got = seekable ? pread(fd, p + at, n - at, (off_t)at) : read(fd, p + at, n - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_from_errno(errno);
        if (got == 0)
            break;
        at += (size_t)got;
    }
    *ret_n = at;
    return OK;
}

static uint64_t stamp_of(const struct stat *st)
{
    const uint64_t v[] = {st->st_dev, st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
                          (uint64_t)st->st_mtim.tv_nsec};
    uint64_t h = 1;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        h = (h ^ v[i]) * 0x9e3779b97f4a7c15 ^ h >> 29;
    return h | 1;
}

static err open_file(const char *path, int *ret, uint64_t *ret_stamp)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_from_errno(errno);
    err e = fstat(fd, &st) < 0 ? err_from_errno(errno) : OK;
    if (!e && !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        e = E_UNSUPPORTED;
    if (e)
        close(fd);
    else
        *ret = fd, *ret_stamp = stamp_of(&st);
    return e;
}

/* A whole file; its size may change while we read, then it ends where it ends. */
static err read_file(struct arena *mem, int fd, str *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_from_errno(errno);
    size_t size = S_ISREG(st.st_mode) ? (size_t)st.st_size : FILE_MAX;
    if (size > FILE_MAX)
        return E_LIMIT;
    char *p = arena_alloc(mem, size + 1);
    size_t n = 0;
    err e = p ? read_all(fd, S_ISREG(st.st_mode), p, size, &n) : mem->e;
    if (e == OK)
        *ret = (str){p, n};
    return e;
}

static err read_path(struct arena *mem, const char *path, str *ret, uint64_t *ret_stamp)
{
    AUTO_FD fd = -1;
    err e = open_file(path, &fd, ret_stamp);
    return e ? e : read_file(mem, fd, ret);
}

static err folder_of(struct conf_bundle *b, const char *path)
{
    AUTO_FREE char *full = realpath(path, NULL);
    if (!full)
        return err_from_errno(errno);
    str s = str_c(full);
    size_t slash = str_rfind(s, '/');
    b->dir = arena_str(&b->arena, slash ? str_sub(s, 0, slash) : S("/"));
    return b->dir.p ? OK : b->arena.e;
}

static struct conf_file *add(struct conf_bundle *b, size_t *cap)
{
    if (b->n == *cap) {
        size_t more = *cap ? *cap * 2 : 8;
        struct conf_file *v = more <= FILES_MAX ? arena_array(&b->arena, more, sizeof *v) : NULL;
        if (!v)
            return NULL;
        if (b->n)
            memcpy(v, b->v, b->n * sizeof *v);
        b->v = v;
        *cap = more;
    }
    return &b->v[b->n++];
}

static void look_at(struct conf_bundle *b, struct conf_file *f)
{
    if (f->secret && b->closed)
        f->e = open_file(f->path.p, &f->fd, &f->stamp);
    else
        f->e = read_path(&b->arena, f->path.p, &f->text, &f->stamp);
}

/* A file that one key calls a secret and another does not is one: it is named as a secret first (add_named). */
static void add_file(struct conf_bundle *b, size_t *cap, str name, bool secret, bool watched)
{
    str path = path_join(&b->arena, b->dir, name);
    for (size_t i = 1; i < b->n; i++)
        if (str_eq(b->v[i].path, path)) {
            b->v[i].watched |= watched;
            return;
        }
    struct conf_file *f = path.p ? add(b, cap) : NULL;
    if (!f)
        return;
    *f = (struct conf_file){
        .name = arena_str(&b->arena, name), .path = path, .secret = secret, .watched = watched, .fd = -1};
    look_at(b, f);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The .lua files of a folder, by name. One that is not there has none. */
static void add_folder(struct conf_bundle *b, size_t *cap, str name)
{
    char *names[FOLDER_MAX];
    size_t n = 0;
    str path = path_join(&b->arena, b->dir, name);
    DIR *d = path.p ? opendir(path.p) : NULL;
    for (struct dirent *x; d && n < FOLDER_MAX && (x = readdir(d));)
        if (x->d_name[0] != '.' && str_ends(str_c(x->d_name), S(".lua")) && (names[n] = strdup(x->d_name)))
            n++;
    if (d)
        closedir(d);
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        add_file(b, cap, path_join(&b->arena, path, str_c(names[i])), false, false);
        free(names[i]);
    }
}

static void add_named(struct conf_bundle *b, size_t *cap, bool secret)
{
    struct conf_errors errors;
    struct errs e;
    AUTO_ARENA tmp;
    arena_init(&tmp, 65536, memory_max);
    errs_init(&e, &errors);
    for (struct block *s = parse(b->v[0].text, &tmp, &e); s; s = s->next) {
        const char *group = group_find(s->name);
        enum section section = section_find(s->name);
        for (struct entry *x = s->first; x; x = x->next) {
            const struct key *k = key_find(section, group, x->name);
            bool is_secret = k && k->flags & KEY_SECRET;
            if (k && k->flags & KEY_FILE && is_secret == secret && !x->bad && !x->list && x->v[0].kind == TOK_STRING &&
                x->v[0].text.n)
                add_file(b, cap, x->v[0].text, secret, k->flags & KEY_WATCH);
            if (k && k->flags & KEY_FOLDER && !secret && !x->bad && !x->list && x->v[0].kind == TOK_STRING &&
                x->v[0].text.n)
                add_folder(b, cap, x->v[0].text);
        }
    }
    conf_errors_free(&errors);
}

static void system_name(struct conf_bundle *b)
{
    char name[HOST_NAME_MAX + 2] = "";
    if (gethostname(name, sizeof name - 1) == 0)
        b->system_name = arena_str(&b->arena, str_c(name));
}

static void init(struct conf_bundle *b)
{
    *b = (struct conf_bundle){0};
    arena_init(&b->arena, 16384, memory_max);
    b->arena.secret = true;
}

static err bundle_read(struct conf_bundle *b, const char *path, bool closed)
{
    init(b);
    b->closed = closed;
    size_t cap = 0;
    struct conf_file *main = add(b, &cap);
    err e = main ? folder_of(b, path) : b->arena.e;
    if (e == OK) {
        *main = (struct conf_file){.name = S(""), .path = arena_str(&b->arena, str_c(path)), .fd = -1};
        e = main->e = read_path(&b->arena, path, &main->text, &main->stamp);
    }
    if (e == OK) {
        system_name(b);
        add_named(b, &cap, true);
        add_named(b, &cap, false);
        e = b->arena.e;
    }
    if (e)
        conf_bundle_free(b);
    return e;
}

err conf_bundle_read(struct conf_bundle *b, const char *path) { return bundle_read(b, path, false); }
err conf_bundle_read_closed(struct conf_bundle *b, const char *path) { return bundle_read(b, path, true); }

err conf_bundle_read_named(struct conf_bundle *b)
{
    size_t cap = b->n;
    add_named(b, &cap, true);
    add_named(b, &cap, false);
    return b->arena.e;
}

err conf_bundle_add(struct conf_bundle *b, str path)
{
    size_t cap = b->n; /* the array is copied once: few files come this way */
    add_file(b, &cap, path, false, false);
    return b->arena.e;
}

err conf_bundle_add_secret(struct conf_bundle *b, str path)
{
    size_t cap = b->n;
    add_file(b, &cap, path, true, false);
    return b->arena.e;
}

void conf_bundle_watch(struct conf_bundle *b, str path)
{
    for (size_t i = 1; i < b->n; i++)
        b->v[i].watched |= str_eq(b->v[i].path, path);
}

static uint64_t mix(uint64_t sum, uint64_t stamp) { return (sum ^ stamp) * 0x9e3779b97f4a7c15 + 1; }

uint64_t conf_bundle_stamp(const struct conf_bundle *b)
{
    uint64_t sum = 0;
    for (size_t i = 1; i < b->n; i++)
        if (b->v[i].watched)
            sum = mix(sum, b->v[i].stamp);
    return sum;
}

uint64_t conf_bundle_stamp_now(const struct conf_bundle *b)
{
    uint64_t sum = 0;
    struct stat st;
    for (size_t i = 1; i < b->n; i++)
        if (b->v[i].watched)
            sum = mix(sum, stat(b->v[i].path.p, &st) ? 0 : stamp_of(&st));
    return sum;
}

static void copy_file(struct conf_bundle *b, struct conf_file *f, const struct conf_file *old)
{
    *f = (struct conf_file){.name = arena_str(&b->arena, old->name),
                            .path = arena_str(&b->arena, old->path),
                            .secret = old->secret,
                            .watched = old->watched,
                            .fd = -1};
    if (old->watched) {
        look_at(b, f);
        return;
    }
    f->e = old->e;
    f->stamp = old->stamp;
    f->text = old->text.p ? arena_str(&b->arena, old->text) : (str){NULL, 0};
    if (old->fd >= 0 && (f->fd = fcntl(old->fd, F_DUPFD_CLOEXEC, 3)) < 0)
        f->e = err_from_errno(errno);
}

err conf_bundle_refresh(struct conf_bundle *ret, const struct conf_bundle *old)
{
    struct conf_bundle *b = ret;
    init(b);
    b->closed = old->closed;
    b->dir = arena_str(&b->arena, old->dir);
    b->system_name = arena_str(&b->arena, old->system_name);
    b->v = arena_array(&b->arena, old->n, sizeof *b->v);
    for (; b->v && b->n < old->n; b->n++)
        copy_file(b, &b->v[b->n], &old->v[b->n]);
    err e = b->arena.e;
    if (e)
        conf_bundle_free(b);
    return e;
}

err conf_bundle_take(struct conf_bundle *b, size_t file, int fd)
{
    struct conf_file *f = &b->v[file];
    f->e = read_file(&b->arena, fd, &f->text);
    return f->e;
}

str conf_bundle_text(const struct conf_bundle *b, str path)
{
    for (size_t i = 1; i < b->n; i++)
        if (str_eq(b->v[i].path, path) && !b->v[i].e)
            return b->v[i].text;
    return (str){NULL, 0};
}

err conf_bundle_of(struct conf_bundle *b, str path, str text, str dir)
{
    init(b);
    size_t cap = 0;
    struct conf_file *main = add(b, &cap);
    if (main)
        *main = (struct conf_file){
            .name = S(""), .path = arena_str(&b->arena, path), .text = arena_str(&b->arena, text), .fd = -1};
    b->dir = arena_str(&b->arena, dir);
    b->system_name = S("localhost.localdomain");
    err e = b->arena.e;
    if (e)
        conf_bundle_free(b);
    return e;
}

void conf_bundle_close(struct conf_bundle *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->v[i].fd >= 0)
            close(b->v[i].fd);
        b->v[i].fd = -1;
    }
}

void conf_bundle_free(struct conf_bundle *b)
{
    if (!b)
        return;
    conf_bundle_close(b);
    arena_free(&b->arena);
    b->v = NULL;
    b->n = 0;
}

void conf_bundle_encode(struct buf *out, const struct conf_bundle *b)
{
    buf_put_u8(out, BUNDLE_VERSION);
    buf_put_str16(out, b->dir);
    buf_put_str16(out, b->system_name);
    buf_put_u32(out, (uint32_t)b->n);
    for (size_t i = 0; i < b->n; i++) {
        buf_put_str16(out, b->v[i].name);
        buf_put_str16(out, b->v[i].path);
        buf_put_u32(out, (uint32_t)b->v[i].e);
        buf_put_u8(out, b->v[i].secret ? b->v[i].text.p ? SECRET_HERE : SECRET_ELSEWHERE : 0);
        buf_put_str32(out, b->v[i].text);
    }
}

err conf_bundle_decode(struct conf_bundle *b, str bytes)
{
    struct cur in = cur_of(bytes);
    init(b);
    bool ok = cur_u8(&in) == BUNDLE_VERSION;
    b->dir = arena_str(&b->arena, cur_str16(&in));
    b->system_name = arena_str(&b->arena, cur_str16(&in));
    uint32_t n = cur_u32(&in);
    if (ok && n > 0 && n <= FILES_MAX)
        b->v = arena_array(&b->arena, n, sizeof *b->v);
    for (; b->v && b->n < n && !in.bad; b->n++) {
        struct conf_file *f = &b->v[b->n];
        f->name = arena_str(&b->arena, cur_str16(&in));
        f->path = arena_str(&b->arena, cur_str16(&in));
        uint32_t e = cur_u32(&in);
        f->e = e < ERR_COUNT ? (err)e : E_UNKNOWN;
        uint8_t secret = cur_u8(&in);
        f->secret = secret != 0;
        f->fd = -1;
        f->text = arena_str(&b->arena, cur_str32(&in));
        if (secret == SECRET_ELSEWHERE)
            f->text = (str){NULL, 0};
    }
    if (!b->v || in.bad || in.n || b->arena.e) {
        err e = b->arena.e ? b->arena.e : E_CORRUPT;
        conf_bundle_free(b);
        return e;
    }
    return OK;
}
