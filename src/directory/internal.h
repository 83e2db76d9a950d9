/* Inside the directory: entries in memory, the text form, what commands share. */
#ifndef DIRECTORY_INTERNAL_H
#define DIRECTORY_INTERNAL_H
#include "base/cleanup.h"
#include "base/map.h"
#include "base/text.h"
#include "directory/directory.h"
#include "wire/addr.h"

/* Runs fn on the pool when on a fiber, else here. E_LIMIT, E_NOMEM: it did not run. */
err directory_blocking(void (*fn)(void *arg), void *arg) YIELDS;

/* An address in the form of tables: domain in A-labels and lower case, local part without quotes. False: *why. */
bool directory_address(struct arena *a, str text, str *ret_local, str *ret_domain, const char **why);
bool directory_name(struct arena *a, str text, str *ret_domain);
/* "local@domain", quoted when it must be. */
str directory_print(struct arena *a, str local, str domain);
/* What `deliver` says. False: *why tells what was expected. */
bool directory_hop(str deliver, struct conf_hop *ret, const char **why);
/* "30/min 500/h 2000/d", each once, or "". */
bool directory_rate(str text, const char **why);

/* The next address of a list with one blank between. */
static inline bool next_target(str *rest, str *ret) { return rest->n && str_cut(rest, ' ', ret); }

/* When a source was asked about an account for the last time. */
void directory_checked(str local, str domain);
bool directory_is_fresh(str local, str domain, rt_time span);

/* ---- the text form (text.c): a line for each thing, words in a fixed order, sorted ---- */

/* What a line may say besides the entry itself. */
struct directory_line {
    struct directory_change change;
    bool credential; /* not an entry but a credential of account.local@account.domain */
    str title;       /* of the credential */
    str hash, scram; /* stored forms of a password; "" none */
    str password;    /* in clear, to be hashed */
    bool disabled;
};
void directory_line_print(struct buf *out, const struct directory_line *l);
/* A line that is neither empty nor a comment. False: *why says what was expected and found. */
bool directory_line_parse(struct arena *a, str line, struct directory_line *ret, struct buf *why);
/* One "key=value" or "key" of such a line. */
bool directory_line_set(struct directory_line *l, str word, struct buf *why);

/* ---- commands (command.c, transfer.c) ---- */

/* Complains and returns `status`. */
int directory_fail(struct directory_call *c, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Brings addresses of a line to the form of tables and looks whether it makes sense here. `also` (may be NULL) are
 * lines that come with it. False: *why. */
bool directory_line_check(struct directory_call *c, struct directory_line *l, const struct directory_all *also,
                          struct buf *why);
int directory_import(struct directory_call *c, str text, int64_t first_line) YIELDS;
int directory_export(struct directory_call *c, const char *kinds) YIELDS; /* of "duac" */

#endif
