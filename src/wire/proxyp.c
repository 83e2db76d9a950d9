/* PROXY protocol v1 and v2, as HAProxy's proxy-protocol.txt defines them. */
#include "wire/proxyp.h"
#include "base/codec.h"
#include "base/text.h"

static const char sig2[12] = "\r\n\r\n\0\r\nQUIT\n";

enum { HEAD2 = 16, TLV_CRC32C = 0x03, TLV_SSL = 0x20, SSL_CLIENT = 0x01 };

/* A port without sign or leading zeros. */
static bool port_text(str s, uint16_t *ret)
{
    uint64_t v;
    if (s.n > 5 || !text_u64(s, &v) || v > 65535 || (s.n > 1 && s.p[0] == '0'))
        return false;
    *ret = (uint16_t)v;
    return true;
}

/* An address of the family that the line says: a mapped one is not TCP4. */
static bool addr_text(str s, bool v6, struct ip *ret)
{
    return (str_find(s, ':') != STR_NONE) == v6 && ip_parse(s, ret);
}

/* The line without its CRLF, behind "PROXY ". */
static bool line1(str line, struct proxyp *p)
{
    str word[5];
    if (str_eq(line, S("UNKNOWN")) || str_starts(line, S("UNKNOWN "))) {
        p->local = true;
        return true;
    }
    for (int i = 0; i < 5; i++)
        if (!str_cut(&line, ' ', &word[i]))
            return false;
    bool v6 = str_eq(word[0], S("TCP6"));
    return !line.p && (v6 || str_eq(word[0], S("TCP4"))) && addr_text(word[1], v6, &p->src.ip) &&
           addr_text(word[2], v6, &p->dst.ip) && port_text(word[3], &p->src.port) && port_text(word[4], &p->dst.port);
}

static enum proxyp_result parse1(str in, struct proxyp *p)
{
    str head = S("PROXY ");
    size_t n = in.n < head.n ? in.n : head.n;
    if (!str_eq(str_sub(in, 0, n), str_sub(head, 0, n)))
        return PROXYP_BAD;
    /* the first CR must be the end: whatever stands behind it, an LF before it or one alone is wrong */
    str line = str_sub(in, 0, PROXYP_V1_MAX - 1);
    size_t end = str_find(line, '\r');
    line = str_sub(line, 0, end == STR_NONE ? line.n : end);
    if (str_find(line, '\n') != STR_NONE || (end == STR_NONE && in.n >= PROXYP_V1_MAX))
        return PROXYP_BAD;
    if (end == STR_NONE || end + 1 == in.n)
        return PROXYP_MORE;
    if (in.p[end + 1] != '\n')
        return PROXYP_BAD;
    p->used = end + 2;
    return line1(str_sub(in, head.n, end), p) ? PROXYP_OK : PROXYP_BAD;
}

static unsigned be16(str s, size_t at) { return (unsigned)(unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1]; }

/* The checksum of the whole header with its own four octets as zeros. */
static bool crc_ok(str all, size_t at)
{
    static const char zeros[4];
    uint32_t crc = crc32c(0, all.p, at);
    crc = crc32c(crc, zeros, 4);
    crc = crc32c(crc, all.p + at + 4, all.n - at - 4);
    return crc == ((uint32_t)be16(all, at) << 16 | be16(all, at + 2));
}

static bool tlvs(str all, size_t at, struct proxyp *p)
{
    while (at < all.n) {
        if (all.n - at < 3 || all.n - at - 3 < be16(all, at + 1))
            return false;
        unsigned type = (unsigned char)all.p[at], len = be16(all, at + 1);
        at += 3;
        if (type == TLV_CRC32C && (len != 4 || !crc_ok(all, at)))
            return false;
        if (type == TLV_SSL && len < 5)
            return false;
        if (type == TLV_SSL)
            p->tls = (all.p[at] & SSL_CLIENT) != 0;
        at += len;
    }
    return true;
}

static enum proxyp_result parse2(str in, struct proxyp *p)
{
    if (in.n < HEAD2)
        return PROXYP_MORE;
    unsigned cmd = (unsigned char)in.p[12], family = (unsigned char)in.p[13], len = be16(in, 14);
    if (cmd >> 4 != 2 || (cmd & 15) > 1 || len > PROXYP_V2_MAX - HEAD2)
        return PROXYP_BAD;
    if (in.n < HEAD2 + len)
        return PROXYP_MORE;
    str all = str_sub(in, 0, HEAD2 + len);
    p->used = all.n;
    if ((cmd & 15) == 0 || family == 0) { /* LOCAL, or a family that we are told to ignore */
        p->local = true;
        return PROXYP_OK;
    }
    unsigned need = family == 0x11 ? 12 : family == 0x21 ? 36 : family == 0x31 ? 216 : 0;
    if (need == 0 || len < need || !tlvs(all, HEAD2 + need, p))
        return PROXYP_BAD;
    if (family == 0x31) {
        p->local = true;
        return PROXYP_OK;
    }
    size_t a = family == 0x11 ? 4 : 16;
    p->src = (struct ip_port){ip_from_octets(all.p + HEAD2, a), (uint16_t)be16(all, HEAD2 + 2 * a)};
    p->dst = (struct ip_port){ip_from_octets(all.p + HEAD2 + a, a), (uint16_t)be16(all, HEAD2 + 2 * a + 2)};
    return PROXYP_OK;
}

enum proxyp_result proxyp_parse(str in, struct proxyp *ret)
{
    struct proxyp p = {0};
    if (in.n == 0)
        return PROXYP_MORE;
    size_t n = in.n < sizeof sig2 ? in.n : sizeof sig2;
    enum proxyp_result r = memcmp(in.p, sig2, n) == 0 ? parse2(in, &p) : parse1(in, &p);
    if (r == PROXYP_OK)
        *ret = p;
    return r;
}

/* ---- printing ---- */

static void print1(struct buf *out, bool known, const struct ip_port *src, const struct ip_port *dst)
{
    if (!known) {
        buf_add_c(out, "PROXY UNKNOWN\r\n");
        return;
    }
    buf_printf(out, "PROXY TCP%d ", src->ip.v);
    ip_print(out, &src->ip);
    buf_add_char(out, ' ');
    ip_print(out, &dst->ip);
    buf_printf(out, " %u %u\r\n", src->port, dst->port);
}

static void print2(struct buf *out, bool known, const struct ip_port *src, const struct ip_port *dst)
{
    size_t n = !known ? 0 : src->ip.v == 4 ? 4 : 16;
    const char head[4] = {known ? 0x21 : 0x20, (char)(!known ? 0 : n == 4 ? 0x11 : 0x21), 0, (char)(n ? 2 * n + 4 : 0)};
    const char ports[4] = {(char)(src->port >> 8), (char)src->port, (char)(dst->port >> 8), (char)dst->port};
    buf_add(out, str_mem(sig2, sizeof sig2));
    buf_add(out, str_mem(head, sizeof head));
    buf_add(out, str_mem((const char *)src->ip.b, n));
    buf_add(out, str_mem((const char *)dst->ip.b, n));
    buf_add(out, str_mem(ports, n ? sizeof ports : 0));
}

void proxyp_print(struct buf *out, int version, const struct ip_port *src, const struct ip_port *dst)
{
    bool known = src->ip.v && src->ip.v == dst->ip.v;
    if (version == 2)
        print2(out, known, src, dst);
    else
        print1(out, known, src, dst);
}
