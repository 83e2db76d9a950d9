/* IP addresses, ports and networks as text and as socket addresses. Pure; a v4-mapped IPv6 address is IPv4. */
#ifndef WIRE_IP_H
#define WIRE_IP_H
#include "base/buf.h"

#include <sys/socket.h>

struct ip {
    uint8_t v;     /* 4, 6; 0: none (a unix socket, not set) */
    uint8_t b[16]; /* network order; 4 octets used for IPv4, the rest zero */
};
struct ip_port {
    struct ip ip;
    uint16_t port;
};
struct ip_net {
    struct ip ip; /* host bits are zero */
    uint8_t bits;
};

enum { IP_TEXT_MAX = 46, IP_LITERAL_MAX = 54, IP_PORT_TEXT_MAX = 54 };

/* Strict: four decimal numbers without leading zeros; RFC 4291 2.2 for IPv6, no zone. */
bool ip_parse(str s, struct ip *ret);
/* "1.2.3.4:25", "[::1]:25". `default_port` when no port is said ("1.2.3.4", "[::1]" or "::1"); 0: required.
 * A given port is 1 to 65535. */
bool ip_port_parse(str s, uint16_t default_port, struct ip_port *ret);
/* "10.0.0.0/8", "::1"; bits beyond the prefix must be zero. "::ffff:10.0.0.0/104" is IPv4. */
bool ip_net_parse(str s, struct ip_net *ret);
bool ip_net_has(const struct ip_net *n, const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);

void ip_print(struct buf *out, const struct ip *ip);          /* RFC 5952 */
void ip_print_literal(struct buf *out, const struct ip *ip);  /* "[1.2.3.4]", "[IPv6:::1]" */
void ip_print_port(struct buf *out, const struct ip_port *a); /* "1.2.3.4:25", "[::1]:25" */
/* d.c.b.a or nibbles, without a zone behind them: for DNS lists and PTR. */
void ip_print_reverse(struct buf *out, const struct ip *ip);

/* 4 or 16 octets in network order. */
struct ip ip_from_octets(const void *p, size_t n);

/* False for families other than IPv4 and IPv6. */
bool ip_from_sockaddr(const struct sockaddr *sa, socklen_t n, struct ip_port *ret);
/* Length of what was filled in; 0 for no address. */
socklen_t ip_to_sockaddr(const struct ip_port *a, struct sockaddr_storage *ret);

/* Where an address belongs (RFC 6890, first that fits). */
enum ip_class {
    IP_GLOBAL,
    IP_UNSPECIFIED, /* 0.0.0.0/8, :: */
    IP_LOOPBACK,
    IP_LINK_LOCAL,
    IP_PRIVATE, /* RFC 1918, RFC 6598 shared, fc00::/7, fec0::/10 */
    IP_MULTICAST,
    IP_RESERVED /* documentation, benchmarks, 192.0.0.0/24, 240.0.0.0/4, discard, 6to4-mapped of the above */
};
enum ip_class ip_class(const struct ip *ip);
/* IPv4: /24, IPv6: /64 (or the given bits): the network that counts as one client. */
struct ip ip_mask(const struct ip *ip, unsigned bits);

#endif
