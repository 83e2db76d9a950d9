/* The channel between parent and worker: fixed-size messages that may carry descriptors. */
#include "app/app.h"

#include <errno.h>

union fd_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS)];
};

err channel_send(int fd, const struct message *m, const int *fds)
{
    union fd_space space = {0};
    struct iovec v = {(void *)m, sizeof *m};
    struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
    if (m->nfd) {
        h.msg_control = space.bytes;
        h.msg_controllen = CMSG_SPACE(sizeof(int) * m->nfd);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int) * m->nfd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fds, sizeof(int) * m->nfd);
    }
    ssize_t n;
    do
        n = sendmsg(fd, &h, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_from_errno(errno) : OK;
}

static int take_fds(struct msghdr *h, int fds[MESSAGE_FDS])
{
    int n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)n);
        }
    return n;
}

err channel_recv(int fd, struct message *m, int fds[MESSAGE_FDS])
{
    union fd_space space;
    struct iovec v = {m, sizeof *m};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    ssize_t n;
    do
        n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_from_errno(errno);
    if (n == 0)
        return E_CLOSED;
    int got = take_fds(&h, fds);
    return n == sizeof *m && (uint32_t)got == m->nfd ? OK : E_CORRUPT;
}
