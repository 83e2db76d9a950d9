/*
 * The loop of a session: a line, its row of the table, the gate, the handler, the answer. One exit. Answers are
 * gathered by the connection and leave when there is no more input to work on, which is all that PIPELINING
 * (RFC 2920) asks of a server.
 */
#include "recv/internal.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

enum { NAMES_CHUNK = 256, NAMES_MAX = 64 * 1024 };
#define FAREWELL_TIME (5 * RT_S)

static uint64_t last_session;

str session_hostname(const struct session *s)
{
    const struct conf_listener *l = s->l->c.conf_listener;
    return l && l->hostname.n ? l->hostname : s->conf->hostname;
}

rt_time session_deadline(const struct session *s, rt_time span)
{
    rt_time at = rt_after(span);
    return at < s->until ? at : s->until;
}

void session_say(struct session *s, const struct reply *r)
{
    SCRATCH char mem[1600];
    struct buf out;
    session_settle(s); /* answers go out in the order of the commands */
    buf_init_fixed(&out, mem, sizeof mem);
    reply_print(&out, r);
    rt_said(s->src.session, 'S', buf_str(&out));
    conn_write(s->c, buf_str(&out));
}

bool session_policy(struct session *s, struct reply *r)
{
    if (policy_begin(&s->src.policy, &s->src, s->conf) == OK)
        return true;
    reply_set_str(r, 421, "4.3.1", S("Out of memory, try again later"));
    s->why = "no memory";
    s->closing = true;
    return false;
}

void session_reset(struct session *s)
{
    s->sink->reset(&s->as);
    if (s->src.policy)
        policy_tx_end(s->src.policy);
}

void session_end_tx(struct session *s)
{
    if (s->tx.open)
        fiber_shield(false);
    session_reset(s);
    if (s->state != STATE_GREET)
        s->state = STATE_READY;
}

static size_t word_end(str s, size_t at)
{
    while (at < s.n && (ascii_alnum(s.p[at]) || s.p[at] == '-'))
        at++;
    return at;
}

static size_t blanks_end(str s, size_t at)
{
    while (at < s.n && ((unsigned char)s.p[at] <= ' ' || s.p[at] == '='))
        at++;
    return at;
}

/* Where what may be shown of an AUTH, also of a misspelt one, ends: behind the mechanism, if there is a word that looks
 * like one. STR_NONE: no AUTH. */
static size_t auth_shown(str line)
{
    enum { MECH_MAX = 20 }; /* RFC 4422 3.1 */
    size_t verb = blanks_end(line, 0), verb_end = word_end(line, verb);
    if (!str_iends(str_sub(line, verb, verb_end), S("AUTH")))
        return STR_NONE;
    size_t at = blanks_end(line, verb_end), end = word_end(line, at);
    bool upper = false, lower = false;
    for (size_t i = at; i < end; i++) {
        upper |= line.p[i] >= 'A' && line.p[i] <= 'Z';
        lower |= line.p[i] >= 'a' && line.p[i] <= 'z';
    }
    return (upper && lower) || end - at > MECH_MAX ? verb_end : end;
}

/* What AUTH brings is a password more often than not. */
str session_without_secrets(str command)
{
    size_t end = auth_shown(command);
    return str_sub(command, 0, end != STR_NONE ? end : 200);
}

/* What may be shown of a line. A client that does not wait for the answer to AUTH sends the rest of its log-in all the
 * same: after a refusal these lines are no commands. */
static str may_show(struct session *s, bool command, str line)
{
    if (auth_shown(line) != STR_NONE)
        s->auth_tried = true;
    else if (!command && s->auth_tried)
        return S("(no command)");
    return session_without_secrets(line);
}

void session_log_refused(struct session *s, str command, const struct reply *r)
{
    char mem[REPLY_LINE_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    reply_print_line(&text, r);
    rt_log(EV_refused, log_num((int64_t)s->src.session), log_str(s->src.client_text),
           log_str(session_without_secrets(command)), log_str(buf_str(&text)));
}

/* ---- the client ------------------------------------------------------------------------------------- */

/* A local socket: the kernel says who it is. */
static void local_client(struct session *s)
{
    uid_t uid;
    s->src.socket = true;
    s->src.client_text = S("local");
    if (rt_peer_uid(s->c->io.fd, &uid)) {
        s->src.user = arena_printf(&s->names, "uid %u", (unsigned)uid);
        s->src.submitted = true;
    }
}

void session_trust(struct session *s)
{
    struct source *src = &s->src;
    switch (s->l->c.kind) {
    case RECV_LOCAL:
        src->may_relay = src->user.n && s->conf->local_senders;
        break;
    case RECV_LMTP:
        src->may_relay = false;
        break;
    case RECV_SUBMISSION:
        src->may_relay = src->submitted = src->authenticated;
        if (device_listener(s))
            device_trust(s);
        break;
    case RECV_PROXY:
        src->may_relay = true; /* the server behind has its own opinion */
        src->trusted = src->authenticated || nets_have(&s->conf->relay_from, &src->client.ip);
        return;
    default:
        src->may_relay = src->authenticated || nets_have(&s->conf->relay_from, &src->client.ip);
    }
    src->trusted = src->may_relay;
}

void session_client(struct session *s)
{
    struct source *src = &s->src;
    if (s->l->c.kind == RECV_LOCAL) {
        local_client(s);
    } else {
        (void)ip_from_sockaddr((const struct sockaddr *)&s->c->peer, sizeof s->c->peer, &src->client);
        (void)ip_from_sockaddr((const struct sockaddr *)&s->c->local, sizeof s->c->local, &src->local);
        struct buf text;
        buf_init_fixed(&text, s->client_text, sizeof s->client_text);
        ip_print(&text, &src->client.ip);
        src->client_text = text.n ? buf_str(&text) : S("unknown");
    }
    session_trust(s);
}

static struct source first_source(const struct session *s)
{
    return (struct source){.tenant = s->l->c.tenant,
                           .lmtp = is_lmtp(s),
                           .listener = s->l->c.conf_listener ? s->l->c.conf_listener->title : S(""),
                           .proxied = s->l->c.kind == RECV_PROXY};
}

void session_forget(struct session *s)
{
    session_end_tx(s);
    s->state = STATE_GREET;
    struct source fresh = first_source(s);
    fresh.session = s->src.session;
    fresh.policy = s->src.policy;
    fresh.early = s->src.early;
    arena_reset(&s->names);
    s->offer = (struct recv_offer){0};
    s->src = fresh;
    s->named = false;
    session_client(s);
}

void session_greet(struct session *s)
{
    SCRATCH struct reply r;
    reply_init(&r);
    reply_set(&r, 220, "", STR_FMT " %s postrider ready", STR_ARG(session_hostname(s)), is_lmtp(s) ? "LMTP" : "ESMTP");
    session_say(s, &r);
}

/* The peer of the socket is a proxy, which said in a header who the client is. */
static bool behind_proxy(const struct session *s)
{
    struct sockaddr_storage at;
    struct ip_port peer;
    return io_address(&s->c->io, true, &at) == OK && ip_from_sockaddr((const struct sockaddr *)&at, sizeof at, &peer) &&
           !ip_eq(&peer.ip, &s->src.client.ip);
}

/* A stranger waits a little for its greeting; what comes in the meantime was not asked for. What is here before the
 * wait may have been gathered by a proxy before us and is let pass. In TLS from the beginning there is nobody to
 * watch: the handshake is a greeting. */
static void listen_first(struct session *s)
{
    rt_time span = s->c->tls ? 0 : policy_greet_wait(&s->src, s->conf);
    if (!span)
        return;
    bool here = conn_buffered(s->c) || conn_readable(s->c);
    if (here && behind_proxy(s))
        return;
    if (!here)
        (void)io_wait_read(&s->c->io, rt_after(span));
    s->src.early = here || (conn_readable(s->c) && !s->c->e);
    if (s->src.early)
        metric_add(M_early_talkers, 1);
}

/* The first word of all: what the connection itself is worth, and what the sink has to say. */
static void welcome(struct session *s)
{
    struct reply r = {0};
    struct matter m = {0};
    reply_set(&r, 220, "", STR_FMT " %s postrider ready", STR_ARG(session_hostname(s)), is_lmtp(s) ? "LMTP" : "ESMTP");
    if (!device_welcome(s, &r) || !session_policy(s, &r) || !session_judge(s, PHASE_CONNECT, &m, &r) ||
        !s->sink->open(&s->as, &r)) {
        r.code = r.code < 500    ? 421
                 : r.code == 521 ? 521
                                 : 554; /* RFC 5321 3.1, RFC 7504: no other greeting is known */
        session_log_refused(s, S("connection"), &r);
        s->why = "refused at its greeting";
        s->closing = true;
    }
    session_say(s, &r);
}

/* ---- the gate ----------------------------------------------------------------------------------------- */

static const char *bad_sequence(const struct session *s)
{
    switch (s->state) {
    case STATE_GREET:
        return is_lmtp(s) ? "Send LHLO first" : "Send EHLO or HELO first";
    case STATE_READY:
        return "Send MAIL first";
    case STATE_BDAT:
        return "Not between BDAT chunks";
    default:
        return "Not within a mail transaction";
    }
}

static bool gate(struct session *s, const struct command *cmd, const struct cmd *c, struct reply *r)
{
    if (cmd->flags & CMD_IDLE && ++s->idle > (uint32_t)s->conf->limits_commands) {
        reply_set_str(r, 421, "4.7.0", S("Too many commands without a message"));
        s->why = "too many commands";
        s->closing = true;
        return false;
    }
    if (!(cmd->states & s->state)) {
        reply_set(r, 503, "5.5.1", "%s", bad_sequence(s));
        return false;
    }
    if ((cmd->flags & CMD_NOARG && c->args.n) || (cmd->flags & CMD_ARG && !c->args.n)) {
        fault_reply(r, c->args.n ? FAULT_ARG : FAULT_NO_ARG, false);
        return false;
    }
    return true;
}

bool session_alone(struct session *s, struct reply *r)
{
    if (!conn_buffered(s->c))
        return true;
    reply_set_str(r, 554, "5.5.1", S("No command may follow this one in a group, closing connection"));
    s->why = "input behind a command that stands alone";
    s->closing = true;
    return false;
}

static bool is_rcpt(const struct command *cmd) { return cmd && cmd->run == do_rcpt; }

/* Counts what went wrong; turns one error too many into the end. */
static void count_refusal(struct session *s, const struct command *cmd, struct reply *r)
{
    if (is_rcpt(cmd) && (r->code == 550 || r->code == 452)) {
        if (++s->unknown > (uint32_t)s->conf->limits_unknown_recipients && r->code == 550) {
            reply_set_str(r, 421, "4.7.0", S("Too many refused recipients"));
            s->why = "too many refused recipients";
            s->closing = true;
        }
        return;
    }
    if (r->code >= 500 && ++s->errors > (uint32_t)s->conf->limits_errors) {
        reply_set_str(r, 421, "4.7.0", S("Too many errors"));
        s->why = "too many errors";
        s->closing = true;
    }
}

void session_farewell(struct session *s, const struct reply *r)
{
    if (r->code == 421 && !s->closing) {
        s->why = "refused by policy";
        s->closing = true;
    }
}

static void answer(struct session *s, const struct command *cmd, str line, struct reply *r)
{
    if (s->as.why && !s->closing) {
        s->why = s->as.why;
        s->closing = true;
    }
    if (r->code == 0)
        return;
    session_farewell(s, r);
    if (s->device)
        device_log(s, line, r);
    if (r->code >= 400) {
        session_log_refused(s, line, r);
        count_refusal(s, cmd, r);
    }
    session_say(s, r);
}

/* Only MAIL, when it failed, and RCPT are ever put off. */
void session_settle(struct session *s)
{
    bool over = false;
    while (s->later && !s->closing) {
        struct reply r = {0};
        str what = S("");
        over |= !s->sink->answer(&s->as, &what, &r);
        s->later--;
        uint32_t rest = s->later;
        s->later = 0; /* this answer is the one in turn */
        answer(s, command_find(s, str_istarts(what, S("RCPT")) ? S("RCPT") : S("MAIL")), what, &r);
        s->later = rest;
    }
    s->later = 0;
    if (over)
        session_end_tx(s);
}

bool session_judge(struct session *s, enum phase p, struct matter *m, struct reply *r)
{
    m->source = &s->src;
    m->conf = s->conf;
    m->env = s->tx.open ? &s->tx.env : NULL;
    if (judge(p, m, r))
        return true;
    session_farewell(s, r); /* the pipeline wants an end of it */
    return false;
}

/* Commands of the sink's own: those that are neither the frame of a transaction nor of the connection. */
static bool passed_on(struct session *s, const struct command *cmd, const struct cmd *c, struct reply *r)
{
    if (!s->sink->command || (cmd && cmd->flags & CMD_FRAME))
        return false;
    return s->sink->command(&s->as, c->verb, c->args, r);
}

/* No command of ours: filters hear of it, and may have a word of their own. */
static void unknown(struct session *s, enum fault f, str line, struct reply *r)
{
    SCRATCH struct verdict v;
    if (f == FAULT_VERB && !policy_unknown(s->src.policy, &s->src, s->conf, line, &v))
        *r = v.reply;
    else
        fault_reply(r, f, false);
}

static void do_line(struct session *s, str line)
{
    SCRATCH struct reply r;
    reply_init(&r);
    struct cmd c = {0};
    const struct command *cmd = NULL;
    SCRATCH char mem[200]; /* the line itself does not outlive the handler */
    str early = str_sub(line, 0, sizeof mem);
    memcpy(mem, early.p, early.n);
    enum fault f = cmd_parse(line, &c);
    if (!f)
        cmd = command_find(s, c.verb);
    str said = may_show(s, cmd != NULL, str_mem(mem, early.n));
    s->as.shown = said;
    rt_said(s->src.session, 'C', said);
    if (s->later && (!cmd || (cmd->run != do_rcpt && cmd->run != do_data)))
        session_settle(s);
    if (s->closing)
        return;
    if (!f && passed_on(s, cmd, &c, &r)) {
        answer(s, cmd, said, &r);
        return;
    }
    if (!f && !cmd)
        f = FAULT_VERB;
    if (f)
        unknown(s, f, said, &r);
    else if (gate(s, cmd, &c, &r))
        cmd->run(s, &c, &r);
    answer(s, cmd, said, &r);
}

/* ---- the loop ------------------------------------------------------------------------------------------ */

/* AUTH with its initial response may be longer than other commands (RFC 4954 4). */
static size_t line_most(const struct session *s)
{
    size_t most = (size_t)s->conf->limits_command_length;
    return can_auth(s) && !s->src.authenticated && most < LINE_MOST ? LINE_MOST : most;
}

/* One line answered. RFC 5321 2.3.8: only CRLF ends a line; what came in with a bare LF is answered once, and the
 * rest of the line is not taken for commands. */
static bool step(struct session *s)
{
    str line;
    bool crlf = true;
    if (s->later && !conn_has_line(s->c))
        session_settle(s);
    if (s->closing)
        return false;
    s->c->deadline = session_deadline(s, s->conf->limits_idle_time);
    err e = conn_readline(s->c, line_most(s), &line, &crlf);
    bool broken = e == E_LINE_LENGTH && s->c->e == OK;
    broken |= !e && line.n > (size_t)s->conf->limits_command_length && !str_istarts(line, S("AUTH "));
    if (e && !broken)
        return false;
    bool skip = s->skipping;
    crlf |= s->device && !broken;
    s->skipping = !broken && !crlf;
    if (skip || broken || !crlf) {
        SCRATCH struct reply r;
        reply_init(&r);
        if (!skip) {
            reply_set_str(&r, 500, "5.5.2", broken ? S("Line too long") : S("Lines must end in CRLF"));
            answer(s, NULL, broken ? S("(long line)") : may_show(s, false, line), &r);
        }
        return !s->closing;
    }
    do_line(s, line);
    return !s->closing && s->c->e == OK;
}

/* A last word where the peer can still hear it. */
static void farewell(struct session *s)
{
    SCRATCH struct reply r;
    reply_init(&r);
    if (s->closing || s->c->e == OK)
        return;
    switch (s->c->e) {
    case E_TIMEOUT:
        s->why = "timeout";
        reply_set(&r, 421, "4.4.2", STR_FMT " timeout, closing connection", STR_ARG(session_hostname(s)));
        break;
    case E_CANCELLED:
        s->why = "shutdown";
        reply_set(&r, 421, "4.3.2", STR_FMT " shutting down, try again later", STR_ARG(session_hostname(s)));
        break;
    case E_LINE_LENGTH:
        s->why = "endless line";
        reply_set_str(&r, 500, "5.5.2", S("Line too long, closing connection"));
        break;
    default:
        s->why = s->c->e == E_CLOSED && s->state != STATE_MAIL && s->state != STATE_BDAT ? "closed" : err_text(s->c->e);
        return;
    }
    if (conn_resume(s->c) == OK)
        session_say(s, &r);
}

static void session_end(struct session *s)
{
    fiber_shield(true); /* a cancelled fiber may still say goodbye, for a short time */
    farewell(s);
    s->later = 0;
    session_reset(s);
    policy_free(&s->src.policy);
    s->sink->close(&s->as);
    s->c->deadline = rt_after(FAREWELL_TIME);
    s->c->hasty = s->closing && !s->quit;
    conn_end(s->c);
    rt_log(EV_disconnect, log_num((int64_t)s->src.session), log_str(s->src.client_text), log_c(s->why),
           log_num(s->messages));
    metric_add(M_connections, -1);
    arena_free(&s->names);
    conf_drop(&s->conf);
    free(s);
    fiber_shield(false);
}

static bool session_begin(struct session *s, struct conn *c, struct recv_listener *l)
{
    s->c = c;
    s->l = l;
    s->sink = l->c.sink ? l->c.sink : &recv_store;
    s->as = (struct recv_client){
        .c = c, .src = &s->src, .conf = &s->conf, .listener = l->c.conf_listener, .home = l->c.conf, .tx = &s->tx};
    s->conf = intake_conf();
    s->state = STATE_GREET;
    s->why = "quit";
    s->until = rt_after(s->conf->limits_session_time);
    tx_init(&s->tx);
    arena_init(&s->names, NAMES_CHUNK, NAMES_MAX);
    s->src = first_source(s);
    s->src.session = __atomic_add_fetch(&last_session, 1, __ATOMIC_RELAXED);
    session_client(s);
    metric_add(M_connections, 1);
    rt_log(EV_connect, log_num((int64_t)s->src.session), log_str(l->title), log_str(s->src.client_text));
    bool implicit = l->c.tls && l->c.conf_listener && l->c.conf_listener->tls == CONF_TLS_IMPLICIT;
    return !implicit || session_tls(s);
}

void recv_session(struct conn *c, struct recv_listener *l)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        c->deadline = rt_after(FAREWELL_TIME);
        conn_write(c, S("421 4.3.2 Out of memory, try again later\r\n"));
        conn_end(c);
        return;
    }
    if (session_begin(s, c, l)) {
        listen_first(s);
        welcome(s);
        while (!s->closing && step(s))
            continue;
    }
    session_end(s);
}
