/*
 * The spool: messages and what became of them, on stable storage. An append-only log in recycled
 * segment files, written by one task in groups with one sync each. docs/SPOOL.md numbers every legal
 * state of a message and what a crash does to it; this header is the contract that any other store
 * would have to keep, too.
 *
 * Verbs: put (a group of records: durable, refused or unknown), done and defer (outcomes and
 * schedules, records like any other), due (everything that is left, at the start), read, lost.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H
#include "base/arena.h"
#include "rt/rt.h"
#include "wire/cmd.h"

/* ---- envelopes ------------------------------------------------------------------------------ */

enum envelope_flag {
    ENV_SMTPUTF8 = 1,      /* the transaction said SMTPUTF8 (RFC 6531) */
    ENV_DOT_LINE = 2,      /* a line of the body begins with a dot: DATA needs stuffing */
    ENV_8BIT_BODY = 4,     /* octets above 127 in the body */
    ENV_8BIT_HEAD = 8,     /* ... in the header block */
    ENV_BARE_EOL = 16,     /* bare CR or LF (BINARYMIME only) */
    ENV_NO_FINAL_EOL = 32, /* does not end in CRLF (BINARYMIME only) */
    ENV_LONG_LINE = 64,    /* a line of more than 998 octets */
    ENV_NUL = 128,
    ENV_REPORT = 256,        /* one of our own reports: its failure is a double bounce */
    ENV_HELD = 512,          /* accepted but not to be attempted before an operator releases it */
    ENV_SUBMITTED = 1024,    /* came by authentication or local submission */
    ENV_TLS = 2048,          /* came over TLS */
    ENV_DELAY_TOLD = 4096,   /* never set by intake */
    ENV_REQUIRETLS = 16384,  /* never to be sent without TLS to a verified server that promises the same (RFC 8689) */
    ENV_JUNK = 32768,        /* suspicious: for the folder of such mail */
    ENV_SIGNED = 65536,      /* we signed it: a form of it that differs is to be signed, too */
    ENV_QUARANTINE = 131072, /* held because it is suspicious: `held_why`; ENV_HELD is set, too */
    ENV_LAX = 262144,        /* goes also where DANE or MTA-STS are not kept to: a TLS report (RFC 8460 5.3) */
    ENV_DOUBLE = 8192,       /* a report about a report, to the postmaster: its failure ends there */
};

struct recipient {
    str address;    /* where to: "local@domain" in the form of addr_print; UTF-8 allowed */
    str orcpt;      /* "type;address" as given or made by alias expansion; empty: none (RFC 3461 4.2) */
    uint8_t notify; /* enum cmd_notify bits of wire/cmd.h; 0: default */
    str list;       /* the alias or list it came from; empty: none */
    str sender;     /* reverse-path for this recipient alone (forwarding rewrites it, SRS); empty: the envelope's */
    str past;       /* addresses that rules redirected it from on the way out, a line each, the first first */
};

/* All strings are views; envelope_decode leaves them pointing into the bytes given. */
struct envelope {
    uint64_t id; /* 63 bits, time in front; from spool_new_id */
    int64_t arrived_ms, expires_ms;
    uint32_t tenant;        /* who brought it: account, listener or network; 0: nobody in particular */
    uint32_t flags;         /* enum envelope_flag */
    uint8_t body;           /* enum cmd_body: what MAIL said (RFC 6152, RFC 3030) */
    uint8_t ret;            /* enum cmd_ret */
    uint8_t class;          /* 0 ordinary, higher leaves first */
    uint8_t hops;           /* Received fields found */
    uint32_t head_size;     /* octets of the header block, its empty line included */
    uint64_t body_size;     /* octets after it */
    int64_t release_ms;     /* not to be attempted before (RFC 4865); 0: at once */
    int64_t by_ms;          /* deliver by (RFC 2852); 0: whenever */
    uint8_t by;             /* enum cmd_by, and 128 for a trace */
    int8_t priority;        /* of MT-PRIORITY (RFC 6710) */
    str sender;             /* empty: the null reverse-path */
    str envid;              /* decoded ENVID (RFC 3461 4.4); empty: none */
    str client, helo, user; /* address as text, name given, account (or "uid 1000"); for log, history, headers */
    str message_id;         /* with its angle brackets, for people; empty when there is none */
    str held_why;           /* ENV_HELD: who held it and why, "rule big: 30 recipients"; empty: nothing was said */
    str way;                /* title of the route that a rule chose, or "listener:TITLE": that of the proxy listener
                             * which stored it; empty: by sender and domain, as ever */
    struct recipient *to;
    uint32_t nto;
};

/* The stored form, versioned. E_LIMIT or E_NOMEM from the buffer. */
err envelope_encode(struct buf *out, const struct envelope *e);
/* Recipients are allocated in `a`. E_CORRUPT, E_NOMEM. */
err envelope_decode(struct arena *a, str bytes, struct envelope *ret);

/* ---- bodies in memory ------------------------------------------------------------------------ */

/*
 * A message's octets as they were received: header block, then body, CRLF, never stuffed. Built by one
 * fiber, immutable once it was put, shared by reference count between loops. Memory comes in blocks
 * that go back to the system, so that a dropped body lowers the resident size. The blocks are counted
 * in the metric body_bytes.
 */
struct body;
struct body *body_new(void); /* NULL without memory; one reference */
/* The same with room for about `octets` in one piece, up to 16 KiB: for a message whose size was announced. */
struct body *body_new_for(uint64_t octets);
struct body *body_ref(struct body *b);
void body_drop(struct body **b); /* NULL is fine */
/* Room to read into: *ret_n bytes at the returned place (at least 1), then body_grew says how many were
 * used. NULL without memory. */
char *body_room(struct body *b, size_t *ret_n);
void body_grew(struct body *b, size_t n);
err body_add(struct body *b, str s);
uint64_t body_size(const struct body *b); /* octets held in memory */
/* Puts `head` in the place of the first `old` octets: how a header block is edited (old == 0: prepended). */
err body_splice_head(struct body *b, size_t old, str head);
/* The pieces in order: start with *at = 0; false at the end. */
bool body_piece(const struct body *b, size_t *at, str *ret);

/* ---- the store --------------------------------------------------------------------------------- */

struct spool;

struct spool_config {
    int dir; /* descriptor of the folder; the spool keeps its own copy */
    uint64_t
        segment_size;   /* bytes of a segment file; 64 MiB; all files of a folder have the size they were made with */
    uint64_t reserve;   /* free bytes of the disk below which put refuses: E_DISK_FULL */
    uint64_t max_bytes; /* limit for all segment files; 0: none; E_QUEUE_FULL */
    uint32_t spare;     /* free segments kept for reuse; more are deleted */
};

/* What is left of a message at start, one call each, oldest message first. `state[i]` belongs to env->to[i]. */
enum rcpt_state { RCPT_WAITING, RCPT_DONE, RCPT_UNTOLD }; /* UNTOLD: see enum outcome */
struct rcpt_status {
    uint8_t state; /* enum rcpt_state */
    bool held;
    uint16_t attempts;
    int64_t next_ms; /* wall clock of the next attempt; 0: now */
    str reply;       /* of the last attempt, for people; may be empty */
};
typedef void spool_due_fn(void *arg, const struct envelope *env, const struct rcpt_status *state);

/* Opens the folder, recovers, calls `due` for every message with a recipient left, starts the writer
 * (and compaction). Damage is put aside and logged, never fatal. E_IO and the like when the folder
 * itself cannot be used; E_EXISTS when another process holds it. BLOCKS. */
err spool_open(struct spool **ret, const struct spool_config *c, spool_due_fn *due, void *arg) BLOCKS;
/* Writes what waits and syncs. After the loops have ended: nobody is told any more. Readers must be closed. */
void spool_close(struct spool **s) BLOCKS;

/* A new id: larger than all before it in this folder, whatever the clock does. Any thread. */
uint64_t spool_new_id(struct spool *s);

/* OK, or why a new message would be refused now: E_DISK_FULL, E_QUEUE_FULL, E_IO. Cheap; any thread.
 * `size`: octets announced, 0 unknown. */
err spool_room(struct spool *s, uint64_t size);

/*
 * A group: records that become durable together or not at all. Filled by one fiber or post, then
 * handed over; the memory that it points at must live until it is done.
 *
 * OUT_UNTOLD: delivered, but a report of it is owed to the sender. The recipient is not done: a result that comes later
 * (with the report) makes it so, and a start tells of it until then.
 */
enum outcome { OUT_DELIVERED = 1, OUT_BOUNCED, OUT_EXPIRED, OUT_REMOVED, OUT_REPLACED, OUT_UNTOLD };
struct result {      /* the end of one recipient */
    uint32_t rcpt;   /* index into env->to */
    uint8_t outcome; /* enum outcome */
    str reply;       /* for people; cut at 512 octets */
};
struct retry { /* a recipient put off, held or released */
    uint32_t rcpt;
    uint16_t attempts;
    bool held;
    int64_t next_ms;
    str reply;
};

#define SPOOL_GROUP_ROOM 384
struct spool_group {
    struct post done;  /* done.run is called on `loop` when the group's fate is known ... */
    struct loop *loop; /* ... filled in by spool_send from the current loop */
    err e;             /* the fate: OK durable; E_DISK_FULL, E_QUEUE_FULL refused; E_IO: unknown (treat as refused) */
    bool lazy; /* schedules only: rides with the next batch, or is written unsynced after at most 3 s; then done runs */
    struct buf bytes;         /* from here on private: encoded records ... */
    struct spool_part *parts; /* ... and what is written from elsewhere */
    uint32_t nparts;
    bool copies, brings; /* made by compaction; brings a message or a chunk */
    struct list held;
    void *waiter;
    struct spool_part {
        uint32_t at;
        bool env;
        struct body *body;
    } first;
    char room[SPOOL_GROUP_ROOM]; /* small groups live here */
};
/* A group must stay where it is from init to free: it points into itself. */
void spool_group_init(struct spool_group *g);
void spool_group_free(struct spool_group *g);
/* The message record: envelope, and the octets of `b` (header block first). When earlier pieces of the body
 * went by spool_group_chunk, `b` holds the header block and the tail, and `chunks` says how many. A reference
 * to b is kept until the group is done; the encoded envelope stays in b, so that a reader that is given b
 * touches no disk (with chunks: only for these). */
err spool_group_message(struct spool_group *g, const struct envelope *env, struct body *b, uint32_t chunks);
/* A piece (at most 256 KiB) of a large body, number n from 0; the message record follows in a later group.
 * Pieces whose message never comes are garbage after spool_forget or a restart. */
#define SPOOL_CHUNK (256 * 1024)
err spool_group_chunk(struct spool_group *g, uint64_t id, uint32_t n, struct body *b);
err spool_group_results(struct spool_group *g, uint64_t id, const struct result *r, size_t n);
err spool_group_retries(struct spool_group *g, uint64_t id, const struct retry *r, size_t n);
/* All recipients are done: the message may be forgotten. Goes in the group of the last result. */
err spool_group_end(struct spool_group *g, uint64_t id);

/* Hands the group over; g->done runs on the current loop when its fate is known. */
void spool_send(struct spool *s, struct spool_group *g);
/* The same for fibers: sleeps until the fate is known (not cancellable: at most one disk sync) and returns it. */
err spool_put(struct spool *s, struct spool_group *g) YIELDS;

void spool_forget(struct spool *s, uint64_t id); /* an abandoned message's chunks */

/* ---- reading --------------------------------------------------------------------------------- */

/* One message from memory (mem != NULL) or from the log. Keeps its segments from being reused until
 * closed. The first pieces together are the header block and the body in order. */
struct spool_reader {
    struct spool *spool;
    struct body *mem;
    struct envelope env; /* after open; valid until close */
    struct arena arena;
    struct buf buf;
    void *state; /* (private) */
    size_t at;   /* (private) */
};
/* E_NOT_FOUND: no such message (any more). E_CORRUPT, E_IO, E_NOMEM. */
err spool_read_open(struct spool_reader *r, struct spool *s, uint64_t id, struct body *mem) YIELDS;
err spool_read_next(struct spool_reader *r, str *ret_piece) YIELDS; /* n == 0: the end; valid until the next call */
void spool_read_close(struct spool_reader *r);
/* The chunks alone of a message that is still coming in (its record was not put yet). E_NOT_FOUND: there are none. */
err spool_read_chunks(struct spool_reader *r, struct spool *s, uint64_t id);

/* The octets of a message again, for one of a new id. */
struct spool_copy {
    struct spool *spool;
    struct body *body, *piece; /* body: what its record brings; piece: (private) */
    uint64_t id;
    uint32_t chunks; /* that went ahead */
};
/* From a reader at its beginning. Not OK: spool_copy_free all the same. */
err spool_copy_octets(struct spool_copy *c, struct spool *s, struct spool_reader *r) YIELDS;
void spool_copy_free(struct spool_copy *c, bool stored); /* stored: the message's record is there */

/* Blocks of bodies that are kept for the next ones go back to the system. Any thread; for when little happens. */
void spool_trim(void);

/* ---- for operators ------------------------------------------------------------------------------ */

struct spool_stats {
    uint64_t messages, segments, free_segments, bytes, live_bytes, disk_free;
    bool full, failed;
};
void spool_stats(struct spool *s, struct spool_stats *ret);

/* The records of a folder as lines of text, oldest segment first. Reads only; the spool should not be open. */
err spool_dump(int dir, void (*line)(void *arg, str text), void *arg) BLOCKS;

#endif
