/* Blocks: apart from each other, counted, used again, and given back to the system when they are many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "spool/internal.h"

/* A sanitizer keeps memory of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOPPY = 1 };
#else
enum { SLOPPY = 0 };
#endif
enum { MANY = 3000 };
static char *block[MANY];
static int cls[MANY];

static long resident(void)
{
    long kib = 0;
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(f);
    return kib;
}

static void random_use(void **state)
{
    (void)state;
    int64_t held = 0;
    for (int k = 0; k < 20000; k++) {
        int i = (int)rt_random_below(MANY / 10);
        if (!block[i]) {
            cls[i] = (int)rt_random_below(BLOCK_CLASSES);
            block[i] = block_take(cls[i]);
            assert_non_null(block[i]);
            size_t n = block_size(cls[i]);
            memset(block[i], i & 0x7f, 64);
            memset(block[i] + n - 64, i & 0x7f, 64);
            held += (int64_t)n;
        } else {
            size_t n = block_size(cls[i]);
            for (int b = 0; b < 64; b++)
                assert_true(block[i][b] == (i & 0x7f) && block[i][n - 1 - (size_t)b] == (i & 0x7f));
            block_give(block[i], cls[i]);
            block[i] = NULL;
            held -= (int64_t)n;
        }
        assert_true(metric_read(M_body_bytes) == held);
    }
    for (int i = 0; i < MANY; i++)
        if (block[i])
            block_give(block[i], cls[i]), block[i] = NULL;
    assert_int_equal(metric_read(M_body_bytes), 0);
}

/* A hundred MiB come and go: at most the cache stays. */
static void falls(void **state)
{
    (void)state;
    long before = resident();
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < MANY; i++) {
            cls[i] = i % 3 ? BLOCK_4K : BLOCK_64K;
            block[i] = block_take(cls[i]);
            memset(block[i], 1, block_size(cls[i]));
        }
        assert_true(resident() - before > 60 * 1024);
        for (int i = 0; i < MANY; i++)
            block_give(block[i], cls[i]), block[i] = NULL;
        assert_true(SLOPPY || resident() - before < 24 * 1024);
    }
}

/* What is kept goes back when nobody needs it, what is in use stays as it is. */
static void trims(void **state)
{
    (void)state;
    enum { SOME = 120 };
    spool_trim();
    long before = resident();
    for (int i = 0; i < SOME; i++) {
        block[i] = block_take(BLOCK_64K);
        memset(block[i], i, block_size(BLOCK_64K));
    }
    for (int i = 0; i < SOME; i++)
        if (i % 40)
            block_give(block[i], BLOCK_64K);
    spool_trim();
    assert_true(SLOPPY || resident() - before < 1024);
    for (int i = 0; i < SOME; i++)
        if (i % 40) {
            block[i] = block_take(BLOCK_64K);
            memset(block[i], 1, block_size(BLOCK_64K));
        }
    for (int i = 0; i < SOME; i++) {
        assert_int_equal(block[i][77], i % 40 ? 1 : i);
        block_give(block[i], BLOCK_64K);
        block[i] = NULL;
    }
    assert_int_equal(metric_read(M_body_bytes), 0);
    spool_trim();
}

/* What a message of 10 KB takes: three pages. */
static void ten_kilobytes(void **state)
{
    (void)state;
    static char octets[10240];
    struct body *b = body_new();
    struct recipient to = {.address = S("somebody@example.test")};
    struct envelope env = {.id = 1, .to = &to, .nto = 1, .sender = S("somebody.else@example.org")};
    assert_int_equal(body_add(b, str_mem(octets, sizeof octets)), OK);
    struct spool_group g;
    spool_group_init(&g);
    assert_int_equal(spool_group_message(&g, &env, b, 0), OK);
    assert_true(g.bytes.fixed); /* no other allocation */
    assert_int_equal(metric_read(M_body_bytes), 12288);
    spool_group_free(&g);
    body_drop(&b);
    assert_int_equal(metric_read(M_body_bytes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_kilobytes),
        cmocka_unit_test(random_use),
        cmocka_unit_test(falls),
        cmocka_unit_test(trims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
