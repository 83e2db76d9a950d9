/* The message: DATA (RFC 5321 4.1.1.4), BDAT (RFC 3030), and an answer for each recipient in LMTP (RFC 2033 4.2). */
#include "recv/internal.h"

/* Octets of the message, n at most, from the socket to where they stay if there is such a place. 0: the connection
 * failed. */
static size_t feed_some(struct session *s, uint64_t n)
{
    size_t room, got, used;
    char *to = s->sink->room ? s->sink->room(&s->as, &room) : NULL;
    if (to) {
        if (conn_read(s->c, to, room < n ? room : (size_t)n, &got) != OK)
            return 0;
        rt_said(s->src.session, 'C', str_mem(to, got));
        used = s->sink->took(&s->as, got);
        conn_unread(s->c, str_mem(to + used, got - used));
        return used;
    }
    str in;
    if (conn_peek(s->c, &in) != OK)
        return 0;
    rt_said(s->src.session, 'C', str_sub(in, 0, n < in.n ? (size_t)n : in.n));
    used = s->sink->feed(&s->as, str_sub(in, 0, n < in.n ? (size_t)n : in.n));
    conn_took(s->c, used);
    return used;
}

/* The same for a device, whose line ends are repaired on the way. */
static size_t feed_device(struct session *s)
{
    str in;
    if (conn_peek(s->c, &in) != OK)
        return 0;
    size_t used = device_feed(s, in);
    conn_took(s->c, used);
    return used;
}

/* Octets up to the end that the dot marks, or up to `left` of a chunk (*left counts down). False: the
 * connection failed. */
static bool feed(struct session *s, uint64_t *left, rt_time until)
{
    struct data_in *scan = &s->tx.scan;
    while (left ? *left > 0 : !scan->done) {
        rt_time at = session_deadline(s, s->conf->limits_data_time);
        s->c->deadline = at < until ? at : until;
        size_t n = s->device && !left ? feed_device(s) : feed_some(s, left ? *left : UINT64_MAX);
        if (!n)
            return false;
        if (left)
            *left -= n;
    }
    return true;
}

/* Octets of a chunk that nobody wants (RFC 3030 2: accepted and thrown away before the answer). */
static bool skip_chunk(struct session *s, uint64_t left)
{
    rt_time until = session_deadline(s, s->conf->limits_message_time);
    while (left) {
        str in;
        rt_time at = session_deadline(s, s->conf->limits_data_time);
        s->c->deadline = at < until ? at : until;
        if (conn_peek(s->c, &in) != OK)
            return false;
        size_t n = in.n < left ? in.n : (size_t)left;
        conn_took(s->c, n);
        left -= n;
    }
    return true;
}

static void log_rejected(struct session *s, const struct reply *r)
{
    SCRATCH char mem[REPLY_LINE_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    reply_print_line(&text, r);
    rt_log(EV_rejected, log_num((int64_t)s->src.session), log_str(s->src.client_text), log_str(s->tx.env.sender),
           log_str(buf_str(&text)));
}

/* The end of the message, and of the transaction whatever the answer. */
static void finish(struct session *s, struct reply *r)
{
    bool ok = s->sink->commit(&s->as, r);
    if (ok) {
        s->messages++;
        s->idle = 0;
    } else {
        log_rejected(s, r);
        session_farewell(s, r);
    }
    uint32_t answers = is_lmtp(s) ? s->tx.accepted : 1;
    session_end_tx(s);
    for (; answers; answers--)
        session_say(s, r);
    r->code = 0; /* said */
}

/* Is the message wanted? Only where there is somebody to get it: else the sink says so. */
static bool data_welcome(struct session *s, struct reply *r)
{
    struct matter m = {0};
    return !s->tx.accepted || session_judge(s, PHASE_DATA, &m, r);
}

void do_data(struct session *s, const struct cmd *c, struct reply *r)
{
    (void)c;
    if (s->tx.env.body == BODY_BINARYMIME) {
        reply_set_str(r, 503, "5.5.1", S("BODY=BINARYMIME needs BDAT"));
        return;
    }
    if (s->later) {
        if (s->sink->ahead)
            s->sink->ahead(&s->as);
        session_settle(s);
    }
    if (!data_welcome(s, r) || !s->sink->body_begin(&s->as, DATA_DOT, r))
        return;
    if (r->code != 354)
        reply_set_str(r, 354, "", S("End data with <CR><LF>.<CR><LF>"));
    session_say(s, r);
    r->code = 0;
    if (feed(s, NULL, session_deadline(s, s->conf->limits_message_time)))
        finish(s, r);
}

/* Where a chunk may come, and whom for. False: *r says why not. */
static bool chunk_begins(struct session *s, struct reply *r)
{
    switch (s->state) {
    case STATE_BDAT:
        return true;
    case STATE_MAIL:
        return data_welcome(s, r) && s->sink->body_begin(&s->as, DATA_CHUNK, r);
    default:
        reply_set_str(r, 503, "5.5.1", S("Send MAIL and RCPT first"));
        return false;
    }
}

void do_bdat(struct session *s, const struct cmd *c, struct reply *r)
{
    uint64_t size, left;
    bool last, begun = s->state == STATE_BDAT;
    uint64_t most = 2 * (uint64_t)s->conf->limits_message_size + SPOOL_CHUNK;
    enum fault f = cmd_bdat(c->args, most, &size, &last);
    if (f) {
        fault_reply(r, f, false);
        /* Out of range: more octets follow than anybody would wait for. Malformed with octets behind it: they are a
         * chunk, and must not be taken for commands. */
        if (f == FAULT_BDAT_RANGE || conn_buffered(s->c)) {
            s->why = f == FAULT_BDAT_RANGE ? "BDAT out of range" : "octets behind a malformed BDAT";
            s->closing = true;
        }
        return;
    }
    if (!chunk_begins(s, r)) {
        if (s->state == STATE_MAIL && r->code < 500)
            session_end_tx(s); /* what begins a message was not kept: its next chunk must not become one */
        (void)skip_chunk(s, size);
        return;
    }
    if (!begun)
        s->tx_until = session_deadline(s, s->conf->limits_message_time);
    s->state = STATE_BDAT;
    left = size;
    if (!feed(s, &left, s->tx_until))
        return;
    if (last) {
        finish(s, r);
    } else if (s->sink->body_ok(&s->as, r)) {
        reply_set(r, 250, "2.0.0", "%llu octets received", (unsigned long long)size);
    } else {
        log_rejected(s, r);
        session_end_tx(s); /* further chunks find no transaction */
    }
}
