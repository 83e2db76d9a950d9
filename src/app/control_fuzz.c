/*
 * Requests on the control socket of a server whose queue holds a few messages. With an odd first octet the rest is
 * words, one a line, and behind an empty line what is uploaded; else it is all of the octets of a request. The answer
 * ends in order, and the queue can be emptied.
 */
#include "app/fuzz_world.h"
#include "base/cleanup.h"
#include "ctl/ctl.h"

#include <sys/un.h>

static const char conf_text[] = "hostname = \"relay.test\"\n"
                                "data-dir = \"data\"\n"
                                "listener mx { address = \"127.0.0.1:25001\" }\n"
                                "queue { delays = {\"1h\"}  idle-time = \"0\" }\n"
                                "domain example.test { mailboxes = {\"bob\"} }\n"
                                "domain plain.test { deliver = \"smtp://127.0.0.1:@1\" }\n"
                                "route \"*\" { via = \"smtp://127.0.0.1:@0\" }\n";

static struct recv_listener *listener;
static struct sockaddr_un path;

static void serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    world_serve(SOCKET_CONTROL, fd);
}

static void begin(void)
{
    struct recv_listener_config c = {.conf = world.conf, .kind = RECV_LOCAL};
    int fd;
    MUST(recv_listener_new(&listener, &c) == OK);
    path.sun_family = AF_UNIX;
    snprintf(path.sun_path, sizeof path.sun_path, "%s/control", fw.folder);
    MUST(rt_listen((struct sockaddr *)&path, sizeof path, false, 16, &fd) == OK);
    world.folders.data = open(fw.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(fiber_spawn(serve, (void *)(intptr_t)fd, "control"));
}

/* Two that wait after a try, one of them for two recipients. */
static void fill(void)
{
    struct queue_stats st;
    struct buf out;
    queue_stats(world.queue, &st);
    if (st.messages)
        return;
    buf_init(&out, 1 << 20);
    fuzz_talk(listener, "10.0.0.1",
              S("EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<d1@outside.test>\r\nRCPT TO:<d2@plain.test>\r\nDATA\r\n"
                "Subject: first\r\n\r\nx\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<d3@outside.test>\r\nDATA\r\n\r\ny\r\n.\r\n"),
              0, &out);
    buf_free(&out);
}

static void request(str in, struct buf *out)
{
    str words[64], line;
    size_t n = 0;
    if (!(in.p[0] & 1)) {
        buf_add(out, str_skip(in, 1));
        return;
    }
    str rest = str_skip(in, 1);
    while (n < 64 && str_cut(&rest, '\n', &line) && (line.n || !n) && rest.p)
        words[n++] = line;
    ctl_request_encode(out, words, n);
    buf_add(out, rest);
}

/* Frames, an empty one, the status. A server that closes early says nothing at all. */
static void check_answer(str all)
{
    while (all.n) {
        uint32_t n;
        MUST(all.n >= 4);
        memcpy(&n, all.p, 4);
        all = str_skip(all, 4);
        n &= ~CTL_FRAME_ERROR;
        MUST(n <= CTL_FRAME_MAX && n <= all.n);
        if (!n) {
            MUST(all.n == 1);
            return;
        }
        all = str_skip(all, n);
    }
}

static void ask(str bytes, struct buf *out)
{
    struct conn c;
    struct sockaddr_storage to = {0};
    memcpy(&to, &path, sizeof path);
    MUST(net_connect(&c, &(struct target){.to = to}, rt_after(20 * RT_S)) == OK);
    conn_write(&c, bytes);
    conn_flush(&c);
    conn_hear(&c);
    io_shutdown(&c.io);
    for (size_t n = 1; n;) {
        char *p = buf_room(out, 65536);
        MUST(p);
        if (conn_read(&c, p, 65536, &n) != OK)
            break;
        out->n += n;
    }
    MUST(c.e != E_TIMEOUT);
    conn_close(&c);
}

static void one(str in)
{
    struct buf bytes, answer;
    buf_init(&bytes, 2 << 20);
    buf_init(&answer, 64 << 20);
    fill();
    request(in, &bytes);
    ask(buf_str(&bytes), &answer);
    check_answer(buf_str(&answer));
    if (in.p[0] & 2)
        fuzz_settle();
    fuzz_sweep();
    buf_free(&bytes);
    buf_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fw.conf = conf_text;
    fw.begin = begin;
    fw.one = one;
    fw.visit = fuzz_strict_server;
    if (size > 1)
        fuzz_run(str_mem(data, size));
    return 0;
}
