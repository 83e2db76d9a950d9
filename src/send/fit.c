/*
 * What a message needs and what the server has: which recipients go together, and the form in which the message
 * goes there. RFC 1870, RFC 3030, RFC 6152, RFC 6531, RFC 9422. What does not fit and cannot be made to fit
 * fails here, before a word of it was sent.
 */
#include "base/text.h"
#include "send/internal.h"
#include "wire/idn.h"

static const struct recipient *envelope_rcpt(const struct trans *j, uint32_t i)
{
    return &j->reader.env.to[j->ticket->to[i].index];
}

/* ---- who takes part ---------------------------------------------------------------------------------------------- */

static str sender_of(const struct trans *j, uint32_t i)
{
    const struct recipient *r = envelope_rcpt(j, i);
    return r->sender.n ? r->sender : j->reader.env.sender;
}

static str domain_of(str a)
{
    size_t at = str_rfind(a, '@');
    return at == STR_NONE ? a : str_skip(a, at + 1);
}

/* RCPTDOMAINMAX (RFC 9422 4.3): `first` has one recipient of each domain that takes part. */
#define DOMAINS_MAX 32
struct domains {
    uint32_t first[DOMAINS_MAX];
    uint32_t n, most;
};

static bool domain_goes(struct domains *d, const struct ticket *t, uint32_t i)
{
    for (uint32_t k = 0; k < d->n; k++)
        if (str_ieq(domain_of(t->to[d->first[k]].address), domain_of(t->to[i].address)))
            return true;
    if (d->n == d->most)
        return false;
    d->first[d->n++] = i;
    return true;
}

/* Recipients with another sender than the first (forwarding), or beyond the server's limits (RFC 9422), go in a
 * transaction of their own: they are left without a fate. */
static void choose(const struct peer *p, struct trans *j)
{
    const struct ticket *t = j->ticket;
    const struct ehlo *o = &p->ehlo;
    uint64_t most = o->rcpt_max && o->rcpt_max < TRANS_RCPT_MAX ? o->rcpt_max : TRANS_RCPT_MAX;
    struct domains d = {.most = o->rcpt_domain_max < DOMAINS_MAX ? (uint32_t)o->rcpt_domain_max : DOMAINS_MAX};
    uint32_t first = 0;
    while (first < t->nto && t->to[first].fate != FATE_NONE) /* a rule has decided about it */
        first++;
    j->sender = arena_str(&j->ticket->arena, sender_of(j, first)); /* the envelope is read anew for a conversion */
    for (uint32_t i = 0; i < t->nto && i <= UINT16_MAX && j->nto < most; i++)
        if (t->to[i].fate == FATE_NONE && str_eq(sender_of(j, i), sender_of(j, first)) &&
            (!o->rcpt_domain_max || domain_goes(&d, t, i)))
            j->who[j->nto++] = (uint16_t)i;
}

/* To all that take part and have no fate yet. */
static void give_all(struct trans *j, const struct finding *v)
{
    for (uint32_t k = 0; k < j->nto; k++)
        if (j->ticket->to[j->who[k]].fate == FATE_NONE)
            finding_give(v, j->ticket, j->who[k]);
}

static void fail_all(struct trans *j, const char *text)
{
    struct finding v = finding_of(j->ticket, FATE_FAILED, str_c(text), S(""));
    give_all(j, &v);
}

static uint32_t wanted(const struct trans *j)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < j->nto; k++)
        n += j->ticket->to[j->who[k]].fate == FATE_NONE;
    return n;
}

/* ---- addresses and headers -----------------------------------------------------------------------------------------
 */

/* Without SMTPUTF8 an address may still go out when only its domain is not ASCII: as A-labels (RFC 6531 3.7.4). */
static bool downgrade(struct ticket *t, str *address)
{
    size_t at = str_rfind(*address, '@');
    str ascii;
    if (text_ascii(*address))
        return true;
    if (at == STR_NONE || !text_ascii(str_sub(*address, 0, at)) || idn_to_ascii(domain_of(*address), &t->arena, &ascii))
        return false;
    *address = arena_printf(&t->arena, STR_FMT "@" STR_FMT, (int)at, address->p, STR_ARG(ascii));
    return address->p != NULL;
}

/* The server knows nothing of SMTPUTF8. */
static bool fit_ascii(struct peer *p, struct trans *j)
{
    struct ticket *t = j->ticket;
    const struct envelope *env = &j->reader.env;
    struct finding v = finding_of(
        t, FATE_FAILED, S("553 5.6.7 the next server cannot take internationalized addresses (SMTPUTF8)"), S(""));
    for (uint32_t k = 0; k < j->nto; k++)
        if (!downgrade(t, &t->to[j->who[k]].address))
            finding_give(&v, t, j->who[k]);
    if (!downgrade(t, &j->sender)) {
        fail_all(j, "553 5.6.7 the next server cannot take the sender's internationalized address (SMTPUTF8)");
        return false;
    }
    bool head = env->flags & ENV_8BIT_HEAD;
    if (head && ((env->flags & ENV_SMTPUTF8) || !(p->ehlo.caps & CAP_8BITMIME))) {
        fail_all(j, "554 5.6.9 the next server cannot take a header with internationalized text (SMTPUTF8)");
        return false;
    }
    return wanted(j) > 0;
}

static bool fit_utf8(struct peer *p, struct trans *j)
{
    const struct envelope *env = &j->reader.env;
    if (!(p->ehlo.caps & CAP_SMTPUTF8))
        return fit_ascii(p, j);
    bool raw_head = (env->flags & ENV_8BIT_HEAD) && !(p->ehlo.caps & CAP_8BITMIME);
    j->utf8 = (env->flags & ENV_SMTPUTF8) || raw_head || !text_ascii(j->sender);
    for (uint32_t k = 0; k < j->nto && !j->utf8; k++)
        j->utf8 = !text_ascii(j->ticket->to[j->who[k]].address);
    return true;
}

/* ---- the content ------------------------------------------------------------------------------------------------ */

/* Eight bits and binary content only go where they are offered; elsewhere the message is re-encoded, or bounced. */
static err convert(struct peer *p, struct trans *j, bool must)
{
    struct mime_info info = {0};
    err e = convert_open(&j->reader, j->ticket->id, j->ticket->mem, &j->mime, &info);
    if (!e && must && (j->reader.env.flags & ENV_SIGNED))
        e = resign(p, j);
    bool inner = info.head_8bit && !(j->reader.env.flags & ENV_8BIT_HEAD) && !j->utf8;
    if (e && !err_is_perm(e)) {
        struct finding v = finding_of_err(j->ticket, e, "converting the message", str_c(""));
        give_all(j, &v);
    } else if (inner) {
        fail_all(j, "554 5.6.9 the next server cannot take internationalized text in the header of a part (SMTPUTF8)");
        e = E_UNSUPPORTED;
    } else if (!must) {
        mime_free(&j->mime);
        e = OK;
    } else if (e) {
        fail_all(j, "554 5.6.3 the next server cannot take this content, and it cannot be converted");
    }
    return e;
}

static err fit_body(struct peer *p, struct trans *j)
{
    uint32_t f = j->reader.env.flags, caps = p->ehlo.caps;
    bool binary = f & (ENV_BARE_EOL | ENV_NUL | ENV_LONG_LINE | ENV_NO_FINAL_EOL);
    bool eight = f & (ENV_8BIT_BODY | ENV_8BIT_HEAD), chunks = caps & CAP_CHUNKING;
    j->binary = binary && chunks && (caps & CAP_BINARYMIME);
    bool fits = j->binary || (!binary && (!(f & ENV_8BIT_BODY) || (caps & CAP_8BITMIME)));
    j->bdat = fits && chunks && (binary || eight);
    /* Parts of an internationalized message may have such headers, too: looked at where SMTPUTF8 is not offered. */
    bool look = (f & ENV_SMTPUTF8) && (f & ENV_8BIT_BODY) && !(caps & CAP_SMTPUTF8);
    err e = fits && !look ? OK : convert(p, j, !fits);
    if (!e && !j->mime && resign_due(p->conf, &j->reader.env) && (e = resign(p, j)) != OK) {
        struct finding v = finding_of_err(j->ticket, e, "signing the message anew", str_c(""));
        give_all(j, &v);
    }
    bool eight_now = (f & ENV_8BIT_HEAD) || ((f & ENV_8BIT_BODY) && !j->mime);
    j->eight = eight_now && (caps & CAP_8BITMIME);
    return e;
}

static bool fit_size(struct peer *p, struct trans *j)
{
    j->size = j->reader.env.head_size + j->reader.env.body_size;
    if (!(p->ehlo.caps & CAP_SIZE) || p->ehlo.size == 0 || j->size <= p->ehlo.size)
        return true;
    char text[160];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text - 1);
    buf_printf(&b, "552 5.3.4 the message has %llu octets, the next server takes %llu", (unsigned long long)j->size,
               (unsigned long long)p->ehlo.size);
    text[b.n] = 0;
    fail_all(j, text);
    return false;
}

/* What the sender asked for and only the next server can keep (RFC 8689 4.2.1, RFC 2852 4.1). */
static bool fit_promises(const struct peer *p, struct trans *j)
{
    const struct envelope *env = &j->reader.env;
    if (env->flags & ENV_REQUIRETLS) {
        if (!p->conn.tls || !p->tls.verified) {
            fail_all(j, "550 5.7.10 the sender requires TLS to a verified server, and this one is not");
            return false;
        }
        if (!(p->ehlo.caps & CAP_REQUIRETLS)) {
            fail_all(
                j,
                "550 5.7.30 the sender requires TLS all the way (REQUIRETLS), and the next server does not promise it");
            return false;
        }
    }
    if ((env->by & 127) == BY_RETURN && !p->lmtp && !(p->ehlo.caps & CAP_DELIVERBY)) {
        fail_all(j, "550 5.3.3 the sender set a time for delivery, and the next server cannot keep one (DELIVERBY)");
        return false;
    }
    return true;
}

err fit_message(struct peer *p, struct trans *j)
{
    choose(p, j);
    if (!j->sender.p)
        return E_NOMEM;
    if (!fit_utf8(p, j) || !fit_size(p, j))
        return E_UNSUPPORTED;
    if (!fit_promises(p, j))
        return E_UNSUPPORTED;
    return fit_body(p, j);
}
