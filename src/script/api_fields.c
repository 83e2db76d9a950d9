/* session, envelope, message, results: objects whose fields come from the table; session.vars and envelope.vars. */
#include "script/internal.h"

enum object { OBJECT_session, OBJECT_envelope, OBJECT_message, OBJECT_results, OBJECTS };

static const struct {
    enum object object;
    const char *name;
} fields[] = {
#define FIELD(object, name, type, text) {OBJECT_##object, #name},
#include "script/fields.def"
#undef FIELD
};
static const char *const objects[] = {"session", "envelope", "message", "results"};

str arg_opt(lua_State *L, int i) { return lua_isnoneornil(L, i) ? S("") : arg_str(L, i); }

int push_err(lua_State *L, err e)
{
    lua_pushnil(L);
    lua_pushstring(L, err_text(e));
    return 2;
}

void skip_self(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TUSERDATA)
        lua_remove(L, 1);
}

void need(lua_State *L, bool there, const char *what)
{
    if (!there)
        luaL_error(L, "%s is not to be had here", what);
}

static void push_value(lua_State *L, const struct script_value *v)
{
    switch (v->kind) {
    case SCRIPT_STR:
        push_str(L, v->s);
        break;
    case SCRIPT_NUM:
        if (v->n == (double)(lua_Integer)v->n)
            lua_pushinteger(L, (lua_Integer)v->n);
        else
            lua_pushnumber(L, v->n);
        break;
    case SCRIPT_BOOL:
        lua_pushboolean(L, v->b);
        break;
    case SCRIPT_LIST:
        lua_createtable(L, (int)v->nv, 0);
        for (size_t i = 0; i < v->nv; i++) {
            push_str(L, v->v[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    default:
        lua_pushnil(L);
    }
}

/* Upvalues: field numbers by name, functions by name, the object's name. */
static int get_field(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TSTRING);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL)
            return luaL_error(L, "%s has no field \"%s\"", lua_tostring(L, lua_upvalueindex(3)), lua_tostring(L, 2));
        return 1;
    }
    enum script_field f = (enum script_field)lua_tointeger(L, -1);
    struct call *c = call_of(L, lua_tostring(L, lua_upvalueindex(3)));
    struct script_value v = {.kind = SCRIPT_NIL};
    arena_reset(&c->mem);
    if (c->q->world->field)
        c->q->world->field(c->q->subject, f, &c->mem, &v);
    push_value(L, &v);
    return 1;
}

static int set_field(lua_State *L)
{
    const char *name = luaL_tolstring(L, 2, NULL);
    return luaL_error(L, "the field \"%s\" cannot be set; use a function, or .vars for what you keep", name);
}

/* ---- vars ---- */

static struct script_vars **vars_of(lua_State *L)
{
    struct call *c = call_of(L, "vars");
    struct script_vars **v = lua_toboolean(L, lua_upvalueindex(1)) ? c->q->envelope : c->q->session;
    need(L, v != NULL, "vars");
    return v;
}

static int get_var(lua_State *L)
{
    struct script_value x = {.kind = SCRIPT_NIL};
    vars_get(*vars_of(L), arg_str(L, 2), &x);
    push_value(L, &x);
    return 1;
}

static int set_var(lua_State *L)
{
    struct script_value x = {.kind = SCRIPT_NIL};
    switch (lua_type(L, 3)) {
    case LUA_TSTRING:
        x = (struct script_value){.kind = SCRIPT_STR, .s = arg_str(L, 3)};
        break;
    case LUA_TNUMBER:
        x = (struct script_value){.kind = SCRIPT_NUM, .n = lua_tonumber(L, 3)};
        break;
    case LUA_TBOOLEAN:
        x = (struct script_value){.kind = SCRIPT_BOOL, .b = lua_toboolean(L, 3)};
        break;
    case LUA_TNIL:
        break;
    default:
        return luaL_error(L, "vars keep strings, numbers and booleans, not a %s", luaL_typename(L, 3));
    }
    if (!vars_set(vars_of(L), arg_str(L, 2), &x))
        return luaL_error(L, "vars are full: 64 of them, 64 KB together, names of up to 60 octets");
    return 0;
}

static void push_vars(lua_State *L, bool envelope)
{
    lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 3);
    lua_pushboolean(L, envelope);
    lua_pushcclosure(L, get_var, 1);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, envelope);
    lua_pushcclosure(L, set_var, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* ---- objects ---- */

static int describe(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
}

static void push_object(lua_State *L, enum object o)
{
    lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 4);
    lua_newtable(L);
    for (size_t i = 0; i < SCRIPT_FIELDS; i++)
        if (fields[i].object == o) {
            lua_pushinteger(L, (lua_Integer)i);
            lua_setfield(L, -2, fields[i].name);
        }
    lua_newtable(L);
    if (o == OBJECT_session || o == OBJECT_envelope) {
        push_vars(L, o == OBJECT_envelope);
        lua_setfield(L, -2, "vars");
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, objects[o]); /* for those that add functions */
    lua_pushstring(L, objects[o]);
    lua_pushcclosure(L, get_field, 3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, set_field);
    lua_setfield(L, -2, "__newindex");
    lua_pushstring(L, objects[o]);
    lua_pushcclosure(L, describe, 1);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, objects[o]);
}

void api_fields(lua_State *L)
{
    for (enum object o = 0; o < OBJECTS; o++)
        push_object(L, o);
}
