/*
 * A session as `postrider capture` prints it: "TIME SESSION WHO WORDS", WHO 'C' for the client and 'S' for the server,
 * and the events of the session between them. What the client said is said again to the pipeline; of several sessions
 * the first.
 */
#include "cli/policy.h"

/* "TIME SESSION WHO text": false for lines of the log. */
static bool said(str line, str *ret_session, char *ret_who, str *ret_text)
{
    str time, who;
    int64_t ms;
    if (!str_cut(&line, ' ', &time) || !text_parse_time(time, &ms) || !str_cut(&line, ' ', ret_session) ||
        !str_cut(&line, ' ', &who) || who.n != 1 || !strchr("CS<>", who.p[0]))
        return false;
    uint64_t n;
    *ret_who = who.p[0];
    *ret_text = line;
    return text_u64(*ret_session, &n);
}

bool trial_is_recorded(str text)
{
    str line, session, words, time;
    char who;
    int64_t ms;
    if (!str_cut(&text, '\n', &line))
        return false;
    str head = line;
    return said(line, &session, &who, &words) ||
           (str_cut(&head, ' ', &time) && text_parse_time(time, &ms) && str_search(line, S(" session=")) != STR_NONE);
}

static int digit(char c)
{
    c = ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xNN and \" of text_safe. */
static void plain(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        int high, low;
        if (s.p[i] != '\\' || i + 1 == s.n) {
            buf_add_char(out, s.p[i]);
            continue;
        }
        i++;
        if (s.p[i] == 'x' && i + 2 < s.n && (high = digit(s.p[i + 1])) >= 0 && (low = digit(s.p[i + 2])) >= 0) {
            buf_add_char(out, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_add_char(out, s.p[i]);
        }
    }
}

struct replay {
    struct trial *t;
    struct buf message, line;
    bool greeted, mail, in_data, refused, dead;
    uint32_t rcpts;
    uint64_t chunk; /* octets of a BDAT chunk that are still due */
    bool last;      /* ... and it is the last one */
};

static void message_over(struct replay *r) YIELDS
{
    if (r->rcpts && !r->refused)
        (void)trial_message(r->t, buf_str(&r->message));
    trial_reset(r->t);
    buf_clear(&r->message);
    r->mail = r->in_data = r->refused = r->last = false;
    r->rcpts = 0;
    r->chunk = 0;
}

static void octets(struct replay *r, str line) YIELDS
{
    if (r->chunk) {
        buf_add(&r->message, line);
        buf_add(&r->message, S("\r\n"));
        r->chunk -= line.n + 2 < r->chunk ? line.n + 2 : r->chunk;
        if (!r->chunk && r->last)
            message_over(r);
        return;
    }
    if (str_eq(line, S("."))) {
        message_over(r);
        return;
    }
    buf_add(&r->message, str_starts(line, S(".")) ? str_skip(line, 1) : line);
    buf_add(&r->message, S("\r\n"));
}

static void begin_data(struct replay *r) YIELDS
{
    if (!r->message.n && !r->refused)
        r->refused = !trial_data(r->t);
}

static void envelope(struct replay *r, struct cmd *c) YIELDS
{
    struct arena *mem = r->t->run->check.mem;
    struct mail_cmd mail;
    struct rcpt_cmd rcpt;
    if (str_ieq(c->verb, S("MAIL")) && !cmd_mail(c->args, EXT_ALL | EXT_OTHER, true, mem, &mail))
        r->mail = trial_mail(r->t, &mail, trial_address(r->t, &mail.from));
    else if (str_ieq(c->verb, S("RCPT")) && r->mail && !cmd_rcpt(c->args, EXT_ALL | EXT_OTHER, true, true, mem, &rcpt))
        r->rcpts += trial_rcpt(r->t, &rcpt, trial_address(r->t, &rcpt.to));
}

static void command(struct replay *r, str line) YIELDS
{
    struct cmd c;
    str kept = arena_str(r->t->run->check.mem, line);
    if (!kept.p || cmd_parse(kept, &c))
        return;
    if (!r->greeted)
        r->dead = !trial_connect(r->t);
    r->greeted = true;
    if (r->dead)
        return;
    if (str_ieq(c.verb, S("EHLO")) || str_ieq(c.verb, S("HELO")) || str_ieq(c.verb, S("LHLO")))
        (void)trial_hello(r->t, str_trim(c.args));
    else if (str_ieq(c.verb, S("RSET")))
        message_over(r);
    else if (str_ieq(c.verb, S("BDAT")) && r->rcpts && !cmd_bdat(c.args, UINT64_MAX, &r->chunk, &r->last)) {
        begin_data(r);
        if (!r->chunk && r->last)
            message_over(r);
    } else if (str_ieq(c.verb, S("DATA")))
        begin_data(r);
    else
        envelope(r, &c);
}

/* "connect session=1 listener=mx client=192.0.2.1": who it was. */
static void event(struct trial *t, str line)
{
    size_t client = str_search(line, S(" client=")), listener = str_search(line, S(" listener="));
    if (str_search(line, S(" connect ")) == STR_NONE || client == STR_NONE || listener == STR_NONE)
        return;
    str ip, title, rest = str_skip(line, client + 8);
    (void)str_cut(&rest, ' ', &ip);
    rest = str_skip(line, listener + 10);
    (void)str_cut(&rest, ' ', &title);
    (void)trial_client(t, str_trim(ip));
    t->src.listener = str_trim(title);
}

static void one_line(struct replay *r, char who, str text) YIELDS
{
    if (who == 'S' && str_starts(text, S("354")) && r->rcpts)
        r->in_data = true;
    if (who != 'C')
        return;
    buf_clear(&r->line);
    plain(&r->line, text);
    if (r->in_data || r->chunk)
        octets(r, buf_str(&r->line));
    else
        command(r, buf_str(&r->line));
}

bool trial_replay(struct trial *t, str text)
{
    struct replay r = {.t = t};
    str line, session, words, first = S("");
    char who;
    buf_init(&r.message, 256 << 20);
    buf_init(&r.line, 65536);
    while (str_cut(&text, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (!said(line, &session, &who, &words)) {
            event(t, line);
            continue;
        }
        if (!first.n)
            first = session;
        if (str_eq(session, first))
            one_line(&r, who, words);
    }
    bool fine = r.greeted && !r.message.e;
    if (!fine)
        (void)cli_fail(EX_DATAERR, "no session that the client had a word in was found in this text");
    buf_free(&r.message);
    buf_free(&r.line);
    return fine;
}
