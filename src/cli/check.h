/*
 * The commands that judge or sign mail without a configuration: their options, and a loop with a resolver of its own
 * in which they run.
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H
#include "check/check.h"
#include "cli/internal.h"
#include "cli/options.h"

enum check_needs {
    NEEDS_CLIENT = 1, /* --ip --helo --from */
    NEEDS_MESSAGE = 2 /* on standard input: line ends become CRLF */
};

/* What a command is given while it runs, in a fiber. */
struct check_run {
    struct check check; /* client, time, deadline, source and explanation are filled in */
    str message;
    str raw;        /* the same as it was read */
    struct buf out; /* printed at the end */
};

struct check_command {
    const char *name, *usage; /* "dkim verify", behind "usage: postrider " */
    unsigned needs;           /* enum check_needs */
    struct cli_options options;
    /* The exit status. Runs in a fiber of the only loop, with a resolver. */
    int (*run)(struct check_run *r) YIELDS;
    const struct dns_config *dns; /* servers and validate unless options say otherwise; NULL: the system's, no */
};
/* Parses argv (argv[0] is the last word of the command's name): the options above and --resolver HOST:PORT, --validate,
 * --time UNIX, --explain, which all have. Prints what the command says; the exit status. */
int cli_check(const struct check_command *c, int argc, char **argv);

/* `field` (CRLF) and then the message as it was read, whose line ends the field gets, too. */
void check_run_prepend(struct check_run *r, str field);

int cli_dkim(int argc, char **argv);
int cli_arc(int argc, char **argv);
int cli_lua(int argc, char **argv);
int cli_auth(int argc, char **argv);
int cli_policy(int argc, char **argv);

#endif
