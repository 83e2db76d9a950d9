/*
 * ctl: operating a running server. A unix stream socket takes one request a connection; the server
 * renders the answer, as text for people or as JSON, and streams it back, so that the command line is
 * a thin pipe. Only root, the server's user and the owner of the data folder are heard.
 *
 * The protocol, numbers little-endian:
 *   request   u8 version (1), u32 length (at most 1 MiB), then that many octets: the words of the command, each as
 *             u32 length and octets. `--json` may stand anywhere among them.
 *   upload    only behind "queue import-one": frames as below, ended by an empty one.
 *   answer    frames: u32 length (at most 64 KiB) and octets; the highest bit of the length says that the
 *             octets are an error text for people. An empty frame, then one octet, the exit status, is the end.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H
#include "conf/conf.h"
#include "history/history.h"
#include "queue/queue.h"
#include "spool/spool.h"

/* ---- the server's side ---- */

/* A server behind a proxy listener, as `status` shows it. */
struct ctl_upstream {
    char upstream[48], server[128], why[160]; /* why: what is wrong with it, or "" */
    bool up, relays;                          /* relays: it lets us relay to foreign names, which turns `status` red */
    uint32_t connections;
};

struct ctl { /* must outlive the loops */
    struct queue *queue;
    struct spool *spool;
    struct history *history;    /* may be NULL: `why` then knows the queue alone */
    struct conf *(*conf)(void); /* the generation in force, with a reference */
    uid_t owner;                /* of the data folder: may do all, as root and the server's own user */
    int64_t started_ms;         /* wall clock */
    /* The servers behind proxy listeners of a generation, at most `max`; may be NULL. */
    size_t (*upstreams)(const struct conf *c, struct ctl_upstream *v, size_t max);
    /* Adds the names of filters that have failed and are not asked for a while, a line each; may be NULL. */
    void (*filters_down)(struct buf *out);
    /* The command `reports` with the words behind it: answer, error text, exit status. On the pool. May be NULL. */
    int (*reports)(const str *words, size_t n, bool json, struct buf *out, struct buf *why) BLOCKS;
};
/* On loop 0: accepts control connections on a listening unix socket (taken over) until the fiber is cancelled. E_NOMEM
 * and the like when it could not begin. */
err ctl_serve(const struct ctl *rooms, int listen_fd) YIELDS;
/* On any loop: answers GET /metrics on a listening socket (taken over) in the Prometheus text format, likewise. */
err ctl_metrics_serve(const struct ctl *rooms, int listen_fd) YIELDS;

/* `why` without a server: from the history's folder (relative to dirfd) alone. `what` is an id or an address, of which
 * at most `limit` messages are told (0: a few). E_SYNTAX: it is neither; E_NOT_FOUND: nothing is known. */
err ctl_why_offline(struct buf *out, int dirfd, const char *folder, str what, uint64_t limit, bool json) BLOCKS;

/* ---- both sides: pure ---- */

enum {
    CTL_VERSION = 1,
    CTL_HEAD = 5, /* octets before the words of a request */
    CTL_REQUEST_MAX = 1024 * 1024,
    CTL_WORDS_MAX = 4096,
    CTL_FRAME_MAX = 65536,
};
#define CTL_FRAME_ERROR 0x80000000u
enum ctl_exit {
    EXIT_OK = 0,
    EXIT_FAIL = 1,
    EXIT_GONE = 2, /* export-one: nothing is left of the message */
    EXIT_BUSY = 3, /* export-one: a recipient's attempt runs */
    EXIT_SAME = 4, /* export-one --had: nothing happened since it was held: the file that was written then is good */
    EXIT_USAGE = 64
};

struct ctl_request {
    str *v;
    size_t n;
};
/* E_LIMIT when it would be longer than a server takes. */
err ctl_request_encode(struct buf *out, const str *words, size_t n);
/* The first CTL_HEAD octets: how many follow. E_UNSUPPORTED (another version), E_LIMIT. */
err ctl_request_head(str head, uint32_t *ret_size);
/* What followed: views into `body`. E_SYNTAX, E_LIMIT, E_NOMEM. */
err ctl_request_decode(struct arena *a, str body, struct ctl_request *ret);

/* ---- the exported form of a message ---- */

/*
 * One file: "postrider message 1\n"; u32 length of the rest of this head; u32 length and the envelope as the
 * spool encodes it (recipients that are done are left out); per recipient u16 attempts, u8 held, u64 next_ms,
 * u16 length and last reply; u32 CRC32C of all that came before. Behind this head the octets of the message
 * (head_size + body_size of the envelope), then u32 CRC32C of these, which is the end of the file.
 */
#define CTL_EXPORT_MAGIC "postrider message 1\n"
enum { CTL_EXPORT_HEAD_MAX = 64 * 1024 * 1024 };
struct ctl_export {
    struct envelope env;
    struct rcpt_status *state; /* as many as env.nto */
};
/* Everything before the octets. E_LIMIT, E_NOMEM. */
err ctl_export_head(struct buf *out, const struct envelope *env, const struct rcpt_status *state);
/* How many octets the head has, told from its first 24; 0: `bytes` is too short to know. E_SYNTAX: not such a
 * file; E_UNSUPPORTED: of another version; E_LIMIT. */
err ctl_export_size(str bytes, uint64_t *ret_head);
/* Parses the whole head. Strings are views into it, arrays in `a`. E_CORRUPT, E_NOMEM. */
err ctl_export_decode(struct arena *a, str head, struct ctl_export *ret);

#endif
