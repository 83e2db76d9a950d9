/* Any text as the place of a service: what is taken is a path that fits, or a host of few characters and a port. */
#include "wire/endpoint.h"
#include "wire/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct endpoint at;
    if (!endpoint_parse(str_mem(data, size), 25, &at))
        return 0;
    MUST(at.port > 0);
    if (at.local) {
        MUST(at.path[0] == '/' && strlen(at.path) <= ENDPOINT_PATH_MAX && strlen(at.path) <= size);
        return 0;
    }
    MUST(at.host.n > 0 && at.host.n <= 255 && at.host.p >= (const char *)data);
    MUST(at.host.p + at.host.n <= (const char *)data + size && !memchr(at.host.p, 0, at.host.n));
    return 0;
}
