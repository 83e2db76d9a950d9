/*
 * A whole session with the server, everything real behind it. The first octet chooses listener and client address, the
 * second how many octets travel at a time; the rest is what the client says. Besides memory: every answer is a
 * reply; what goes out is one orderly transaction after another (fuzz_world.h); every message comes to an end.
 */
#include "app/fuzz_world.h"
#include "base/text.h"

static const char conf_text[] =
    "hostname = \"mx.example.test\"\n"
    "data-dir = \"data\"\n"
    "relay-from = {\"10.0.0.0/8\"}\n"
    "xclient-from = {\"10.9.9.9\"}\n"
    "postmaster = \"bob@example.test\"\n"
    "listener mx { address = \"127.0.0.1:25001\" }\n"
    "listener lmtp { address = \"127.0.0.1:25002\"  protocol = \"lmtp\" }\n"
    "listener sub { address = \"127.0.0.1:25003\"  submission = true }\n"
    "limits { message-size = \"300KB\"  header-size = \"4KB\" }\n"
    "queue { delays = {\"1h\"}  idle-time = \"0\" }\n"
    "domain example.test { mailboxes = {\"alice\", \"bob\"}  archive = \"bob@example.test\" }\n"
    "domain lists.test { deliver = \"discard\" }\n"
    "domain catch.test { catch-all = \"x@outside.test\" }\n"
    "domain lmtp.test { deliver = \"lmtp://127.0.0.1:@0\" }\n"
    "domain plain.test { deliver = \"smtp://127.0.0.1:@1\" }\n"
    "route \"*\" { via = \"smtp://127.0.0.1:@0\" }\n"
    "alias \"info@example.test\" { to = {\"alice@example.test\", \"far@outside.test\", \"x@plain.test\"} }\n";

static struct recv_listener *listeners[4];

static void begin(void)
{
    static const enum recv_kind kinds[] = {RECV_MX, RECV_LMTP, RECV_SUBMISSION, RECV_LOCAL};
    for (int i = 0; i < 4; i++) {
        struct recv_listener_config c = {
            .conf = world.conf, .conf_listener = i < 3 ? &world.conf->listeners[i] : NULL, .kind = kinds[i]};
        MUST(recv_listener_new(&listeners[i], &c) == OK);
    }
}

static void check_replies(str all)
{
    str line;
    while (str_cut(&all, '\n', &line)) {
        if (!line.n && !all.p)
            return;
        MUST(line.n >= 5 && line.p[line.n - 1] == '\r');
        MUST(line.p[0] >= '2' && line.p[0] <= '5' && ascii_digit(line.p[1]) && ascii_digit(line.p[2]));
        MUST(line.p[3] == ' ' || line.p[3] == '-');
    }
}

static void one(str in)
{
    static const char *const ip[] = {"192.0.2.1", "10.0.0.1", "10.9.9.9", "10.0.0.1"};
    unsigned char which = (unsigned char)in.p[0], step = (unsigned char)in.p[1];
    struct buf out;
    buf_init(&out, 64 << 20);
    fuzz_talk(listeners[which % 4], ip[which / 4 % 4], str_skip(in, 2), step < 128 ? 0 : step - 127u, &out);
    check_replies(buf_str(&out));
    buf_free(&out);
    fuzz_settle();
    fuzz_sweep();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fw.conf = conf_text;
    fw.begin = begin;
    fw.one = one;
    fw.visit = fuzz_strict_server;
    if (size > 2)
        fuzz_run(str_mem(data, size));
    return 0;
}
