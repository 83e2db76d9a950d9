/* JSON from outside (RFC 8259), read by json-c with our bounds. Pure. */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H
#include "base/str.h"

#include <json-c/json.h>

/* One whole value in UTF-8 and nothing behind it but blanks, at most `depth` levels deep; NULL: it is none, or there is
 * no memory. Of two members with one name the last counts (RFC 7519 4). json_object_put frees it. */
struct json_object *json_parse(str s, int depth);
static inline void json_drop(struct json_object **o) { json_object_put(*o); }
#define AUTO_JSON __attribute__((cleanup(json_drop))) struct json_object

/* A member of an object; NULL when it is not there or `o` is none. */
struct json_object *json_get(struct json_object *o, const char *name);
/* Its octets, which live as long as it does; p NULL: it is no string. */
str json_text(struct json_object *o);
/* A whole number, or one whose fraction does not matter. False: it is none, or too large to count with. */
bool json_whole(struct json_object *o, int64_t *ret);
/* Elements of an array; 0 when it is none. */
size_t json_length(struct json_object *o);

#endif
