/*
 * The keys of authorities, over all loops: fetched when they are needed, kept for keys-age, fetched again for a key
 * that is not among them, but for that not more often than keys-again. One fiber fetches, the others wait for it.
 */
#include "http/http.h"
#include "oauth/internal.h"

enum { PLACES = 32 };
#define DOWN_TIME (2 * RT_S) /* after a failure nobody asks for so long */
#define LOOK_TIME (20 * RT_MS)

static struct {
    struct lock lock;
    struct place {
        uint64_t name;
        struct keyset *set;
        rt_time tried, failed;
        bool fetching;
    } v[PLACES];
} cache;

/* Its place, an empty one, or that of who was asked longest ago. Under the lock. */
static struct place *place_of(const struct conf_oauth *o)
{
    uint64_t name = str_hash(o->jwks) | 1;
    struct place *oldest = NULL;
    for (struct place *p = cache.v; p < cache.v + PLACES; p++) {
        if (p->name == name)
            return p;
        if (!p->fetching && (!oldest || !p->name || (oldest->name && p->tried < oldest->tried)))
            oldest = p;
    }
    if (!oldest)
        return NULL;
    keyset_drop(&oldest->set);
    *oldest = (struct place){.name = name};
    return oldest;
}

static struct keyset *fetch(const struct conf_oauth *o) YIELDS;
static struct keyset *fetch(const struct conf_oauth *o)
{
    struct arena a;
    struct keyset *k = NULL;
    str body;
    struct http_question q = {.method = "GET"};
    arena_init(&a, 16384, 2 * ANSWER_MAX + 65536);
    struct json_object *said = authority_ask(o, o->jwks, &q, &body, &a);
    if (said) {
        json_drop(&said);
        k = keyset_read(body);
        if (k)
            rt_log(EV_oauth_keys, log_str(o->title), log_num((int64_t)k->n));
        else
            rt_log(EV_oauth_down, log_str(o->title), log_c("what jwks names is no key set"));
    }
    arena_free(&a);
    return k;
}

static struct keyset *ref(struct keyset *k)
{
    if (k)
        __atomic_add_fetch(&k->refs, 1, __ATOMIC_ACQ_REL);
    return k;
}

enum step { STEP_TAKE, STEP_FETCH, STEP_WAIT, STEP_DOWN };

/* Under the lock. */
static enum step look(const struct conf_oauth *o, const struct place *p, const struct keyset *beside, rt_time now)
{
    bool fresh = p->set && now - p->set->at < o->keys_age;
    if (fresh && p->set != beside)
        return STEP_TAKE;
    if (p->fetching)
        return STEP_WAIT;
    if (p->failed && now - p->failed < DOWN_TIME)
        return STEP_DOWN;
    return fresh && now - p->tried < o->keys_again ? STEP_TAKE : STEP_FETCH;
}

static void fetch_into(const struct conf_oauth *o) YIELDS;
static void fetch_into(const struct conf_oauth *o)
{
    struct keyset *k = fetch(o);
    lock_take(&cache.lock);
    struct place *p = place_of(o); /* one that is being fetched keeps its place */
    p->fetching = false;
    p->failed = k ? 0 : rt_now();
    if (k) {
        k->at = rt_now();
        keyset_drop(&p->set);
        p->set = k;
    }
    lock_drop(&cache.lock);
}

struct keyset *keys_of(const struct conf_oauth *o, const struct keyset *beside)
{
    rt_time end = rt_after(o->timeout);
    for (;;) {
        struct keyset *k = NULL;
        lock_take(&cache.lock);
        struct place *p = place_of(o);
        enum step step = p ? look(o, p, beside, rt_now()) : STEP_DOWN;
        if (step == STEP_TAKE)
            k = ref(p->set);
        if (step == STEP_FETCH) {
            p->fetching = true;
            p->tried = rt_now();
        }
        lock_drop(&cache.lock);
        if (step == STEP_TAKE || step == STEP_DOWN)
            return k;
        if (step == STEP_FETCH)
            fetch_into(o);
        else if (rt_now() >= end || fiber_sleep(rt_after(LOOK_TIME)))
            return NULL;
    }
}
