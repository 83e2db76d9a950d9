/* Reading a stored message in another form: re-encoded for a place that cannot take eight bits or binary content. */
#include "send/internal.h"

err convert_open(struct spool_reader *r, uint64_t id, struct body *mem, struct mime **ret, struct mime_info *ret_info)
{
    struct mime *m = mime_new();
    err e = m ? OK : E_NOMEM;
    for (str piece; !e;) {
        e = spool_read_next(r, &piece);
        if (e || piece.n == 0)
            break;
        e = mime_scan(m, piece);
    }
    if (!e)
        e = mime_scan_end(m, ret_info);
    if (!e && ret_info->bad)
        e = E_UNSUPPORTED;
    spool_read_close(r);
    err again = spool_read_open(r, send_world.spool, id, mem);
    if (e || again)
        mime_free(&m);
    *ret = m;
    return again == E_NOT_FOUND ? E_CORRUPT : again ? again : e;
}
