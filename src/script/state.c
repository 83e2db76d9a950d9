/*
 * Lua states: memory with a limit, the environment in which a script runs, `require`, `on`, and the run of the top
 * level that fills them.
 */
#include "script/internal.h"

const char *script_hook_name(enum script_hook h)
{
    static const char *const names[] = {
#define HOOK(name, text) #name,
#include "script/hooks.def"
#undef HOOK
    };
    return h < SCRIPT_HOOKS ? names[h] : "?";
}

/* ---- memory ---- */

/* Frees always succeed. What a call takes while it runs is on its account; garbage that it happens to collect counts
 * for it. When this says no, Lua collects garbage and asks once more. */
static void *allocate(void *arg, void *p, size_t old, size_t n)
{
    struct state *st = arg;
    struct call *c = st->now;
    const struct script_options *o = &st->script->o;
    old = p ? old : 0;
    if (n == 0) {
        free(p);
    } else if (n > old) {
        size_t more = n - old;
        bool full = n > BLOCK_MAX + 64 || st->used + more > (size_t)o->memory_all ||
                    (c && c->memory + (int64_t)more > o->memory);
        void *q = full ? NULL : realloc(p, n);
        if (!q) {
            if (c) {
                c->refused++;
                c->units -= o->instructions / 50;
            }
            return NULL;
        }
        p = q;
        if (c)
            c->units -= (int64_t)(more / OCTETS_A_UNIT);
    } else {
        void *q = realloc(p, n); /* smaller: may fail and the old block is as good */
        p = q ? q : p;
    }
    st->used += n - old;
    if (c)
        c->memory += (int64_t)n - (int64_t)old;
    return n ? p : NULL;
}

/* ---- on: the hooks ---- */

static int set_hook(lua_State *L)
{
    struct state *st = state_of(L);
    const char *name = luaL_checkstring(L, 2);
    if (st->now && st->now->q)
        return luaL_error(L, "hooks are set when the script is loaded, not while one runs");
    for (enum script_hook h = 0; h < SCRIPT_HOOKS; h++) {
        if (strcmp(name, script_hook_name(h)) != 0)
            continue;
        luaL_argexpected(L, lua_type(L, 3) == LUA_TFUNCTION, 3, "a function");
        if (st->hook[h] != LUA_NOREF)
            return luaL_error(L, "on.%s is set twice", name);
        lua_settop(L, 3);
        st->hook[h] = luaL_ref(L, LUA_REGISTRYINDEX);
        return 0;
    }
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (enum script_hook h = 0; h < SCRIPT_HOOKS; h++) {
        luaL_addstring(&b, h ? ", " : "");
        luaL_addstring(&b, script_hook_name(h));
    }
    luaL_pushresult(&b);
    return luaL_error(L, "there is no hook \"%s\"; expected one of: %s", name, lua_tostring(L, -1));
}

static int get_hook(lua_State *L)
{
    struct state *st = state_of(L);
    const char *name = luaL_checkstring(L, 2);
    for (enum script_hook h = 0; h < SCRIPT_HOOKS; h++)
        if (strcmp(name, script_hook_name(h)) == 0 && st->hook[h] != LUA_NOREF) {
            lua_rawgeti(L, LUA_REGISTRYINDEX, st->hook[h]);
            return 1;
        }
    return 0;
}

/* ---- globals ---- */

/* Names of a loaded script stay as they are: what changes them runs next to other calls of this loop, and the other
 * loops would not see it. */
static int set_global(lua_State *L)
{
    struct state *st = state_of(L);
    if (st->now && st->now->q && lua_type(L, 2) == LUA_TSTRING)
        return luaL_error(
            L,
            "the global name \"%s\" cannot be set in a hook: write \"local %s\", or keep it in session.vars, "
            "envelope.vars or store",
            lua_tostring(L, 2), lua_tostring(L, 2));
    lua_rawset(L, lua_upvalueindex(1));
    return 0;
}

/* Upvalue 1: a table of functions, such as string. */
static int set_function(lua_State *L)
{
    struct state *st = state_of(L);
    if (st->now && st->now->q)
        return luaL_error(L, "what belongs to all calls cannot be changed in a hook");
    lua_rawset(L, lua_upvalueindex(1));
    return 0;
}

/* Each table in the one on top gets an empty one before it, through which hooks see it and cannot change it. */
static void protect_tables(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (!lua_istable(L, -1))
            continue;
        lua_newtable(L);
        lua_createtable(L, 0, 3);
        lua_pushvalue(L, -3);
        lua_setfield(L, -2, "__index");
        lua_pushvalue(L, -3);
        lua_pushcclosure(L, set_function, 1);
        lua_setfield(L, -2, "__newindex");
        lua_pushboolean(L, false);
        lua_setfield(L, -2, "__metatable");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -3);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
}

/* ---- require ---- */

static bool is_module(str file, str name)
{
    size_t slash = str_rfind(file, '/');
    if (slash != STR_NONE)
        file = str_skip(file, slash + 1);
    return file.n == name.n + 4 && str_starts(file, name) && str_ends(file, S(".lua"));
}

static int load_file(lua_State *L, const struct script_file *f, const char *shown)
{
    int e = luaL_loadbufferx(L, f->text.n ? f->text.p : "", f->text.n, shown, "t");
    if (e == LUA_OK) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, state_of(L)->env);
        lua_setupvalue(L, -2, 1);
    }
    return e;
}

/* Upvalue 1: modules by name. */
static int require(lua_State *L)
{
    struct state *st = state_of(L);
    const struct script_options *o = &st->script->o;
    str name = arg_str(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    if (st->now && st->now->q)
        return luaL_error(L, "require belongs to the top level of the script");
    for (size_t i = 1; i < o->nfiles; i++) {
        if (!is_module(o->files[i].name, name))
            continue;
        lua_pushfstring(L, "@%s", o->files[i].name.p);
        if (load_file(L, &o->files[i], lua_tostring(L, -1)) != LUA_OK)
            return lua_error(L);
        lua_pushvalue(L, 1); /* a circle of modules finds `true` */
        lua_pushboolean(L, true);
        lua_rawset(L, lua_upvalueindex(1));
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
        if (lua_isnil(L, -1)) {
            lua_pushboolean(L, true);
            lua_replace(L, -2);
        }
        lua_pushvalue(L, 1);
        lua_pushvalue(L, -2);
        lua_rawset(L, lua_upvalueindex(1));
        return 1;
    }
    return luaL_error(L, "there is no file \"%s.lua\" in the folder of scripts (lua { folder })", name.p);
}

/* ---- making one ---- */

static void proxy(lua_State *L, const char *name, lua_CFunction get, lua_CFunction set)
{
    lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, get);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, set);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, name);
}

static void open_full(lua_State *L)
{
    static const luaL_Reg libs[] = {{LUA_STRLIBNAME, luaopen_string},
                                    {LUA_TABLIBNAME, luaopen_table},
                                    {LUA_MATHLIBNAME, luaopen_math},
                                    {LUA_UTF8LIBNAME, luaopen_utf8}};
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    lua_pop(L, 1);
    for (size_t i = 0; i < sizeof libs / sizeof *libs; i++) {
        luaL_requiref(L, libs[i].name, libs[i].func, 1);
        lua_pop(L, 1);
    }
}

/* Runs protected: the environment, then the chunk of the script on top. */
static int prepare(lua_State *L)
{
    struct state *st = state_of(L);
    const struct script_file *f = &st->script->files[0];
    open_full(L);
    lua_pushglobaltable(L);
    int full = lua_gettop(L);
    lua_newtable(L); /* what a script finds */
    lib_basic(L, full);
    lib_string(L, full);
    lib_table(L, full);
    lib_rest(L, full);
    api_fields(L);
    api_message(L);
    api_verdicts(L);
    api_ask(L);
    api_store(L);
    protect_tables(L);
    proxy(L, "on", get_hook, set_hook);
    lua_newtable(L);
    lua_pushcclosure(L, require, 1);
    lua_setfield(L, -2, "require");
    /* The script's own names lie in the same table; a table before it is always empty, so that setting is seen. */
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, set_global, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    st->env = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushfstring(L, "@%s", f->name.p);
    if (load_file(L, f, lua_tostring(L, -1)) != LUA_OK)
        return lua_error(L);
    return 1;
}

static void say_error(lua_State *L, struct buf *why)
{
    size_t n;
    const char *p = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    if (why && p)
        buf_add(why, (str){p, n});
    else if (why)
        buf_add_c(why, "an error that is no text");
}

static err run(struct state *st, struct buf *why)
{
    lua_State *L = st->L;
    lua_pushcfunction(L, prepare);
    if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
        bool nomem = lua_type(L, -1) != LUA_TSTRING;
        say_error(L, why);
        return nomem ? E_NOMEM : E_SYNTAX;
    }
    return call_top_level(st, why);
}

struct making {
    struct state *st;
    struct buf *why;
    err e;
};

static int no_panic(lua_State *L)
{
    (void)L; /* every call is protected: Lua's own abort() is the right end */
    return 0;
}

static void make(void *arg)
{
    struct making *m = arg;
    struct state *st = m->st;
    st->L = lua_newstate(allocate, st);
    m->e = st->L ? OK : E_NOMEM;
    if (!st->L)
        return;
    lua_atpanic(st->L, no_panic);
    *(struct state **)lua_getextraspace(st->L) = st;
    m->e = run(st, m->why);
}

err state_make(struct state **ret, struct script *s, struct buf *why)
{
    struct state *st = calloc(1, sizeof *st);
    if (!st)
        return E_NOMEM;
    st->script = s;
    for (int h = 0; h < SCRIPT_HOOKS; h++)
        st->hook[h] = LUA_NOREF;
    struct making m = {st, why, OK};
    fiber_on_loop(make, &m);
    if (m.e)
        state_free(&st);
    else
        *ret = st;
    return m.e;
}

static void close_state(void *arg) { lua_close(arg); }

void state_free(struct state **st)
{
    if (!*st)
        return;
    if ((*st)->L)
        fiber_on_loop(close_state, (*st)->L);
    free(*st);
    *st = NULL;
}
