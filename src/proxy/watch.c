/*
 * Looking after the servers behind: a first contact with each, in which it is asked once whether it relays for us
 * (RCPT to a foreign name, then RSET), and one from time to time with those that failed.
 */
#include "proxy/internal.h"

#include <stdlib.h>

#define TICK RT_S

struct look {
    struct conf *conf;
    const struct conf_upstream *up;
    size_t at;
    struct server *server;
};

/* A proxy leaves relaying to the server behind. If that trusts our address and does not know the client's, anybody can
 * relay through us. */
static bool must_probe(const struct look *k)
{
    return !k->server->probed && !k->up->xclient && k->up->proxy_protocol == CONF_PROXY_NONE && !k->up->lmtp;
}

static void probe(const struct look *k, struct link *l)
{
    bool accepts = link_ask(l, S("MAIL FROM:<>\r\n")) == OK && reply_is_ok(&l->in.r) &&
                   link_ask(l, S("RCPT TO:<relay-test@example.net>\r\n")) == OK && reply_is_ok(&l->in.r);
    bool done = !l->conn.e && !l->gone && link_ask(l, S("RSET\r\n")) == OK;
    lock_take(&k->server->lock);
    k->server->probed = k->server->probed || done || accepts;
    k->server->relays = accepts;
    lock_drop(&k->server->lock);
    if (accepts)
        rt_log(EV_upstream_relays, log_c(k->server->key), log_c("relay-test@example.net"));
}

static void look(void *arg)
{
    struct look *k = arg;
    struct link *l = NULL;
    if (link_open(&l, k->up, k->at, k->conf, NULL) == OK) {
        if (must_probe(k))
            probe(k, l);
        l->own = true;
        link_put(&l);
    }
    link_drop(&l);
    k->server->checking = false;
    conf_drop(&k->conf);
    free(k);
}

static bool is_due(struct server *s)
{
    lock_take(&s->lock);
    bool due = s->why[0] ? s->retry <= rt_now() : !s->known;
    lock_drop(&s->lock);
    return due && !s->checking;
}

static void look_around(struct conf *c)
{
    for (size_t u = 0; u < c->nupstreams; u++)
        for (size_t i = 0; i < c->upstreams[u].via.n; i++) {
            struct server *s = server_of(&c->upstreams[u], i);
            struct look *k = s && is_due(s) ? malloc(sizeof *k) : NULL;
            if (!k)
                continue;
            *k = (struct look){conf_ref(c), &c->upstreams[u], i, s};
            s->checking = true;
            if (!fiber_spawn(look, k, "upstream")) {
                s->checking = false;
                conf_drop(&k->conf);
                free(k);
            }
        }
}

void proxy_watch(struct conf *(*conf)(void))
{
    do {
        struct conf *c = conf();
        look_around(c);
        conf_drop(&c);
    } while (fiber_sleep(rt_after(TICK)) == OK);
}
