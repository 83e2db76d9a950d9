/* What the files of history share: records, frames, the index, names of files. */
#ifndef HISTORY_INTERNAL_H
#define HISTORY_INTERNAL_H
#include "base/cleanup.h"
#include "history/history.h"

/* ---- records (record.c) ---- */

enum {
    VALUE_MAX = 1024,       /* octets of a string that are kept */
    RECORD_MAX = 17 * 1024, /* 16 fields of a KiB and their heads */
    ROWS_MAX = 1024,
    FRAME_MAX = 1 << 20, /* octets of the records in a frame */
    FRAME_HEAD = 20,
    BLOCK_SIZE = 64 << 10, /* a block ends with the record that reaches this */
    BLOCK_MAX = BLOCK_SIZE + RECORD_MAX,
    BLOCKS_MAX = 65535,
    SEGMENT_MAX = 64 << 20, /* octets of a raw segment */
    KEYS_MAX = 1 << 20,     /* keys of a segment */
    TABLE_MAX = 256 << 10,
    HEAD_SIZE = 16, /* of a file, before its table */
};
#define RAW_MAGIC "prhraw\0\1"
#define SEG_MAGIC "prhseg\0\1"

enum role { ROLE_NONE, ROLE_ID, ROLE_ADDRESS };
/* The events of one file: number to name and fields. */
struct row {
    str name;
    str field[HISTORY_FIELDS];
    uint8_t role[HISTORY_FIELDS];
    uint8_t n;
};
struct table {
    struct row *v;
    size_t n;
    struct arena mem;
};
err table_own(struct table *t); /* of this program; numbers are enum event */
void table_free(struct table *t);
void table_encode(struct buf *out, const struct table *t);
err table_decode(struct table *t, str bytes);                              /* copies; E_CORRUPT, E_NOMEM */
void file_head(struct buf *out, const char *magic, const struct table *t); /* head and table */
/* Reads head and table; *ret_data is where the rest begins. E_CORRUPT, E_UNSUPPORTED: another version. */
err file_head_read(int fd, const char *magic, struct table *t, uint64_t *ret_data);

struct record {
    uint16_t event;
    int64_t ms;
    struct log_field v[HISTORY_FIELDS];
    size_t n;
};
char *put(char *to, uint64_t v, size_t octets);          /* a number; returns what is behind it */
size_t record_size(const struct log_field *v, size_t n); /* octets that record_put will need */
void record_put(char *to, uint16_t event, int64_t ms, const struct log_field *v, size_t n);
/* The next record in *c; false at the end, or with c->bad set when it is damaged. */
bool record_next(struct cur *c, struct record *r);

/* What a record can be found by: a 32-bit hash of each id and address in it. */
uint32_t key_of_id(uint64_t id);
uint32_t key_of_address(str address);
str address_bare(str address); /* without angle brackets */
size_t record_keys(const struct table *t, const struct record *r, uint32_t out[HISTORY_FIELDS]);

/* ---- frames (frame.c) ---- */

/*
 * A frame of a raw segment: u32 magic, u32 octets of records, u32 number of keys, u32 reserved, u32 CRC32C of
 * the head without it, the keys and the records. Then the keys (u32 each), then the records.
 */
#define FRAME_MAGIC 0x6672688fu
struct frame {
    uint32_t size, nkeys, crc;
    uint64_t data; /* where keys begin in the file */
};
void frame_head(char to[FRAME_HEAD], uint32_t size, uint32_t nkeys, uint32_t crc);
uint32_t frame_crc(uint32_t size, uint32_t nkeys);
/* The next whole frame at or after *at, its keys and records in `buf` (cleared first). What is damaged is passed
 * over. E_NOT_FOUND: no further one. *ret_skipped: octets passed over. *at is set behind the frame. */
err frame_next(int fd, uint64_t size, uint64_t *at, struct buf *buf, struct frame *ret, uint64_t *ret_skipped);

/* ---- names (names.c) ---- */

enum { STEM = 17, NAME_MAX_ = 24, PATH_LEN = 512 }; /* YYYYMMDDhhmmssmmm, .raw or .seg */
void stem_of(char out[STEM + 1], int64_t ms);
bool stem_time(const char *name, int64_t *ret_ms); /* false: not a name of ours */
/* FOLDER/STEM.suffix; false: too long, which history_open and history_find refuse. */
bool path_of(char out[PATH_LEN], const char *folder, const char *stem, const char *suffix);
bool folder_fits(const char *folder);
err stem_open(int dirfd, const char *folder, const char *stem, const char *suffix, int flags, int *ret_fd);
err stem_rename(int dirfd, const char *folder, const char *stem, const char *from, const char *to);
void stem_unlink(int dirfd, const char *folder, const char *stem, const char *suffix);
struct names { /* of the segments of a folder, oldest first; one entry a stem */
    struct name {
        char stem[STEM + 1];
        bool raw, seg, bad;
    } * v;
    size_t n, cap;
    err e;
};
err names_list(struct names *n, int dirfd, const char *folder);
void names_free(struct names *n);

/* ---- finished segments (seal.c, segment.c) ---- */

/*
 * Head and table; blocks, one zstd frame each; the table of blocks; the index; the footer. The index: 2^bits + 1
 * u32 positions, then entries (u16 hash, u16 block), sorted: the first `bits` bits of a key choose the range, the
 * next 16 are in the entry.
 */
enum { BLOCK_ROW = 40, FOOTER = 96 };
struct block_row {
    uint64_t at;
    uint32_t packed, size, crc; /* octets in the file, of the records; CRC32C of what is in the file */
    int64_t first_ms, last_ms;
};
struct footer {
    uint64_t blocks_at, dir_at, entries_at;
    uint32_t nblocks, nentries, bits;
    int64_t first_ms, last_ms;
    uint64_t min_id, max_id, events;
};
void footer_put(char to[FOOTER], const struct footer *f);
err footer_parse(const char from[FOOTER], uint64_t file_size, struct footer *f); /* bounds hold afterwards */
void block_row_put(char to[BLOCK_ROW], const struct block_row *b);
void block_row_parse(const char from[BLOCK_ROW], struct block_row *b);

/* Makes STEM.seg from STEM.raw and removes the latter. An empty one is only removed. E_CORRUPT: it cannot be
 * read at all (it is kept as STEM.bad). */
err seal(int dirfd, const char *folder, const char *stem);

struct segment { /* an open finished segment */
    int fd;
    struct footer f;
    struct table t;
    bool has_table;
};
err segment_open(struct segment *s, int dirfd, const char *folder, const char *stem);
void segment_close(struct segment *s);
err segment_table(struct segment *s); /* reads it when it is first needed */
/* Sets the bit of each block that may hold a key. */
err segment_blocks(const struct segment *s, uint32_t key, uint8_t *bits);
err segment_row(const struct segment *s, uint32_t block, struct block_row *ret);
/* The records of a block, unpacked into `out` (cleared first; BLOCK_MAX). */
err segment_read(const struct segment *s, const struct block_row *row, struct buf *packed, struct buf *out);

#endif
