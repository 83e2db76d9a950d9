/*
 * A whole session: the first octet chooses the listener, the rest is what a client sends. Checked besides memory:
 * every answer is a reply, and nothing is stored that could be read as more than one message.
 */
#include "recv/test_session.h"

#include <pthread.h>

static const char conf_text[] =
    "hostname = \"mx.example.test\"\n"
    "relay-from = {\"10.0.0.0/8\"}\n"
    "xclient-from = {\"10.9.9.9\"}\n"
    "listener mx { address = \"127.0.0.1:25001\" }\n"
    "listener lmtp { address = \"127.0.0.1:25002\"  protocol = \"lmtp\" }\n"
    "listener sub { address = \"127.0.0.1:25003\"  submission = true }\n"
    "limits { message-size = \"300KB\"  header-size = \"4KB\" }\n"
    "domain example.test { mailboxes = {\"alice\", \"bob\"}  archive = \"bob@example.test\" }\n"
    "domain lists.test { deliver = \"discard\" }\n"
    "domain catch.test { catch-all = \"x@outside.test\" }\n"
    "alias \"info@example.test\" { to = {\"alice@example.test\", \"bob@example.test\", \"far@outside.test\"} }\n";

static struct recv_listener *listeners[4];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool ready, done;
static str input;

static void check_replies(str all)
{
    str line;
    while (str_cut(&all, '\n', &line)) {
        if (!line.n && !all.p)
            return;
        CHECK(line.n >= 5 && line.p[line.n - 1] == '\r');
        CHECK(line.p[0] >= '2' && line.p[0] <= '5' && ascii_digit(line.p[1]) && ascii_digit(line.p[2]));
        CHECK(line.p[3] == ' ' || line.p[3] == '-');
    }
}

static void check_stored(void)
{
    str all = buf_str(&fake.octets);
    CHECK(fake.env.head_size + fake.env.body_size == all.n && str_starts(all, S("Received: ")));
    str look = fake.env.body == BODY_BINARYMIME ? str_sub(all, 0, fake.env.head_size) : all;
    for (size_t i = 0; i < look.n; i++) {
        CHECK(look.p[i] != 0);
        CHECK(look.p[i] != '\r' || (i + 1 < all.n && all.p[i + 1] == '\n'));
        CHECK(look.p[i] != '\n' || (i && look.p[i - 1] == '\r'));
    }
}

static void run_input(void *arg)
{
    (void)arg;
    static const char *const ip[] = {"192.0.2.1", "10.0.0.1", "10.9.9.9", "192.0.2.1"};
    unsigned which = (unsigned char)input.p[0] % 4;
    struct buf out;
    buf_init(&out, 64 << 20);
    unsigned before = fake.queued;
    talk_all(listeners[which], ip[(unsigned char)input.p[0] / 4 % 4], str_skip(input, 1), &out);
    check_replies(buf_str(&out));
    if (fake.queued != before)
        check_stored();
    buf_free(&out);
    pthread_mutex_lock(&mutex);
    done = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static void got_input(struct post *p)
{
    (void)p;
    CHECK(fiber_spawn(run_input, NULL, "input"));
}

static void init(void *arg, int index)
{
    (void)arg, (void)index;
    pthread_mutex_lock(&mutex);
    ready = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static void *run_world(void *arg)
{
    (void)arg;
    struct rt_start s = {.nloops = 1, .npool = 1, .init = init, .drain = RT_S};
    CHECK(rt_run(&s) == OK);
    return NULL;
}

/* rt_run happens once in a process: the loop runs beside, and inputs are posted to it. */
static void start(void)
{
    static const enum recv_kind kinds[] = {RECV_MX, RECV_LMTP, RECV_SUBMISSION, RECV_LOCAL};
    pthread_t t;
    fake_begin(conf_text);
    rt_log_setup(LOG_ERROR, false, 2);
    for (int i = 0; i < 4; i++) {
        struct recv_listener_config c = {
            .conf = fake.conf, .conf_listener = i < 3 ? &fake.conf->listeners[i] : NULL, .kind = kinds[i]};
        CHECK(recv_listener_new(&listeners[i], &c) == OK);
    }
    pthread_mutex_lock(&mutex);
    CHECK(pthread_create(&t, NULL, run_world, NULL) == 0);
    while (!ready)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    pthread_detach(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct post post = {.run = got_input};
    if (!ready)
        start();
    if (!size)
        return 0;
    input = str_mem(data, size);
    pthread_mutex_lock(&mutex);
    done = false;
    rt_post(rt_loop(0), &post);
    while (!done)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return 0;
}
