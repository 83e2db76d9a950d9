/* SPF records, term by term (RFC 7208 4.6.1 and 12). */
#include "wire/spf.h"
#include "base/text.h"

enum { RECORD_TERM_MAX = 65535 };

static const struct {
    str name;
    enum spf_kind kind;
    enum { ARG_NONE, ARG_DOMAIN, ARG_MAY, ARG_CIDR, ARG_NET4, ARG_NET6 } arg;
} mechanisms[] = {
    {S_INIT("all"), SPF_ALL, ARG_NONE}, {S_INIT("include"), SPF_INCLUDE, ARG_DOMAIN},
    {S_INIT("a"), SPF_A, ARG_CIDR},     {S_INIT("mx"), SPF_MX, ARG_CIDR},
    {S_INIT("ptr"), SPF_PTR, ARG_MAY},  {S_INIT("ip4"), SPF_IP4, ARG_NET4},
    {S_INIT("ip6"), SPF_IP6, ARG_NET6}, {S_INIT("exists"), SPF_EXISTS, ARG_DOMAIN},
};

bool spf_is_record(str txt)
{
    return str_istarts(txt, S("v=spf1")) && (txt.n == 6 || str_starts(str_skip(txt, 6), S(" ")));
}

/* ---- domain-spec ---- */

/* What follows the last dot, without a dot at the end: letters, digits and inner hyphens, not all digits. */
static bool top_label(str s)
{
    bool digits = true;
    if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_alnum(s.p[i]) && s.p[i] != '-')
            return false;
        digits &= ascii_digit(s.p[i]);
    }
    return !digits;
}

/* Where the macro that ends the string begins, or STR_NONE. `s` is valid. */
static bool ends_in_macro(str s)
{
    bool last = false;
    for (size_t i = 0; i < s.n; i++) {
        last = s.p[i] == '%';
        if (!last)
            continue;
        i++;
        if (s.p[i] == '{')
            i += str_find(str_skip(s, i), '}');
        if (i + 1 < s.n)
            last = false;
    }
    return last;
}

static bool domain_spec(str s)
{
    if (s.n == 0 || !spf_macro_valid(s, false))
        return false;
    if (ends_in_macro(s))
        return true;
    if (s.p[s.n - 1] == '.')
        s.n--;
    size_t dot = str_rfind(s, '.'), end = str_rfind(s, '}');
    return dot != STR_NONE && (end == STR_NONE || end < dot) && top_label(str_skip(s, dot + 1));
}

/* ---- numbers and networks ---- */

/* "/24": takes it off the end of *s. False: not in range, or written in a strange way. No slash is no error. */
static bool take_bits(str *s, bool two, unsigned most, uint8_t *ret)
{
    size_t n = s->n, slashes = two ? 2 : 1;
    uint64_t v;
    *ret = (uint8_t)most;
    while (n && ascii_digit(s->p[n - 1]))
        n--;
    str digits = str_skip(*s, n);
    if (n < slashes || s->p[n - 1] != '/' || (two && s->p[n - 2] != '/') || digits.n == 0)
        return true;
    if (!two && n >= 2 && s->p[n - 2] == '/')
        return true;
    if (digits.n > 3 || (digits.n > 1 && digits.p[0] == '0') || !text_u64(digits, &v) || v > most)
        return false;
    s->n = n - slashes;
    *ret = (uint8_t)v;
    return true;
}

/* An IPv4-mapped address is one of IPv6 here: a client with one is judged as IPv4, and never meets it. */
static void as_six(struct ip *ip)
{
    if (ip->v != 4)
        return;
    struct ip six = {.v = 6};
    six.b[10] = six.b[11] = 0xff;
    memcpy(six.b + 12, ip->b, 4);
    *ip = six;
}

static bool network(str s, bool six, struct ip_net *ret)
{
    uint8_t bits;
    if (!take_bits(&s, false, six ? 128 : 32, &bits) || (str_find(s, ':') != STR_NONE) != six || !ip_parse(s, &ret->ip))
        return false;
    if (six)
        as_six(&ret->ip);
    ret->bits = bits;
    for (unsigned i = bits; i < (six ? 128u : 32u); i++)
        ret->ip.b[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    return true;
}

/* ---- terms ---- */

static bool name_char(char c) { return ascii_alnum(c) || c == '-' || c == '_' || c == '.'; }

static const char *read_modifier(str term, size_t eq, struct spf_term *ret)
{
    str name = str_sub(term, 0, eq), value = str_skip(term, eq + 1);
    ret->kind = str_ieq(name, S("redirect")) ? SPF_REDIRECT : str_ieq(name, S("exp")) ? SPF_EXP : SPF_UNKNOWN;
    ret->domain = value;
    if (ret->kind == SPF_UNKNOWN)
        return spf_macro_valid(value, true) ? NULL : "a modifier with a broken macro";
    return domain_spec(value) ? NULL : "redirect= and exp= need a domain behind them";
}

static const char *read_argument(int arg, str rest, struct spf_term *ret)
{
    str value = str_skip(rest, 1);
    switch (arg) {
    case ARG_NONE:
        return rest.n ? "\"all\" takes nothing behind it" : NULL;
    case ARG_NET4:
        return rest.n && rest.p[0] == ':' && network(value, false, &ret->net) ? NULL : "ip4: expects an IPv4 network";
    case ARG_NET6:
        return rest.n && rest.p[0] == ':' && network(value, true, &ret->net) ? NULL : "ip6: expects an IPv6 network";
    case ARG_CIDR:
        if (!take_bits(&rest, true, 128, &ret->bits6) || !take_bits(&rest, false, 32, &ret->bits4))
            return "a prefix length out of range";
        value = str_skip(rest, 1);
        break;
    default:
        break;
    }
    if (rest.n == 0 && arg != ARG_DOMAIN)
        return NULL;
    if (rest.n == 0 || rest.p[0] != ':' || !domain_spec(value))
        return "a domain was expected behind the colon";
    ret->domain = value;
    return NULL;
}

static const char *read_mechanism(str term, struct spf_term *ret)
{
    size_t n = 0;
    if (memchr("+-~?", term.p[0], 4)) {
        ret->qualifier = term.p[0];
        term = str_skip(term, 1);
    }
    while (n < term.n && ascii_alnum(term.p[n]))
        n++;
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
        if (str_ieq(mechanisms[i].name, str_sub(term, 0, n))) {
            ret->kind = mechanisms[i].kind;
            return read_argument(mechanisms[i].arg, str_skip(term, n), ret);
        }
    return "neither a mechanism nor a modifier";
}

static const char *read_term(str term, struct spf_term *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < term.n; i++)
        if (term.p[i] < 0x21 || term.p[i] > 0x7e)
            return "an octet that is not visible ASCII";
    if (term.n > RECORD_TERM_MAX)
        return "a term of more than 64 KiB";
    if (ascii_alpha(term.p[0]))
        while (n < term.n && name_char(term.p[n]))
            n++;
    return n && n < term.n && term.p[n] == '=' ? read_modifier(term, n, ret) : read_mechanism(term, ret);
}

enum spf_next spf_next(str *rest, struct spf_term *ret, const char **ret_why)
{
    if (spf_is_record(*rest))
        *rest = str_skip(*rest, 6);
    size_t from = 0;
    while (from < rest->n && rest->p[from] == ' ')
        from++;
    *rest = str_skip(*rest, from);
    if (rest->n == 0)
        return SPF_END;
    size_t end = str_find(*rest, ' ');
    *ret = (struct spf_term){.qualifier = '+', .bits4 = 32, .bits6 = 128, .text = str_sub(*rest, 0, end)};
    *rest = str_skip(*rest, ret->text.n);
    *ret_why = read_term(ret->text, ret);
    return *ret_why ? SPF_BAD : SPF_TERM;
}
