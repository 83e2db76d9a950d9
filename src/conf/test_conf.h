/* For tests: a configuration from a text. What is wrong with it is printed and ends the process, because cmocka's
 * asserts may not leave a fiber's stack. */
#ifndef CONF_TEST_CONF_H
#define CONF_TEST_CONF_H
#include "conf/conf.h"

#include <stdio.h>
#include <unistd.h>

/* Frees the bundle. */
static inline struct conf *test_conf_load(struct conf_bundle *b)
{
    struct conf_errors errors;
    struct conf *c = NULL;
    if (conf_load(&c, b, &errors)) {
        struct buf out;
        buf_init(&out, 1 << 16);
        conf_errors_print(&out, &errors);
        fprintf(stderr, STR_FMT "\n", STR_ARG(buf_str(&out)));
        _exit(1);
    }
    conf_errors_free(&errors);
    conf_bundle_free(b);
    return c;
}

/* As if it were a file of the folder `dir`. */
static inline struct conf *test_conf(const char *dir, str text)
{
    struct conf_bundle b;
    if (conf_bundle_of(&b, S("t.conf"), text, str_c(dir)))
        _exit(1);
    return test_conf_load(&b);
}

#endif
