/* Inside ctl: a session, its options, and how it writes. Everything runs on loop 0. */
#ifndef CTL_INTERNAL_H
#define CTL_INTERNAL_H
#include "base/cleanup.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "net/net.h"

/* ---- the words of a request ---- */

enum ctl_opt {                 /* what a command takes */
               OPT_FILTER = 1, /* --sender --recipient --site --error --older --younger --tenant --held */
               OPT_ALL = 2,
               OPT_DRY = 4,
               OPT_LIMIT = 8,
               OPT_IDS = 16,
               OPT_HEAD = 32,
               OPT_MESSAGE = 64,
               OPT_TAKE = 128,  /* of export-one */
               OPT_TO = 512,    /* of quarantine release */
               OPT_PART = 1024, /* of quarantine show */
               OPT_RAW = 256,   /* alone: all words go to the command as they came, its name too */
};

struct ctl_args {
    struct queue_filter filter;
    uint64_t limit; /* 0: none */
    bool json, all, dry_run, ids, head, message, hold, had, text, parts;
    str to;
    bool filtered; /* an option of OPT_FILTER was given */
    str *word;     /* what is no option */
    size_t nword;
};

/* `v` are the words behind the command's name. False: *why says what was expected, found, and what to do. */
bool ctl_args_parse(struct arena *a, const str *v, size_t n, unsigned opts, struct ctl_args *ret, struct buf *why);
/* "2h", "30min", "1d12h": milliseconds; a unit is required. */
bool ctl_span(str s, int64_t *ret_ms);

/* ---- the answer ---- */

/* Octets gather in `b`, anybody may add; out_send makes frames of them. A failed connection is sticky. */
struct ctl_out {
    struct conn *c;
    struct buf b;
    bool json, comma;
    bool was_key;
};
err ctl_out_send(struct ctl_out *o) YIELDS;             /* all that has gathered */
void ctl_out_error(struct ctl_out *o, str text) YIELDS; /* a frame of error text; a line end is added */
void ctl_out_end(struct ctl_out *o, int status) YIELDS;

/* JSON written in order: commas take care of themselves. */
void json_open(struct ctl_out *o, char bracket);
void json_close(struct ctl_out *o, char bracket);
void json_key(struct ctl_out *o, const char *name);
void json_str(struct ctl_out *o, str s);
void json_num(struct ctl_out *o, int64_t n);
void json_bool(struct ctl_out *o, bool b);
void json_null(struct ctl_out *o);
void json_time(struct ctl_out *o, int64_t ms); /* RFC 3339; 0: null */
void json_id(struct ctl_out *o, uint64_t id);
void json_end(struct ctl_out *o, char bracket); /* json_close of the outermost one, and the line ends */
/* Key and value in one. */
void json_kopen(struct ctl_out *o, const char *name, char bracket);
void json_kid(struct ctl_out *o, const char *name, uint64_t id);
void json_kstr(struct ctl_out *o, const char *name, str s);
void json_knum(struct ctl_out *o, const char *name, int64_t n);
void json_kbool(struct ctl_out *o, const char *name, bool b);
void json_ktime(struct ctl_out *o, const char *name, int64_t ms);

/* Texts for people. */
void ctl_put_size(struct buf *out, uint64_t n);                                     /* "10.2 KB" */
void ctl_put_count(struct buf *out, uint64_t n, const char *one, const char *many); /* "1 message", "12 messages" */
void ctl_put_recipients(struct buf *out, uint64_t n, uint64_t messages);            /* "2 recipients of 1 message" */
/* "ID  from SENDER, SIZE, AGE old" and the end of the line. */
void ctl_put_message(struct buf *out, uint64_t id, str sender, uint64_t size, int64_t arrived_ms, int64_t now_ms);
/* The id as a row of a list of ids: JSON, or a line. */
void ctl_put_id(struct ctl_out *o, uint64_t id);
void ctl_put_in(struct buf *out, int64_t ms, int64_t now_ms); /* "now", "in 5 min" */
/* The end of a line about a recipient: when it is tried again, and the last reply on a line of its own. */
void ctl_put_next(struct buf *out, const struct queue_entry *e, int64_t now_ms, const char *indent);
void ctl_put_pad(struct buf *out, size_t from,
                 size_t width);                   /* blanks until the text since `from` has `width` octets */
void ctl_put_sender(struct buf *out, str sender); /* "<>" for the null sender; made safe for a terminal */

/* ---- sessions and commands ---- */

struct ctl_session {
    const struct ctl *rooms;
    struct conn conn;
    struct ctl_out out;
    struct arena arena; /* of the request */
    struct ctl_args args;
    uid_t uid;
    char who[32]; /* "uid 0" */
};

/* What is known of a recipient, in an object that is open. */
void ctl_rcpt_keys(struct ctl_out *o, const struct queue_entry *e);
/* A recipient as `queue show` and `why` have it in JSON. */
void ctl_rcpt_json(struct ctl_out *o, const struct queue_entry *e);

/* The history knows the message. */
bool ctl_told(const struct ctl *rooms, uint64_t id) YIELDS;

/* Fails the command: an error text and a status. */
int ctl_fail(struct ctl_session *s, int status, const char *fmt, ...) YIELDS __attribute__((format(printf, 3, 4)));
/* The word as a message id; on failure says so and returns false. */
bool ctl_want_id(struct ctl_session *s, str word, uint64_t *ret) YIELDS;

int ctl_status(struct ctl_session *s) YIELDS;
int ctl_list(struct ctl_session *s) YIELDS;
int ctl_show(struct ctl_session *s) YIELDS;
int ctl_flush(struct ctl_session *s) YIELDS;
int ctl_hold(struct ctl_session *s) YIELDS;
int ctl_release(struct ctl_session *s) YIELDS;
int ctl_remove(struct ctl_session *s) YIELDS;
int ctl_bounce(struct ctl_session *s) YIELDS;
int ctl_export_one(struct ctl_session *s) YIELDS;
int ctl_import_one(struct ctl_session *s) YIELDS;
int ctl_new_id(struct ctl_session *s) YIELDS;
int ctl_has(struct ctl_session *s) YIELDS;
int ctl_why(struct ctl_session *s) YIELDS;
int ctl_quarantine_list(struct ctl_session *s) YIELDS;
int ctl_quarantine_show(struct ctl_session *s) YIELDS;
int ctl_quarantine_release(struct ctl_session *s) YIELDS;
int ctl_quarantine_delete(struct ctl_session *s) YIELDS;
int ctl_quarantine_learn(struct ctl_session *s) YIELDS;
/* What is in quarantine and its parts (quarantine_parts.c): for people or as JSON; the text of the first text part. */
err ctl_parts(struct ctl_session *s, struct spool_reader *r, bool parts, bool text) YIELDS;
/* A fiber: what is too old or too much is removed (quarantine_limits.c). */
void ctl_quarantine_keep(void *rooms) YIELDS;

int ctl_watch(struct ctl_session *s) YIELDS;
int ctl_capture(struct ctl_session *s) YIELDS;
int ctl_directory(struct ctl_session *s) YIELDS;
int ctl_keys(struct ctl_session *s) YIELDS;
int ctl_reports(struct ctl_session *s) YIELDS;

/* One HTTP request for metrics on `c`. */
void ctl_metrics_session(const struct ctl *rooms, struct conn *c) YIELDS;
/* The gauges of queue and spool, behind those of rt. */
void ctl_metrics_rooms(struct buf *out, const struct ctl *rooms);

#endif
