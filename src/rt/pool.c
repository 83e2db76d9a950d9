/* Threads for work that blocks: a bounded queue of jobs, each of a fiber that sleeps meanwhile. */
#include "rt/internal.h"

#include <pthread.h>
#include <stdlib.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct pool_job *first, **last;
    unsigned queued;
    bool closing;
    pthread_t *threads;
    int n;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .last = &pool.first};

static void job_done(struct post *p)
{
    struct pool_job *j = container_of(p, struct pool_job, post);
    j->done = true;
    fiber_wake(j->fiber);
}

void pool_job_run(struct pool_job *j)
{
    j->fn(j->arg);
    rt_post(j->loop, &j->post);
}

static struct pool_job *take(void)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.first && !pool.closing)
        pthread_cond_wait(&pool.more, &pool.lock);
    struct pool_job *j = pool.first;
    if (j) {
        pool.first = j->next;
        pool.queued--;
        if (!pool.first)
            pool.last = &pool.first;
    }
    pthread_mutex_unlock(&pool.lock);
    return j;
}

static void *pool_thread(void *arg)
{
    struct pool_job *j;
    while ((j = take())) {
        pool_job_run(j);
        rt_log_flush();
    }
    log_end();
    metrics_end();
    return arg;
}

err pool_open(int n)
{
    pool.threads = n > 0 ? calloc((size_t)n, sizeof *pool.threads) : NULL;
    for (; pool.n < n && pool.threads; pool.n++)
        if (rt_thread_start(&pool.threads[pool.n], pool_thread, NULL, "pool"))
            break;
    return pool.n < n ? E_NOMEM : OK;
}

err pool_put(struct pool_job *j)
{
    err e = OK;
    pthread_mutex_lock(&pool.lock);
    if (pool.queued >= POOL_QUEUE || pool.n == 0 || pool.closing) {
        e = E_LIMIT;
    } else {
        *pool.last = j;
        pool.last = &j->next;
        pool.queued++;
        pthread_cond_signal(&pool.more);
    }
    pthread_mutex_unlock(&pool.lock);
    return e;
}

/* Without `wait` some thread may hang in its job: it is left behind. */
void pool_close(bool wait)
{
    pthread_mutex_lock(&pool.lock);
    pool.closing = true;
    pthread_cond_broadcast(&pool.more);
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < pool.n; i++)
        if (wait)
            pthread_join(pool.threads[i], NULL);
        else
            pthread_detach(pool.threads[i]);
    free(pool.threads);
    pool.threads = NULL;
    pool.n = 0;
}

err rt_pool_run(void (*fn)(void *arg), void *arg)
{
    struct fiber *f = fiber_self();
    if (!f) { /* a task or the start: may block itself */
        fn(arg);
        return OK;
    }
    struct pool_job j = {.post.run = job_done, .fn = fn, .arg = arg, .loop = rt_current, .fiber = f};
    err e = rt_be->pool_put(&j);
    if (e)
        return e;
    fiber_shield(true);
    while (!j.done)
        fiber_park(RT_NEVER);
    fiber_shield(false);
    return OK;
}
