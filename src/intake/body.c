/*
 * The octets of a message on their way in: unstuffed, kept in memory up to 256 KiB, beyond that handed to the
 * spool in chunks, so that a session's memory stays bounded. Trouble is remembered; the client is heard to
 * its end (RFC 5321 4.1.1.4, RFC 3030 2).
 */
#include "intake/internal.h"
#include "intake/checks.h"
#include "intake/sign.h"
#include "directory/directory.h"

enum { FEED = 64 * 1024 }; /* most octets taken in one step */

/* Will it leave this server? */
static bool goes_on(const struct tx *t)
{
    for (uint32_t i = 0; i < t->env.nto; i++) {
        str address = t->env.to[i].address;
        size_t at = str_rfind(address, '@');
        const struct conf_domain *d = at == STR_NONE ? NULL : directory_domain(t->conf, str_skip(address, at + 1));
        if (!d || (d->hop.how != CONF_TO_MAILDIR && d->hop.how != CONF_TO_DISCARD))
            return true;
    }
    return false;
}

bool tx_body_begin(struct tx *t, enum data_mode mode, struct reply *r)
{
    if (!t->accepted) {
        if (t->refused && !t->source->lmtp) /* RFC 2033 4.2: 503 in LMTP */
            reply_set(r, 554, "5.5.1", "No valid recipients");
        else
            reply_set(r, 503, "5.5.1", "RCPT first");
        return false;
    }
    err e = spool_room(intake_rooms.spool, t->announced);
    e = e ? e : queue_room(intake_rooms.queue, t->env.nto);
    if (!e && !(t->body = body_new_for(t->announced)))
        e = E_NOMEM;
    if (!e && t->source->trusted)
        e = sign_begin(t->conf, &t->sign_hash);
    const struct conf_dkim *seal = t->checks && t->conf->check_seal.n && goes_on(t) ? seal_section(t->conf) : NULL;
    if (seal)
        checks_will_seal(t->checks, seal_is_simple(seal), !seal_is_simple(seal));
    if (e) {
        reply_trouble(r, e);
        return false;
    }
    t->env.id = spool_new_id(intake_rooms.spool);
    data_in_init(&t->scan, mode, t->env.body == BODY_BINARYMIME ? 0 : (uint32_t)t->conf->limits_line_length);
    t->begun = true;
    return true;
}

/* What of the last octets is body, for our signatures. */
static void sign_feed(struct tx *t, str got)
{
    uint64_t before = t->scan.size - got.n;
    if (!t->sign_hash || !t->scan.head_done)
        return;
    check_body_feed(t->sign_hash, before < t->scan.body_at ? str_skip(got, (size_t)(t->scan.body_at - before)) : got);
}

void tx_give_up(struct tx *t, enum tx_trouble why, err e)
{
    if (!t->trouble) {
        t->trouble = (uint8_t)why;
        t->failed = e;
    }
    body_drop(&t->body);
    body_drop(&t->head);
}

/* Nothing is kept any more, but the end must be found. */
static size_t skip(struct tx *t, str wire)
{
    char scratch[1024];
    size_t used = 0;
    while (used < wire.n && !t->scan.done) {
        size_t n = wire.n - used < sizeof scratch - 1 ? wire.n - used : sizeof scratch - 1, got;
        used += data_in_feed(&t->scan, wire.p + used, n, scratch, &got);
    }
    return used;
}

/* Copies the first n octets of `from` to a new body. */
static struct body *copy_head(const struct body *from, size_t n)
{
    struct body *b = body_new();
    size_t at = 0;
    str piece;
    while (b && n && body_piece(from, &at, &piece)) {
        str part = str_sub(piece, 0, n);
        if (body_add(b, part))
            body_drop(&b);
        n -= part.n;
    }
    return b;
}

/* The header block goes apart: it is edited at the end, long after the body has left. */
static err split_head(struct tx *t)
{
    size_t n = (size_t)t->scan.body_at;
    t->head = copy_head(t->body, n);
    return t->head ? body_splice_head(t->body, n, S("")) : E_NOMEM;
}

static err flush_chunk(struct tx *t) YIELDS
{
    struct spool_group g;
    spool_group_init(&g);
    struct body *piece = t->body;
    t->body = body_new();
    err e = t->body ? spool_group_chunk(&g, t->env.id, t->chunks, piece) : E_NOMEM;
    t->chunks++; /* also when it fails: its fate is unknown then, and spool_forget must be told */
    if (!e)
        e = spool_put(intake_rooms.spool, &g);
    spool_group_free(&g);
    body_drop(&piece);
    return e;
}

static int64_t size_most(const struct tx *t) { return t->size_most ? t->size_most : t->conf->limits_message_size; }

static void check_limits(struct tx *t)
{
    const struct conf *c = t->conf;
    uint64_t head = t->scan.head_done ? t->scan.body_at : t->scan.size;
    if (t->scan.size > (uint64_t)size_most(t))
        tx_give_up(t, TROUBLE_SIZE, E_LIMIT);
    else if (head > (uint64_t)c->limits_header_size)
        tx_give_up(t, TROUBLE_HEAD, E_LIMIT);
}

/* Before a step: what would make a chunk too long leaves for the spool. */
static void make_room(struct tx *t) YIELDS
{
    check_limits(t);
    if (t->trouble || !t->scan.head_done)
        return;
    uint64_t kept = body_size(t->body) - (t->head ? 0 : t->scan.body_at);
    if (kept <= SPOOL_CHUNK - FEED)
        return;
    err e = t->head ? OK : split_head(t);
    e = e ? e : flush_chunk(t);
    if (e)
        tx_give_up(t, TROUBLE_KEEP, e);
}

char *tx_room(struct tx *t, size_t *ret_n)
{
    size_t space;
    body_drop(&t->taking);
    make_room(t);
    char *to = t->trouble ? NULL : body_room(t->body, &space);
    if (to)
        *ret_n = space < FEED ? space : FEED;
    else
        tx_give_up(t, TROUBLE_KEEP, E_NOMEM);
    return to;
}

size_t tx_took(struct tx *t, size_t n)
{
    size_t room, got;
    char *at = body_room(t->body, &room);
    body_drop(&t->taking);
    t->taking = body_ref(t->body); /* a rule may refuse it at its header */
    size_t used = data_in_feed(&t->scan, at, n, at, &got);
    sign_feed(t, str_mem(at, got));
    body_grew(t->body, got);
    if (t->checks)
        checks_feed(t->checks, str_mem(at, got), &t->scan);
    if (t->source->policy && !t->refilled)
        tx_stream(t, str_mem(at, got));
    return used;
}

size_t tx_feed(struct tx *t, str wire)
{
    size_t used = 0, room;
    while (used < wire.n && !t->scan.done) {
        char *to = tx_room(t, &room);
        str part = str_sub(str_skip(wire, used), 0, to ? room : SIZE_MAX);
        if (to)
            memcpy(to, part.p, part.n);
        used += to ? tx_took(t, part.n) : skip(t, part);
    }
    return used;
}

bool tx_body_ok(struct tx *t, struct reply *r)
{
    check_limits(t);
    switch (t->trouble) {
    case TROUBLE_SIZE:
        reply_set(r, 552, "5.3.4", "Message size exceeds fixed maximum of %lld octets", (long long)size_most(t));
        return false;
    case TROUBLE_HEAD:
        reply_set(r, 552, "5.3.4", "Header of the message exceeds fixed maximum of %lld octets",
                  (long long)t->conf->limits_header_size);
        return false;
    case TROUBLE_KEEP:
        reply_trouble(r, t->failed);
        return false;
    case TROUBLE_POLICY:
        *r = *t->refusal;
        return false;
    default:
        return true;
    }
}
