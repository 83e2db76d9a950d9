/*
 * The SMTP and LMTP client against a server that says the input. The first octet chooses a message and where it
 * goes, the second how the server talks: all at once, or one reply for each time that the client waits. Whatever it
 * says, the message comes to an end in the queue, and what the client says is lines.
 */
#include "app/fuzz_world.h"
#include "base/text.h"

static const char conf_text[] = "hostname = \"relay.test\"\n"
                                "data-dir = \"data\"\n"
                                "postmaster = \"bob@example.test\"\n"
                                "listener mx { address = \"127.0.0.1:25001\" }\n"
                                "queue { delays = {\"1h\"}  idle-time = \"0\" }\n"
                                "send { greeting-time = \"2s\"  command-time = \"2s\"  end-time = \"2s\" }\n"
                                "domain example.test { mailboxes = {\"bob\"} }\n"
                                "domain lmtp.test { deliver = \"lmtp://127.0.0.1:@0\" }\n"
                                "route \"tls.test\" { via = \"smtp://127.0.0.1:@0\"  tls = \"require\" }\n"
                                "route \"two.test\" { via = {\"smtp://127.0.0.1:@0\", \"smtp://127.0.0.1:@1\"} }\n"
                                "route \"*\" { via = \"smtp://127.0.0.1:@0\" }\n";

#define MAIL "EHLO c\r\nMAIL FROM:<bob@example.test>"
#define REPORTS                                                                                                        \
    "RCPT TO:<a@b.test> NOTIFY=SUCCESS,FAILURE\r\nRCPT TO:<b@b.test>\r\nRCPT TO:<c@b.test> ORCPT=rfc822;x@y\r\n"
#define NOBODY "EHLO c\r\nMAIL FROM:<>\r\n"
#define SECOND "MAIL FROM:<bob@example.test>\r\nRCPT TO:<d@b.test>\r\nDATA\r\n\r\nsecond\r\n.\r\n"
#define UTF8 "Content-Type: text/plain; charset=utf-8\r\n\r\n"
static const char *const messages[] = {
    MAIL "\r\nRCPT TO:<a@b.test>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\nx\r\n.\r\n",
    MAIL " BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<\xc3\xbc@b.test>\r\nDATA\r\nSubject: \xc3\xbc\r\n\r\n\xc3\xbc\r\n.\r\n",
    MAIL " BODY=8BITMIME RET=HDRS ENVID=e\r\n" REPORTS "DATA\r\nMIME-Version: 1.0\r\n" UTF8 "\xc3\xbc\r\n.\r\n",
    MAIL "\r\nRCPT TO:<a@lmtp.test>\r\nRCPT TO:<b@lmtp.test>\r\nDATA\r\n\r\nx\r\n.\r\n",
    MAIL " BODY=BINARYMIME\r\nRCPT TO:<a@b.test>\r\nBDAT 19 LAST\r\nA: b\r\n\r\n\x01\xff\r\nb\nccc\r\n",
    MAIL "\r\nRCPT TO:<a@tls.test>\r\nDATA\r\n\r\nx\r\n.\r\n",
    MAIL "\r\nRCPT TO:<a@two.test>\r\nRCPT TO:<b@two.test>\r\nDATA\r\n\r\nx\r\n.\r\n",
    NOBODY "RCPT TO:<a@b.test>\r\nDATA\r\n\r\nx\r\n.\r\n" SECOND,
};

static struct recv_listener *listener;
static str script;
static bool lockstep;

static void begin(void)
{
    struct recv_listener_config c = {.conf = world.conf, .kind = RECV_LOCAL};
    MUST(recv_listener_new(&listener, &c) == OK);
}

/* One whole reply of the script: lines up to one without a '-' in its fourth place. */
static str next_reply(str *rest)
{
    str all = *rest, line;
    while (str_cut(rest, '\n', &line) && rest->n)
        if (line.n < 4 || line.p[3] != '-')
            break;
    return str_sub(all, 0, all.n - rest->n);
}

static void visit(struct conn *c, int which)
{
    str rest = which ? str_skip(script, script.n / 2) : script, said;
    char junk[1024];
    size_t n = 1;
    while (lockstep && rest.n && c->e == OK) {
        conn_write(c, next_reply(&rest));
        conn_flush(c);
        if (conn_peek(c, &said) != OK)
            return;
        conn_took(c, said.n);
    }
    conn_write(c, rest);
    conn_flush(c);
    io_shutdown(&c->io);
    while (n && conn_read(c, junk, sizeof junk, &n) == OK)
        ;
}

static void one(str in)
{
    unsigned char what = (unsigned char)in.p[0];
    struct buf out;
    buf_init(&out, 1 << 20);
    script = str_skip(in, 2);
    lockstep = in.p[1] & 1;
    str session = str_c(messages[what % (sizeof messages / sizeof *messages)]);
    fuzz_talk(listener, "10.0.0.1", session, 0, &out);
    buf_free(&out);
    fuzz_settle();
    for (rt_time until = rt_after(20 * RT_S); fw.visits;) {
        MUST(rt_now() < until); /* the client keeps a connection for ever */
        fiber_sleep(rt_after(RT_MS / 5));
    }
    fuzz_sweep();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fw.conf = conf_text;
    fw.begin = begin;
    fw.one = one;
    fw.visit = visit;
    if (size > 2)
        fuzz_run(str_mem(data, size));
    return 0;
}
