/* Inside script: states, calls, and the tables of functions that a script finds. */
#ifndef SCRIPT_INTERNAL_H
#define SCRIPT_INTERNAL_H
#include "base/cleanup.h"
#include "http/http.h"
#include "net/net.h"
#include "script/script.h"

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

enum {
    STEP = 250,          /* instructions between two looks at budgets */
    IDLE_MAX = 16,       /* coroutines kept for reuse */
    NAME_MAX_OWN = 60,   /* octets of names that scripts give to variables and metrics */
    BLOCK_MAX = 1 << 20, /* octets of one string or array: what C does with it in one go stays short */
    OCTETS_A_UNIT = 100, /* octets allocated, compared or copied that count as an instruction */
    LARGE = 20000,       /* units of one piece of work after which budgets are looked at */
    LINES_MAX = 50,      /* log lines of a call */
};
#define SLICE RT_MS /* of running, after which others run */

/* ---- states: one a loop ---- */

struct guard { /* of one hook on one loop: stops it for a while after failures in a row */
    unsigned failures;
    rt_time until;
};

struct state {
    struct script *script;
    lua_State *L;
    struct call *now; /* whose instructions run and whose memory is taken */
    size_t used;      /* octets */
    int env;          /* registry: the environment of the script */
    int hook[SCRIPT_HOOKS];
    int idle[IDLE_MAX]; /* registry: coroutines that ended well */
    unsigned nidle;
    unsigned calls; /* under way */
    struct guard guards[SCRIPT_HOOKS];
};

struct script {
    int refs;
    unsigned hooks;
    struct script_options o;
    struct script_file *files;
    struct arena mem;
    struct lock lock;
    struct state *states[]; /* of each loop; NULL: not needed yet */
};

err state_make(struct state **ret, struct script *s, struct buf *why); /* runs the top level */
void state_free(struct state **st);
static inline struct state *state_of(lua_State *L) { return *(struct state **)lua_getextraspace(L); }

/* ---- calls ---- */

enum want { WANT_NOTHING, WANT_END, WANT_SLICE, WANT_STOP, WANT_OP };
enum over { OVER_NOT, OVER_DONE, OVER_INSTRUCTIONS, OVER_RUN_TIME, OVER_TIME, OVER_MEMORY, OVER_CANCELLED };

/* What a call waits for: done by the fiber on its own stack, then told to the script. */
struct op {
    void (*perform)(struct call *c) YIELDS;
    int (*tell)(lua_State *L, struct call *c); /* pushes the results */
    err e;
    str a, b; /* arguments: in the coroutine's frame */
    int n;
    const struct http1_field *fields; /* in c->mem */
    size_t nfields;
    rt_time until;
    bool yes;
    struct dns_answer dns;
    struct http1_answer http;
    struct script_part *parts;
    size_t nparts;
};

struct call {
    struct state *st;
    const struct script_request *q; /* NULL: the top level */
    struct script_verdict *verdict;
    lua_State *L;
    int ref, nargs, nres, status;
    enum want want;
    enum over over;
    str file; /* where it was stopped */
    int line;
    int64_t units, memory; /* left; taken */
    int64_t refused;
    rt_time ran, began;         /* by the clock: in slices before this one; when this one began */
    rt_time cpu_ran, cpu_began; /* the same of the processor */
    rt_time deadline;
    unsigned questions, lines;
    struct arena mem; /* of one op */
    struct buf text;  /* of one op, and of header blocks */
    struct op op;
};
/* The call of this coroutine; an error in Lua at the top level. */
struct call *call_of(lua_State *L, const char *what);
/* Counts work that C does in one go; an error in Lua when the budget is used up. */
void charge(lua_State *L, uint64_t units);
static inline void charge_octets(lua_State *L, size_t n) { charge(L, n / OCTETS_A_UNIT + 1); }
/* Units that are left, at least 1. */
int64_t charge_left(lua_State *L);
/* Sleeps until the op is done; to be returned by a lua_CFunction. */
int call_wait(lua_State *L, struct call *c, void (*perform)(struct call *c), int (*tell)(lua_State *, struct call *));
/* The hook ends here; to be returned. */
int call_end(lua_State *L, struct call *c);
/* Runs the function on top of st->L's stack as the top level; E_SYNTAX and *why. */
err call_top_level(struct state *st, struct buf *why);

/* ---- what a script finds: each leaves its functions in the table on top ---- */

void lib_basic(lua_State *L, int full); /* `full`: index of the table with the standard functions */
void lib_string(lua_State *L, int full);
void lib_table(lua_State *L, int full);
void lib_rest(lua_State *L, int full); /* utf8, math, os */
void api_fields(lua_State *L);
void api_message(lua_State *L);
void api_verdicts(lua_State *L);
void api_ask(lua_State *L);
void api_store(lua_State *L);

/* ---- helpers ---- */

static inline str arg_str(lua_State *L, int i)
{
    str s;
    s.p = luaL_checklstring(L, i, &s.n);
    return s;
}
str arg_opt(lua_State *L, int i); /* "" for none */
static inline void push_str(lua_State *L, str s) { lua_pushlstring(L, s.n ? s.p : "", s.n); }
/* nil and the error in words: what functions that may fail return. */
int push_err(lua_State *L, err e);
/* message.size() and message:size(): the object itself as first argument goes. */
void skip_self(lua_State *L);
/* The world's function, or an error in Lua that it is not to be had here. */
void need(lua_State *L, bool there, const char *what);
/* Where the coroutine stands, innermost line of a script: false when there is none. */
bool script_where(lua_State *L, str *ret_file, int *ret_line);

/* vars.c */
bool vars_set(struct script_vars **v, str name, const struct script_value *x); /* false: no memory, or the limit */
bool vars_get(const struct script_vars *v, str name, struct script_value *ret);

/* store.c: shared by all threads; E_LIMIT, E_NOMEM */
err shared_set(str key, const struct script_value *v, int64_t until_ms);
bool shared_get(str key, struct arena *mem, struct script_value *ret);
err shared_add(str key, double by, int64_t until_ms, double *ret);
bool shared_delete(str key);
err shared_metric(str name, double by);

#endif
