/* For tests of clients: a server of the test's own on a port that the kernel chooses. */
#ifndef NET_TEST_LISTEN_H
#define NET_TEST_LISTEN_H
#include "rt/test_world.h"

#include "net/net.h"

#include <arpa/inet.h>

/* `serve` runs in a fiber and accepts from *listener until that is closed. The port. */
static inline uint16_t test_listen(struct io *listener, void (*serve)(void *arg))
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd;
    CHECK(rt_listen((struct sockaddr *)&at, sizeof at, false, 5, &fd) == OK);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    *listener = IO_NONE;
    CHECK(io_attach(listener, fd) == OK);
    CHECK(fiber_spawn(serve, NULL, "server") != NULL);
    return ntohs(at.sin_port);
}

#endif
