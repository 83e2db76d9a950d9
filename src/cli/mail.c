/*
 * What sendmail does to a message before it goes to the server: line ends, the recipients of -t, and a
 * header block that may leave (RFC 5322 3.6, RFC 6409 8: complete addresses, no Bcc). Pure.
 */
#include "base/codec.h"
#include "cli/internal.h"
#include "wire/data.h"
#include "wire/head.h"
#include "wire/mime.h"

static const size_t value_max = 1 << 20;

/* ---- text ---- */

/* Up to a line of one dot, which ends a message on a terminal and in pipes of old. */
static str before_dot(str in)
{
    for (size_t at = 0; at < in.n;) {
        size_t lf = str_find(str_skip(in, at), '\n');
        str line = str_sub(in, at, lf == STR_NONE ? in.n : at + lf);
        if (str_eq(line, S(".")) || str_eq(line, S(".\r")))
            return str_sub(in, 0, at);
        if (lf == STR_NONE)
            break;
        at += lf + 1;
    }
    return in;
}

void mail_text(struct buf *out, str in, bool dot)
{
    struct data_text t = {0};
    if (dot)
        in = before_dot(in);
    size_t lf = str_find(in, '\n');
    if (str_starts(in, S("From ")) && lf != STR_NONE)
        in = str_skip(in, lf + 1);
    data_text_feed(&t, in, out);
    data_text_end(&t, out);
}

/* ---- recipients ---- */

static const str plain[] = {S_INIT("To"), S_INIT("Cc"), S_INIT("Bcc")};
static const str resent[] = {S_INIT("Resent-To"), S_INIT("Resent-Cc"), S_INIT("Resent-Bcc")};

static bool one_of(str name, const str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq(name, v[i]))
            return true;
    return false;
}

bool mail_recipients(struct arena *a, str message, struct name_list *out, struct buf *why)
{
    bool again = false;
    struct head_field f;
    for (str rest = message; head_next(&rest, &f);)
        again |= one_of(f.name, resent, 3);
    for (str rest = message; head_next(&rest, &f);) {
        if (!one_of(f.name, again ? resent : plain, 3))
            continue;
        struct head_addr one;
        bool bad = false;
        for (str v = f.value; head_addr_next(&v, a, &one, &bad);)
            if (!name_list_add(a, out, one.spec)) {
                buf_add_c(why, "too many recipients");
                return false;
            }
        if (bad) {
            buf_add_c(why, "the field ");
            text_safe(why, str_sub(f.name, 0, 40));
            buf_add_c(why, " is not a list of addresses: ");
            text_safe(why, str_sub(str_trim(f.value), 0, 100));
            return false;
        }
    }
    return true;
}

/* ---- addresses ---- */

static str map_address(const struct conf_list *map, str address)
{
    for (size_t i = 0; map && i < map->n; i++) {
        size_t eq = str_find(map->v[i], '=');
        if (eq != STR_NONE && str_ieq(str_trim(str_sub(map->v[i], 0, eq)), address))
            return str_trim(str_skip(map->v[i], eq + 1));
    }
    return address;
}

str mail_address(struct arena *a, str spec, const struct mail_rules *r)
{
    if (spec.n == 0)
        return spec;
    size_t at = str_rfind(spec, '@');
    if (spec.p[spec.n - 1] == '"') /* a quoted local part alone */
        at = STR_NONE;
    bool here = at != STR_NONE && (str_ieq(str_skip(spec, at + 1), S("localhost")) || at + 1 == spec.n);
    if (at == STR_NONE || here)
        spec = arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(str_sub(spec, 0, at)), STR_ARG(r->origin));
    return map_address(r->map, spec);
}

static bool is_dull(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && !memchr(" !#$%&'*+-/=?^_`{|}~", s.p[i], 20))
            return false;
    return true;
}

void mail_from_value(struct buf *out, str name, str address)
{
    bool control = false;
    for (size_t i = 0; i < name.n; i++)
        control |= (unsigned char)name.p[i] < 32 || name.p[i] == 127;
    if (control || name.n > 200 || !text_utf8(name))
        name = S("");
    if (!text_ascii(name)) { /* RFC 2047: words of at most 75 octets; cut between characters */
        while (name.n) {
            size_t n = name.n < 45 ? name.n : 45;
            while (n < name.n && ((unsigned char)name.p[n] & 0xc0) == 0x80)
                n--;
            buf_add_c(out, "=?UTF-8?B?");
            base64_encode(out, str_sub(name, 0, n));
            buf_add_c(out, "?= ");
            name = str_skip(name, n);
        }
    } else if (name.n && is_dull(name)) {
        buf_add(out, name);
        buf_add_char(out, ' ');
    } else if (name.n) {
        buf_add_quoted(out, name);
        buf_add_char(out, ' ');
    }
    buf_printf(out, "<" STR_FMT ">", STR_ARG(address));
}

/* ---- the header block ---- */

static const str dropped[] = {S_INIT("Bcc"), S_INIT("Resent-Bcc"), S_INIT("Return-Path"), S_INIT("Content-Length")};
static const str with_addresses[] = {S_INIT("From"),
                                     S_INIT("Sender"),
                                     S_INIT("Reply-To"),
                                     S_INIT("To"),
                                     S_INIT("Cc"),
                                     S_INIT("Resent-From"),
                                     S_INIT("Resent-Sender"),
                                     S_INIT("Resent-To"),
                                     S_INIT("Resent-Cc"),
                                     S_INIT("Disposition-Notification-To")};

/* One element of a list, with its address changed where it stands; comments and the phrase stay as they are. */
static void put_element(struct buf *out, str raw, const struct head_addr *had, str now)
{
    size_t from = str_rfind(raw, '<');
    from = from == STR_NONE ? 0 : from + 1;
    size_t at = str_search(str_skip(raw, from), had->spec);
    if (at == STR_NONE) { /* the address had blanks or comments inside */
        if (had->display.n)
            buf_printf(out, " " STR_FMT " <" STR_FMT ">", STR_ARG(had->display), STR_ARG(now));
        else
            buf_printf(out, " " STR_FMT, STR_ARG(now));
        size_t comma = str_rfind(raw, ',');
        if (comma != STR_NONE && str_trim(str_skip(raw, comma + 1)).n == 0)
            buf_add_char(out, ',');
        return;
    }
    at += from;
    buf_add(out, str_sub(raw, 0, at));
    buf_add(out, now);
    buf_add(out, str_skip(raw, at + had->spec.n));
}

static void put_addresses(struct arena *a, struct buf *out, const struct head_field *f, const struct mail_rules *r)
{
    AUTO_BUF value;
    buf_init(&value, value_max);
    bool changed = false, bad = false;
    struct head_addr one;
    str rest = f->value;
    const char *from = rest.p; /* up to here the value is written */
    for (; head_addr_next(&rest, a, &one, &bad); from = rest.p) {
        str raw = str_mem(from, (size_t)(rest.p - from)), now = mail_address(a, one.spec, r);
        changed |= !str_eq(now, one.spec);
        put_element(&value, raw, &one, now);
    }
    buf_add(&value, str_skip(f->value, (size_t)(from - f->value.p)));
    if (!changed || bad || value.e) {
        buf_add(out, f->raw);
        return;
    }
    buf_printf(out, STR_FMT ":", STR_ARG(f->name));
    buf_add(out, buf_str(&value));
    buf_add(out, S("\r\n"));
}

err mail_header(struct arena *a, struct buf *out, str message, const struct mail_rules *r)
{
    bool has_end;
    size_t n = head_len(message, &has_end);
    str rest = str_sub(message, 0, n);
    struct head_field f;
    bool from = false;
    while (head_next(&rest, &f)) {
        from |= str_ieq(f.name, S("From"));
        if (one_of(f.name, dropped, sizeof dropped / sizeof *dropped))
            continue;
        if (one_of(f.name, with_addresses, sizeof with_addresses / sizeof *with_addresses))
            put_addresses(a, out, &f, r);
        else
            buf_add(out, f.raw);
    }
    if (!from && r->from.n)
        head_add(out, S("From"), r->from);
    buf_add(out, S("\r\n"));
    buf_add(out, str_skip(message, n));
    return out->e;
}

/* ---- what SMTP cannot carry ---- */

bool mail_carriable(str message)
{
    for (size_t at = 0; at < message.n;) {
        size_t lf = str_find(str_skip(message, at), '\n');
        size_t n = lf == STR_NONE ? message.n - at : lf + 1;
        if (n > MIME_LINE_MAX + 2)
            return false;
        at += n;
    }
    return str_find(message, 0) == STR_NONE;
}

err mail_convert(struct buf *out, str message)
{
    struct mime_info info;
    struct mime *m = mime_new();
    err e = m ? mime_scan(m, message) : E_NOMEM;
    if (!e)
        e = mime_scan_end(m, &info);
    if (!e)
        e = mime_convert(m, message, out);
    if (!e)
        e = mime_convert_end(m, out);
    mime_free(&m);
    return e ? e : out->e;
}
