/* sd_notify(3) by hand: one datagram to the socket that the service manager named. */
#include "app/app.h"

#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

void notify_manager(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    str name = str_c(path);
    if (!path || name.n < 2 || name.n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, name.n);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    str s = str_c(text);
    /* Nobody is harmed when the manager does not listen. */
    (void)!sendto(fd, s.p, s.n, MSG_NOSIGNAL, (struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.n));
    close(fd);
}
