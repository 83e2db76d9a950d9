/* Text of numbers, times and strings for people and for JSON. */
#include "base/text.h"

#include <time.h>

bool text_u64(str s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_digit(s.p[i]) || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    *ret = v;
    return true;
}

/* Length of the UTF-8 sequence at p (n > 0 octets there), or 0 when it is not well formed. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    size_t len = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

bool text_utf8(str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_len((const unsigned char *)s.p + i, s.n - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

bool text_ascii(str s)
{
    const uint64_t high = 0x8080808080808080u;
    uint64_t all = 0, word;
    for (; s.n >= sizeof word; s = str_skip(s, sizeof word)) {
        memcpy(&word, s.p, sizeof word);
        all |= word;
    }
    word = 0;
    if (s.n)
        memcpy(&word, s.p, s.n);
    return !((all | word) & high);
}

/* `width` digits with leading zeros at p. */
static void put_digits(char *p, int v, int width)
{
    for (int i = width; i--; v /= 10)
        p[i] = (char)('0' + v % 10);
}

/* Printed by hand: every message carries one, and printf takes longer than all the rest of its trace field. */
void text_date(struct buf *out, int64_t unix_s)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t;
    time_t at = (time_t)unix_s;
    if (!gmtime_r(&at, &t) || t.tm_year < -1900 || t.tm_year > 9999 - 1900)
        return;
    char d[] = "Ddd, 00 Mmm 0000 00:00:00 +0000";
    memcpy(d, days + 3 * t.tm_wday, 3);
    put_digits(d + 5, t.tm_mday, 2);
    memcpy(d + 8, months + 3 * t.tm_mon, 3);
    put_digits(d + 12, t.tm_year + 1900, 4);
    put_digits(d + 17, t.tm_hour, 2);
    put_digits(d + 20, t.tm_min, 2);
    put_digits(d + 23, t.tm_sec, 2);
    buf_add(out, str_mem(d, sizeof d - 1));
}

void text_time(struct buf *out, int64_t unix_ms)
{
    struct tm t;
    int64_t ms = unix_ms % 1000;
    time_t at = (time_t)(unix_ms / 1000);
    if (ms < 0)
        ms += 1000, at--;
    if (!gmtime_r(&at, &t))
        return;
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
               t.tm_min, t.tm_sec, (int)ms);
}

/* n digits at *at as a number; -1 when they are not there. */
static int digits(str s, size_t *at, size_t n)
{
    int v = 0;
    if (*at + n > s.n)
        return -1;
    for (size_t i = 0; i < n; i++, ++*at) {
        if (!ascii_digit(s.p[*at]))
            return -1;
        v = v * 10 + (s.p[*at] - '0');
    }
    return v;
}

static bool literal(str s, size_t *at, char c)
{
    if (*at >= s.n || ascii_upper(s.p[*at]) != c)
        return false;
    ++*at;
    return true;
}

static bool zone(str s, size_t *at, int64_t *ret_s)
{
    *ret_s = 0;
    if (literal(s, at, 'Z'))
        return true;
    int sign = literal(s, at, '+') ? 1 : literal(s, at, '-') ? -1 : 0;
    int h = digits(s, at, 2);
    bool ok = sign && h >= 0 && literal(s, at, ':');
    int m = ok ? digits(s, at, 2) : -1;
    *ret_s = (int64_t)sign * (h * 3600 + m * 60);
    return ok && m >= 0 && h < 24 && m < 60;
}

bool text_parse_time(str s, int64_t *ret_unix_ms)
{
    size_t at = 0;
    struct tm t = {0};
    bool ok = (t.tm_year = digits(s, &at, 4)) >= 0 && literal(s, &at, '-') && (t.tm_mon = digits(s, &at, 2)) > 0 &&
              literal(s, &at, '-') && (t.tm_mday = digits(s, &at, 2)) > 0 &&
              (literal(s, &at, 'T') || literal(s, &at, ' ')) && (t.tm_hour = digits(s, &at, 2)) >= 0 &&
              literal(s, &at, ':') && (t.tm_min = digits(s, &at, 2)) >= 0 && literal(s, &at, ':') &&
              (t.tm_sec = digits(s, &at, 2)) >= 0;
    if (!ok || t.tm_mon > 12 || t.tm_mday > 31 || t.tm_hour > 23 || t.tm_min > 59 || t.tm_sec > 60)
        return false;
    int64_t ms = 0, off;
    if (literal(s, &at, '.'))
        for (int64_t unit = 100; at < s.n && ascii_digit(s.p[at]); at++, unit /= 10)
            ms += unit * (s.p[at] - '0');
    if (!zone(s, &at, &off) || at != s.n)
        return false;
    int day = t.tm_mday, leap = t.tm_sec == 60;
    t.tm_year -= 1900;
    t.tm_mon--;
    t.tm_sec -= leap;
    int64_t at_s = (int64_t)timegm(&t) + leap;
    if (t.tm_mday != day) /* a day that its month does not have */
        return false;
    *ret_unix_ms = (at_s - off) * 1000 + ms;
    return true;
}

void text_age(struct buf *out, int64_t s)
{
    if (s < 0)
        s = 0;
    int64_t d = s / 86400, h = s / 3600 % 24, m = s / 60 % 60;
    if (d)
        buf_printf(out, "%lld d %lld h", (long long)d, (long long)h);
    else if (h)
        buf_printf(out, "%lld h %lld min", (long long)h, (long long)m);
    else if (m)
        buf_printf(out, "%lld min %lld s", (long long)m, (long long)(s % 60));
    else
        buf_printf(out, "%lld s", (long long)s);
}

void text_json(struct buf *out, str s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = utf8_len((const unsigned char *)s.p + i, s.n - i);
        if (n == 0) {
            buf_add(out, S("\xef\xbf\xbd"));
            n = 1;
        } else if (c == '"' || c == '\\') {
            buf_add(out, (str){(char[2]){'\\', (char)c}, 2});
        } else if (c == '\n') {
            buf_add(out, S("\\n"));
        } else if (c < 32 || c == 127) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_add(out, (str){s.p + i, n});
        }
        i += n;
    }
    buf_add_char(out, '"');
}

void text_safe(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_add(out, (str){(char[2]){'\\', (char)c}, 2});
        else if (c >= 32 && c < 127)
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "\\x%02x", c);
    }
}
