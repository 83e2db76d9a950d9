/*
 * scan: what a message holds, as far as it can be seen without opening it: parts, the names of files, their true types
 * by their first octets, and one level of archives; and those who judge content from outside: clamd and rspamd.
 */
#ifndef SCAN_SCAN_H
#define SCAN_SCAN_H
#include "base/arena.h"
#include "base/buf.h"
#include "rt/rt.h"

/* ---- looking ----------------------------------------------------------------------------------------------------- */

enum scan_type {
#define TYPE(name, word, kind, text) SCAN_##name,
#include "scan/types.def"
#undef TYPE
    SCAN_TYPES
};
enum scan_kind { SCAN_PLAIN, SCAN_PROGRAM, SCAN_SCRIPTED, SCAN_OFFICE, SCAN_PACKED, SCAN_MEDIA };
const char *scan_type_word(enum scan_type t); /* "pe", "zip", ... */
const char *scan_type_text(enum scan_type t); /* "a program for Windows" */
enum scan_kind scan_type_kind(enum scan_type t);

enum { SCAN_HEAD = 1024 }; /* octets that scan_type_of wants to see */
/* What begins with these octets is. Archives that are told apart by what they hold are SCAN_ZIP or SCAN_OLE here. */
enum scan_type scan_type_of(str head);

enum scan_flag {
    SCAN_ATTACHED = 1,       /* Content-Disposition: attachment */
    SCAN_ENCRYPTED = 2,      /* needs a password */
    SCAN_DAMAGED = 4,        /* not as its format demands: other readers may see something else */
    SCAN_MACROS = 8,         /* a document with macros */
    SCAN_ACTIVE = 16,        /* a document that runs or opens something else (PDF, RTF) */
    SCAN_UNREADABLE = 32,    /* an archive whose names cannot be read */
    SCAN_HIDDEN_NAME = 64,   /* controls, or marks that turn the direction of writing, in its name */
    SCAN_OTHER_NAME = 128,   /* another name of the part before it */
    SCAN_INSIDE = 256,       /* a file in the archive before it */
    SCAN_WHOLE = 512,        /* the body of a message that has no parts */
    SCAN_BROKEN_CODE = 1024, /* its transfer encoding holds what may not be in it */
    SCAN_GTUBE = 2048        /* the text that tests filters for unwanted mail */
};
struct scan_item {
    str name;      /* UTF-8, without controls; "" none */
    str declared;  /* "text/plain": of Content-Type, lower case; "" none, and for files in archives */
    uint64_t size; /* decoded; of files in archives as these say */
    uint32_t part; /* number of the part, from 0 */
    enum scan_type type;
    unsigned flags;
};

struct scan_limits {
    size_t items;      /* parts and files */
    uint64_t unpacked; /* octets of archives that are unpacked, all together */
};
#define SCAN_LIMITS ((struct scan_limits){1000, 64 << 20})

struct scan_found {
    struct scan_item *v; /* parts in their order, each followed by its other names and what is in it */
    size_t n;
    uint32_t parts;         /* that have a body */
    const char *incomplete; /* what was not looked at, and why; NULL: everything was */
};

struct scan_look;
/* NULL: no memory. About 30 KiB; while an archive is unpacked 50 KiB more. */
struct scan_look *scan_look_new(const struct scan_limits *l);
void scan_look_free(struct scan_look **l);
/* The whole message in any pieces, header block first. E_NOMEM; limits are no errors (`incomplete`). */
err scan_look_at(struct scan_look *l, str octets);
/* What was found; it lives as long as the look. */
err scan_look_end(struct scan_look *l, const struct scan_found **ret);

/* The last extension of a name in lower case without its dot, as Windows sees it: dots and blanks at the end are
 * nothing. "" none. In `mem`. */
enum { SCAN_EXTENSION_MAX = 16 };
str scan_extension(str name, char mem[SCAN_EXTENSION_MAX]);

/* ---- those who judge from outside -------------------------------------------------------------------------------- */

/* A message in memory or in pieces elsewhere: *ret is a piece that begins at `at`, and holds until the next call; it
 * may be asked for from the beginning again. */
struct scan_octets {
    uint64_t size;
    err (*read)(void *arg, uint64_t at, str *ret) YIELDS;
    void *arg;
};

struct clamd_question {
    str address;   /* as wire/endpoint.h has it; port 3310 when none is written */
    uint64_t most; /* octets that are sent at most: the beginning of a longer message */
    rt_time deadline;
    struct scan_octets octets;
};
struct clamd_answer {
    bool found;
    char name[128]; /* of what was found */
    bool cut;       /* only the beginning was looked at */
};
/* By zINSTREAM. E_LIMIT: clamd takes less than `most`; E_PROTOCOL: it answered something else; errors of connections.
 * *why (may be NULL) in words. */
err clamd_ask(const struct clamd_question *q, struct clamd_answer *ret, struct buf *why) YIELDS;

enum rspamd_action {
    RSPAMD_NONE,
    RSPAMD_GREYLIST,
    RSPAMD_ADD_HEADER,
    RSPAMD_REWRITE_SUBJECT,
    RSPAMD_SOFT_REJECT,
    RSPAMD_REJECT,
    RSPAMD_QUARANTINE,
    RSPAMD_DISCARD
};
const char *rspamd_action_name(enum rspamd_action a); /* "add header" */

enum { RSPAMD_RCPTS_MAX = 200, RSPAMD_SYMBOLS_MAX = 500, RSPAMD_EDITS_MAX = 100, RSPAMD_ANSWER_MAX = 1 << 20 };
struct rspamd_question {
    str address; /* port 11333 when none is written */
    str password;
    rt_time deadline;
    struct scan_octets octets;
    /* What is known besides the message; "" is left out. Octets that no field of HTTP can hold become "?". */
    str ip, hostname, helo, from, user, queue_id, deliver_to, mta_name, tls_version;
    const str *rcpts; /* of more than RSPAMD_RCPTS_MAX the first ones are told */
    size_t nrcpts;
};
struct rspamd_symbol {
    str name, options; /* options joined by ", " */
    double score;
};
struct rspamd_edit {
    str name, value;
    int64_t index; /* add: where, -1: at the end; remove: which of this name, 0: all */
    bool remove;
};
struct rspamd_answer {
    enum rspamd_action action;
    double score, required;
    bool skipped;
    str message;     /* what the client is told; "" nothing of its own */
    str subject;     /* instead of the one it has; "" none */
    str change_from; /* p NULL: none */
    const struct rspamd_symbol *symbols;
    const struct rspamd_edit *edits;
    const str *signatures; /* DKIM-Signature fields that it made, values */
    const str *add_rcpts, *del_rcpts;
    size_t nsymbols, nedits, nsignatures, nadd, ndel;
};
/* By HTTP, /checkv2. Strings are in `a` (room for RSPAMD_ANSWER_MAX, twice). E_PROTOCOL: no such answer; errors of
 * connections. *why in words. */
err rspamd_ask(const struct rspamd_question *q, struct arena *a, struct rspamd_answer *ret, struct buf *why) YIELDS;
/* Teaches it that the message is spam, or that it is not (/learnspam, /learnham); port 11334, the controller's, when
 * none is written. E_EXISTS: it knew that; E_DENIED: the password is wrong. */
err rspamd_learn(const struct rspamd_question *q, bool spam, struct buf *why) YIELDS;
/* The JSON of an answer. Pure. E_PROTOCOL, E_NOMEM. */
err rspamd_read(str json, struct arena *a, struct rspamd_answer *ret);

#endif
