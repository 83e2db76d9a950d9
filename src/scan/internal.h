/* Shared by look.c (parts and their files) and the readers of archives, each of which takes octets in any pieces. */
#ifndef SCAN_INTERNAL_H
#define SCAN_INTERNAL_H
#include "scan/scan.h"

#include <zlib.h>

enum { ARCHIVE_NAME_MAX = 1024, UNPACK_PIECE = 4096 };

static inline uint32_t scan_u16(const char *p) { return (uint32_t)((unsigned char)p[0] | (unsigned char)p[1] << 8); }
static inline uint32_t scan_u32(const char *p) { return scan_u16(p) | scan_u16(p + 2) << 16; }
static inline uint64_t scan_u64(const char *p) { return scan_u32(p) | (uint64_t)scan_u32(p + 4) << 32; }

/* The first octets of something. */
struct head_of {
    char p[SCAN_HEAD];
    size_t n;
};
bool head_take(struct head_of *h, str *in); /* true: it is full; what was taken is off *in */

/* A fixed number of octets, after others that are passed over. */
struct gather {
    char p[2048];
    size_t n, want;
    uint64_t skip;
};
void gather_for(struct gather *g, size_t want); /* at most sizeof p */
bool gather_take(struct gather *g, str *in);    /* true: they are all here */

struct scan_look;
/* ---- what the readers say ---- */
/* A file in the archive of the current part; its item's index, or SIZE_MAX when there is no room for more. */
size_t look_member(struct scan_look *l, str name, uint64_t size, unsigned flags);
struct scan_item *look_item(struct scan_look *l, size_t at); /* NULL for SIZE_MAX */
struct scan_item *look_part(struct scan_look *l);            /* of the archive itself */
size_t look_find(struct scan_look *l, str name);             /* a file of the current archive by its name */
void look_incomplete(struct scan_look *l, const char *why);
bool look_unpacked(struct scan_look *l, size_t octets); /* false: that was too much in all */
void look_nomem(struct scan_look *l);

/* ---- zip.c ---- */
enum zip_state {
    ZIP_SIGN,
    ZIP_LOCAL,
    ZIP_LOCAL_NAME,
    ZIP_DATA,
    ZIP_CENTRAL,
    ZIP_CENTRAL_NAME,
    ZIP_END_RECORD,
    ZIP_SEEK,
    ZIP_STOP
};
struct zip {
    struct scan_look *look;
    enum zip_state state;
    struct gather g;
    char window[4]; /* while the next record is looked for */
    uint32_t name_n, extra_n, method, flags;
    uint64_t packed; /* octets that are left of a file; UINT64_MAX: not known */
    size_t item;
    struct head_of head;
    z_stream z;
    bool inflating, central, ended, office, macros, jar, apk;
    unsigned files, listed;
    char out[UNPACK_PIECE];
};
void zip_begin(struct zip *z, struct scan_look *l, bool seek);
void zip_feed(struct zip *z, str in);
void zip_end(struct zip *z);

/* ---- tar.c ---- */
struct tar {
    struct scan_look *look;
    struct gather g;
    bool in_data, stopped;
    char kind;
    uint64_t left, pad;
    size_t item;
    struct head_of head;
    char name[ARCHIVE_NAME_MAX]; /* of the next file, when records before it say so */
    size_t name_n;
};
void tar_begin(struct tar *t, struct scan_look *l);
void tar_feed(struct tar *t, str in);
void tar_end(struct tar *t);

struct gunzip {
    struct scan_look *look;
    z_stream z;
    gz_header header;
    Bytef name[ARCHIVE_NAME_MAX];
    bool inflating, stopped, named, is_tar;
    size_t item;
    struct head_of head;
    struct tar tar;
    char out[UNPACK_PIECE];
};
void gunzip_begin(struct gunzip *g, struct scan_look *l);
void gunzip_feed(struct gunzip *g, str in);
void gunzip_end(struct gunzip *g);

/* ---- rar.c: versions 4 and 5, and 7z ---- */
enum rar_state { RAR_MARK, RAR_HEAD, RAR_BODY, RAR_STOP };
struct rar {
    struct scan_look *look;
    enum scan_type type;
    enum rar_state state;
    struct gather g;
    unsigned files;
};
void rar_begin(struct rar *r, struct scan_look *l, enum scan_type type);
void rar_feed(struct rar *r, str in);
void rar_end(struct rar *r);

#endif
