/* HTTP/1.1 (RFC 9112): answers of servers, questions of clients. Pure: all octets so far go in, a whole one comes out.
 */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H
#include "base/arena.h"

enum { HTTP1_FIELDS_MAX = 100, HTTP1_HEAD_MAX = 16 * 1024, HTTP1_INTERIM_MAX = 8, HTTP1_TARGET_MAX = 2048 };

struct http1_field {
    str name, value; /* value without the blanks around it */
};
struct http1_answer {
    int status;
    struct http1_field *v;
    size_t n;
    str body;
    size_t used; /* octets that the answer takes */
    bool lasts;  /* the connection may be used again (RFC 9112 9.3) */
};

/* `octets`: everything that came; `ended`: no more will. Interim answers (1xx) are passed over. Views point into
 * `octets`, a chunked body and the fields into `a`. `head_only`: it answers HEAD, there is no body. OK; E_AGAIN: more
 * is needed; E_SYNTAX; E_LIMIT: a head above the limits; E_RESET: it ended too early; E_NOMEM. */
err http1_answer(str octets, bool ended, bool head_only, struct arena *a, struct http1_answer *ret);
/* The first field of a name (without regard to case); p NULL: none. */
str http1_field(const struct http1_answer *r, str name);

/* What a client asks, without a body: GET and HEAD are all that is served. */
struct http1_request {
    str method, path, query; /* path as it stands, "" of an absolute target without one; query without its "?" */
    str host;                /* of Host without port, or of an absolute target; "" none */
    struct http1_field *v;
    size_t n;
};
/* OK; E_AGAIN: more is needed; E_LINE_LENGTH: a target above its limit; E_LIMIT: a head above the limits;
 * E_UNSUPPORTED: another version than 1.x; E_SYNTAX, also for several Host fields (3.2); E_NOMEM. */
err http1_request(str octets, struct arena *a, struct http1_request *ret);

/* A token (RFC 9110 5.6.2): a method, a field's name. */
bool http1_token(str s);
/* Visible octets and blanks, as they may stand in a field's value that we send. */
bool http1_value(str s);

#endif
