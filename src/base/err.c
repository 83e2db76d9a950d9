/* The error table made readable: names, classes and texts of err.def, and errno translated into it. */
#include "base/err.h"

#include <errno.h>
#include <stddef.h>

static const struct {
    const char *name, *esc, *text;
    enum err_class class;
} rows[ERR_COUNT] = {
    [OK] = {"OK", "0.0", "success", ERR_TEMP},
#define ERR(name, class, esc, text) [E_##name] = {#name, esc, text, ERR_##class},
#include "base/err.def"
#undef ERR
};

static err known(err e) { return (unsigned)e < ERR_COUNT ? e : E_UNKNOWN; }

const char *err_name(err e) { return rows[known(e)].name; }
const char *err_text(err e) { return rows[known(e)].text; }
const char *err_esc(err e) { return rows[known(e)].esc; }
enum err_class err_class(err e) { return rows[known(e)].class; }

static const struct {
    int number;
    err e;
} from_errno[] = {
    {ENOSPC, E_DISK_FULL},
    {EDQUOT, E_DISK_FULL},
    {ENOMEM, E_NOMEM},
    {EAGAIN, E_AGAIN},
    {ETIMEDOUT, E_TIMEOUT},
    {ECONNREFUSED, E_REFUSED},
    {ECONNRESET, E_RESET},
    {EPIPE, E_RESET},
    {EHOSTUNREACH, E_UNREACHABLE},
    {ENETUNREACH, E_UNREACHABLE},
    {ENETDOWN, E_UNREACHABLE},
    {EADDRNOTAVAIL, E_UNREACHABLE},
    {EAFNOSUPPORT, E_UNREACHABLE},
    {ENOENT, E_NOT_FOUND},
    {EEXIST, E_EXISTS},
    {EACCES, E_DENIED},
    {EPERM, E_DENIED},
    {ECANCELED, E_CANCELLED},
    {ECONNABORTED, E_RESET},
    {EMSGSIZE, E_LIMIT},
};

err err_from_errno(int e)
{
    if (e == 0)
        return OK;
    for (size_t i = 0; i < sizeof from_errno / sizeof *from_errno; i++)
        if (from_errno[i].number == e)
            return from_errno[i].e;
    return E_IO;
}
