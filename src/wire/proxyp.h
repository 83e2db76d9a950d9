/*
 * The PROXY protocol, versions 1 (text) and 2 (binary), from a trusted balancer. Pure, strict and
 * bounded; the caller keeps the octets and asks again with more.
 */
#ifndef WIRE_PROXYP_H
#define WIRE_PROXYP_H
#include "base/buf.h"
#include "wire/ip.h"

enum {
    PROXYP_V1_MAX = 107, /* with CRLF */
    PROXYP_V2_MAX = 4096 /* header and addresses and TLVs that we take */
};

enum proxyp_result { PROXYP_MORE, PROXYP_OK, PROXYP_BAD };

struct proxyp {
    size_t used;             /* octets of the header, to be dropped */
    bool local;              /* LOCAL or UNKNOWN: keep the connection's own addresses */
    struct ip_port src, dst; /* valid unless local */
    bool tls;                /* v2 with PP2_TYPE_SSL: the client used TLS towards the balancer */
};

/* in: all octets received so far. MORE never for more than PROXYP_V2_MAX octets. */
enum proxyp_result proxyp_parse(str in, struct proxyp *ret);
/* The header of version 1 or 2 (at most PROXYP_V1_MAX octets). Without addresses, or with some of two families, it
 * says UNKNOWN or LOCAL. */
void proxyp_print(struct buf *out, int version, const struct ip_port *src, const struct ip_port *dst);

#endif
