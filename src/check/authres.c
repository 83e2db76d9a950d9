/* Authentication-Results written, and those of forgers told apart (RFC 8601). */
#include "wire/authres.h"
#include "base/cleanup.h"
#include "check/internal.h"
#include "wire/idn.h"

enum { VALUE_MAX = 32768 };

/* A result begins on a line of its own. */
static void begin(struct buf *v, const char *method, enum check_result r)
{
    buf_printf(v, ";\n%s=%s", method, check_result_name(r));
}

static void add_iprev(struct buf *v, const struct check *c, const struct check_iprev *p)
{
    char text[IP_TEXT_MAX];
    struct buf b;
    if (!c->ip.v || (p->result == CHECK_NONE && !p->name.n))
        return;
    buf_init_fixed(&b, text, sizeof text);
    ip_print(&b, &c->ip);
    begin(v, "iprev", p->result);
    authres_comment(v, p->name);
    authres_property(v, "policy.iprev", buf_str(&b));
}

static void add_spf(struct buf *v, const struct check_spf *s, const char *property, str value)
{
    if (!s->done)
        return;
    begin(v, "spf", s->result);
    authres_comment(v, s->why);
    authres_property(v, property, value);
}

/* A null sender is judged, and named, by its HELO name (RFC 7208 2.4). */
static void add_mail(struct buf *v, const struct check *c, const struct check_results *r)
{
    add_spf(v, &r->helo, "smtp.helo", c->helo);
    if (c->from.n)
        add_spf(v, &r->mail, "smtp.mailfrom", c->from);
    else if (!r->helo.done)
        add_spf(v, &r->mail, "smtp.helo", c->helo);
}

static void add_signature(struct buf *v, const struct check_dkim *d)
{
    begin(v, "dkim", d->result);
    if (d->why.n)
        authres_comment(v, d->why);
    else if (d->key_bits)
        buf_printf(v, " (%u-bit key%s)", d->key_bits, d->testing ? ", test mode" : "");
    authres_property(v, "header.d", d->domain);
    authres_property(v, "header.i", d->identity);
    authres_property(v, "header.s", d->selector);
    authres_property(v, "header.a", d->algorithm);
    authres_property(v, "header.b", d->b);
}

static void add_dkim(struct buf *v, const struct check_results *r)
{
    size_t said = 0;
    if (!r->ndkim)
        begin(v, "dkim", CHECK_NONE);
    for (size_t i = 0; i < r->ndkim && said < CHECK_REPORTED_MAX; i++)
        if (r->dkim[i].result == CHECK_PASS) {
            add_signature(v, &r->dkim[i]);
            said++;
        }
    for (size_t i = 0; i < r->ndkim && said < CHECK_REPORTED_MAX; i++)
        if (r->dkim[i].result != CHECK_PASS) {
            add_signature(v, &r->dkim[i]);
            said++;
        }
}

static void add_arc(struct buf *v, const struct check_results *r)
{
    const struct check_arc *a = &r->arc;
    begin(v, "arc", a->result);
    if (a->why.n)
        authres_comment(v, a->why);
    else if (a->instances)
        buf_printf(v, " (i=%u)", a->instances);
    if (a->result == CHECK_PASS) {
        buf_printf(v, " header.oldest-pass=%u", a->oldest_pass);
        authres_property(v, "header.d", a->domain);
    }
}

static void add_dmarc(struct buf *v, const struct check_results *r)
{
    static const char *const kinds[] = {"", "no From field", "several authors", "From cannot be read"};
    const struct check_dmarc *d = &r->dmarc;
    begin(v, "dmarc", d->result);
    if (d->author != AUTHOR_ONE)
        authres_comment(v, str_c(kinds[d->author]));
    else if (d->why.n)
        authres_comment(v, d->why);
    else if (d->record.n)
        buf_printf(v, " (p=%s dis=%s)", dmarc_policy_name(d->published), dmarc_policy_name(d->policy));
    authres_property(v, "header.from", d->from);
}

err check_authres(const struct check *c, const struct check_results *r, str authserv, struct buf *out)
{
    AUTO_BUF v = {.max = VALUE_MAX};
    if (!authserv.n)
        return E_SYNTAX;
    buf_add(&v, authserv);
    add_iprev(&v, c, &r->iprev);
    add_mail(&v, c, r);
    add_dkim(&v, r);
    add_arc(&v, r);
    add_dmarc(&v, r);
    return v.e ? v.e : head_add(out, S("Authentication-Results"), buf_str(&v));
}

/* Names are compared in A-labels, in any case, with and without the dot at their end. */
static bool same_name(str a, str b)
{
    struct arena arena;
    str x, y;
    if (str_ends(a, S(".")))
        a.n--;
    if (str_ieq(a, b))
        return true;
    arena_init(&arena, 1024, 8192);
    bool same = a.n < 1024 && !idn_to_ascii(a, &arena, &x) && !idn_to_ascii(b, &arena, &y) && str_ieq(x, y);
    arena_free(&arena);
    return same;
}

bool check_authres_forged(const struct head_field *f, str authserv)
{
    str id, rest;
    if (!str_ieq(f->name, S("Authentication-Results")))
        return false;
    return !authres_id(f->value, &id, &rest) || same_name(id, authserv);
}
