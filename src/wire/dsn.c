/* Delivery status notifications: RFC 6522, 3464, 3461 6.2 and 6.3, 6533. */
#include "wire/dsn.h"
#include "base/text.h"
#include "wire/head.h"

const char *dsn_action_name(enum dsn_action a)
{
    static const char *const names[] = {"failed", "delayed", "delivered", "relayed", "expanded"};
    return names[a <= DSN_EXPANDED ? a : DSN_FAILED];
}

/* One line of foreign text: controls become blanks; octets above 127 stay only where they may. */
static void add_clean(struct buf *out, str s, bool utf8)
{
    bool keep = utf8 && text_utf8(s);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        buf_add_char(out, c < 32 || c == 127 ? ' ' : c > 127 && !keep ? '?' : (char)c);
    }
}

/* "Name: prefix value", or nothing for an empty value. */
static err field(struct buf *out, const char *name, const char *prefix, str value, bool utf8)
{
    char mem[1600];
    struct buf v;
    if (value.n == 0)
        return OK;
    buf_init_fixed(&v, mem, sizeof mem);
    buf_add_c(&v, prefix);
    add_clean(&v, str_sub(value, 0, 1500), utf8);
    err e = head_add(out, str_c(name), buf_str(&v));
    if (e == E_LIMIT && !out->e) /* a word that no line can hold */
        e = head_add(out, str_c(name), str_sub(buf_str(&v), 0, 900));
    return e;
}

static err date_field(struct buf *out, const char *name, int64_t unix_s)
{
    char mem[64];
    struct buf v;
    if (unix_s == 0)
        return OK;
    buf_init_fixed(&v, mem, sizeof mem);
    text_date(&v, unix_s);
    return head_add(out, str_c(name), buf_str(&v));
}

/* The code point of well-formed UTF-8 at *i, which moves behind it. */
static uint32_t code_point(str s, size_t *i)
{
    unsigned char c = (unsigned char)s.p[(*i)++];
    size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t v = more ? c & (0x3fu >> more) : c;
    for (; more && *i < s.n; more--)
        v = v << 6 | ((unsigned char)s.p[(*i)++] & 0x3f);
    return v;
}

/* utf-8-addr-xtext (RFC 6533 3): how a UTF-8 address stands in ASCII. */
static void add_utf8_xtext(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n;) {
        uint32_t v = code_point(s, &i);
        if (v > 32 && v < 127 && v != '+' && v != '=' && v != '\\')
            buf_add_char(out, (char)v);
        else
            buf_printf(out, "\\x{%02X}", v);
    }
}

static err address_field(struct buf *out, const char *name, str type, str addr, bool utf8)
{
    char mem[960];
    struct buf v;
    if (addr.n == 0)
        return OK;
    buf_init_fixed(&v, mem, sizeof mem);
    bool ascii = text_ascii(addr);
    if (!ascii || str_ieq(type, S("utf-8"))) {
        buf_add(&v, S("utf-8;"));
        if (utf8 && text_utf8(addr))
            add_clean(&v, addr, true);
        else
            add_utf8_xtext(&v, addr);
    } else {
        add_clean(&v, type.n ? type : S("rfc822"), false);
        buf_add_char(&v, ';');
        add_clean(&v, addr, false);
    }
    if (v.e) { /* no address that we took is as long; one in ORCPT may be */
        buf_clear(&v);
        buf_add(&v, S("rfc822;"));
        add_clean(&v, str_sub(addr, 0, 500), false);
    }
    return head_add(out, str_c(name), buf_str(&v));
}

/* Text wrapped at column 76, later lines indented; a word that no line can hold is cut. */
static void paragraph(struct buf *out, str s, size_t indent)
{
    enum { COLS = 76, WORD = 900 };
    size_t col = 0;
    str word;
    while (str_cut(&s, ' ', &word))
        while (word.n) {
            str part = str_sub(word, 0, WORD);
            word = str_skip(word, part.n);
            if (col && col + 1 + part.n > COLS) {
                buf_add(out, S("\r\n"));
                buf_printf(out, "%*s", (int)indent, "");
                col = indent;
            } else if (col) {
                buf_add_char(out, ' ');
                col++;
            }
            buf_add(out, part);
            col += part.n;
        }
    buf_add(out, S("\r\n"));
}

static void rcpt_for_people(struct buf *out, const struct dsn_rcpt *r, bool utf8)
{
    char mem[2200];
    struct buf t;
    buf_init_fixed(&t, mem, sizeof mem);
    buf_add_char(&t, '<');
    add_clean(&t, str_sub(r->final, 0, 500), utf8);
    buf_add_char(&t, '>');
    if (r->diagnostic.n && r->remote_mta.n) {
        buf_add(&t, S(": host "));
        add_clean(&t, str_sub(r->remote_mta, 0, 255), utf8);
        buf_add(&t, S(" said: "));
        add_clean(&t, str_sub(r->diagnostic, 0, 1000), utf8);
        buf_add(&t, r->error.n ? S("; ") : S(""));
        add_clean(&t, str_sub(r->error, 0, 200), utf8);
    } else if (r->diagnostic.n || r->error.n) {
        buf_add(&t, S(": "));
        add_clean(&t, str_sub(r->error.n ? r->error : r->diagnostic, 0, 1000), utf8);
    }
    paragraph(out, buf_str(&t), 4);
}

static void retry_until(struct buf *out, const struct dsn *d)
{
    int64_t until = 0;
    for (size_t i = 0; i < d->n_rcpts; i++)
        if (d->rcpts[i].action == DSN_DELAYED && d->rcpts[i].retry_until_s > until)
            until = d->rcpts[i].retry_until_s;
    if (until == 0)
        return;
    buf_add(out, S("Delivery will be tried until "));
    text_date(out, until);
    buf_add(out, S(". You need do nothing.\r\n\r\n"));
}

static void text_for_people(struct buf *out, const struct dsn *d)
{
    static const char *const said[] = {
        "Your message could not be delivered to:",
        "Your message has not been delivered yet to:",
        "Your message was delivered to:",
        "Your message was passed on, to a server that sends no further report, for:",
        "Your message was given to the list of addresses behind:",
    };
    str rest = d->text, line;
    bool utf8 = d->utf8;
    while (d->text.n && str_cut(&rest, '\n', &line)) {
        char mem[1000];
        struct buf t;
        buf_init_fixed(&t, mem, sizeof mem);
        add_clean(&t, str_sub(line, 0, sizeof mem), utf8);
        paragraph(out, buf_str(&t), 0);
    }
    if (d->text.n)
        return;
    buf_add(out, S("This is the mail system at "));
    add_clean(out, d->reporting_mta, false);
    buf_add(out, S(".\r\n\r\n"));
    for (int a = DSN_FAILED; a <= DSN_EXPANDED; a++) {
        bool first = true;
        for (size_t i = 0; i < d->n_rcpts && !out->e; i++) {
            if ((int)d->rcpts[i].action != a)
                continue;
            if (first)
                buf_printf(out, "%s\r\n\r\n", said[a]);
            first = false;
            rcpt_for_people(out, &d->rcpts[i], utf8);
            buf_add(out, S("\r\n"));
        }
        if (a == DSN_DELAYED)
            retry_until(out, d);
    }
    if (d->subject.n) {
        buf_add(out, S("Its subject was: "));
        add_clean(out, str_sub(d->subject, 0, 900), utf8);
        buf_add(out, S("\r\n"));
    }
}

static const char *subject_of(const struct dsn *d)
{
    static const char *const subjects[] = {"Undelivered mail returned to sender", "Delayed mail (still being retried)",
                                           "Successful mail delivery report", "Successful mail delivery report",
                                           "Successful mail delivery report"};
    int worst = DSN_EXPANDED;
    for (size_t i = 0; i < d->n_rcpts; i++)
        worst = (int)d->rcpts[i].action < worst ? (int)d->rcpts[i].action : worst;
    return subjects[worst];
}

static bool boundary_ok(str b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!ascii_alnum(b.p[i]) && b.p[i] != '.' && b.p[i] != '_' && b.p[i] != '=' && b.p[i] != '-')
            return false;
    return b.n > 0 && b.n <= 60;
}

static err header(struct buf *out, const struct dsn *d)
{
    char mem[700];
    struct buf v;
    err e = field(out, "From", "", d->from, d->utf8);
    buf_init_fixed(&v, mem, sizeof mem);
    buf_add_char(&v, '<');
    add_clean(&v, str_sub(d->to, 0, 500), d->utf8);
    buf_add_char(&v, '>');
    e = e ? e : head_add(out, S("To"), buf_str(&v));
    e = e ? e : head_add(out, S("Subject"), str_c(subject_of(d)));
    e = e ? e : date_field(out, "Date", d->now_s);
    buf_clear(&v);
    buf_add_char(&v, '<');
    add_clean(&v, str_sub(d->message_id, 0, 500), false);
    buf_add_char(&v, '>');
    e = e ? e : head_add(out, S("Message-ID"), buf_str(&v));
    e = e ? e : head_add(out, S("Auto-Submitted"), S("auto-replied"));
    e = e ? e : head_add(out, S("MIME-Version"), S("1.0"));
    buf_clear(&v);
    buf_printf(&v, "multipart/report; report-type=%s;\nboundary=\"%.*s\"",
               d->utf8 ? "global-delivery-status" : "delivery-status", STR_ARG(d->boundary));
    e = e ? e : head_add(out, S("Content-Type"), buf_str(&v));
    if (!e && (d->content_8bit || d->utf8))
        e = head_add(out, S("Content-Transfer-Encoding"), S("8bit"));
    return e;
}

static void open_part(struct buf *out, const struct dsn *d, const char *description, const char *type, bool eight)
{
    buf_printf(out, "\r\n--%.*s\r\nContent-Description: %s\r\nContent-Type: %s\r\n%s\r\n", STR_ARG(d->boundary),
               description, type, eight ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static err rcpt_fields(struct buf *out, const struct dsn_rcpt *r, bool utf8)
{
    buf_add(out, S("\r\n"));
    err e = address_field(out, "Original-Recipient", r->orcpt_type, r->orcpt, utf8);
    e = e ? e : address_field(out, "Final-Recipient", S("rfc822"), r->final, utf8);
    e = e ? e : head_add(out, S("Action"), str_c(dsn_action_name(r->action)));
    e = e ? e : field(out, "Status", "", r->status, false);
    e = e ? e : field(out, "Remote-MTA", "dns;", r->remote_mta, utf8);
    e = e ? e : field(out, "Diagnostic-Code", "smtp;", r->diagnostic, utf8);
    e = e ? e : date_field(out, "Last-Attempt-Date", r->last_attempt_s);
    return e || r->action != DSN_DELAYED ? e : date_field(out, "Will-Retry-Until", r->retry_until_s);
}

static err machine_part(struct buf *out, const struct dsn *d)
{
    open_part(out, d, "Delivery report", d->utf8 ? "message/global-delivery-status" : "message/delivery-status",
              d->utf8);
    err e = field(out, "Original-Envelope-Id", "", d->envid, false);
    e = e ? e : field(out, "Reporting-MTA", "dns;", d->reporting_mta, false);
    e = e ? e : date_field(out, "Arrival-Date", d->arrival_s);
    e = e ? e : field(out, "X-Queue-Id", "", d->queue_id, false); /* extensions stand last (RFC 3464 2.2) */
    for (size_t i = 0; !e && i < d->n_rcpts; i++)
        e = rcpt_fields(out, &d->rcpts[i], d->utf8);
    return e;
}

err dsn_print(struct buf *out, const struct dsn *d)
{
    if (!boundary_ok(d->boundary))
        return E_SYNTAX;
    err e = header(out, d);
    if (e)
        return e;
    buf_add(out, S("\r\nThis is a delivery report in MIME format.\r\n"));
    open_part(out, d, "Notification", d->utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", d->utf8);
    text_for_people(out, d);
    e = machine_part(out, d);
    if (e)
        return e;
    bool eight = d->content_8bit || d->utf8;
    if (d->content == DSN_CONTENT_FULL)
        open_part(out, d, "Undelivered message", d->utf8 ? "message/global" : "message/rfc822", eight);
    else if (d->content == DSN_CONTENT_HEADERS)
        open_part(out, d, "Header of the message", d->utf8 ? "message/global-headers" : "text/rfc822-headers", eight);
    return out->e;
}

err dsn_print_end(struct buf *out, const struct dsn *d)
{
    buf_printf(out, "\r\n--%.*s--\r\n", STR_ARG(d->boundary));
    return out->e;
}
