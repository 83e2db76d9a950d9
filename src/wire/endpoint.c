/* Addresses of services; see endpoint.h. */
#include "wire/endpoint.h"

#include "base/text.h"

bool endpoint_parse(str s, uint16_t port, struct endpoint *ret)
{
    struct endpoint at = {.port = port};
    uint64_t n;
    if (str_starts(s, S("unix:")))
        s = str_skip(s, 5);
    at.local = str_starts(s, S("/"));
    if (at.local) {
        if (!str_to_c(s, at.path, sizeof at.path))
            return false;
        *ret = at;
        return true;
    }
    str rest;
    if (str_starts(s, S("["))) {
        size_t end = str_find(s, ']');
        if (end == STR_NONE)
            return false;
        at.host = str_sub(s, 1, end);
        rest = str_skip(s, end + 1);
    } else {
        size_t colon = str_find(s, ':');
        at.host = str_sub(s, 0, colon);
        rest = colon == STR_NONE ? S("") : str_skip(s, colon);
    }
    if (rest.n) {
        if (rest.p[0] != ':' || !text_u64(str_skip(rest, 1), &n) || n == 0 || n > 65535)
            return false;
        at.port = (uint16_t)n;
    }
    for (size_t i = 0; i < at.host.n; i++)
        if (!ascii_alnum(at.host.p[i]) && !memchr(".-_:", at.host.p[i], 4))
            return false;
    *ret = at;
    return at.host.n > 0 && at.host.n <= 255;
}
