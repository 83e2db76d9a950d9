/*
 * sim --seeds N [--from K] [--jobs J]     N worlds; ends with 1 at the first that breaks a rule
 * sim --seed K [--trace]                  one of them again; the trace and its hash
 * sim --break FAULT ...                   with one deliberate fault
 */
#include "world.h"
#include "net/dns.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const faults[] = {"reply-before-sync", "lost-wakeup", "forgotten-outcome", "early-recycle",
                                     "split-bounce"};

struct result_of { /* what a world's process tells */
    uint64_t seed, accepted, crashes, violations, hash;
};

static void one_world(uint64_t seed, int out)
{
    sim_begin(seed);
    str_hash_seed(seed, ~seed);
    rt_be = &sim_be;
    breaks_begin();
    state_begin();
    world_make();
    sim_run();
    struct result_of r = {seed, sim.accepted, sim.crashes, sim.violations, trace_hash()};
    fflush(stdout);
    if (out >= 0 && write(out, &r, sizeof r) != sizeof r)
        _exit(3);
    if (out < 0 && sim.tracing)
        printf("hash %016llx\n", (unsigned long long)r.hash);
    if (out < 0)
        printf("1 seeds, %llu messages accepted, %llu crashes, %llu violations\n", (unsigned long long)r.accepted,
               (unsigned long long)r.crashes, (unsigned long long)r.violations);
    fflush(stdout);
    _exit(r.violations != 0);
}

enum {
    JOBS_MAX = 64,
    PATIENCE = 240 /* seconds of processor time for a world, which takes half of one, with sanitizers up to 50 */
};
struct job {
    pid_t pid;
    uint64_t seed;
    int in;
};

static void say_replay(uint64_t seed)
{
    fprintf(stderr, "replay: build/sim --seed %llu --trace%s%s\n", (unsigned long long)seed,
            sim.broken ? " --break " : "", sim.broken ? sim.broken : "");
}

static void begin(struct job *j, uint64_t seed)
{
    int p[2];
    fflush(NULL);
    if (pipe(p) || (j->pid = fork()) < 0) {
        perror("sim");
        exit(3);
    }
    if (j->pid == 0) {
        close(p[0]);
        (void)setrlimit(RLIMIT_CPU, &(struct rlimit){PATIENCE, PATIENCE});
        alarm(10 * PATIENCE);
        one_world(seed, p[1]);
    }
    close(p[1]);
    j->in = p[0];
    j->seed = seed;
}

/* True: the world kept its rules. */
static bool collect(struct job *j, struct result_of *sum)
{
    struct result_of r = {0};
    int status = 0;
    bool told = read(j->in, &r, sizeof r) == sizeof r;
    close(j->in);
    waitpid(j->pid, &status, 0);
    j->pid = 0;
    sum->seed++;
    sum->accepted += r.accepted;
    sum->crashes += r.crashes;
    sum->violations += r.violations;
    if (told && !r.violations)
        return true;
    if (!told) {
        sum->violations++;
        fprintf(stderr, "seed %llu: the world ended by %s %d\n", (unsigned long long)j->seed,
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    say_replay(j->seed);
    return false;
}

static int many_worlds(uint64_t from, uint64_t n, int jobs)
{
    struct job j[JOBS_MAX] = {0};
    struct pollfd p[JOBS_MAX];
    struct result_of sum = {0};
    uint64_t next = from;
    bool good = true;
    for (;;) {
        int open = 0;
        for (int i = 0; i < jobs; i++) {
            if (!j[i].pid && good && next < from + n)
                begin(&j[i], next++);
            p[i] = (struct pollfd){.fd = j[i].pid ? j[i].in : -1, .events = POLLIN};
            open += j[i].pid != 0;
        }
        if (!open)
            break;
        if (poll(p, (nfds_t)jobs, -1) < 0 && errno != EINTR)
            break;
        for (int i = 0; i < jobs; i++)
            if (j[i].pid && p[i].revents && !collect(&j[i], &sum))
                good = false;
    }
    printf("%llu seeds, %llu messages accepted, %llu crashes, %llu violations\n", (unsigned long long)sum.seed,
           (unsigned long long)sum.accepted, (unsigned long long)sum.crashes, (unsigned long long)sum.violations);
    return good ? 0 : 1;
}

static int usage(void)
{
    fputs("usage: sim --seeds N [--from K] [--jobs J] [--break FAULT]\n       sim --seed K [--trace] [--break "
          "FAULT]\nfaults:",
          stderr);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        fprintf(stderr, " %s", faults[i]);
    fputs("\n", stderr);
    return 64;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 0, from = 1, one = 0;
    long jobs = sysconf(_SC_NPROCESSORS_ONLN);
    bool single = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(a, "--trace")) {
            sim.tracing = true;
            continue;
        }
        if (!v)
            return usage();
        i++;
        if (!strcmp(a, "--seeds"))
            seeds = strtoull(v, NULL, 10);
        else if (!strcmp(a, "--from"))
            from = strtoull(v, NULL, 10);
        else if (!strcmp(a, "--jobs"))
            jobs = strtol(v, NULL, 10);
        else if (!strcmp(a, "--seed"))
            one = strtoull(v, NULL, 10), single = true;
        else if (!strcmp(a, "--break"))
            sim.broken = v;
        else
            return usage();
    }
    for (size_t i = 0; sim.broken && i < sizeof faults / sizeof *faults; i++)
        if (!strcmp(sim.broken, faults[i]))
            break;
        else if (i + 1 == sizeof faults / sizeof *faults)
            return usage();
    if (single) {
        if (sim.tracing)
            setvbuf(stdout, NULL, _IOFBF, 1 << 16);
        one_world(one, -1);
    }
    if (!seeds)
        return usage();
    return many_worlds(from, seeds, jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : (int)jobs);
}
