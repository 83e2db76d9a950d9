/* Long options by tables: "--name value", "--name=value", or a switch. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>

struct cli_option {
    const char *name; /* without the dashes */
    bool is_switch;
    const char **value; /* receives what is behind it; of a switch: its name */
};
struct cli_options { /* a table */
    const struct cli_option *v;
    size_t n;
};
#define CLI_OPTIONS(array) ((struct cli_options){(array), sizeof(array) / sizeof *(array)})

/* Reads all words behind argv[0] by the tables, in their order. False: one that no table has, or without its value, or
 * a switch with one. */
bool cli_options(const struct cli_options *tables, size_t ntables, int argc, char **argv);

#endif
