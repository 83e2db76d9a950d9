/* Hooks of scripts: what they see and say, errors with their places, budgets, waiting, reload. */
#include "script/test_script.h"

enum { WHY = 700 };

/* A script, what its hook `mail` says in the end: "refuse 550 5.7.1 text", or "! error". */
static const struct row {
    const char *text, *expect;
} rows[] = {
    {"function on.mail() end", "continue"},
    {"function on.mail() refuse() print('no') end", "refuse 0  :1"},
    {"function on.mail()\n refuse('go away') end", "refuse 0  go away:2"},
    {"function on.mail() refuse(554, 'go away') end", "refuse 554  go away:1"},
    {"function on.mail() refuse(554, '5.7.0', 'go away') end", "refuse 554 5.7.0 go away:1"},
    {"function on.mail() refuse('5.7.0', 'go away') end", "refuse 0 5.7.0 go away:1"},
    {"function on.mail() defer(450, '4.7.0', 'later') end", "defer 450 4.7.0 later:1"},
    {"function on.mail() defer(550) end",
     "! t.lua:1: bad argument #1 to 'defer' (a code from 400 to 499 was expected)"},
    {"function on.mail() refuse(550, '4.1.1') end",
     "! t.lua:1: bad argument #2 to 'refuse' (an enhanced code of the same class was expected)"},
    {"function on.mail() refuse({}) end",
     "! t.lua:1: bad argument #1 to 'refuse' (expected: code, enhanced code, text)"},
    {"function on.mail() accept() end", "accept 0  :1"},
    {"function on.mail() discard('spam') end", "discard 0  spam:1"},
    {"function on.mail() quarantine('odd') end", "quarantine 0  odd:1"},
    {"function on.mail() hold('wait') end", "hold 0  wait:1"},
    {"function on.mail() redirect('x@example.test') end", "redirect 0  :1 to x@example.test"},
    {"function on.mail() pcall(refuse, 'a') refuse('b') end", "refuse 0  a:1"},
    {"function on.mail() string.gsub('x', 'x', function() refuse('in C') end) end", "refuse 0  in C:1"},
    {"function on.mail() pcall(string.gsub, 'x', 'x', function() refuse('in C') end) refuse('b') end",
     "refuse 0  in C:1"},
    /* errors */
    {"function on.mail()\n\n x.y = 1 end", "! t.lua:3: attempt to index a nil value (global 'x')"},
    {"function on.mail() error('mine') end", "! t.lua:1: mine"},
    {"function on.mail() error({}) end", "! t.lua:1: an error that is no text"},
    {"function on.mail() error('mine', 0) end", "! t.lua:1: mine"},
    {"function on.mail() x = 1 end",
     "! t.lua:1: the global name \"x\" cannot be set in a hook: write \"local x\", or keep it in session.vars, "
     "envelope.vars or store"},
    {"function on.mail() local ok, e = pcall(error, 'a') refuse(e) end", "refuse 0  a:1"},
    {"function on.mail() on.rcpt = print end",
     "! t.lua:1: hooks are set when the script is loaded, not while one runs"},
    {"function on.mail() string.upper = print end", "! t.lua:1: what belongs to all calls cannot be changed in a hook"},
    {"function on.mail() dns.a = nil end", "! t.lua:1: what belongs to all calls cannot be changed in a hook"},
    {"function on.mail() rawset(table, 'insert', nil) end", "! t.lua:1: cannot change a protected table"},
    {"function on.mail() setmetatable(math, {}) end", "! t.lua:1: cannot change a protected metatable"},
    {"function string.half(s) return s:sub(1, #s // 2) end function on.mail() refuse(('abcd'):half()) end",
     "refuse 0  ab:1"},
    {"function on.mail() local t = {} rawset(t, 1, 'x') refuse(rawget(t, 1)) end", "refuse 0  x:1"},
    {"function on.mail() redirect('nobody') end", "! t.lua:1: bad argument #1 to 'redirect' (an address was expected)"},
    {"function on.mail() redirect('x@example.test\\r\\n') end",
     "! t.lua:1: bad argument #1 to 'redirect' (an address was expected)"},
    {"function on.mail() session.nam = 1 end",
     "! t.lua:1: the field \"nam\" cannot be set; use a function, or .vars for what you keep"},
    {"function on.mail() print(session.nam) end", "! t.lua:1: session has no field \"nam\""},
    {"function on.mail() message.header('x') end",
     "! t.lua:1: there is no message yet (from the hook \"header\" on there is)"},
    {"function on.mail() setmetatable({}, {__gc = print}) end", "! t.lua:1: finalizers (__gc) are not to be had here"},
    {"function on.mail() local s = setmetatable({}, {__index = function() return in_list('bad', 'x') end}) return s.x "
     "end",
     "continue"},
    {"function on.mail() table.sort({1, 2}, function() return in_list('bad', 'x') end) end",
     "! t.lua:1: cannot wait inside a function that string.gsub, table.sort or a metamethod of these calls"},
    {"local function f() return f() + 1 end function on.mail() f() end",
     "! t.lua:1: needs more memory (lua { memory })"},
    {"local function f() return pcall(f) end function on.mail() f() end", "continue"},
    {"local s = string.rep('(', 190) function on.mail() refuse(tostring(pcall(string.find, 'x', s))) end",
     "refuse 0  false:1"},
    /* what is there and what not */
    {"function on.mail() refuse(tostring(io) .. tostring(load) .. tostring(debug) .. tostring(_G) .. "
     "tostring(os.execute) .. tostring(coroutine) .. tostring(string.dump) .. tostring(dofile)) end",
     "refuse 0  nilnilnilnilnilnilnilnil:1"},
    {"function on.mail() refuse(tostring(getmetatable('').__index) .. tostring(getmetatable(session))) end",
     "! t.lua:1: attempt to index a boolean value"},
    {"function on.mail() refuse(session.ip .. #envelope.recipients .. tostring(session.authenticated)) end",
     "refuse 0  192.0.2.12false:1"},
    {"function on.mail() refuse(tostring(session.helo)) end", "refuse 0  nil:1"},
    {"function on.mail() refuse(tostring(tagged('known')) .. tostring(tagged('x'))) end", "refuse 0  yesnil:1"},
    {"function on.mail() if in_list('bad', session.ip) then refuse('listed') end end", "refuse 0  listed:1"},
    {"function on.mail() in_list('none', 'x') end", "! t.lua:1: there is no list \"none\""},
    {"function on.mail() store.set('k', 5) store.add('k', 2) refuse('' .. store.get('k')) end", "refuse 0  7:1"},
    {"function on.mail() store.set('k', true) refuse(tostring(store.get('k')) .. tostring(store.delete('k')) .. "
     "tostring(store.get('k'))) end",
     "refuse 0  truetruenil:1"},
    {"function on.mail() session.vars.n = (session.vars.n or 0) + 1 refuse('' .. session.vars.n) end", "refuse 0  1:1"},
    {"function on.mail() envelope.vars.t = {} end", "! t.lua:1: vars keep strings, numbers and booleans, not a table"},
    {"function on.mail() for i = 1, 65 do session.vars['v' .. i] = i end end",
     "! t.lua:1: vars are full: 64 of them, 64 KB together, names of up to 60 octets"},
    {"function on.mail() for i = 1, 64 do session.vars['v' .. i] = i end session.vars.v1 = 2 session.vars.v2 = nil "
     "session.vars.x = 1 refuse('' .. session.vars.v1) end",
     "refuse 0  2:1"},
    {"function on.mail() refuse(dns.reversed('192.0.2.17')) end", "refuse 0  17.2.0.192:1"},
    {"function on.mail() refuse(dns.reversed('2001:db8::1'):sub(1, 7)) end", "refuse 0  1.0.0.0:1"},
    {"function on.mail() refuse(os.date('%Y-%m-%d', 86400)) end", "refuse 0  1970-01-02:1"},
    {"function on.mail() os.date('%') end", "! t.lua:1: bad argument #1 to 'date' (unknown letter behind '%')"},
    {"function on.mail() local n = math.random(3) refuse(tostring(n >= 1 and n <= 3)) end", "refuse 0  true:1"},
    {"function on.mail() for i = 1, 51 do log(i) end end", "! t.lua:1: more than 50 lines of log"},
    {"function on.mail() for i = 1, 51 do in_list('bad', 'x') end end",
     "! t.lua:1: more than 50 questions (lua { questions })"},
    {"function on.mail() send_by('bulk') priority(255) end", "continue"},
    {"function on.mail() send_by('none') end", "! t.lua:1: there is no section of this name in the configuration"},
    {"function on.mail() priority(256) end",
     "! t.lua:1: bad argument #1 to 'priority' (a number from 0 to 255 was expected)"},
    /* budgets */
    {"function on.mail()\n while true do end end", "! t.lua:2: used up its instructions (lua { instructions })"},
    {"function on.mail() while true do pcall(function() while true do end end) end end",
     "! t.lua:1: used up its instructions (lua { instructions })"},
    {"function on.mail() string.gsub('x', 'x', function() while true do end end) end",
     "! t.lua:1: used up its instructions (lua { instructions })"},
    {"function on.mail() pcall(string.gsub, 'x', 'x', function() while true do end end) refuse('no') end",
     "! t.lua:1: used up its instructions (lua { instructions })"},
    {"local a = ('a'):rep(30000) function on.mail() a:find(('a-'):rep(30) .. 'b') end",
     "! t.lua:1: a pattern that takes too many steps"},
    {"local a = ('a'):rep(30000) function on.mail() pcall(string.find, a, ('.-'):rep(30) .. 'b') refuse('no') end",
     "refuse 0  no:1"},
    {"function on.mail() local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end end",
     "! t.lua:1: needs more memory (lua { memory })"},
    {"function on.mail() while true do pcall(function() local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t "
     "end end) end end",
     "! t.lua:1: needs more memory (lua { memory })"},
    {"function on.mail() local s = 'x' while true do s = s .. s end end",
     "! t.lua:1: needs more memory (lua { memory })"},
    {"function on.mail() ('x'):rep(1e9) end", "! t.lua:1: a string of at most 1048576 octets was expected"},
    {"function on.mail() (''):rep(1e15) refuse('ok') end", "refuse 0  ok:1"},
    {"function on.mail() ('x'):rep(1e15, 'y') end", "! t.lua:1: a string of at most 1048576 octets was expected"},
    {"function on.mail() table.move({}, 1, 1 << 50, 2) end",
     "! t.lua:1: used up its instructions (lua { instructions })"},
    {"function on.mail() table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 1) end",
     "! t.lua:1: bad argument #1 to 'insert' (a table without a metatable was expected)"},
    {"function on.mail() table.unpack({}, 1, 1e7) end", "! t.lua:1: used up its instructions (lua { instructions })"},
    {"function on.mail() table.concat({}, '', 1, 1 << 50) end",
     "! t.lua:1: used up its instructions (lua { instructions })"},
    {"local a, b = ('x'):rep(1 << 20), ('x'):rep(1 << 20) function on.mail() while true do if a ~= b then return end "
     "end end",
     "! t.lua:1: ran too long (lua { run-time })"},
    {"local t = {} for i = 1, 50000 do t[i] = i % 7 end function on.mail() while true do table.sort(t) end end",
     "! t.lua:1: used up its instructions (lua { instructions })"},
    {"local s = ('x'):rep(1 << 20) function on.mail() while true do utf8.len(s) end end",
     "! t.lua:1: used up its instructions (lua { instructions })"},
    {"local t = {} function on.mail() local function f(n) if n > 0 then local ok = pcall(f, n - 1) return ok end "
     "while true do end end f(150) end",
     "! t.lua:1: used up its instructions (lua { instructions })"},
};

static void say(struct buf *out, err e, const struct script_verdict *v, const struct buf *why)
{
    if (e)
        buf_printf(out, "! " STR_FMT, (int)why->n, why->p);
    else if (v->kind == SCRIPT_CONTINUE)
        buf_add_c(out, "continue");
    else
        buf_printf(out, "%s %d %s " STR_FMT ":%d", script_kind_name(v->kind), v->code, v->esc, STR_ARG(v->text),
                   v->line);
    if (v->to.n)
        buf_printf(out, " to " STR_FMT, STR_ARG(v->to));
}

static int failed;

static void run_row(const struct row *r)
{
    struct script *s = NULL;
    struct subject subject = {.recipient = S("a@example.test")};
    struct script_vars *session = NULL, *envelope = NULL;
    struct script_verdict v;
    struct script_options o;
    AUTO_ARENA mem = {0};
    char text[WHY], said[WHY];
    struct buf why, out;
    arena_init(&mem, 1024, 65536);
    buf_init_fixed(&why, text, sizeof text);
    buf_init_fixed(&out, said, sizeof said - 1);
    script_options_init(&o);
    o.run_time = strstr(r->expect, "ran too long") ? 50 * RT_MS : 5 * RT_S;
    err e = script_of(&s, r->text, &o, &why);
    if (!e) {
        const struct script_request q = {.world = &subject_world,
                                         .subject = &subject,
                                         .hook = SCRIPT_ON_mail,
                                         .session = &session,
                                         .envelope = &envelope,
                                         .mem = &mem};
        e = script_call(s, &q, &v, &why);
    }
    say(&out, e, &v, &why);
    said[out.n] = 0;
    if (!str_starts(buf_str(&out), str_c(r->expect)) || (r->expect[0] != '!' && out.n != strlen(r->expect))) {
        fprintf(stderr, "%s\nexpected: %s\nfound:    %s\n", r->text, r->expect, said);
        failed++;
    }
    script_vars_free(&session);
    script_vars_free(&envelope);
    script_drop(&s);
}

static void rows_fiber(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < COUNT(rows); i++)
        run_row(&rows[i]);
    CHECK(!failed);
    rt_stop();
}

static void rows_init(void *arg, int index)
{
    (void)arg, (void)index;
    rt_log_setup(LOG_ERROR, false, 2);
    CHECK(fiber_spawn(rows_fiber, NULL, "rows"));
}

static void hooks(void **state)
{
    (void)state;
    world(1, rows_init);
}

/* ---- neighbours: how long a good call waits while others run away, in time of the processor ---- */

static struct script *shared_script;
static int bad_ones, good_ones;
static rt_time worst;
#ifdef __SANITIZE_THREAD__
static const rt_time most = 5 * RT_S; /* each access is looked at */
#else
static const rt_time most = 300 * RT_MS;
#endif

static err call_it(const char *function)
{
    struct subject subject = {.recipient = S("a@example.test")};
    struct script_verdict v;
    AUTO_ARENA mem = {0};
    arena_init(&mem, 1024, 65536);
    const struct script_request q = {
        .world = &subject_world, .subject = &subject, .function = str_c(function), .mem = &mem};
    return script_call(shared_script, &q, &v, NULL);
}

static void bad_fiber(void *arg)
{
    while (good_ones) {
        CHECK(call_it(arg));
        fiber_yield(); /* as a session does between commands */
    }
    if (--bad_ones == 0) {
        printf("the longest wait of a good call next to 6 bad ones: %.1f ms of processor time\n",
               (double)worst / RT_MS);
        CHECK(worst < most);
        script_drop(&shared_script);
        rt_stop();
    }
}

static void good_fiber(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        rt_time began = rt_cpu();
        CHECK(call_it("good") == OK);
        fiber_yield();
        rt_time took = rt_cpu() - began;
        worst = took > worst ? took : worst;
    }
    good_ones--;
}

static void neighbours_init(void *arg, int index)
{
    static const char *const bad[] = {"loop", "eat", "find", "loop", "eat", "find"};
    (void)arg, (void)index;
    rt_log_setup(LOG_ERROR, false, 2);
    CHECK(
        script_of(
            &shared_script,
            "function loop() while true do end end "
            "function eat() local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end end "
            "function find() local s = ('a'):rep(50000) while true do pcall(s.find, s, ('.-'):rep(20) .. 'b') end end "
            "function good() return in_list('bad', 'x') end",
            NULL, NULL) == OK);
    for (size_t i = 0; i < COUNT(bad); i++, bad_ones++)
        CHECK(fiber_spawn(bad_fiber, (void *)(uintptr_t)bad[i], "bad"));
    for (int i = 0; i < 20; i++, good_ones++)
        CHECK(fiber_spawn(good_fiber, NULL, "good"));
}

static void neighbours(void **state)
{
    (void)state;
    world(1, neighbours_init);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hooks), cmocka_unit_test(neighbours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
