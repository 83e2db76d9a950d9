/*
 * clamd by zINSTREAM: the message in pieces with their lengths before them, a piece of none at the end, and one answer
 * ended by NUL. It looks at the whole message by itself, so it is sent as it was received.
 */
#include "scan/peer.h"

enum { PORT = 3310, ANSWER_MAX = 1024, PIECE = 64 * 1024 };

static err send_piece(struct conn *c, str s) YIELDS;
static err send_piece(struct conn *c, str s)
{
    const unsigned char size[4] = {(unsigned char)(s.n >> 24), (unsigned char)(s.n >> 16), (unsigned char)(s.n >> 8),
                                   (unsigned char)s.n};
    conn_write(c, str_mem(size, 4));
    return s.n ? conn_write(c, s) : conn_flush(c);
}

/* Errors of reading are told apart: the connection's own may be cured by an answer that is there already. */
static err send_all(const struct clamd_question *q, struct conn *c, err *ret_read) YIELDS;
static err send_all(const struct clamd_question *q, struct conn *c, err *ret_read)
{
    uint64_t end = q->octets.size < q->most ? q->octets.size : q->most;
    conn_write(c, str_mem("zINSTREAM", 10));
    for (uint64_t at = 0; at < end && !c->e;) {
        str s;
        *ret_read = q->octets.read(q->octets.arg, at, &s);
        if (!*ret_read && !s.n)
            *ret_read = E_IO; /* there is less than was said */
        if (*ret_read)
            return *ret_read;
        s = str_sub(s, 0, end - at < PIECE ? (size_t)(end - at) : PIECE);
        send_piece(c, s);
        at += s.n;
    }
    return c->e ? c->e : send_piece(c, S(""));
}

static err hear(struct conn *c, char *mem, struct buf *out) YIELDS;
static err hear(struct conn *c, char *mem, struct buf *out)
{
    buf_init_fixed(out, mem, ANSWER_MAX);
    for (;;) {
        str s;
        err e = conn_peek(c, &s);
        if (e == E_CLOSED && out->n)
            return OK;
        if (e)
            return e;
        size_t nul = str_find(s, 0);
        buf_add(out, str_sub(s, 0, nul));
        conn_took(c, nul == STR_NONE ? s.n : nul + 1);
        if (out->e)
            return E_PROTOCOL;
        if (nul != STR_NONE)
            return OK;
    }
}

static err understand(str s, struct clamd_answer *ret)
{
    s = str_trim(s);
    if (str_ends(s, S(": OK")))
        return OK;
    if (str_starts(s, S("INSTREAM size limit exceeded")))
        return E_LIMIT;
    if (!str_starts(s, S("stream: ")) || !str_ends(s, S(" FOUND")))
        return E_PROTOCOL;
    str name = str_sub(s, 8, s.n - 6);
    name = str_sub(name, 0, sizeof ret->name - 1);
    for (size_t i = 0; i < name.n; i++)
        ret->name[i] = name.p[i] > ' ' && name.p[i] < 127 ? name.p[i] : '?';
    ret->name[name.n] = 0;
    ret->found = true;
    return OK;
}

err clamd_ask(const struct clamd_question *q, struct clamd_answer *ret, struct buf *why)
{
    struct endpoint at;
    struct conn c;
    struct clamd_answer found = {.cut = q->octets.size > q->most};
    char mem[ANSWER_MAX];
    struct buf answer = {0};
    err read = OK;
    if (!endpoint_parse(q->address, PORT, &at))
        return E_SYNTAX;
    err e = peer_connect(&at, &c, q->deadline, why);
    if (e)
        return e;
    e = send_all(q, &c, &read);
    if (!read && (!e || e == E_RESET || e == E_CLOSED)) {
        if (e)
            conn_hear(&c); /* it stopped reading, and may have said why */
        e = hear(&c, mem, &answer);
        e = e ? e : understand(buf_str(&answer), &found);
    }
    conn_close(&c);
    if (!e)
        *ret = found;
    else if (why && answer.n)
        buf_printf(why, "it said \"" STR_FMT "\"", STR_ARG(str_sub(buf_str(&answer), 0, 200)));
    else if (why)
        buf_printf(why, "%s", err_text(e));
    return e;
}
