/* Reading date-times of header fields (RFC 5322 3.3, 4.3). */
#include "base/text.h"
#include "wire/head.h"
#include "wire/mime_param.h"

#include <time.h>

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char days[] = "montuewedthufrisatsun";

/* Index of a word of three letters, or -1. */
static int find_three(const char *table, str s)
{
    for (int i = 0; table[i * 3]; i++)
        if (s.n == 3 && str_ieq(s, str_mem(table + i * 3, 3)))
            return i;
    return -1;
}

static str take_word(str *s, bool digits)
{
    size_t i = 0;
    while (i < s->n && (digits ? ascii_digit(s->p[i]) : ascii_alpha(s->p[i])))
        i++;
    str w = str_sub(*s, 0, i);
    *s = mime_skip_cfws(str_skip(*s, i));
    return w;
}

static bool take_number(str *s, size_t least, size_t most, int *ret)
{
    uint64_t v;
    str w = take_word(s, true);
    if (w.n < least || w.n > most || !text_u64(w, &v))
        return false;
    *ret = (int)v;
    return true;
}

/* 4.3: two digits below 50 are of this century, three count from 1900. */
static bool take_year(str *s, int *ret)
{
    size_t digits = 0;
    while (digits < s->n && ascii_digit(s->p[digits]))
        digits++;
    if (!take_number(s, 2, 4, ret))
        return false;
    *ret += digits == 2 && *ret < 50 ? 2000 : digits < 4 ? 1900 : 0;
    return true;
}

static bool take_char(str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = mime_skip_cfws(str_skip(*s, 1));
    return true;
}

static bool take_time(str *s, struct tm *t)
{
    if (!take_number(s, 1, 2, &t->tm_hour) || !take_char(s, ':') || !take_number(s, 2, 2, &t->tm_min))
        return false;
    if (take_char(s, ':') && !take_number(s, 2, 2, &t->tm_sec))
        return false;
    return t->tm_hour < 24 && t->tm_min < 60 && t->tm_sec <= 60;
}

/* Minutes east. Names that nobody knows are as -0000 (4.3). */
static bool take_zone(str *s, int *ret)
{
    static const struct {
        str name;
        int hours;
    } names[] = {{S_INIT("EST"), -5}, {S_INIT("EDT"), -4}, {S_INIT("CST"), -6}, {S_INIT("CDT"), -5},
                 {S_INIT("MST"), -7}, {S_INIT("MDT"), -6}, {S_INIT("PST"), -8}, {S_INIT("PDT"), -7}};
    bool minus = s->n && s->p[0] == '-';
    int v;
    *ret = 0;
    if (s->n && (s->p[0] == '+' || minus)) {
        *s = str_skip(*s, 1);
        if (!take_number(s, 4, 4, &v) || v % 100 > 59)
            return false;
        *ret = (v / 100 * 60 + v % 100) * (minus ? -1 : 1);
        return true;
    }
    str w = take_word(s, false);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_ieq(w, names[i].name))
            *ret = names[i].hours * 60;
    return w.n > 0;
}

static bool real_day(const struct tm *t)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = t->tm_year + 1900;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return t->tm_mday >= 1 && t->tm_mday <= lengths[t->tm_mon] + (t->tm_mon == 1 && leap);
}

bool head_date_read(str s, int64_t *ret)
{
    struct tm t = {0};
    int zone, year;
    s = mime_skip_cfws(s);
    str rest = s, word = take_word(&rest, false);
    if (find_three(days, word) >= 0) {
        take_char(&rest, ',');
        s = rest;
    }
    if (!take_number(&s, 1, 2, &t.tm_mday))
        return false;
    t.tm_mon = find_three(months, take_word(&s, false));
    if (t.tm_mon < 0 || !take_year(&s, &year))
        return false;
    t.tm_year = year - 1900;
    if (year < 1900 || !real_day(&t) || !take_time(&s, &t))
        return false;
    if (!s.n || !take_zone(&s, &zone) || s.n)
        return false;
    *ret = (int64_t)timegm(&t) - (int64_t)zone * 60;
    return true;
}
