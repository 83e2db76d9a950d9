/* Look-ups about a client. Each part is a fiber that leaves its result in the struct; the last one out frees it. */
#include "policy/client.h"
#include "policy/ask.h"

#include <stdlib.h>

enum { HELO_MAX = 255, ANSWER_MEM = 16 * 1024 };

struct client {
    struct conf *conf;
    struct ip ip;
    int refs;
    struct cond cond;
    bool started[CLIENT_PARTS], done[CLIENT_PARTS];
    unsigned helo_turn; /* counts HELO commands: what an older look-up brings is not taken */
    enum client_reverse reverse;
    char name[HELO_MAX];
    uint8_t name_n;
    struct dnslist lists[CLIENT_PARTS];
    bool resolves;
};

struct job { /* of one fiber */
    struct client *k;
    enum client_part part;
    unsigned turn;
    uint8_t helo_n;
    char helo[HELO_MAX];
};

/* Its clients log in, or are known devices. */
static bool for_users(const struct source *s, const struct conf *c)
{
    for (size_t i = 0; i < c->nlisteners; i++)
        if (str_eq(c->listeners[i].title, s->listener))
            return c->listeners[i].submission || c->listeners[i].devices.n;
    return false;
}

bool client_is_stranger(const struct source *s, const struct conf *c)
{
    if (!s->client.ip.v || s->socket || s->lmtp || s->submitted || s->authenticated)
        return false;
    if ((s->may_relay && !s->proxied) || for_users(s, c))
        return false;
    return !conf_nets_has(&c->limit_exempt, &s->client.ip) && !conf_nets_has(&c->relay_from, &s->client.ip);
}

struct client *client_new(struct conf *c, const struct ip *ip)
{
    struct client *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->conf = conf_ref(c);
    k->ip = *ip;
    k->refs = 1;
    k->reverse = REVERSE_ERROR;
    k->resolves = true;
    cond_init(&k->cond);
    return k;
}

void client_drop(struct client **p)
{
    struct client *k = *p;
    *p = NULL;
    if (!k || --k->refs > 0)
        return;
    conf_drop(&k->conf);
    free(k);
}

bool client_is_of(const struct client *k, const struct ip *ip) { return ip_eq(&k->ip, ip); }

/* ---- the parts ---- */

static void look_reverse(struct client *k, rt_time until) YIELDS
{
    struct arena mem;
    struct check_iprev found;
    arena_init(&mem, 1024, 65536);
    struct check c = {
        .mem = &mem, .source = &check_source_net, .deadline = until, .now_s = rt_wall_ms() / 1000, .ip = k->ip};
    check_iprev(&c, &found);
    switch (found.result) {
    case CHECK_PASS:
        k->reverse = REVERSE_CONFIRMED;
        str name = str_sub(found.name, 0, sizeof k->name);
        memcpy(k->name, name.p, name.n);
        k->name_n = (uint8_t)name.n;
        break;
    case CHECK_FAIL:
        k->reverse = REVERSE_MISMATCH;
        break;
    case CHECK_PERMERROR:
        k->reverse = REVERSE_NONE;
        break;
    default:
        k->reverse = REVERSE_ERROR;
    }
    arena_free(&mem);
}

/* Nothing of this type, for sure. */
static bool lacks(str name, enum dns_type type, rt_time until) YIELDS
{
    struct arena mem;
    struct dns_answer ans;
    struct dns_question q = {name, type, until, true};
    arena_init(&mem, 1024, ANSWER_MEM);
    err e = dns_ask(&q, &mem, &ans);
    arena_free(&mem);
    return e == E_DNS_NONE || e == E_DNS_NODATA || e == E_SYNTAX;
}

static void look(struct job *j, struct dnslist *ret, bool *ret_resolves) YIELDS
{
    struct client *k = j->k;
    const struct conf *c = k->conf;
    rt_time until = rt_after(c->policy_dns_time);
    str helo = str_mem(j->helo, j->helo_n);
    switch (j->part) {
    case CLIENT_REVERSE:
        look_reverse(k, until);
        break;
    case CLIENT_BLOCK:
        dnslist_ip(c->block_zones, c->nblock_zones, &k->ip, until, ret);
        break;
    case CLIENT_ALLOW:
        dnslist_ip(c->allow_zones, c->nallow_zones, &k->ip, until, ret);
        break;
    case CLIENT_HELO_LIST:
        dnslist_name(c->name_zones, c->nname_zones, helo, until, ret);
        break;
    case CLIENT_HELO:
        *ret_resolves = !(lacks(helo, DNS_A, until) && lacks(helo, DNS_AAAA, until) && lacks(helo, DNS_MX, until));
        break;
    case CLIENT_PARTS:
        break;
    }
}

static bool of_helo(enum client_part p) { return p == CLIENT_HELO || p == CLIENT_HELO_LIST; }

static void run(void *arg)
{
    struct job *j = arg;
    struct client *k = j->k;
    struct dnslist found = {0};
    bool resolves = true;
    look(j, &found, &resolves);
    if (!of_helo(j->part) || j->turn == k->helo_turn) {
        k->lists[j->part] = found;
        if (j->part == CLIENT_HELO)
            k->resolves = resolves;
        k->done[j->part] = true;
    }
    cond_wake_all(&k->cond);
    free(j);
    client_drop(&k);
}

void client_start(struct client *k, enum client_part part, str helo)
{
    if (k->started[part])
        return;
    k->started[part] = true;
    struct job *j = calloc(1, sizeof *j);
    if (j) {
        *j = (struct job){.k = k, .part = part, .turn = k->helo_turn};
        helo = str_sub(helo, 0, sizeof j->helo);
        if (helo.n)
            memcpy(j->helo, helo.p, helo.n);
        j->helo_n = (uint8_t)helo.n;
        k->refs++;
        if (fiber_spawn(run, j, "client"))
            return;
        k->refs--;
    }
    free(j);
    k->done[part] = true; /* nothing is known of it */
}

void client_new_helo(struct client *k)
{
    k->helo_turn++;
    for (int p = 0; p < CLIENT_PARTS; p++)
        if (of_helo((enum client_part)p))
            k->started[p] = k->done[p] = false;
    k->resolves = true;
}

/* ---- waiting ---- */

/* Whoever asks holds a reference of his own. */
static bool wait_for(struct client *k, enum client_part part, str helo) YIELDS
{
    rt_time until = rt_after(k->conf->policy_dns_time + RT_S);
    client_start(k, part, helo);
    while (!k->done[part] && cond_wait(&k->cond, until) == OK)
        continue;
    return k->done[part];
}

enum client_reverse client_reverse(struct client *k, str *ret_name)
{
    bool done = wait_for(k, CLIENT_REVERSE, S(""));
    *ret_name = str_mem(k->name, k->name_n);
    return done ? k->reverse : REVERSE_ERROR;
}

const struct dnslist *client_listed(struct client *k, enum client_part part, str helo)
{
    (void)wait_for(k, part, helo);
    return &k->lists[part];
}

bool client_helo_resolves(struct client *k, str helo)
{
    (void)wait_for(k, CLIENT_HELO, helo);
    return k->resolves;
}

/* ---- names ---- */

const char *client_helo_fault(str helo)
{
    struct ip ip;
    if (!helo.n)
        return "no name was given";
    if (helo.p[0] == '[')
        return NULL; /* a literal is allowed (RFC 5321 4.1.3) */
    if (ip_parse(helo, &ip))
        return "it is an address without brackets";
    if (str_ends(helo, S(".")))
        helo.n--;
    if (str_find(helo, '.') == STR_NONE)
        return "it is not a full domain name";
    for (size_t i = 0; i < helo.n; i++)
        if (!ascii_alnum(helo.p[i]) && !strchr(".-_", helo.p[i]))
            return "it is not a domain name";
    return NULL;
}

/* All octets of an IPv4 address as numbers, one behind the other or backwards, or its last two in hexadecimal. */
bool client_name_is_generic(str name, const struct ip *ip)
{
    unsigned seen = 0, v = 0, digits = 0;
    if (ip->v != 4)
        return false;
    for (size_t i = 0; i <= name.n; i++) {
        if (i < name.n && ascii_digit(name.p[i]) && digits < 3) {
            v = v * 10 + (unsigned)(name.p[i] - '0');
            digits++;
            continue;
        }
        for (int k = 0; digits && k < 4; k++)
            if (!(seen & 1u << k) && v == ip->b[k]) {
                seen |= 1u << k;
                break;
            }
        v = digits = 0;
        if (i < name.n && ascii_digit(name.p[i])) { /* a long number: begins anew */
            v = (unsigned)(name.p[i] - '0');
            digits = 1;
        }
    }
    return (seen & 0xc) == 0xc && (seen & 0x3);
}

bool client_helo_is_ours(str helo, const struct conf *c, str listener_hostname, const struct ip *local)
{
    if (str_ends(helo, S(".")))
        helo.n--;
    if (str_ieq(helo, c->hostname) || (listener_hostname.n && str_ieq(helo, listener_hostname)))
        return true;
    struct ip ip;
    str text = helo;
    if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']') {
        text = str_sub(text, 1, text.n - 1);
        if (str_istarts(text, S("IPv6:")))
            text = str_skip(text, 5);
    }
    return local->v && ip_parse(text, &ip) && ip_eq(&ip, local);
}
