/* One command of an operator while it runs, for the files that do a part of it. */
#ifndef DIRECTORY_COMMAND_H
#define DIRECTORY_COMMAND_H
#include "directory/internal.h"

enum { DONE = 0, FAILED = 1, USAGE = 64 }; /* exit statuses */

struct want {
    struct directory_call *call;
    struct directory_line line;
    str verb, name; /* `name` as typed */
    str old_name;
    str text; /* of an import */
    int64_t first_line;
    bool json, force;
    str words[2 + DIRECTORY_TARGETS_MAX];
    size_t nwords;
};

/* The entry that the command names, as it is now; E_NOT_FOUND. */
err command_load(struct want *w);
int command_not_found(struct want *w); /* complains */
/* Keeps w->line.password as the account's own (title "") or a credential. */
int command_password(struct want *w, str title) YIELDS;

int command_show(struct want *w);
int command_list(struct want *w);
int command_credential(struct want *w) YIELDS;
/* "key":"value", a comma before all but the first. */
void command_json(struct buf *out, const char *key, str value, bool first);

#endif
