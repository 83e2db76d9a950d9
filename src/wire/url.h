/* Destinations in configuration: smtp://host:port, smtps://, lmtp://host:port, lmtp:///path. Pure views. */
#ifndef WIRE_URL_H
#define WIRE_URL_H
#include "base/str.h"

enum url_scheme { URL_SMTP, URL_SMTPS, URL_LMTP };

struct url {
    enum url_scheme scheme;
    str host; /* name or address, without brackets; empty for a unix socket */
    bool host_is_ip;
    uint16_t port; /* as given, else 25, 465, 24 */
    bool port_given;
    str path; /* lmtp:///path: absolute path of a unix socket, else empty */
};

/* No user, query or fragment; nothing behind the port but one optional '/'. On failure *ret_why is a text
 * of what was expected. */
bool url_parse(str s, struct url *ret, const char **ret_why);
const char *url_scheme_name(enum url_scheme s); /* "smtp" */

#endif
