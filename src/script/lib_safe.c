/*
 * What a script finds of Lua's own functions beside strings: nothing that reaches files, programs, other code or the
 * machinery of Lua, and nothing that works on and on inside C where no budget is looked at.
 */
#include "base/text.h"
#include "script/internal.h"

#include <math.h>
#include <time.h>

static void take(lua_State *L, int from, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lua_getfield(L, from, names[i]);
        lua_setfield(L, -2, names[i]);
    }
}
#define TAKE(L, from, names) take((L), (from), (names), sizeof(names) / sizeof *(names))

/* ---- basic ---- */

/* Not around what keeps a table as it is. */
static int safe_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected table");
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 1;
}

/* Finalizers run where no budget holds. */
static int safe_setmetatable(lua_State *L)
{
    int t = lua_type(L, 2);
    luaL_argexpected(L, t == LUA_TNIL || t == LUA_TTABLE, 2, "nil or table");
    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (t == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "finalizers (__gc) are not to be had here");
        lua_pop(L, 1);
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int basic_print(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_Buffer b;
    luaL_checkstack(L, 10, "too many values");
    for (int i = 1; i <= n; i++) {
        luaL_tolstring(L, i, NULL);
        lua_replace(L, i);
    }
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, ' ');
        lua_pushvalue(L, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    lua_replace(L, 1);
    lua_settop(L, 1);
    lua_getfield(L, lua_upvalueindex(1), "log");
    lua_insert(L, 1);
    lua_call(L, 1, 0);
    return 0;
}

void lib_basic(lua_State *L, int full)
{
    static const char *const same[] = {"assert", "error",  "ipairs", "next",     "pairs", "pcall",       "rawequal",
                                       "rawget", "rawlen", "select", "tostring", "type",  "getmetatable"};
    TAKE(L, full, same);
    lua_pushcfunction(L, safe_setmetatable);
    lua_setfield(L, -2, "setmetatable");
    lua_pushcfunction(L, safe_rawset);
    lua_setfield(L, -2, "rawset");
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, basic_print, 1);
    lua_setfield(L, -2, "print");
    lua_pushliteral(L, "Lua 5.4");
    lua_setfield(L, -2, "_VERSION");
}

/* ---- functions that are Lua's own, once their work was counted ---- */

/* Upvalue 1: the function. */
static int pass_on(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Functions that go over the octets of their first argument. */
static int octets_counted(lua_State *L)
{
    size_t n;
    if (lua_type(L, 1) == LUA_TSTRING) {
        (void)lua_tolstring(L, 1, &n);
        charge_octets(L, n * 4);
    }
    return pass_on(L);
}

static void plain_table(lua_State *L, int i)
{
    luaL_checktype(L, i, LUA_TTABLE);
    if (lua_getmetatable(L, i))
        luaL_argerror(L, i, "a table without a metatable was expected");
}

/* insert, remove: what stands behind the place moves. */
static int place_counted(lua_State *L)
{
    plain_table(L, 1);
    uint64_t n = lua_rawlen(L, 1);
    if (lua_gettop(L) > 2 || !lua_isnoneornil(L, 2))
        charge(L, lua_isinteger(L, 2) && (uint64_t)lua_tointeger(L, 2) <= n ? n - (uint64_t)lua_tointeger(L, 2) : 1);
    return pass_on(L);
}

/* Arguments i and i + 1 are a range. */
static void range_counted(lua_State *L, int i, lua_Integer first, lua_Integer last)
{
    first = luaL_optinteger(L, i, first);
    last = luaL_optinteger(L, i + 1, last);
    if (last >= first)
        charge(L, (uint64_t)last - (uint64_t)first);
}

static int table_concat(lua_State *L)
{
    plain_table(L, 1);
    range_counted(L, 3, 1, (lua_Integer)lua_rawlen(L, 1));
    return pass_on(L);
}

static int table_unpack(lua_State *L)
{
    plain_table(L, 1);
    range_counted(L, 2, 1, (lua_Integer)lua_rawlen(L, 1));
    return pass_on(L);
}

static int table_move(lua_State *L)
{
    plain_table(L, 1);
    if (!lua_isnoneornil(L, 5))
        plain_table(L, 5);
    lua_settop(L, 5);
    luaL_checkinteger(L, 2);
    luaL_checkinteger(L, 3);
    range_counted(L, 2, 1, 0);
    return pass_on(L);
}

static int table_sort(lua_State *L)
{
    plain_table(L, 1);
    uint64_t n = lua_rawlen(L, 1), steps = 2;
    for (uint64_t m = n; m; m >>= 1)
        steps++;
    charge(L, n * steps);
    return pass_on(L);
}

static void counted(lua_State *L, int from, const char *name, lua_CFunction f)
{
    lua_getfield(L, from, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

void lib_table(lua_State *L, int full)
{
    static const char *const same[] = {"pack"};
    lua_getfield(L, full, "table");
    int from = lua_gettop(L);
    lua_newtable(L);
    TAKE(L, from, same);
    counted(L, from, "insert", place_counted);
    counted(L, from, "remove", place_counted);
    counted(L, from, "concat", table_concat);
    counted(L, from, "unpack", table_unpack);
    counted(L, from, "move", table_move);
    counted(L, from, "sort", table_sort);
    lua_remove(L, from);
    lua_setfield(L, -2, "table");
}

/* ---- utf8, math, os ---- */

static int math_random(lua_State *L)
{
    if (lua_gettop(L) == 0) {
        lua_pushnumber(L, (double)(rt_random() >> 11) / (double)(1ull << 53));
        return 1;
    }
    lua_Integer low = lua_gettop(L) > 1 ? luaL_checkinteger(L, 1) : 1;
    lua_Integer high = luaL_checkinteger(L, lua_gettop(L) > 1 ? 2 : 1);
    luaL_argcheck(L, low <= high, lua_gettop(L) > 1 ? 2 : 1, "interval is empty");
    uint64_t span = (uint64_t)high - (uint64_t)low + 1;
    lua_pushinteger(L, (lua_Integer)((uint64_t)low + (span ? rt_random_below(span) : rt_random())));
    return 1;
}

static int os_time(lua_State *L)
{
    lua_pushinteger(L, rt_wall_ms() / 1000);
    return 1;
}

/* "%H:%M" and the like of strftime, of a time in UTC. */
static int os_date(lua_State *L)
{
    const char *format = luaL_optstring(L, 1, "%Y-%m-%dT%H:%M:%SZ");
    time_t t = (time_t)luaL_optinteger(L, 2, rt_wall_ms() / 1000);
    struct tm tm;
    char out[256];
    if (*format == '!')
        format++;
    luaL_argcheck(L, strlen(format) < 64, 1, "expected a format of less than 64 characters");
    for (const char *p = strchr(format, '%'); p; p = strchr(p + 2, '%'))
        luaL_argcheck(L, p[1] && strchr("aAbBdHIjmMpSyYeFTuwVG%", p[1]), 1, "unknown letter behind '%'");
    if (!gmtime_r(&t, &tm))
        return luaL_argerror(L, 2, "not a time");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t n = strftime(out, sizeof out, format, &tm);
#pragma GCC diagnostic pop
    lua_pushlstring(L, out, n);
    return 1;
}

void lib_rest(lua_State *L, int full)
{
    static const char *const utf8[] = {"char", "charpattern", "codes"};
    static const char *const math[] = {"abs", "acos",       "asin", "atan", "ceil", "cos", "deg",
                                       "exp", "floor",      "fmod", "huge", "log",  "max", "maxinteger",
                                       "min", "mininteger", "modf", "pi",   "rad",  "sin", "sqrt",
                                       "tan", "tointeger",  "type", "ult"};
    lua_getfield(L, full, "utf8");
    int from = lua_gettop(L);
    lua_newtable(L);
    TAKE(L, from, utf8);
    counted(L, from, "len", octets_counted);
    counted(L, from, "codepoint", octets_counted);
    counted(L, from, "offset", octets_counted);
    lua_remove(L, from);
    lua_setfield(L, -2, "utf8");
    lua_getfield(L, full, "math");
    lua_newtable(L);
    TAKE(L, from, math);
    lua_remove(L, from);
    lua_pushcfunction(L, math_random);
    lua_setfield(L, -2, "random");
    lua_setfield(L, -2, "math");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, os_time);
    lua_setfield(L, -2, "time");
    lua_pushcfunction(L, os_date);
    lua_setfield(L, -2, "date");
    lua_setfield(L, -2, "os");
    counted(L, full, "tonumber", octets_counted);
}
