/* The table `string`: what Lua has, but with patterns whose work is counted, and without what makes endless strings. */
#include "script/internal.h"
#include "script/pattern.h"

/* ---- patterns ---- */

/* The pattern at index i, read; it stays on the stack as long as it is used. */
static const struct pattern *pattern_at(lua_State *L, int i, bool anchor)
{
    str text = arg_str(L, i);
    struct pattern *p = lua_newuserdatauv(L, pattern_size(text), 0);
    charge(L, 8 + text.n / 4);
    const char *fault = pattern_read(p, text, anchor);
    if (fault)
        luaL_argerror(L, i, fault);
    return p;
}

/* A step is cheaper than an instruction. Nothing else runs meanwhile, so one match has a bound of its own. */
enum { STEPS_A_UNIT = 4, STEPS_MAX = 1000000 };

static uint64_t steps_left(lua_State *L)
{
    uint64_t n = (uint64_t)charge_left(L) * STEPS_A_UNIT + 1;
    return n < STEPS_MAX ? n : STEPS_MAX;
}

static void begin_match(lua_State *L, struct pattern_match *m, str subject)
{
    m->subject = subject;
    m->left = steps_left(L);
}

/* What was used is counted; ends the call when it was all. */
static void end_match(lua_State *L, struct pattern_match *m)
{
    uint64_t had = steps_left(L);
    if (!m->left && had == STEPS_MAX)
        charge(L, STEPS_MAX / STEPS_A_UNIT), luaL_error(L, "a pattern that takes too many steps");
    charge(L, m->left ? (had - m->left) / STEPS_A_UNIT + 1 : had);
}

static void push_capture(lua_State *L, const struct pattern_match *m, unsigned i)
{
    if (i >= m->n)
        push_str(L, str_sub(m->subject, m->from, m->to));
    else if (m->capture[i].to == PATTERN_POSITION)
        lua_pushinteger(L, (lua_Integer)m->capture[i].from + 1);
    else
        push_str(L, str_sub(m->subject, m->capture[i].from, m->capture[i].to));
}

static int push_captures(lua_State *L, const struct pattern_match *m, bool whole)
{
    unsigned n = m->n || !whole ? m->n : 1;
    luaL_checkstack(L, (int)n + 1, "too many captures");
    for (unsigned i = 0; i < n; i++)
        push_capture(L, m, i);
    return (int)n;
}

/* Where to begin: 1 is the first octet, -1 the last. False: behind the end. */
static bool begin_at(lua_State *L, int i, size_t n, size_t *ret)
{
    lua_Integer at = luaL_optinteger(L, i, 1);
    if (at < 0)
        at = (uint64_t) - (at + 1) >= n ? 1 : (lua_Integer)n + at + 1;
    if (at == 0)
        at = 1;
    *ret = (size_t)at - 1;
    return *ret <= n;
}

static bool plain(str p)
{
    for (size_t i = 0; i < p.n; i++)
        if (p.p[i] && strchr("^$*+?.([%-", p.p[i]))
            return false;
    return true;
}

static int find_plain(lua_State *L, str s, str p, size_t at)
{
    charge_octets(L, s.n - at);
    charge(L, p.n > 64 ? (s.n - at) / 16 * (p.n / 64) / 16 : 0);
    size_t i = p.n ? str_search(str_skip(s, at), p) : 0;
    if (i == STR_NONE) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)(at + i + 1));
    lua_pushinteger(L, (lua_Integer)(at + i + p.n));
    return 2;
}

static int find_or_match(lua_State *L, bool find)
{
    str s = arg_str(L, 1), text = arg_str(L, 2);
    struct pattern_match m;
    size_t at;
    if (!begin_at(L, 3, s.n, &at)) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || plain(text)))
        return find_plain(L, s, text, at);
    const struct pattern *p = pattern_at(L, 2, true);
    begin_match(L, &m, s);
    bool found = pattern_find(p, &m, at);
    end_match(L, &m);
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    if (!find)
        return push_captures(L, &m, true);
    lua_pushinteger(L, (lua_Integer)m.from + 1);
    lua_pushinteger(L, (lua_Integer)m.to);
    return 2 + push_captures(L, &m, false);
}

static int string_find(lua_State *L) { return find_or_match(L, true); }
static int string_match(lua_State *L) { return find_or_match(L, false); }

/* Upvalues: the text, the pattern, where to go on, where the last match ended. */
static int gmatch_next(lua_State *L)
{
    struct pattern_match m;
    str s = {NULL, 0};
    s.p = lua_tolstring(L, lua_upvalueindex(1), &s.n);
    const struct pattern *p = lua_touserdata(L, lua_upvalueindex(2));
    size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    begin_match(L, &m, s);
    for (bool found = true; found && at <= s.n; at++) {
        found = pattern_find(p, &m, at);
        if (!found || (lua_Integer)m.to == last) { /* nothing behind a match matches nothing at its end */
            at = found ? m.from : at;
            continue;
        }
        end_match(L, &m);
        lua_pushinteger(L, (lua_Integer)m.to);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(L, &m, true);
    }
    end_match(L, &m);
    lua_pushinteger(L, (lua_Integer)s.n + 1);
    lua_replace(L, lua_upvalueindex(3));
    lua_pushnil(L);
    return 1;
}

static int string_gmatch(lua_State *L)
{
    str s = arg_str(L, 1);
    size_t at;
    if (!begin_at(L, 3, s.n, &at))
        at = s.n + 1;
    lua_pushvalue(L, 1);
    pattern_at(L, 2, false);
    lua_pushinteger(L, (lua_Integer)at);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* ---- gsub ---- */

static void add_template(lua_State *L, luaL_Buffer *b, const struct pattern_match *m, str t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] != '%') {
            luaL_addchar(b, t.p[i]);
            continue;
        }
        char c = ++i < t.n ? t.p[i] : 0;
        if (c == '%') {
            luaL_addchar(b, '%');
        } else if (c == '0') {
            luaL_addlstring(b, m->subject.p + m->from, m->to - m->from);
        } else if (ascii_digit(c) && ((unsigned)(c - '1') < m->n || c == '1')) {
            push_capture(L, m, (unsigned)(c - '1'));
            luaL_tolstring(L, -1, NULL);
            lua_remove(L, -2);
            luaL_addvalue(b);
        } else if (ascii_digit(c)) {
            luaL_error(L, "invalid capture index %%%c in replacement string", c);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

static void add_replacement(lua_State *L, luaL_Buffer *b, const struct pattern_match *m, int kind)
{
    str whole = str_sub(m->subject, m->from, m->to);
    if (kind == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        int n = push_captures(L, m, true);
        lua_call(L, n, 1);
    } else if (kind == LUA_TTABLE) {
        push_capture(L, m, 0);
        lua_gettable(L, 3);
    } else {
        size_t n;
        const char *t = lua_tolstring(L, 3, &n);
        charge_octets(L, n);
        add_template(L, b, m, (str){t, n});
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, whole.n ? whole.p : "", whole.n);
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(b);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

static int string_gsub(lua_State *L)
{
    str s = arg_str(L, 1);
    int kind = lua_type(L, 3);
    struct pattern_match m;
    luaL_Buffer b;
    luaL_argexpected(L, kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE, 3,
                     "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)s.n + 1), n = 0;
    lua_settop(L, 4);
    const struct pattern *p = pattern_at(L, 2, true);
    size_t at = 0, last = STR_NONE;
    luaL_buffinit(L, &b);
    while (n < most) {
        begin_match(L, &m, s);
        bool found = pattern_here(p, &m, at) && m.to != last;
        end_match(L, &m);
        if (found) {
            n++;
            add_replacement(L, &b, &m, kind);
            at = last = m.to;
        } else if (at < s.n) {
            luaL_addchar(&b, s.p[at++]);
        } else {
            break;
        }
        if (p->anchored)
            break;
    }
    if (at < s.n)
        luaL_addlstring(&b, s.p + at, s.n - at);
    luaL_pushresult(&b);
    lua_pushinteger(L, n);
    return 2;
}

/* ---- the rest ---- */

static int string_rep(lua_State *L)
{
    str s = arg_str(L, 1), between = arg_opt(L, 3);
    lua_Integer n = luaL_checkinteger(L, 2);
    size_t each = s.n + between.n;
    if (n <= 0 || each == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((uint64_t)n > BLOCK_MAX / each + 1 || each * (size_t)n - between.n > BLOCK_MAX)
        return luaL_error(L, "a string of at most %d octets was expected", BLOCK_MAX);
    luaL_Buffer b;
    luaL_buffinitsize(L, &b, each * (size_t)n);
    for (lua_Integer i = 0; i < n; i++) {
        luaL_addlstring(&b, s.p, s.n);
        if (i + 1 < n)
            luaL_addlstring(&b, between.p ? between.p : "", between.n);
    }
    luaL_pushresult(&b);
    return 1;
}

void lib_string(lua_State *L, int full)
{
    static const char *const same[] = {"byte",     "char",    "format", "len",    "lower", "pack",
                                       "packsize", "reverse", "sub",    "unpack", "upper"};
    static const luaL_Reg own[] = {{"find", string_find}, {"match", string_match}, {"gmatch", string_gmatch},
                                   {"gsub", string_gsub}, {"rep", string_rep},     {NULL, NULL}};
    lua_newtable(L);
    lua_getfield(L, full, "string");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        lua_getfield(L, -1, same[i]);
        lua_setfield(L, -3, same[i]);
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, own, 0);
    /* ("x"):find(...) finds the same functions */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    lua_setfield(L, -2, "string");
}
