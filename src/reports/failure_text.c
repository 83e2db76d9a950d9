/*
 * A failure report as a message (RFC 5965, RFC 6591 3, RFC 9991): words for people, the fields for programs, and what
 * of the header may be told. Redacted (RFC 6590) it holds neither recipients nor subject, and of each address the local
 * part is a keyed hash: the same person is the same word as long as this process lives, and nobody can guess it.
 */
#include "base/text.h"
#include "reports/internal.h"
#include "wire/head.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_OCTETS_MAX = 900, SPF_SHOWN = 600, VALUE_MAX = 1800 };

/* ---- redaction --------------------------------------------------------------------------------------------------- */

static void add_redacted_local(struct buf *out, str local)
{
    static uint64_t key[2]; /* 0: not yet; on one loop */
    for (size_t i = 0; i < 2; i++)
        key[i] = key[i] ? key[i] : rt_random() | 1;
    buf_printf(out, "redacted-%016llx", (unsigned long long)str_ihash_keyed(key[0], key[1], local));
}

static bool ends_local(char c) { return c <= ' ' || memchr("<>()[],;:\"", c, 10); }

/* Where the local part at the end of `before` begins. In "i=user@host" it is behind the sign; in "<a=b@host>" it is
 * all. */
static size_t local_begin(str before)
{
    size_t from = before.n;
    if (from && before.p[from - 1] == '"') { /* quoted: to the quote where it began */
        for (from--; from && before.p[--from] != '"';)
            ;
        return from;
    }
    while (from && !ends_local(before.p[from - 1]))
        from--;
    size_t sign = str_find(str_skip(before, from), '=');
    bool whole = from && (before.p[from - 1] == '<' || before.p[from - 1] == '"');
    return sign == STR_NONE || whole ? from : from + sign + 1;
}

/* The text with every local part in front of an at sign replaced. */
static void add_redacted(struct buf *out, str text)
{
    size_t done = 0;
    for (size_t at; (at = str_find(str_skip(text, done), '@')) != STR_NONE; done += at + 1) {
        str before = str_sub(text, done, done + at);
        size_t from = local_begin(before);
        buf_add(out, str_sub(before, 0, from));
        if (from < before.n)
            add_redacted_local(out, str_skip(before, from));
        buf_add_char(out, '@');
    }
    buf_add(out, str_skip(text, done));
}

static void add_address(struct buf *out, str address, bool redact)
{
    size_t at = redact ? str_rfind(address, '@') : 0;
    if (redact && at != STR_NONE && at)
        add_redacted_local(out, str_sub(address, 0, at));
    buf_add(out, redact && at == STR_NONE ? S("") : str_skip(address, at));
}

/* ---- the header of the message ----------------------------------------------------------------------------------- */

/* Seven bits, and lines that everybody takes. */
static void add_plain(struct buf *out, str text)
{
    size_t line = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool end = c == '\n';
        if (c == '\r' || (line >= LINE_OCTETS_MAX && !end))
            continue;
        if (end)
            buf_add(out, S("\r\n"));
        else
            buf_add_char(out, (c < ' ' && c != '\t') || c > '~' ? '?' : c);
        line = end ? 0 : line + 1;
    }
}

enum telling { TELL_NOT, TELL_REDACTED, TELL_AS_IT_IS };

static enum telling may_be_told(str name)
{
    static const struct {
        str name;
        enum telling how;
    } rows[] = {{S_INIT("Received"), TELL_REDACTED},     {S_INIT("DKIM-Signature"), TELL_REDACTED},
                {S_INIT("Message-ID"), TELL_AS_IT_IS},   {S_INIT("Date"), TELL_AS_IT_IS},
                {S_INIT("MIME-Version"), TELL_AS_IT_IS}, {S_INIT("Content-Type"), TELL_REDACTED},
                {S_INIT("List-ID"), TELL_REDACTED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_ieq(name, rows[i].name))
            return rows[i].how;
    return TELL_NOT;
}

static void add_header(struct buf *out, const struct failure *f, bool redact)
{
    struct head_field h;
    AUTO_BUF one = {.max = HEAD_FIELD_MAX};
    for (str rest = f->head; head_next(&rest, &h);) {
        enum telling how = redact ? may_be_told(h.name) : TELL_AS_IT_IS;
        buf_clear(&one);
        if (how == TELL_REDACTED)
            add_redacted(&one, h.raw);
        if (how != TELL_NOT && !one.e)
            add_plain(out, one.n ? buf_str(&one) : h.raw);
    }
    if (redact)
        buf_printf(out, "From: <redacted@" STR_FMT ">\r\n", STR_ARG(f->from));
}

/* ---- the fields -------------------------------------------------------------------------------------------------- */

/* What does not fit is left out. */
static void add_field(struct buf *out, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add_field(struct buf *out, const char *name, const char *fmt, ...)
{
    char mem[VALUE_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(mem, sizeof mem, fmt, ap);
    va_end(ap);
    for (int i = 0; i < n && i < VALUE_MAX; i++)
        mem[i] = mem[i] < ' ' || mem[i] > '~' ? '?' : mem[i];
    if (n > 0 && n < VALUE_MAX)
        (void)head_add(out, str_c(name), str_mem(mem, (size_t)n));
}

static void add_spf(struct buf *out, const struct failure *f, str record)
{
    AUTO_BUF quoted = {.max = 2 * SPF_SHOWN + 2};
    record = str_sub(record, 0, SPF_SHOWN);
    for (size_t i = 0; i < record.n; i++) {
        if (record.p[i] == '"' || record.p[i] == '\\')
            buf_add_char(&quoted, '\\');
        buf_add_char(&quoted, record.p[i]);
    }
    if (f->spf_domain.n)
        add_field(out, "SPF-DNS", "txt : " STR_FMT " : \"" STR_FMT "\"", STR_ARG(f->spf_domain),
                  STR_ARG(buf_str(&quoted)));
}

static void add_report(struct buf *out, const struct failure *f, const struct conf *c, str spf)
{
    AUTO_BUF sender = {.max = 1024};
    char mem[IP_TEXT_MAX];
    struct buf ip, date;
    char when[64];
    buf_init_fixed(&ip, mem, sizeof mem);
    buf_init_fixed(&date, when, sizeof when);
    ip_print(&ip, &f->ip);
    head_date(&date, f->arrived_s);
    str day = str_trim(str_skip(buf_str(&date), sizeof "Date:" - 1));
    add_address(&sender, f->sender, c->report_failure_redact);
    add_field(out, "Feedback-Type", "auth-failure");
    add_field(out, "User-Agent", "postrider/%s", POSTRIDER_VERSION);
    add_field(out, "Version", "1");
    add_field(out, "Auth-Failure", "dmarc");
    add_field(out, "Identity-Alignment", "%s", f->alignment);
    add_field(out, "Delivery-Result", "%s", f->delivery);
    add_field(out, "Arrival-Date", STR_FMT, STR_ARG(day));
    add_field(out, "Source-IP", STR_FMT, STR_ARG(buf_str(&ip)));
    add_field(out, "Reported-Domain", STR_FMT, STR_ARG(f->from));
    add_field(out, "Original-Mail-From", "<" STR_FMT ">", STR_ARG(buf_str(&sender)));
    add_field(out, "Reporting-MTA", "dns; " STR_FMT, STR_ARG(c->hostname));
    add_field(out, "Incidents", "%llu", (unsigned long long)f->incidents);
    if (f->dkim_domain.n) {
        AUTO_BUF identity = {.max = 1024};
        add_field(out, "DKIM-Domain", STR_FMT, STR_ARG(f->dkim_domain));
        add_address(&identity, f->dkim_identity, c->report_failure_redact);
        add_field(out, "DKIM-Identity", STR_FMT, STR_ARG(buf_str(&identity)));
        add_field(out, "DKIM-Selector", STR_FMT, STR_ARG(f->dkim_selector));
    }
    add_spf(out, f, spf);
    AUTO_BUF results = {.max = 64 * 1024};
    if (c->report_failure_redact)
        add_redacted(&results, f->results);
    else
        buf_add(&results, f->results);
    if (!results.e)
        add_plain(out, buf_str(&results));
}

/* ---- the message ------------------------------------------------------------------------------------------------- */

err failure_print(const struct failure *f, const struct conf *c, str from, str to, str spf, struct buf *out)
{
    char boundary[64];
    int64_t now_ms = rt_wall_ms();
    snprintf(boundary, sizeof boundary, "=_failure_%016llx", (unsigned long long)rt_random());
    head_date(out, now_ms / 1000);
    head_message_id(out, now_ms, rt_random(), c->hostname);
    add_field(out, "From", "DMARC failure reports <" STR_FMT ">", STR_ARG(from));
    add_field(out, "To", "<" STR_FMT ">", STR_ARG(to));
    add_field(out, "Subject", "DMARC failure report about a message of " STR_FMT, STR_ARG(f->from));
    add_field(out, "Auto-Submitted", "auto-generated");
    add_field(out, "MIME-Version", "1.0");
    add_field(out, "Content-Type", "multipart/report; report-type=\"feedback-report\"; boundary=\"%s\"", boundary);
    buf_printf(out, "\r\n--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary);
    buf_printf(out,
               "This is a DMARC failure report (RFC 9991) about a message that came to " STR_FMT
               "\r\nand said it was from " STR_FMT ", whose record asks for such reports.\r\n",
               STR_ARG(c->hostname), STR_ARG(f->from));
    if (f->incidents > 1)
        buf_printf(out, "It stands for %llu of them; the others were not reported one by one.\r\n",
                   (unsigned long long)f->incidents);
    buf_printf(out, "\r\n--%s\r\nContent-Type: message/feedback-report\r\n\r\n", boundary);
    add_report(out, f, c, spf);
    buf_printf(out, "\r\n--%s\r\nContent-Type: text/rfc822-headers\r\n\r\n", boundary);
    add_header(out, f, c->report_failure_redact);
    buf_printf(out, "\r\n--%s--\r\n", boundary);
    return out->e;
}
