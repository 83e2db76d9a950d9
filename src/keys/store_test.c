/* Rows of keys: on disk and back, states that change together, what signs. */
#include "keys/internal.h"
#include "rt/test_world.h"

#include <fcntl.h>

#include "base/test.h"

static int dir;

static struct keys_key key(const char *selector, const char *domain, bool rsa, enum keys_state state, int64_t made)
{
    struct keys_key k = {.rsa = rsa, .state = state, .since_s = made + 1, .made_s = made};
    snprintf(k.selector, sizeof k.selector, "%s", selector);
    snprintf(k.name, sizeof k.name, "%s._domainkey.%s", selector, domain);
    snprintf(k.record, sizeof k.record, "v=DKIM1; p=%s", selector);
    return k;
}

static void rows(void *arg)
{
    (void)arg;
    char why_text[200];
    struct buf why;
    struct keys_key k, *v;
    struct keys_signer s[KEYS_SIGNERS_MAX];
    struct arena a;
    size_t n;
    arena_init(&a, 4096, 1 << 20);
    buf_init_fixed(&why, why_text, sizeof why_text);
    struct keys_key put[] = {key("a", "b.test", true, KEYS_USED, 10), key("b", "a.test", true, KEYS_WAITING, 5),
                             key("c", "b.test", false, KEYS_USED, 7), key("d", "b.test", true, KEYS_WAITING, 20)};
    CHECK(store_put(put, 1) == E_UNSUPPORTED); /* no file */
    CHECK(keys_open(dir, &why) == OK);
    for (int i = 0; i < 4; i++)
        CHECK(store_put(&put[i], 1) == OK);
    CHECK(keys_signers(S("B.test"), s) == 2 && keys_signers(S("a.test"), s) == 0 && keys_signers(S("test"), s) == 0);
    put[0].state = KEYS_RETIRED;
    put[3].state = KEYS_USED;
    struct keys_key two[2] = {put[0], put[3]};
    CHECK(store_put(two, 2) == OK);
    keys_close();
    CHECK(keys_signers(S("b.test"), s) == 0);
    CHECK(keys_open(dir, &why) == OK); /* all of it is back */
    CHECK(keys_signers(S("b.test"), s) == 2);
    CHECK((s[0].rsa ? &s[0] : &s[1])->selector[0] == 'd');
    CHECK(store_find(S("b.test"), true, KEYS_RETIRED, &k) && k.selector[0] == 'a' && k.made_s == 10 && k.since_s == 11);
    CHECK(str_eq(str_c(k.record), S("v=DKIM1; p=a")) && str_eq(keys_domain(&k), S("b.test")));
    CHECK(keys_list(&a, S(""), &v, &n) == OK && n == 4);
    CHECK(v[0].selector[0] == 'b' && v[1].selector[0] == 'c' && v[2].selector[0] == 'a' && v[3].selector[0] == 'd');
    CHECK(keys_known(S("A._domainkey.b.test")) && !keys_known(S("x._domainkey.b.test")));
    CHECK(store_drop(&put[0]) == OK && !keys_known(S("a._domainkey.b.test")));
    CHECK(keys_list(&a, S("b.test"), &v, &n) == OK && n == 2);
    keys_close();
    CHECK(keys_open(dir, &why) == OK && !keys_known(S("a._domainkey.b.test")));
    keys_close();
    arena_free(&a);
    rt_stop();
}

static void begin(void *arg, int index)
{
    (void)arg;
    (void)index;
    CHECK(fiber_spawn(rows, NULL, "rows") != NULL);
}

static void stored(void **state)
{
    (void)state;
    world(1, begin);
}

int main(void)
{
    char path[] = "/tmp/postrider-keys-XXXXXX", command[100];
    static const struct CMUnitTest tests[] = {cmocka_unit_test(stored)};
    if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return 1;
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -r %s", path);
    return system(command) ? 1 : status;
}
