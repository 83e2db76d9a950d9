/* Encodings and checksums: base64 (RFC 4648), hex, CRC32C. Pure. */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H
#include "base/buf.h"

/* Standard alphabet with padding, no line breaks. */
void base64_encode(struct buf *out, str in);
/* Strict: padding required, no white space, no stray bits. E_SYNTAX otherwise; E_LIMIT from `out`. */
err base64_decode(struct buf *out, str in);
void hex_encode(struct buf *out, str in); /* lower case */
err hex_decode(struct buf *out, str in);  /* either case; E_SYNTAX */

/* CRC32C (Castagnoli) of the bytes, continued from an earlier call's result; 0 starts. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
