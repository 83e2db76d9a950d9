/* What the files of the spool share: the stored format and the tables in memory. docs/SPOOL.md has the rules. */
#ifndef SPOOL_INTERNAL_H
#define SPOOL_INTERNAL_H
#include "base/codec.h"
#include "base/map.h"
#include "spool/spool.h"

#include <endian.h>
#include <stdatomic.h>

/* ---- stored format --------------------------------------------------------------------------- */

#define PAGE 4096u
#define DATA_START (2 * PAGE) /* two slots for the head come before */
#define SEGMENT_MIN (16 * PAGE)
#define SEGMENT_MAX (1ull << 31)
#define REC_HEAD 48u
#define BATCH_HEAD 48u
#define FOOT_ENTRY 32u
#define MAX_CUTS 16u
#define BATCH_BYTES (4u << 20) /* a batch is closed when it has more */
#define COPY_BYTES (1u << 20)  /* of compaction in one batch */
#define LAZY_MAX 4096u         /* schedules that may be unsynced */

enum rec_type { REC_MESSAGE = 1, REC_CHUNK, REC_RESULTS, REC_RETRIES, REC_END, REC_TYPES };
enum rec_flag { REC_FIRST = 1, REC_LAST = 2, REC_ONE = 4, REC_COPY = 8 };
enum head_state { HEAD_FREE = 1, HEAD_LOG = 2 };

struct rec {
    uint64_t gen, id, aux;
    uint32_t sum, batch, length, meta;
    uint8_t type, flags;
};
struct batch_head {
    uint64_t gen, last_id, stamp;
    uint32_t number, length, count, durable;
};
struct cut { /* of segment `gen`, batches from `batch` on do not count */
    uint64_t gen;
    uint32_t batch;
};
struct seg_head {
    uint64_t gen, size, last_id, stamp;
    uint32_t state, turn, version, ncuts;
    uint32_t cut; /* of this segment itself; 0: none */
    struct cut cuts[MAX_CUTS];
};
struct trailer {
    uint64_t gen, end;
    uint32_t at, length, sum, count, batch;
};
struct foot_entry {
    uint64_t id, aux;
    uint32_t off, len, meta;
    uint8_t type, flags;
};

static inline void put32(char *p, uint32_t v) { v = htole32(v), memcpy(p, &v, 4); }
static inline void put64(char *p, uint64_t v) { v = htole64(v), memcpy(p, &v, 8); }
static inline uint32_t get32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return le32toh(v);
}
static inline uint64_t get64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return le64toh(v);
}
static inline uint64_t page_up(uint64_t n) { return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1); }

void rec_store(char *p, const struct rec *r); /* REC_HEAD bytes, sealed by their CRC */
void rec_peek(const char *p, struct rec *r);  /* without looking at the CRC */
bool rec_load(const char *p, struct rec *r);
void batch_store(char *p, const struct batch_head *b);
bool batch_load(const char *p, struct batch_head *b);
enum { HEAD_BYTES = 512, TRAILER_BYTES = 64 };
void head_store(char *p, const struct seg_head *h);
bool head_load(const char *p, struct seg_head *h); /* any version: look at it first */
void trailer_store(char *p, const struct trailer *t);
bool trailer_load(const char *p, struct trailer *t);
void foot_store(char *p, const struct foot_entry *f);
/* One entry and its meta bytes off the front; false at the end or when it makes no sense. */
bool foot_next(str *rest, struct foot_entry *ret, str *ret_meta);

/* ---- segments -------------------------------------------------------------------------------- */

enum seg_state { SEG_FREE, SEG_READY, SEG_ACTIVE, SEG_SEALED, SEG_BUSY, SEG_GONE };

struct seg {
    uint32_t slot; /* its place in engine.segs and the number in its name */
    int fd;
    uint8_t state;           /* enum seg_state */
    bool poisoned;           /* a write failed: never written again, deleted when free */
    bool footed, nofoot;     /* has its footer on disk; shall have none */
    bool drained;            /* compaction has copied all that was needed */
    bool has_states, whole;  /* recovery's: to be read again; nothing is wrong with it */
    bool nocopy;             /* compaction met a bad record: waits until all in it has ended */
    bool kept;               /* opened for outcomes: what is left of it is not promised to messages */
    bool stuck;              /* could not be freed: left alone until the next start */
    uint8_t head_slot;       /* which of the two holds the head in force */
    uint32_t cut_turn;       /* engine.cut_turn when its head was written */
    uint32_t cut;            /* its head in force says so: from this batch on nothing counts; 0: nothing is said */
    uint64_t size, gen, end; /* end: where the next batch goes */
    uint32_t turn, batch, durable;
    uint64_t live_bytes, state_bytes;
    uint32_t live, pins;
    struct buf foot; /* the footer, until it is written */
    uint32_t nfoot;
    uint64_t *needs, *after; /* bits by slot; see docs/SPOOL.md 5 */
};

/* ---- index ------------------------------------------------------------------------------------ */

struct entry {
    uint64_t id;       /* 0: empty */
    uint32_t off, len; /* of the message record */
    uint32_t stamp;    /* low bits of the newest RETRIES; 0: none */
    uint32_t slot_one; /* slot << 1 | has one recipient */
};
#define INDEX_SHARDS 64
struct index_shard {
    struct entry *v;
    uint32_t n, cap;
};
struct index {
    struct index_shard shard[INDEX_SHARDS];
    uint64_t n;
};
static inline uint32_t entry_slot(const struct entry *e) { return e->slot_one >> 1; }
bool index_reserve(struct index *x, uint64_t id, uint32_t more); /* so that adding cannot fail */
struct entry *index_find(struct index *x, uint64_t id);          /* valid until the next change */
void index_fetch(const struct index *x, uint64_t id);            /* it will be asked for soon */
struct entry *index_add(struct index *x, uint64_t id);           /* room was reserved; zeroed but for the id */
void index_remove(struct index *x, struct entry *e);
void index_free(struct index *x);

struct place {
    uint32_t slot, off, len; /* len 0: missing */
};
/* The chunks of one message: known, or still waiting for their message. */
struct chunks {
    struct map_node node;
    uint64_t id;
    uint32_t n, cap;
    struct place v[];
};

/* ---- the engine: everything but threads --------------------------------------------------------- */

struct engine {
    struct lock lock; /* over segs (but for the active one's end), index and chunks */
    int dir;
    uint64_t segment_size, reserve, max_bytes;
    uint32_t spare, garbage; /* garbage: segments without anything alive before compaction begins */
    struct seg **segs;       /* by slot; NULL: none */
    uint32_t nsegs, words;   /* places; words of a bit set */
    struct seg *active;      /* only the writer looks at its end */
    _Atomic uint32_t gens;   /* upper half of the last generation */
    uint64_t stamp;          /* the next one */
    _Atomic uint64_t last_id;
    struct index index;
    struct map chunks;
    struct cut *cuts; /* room for MAX_CUTS + 1; more only while a start reads old heads */
    uint32_t ncuts, capcuts, cut_turn;
    uint64_t last_gen; /* of the newest segment that took batches */
    _Atomic bool failed, full;
    _Atomic uint64_t disk_free;
    _Atomic int64_t looked; /* when disk_free was asked for */
    _Atomic bool work;      /* engine_help has something to do */

    /* the batch being made; the writer's */
    struct iovec *iov;
    uint32_t niov, iovcap;
    struct list in_batch;
    uint64_t batch_bytes;
    uint64_t batch_foot;
    uint32_t batch_count, batch_messages;
    bool batch_copies;
    char batch_head[BATCH_HEAD];

    /* Schedules in batches that were not synced yet. Until then they do not supersede what is on the disk. The
     * writer's. */
    struct lazy {
        uint64_t id;
        uint32_t stamp;
    } lazy[LAZY_MAX];
    uint32_t nlazy;
    bool unsynced; /* the batch that is applied */

    struct direct {
        int fd;       /* of the active segment; -1: ordinary writes */
        uint64_t gen; /* of that segment */
        char *out;
    } direct;

    /* compaction; the helper's */
    struct seg *from;
    struct buf list; /* entries of `from` */
    str list_rest;
    uint64_t copied;
    int64_t shown_all, shown_spare; /* in the gauges */
    struct buf copy;

    void (*complete)(struct engine *e, struct spool_group *g); /* its fate is in g->e */
    void (*completed)(struct engine *e);                       /* after those of a batch */
    void (*wake)(struct engine *e);                            /* there may be work for the helper */
    err (*submit)(struct engine *e, struct spool_group *g);    /* compaction's way to the writer: waits */
    void *owner;
    bool running;    /* recovery is done */
    bool dry;        /* only looks: writes nothing */
    struct buf owed; /* END records that recovery found missing */
};

err engine_open(struct engine **ret, const struct spool_config *c, spool_due_fn *due, void *arg);
void engine_close(struct engine **e);
/* Writes all groups of the list (linked by `held`), in batches; each is completed. sync = false: lazy ones only. */
void engine_write(struct engine *e, struct list *groups, bool sync);
/* One piece of work: prepare, free, seal, compact. False: there was none. */
bool engine_help(struct engine *e);
void engine_retry(struct engine *e); /* after failures: tries to get a segment to write to */
/* Recovery: ids and stamps go on from what was found. */
void engine_seen(struct engine *e, uint64_t id, uint64_t next_stamp);
err engine_room(struct engine *e, uint64_t size);
uint64_t engine_new_id(struct engine *e);
void engine_forget(struct engine *e, uint64_t id);
void engine_stats(struct engine *e, struct spool_stats *ret);

/* segment.c */
bool bit_get(const uint64_t *v, uint32_t at);
void bit_set(uint64_t *v, uint32_t at);
bool bits_empty_but(const struct engine *e, const uint64_t *v, uint32_t but);
struct seg *seg_new(struct engine *e, uint32_t slot); /* in memory only; under the lock */
void seg_delete(struct engine *e, struct seg *s);
void seg_name(char out[static 16], const char *prefix, uint32_t slot);
err seg_write_head(struct engine *e, struct seg *s, uint32_t state, uint64_t gen); /* synced */
uint64_t engine_next_gen(struct engine *e);
err seg_create(struct engine *e, bool fill, struct seg **ret); /* a new file, FREE */
err engine_prepare(struct engine *e, bool fill);               /* makes one segment READY */
void seg_seal(struct engine *e, struct seg *s);                /* no more batches; the lock is taken inside */
bool seg_fits(const struct seg *s, uint64_t batch_bytes, uint64_t foot_bytes);
uint64_t disk_room(struct engine *e, bool fresh);   /* free bytes above the reserve */
bool disk_low(struct engine *e);                    /* less free than the reserve */
uint32_t engine_spares(struct engine *e);           /* FREE and READY; under the lock */
void engine_freed(struct engine *e, struct seg *s); /* its FREE head is on disk; under the lock */
/* A new active segment. Some stay back: the last one for compaction, a few more for outcomes, so that a full
 * spool can become emptier. */
enum use { FOR_COPIES, FOR_OUTCOMES, FOR_MESSAGES };
uint32_t engine_keep(const struct engine *e, enum use use);
err engine_more(struct engine *e, enum use use, uint32_t *ret_n); /* how many could be had; why none */
err engine_next(struct engine *e, enum use use);
struct seg *seg_of_gen(const struct engine *e, uint64_t gen);  /* under the lock; NULL: freed */
bool seg_is_dead(const struct engine *e, const struct seg *s); /* may be freed; under the lock */
err seg_poison(struct engine *e, struct seg *s, uint32_t batch, const char *step, err why);

/* direct.c: writes past the page cache where the file system can */
err direct_zero(struct engine *e, struct seg *s, const char *name); /* all of a new file */
/* Whole pages at a page; the writer's. Seen by readers at once; synced by s->fd. */
err direct_write(struct engine *e, struct seg *s, const struct iovec *v, uint32_t nv, uint64_t at);
void direct_end(struct engine *e);

/* cuts.c */
err cuts_begin(struct engine *e);
err cuts_seen(struct engine *e, const struct seg_head *h);           /* recovery: what a head names */
void cuts_recovered(struct engine *e);                               /* ... and all have been read */
void cut_add(struct engine *e, const struct seg *s, uint32_t batch); /* under the lock, like the next two */
void cut_forget(struct engine *e, uint64_t gen);
uint32_t engine_cut_of(const struct engine *e, const struct seg *s); /* 0: none */
err cuts_settle(struct engine *e); /* until a head can name all; E_IO: not yet. The writer's */

/* footer.c */
void foot_add(struct seg *s, const struct foot_entry *f, const struct iovec *meta, int nmeta);
bool foot_pays(const struct seg *s); /* false: what it holds is so small that a scan reads little more */
void foot_drop(struct seg *s);       /* it gets none */
err foot_write(struct engine *e, struct seg *s);
/* Reads a sealed segment's footer into `out` instead of what is there; ret->at: where it lies. E_CORRUPT when there is
 * none. */
err foot_read(struct seg *s, struct buf *out, struct trailer *ret);

/* apply.c: what a durable record changes in memory. Under the lock. */
/* Room for what apply will add; `messages`: of this batch so far. E_NOMEM, E_LIMIT. */
err apply_reserve(struct engine *e, const struct rec *r, uint32_t messages);
void apply(struct engine *e, struct seg *s, const struct foot_entry *f);
void apply_synced(struct engine *e); /* e->lazy is on the disk */
/* Whether a record of `from` must be copied before `from` is freed. */
bool apply_needed(struct engine *e, const struct seg *from, const struct foot_entry *f);
void move_needs(struct engine *e, struct seg *from, struct seg *to); /* a message was copied */
void chunks_end(struct engine *e, uint64_t id);
struct chunks *chunks_find(struct engine *e, uint64_t id);

/* scan.c: segments without a footer */
/* Walks the batches of a whole segment image, fills s->foot, sets end, batch and durable. `cut`: first batch number
 * that does not count, 0: none. *ret_damaged: something was put aside. */
err scan_segment(struct engine *e, struct seg *s, uint32_t cut, bool *ret_damaged);
void quarantine(struct engine *e, struct seg *s, uint64_t off, const char *bytes, uint64_t n, const char *why);
void quarantine_file(struct engine *e, const char *name);

/* recover.c: reads what the folder holds into the engine, tells `due`. E_UNSUPPORTED: a version we do not know. */
bool seg_parse_name(const char *name, uint32_t *ret);
err seg_read_head(struct engine *e, struct seg *s);
err recover(struct engine *e, spool_due_fn *due, void *arg);

/* due.c: what recovery hands to the queue */
struct found { /* a message record; where its envelope lies in the file */
    uint64_t id;
    uint32_t slot, off, at, len;
};
struct told { /* RESULTS or RETRIES */
    uint64_t id, stamp;
    uint32_t slot, at, len;
    uint8_t type;
};
struct due {
    struct engine *e;
    struct found *found;
    struct told *told;
    size_t nfound, capfound, ntold, captold;
};
err due_found(struct due *d, const struct found *f);
err due_told(struct due *d, const struct told *t);
err due_call(struct due *d, spool_due_fn *due, void *arg);
void due_free(struct due *d);

/* gc.c */
bool compact_step(struct engine *e);
void engine_gauges(struct engine *e, bool end); /* what metrics say of segments; end: nothing any more */

/* read.c */
err read_open(struct spool_reader *r, struct engine *e, uint64_t id, struct body *mem) YIELDS;
err read_open_chunks(struct spool_reader *r, struct engine *e, uint64_t id);

/* group.c */
/* The records of a group in order; `rec` is where the head of the current one lies in g->bytes. */
struct group_at {
    size_t rec, next;
    uint32_t part;
};
bool group_walk(struct spool_group *g, struct group_at *at, struct rec *r, struct spool_part **part);

/* body.c */
str body_envelope(const struct body *b); /* encoded; empty: none was put with it */
uint32_t body_chunks(const struct body *b);
/* Once, by the only holder, when all octets are there. */
err body_put_envelope(struct body *b, const struct envelope *env, uint32_t chunks);
/* envelope.c */
size_t envelope_size(const struct envelope *e);

/* blocks.c: memory for bodies */
enum { BLOCK_4K, BLOCK_8K, BLOCK_12K, BLOCK_16K, BLOCK_64K, BLOCK_256K, BLOCK_CLASSES };
static inline size_t block_size(int cls)
{
    static const uint32_t sizes[BLOCK_CLASSES] = {4 << 10, 8 << 10, 12 << 10, 16 << 10, 64 << 10, 256 << 10};
    return sizes[cls];
}
void *block_take(int cls); /* NULL without memory */
void block_give(void *p, int cls);
#endif
