/* The life of a transaction: begun by MAIL, ended by tx_reset and nothing else (RFC 5321 4.1.1.2, 1870, 6531, 3461). */
#include "intake/internal.h"
#include "intake/sign.h"
#include "intake/submit.h"
#include "intake/checks.h"

struct intake intake_rooms;

void intake_setup(const struct intake *in) { intake_rooms = *in; }
struct conf *intake_conf(void) { return intake_rooms.conf(); }

/* Bounds all that the commands of one transaction leave behind: 100,000 recipients of some 130 octets each, twice
 * for growth. */
enum { TX_CHUNK = 1024, TX_MAX = 64 << 20 };

void tx_init(struct tx *t)
{
    *t = (struct tx){0};
    arena_init(&t->arena, TX_CHUNK, TX_MAX);
}

void tx_reset(struct tx *t)
{
    if (t->chunks)
        spool_forget(intake_rooms.spool, t->env.id);
    body_drop(&t->body);
    body_drop(&t->head);
    body_drop(&t->taking);
    checks_free(&t->checks);
    check_body_free(&t->sign_hash);
    arena_free(&t->arena);
    tx_init(t);
}

void reply_trouble(struct reply *r, err e)
{
    switch (e) {
    case E_DISK_FULL:
    case E_QUEUE_FULL:
        reply_set(r, 452, "4.3.1", "Insufficient system storage, try again later");
        break;
    case E_NOMEM:
    case E_LIMIT:
        reply_set(r, 452, "4.3.1", "Out of memory, try again later");
        break;
    default:
        reply_set(r, 451, "4.3.0", "The message could not be stored, try again later");
    }
}

static err room(uint64_t size, uint32_t recipients)
{
    err e = spool_room(intake_rooms.spool, size);
    return e ? e : queue_room(intake_rooms.queue, recipients);
}

/* Our own view of the sender: `local@domain` in the arena, empty for <>. */
static bool keep_sender(struct tx *t, const struct addr *from)
{
    SCRATCH char mem[ADDR_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    addr_print(&text, from);
    t->env.sender = arena_str(&t->arena, buf_str(&text));
    bool bad;
    t->sender_ours = domain_find(t, from, &bad) != NULL;
    return !text.e && t->env.sender.p;
}

static bool keep_names(struct tx *t, const struct source *s, const struct mail_cmd *m)
{
    struct envelope *e = &t->env;
    e->tenant = s->tenant;
    e->client = s->client_text;
    e->helo = s->helo;
    e->user = s->user;
    e->body = (uint8_t)m->p.body;
    e->ret = (uint8_t)m->p.ret;
    e->flags = (m->p.smtputf8 ? ENV_SMTPUTF8 : 0) | (s->submitted ? ENV_SUBMITTED : 0) | (s->tls.n ? ENV_TLS : 0);
    if (m->p.envid.n)
        e->envid = arena_str(&t->arena, m->p.envid);
    return !m->p.envid.n || e->envid.p;
}

bool tx_mail(struct tx *t, const struct source *s, struct conf *c, const struct mail_cmd *m, struct reply *r)
{
    t->conf = c;
    t->source = s;
    checks_free(&t->checks); /* a proxy's transaction that is stored after all begins anew */
    rcpt_cut(t, 0);
    err e = room(m->p.size, 1);
    if (e) {
        reply_trouble(r, e);
        return false;
    }
    if (s->proxied) /* its servers are those of that listener */
        t->env.way = arena_printf(&t->arena, "listener:" STR_FMT, STR_ARG(s->listener));
    if (!keep_sender(t, &m->from) || !keep_names(t, s, m) || (s->proxied && !t->env.way.p)) {
        reply_trouble(r, E_NOMEM);
        return false;
    }
    if (!submit_mail(t, m, &m->from, r))
        return false;
    if (!submit_times(t, m, r))
        return false;
    if (checks_wanted(s, c) && !(t->checks = checks_new(s, c, t->env.sender))) {
        reply_trouble(r, E_NOMEM);
        return false;
    }
    t->announced = m->p.size;
    t->open = true;
    reply_set_str(r, 250, "2.1.0", S("Sender ok"));
    return true;
}

bool tx_pass_mail(struct tx *t, const struct source *s, struct conf *c, const struct mail_cmd *m, bool checked,
                  struct reply *r)
{
    t->conf = c;
    t->source = s;
    t->announced = m->p.size;
    if (keep_sender(t, &m->from) && keep_names(t, s, m) &&
        (!checked || !checks_wanted(s, c) || (t->checks = checks_new(s, c, t->env.sender)) != NULL))
        return true;
    reply_trouble(r, E_NOMEM);
    return false;
}

bool tx_pass_rcpt(struct tx *t, struct reply *r) { return !t->checks || checks_sender(t->checks, r); }

err tx_own(struct tx *t, struct conf *c, str to)
{
    const struct want w = {0};
    t->conf = c;
    t->open = true;
    t->env.client = S("local");
    return expand_text(t, to, S(""), &w);
}

err intake_own(struct spool_group *g, const struct envelope *env, struct body *b)
{
    return spool_group_message(g, env, b, 0);
}
