/*
 * Entries in memory and on disk. One lock over all maps: sections under it copy a few strings. What was given out as
 * a pointer (domains) is never freed, only replaced: domains change by an operator's hand alone.
 */
#include "db/db.h"
#include "directory/internal.h"

#include <stdlib.h>

/* ---- the form on disk ---- */

static const char *const steps[] = {
    "CREATE TABLE domains (name TEXT PRIMARY KEY, deliver TEXT NOT NULL, catch_all TEXT NOT NULL, customer TEXT NOT "
    "NULL,"
    " messages TEXT NOT NULL, recipients TEXT NOT NULL, enabled INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY AUTOINCREMENT, local TEXT NOT NULL COLLATE NOCASE,"
    " domain TEXT NOT NULL, name TEXT NOT NULL, customer TEXT NOT NULL, messages TEXT NOT NULL,"
    " recipients TEXT NOT NULL, size INTEGER NOT NULL, enabled INTEGER NOT NULL, any_sender INTEGER NOT NULL,"
    " keep INTEGER NOT NULL, forward TEXT NOT NULL, held TEXT NOT NULL, UNIQUE (local, domain));"
    "CREATE TABLE aliases (local TEXT NOT NULL COLLATE NOCASE, domain TEXT NOT NULL, targets TEXT NOT NULL,"
    " enabled INTEGER NOT NULL, PRIMARY KEY (local, domain)) WITHOUT ROWID;",
    "ALTER TABLE accounts ADD COLUMN source TEXT NOT NULL DEFAULT ''",
};

/* ---- entries ---- */

struct entry {
    struct map_node node;
    struct directory_change c; /* strings behind this struct */
    struct conf_domain conf;   /* DIR_DOMAIN */
    rt_time checked;           /* DIR_ACCOUNT of a source */
};

static struct {
    struct lock lock;
    struct map map[3];        /* by enum directory_kind */
    struct map_node *retired; /* domains that were replaced: somebody may still read them */
    struct db *db;
} dir;

static str name_of(const struct directory_change *c, str *ret_domain)
{
    switch (c->kind) {
    case DIR_DOMAIN:
        *ret_domain = c->domain.name;
        return S("");
    case DIR_ACCOUNT:
        *ret_domain = c->account.domain;
        return c->account.local;
    default:
        *ret_domain = c->alias.domain;
        return c->alias.local;
    }
}

static uint64_t hash_of(str local, str domain) { return str_ihash(local) * 31 + str_ihash(domain); }

static struct entry *find(enum directory_kind kind, str local, str domain)
{
    for (struct map_node *n = map_find(&dir.map[kind], hash_of(local, domain)); n; n = map_next_equal(n)) {
        struct entry *e = container_of(n, struct entry, node);
        str d, l = name_of(&e->c, &d);
        if (str_ieq(l, local) && str_ieq(d, domain))
            return e;
    }
    return NULL;
}

enum { STRINGS = 9 };

static int strings_of(struct directory_change *c, str *v[STRINGS])
{
    int n = 0;
    switch (c->kind) {
    case DIR_DOMAIN:
        v[n++] = &c->domain.name, v[n++] = &c->domain.deliver, v[n++] = &c->domain.catch_all;
        v[n++] = &c->domain.customer, v[n++] = &c->domain.messages, v[n++] = &c->domain.recipients;
        break;
    case DIR_ACCOUNT:
        v[n++] = &c->account.local, v[n++] = &c->account.domain, v[n++] = &c->account.name;
        v[n++] = &c->account.customer, v[n++] = &c->account.messages, v[n++] = &c->account.recipients;
        v[n++] = &c->account.forward, v[n++] = &c->account.held, v[n++] = &c->account.source;
        break;
    case DIR_ALIAS:
        v[n++] = &c->alias.local, v[n++] = &c->alias.domain, v[n++] = &c->alias.targets;
        break;
    }
    return n;
}

static void fill_conf(struct entry *e)
{
    const char *why;
    struct conf_domain *d = &e->conf;
    *d = (struct conf_domain){.title = e->c.domain.name,
                              .deliver = e->c.domain.deliver,
                              .catch_all = e->c.domain.catch_all,
                              .subaddress = true};
    if (!directory_hop(d->deliver, &d->hop, &why))
        d->hop = (struct conf_hop){.how = CONF_TO_MAILDIR};
}

/* One piece of memory for the entry and all of its strings. */
static struct entry *entry_new(const struct directory_change *from)
{
    struct directory_change c = *from;
    str *v[STRINGS];
    size_t size = sizeof(struct entry);
    int n = strings_of(&c, v);
    for (int i = 0; i < n; i++)
        size += v[i]->n + 1;
    struct entry *e = calloc(1, size);
    if (!e)
        return NULL;
    char *p = (char *)(e + 1);
    for (int i = 0; i < n; i++) {
        if (v[i]->n)
            memcpy(p, v[i]->p, v[i]->n);
        v[i]->p = p;
        p += v[i]->n + 1;
    }
    e->c = c;
    if (c.kind == DIR_DOMAIN)
        fill_conf(e);
    return e;
}

/* Under the lock. The old entry, if any, is gone afterwards; a domain's stays readable for who holds it. */
static void replace(enum directory_kind kind, str local, str domain, struct entry *with)
{
    struct entry *old = find(kind, local, domain);
    if (old)
        map_remove(&dir.map[kind], &old->node);
    if (with)
        map_add(&dir.map[kind], &with->node, hash_of(local, domain));
    if (old && kind == DIR_DOMAIN) {
        old->node.next = dir.retired;
        dir.retired = &old->node;
    } else {
        free(old);
    }
}

/* ---- reading and writing the file ---- */

static err read_domains(void)
{
    struct db_rows r;
    db_rows_begin(&r, dir.db, "SELECT name, deliver, catch_all, customer, messages, recipients, enabled FROM domains",
                  "");
    while (db_rows_next(&r)) {
        struct directory_change c = {.kind = DIR_DOMAIN, .verb = DIR_PUT};
        c.domain.name = db_rows_str(&r, 0);
        c.domain.deliver = db_rows_str(&r, 1);
        c.domain.catch_all = db_rows_str(&r, 2);
        c.domain.customer = db_rows_str(&r, 3);
        c.domain.messages = db_rows_str(&r, 4);
        c.domain.recipients = db_rows_str(&r, 5);
        c.domain.enabled = db_rows_num(&r, 6) != 0;
        struct entry *e = entry_new(&c);
        if (!e)
            r.e = E_NOMEM;
        else
            replace(DIR_DOMAIN, S(""), e->c.domain.name, e);
    }
    return db_rows_end(&r);
}

static err read_accounts(void)
{
    struct db_rows r;
    db_rows_begin(&r, dir.db,
                  "SELECT id, local, domain, name, customer, messages, recipients, size, enabled, any_sender, keep,"
                  " forward, held, source FROM accounts",
                  "");
    while (db_rows_next(&r)) {
        struct directory_change c = {.kind = DIR_ACCOUNT, .verb = DIR_PUT};
        c.account = (struct account){.id = db_rows_num(&r, 0),
                                     .local = db_rows_str(&r, 1),
                                     .domain = db_rows_str(&r, 2),
                                     .name = db_rows_str(&r, 3),
                                     .customer = db_rows_str(&r, 4),
                                     .messages = db_rows_str(&r, 5),
                                     .recipients = db_rows_str(&r, 6),
                                     .size = db_rows_num(&r, 7),
                                     .enabled = db_rows_num(&r, 8) != 0,
                                     .any_sender = db_rows_num(&r, 9) != 0,
                                     .keep = db_rows_num(&r, 10) != 0,
                                     .forward = db_rows_str(&r, 11),
                                     .held = db_rows_str(&r, 12),
                                     .source = db_rows_str(&r, 13)};
        struct entry *e = entry_new(&c);
        if (!e)
            r.e = E_NOMEM;
        else
            replace(DIR_ACCOUNT, e->c.account.local, e->c.account.domain, e);
    }
    return db_rows_end(&r);
}

static err read_aliases(void)
{
    struct db_rows r;
    db_rows_begin(&r, dir.db, "SELECT local, domain, targets, enabled FROM aliases", "");
    while (db_rows_next(&r)) {
        struct directory_change c = {.kind = DIR_ALIAS, .verb = DIR_PUT};
        c.alias.local = db_rows_str(&r, 0);
        c.alias.domain = db_rows_str(&r, 1);
        c.alias.targets = db_rows_str(&r, 2);
        c.alias.enabled = db_rows_num(&r, 3) != 0;
        struct entry *e = entry_new(&c);
        if (!e)
            r.e = E_NOMEM;
        else
            replace(DIR_ALIAS, e->c.alias.local, e->c.alias.domain, e);
    }
    return db_rows_end(&r);
}

err directory_open(int data_dir, struct buf *why)
{
    err e = db_open(&dir.db, data_dir, "directory.db", steps, sizeof steps / sizeof *steps, why);
    if (!e)
        e = read_domains();
    if (!e)
        e = read_accounts();
    if (!e)
        e = read_aliases();
    if (e && !why->n)
        buf_add_c(why, err_text(e));
    return e;
}

void directory_close(void)
{
    db_close(&dir.db);
    for (int k = 0; k < 3; k++) {
        struct map_iter it = map_begin(&dir.map[k]);
        for (struct map_node *n; (n = map_each(&it));) {
            map_remove(&dir.map[k], n);
            free(container_of(n, struct entry, node));
        }
        map_free(&dir.map[k]);
    }
    for (struct map_node *n; (n = dir.retired);) {
        dir.retired = n->next;
        free(container_of(n, struct entry, node));
    }
}

static err put_domain(const struct directory_change *c)
{
    return db_run(dir.db, NULL,
                  "INSERT INTO domains (name, deliver, catch_all, customer, messages, recipients, enabled)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?)",
                  "ssssssi", c->domain.name, c->domain.deliver, c->domain.catch_all, c->domain.customer,
                  c->domain.messages, c->domain.recipients, (int64_t)c->domain.enabled);
}

static err put_account(struct directory_change *c)
{
    struct account *a = &c->account;
    err e =
        db_run(dir.db, NULL,
               "INSERT INTO accounts (id, local, domain, name, customer, messages, recipients, size, enabled,"
               " any_sender, keep, forward, held, source)"
               " VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               "issssssiiiisss", a->id, a->local, a->domain, a->name, a->customer, a->messages, a->recipients, a->size,
               (int64_t)a->enabled, (int64_t)a->any_sender, (int64_t)a->keep, a->forward, a->held, a->source);
    struct db_rows r;
    if (e)
        return e;
    db_rows_begin(&r, dir.db, "SELECT last_insert_rowid()", "");
    if (db_rows_next(&r))
        a->id = db_rows_num(&r, 0);
    return db_rows_end(&r);
}

static err put_alias(const struct directory_change *c)
{
    return db_run(dir.db, NULL, "INSERT INTO aliases (local, domain, targets, enabled) VALUES (?, ?, ?, ?)", "sssi",
                  c->alias.local, c->alias.domain, c->alias.targets, (int64_t)c->alias.enabled);
}

static err delete_row(const struct directory_change *c, int64_t *ret_n)
{
    switch (c->kind) {
    case DIR_DOMAIN:
        return db_run(dir.db, ret_n, "DELETE FROM domains WHERE name = ?", "s", c->domain.name);
    case DIR_ACCOUNT:
        return db_run(dir.db, ret_n, "DELETE FROM accounts WHERE local = ? AND domain = ?", "ss", c->account.local,
                      c->account.domain);
    default:
        return db_run(dir.db, ret_n, "DELETE FROM aliases WHERE local = ? AND domain = ?", "ss", c->alias.local,
                      c->alias.domain);
    }
}

static void never_null(struct directory_change *c)
{
    str *v[STRINGS];
    for (int n = strings_of(c, v); n-- > 0;)
        if (!v[n]->p)
            *v[n] = S("");
}

static err write_row(struct directory_change *c)
{
    int64_t n = 0;
    if (c->verb == DIR_PUT && c->kind == DIR_ACCOUNT && !c->account.id) { /* an account keeps its number */
        lock_take(&dir.lock);
        struct entry *e = find(DIR_ACCOUNT, c->account.local, c->account.domain);
        c->account.id = e ? e->c.account.id : 0;
        lock_drop(&dir.lock);
    }
    never_null(c);
    err e = c->verb == DIR_ADD ? OK : delete_row(c, &n);
    if (e || c->verb == DIR_DELETE)
        return e ? e : n ? OK : E_NOT_FOUND;
    return c->kind == DIR_DOMAIN ? put_domain(c) : c->kind == DIR_ACCOUNT ? put_account(c) : put_alias(c);
}

/* ---- changes ---- */

struct job {
    struct directory_change *v;
    struct entry **entry;
    size_t n, failed;
    err e;
};

static void write_all(struct job *j)
{
    j->e = db_begin(dir.db);
    for (size_t i = 0; i < j->n && !j->e; i++) {
        j->e = write_row(&j->v[i]);
        j->failed = i;
        if (!j->e && j->v[i].verb != DIR_DELETE && !(j->entry[i] = entry_new(&j->v[i])))
            j->e = E_NOMEM;
    }
    err end = db_end(dir.db, j->e == OK);
    j->e = j->e ? j->e : end;
}

/* On disk and in memory in one order, whoever else changes things. */
static void apply(void *arg)
{
    struct job *j = arg;
    db_hold(dir.db);
    write_all(j);
    lock_take(&dir.lock);
    for (size_t i = 0; i < j->n; i++) {
        if (j->e) {
            free(j->entry[i]);
            continue;
        }
        str domain, local = name_of(&j->v[i], &domain);
        replace(j->v[i].kind, local, domain, j->entry[i]);
    }
    lock_drop(&dir.lock);
    db_let_go(dir.db);
}

err directory_blocking(void (*fn)(void *arg), void *arg)
{
    if (fiber_self())
        return rt_pool_run(fn, arg);
    fn(arg);
    return OK;
}

err directory_apply(const struct directory_change *v, size_t n, size_t *ret_failed)
{
    struct job j = {.n = n};
    if (!dir.db)
        return E_UNSUPPORTED;
    j.v = calloc(n + 1, sizeof *j.v);
    j.entry = calloc(n + 1, sizeof *j.entry);
    j.e = j.v && j.entry ? OK : E_NOMEM;
    if (!j.e) {
        memcpy(j.v, v, n * sizeof *v);
        err e = directory_blocking(apply, &j);
        j.e = e ? e : j.e;
    }
    free(j.v);
    free(j.entry);
    if (ret_failed)
        *ret_failed = j.failed;
    return j.e;
}

/* ---- look-ups ---- */

const struct conf_domain *directory_domain(const struct conf *c, str domain)
{
    const struct conf_domain *d = conf_domain(c, domain);
    if (d || !dir.map[DIR_DOMAIN].n)
        return d;
    lock_take(&dir.lock);
    struct entry *e = find(DIR_DOMAIN, S(""), domain);
    lock_drop(&dir.lock);
    return e ? &e->conf : NULL;
}

bool directory_domain_enabled(const struct conf_domain *d)
{
    if (d->line)
        return true; /* of the configuration */
    lock_take(&dir.lock);
    struct entry *e = find(DIR_DOMAIN, S(""), d->title);
    bool on = e && e->c.domain.enabled;
    lock_drop(&dir.lock);
    return on;
}

static bool copy(struct arena *a, struct directory_change *c)
{
    str *v[STRINGS];
    bool ok = true;
    for (int i = 0, n = strings_of(c, v); i < n; i++) {
        *v[i] = arena_str(a, *v[i]);
        ok &= v[i]->p != NULL;
    }
    return ok;
}

err directory_account(struct arena *a, str local, str domain, struct account *ret)
{
    lock_take(&dir.lock);
    struct entry *e = find(DIR_ACCOUNT, local, domain);
    struct directory_change c = {0};
    bool ok = true;
    if (e) {
        c = e->c;
        ok = copy(a, &c);
    }
    lock_drop(&dir.lock);
    if (!e || !ok)
        return e ? E_NOMEM : E_NOT_FOUND;
    *ret = c.account;
    return OK;
}

void directory_checked(str local, str domain)
{
    lock_take(&dir.lock);
    struct entry *e = find(DIR_ACCOUNT, local, domain);
    if (e)
        e->checked = rt_now();
    lock_drop(&dir.lock);
}

bool directory_is_fresh(str local, str domain, rt_time span)
{
    lock_take(&dir.lock);
    struct entry *e = find(DIR_ACCOUNT, local, domain);
    bool fresh = e && e->checked && rt_now() - e->checked < span;
    lock_drop(&dir.lock);
    return fresh;
}

bool directory_mailbox(const struct conf_domain *d, str local, char *ret_name, size_t size)
{
    str name;
    if (conf_mailbox(d, local, &name))
        return str_to_c(name, ret_name, size);
    if (str_ieq(local, S("postmaster")) && d->hop.how == CONF_TO_MAILDIR)
        return str_to_c(S("postmaster"), ret_name, size);
    lock_take(&dir.lock);
    struct entry *e = find(DIR_ACCOUNT, local, d->title);
    bool ok = e && str_to_c(e->c.account.local, ret_name, size);
    lock_drop(&dir.lock);
    return ok;
}

/* "a@x b@y" as an alias; with `self` its own address too. */
static err as_alias(struct arena *a, str local, str domain, str targets, bool self, const struct conf_alias **ret)
{
    struct conf_alias *x = arena_new(a, struct conf_alias);
    str rest = targets, one;
    size_t n = self ? 1 : 0;
    while (next_target(&rest, &one))
        n++;
    str *v = arena_array(a, n, sizeof *v);
    if (!x || !v)
        return E_NOMEM;
    *x = (struct conf_alias){.title = directory_print(a, local, domain), .local = local, .domain = domain};
    x->to.v = v;
    for (rest = targets; next_target(&rest, &one);)
        v[x->to.n++] = one;
    if (self)
        v[x->to.n++] = x->title;
    *ret = x;
    return x->title.p ? OK : E_NOMEM;
}

err directory_alias(const struct conf *c, struct arena *a, str local, str domain, const struct conf_alias **ret)
{
    *ret = conf_alias(c, local, domain);
    if (*ret)
        return OK;
    struct directory_change got = {0};
    lock_take(&dir.lock);
    struct entry *e = find(DIR_ALIAS, local, domain);
    if (e && !e->c.alias.enabled)
        e = NULL;
    if (!e && (e = find(DIR_ACCOUNT, local, domain)) && (!e->c.account.forward.n || !e->c.account.enabled))
        e = NULL;
    bool ok = true;
    if (e) {
        got = e->c;
        ok = copy(a, &got);
    }
    lock_drop(&dir.lock);
    if (!e || !ok)
        return e ? E_NOMEM : E_NOT_FOUND;
    if (got.kind == DIR_ALIAS)
        return as_alias(a, got.alias.local, got.alias.domain, got.alias.targets, false, ret);
    return as_alias(a, got.account.local, got.account.domain, got.account.forward, got.account.keep, ret);
}

bool directory_leads_to(const struct conf *c, str local, str domain, str account)
{
    AUTO_ARENA a = {0};
    const struct conf_alias *x;
    bool found = false;
    arena_init(&a, 1024, 1 << 20);
    if (directory_alias(c, &a, local, domain, &x))
        return false;
    for (size_t i = 0; i < x->to.n && !found; i++)
        found =
            str_ieq(x->to.v[i], account) ||
            (str_find(x->to.v[i], '@') == STR_NONE && str_istarts(account, x->to.v[i]) && account.n > x->to.v[i].n &&
             account.p[x->to.v[i].n] == '@' && str_ieq(str_skip(account, x->to.v[i].n + 1), domain));
    return found;
}

bool directory_domain_limits(struct arena *a, str domain, str *ret_customer, str *ret_messages, str *ret_recipients)
{
    lock_take(&dir.lock);
    struct entry *e = find(DIR_DOMAIN, S(""), domain);
    if (e) {
        *ret_customer = arena_str(a, e->c.domain.customer);
        *ret_messages = arena_str(a, e->c.domain.messages);
        *ret_recipients = arena_str(a, e->c.domain.recipients);
    }
    lock_drop(&dir.lock);
    return e && !a->e;
}

err directory_hold(str local, str domain, str why)
{
    AUTO_ARENA a = {0};
    struct directory_change c = {.kind = DIR_ACCOUNT, .verb = DIR_PUT};
    arena_init(&a, 1024, 1 << 20);
    err e = directory_account(&a, local, domain, &c.account);
    c.account.held = why;
    return e ? e : directory_apply(&c, 1, NULL);
}

/* ---- lists ---- */

static int by_name(const void *x, const void *y)
{
    str dx, dy, lx = name_of(x, &dx), ly = name_of(y, &dy);
    int d = str_cmp(dx, dy);
    return d ? d : str_cmp(lx, ly);
}

err directory_list(struct arena *a, enum directory_kind kind, struct directory_all *ret)
{
    bool ok = true;
    lock_take(&dir.lock);
    struct directory_change *v = arena_array(a, dir.map[kind].n + 1, sizeof *v);
    size_t n = 0;
    struct map_iter it = map_begin(&dir.map[kind]);
    for (struct map_node *m; v && ok && (m = map_each(&it)); n++) {
        v[n] = container_of(m, struct entry, node)->c;
        v[n].verb = DIR_PUT;
        ok = copy(a, &v[n]);
    }
    lock_drop(&dir.lock);
    if (!v || !ok)
        return E_NOMEM;
    qsort(v, n, sizeof *v, by_name);
    *ret = (struct directory_all){v, n};
    return OK;
}
