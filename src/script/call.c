/*
 * Calls: a coroutine that runs in slices on the loop's stack and waits on its fiber's; budgets, what becomes of a
 * call that goes beyond them, and errors with the place where they happened.
 */
#include "script/internal.h"

/* ---- budgets ---- */

static void look(lua_State *L, lua_Debug *ar);

static const char *over_text(enum over o)
{
    switch (o) {
    case OVER_INSTRUCTIONS:
        return "used up its instructions (lua { instructions })";
    case OVER_RUN_TIME:
        return "ran too long (lua { run-time })";
    case OVER_TIME:
        return "took too long (lua { time })";
    case OVER_MEMORY:
        return "needs more memory (lua { memory })";
    case OVER_CANCELLED:
        return "was ended because the server stops";
    default:
        return "has ended";
    }
}

/* Where the coroutine can stand still it is left and never resumed, so that no pcall sees it; inside a function of C
 * (string.gsub, table.sort) an error goes up to the first place where it can. */
static void stop_here(lua_State *L, struct call *c)
{
    lua_sethook(L, look, LUA_MASKCOUNT, 1);
    if (!lua_isyieldable(L))
        luaL_error(L, "%s", over_text(c->over));
    script_where(L, &c->file, &c->line);
    c->want = WANT_STOP;
    lua_yield(L, 0);
}

static void look(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct call *c = state_of(L)->now;
    const struct script_options *o = &c->st->script->o;
    if (lua_gethookcount(L) != STEP && !c->over)
        lua_sethook(L, look, LUA_MASKCOUNT, STEP);
    c->units -= STEP;
    rt_time spent = rt_now_fresh() - c->began;
    if (c->over == OVER_NOT && c->units <= 0)
        c->over = c->refused > 20 ? OVER_MEMORY : OVER_INSTRUCTIONS;
    /* The clock is cheap to read, but goes on while others have the processor. */
    if (c->over == OVER_NOT && c->ran + spent > o->run_time && c->cpu_ran + rt_cpu() - c->cpu_began > o->run_time)
        c->over = OVER_RUN_TIME;
    if (c->over) {
        stop_here(L, c);
    } else if (spent > SLICE && c->q && fiber_self() && lua_isyieldable(L)) {
        c->want = WANT_SLICE;
        lua_yield(L, 0);
    }
}

void charge(lua_State *L, uint64_t units)
{
    struct call *c = state_of(L)->now;
    if (!c)
        return;
    c->units -= units > INT32_MAX ? INT32_MAX : (int64_t)units;
    if (c->units > 0) {
        if (units > LARGE) /* a few of these take as long as many instructions */
            lua_sethook(L, look, LUA_MASKCOUNT, 1);
        return;
    }
    if (!c->over)
        c->over = OVER_INSTRUCTIONS;
    lua_sethook(L, look, LUA_MASKCOUNT, 1);
    luaL_error(L, "%s", over_text(c->over));
}

int64_t charge_left(lua_State *L)
{
    const struct call *c = state_of(L)->now;
    return c && c->units > 0 ? c->units : 1;
}

/* ---- waiting and ending ---- */

struct call *call_of(lua_State *L, const char *what)
{
    struct call *c = state_of(L)->now;
    if (!c || !c->q)
        luaL_error(L, "%s is known in a hook, not while the script is loaded", what);
    return c;
}

static int told(lua_State *L, int status, lua_KContext arg)
{
    (void)status, (void)arg;
    struct call *c = state_of(L)->now;
    return c->op.tell(L, c);
}

int call_wait(lua_State *L, struct call *c, void (*perform)(struct call *c), int (*tell)(lua_State *, struct call *))
{
    if (++c->questions > c->st->script->o.questions)
        return luaL_error(L, "more than %d questions (lua { questions })", (int)c->st->script->o.questions);
    if (!lua_isyieldable(L))
        return luaL_error(L,
                          "cannot wait inside a function that string.gsub, table.sort or a metamethod of these calls");
    c->op.perform = perform;
    c->op.tell = tell;
    c->want = WANT_OP;
    return lua_yieldk(L, 0, 0, told);
}

int call_end(lua_State *L, struct call *c)
{
    script_where(L, &c->verdict->file, &c->verdict->line);
    c->over = OVER_DONE;
    if (!lua_isyieldable(L)) {
        lua_sethook(L, look, LUA_MASKCOUNT, 1);
        return luaL_error(L, "the hook ends here");
    }
    c->want = WANT_END;
    return lua_yield(L, 0);
}

/* ---- places ---- */

bool script_where(lua_State *L, str *ret_file, int *ret_line)
{
    lua_Debug ar;
    const struct script *s = state_of(L)->script;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        if (!lua_getinfo(L, "Sl", &ar) || ar.currentline <= 0)
            continue;
        for (size_t i = 0; i < s->o.nfiles; i++)
            if (ar.source[0] == '@' && str_eq(str_c(ar.source + 1), s->files[i].name)) {
                *ret_file = s->files[i].name;
                *ret_line = ar.currentline;
                return true;
            }
    }
    return false;
}

/* ---- running ---- */

/* Protected: takes or makes a coroutine and puts what is to be called on its stack; arguments: the call. */
static int begin(lua_State *L)
{
    struct call *c = lua_touserdata(L, 1);
    struct state *st = c->st;
    if (st->nidle) {
        c->ref = st->idle[--st->nidle];
        lua_rawgeti(L, LUA_REGISTRYINDEX, c->ref);
        c->L = lua_tothread(L, -1);
    } else {
        c->L = lua_newthread(L);
        c->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_settop(c->L, 0);
    if (!c->q) {
        lua_pushvalue(L, 2);
        lua_xmove(L, c->L, 1);
    } else if (c->q->function.n) {
        lua_rawgeti(c->L, LUA_REGISTRYINDEX, st->env);
        lua_pushlstring(c->L, c->q->function.p, c->q->function.n);
        lua_gettable(c->L, 1);
        lua_remove(c->L, 1);
    } else {
        lua_rawgeti(c->L, LUA_REGISTRYINDEX, st->hook[c->q->hook]);
    }
    if (c->q && c->q->hook == SCRIPT_ON_body && !c->q->function.n) {
        push_str(c->L, c->q->piece);
        c->nargs = 1;
    }
    lua_pushboolean(L, lua_isfunction(c->L, 1));
    return 1;
}

static void slice(void *arg)
{
    struct call *c = arg;
    lua_State *L = c->st->L;
    c->st->now = c;
    c->began = rt_now_fresh();
    c->cpu_began = rt_cpu();
    c->want = WANT_NOTHING;
    if (!c->L) {
        bool chunk = !c->q;
        lua_pushcfunction(L, begin);
        if (chunk)
            lua_insert(L, -2);
        lua_pushlightuserdata(L, c);
        if (chunk)
            lua_insert(L, -2);
        c->status = lua_pcall(L, chunk ? 2 : 1, 1, 0);
        if (c->status == LUA_OK && !lua_toboolean(L, -1))
            c->status = -1;
        lua_settop(L, 0);
        if (c->status != LUA_OK)
            goto out;
        lua_sethook(c->L, look, LUA_MASKCOUNT, STEP);
    }
    c->status = lua_resume(c->L, L, c->nargs, &c->nres);
    c->nargs = 0;
out:
    c->ran += rt_now_fresh() - c->began;
    c->cpu_ran += rt_cpu() - c->cpu_began;
    c->st->now = NULL;
}

/* The coroutine goes: one that ended well is kept for another call. */
static void give_back(void *arg)
{
    struct call *c = arg;
    struct state *st = c->st;
    if (!c->L)
        return;
    lua_sethook(c->L, NULL, 0, 0);
    if (c->status == LUA_OK && c->over == OVER_NOT && st->nidle < IDLE_MAX) {
        lua_settop(c->L, 0);
        st->idle[st->nidle++] = c->ref;
    } else {
        luaL_unref(st->L, LUA_REGISTRYINDEX, c->ref);
    }
    /* Room for a string that was not to be had is freed by a finalizer, which a collection for want of memory skips. */
    if (c->refused && c->L)
        lua_gc(st->L, LUA_GCCOLLECT);
    c->L = NULL;
}

static void perform(struct call *c) YIELDS;
static void perform(struct call *c)
{
    arena_reset(&c->mem);
    buf_clear(&c->text);
    c->op.e = OK;
    if (rt_now() >= c->deadline)
        c->over = OVER_TIME;
    else
        c->op.perform(c);
    if (c->op.e == E_CANCELLED || fiber_cancelled())
        c->over = OVER_CANCELLED;
    else if (rt_now() >= c->deadline)
        c->over = OVER_TIME;
}

/* True: once more. */
static bool go_on(struct call *c) YIELDS;
static bool go_on(struct call *c)
{
    if (c->status != LUA_YIELD)
        return false;
    if (c->want == WANT_OP)
        perform(c);
    else if (c->want == WANT_SLICE)
        fiber_yield();
    else
        return false;
    if (rt_now() >= c->deadline && !c->over)
        c->over = OVER_TIME;
    return !c->over;
}

/* "policy.lua:12: what happened"; what comes from Lua has its place in front mostly. */
static void tell_failure(struct call *c, struct buf *why)
{
    str file = c->file, text = S("an error that is no text");
    int line = c->line;
    bool known = line > 0 || (c->L && script_where(c->L, &file, &line));
    if (c->over == OVER_NOT && c->status != LUA_YIELD && c->L && lua_type(c->L, -1) == LUA_TSTRING)
        text.p = lua_tolstring(c->L, -1, &text.n);
    if (c->over)
        text = str_c(over_text(c->over));
    if (c->status == LUA_ERRMEM)
        text = str_c(over_text(OVER_MEMORY));
    if (known && !str_starts(text, file))
        buf_printf(why, STR_FMT ":%d: ", STR_ARG(file), line);
    buf_add(why, str_sub(text, 0, 500));
}

static err outcome(const struct call *c)
{
    if (c->over == OVER_DONE || (c->over == OVER_NOT && c->status == LUA_OK))
        return OK;
    if (c->over == OVER_CANCELLED)
        return E_CANCELLED;
    if (c->over == OVER_TIME)
        return E_TIMEOUT;
    if (c->over == OVER_MEMORY || c->status == LUA_ERRMEM)
        return E_NOMEM;
    return c->over ? E_LIMIT : E_UNKNOWN;
}

/* E_NOT_FOUND: what was to be called is no function. */
static err run(struct call *c, struct buf *why) YIELDS;
static err run(struct call *c, struct buf *why)
{
    const struct script_options *o = &c->st->script->o;
    c->units = o->instructions;
    c->deadline = c->q ? rt_after(o->time) : RT_NEVER;
    c->st->calls++;
    arena_init(&c->mem, 2048, 4 * (o->http_most + o->body_most) + 65536);
    buf_init(&c->text, o->body_most > 262144 ? o->body_most : 262144 + 1);
    do
        fiber_on_loop(slice, c);
    while (go_on(c));
    err e = c->status == -1 ? E_NOT_FOUND : outcome(c);
    if (e && e != E_NOT_FOUND)
        tell_failure(c, why);
    fiber_on_loop(give_back, c);
    buf_free(&c->text);
    arena_free(&c->mem);
    c->st->calls--;
    return e;
}

err call_top_level(struct state *st, struct buf *why)
{
    struct call c = {.st = st};
    char mem[600];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    err e = run(&c, &b);
    if (e && why)
        buf_add(why, buf_str(&b));
    return e == E_UNKNOWN || e == E_LIMIT ? E_SYNTAX : e;
}

/* ---- hooks ---- */

static str called(const struct script_request *q)
{
    return q->function.n ? q->function : str_c(script_hook_name(q->hook));
}

static void note(struct state *st, const struct script_request *q, err e, str why)
{
    struct guard *g = q->function.n ? NULL : &st->guards[q->hook];
    const struct script_options *o = &st->script->o;
    if (!e) {
        if (g)
            g->failures = 0;
        return;
    }
    if (e == E_CANCELLED)
        return;
    rt_log(EV_script_failed, log_num((int64_t)q->session_id), log_str(called(q)), log_str(why));
    if (!g || !o->failures || ++g->failures < o->failures)
        return;
    g->until = rt_after(o->pause);
    rt_log(EV_script_stopped, log_str(called(q)), log_num(g->failures), log_num(o->pause / RT_S));
}

static err state_here(struct state **ret, struct script *s, struct buf *why) YIELDS;
static err state_here(struct state **ret, struct script *s, struct buf *why)
{
    struct state **at = &s->states[rt_index() < 0 ? 0 : rt_index()];
    err e = *at ? OK : state_make(at, s, why);
    *ret = *at;
    return e;
}

static err call(struct script *s, const struct script_request *q, struct script_verdict *ret, struct buf *why) YIELDS;
static err call(struct script *s, const struct script_request *q, struct script_verdict *ret, struct buf *why)
{
    struct state *st;
    err e = state_here(&st, s, why);
    if (e)
        return e;
    struct guard *g = q->function.n ? NULL : &st->guards[q->hook];
    if (g && st->hook[q->hook] == LUA_NOREF)
        return E_NOT_FOUND;
    if (g && g->until && rt_now() < g->until) {
        buf_add_c(why, "stopped for a while after failures");
        return E_AGAIN;
    }
    struct call c = {.st = st, .q = q, .verdict = ret};
    e = run(&c, why);
    if (g && g->until) /* one call was let through: it decides */
        g->failures = e ? s->o.failures : 0, g->until = 0;
    if (e != E_NOT_FOUND)
        note(st, q, e, buf_str(why));
    return e;
}

err script_call(struct script *s, const struct script_request *q, struct script_verdict *ret, struct buf *why)
{
    char mem[700];
    struct buf own;
    *ret = (struct script_verdict){.text = S(""), .to = S(""), .file = S("")};
    buf_init_fixed(&own, mem, sizeof mem);
    script_ref(s);
    err e = call(s, q, ret, &own);
    if (why)
        buf_add(why, buf_str(&own));
    if (e)
        ret->kind = SCRIPT_CONTINUE;
    script_drop(&s);
    return e;
}
