/* A fiber for each question. The answers lie in memory of their own, so that who asked may leave first. */
#include "policy/ask.h"

#include <stdlib.h>

enum { ANSWER_MEM = 16 * 1024, NAME_MAX = 255 };

struct group;
struct one {
    struct group *group;
    struct ask a;
    char name[NAME_MAX];
};
struct group {
    struct cond cond;
    size_t left; /* not answered yet */
    int refs;    /* fibers, and who waits; all of one loop */
    rt_time until;
    struct one v[];
};

static void drop(struct group *g)
{
    if (--g->refs == 0)
        free(g);
}

static void ask_one(struct ask *a, rt_time until) YIELDS
{
    struct arena mem;
    struct dns_answer ans = {0};
    struct dns_question q = {a->name, DNS_A, until, true};
    arena_init(&mem, 1024, ANSWER_MEM);
    a->n = 0;
    a->e = dns_ask(&q, &mem, &ans);
    for (size_t i = 0; a->e == OK && i < ans.n && a->n < ASK_ANSWERS; i++)
        if (ans.v[i].data.n == 4)
            memcpy(a->v[a->n++], ans.v[i].data.p, 4);
    if (a->e == OK && a->n == 0)
        a->e = E_DNS_NODATA;
    arena_free(&mem);
}

static void run(void *arg)
{
    struct one *o = arg;
    struct group *g = o->group;
    ask_one(&o->a, g->until);
    if (--g->left == 0)
        cond_wake_all(&g->cond);
    drop(g);
}

static struct group *group_new(const struct ask *v, size_t n, rt_time until)
{
    struct group *g = calloc(1, sizeof *g + n * sizeof *g->v);
    if (!g)
        return NULL;
    cond_init(&g->cond);
    g->until = until;
    g->refs = 1;
    for (size_t i = 0; i < n; i++) {
        struct one *o = &g->v[i];
        str name = str_sub(v[i].name, 0, NAME_MAX);
        if (name.n)
            memcpy(o->name, name.p, name.n);
        o->group = g;
        o->a = (struct ask){.name = str_mem(o->name, name.n), .e = E_NOMEM};
        g->left++;
        g->refs++;
        if (!fiber_spawn(run, o, "ask")) {
            g->left--;
            g->refs--;
        }
    }
    return g;
}

void ask_all(struct ask *v, size_t n, rt_time until)
{
    if (n == 1) {
        ask_one(v, until);
        return;
    }
    n = n < ASK_MOST ? n : ASK_MOST;
    struct group *g = group_new(v, n, until);
    while (g && g->left && cond_wait(&g->cond, RT_NEVER) == OK) /* each question has its own deadline */
        continue;
    for (size_t i = 0; i < n; i++) {
        str name = v[i].name;
        if (g)
            v[i] = g->v[i].a;
        else
            v[i] = (struct ask){.e = E_NOMEM};
        v[i].name = name;
    }
    if (g)
        drop(g);
}
