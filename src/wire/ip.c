/* IP addresses as text (RFC 4291, 5952, 5321 4.1.3), as socket addresses, and what they are for. */
#include "wire/ip.h"
#include "base/text.h"

#include <netinet/in.h>

static bool parse4(str s, uint8_t b[4])
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        unsigned v = 0, digits = 0;
        if (i && (at >= s.n || s.p[at++] != '.'))
            return false;
        size_t start = at;
        for (; at < s.n && ascii_digit(s.p[at]) && digits < 4; at++, digits++)
            v = v * 10 + (unsigned)(s.p[at] - '0');
        if (digits == 0 || v > 255 || (digits > 1 && s.p[start] == '0'))
            return false;
        b[i] = (uint8_t)v;
    }
    return at == s.n;
}

static int hex(char c)
{
    if (ascii_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One group of 1 to 4 hexadecimal digits at *at. */
static bool group(str s, size_t *at, unsigned *ret)
{
    unsigned v = 0, n = 0;
    for (; *at < s.n && hex(s.p[*at]) >= 0; ++*at, n++) {
        if (n == 4)
            return false;
        v = v << 4 | (unsigned)hex(s.p[*at]);
    }
    *ret = v;
    return n > 0;
}

/* Groups up to "::" or the end; *at is left there. The last may be a dotted quad. */
static bool groups(str s, size_t *at, uint8_t *b, size_t *n, size_t max)
{
    for (;;) {
        str rest = str_skip(s, *at);
        if (str_find(rest, ':') == STR_NONE && str_find(rest, '.') != STR_NONE) {
            if (*n + 4 > max || !parse4(rest, b + *n))
                return false;
            *n += 4;
            *at = s.n;
            return true;
        }
        unsigned v;
        if (*n + 2 > max || !group(s, at, &v))
            return false;
        b[(*n)++] = (uint8_t)(v >> 8);
        b[(*n)++] = (uint8_t)v;
        if (*at == s.n || str_starts(str_skip(s, *at), S("::")))
            return true;
        if (s.p[*at] != ':')
            return false;
        ++*at;
    }
}

static bool parse6(str s, uint8_t b[16])
{
    uint8_t head[16], tail[16];
    size_t nh = 0, nt = 0, at = 0;
    if (s.n < 2 || s.n > 45)
        return false;
    if (!str_starts(s, S("::")) && !groups(s, &at, head, &nh, 16))
        return false;
    bool gap = at < s.n;
    if (gap) {
        at += 2;
        if (at < s.n && (!groups(s, &at, tail, &nt, 14 - (nh < 14 ? nh : 14)) || at != s.n))
            return false;
    }
    if (gap ? nh + nt > 14 : nh != 16)
        return false;
    memset(b, 0, 16);
    memcpy(b, head, nh);
    memcpy(b + 16 - nt, tail, nt);
    return true;
}

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct ip from6(const uint8_t b[16])
{
    struct ip ip = {.v = 6};
    if (memcmp(b, mapped, 12) == 0) {
        ip.v = 4;
        memcpy(ip.b, b + 12, 4);
    } else {
        memcpy(ip.b, b, 16);
    }
    return ip;
}

struct ip ip_from_octets(const void *p, size_t n)
{
    struct ip ip = {.v = 4};
    if (n == 16)
        return from6(p);
    memcpy(ip.b, p, 4);
    return ip;
}

bool ip_parse(str s, struct ip *ret)
{
    uint8_t b[16];
    if (parse4(s, b)) {
        *ret = (struct ip){.v = 4};
        memcpy(ret->b, b, 4);
        return true;
    }
    if (!parse6(s, b))
        return false;
    *ret = from6(b);
    return true;
}

static bool parse_port(str s, uint16_t *ret)
{
    uint64_t v;
    if (s.n > 5 || !text_u64(s, &v) || v == 0 || v > 65535)
        return false;
    *ret = (uint16_t)v;
    return true;
}

bool ip_port_parse(str s, uint16_t default_port, struct ip_port *ret)
{
    struct ip_port a = {.port = default_port};
    str host = s, port = {NULL, 0};
    if (s.n && s.p[0] == '[') {
        size_t end = str_find(s, ']');
        if (end == STR_NONE)
            return false;
        host = str_sub(s, 1, end);
        if (end + 1 < s.n) {
            if (s.p[end + 1] != ':')
                return false;
            port = str_skip(s, end + 2);
        }
        if (str_find(host, ':') == STR_NONE)
            return false;
    } else if (str_find(s, ':') != STR_NONE && str_find(s, ':') == str_rfind(s, ':')) {
        host = str_sub(s, 0, str_find(s, ':'));
        port = str_skip(s, host.n + 1);
    }
    if (!ip_parse(host, &a.ip) || (port.p ? !parse_port(port, &a.port) : default_port == 0))
        return false;
    *ret = a;
    return true;
}

struct ip ip_mask(const struct ip *ip, unsigned bits)
{
    struct ip r = *ip;
    unsigned len = ip->v == 4 ? 4 : 16;
    for (unsigned i = 0; i < len; i++) {
        unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
        if (keep < 8)
            r.b[i] &= (uint8_t)(0xff00 >> keep);
    }
    return r;
}

bool ip_net_parse(str s, struct ip_net *ret)
{
    struct ip_net n;
    size_t slash = str_find(s, '/');
    str host = slash == STR_NONE ? s : str_sub(s, 0, slash);
    if (!ip_parse(host, &n.ip))
        return false;
    bool was6 = str_find(host, ':') != STR_NONE;
    uint64_t bits = was6 ? 128 : 32;
    if (slash != STR_NONE && (s.n - slash > 4 || !text_u64(str_skip(s, slash + 1), &bits)))
        return false;
    if (bits > (was6 ? 128 : 32) || (slash != STR_NONE && s.n - slash > 2 && s.p[slash + 1] == '0'))
        return false;
    if (was6 && n.ip.v == 4) {
        if (bits < 96)
            return false;
        bits -= 96;
    }
    n.bits = (uint8_t)bits;
    struct ip m = ip_mask(&n.ip, n.bits);
    if (!ip_eq(&m, &n.ip))
        return false;
    *ret = n;
    return true;
}

bool ip_eq(const struct ip *a, const struct ip *b) { return a->v == b->v && memcmp(a->b, b->b, 16) == 0; }

bool ip_net_has(const struct ip_net *n, const struct ip *ip)
{
    if (ip->v == 0 || ip->v != n->ip.v)
        return false;
    struct ip m = ip_mask(ip, n->bits);
    return ip_eq(&m, &n->ip);
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 4.2). */
static void longest_zeros(const uint8_t b[16], int *ret_from, int *ret_n)
{
    *ret_from = -1;
    *ret_n = 1;
    for (int i = 0; i < 8;) {
        int j = i;
        while (j < 8 && b[2 * j] == 0 && b[2 * j + 1] == 0)
            j++;
        if (j - i > *ret_n) {
            *ret_from = i;
            *ret_n = j - i;
        }
        i = j + 1;
    }
}

void ip_print(struct buf *out, const struct ip *ip)
{
    if (ip->v == 4) {
        for (int i = 0; i < 4; i++) {
            buf_add(out, i ? S(".") : S(""));
            buf_add_u64(out, ip->b[i]);
        }
        return;
    }
    if (ip->v != 6) {
        buf_add(out, S("unknown"));
        return;
    }
    int from, n;
    longest_zeros(ip->b, &from, &n);
    for (int i = 0; i < 8; i++) {
        if (i == from) {
            buf_add(out, S("::"));
            i += n - 1;
            continue;
        }
        buf_printf(out, "%s%x",
                   i && i != from + n ? ":"
                   : from < 0 && i    ? ":"
                                      : "",
                   (unsigned)(ip->b[2 * i] << 8 | ip->b[2 * i + 1]));
    }
}

void ip_print_literal(struct buf *out, const struct ip *ip)
{
    buf_add(out, ip->v == 6 ? S("[IPv6:") : S("["));
    ip_print(out, ip);
    buf_add_char(out, ']');
}

void ip_print_port(struct buf *out, const struct ip_port *a)
{
    if (a->ip.v == 6)
        buf_add_char(out, '[');
    ip_print(out, &a->ip);
    if (a->ip.v == 6)
        buf_add_char(out, ']');
    buf_printf(out, ":%u", a->port);
}

void ip_print_reverse(struct buf *out, const struct ip *ip)
{
    if (ip->v == 4) {
        buf_printf(out, "%u.%u.%u.%u", ip->b[3], ip->b[2], ip->b[1], ip->b[0]);
        return;
    }
    for (int i = 15; i >= 0; i--)
        buf_printf(out, "%x.%x%s", ip->b[i] & 15u, ip->b[i] >> 4, i ? "." : "");
}

bool ip_from_sockaddr(const struct sockaddr *sa, socklen_t n, struct ip_port *ret)
{
    if (n >= sizeof(struct sockaddr_in) && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        *ret = (struct ip_port){.ip.v = 4, .port = ntohs(in.sin_port)};
        memcpy(ret->ip.b, &in.sin_addr, 4);
        return true;
    }
    if (n >= sizeof(struct sockaddr_in6) && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        *ret = (struct ip_port){.ip = from6(in6.sin6_addr.s6_addr), .port = ntohs(in6.sin6_port)};
        return true;
    }
    return false;
}

socklen_t ip_to_sockaddr(const struct ip_port *a, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (a->ip.v == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->ip.b, 4);
        memcpy(ret, &in, sizeof in);
        return sizeof in;
    }
    if (a->ip.v == 6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
        memcpy(&in6.sin6_addr, a->ip.b, 16);
        memcpy(ret, &in6, sizeof in6);
        return sizeof in6;
    }
    return 0;
}

struct class_row {
    enum ip_class class;
    uint8_t bits;
    uint8_t b[16];
};

static const struct class_row rows4[] = {
    {IP_UNSPECIFIED, 8, {0}},         {IP_LOOPBACK, 8, {127}},
    {IP_LINK_LOCAL, 16, {169, 254}},  {IP_PRIVATE, 8, {10}},
    {IP_PRIVATE, 12, {172, 16}},      {IP_PRIVATE, 16, {192, 168}},
    {IP_PRIVATE, 10, {100, 64}},      {IP_MULTICAST, 4, {224}},
    {IP_RESERVED, 24, {192, 0, 0}},   {IP_RESERVED, 24, {192, 0, 2}},
    {IP_RESERVED, 15, {198, 18}},     {IP_RESERVED, 24, {198, 51, 100}},
    {IP_RESERVED, 24, {203, 0, 113}}, {IP_RESERVED, 4, {240}},
};
static const struct class_row rows6[] = {
    {IP_UNSPECIFIED, 128, {0}},
    {IP_LOOPBACK, 128, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
    {IP_LINK_LOCAL, 10, {0xfe, 0x80}},
    {IP_PRIVATE, 7, {0xfc}},
    {IP_PRIVATE, 10, {0xfe, 0xc0}},
    {IP_MULTICAST, 8, {0xff}},
    {IP_RESERVED, 64, {1}},
    {IP_RESERVED, 32, {0x20, 0x01, 0x0d, 0xb8}},
    {IP_RESERVED, 20, {0x3f, 0xff}},
    {IP_RESERVED, 96, {0}},
};

/* The IPv4 address inside 6to4 (2002::/16) or NAT64 (64:ff9b::/96): where such a packet really goes. */
static bool embedded4(const struct ip *ip, struct ip *ret)
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    const uint8_t *p = ip->b[0] == 0x20 && ip->b[1] == 0x02      ? ip->b + 2
                       : memcmp(ip->b, nat64, sizeof nat64) == 0 ? ip->b + 12
                                                                 : NULL;
    if (!p)
        return false;
    *ret = (struct ip){.v = 4};
    memcpy(ret->b, p, 4);
    return true;
}

enum ip_class ip_class(const struct ip *ip)
{
    struct ip inner;
    if (ip->v == 6 && embedded4(ip, &inner))
        return ip_class(&inner);
    const struct class_row *rows = ip->v == 4 ? rows4 : rows6;
    size_t n = ip->v == 4 ? sizeof rows4 / sizeof *rows4 : sizeof rows6 / sizeof *rows6;
    for (size_t i = 0; i < n; i++) {
        struct ip m = ip_mask(ip, rows[i].bits);
        if (memcmp(m.b, rows[i].b, 16) == 0)
            return rows[i].class;
    }
    return IP_GLOBAL;
}
