/* For tests: rt_run happens once in a process, so each case that needs loops runs in a forked child. */
#ifndef RT_TEST_WORLD_H
#define RT_TEST_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rt/rt.h"

/* Inside a loop cmocka's asserts would jump off the fiber's stack. */
#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond);                                         \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* Runs the world in a child: `init` on each of `loops` loops. It must lead to rt_stop. */
static inline void world_of(int loops, int npool, rt_time drain, void (*init)(void *arg, int index), err expect)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rt_start s = {.nloops = loops, .npool = npool, .init = init, .drain = drain};
        err e = rt_run(&s);
        if (e != expect)
            fprintf(stderr, "rt_run: %s, expected %s\n", err_name(e), err_name(expect));
        exit(e == expect ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline void world(int loops, void (*init)(void *arg, int index)) { world_of(loops, 2, 5 * RT_S, init, OK); }

#endif
