/* What cmocka wants included before it. */
#ifndef BASE_TEST_H
#define BASE_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define assert_str(s, z)                                                                                               \
    do {                                                                                                               \
        str s_ = (s);                                                                                                  \
        assert_int_equal(s_.n, strlen(z));                                                                             \
        assert_memory_equal(s_.p, z, s_.n);                                                                            \
    } while (0)

#endif
