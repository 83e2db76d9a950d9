/* store, metric, log: what outlives a call. */
#include "script/internal.h"

#include <math.h>

#define DAY_S 86400

static int64_t until(lua_State *L, int i)
{
    double s = luaL_optnumber(L, i, DAY_S);
    luaL_argcheck(L, s > 0 && s <= 366.0 * DAY_S, i, "seconds, at most a year, were expected");
    return rt_wall_ms() + (int64_t)(s * 1000);
}

static str key_of(lua_State *L)
{
    str key = arg_str(L, 1);
    luaL_argcheck(L, key.n > 0 && key.n <= 1024, 1, "a key of 1 to 1024 octets was expected");
    charge(L, 20);
    charge_octets(L, key.n);
    return key;
}

static int store_get_lua(lua_State *L)
{
    struct call *c = call_of(L, "store");
    struct script_value v;
    arena_reset(&c->mem);
    if (!shared_get(key_of(L), &c->mem, &v)) {
        lua_pushnil(L);
    } else if (v.kind == SCRIPT_BOOL) {
        lua_pushboolean(L, v.b);
    } else if (v.kind == SCRIPT_NUM && v.n == floor(v.n) && fabs(v.n) < 1e15) {
        lua_pushinteger(L, (lua_Integer)v.n);
    } else if (v.kind == SCRIPT_NUM) {
        lua_pushnumber(L, v.n);
    } else {
        charge_octets(L, v.s.n);
        push_str(L, v.s);
    }
    return 1;
}

static int store_set_lua(lua_State *L)
{
    struct script_value v = {.kind = SCRIPT_STR};
    call_of(L, "store");
    str key = key_of(L);
    switch (lua_type(L, 2)) {
    case LUA_TNUMBER:
        v = (struct script_value){.kind = SCRIPT_NUM, .n = lua_tonumber(L, 2)};
        break;
    case LUA_TBOOLEAN:
        v = (struct script_value){.kind = SCRIPT_BOOL, .b = lua_toboolean(L, 2)};
        break;
    case LUA_TNIL:
        shared_delete(key);
        return 0;
    case LUA_TSTRING:
        v.s = arg_str(L, 2);
        luaL_argcheck(L, v.s.n <= 65536, 2, "a value of at most 64 KB was expected");
        break;
    default:
        return luaL_argerror(L, 2, "a string, a number, true, false or nil was expected");
    }
    err e = shared_set(key, &v, until(L, 3));
    return e ? luaL_error(L, "store: %s", err_text(e)) : 0;
}

/* store.add(key [, n [, seconds]]): the new sum. The time begins with the first. */
static int store_add_lua(lua_State *L)
{
    double sum = 0;
    call_of(L, "store");
    err e = shared_add(key_of(L), luaL_optnumber(L, 2, 1), until(L, 3), &sum);
    if (e)
        return luaL_error(L, "store: %s", e == E_SYNTAX ? "there is no number under this key" : err_text(e));
    if (sum == floor(sum) && fabs(sum) < 1e15)
        lua_pushinteger(L, (lua_Integer)sum);
    else
        lua_pushnumber(L, sum);
    return 1;
}

static int store_delete_lua(lua_State *L)
{
    call_of(L, "store");
    lua_pushboolean(L, shared_delete(key_of(L)));
    return 1;
}

/* metric(name [, n]) */
static int metric(lua_State *L)
{
    str name = arg_str(L, 1);
    double by = luaL_optnumber(L, 2, 1);
    call_of(L, "metric");
    luaL_argcheck(L, name.n > 0 && name.n <= NAME_MAX_OWN, 1, "a name of up to 60 octets was expected");
    for (size_t i = 0; i < name.n; i++)
        luaL_argcheck(L, ascii_alnum(name.p[i]) || strchr("_.-", name.p[i]), 1,
                      "a name of letters, digits, '_', '.' and '-' was expected");
    luaL_argcheck(L, by >= 0 && by < 1e15, 2, "a number that is not negative was expected");
    if (shared_metric(name, by))
        return luaL_error(L, "no more than 100 names of metrics");
    return 0;
}

static int log_line(lua_State *L)
{
    struct state *st = state_of(L);
    struct call *c = st->now;
    size_t n;
    str s;
    s.p = luaL_tolstring(L, 1, &n);
    s.n = n < 1000 ? n : 1000;
    if (c && ++c->lines > LINES_MAX)
        return luaL_error(L, "more than %d lines of log", LINES_MAX);
    str file = S("");
    int line = 0;
    script_where(L, &file, &line);
    rt_log(EV_script_says, log_num(c && c->q ? (int64_t)c->q->session_id : 0), log_str(file), log_num(line),
           log_str(s));
    return 0;
}

void api_store(lua_State *L)
{
    static const luaL_Reg of_store[] = {{"get", store_get_lua},
                                        {"set", store_set_lua},
                                        {"add", store_add_lua},
                                        {"delete", store_delete_lua},
                                        {NULL, NULL}};
    luaL_newlib(L, of_store);
    lua_setfield(L, -2, "store");
    lua_pushcfunction(L, metric);
    lua_setfield(L, -2, "metric");
    lua_pushcfunction(L, log_line);
    lua_setfield(L, -2, "log");
}
