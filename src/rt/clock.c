/* Time, random numbers and message ids in text. */
#include "rt/internal.h"

#include <pthread.h>
#include <time.h>

rt_time rt_now(void) { return rt_current ? rt_current->now : rt_be->now(); }
rt_time rt_now_fresh(void) { return rt_be->now(); }

rt_time rt_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * RT_S + t.tv_nsec;
}

int64_t rt_wall_ms(void)
{
    struct loop *l = rt_current;
    if (!l)
        return rt_be->wall_ms();
    if (l->wall < 0)
        l->wall = rt_be->wall_ms();
    return l->wall;
}

enum { POOLED = 64 };

/* Drawn in advance, a system call for many; wiped when used, and in a child after fork. */
static _Thread_local struct {
    uint64_t v[POOLED];
    size_t left;
} drawn;

static void forget(void) { explicit_bzero(&drawn, sizeof drawn); }

static void at_start(void) { pthread_atfork(NULL, NULL, forget); }

uint64_t rt_random(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!drawn.left) {
        pthread_once(&once, at_start);
        rt_be->random(drawn.v, sizeof drawn.v);
        drawn.left = POOLED;
    }
    uint64_t v = drawn.v[--drawn.left];
    drawn.v[drawn.left] = 0;
    return v;
}

/* The low part of the range that would come once too often is drawn again. */
uint64_t rt_random_below(uint64_t n)
{
    uint64_t skip = -n % n, v;
    do
        v = rt_random();
    while (v < skip);
    return v % n;
}

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
enum { ID_CHARS = 13 };

void rt_id_text(struct buf *out, uint64_t id)
{
    char s[ID_CHARS];
    for (size_t i = ID_CHARS; i--; id >>= 5)
        s[i] = digits[id & 31];
    buf_add(out, str_mem(s, sizeof s));
}

/* Crockford: either case; i and l read as 1, o as 0. */
static int digit(char c)
{
    c = ascii_lower(c);
    c = c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c;
    const char *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) : -1;
}

bool rt_id_parse(str s, uint64_t *ret)
{
    uint64_t id = 0;
    if (s.n != ID_CHARS)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = digit(s.p[i]);
        if (d < 0 || (i == 0 && d > 7)) /* 63 bits */
            return false;
        id = id << 5 | (uint64_t)d;
    }
    *ret = id;
    return true;
}
