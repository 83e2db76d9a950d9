/*
 * script: the user's own policy in Lua. A script defines hooks (hooks.def); each call of one runs on a coroutine that
 * waits for DNS, HTTP and the like while the fiber sleeps and other sessions go on. A call has a budget of
 * instructions, of running time, of memory and of time altogether; what goes beyond is ended and reported with file and
 * line. What a script sees of the world comes through struct script_world, which whoever calls fills.
 *
 * One Lua state a loop; a coroutine runs on the loop's own stack (fiber_on_loop), never on a fiber's, and leaves
 * nothing there while it waits.
 */
#ifndef SCRIPT_SCRIPT_H
#define SCRIPT_SCRIPT_H
#include "base/arena.h"
#include "rt/rt.h"

enum script_hook {
#define HOOK(name, text) SCRIPT_ON_##name,
#include "script/hooks.def"
#undef HOOK
    SCRIPT_HOOKS
};
const char *script_hook_name(enum script_hook h);

enum script_field {
#define FIELD(object, name, type, text) SCRIPT_##object##_##name,
#include "script/fields.def"
#undef FIELD
    SCRIPT_FIELDS
};

struct script_value {
    enum { SCRIPT_NIL, SCRIPT_STR, SCRIPT_NUM, SCRIPT_BOOL, SCRIPT_LIST } kind;
    str s;
    double n;
    bool b;
    const str *v; /* LIST */
    size_t nv;
};

/* ---- what a script may do to the world ------------------------------------------------------------------- */

struct script_edit {
    enum {
        SCRIPT_EDIT_SENDER,        /* value */
        SCRIPT_EDIT_RCPT_ADD,      /* value */
        SCRIPT_EDIT_RCPT_REMOVE,   /* value; "" the one that is asked about */
        SCRIPT_EDIT_HEADER_ADD,    /* name, value: behind the last field */
        SCRIPT_EDIT_HEADER_INSERT, /* before field number `index`, from 0 */
        SCRIPT_EDIT_HEADER_CHANGE, /* the index-th of this name, from 1 */
        SCRIPT_EDIT_HEADER_REMOVE, /* the index-th of this name; 0: all */
        SCRIPT_EDIT_BODY,          /* value: any line ends */
        SCRIPT_EDIT_TAG,           /* name, value */
        SCRIPT_EDIT_PRIORITY,      /* index */
        SCRIPT_EDIT_WAY            /* value: title of a route; E_NOT_FOUND: there is none */
    } kind;
    uint32_t index;
    str name, value;
};

struct script_part { /* a part of the message that is no container */
    str type;        /* "image/png", lower case */
    str name;        /* of the file, decoded; "" none */
    uint64_t size;   /* decoded octets */
    str found;       /* what its octets are, where known: "zip"; "" not known */
    bool inside;     /* a file in the archive before it */
};

/* `subject` is the caller's. Any function may be NULL: then it is told to the script that this is not to be had here.
 * Values live until the next call, or in `mem`. Errors are told to the script as such. */
struct script_world {
    void (*field)(void *subject, enum script_field f, struct arena *mem, struct script_value *ret);
    err (*head)(void *subject, struct buf *out);                     /* the header block as it is now */
    err (*body)(void *subject, size_t most, struct buf *out) YIELDS; /* the first octets of the body as it is now */
    err (*edit)(void *subject, const struct script_edit *e);
    void (*score)(void *subject, double points, str why);
    bool (*tag)(void *subject, str name, str *ret_value);
    err (*in_list)(void *subject, str list, str key, bool *ret) YIELDS; /* E_NOT_FOUND: there is no such list */
    err (*parts)(void *subject, struct arena *mem, struct script_part **ret, size_t *ret_n) YIELDS;
};

enum script_kind {
    SCRIPT_CONTINUE,
    SCRIPT_ACCEPT,
    SCRIPT_REFUSE,
    SCRIPT_DEFER,
    SCRIPT_DISCARD,
    SCRIPT_QUARANTINE,
    SCRIPT_HOLD,
    SCRIPT_REDIRECT
};
const char *script_kind_name(enum script_kind k); /* "refuse" */
struct script_verdict {
    enum script_kind kind;
    int code;     /* of REFUSE and DEFER; 0: the usual one */
    char esc[12]; /* "5.7.1" or "" */
    str text;     /* of REFUSE and DEFER, or why; "" none. In request.mem */
    str to;       /* REDIRECT */
    int line;     /* where the script said so */
    str file;     /* in the script's memory: until script_drop */
};

/* ---- scripts ------------------------------------------------------------------------------------------------ */

struct script_file {
    str name; /* as messages show it; `require "x"` finds "x.lua" */
    str text;
};
struct script_options {
    const struct script_file *files; /* the first is the script, the others are for `require` */
    size_t nfiles;
    int64_t instructions; /* of a call; steps of patterns and copied octets count, too */
    int64_t memory;       /* octets of a call */
    int64_t memory_all;   /* octets of a state: all calls of one loop together */
    rt_time run_time;     /* running, of a call */
    rt_time time;         /* of a call altogether, with what it waits for */
    unsigned questions;   /* DNS, HTTP, lists: of a call */
    size_t http_most;     /* octets of an answer */
    size_t body_most;     /* octets of text that message.body gives */
    unsigned failures;    /* of a hook in a row that stop it for a while; 0: never */
    rt_time pause;        /* that while */
    bool private_targets; /* http may reach addresses that are not public */
};
void script_options_init(struct script_options *o); /* everything but files */

struct script; /* one generation: immutable files, a Lua state for each loop */
/* Compiles and runs the files' top level in a state of this loop. Copies what it needs. E_SYNTAX: *why is
 * "FILE:LINE: what"; E_NOMEM. On a loop. */
err script_new(struct script **ret, const struct script_options *o, struct buf *why);
struct script *script_ref(struct script *s); /* atomic */
void script_drop(struct script **s);         /* NULL is fine; any thread */
/* The hooks that the script has: 1 << enum script_hook. */
unsigned script_hooks(const struct script *s);
/* Is it Lua? Reads it, runs nothing. E_SYNTAX: *ret_line and *why. BLOCKS for milliseconds: for the command line and
 * the parent. */
err script_syntax(const struct script_file *f, int *ret_line, struct buf *why);

/* What a script keeps between the hooks of one session or one transaction: session.vars, envelope.vars. */
struct script_vars;
void script_vars_free(struct script_vars **v); /* NULL is fine */

struct script_request {
    const struct script_world *world;
    void *subject;
    enum script_hook hook;
    str function;                             /* a function of the script by its name, instead of a hook; "" none */
    str piece;                                /* argument of the hook `body` */
    struct script_vars **session, **envelope; /* made when needed; NULL: none */
    struct arena *mem;                        /* for what the verdict says */
    uint64_t session_id, message_id;          /* for the log; 0: none */
};
/* Calls a hook. OK: *ret is what it said (CONTINUE: nothing). E_NOT_FOUND: there is no such function; *ret is CONTINUE.
 * Everything else is a failure, counted and logged with file and line: E_UNKNOWN (an error in the script), E_LIMIT (a
 * budget), E_NOMEM, E_TIMEOUT, E_CANCELLED, E_AGAIN (the hook is stopped for a while after failures). *why (may be
 * NULL) says so in words. */
err script_call(struct script *s, const struct script_request *q, struct script_verdict *ret, struct buf *why) YIELDS;

/* ---- what all scripts of the process share -------------------------------------------------------------------- */

/* Octets that `store` may hold, keys and all; less than now: entries go. */
void script_store_limit(size_t most);
size_t script_store_used(void);
/* What has not expired outlives the process, up to 20,000 entries of at most 1,000 octets: before counts_open. */
void script_store_keep(void);
/* Numbers that scripts count by `metric`, in the format of metrics_print. */
void script_metrics_print(struct buf *out);

#endif
