/* Connecting out: one address, one attempt, one deadline. Which addresses and in what order is the caller's. */
#include "net/internal.h"

#include <netinet/in.h>
#include <sys/un.h>

static socklen_t length_of(const struct sockaddr_storage *a)
{
    switch (a->ss_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    case AF_UNIX:
        return sizeof(struct sockaddr_un);
    default:
        return 0;
    }
}

err net_connect(struct conn *c, const struct target *t, rt_time deadline)
{
    *c = (struct conn){.io = IO_NONE};
    socklen_t to = length_of(&t->to), from = length_of(&t->from);
    if (!to)
        return conn_fail(c, E_UNREACHABLE);
    err e = io_connect(&c->io, (const struct sockaddr *)&t->to, to, from ? (const struct sockaddr *)&t->from : NULL,
                       from, deadline);
    if (e)
        return conn_fail(c, e);
    conn_begin(c, &t->to);
    c->deadline = deadline;
    return OK;
}
