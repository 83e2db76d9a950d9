/* Octets in, replies out: one row a case, all of it sent in one piece (which is also a test of PIPELINING). */
#include "recv/test_session.h"

static const char conf_text[] =
    "hostname = \"mx.example.test\"\n"
    "relay-from = {\"10.0.0.0/8\"}\n"
    "xclient-from = {\"10.9.9.9\"}\n"
    "listener mx { address = \"127.0.0.1:25001\" }\n"
    "listener lmtp { address = \"127.0.0.1:25002\"  protocol = \"lmtp\" }\n"
    "listener sub { address = \"127.0.0.1:25003\"  submission = true }\n"
    "limits { message-size = \"1MB\"  header-size = \"4KB\"  commands = 30  errors = 5  messages = 3\n"
    "         unknown-recipients = 4  hops = 5  recipients = 100 }\n"
    "limit-exempt = {\"0.0.0.0/0\"}\n"
    "domain example.test { mailboxes = {\"alice\", \"bob\"} }\n"
    "domain lists.test { deliver = \"discard\" }\n";

enum where { MX, FRIEND, SUB, LMTP, PROXY };
struct tc {
    enum where where;
    str in;
    const char *want; /* replies; a word without an enhanced code fits any */
    unsigned messages;
};

#define IN(text) S_INIT(text)
#define HELLO "EHLO c.test\r\n"
#define MAIL "MAIL FROM:<a@b.test>\r\n"
#define RCPT "RCPT TO:<alice@example.test>\r\n"
#define TX HELLO MAIL RCPT
#define DATA TX "DATA\r\n"
#define MSG "Subject: x\r\n\r\n"
#define END "\r\n.\r\n"
#define OPEN "220 250 250/2.1.0 250/2.1.5 "

static const struct tc cases[] = {
    /* the session */
    {MX, IN("QUIT\r\n"), "220 221/2.0.0", 0},
    {MX, IN(HELLO "QUIT\r\n"), "220 250 221", 0},
    {MX, IN("HELO c.test\r\nNOOP\r\n"), "220 250 250/2.0.0", 0},
    {MX, IN("EHLO\r\nHELO\r\nEHLO a b\r\nEHLO a_b.test\r\nEHLO [1.2.3.4]\r\nEHLO [IPv6:::1]\r\nEHLO 1.2.3.4\r\n"),
     "220 501/5.5.4 501/5.5.4 501/5.5.4 250 250 250 250", 0},
    {MX, IN("EHLO a.\r\nEHLO -a\r\nEHLO a..b\r\nEHLO [1.2.3]\r\n"), "220 250 501 501 501", 0},
    {MX, IN("ehlo C.TEST\r\nnoop\r\nquit\r\n"), "220 250 250 221", 0},
    {MX, IN("NOOP a b c\r\nHELP\r\nHELP MAIL\r\nHELP XYZZY\r\nVRFY x\r\nVRFY\r\nEXPN x\r\n"),
     "220 250 214/2.0.0 214 504/5.5.4 252 501/5.5.4 502/5.5.1", 0},
    {MX, IN("XYZZY\r\n\r\nAUTH PLAIN\r\nTURN\r\nLHLO c\r\nXCLIENT NAME=x\r\n"),
     "220 500/5.5.2 500/5.5.2 502 502 500 421/4.7.0", 0},
    {MX, IN("NOOP\0X\r\nNOOP\rX\r\nNOOP\nQUIT\r\nNOOP\r\n"), "220 500 500 500 250", 0},
    {MX, IN("RSET x\r\nDATA x\r\nQUIT x\r\nSTARTTLS x\r\nNOOP \t\r\n"), "220 501/5.5.4 503 501 501 250", 0},
    {MX, IN("STARTTLS\r\n"), "220 502/5.5.1", 0},
    {MX, IN("MAILFROM:<a@b.test>\r\n" MAIL RCPT "DATA\r\n"), "220 500 503/5.5.1 503/5.5.1 503/5.5.1", 0},
    {MX, IN(HELLO RCPT "DATA\r\n" MAIL MAIL "DATA\r\nRSET\r\n" RCPT), "220 250 503 503 250 503 503/5.5.1 250 503", 0},
    {MX, IN(TX HELLO "DATA\r\nHELO x\r\n" MAIL), OPEN "250 503 250 250", 0},
    {MX, IN(TX "EHLO\r\n" RCPT), OPEN "501 250", 0},
    {MX, IN(TX "NOOP\r\nHELP\r\nVRFY a\r\nSTARTTLS\r\n" RCPT), OPEN "250 214 252 503 250", 0},
    {MX, IN(HELLO "VRFY \xc3\xbc\r\nVRFY \xc3\xbc SMTPUTF8\r\n"), "220 250 553/5.6.7 252", 0},
    /* MAIL and RCPT */
    {MX, IN(HELLO "MAIL\r\nMAIL FROM\r\nMAIL FROM:a@b.test\r\nMAIL FROM:<a@@b.test>\r\n"),
     "220 250 501/5.5.2 501 501/5.1.7 501/5.1.7", 0},
    {MX, IN(HELLO "MAIL FROM:<a>\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT TO:<alice>\r\nRCPT TO:<postmaster>\r\n"),
     "220 250 501/5.1.7 250 501/5.1.3 501/5.1.3 250", 0},
    {MX, IN(HELLO "MAIL FROM: <a@b.test>\r\nRCPT TO: <alice@example.test>\r\n"), "220 250 250 250", 0},
    {MX, IN(HELLO "MAIL FROM:<@x.test,@y.test:a@b.test>\r\nRCPT TO:<@x.test:alice@example.test>\r\n"),
     "220 250 250 250", 0},
    {MX, IN(HELLO MAIL "RCPT TO:<carol@example.test>\r\nRCPT TO:<a@outside.test>\r\nRCPT TO:<a@[1.2.3.4]>\r\n" RCPT),
     "220 250 250 550/5.1.1 550/5.7.1 550/5.7.1 250", 0},
    {MX,
     IN(HELLO "MAIL FROM:<\xc3\xbc@b.test>\r\nMAIL FROM:<\xc3\xbc@b.test> SMTPUTF8\r\n"
              "RCPT TO:<\xc3\xbc@example.test>\r\n"),
     "220 250 553/5.6.7 250 550/5.1.1", 0},
    {MX, IN(HELLO MAIL "RCPT TO:<\xc3\xbc@example.test>\r\n"), "220 250 250 553/5.6.7", 0},
    {MX,
     IN(HELLO "MAIL FROM:<a@b.test> FOO=1\r\nMAIL FROM:<a@b.test> SIZE=x\r\nMAIL FROM:<a@b.test> SIZE=1 SIZE=1\r\n"
              "MAIL FROM:<a@b.test> BODY=9\r\nMAIL FROM:<a@b.test> AUTH=<>\r\n"),
     "220 250 555/5.5.4 501/5.5.4 501/5.5.4 501 555", 0},
    {MX,
     IN(HELLO "MAIL FROM:<a@b.test> SIZE=1048577\r\nMAIL FROM:<a@b.test> SIZE=99999999999999999999\r\n"
              "MAIL FROM:<a@b.test> SIZE=1048576\r\n"),
     "220 250 552/5.3.4 552/5.3.4 250", 0},
    {MX,
     IN("HELO c.test\r\nMAIL FROM:<a@b.test> SIZE=1\r\nMAIL FROM:<a@b.test> BODY=8BITMIME\r\n" MAIL
        "RCPT TO:<alice@example.test> NOTIFY=NEVER\r\n" RCPT),
     "220 250 555 555 250 555 250", 0},
    {MX,
     IN(HELLO "MAIL FROM:<a@b.test> RET=HDRS ENVID=x+2By BODY=8BITMIME SMTPUTF8 SIZE=5\r\n"
              "RCPT TO:<alice@example.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b\r\nRCPT TO:<bob@example.test> X\r\n"),
     "220 250 250 250 555", 0},
    {FRIEND, IN(HELLO MAIL "RCPT TO:<a@outside.test>\r\nDATA\r\n" MSG "x" END), "220 250 250 250 354 250", 1},
    /* DATA */
    {MX, IN(DATA MSG "x" END "QUIT\r\n"), OPEN "354 250/2.0.0 221", 1},
    {MX, IN(DATA ".\r\n"), OPEN "354 250", 1},
    {MX, IN("HELO c.test\r\n" MAIL RCPT "DATA\r\n" MSG "x" END), "220 250 250 250 354 250", 1},
    {MX, IN(DATA MSG "x" END "DATA\r\n" MAIL RCPT "DATA\r\n" MSG "y" END), OPEN "354 250 503 250 250 354 250", 2},
    {MX, IN(HELLO MAIL "DATA\r\nRCPT TO:<carol@example.test>\r\nDATA\r\nRSET\r\nNOOP\r\n"),
     "220 250 250 503/5.5.1 550 554/5.5.1 250 250", 0},
    {MX, IN(DATA MSG "x\r\n."), OPEN "354", 0},
    {MX, IN(DATA "Received: by a\r\nReceived: by a\r\nReceived: by a\r\nReceived: by a\r\n" MSG "x" END),
     OPEN "354 250", 1},
    {MX,
     IN(DATA "Received: by a\r\nReceived: by a\r\nReceived: by a\r\nReceived: by a\r\nReceived: by a\r\n" MSG "x" END),
     OPEN "354 554/5.4.6", 0},
    {MX, IN(HELLO "MAIL FROM:<a@b.test> BODY=8BITMIME\r\n" RCPT "DATA\r\n" MSG "\xc3\xbc\xff" END), OPEN "354 250", 1},
    {MX, IN(DATA "Subject: \xc3\xbc\r\n\r\n\xc3\xbc" END), OPEN "354 250", 1},
    /* only CRLF.CRLF is the end */
    {MX, IN(DATA MSG "x\n.\n" MAIL ".\r\nNOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\n.\r\n" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r\n.\n" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r.\r" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r\n.\r" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r.\r\n" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r\n\0.\r\n" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r\n.\0\r\n" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r\n.\r\0\n" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r\n.\r\r\n" MAIL END "NOOP\r\n"), OPEN "354 554/5.6.11 250", 0},
    {MX, IN(DATA MSG "x\r\n..\r\n. \r\n" MAIL END "NOOP\r\n"), OPEN "354 250 250", 1},
    /* BDAT */
    {MX, IN(TX "BDAT 18 LAST\r\n" MSG "hi\r\nNOOP\r\n"), OPEN "250/2.0.0 250", 1},
    {MX, IN(TX "BDAT 14\r\n" MSG "BDAT 2\r\nhiBDAT 0 LAST\r\nNOOP\r\n"), OPEN "250 250 250/2.0.0 250", 1},
    {MX, IN(TX "bdat 0 last\r\nNOOP\r\n"), OPEN "250 250", 1},
    {MX, IN(TX "BDAT\r\nNOOP\r\n"), OPEN "501/5.5.4", 0}, /* what is behind is a chunk, perhaps */
    {MX, IN(TX "BDAT x\r\nNOOP\r\n"), OPEN "501/5.5.4", 0},
    {MX, IN(TX "BDAT -1\r\nNOOP\r\n"), OPEN "501/5.5.4", 0},
    {MX, IN(TX "BDAT 1 LAST x\r\nNOOP\r\n"), OPEN "501/5.5.4", 0},
    {MX, IN(TX "BDAT +6\r\n"), OPEN "501/5.5.4", 0},
    {MX, IN(TX "BDAT 4294967300 LAST\r\nNOOP\r\n"), OPEN "552/5.3.4", 0},
    {MX, IN(TX "BDAT 18446744073709551620 LAST\r\nNOOP\r\n"), OPEN "552/5.3.4", 0},
    {MX, IN(TX "BDAT 99999999999999999999999999999999999999999 LAST\r\nNOOP\r\n"), OPEN "552", 0},
    {MX, IN("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), "220 503/5.5.1 250", 0},
    {MX, IN(HELLO "BDAT 6\r\nQUIT\r\n" MAIL "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), "220 250 503 250 503 250", 0},
    {MX, IN(HELLO MAIL "RCPT TO:<x@example.test>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), "220 250 250 550 554 250", 0},
    {MX, IN(TX "BDAT 4\r\na: b" MAIL RCPT "DATA\r\nSTARTTLS\r\nNOOP\r\nBDAT 0 LAST\r\n"),
     OPEN "250 503 503 503 503 250 250", 1},
    {MX, IN(TX "BDAT 4\r\na: bRSET\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), OPEN "250 250 503 250", 0},
    {MX, IN(TX "BDAT 4\r\na: b" HELLO "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), OPEN "250 250 503 250", 0},
    {MX, IN(TX "BDAT 4 LAST\r\na: bBDAT 6\r\nQUIT\r\nNOOP\r\n"), OPEN "250 503 250", 1},
    {MX, IN(DATA MSG "x" END "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), OPEN "354 250 503 250", 1},
    {MX, IN(TX "BDAT 20 LAST\r\n" MSG "a\n.\nb\r"), OPEN "554/5.6.11", 0},
    {MX, IN(TX "BDAT 16\r\n" MSG "a\nBDAT 1\r\n.BDAT 3 LAST\r\n\nb\rNOOP\r\n"), OPEN "250 250 554/5.6.11 250", 0},
    {MX, IN(TX "BDAT 1\r\naQUIT\r\n"), OPEN "250 221", 0},
    {MX, IN(HELLO "MAIL FROM:<a@b.test> BODY=BINARYMIME\r\n" RCPT "DATA\r\nBDAT 20 LAST\r\n" MSG "a\n\0\r\xff."),
     OPEN "503/5.5.1 250", 1},
    {MX, IN(HELLO "MAIL FROM:<a@b.test> BODY=BINARYMIME\r\n" RCPT "BDAT 19 LAST\r\nA: b\nC: d\r\n\r\nabcdef"),
     OPEN "554/5.6.11", 0},
    /* LMTP */
    {LMTP,
     IN("EHLO c\r\nHELO c\r\n" MAIL "LHLO c.test\r\n" MAIL RCPT "RCPT TO:<x@example.test>\r\n"
        "RCPT TO:<bob@example.test>\r\nDATA\r\n" MSG "x" END "NOOP\r\n"),
     "220 500 500 503 250 250 250 550 250 354 250/2.0.0 250/2.0.0 250", 1},
    {LMTP, IN("LHLO c.test\r\n" MAIL RCPT "RCPT TO:<bob@example.test>\r\nDATA\r\n" MSG "x\ny" END "NOOP\r\n"),
     "220 250 250 250 250 354 554 554 250", 0},
    {LMTP, IN("LHLO c.test\r\n" MAIL "RCPT TO:<x@outside.test>\r\nDATA\r\n"), "220 250 250 550/5.7.1 503", 0},
    {LMTP, IN("LHLO c.test\r\n" MAIL RCPT RCPT "BDAT 14\r\n" MSG "BDAT 1 LAST\r\nxNOOP\r\n"),
     "220 250 250 250 250 250 250 250 250", 1},
    /* submission */
    {SUB, IN(HELLO MAIL RCPT), "220 250 530/5.7.0 503", 0},
    /* XCLIENT */
    {PROXY, IN("XCLIENT NAME=x.test ADDR=192.0.2.7 HELO=y.test PROTO=ESMTP\r\n"), "220 220", 0},
    {PROXY, IN("XCLIENT\r\n"), "220 501/5.5.4", 0},
    {PROXY, IN("XCLIENT NAME\r\n"), "220 501", 0},
    {PROXY, IN("XCLIENT FOO=x\r\n"), "220 501", 0},
    {PROXY, IN("XCLIENT ADDR=1.2.3\r\n"), "220 501", 0},
    {PROXY, IN("XCLIENT ADDR=1.2.3.4\r\nNOOP\r\n"), "220 554", 0},
    {PROXY, IN("EHLO a\r\n" MAIL "XCLIENT NAME=x\r\n"), "220 250 250 503", 0},
    /* limits: at the limit, and one more */
    {MX, IN("X\r\nX\r\nX\r\nX\r\nX\r\nNOOP\r\nX\r\nNOOP\r\n"), "220 500 500 500 500 500 250 421/4.7.0", 0},
    {MX,
     IN(HELLO MAIL "RCPT TO:<1@example.test>\r\nRCPT TO:<2@example.test>\r\nRCPT TO:<3@example.test>\r\n"
                   "RCPT TO:<4@example.test>\r\n" RCPT "RCPT TO:<5@example.test>\r\nNOOP\r\n"),
     "220 250 250 550 550 550 550 250 421/4.7.0", 0},
    {MX, IN(DATA MSG END MAIL RCPT "DATA\r\n" MSG END MAIL RCPT "DATA\r\n" MSG END MAIL "NOOP\r\n"),
     OPEN "354 250 250 250 354 250 250 250 354 250 421/4.7.0", 3},
};

static struct recv_listener *listeners[5];

static void make_listeners(void)
{
    static const enum recv_kind kinds[] = {RECV_MX, RECV_MX, RECV_SUBMISSION, RECV_LMTP, RECV_MX};
    static const int at[] = {0, 0, 2, 1, 0};
    for (int i = 0; i < 5; i++) {
        struct recv_listener_config c = {
            .conf = fake.conf, .conf_listener = &fake.conf->listeners[at[i]], .kind = kinds[i]};
        CHECK(recv_listener_new(&listeners[i], &c) == OK);
    }
}

static void begin(void)
{
    fake_begin(conf_text);
    rt_log_setup(LOG_ERROR, false, 2);
    make_listeners();
}

static void end(void)
{
    for (int i = 0; i < 5; i++)
        recv_listener_drop(&listeners[i]);
    fake_end();
    rt_stop();
}

/* A word of `want` without an enhanced code fits any. */
static bool fits(str got, const char *want)
{
    str w = str_c(want), g, k;
    while (str_cut(&w, ' ', &k)) {
        if (!k.n)
            continue;
        if (!str_cut(&got, ' ', &g) || !str_starts(g, k) || (g.n != k.n && g.p[k.n] != '/'))
            return false;
    }
    return !got.p || !got.n;
}

static void talk(enum where where, str in, struct buf *out)
{
    static const char *const ip[] = {"192.0.2.1", "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.9.9.9"};
    talk_all(listeners[where], ip[where], in, out);
}

static void run_cases(void *arg, int index)
{
    (void)arg;
    (void)index;
    int failed = 0;
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct tc *c = &cases[i];
        struct buf out, codes;
        unsigned before = fake.queued;
        buf_init(&out, 1 << 20);
        buf_init(&codes, 1 << 16);
        talk(c->where, c->in, &out);
        talk_codes(buf_str(&out), &codes);
        if (!fits(buf_str(&codes), c->want) || fake.queued - before != c->messages) {
            fprintf(stderr, "case %zu: " STR_FMT "\n  want %s, %u messages\n  got  " STR_FMT ", %u messages\n", i,
                    STR_ARG(c->in), c->want, c->messages, STR_ARG(buf_str(&codes)), fake.queued - before);
            failed++;
        }
        buf_free(&out);
        buf_free(&codes);
    }
    CHECK(!failed);
    end();
}

/* ---- what was stored ------------------------------------------------------------------------------------ */

static bool stored_has(const char *text) { return str_search(buf_str(&fake.octets), str_c(text)) != STR_NONE; }

static void say(enum where where, str in)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    talk(where, in, &out);
    buf_free(&out);
}

static void run_stored(void *arg, int index)
{
    (void)arg;
    (void)index;
    begin();
    say(MX, S(HELLO "MAIL FROM:<a@b.test> BODY=8BITMIME RET=HDRS ENVID=e1\r\n" RCPT "DATA\r\nMessage-ID: <m@x>\r\n" MSG
                    "..dot\r\n\xff" END));
    str all = buf_str(&fake.octets);
    CHECK(str_starts(all, S("Received: from c.test ([192.0.2.1])")));
    CHECK(stored_has("by mx.example.test") && stored_has("with ESMTP\r\n") && stored_has("for <alice@example.test>"));
    CHECK(str_ends(all, S("Message-ID: <m@x>\r\nSubject: x\r\n\r\n.dot\r\n\xff\r\n")));
    CHECK(fake.env.head_size + fake.env.body_size == all.n && fake.env.body_size == 9);
    CHECK(fake.env.flags == (ENV_DOT_LINE | ENV_8BIT_BODY) && fake.env.body == BODY_8BITMIME);
    CHECK(fake.env.ret == RET_HDRS && str_eq(fake.env.envid, S("e1")) && str_eq(fake.env.message_id, S("<m@x>")));
    CHECK(fake.env.nto == 1 && str_eq(fake.env.client, S("192.0.2.1")) && str_eq(fake.env.helo, S("c.test")));
    CHECK(fake.env.expires_ms - fake.env.arrived_ms == 5 * 86400000ll);
    say(MX, S("HELO c.test\r\nMAIL FROM:<>\r\n" RCPT "RCPT TO:<bob@example.test>\r\nDATA\r\nno header\r\n\r\nx" END));
    all = buf_str(&fake.octets);
    CHECK(stored_has("with SMTP\r\n") && !stored_has("for <") && str_ends(all, S("\r\n\r\nno header\r\n\r\nx\r\n")));
    CHECK(fake.env.body_size == 16 && fake.env.expires_ms - fake.env.arrived_ms == 2 * 86400000ll);
    say(MX, S(TX "BDAT 3\r\na: BDAT 4\r\nb\r\n\rBDAT 3 LAST\r\n\n.."));
    CHECK(str_ends(buf_str(&fake.octets), S("a: b\r\n\r\n..\r\n")) && fake.env.flags == ENV_DOT_LINE);
    say(MX, S(HELLO "MAIL FROM:<a@b.test> BODY=BINARYMIME\r\n" RCPT "BDAT 8 LAST\r\n\r\n\r\0\n.\nx"));
    CHECK(str_ends(buf_str(&fake.octets), S("\r\n\r\n\r\0\n.\nx")));
    CHECK(fake.env.flags == (ENV_BARE_EOL | ENV_NUL | ENV_NO_FINAL_EOL) && fake.env.body == BODY_BINARYMIME);
    say(LMTP, S("LHLO c.test\r\nMAIL FROM:<a@b.test> SMTPUTF8\r\n" RCPT "DATA\r\n" MSG END));
    CHECK(stored_has("with UTF8LMTP\r\n") && fake.env.flags == ENV_SMTPUTF8);
    end();
}

/* ---- large ones: chunks go to the spool, memory stays bounded --------------------------------------------- */

static void add_lines(struct buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%060zu\r\n", i);
}

static void run_large(void *arg, int index)
{
    (void)arg;
    (void)index;
    begin();
    struct buf in, out, codes;
    buf_init(&in, 4 << 20);
    buf_init(&out, 1 << 16);
    buf_init(&codes, 1 << 16);
    buf_add_c(&in, DATA MSG);
    size_t from = in.n;
    add_lines(&in, 16000); /* 992,000 octets */
    size_t to = in.n;
    buf_add_c(&in, ".\r\n" MAIL RCPT "DATA\r\n" MSG);
    add_lines(&in, 17000); /* 1,054,000: above the limit of 1 MB */
    buf_add_c(&in, ".\r\nNOOP\r\n" MAIL RCPT "DATA\r\n");
    for (int i = 0; i < 70; i++)
        buf_printf(&in, "X-%d: %060d\r\n", i, i); /* a header above 4 KB */
    buf_add_c(&in, END "NOOP\r\n");
    talk(MX, buf_str(&in), &out);
    talk_codes(buf_str(&out), &codes);
    CHECK(str_eq(buf_str(&codes), S("220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 250/2.1.0 250/2.1.5 354 552/5.3.4 "
                                    "250/2.0.0 250/2.1.0 250/2.1.5 354 552/5.3.4 250/2.0.0")));
    CHECK(fake.queued == 1 && fake.puts >= 7 && fake.puts <= 9 && fake.forgotten == 1);
    CHECK(str_ends(buf_str(&fake.octets), str_sub(buf_str(&in), from, to)));
    CHECK(str_starts(buf_str(&fake.octets), S("Received: ")) && fake.env.body_size == to - from);
    buf_free(&in);
    buf_free(&out);
    buf_free(&codes);
    end();
}

/* ---- the store refuses ---------------------------------------------------------------------------------------- */

static void expect(str in, const char *want)
{
    struct buf out, codes;
    buf_init(&out, 1 << 20);
    buf_init(&codes, 1 << 16);
    talk(MX, in, &out);
    talk_codes(buf_str(&out), &codes);
    if (!fits(buf_str(&codes), want)) {
        fprintf(stderr, "want %s\ngot  " STR_FMT "\n", want, STR_ARG(buf_str(&codes)));
        _exit(1);
    }
    buf_free(&out);
    buf_free(&codes);
}

static void run_refused(void *arg, int index)
{
    (void)arg;
    (void)index;
    begin();
    fake.room = E_DISK_FULL;
    expect(S(TX "DATA\r\n"), "220 250 452/4.3.1 503 503");
    fake.room = OK;
    static const struct {
        err e;
        const char *want;
    } puts[] = {{E_DISK_FULL, OPEN "354 452/4.3.1 250"},
                {E_QUEUE_FULL, OPEN "354 452/4.3.1 250"},
                {E_IO, OPEN "354 451/4.3.0 250"},
                {E_NOMEM, OPEN "354 452/4.3.1 250"}};
    for (size_t i = 0; i < sizeof puts / sizeof *puts; i++) {
        fake.put = puts[i].e;
        expect(S(DATA MSG "x" END "NOOP\r\n"), puts[i].want);
    }
    CHECK(fake.queued == 0);
    fake.put = OK;
    expect(S(DATA MSG "x" END), OPEN "354 250/2.0.0");
    CHECK(fake.queued == 1);
    end();
}

/* Each answer of EHLO, and lines that are too long. */
static void run_texts(void *arg, int index)
{
    (void)arg;
    (void)index;
    begin();
    struct buf in, out;
    buf_init(&in, 4 << 20);
    buf_init(&out, 1 << 16);
    talk(MX, S(HELLO), &out);
    CHECK(
        str_eq(buf_str(&out), S("220 mx.example.test ESMTP postrider ready\r\n250-mx.example.test\r\n250-PIPELINING\r\n"
                                "250-SIZE 1048576\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                                "250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n250-LIMITS MAILMAX=3 RCPTMAX=100\r\n"
                                "250-VRFY\r\n250 HELP\r\n")));
    buf_clear(&out);
    talk(PROXY, S(HELLO), &out);
    CHECK(str_search(buf_str(&out), S("250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n")) !=
          STR_NONE);
    static const size_t lengths[] = {4094, 4095, 70000, 900000};
    for (size_t i = 0; i < 4; i++) {
        buf_clear(&in);
        buf_clear(&out);
        buf_add_c(&in, "NOOP ");
        while (in.n < lengths[i])
            buf_add_char(&in, 'x');
        buf_add_c(&in, "\r\nNOOP\r\n");
        struct buf codes;
        buf_init(&codes, 1000);
        talk(MX, buf_str(&in), &out);
        talk_codes(buf_str(&out), &codes);
        CHECK(fits(buf_str(&codes), i ? "220 500/5.5.2 250" : "220 250 250"));
        buf_free(&codes);
    }
    buf_free(&in);
    buf_free(&out);
    end();
}

static void all_cases(void **state) { (void)state, world(1, run_cases); }
static void stored(void **state) { (void)state, world(1, run_stored); }
static void large(void **state) { (void)state, world(1, run_large); }
static void refused(void **state) { (void)state, world(1, run_refused); }
static void texts(void **state) { (void)state, world(1, run_texts); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_cases), cmocka_unit_test(stored), cmocka_unit_test(large),
                                       cmocka_unit_test(refused), cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
