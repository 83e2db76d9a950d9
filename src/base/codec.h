/* Encodings and checksums: base64 (RFC 4648), hex, CRC32C. Pure. */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H
#include "base/buf.h"

/* Standard alphabet with padding, no line breaks. */
void base64_encode(struct buf *out, str in);
/* What a character of it stands for, -1: it is none of them. */
static inline int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}
/* Strict: padding required, no white space, no stray bits. E_SYNTAX otherwise; E_LIMIT from `out`. */
err base64_decode(struct buf *out, str in);
/* The alphabet of RFC 4648 5, without padding, as JOSE wants it (RFC 7515 2). */
void base64url_encode(struct buf *out, str in);
err base64url_decode(struct buf *out, str in); /* as strict; E_SYNTAX, E_LIMIT */
void hex_encode(struct buf *out, str in);      /* lower case */
err hex_decode(struct buf *out, str in);       /* either case; E_SYNTAX */

/* CRC32C (Castagnoli) of the bytes, continued from an earlier call's result; 0 starts. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
