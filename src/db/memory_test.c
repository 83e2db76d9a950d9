#include "db/memory.c"
#include "base/test.h"

/* The bytes of a database that SQLite makes of these statements. */
static str made(const char *sql, bool wal)
{
    sqlite3 *s;
    sqlite3_int64 n = 0;
    assert_int_equal(sqlite3_open(":memory:", &s), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s, sql, NULL, NULL, NULL), SQLITE_OK);
    unsigned char *p = sqlite3_serialize(s, "main", &n, 0);
    assert_non_null(p);
    if (wal)
        p[18] = p[19] = 2;
    sqlite3_close(s);
    return str_mem(p, (size_t)n);
}

static void asks(void **state)
{
    (void)state;
    static const char table[] = "CREATE TABLE entries (entry TEXT PRIMARY KEY COLLATE NOCASE, ok INTEGER);"
                                "INSERT INTO entries VALUES ('a@b.test', 1), ('c.test', 0), (NULL, 1)";
    static const struct {
        const char *query, *value;
        bool has;
    } v[] = {{"SELECT 1 FROM entries WHERE entry = ?1", "a@b.test", true},
             {"SELECT 1 FROM entries WHERE entry = ?1;", "A@B.test", true},
             {"SELECT 1 FROM entries WHERE entry = ?1", "x", false},
             {"SELECT 1 FROM entries WHERE entry = ?1", "", false},
             {"SELECT ok FROM entries WHERE entry = ?1", "c.test", false},
             {"SELECT entry FROM entries WHERE entry = ?1", "c.test", true},
             {"SELECT NULL FROM entries WHERE entry = ?1", "c.test", false},
             {"SELECT count(*) FROM entries WHERE entry = ?", "c.test", true},
             {"SELECT 1 FROM entries WHERE entry = ?1", "' OR 1 --", false}};
    for (int wal = 0; wal < 2; wal++)
        for (size_t i = 0; i < COUNT(v); i++) {
            struct buf why;
            struct db_memory *m = NULL;
            str bytes = made(table, wal);
            bool has = false;
            buf_init(&why, 1000);
            assert_int_equal(db_memory_open(&m, bytes, str_c(v[i].query), &why), OK);
            assert_int_equal(db_memory_has(m, str_c(v[i].value), &has, &why), OK);
            assert_int_equal(has, v[i].has);
            db_memory_close(&m);
            sqlite3_free((void *)bytes.p);
            buf_free(&why);
        }
}

static void faults(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool whole;
        err want;
    } v[] = {{"SELECT 1 FROM nothing WHERE a = ?1", true, E_SYNTAX},
             {"DELETE FROM t WHERE a = ?1", true, E_SYNTAX},
             {"SELECT 1 FROM t WHERE a = ?1 AND a = ?2", true, E_SYNTAX},
             {"SELECT 1; DELETE FROM t", true, E_SYNTAX},
             {"", true, E_SYNTAX},
             {"SELECT 1 FROM t WHERE a = ?1", false, E_CORRUPT}};
    str bytes = made("CREATE TABLE t (a TEXT)", false);
    for (size_t i = 0; i < COUNT(v); i++) {
        struct buf why;
        struct db_memory *m = NULL;
        buf_init(&why, 1000);
        err e = db_memory_open(&m, v[i].whole ? bytes : S("no database"), str_c(v[i].query), &why);
        assert_int_equal(e, v[i].want);
        assert_true(why.n > 0 && m == NULL);
        buf_free(&why);
    }
    sqlite3_free((void *)bytes.p);
}

/* A query that never ends is ended. */
static void endless(void **state)
{
    (void)state;
    struct buf why;
    struct db_memory *m = NULL;
    bool has;
    str bytes = made("CREATE TABLE t (a TEXT)", false);
    buf_init(&why, 1000);
    assert_int_equal(db_memory_open(&m, bytes,
                                    S("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
                                      "SELECT 1 FROM c WHERE x < 0 AND ?1 = ''"),
                                    &why),
                     OK);
    assert_int_equal(db_memory_has(m, S(""), &has, &why), E_LIMIT);
    assert_str(buf_str(&why), "the query takes too long; it needs an index");
    db_memory_close(&m);
    sqlite3_free((void *)bytes.p);
    buf_free(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(asks), cmocka_unit_test(faults), cmocka_unit_test(endless)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
