/* The life of keys, step by step (keys.h): a fiber of loop 0 looks after all of them. */
#include "base/cleanup.h"
#include "keys/internal.h"
#include "net/net.h"
#include "priv/priv.h"
#include "wire/dkim.h"

#include <stdio.h>
#include <time.h>

enum { REMIND_S = 24 * 3600, REST_S = 3600, TRIES = 1000 };

static struct conf *conf; /* in force */
static struct fiber *runner;
static bool busy; /* one fiber at a time takes steps */

const char *keys_state_name(enum keys_state s)
{
    static const char *const names[KEYS_STATES] = {"making", "waiting", "used", "retired", "gone"};
    return names[s];
}

static int64_t now_s(void) { return rt_wall_ms() / 1000; }

err life_lock(void)
{
    while (busy) {
        err e = fiber_sleep(rt_after(20 * RT_MS));
        if (e)
            return e;
    }
    busy = true;
    return OK;
}

void life_unlock(void) { busy = false; }

static void failed(const struct keys_key *k, const char *step, err e)
{
    if (e != E_CANCELLED)
        rt_log(EV_dkim_key_failed, log_c(k->name), log_c(step), log_err(e));
}

static void told(const struct keys_key *k, const char *step) { rt_log(EV_dkim_key, log_c(k->name), log_c(step)); }

/* ---- making ---- */

static bool taken(const struct conf *c, str name)
{
    for (size_t i = 0; i < c->ndkims; i++)
        if (str_ieq(c->dkims[i].title, name))
            return true;
    return keys_known(name);
}

/* "rsa20261122", and when that name was used already "rsa20261122-2". */
static err choose_name(const struct conf *c, str domain, bool rsa, struct keys_key *ret)
{
    struct tm tm;
    time_t t = (time_t)now_s();
    gmtime_r(&t, &tm);
    for (int i = 1; i < TRIES; i++) {
        int n = snprintf(ret->selector, sizeof ret->selector, "%s%04d%02d%02d", rsa ? "rsa" : "ed", tm.tm_year + 1900,
                         tm.tm_mon + 1, tm.tm_mday);
        if (i > 1)
            snprintf(ret->selector + n, sizeof ret->selector - (size_t)n, "-%d", i);
        n = snprintf(ret->name, sizeof ret->name, "%s._domainkey." STR_FMT, ret->selector, STR_ARG(domain));
        if (n >= (int)sizeof ret->name)
            return E_LIMIT;
        if (!taken(c, str_c(ret->name)))
            return OK;
    }
    return E_LIMIT;
}

/* The keeper's part; the row says MAKING before, WAITING after it. */
static err finish(struct keys_key *k) YIELDS;
static err finish(struct keys_key *k)
{
    char record[KEYS_RECORD_MAX + 1] = "";
    struct buf b;
    buf_init_fixed(&b, record, KEYS_RECORD_MAX);
    err e = priv_dkim_make(str_c(k->name), k->rsa, &b);
    if (!e) {
        memcpy(k->record, record, sizeof record);
        k->state = KEYS_WAITING;
        k->since_s = now_s();
        e = store_put(k, 1);
    }
    if (e) {
        failed(k, "make", e);
    } else {
        told(k, "made");
        rt_log(EV_dkim_publish, log_c(k->name), log_c(k->record));
    }
    return e;
}

err life_make(const struct conf *c, const struct conf_dkim *d, bool rsa, struct keys_key *ret)
{
    struct keys_key k = {.rsa = rsa, .state = KEYS_MAKING, .since_s = now_s(), .made_s = now_s()};
    err e = OK;
    if (store_find(d->domain, rsa, KEYS_WAITING, ret))
        return OK;
    if (!store_find(d->domain, rsa, KEYS_MAKING, &k)) {
        e = choose_name(c, d->domain, rsa, &k);
        e = e ? e : store_put(&k, 1);
        if (e)
            failed(&k, "make", e);
    }
    e = e ? e : finish(&k);
    if (!e)
        *ret = k;
    return e;
}

/* ---- DNS ---- */

/* 1: a record with this very key is there; 0: none; -1: no answer. */
static int published(const struct keys_key *k) YIELDS;
static int published(const struct keys_key *k)
{
    AUTO_ARENA a = {0};
    struct dns_answer got = {0};
    struct dkim_key mine, theirs;
    arena_init(&a, 4096, 512 * 1024);
    struct dns_question q = {.name = str_c(k->name), .type = DNS_TXT, .until = RT_NEVER, .any = true};
    err e = dns_ask(&q, &a, &got);
    if (e && e != E_DNS_NODATA && e != E_DNS_NONE)
        return -1;
    if (dkim_key_parse(str_c(k->record), &a, &mine))
        return -1;
    for (size_t i = 0; !e && i < got.n; i++)
        if (!dkim_key_parse(got.v[i].data, &a, &theirs) && theirs.alg == mine.alg && str_eq(theirs.p, mine.p))
            return 1;
    return 0;
}

/* ---- use, retirement, end ---- */

err life_use(struct keys_key *k)
{
    struct keys_key v[2] = {*k};
    size_t n = 1;
    v[0].state = KEYS_USED;
    v[0].since_s = now_s();
    if (store_find(keys_domain(k), k->rsa, KEYS_USED, &v[1])) {
        v[1].state = KEYS_RETIRED;
        v[1].since_s = now_s();
        n = 2;
    }
    err e = store_put(v, n);
    if (e) {
        failed(k, "use", e);
        return e;
    }
    told(&v[0], "used");
    if (n == 2)
        told(&v[1], "retired");
    *k = v[0];
    return OK;
}

static void remove_private(struct keys_key *k) YIELDS;
static void remove_private(struct keys_key *k)
{
    err e = priv_dkim_drop(str_c(k->name));
    if (!e) {
        k->state = KEYS_GONE;
        k->since_s = now_s();
        e = store_put(k, 1);
    }
    if (e)
        failed(k, "delete", e);
    else
        told(k, "deleted: its record may be removed from DNS");
}

static void look_for_removal(const struct keys_key *k) YIELDS;
static void look_for_removal(const struct keys_key *k)
{
    if (published(k) == 0 && !store_drop(k))
        told(k, "forgotten: its record is gone");
}

/* ---- all of a section ---- */

static void next_key(const struct conf *c, const struct conf_dkim *d, bool rsa) YIELDS;
static void next_key(const struct conf *c, const struct conf_dkim *d, bool rsa)
{
    struct keys_key used, k;
    int64_t now = now_s();
    bool has = store_find(d->domain, rsa, KEYS_USED, &used);
    bool waits = store_find(d->domain, rsa, KEYS_WAITING, &k);
    if (!waits && has && now - used.since_s < d->rotate / RT_S && !store_find(d->domain, rsa, KEYS_MAKING, &k))
        return;
    if (!waits && life_make(c, d, rsa, &k))
        return;
    if (published(&k) == 1)
        (void)life_use(&k);
    else if (waits && (now - k.since_s) / REMIND_S > (now - k.since_s - d->look / RT_S) / REMIND_S)
        rt_log(EV_dkim_publish, log_c(k.name), log_c(k.record));
}

static void old_keys(const struct conf_dkim *d, rt_time *rest) YIELDS;
static void old_keys(const struct conf_dkim *d, rt_time *rest)
{
    AUTO_ARENA a = {0};
    struct keys_key *v;
    size_t n = 0;
    int64_t now = now_s();
    bool look = rt_now() >= *rest; /* nothing waits for it: now and then */
    arena_init(&a, 16384, (size_t)KEYS_MAX * sizeof *v + 65536);
    if (keys_list(&a, d->domain, &v, &n))
        return;
    for (size_t i = 0; i < n; i++)
        if (v[i].state == KEYS_RETIRED && now - v[i].since_s >= d->retire / RT_S)
            remove_private(&v[i]);
        else if (v[i].state == KEYS_GONE && look)
            look_for_removal(&v[i]);
}

static bool managed(const struct conf *c)
{
    for (size_t i = 0; i < c->ndkims; i++)
        if (!c->dkims[i].selector.n)
            return true;
    return false;
}

/* One round over all sections; how long to wait for the next. */
static rt_time round_of(const struct conf *c, rt_time *rest) YIELDS;
static rt_time round_of(const struct conf *c, rt_time *rest)
{
    rt_time wait = REST_S * RT_S;
    for (size_t i = 0; i < c->ndkims; i++) {
        const struct conf_dkim *d = &c->dkims[i];
        if (d->selector.n)
            continue;
        for (int rsa = 0; rsa < 2; rsa++)
            if (life_wants(d, rsa))
                next_key(c, d, rsa);
        old_keys(d, rest);
        wait = d->look < wait ? d->look : wait;
    }
    if (rt_now() >= *rest)
        *rest = rt_after(wait * 10 < REST_S * RT_S ? wait * 10 : REST_S * RT_S);
    return wait;
}

static void run(void *arg)
{
    rt_time rest = 0;
    (void)arg;
    while (conf && managed(conf)) {
        struct conf *c = conf_ref(conf);
        err e = life_lock();
        rt_time wait = e ? 0 : round_of(c, &rest);
        if (!e)
            life_unlock();
        conf_drop(&c);
        if (e || fiber_park(rt_after(wait)) == E_CANCELLED)
            break;
    }
    runner = NULL;
}

void keys_follow(struct conf *c)
{
    conf_drop(&conf);
    conf = conf_ref(c);
    if (runner)
        fiber_wake(runner);
    else if (managed(c))
        runner = fiber_spawn(run, NULL, "keys");
}
