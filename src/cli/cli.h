/*
 * cli: everything that an operator or a program types: the commands of postrider (most are a thin pipe
 * to the running server's control socket), and sendmail, mailq and newaliases, which are the same
 * program by another name.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include "base/buf.h"

struct cli_command {
    const char *name;                  /* "serve" */
    int (*run)(int argc, char **argv); /* argv[0] is the name; the exit status */
    const char *usage, *text;          /* "-c FILE", what it does: for help */
};

/* The whole of main: `more` are commands of rooms above. The exit status (sysexits.h). */
int cli_main(int argc, char **argv, const struct cli_command *more, size_t nmore);

/* What answers `reports` when no server runs: words behind it, reports.db in the folder. An exit status. */
typedef int cli_reports_fn(int data_dir, const str *words, size_t n, bool json, struct buf *out, struct buf *why);
void cli_reports_here(cli_reports_fn *fn);

/* Takes `-c FILE` out of argv, wherever it stands before a "--": the path, which else is that of the environment
 * variable POSTRIDER_CONF, else /etc/postrider/postrider.conf. NULL: -c without a file. */
const char *cli_config_file(int *argc, char **argv);

/* Reads and judges the file; every error and warning goes to stderr. NULL: it is refused. */
struct conf;
struct conf *cli_load_config(const char *file);

#endif
