/* Rows: all in memory under one lock, each change first on disk. */
#include "db/db.h"
#include "keys/internal.h"

#include <stdlib.h>

static const char *const steps[] = {
    "CREATE TABLE keys (name TEXT PRIMARY KEY, selector TEXT NOT NULL, rsa INTEGER NOT NULL, state INTEGER NOT NULL,"
    " since INTEGER NOT NULL, made INTEGER NOT NULL, record TEXT NOT NULL) WITHOUT ROWID",
};

static struct {
    struct lock lock;
    struct keys_key **v;
    size_t n, cap;
    struct db *db;
} store;

/* ---- memory; under the lock ---- */

static struct keys_key **slot(str name)
{
    for (size_t i = 0; i < store.n; i++)
        if (str_ieq(str_c(store.v[i]->name), name))
            return &store.v[i];
    return NULL;
}

/* Room for one more, so that what is on disk finds its place. */
static bool reserve(size_t more)
{
    if (store.n + more <= store.cap)
        return true;
    size_t cap = store.cap ? 2 * store.cap : 16;
    struct keys_key **v = store.n + more <= KEYS_MAX ? reallocarray(store.v, cap, sizeof *v) : NULL;
    if (!v)
        return false;
    store.v = v;
    store.cap = cap;
    return true;
}

static void keep(struct keys_key *k)
{
    struct keys_key **at = slot(str_c(k->name));
    if (at) {
        free(*at);
        *at = k;
    } else {
        store.v[store.n++] = k;
    }
}

/* ---- disk ---- */

static bool read_row(struct db_rows *r, struct keys_key *k)
{
    int64_t state = db_rows_num(r, 3);
    *k = (struct keys_key){.rsa = db_rows_num(r, 2) != 0,
                           .state = (enum keys_state)state,
                           .since_s = db_rows_num(r, 4),
                           .made_s = db_rows_num(r, 5)};
    return state >= 0 && state < KEYS_STATES && str_to_c(db_rows_str(r, 0), k->name, sizeof k->name) &&
           str_to_c(db_rows_str(r, 1), k->selector, sizeof k->selector) &&
           str_to_c(db_rows_str(r, 6), k->record, sizeof k->record) && strlen(k->name) > strlen(k->selector) + 12;
}

err keys_open(int data_dir, struct buf *why)
{
    struct db_rows r;
    err e = db_open(&store.db, data_dir, "dkim.db", steps, sizeof steps / sizeof *steps, why);
    if (e)
        return e;
    db_rows_begin(&r, store.db, "SELECT name, selector, rsa, state, since, made, record FROM keys ORDER BY made, name",
                  "");
    while (!r.e && db_rows_next(&r)) {
        struct keys_key *k = malloc(sizeof *k);
        if (k && reserve(1) && read_row(&r, k)) {
            keep(k);
        } else {
            r.e = k ? E_CORRUPT : E_NOMEM;
            free(k);
        }
    }
    e = db_rows_end(&r);
    if (e)
        buf_add_c(why, err_text(e));
    return e;
}

void keys_close(void)
{
    db_close(&store.db);
    for (size_t i = 0; i < store.n; i++)
        free(store.v[i]);
    free(store.v);
    store.v = NULL;
    store.n = store.cap = 0;
}

struct job {
    const struct keys_key *v;
    size_t n;
    bool drop;
    err e;
};

static err write_row(const struct keys_key *k)
{
    return db_run(store.db, NULL, "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", "ssiiiis", str_c(k->name),
                  str_c(k->selector), (int64_t)k->rsa, (int64_t)k->state, k->since_s, k->made_s, str_c(k->record));
}

static void write_rows(void *arg)
{
    struct job *j = arg;
    db_hold(store.db);
    err e = db_begin(store.db);
    for (size_t i = 0; i < j->n && !e; i++)
        e = j->drop ? db_run(store.db, NULL, "DELETE FROM keys WHERE name = ?", "s", str_c(j->v[i].name))
                    : write_row(&j->v[i]);
    err end = db_end(store.db, !e);
    db_let_go(store.db);
    j->e = e ? e : end;
}

static err on_disk(struct job *j) YIELDS;
static err on_disk(struct job *j)
{
    if (!store.db)
        return E_UNSUPPORTED;
    err e = rt_pool_run(write_rows, j);
    return e ? e : j->e;
}

err store_put(const struct keys_key *v, size_t n)
{
    struct keys_key *copy[2] = {NULL, NULL};
    err e = OK;
    for (size_t i = 0; i < n && !e; i++) {
        copy[i] = malloc(sizeof *copy[i]);
        if (copy[i])
            *copy[i] = v[i];
        else
            e = E_NOMEM;
    }
    lock_take(&store.lock);
    if (!e && !reserve(n))
        e = store.n + n > KEYS_MAX ? E_LIMIT : E_NOMEM;
    lock_drop(&store.lock);
    e = e ? e : on_disk(&(struct job){v, n, false, OK});
    lock_take(&store.lock);
    for (size_t i = 0; i < n; i++)
        if (e)
            free(copy[i]);
        else
            keep(copy[i]);
    lock_drop(&store.lock);
    return e;
}

err store_drop(const struct keys_key *k)
{
    err e = on_disk(&(struct job){k, 1, true, OK});
    lock_take(&store.lock);
    struct keys_key **at = e ? NULL : slot(str_c(k->name));
    if (at) {
        free(*at);
        memmove(at, at + 1, (size_t)(store.v + --store.n - at) * sizeof *at);
    }
    lock_drop(&store.lock);
    return e;
}

/* ---- look-ups ---- */

bool store_find(str domain, bool rsa, enum keys_state state, struct keys_key *ret)
{
    bool found = false;
    lock_take(&store.lock);
    for (size_t i = store.n; i-- > 0 && !found;) {
        const struct keys_key *k = store.v[i];
        found = k->rsa == rsa && k->state == state && str_ieq(keys_domain(k), domain);
        if (found)
            *ret = *k;
    }
    lock_drop(&store.lock);
    return found;
}

bool store_get(str name, struct keys_key *ret)
{
    lock_take(&store.lock);
    struct keys_key **at = slot(name);
    if (at)
        *ret = **at;
    lock_drop(&store.lock);
    return at != NULL;
}

size_t keys_signers(str domain, struct keys_signer ret[KEYS_SIGNERS_MAX])
{
    size_t n = 0;
    lock_take(&store.lock);
    for (size_t i = 0; i < store.n && n < KEYS_SIGNERS_MAX; i++) {
        const struct keys_key *k = store.v[i];
        if (k->state != KEYS_USED || !str_ieq(keys_domain(k), domain))
            continue;
        memcpy(ret[n].name, k->name, sizeof k->name);
        memcpy(ret[n].selector, k->selector, sizeof k->selector);
        ret[n++].rsa = k->rsa;
    }
    lock_drop(&store.lock);
    return n;
}

bool keys_known(str name)
{
    lock_take(&store.lock);
    bool known = slot(name) != NULL;
    lock_drop(&store.lock);
    return known;
}

static int by_domain(const void *a, const void *b)
{
    const struct keys_key *x = a, *y = b;
    int c = strcmp(keys_domain(x).p, keys_domain(y).p);
    c = c ? c : (x->made_s > y->made_s) - (x->made_s < y->made_s);
    return c ? c : strcmp(x->name, y->name);
}

err keys_list(struct arena *a, str domain, struct keys_key **ret, size_t *ret_n)
{
    size_t n = 0;
    lock_take(&store.lock);
    struct keys_key *v = arena_array(a, store.n, sizeof *v);
    for (size_t i = 0; v && i < store.n; i++)
        if (!domain.n || str_ieq(keys_domain(store.v[i]), domain))
            v[n++] = *store.v[i];
    lock_drop(&store.lock);
    if (!v)
        return E_NOMEM;
    qsort(v, n, sizeof *v, by_domain);
    *ret = v;
    *ret_n = n;
    return OK;
}
