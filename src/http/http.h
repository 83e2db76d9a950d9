/*
 * http: HTTP/1.1 on fibers, both ends: one question, one answer. No redirects, no cookies, no
 * compression: what policies, certificates and filters are fetched with needs none of them, nor do the few texts that
 * are served (policies, metrics, proofs for an authority).
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H
#include "net/net.h"
#include "wire/http1.h"

struct http_url {
    bool tls;
    str host; /* without brackets */
    uint16_t port;
    str path; /* with its query; "/" when there is none */
};
/* "https://host[:port]/path". No user, no fragment. False: it is none. Views. */
bool http_url_parse(str s, struct http_url *ret);

struct http_question {
    const char *method; /* "GET", "POST", "HEAD" */
    struct http_url url;
    const struct http1_field *fields; /* beside Host, User-Agent, Content-Length, Connection */
    size_t nfields;
    str body;
    /* Instead of `body`, so that it need not be in memory: `size` octets, of which *ret is a piece that begins at
     * `at`. The view holds until the next call. */
    err (*read)(void *arg, uint64_t at, str *ret) YIELDS;
    void *arg;
    uint64_t size;
    const char *ca_pem; /* roots instead of the system's; NULL: the system's */
    size_t most;        /* octets of the answer, head and all */
    rt_time deadline;
    bool any_certificate;  /* over TLS with whoever answers (RFC 8460 3) */
    bool private_targets;  /* addresses that are not public may be asked (RFC 6890) */
    const char *unix_path; /* the socket of the server, whatever the URL's host; NULL: it has none */
    /* Take a connection that an earlier question left open, and leave this one open. A question that a server did not
     * answer because it was closing such a connection is asked again: only for those that do no harm twice. */
    bool keep;
};
enum { HTTP_KEPT_MAX = 16 }; /* connections of one loop that nobody uses */
#define HTTP_KEPT_TIME (20 * RT_S)
/* The answer's strings are in `a` (whose limit must leave room for `most`), whatever its status is. E_LIMIT: it is
 * larger than `most`; E_PRIVATE; E_SYNTAX: it is no HTTP; errors of DNS, connections and TLS. *why (may be NULL) in
 * words. */
err http_ask(const struct http_question *q, struct arena *a, struct http1_answer *ret, struct buf *why) YIELDS;

/* ---- a server's side ---------------------------------------------------------------------------------------- */

/* What is answered to one question. */
struct http_reply {
    int status;       /* 404 when it comes in */
    const char *type; /* of the body; text/plain; charset=utf-8 when it comes in */
    struct buf *body; /* empty for anything but 200: a line that says the status */
};
/* GET or HEAD of r->path (other methods do not come this far). */
typedef void http_answer_fn(void *arg, const struct http1_request *r, struct http_reply *ret) YIELDS;

enum { HTTP_REPLY_MAX = 4 << 20 };
#define HTTP_SERVE_TIME (10 * RT_S) /* for a question to be here, and again for its answer to be taken */
/* Reads one question from an open connection (its handshake done), answers it and ends the connection: 400, 405, 414,
 * 431 or 505 when it is no question, 408 when it is not there in time, else what `fn` says. The status that was sent;
 * 0: none.
 */
int http_serve_one(struct conn *c, http_answer_fn *fn, void *arg) YIELDS;

#endif
