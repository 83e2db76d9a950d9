/*
 * SMTP as a client (RFC 5321, 1870, 3030, 3461, 6152, 6531) for sendmail and `postrider send`: one
 * message, one connection, one step after the other. All recipients are taken or nothing is sent, so that
 * an exit status speaks for the whole message.
 */
#include "cli/internal.h"
#include "wire/cmd.h"
#include "wire/data.h"
#include "wire/reply.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

enum { REPLY_TIME_MS = 5 * 60 * 1000, END_TIME_MS = 10 * 60 * 1000 };

static int lost(struct dialog *d, const char *what)
{
    buf_clear(&d->why);
    buf_printf(&d->why, "%s%s", what, d->sent ? "; the message may have been accepted" : "");
    return EX_TEMPFAIL;
}

static void show(struct dialog *d, const char *mark, str line)
{
    AUTO_BUF safe;
    if (!d->verbose)
        return;
    buf_init(&safe, 65536);
    text_safe(&safe, line);
    printf("%s " STR_FMT "\n", mark, STR_ARG(buf_str(&safe)));
    fflush(stdout);
}

/* ---- reading and writing ---- */

static bool wait_for(struct dialog *d, short events)
{
    for (;;) {
        int64_t left = d->deadline - cli_now_ms();
        struct pollfd p = {.fd = d->fd, .events = events};
        int n = left > 0 ? poll(&p, 1, left < INT32_MAX ? (int)left : INT32_MAX) : 0;
        if (n > 0 || (n == 0 && left <= 0))
            return n > 0;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

static bool put(struct dialog *d, str s)
{
    while (s.n) {
        if (!wait_for(d, POLLOUT))
            return false;
        ssize_t n = write(d->fd, s.p, s.n);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        s = str_skip(s, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* One line without its end, at most as long as the buffer; false: lost, late or too long. */
static bool get_line(struct dialog *d, str *ret)
{
    for (;;) {
        str have = str_mem(d->in + d->in_at, d->in_n - d->in_at);
        size_t lf = str_find(have, '\n');
        if (lf != STR_NONE) {
            *ret = str_sub(have, 0, lf > 0 && have.p[lf - 1] == '\r' ? lf - 1 : lf);
            d->in_at += lf + 1;
            return true;
        }
        memmove(d->in, d->in + d->in_at, have.n);
        d->in_at = 0;
        d->in_n = have.n;
        if (d->in_n == sizeof d->in || !wait_for(d, POLLIN))
            return false;
        ssize_t n = read(d->fd, d->in + d->in_n, sizeof d->in - d->in_n);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            return false;
        d->in_n += n > 0 ? (size_t)n : 0;
    }
}

/* A whole reply; EHLO's lines go into *e. False: the connection is lost. */
static bool get_reply(struct dialog *d, struct reply *ret, struct ehlo *e)
{
    struct reply_parser p;
    reply_parser_init(&p);
    for (;;) {
        str line;
        if (!get_line(d, &line))
            return false;
        show(d, "<", line);
        enum reply_in in = reply_parse_line(&p, line);
        if (in == REPLY_BAD)
            return false;
        if (e && p.lines > 1)
            ehlo_line(e, p.line);
        if (in == REPLY_DONE) {
            *ret = p.r;
            return true;
        }
    }
}

static bool ask(struct dialog *d, str line, struct reply *ret, struct ehlo *e)
{
    AUTO_BUF b;
    buf_init(&b, 65536);
    buf_add(&b, line);
    buf_add(&b, S("\r\n"));
    d->deadline = cli_now_ms() + REPLY_TIME_MS;
    show(d, ">", line);
    return !b.e && put(d, buf_str(&b)) && get_reply(d, ret, e);
}

/* What a refusal means to the caller of sendmail. */
static int refused(struct dialog *d, const char *about, str what, const struct reply *r)
{
    buf_add_c(&d->why, d->why.n ? "\n" : "");
    buf_add_c(&d->why, about);
    text_safe(&d->why, what);
    buf_add_c(&d->why, ": ");
    reply_print_line(&d->why, r);
    if (!reply_is_perm(r))
        return EX_TEMPFAIL;
    return str_starts(str_c(r->esc), S("5.1.")) ? EX_NOUSER : r->code == 552 ? EX_DATAERR : EX_UNAVAILABLE;
}

/* ---- the steps ---- */

static int hello(struct dialog *d, str helo, struct ehlo *e)
{
    struct reply r;
    AUTO_BUF line;
    buf_init(&line, 512);
    if (!get_reply(d, &r, NULL))
        return lost(d, "no greeting came from the server");
    if (r.code != 220)
        return refused(d, "the server does not take mail now", S(""), &r);
    d->greeted = true;
    buf_printf(&line, "EHLO " STR_FMT, STR_ARG(helo));
    if (!ask(d, buf_str(&line), &r, e))
        return lost(d, "the connection was lost");
    return r.code == 250 ? EX_OK : refused(d, "EHLO was refused", S(""), &r);
}

static bool utf8_needed(const struct mail *m)
{
    if (!text_ascii(m->sender))
        return true;
    for (size_t i = 0; i < m->nto; i++)
        if (!text_ascii(m->to[i]))
            return true;
    size_t end = str_search(m->octets, S("\r\n\r\n"));
    return !text_ascii(str_sub(m->octets, 0, end));
}

static int mail_from(struct dialog *d, const struct mail *m, const struct ehlo *e)
{
    struct reply r;
    AUTO_BUF line;
    buf_init(&line, 4096);
    bool utf8 = utf8_needed(m);
    if (utf8 && !(e->caps & CAP_SMTPUTF8)) {
        buf_add_c(&d->why,
                  "an address or header field has letters beyond ASCII, which the server does not take (SMTPUTF8)");
        return EX_UNAVAILABLE;
    }
    buf_printf(&line, "MAIL FROM:<" STR_FMT ">", STR_ARG(m->sender));
    if (e->caps & CAP_SIZE)
        buf_printf(&line, " SIZE=%zu", m->octets.n);
    if (e->caps & CAP_8BITMIME && !text_ascii(m->octets))
        buf_add_c(&line, " BODY=8BITMIME");
    if (utf8)
        buf_add_c(&line, " SMTPUTF8");
    if (e->caps & CAP_DSN && m->ret)
        buf_printf(&line, " RET=%s", m->ret);
    if (e->caps & CAP_DSN && m->envid.n) {
        buf_add_c(&line, " ENVID=");
        xtext_encode(&line, m->envid);
    }
    if (!ask(d, buf_str(&line), &r, NULL))
        return lost(d, "the connection was lost");
    return reply_is_ok(&r) ? EX_OK : refused(d, "sender ", m->sender.n ? m->sender : S("<>"), &r);
}

static int rcpt_to(struct dialog *d, const struct mail *m, const struct ehlo *e)
{
    int status = EX_OK;
    for (size_t i = 0; i < m->nto; i++) {
        struct reply r;
        AUTO_BUF line;
        buf_init(&line, 4096);
        buf_printf(&line, "RCPT TO:<" STR_FMT ">", STR_ARG(m->to[i]));
        if (e->caps & CAP_DSN && m->notify)
            buf_printf(&line, " NOTIFY=%s", m->notify);
        if (!ask(d, buf_str(&line), &r, NULL))
            return lost(d, "the connection was lost");
        if (reply_is_ok(&r))
            continue;
        int one = refused(d, "", m->to[i], &r);
        status = status == EX_OK || one != EX_TEMPFAIL ? one : status; /* a refusal for good says more */
    }
    if (status != EX_OK && m->nto > 1)
        buf_add_c(&d->why, "\nnothing was sent to the other recipients either");
    return status;
}

static bool put_data(struct dialog *d, str octets)
{
    struct data_out s;
    AUTO_BUF b;
    data_out_init(&s);
    buf_init(&b, 1 << 20);
    for (str piece; data_out_next(&s, &octets, &piece);) {
        d->deadline = cli_now_ms() + REPLY_TIME_MS;
        if (b.n + piece.n > b.max / 2) {
            if (!put(d, buf_str(&b)))
                return false;
            buf_clear(&b);
        }
        if (piece.n > b.max / 2 ? !put(d, piece) : (buf_add(&b, piece), b.e != OK))
            return false;
    }
    buf_add(&b, data_out_end(&s));
    return !b.e && put(d, buf_str(&b));
}

static int message(struct dialog *d, const struct mail *m, const struct ehlo *e)
{
    struct reply r;
    char line[64];
    bool ok;
    if (e->caps & CAP_CHUNKING) {
        int n = snprintf(line, sizeof line, "BDAT %zu LAST", m->octets.n);
        show(d, ">", str_mem(line, (size_t)n));
        n += snprintf(line + n, sizeof line - (size_t)n, "\r\n");
        d->deadline = cli_now_ms() + REPLY_TIME_MS;
        d->sent = true;
        ok = put(d, str_mem(line, (size_t)n)) && put(d, m->octets);
    } else {
        if (!ask(d, S("DATA"), &r, NULL))
            return lost(d, "the connection was lost");
        if (r.code != 354)
            return refused(d, "DATA was refused", S(""), &r);
        d->sent = true;
        ok = put_data(d, m->octets);
    }
    d->deadline = cli_now_ms() + END_TIME_MS;
    if (!get_reply(d, &r, NULL)) /* also after a failed write: the server may have said why */
        return lost(d, ok ? "no answer came to the end of the message" : "the connection was lost");
    return reply_is_ok(&r) ? EX_OK : refused(d, "the message was refused", S(""), &r);
}

int dialog_run(struct dialog *d, str helo, const struct mail *m)
{
    struct ehlo e = {0};
    struct reply r;
    int status = hello(d, helo, &e);
    if (status == EX_OK)
        status = mail_from(d, m, &e);
    if (status == EX_OK)
        status = rcpt_to(d, m, &e);
    if (status == EX_OK)
        status = message(d, m, &e);
    if (d->greeted && (status == EX_OK || d->why.n)) {
        int64_t until = cli_now_ms() + 5000; /* what became of the message is known: QUIT is a courtesy */
        d->deadline = until;
        show(d, ">", S("QUIT"));
        if (put(d, S("QUIT\r\n")))
            get_reply(d, &r, NULL);
    }
    return status;
}
