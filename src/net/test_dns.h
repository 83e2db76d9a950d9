/* For tests of DNS: messages made by hand. */
#ifndef NET_TEST_DNS_H
#define NET_TEST_DNS_H
#include "net/dns.h"

struct msg {
    struct buf b;
    char mem[65536];
};

static inline void put16(struct msg *m, unsigned v)
{
    buf_add_char(&m->b, (char)(v >> 8));
    buf_add_char(&m->b, (char)v);
}
static inline void put32(struct msg *m, uint32_t v)
{
    put16(m, v >> 16);
    put16(m, v & 0xffff);
}
/* "a.b" with a root at the end; "@12" is a pointer to offset 12, also after a label ("a.@12"). */
static inline void put_name(struct msg *m, const char *text)
{
    str rest = str_c(text), label;
    while (rest.p && str_cut(&rest, '.', &label)) {
        if (label.n && label.p[0] == '@') {
            put16(m, 0xc000u | (unsigned)strtoul(label.p + 1, NULL, 10));
            return;
        }
        if (label.n == 0)
            continue;
        buf_add_char(&m->b, (char)label.n);
        buf_add(&m->b, label);
    }
    buf_add_char(&m->b, 0);
}
static inline void msg_begin(struct msg *m, unsigned id, unsigned code, const char *name, unsigned type)
{
    buf_init_fixed(&m->b, m->mem, sizeof m->mem);
    put16(m, id);
    put16(m, 0x8180u | code);
    put16(m, 1);
    put16(m, 0);
    put16(m, 0);
    put16(m, 0);
    put_name(m, name);
    put16(m, type);
    put16(m, 1);
}
static inline void count_up(struct msg *m, size_t at)
{
    unsigned n = (unsigned)((uint8_t)m->mem[at] << 8 | (uint8_t)m->mem[at + 1]) + 1;
    m->mem[at] = (char)(n >> 8);
    m->mem[at + 1] = (char)n;
}
static inline size_t rr_begin(struct msg *m, const char *owner, unsigned type, uint32_t ttl)
{
    put_name(m, owner);
    put16(m, type);
    put16(m, 1);
    put32(m, ttl);
    put16(m, 0);
    return m->b.n;
}
static inline void rr_end(struct msg *m, size_t at)
{
    size_t n = m->b.n - at;
    m->mem[at - 2] = (char)(n >> 8);
    m->mem[at - 1] = (char)n;
    count_up(m, 6);
}
static inline void rr_bytes(struct msg *m, const char *owner, unsigned type, uint32_t ttl, str data)
{
    size_t at = rr_begin(m, owner, type, ttl);
    buf_add(&m->b, data);
    rr_end(m, at);
}
/* CNAME, PTR */
static inline void rr_name(struct msg *m, const char *owner, unsigned type, uint32_t ttl, const char *name)
{
    size_t at = rr_begin(m, owner, type, ttl);
    put_name(m, name);
    rr_end(m, at);
}
static inline void rr_mx(struct msg *m, const char *owner, uint32_t ttl, unsigned preference, const char *name)
{
    size_t at = rr_begin(m, owner, DNS_MX, ttl);
    put16(m, preference);
    put_name(m, name);
    rr_end(m, at);
}
/* Into the authority section: call it after all answers. */
static inline void rr_soa(struct msg *m, const char *owner, uint32_t ttl, uint32_t least)
{
    size_t at = rr_begin(m, owner, 6, ttl);
    put_name(m, "ns.test");
    put_name(m, "root.test");
    for (int i = 0; i < 4; i++)
        put32(m, 1);
    put32(m, least);
    rr_end(m, at);
    unsigned n = (unsigned)((uint8_t)m->mem[6] << 8 | (uint8_t)m->mem[7]) - 1;
    m->mem[6] = (char)(n >> 8);
    m->mem[7] = (char)n;
    count_up(m, 8);
}

#endif
