/* Any octets as addresses, networks and destinations. */
#include "wire/fuzz.h"
#include "wire/ip.h"
#include "wire/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str s = {(const char *)data, size};
    struct ip ip, back;
    struct ip_port a, b;
    struct ip_net net;
    struct url u;
    const char *why;
    char mem[128];
    struct buf out;
    buf_init_fixed(&out, mem, sizeof mem);
    if (ip_parse(s, &ip)) {
        ip_print(&out, &ip);
        MUST(out.n < IP_TEXT_MAX && ip_parse(buf_str(&out), &back) && ip_eq(&ip, &back));
        ip_class(&ip);
        buf_clear(&out);
        ip_print_reverse(&out, &ip);
        MUST(out.e == OK);
    }
    buf_clear(&out);
    if (ip_port_parse(s, 25, &a)) {
        ip_print_port(&out, &a);
        MUST(ip_port_parse(buf_str(&out), 0, &b) && a.port == b.port && ip_eq(&a.ip, &b.ip));
    }
    if (ip_net_parse(s, &net))
        MUST(ip_net_has(&net, &net.ip));
    if (!url_parse(s, &u, &why))
        MUST(why);
    return 0;
}
