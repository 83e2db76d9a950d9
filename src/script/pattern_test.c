/* Patterns against those of Lua itself: the same pattern over the same text, by our matcher and by string.find. */
#include "script/pattern.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/test.h"

static lua_State *L;

static void *mem_of(str p) { return malloc(pattern_size(p)); }

/* What string.find(s, p) gives must be what we give; patterns that we refuse Lua may only notice later. */
static void compare(str s, str text)
{
    struct pattern *p = mem_of(text);
    struct pattern_match m = {.subject = s, .left = 1 << 24};
    assert_non_null(p);
    if (pattern_read(p, text, true)) {
        free(p);
        return;
    }
    bool found = pattern_find(p, &m, 0);
    assert_true(m.left > 0);
    lua_settop(L, 0);
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "find");
    lua_pushlstring(L, s.p, s.n);
    lua_pushlstring(L, text.p, text.n);
    int e = lua_pcall(L, 2, LUA_MULTRET, 0);
    if (e != LUA_OK || lua_isnil(L, 2) == found ||
        (found && ((size_t)lua_tointeger(L, 2) != m.from + 1 || (size_t)lua_tointeger(L, 3) != m.to)))
        fail_msg("\"%.*s\" in \"%.*s\": %s, we %d %zu-%zu", STR_ARG(text), STR_ARG(s), lua_tostring(L, -1), found,
                 m.from, m.to);
    for (unsigned i = 0; found && i < m.n; i++) {
        size_t n;
        if (m.capture[i].to == PATTERN_POSITION) {
            assert_int_equal(lua_tointeger(L, (int)i + 4), m.capture[i].from + 1);
            continue;
        }
        const char *c = lua_tolstring(L, (int)i + 4, &n);
        str ours = str_sub(s, m.capture[i].from, m.capture[i].to);
        if (!c || !str_eq((str){c, n}, ours))
            fail_msg("\"%.*s\" in \"%.*s\": capture %u", STR_ARG(text), STR_ARG(s), i + 1);
    }
    free(p);
}

static void chosen(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pattern;
    } rows[] = {
        {"hello world", "o w"},
        {"hello world", "(o)(.)"},
        {"key = value", "^(%w+)%s*=%s*(%w+)$"},
        {"a(b(c)d)e", "%b()"},
        {"THE (quick) fox", "%f[%a]%a+"},
        {"x", "()"},
        {"abcabc", "(abc)%1"},
        {"aaa", "a-b"},
        {"", ""},
        {"", "^$"},
        {"]", "[]]"},
        {"a-z", "[a%-z]+"},
        {"^", "[%^x]"},
        {"b", "[^a]"},
        {"ab", "a?b?c?$"},
        {"  trim  ", "^%s*(.-)%s*$"},
        {"a.b", "%."},
        {"100%", "%%"},
        {"x^2", "x^2"},
        {"$", "$$"},
        {"abc", "(a(b)(c))"},
        {"\xff\x80", "[\x80-\xff]+"},
        {"foo.bar", "([^.]*)%.?"},
        {"aXb", "%u"},
        {"a1", "%D%d"},
        {"\t\n ", "%s+"},
        {"a,b", "%p"},
        {"nested ((x", "%b()"},
        {"ab", "(a)*"},
        {"()", "[()]+"},
        {"--", "[+--]+"},
        {"a%", "[%a%%]+"},
        {"aa", "%baa"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        compare(str_c(rows[i].text), str_c(rows[i].pattern));
}

static void random_ones(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a",  "b",  ".",  "%a", "[ab]", "[^a]",  "*",    "+",  "-",   "?", "(", ")",
                                         "()", "%1", "%2", "$",  "^",    "%f[a]", "%bab", "%d", "[a-", "]", "%", "x"};
    uint64_t seed = 12345;
    for (int round = 0; round < 100000; round++) {
        char text[64] = "", subject[16];
        size_t n = 0, len;
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t r = seed >> 16;
        for (int i = 0; i < 1 + (int)(r % 7); i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            const char *piece = pieces[(seed >> 33) % COUNT(pieces)];
            memcpy(text + n, piece, strlen(piece) + 1);
            n += strlen(piece);
        }
        len = (size_t)(r >> 8) % 10;
        for (size_t i = 0; i < len; i++)
            subject[i] = "abx1"[(r >> (10 + 2 * i)) & 3];
        compare((str){subject, len}, (str){text, n});
    }
}

static void faults(void **state)
{
    (void)state;
    char many[PATTERN_ITEMS_MAX + 2], deep[PATTERN_CAPTURES_MAX * 2 + 3];
    static const char *const bad[] = {"%",  "[a",   "[",  "[^",  "[]", "(",   ")",  "(()",
                                      "%1", "(%1)", "%b", "%bx", "%f", "%fa", "[%", "[a-"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct pattern *p = mem_of(str_c(bad[i]));
        if (!pattern_read(p, str_c(bad[i]), true))
            fail_msg("%s is no pattern", bad[i]);
        free(p);
    }
    struct pattern *p = malloc(sizeof *p + (PATTERN_ITEMS_MAX + 2) * sizeof *p->v);
    memset(many, 'a', sizeof many);
    assert_null(pattern_read(p, (str){many, PATTERN_ITEMS_MAX}, true));
    assert_non_null(pattern_read(p, (str){many, PATTERN_ITEMS_MAX + 1}, true));
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = i % 2 ? ')' : '(';
    assert_null(pattern_read(p, (str){deep, PATTERN_CAPTURES_MAX * 2}, true));
    assert_non_null(pattern_read(p, (str){deep, PATTERN_CAPTURES_MAX * 2 + 2}, true));
    free(p);
}

/* Steps are counted: this one would take longer than anybody waits. */
static void bounded(void **state)
{
    (void)state;
    char text[2000];
    str pattern = S(".-.-.-.-.-.-.-.-.-.-.-.-b");
    struct pattern *p = mem_of(pattern);
    struct pattern_match m = {.subject = {text, sizeof text}, .left = 1000000};
    memset(text, 'a', sizeof text);
    assert_null(pattern_read(p, pattern, true));
    assert_false(pattern_find(p, &m, 0));
    assert_true(m.left == 0);
    free(p);
}

int main(void)
{
    L = luaL_newstate();
    luaL_openlibs(L);
    const struct CMUnitTest tests[] = {cmocka_unit_test(chosen), cmocka_unit_test(random_ones),
                                       cmocka_unit_test(faults), cmocka_unit_test(bounded)};
    int n = cmocka_run_group_tests(tests, NULL, NULL);
    lua_close(L);
    return n;
}
