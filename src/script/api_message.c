/* message: its header fields, its body, its parts; what changes them and the envelope. */
#include "script/internal.h"
#include "wire/head.h"

/* ---- fields ---- */

static str head_of(lua_State *L, struct call *c)
{
    need(L, c->q->world->head != NULL, "the header block");
    buf_clear(&c->text);
    err e = c->q->world->head(c->q->subject, &c->text);
    if (!e)
        e = c->text.e;
    if (e == E_NOT_FOUND)
        luaL_error(L, "there is no message yet (from the hook \"header\" on there is)");
    if (e)
        luaL_error(L, "the header block cannot be read: %s", err_text(e));
    charge_octets(L, c->text.n * 4);
    return buf_str(&c->text);
}

static void push_unfolded(lua_State *L, struct call *c, str value)
{
    struct buf b;
    char *p = arena_alloc(&c->mem, value.n + 1);
    if (!p)
        luaL_error(L, "out of memory");
    buf_init_fixed(&b, p, value.n + 1);
    head_unfold(&b, value);
    push_str(L, buf_str(&b));
}

/* message.header(name [, which]): the value without folds; nil. */
static int message_header(lua_State *L)
{
    struct call *c = call_of(L, "message");
    skip_self(L);
    str name = arg_str(L, 1);
    lua_Integer which = luaL_optinteger(L, 2, 1);
    str rest = head_of(L, c);
    struct head_field f;
    arena_reset(&c->mem);
    while (head_next(&rest, &f))
        if (str_ieq(f.name, name) && --which == 0) {
            push_unfolded(L, c, f.value);
            return 1;
        }
    lua_pushnil(L);
    return 1;
}

/* message.headers(name): all values; message.headers(): a list of {name =, value =}. */
static int message_headers(lua_State *L)
{
    struct call *c = call_of(L, "message");
    skip_self(L);
    str name = arg_opt(L, 1), rest = head_of(L, c);
    struct head_field f;
    lua_newtable(L);
    for (lua_Integer n = 1; head_next(&rest, &f);) {
        if (name.n && !str_ieq(f.name, name))
            continue;
        arena_reset(&c->mem);
        if (!name.n) {
            lua_createtable(L, 0, 2);
            push_str(L, f.name);
            lua_setfield(L, -2, "name");
        }
        push_unfolded(L, c, f.value);
        if (!name.n)
            lua_setfield(L, -2, "value");
        lua_rawseti(L, -2, n++);
    }
    return 1;
}

/* ---- body ---- */

static void ask_body(struct call *c) YIELDS;
static void ask_body(struct call *c) { c->op.e = c->q->world->body(c->q->subject, (size_t)c->op.n, &c->text); }

static int tell_body(lua_State *L, struct call *c)
{
    if (c->op.e == OK && c->text.e)
        c->op.e = c->text.e;
    if (c->op.e)
        return push_err(L, c->op.e);
    push_str(L, buf_str(&c->text));
    return 1;
}

/* message.body([most]): the beginning of the body as it is stored. */
static int message_body(lua_State *L)
{
    struct call *c = call_of(L, "message");
    skip_self(L);
    need(L, c->q->world->body != NULL, "the body");
    size_t most = c->st->script->o.body_most;
    lua_Integer want = luaL_optinteger(L, 1, (lua_Integer)most);
    luaL_argcheck(L, want >= 0, 1, "a number of octets was expected");
    c->op.n = (int)((uint64_t)want < most ? (size_t)want : most);
    return call_wait(L, c, ask_body, tell_body);
}

static void ask_parts(struct call *c) YIELDS;
static void ask_parts(struct call *c)
{
    c->op.e = c->q->world->parts(c->q->subject, &c->mem, &c->op.parts, &c->op.nparts);
}

static int tell_parts(lua_State *L, struct call *c)
{
    if (c->op.e)
        return push_err(L, c->op.e);
    lua_createtable(L, (int)c->op.nparts, 0);
    for (size_t i = 0; i < c->op.nparts; i++) {
        const struct script_part *p = &c->op.parts[i];
        lua_createtable(L, 0, 4);
        push_str(L, p->type);
        lua_setfield(L, -2, "type");
        if (p->name.n) {
            push_str(L, p->name);
            lua_setfield(L, -2, "name");
        }
        lua_pushinteger(L, (lua_Integer)p->size);
        lua_setfield(L, -2, "size");
        if (p->found.n) {
            push_str(L, p->found);
            lua_setfield(L, -2, "found");
        }
        if (p->inside) {
            lua_pushboolean(L, true);
            lua_setfield(L, -2, "inside");
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int message_parts(lua_State *L)
{
    struct call *c = call_of(L, "message");
    skip_self(L);
    need(L, c->q->world->parts != NULL, "the list of parts");
    return call_wait(L, c, ask_parts, tell_parts);
}

/* ---- edits ---- */

static int edit(lua_State *L, const struct script_edit *x)
{
    struct call *c = call_of(L, "an edit");
    need(L, c->q->world->edit != NULL, "this change");
    charge_octets(L, x->value.n);
    charge(L, 50);
    err e = c->q->world->edit(c->q->subject, x);
    if (e == E_SYNTAX)
        return luaL_error(L, "this is not allowed: a name or value that cannot stand there");
    if (e == E_NOT_FOUND)
        return luaL_error(L, "there is no section of this name in the configuration");
    if (e == E_UNSUPPORTED)
        return luaL_error(L, "this cannot be changed in this hook");
    if (e)
        return luaL_error(L, "%s", err_text(e));
    return 0;
}

static str field_name(lua_State *L, int i)
{
    str name = arg_str(L, i);
    luaL_argcheck(L, name.n > 0 && name.n <= HEAD_NAME_MAX, i, "a field's name was expected");
    for (size_t k = 0; k < name.n; k++)
        luaL_argcheck(L, name.p[k] > ' ' && name.p[k] < 127 && name.p[k] != ':', i, "a field's name was expected");
    return name;
}

static str field_value(lua_State *L, int i)
{
    size_t n;
    str v;
    v.p = luaL_tolstring(L, i, &n);
    v.n = n;
    lua_replace(L, i);
    for (size_t k = 0; k < v.n; k++)
        luaL_argcheck(L, (unsigned char)v.p[k] >= ' ' || v.p[k] == '\t' || v.p[k] == '\n', i,
                      "the value of a field holds no control characters");
    return v;
}

static uint32_t which(lua_State *L, int i, lua_Integer usual)
{
    lua_Integer n = luaL_optinteger(L, i, usual);
    luaL_argcheck(L, n >= 0 && n <= 100000, i, "a number from 0 to 100000 was expected");
    return (uint32_t)n;
}

static int add_header(lua_State *L)
{
    skip_self(L);
    struct script_edit x = {.kind = SCRIPT_EDIT_HEADER_ADD, .name = field_name(L, 1)};
    luaL_checkany(L, 2);
    x.value = field_value(L, 2);
    return edit(L, &x);
}

/* insert_header(name, value [, before]): before which field, counted from 1; the first. */
static int insert_header(lua_State *L)
{
    skip_self(L);
    struct script_edit x = {.kind = SCRIPT_EDIT_HEADER_INSERT, .name = field_name(L, 1)};
    luaL_checkany(L, 2);
    x.value = field_value(L, 2);
    x.index = which(L, 3, 1);
    x.index -= x.index > 0;
    return edit(L, &x);
}

static int change_header(lua_State *L)
{
    skip_self(L);
    struct script_edit x = {.kind = SCRIPT_EDIT_HEADER_CHANGE, .name = field_name(L, 1)};
    luaL_checkany(L, 2);
    x.value = field_value(L, 2);
    x.index = which(L, 3, 1);
    luaL_argcheck(L, x.index > 0, 3, "fields are counted from 1");
    return edit(L, &x);
}

static int remove_header(lua_State *L)
{
    skip_self(L);
    struct script_edit x = {.kind = SCRIPT_EDIT_HEADER_REMOVE, .name = field_name(L, 1)};
    x.index = which(L, 2, 0);
    return edit(L, &x);
}

static int replace_body(lua_State *L)
{
    skip_self(L);
    const struct script_edit x = {.kind = SCRIPT_EDIT_BODY, .value = arg_str(L, 1)};
    return edit(L, &x);
}

/* ---- the envelope ---- */

static int set_sender(lua_State *L)
{
    const struct script_edit x = {.kind = SCRIPT_EDIT_SENDER, .value = arg_str(L, 1)};
    return edit(L, &x);
}

static int add_recipient(lua_State *L)
{
    const struct script_edit x = {.kind = SCRIPT_EDIT_RCPT_ADD, .value = arg_str(L, 1)};
    return edit(L, &x);
}

static int remove_recipient(lua_State *L)
{
    const struct script_edit x = {.kind = SCRIPT_EDIT_RCPT_REMOVE, .value = arg_opt(L, 1)};
    return edit(L, &x);
}

static int tag(lua_State *L)
{
    const struct script_edit x = {.kind = SCRIPT_EDIT_TAG, .name = arg_str(L, 1), .value = arg_opt(L, 2)};
    luaL_argcheck(L, x.name.n > 0 && x.name.n <= NAME_MAX_OWN, 1, "a name of up to 60 octets was expected");
    return edit(L, &x);
}

/* tagged(name): the value, "" when it has none; nil. */
static int tagged(lua_State *L)
{
    struct call *c = call_of(L, "tagged");
    str value = S("");
    need(L, c->q->world->tag != NULL, "tags");
    if (c->q->world->tag(c->q->subject, arg_str(L, 1), &value))
        push_str(L, value);
    else
        lua_pushnil(L);
    return 1;
}

static int priority(lua_State *L)
{
    struct script_edit x = {.kind = SCRIPT_EDIT_PRIORITY};
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= 255, 1, "a number from 0 to 255 was expected");
    x.index = (uint32_t)n;
    return edit(L, &x);
}

/* send_by(title of a section route) */
static int send_by(lua_State *L)
{
    const struct script_edit x = {.kind = SCRIPT_EDIT_WAY, .value = arg_str(L, 1)};
    return edit(L, &x);
}

static int score(lua_State *L)
{
    struct call *c = call_of(L, "score");
    double points = luaL_checknumber(L, 1);
    if (c->q->hook >= SCRIPT_ON_route)
        return luaL_error(L, "score: the message was accepted, its points were added up");
    need(L, c->q->world->score != NULL, "scores");
    luaL_argcheck(L, points >= -1000 && points <= 1000, 1, "points from -1000 to 1000 were expected");
    c->q->world->score(c->q->subject, points, arg_opt(L, 2));
    return 0;
}

void api_message(lua_State *L)
{
    static const luaL_Reg of_message[] = {{"header", message_header},       {"headers", message_headers},
                                          {"body", message_body},           {"parts", message_parts},
                                          {"add_header", add_header},       {"insert_header", insert_header},
                                          {"change_header", change_header}, {"remove_header", remove_header},
                                          {"replace_body", replace_body},   {NULL, NULL}};
    static const luaL_Reg global[] = {{"set_sender", set_sender},
                                      {"add_recipient", add_recipient},
                                      {"remove_recipient", remove_recipient},
                                      {"tag", tag},
                                      {"tagged", tagged},
                                      {"priority", priority},
                                      {"send_by", send_by},
                                      {"score", score},
                                      {NULL, NULL}};
    luaL_setfuncs(L, global, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, "message");
    luaL_setfuncs(L, of_message, 0);
    lua_pop(L, 1);
}
