/*
 * SQLite behind a small face. A rollback journal that stays (PERSIST) rather than a write-ahead log: both files have
 * fixed names, can be made before privileges are dropped, and nothing is shared by memory between processes.
 */
#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STATEMENTS = 64, BUSY_MS = 20000 };

struct db {
    sqlite3 *s;
    struct {
        const char *sql; /* compared by address: literals */
        sqlite3_stmt *p;
    } kept[STATEMENTS];
    int nkept;
};

static err of_sqlite(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return OK;
    case SQLITE_CONSTRAINT:
        return E_EXISTS;
    case SQLITE_NOMEM:
        return E_NOMEM;
    case SQLITE_FULL:
        return E_DISK_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return E_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return E_AGAIN;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return E_DENIED;
    case SQLITE_TOOBIG:
        return E_LIMIT;
    default:
        return E_IO;
    }
}

/* ---- opening ---- */

/* The path is given through the folder's descriptor, because folders above it may be closed to us; SQLite would look
 * through that link and walk the whole path. */
static int same_path(sqlite3_vfs *v, const char *name, int room, char *out)
{
    (void)v;
    int n = snprintf(out, (size_t)room, "%s", name);
    return n > 0 && n < room ? SQLITE_OK : SQLITE_CANTOPEN;
}

static const char *vfs_name(void)
{
    static sqlite3_vfs vfs;
    static bool made;
    if (!made) {
        sqlite3_vfs *base = sqlite3_vfs_find(NULL);
        if (!base)
            return NULL;
        vfs = *base;
        vfs.zName = "by-folder";
        vfs.pNext = NULL;
        vfs.xFullPathname = same_path;
        made = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
    }
    return made ? vfs.zName : NULL;
}

/* Both files are there, ours alone to read, before SQLite looks for them. */
static err make_file(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    close(fd);
    return OK;
}

static err exec(struct db *d, const char *sql) { return of_sqlite(sqlite3_exec(d->s, sql, NULL, NULL, NULL)); }

static err user_version(struct db *d, int *ret)
{
    struct db_rows r;
    db_rows_begin(&r, d, "PRAGMA user_version", "");
    *ret = db_rows_next(&r) ? (int)db_rows_num(&r, 0) : -1;
    return db_rows_end(&r);
}

/* Another process may do the same at this moment, the server and a command for instance: what there is to do is known
 * only once nobody else can write. */
static err one_step(struct db *d, const char *const *steps, int nsteps, int *have)
{
    char set[64];
    err e = db_begin(d);
    if (e)
        return e;
    e = user_version(d, have);
    if (!e && *have < nsteps) {
        snprintf(set, sizeof set, "PRAGMA user_version = %d", *have + 1);
        e = exec(d, steps[*have]);
        if (!e)
            e = exec(d, set);
        *have += !e;
    }
    err end = db_end(d, e == OK);
    return e ? e : end;
}

static err migrate(struct db *d, const char *const *steps, int nsteps, struct buf *why)
{
    int have;
    err e = user_version(d, &have);
    while (!e && have < nsteps)
        e = one_step(d, steps, nsteps, &have);
    if (!e && have > nsteps) {
        buf_printf(why, "it was made by a newer version of postrider (its form is %d, this program knows %d)", have,
                   nsteps);
        return E_UNSUPPORTED;
    }
    return e;
}

static err set_up(struct db *d)
{
    sqlite3_busy_timeout(d->s, BUSY_MS);
    sqlite3_extended_result_codes(d->s, 1);
    sqlite3_db_config(d->s, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(d->s, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return exec(d, "PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                   "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY");
}

err db_open(struct db **ret, int dirfd, const char *name, const char *const *steps, int nsteps, struct buf *why)
{
    char path[128], journal[96];
    snprintf(journal, sizeof journal, "%s-journal", name);
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
    const char *vfs = vfs_name();
    struct db *d = vfs ? calloc(1, sizeof *d) : NULL;
    if (!d)
        return E_NOMEM;
    err e = make_file(dirfd, name);
    if (!e)
        e = make_file(dirfd, journal);
    if (!e)
        e = of_sqlite(sqlite3_open_v2(path, &d->s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, vfs));
    if (!e)
        e = set_up(d);
    if (!e)
        e = migrate(d, steps, nsteps, why);
    if (e) {
        if (!why->n)
            buf_add_c(why, d->s && sqlite3_errcode(d->s) != SQLITE_OK ? sqlite3_errmsg(d->s) : err_text(e));
        db_close(&d);
        return e;
    }
    *ret = d;
    return OK;
}

void db_close(struct db **p)
{
    struct db *d = *p;
    *p = NULL;
    if (!d)
        return;
    for (int i = 0; i < d->nkept; i++)
        sqlite3_finalize(d->kept[i].p);
    sqlite3_close(d->s);
    free(d);
}

/* ---- transactions ---- */

void db_hold(struct db *d) { sqlite3_mutex_enter(sqlite3_db_mutex(d->s)); }
void db_let_go(struct db *d) { sqlite3_mutex_leave(sqlite3_db_mutex(d->s)); }

err db_begin(struct db *d) { return exec(d, "BEGIN IMMEDIATE"); }

err db_end(struct db *d, bool ok)
{
    err e = ok ? exec(d, "COMMIT") : OK;
    if ((!ok || e) && !sqlite3_get_autocommit(d->s)) {
        err back = exec(d, "ROLLBACK");
        e = e ? e : back;
    }
    return e;
}

/* ---- statements ---- */

static sqlite3_stmt *statement(struct db *d, const char *sql, err *e)
{
    sqlite3_stmt *p = NULL;
    for (int i = 0; i < d->nkept; i++)
        if (d->kept[i].sql == sql && !sqlite3_stmt_busy(d->kept[i].p))
            return d->kept[i].p;
    *e = of_sqlite(sqlite3_prepare_v3(d->s, sql, -1, SQLITE_PREPARE_PERSISTENT, &p, NULL));
    if (*e || !p || d->nkept == STATEMENTS) {
        if (!*e)
            *e = p ? E_LIMIT : E_BUG;
        sqlite3_finalize(p);
        return NULL;
    }
    d->kept[d->nkept].sql = sql;
    d->kept[d->nkept++].p = p;
    return p;
}

static err bind_all(sqlite3_stmt *p, const char *types, va_list ap)
{
    err e = OK;
    for (int i = 0; types[i] && !e; i++) {
        if (types[i] == 'i') {
            e = of_sqlite(sqlite3_bind_int64(p, i + 1, va_arg(ap, int64_t)));
            continue;
        }
        str s = va_arg(ap, str);
        e = of_sqlite(s.p ? sqlite3_bind_text64(p, i + 1, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8)
                          : sqlite3_bind_null(p, i + 1));
    }
    return e;
}

err db_run(struct db *d, int64_t *ret_changed, const char *sql, const char *types, ...)
{
    err e = OK;
    sqlite3_stmt *p = statement(d, sql, &e);
    if (!p)
        return e;
    va_list ap;
    va_start(ap, types);
    e = bind_all(p, types, ap);
    va_end(ap);
    int code = SQLITE_ROW;
    while (!e && code == SQLITE_ROW)
        code = sqlite3_step(p);
    if (!e)
        e = of_sqlite(code);
    if (!e && ret_changed)
        *ret_changed = sqlite3_changes(d->s);
    sqlite3_reset(p);
    sqlite3_clear_bindings(p);
    return e;
}

void db_rows_begin(struct db_rows *r, struct db *d, const char *sql, const char *types, ...)
{
    *r = (struct db_rows){.d = d};
    sqlite3_stmt *p = statement(d, sql, &r->e);
    if (!p)
        return;
    va_list ap;
    va_start(ap, types);
    r->e = bind_all(p, types, ap);
    va_end(ap);
    r->statement = p;
}

bool db_rows_next(struct db_rows *r)
{
    if (r->e || !r->statement)
        return false;
    int code = sqlite3_step(r->statement);
    r->e = of_sqlite(code);
    return code == SQLITE_ROW;
}

str db_rows_str(struct db_rows *r, int column)
{
    const char *p = (const char *)sqlite3_column_text(r->statement, column);
    return (str){p, p ? (size_t)sqlite3_column_bytes(r->statement, column) : 0};
}

int64_t db_rows_num(struct db_rows *r, int column) { return sqlite3_column_int64(r->statement, column); }

err db_rows_end(struct db_rows *r)
{
    if (r->statement) {
        sqlite3_reset(r->statement);
        sqlite3_clear_bindings(r->statement);
    }
    r->statement = NULL;
    return r->e;
}
