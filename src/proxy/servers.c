/* What is known of the servers behind: works or failed, what they offer, how many connections they have. */
#include "proxy/internal.h"

#include <stdlib.h>

enum { KNOWN_MAX = 4096 };
static struct {
    struct lock lock;
    struct server *first;
    size_t n;
} all;

static void make_key(const struct conf_upstream *u, size_t i, char out[200])
{
    struct buf b;
    memset(out, 0, 200);
    buf_init_fixed(&b, out, 199);
    buf_printf(&b, STR_FMT " " STR_FMT, STR_ARG(str_sub(u->title, 0, 48)), STR_ARG(str_sub(u->via.v[i], 0, 140)));
}

struct server *server_of(const struct conf_upstream *u, size_t i)
{
    char key[200];
    make_key(u, i, key);
    lock_take(&all.lock);
    struct server *s = all.first;
    while (s && strcmp(s->key, key) != 0)
        s = s->next;
    if (!s && all.n < KNOWN_MAX && (s = calloc(1, sizeof *s))) {
        memcpy(s->key, key, sizeof s->key);
        s->next = all.first;
        all.first = s;
        all.n++;
    }
    lock_drop(&all.lock);
    return s;
}

bool server_is_up(struct server *s)
{
    lock_take(&s->lock);
    bool up = !s->why[0];
    lock_drop(&s->lock);
    return up;
}

void server_failed(struct server *s, const struct conf_upstream *u, const char *why)
{
    lock_take(&s->lock);
    bool was_up = !s->why[0];
    struct buf b;
    memset(s->why, 0, sizeof s->why);
    buf_init_fixed(&b, s->why, sizeof s->why - 1);
    buf_add(&b, str_sub(str_c(why), 0, sizeof s->why - 1));
    s->retry = rt_after(u->check_time);
    lock_drop(&s->lock);
    if (was_up)
        rt_log(EV_upstream_down, log_c(s->key), log_c(why));
}

void server_works(struct server *s, const struct conf_upstream *u, const struct ability *can)
{
    (void)u;
    lock_take(&s->lock);
    bool was_down = s->why[0];
    memset(s->why, 0, sizeof s->why);
    s->can = *can;
    s->known = true;
    lock_drop(&s->lock);
    if (was_down)
        rt_log(EV_upstream_up, log_c(s->key));
}

bool server_ability(struct server *s, struct ability *ret)
{
    lock_take(&s->lock);
    bool known = s->known;
    if (known)
        *ret = s->can;
    lock_drop(&s->lock);
    return known;
}

/* ---- which one ---------------------------------------------------------------------------------------------- */

static uint64_t weight(const struct conf_upstream *u, size_t i, const struct ip *client)
{
    char text[260];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    buf_add(&b, str_sub(u->via.v[i], 0, 200));
    buf_add(&b, str_mem(client, sizeof *client));
    return str_hash(buf_str(&b));
}

/* Smaller goes first. By hash every client has an order of its own (highest random weight), so that a server that
 * fails moves only its own clients. */
static uint64_t rank(const struct conf_upstream *u, size_t i, struct server *s, const struct ip *client)
{
    switch (u->balance) {
    case CONF_BALANCE_LEAST:
        return (uint64_t)__atomic_load_n(&s->connections, __ATOMIC_RELAXED);
    case CONF_BALANCE_HASH:
        return weight(u, i, client) >> 1;
    default:
        return i;
    }
}

size_t servers_order(const struct conf_upstream *u, const struct ip *client, uint8_t order[SERVERS_MAX])
{
    uint64_t by[SERVERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < u->via.n && n < SERVERS_MAX; i++) {
        struct server *s = server_of(u, i);
        if (!s)
            continue;
        uint64_t r = rank(u, i, s, client) | (server_is_up(s) ? 0 : (uint64_t)1 << 63); /* those that failed go last */
        size_t at = n++;
        for (; at > 0 && by[at - 1] > r; at--) {
            by[at] = by[at - 1];
            order[at] = order[at - 1];
        }
        by[at] = r;
        order[at] = (uint8_t)i;
    }
    return n;
}

size_t proxy_servers(const struct conf *c, struct ctl_upstream *v, size_t max)
{
    size_t n = 0;
    for (size_t u = 0; u < c->nupstreams; u++)
        for (size_t i = 0; i < c->upstreams[u].via.n && n < max; i++) {
            struct server *s = server_of(&c->upstreams[u], i);
            if (!s)
                continue;
            struct ctl_upstream *p = &v[n++];
            *p = (struct ctl_upstream){0};
            str_to_c(str_sub(c->upstreams[u].title, 0, sizeof p->upstream - 1), p->upstream, sizeof p->upstream);
            str_to_c(str_sub(c->upstreams[u].via.v[i], 0, sizeof p->server - 1), p->server, sizeof p->server);
            lock_take(&s->lock);
            memcpy(p->why, s->why, sizeof p->why);
            p->relays = s->relays;
            lock_drop(&s->lock);
            p->up = !p->why[0];
            p->connections = (uint32_t)__atomic_load_n(&s->connections, __ATOMIC_RELAXED);
        }
    return n;
}
