/* SRS, both ways. See srs.h. */
#include "intake/srs.h"
#include "priv/priv.h"
#include "wire/addr.h"

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
enum { HASH_LEN = 6, DAY_LEN = 2, DAY_MOD = 1024, DAY_S = 86400 };

static int base32_value(char c)
{
    const char *at = memchr(base32, ascii_upper(c), 32);
    return at ? (int)(at - base32) : -1;
}

/* 30 bits of an HMAC over the folded parts: servers on the way may have changed the case. */
static bool sign(char kind, str day, str domain, str rest, char ret[HASH_LEN])
{
    char mem[512];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    buf_add_char(&text, kind);
    const str parts[] = {day, domain, rest};
    for (size_t i = 0; i < 3; i++) {
        buf_add_char(&text, '=');
        buf_add(&text, parts[i]);
    }
    for (size_t i = 0; i < text.n; i++)
        text.p[i] = ascii_lower(text.p[i]);
    unsigned char mac[PRIV_MAC_SIZE];
    if (text.e || priv_srs_mac(buf_str(&text), mac) != OK)
        return false;
    for (int i = 0; i < HASH_LEN; i++)
        ret[i] = base32[mac[i] & 31];
    return true;
}

static bool hash_fits(str given, const char right[HASH_LEN])
{
    if (given.n != HASH_LEN)
        return false;
    char folded[HASH_LEN];
    for (int i = 0; i < HASH_LEN; i++)
        folded[i] = ascii_upper(given.p[i]);
    return str_eq_secret(str_mem(folded, HASH_LEN), str_mem(right, HASH_LEN));
}

/* "SRS0=..." with any of the three separators that are in use. */
static bool is_srs(str local, char digit)
{
    return local.n > 5 && str_istarts(local, S("SRS")) && local.p[3] == digit && memchr("=+-", local.p[4], 3);
}

bool srs_forward(struct buf *out, str local, str domain, int64_t now_s)
{
    size_t before = out->n;
    char hash[HASH_LEN];
    if (is_srs(local, '0') || is_srs(local, '1')) {
        str first = domain, rest = str_skip(local, 4); /* keeps the separator */
        if (local.p[3] == '1') {
            str t = str_skip(local, 5), old;
            if (!str_cut(&t, '=', &old) || !str_cut(&t, '=', &first) || !t.p)
                return false;
            rest = t;
        }
        if (!sign('1', S(""), first, rest, hash))
            return false;
        buf_add_c(out, "SRS1=");
        buf_add(out, str_mem(hash, HASH_LEN));
        buf_add_char(out, '=');
        buf_add(out, first);
        buf_add_char(out, '=');
        buf_add(out, rest);
    } else {
        unsigned d = (unsigned)(now_s / DAY_S % DAY_MOD);
        char day[DAY_LEN] = {base32[d >> 5], base32[d & 31]};
        if (!sign('0', str_mem(day, DAY_LEN), domain, local, hash))
            return false;
        buf_add_c(out, "SRS0=");
        buf_add(out, str_mem(hash, HASH_LEN));
        buf_add_char(out, '=');
        buf_add(out, str_mem(day, DAY_LEN));
        buf_add_char(out, '=');
        buf_add(out, domain);
        buf_add_char(out, '=');
        buf_add(out, local);
    }
    return !out->e && out->n - before <= ADDR_LOCAL_MAX;
}

static bool day_valid(str day, int64_t now_s)
{
    if (day.n != DAY_LEN || base32_value(day.p[0]) < 0 || base32_value(day.p[1]) < 0)
        return false;
    int64_t then = base32_value(day.p[0]) * 32 + base32_value(day.p[1]);
    int64_t age = (now_s / DAY_S % DAY_MOD - then + DAY_MOD) % DAY_MOD;
    return age <= SRS_DAYS || age == DAY_MOD - 1; /* a clock a day ahead */
}

enum srs_result srs_reverse(struct arena *mem, str local, int64_t now_s, str *ret_local, str *ret_domain)
{
    if (!is_srs(local, '0') && !is_srs(local, '1'))
        return SRS_NONE;
    char right[HASH_LEN];
    str t = str_skip(local, 5), hash, day = S(""), domain;
    bool first = local.p[3] == '0';
    if (!str_cut(&t, '=', &hash) || (first && !str_cut(&t, '=', &day)) || !str_cut(&t, '=', &domain) || !t.p || !t.n ||
        !domain.n)
        return SRS_BAD;
    if (!sign(local.p[3], day, domain, t, right) || !hash_fits(hash, right))
        return SRS_BAD;
    if (first && !day_valid(day, now_s))
        return SRS_BAD;
    *ret_domain = arena_str(mem, domain);
    *ret_local = first ? arena_str(mem, t) : arena_printf(mem, "SRS0" STR_FMT, STR_ARG(t));
    return ret_domain->p && ret_local->p ? SRS_OK : SRS_BAD;
}
