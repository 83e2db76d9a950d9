/* Where a service is that others run, as it is written in a configuration: "HOST:PORT", "HOST", "/path" or
 * "unix:/path" of a socket. Pure. */
#ifndef WIRE_ENDPOINT_H
#define WIRE_ENDPOINT_H
#include "base/str.h"

enum { ENDPOINT_PATH_MAX = 107 };
struct endpoint {
    bool local; /* a Unix socket */
    char path[ENDPOINT_PATH_MAX + 1];
    str host; /* a view; without brackets */
    uint16_t port;
};
/* `port`: when none is written. False: it is none. */
bool endpoint_parse(str s, uint16_t port, struct endpoint *ret);
#define ENDPOINT_WANTED "\"HOST:PORT\", or the path of a socket (\"/run/name.sock\")"

#endif
