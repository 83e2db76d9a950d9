/* The channel between worker and keeper: thousands of questions while keepers die, cancelled askers, sizes at their
 * limits, questions of the wrong class, and stale answers. A supervisor process forks one keeper after the other. */
#include "rt/test_world.h"

#include "priv/channel.c"
#include "priv/sign_key.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static struct shared {
    volatile pid_t keeper;
    volatile int started;
} * shared;
static struct priv_links links;
/* RFC 8463 A.2 */
#define BULK_KEY S("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")

static void run_keeper(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct priv_login login = {S("example.test"), S("s3cret")};
    const struct priv_signer signer = {.name = S("bulk"), .key = BULK_KEY};
    CHECK(priv_setup(&(struct priv_secrets){
              .srs = S("Jefe"), .logins = &login, .nlogins = 1, .signers = &signer, .nsigners = 1}) == OK);
    CHECK(priv_serve(&links, 2) == OK);
    shared->keeper = getpid();
    shared->started++;
    for (;;)
        pause();
}

static pid_t supervise(void)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        pid_t k = fork();
        CHECK(k >= 0);
        if (k == 0)
            run_keeper();
        int status;
        waitpid(k, &status, 0);
    }
}

enum { ASKERS = 300, ROUNDS = 40, KILLS = 6 };
static int left;

static void wait_keeper(int n)
{
    while (shared->started < n)
        CHECK(fiber_sleep(rt_after(2 * RT_MS)) == OK);
}

static void kill_keeper(int signal) { CHECK(kill(shared->keeper, signal) == 0); }

/* Stopping takes its time, thread by thread. */
static bool all_stopped(void)
{
    char path[64], line[256], state = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)shared->keeper);
    DIR *d = opendir(path);
    CHECK(d);
    bool all = true;
    for (struct dirent *t; (t = readdir(d));) {
        if (t->d_name[0] == '.')
            continue;
        char stat[400];
        snprintf(stat, sizeof stat, "%s/%s/stat", path, t->d_name);
        FILE *f = fopen(stat, "r");
        char *end = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
        state = end ? end[2] : 0;
        all = all && state == 'T';
        if (f)
            fclose(f);
    }
    closedir(d);
    return all;
}

/* ---- many, while keepers die ---- */

static void asker(void *arg)
{
    (void)arg;
    static const unsigned char want[4] = {0x5b, 0xdc, 0xc1, 0x46};
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char mac[PRIV_MAC_SIZE] = {0};
        err e = priv_srs_mac(S("what do ya want for nothing?"), mac);
        CHECK(e == OK && memcmp(mac, want, 4) == 0);
        CHECK(!priv_srs_verify(S("x"), S("aaaa")));
        if (i % 8 == 0)
            CHECK(fiber_sleep(rt_after(RT_MS * (rt_time)rt_random_below(40))) == OK);
    }
    left--;
}

/* Of bulk work several questions are taken at once and answered in one packet: everybody gets his own. */
static void signing(void *arg)
{
    struct sign_key *key = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned char hash[PRIV_MAC_SIZE] = {0};
        uint64_t any = rt_random();
        char mem[2][PRIV_SIG_MAX];
        struct buf got, want;
        memcpy(hash, &any, sizeof any);
        buf_init_fixed(&got, mem[0], sizeof mem[0]);
        buf_init_fixed(&want, mem[1], sizeof mem[1]);
        CHECK(sign_key_sign(key, hash, &want) == OK);
        CHECK(i % 4 == 3 ? priv_mail_sign(S("nobody"), hash, &got) == E_NOT_FOUND && !got.n
                         : priv_mail_sign(S("bulk"), hash, &got) == OK && str_eq(buf_str(&got), buf_str(&want)));
    }
    left--;
}

static void test_deaths(void)
{
    struct sign_key *key = NULL;
    CHECK(sign_key_read(BULK_KEY, &key) == OK);
    wait_keeper(1);
    left = ASKERS + ASKERS;
    for (int i = 0; i < ASKERS; i++)
        CHECK(fiber_spawn(signing, key, "signing"));
    for (int i = 0; i < ASKERS; i++)
        CHECK(fiber_spawn(asker, NULL, "asker"));
    for (int i = 0; i < KILLS; i++) {
        CHECK(fiber_sleep(rt_after(25 * RT_MS)) == OK);
        int before = shared->started;
        kill_keeper(SIGKILL);
        wait_keeper(before + 1);
    }
    while (left)
        CHECK(fiber_sleep(rt_after(5 * RT_MS)) == OK);
    struct channel *ch = channels[rt_index()][PRIV_FAST];
    CHECK(ch->ncalls == 0 && list_empty(&ch->calls) && !ch->reader);
    sign_key_free(&key);
}

/* ---- who is cancelled leaves nothing behind, least of all the reading ---- */

static int answered, cancelled_n;

static void patient(void *arg)
{
    unsigned char mac[PRIV_MAC_SIZE];
    (void)arg;
    err e = priv_srs_mac(S("x"), mac);
    answered += e == OK;
    cancelled_n += e == E_CANCELLED;
    CHECK(e == OK || e == E_CANCELLED);
}

static void test_cancel(void)
{
    struct fiber *f[10];
    kill_keeper(SIGSTOP);
    while (!all_stopped())
        CHECK(fiber_sleep(rt_after(2 * RT_MS)) == OK);
    for (int i = 0; i < 10; i++)
        CHECK((f[i] = fiber_spawn(patient, NULL, "patient")));
    CHECK(fiber_sleep(rt_after(20 * RT_MS)) == OK);
    fiber_cancel(f[0]); /* it was the reader */
    fiber_cancel(f[5]);
    CHECK(fiber_sleep(rt_after(20 * RT_MS)) == OK);
    CHECK(cancelled_n == 2 && answered == 0);
    kill_keeper(SIGCONT);
    while (answered < 8)
        CHECK(fiber_sleep(rt_after(2 * RT_MS)) == OK);
    /* The answers to the two are not taken for somebody else's. */
    unsigned char mac[PRIV_MAC_SIZE];
    CHECK(priv_srs_mac(S("what do ya want for nothing?"), mac) == OK && mac[0] == 0x5b);
    CHECK(channels[rt_index()][PRIV_FAST]->under_way == 0);
}

/* ---- limits ---- */

static void test_limits(void)
{
    static char big[PRIV_TEXT_MAX + 1];
    unsigned char mac[PRIV_MAC_SIZE];
    struct buf b;
    CHECK(priv_srs_mac(str_mem(big, PRIV_TEXT_MAX), mac) == OK);
    CHECK(priv_srs_mac(str_mem(big, PRIV_TEXT_MAX + 1), mac) == E_LIMIT);
    buf_init(&b, 100);
    CHECK(priv_password(S("example.test"), &b) == OK && str_eq(buf_str(&b), S("s3cret")));
    CHECK(priv_password(S("other.test"), &b) == E_NOT_FOUND);
    buf_free(&b);
    /* A worker that breaks the rules: wrong class, unknown question, length that is none, too long. */
    static struct {
        struct priv_head head;
        char text[PRIV_MESSAGE_MAX];
    } p;
    struct channel *ch = channels[rt_index()][PRIV_SLOW];
    int fd = ch->fd;
    static const struct {
        struct priv_head head;
        size_t n;
        int answer; /* -1: none */
    } cases[] = {
        {{7, PRIV_srs_mac, 1}, 1, E_UNSUPPORTED},
        {{8, PRIV_REQUESTS, 0}, 0, E_UNSUPPORTED},
        {{9, 0xffffffff, 0}, 0, E_UNSUPPORTED},
        {{10, PRIV_srs_mac, 5}, 4, -1},
        {{11, PRIV_srs_mac, 0x80000000}, 4, -1},
        {{12, PRIV_REQUESTS, PRIV_MESSAGE_MAX}, PRIV_MESSAGE_MAX, E_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        p.head = cases[i].head;
        CHECK(send(fd, &p, sizeof p.head + cases[i].n, 0) > 0);
    }
    int got = 0;
    for (int i = 0; i < 30000 && got < 4; i++) {
        ssize_t n = recv(fd, &p, sizeof p, MSG_DONTWAIT);
        if (n < 0) {
            CHECK(fiber_sleep(rt_after(2 * RT_MS)) == OK);
            continue;
        }
        if (p.head.what == PRIV_HELLO)
            continue;
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
            if (cases[k].head.id == p.head.id) {
                CHECK((int)p.head.what == cases[k].answer && p.head.n == 0);
                got++;
            }
    }
    CHECK(got == 4);
}

/* ---- a keeper that begins: only what was asked before is asked again ---- */

static struct channel lone;
static bool lone_answered;

static void ask_lone(void *arg)
{
    CHECK(ask(&lone, arg, PRIV_FAST) == E_NOT_FOUND);
    lone_answered = true;
}

static void say(int fd, uint64_t id, uint32_t what)
{
    struct priv_head head = {id, what, 0};
    CHECK(send(fd, &head, sizeof head, 0) == sizeof head);
}

/* The next question; 0: none yet. */
static uint64_t question(int fd)
{
    static char packet[PRIV_PACKET_MAX];
    struct priv_head head;
    if (recv(fd, packet, sizeof packet, MSG_DONTWAIT) < (ssize_t)sizeof head)
        return 0;
    memcpy(&head, packet, sizeof head);
    return head.id;
}

static uint64_t wait_question(int fd)
{
    uint64_t id;
    while (!(id = question(fd)))
        CHECK(fiber_sleep(rt_after(2 * RT_MS)) == OK);
    return id;
}

static void test_begins(void)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    lone = (struct channel){.io = IO_NONE, .fd = pair[0], .next_id = 1};
    list_init(&lone.calls);
    for (int more = 0; more < 2; more++) {
        struct call c = {.head = {.what = PRIV_srs_mac}};
        lone_answered = false;
        say(pair[1], 0, PRIV_HELLO); /* nobody asks, nobody reads */
        CHECK(fiber_spawn(ask_lone, &c, "asker"));
        uint64_t id = wait_question(pair[1]);
        CHECK(fiber_sleep(rt_after(20 * RT_MS)) == OK && !question(pair[1]));
        if (more) { /* now one dies with what it was asked */
            say(pair[1], 0, PRIV_HELLO);
            CHECK(wait_question(pair[1]) == id);
        }
        say(pair[1], id, E_NOT_FOUND);
        while (!lone_answered)
            CHECK(fiber_sleep(rt_after(2 * RT_MS)) == OK);
        CHECK(c.again == more);
    }
    io_close(&lone.io);
    close(pair[1]);
}

static void all_cases(void *arg, int index)
{
    (void)arg;
    if (index == 0) {
        test_begins();
        test_deaths();
        test_cancel();
        test_limits();
        rt_stop();
    }
}

static void test_channel(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    assert_int_equal(priv_links_open(&links, 2), OK);
    pid_t supervisor = supervise();
    assert_int_equal(priv_connect(&links), OK);
    world(2, all_cases);
    kill(supervisor, SIGKILL);
    kill(shared->keeper, SIGKILL);
    waitpid(supervisor, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_channel)};
    return cmocka_run_group_tests_name("priv/channel", tests, NULL, NULL);
}
