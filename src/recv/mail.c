/* The envelope: MAIL, RCPT, RSET, and the commands around it (RFC 5321 4.1.1; RFC 6409 4.3). */
#include "intake/checks.h"
#include "recv/internal.h"

/* The confirmed reverse name, once in a session. Clients under limit-exempt are not looked up. */
static void look_up(struct session *s)
{
    if (s->named || s->src.socket || s->src.client_name.n || nets_have(&s->conf->limit_exempt, &s->src.client.ip))
        return;
    s->named = true;
    struct sockaddr_storage at;
    str name;
    if (ip_to_sockaddr(&s->src.client, &at) && dns_reverse(&at, &s->names, &name) == OK)
        s->src.client_name = name;
}

static bool may_begin(struct session *s, struct reply *r)
{
    if (s->l->c.kind == RECV_SUBMISSION && !s->src.authenticated && !s->device) {
        reply_set_str(r, 530, "5.7.0", S("Authentication required"));
        return false;
    }
    if (s->l->c.kind == RECV_LOCAL && !s->src.may_relay) {
        reply_set_str(r, 550, "5.7.1", S("Local submission is switched off"));
        return false;
    }
    if (s->messages >= (uint32_t)s->conf->limits_messages) {
        reply_set_str(r, 421, "4.7.0", S("Too many messages in one session")); /* RFC 9422 4: MAILMAX */
        s->why = "too many messages";
        s->closing = true;
        return false;
    }
    return true;
}

void do_mail(struct session *s, const struct cmd *c, struct reply *r)
{
    struct mail_cmd m;
    struct conf *now = intake_conf();
    conf_drop(&s->conf);
    s->conf = now;
    session_trust(s);
    if (!may_begin(s, r))
        return;
    enum fault f = cmd_mail(c->args, session_exts(s), true, &s->tx.arena, &m);
    if (f) {
        fault_reply(r, f, true);
        session_reset(s);
        return;
    }
    look_up(s);
    if (!session_policy(s, r)) {
        session_reset(s);
        return;
    }
    struct matter matter = {.mail = &m};
    enum recv_take took = RECV_NO;
    if (session_judge(s, PHASE_MAIL, &matter, r))
        took = s->sink->mail(&s->as, &m, c->args, r);
    if (took == RECV_NO) {
        session_reset(s);
        return;
    }
    s->later += took == RECV_LATER;
    s->state = STATE_MAIL;
    fiber_shield(true); /* a shutdown waits for the end of the transaction */
}

void do_rcpt(struct session *s, const struct cmd *c, struct reply *r)
{
    struct rcpt_cmd m;
    bool utf8 = s->tx.env.flags & ENV_SMTPUTF8;
    enum fault f = cmd_rcpt(c->args, session_exts(s), utf8, true, &s->tx.arena, &m);
    if (f) {
        s->tx.refused++;
        fault_reply(r, f, false);
        return;
    }
    struct matter matter = {.rcpt = &m};
    unsigned told = policy_rcpts_told(s->src.policy);
    enum recv_take took = RECV_NO;
    if (!s->sink->judges_rcpt && !session_judge(s, PHASE_RCPT, &matter, r))
        s->tx.refused++;
    else if ((took = s->sink->rcpt(&s->as, &m, c->args, r)) == RECV_LATER)
        s->later++;
    if (took == RECV_NO && r->code && policy_rcpts_told(s->src.policy) == told)
        policy_rcpt_refused(s->src.policy, &s->src, s->conf, &m, r);
}

void do_rset(struct session *s, const struct cmd *c, struct reply *r)
{
    (void)c;
    session_end_tx(s);
    reply_set_str(r, 250, "2.0.0", S("Ok"));
}

void do_noop(struct session *s, const struct cmd *c, struct reply *r)
{
    (void)s;
    (void)c;
    reply_set_str(r, 250, "2.0.0", S("Ok"));
}

void do_quit(struct session *s, const struct cmd *c, struct reply *r)
{
    (void)c;
    s->closing = s->quit = true;
    reply_set_str(r, 221, "2.0.0", S("Bye"));
}

/* RFC 5321 7.3: whether an address exists is told to nobody. RFC 6531 3.7.4.2: SMTPUTF8 as its parameter. */
void do_vrfy(struct session *s, const struct cmd *c, struct reply *r)
{
    (void)s;
    if (!text_ascii(c->args) && !str_iends(c->args, S(" SMTPUTF8")))
        fault_reply(r, FAULT_ADDR_8BIT, false);
    else
        reply_set_str(r, 252, "2.5.0", S("Cannot verify, but will take a message and try to deliver it"));
}

void do_not(struct session *s, const struct cmd *c, struct reply *r)
{
    (void)s;
    (void)c;
    reply_set_str(r, 502, "5.5.1", S("Command not implemented"));
}
