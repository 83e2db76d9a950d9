/*
 * MTA-STS (RFC 8461): the policy of a recipient's domain. Found by a TXT record, fetched by HTTPS, kept in memory for
 * all loops and in sts.db over restarts. A policy that is kept holds until it expires, whatever DNS or the web
 * server say meanwhile (5.1): that is what makes it safe against those in between.
 */
#include "base/cleanup.h"
#include "base/map.h"
#include "db/db.h"
#include "http/http.h"
#include "send/internal.h"

#include <stdlib.h>

enum {
    KEPT_MAX = 50000,      /* domains */
    REFRESH_S = 24 * 3600, /* 3.3: asked again at least so often, though the record is the same */
    RETRY_S = 5 * 60,      /* after a failed fetch */
    TURN_MS = 50,
    STS_NAME_MAX = 300,
};
#define FETCH_TIME (60 * RT_S) /* 3.3 */

struct kept {
    struct map_node node;
    str domain, id, text; /* one block behind this struct; text "": none was ever fetched */
    int64_t fetched_s, expires_s, tried_s;
    bool fetching;
};
static struct {
    struct lock lock;
    struct map map;
    struct db *db;
} sts;

/* ---- what is kept ------------------------------------------------------------------------------------------------ */

static struct kept *find(str domain)
{
    for (struct map_node *n = map_find(&sts.map, str_hash(domain)); n; n = map_next_equal(n))
        if (str_eq(container_of(n, struct kept, node)->domain, domain))
            return container_of(n, struct kept, node);
    return NULL;
}

/* A new entry with these strings; takes the place of the old one. NULL without memory, or with too many. */
static struct kept *put(str domain, str id, str text)
{
    struct kept *old = find(domain), *k = NULL;
    if (old || sts.map.n < KEPT_MAX)
        k = calloc(1, sizeof *k + domain.n + id.n + text.n + 1);
    if (!k)
        return NULL;
    char *at = (char *)(k + 1);
    const str from[] = {domain, id, text};
    str *to[] = {&k->domain, &k->id, &k->text};
    for (int i = 0; i < 3; i++) {
        if (from[i].n)
            memcpy(at, from[i].p, from[i].n);
        *to[i] = str_mem(at, from[i].n);
        at += from[i].n;
    }
    if (!map_add(&sts.map, &k->node, str_hash(domain))) {
        free(k);
        return NULL;
    }
    if (old) {
        map_remove(&sts.map, &old->node);
        free(old);
    }
    return k;
}

static const char *const steps[] = {
    "CREATE TABLE policies (domain TEXT PRIMARY KEY, id TEXT NOT NULL, policy TEXT NOT NULL, fetched INTEGER NOT NULL,"
    " expires INTEGER NOT NULL) WITHOUT ROWID;",
};

err sts_open(int dirfd, struct buf *why)
{
    struct db_rows r;
    err e = db_open(&sts.db, dirfd, "sts.db", steps, 1, why);
    if (e)
        return e;
    int64_t now = rt_wall_ms() / 1000;
    db_hold(sts.db);
    db_run(sts.db, NULL, "DELETE FROM policies WHERE expires <= ?", "i", now);
    db_rows_begin(&r, sts.db, "SELECT domain, id, policy, fetched, expires FROM policies", "");
    while (db_rows_next(&r)) {
        struct kept *k = put(db_rows_str(&r, 0), db_rows_str(&r, 1), db_rows_str(&r, 2));
        if (!k)
            break;
        k->fetched_s = db_rows_num(&r, 3);
        k->expires_s = db_rows_num(&r, 4);
    }
    e = db_rows_end(&r);
    db_let_go(sts.db);
    return e;
}

void sts_close(void) { db_close(&sts.db); }

struct save {
    str domain, id, text;
    int64_t now, expires;
};

static void save(void *arg)
{
    const struct save *s = arg;
    if (!sts.db)
        return;
    db_hold(sts.db); /* what is not written is fetched again after the next start */
    db_run(sts.db, NULL, "INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?, ?)", "sssii", s->domain, s->id, s->text,
           s->now, s->expires);
    db_let_go(sts.db);
}

/* ---- asking -------------------------------------------------------------------------------------------------------
 */

err sts_question(struct dns_call *c, str domain)
{
    str name = arena_printf(c->a, "_mta-sts." STR_FMT, STR_ARG(domain));
    c->q = (struct dns_question){name, DNS_TXT, RT_NEVER, false};
    c->e = !name.p ? E_NOMEM : name.n < STS_NAME_MAX ? OK : E_SYNTAX;
    return c->e;
}

/* The id that DNS names; p NULL: no record, or no answer. */
static str id_of(const struct dns_call *c)
{
    str id = {NULL, 0}, one;
    size_t n = 0;
    for (size_t i = 0; !c->e && i < c->answer.n; i++) {
        if (!str_starts(c->answer.v[i].data, S("v=STSv1")))
            continue;
        n++;
        if (sts_record(c->answer.v[i].data, &one))
            id = one;
    }
    return n == 1 ? id : (str){NULL, 0}; /* 3.1: with several there is none */
}

static err fetch(const struct conf *c, struct arena *a, str domain, str *ret_text, struct buf *why) YIELDS;
static err fetch(const struct conf *c, struct arena *a, str domain, str *ret_text, struct buf *why)
{
    struct http1_answer r;
    struct sts_policy p;
    struct http_question q = {
        .method = "GET",
        .url = {true, arena_printf(a, "mta-sts." STR_FMT, STR_ARG(domain)), 443, S("/.well-known/mta-sts.txt")},
        .ca_pem = c->ca_pem.n ? c->ca_pem.p : NULL,
        .most = STS_POLICY_MAX + HTTP1_HEAD_MAX,
        .deadline = rt_after(FETCH_TIME),
        .private_targets = c->private_targets_now,
    };
    err e = q.url.host.p ? http_ask(&q, a, &r, why) : E_NOMEM;
    if (e)
        return e;
    if (r.status != 200 || !str_istarts(http1_field(&r, S("Content-Type")), S("text/plain"))) {
        buf_printf(why, "the answer is %d, of type " STR_FMT, r.status,
                   STR_ARG(str_sub(http1_field(&r, S("Content-Type")), 0, 100)));
        return E_PROTOCOL;
    }
    if (r.body.n > STS_POLICY_MAX || !sts_policy(r.body, &p)) {
        buf_add_c(why, "it is no policy");
        return E_SYNTAX;
    }
    *ret_text = r.body;
    return OK;
}

/* Ends what `turn` began: the new policy, or why there is none. */
static void fetched(const struct conf *c, str domain, str id, str text, err e, const struct buf *why)
{
    struct sts_policy p;
    struct save s = {.domain = domain, .id = id, .text = text, .now = rt_wall_ms() / 1000};
    lock_take(&sts.lock);
    struct kept *k = e ? find(domain) : put(domain, id, text);
    if (k && !e && sts_policy(k->text, &p)) {
        k->fetched_s = s.now;
        k->expires_s = s.expires = s.now + p.max_age_s;
    }
    if (k) {
        k->tried_s = e ? s.now : 0;
        k->fetching = false;
    }
    lock_drop(&sts.lock);
    if (e)
        rt_log(EV_sts_failed, log_str(domain), log_str(buf_str(why)));
    if (e)
        seen_fetch(c, domain, e, buf_str(why));
    else
        rt_log(EV_sts_policy, log_str(domain), log_c(sts_mode_name(p.mode)), log_str(id));
    if (!e)
        (void)rt_pool_run(save, &s); /* E_NOMEM: it is in memory */
}

enum turn { TURN_USE, TURN_FETCH, TURN_WAIT };

/* What to do, and the policy that is kept and holds, into `a`. */
static enum turn turn(struct arena *a, str domain, str id, str *ret_text)
{
    int64_t now = rt_wall_ms() / 1000;
    enum turn t = TURN_USE;
    lock_take(&sts.lock);
    struct kept *k = find(domain);
    if (!k && id.p)
        k = put(domain, S(""), S(""));
    bool holds = k && k->text.n && k->expires_s > now;
    if (k && k->fetching)
        t = holds ? TURN_USE : TURN_WAIT;
    else if (k && id.p && (!holds || !str_eq(k->id, id) || now - k->fetched_s >= REFRESH_S) &&
             now - k->tried_s >= RETRY_S)
        t = TURN_FETCH;
    if (t == TURN_FETCH)
        k->fetching = true;
    *ret_text = holds ? arena_str(a, k->text) : S("");
    lock_drop(&sts.lock);
    return t;
}

err sts_find(const struct conf *c, struct arena *a, str domain, const struct dns_call *asked, struct sts_policy **ret,
             str *ret_text)
{
    char mem[400];
    struct buf why;
    str text = {0}, fresh;
    AUTO_ARENA scratch = {0};
    *ret = NULL;
    arena_init(&scratch, 4096, 512 * 1024);
    str id = id_of(asked);
    enum turn t;
    while ((t = turn(a, domain, id, &text)) == TURN_WAIT)
        if (fiber_sleep(rt_after(TURN_MS * RT_MS)))
            return E_CANCELLED;
    if (t == TURN_FETCH) {
        buf_init_fixed(&why, mem, sizeof mem);
        err e = fetch(c, &scratch, domain, &fresh, &why);
        fetched(c, domain, id, e ? S("") : fresh, e, &why);
        if (!e)
            text = arena_str(a, fresh);
    }
    struct sts_policy *p = text.n ? arena_new(a, struct sts_policy) : NULL;
    if (text.n && !p)
        return E_NOMEM;
    if (p && sts_policy(text, p) && p->mode != STS_NONE) {
        *ret = p;
        *ret_text = text;
    }
    return text.p ? OK : E_NOMEM;
}
