/*
 * The header block at the door: what is in it, and what a submission server adds and takes away (RFC 6409 8,
 * RFC 5322 3.6).
 */
#include "check/check.h"
#include "intake/internal.h"
#include "wire/head.h"

/* "... by NAME with ..." (RFC 5321 4.4): is it our name behind the first `by` outside of comments? */
static bool received_by(str value, str hostname)
{
    int depth = 0;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        if (depth || !ascii_wsp(c) || !str_istarts(str_skip(value, i + 1), S("by")))
            continue;
        str rest = str_skip(value, i + 3);
        if (!rest.n || !strchr(" \t\r", rest.p[0]))
            continue;
        rest = str_trim(rest);
        return str_istarts(rest, hostname) && (rest.n == hostname.n || strchr(" \t\r\n;(", rest.p[hostname.n]));
    }
    return false;
}

static void look_at(const struct head_field *f, str hostname, struct head_facts *ret)
{
    switch (ascii_lower(f->name.p[0])) { /* one comparison for nearly all fields */
    case 'r':
        if (str_ieq(f->name, S("Received"))) {
            ret->received++;
            ret->own += received_by(f->value, hostname);
        }
        break;
    case 'm':
        if (str_ieq(f->name, S("Message-ID")) && !ret->message_ids++)
            ret->message_id = str_trim(f->value);
        break;
    case 'd':
        ret->date += str_ieq(f->name, S("Date"));
        break;
    case 'f':
        ret->from += str_ieq(f->name, S("From"));
        break;
    case 'a':
        ret->authres += str_ieq(f->name, S("Authentication-Results"));
        break;
    case 'b':
        ret->bcc += str_ieq(f->name, S("Bcc"));
        break;
    default:
        break;
    }
}

void head_look(str block, str hostname, struct head_facts *ret)
{
    *ret = (struct head_facts){0};
    str rest = block;
    struct head_field f;
    while (head_next(&rest, &f))
        look_at(&f, hostname, ret);
    ret->len = block.n - rest.n;
    ret->blank = str_starts(rest, S("\r\n"));
    ret->none = !ret->len && block.n && !ret->blank;
    if (ret->blank)
        ret->len += 2;
}

void head_add_missing(struct buf *out, const struct head_facts *f, const struct tx *t)
{
    if (!f->from && t->env.sender.n)
        buf_printf(out, "From: <" STR_FMT ">\r\n", STR_ARG(t->env.sender));
    if (!f->date)
        head_date(out, t->env.arrived_ms / 1000);
    if (!f->message_ids)
        head_message_id(out, t->env.arrived_ms, rt_random(), t->conf->hostname);
}

bool head_unwanted(const struct head_field *f, void *tx)
{
    const struct tx *t = tx;
    return (t->source->submitted && str_ieq(f->name, S("Bcc"))) || check_authres_forged(f, t->conf->check_authserv_id);
}

void head_repair(struct buf *out, str block, const struct head_facts *f, const struct tx *t)
{
    str rest = block;
    struct head_field field;
    if (t->source->submitted)
        head_add_missing(out, f, t);
    while (head_next(&rest, &field))
        if (!head_unwanted(&field, (void *)(uintptr_t)t))
            buf_add(out, field.raw);
    buf_add(out, rest);
}
