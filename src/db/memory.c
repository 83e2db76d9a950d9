/* SQLite over bytes in memory, read only. */
#include "db/memory.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

enum {
    STEPS_AT_ONCE = 10000, /* of SQLite's machine between two looks at the count */
    LOOKS = 2000,          /* ... and how many: a scan of some million rows */
    HEADER = 100,
    WRITE_VERSION = 18, /* offsets in the header: 2 means a write-ahead log, which memory has none of */
    READ_VERSION = 19
};

struct db_memory {
    sqlite3 *s;
    sqlite3_stmt *query;
    pthread_mutex_t lock;
    int looks;
};

static int look(void *arg)
{
    struct db_memory *m = arg;
    return ++m->looks > LOOKS;
}

static err open_bytes(struct db_memory *m, str bytes, struct buf *why)
{
    if (bytes.n < HEADER || memcmp(bytes.p, "SQLite format 3", 16) != 0) {
        buf_add_c(why, "it is no SQLite database");
        return E_CORRUPT;
    }
    unsigned char *copy = sqlite3_malloc64(bytes.n);
    if (!copy)
        return E_NOMEM;
    memcpy(copy, bytes.p, bytes.n);
    copy[WRITE_VERSION] = copy[READ_VERSION] = 1;
    if (sqlite3_open_v2(":memory:", &m->s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        sqlite3_free(copy);
        return E_NOMEM;
    }
    sqlite3_limit(m->s, SQLITE_LIMIT_LENGTH, 1 << 20);
    sqlite3_db_config(m->s, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(m->s, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    int code = sqlite3_deserialize(m->s, "main", copy, (sqlite3_int64)bytes.n, (sqlite3_int64)bytes.n,
                                   SQLITE_DESERIALIZE_READONLY | SQLITE_DESERIALIZE_FREEONCLOSE);
    return code == SQLITE_OK ? OK : E_CORRUPT;
}

static err prepare(struct db_memory *m, str query, struct buf *why)
{
    const char *tail = NULL;
    if (sqlite3_prepare_v3(m->s, query.p, (int)query.n, SQLITE_PREPARE_PERSISTENT, &m->query, &tail) != SQLITE_OK ||
        !m->query) {
        buf_printf(why, "the query cannot be used: %s", m->query ? "" : sqlite3_errmsg(m->s));
        return E_SYNTAX;
    }
    str rest = str_trim(str_skip(query, (size_t)(tail - query.p)));
    if (rest.n || !sqlite3_stmt_readonly(m->query) || sqlite3_bind_parameter_count(m->query) > 1) {
        buf_add_c(why, "expected one query that only reads and has one value, ?1");
        return E_SYNTAX;
    }
    return OK;
}

err db_memory_open(struct db_memory **ret, str bytes, str query, struct buf *why)
{
    struct db_memory *m = calloc(1, sizeof *m);
    if (!m)
        return E_NOMEM;
    pthread_mutex_init(&m->lock, NULL);
    err e = open_bytes(m, bytes, why);
    if (!e)
        e = prepare(m, query, why);
    if (e) {
        if (!why->n)
            buf_add_c(why, m->s ? sqlite3_errmsg(m->s) : err_text(e));
        db_memory_close(&m);
        return e;
    }
    sqlite3_progress_handler(m->s, STEPS_AT_ONCE, look, m);
    *ret = m;
    return OK;
}

void db_memory_close(struct db_memory **p)
{
    struct db_memory *m = *p;
    *p = NULL;
    if (!m)
        return;
    sqlite3_finalize(m->query);
    sqlite3_close(m->s);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

err db_memory_has(struct db_memory *m, str value, bool *ret, struct buf *why)
{
    err e = OK;
    pthread_mutex_lock(&m->lock);
    m->looks = 0;
    sqlite3_bind_text64(m->query, 1, value.p, value.n, SQLITE_STATIC, SQLITE_UTF8);
    int code = sqlite3_step(m->query);
    if (code == SQLITE_ROW) {
        int type = sqlite3_column_type(m->query, 0);
        *ret = type == SQLITE_INTEGER || type == SQLITE_FLOAT ? sqlite3_column_double(m->query, 0) != 0
                                                              : sqlite3_column_bytes(m->query, 0) > 0;
    } else if (code == SQLITE_DONE) {
        *ret = false;
    } else {
        e = code == SQLITE_INTERRUPT ? E_LIMIT : code == SQLITE_NOMEM ? E_NOMEM : E_CORRUPT;
        buf_add_c(why, code == SQLITE_INTERRUPT ? "the query takes too long; it needs an index" : sqlite3_errmsg(m->s));
    }
    sqlite3_reset(m->query);
    sqlite3_clear_bindings(m->query);
    pthread_mutex_unlock(&m->lock);
    return e;
}
