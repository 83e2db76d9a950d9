/* JSON by json-c, which keeps its stack in memory of its own: no depth of input reaches the fiber's stack. */
#include "wire/json.h"
#include "base/text.h"

enum { TEXT_MAX = 1 << 20 };

static bool only_blanks(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!memchr(" \t\r\n", s.p[i], 4))
            return false;
    return true;
}

struct json_object *json_parse(str s, int depth)
{
    if (!s.n || s.n > TEXT_MAX || !text_utf8(s) || memchr(s.p, 0, s.n))
        return NULL;
    struct json_tokener *t = json_tokener_new_ex(depth);
    if (!t)
        return NULL;
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    struct json_object *o = json_tokener_parse_ex(t, s.p, (int)s.n);
    bool more = json_tokener_get_error(t) == json_tokener_continue;
    if (more) { /* a number at the end is whole only when something follows it */
        json_object_put(o);
        o = json_tokener_parse_ex(t, " ", 1);
    }
    bool ok = json_tokener_get_error(t) == json_tokener_success &&
              (more || only_blanks(str_skip(s, json_tokener_get_parse_end(t))));
    json_tokener_free(t);
    if (ok)
        return o;
    json_object_put(o);
    return NULL;
}

struct json_object *json_get(struct json_object *o, const char *name)
{
    struct json_object *v = NULL;
    return o && json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, name, &v) ? v : NULL;
}

str json_text(struct json_object *o)
{
    if (!o || !json_object_is_type(o, json_type_string))
        return (str){NULL, 0};
    return str_mem(json_object_get_string(o), (size_t)json_object_get_string_len(o));
}

bool json_whole(struct json_object *o, int64_t *ret)
{
    if (o && json_object_is_type(o, json_type_int)) {
        *ret = json_object_get_int64(o);
        return true;
    }
    double d = o && json_object_is_type(o, json_type_double) ? json_object_get_double(o) : -1;
    if (!(d >= 0 && d < 9e15))
        return false;
    *ret = (int64_t)d;
    return true;
}

size_t json_length(struct json_object *o)
{
    return o && json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
}
