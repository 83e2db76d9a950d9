/* Where mail goes, as configuration says it: scheme, host and port, or a unix socket. */
#include "wire/url.h"
#include "base/text.h"
#include "wire/addr.h"
#include "wire/ip.h"

static const struct {
    str name;
    uint16_t port;
} schemes[] = {
    [URL_SMTP] = {S_INIT("smtp"), 25},
    [URL_SMTPS] = {S_INIT("smtps"), 465},
    [URL_LMTP] = {S_INIT("lmtp"), 24},
};

const char *url_scheme_name(enum url_scheme s) { return schemes[s].name.p; }

static bool fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

/* host, host:port, [v6], [v6]:port. */
static bool authority(str s, struct url *u, const char **ret_why)
{
    struct ip ip;
    str port = {NULL, 0};
    u->host = s;
    if (s.n && s.p[0] == '[') {
        size_t end = str_find(s, ']');
        if (end == STR_NONE || (end + 1 < s.n && s.p[end + 1] != ':'))
            return fail(ret_why, "an IPv6 address stands in brackets, a port behind them: [::1]:25");
        u->host = str_sub(s, 1, end);
        if (end + 1 < s.n)
            port = str_skip(s, end + 2);
        if (str_find(u->host, ':') == STR_NONE || !ip_parse(u->host, &ip))
            return fail(ret_why, "brackets hold an IPv6 address");
    } else if (str_find(s, ':') != STR_NONE) {
        u->host = str_sub(s, 0, str_find(s, ':'));
        port = str_skip(s, u->host.n + 1);
        if (str_find(port, ':') != STR_NONE)
            return fail(ret_why, "an IPv6 address stands in brackets: [::1]:25");
    }
    u->host_is_ip = ip_parse(u->host, &ip);
    if (!u->host_is_ip && !domain_valid(u->host, ADDR_F_UNDERSCORE))
        return fail(ret_why, "expected a host name or an IP address");
    uint64_t v = u->port;
    if (port.p && (port.n > 5 || !text_u64(port, &v) || v == 0 || v > 65535))
        return fail(ret_why, "a port is a number from 1 to 65535");
    u->port = (uint16_t)v;
    u->port_given = port.p != NULL;
    return true;
}

bool url_parse(str s, struct url *ret, const char **ret_why)
{
    struct url u = {.host = S_INIT(""), .path = S_INIT("")};
    size_t at = str_search(s, S("://"));
    size_t i = 0, n = sizeof schemes / sizeof *schemes;
    while (at != STR_NONE && i < n && !str_ieq(str_sub(s, 0, at), schemes[i].name))
        i++;
    if (at == STR_NONE || i == n)
        return fail(ret_why, "expected smtp://host, smtps://host, lmtp://host or lmtp:///path");
    u.scheme = (enum url_scheme)i;
    u.port = schemes[i].port;
    str rest = str_skip(s, at + 3);
    for (size_t k = 0; k < rest.n; k++)
        if ((unsigned char)rest.p[k] <= 32 || rest.p[k] == 127)
            return fail(ret_why, "blanks and control characters cannot stand in a destination");
    if (u.scheme == URL_LMTP && str_starts(rest, S("/"))) {
        if (rest.n < 2 || rest.n > 107) /* sun_path */
            return fail(ret_why, "the path of a unix socket has 2 to 107 octets");
        u.path = rest;
        u.port = 0;
        *ret = u;
        return true;
    }
    if (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    if (!authority(rest, &u, ret_why))
        return false;
    *ret = u;
    return true;
}
