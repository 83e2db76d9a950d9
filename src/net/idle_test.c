/* Idle connections: taken by who they fit, the newest first; the dead are dropped on the way, a limit for each loop,
 * the end of their time. */
#include "net/test_pair.h"

enum { MOST = 3, KINDS = 6 };

static struct kept {
    struct idle idle;
    int server;
    bool dead;
    char fate; /* - as it was made, k kept, d dropped, e expired */
} links[KINDS];

static struct kept *kept_of(const struct idle *i) { return container_of(i, struct kept, idle); }
static bool same_server(const struct idle *i, const void *key) { return kept_of(i)->server == *(const int *)key; }
static bool lives(struct idle *i) { return !kept_of(i)->dead; }
static void dropped(struct idle *i) { kept_of(i)->fate = 'd'; }
static void expired(struct idle *i) { kept_of(i)->fate = 'e'; }
static struct idle_pool pool = {.most = MOST, .fits = same_server, .alive = lives, .drop = dropped, .expired = expired};

static void make(int i, int server)
{
    links[i] = (struct kept){.server = server, .fate = '-'};
    if (idle_keep(&pool, &links[i].idle, 30 * RT_MS))
        links[i].fate = 'k';
}

static int taken(int server)
{
    struct idle *i = idle_take(&pool, &server);
    return i ? (int)(kept_of(i) - links) : -1;
}

static void test_shelf(void)
{
    static const struct {
        const char *name, *servers, *dead; /* one kept for each digit; those that died since */
        int want, got;
        const char *fates;
    } cases[] = {
        {"none", "", "", 1, -1, ""},
        {"another server's", "2", "", 1, -1, "k"},
        {"the newest", "121", "", 1, 2, "kkk"},
        {"dead ones on the way", "1111", "12", 1, 0, "kdd-"},
        {"all dead", "11", "01", 1, -1, "dd"},
        {"those of others stay, dead or not", "21", "0", 1, 1, "kk"},
        {"the limit", "123", "", 3, 2, "kkk"},
        {"one more than the limit", "1234", "", 4, -1, "kkk-"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (int i = 0; cases[c].servers[i]; i++)
            make(i, cases[c].servers[i] - '0');
        for (const char *d = cases[c].dead; *d; d++)
            links[*d - '0'].dead = true;
        int got = taken(cases[c].want);
        for (int i = 0; cases[c].fates[i]; i++)
            if (links[i].fate != cases[c].fates[i] || got != cases[c].got)
                fail_msg("%s: %d is %c, taken %d", cases[c].name, i, links[i].fate, got);
        CHECK(got == cases[c].got);
        fiber_sleep(rt_after(80 * RT_MS));
        for (int i = 0; cases[c].fates[i]; i++) /* what was not taken leaves by its timer, what was taken does not */
            if (links[i].fate == 'k' && i != got)
                fail_msg("%s: %d is still there", cases[c].name, i);
        CHECK(got < 0 || links[got].fate == 'k');
        for (int s = 1; s < 5; s++)
            CHECK(taken(s) == -1);
    }
}

/* ---- quiet ---- */

static void says_more(struct conn *b, void *text)
{
    conn_write(b, str_c(text));
    conn_flush(b);
}

static void ends(struct conn *b, void *arg)
{
    (void)arg;
    conn_end(b);
}

static void test_quiet(void)
{
    static const struct {
        void (*peer)(struct conn *, void *);
        const char *text;
        bool quiet;
    } cases[] = {{NULL, "", true}, {says_more, "", true}, {says_more, "x", false}, {ends, "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        pair_open(&p, cases[i].peer, (void *)(uintptr_t)cases[i].text);
        fiber_sleep(rt_after(2 * RT_MS));
        CHECK(conn_quiet(&p.a) == cases[i].quiet);
        pair_close(&p);
    }
}

static void all_cases(void *arg, int index)
{
    (void)arg, (void)index;
    test_shelf();
    test_quiet();
    rt_stop();
}

static void test_idle(void **state)
{
    (void)state;
    world(1, all_cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_idle)};
    return cmocka_run_group_tests_name("net/idle", tests, NULL, NULL);
}
