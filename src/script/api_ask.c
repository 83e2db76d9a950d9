/* dns, http, in_list: what a script asks others. The fiber asks while the coroutine stands still. */
#include "script/internal.h"
#include "wire/ip.h"

#include <math.h>

enum { HTTP_FIELDS = 20, HTTP_HEAD_MAX = 8192 };

/* ---- DNS ---- */

static void ask_dns(struct call *c) YIELDS;
static void ask_dns(struct call *c)
{
    const struct dns_question q = {.name = c->op.a, .type = (enum dns_type)c->op.n, .until = c->deadline, .any = true};
    c->op.dns = (struct dns_answer){0};
    c->op.e = dns_ask(&q, &c->mem, &c->op.dns);
}

static void push_record(lua_State *L, enum dns_type type, const struct dns_record *r)
{
    if (type == DNS_A || type == DNS_AAAA) {
        struct ip ip = ip_from_octets(r->data.p, r->data.n);
        char text[IP_TEXT_MAX];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        ip_print(&b, &ip);
        push_str(L, buf_str(&b));
    } else if (type == DNS_MX) {
        lua_createtable(L, 0, 2);
        push_str(L, r->data);
        lua_setfield(L, -2, "host");
        lua_pushinteger(L, r->preference);
        lua_setfield(L, -2, "preference");
    } else {
        push_str(L, r->data);
    }
}

static int by_preference(const void *a, const void *b)
{
    return (int)((const struct dns_record *)a)->preference - (int)((const struct dns_record *)b)->preference;
}

/* A list, empty when there is no such record; nil and why when nobody knows. */
static int tell_dns(lua_State *L, struct call *c)
{
    const struct op *op = &c->op;
    if (op->e && op->e != E_DNS_NODATA && op->e != E_DNS_NONE)
        return push_err(L, op->e);
    size_t n = op->e ? 0 : op->dns.n;
    if (op->n == DNS_MX && n > 1)
        qsort(op->dns.v, n, sizeof *op->dns.v, by_preference);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_record(L, (enum dns_type)op->n, &op->dns.v[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int ask_name(lua_State *L, enum dns_type type)
{
    struct call *c = call_of(L, "dns");
    c->op.a = arg_str(L, 1);
    c->op.n = type;
    luaL_argcheck(L, c->op.a.n > 0 && c->op.a.n <= 1000, 1, "a name was expected");
    return call_wait(L, c, ask_dns, tell_dns);
}

static int dns_a(lua_State *L) { return ask_name(L, DNS_A); }
static int dns_aaaa(lua_State *L) { return ask_name(L, DNS_AAAA); }
static int dns_mx(lua_State *L) { return ask_name(L, DNS_MX); }
static int dns_txt(lua_State *L) { return ask_name(L, DNS_TXT); }

/* dns.reversed("192.0.2.1"): "1.2.0.192", as block lists want it; nibbles for IPv6. */
static int push_reversed(lua_State *L, const char *suffix4, const char *suffix6)
{
    struct ip ip;
    struct buf b;
    char text[100];
    if (!ip_parse(arg_str(L, 1), &ip))
        return luaL_argerror(L, 1, "an IP address was expected");
    buf_init_fixed(&b, text, sizeof text);
    ip_print_reverse(&b, &ip);
    buf_add_c(&b, ip.v == 4 ? suffix4 : suffix6);
    push_str(L, buf_str(&b));
    return 1;
}

static int dns_reversed(lua_State *L) { return push_reversed(L, "", ""); }

/* Of an address its names; of any other name its PTR records. */
static int dns_ptr(lua_State *L)
{
    struct ip ip;
    if (ip_parse(arg_str(L, 1), &ip)) {
        push_reversed(L, ".in-addr.arpa", ".ip6.arpa");
        lua_replace(L, 1);
    }
    return ask_name(L, DNS_PTR);
}

/* ---- HTTP ---- */

static void ask_http(struct call *c) YIELDS;
static void ask_http(struct call *c)
{
    struct op *op = &c->op;
    const struct script_options *o = &c->st->script->o;
    struct http_question q = {.method = op->yes ? "POST" : "GET",
                              .fields = op->fields,
                              .nfields = op->nfields,
                              .body = op->b,
                              .most = o->http_most,
                              .deadline = op->until < c->deadline ? op->until : c->deadline,
                              .private_targets = o->private_targets};
    http_url_parse(op->a, &q.url);
    op->e = http_ask(&q, &c->mem, &op->http, &c->text);
}

static int tell_http(lua_State *L, struct call *c)
{
    const struct http1_answer *r = &c->op.http;
    if (c->op.e) {
        lua_pushnil(L);
        if (c->op.e == E_PRIVATE)
            lua_pushliteral(L, "the address is not public (lua { private-targets = true } allows it)");
        else if (c->text.n)
            push_str(L, buf_str(&c->text));
        else
            lua_pushstring(L, err_text(c->op.e));
        return 2;
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, r->status);
    lua_setfield(L, -2, "status");
    push_str(L, r->body);
    lua_setfield(L, -2, "body");
    lua_createtable(L, 0, (int)r->n);
    for (size_t i = 0; i < r->n; i++) {
        luaL_Buffer b;
        luaL_buffinit(L, &b);
        for (size_t k = 0; k < r->v[i].name.n; k++)
            luaL_addchar(&b, ascii_lower(r->v[i].name.p[k]));
        luaL_pushresult(&b);
        push_str(L, r->v[i].value);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "headers");
    return 1;
}

/* options: { headers = {["X-Key"] = "value"}, time = seconds }. Their strings stay in the table, which stays. */
static void http_options(lua_State *L, struct call *c, int i)
{
    c->op.fields = NULL;
    c->op.nfields = 0;
    c->op.until = rt_after(10 * RT_S);
    if (lua_isnoneornil(L, i))
        return;
    luaL_checktype(L, i, LUA_TTABLE);
    if (lua_getfield(L, i, "time") != LUA_TNIL) {
        double s = luaL_checknumber(L, -1);
        luaL_argcheck(L, s > 0 && s <= 3600, i, "time: seconds were expected");
        c->op.until = rt_after((rt_time)(s * 1e9));
    }
    lua_pop(L, 1);
    if (lua_getfield(L, i, "headers") == LUA_TNIL)
        return;
    luaL_checktype(L, -1, LUA_TTABLE);
    struct http1_field *v = lua_newuserdatauv(L, HTTP_FIELDS * sizeof *v, 0);
    size_t n = 0, octets = 0;
    for (lua_pushnil(L); lua_next(L, -3); lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, i,
                      "headers: names and strings were expected");
        v[n].name = arg_str(L, -2);
        v[n].value = arg_str(L, -1);
        octets += v[n].name.n + v[n].value.n;
        luaL_argcheck(L, http1_token(v[n].name) && http1_value(v[n].value), i, "headers: not a field of HTTP");
        luaL_argcheck(L, ++n <= HTTP_FIELDS - 1 && octets <= HTTP_HEAD_MAX, i, "headers: too many");
    }
    c->op.fields = v;
    c->op.nfields = n;
}

static int ask_url(lua_State *L, bool post)
{
    struct call *c = call_of(L, "http");
    struct http_url url;
    lua_settop(L, 3);
    c->op.a = arg_str(L, 1);
    c->op.b = post ? arg_str(L, 2) : S("");
    c->op.yes = post;
    luaL_argcheck(L, c->op.a.n <= 4000 && http_url_parse(c->op.a, &url), 1, "a URL (http:// or https://) was expected");
    http_options(L, c, post ? 3 : 2);
    return call_wait(L, c, ask_http, tell_http);
}

static int http_get(lua_State *L) { return ask_url(L, false); }
static int http_post(lua_State *L) { return ask_url(L, true); }

/* ---- lists ---- */

static void ask_list(struct call *c) YIELDS;
static void ask_list(struct call *c)
{
    c->op.yes = false;
    c->op.e = c->q->world->in_list(c->q->subject, c->op.a, c->op.b, &c->op.yes);
}

static int tell_list(lua_State *L, struct call *c)
{
    if (c->op.e == E_NOT_FOUND)
        return luaL_error(L, "there is no list \"%s\"", lua_tostring(L, 1));
    if (c->op.e)
        return push_err(L, c->op.e);
    lua_pushboolean(L, c->op.yes);
    return 1;
}

static int in_list(lua_State *L)
{
    struct call *c = call_of(L, "in_list");
    need(L, c->q->world->in_list != NULL, "a list");
    c->op.a = arg_str(L, 1);
    c->op.b = arg_str(L, 2);
    return call_wait(L, c, ask_list, tell_list);
}

void api_ask(lua_State *L)
{
    static const luaL_Reg of_dns[] = {{"a", dns_a},     {"aaaa", dns_aaaa},         {"mx", dns_mx}, {"txt", dns_txt},
                                      {"ptr", dns_ptr}, {"reversed", dns_reversed}, {NULL, NULL}};
    static const luaL_Reg of_http[] = {{"get", http_get}, {"post", http_post}, {NULL, NULL}};
    luaL_newlib(L, of_dns);
    lua_setfield(L, -2, "dns");
    luaL_newlib(L, of_http);
    lua_setfield(L, -2, "http");
    lua_pushcfunction(L, in_list);
    lua_setfield(L, -2, "in_list");
}
