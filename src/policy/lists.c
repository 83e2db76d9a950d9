/*
 * Lists. A database is one connection over the bytes of its file, of the newest generation that asked; its answers are
 * kept until the next generation.
 */
#include "policy/lists.h"
#include "db/memory.h"
#include "policy/dnslist.h"

#include <stdlib.h>

enum { CACHE = 8192, OPEN_MAX = 64, FORMS_MAX = 300 };

/* One database, shared by whoever asks it at the moment. */
struct source {
    struct source *next;
    int refs;
    struct conf *conf; /* a reference: the bytes lie there */
    const struct conf_access *list;
    struct db_memory *db;
    bool failed; /* told already */
};

static struct {
    struct lock lock;
    struct source *open;
    struct said { /* what databases said; hash 0: nothing */
        uint64_t hash;
        bool has;
    } * cache; /* CACHE of them, from the first answer; NULL before */
} all;

/* ---- databases ---- */

static void source_drop(struct source *s)
{
    lock_take(&all.lock);
    bool last = --s->refs == 0;
    lock_drop(&all.lock);
    if (!last)
        return;
    db_memory_close(&s->db);
    conf_drop(&s->conf);
    free(s);
}

/* Under the lock: what belongs to an older generation leaves the table; the chain of those is returned. */
static struct source *take_old(const struct conf *c)
{
    struct source *old = NULL, **at = &all.open;
    while (*at) {
        struct source *s = *at;
        if (s->conf->generation < c->generation) {
            *at = s->next;
            s->next = old;
            old = s;
        } else {
            at = &s->next;
        }
    }
    return old;
}

static struct source *source_new(struct conf *c, const struct conf_access *l)
{
    struct source *s = calloc(1, sizeof *s);
    if (s) {
        *s = (struct source){.refs = 2, .conf = conf_ref(c), .list = l}; /* the table's and the caller's */
        s->next = all.open;
        all.open = s;
    }
    return s;
}

static struct source *source_of(struct conf *c, const struct conf_access *l)
{
    lock_take(&all.lock);
    struct source *old = take_old(c), *s = all.open;
    while (s && !(s->conf == c && s->list == l))
        s = s->next;
    if (s)
        s->refs++;
    else
        s = source_new(c, l);
    lock_drop(&all.lock);
    while (old) {
        struct source *next = old->next;
        source_drop(old);
        old = next;
    }
    return s;
}

struct question {
    struct source *source;
    str key;
    bool has;
    err e;
    char why[200];
};

/* On the pool. Opening is part of the first question; the database has its own lock. */
static void ask_database(void *arg)
{
    struct question *q = arg;
    struct source *s = q->source;
    struct buf why;
    buf_init_fixed(&why, q->why, sizeof q->why - 1);
    struct db_memory *db = __atomic_load_n(&s->db, __ATOMIC_ACQUIRE);
    if (!db) {
        struct db_memory *none = NULL;
        q->e = db_memory_open(&db, conf_file_text(s->conf, s->list->sqlite), s->list->query, &why);
        if (q->e)
            return;
        if (!__atomic_compare_exchange_n(&s->db, &none, db, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            db_memory_close(&db);
            db = none;
        }
    }
    q->e = db_memory_has(db, q->key, &q->has, &why);
}

static uint64_t cache_key(const struct conf *c, const struct conf_access *l, str key)
{
    uint64_t h = str_ihash(key) ^ (c->generation * 0x9e3779b97f4a7c15u) ^ ((uint64_t)l->at << 48);
    return h ? h : 1;
}

static bool cached(uint64_t hash, bool *ret)
{
    lock_take(&all.lock);
    bool found = all.cache && all.cache[hash % CACHE].hash == hash;
    *ret = found && all.cache[hash % CACHE].has;
    lock_drop(&all.lock);
    return found;
}

static bool database_has(struct conf *c, const struct conf_access *l, str key) YIELDS
{
    uint64_t hash = cache_key(c, l, key);
    struct question q = {.key = key};
    bool has;
    if (cached(hash, &has))
        return has;
    q.source = source_of(c, l);
    if (!q.source)
        return false;
    err e = rt_pool_run(ask_database, &q);
    e = e ? e : q.e;
    bool tell = e && !__atomic_exchange_n(&q.source->failed, true, __ATOMIC_RELAXED);
    source_drop(q.source);
    if (tell)
        rt_log(EV_list_failed, log_str(l->title), q.why[0] ? log_c(q.why) : log_err(e));
    if (e)
        return false;
    lock_take(&all.lock);
    if (!all.cache)
        all.cache = calloc(CACHE, sizeof *all.cache);
    if (all.cache)
        all.cache[hash % CACHE] = (struct said){hash, q.has};
    lock_drop(&all.lock);
    return q.has;
}

struct walk {
    struct conf *c;
    const struct conf_access *l;
};
static bool has_form(void *arg, str form)
{
    struct walk *w = arg;
    return database_has(w->c, w->l, form);
}

static bool in_database(struct conf *c, const struct conf_access *l, str value, bool forms) YIELDS
{
    struct walk w = {c, l};
    char lower[FORMS_MAX];
    if (!l->sqlite.n || value.n > FORMS_MAX)
        return false;
    for (size_t i = 0; i < value.n; i++)
        lower[i] = ascii_lower(value.p[i]);
    value = str_mem(lower, value.n);
    return forms ? access_each_form(value, has_form, &w) : has_form(&w, value);
}

/* ---- all sources of a list ---- */

bool list_has_ip(struct conf *c, const struct conf_access *l, const struct ip *ip, rt_time until)
{
    char mem[IP_TEXT_MAX];
    struct buf b;
    struct dnslist d;
    if (!ip->v)
        return false;
    buf_init_fixed(&b, mem, sizeof mem);
    ip_print(&b, ip);
    if (access_has_ip(l->set, ip) || in_database(c, l, buf_str(&b), false))
        return true;
    dnslist_ip(l->zones, l->nzones, ip, until, &d);
    return d.score > 0;
}

bool list_has_domain(struct conf *c, const struct conf_access *l, str name, rt_time until)
{
    struct dnslist d;
    if (!name.n)
        return false;
    if (access_has_domain(l->set, name) || in_database(c, l, name, true))
        return true;
    dnslist_name(l->zones, l->nzones, name, until, &d);
    return d.score > 0;
}

bool list_has_address(struct conf *c, const struct conf_access *l, str address, rt_time until)
{
    struct dnslist d;
    size_t at = str_rfind(address, '@');
    if (access_has_address(l->set, address) || in_database(c, l, address.n ? address : S("<>"), at != STR_NONE))
        return true;
    if (at == STR_NONE)
        return false;
    dnslist_name(l->zones, l->nzones, str_skip(address, at + 1), until, &d);
    return d.score > 0;
}

bool list_has_text(struct conf *c, const struct conf_access *l, str text, rt_time until)
{
    (void)until;
    return access_has_text(l->set, text) || in_database(c, l, text, false);
}
