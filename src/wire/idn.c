/* Domain names between U-labels and A-labels. */
#include "wire/idn.h"
#include "base/text.h"

#include <idn2.h>

enum {
    IN_MAX = 1023,  /* octets of a name in UTF-8 */
    ASCII_MAX = 253 /* RFC 1035 3.1: a name in text without its last dot */
};

static err copy(str s, bool lower, struct arena *a, str *ret)
{
    str out = arena_str(a, s);
    if (!out.p)
        return a->e;
    for (size_t i = 0; lower && i < out.n; i++)
        ((char *)out.p)[i] = ascii_lower(out.p[i]);
    *ret = out;
    return OK;
}

/* Takes over a text of libidn2. */
static err taken(char *text, size_t max, struct arena *a, str *ret)
{
    str s = str_c(text);
    err e = s.n <= max ? copy(s, false, a, ret) : E_SYNTAX;
    idn2_free(text);
    return e;
}

err idn_to_ascii(str domain, struct arena *a, str *ret)
{
    if (text_ascii(domain))
        return copy(domain, true, a, ret);
    char in[IN_MAX + 1], *out = NULL;
    if (!text_utf8(domain) || !str_to_c(domain, in, sizeof in))
        return E_SYNTAX;
    int rc = idn2_to_ascii_8z(in, &out, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (rc == IDN2_MALLOC)
        return E_NOMEM;
    return rc == IDN2_OK ? taken(out, ASCII_MAX, a, ret) : E_SYNTAX;
}

err idn_to_unicode(str domain, struct arena *a, str *ret)
{
    char in[IN_MAX + 1], *out = NULL;
    if (!str_to_c(domain, in, sizeof in))
        return E_SYNTAX;
    if (str_search(domain, S("xn--")) == STR_NONE && str_search(domain, S("XN--")) == STR_NONE)
        return copy(domain, false, a, ret);
    int rc = idn2_to_unicode_8z8z(in, &out, 0);
    if (rc != IDN2_OK)
        return rc == IDN2_MALLOC ? E_NOMEM : copy(domain, false, a, ret);
    str u, back;
    err e = taken(out, IN_MAX, a, &u);
    if (e)
        return e;
    bool same = idn_to_ascii(u, a, &back) == OK && str_ieq(back, domain); /* what is no punycode comes out shorter */
    return same ? (*ret = u, OK) : copy(domain, false, a, ret);
}
