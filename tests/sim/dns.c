/* Names: every node and server of the world, answered after a while, sometimes badly or not at all. */
#include "sim.h"
#include "net/dns.h"
#include "net/test_dns.h"
#include "world.h"

#include <stdio.h>

struct dns_engine { /* a node's */
    struct loop *loop;
    unsigned asked;
    bool closed;
};
struct question {
    struct node *node;
    struct dns_flight *flight;
    struct dns_engine *engine;
};
static unsigned failing OWN; /* percent */

void dns_begin(void) { failing = sim_chance(40) ? (unsigned)sim_below(30) : 0; }
void dns_healthy(void) { failing = 0; }

static err engine_open(struct dns_engine **ret, const struct dns_config *c)
{
    (void)c;
    struct dns_engine *e = calloc(1, sizeof *e);
    if (!e)
        return E_NOMEM;
    e->loop = rt_self();
    *ret = e;
    return OK;
}

static void engine_close(struct dns_engine *e)
{
    e->closed = true;
    if (!e->asked)
        free(e);
}

static void put_a(struct msg *m, const char *name, const char *text)
{
    struct ip ip;
    if (ip_parse(str_c(text), &ip))
        rr_bytes(m, name, DNS_A, 60, str_mem(ip.b, 4));
}

/* "mx.DOMAIN" and "mx2.DOMAIN" are hosts of DOMAIN. */
static void compose(struct msg *m, const char *name, unsigned type)
{
    const char *ip;
    if (type == DNS_MX && (ip = world_host(name))) {
        char host[DNS_NAME_MAX + 8];
        msg_begin(m, 1, 0, name, type);
        snprintf(host, sizeof host, "mx.%s", name);
        rr_mx(m, name, 60, 10, host);
        snprintf(host, sizeof host, "mx2.%s", name);
        if (world_second(name))
            rr_mx(m, name, 60, 20, host);
        return;
    }
    bool second = str_starts(str_c(name), S("mx2."));
    const char *domain = second ? name + 4 : str_starts(str_c(name), S("mx.")) ? name + 3 : name;
    ip = second ? world_second(domain) : world_host(domain);
    msg_begin(m, 1, ip ? 0 : 3, name, type);
    if (ip && type == DNS_A)
        put_a(m, name, ip);
    else
        rr_soa(m, "test", 5, 5);
}

static struct msg *packet OWN;

static void answer(struct post *p)
{
    struct dns_flight *f = container_of(p, struct dns_flight, post);
    struct dns_engine *e = f->engine;
    struct dns_reply r = {0};
    if (!packet)
        packet = own_alloc(sizeof *packet);
    if (sim_below(100) < failing) {
        r.e = E_DNS_TEMP;
    } else {
        compose(packet, f->name, f->type);
        r.packet = buf_str(&packet->b);
    }
    dns_answered(f, &r);
    if (--e->asked == 0 && e->closed)
        free(e);
}

static void answer_comes(void *arg, uint64_t boot)
{
    struct question *q = arg;
    if (q->node->alive && (uint64_t)q->node->nboots == boot) {
        q->flight->post.run = answer;
        rt_post(q->engine->loop, &q->flight->post);
    }
    __real_free(q);
}

static void engine_ask(struct dns_engine *e, struct dns_flight *f)
{
    struct question *q = own_alloc(sizeof *q);
    *q = (struct question){sim.running->node, f, e};
    e->asked++;
    rt_time after = sim_below(100) < failing ? sim_between(1, 9) * RT_S : sim_between(100, 30000) * RT_US;
    sim_at(sim.now + after, answer_comes, q, (uint64_t)q->node->nboots);
}

const struct dns_backend sim_dns = {engine_open, engine_ask, engine_close};
