/* Generations of a script: its files and options, shared by all loops, each of which has a Lua state of it. */
#include "base/text.h"
#include "script/internal.h"

void script_options_init(struct script_options *o)
{
    *o = (struct script_options){.instructions = 1000000,
                                 .memory = 16 << 20,
                                 .memory_all = 128 << 20,
                                 .run_time = 500 * RT_MS,
                                 .time = 30 * RT_S,
                                 .questions = 50,
                                 .http_most = 256 << 10,
                                 .body_most = 256 << 10,
                                 .failures = 20,
                                 .pause = 30 * RT_S};
}

static err copy_files(struct script *s, const struct script_options *o)
{
    s->files = arena_array(&s->mem, o->nfiles, sizeof *s->files);
    for (size_t i = 0; s->files && i < o->nfiles; i++) {
        s->files[i].name = arena_str(&s->mem, o->files[i].name);
        s->files[i].text = arena_str(&s->mem, o->files[i].text);
    }
    s->o = *o;
    s->o.files = s->files;
    return s->mem.e;
}

err script_new(struct script **ret, const struct script_options *o, struct buf *why)
{
    size_t n = (size_t)(rt_nloops() > 0 ? rt_nloops() : 1);
    int here = rt_index() < 0 ? 0 : rt_index();
    struct script *s = calloc(1, sizeof *s + n * sizeof *s->states);
    if (!s)
        return E_NOMEM;
    s->refs = 1;
    arena_init(&s->mem, 16384, (size_t)256 << 20);
    err e = o->nfiles ? copy_files(s, o) : E_BUG;
    if (!e)
        e = state_make(&s->states[here], s, why);
    for (int h = 0; !e && h < SCRIPT_HOOKS; h++)
        s->hooks |= s->states[here]->hook[h] != LUA_NOREF ? 1u << h : 0;
    if (e)
        script_drop(&s);
    else
        *ret = s;
    return e;
}

struct script *script_ref(struct script *s)
{
    __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void script_drop(struct script **ps)
{
    struct script *s = *ps;
    *ps = NULL;
    if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    int n = rt_nloops() > 0 ? rt_nloops() : 1;
    for (int i = 0; i < n; i++)
        state_free(&s->states[i]);
    arena_free(&s->mem);
    free(s);
}

unsigned script_hooks(const struct script *s) { return s->hooks; }

const char *script_kind_name(enum script_kind k)
{
    static const char *const names[] = {"continue", "accept",     "refuse", "defer",
                                        "discard",  "quarantine", "hold",   "redirect"};
    return k < sizeof names / sizeof *names ? names[k] : "?";
}

/* ---- syntax ---- */

static void *bounded(void *arg, void *p, size_t old, size_t n)
{
    size_t *used = arg;
    old = p ? old : 0;
    if (n > old && *used + n - old > (size_t)256 << 20)
        return NULL;
    void *q = n ? realloc(p, n) : NULL;
    if (n == 0)
        free(p);
    if (q || n == 0)
        *used += n - old;
    return q;
}

static int read_it(lua_State *L)
{
    const struct script_file *f = lua_touserdata(L, 1);
    lua_pushliteral(L, "=");
    if (luaL_loadbufferx(L, f->text.n ? f->text.p : "", f->text.n, lua_tostring(L, -1), "t") != LUA_OK)
        return lua_error(L);
    return 0;
}

/* The message is ":LINE: what", since the file's name is the caller's matter. */
static void split(str s, int *ret_line, struct buf *why)
{
    uint64_t line = 0;
    str rest = s, head;
    *ret_line = 0;
    if (str_starts(s, S(":"))) {
        rest = str_skip(s, 1);
        if (str_cut(&rest, ':', &head) && text_u64(head, &line))
            *ret_line = (int)line;
        else
            rest = s;
    }
    buf_add(why, str_trim(rest));
}

err script_syntax(const struct script_file *f, int *ret_line, struct buf *why)
{
    size_t used = 0;
    *ret_line = 0;
    lua_State *L = lua_newstate(bounded, &used);
    if (!L)
        return E_NOMEM;
    lua_pushcfunction(L, read_it);
    lua_pushlightuserdata(L, (void *)(uintptr_t)f);
    err e = OK;
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        str s = {NULL, 0};
        e = lua_type(L, -1) == LUA_TSTRING ? E_SYNTAX : E_NOMEM;
        if (e == E_SYNTAX)
            s.p = lua_tolstring(L, -1, &s.n);
        split(s, ret_line, why);
    }
    lua_close(L);
    return e;
}
