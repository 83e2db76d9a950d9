/*
 * scan: what a message holds, as far as it can be seen without opening it: parts, the names of files, their true types
 * by their first octets, and one level of archives; and those who judge content from outside: clamd and rspamd.
 */
#ifndef SCAN_SCAN_H
#define SCAN_SCAN_H
#include "base/arena.h"
#include "base/buf.h"

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
    SCAN_ATTACHED = 1,      /* Content-Disposition: attachment */
    SCAN_ENCRYPTED = 2,     /* needs a password */
    SCAN_DAMAGED = 4,       /* not as its format demands: other readers may see something else */
    SCAN_MACROS = 8,        /* a document with macros */
    SCAN_ACTIVE = 16,       /* a document that runs or opens something else (PDF, RTF) */
    SCAN_UNREADABLE = 32,   /* an archive whose names cannot be read */
    SCAN_HIDDEN_NAME = 64,  /* controls, or marks that turn the direction of writing, in its name */
    SCAN_OTHER_NAME = 128,  /* another name of the part before it */
    SCAN_INSIDE = 256,      /* a file in the archive before it */
    SCAN_WHOLE = 512,       /* the body of a message that has no parts */
    SCAN_BROKEN_CODE = 1024 /* its transfer encoding holds what may not be in it */
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

#endif
