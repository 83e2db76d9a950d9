/*
 * The network: streams whose pieces take their time, arrive in small portions, wait in small windows, and whose
 * connections break: by a reset that both ends see, or by silence that neither does.
 */
#include "sim.h"
#include "wire/ip.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

enum { FD0 = 1000, SOCKETS = LOOP_EDGES, BACKLOG = 128 };
enum kind { FREE, PLAIN, LISTENER, CONNECTED };

struct sock {
    enum kind kind;
    struct node *node;
    struct loop *loop;
    struct io *io;
    struct sockaddr_storage at;
    struct end *end;
    int wait[BACKLOG], nwait; /* of a listener: connected, not accepted */
    int error;
    bool edge_in, edge_out, edge_end, queued;
};
static struct sock socks[SOCKETS] OWN;
static int last_fd OWN, last_port OWN, nlinks OWN;
static struct link *links OWN;
static bool healthy OWN;
static unsigned faults OWN; /* percent of connections with one */
static rt_time slowest OWN;

struct piece {
    struct end *to;
    size_t n;
    char bytes[];
};

void lan_begin(void)
{
    static const unsigned worlds[] = {0, 5, 15, 40};
    faults = worlds[sim_below(4)];
    slowest = sim_chance(20) ? 300 * RT_MS : sim_chance(50) ? 40 * RT_MS : 2 * RT_MS;
    healthy = false;
    last_port = 20000;
}
void lan_healthy(void) { healthy = true; }
struct link *lan_links(void) { return links; }

static struct sock *sock_of(int fd) { return fd >= FD0 && fd < FD0 + SOCKETS ? &socks[fd - FD0] : NULL; }
struct end *lan_end(int fd)
{
    struct sock *s = sock_of(fd);
    return s ? s->end : NULL;
}

static int sock_new(enum kind kind)
{
    for (int tries = 0; tries < SOCKETS; tries++) {
        last_fd = (last_fd + 1) % SOCKETS;
        if (socks[last_fd].kind == FREE) {
            socks[last_fd] = (struct sock){.kind = kind};
            return FD0 + last_fd;
        }
    }
    errno = EMFILE;
    return -1;
}

static bool same_place(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
    return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
}

/* ---- edges ------------------------------------------------------------------------------------------------------ */

static void edge(struct sock *s, bool in, bool out, bool end)
{
    s->edge_in |= in;
    s->edge_out |= out;
    s->edge_end |= end;
    if (!s->io || s->queued)
        return;
    struct be_loop *b = s->loop->be;
    s->queued = true;
    b->edges[b->n++] = s;
    actor_wake(b->actor);
}

static void end_edge(struct end *e, bool in, bool out, bool end)
{
    if (!e->closed && e->fd)
        edge(&socks[e->fd - FD0], in, out, end);
}

bool lan_has_edges(struct loop *l) { return ((struct be_loop *)l->be)->n > 0; }

void lan_edges(struct loop *l)
{
    struct be_loop *b = l->be;
    for (size_t i = 0; i < b->n; i++) {
        struct sock *s = b->edges[i];
        bool in = s->edge_in, out = s->edge_out, end = s->edge_end;
        s->queued = s->edge_in = s->edge_out = s->edge_end = false;
        if (s->io)
            io_event(s->io, in || end, out || end, end);
    }
    b->n = 0;
}

int lan_watch(struct loop *l, struct io *io)
{
    struct sock *s = sock_of(io->fd);
    s->loop = l;
    s->io = io;
    struct end *e = s->end;
    if (s->kind == LISTENER ? s->nwait > 0 : s->kind == CONNECTED && e->link->established)
        edge(s, true, s->kind == CONNECTED, s->kind == CONNECTED && (e->fin || e->reset));
    return 0;
}

void lan_unwatch(struct loop *l, struct io *io)
{
    struct sock *s = sock_of(io->fd);
    struct be_loop *b = l->be;
    s->io = NULL;
    for (size_t i = 0; i < b->n; i++)
        if (b->edges[i] == s)
            b->edges[i--] = b->edges[--b->n];
    s->queued = false;
}

/* ---- connections ----------------------------------------------------------------------------------------------------
 */

static struct end *other(struct end *e) { return &e->link->e[e == &e->link->e[0]]; }

static rt_time way(struct link *k) { return k->latency + (rt_time)sim_below((uint64_t)k->jitter + 1); }

static void reset_arrives(void *arg, uint64_t n)
{
    struct end *e = arg;
    (void)n;
    if (e->closed || e->reset)
        return;
    trace("link %d: reset seen by %s", e->link->id, e->node->name);
    e->reset = true;
    end_edge(e, true, true, true);
}

static void link_over(struct link *k)
{
    if (!k->end_time)
        k->end_time = sim.now;
}

/* Both ends learn it; what is on the way is lost. */
static void link_break(struct link *k)
{
    if (k->broken)
        return;
    trace("link %d: broken", k->id);
    k->broken = true;
    link_over(k);
    for (int i = 0; i < 2; i++)
        sim_at(sim.now + way(k), reset_arrives, &k->e[i], 0);
}

static void cut(void *arg, uint64_t n)
{
    struct link *k = arg;
    if (healthy || k->end_time)
        return;
    if (n)
        link_break(k);
    else {
        trace("link %d: silent from now on", k->id);
        k->e[0].deaf = k->e[1].deaf = true;
    }
}

static struct link *link_new(struct node *from, struct node *to)
{
    struct link *k = own_alloc(sizeof *k);
    k->id = ++nlinks;
    k->e[0].link = k->e[1].link = k;
    k->e[0].node = from;
    k->e[1].node = to;
    k->latency = 50 * RT_US + (rt_time)sim_below((uint64_t)slowest);
    k->jitter = k->latency / 4;
    k->window = sim_chance(10) ? (unsigned)sim_between(64, 2000) : (unsigned)sim_between(8000, 200000);
    k->piece = sim_chance(10) ? (unsigned)sim_between(1, 40) : (unsigned)sim_between(500, 16000);
    k->next = links;
    links = k;
    if (!healthy && sim_below(100) < faults) {
        /* Early ones hit greetings, later ones the data and the reply behind it. */
        rt_time when =
            sim.now + 2 * k->latency + (rt_time)sim_below((uint64_t)(sim_chance(70) ? 30 * k->latency : 4 * RT_S));
        sim_at(when, cut, k, sim_chance(60));
    }
    return k;
}

static int find_listener(const struct sockaddr_storage *at)
{
    int v[SOCKETS / 64], n = 0;
    for (int i = 0; i < SOCKETS && n < SOCKETS / 64; i++)
        if (socks[i].kind == LISTENER && same_place(&socks[i].at, at))
            v[n++] = i;
    return n ? v[sim_below((uint64_t)n)] : -1;
}

static void connect_fails(void *arg, uint64_t n)
{
    struct sock *s = &socks[n];
    struct end *e = arg;
    if (s->end != e || e->closed)
        return;
    s->error = ECONNREFUSED;
    e->reset = true;
    edge(s, true, true, true);
}

static void connect_ends(void *arg, uint64_t n)
{
    struct end *e = arg;
    (void)n;
    if (e->closed || e->link->broken)
        return;
    end_edge(e, false, true, false);
    if (e->in_n)
        end_edge(e, true, false, false);
}

static void connect_arrives(void *arg, uint64_t n)
{
    struct link *k = arg;
    (void)n;
    if (k->broken || k->e[0].deaf)
        return;
    int i = find_listener(&k->at[1]);
    struct sock *l = i < 0 ? NULL : &socks[i];
    int fd = l && l->nwait < BACKLOG ? sock_new(CONNECTED) : -1;
    if (fd < 0) {
        link_over(k);
        if (k->e[1].node->alive && k->e[0].fd) /* a machine that is off says nothing */
            sim_at(sim.now + way(k), connect_fails, &k->e[0], (uint64_t)(k->e[0].fd - FD0));
        return;
    }
    k->established = true;
    struct sock *s = sock_of(fd);
    s->end = &k->e[1];
    s->node = k->e[1].node;
    s->end->fd = fd;
    l->wait[l->nwait++] = fd;
    edge(l, true, false, false);
    k->e[1].last = sim.now + way(k);
    sim_at(k->e[1].last, connect_ends, &k->e[0], 0);
}

static struct node *node_at(const struct sockaddr_storage *at)
{
    struct sockaddr_storage x;
    const struct sockaddr_in *a = (const void *)at;
    for (int i = 1; i < sim.nnodes; i++) {
        struct ip_port ip = {0};
        if (ip_parse(str_c(sim.node[i]->ip), &ip.ip)) {
            ip_to_sockaddr(&ip, &x);
            if (((struct sockaddr_in *)&x)->sin_addr.s_addr == a->sin_addr.s_addr)
                return sim.node[i];
        }
    }
    return sim.node[0];
}

int lan_connect(int fd, const struct sockaddr *to, socklen_t n)
{
    struct sock *s = sock_of(fd);
    struct sockaddr_storage at = {0};
    memcpy(&at, to, n);
    struct node *self = sim.running->node;
    struct link *k = link_new(self, node_at(&at));
    k->at[1] = at;
    struct ip_port from = {.port = (uint16_t)(20000 + last_port++ % 40000)};
    if (s->at.ss_family == AF_INET)
        k->at[0] = s->at;
    else if (ip_parse(str_c(self->ip), &from.ip))
        ip_to_sockaddr(&from, &k->at[0]);
    ((struct sockaddr_in *)&k->at[0])->sin_port = htons(from.port);
    s->kind = CONNECTED;
    s->node = self;
    s->end = &k->e[0];
    s->end->fd = fd;
    trace("link %d: %s to %s", k->id, self->name, k->e[1].node->name);
    sim_at(sim.now + way(k), connect_arrives, k, 0);
    errno = EINPROGRESS;
    return -1;
}

int lan_accept(int fd, struct sockaddr *peer, socklen_t *n)
{
    struct sock *s = sock_of(fd);
    while (s->nwait) {
        int got = s->wait[0];
        memmove(s->wait, s->wait + 1, (size_t)--s->nwait * sizeof(int));
        struct end *e = socks[got - FD0].end;
        memcpy(peer, &e->link->at[0], sizeof(struct sockaddr_in));
        *n = sizeof(struct sockaddr_in);
        return got;
    }
    errno = EAGAIN;
    return -1;
}

/* ---- bytes
 * ------------------------------------------------------------------------------------------------------------ */

static void piece_arrives(void *arg, uint64_t n)
{
    struct piece *p = arg;
    struct end *e = p->to;
    (void)n;
    e->flying -= p->n;
    if (e->link->broken || e->deaf) {
        /* lost */
    } else if (e->closed) {
        if (e->node->alive)
            sim_at(sim.now + way(e->link), reset_arrives, other(e), 0);
    } else {
        if (e->in_n + p->n > e->in_cap)
            e->in = own_grow(e->in, e->in_cap = 2 * (e->in_n + p->n));
        memcpy(e->in + e->in_n, p->bytes, p->n);
        e->in_n += p->n;
        end_edge(e, true, false, false);
    }
    __real_free(p);
}

static void fin_arrives(void *arg, uint64_t n)
{
    struct end *e = arg;
    (void)n;
    if (e->closed || e->link->broken || e->deaf)
        return;
    e->fin = true;
    end_edge(e, true, false, true);
}

static void window_opens(void *arg, uint64_t n)
{
    (void)n;
    struct end *e = arg;
    if (!e->link->broken && !e->deaf)
        end_edge(e, false, true, false);
}

ssize_t lan_recv(int fd, void *p, size_t n)
{
    struct sock *s = sock_of(fd);
    struct end *e = s->end;
    if (e->in_n) {
        n = n < e->in_n ? n : e->in_n;
        memcpy(p, e->in, n);
        memmove(e->in, e->in + n, e->in_n -= n);
        e->got += n;
        struct end *o = other(e);
        if (o->full) {
            o->full = false;
            sim_at(sim.now + way(e->link), window_opens, o, 0);
        }
        return (ssize_t)n;
    }
    if (e->fin)
        return 0;
    errno = e->reset ? ECONNRESET : EAGAIN;
    return -1;
}

ssize_t lan_send(int fd, const struct iovec *v, int nv)
{
    struct end *e = sock_of(fd)->end, *o = other(e);
    struct link *k = e->link;
    size_t all = 0, used = o->in_n + o->flying, room = used < k->window ? k->window - used : 0;
    if (e->reset || e->shut) {
        errno = e->reset ? ECONNRESET : EPIPE;
        return -1;
    }
    for (int i = 0; i < nv; i++)
        all += v[i].iov_len;
    if (!room && all) {
        e->full = true;
        errno = EAGAIN;
        return -1;
    }
    if (room < all)
        e->full = true;
    size_t n = all < room ? all : room, done = 0, skip = 0;
    while (done < n) {
        size_t part = 1 + sim_below(k->piece);
        part = part < n - done ? part : n - done;
        struct piece *p = own_alloc(sizeof *p + part);
        p->to = o;
        for (p->n = 0; p->n < part;) {
            size_t some = v->iov_len - skip < part - p->n ? v->iov_len - skip : part - p->n;
            memcpy(p->bytes + p->n, (char *)v->iov_base + skip, some);
            p->n += some;
            skip += some;
            if (skip == v->iov_len)
                v++, skip = 0;
        }
        rt_time at = sim.now + way(k);
        e->last = at > e->last ? at : e->last + (rt_time)sim_below(20) * RT_US;
        o->flying += part;
        sim_at(e->last, piece_arrives, p, 0);
        done += part;
    }
    e->sent += n;
    return (ssize_t)n;
}

int lan_shutdown(int fd, int how)
{
    struct end *e = sock_of(fd)->end;
    (void)how;
    if (e && !e->shut) {
        e->shut = true;
        sim_at(e->last > sim.now + way(e->link) ? e->last : sim.now + way(e->link), fin_arrives, other(e), 0);
    }
    return 0;
}

static void end_close(struct end *e)
{
    struct link *k = e->link;
    e->closed = true;
    e->fd = 0;
    link_over(k);
    if (e->in_n || e->flying) /* unread: the peer is told by a reset, now or when the rest arrives */
        sim_at(sim.now + way(k), reset_arrives, other(e), 0);
    else if (!e->shut)
        sim_at(e->last > sim.now + way(k) ? e->last : sim.now + way(k), fin_arrives, other(e), 0);
    e->in_n = 0;
}

int lan_close(int fd)
{
    struct sock *s = sock_of(fd);
    if (!s || s->kind == FREE) {
        violation("a socket is closed that is not open");
        return -1;
    }
    if (s->kind == CONNECTED)
        end_close(s->end);
    if (s->kind == LISTENER)
        for (int i = 0; i < s->nwait; i++)
            lan_close(s->wait[i]);
    s->kind = FREE;
    s->io = NULL;
    s->end = NULL;
    return 0;
}

void lan_node_gone(struct node *n, enum crash how)
{
    for (int i = 0; i < SOCKETS; i++) {
        struct sock *s = &socks[i];
        if (s->kind == FREE || s->node != n)
            continue;
        s->io = NULL;
        s->queued = false;
        if (s->kind == CONNECTED && how == CRASH_POWER) {
            s->end->closed = true; /* nobody is told */
            s->end->fd = 0;
            s->end->in_n = 0;
            link_over(s->end->link);
        } else if (s->kind == CONNECTED) {
            end_close(s->end);
        }
        s->kind = FREE;
        s->end = NULL;
        s->nwait = 0;
    }
}

/* ---- the rest of the calls
 * ----------------------------------------------------------------------------------------------- */

int lan_socket(int family, int type)
{
    (void)type;
    if (family != AF_INET) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    int fd = sock_new(PLAIN);
    if (fd >= 0)
        sock_of(fd)->node = sim.running->node;
    return fd;
}
int lan_bind(int fd, const struct sockaddr *at, socklen_t n)
{
    memcpy(&sock_of(fd)->at, at, n);
    return 0;
}
int lan_listen(int fd, int backlog)
{
    (void)backlog;
    sock_of(fd)->kind = LISTENER;
    return 0;
}
int lan_getopt(int fd, int level, int name, void *p, socklen_t *n)
{
    int v = 0;
    (void)level;
    if (name == SO_DOMAIN)
        v = AF_INET;
    else if (name == SO_ERROR)
        v = sock_of(fd)->error;
    if (*n > sizeof v)
        memset(p, 0, *n);
    memcpy(p, &v, *n < sizeof v ? *n : sizeof v);
    return 0;
}
int lan_setopt(int fd, int level, int name, const void *p, socklen_t n)
{
    (void)fd, (void)level, (void)name, (void)p, (void)n;
    return 0;
}
int lan_address(int fd, bool peer, struct sockaddr *at, socklen_t *n)
{
    struct sock *s = sock_of(fd);
    const struct sockaddr_storage *from = &s->at;
    if (s->kind == CONNECTED) {
        int side = s->end == &s->end->link->e[1];
        from = &s->end->link->at[peer ? !side : side];
    }
    *n = sizeof(struct sockaddr_in);
    memcpy(at, from, *n);
    return 0;
}
