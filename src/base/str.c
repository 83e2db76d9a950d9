/* Byte string views: comparing, searching, splitting and hashing. Pure. */
#include "base/str.h"

bool str_ieq(str a, str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (a.p[i] != b.p[i] && ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

int str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool str_starts(str a, str prefix) { return a.n >= prefix.n && str_eq(str_sub(a, 0, prefix.n), prefix); }
bool str_ends(str a, str suffix) { return a.n >= suffix.n && str_eq(str_skip(a, a.n - suffix.n), suffix); }
bool str_istarts(str a, str prefix) { return a.n >= prefix.n && str_ieq(str_sub(a, 0, prefix.n), prefix); }
bool str_iends(str a, str suffix) { return a.n >= suffix.n && str_ieq(str_skip(a, a.n - suffix.n), suffix); }

size_t str_find(str a, char c)
{
    const char *p = a.n ? memchr(a.p, c, a.n) : NULL;
    return p ? (size_t)(p - a.p) : STR_NONE;
}

size_t str_rfind(str a, char c)
{
    const char *p = a.n ? memrchr(a.p, c, a.n) : NULL;
    return p ? (size_t)(p - a.p) : STR_NONE;
}

size_t str_search(str a, str needle)
{
    if (needle.n == 0)
        return 0;
    const char *p = a.n ? memmem(a.p, a.n, needle.p, needle.n) : NULL;
    return p ? (size_t)(p - a.p) : STR_NONE;
}

static bool blank(char c, bool ends) { return ascii_wsp(c) || (ends && (c == '\r' || c == '\n')); }

static str trim(str a, bool ends)
{
    size_t from = 0;
    while (from < a.n && blank(a.p[from], ends))
        from++;
    while (a.n > from && blank(a.p[a.n - 1], ends))
        a.n--;
    return str_skip(a, from);
}

str str_trim(str a) { return trim(a, true); }
str str_trim_wsp(str a) { return trim(a, false); }

bool str_cut(str *rest, char sep, str *ret_head)
{
    if (!rest->p)
        return false;
    size_t at = str_find(*rest, sep);
    if (at == STR_NONE) {
        *ret_head = *rest;
        *rest = (str){NULL, 0};
    } else {
        *ret_head = str_sub(*rest, 0, at);
        *rest = str_skip(*rest, at + 1);
    }
    return true;
}

/* SipHash-1-3 (Aumasson, Bernstein): one round per word, three at the end. */
static uint64_t seed0 = 0x0706050403020100u, seed1 = 0x0f0e0d0c0b0a0908u;

void str_hash_seed(uint64_t k0, uint64_t k1)
{
    seed0 = k0;
    seed1 = k1;
}

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotl(uint64_t x, int n) { return x << n | x >> (64 - n); }

static void sip_round(struct sip *s)
{
    s->a += s->b, s->b = rotl(s->b, 13) ^ s->a, s->a = rotl(s->a, 32);
    s->c += s->d, s->d = rotl(s->d, 16) ^ s->c;
    s->a += s->d, s->d = rotl(s->d, 21) ^ s->a;
    s->c += s->b, s->b = rotl(s->b, 17) ^ s->c, s->c = rotl(s->c, 32);
}

static uint64_t sip13(uint64_t key0, uint64_t key1, str in, bool fold)
{
    struct sip s = {key0 ^ 0x736f6d6570736575u, key1 ^ 0x646f72616e646f6du, key0 ^ 0x6c7967656e657261u,
                    key1 ^ 0x7465646279746573u};
    uint64_t word = 0;
    size_t i = 0;
    for (; i < in.n; i++) {
        unsigned char c = (unsigned char)(fold ? ascii_lower(in.p[i]) : in.p[i]);
        word |= (uint64_t)c << (8 * (i & 7));
        if ((i & 7) == 7) {
            s.d ^= word;
            sip_round(&s);
            s.a ^= word;
            word = 0;
        }
    }
    word |= (uint64_t)in.n << 56;
    s.d ^= word;
    sip_round(&s);
    s.a ^= word;
    s.c ^= 0xff;
    for (int r = 0; r < 3; r++)
        sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

uint64_t str_hash(str a) { return sip13(seed0, seed1, a, false); }
uint64_t str_ihash(str a) { return sip13(seed0, seed1, a, true); }
uint64_t str_ihash_keyed(uint64_t k0, uint64_t k1, str a) { return sip13(k0, k1, a, true); }

uint64_t str_hash_stable(str a)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < a.n; i++)
        h = (h ^ (unsigned char)a.p[i]) * 0x100000001b3u;
    return h;
}

bool str_eq_secret(str a, str b)
{
    if (a.n != b.n)
        return false;
    volatile unsigned char diff = 0;
    for (size_t i = 0; i < a.n; i++)
        diff |= (unsigned char)(a.p[i] ^ b.p[i]);
    return diff == 0;
}

bool str_to_c(str a, char *dst, size_t size)
{
    if (size == 0)
        return false;
    dst[0] = 0;
    if (a.n >= size || str_find(a, 0) != STR_NONE)
        return false;
    if (a.n)
        memcpy(dst, a.p, a.n);
    dst[a.n] = 0;
    return true;
}
