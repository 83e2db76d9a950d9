/*
 * Looking up names: the hosts file, then the cache, then one question for all fibers of this loop that
 * want the same, each with its own patience. What answers stands behind a table (dns_unbound.c).
 */
#include "net/dns.h"
#include "conf/conf.h"

#include <assert.h>
#include <stdlib.h>

enum {
    LOOPS_MAX = 64,
    FLIGHTS_MAX = 10000,   /* questions of one loop at once */
    REVERSE_NAMES_MAX = 5, /* names of one address that are looked up */
    MANY = 10000,          /* questions after which a back end holds much */
};
#define FAILURE_TTL RT_S /* RFC 9520 3.2: a failure is remembered at least so long */
#define TIMEOUT_DEFAULT (5 * RT_S)
#define AGAIN RT_S          /* between tries to follow a configuration */
#define QUIET (500 * RT_MS) /* without a question, after which what many of them left is given up */

static struct resolver {
    struct dns_engine *engine;
    struct dns_hosts *hosts;
    struct map flights;
    uint64_t world; /* of the answers in the cache */
    rt_time timeout;
    struct conf *conf; /* that it follows; NULL: none */
    struct conf *want; /* a configuration that it could not follow yet; NULL: none */
    struct timer again, quiet;
    uint64_t asked; /* of this engine */
} resolvers[LOOPS_MAX];

const struct dns_backend *dns_backend = &dns_unbound;

static struct resolver *here(void)
{
    int i = rt_index();
    return i >= 0 && i < LOOPS_MAX ? &resolvers[i] : NULL;
}

/* ---- configurations ------------------------------------------------------------------------------ */

/* What makes answers differ: another hash is another world. */
static uint64_t world_of(const struct dns_config *c)
{
    uint64_t h = str_hash(c->resolv_conf) ^ (c->validate ? 0x9e3779b97f4a7c15u : 1);
    for (size_t i = 0; i < c->nservers; i++) {
        struct ip_port at = {0};
        ip_from_sockaddr((const struct sockaddr *)&c->servers[i], sizeof c->servers[i], &at);
        h = h * 31 + str_hash(str_mem(&at.ip, sizeof at.ip)) + at.port;
    }
    return h;
}

err dns_setup(const struct dns_config *c)
{
    struct resolver *r = here();
    if (!r)
        return E_BUG;
    uint64_t world = world_of(c);
    struct dns_hosts *hosts = NULL;
    struct dns_engine *engine = r->engine;
    err e = dns_hosts_new(&hosts, c->hosts);
    if (e == OK && (!engine || r->world != world))
        e = dns_backend->open(&engine, c);
    if (e) {
        dns_hosts_free(&hosts);
        return e;
    }
    if (r->engine && r->engine != engine)
        dns_backend->close(r->engine);
    if (r->engine != engine)
        r->asked = 0;
    dns_hosts_free(&r->hosts);
    r->engine = engine;
    r->hosts = hosts;
    r->world = world;
    r->timeout = c->timeout > 0 ? c->timeout : TIMEOUT_DEFAULT;
    return OK;
}

/* Memory was short, or a descriptor: that may pass. */
static void follow_again(struct timer *t)
{
    struct conf *c = container_of(t, struct resolver, again)->want;
    container_of(t, struct resolver, again)->want = NULL;
    dns_follow(c);
    conf_drop(&c);
}

static struct dns_config config_of(const struct conf *c)
{
    return (struct dns_config){
        .servers = c->dns_servers.v,
        .nservers = c->dns_servers.n,
        .validate = c->dns_validate_now,
        .timeout = c->dns_timeout,
        .resolv_conf = c->resolv_conf,
        .hosts = c->hosts,
        .anchor = c->anchor,
    };
}

/* The resolver library keeps what its busiest moment took, some 9 MB; a new one begins with little. Answers are in our
 * own cache. */
static void begin_anew(struct timer *t)
{
    struct resolver *r = container_of(t, struct resolver, quiet);
    struct dns_engine *engine;
    const struct dns_config d = config_of(r->conf);
    if (r->flights.n || dns_backend->open(&engine, &d) != OK)
        return;
    dns_backend->close(r->engine);
    r->engine = engine;
    r->asked = 0;
}

void dns_follow(struct conf *c)
{
    struct resolver *r = here();
    const struct dns_config d = config_of(c);
    err e = dns_setup(&d);
    if (!r)
        return;
    timer_stop(&r->again);
    conf_drop(&r->want);
    if (!e) {
        conf_drop(&r->conf);
        r->conf = conf_ref(c);
        r->quiet.fn = begin_anew;
        return;
    }
    rt_log(EV_dns_failed, log_c(""), log_c("setup"), log_err(e));
    if (e == E_SYNTAX)
        return;
    r->want = conf_ref(c);
    r->again.fn = follow_again;
    timer_set(&r->again, rt_after(AGAIN));
}

void dns_end(void)
{
    struct resolver *r = here();
    if (!r)
        return;
    timer_stop(&r->again);
    timer_stop(&r->quiet);
    conf_drop(&r->want);
    conf_drop(&r->conf);
    if (!r->engine)
        return;
    dns_backend->close(r->engine);
    r->engine = NULL;
    dns_hosts_free(&r->hosts);
    if (r->flights.n == 0)
        map_free(&r->flights);
}

/* ---- questions under way --------------------------------------------------------------------------- */

static uint64_t key_of(str name, unsigned type) { return str_hash(name) + type; }

static void flight_drop(struct dns_flight *f)
{
    if (--f->refs)
        return;
    dns_result_drop(&f->result);
    free(f);
}

/* The question of this kind that is under way, or a new one; NULL without memory or beyond the limit. */
static struct dns_flight *flight_join(struct resolver *r, str name, unsigned type)
{
    uint64_t key = key_of(name, type);
    for (struct map_node *n = map_find(&r->flights, key); n; n = map_next_equal(n)) {
        struct dns_flight *f = container_of(n, struct dns_flight, node);
        if (f->type == type && f->world == r->world && str_eq(str_mem(f->name, f->name_n), name)) {
            f->refs++;
            return f;
        }
    }
    struct dns_flight *f = r->flights.n < FLIGHTS_MAX ? calloc(1, sizeof *f) : NULL;
    if (!f || !map_add(&r->flights, &f->node, key)) {
        free(f);
        return NULL;
    }
    cond_init(&f->cond);
    f->engine = r->engine;
    f->world = r->world;
    f->type = type;
    f->refs = 2;
    f->name_n = name.n;
    (void)str_to_c(name, f->name, sizeof f->name);
    metric_add(M_dns_queries, 1);
    r->asked++;
    dns_backend->ask(r->engine, f);
    return f;
}

static const char *type_name(unsigned type)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {{DNS_A, "A"},     {DNS_CNAME, "CNAME"}, {DNS_PTR, "PTR"}, {DNS_MX, "MX"},
                 {DNS_TXT, "TXT"}, {DNS_AAAA, "AAAA"},   {DNS_SRV, "SRV"}, {DNS_TLSA, "TLSA"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].type == type)
            return names[i].name;
    return NULL;
}

static void log_failure(const struct dns_flight *f, err e)
{
    if (e == E_DNS_TEMP || e == E_DNS_BOGUS)
        rt_log(EV_dns_failed, log_str(str_mem(f->name, f->name_n)), log_c(type_name(f->type)), log_err(e));
}

static struct dns_result *result_of(const struct dns_flight *f, const struct dns_reply *reply)
{
    struct arena mem;
    struct dns_answer a = {0};
    err e = reply->e ? reply->e : reply->bogus ? E_DNS_BOGUS : OK;
    arena_init(&mem, 1024, DNS_ANSWER_MAX);
    if (!e)
        e = dns_msg_read(reply->packet, f->type, &mem, &a);
    if (e)
        a = (struct dns_answer){.ttl = a.ttl};
    a.secure = reply->secure;
    struct dns_result *r = dns_result_new(e, &a);
    arena_free(&mem);
    bool known = e == OK || e == E_DNS_NODATA || e == E_DNS_NONE;
    if (r)
        r->until = rt_now() + (known ? a.ttl * RT_S : FAILURE_TTL);
    return r;
}

void dns_answered(struct dns_flight *f, const struct dns_reply *reply)
{
    struct resolver *r = here();
    f->result = result_of(f, reply);
    if (f->result)
        dns_cache_put(str_mem(f->name, f->name_n), f->type, f->world, f->result);
    log_failure(f, f->result ? f->result->e : E_DNS_TEMP);
    map_remove(&r->flights, &f->node);
    if (r->flights.n == 0 && r->asked > MANY && r->conf)
        timer_set(&r->quiet, rt_after(QUIET));
    f->engine = NULL;
    cond_wake_all(&f->cond);
    flight_drop(f);
}

/* ---- answers --------------------------------------------------------------------------------------- */

/* `any` as in a question: without it records that name no plain name are left out. */
static err copy_answer(const struct dns_result *r, unsigned type, bool any, struct arena *a, struct dns_answer *ret)
{
    bool names = !any && (type == DNS_MX || type == DNS_PTR || type == DNS_CNAME);
    const struct dns_answer *from = &r->answer;
    if (r->e)
        return r->e;
    struct dns_answer to = *from;
    rt_time left = (r->until - rt_now()) / RT_S;
    to.ttl = left > 0 ? (uint32_t)left : 0;
    to.canonical = any || dns_name_plain(from->canonical) ? arena_str(a, from->canonical) : (str){0};
    to.v = arena_array(a, from->n, sizeof *to.v);
    to.n = 0;
    for (size_t i = 0; i < from->n && to.v; i++)
        if (!names || dns_name_plain(from->v[i].data))
            to.v[to.n++] = (struct dns_record){from->v[i].preference, arena_str(a, from->v[i].data), from->v[i].port};
    if (a->e)
        return a->e;
    *ret = to;
    return to.n ? OK : E_DNS_TEMP; /* records are there, and none can be used */
}

/* Of dns_ask what is known at once: true. Else *ret_flight is under way (NULL: it could not begin). */
static bool known(struct resolver *r, struct dns_call *c, struct dns_flight **ret_flight)
{
    str clean;
    *ret_flight = NULL;
    c->e = dns_name_read(c->q.name, c->q.any, c->a, &clean);
    if (!c->e && (!r || !r->engine || !type_name(c->q.type)))
        c->e = E_BUG;
    if (c->e || dns_hosts_find(r->hosts, clean, c->q.type, c->a, &c->answer, &c->e))
        return true;
    struct dns_result *cached = dns_cache_get(clean, c->q.type, r->world);
    if (cached) {
        metric_add(M_dns_cached, 1);
        c->e = copy_answer(cached, c->q.type, c->q.any, c->a, &c->answer);
        dns_result_drop(&cached);
        return true;
    }
    *ret_flight = flight_join(r, clean, c->q.type);
    return false;
}

static void wait_for(struct dns_flight *f, struct dns_call *c, rt_time until)
{
    err e = OK;
    if (c->q.until < until)
        until = c->q.until;
    while (!f->result && f->engine && e == OK)
        e = cond_wait(&f->cond, until);
    if (f->result)
        e = copy_answer(f->result, c->q.type, c->q.any, c->a, &c->answer);
    else if (e == OK)
        e = E_NOMEM;
    if (e == E_TIMEOUT) {
        e = E_DNS_TEMP;
        log_failure(f, e);
    }
    flight_drop(f);
    c->e = e;
}

bool dns_wanted(void)
{
    struct resolver *r = here();
    struct map_iter it = map_begin(&r->flights);
    for (struct map_node *n; (n = map_each(&it));)
        if (container_of(n, struct dns_flight, node)->refs > 1)
            return true;
    return false;
}

void dns_ask_all(struct dns_call *v, size_t n)
{
    struct resolver *r = here();
    struct dns_flight *f[DNS_TOGETHER];
    assert(n <= DNS_TOGETHER);
    for (size_t i = 0; i < n; i++)
        if (!known(r, &v[i], &f[i]))
            v[i].e = E_DNS_TEMP;
    rt_time until = rt_after(r ? r->timeout : 0);
    for (size_t i = 0; i < n; i++)
        if (f[i])
            wait_for(f[i], &v[i], until);
}

err dns_ask(const struct dns_question *q, struct arena *a, struct dns_answer *ret)
{
    struct dns_call c = {.q = *q, .a = a};
    dns_ask_all(&c, 1);
    if (c.e == OK)
        *ret = c.answer;
    return c.e;
}

err dns_lookup(str name, enum dns_type type, struct arena *a, struct dns_answer *ret)
{
    return dns_ask(&(struct dns_question){name, type, RT_NEVER, false}, a, ret);
}

/* OK when `name` has the address. */
static err confirm(str name, const struct ip *ip, struct arena *a)
{
    struct dns_answer ans;
    size_t n = ip->v == 4 ? 4 : 16;
    err e = dns_lookup(name, ip->v == 4 ? DNS_A : DNS_AAAA, a, &ans);
    for (size_t i = 0; e == OK && i < ans.n; i++)
        if (ans.v[i].data.n == n && memcmp(ans.v[i].data.p, ip->b, n) == 0)
            return OK;
    return e ? e : E_DNS_NODATA;
}

err dns_reverse(const struct sockaddr_storage *addr, struct arena *a, str *ret_name)
{
    struct resolver *r = here();
    struct ip_port at;
    struct buf question;
    char text[80];
    struct dns_answer ans;
    if (!r || !ip_from_sockaddr((const struct sockaddr *)addr, sizeof *addr, &at))
        return E_DNS_NONE;
    if (dns_hosts_name(r->hosts, &at.ip, ret_name)) {
        *ret_name = arena_str(a, *ret_name);
        return a->e;
    }
    buf_init_fixed(&question, text, sizeof text);
    ip_print_reverse(&question, &at.ip);
    buf_add(&question, at.ip.v == 4 ? S(".in-addr.arpa") : S(".ip6.arpa"));
    err e = dns_lookup(buf_str(&question), DNS_PTR, a, &ans);
    if (e)
        return e;
    err first = E_DNS_NODATA;
    for (size_t i = 0; i < ans.n && i < REVERSE_NAMES_MAX; i++) {
        e = confirm(ans.v[i].data, &at.ip, a);
        if (e == OK) {
            *ret_name = ans.v[i].data;
            return OK;
        }
        if (!err_is_perm(e))
            first = e;
    }
    return first;
}
