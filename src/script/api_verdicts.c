/* accept, refuse, defer, ...: what a hook decides. Each ends the hook. */
#include "script/internal.h"
#include "wire/reply.h"

static str keep(lua_State *L, struct call *c, str s)
{
    str t = arena_str(c->q->mem, str_sub(s, 0, REPLY_TEXT_MAX));
    if (!t.p)
        luaL_error(L, "out of memory");
    return t;
}

static int decide(lua_State *L, enum script_kind kind)
{
    struct call *c = call_of(L, script_kind_name(kind));
    if (kind >= SCRIPT_DISCARD && c->q->hook < SCRIPT_ON_mail)
        return luaL_error(L, "%s: there is no message yet in this hook", script_kind_name(kind));
    c->verdict->kind = kind;
    return call_end(L, c);
}

/* refuse([code,] [enhanced,] [text]) */
static int reply(lua_State *L, enum script_kind kind, int class)
{
    struct call *c = call_of(L, script_kind_name(kind));
    struct script_verdict *v = c->verdict;
    int i = 1, code = 0;
    char esc[12] = "";
    str text = S("");
    if (lua_type(L, i) == LUA_TNUMBER) {
        code = (int)luaL_checkinteger(L, i);
        luaL_argcheck(L, code / 100 == class, i,
                      class == 5 ? "a code from 500 to 599 was expected" : "a code from 400 to 499 was expected");
        i++;
    }
    if (lua_type(L, i) == LUA_TSTRING && reply_esc_len(arg_str(L, i)) == arg_str(L, i).n && arg_str(L, i).n) {
        luaL_argcheck(L, arg_str(L, i).p[0] == '0' + class && str_to_c(arg_str(L, i), esc, sizeof esc), i,
                      "an enhanced code of the same class was expected");
        i++;
    }
    if (lua_type(L, i) == LUA_TSTRING)
        text = keep(L, c, arg_str(L, i++));
    luaL_argcheck(L, lua_isnoneornil(L, i), i, "expected: code, enhanced code, text");
    v->code = code;
    v->text = text;
    memcpy(v->esc, esc, sizeof esc);
    return decide(L, kind);
}

static int say_refuse(lua_State *L) { return reply(L, SCRIPT_REFUSE, 5); }
static int say_defer(lua_State *L) { return reply(L, SCRIPT_DEFER, 4); }
static int say_accept(lua_State *L) { return decide(L, SCRIPT_ACCEPT); }

static int with_reason(lua_State *L, enum script_kind kind)
{
    struct call *c = call_of(L, script_kind_name(kind));
    c->verdict->text = keep(L, c, arg_opt(L, 1));
    return decide(L, kind);
}

static int say_discard(lua_State *L) { return with_reason(L, SCRIPT_DISCARD); }
static int say_quarantine(lua_State *L) { return with_reason(L, SCRIPT_QUARANTINE); }
static int say_hold(lua_State *L) { return with_reason(L, SCRIPT_HOLD); }

/* As far as a slip in a script goes; what takes it looks closer. */
static bool is_address(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    size_t at = str_rfind(s, '@');
    return at != STR_NONE && at > 0 && at + 1 < s.n;
}

static int say_redirect(lua_State *L)
{
    struct call *c = call_of(L, "redirect");
    str to = arg_str(L, 1);
    luaL_argcheck(L, to.n <= 320 && is_address(to), 1, "an address was expected");
    c->verdict->to = keep(L, c, to);
    return decide(L, SCRIPT_REDIRECT);
}

void api_verdicts(lua_State *L)
{
    static const luaL_Reg global[] = {
        {"accept", say_accept}, {"refuse", say_refuse},         {"defer", say_defer},       {"discard", say_discard},
        {"hold", say_hold},     {"quarantine", say_quarantine}, {"redirect", say_redirect}, {NULL, NULL}};
    luaL_setfuncs(L, global, 0);
}
