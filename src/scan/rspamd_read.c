/* The JSON that rspamd answers to /checkv2. What is missing, or of another type, is taken as not said. */
#include "scan/scan.h"

#include "base/cleanup.h"

#include <json-c/json.h>

enum { DEPTH_MAX = 32 };

static const char *const actions[] = {"no action",   "greylist", "add header", "rewrite subject",
                                      "soft reject", "reject",   "quarantine", "discard"};

const char *rspamd_action_name(enum rspamd_action a) { return actions[a]; }

static bool find_action(str s, enum rspamd_action *ret)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (str_ieq(s, str_c(actions[i]))) {
            *ret = (enum rspamd_action)i;
            return true;
        }
    return false;
}

static struct json_object *member(struct json_object *o, const char *name, enum json_type type)
{
    struct json_object *v;
    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, name, &v))
        return NULL;
    return json_object_is_type(v, type) ? v : NULL;
}

static str text(struct json_object *o, struct arena *a)
{
    if (!o || !json_object_is_type(o, json_type_string))
        return S("");
    str s = {json_object_get_string(o), (size_t)json_object_get_string_len(o)};
    return s.n ? arena_str(a, s) : S("");
}

static double number(struct json_object *o, const char *name)
{
    struct json_object *v;
    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, name, &v))
        return 0;
    if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
        return 0;
    double d = json_object_get_double(v);
    return d > -1e6 && d < 1e6 ? d : 0;
}

/* ---- symbols ---- */

static str options(struct json_object *symbol, struct arena *a)
{
    struct json_object *v = member(symbol, "options", json_type_array);
    AUTO_BUF b;
    buf_init(&b, 1000);
    for (size_t i = 0; v && i < json_object_array_length(v); i++) {
        struct json_object *o = json_object_array_get_idx(v, i);
        if (!json_object_is_type(o, json_type_string))
            continue;
        buf_add(&b, b.n ? S(", ") : S(""));
        buf_add(&b, str_mem(json_object_get_string(o), (size_t)json_object_get_string_len(o)));
    }
    return b.n ? arena_str(a, buf_str(&b)) : S("");
}

static void read_symbols(struct json_object *root, struct arena *a, struct rspamd_answer *r)
{
    struct json_object *all = member(root, "symbols", json_type_object);
    size_t n = all ? (size_t)json_object_object_length(all) : 0;
    struct rspamd_symbol *v = arena_array(a, n < RSPAMD_SYMBOLS_MAX ? n : RSPAMD_SYMBOLS_MAX, sizeof *v);
    if (!all || !v)
        return;
    json_object_object_foreach(all, name, o)
    {
        if (r->nsymbols == RSPAMD_SYMBOLS_MAX)
            break;
        v[r->nsymbols++] = (struct rspamd_symbol){arena_str(a, str_c(name)), options(o, a), number(o, "score")};
    }
    r->symbols = v;
}

/* ---- changes to the header ---- */

static void add_edit(struct rspamd_edit *v, struct arena *a, struct rspamd_answer *r, const char *name, str value,
                     int64_t index, bool remove)
{
    if (r->nedits < RSPAMD_EDITS_MAX)
        v[r->nedits++] = (struct rspamd_edit){arena_str(a, str_c(name)), value, index, remove};
}

/* A value: "text", {"value": "text", "order": 1}, or a list of these. */
static void add_header(struct rspamd_edit *v, struct arena *a, struct rspamd_answer *r, const char *name,
                       struct json_object *o)
{
    if (json_object_is_type(o, json_type_string)) {
        add_edit(v, a, r, name, text(o, a), -1, false);
    } else if (json_object_is_type(o, json_type_object)) {
        struct json_object *order = member(o, "order", json_type_int);
        add_edit(v, a, r, name, text(member(o, "value", json_type_string), a),
                 order ? json_object_get_int64(order) : -1, false);
    } else if (json_object_is_type(o, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(o) && i < RSPAMD_EDITS_MAX; i++) {
            struct json_object *one = json_object_array_get_idx(o, i);
            if (!json_object_is_type(one, json_type_array))
                add_header(v, a, r, name, one);
        }
    }
}

static void remove_header(struct rspamd_edit *v, struct arena *a, struct rspamd_answer *r, const char *name,
                          struct json_object *o)
{
    if (json_object_is_type(o, json_type_int))
        add_edit(v, a, r, name, S(""), json_object_get_int64(o), true);
    for (size_t i = 0; json_object_is_type(o, json_type_array) && i < json_object_array_length(o); i++)
        if (json_object_is_type(json_object_array_get_idx(o, i), json_type_int))
            add_edit(v, a, r, name, S(""), json_object_get_int64(json_object_array_get_idx(o, i)), true);
}

static size_t read_strings(struct json_object *o, struct arena *a, const str **ret)
{
    bool list = json_object_is_type(o, json_type_array);
    size_t n = list ? json_object_array_length(o) : (size_t)json_object_is_type(o, json_type_string), used = 0;
    n = n < RSPAMD_EDITS_MAX ? n : RSPAMD_EDITS_MAX;
    str *v = n ? arena_array(a, n, sizeof *v) : NULL;
    for (size_t i = 0; v && i < n; i++) {
        v[used] = text(list ? json_object_array_get_idx(o, i) : o, a);
        used += v[used].n > 0;
    }
    *ret = v;
    return used;
}

static void read_milter(struct json_object *root, struct arena *a, struct rspamd_answer *r)
{
    struct json_object *milter = member(root, "milter", json_type_object);
    struct rspamd_edit *v = milter ? arena_array(a, RSPAMD_EDITS_MAX, sizeof *v) : NULL;
    if (!v)
        return;
    r->edits = v;
    struct json_object *gone = member(milter, "remove_headers", json_type_object);
    struct json_object *more = member(milter, "add_headers", json_type_object);
    struct json_object *from = member(milter, "change_from", json_type_string);
    if (gone) {
        json_object_object_foreach(gone, name, o) remove_header(v, a, r, name, o);
    }
    if (more) {
        json_object_object_foreach(more, name, o) add_header(v, a, r, name, o);
    }
    if (from)
        r->change_from = text(from, a);
    r->nadd = read_strings(member(milter, "add_rcpt", json_type_array), a, &r->add_rcpts);
    r->ndel = read_strings(member(milter, "del_rcpt", json_type_array), a, &r->del_rcpts);
}

/* ---- the whole ---- */

static err read_root(struct json_object *root, struct arena *a, struct rspamd_answer *r)
{
    struct json_object *skipped = member(root, "is_skipped", json_type_boolean), *signature;
    str action = text(member(root, "action", json_type_string), a);
    r->skipped = skipped && json_object_get_boolean(skipped);
    if (!find_action(action, &r->action) && !r->skipped)
        return E_PROTOCOL;
    r->score = number(root, "score");
    r->required = number(root, "required_score");
    r->subject = text(member(root, "subject", json_type_string), a);
    r->message = text(member(member(root, "messages", json_type_object), "smtp_message", json_type_string), a);
    read_symbols(root, a, r);
    read_milter(root, a, r);
    if (json_object_object_get_ex(root, "dkim-signature", &signature))
        r->nsignatures = read_strings(signature, a, &r->signatures);
    return a->e ? a->e : OK;
}

err rspamd_read(str json, struct arena *a, struct rspamd_answer *ret)
{
    struct rspamd_answer r = {0};
    r.message = r.subject = S("");
    struct json_tokener *t = json.n < INT32_MAX ? json_tokener_new_ex(DEPTH_MAX) : NULL;
    if (!t)
        return E_NOMEM;
    struct json_object *root = json_tokener_parse_ex(t, json.p, (int)json.n);
    err e = json_object_is_type(root, json_type_object) ? read_root(root, a, &r) : E_PROTOCOL;
    json_object_put(root);
    json_tokener_free(t);
    if (!e)
        *ret = r;
    return e;
}
