/* DMARC records: a list of tags of which only the first one can make it invalid. */
#include "wire/dmarc.h"
#include "base/codec.h"
#include "base/text.h"

static enum dmarc_request request_of(str v)
{
    return str_ieq(v, S("none"))         ? DMARC_NONE
           : str_ieq(v, S("quarantine")) ? DMARC_QUARANTINE
           : str_ieq(v, S("reject"))     ? DMARC_REJECT
                                         : DMARC_WRONG;
}

/* Of a tag that stands twice the first counts. */
static void request(enum dmarc_request *to, str v)
{
    if (*to == DMARC_ABSENT)
        *to = request_of(v);
}

static void text(str *to, str v)
{
    if (!to->n)
        *to = v;
}

static bool cut_tag(str *rest, str *ret_name, str *ret_value)
{
    str tag;
    if (!rest->p || !str_cut(rest, ';', &tag))
        return false;
    size_t eq = str_find(tag, '=');
    *ret_name = str_trim_wsp(str_sub(tag, 0, eq));
    *ret_value = eq == STR_NONE ? (str){0} : str_trim_wsp(str_skip(tag, eq + 1));
    return true;
}

static void read_tag(struct dmarc_record *r, str name, str v)
{
    if (str_ieq(name, S("p")))
        request(&r->p, v);
    else if (str_ieq(name, S("sp")))
        request(&r->sp, v);
    else if (str_ieq(name, S("np")))
        request(&r->np, v);
    else if (str_ieq(name, S("adkim")))
        r->strict_dkim |= str_ieq(v, S("s"));
    else if (str_ieq(name, S("aspf")))
        r->strict_spf |= str_ieq(v, S("s"));
    else if (str_ieq(name, S("t")))
        r->testing |= str_ieq(v, S("y"));
    else if (str_ieq(name, S("psd")))
        r->psd = r->psd == 'u' && v.n == 1 && (ascii_lower(v.p[0]) == 'y' || ascii_lower(v.p[0]) == 'n')
                     ? ascii_lower(v.p[0])
                     : r->psd;
    else if (str_ieq(name, S("rua")))
        text(&r->rua, v);
    else if (str_ieq(name, S("ruf")))
        text(&r->ruf, v);
    else if (str_ieq(name, S("fo")))
        text(&r->fo, v);
}

bool dmarc_parse(str txt, struct dmarc_record *ret)
{
    str name, value;
    if (!txt.n || ascii_lower(txt.p[0]) != 'v' || !cut_tag(&txt, &name, &value) || !str_ieq(name, S("v")) ||
        !str_eq(value, S("DMARC1")))
        return false;
    *ret = (struct dmarc_record){.psd = 'u'};
    while (cut_tag(&txt, &name, &value))
        read_tag(ret, name, value);
    return true;
}

/* ---- report addresses ---- */

/* scheme ":" something, all visible ASCII (RFC 3986 3.1). */
static bool is_uri(str s)
{
    size_t colon = str_find(s, ':');
    if (colon == STR_NONE || colon == 0 || colon + 1 == s.n || !ascii_alpha(s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || (i < colon && !ascii_alnum(s.p[i]) && !memchr("+-.", s.p[i], 3)))
            return false;
    return true;
}

bool dmarc_uri_next(str *list, str *ret_uri)
{
    while (list->p && str_cut(list, ',', ret_uri)) {
        *ret_uri = str_trim_wsp(*ret_uri);
        *ret_uri = str_trim_wsp(str_sub(*ret_uri, 0, str_find(*ret_uri, '!')));
        if (is_uri(*ret_uri))
            return true;
    }
    return false;
}

/* "10m": a number, and k, m, g or t for powers of 1024. What is no limit is none. */
static uint64_t uri_limit(str s)
{
    static const char units[] = "kmgt";
    uint64_t v;
    const char *unit = s.n ? memchr(units, ascii_lower(s.p[s.n - 1]), sizeof units - 1) : NULL;
    if (!text_u64(str_sub(s, 0, s.n - (unit != NULL)), &v) || v > UINT32_MAX)
        return 0;
    for (const char *u = units; unit && u <= unit && v < (uint64_t)1 << 50; u++)
        v *= 1024;
    return v;
}

bool dmarc_uri_sized(str *list, str *ret_uri, uint64_t *ret_most)
{
    str one, rest;
    while (list->p && str_cut(list, ',', &one)) {
        rest = one;
        if (!dmarc_uri_next(&one, ret_uri))
            continue;
        size_t mark = str_find(rest, '!');
        *ret_most = mark == STR_NONE ? 0 : uri_limit(str_trim_wsp(str_skip(rest, mark + 1)));
        return true;
    }
    return false;
}

bool dmarc_has_uri(str list)
{
    str uri;
    return dmarc_uri_next(&list, &uri);
}

bool dmarc_mailto(str uri, char *out, size_t size, str *ret)
{
    size_t n = 0;
    if (!str_istarts(uri, S("mailto:")))
        return false;
    uri = str_skip(uri, 7);
    uri = str_sub(uri, 0, str_find(uri, '?'));
    for (size_t i = 0; i < uri.n; i++) {
        char c = uri.p[i];
        if (c == '%') {
            struct buf b;
            buf_init_fixed(&b, &c, 1);
            if (i + 2 >= uri.n || hex_decode(&b, str_sub(uri, i + 1, i + 3)) || c <= ' ' || c > '~')
                return false;
            i += 2;
        }
        if (n == size)
            return false;
        out[n++] = c;
    }
    *ret = str_mem(out, n);
    return n > 0;
}
