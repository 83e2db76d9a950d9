/* Shared by mime.c (the walk), mime_head.c (what a header says) and mime_enc.c (the encoders). */
#ifndef WIRE_MIME_INTERNAL_H
#define WIRE_MIME_INTERNAL_H
#include "wire/mime.h"

enum { BOUNDARY_MAX = 200 }; /* RFC 2046 says 70 */

enum mime_state {
    IN_HEAD, /* gathering the header block of an entity */
    IN_LEAF,
    IN_BETWEEN /* preamble or epilogue of a multipart */
};
enum mime_kind {
    KIND_LEAF,
    KIND_MULTIPART,
    KIND_MESSAGE, /* message/rfc822, entered */
    KIND_FIXED    /* may not be encoded: message/partial and the like, a broken multipart */
};
enum mime_has { HAS_8BIT = 1, HAS_BINARY = 2, HAS_LONG = 4, HEAD_8BIT = 8, HEAD_BROKEN = 16 };

/* What is done to the body of a part. */
enum mime_fix {
    FIX_NONE,
    FIX_QP, /* encode */
    FIX_BASE64,
    FIX_QP_AGAIN, /* quoted-printable already, but with octets that it must not have */
    FIX_BASE64_AGAIN,
    FIX_IMPOSSIBLE
};

/* How a header block ended: with its empty line; by a line that is no field; by a delimiter or with the message. */
enum head_end { END_EMPTY_LINE, END_BODY, END_CUT };

struct level {
    char boundary[BOUNDARY_MAX];
    uint8_t boundary_n;
    bool digest;   /* parts without a type are messages */
    unsigned part; /* of the multipart itself */
};

/* What the header of an entity says. */
struct entity {
    enum mime_kind kind;
    enum mime_cte cte;
    bool text; /* text of any kind: quoted-printable suits it */
    bool digest;
    bool head_8bit;
    bool has_version, has_type;
    char boundary[BOUNDARY_MAX];
    size_t boundary_n;
};

struct mime {
    struct level levels[MIME_DEPTH_MAX];
    unsigned depth;
    unsigned nested; /* messages inside messages since the last delimiter */
    enum mime_state state;
    bool top;    /* the header is that of the message itself */
    bool inner;  /* ... of a message/rfc822 */
    bool broken; /* ... has a CR or LF alone */
    struct buf head;
    /* by number of part, in order of their headers */
    uint8_t has[MIME_PARTS_MAX], kind[MIME_PARTS_MAX], cte[MIME_PARTS_MAX];
    bool text[MIME_PARTS_MAX];
    unsigned next, part; /* number of the next and of the current part */
    bool scanned, bad;
    /* lines */
    char line[1002];
    size_t line_n;
    bool middle;   /* the next piece continues a line */
    bool crlf;     /* held back */
    size_t column; /* of the body line in the scan; of the output line in the conversion */
    /* looking */
    const struct mime_visitor *visitor; /* NULL in the other passes */
    void *arg;
    /* conversion */
    struct buf *out; /* NULL in the scan */
    enum mime_fix fix;
    char quad[3]; /* octets that wait for base64 */
    size_t quad_n, b64_column;
    err e;
};

void mime_rewind(struct mime *m);

/* mime_head.c */
void mime_read_head(str head, bool in_digest, struct entity *ret);
enum mime_fix mime_fix_of(const struct mime *m, unsigned part);
void mime_write_head(struct mime *m, str head, const struct entity *e, enum head_end how);

/* mime_enc.c: the body of a leaf in the second pass. */
void mime_leaf_text(struct mime *m, str text, bool eol);
void mime_leaf_crlf(struct mime *m);
void mime_leaf_end(struct mime *m);

#endif
