/*
 * What the history costs: history-bench FOLDER MESSAGES writes that many synthetic messages (two events each) and
 * then asks for some; history-bench FOLDER only asks. Prints what was measured, asserts nothing.
 */
#include "base/cleanup.h"
#include "history/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <time.h>

static const char *folder;
static uint64_t messages;
static struct history *history;
static const uint64_t first_id = 1ull << 50, id_step = 977;

static void addresses(uint64_t i, char from[64], char to[64])
{
    snprintf(from, 64, "news-%llu@sender%llu.example", (unsigned long long)(i % 5000), (unsigned long long)(i % 300));
    snprintf(to, 64, "person.%llu@recipients-%llu.example", (unsigned long long)i,
             (unsigned long long)(i * 7919 % 20000));
}

static void one_message(uint64_t i)
{
    char from[64], to[64], message_id[80];
    uint64_t id = first_id + i * id_step;
    addresses(i, from, to);
    snprintf(message_id, sizeof message_id, "<%llx.%llx@sender.example>", (unsigned long long)(i * 0x9e3779b97f4a7c15u),
             (unsigned long long)i);
    rt_log(EV_accepted, log_id(id), log_num((int64_t)i), log_c("192.0.2.17"), log_c("mail.sender.example"), log_c(from),
           log_c(to), log_num(10240), log_c(message_id), log_c("ESMTPS"));
    rt_log(EV_delivered, log_id(id), log_c(from), log_c(to), log_c("mx1.recipients.example[198.51.100.7]:25"),
           log_c("250 2.0.0 Ok: queued as 4XyZ12345"), log_num(1234), log_c("TLSv1.3"));
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* An event whose values are there already, as in the server: what the caller pays. */
static void caller_cost(void)
{
    enum { BURST = 5000, ROUNDS = 40 };
    int64_t spent = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t t = cpu_ns();
        for (uint64_t k = 0; k < BURST; k++)
            rt_log(EV_delivered, log_id(k), log_c("news@sender.example"), log_c("person.1234567@recipients.example"),
                   log_c("mx1.recipients.example[198.51.100.7]:25"), log_c("250 2.0.0 Ok: queued as 4XyZ12345"),
                   log_num(1234), log_c("TLSv1.3"));
        spent += cpu_ns() - t;
        history_settle(history);
    }
    printf("caller: %.0f ns of processor an event\n", (double)spent / (BURST * ROUNDS));
}

static void write_all(void *arg)
{
    (void)arg;
    enum { BURST = 10000 };
    rt_time begun = rt_now_fresh();
    caller_cost();
    for (uint64_t i = 0; i < messages;) {
        for (int k = 0; k < BURST && i < messages; k++, i++)
            one_message(i);
        history_settle(history); /* else the writer could not keep up with nothing but this */
    }
    printf("written: %llu events in %.1f s, lost %lld\n", 2 * (unsigned long long)messages,
           (double)(rt_now_fresh() - begun) / 1e9, (long long)metric_read(M_history_lost));
    rt_stop();
}

static void init(void *arg, int index)
{
    if (index == 0)
        fiber_spawn(write_all, arg, "bench");
}

static bool count(void *arg, const struct history_event *e)
{
    (void)e;
    ++*(uint64_t *)arg;
    return true;
}

static void ask(const char *what, const struct history_query *q)
{
    uint64_t found = 0;
    struct history_answer a = {.each = count, .arg = &found};
    rt_time t = rt_now_fresh();
    err e = history_find(AT_FDCWD, folder, q, &a);
    printf("%-34s %8.2f ms, %llu events%s%s\n", what, (double)(rt_now_fresh() - t) / 1e6, (unsigned long long)found,
           e ? ", " : "", e ? err_text(e) : "");
}

static void ask_all(void)
{
    char from[64], to[64];
    uint64_t i = messages / 3, ids[20];
    addresses(i, from, to);
    for (uint64_t k = 0; k < 20; k++)
        ids[k] = first_id + (messages / 20 * k) * id_step;
    for (int round = 0; round < 2; round++) {
        printf("round %d\n", round + 1);
        ask("one message", &(struct history_query){.ids = (uint64_t[]){first_id + i * id_step}, .nids = 1});
        ask("the first message", &(struct history_query){.ids = (uint64_t[]){first_id}, .nids = 1});
        ask("no such message", &(struct history_query){.ids = (uint64_t[]){first_id + 1}, .nids = 1});
        ask("20 messages", &(struct history_query){.ids = ids, .nids = 20});
        ask("a recipient", &(struct history_query){.address = str_c(to)});
        ask("no such address", &(struct history_query){.address = S("nobody@nowhere.example")});
        ask("a busy sender, newest 100", &(struct history_query){.address = str_c(from), .limit = 100});
        ask("newest 1000 of all", &(struct history_query){.limit = 1000});
        ask("newest 10 bounces (there are none)",
            &(struct history_query){
                .events = (enum event[]){EV_bounced}, .nevents = 1, .limit = 10, .from_ms = rt_wall_ms() - 2000});
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: history-bench FOLDER [MESSAGES]\n");
        return 64;
    }
    folder = argv[1];
    messages = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
    rt_log_setup(LOG_ERROR, false, 2);
    if (argc > 2) {
        struct history_config c = {AT_FDCWD, folder, (int64_t)8 << 30, (rt_time)86400 * 365 * RT_S};
        struct rt_start s = {.nloops = 1, .npool = 1, .init = init, .drain = RT_S};
        err e = history_open(&history, &c);
        if (e == OK)
            e = rt_run(&s);
        history_close(&history);
        if (e)
            printf("%s\n", err_text(e));
    }
    ask_all();
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("resident at most %ld KiB, processor %.1f s\n", u.ru_maxrss,
           (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec);
    return 0;
}
