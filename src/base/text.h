/* Numbers, times and UTF-8 in text. Pure: no locale, no clock, no time zone but UTC. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H
#include "base/buf.h"

/* Decimal digits only, all of s. False when empty, not digits, or above UINT64_MAX. */
bool text_u64(str s, uint64_t *ret);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms), NUL included. */
bool text_utf8(str s);
bool text_ascii(str s); /* no octet above 127 */

/* Seconds since 1970 as RFC 5322 date-time in UTC ("Sun, 22 Nov 2026 09:20:00 +0000") and as
 * RFC 3339 with milliseconds ("2026-11-22T09:20:00.123Z"). */
void text_date(struct buf *out, int64_t unix_s);
void text_time(struct buf *out, int64_t unix_ms);
/* The other direction for RFC 3339, fraction optional, 'Z' or an offset. */
bool text_parse_time(str s, int64_t *ret_unix_ms);

/* "3 days", "2 h 5 min", "12 s": an age or delay for people. Seconds. */
void text_age(struct buf *out, int64_t s);

/* A JSON string literal with its quotes; octets that are not UTF-8 become U+FFFD. */
void text_json(struct buf *out, str s);

/* Printable ASCII as it is, the rest as \xNN, a quote or backslash escaped: for logs and terminals. */
void text_safe(struct buf *out, str s);

#endif
