/* For tests of net: two connections that face each other, and a fiber that plays the other end. */
#ifndef NET_TEST_PAIR_H
#define NET_TEST_PAIR_H
#include "rt/test_world.h"

#include "net/net.h"

struct pair {
    struct conn a, b;
    void (*peer)(struct conn *b, void *arg);
    void *arg;
    struct fiber *waiter;
    bool done;
};

static inline void pair_fiber(void *arg)
{
    struct pair *p = arg;
    p->peer(&p->b, p->arg);
    p->done = true;
    if (p->waiter)
        fiber_wake(p->waiter);
}

/* a is the caller's; `peer` runs with b in a fiber of its own. */
static inline void pair_open(struct pair *p, void (*peer)(struct conn *b, void *arg), void *arg)
{
    int fd[2];
    *p = (struct pair){.peer = peer, .arg = arg};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    CHECK(conn_init(&p->a, fd[0], NULL) == OK);
    CHECK(conn_init(&p->b, fd[1], NULL) == OK);
    p->a.deadline = p->b.deadline = rt_after(20 * RT_S);
    if (peer)
        CHECK(fiber_spawn(pair_fiber, p, "peer"));
    else
        p->done = true;
}

static inline void pair_close(struct pair *p)
{
    p->waiter = fiber_self();
    while (!p->done)
        CHECK(fiber_park(rt_after(20 * RT_S)) == OK);
    conn_close(&p->a);
    conn_close(&p->b);
}

static inline bool says(str got, const char *want) { return str_eq(got, str_c(want)); }

#endif
