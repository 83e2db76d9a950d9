/*
 * The one error type. A value says what went wrong and, by its row in err.def, whether the
 * same step may succeed later. What a peer is told is a reply (wire/reply.h), never an err.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H
#include <stdbool.h>

typedef enum err {
    OK = 0,
#define ERR(name, class, esc, text) E_##name,
#include "base/err.def"
#undef ERR
    ERR_COUNT
} err;

enum err_class { ERR_TEMP, ERR_PERM, ERR_BUG };

const char *err_name(err e);     /* "DISK_FULL"; "OK" for OK */
const char *err_text(err e);     /* a phrase for people, without a capital or a period */
const char *err_esc(err e);      /* "3.1": subject and detail of RFC 3463 */
enum err_class err_class(err e); /* BUG counts as temporary towards peers */
static inline bool err_is_perm(err e) { return e != OK && err_class(e) == ERR_PERM; }

/* What an errno value means: ENOSPC and EDQUOT are E_DISK_FULL, ENOMEM is E_NOMEM, the rest as its
 * name says; anything else is E_IO. */
err err_from_errno(int e);

#endif
