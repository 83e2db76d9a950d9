/* base64, hex and CRC32C; the last by the processor's instruction where there is one. */
#include "base/codec.h"

#if defined __x86_64__
#include <immintrin.h>
#endif

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, str in)
{
    for (size_t i = 0; i < in.n; i += 3) {
        size_t n = in.n - i < 3 ? in.n - i : 3;
        uint32_t w = 0;
        for (size_t k = 0; k < 3; k++)
            w = w << 8 | (k < n ? (unsigned char)in.p[i + k] : 0);
        char q[4] = {b64[w >> 18], b64[w >> 12 & 63], n > 1 ? b64[w >> 6 & 63] : '=', n > 2 ? b64[w & 63] : '='};
        buf_add(out, (str){q, 4});
    }
}

err base64_decode(struct buf *out, str in)
{
    if (in.n % 4)
        return E_SYNTAX;
    for (size_t i = 0; i < in.n; i += 4) {
        bool last = i + 4 == in.n;
        size_t pad = last && in.p[i + 3] == '=' ? (in.p[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t w = 0;
        for (size_t k = 0; k < 4; k++) {
            int v = k >= 4 - pad ? 0 : base64_value(in.p[i + k]);
            if (v < 0)
                return E_SYNTAX;
            w = w << 6 | (uint32_t)v;
        }
        if ((pad == 1 && w & 0xff) || (pad == 2 && w & 0xffff))
            return E_SYNTAX;
        char b[3] = {(char)(w >> 16), (char)(w >> 8), (char)w};
        buf_add(out, (str){b, 3 - pad});
    }
    return out->e;
}

void base64url_encode(struct buf *out, str in)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < in.n; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)in.p[i] << 16;
        size_t left = in.n - i;
        if (left > 1)
            v |= (uint32_t)(unsigned char)in.p[i + 1] << 8;
        if (left > 2)
            v |= (unsigned char)in.p[i + 2];
        for (size_t k = 0; k < (left > 2 ? 4 : left + 1); k++)
            buf_add_char(out, letters[v >> (18 - 6 * k) & 63]);
    }
}

err base64url_decode(struct buf *out, str in)
{
    if (in.n % 4 == 1)
        return E_SYNTAX;
    for (size_t i = 0; i < in.n; i += 4) {
        size_t n = in.n - i < 4 ? in.n - i : 4;
        uint32_t w = 0;
        for (size_t k = 0; k < 4; k++) {
            char c = k < n ? in.p[i + k] : 'A';
            int v = c == '+' || c == '/' ? -1 : base64_value(c == '-' ? '+' : c == '_' ? '/' : c);
            if (v < 0)
                return E_SYNTAX;
            w = w << 6 | (uint32_t)v;
        }
        if ((n == 2 && w & 0xffff) || (n == 3 && w & 0xff))
            return E_SYNTAX;
        char b[3] = {(char)(w >> 16), (char)(w >> 8), (char)w};
        buf_add(out, (str){b, n - 1});
    }
    return out->e;
}

void hex_encode(struct buf *out, str in)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];
        buf_add(out, (str){(char[2]){digits[c >> 4], digits[c & 15]}, 2});
    }
}

static int hex_value(char c)
{
    if (ascii_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

err hex_decode(struct buf *out, str in)
{
    if (in.n % 2)
        return E_SYNTAX;
    for (size_t i = 0; i < in.n; i += 2) {
        int hi = hex_value(in.p[i]), lo = hex_value(in.p[i + 1]);
        if (hi < 0 || lo < 0)
            return E_SYNTAX;
        buf_add_char(out, (char)(hi << 4 | lo));
    }
    return out->e;
}

/* The table is filled at first use by any thread: every thread writes the same values. */
static uint32_t crc_table[256];

static void crc_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
        __atomic_store_n(&crc_table[i], c, __ATOMIC_RELAXED);
    }
}

static uint32_t crc_soft(uint32_t crc, const unsigned char *p, size_t n)
{
    if (!__atomic_load_n(&crc_table[255], __ATOMIC_RELAXED))
        crc_fill();
    while (n--)
        crc = __atomic_load_n(&crc_table[(crc ^ *p++) & 255], __ATOMIC_RELAXED) ^ crc >> 8;
    return crc;
}

#if defined __x86_64__
/* The instruction takes three cycles and can begin one each cycle, so three lanes run side by side and are joined: the
 * checksum of what stands LANE octets before the end is multiplied by x^(8 LANE) mod P. LANE_SHIFT is x^(8 LANE - 33),
 * bits reversed; the rest of the power comes from the reduction by the instruction itself. */
enum { LANE = 256 };
#define LANE_SHIFT 0xb9e02b86

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t over_lane(uint64_t crc)
{
    __m128i wide = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi64_si128(LANE_SHIFT), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(wide));
}

static inline uint64_t word_at(const unsigned char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc_hard(uint32_t crc, const unsigned char *p, size_t n)
{
    uint64_t c = crc;
    for (; n >= 3 * LANE; p += 3 * LANE, n -= 3 * LANE) {
        uint64_t middle = 0, last = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            c = _mm_crc32_u64(c, word_at(p + i));
            middle = _mm_crc32_u64(middle, word_at(p + LANE + i));
            last = _mm_crc32_u64(last, word_at(p + 2 * LANE + i));
        }
        c = over_lane(over_lane(c) ^ middle) ^ last;
    }
    for (; n >= 8; p += 8, n -= 8)
        c = _mm_crc32_u64(c, word_at(p));
    for (; n; n--)
        c = _mm_crc32_u8((uint32_t)c, *p++);
    return (uint32_t)c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    crc = ~crc;
#if defined __x86_64__
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        return ~crc_hard(crc, p, n);
#endif
    return ~crc_soft(crc, p, n);
}
